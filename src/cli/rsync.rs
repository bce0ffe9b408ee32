//! Answers for those who are used to rsync: what its options are called here.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Options of rsync that do not exist here, or mean something else, and what to do instead.
const OPTIONS: &[(&[&str], &str)] = &[
    (
        &["--delete", "--del", "--delete-before", "--delete-during", "--delete-delay", "--delete-after"],
        "use --delete-extras, which deletes after everything was sent; list first what would go with --dry-run",
    ),
    (
        &["-a", "--archive"],
        "directories, links and times are always copied; add --perms, --owner and --xattrs as needed",
    ),
    (&["-r", "--recursive", "-d", "--dirs"], "directories are always copied; leave it out"),
    (&["-l"], "symbolic links are always copied; leave it out, or use --links skip or --links follow"),
    (&["-L", "--copy-links"], "use --links follow"),
    (&["-H"], "hard links are always kept; leave it out, or use --hard-links copy"),
    (&["-t", "--times", "-U", "--atimes"], "times are always kept; leave it out"),
    (&["-p"], "use --perms"),
    (&["-o", "-g", "--group"], "use --owner, which applies user and group"),
    (&["-A", "--acls", "-X"], "use --xattrs, which keeps extended attributes and ACLs"),
    (&["-S", "--sparse"], "holes are always kept; leave it out"),
    (&["-D", "--devices"], "special files are never copied: see --specials"),
    (
        &["-z", "--compress"],
        "nothing is compressed: leave it out, or compress at the file system or in ssh's configuration",
    ),
    (&["-e", "--rsh"], "use a URL such as sftp://user@host/path: see `towpath backends`"),
    (&["--stats"], "the summary at the end is always printed; the log and the database have each file"),
    (&["--progress", "--info"], "progress is always shown, every --progress-interval where the output is no terminal"),
    (
        &["-P", "--partial"],
        "leave it out: progress is always shown, and the same command resumes an interrupted migration",
    ),
    (&["--inplace"], "use --write-mode inplace, which is the default"),
    (&["-W", "--whole-file"], "a file that changed is always sent as a whole; leave it out"),
    (&["-c", "--checksum"], CHECKSUM),
    (&["--size-only"], "size and mtime decide; --modify-window says how far mtimes may differ"),
    (&["-i", "--itemize-changes"], "use --dry-run to list what would be done, and -v to print each file"),
];

const CHECKSUM: &str = "here --checksum takes an algorithm (md5, sha1, sha256, blake2b; sha256 is the default), which is \
                        computed while reading and logged; size and mtime decide what is sent, not the content";

/// One line for an error of the command line, if it is a habit of rsync's.
pub(super) fn answer(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else { return None };
    // An option that is known comes with the name of its value.
    let option = given.split([' ', '=']).next().unwrap_or(given);
    match error.kind() {
        ErrorKind::UnknownArgument => {}
        // Without a value, or with a tree as its value.
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if option == "--checksum" && names_no_algorithm(error) => {
        }
        _ => return None,
    }
    let (_, advice) = OPTIONS.iter().find(|(names, _)| names.contains(&option))?;
    Some(format!("{option} is not as in rsync: {advice}"))
}

fn names_no_algorithm(error: &clap::Error) -> bool {
    match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => value.is_empty() || value.contains('/'),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Arguments;
    use clap::{CommandFactory as _, Parser as _};

    fn answered(option: &str) -> Option<String> {
        answer(&Arguments::try_parse_from(["towpath", "sync", "a", "b", option]).unwrap_err())
    }

    #[test]
    fn every_option_of_rsync_that_is_listed_is_answered() {
        for name in OPTIONS.iter().flat_map(|(names, _)| *names) {
            let text = answered(name).unwrap();
            assert!(text.starts_with(&format!("{name} is not as in rsync: ")), "{text}");
        }
        assert!(answered("-av").is_some(), "the first of several letters");
        assert_eq!(answered("--nonsense"), None);
        assert_eq!(answered("--lanes"), None);
        assert_eq!(answered("--checksum=crc32"), None);
    }

    #[test]
    fn options_that_the_answers_name_exist() {
        let command = Arguments::command();
        let sync = command.find_subcommand("sync").unwrap();
        for (_, advice) in OPTIONS {
            let words = advice.split(|c: char| !c.is_ascii_lowercase() && c != '-');
            for option in words.filter_map(|word| word.strip_prefix("--")) {
                let known = sync.get_arguments().any(|argument| argument.get_long() == Some(option));
                assert!(known, "--{option}: {advice}");
            }
        }
    }
}
