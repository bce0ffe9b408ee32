//! Packets of SFTP version 3 (draft-ietf-secsh-filexfer-02), with OpenSSH's extensions.

use towpath_backend::{Bytes, Kind, Metadata, Timestamp};

/// Types of requests.
pub(super) mod request {
    pub(crate) const INIT: u8 = 1;
    pub(crate) const OPEN: u8 = 3;
    pub(crate) const CLOSE: u8 = 4;
    pub(crate) const READ: u8 = 5;
    pub(crate) const WRITE: u8 = 6;
    pub(crate) const LSTAT: u8 = 7;
    pub(crate) const FSTAT: u8 = 8;
    pub(crate) const SETSTAT: u8 = 9;
    pub(crate) const FSETSTAT: u8 = 10;
    pub(crate) const OPENDIR: u8 = 11;
    pub(crate) const READDIR: u8 = 12;
    pub(crate) const REMOVE: u8 = 13;
    pub(crate) const MKDIR: u8 = 14;
    pub(crate) const RMDIR: u8 = 15;
    pub(crate) const STAT: u8 = 17;
    pub(crate) const READLINK: u8 = 19;
    pub(crate) const SYMLINK: u8 = 20;
    pub(crate) const EXTENDED: u8 = 200;
}

/// Types of answers.
pub(super) mod answer {
    pub(crate) const VERSION: u8 = 2;
    pub(crate) const STATUS: u8 = 101;
    pub(crate) const HANDLE: u8 = 102;
    pub(crate) const DATA: u8 = 103;
    pub(crate) const NAME: u8 = 104;
    pub(crate) const ATTRS: u8 = 105;
}

/// Codes of a status.
pub(super) mod status {
    pub(crate) const OK: u32 = 0;
    pub(crate) const EOF: u32 = 1;
    pub(crate) const NO_SUCH_FILE: u32 = 2;
    pub(crate) const PERMISSION_DENIED: u32 = 3;
    pub(crate) const FAILURE: u32 = 4;
    pub(crate) const BAD_MESSAGE: u32 = 5;
    pub(crate) const NO_CONNECTION: u32 = 6;
    pub(crate) const CONNECTION_LOST: u32 = 7;
    pub(crate) const UNSUPPORTED: u32 = 8;
}

/// How a file is opened.
pub(super) mod open {
    pub(crate) const READ: u32 = 0x01;
    pub(crate) const WRITE: u32 = 0x02;
    pub(crate) const CREATE: u32 = 0x08;
    pub(crate) const TRUNCATE: u32 = 0x10;
    /// With `CREATE`: fails if the name is taken, even by a link to nowhere.
    pub(crate) const EXCLUSIVE: u32 = 0x20;
}

/// Sets the times of a link itself.
pub(super) const LSETSTAT: &str = "lsetstat@openssh.com";
/// Forces an open file to the server's disk.
pub(super) const FSYNC: &str = "fsync@openssh.com";
/// Renames, and replaces a file of the new name in the same step.
pub(super) const POSIX_RENAME: &str = "posix-rename@openssh.com";

/// The content of one request. Every server takes requests of this size, and `sftp` sends no larger ones.
pub(super) const CHUNK_BYTES: usize = 32 << 10;
/// Content of one file in flight: requests are sent before the earlier ones are answered. More does not fit the window
/// of an SSH channel.
pub(super) const WINDOW_BYTES: u64 = 2 << 20;

const HAS_SIZE: u32 = 0x1;
const HAS_OWNER: u32 = 0x2;
const HAS_PERMISSIONS: u32 = 0x4;
const HAS_TIMES: u32 = 0x8;
const HAS_EXTENSIONS: u32 = 0x8000_0000;

/// A request that is being built. Its number is filled in when it is sent.
#[derive(Debug)]
pub(super) struct Request(Vec<u8>);

/// The position of the number, after the length and the type.
const NUMBER: std::ops::Range<usize> = 5..9;

impl Request {
    pub(super) fn new(kind: u8) -> Self {
        Self(vec![0, 0, 0, 0, kind, 0, 0, 0, 0])
    }

    /// A request about a path, or with another string at its beginning.
    pub(super) fn about(kind: u8, string: &[u8]) -> Self {
        Self::new(kind).string(string)
    }

    pub(super) fn extended(name: &str) -> Self {
        Self::about(request::EXTENDED, name.as_bytes())
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A string of any bytes. None here is longer than a path or a chunk.
    pub(super) fn string(self, bytes: &[u8]) -> Self {
        let mut request = self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        request.0.extend_from_slice(bytes);
        request
    }

    /// No attributes: the server's defaults.
    pub(super) fn no_attributes(self) -> Self {
        self.u32(0)
    }

    /// Permissions of a new file, to which the server applies its umask; if `None`, the server's defaults.
    pub(super) fn permissions(self, permissions: Option<u32>) -> Self {
        match permissions {
            Some(permissions) => self.u32(HAS_PERMISSIONS).u32(permissions),
            None => self.no_attributes(),
        }
    }

    /// Access time and mtime, in seconds since 1970.
    pub(super) fn times(self, accessed: u32, modified: u32) -> Self {
        self.u32(HAS_TIMES).u32(accessed).u32(modified)
    }

    /// The whole packet.
    pub(super) fn numbered(mut self, number: u32) -> Vec<u8> {
        self.0[NUMBER].copy_from_slice(&number.to_be_bytes());
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }

    /// The first packet, which has the version where others have their number.
    pub(super) fn hello() -> Vec<u8> {
        Self::new(request::INIT).numbered(3)
    }
}

/// What is left of an answer that is being read.
pub(super) struct Fields(Bytes);

/// An answer that cannot be parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Fields {
    pub(super) fn of(packet: Bytes) -> Self {
        Self(packet)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, count: usize) -> Result<Bytes, Malformed> {
        if self.0.len() < count { Err(Malformed) } else { Ok(self.0.split_to(count)) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.as_ref().try_into().map_err(|_| Malformed)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn string(&mut self) -> Result<Bytes, Malformed> {
        let length = self.u32()?;
        self.take(usize::try_from(length).map_err(|_| Malformed)?)
    }

    fn attributes(&mut self) -> Result<Attributes, Malformed> {
        let flags = self.u32()?;
        let mut attributes = Attributes::default();
        if flags & HAS_SIZE != 0 {
            attributes.size_bytes = self.u64()?;
        }
        if flags & HAS_OWNER != 0 {
            self.take(8)?;
        }
        if flags & HAS_PERMISSIONS != 0 {
            attributes.mode = self.u32()?;
        }
        if flags & HAS_TIMES != 0 {
            (attributes.accessed_s, attributes.modified_s) = (self.u32()?, self.u32()?);
        }
        if flags & HAS_EXTENSIONS != 0 {
            for _ in 0..self.u32()? {
                self.string()?;
                self.string()?;
            }
        }
        Ok(attributes)
    }
}

/// The attributes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) size_bytes: u64,
    /// Type and permissions, as `st_mode` has them; 0 if the server does not send them.
    pub(super) mode: u32,
    pub(super) accessed_s: u32,
    pub(super) modified_s: u32,
}

impl Attributes {
    /// What it is. What is none of the known kinds, or unknown, is not opened.
    pub(super) fn kind(self) -> Kind {
        match self.mode & 0o170_000 {
            0o100_000 => Kind::File,
            0o040_000 => Kind::Dir,
            0o120_000 => Kind::Symlink,
            _ => Kind::Other,
        }
    }

    pub(super) fn metadata(self) -> Metadata {
        let time = |seconds: u32| Timestamp::from_parts(i64::from(seconds), 0);
        let size_bytes = if self.kind() == Kind::Dir { 0 } else { self.size_bytes };
        Metadata {
            accessed: Some(time(self.accessed_s)),
            // Of a special file they show that its type is known: otherwise it may be a file.
            permissions: (self.kind() == Kind::Other && self.mode & 0o170_000 != 0).then_some(self.mode & 0o7777),
            ..Metadata::new(self.kind(), size_bytes, time(self.modified_s))
        }
    }
}

/// A name that a directory holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) name: Bytes,
    pub(super) attributes: Attributes,
}

/// What a server answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Status { code: u32, text: String },
    Handle(Bytes),
    Data(Bytes),
    Names(Vec<Name>),
    Attributes(Attributes),
}

impl Answer {
    /// The number of its request, and what it is.
    pub(super) fn parse(packet: Bytes) -> Result<(u32, Self), Malformed> {
        let mut fields = Fields::of(packet);
        let kind = fields.u8()?;
        let number = fields.u32()?;
        let parsed = match kind {
            answer::STATUS => {
                let code = fields.u32()?;
                // Some servers leave the text out.
                let text = fields.string().unwrap_or_default();
                Self::Status { code, text: String::from_utf8_lossy(&text).into_owned() }
            }
            answer::HANDLE => Self::Handle(fields.string()?),
            answer::DATA => Self::Data(fields.string()?),
            answer::ATTRS => Self::Attributes(fields.attributes()?),
            answer::NAME => {
                let count = fields.u32()?;
                let mut names = Vec::new();
                for _ in 0..count {
                    let name = fields.string()?;
                    // A line as `ls -l` has it, for people.
                    fields.string()?;
                    names.push(Name { name, attributes: fields.attributes()? });
                }
                Self::Names(names)
            }
            _ => return Err(Malformed),
        };
        Ok((number, parsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_has_its_length_type_and_number_before_its_fields() {
        let packet = Request::about(request::LSTAT, b"/a").numbered(7);
        assert_eq!(packet, [0, 0, 0, 11, 7, 0, 0, 0, 7, 0, 0, 0, 2, b'/', b'a']);
        assert_eq!(Request::hello(), [0, 0, 0, 5, 1, 0, 0, 0, 3]);
    }

    #[test]
    fn names_are_bytes_and_have_their_kinds() {
        let name = |name: &[u8], mode: u32| {
            let flags = HAS_SIZE | HAS_OWNER | HAS_PERMISSIONS | HAS_TIMES | HAS_EXTENSIONS;
            let entry = Request(Vec::new()).string(name).string(b"-rw-r--r--");
            entry.u32(flags).u64(5).u32(1).u32(2).u32(mode).u32(3).u32(4).u32(1).string(b"key").string(b"value").0
        };
        let kinds = [0o100_644, 0o040_755, 0o120_777, 0o010_644, 0];
        let mut packet = Request(vec![answer::NAME]).u32(9).u32(5).0;
        packet.extend(kinds.iter().flat_map(|mode| name(b"\xff\n", *mode)));
        let Ok((9, Answer::Names(names))) = Answer::parse(packet.into()) else { panic!("is a listing") };
        assert!(names.iter().all(|name| name.name == b"\xff\n"[..]));
        let seen: Vec<_> = names.iter().map(|name| name.attributes.kind()).collect();
        assert_eq!(seen, [Kind::File, Kind::Dir, Kind::Symlink, Kind::Other, Kind::Other]);
        let metadata = names[0].attributes.metadata();
        assert_eq!((metadata.size_bytes, metadata.modified.seconds()), (5, 4));
    }

    #[test]
    fn a_status_without_a_text_is_one() {
        let packet = Request(vec![answer::STATUS]).u32(1).u32(status::EOF).0;
        let expected = Answer::Status { code: status::EOF, text: String::new() };
        assert_eq!(Answer::parse(packet.into()), Ok((1, expected)));
    }

    proptest! {
        #[test]
        fn any_bytes_of_a_server_are_an_answer_or_malformed(kind in 101_u8..=106, rest: Vec<u8>) {
            let _ = Answer::parse([vec![kind], rest].concat().into());
        }
    }
}
