//! Options of `towpath sync` that say what of each entry is copied, and how.

use clap::{Args, ValueEnum};
use towpath::{HardLinks, Links, Options, Specials, WriteMode};

/// The options under "What is copied".
#[derive(Args, Debug)]
#[command(next_help_heading = "What is copied")]
pub(crate) struct CopiedArguments {
    /// Symbolic links: copy them with the same target, skip them, or follow them and copy what they
    /// point to (never outside SOURCE)
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = LinksArgument::Copy)]
    pub(crate) links: LinksArgument,

    /// Hard links: keep them where DEST can, or copy each name as a separate file
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = HardLinksArgument::Keep)]
    pub(crate) hard_links: HardLinksArgument,

    /// Special files (FIFOs, sockets, devices), which are never copied: skip and log them, or
    /// report them as failed, with exit status 3
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = SpecialsArgument::Skip)]
    pub(crate) specials: SpecialsArgument,

    /// Apply the source's permissions
    #[arg(long)]
    pub(crate) perms: bool,

    /// Apply the source's user and group
    #[arg(long)]
    pub(crate) owner: bool,

    /// Compare extended attributes and ACLs, and apply the source's
    #[arg(long)]
    pub(crate) xattrs: bool,

    /// How to replace a file at DEST: overwrite it, or write a hidden partial file beside it and
    /// rename that
    #[arg(long, value_name = "HOW", value_enum, default_value_t = WriteModeArgument::Inplace)]
    pub(crate) write_mode: WriteModeArgument,
}

/// The values of `--links`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LinksArgument {
    Copy,
    Skip,
    Follow,
}

/// The values of `--hard-links`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HardLinksArgument {
    Keep,
    Copy,
}

/// The values of `--specials`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SpecialsArgument {
    Skip,
    Fail,
}

/// The values of `--write-mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WriteModeArgument {
    Inplace,
    Atomic,
}

impl CopiedArguments {
    /// Adds them to the engine's options.
    pub(super) fn add_to(&self, options: Options) -> Options {
        options
            .links(match self.links {
                LinksArgument::Copy => Links::Copy,
                LinksArgument::Skip => Links::Skip,
                LinksArgument::Follow => Links::Follow,
            })
            .hard_links(match self.hard_links {
                HardLinksArgument::Keep => HardLinks::Keep,
                HardLinksArgument::Copy => HardLinks::Copy,
            })
            .specials(match self.specials {
                SpecialsArgument::Skip => Specials::Skip,
                SpecialsArgument::Fail => Specials::Fail,
            })
            .write_mode(match self.write_mode {
                WriteModeArgument::Inplace => WriteMode::InPlace,
                WriteModeArgument::Atomic => WriteMode::Atomic,
            })
            .keep_permissions(self.perms)
            .keep_owner(self.owner)
            .keep_xattrs(self.xattrs)
    }
}
