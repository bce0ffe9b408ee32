//! Whether the response to a GET says all of a file that a stat says: then a small file takes one request.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use towpath_backend::Metadata;

/// Files whose GET must have said the same as their stat, before a server is asked only once.
const ENOUGH: usize = 3;

/// What a server was found to say in responses to GETs.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    agreed: AtomicUsize,
    differed: AtomicUsize,
}

impl Answers {
    /// Whether the GETs said all that the stats said, often enough.
    pub(crate) fn were_complete(&self) -> bool {
        self.differed.load(Relaxed) == 0 && self.agreed.load(Relaxed) >= ENOUGH
    }

    /// Notes what a GET and a stat of one file said.
    pub(crate) fn note(&self, by_get: &Metadata, by_stat: &Metadata) {
        let agree = (by_get.size_bytes, by_get.modified) == (by_stat.size_bytes, by_stat.modified);
        if agree { &self.agreed } else { &self.differed }.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use towpath_backend::{Kind, Timestamp};

    #[test]
    fn a_server_is_asked_once_after_it_said_the_same_a_few_times_and_never_otherwise() {
        let of = |modified_ns| Metadata::new(Kind::File, 5, Timestamp::from_ns(modified_ns));
        let answers = Answers::default();
        for _ in 0..ENOUGH {
            assert!(!answers.were_complete());
            answers.note(&of(1), &of(1));
        }
        assert!(answers.were_complete());
        answers.note(&of(0), &of(1));
        assert!(!answers.were_complete());
    }
}
