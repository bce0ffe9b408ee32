//! The sums of an account while its rows are read.

use std::collections::BTreeMap;

use towpath_backend::Timestamp;

use super::classes::{Amount, ByKind, NameClass};
use super::model::{ReasonCount, Reconciliation};
use super::sizes::Sizes;
use crate::journal::store::name_kind::NameKind;
use crate::verify_result::VerifyClass;

/// A class, its reason, and the rule that excludes.
type Why = (NameClass, String, String);

/// The sums of an account while its rows are read.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) names: Reconciliation,
    pub(super) reasons: BTreeMap<Why, (ByKind, Option<Vec<u8>>)>,
    pub(super) sizes: Sizes,
    pub(super) verified: BTreeMap<Option<VerifyClass>, Amount>,
}

impl Sums {
    pub(super) fn add(&mut self, class: NameClass, kind: NameKind, amount: Amount) {
        self.names.classes.entry(class).or_default().add(kind, amount);
    }

    pub(super) fn add_reason(&mut self, class: NameClass, reason: &str, kind: NameKind, amount: Amount) {
        self.add(class, kind, amount);
        let (sum, _) = self.reasons.entry((class, reason.to_owned(), String::new())).or_default();
        sum.add(kind, amount);
    }

    pub(super) fn reconciliation(self, scanned_at: Timestamp) -> Reconciliation {
        let reasons = self.reasons.into_iter().map(|((class, reason, detail), (amount, example))| ReasonCount {
            class,
            reason,
            detail,
            amount,
            example,
        });
        Reconciliation { scanned_at, reasons: reasons.collect(), ..self.names }
    }
}
