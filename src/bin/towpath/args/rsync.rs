//! Advice for options of rsync: what to use instead.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Options of rsync that do not exist here, or differ, and what to use instead.
const OPTIONS: &[(&[&str], &str)] = &[
    (
        &["--delete", "--del", "--delete-before", "--delete-during", "--delete-delay", "--delete-after"],
        "use --delete-extras, which deletes after all files were sent; list first what it would delete with --dry-run",
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
    (
        &["--progress", "--info"],
        "progress is always shown, every --progress-interval if the output is not a terminal; --progress says how: bar, \
         lines, json or none",
    ),
    (
        &["-P", "--partial"],
        "leave it out: progress is always shown, and the same command resumes an interrupted migration",
    ),
    (&["--inplace"], "use --write-mode inplace, which is the default"),
    (&["-W", "--whole-file"], "a file that changed is always sent as a whole; leave it out"),
    (&["-c", "--checksum"], CHECKSUM),
    (&["--size-only"], "size and mtime decide; --modify-window says how far mtimes may differ"),
    (
        &["-u", "--update", "--existing", "--ignore-existing", "--ignore-non-existing"],
        "there is no such option: each file that is missing at DEST or has another size or mtime there is sent; see --exclude \
         and --newer-than",
    ),
    (&["-I", "--ignore-times"], "there is no such option: files with the same size and mtime are in sync"),
    (
        &["-f", "--filter", "-F", "-C", "--cvs-exclude", "--include-from"],
        "use --exclude, --include and --exclude-from, with .gitignore patterns (`!` before a pattern includes)",
    ),
    (&["--files-from"], "use --exclude '*', then --include for each file to send and for the directories above it"),
    (&["-b", "--backup", "--backup-dir"], "--trash DIR keeps what is deleted; files that are replaced are not kept"),
    (&["--append", "--append-verify"], "an unfinished file is sent again as a whole; leave it out"),
    (
        &["-T", "--temp-dir", "--partial-dir", "--delay-updates"],
        "use --write-mode atomic, which writes a partial file and renames it",
    ),
    (&["--numeric-ids"], "users and groups are always numbers; leave it out, and use --owner to apply them"),
    (&["--timeout", "--contimeout"], "leave it out: temporary failures are retried"),
    (&["--remove-source-files"], "SOURCE is never written to: delete it yourself once all files are in sync"),
    (
        &["-R", "--relative"],
        "the content of SOURCE always goes into DEST; leave it out, and name the directory in DEST",
    ),
    (&["--link-dest", "--compare-dest", "--copy-dest"], "there is no such option: SOURCE is compared with DEST only"),
    (&["--human-readable"], "sizes are always human-readable; leave it out"),
    (&["-m", "--prune-empty-dirs"], "empty directories are always created; exclude some with --exclude"),
    (&["--list-only", "--out-format"], "use --dry-run to list what would be done, with --format json for programs"),
    (&["-i", "--itemize-changes"], "use --dry-run to list what would be done, and -v to print each file"),
];

const CHECKSUM: &str = "here --checksum takes an algorithm (md5, sha1, sha256, blake2b; sha256 is the default), which is \
                        computed while reading and logged; size and mtime decide what is sent, not the content";

/// Advice for a command-line error, if the option is one of rsync: a line for each letter of `-avz`.
pub(crate) fn advice_lines(error: &clap::Error, arguments: impl Iterator<Item = OsString>) -> Vec<String> {
    let Some((option, advice)) = first(error) else { return Vec::new() };
    let mut lines = vec![line(&option, advice)];
    if let Some(letter) = option.strip_prefix('-').filter(|rest| rest.len() == 1) {
        let given = arguments.filter_map(|argument| argument.into_string().ok());
        let clusters = given.filter_map(|argument| argument.strip_prefix('-').map(str::to_owned));
        let others = clusters.filter(|letters| !letters.starts_with('-') && letters.contains(letter)).take(1);
        for other in others.flat_map(|letters| letters.chars().collect::<Vec<_>>()).map(|letter| format!("-{letter}")) {
            lines.extend(advice_on(&other).filter(|_| other != option).map(|advice| line(&other, advice)));
        }
    }
    lines
}

fn line(option: &str, advice: &str) -> String {
    format!("{option} differs from rsync: {advice}")
}

fn advice_on(option: &str) -> Option<&'static str> {
    OPTIONS.iter().find(|(names, _)| names.contains(&option)).map(|(_, advice)| *advice)
}

/// The option with the error, and what to use instead.
fn first(error: &clap::Error) -> Option<(String, &'static str)> {
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else { return None };
    // For a known option, the text includes the name of its value.
    let option = given.split([' ', '=']).next().unwrap_or(given);
    match error.kind() {
        ErrorKind::UnknownArgument => {}
        // Without a value, or with a tree as its value.
        ErrorKind::InvalidValue | ErrorKind::ValueValidation
            if ["--checksum", "--progress"].contains(&option) && names_no_value(error) => {}
        _ => return None,
    }
    Some((option.to_owned(), advice_on(option)?))
}

fn names_no_value(error: &clap::Error) -> bool {
    match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => value.is_empty() || value.contains('/'),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use clap::{CommandFactory as _, Parser as _};

    fn all_advice_lines(option: &str) -> Vec<String> {
        let arguments = ["towpath", "sync", "a", "b", option];
        advice_lines(&Arguments::try_parse_from(arguments).unwrap_err(), arguments.iter().map(OsString::from))
    }

    fn advice_for(option: &str) -> Option<String> {
        all_advice_lines(option).into_iter().next()
    }

    #[test]
    fn each_letter_gets_advice() {
        let options = |given: &str| {
            let lines = all_advice_lines(given);
            lines.iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        // -v exists here, too.
        assert_eq!(options("-avz"), ["-a", "-z"]);
        assert_eq!(options("-rltpq"), ["-r", "-l", "-t", "-p"]);
        assert_eq!(options("-avzP"), ["-a", "-z", "-P"]);
        assert_eq!(options("--delete"), ["--delete"]);
    }

    #[test]
    fn every_listed_option_of_rsync_gets_advice() {
        for name in OPTIONS.iter().flat_map(|(names, _)| *names) {
            let text = advice_for(name).unwrap();
            assert!(text.starts_with(&format!("{name} differs from rsync: ")), "{text}");
        }
        assert!(advice_for("-av").is_some(), "the first of several letters");
        assert_eq!(advice_for("--nonsense"), None);
        assert_eq!(advice_for("--lanes"), None);
        assert_eq!(advice_for("--checksum=crc32"), None);
    }

    #[test]
    fn options_named_in_the_advice_exist() {
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
