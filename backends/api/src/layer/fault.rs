//! Fault injection by rules, for tests.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::hook::{Hook, Outcome};
use super::hooked::Hooked;
use super::operation::{Call, Operation};
use super::random::Random;
use crate::{Error, ErrorKind, RelPath, Result};

/// A tree of which some calls fail before they reach the inner tree.
///
/// Hints ([`Operation::Prefetch`]) return no errors: one that should fail is not forwarded.
pub type Fault<T> = Hooked<T, Faults>;

impl<T> Fault<T> {
    /// Wraps `inner`.
    pub fn new(inner: T, faults: Faults) -> Self {
        Self::around(inner, Arc::new(faults))
    }
}

/// Which paths a rule applies to.
type PathRule = Box<dyn Fn(&RelPath) -> bool + Send + Sync>;

/// Which of the calls that a rule matches fail.
#[derive(Clone, Copy, Debug)]
enum When {
    Always,
    First(u64),
    Nth(u64),
    Every(u64),
    Chance(f64),
}

/// Which calls fail, and how.
///
/// ```
/// use towpath_backend::ErrorKind;
/// use towpath_backend::layer::{Faults, Operation, Rule};
///
/// // The third write fails permanently, and one of ten listings temporarily.
/// let faults = Faults::new(42)
///     .with(Rule::new(ErrorKind::NoSpace).on(Operation::WriteAt).nth(3))
///     .with(Rule::new(ErrorKind::Other).on(Operation::ReadDir).chance(0.1).temporary(true));
/// ```
#[must_use]
pub struct Rule {
    kind: ErrorKind,
    temporary: Option<bool>,
    operations: Vec<Operation>,
    path: Option<PathRule>,
    when: When,
    /// How many calls it has matched.
    matched: AtomicU64,
}

impl Rule {
    /// A rule by which every call fails with this kind of error, until it is narrowed down.
    pub fn new(kind: ErrorKind) -> Self {
        let matched = AtomicU64::new(0);
        Self { kind, temporary: None, operations: Vec::new(), path: None, when: When::Always, matched }
    }

    /// Only this operation, besides those named before.
    pub fn on(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }

    /// Only on these paths.
    pub fn at(mut self, path: impl Fn(&RelPath) -> bool + Send + Sync + 'static) -> Self {
        self.path = Some(Box::new(path));
        self
    }

    /// Only the first `count` calls that it matches.
    pub fn first(mut self, count: u64) -> Self {
        self.when = When::First(count);
        self
    }

    /// Only one of the calls that it matches, counted from 1.
    pub fn nth(mut self, number: u64) -> Self {
        self.when = When::Nth(number);
        self
    }

    /// Only every `number`-th call that it matches; none if `number` is 0.
    pub fn every(mut self, number: u64) -> Self {
        self.when = When::Every(number);
        self
    }

    /// With this probability: 0 never, 1 always.
    pub fn chance(mut self, chance: f64) -> Self {
        self.when = When::Chance(chance);
        self
    }

    /// Whether the error is temporary; by default the kind decides.
    pub fn temporary(mut self, temporary: bool) -> Self {
        self.temporary = Some(temporary);
        self
    }

    fn error(&self, call: &Call<'_>, random: &Random) -> Option<Error> {
        let applies = (self.operations.is_empty() || self.operations.contains(&call.operation))
            && self.path.as_ref().is_none_or(|path| path(call.path));
        if !applies {
            return None;
        }
        let number = self.matched.fetch_add(1, Ordering::Relaxed) + 1;
        let fails = match self.when {
            When::Always => true,
            When::First(count) => number <= count,
            When::Nth(nth) => number == nth,
            When::Every(every) => number.is_multiple_of(every),
            When::Chance(chance) => random.next() < chance,
        };
        fails.then(|| {
            let error = Error::new(self.kind, call.operation.name(), call.path, "injected failure");
            let temporary = self.temporary.unwrap_or(error.is_temporary());
            error.with_temporary(temporary)
        })
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("kind", &self.kind)
            .field("operations", &self.operations)
            .field("when", &self.when)
            .finish_non_exhaustive()
    }
}

/// The hook of [`Fault`]: the first rule by which a call fails determines the error.
#[derive(Debug)]
pub struct Faults {
    rules: Vec<Rule>,
    random: Random,
    injected: AtomicU64,
}

impl Faults {
    /// Without rules. The seed determines what [`Rule::chance`] does.
    pub fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), random: Random::new(seed), injected: AtomicU64::new(0) }
    }

    /// Adds a rule.
    #[must_use]
    pub fn with(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// How many failures were injected.
    pub fn injected(&self) -> u64 {
        self.injected.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Hook for Faults {
    fn reject(&self, call: &Call<'_>) -> Result<()> {
        match self.rules.iter().find_map(|rule| rule.error(call, &self.random)) {
            Some(error) => {
                self.injected.fetch_add(1, Ordering::Relaxed);
                Err(error)
            }
            None => Ok(()),
        }
    }

    async fn wait(&self, _: &Call<'_>) {}

    fn done(&self, _: &Call<'_>, _: &Outcome<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of ten calls fail.
    fn failures(rule: Rule) -> Vec<u64> {
        let (faults, path) = (Faults::new(1).with(rule), RelPath::root());
        let fails = |_: &u64| faults.reject(&Call::new(Operation::Open, &path)).is_err();
        (1..=10).filter(fails).collect()
    }

    #[test]
    fn rules_select_calls() {
        let rule = || Rule::new(ErrorKind::Other);
        assert_eq!(failures(rule()).len(), 10);
        assert_eq!(failures(rule().first(2)), [1, 2]);
        assert_eq!(failures(rule().nth(3)), [3]);
        assert_eq!(failures(rule().every(4)), [4, 8]);
        assert_eq!(failures(rule().every(0)), []);
        assert_eq!(failures(rule().chance(0.0)), []);
        assert_eq!(failures(rule().chance(1.0)).len(), 10);
        assert_eq!(failures(rule().chance(0.5)), failures(rule().chance(0.5)), "the seed determines them");
        assert_eq!(failures(rule().on(Operation::Flush)), []);
        assert_eq!(failures(rule().on(Operation::Flush).on(Operation::Open).nth(1)), [1]);
        assert_eq!(failures(rule().at(|path| !path.is_root())), []);
    }

    #[test]
    fn the_kind_decides_whether_an_error_is_temporary_unless_the_rule_does() {
        let is_temporary = |rule: Rule| {
            let rejected = Faults::new(1).with(rule).reject(&Call::new(Operation::Open, &RelPath::root()));
            rejected.is_err_and(|error| error.is_temporary())
        };
        assert!(is_temporary(Rule::new(ErrorKind::Unavailable)));
        assert!(!is_temporary(Rule::new(ErrorKind::Unavailable).temporary(false)));
        assert!(!is_temporary(Rule::new(ErrorKind::NoSpace)));
        assert!(is_temporary(Rule::new(ErrorKind::NoSpace).temporary(true)));
    }
}
