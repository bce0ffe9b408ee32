//! What of an assessment matters, why, and what to do about it.

use super::kept::Examples;
use super::report::Assessment;
use super::survey::RECENT_S;
use crate::finding::{Finding, Severity};
use crate::format::{number, size};

/// Entries in a directory from which listing it takes noticeably long on most storages.
const WIDE: u64 = 1_000_000;

/// The kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Unreadable,
    UnreadableAtDest,
    Denied,
    Impossible,
    Skipped,
    Specials,
    Xattrs,
    SetId,
    HardLinks,
    LinksElsewhere,
    Sparse,
    Changing,
    Recent,
    OpenFiles,
    FutureTimes,
    NotUtf8,
    ControlCharacters,
    WindowsPaths,
    ObjectKeys,
    PosixPaths,
    WideDirs,
    CutShort,
}

impl Code {
    /// All kinds, as the documentation lists them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 22] = [
        Self::Unreadable,
        Self::UnreadableAtDest,
        Self::Denied,
        Self::Impossible,
        Self::Skipped,
        Self::Specials,
        Self::Xattrs,
        Self::SetId,
        Self::HardLinks,
        Self::LinksElsewhere,
        Self::Sparse,
        Self::Changing,
        Self::Recent,
        Self::OpenFiles,
        Self::FutureTimes,
        Self::NotUtf8,
        Self::ControlCharacters,
        Self::WindowsPaths,
        Self::ObjectKeys,
        Self::PosixPaths,
        Self::WideDirs,
        Self::CutShort,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::UnreadableAtDest => "unreadable-at-dest",
            Self::Denied => "permission-denied",
            Self::Impossible => "impossible-names",
            Self::Skipped => "skipped",
            Self::Specials => "special-files",
            Self::Xattrs => "xattrs",
            Self::SetId => "setuid",
            Self::HardLinks => "hard-links",
            Self::LinksElsewhere => "links-elsewhere",
            Self::Sparse => "sparse-files",
            Self::Changing => "changing",
            Self::Recent => "recent-changes",
            Self::OpenFiles => "open-files",
            Self::FutureTimes => "future-mtimes",
            Self::NotUtf8 => "not-utf8",
            Self::ControlCharacters => "control-characters",
            Self::WindowsPaths => "long-paths-windows",
            Self::ObjectKeys => "long-paths-object",
            Self::PosixPaths => "long-paths-posix",
            Self::WideDirs => "wide-directories",
            Self::CutShort => "checks-cut-short",
        }
    }

    fn why_and_remedy(self) -> (&'static str, &'static str) {
        match self {
            Self::Unreadable => (
                "what is at and below them is unknown, and is not migrated",
                "run as a user who may read them (on NFS also export with no_root_squash), or leave them out with \
                 --exclude",
            ),
            Self::UnreadableAtDest => {
                ("whether their files are in sync is unknown", "run as a user who may read and write the destination")
            }
            Self::Denied => (
                "their content cannot be read, so that they fail",
                "run as root or as their owner (on NFS also export with no_root_squash), or leave them out with \
                 --exclude",
            ),
            Self::Impossible => (
                "the destination has no such name, or does not tell it from another one, so that they fail",
                "rename them in the source, leave them out with --exclude, or choose a destination that holds them",
            ),
            Self::Skipped => (
                "they are not copied, and each run ends with exit status 3",
                "leave them out with --exclude, or with --links skip",
            ),
            Self::Specials => (
                "FIFOs, sockets and devices have no content and are never copied",
                "nothing, if the programs that use them create them again; --specials fail reports them as failures",
            ),
            Self::Xattrs => (
                "without --xattrs they are not at the destination",
                "add --xattrs, and check with `towpath sync --dry-run` or a small tree that the destination keeps them",
            ),
            Self::SetId => (
                "these bits are kept only with --perms, and only for files that also keep their owner",
                "add --perms and --owner if the destination is to run these programs",
            ),
            Self::HardLinks => (
                "each further name is a separate copy at the destination",
                "plan the room for it; use --hard-links keep and a destination that has hard links",
            ),
            Self::LinksElsewhere => (
                "their other names are outside of the source or excluded, and will not be linked to these",
                "migrate the directory above, if these names belong together",
            ),
            Self::Sparse => (
                "they have holes or are compressed: on a destination without holes or compression they take their \
                 whole size",
                "plan the room for it; `towpath sync` keeps holes where the destination can",
            ),
            Self::Changing => (
                "a file that changes while it is read is not finished, and is sent again",
                "stop what writes them before the last pass, or leave them out with --exclude",
            ),
            Self::Recent => (
                "the source is in use: what changes after this scan is sent by a later pass",
                "plan a last pass while nothing writes",
            ),
            Self::OpenFiles => (
                "what a process has written and what it still holds back may not fit together",
                "stop these processes before the last pass",
            ),
            Self::FutureTimes => (
                "--newer-than takes them for new in each run, and other tools rely on times",
                "check the clock of the machine that wrote them, and set their mtimes with touch",
            ),
            Self::NotUtf8 => (
                "Windows, macOS, SMB and object stores hold no such names",
                "convert them with convmv before the migration, unless the destination is a Linux file system or NFS",
            ),
            Self::ControlCharacters => (
                "line breaks and other control characters in names break scripts, and Windows and SMB forbid them",
                "rename them, unless the destination is a Linux file system or NFS",
            ),
            Self::WindowsPaths => (
                "below a drive letter they exceed the 260 characters that many Windows programs can open",
                "shorten them if Windows clients will use the destination",
            ),
            Self::ObjectKeys => (
                "an object store of the S3 kind holds keys of up to 1,024 bytes, with the prefix",
                "shorten them, or choose a destination that is a file system",
            ),
            Self::PosixPaths => (
                "Towpath can copy them, but a system call takes at most 4,095 bytes: most programs cannot open them by \
                 their whole path",
                "shorten them",
            ),
            Self::WideDirs => (
                "each scan lists them as a whole, which takes long and memory on many servers",
                "let what writes them use subdirectories",
            ),
            Self::CutShort => (
                "what the samples would have shown is unknown",
                "see whether the source answers slowly (`towpath doctor`), or check fewer with --samples",
            ),
        }
    }
}

/// The findings of an assessment.
pub(crate) fn of(assessment: &Assessment) -> Vec<Finding> {
    let judge = Judge(assessment);
    let found = [judge.unreadable(), judge.attributes(), judge.activity(), judge.names()];
    found.into_iter().flatten().collect()
}

struct Judge<'a>(&'a Assessment);

impl Judge<'_> {
    fn unreadable(&self) -> Vec<Finding> {
        let Assessment { noticed, checks, settings, survey, .. } = self.0;
        let mut findings = Vec::new();
        let mut full = |severity, code, examples: &Examples, what: &str| {
            findings.extend(counted(severity, code, examples, what));
        };
        full(Severity::Problem, Code::Unreadable, &noticed.unreadable, "names of the source that could not be read");
        let at_dest = &noticed.unreadable_at_dest;
        full(Severity::Problem, Code::UnreadableAtDest, at_dest, "names of the destination that could not be read");
        full(Severity::Problem, Code::Impossible, &noticed.impossible, "files that the destination cannot hold");
        // With --specials fail the engine skips special files as failures.
        let is_special = survey.specials.count > 0 && settings.fails_specials;
        let special_severity = if is_special { Severity::Problem } else { Severity::Info };
        let specials = self.below_source(&survey.specials);
        let mut skipped = noticed.skipped.clone();
        if is_special {
            skipped.count = skipped.count.saturating_sub(specials.count);
        }
        full(Severity::Problem, Code::Skipped, &skipped, "names of the source that are skipped");
        full(special_severity, Code::Specials, &specials, "special files");
        let access = &checks.access;
        if access.denied.count > 0 {
            let found = format!(
                "files that cannot be opened: {} of {} that were tried; {} have permission bits that leave it in doubt",
                number(access.denied.count),
                number(access.tried),
                number(access.doubtful)
            );
            findings.push(finding(Severity::Problem, Code::Denied, found, &access.denied));
        }
        if checks.is_cut_short {
            let found = "the checks of samples did not end within two minutes".to_owned();
            findings.push(finding(Severity::Warning, Code::CutShort, found, &Examples::default()));
        }
        findings
    }

    fn attributes(&self) -> Vec<Finding> {
        let Assessment { checks, settings, survey, .. } = self.0;
        let mut findings = Vec::new();
        let xattrs = &checks.xattrs;
        let (acls, others) = (&xattrs.with_acl, &xattrs.with_others);
        if acls.count + others.count > 0 {
            let severity = if settings.keeps_xattrs { Severity::Info } else { Severity::Warning };
            let found = format!(
                "of a sample of {} entries, {} have ACLs and {} other extended attributes ({}): of all {} about {} and {}",
                number(xattrs.read),
                number(acls.count),
                number(others.count),
                xattrs.names.keys().take(5).cloned().collect::<Vec<_>>().join(", "),
                number(xattrs.from),
                number(extrapolated(acls.count, xattrs.read, xattrs.from)),
                number(extrapolated(others.count, xattrs.read, xattrs.from)),
            );
            let mut examples = acls.clone();
            others.first.iter().for_each(|path| examples.add(path.clone(), 0));
            findings.push(finding(severity, Code::Xattrs, found, &examples));
        }
        let set_id = self.below_source(&survey.set_id);
        let keeps_set_id = settings.keeps_permissions && settings.keeps_owner;
        let severity = if keeps_set_id { Severity::Info } else { Severity::Warning };
        findings.extend(counted(severity, Code::SetId, &set_id, "files with the setuid or setgid bit"));
        let linked = self.0.linked();
        let about = if linked.is_estimated { "about " } else { "" };
        if linked.files > 0 {
            let severity = if settings.keeps_hard_links { Severity::Info } else { Severity::Warning };
            let found = format!(
                "files with several names: {about}{}, with {about}{} names; as separate files the further names would take {}",
                number(linked.files),
                number(linked.names),
                size(linked.saved_bytes)
            );
            let mut finding = finding(severity, Code::HardLinks, found, &Examples::default());
            if settings.keeps_hard_links {
                "the names stay together at a destination that has hard links".clone_into(&mut finding.reason);
                "nothing; room for separate copies is needed only where the destination has no hard links"
                    .clone_into(&mut finding.remedy);
            }
            findings.push(finding);
        }
        if linked.with_names_elsewhere > 0 {
            let found =
                format!("files with names that this scan did not see: {about}{}", number(linked.with_names_elsewhere));
            findings.push(finding(Severity::Info, Code::LinksElsewhere, found, &Examples::default()));
        }
        let sparse = survey.sparse;
        if sparse.files > 0 {
            let found = format!(
                "files that take less than their size: {}, of {}; they take {}",
                number(sparse.files),
                size(sparse.size_bytes),
                size(sparse.allocated_bytes)
            );
            findings.push(finding(Severity::Info, Code::Sparse, found, &Examples::default()));
        }
        findings
    }

    fn activity(&self) -> Vec<Finding> {
        let Assessment { checks, survey, .. } = self.0;
        let mut findings = Vec::new();
        let changes = &checks.changes;
        if changes.changed.count > 0 {
            let found = format!(
                "of {1} files that had just changed, those that changed again or went within this assessment: {0}",
                number(changes.changed.count),
                number(changes.again)
            );
            findings.push(finding(Severity::Warning, Code::Changing, found, &changes.changed));
        }
        let recent = self.below_source(&survey.recent);
        let what = format!("files that changed in the {} minutes before they were listed", RECENT_S / 60);
        findings.extend(counted(Severity::Info, Code::Recent, &recent, &what));
        if let Some(open) = checks.open.as_ref().filter(|open| open.for_writing.count > 0) {
            let mut what = "files that are open for writing on this machine".to_owned();
            if open.hidden_processes > 0 {
                what += &format!(" ({} processes of other users were not seen)", number(open.hidden_processes));
            }
            findings.extend(counted(Severity::Warning, Code::OpenFiles, &open.for_writing, &what));
        }
        let future = self.below_source(&survey.future);
        findings.extend(counted(Severity::Warning, Code::FutureTimes, &future, "files with an mtime in the future"));
        findings
    }

    fn names(&self) -> Vec<Finding> {
        let Assessment { survey, place, .. } = self.0;
        let mut findings = Vec::new();
        let mut add = |severity, code, examples: &Examples, what: &str| {
            findings.extend(counted(severity, code, &self.below_source(examples), what));
        };
        add(Severity::Warning, Code::NotUtf8, &survey.not_utf8, "names that are not UTF-8");
        add(Severity::Warning, Code::ControlCharacters, &survey.control, "names with control characters");
        let long = &survey.long_paths;
        add(Severity::Info, Code::WindowsPaths, &long.windows, "paths longer than 256 characters");
        let of_objects = if place.is_dest_remote { Severity::Warning } else { Severity::Info };
        add(of_objects, Code::ObjectKeys, &long.object, "paths longer than 1,024 bytes");
        add(Severity::Warning, Code::PosixPaths, &long.posix, "paths longer than 4,095 bytes with their root");
        let mut wide = Examples::default();
        survey.widest.iter().filter(|(entries, _)| **entries >= WIDE).for_each(|(_, dir)| wide.add(dir.to_vec(), 0));
        add(Severity::Warning, Code::WideDirs, &wide, "directories with a million entries or more, of the ten widest");
        findings
    }

    /// The same examples with their whole paths.
    fn below_source(&self, examples: &Examples) -> Examples {
        let whole = |path: &Vec<u8>| self.0.place.whole_path(path);
        Examples { first: examples.first.iter().map(whole).collect(), ..*examples }
    }
}

fn extrapolated(count: u64, of: u64, all: u64) -> u64 {
    let exact = u128::from(count) * u128::from(all) / u128::from(of.max(1));
    u64::try_from(exact).unwrap_or(u64::MAX)
}

/// A finding about some paths; `None` if there are none.
fn counted(severity: Severity, code: Code, examples: &Examples, what: &str) -> Option<Finding> {
    (examples.count > 0).then(|| finding(severity, code, format!("{what}: {}", number(examples.count)), examples))
}

fn finding(severity: Severity, code: Code, found: String, examples: &Examples) -> Finding {
    let (reason, remedy) = code.why_and_remedy();
    Finding::new(severity, code.name(), found, reason, remedy).with_examples(examples.first.iter().cloned().collect())
}
