//! Layers around a tree in memory: each passes the conformance suite.

#![allow(clippy::unwrap_used, missing_docs)]

use towpath_backend::conformance::Fixture;
use towpath_backend::{Sink, Source};
use towpath_memory::MemoryTree;

/// A layered tree, and how to create another one.
struct Layered<T>(T, fn() -> T);

impl<T: Source + Sink + 'static> Layered<T> {
    fn new(create: fn() -> T) -> Self {
        Self(create(), create)
    }
}

impl<T: Source + Sink + 'static> Fixture for Layered<T> {
    fn sink(&self) -> &dyn Sink {
        &self.0
    }

    fn source(&self) -> &dyn Source {
        &self.0
    }

    fn other(&self) -> Option<Box<dyn Fixture>> {
        Some(Box::new(Self::new(self.1)))
    }
}

fn tree() -> MemoryTree {
    MemoryTree::new("layered")
}

mod prefix {
    use super::{Layered, tree};
    use std::task::{Context, Poll, Waker};
    use towpath_backend::layer::Prefix;
    use towpath_backend::{RelPath, Sink as _};

    fn below() -> Prefix<towpath_memory::MemoryTree> {
        let tree = tree();
        let dirs = ["dir", "dir/deeper"].map(|dir| RelPath::new(dir).unwrap());
        for dir in &dirs {
            // A tree in memory never waits.
            let mut created = tree.create_dir(dir, None);
            assert!(matches!(created.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(()))));
        }
        Prefix::new(tree, &dirs[1])
    }

    towpath_backend::conformance!(Layered::new(below));
}

mod retry {
    use super::{Layered, tree};
    use towpath_backend::layer::{Retry, RetryPolicy};
    towpath_backend::conformance!(Layered::new(|| Retry::new(tree(), RetryPolicy::default())));
}

mod fault {
    use super::{Layered, tree};
    use towpath_backend::layer::{Fault, Faults};
    towpath_backend::conformance!(Layered::new(|| Fault::new(tree(), Faults::new(1))));
}

mod metrics {
    use super::{Layered, tree};
    use towpath_backend::layer::Metrics;
    towpath_backend::conformance!(Layered::new(|| Metrics::new(tree())));
}

mod rate {
    use super::{Layered, tree};
    use std::num::NonZeroU64;
    use towpath_backend::layer::Rate;
    towpath_backend::conformance!(Layered::new(|| Rate::new(tree(), NonZeroU64::MAX)));
}

/// One in four of the calls that may be repeated fails temporarily; the cases pass nevertheless.
mod retry_of_faults {
    use super::{Layered, tree};
    use std::time::Duration;
    use towpath_backend::ErrorKind;
    use towpath_backend::layer::{Fault, Faults, Operation, Retry, RetryPolicy, Rule};

    const REPEATED: [Operation; 13] = [
        Operation::Identity,
        Operation::RoundTrip,
        Operation::ReadDir,
        Operation::Metadata,
        Operation::Open,
        Operation::ReadWhole,
        Operation::ReadLink,
        Operation::ReaderMetadata,
        Operation::ReadAt,
        Operation::NextData,
        Operation::Create,
        Operation::WriteWhole,
        Operation::SetTimes,
    ];

    fn faulty() -> Retry<Fault<towpath_memory::MemoryTree>> {
        let rule = Rule::new(ErrorKind::Unavailable).chance(0.25);
        let faults = Faults::new(1).with(REPEATED.into_iter().fold(rule, Rule::on));
        let policy = RetryPolicy::default().with_attempts(50).with_first_delay(Duration::ZERO);
        Retry::new(Fault::new(tree(), faults), policy)
    }

    towpath_backend::conformance!(Layered::new(faulty));
}

mod all_of_them {
    use super::{Layered, tree};
    use std::num::NonZeroU64;
    use std::sync::Arc;
    use towpath_backend::layer::{Fault, Faults, Metrics, Rate, Retry, RetryPolicy};

    type All = Arc<Metrics<Box<Rate<Retry<Fault<towpath_memory::MemoryTree>>>>>>;

    fn all() -> All {
        let retried = Retry::new(Fault::new(tree(), Faults::new(1)), RetryPolicy::default());
        Arc::new(Metrics::new(Box::new(Rate::new(retried, NonZeroU64::MAX))))
    }

    towpath_backend::conformance!(Layered::new(all));
}
