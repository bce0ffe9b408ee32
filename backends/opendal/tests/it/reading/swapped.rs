//! Files that are overwritten between any two requests of a read: what is read is one version, or an error.

use proptest::prelude::*;
use proptest::sample::select;

use super::server::{Habits, Object, Server, Speaks};
use super::{BLOCK_BYTES, data, object, overwrite, paced, path};
use towpath_backend::{ReadOptions, Result, Source as _};
use towpath_opendal::OpendalTree;

const LARGE_BYTES: usize = 6 * BLOCK_BYTES;
const SMALL_BYTES: usize = 3000;

/// Reads a file in blocks, as the engine does; `None` if it ends early.
async fn read(tree: &OpendalTree, options: &ReadOptions) -> Result<Option<Vec<u8>>> {
    let mut file = tree.open(&path("file"), options).await?;
    let size = file.metadata().await?.size_bytes;
    let mut content = Vec::new();
    while (content.len() as u64) < size {
        let (offset, before) = (content.len() as u64, content.len());
        file.prefetch(offset, BLOCK_BYTES as u64).await;
        content = file.read_at(offset, BLOCK_BYTES, content).await?;
        if content.len() == before {
            return Ok(None);
        }
    }
    let same = file.metadata().await?.size_bytes == size;
    Ok(same.then_some(content))
}

async fn read_small(tree: &OpendalTree) -> Result<Option<Vec<u8>>> {
    let whole = tree.read_whole(&path("file"), 2 * SMALL_BYTES, Vec::new(), &ReadOptions::default()).await?;
    let is_whole = whole.metadata.size_bytes == whole.data.len() as u64;
    Ok(is_whole.then_some(whole.data))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_read_is_never_a_mixture(
        speaks in select(Speaks::ALL.to_vec()),
        (no_etags, no_dates) in any::<(bool, bool)>(),
        (is_small, is_paced) in any::<(bool, bool)>(),
        at in 0..8_usize,
        breaks_off_at in prop::option::of(1..100_usize),
        longer in select(vec![0, 0, 1, 1000]),
    ) {
        let bytes = if is_small { SMALL_BYTES } else { LARGE_BYTES };
        let breaks_off_after = breaks_off_at.map(|percent| bytes * percent / 100);
        // A connection that breaks off is followed by another request.
        let at = if breaks_off_after.is_some() && at > 3 { 1 } else { at };
        let habits = Habits { no_etags, no_dates, breaks_off_after, ..Habits::default() };
        let (first, second) = (object(1, bytes), Object { stored: 2, ..object(2, bytes + longer) });
        let server = Server::with(speaks, habits, &[("file", first)], overwrite(at, second));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let result = runtime.block_on(async {
            match (is_small, is_paced) {
                (true, _) => read_small(&server.tree()).await,
                (false, true) => read(&server.tree(), &paced()).await,
                (false, false) => read(&server.tree(), &ReadOptions::default()).await,
            }
        });
        if let Ok(Some(content)) = result {
            let is_version = content == data(1, bytes) || content == data(2, bytes + longer);
            prop_assert!(is_version, "a mixture of {} bytes: {:?}", content.len(), server.gets());
        }
    }

    /// What does not change is read from any of these servers.
    #[test]
    fn what_does_not_change_is_read(
        speaks in select(Speaks::ALL.to_vec()),
        (no_etags, no_dates) in any::<(bool, bool)>(),
        (is_small, is_paced) in any::<(bool, bool)>(),
    ) {
        let bytes = if is_small { SMALL_BYTES } else { LARGE_BYTES };
        let habits = Habits { no_etags, no_dates, ..Habits::default() };
        let server = Server::start(speaks, habits, &[("file", object(1, bytes))]);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let content = runtime.block_on(async {
            match (is_small, is_paced) {
                (true, _) => read_small(&server.tree()).await,
                (false, true) => read(&server.tree(), &paced()).await,
                (false, false) => read(&server.tree(), &ReadOptions::default()).await,
            }
        });
        prop_assert!(content.unwrap() == Some(data(1, bytes)));
    }
}
