//! Options of `towpath sync` that say what is deleted at the destination.

use std::path::PathBuf;

use clap::Args;
use towpath::{MaxDelete, Mirror};

/// The options under "Deletion".
#[derive(Args, Debug)]
#[command(next_help_heading = "Deletion")]
pub(crate) struct DeletionArguments {
    /// Delete entries of DEST that SOURCE does not have, after all files were sent
    #[arg(long)]
    pub(crate) delete_extras: bool,

    /// Delete nothing if more files than this would be deleted: a number, or a percentage of
    /// DEST's files [default: 10%, and at least 100]
    #[arg(long, value_name = "N", requires = "delete_extras", value_parser = parse_max_delete)]
    pub(crate) max_delete: Option<MaxDelete>,

    /// Also delete extras on other file systems that are mounted inside DEST
    #[arg(long, requires = "delete_extras")]
    pub(crate) delete_other_file_systems: bool,

    /// Move deleted entries into this directory, with their paths, instead of deleting them; on
    /// the same file system as DEST
    #[arg(long, value_name = "DIR", requires = "delete_extras")]
    pub(crate) trash: Option<PathBuf>,
}

impl DeletionArguments {
    /// What the engine is to delete.
    pub(super) fn mirror(&self) -> Option<Mirror> {
        let mirror = Mirror::default()
            .max_delete(self.max_delete.unwrap_or_default())
            .discard(self.trash.is_some())
            .other_file_systems(self.delete_other_file_systems);
        self.delete_extras.then_some(mirror)
    }
}

/// Parses the values of `--max-delete`: `500`, `5%`.
fn parse_max_delete(text: &str) -> Result<MaxDelete, String> {
    let wrong = || format!("`{text}` is neither a number of files, such as 500, nor a percentage from 0% to 100%");
    match text.strip_suffix('%') {
        Some(percent) => match percent.parse() {
            Ok(percent @ 0..=100) => Ok(MaxDelete::Percent(percent)),
            _ => Err(wrong()),
        },
        None => text.parse().map(MaxDelete::Files).map_err(|_| wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maximum_to_delete_is_a_number_or_a_percentage() {
        assert_eq!(parse_max_delete("500"), Ok(MaxDelete::Files(500)));
        assert_eq!(parse_max_delete("5%"), Ok(MaxDelete::Percent(5)));
        for wrong in ["", "%", "101%", "-1", "5.5%", "many", "1K"] {
            assert!(parse_max_delete(wrong).is_err_and(|problem| problem.contains(wrong)), "{wrong}");
        }
    }
}
