//! The calls that a layer sees, by name.

use crate::RelPath;

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident $text:literal $changes:literal,)*) => {
        /// A call of one of the traits, or the next page of a listing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $($(#[$doc])* $name,)*
        }

        impl Operation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in errors and tables.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Whether it changes the tree.
            pub fn changes(self) -> bool {
                match self {
                    $(Self::$name => $changes,)*
                }
            }
        }
    };
}

operations! {
    /// [`crate::Tree::identity`]
    Identity "identify" false,
    /// [`crate::Tree::round_trip`]
    RoundTrip "round trip" false,
    /// [`crate::Tree::read_dir`]
    ReadDir "list" false,
    /// A page of a [`crate::EntryStream`], or its end.
    NextPage "list next page" false,
    /// [`crate::Tree::metadata`]
    Metadata "stat" false,
    /// [`crate::Source::open`]
    Open "open" false,
    /// [`crate::Source::read_whole`]
    ReadWhole "read whole" false,
    /// [`crate::Tree::read_link`]
    ReadLink "read link" false,
    /// [`crate::Tree::xattrs`]
    Xattrs "read attributes" false,
    /// [`crate::FileReader::metadata`]
    ReaderMetadata "stat open file" false,
    /// [`crate::FileReader::read_at`]
    ReadAt "read" false,
    /// [`crate::FileReader::prefetch`]
    Prefetch "prefetch" false,
    /// [`crate::FileReader::next_data`]
    NextData "find data" false,
    /// [`crate::Sink::create`]
    Create "create" true,
    /// [`crate::Sink::write_whole`]
    WriteWhole "write whole" true,
    /// [`crate::FileWriter::write_at`]
    WriteAt "write" true,
    /// [`crate::FileWriter::finish`]
    Finish "close" true,
    /// [`crate::Sink::create_dir`]
    CreateDir "create directory" true,
    /// [`crate::Sink::create_symlink`]
    CreateSymlink "create link" true,
    /// [`crate::Sink::create_hard_link`]
    CreateHardLink "link" true,
    /// [`crate::Sink::rename`]
    Rename "rename" true,
    /// [`crate::Sink::respell`]
    Respell "respell" true,
    /// [`crate::Sink::set_times`]
    SetTimes "set times" true,
    /// [`crate::Sink::set_attributes`]
    SetAttributes "set attributes" true,
    /// [`crate::Sink::remove_file`]
    RemoveFile "remove" true,
    /// [`crate::Sink::remove_dir`]
    RemoveDir "remove directory" true,
    /// [`crate::Sink::discard`]
    Discard "discard" true,
    /// [`crate::Sink::flush`]
    Flush "flush" false,
}

/// A call: an operation and its path.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Call<'a> {
    /// The operation.
    pub operation: Operation,
    /// Its path: the new name where there are two, the root where there is none.
    pub path: &'a RelPath,
}

impl<'a> Call<'a> {
    /// A call of `operation` on `path`.
    pub fn new(operation: Operation, path: &'a RelPath) -> Self {
        Self { operation, path }
    }
}
