//! The columns `file.verify_class` and `verify_count.class`.

use crate::journal::store::value::stored_as_integer;
use crate::verify_result::VerifyClass;

stored_as_integer!(VerifyClass {
    VerifyClass::Matches = 0,
    VerifyClass::Unproven = 1,
    VerifyClass::ChangedAtSource = 2,
    VerifyClass::Differs = 3,
    VerifyClass::Missing = 4,
    VerifyClass::Unreadable = 5,
});

/// In `verify_coverage`: a file that was not checked since it was sent.
pub(in crate::journal) const NOT_CHECKED: i64 = -1;
