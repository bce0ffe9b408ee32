//! Marks of entries that OpenDAL has no words for.
//!
//! Its listings know files and directories with all that describes them. What a transport of ours cannot describe so is
//! listed as a file with one of these marks for its content type, which no server can send: the transport hands on no
//! type of this form.

use std::fmt;

use towpath_backend::{Entry, Error, ErrorKind, RelPath};

/// What the content type begins with.
const TYPE: &str = "application/x-towpath-mark;";

/// Why an entry is not described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The server answered with this HTTP status for it.
    Rejected(u16),
    /// The server says nothing of it.
    Undescribed,
    /// A file whose length is not listed: a stat finds it out.
    WithoutLength,
    /// A file or directory like any other, but for its name.
    NameOnly,
}

impl Reason {
    pub(crate) fn kind(self) -> ErrorKind {
        match self {
            Self::Rejected(401 | 403) => ErrorKind::PermissionDenied,
            Self::NameOnly => ErrorKind::InvalidName,
            _ => ErrorKind::Other,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(status) => write!(f, "the server answers with HTTP status {status} for it"),
            Self::Undescribed => f.write_str("the server does not describe it"),
            Self::WithoutLength => f.write_str("the server does not report its length"),
            Self::NameOnly => f.write_str("its name is not UTF-8"),
        }
    }
}

/// An entry that is not described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) reason: Reason,
    /// Its name, if that is no UTF-8: it is listed under another one.
    pub(crate) name: Option<Vec<u8>>,
}

impl Mark {
    /// The content type that carries it.
    pub(crate) fn content_type(&self) -> String {
        let status = match self.reason {
            Reason::Rejected(status) => status,
            Reason::Undescribed => 0,
            Reason::WithoutLength => 1,
            Reason::NameOnly => 2,
        };
        let name: String = self.name.iter().flatten().map(|byte| format!("{byte:02x}")).collect();
        format!("{TYPE}{status};{name}")
    }

    /// The mark that an entry carries, if it does.
    pub(crate) fn of(listed: &opendal::Metadata) -> Option<Self> {
        let (status, name) = listed.content_type()?.strip_prefix(TYPE)?.split_once(';')?;
        let reason = match status.parse().ok()? {
            0 => Reason::Undescribed,
            1 => Reason::WithoutLength,
            2 => Reason::NameOnly,
            status => Reason::Rejected(status),
        };
        let digits = (0..name.len()).step_by(2).map(|at| name.get(at..at + 2));
        let name: Option<Vec<u8>> = digits.map(|digits| u8::from_str_radix(digits?, 16).ok()).collect();
        Some(Self { reason, name: name.filter(|name| !name.is_empty()) })
    }

    /// The entry in `dir`, listed as `name`, if it can be reported only; a stat may find out a length.
    pub(crate) fn entry(self, dir: &RelPath, name: &str) -> Option<Entry> {
        if self.reason == Reason::WithoutLength && self.name.is_none() {
            return None;
        }
        let name = self.name.unwrap_or_else(|| name.as_bytes().to_vec());
        let path = dir.join(&name).unwrap_or_else(|_| dir.clone());
        Some(Entry::unreadable(name, Error::new(self.reason.kind(), "list", &path, self.reason.to_string())))
    }

    /// Whether a server's content type looks like one.
    pub(crate) fn is_like(content_type: &str) -> bool {
        content_type.trim_start().starts_with(TYPE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opendal::MetadataBuilder;

    #[test]
    fn marks_travel_as_content_types() {
        for reason in [Reason::Rejected(403), Reason::Undescribed, Reason::WithoutLength, Reason::NameOnly] {
            for name in [None, Some(b"\xe4;x".to_vec())] {
                let mark = Mark { reason, name };
                let mut listed = MetadataBuilder::file(0);
                listed.content_type(mark.content_type());
                assert_eq!(Mark::of(&listed.build()), Some(mark.clone()));
                assert!(Mark::is_like(&mark.content_type()));
            }
        }
        let mut listed = MetadataBuilder::file(0);
        listed.content_type("text/plain; charset=utf-8");
        assert_eq!(Mark::of(&listed.build()), None);
    }
}
