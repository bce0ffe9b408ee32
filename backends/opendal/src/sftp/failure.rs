//! Why a request failed, and how that is reported as an error of a backend.

use towpath_backend::{Error, ErrorKind, RelPath};

use super::lost::Lost;
use super::wire::status;

/// Why a request failed.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// There is no connection, or not any more.
    Lost(Lost),
    /// The answer is not one to this request.
    UnexpectedAnswer,
    /// The server answered with the status of an error.
    Status { code: u32, text: String },
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl Failure {
    /// The code of the server's status.
    pub(super) fn code(&self) -> Option<u32> {
        if let Self::Status { code, .. } = self { Some(*code) } else { None }
    }

    /// Whether the server cannot do such a thing.
    pub(super) fn is_unsupported(&self) -> bool {
        self.code() == Some(status::UNSUPPORTED)
    }

    /// The failure as the error of an operation on a path.
    pub(super) fn error(&self, operation: &'static str, path: &RelPath) -> Error {
        let (code, text) = match self {
            Self::Lost(lost) => return Error::new(ErrorKind::Unavailable, operation, path, lost.clone()),
            Self::UnexpectedAnswer => {
                let cause = "the server's answer is not one of SFTP version 3";
                return Error::new(ErrorKind::Unavailable, operation, path, cause);
            }
            Self::Status { code, text } => (*code, text.trim()),
        };
        let kind = match code {
            status::NO_SUCH_FILE => ErrorKind::NotFound,
            status::PERMISSION_DENIED => ErrorKind::PermissionDenied,
            // OpenSSH's answer to a name that is too long.
            status::BAD_MESSAGE => ErrorKind::InvalidName,
            status::UNSUPPORTED => ErrorKind::Unsupported,
            status::NO_CONNECTION | status::CONNECTION_LOST => ErrorKind::Unavailable,
            _ => ErrorKind::Other,
        };
        let cause = match (code, text) {
            (status::FAILURE, "" | "Failure") => {
                "the server reports only \"Failure\" (a full disk or quota, a read-only file system, or an I/O error?)"
                    .to_owned()
            }
            (_, "") => format!("the server reports status {code} without a message"),
            _ => text.to_owned(),
        };
        let error = Error::new(kind, operation, path, cause);
        // It has many causes, and some of them are temporary.
        if code == status::FAILURE { error.with_temporary(true) } else { error }
    }
}
