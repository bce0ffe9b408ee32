//! Whether source and sink are one tree under two names: nothing would be copied, and a mirror
//! would delete its own source.

use std::time::{SystemTime, UNIX_EPOCH};

use towpath_backend::{Bytes, Kind, Metadata, RelPath, Sink, Source, Timestamp, WriteOptions};

use crate::error::{Result, UsageError};
use crate::partial::PartialNames;

/// A file that was created in the root of the sink, and is to be removed.
#[must_use = "the probe stays at the sink"]
pub(super) struct Probe {
    path: RelPath,
    written: towpath_backend::Result<Metadata>,
}

/// Creates an empty file in the root of the sink, and checks whether the source has it. If the sink does not accept the
/// file, nothing is checked: the run reports the problem. Returns the file to be removed.
///
/// # Errors
/// [`UsageError::SinkIsSource`] if the source shows it.
pub(super) async fn check(source: &dyn Source, sink: &dyn Sink) -> Result<Option<Probe>> {
    let Some(path) = PartialNames::probe().filter(|_| sink.capabilities().probes) else { return Ok(None) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let modified = Timestamp::from_parts(i64::try_from(now).unwrap_or(0), 0);
    let metadata = Metadata { permissions: Some(0o600), ..Metadata::new(Kind::File, 0, modified) };
    let written = sink.write_whole(&path, Bytes::new(), &metadata, &WriteOptions::default()).await;
    let shown = written.is_ok() && source.metadata(&path).await.is_ok();
    let probe = Probe { path, written };
    if shown {
        remove(sink, Some(probe)).await;
        let (source_root, sink_root) = (source.root().to_vec(), sink.root().to_vec());
        return Err(UsageError::SinkIsSource { source_root, sink_root }.into());
    }
    Ok(Some(probe))
}

/// Removes a probe. A later scan removes one that remains.
pub(super) async fn remove(sink: &dyn Sink, probe: Option<Probe>) {
    let Some(Probe { path, written }) = probe else { return };
    let removed = sink.remove_file(&path).await;
    if let Err(error) = written.map(drop).and(removed) {
        tracing::debug!(%error, "probe");
    }
}
