//! The arguments of `towpath manifest`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::run_address::RunAddress;

/// Write the checksums of all files that a migration sent, in a form that other tools verify.
///
/// Paths are relative to the root of DEST. The database is read, and no file is changed; a run may
/// go on meanwhile.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
EXAMPLES
  towpath manifest /mnt/old /mnt/new --format sha256sum --output new.sha256
  cd /mnt/new && sha256sum --check --strict /root/new.sha256

EXIT STATUS
  0 each file of the source is in the manifest with its checksum; 1 it could not be written; 2 usage
  error; 3 some files are not in sync or have no recorded checksum.")]
pub(crate) struct ManifestArguments {
    #[command(flatten)]
    pub(crate) run: RunAddress,

    /// How it is written
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(crate) format: ManifestFormat,

    /// End each line with NUL instead of newline, and escape nothing, as coreutils do
    #[arg(short, long)]
    pub(crate) zero: bool,

    /// Write to this file, which is replaced when it is complete [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Sign the manifest with this secret key of minisign, into a file beside it with the extension
    /// .minisig; the password is taken from MINISIGN_PASSWORD, or asked for
    #[arg(long, value_name = "KEY", requires = "output")]
    pub(crate) sign: Option<PathBuf>,
}

/// The values of `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ManifestFormat {
    /// For `sha256sum --check`
    Sha256sum,
    /// For `b2sum --check`
    B2sum,
    /// For `md5sum --check`
    Md5sum,
    /// For `sha1sum --check`
    Sha1sum,
    /// One JSON object per file, with size, mtime and kind
    Json,
    /// A manifest of a bag whose payload is the tree (RFC 8493)
    Bagit,
}
