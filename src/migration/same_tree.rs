//! Whether source and sink are one tree under two names: nothing would be copied, and a mirror
//! would delete its own source.

use std::time::{SystemTime, UNIX_EPOCH};

use towpath_backend::{Bytes, Kind, Metadata, Sink, Source, Timestamp, WriteOptions};

use crate::error::{Result, UsageError};
use crate::partial::PartialNames;

/// Creates an empty file in the root of the sink, checks whether the source has it, and removes it. If the sink does
/// not accept the file, nothing is checked: the run reports the problem.
///
/// # Errors
/// [`UsageError::SinkIsSource`] if the source shows it.
pub(super) async fn check(source: &dyn Source, sink: &dyn Sink) -> Result<()> {
    let Some(probe) = PartialNames::probe().filter(|_| sink.capabilities().probes) else { return Ok(()) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let modified = Timestamp::from_parts(i64::try_from(now).unwrap_or(0), 0);
    let metadata = Metadata { permissions: Some(0o600), ..Metadata::new(Kind::File, 0, modified) };
    let written = sink.write_whole(&probe, Bytes::new(), &metadata, &WriteOptions::default()).await;
    let shown = written.is_ok() && source.metadata(&probe).await.is_ok();
    // A later scan removes a probe that remains.
    let removed = sink.remove_file(&probe).await;
    if let Err(error) = written.map(drop).and(removed) {
        tracing::debug!(%error, "probe");
    }
    if shown {
        let (source_root, sink_root) = (source.root().to_vec(), sink.root().to_vec());
        return Err(UsageError::SinkIsSource { source_root, sink_root }.into());
    }
    Ok(())
}
