//! All cases in one call.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

// The cases, by their names.
use super::fixture::Fixture;
use super::{
    attributes::*, errors::*, holes::*, linking::*, listing::*, naming::*, reading::*, removing::*, reopening::*,
    roots::*, symlinks::*, together::*, writing::*,
};

/// A case that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failed {
    /// The name of the case.
    pub case: &'static str,
    /// The message of its panic.
    pub problem: String,
}

type Run = for<'a> fn(&'a dyn Fixture) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

macro_rules! runs {
    ($($case:ident),* $(,)?) => { [$((stringify!($case), (|fixture| Box::pin($case(fixture))) as Run)),*] };
}

/// Runs every case, each on a new tree from `fresh`; returns the cases that failed.
pub async fn check<F: Fixture>(mut fresh: impl AsyncFnMut(&'static str) -> F) -> Vec<Failed> {
    let mut failed = Vec::new();
    for (case, run) in crate::conformance_cases!(runs) {
        let fixture = fresh(case).await;
        if let Err(problem) = caught(run(&fixture)).await {
            failed.push(Failed { case, problem });
        }
    }
    failed
}

/// Runs a case; returns the message of its panic, if it panicked.
async fn caught(mut case: Pin<Box<dyn Future<Output = ()> + '_>>) -> Result<(), String> {
    // A case that panicked is not polled again.
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| case.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(())) => Poll::Ready(Ok(())),
        Err(payload) => Poll::Ready(Err(message(&*payload))),
    })
    .await
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".to_owned())
}
