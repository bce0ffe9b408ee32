//! The options that services share, and what their trees can do.

use towpath_backend::Capabilities;
use towpath_backend::registry::{OptionKind, OptionSpec};

/// Whether mtimes are read and written.
pub(super) const MTIMES: OptionSpec = OptionSpec {
    name: "mtimes",
    kind: OptionKind::Flag,
    about: "keep mtimes in user metadata, which takes one request per listed object",
    environment: &[],
};

/// Whether headers and user metadata are carried.
pub(super) const METADATA: OptionSpec = OptionSpec {
    name: "metadata",
    kind: OptionKind::Flag,
    about: "carry Content-Type, other headers and user metadata between object stores (`true`, the default)",
    environment: &[],
};

/// Whether empty directories are created.
pub(super) const DIRECTORIES: OptionSpec = OptionSpec {
    name: "directories",
    kind: OptionKind::Flag,
    about: "create an object `dir/` for each empty directory (`true`, the default)",
    environment: &[],
};

pub(super) const fn text(name: &'static str, about: &'static str, environment: &'static [&'static str]) -> OptionSpec {
    OptionSpec { name, kind: OptionKind::Text, about, environment }
}

pub(super) const fn secret(
    name: &'static str,
    about: &'static str,
    environment: &'static [&'static str],
) -> OptionSpec {
    OptionSpec { name, kind: OptionKind::Secret, about, environment }
}

pub(super) const fn flag(name: &'static str, about: &'static str) -> OptionSpec {
    OptionSpec { name, kind: OptionKind::Flag, about, environment: &[] }
}

/// What an object store keeps.
pub(super) const OBJECTS: Capabilities = Capabilities { virtual_directories: true, ..Capabilities::PLAIN };
/// What a server with folders keeps of files that OpenDAL writes.
pub(super) const FOLDERS: Capabilities = Capabilities { sets_mtime: false, ..Capabilities::PLAIN };
