//! Opens the files whose content this program trusts or keeps private: database, log and configuration. Another user of
//! the machine must not choose which file is opened, nor its content. So a symbolic link is followed only if this user
//! or root owns it, or if it is in a directory that nobody else can write to. A file must belong to this user or root,
//! and others must not be able to write to it. File systems that do not keep owners and modes are exempt from these
//! checks.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::event::Warning;

/// The kernel's limit for one path.
const MAX_LINKS: usize = 40;
/// Attempts to open a file that is created or removed at the same moment.
const MAX_ATTEMPTS: usize = 8;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const WRITABLE_BY_ALL: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    /// Reading and writing a file that exists.
    Change,
    /// Reading and writing. A missing file is created with mode 0600, missing folders with 0700.
    Write,
    /// As `Write`, with `O_APPEND`.
    Append,
}

impl Access {
    fn creates(self) -> bool {
        matches!(self, Self::Write | Self::Append)
    }
}

/// A file that passed the checks.
#[derive(Debug)]
pub(crate) struct PrivateFile {
    pub(crate) file: File,
    /// The canonical path.
    pub(crate) path: PathBuf,
    pub(crate) metadata: Metadata,
    /// Problems that do not prevent its use.
    pub(crate) warnings: Vec<Warning>,
    /// Whether others can write to it.
    is_loose: bool,
}

/// Opens `path`.
///
/// # Errors
/// The system's error, or `PermissionDenied` with the reason and what to do.
pub(crate) fn open(path: &Path, access: Access) -> io::Result<PrivateFile> {
    let path = resolve(path)?;
    let folder = path.parent().ok_or_else(|| io::Error::other("is a directory"))?.to_owned();
    let mut warnings = Vec::new();
    if access.creates() {
        create_resolved_folder(&folder)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot create its folder: {error}")))?;
        warnings.extend(check_folder(&folder)?);
    }
    let (file, created) = open_without_links(&path, access)?;
    if created {
        sync_folder(&folder);
    }
    let metadata = file.metadata()?;
    let keeps_owners = keeps_owners(&file);
    let is_loose = keeps_owners && check(&path, &metadata)?;
    Ok(PrivateFile { file, path, metadata, warnings, is_loose })
}

/// Opens a file to be read.
///
/// # Errors
/// The system's error, or `PermissionDenied` if another user may have chosen the file or its content, with what to do.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    open(path, Access::Read).map(|opened| opened.file)
}

impl PrivateFile {
    /// Removes the write permission of others, with a warning.
    pub(crate) fn tighten(&mut self) {
        if !std::mem::take(&mut self.is_loose) {
            return;
        }
        let mode = self.metadata.mode() & 0o777;
        let set = self.file.set_permissions(Permissions::from_mode(mode & !WRITABLE_BY_OTHERS));
        self.warnings.push(tightened(&self.path, mode, set));
    }
}

fn tightened(path: &Path, was_mode: u32, set: io::Result<()>) -> Warning {
    let path = path.to_owned();
    match set {
        Ok(()) => Warning::ModeTightened { path, was_mode, mode: was_mode & 0o755 },
        Err(error) => Warning::WritableByOthers { path, mode: was_mode, error: Arc::new(error) },
    }
}

/// Checks a file that SQLite opens itself, by its path; it may be missing.
///
/// # Errors
/// As [`open`].
pub(crate) fn check_beside(path: &Path, tighten: bool) -> io::Result<Vec<Warning>> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    if !check(path, &metadata)? || !tighten {
        return Ok(Vec::new());
    }
    let mode = metadata.mode() & 0o777;
    let set = std::fs::set_permissions(path, Permissions::from_mode(mode & !WRITABLE_BY_OTHERS));
    Ok(vec![tightened(path, mode, set)])
}

/// Makes the entries of a folder durable, if its file system supports that.
pub(crate) fn sync_folder(folder: &Path) {
    if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
        tracing::debug!(%error, folder = %folder.display(), "fsync");
    }
}

/// Checks kind and owner; returns whether others can write to the file.
fn check(path: &Path, metadata: &Metadata) -> io::Result<bool> {
    let shown = path.display();
    if !metadata.is_file() {
        return Err(rejected(format!("{shown} is not a regular file")));
    }
    let (owner, me) = (metadata.uid(), me());
    if !is_trusted(owner) {
        return Err(rejected(format!(
            "{shown} belongs to user {owner}, not to user {me}: run towpath as its owner, or `chown {me} {shown}`"
        )));
    }
    let is_loose = metadata.mode() & WRITABLE_BY_OTHERS != 0;
    if is_loose && owner != me {
        let mode = metadata.mode() & 0o777;
        return Err(rejected(format!("{shown} can be written by others (mode {mode:04o}): `chmod 600 {shown}`")));
    }
    Ok(is_loose)
}

fn rejected(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, problem)
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn is_trusted(owner: u32) -> bool {
    owner == 0 || owner == me()
}

/// Resolves symbolic links and `..`; components that are missing are kept.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut left: Vec<OsString> = reversed(&path).collect();
    let (mut real, mut links) = (PathBuf::from("/"), 0);
    while let Some(name) = left.pop() {
        if name == OsStr::new("/") {
            real = PathBuf::from("/");
            continue;
        }
        if name == OsStr::new("..") {
            real.pop();
            continue;
        }
        let next = real.join(&name);
        match std::fs::symlink_metadata(&next) {
            Ok(metadata) if metadata.is_symlink() => {
                check_link(&real, &next, &metadata)?;
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::LOOP.into());
                }
                left.extend(reversed(&std::fs::read_link(&next)?));
            }
            Ok(_) => real = next,
            Err(error) if error.kind() == io::ErrorKind::NotFound => real = next,
            Err(error) => return Err(error),
        }
    }
    Ok(real)
}

fn reversed(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    let names = path.components().filter(|component| *component != Component::CurDir);
    names.map(|component| component.as_os_str().to_owned()).rev()
}

/// Rejects a link that another user may have planted.
fn check_link(folder: &Path, link: &Path, metadata: &Metadata) -> io::Result<()> {
    if is_trusted(metadata.uid()) {
        return Ok(());
    }
    let folder = std::fs::metadata(folder)?;
    if is_trusted(folder.uid()) && folder.mode() & WRITABLE_BY_OTHERS == 0 {
        return Ok(());
    }
    Err(rejected(format!(
        "the symbolic link {} belongs to user {}, who can redirect it: remove it, or give the path of its target",
        link.display(),
        metadata.uid()
    )))
}

/// Creates a folder, and its missing parents, for this user alone.
///
/// # Errors
/// The system's error, or `PermissionDenied` for a link of another user, with what to do.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    create_resolved_folder(&resolve(folder)?)
}

/// Like [`create_folder`], for a path without links.
fn create_resolved_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|above| !above.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    missing.iter().filter_map(|created| created.parent()).for_each(sync_folder);
    Ok(())
}

/// Rejects a folder where every user can replace files, or warns if it is our own.
fn check_folder(folder: &Path) -> io::Result<Option<Warning>> {
    let opened = File::from(rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?);
    let metadata = opened.metadata()?;
    let is_open_to_all = metadata.mode() & WRITABLE_BY_ALL != 0 && metadata.mode() & STICKY == 0;
    if !is_open_to_all || !keeps_owners(&opened) {
        return Ok(None);
    }
    let warning = Warning::FolderOpenToAll { folder: folder.to_owned() };
    if metadata.uid() == me() {
        return Ok(Some(warning));
    }
    Err(rejected(format!("{warning}, or give a path in a folder of your own")))
}

/// Opens a canonical path; returns whether the file was created.
fn open_without_links(path: &Path, access: Access) -> io::Result<(File, bool)> {
    let flags = match access {
        Access::Read => OFlags::RDONLY,
        Access::Change | Access::Write => OFlags::RDWR,
        Access::Append => OFlags::RDWR | OFlags::APPEND,
    };
    let mut result = Err(Errno::AGAIN.into());
    for _ in 0..MAX_ATTEMPTS {
        result = try_open(path, flags).map(|file| (file, false));
        match &result {
            Err(error) if error.kind() == io::ErrorKind::NotFound && access.creates() => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            _ => break,
        }
        result = try_open(path, flags | OFlags::CREATE | OFlags::EXCL).map(|file| (file, true));
        match &result {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => break,
        }
    }
    result
}

fn try_open(path: &Path, flags: OFlags) -> io::Result<File> {
    let created = if flags.contains(OFlags::CREATE) { Mode::RUSR | Mode::WUSR } else { Mode::empty() };
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NOCTTY;
    match openat2(CWD, path, flags, created, ResolveFlags::NO_SYMLINKS) {
        Ok(file) => Ok(file.into()),
        // Linux before 5.6, or a sandbox that does not allow openat2.
        Err(Errno::NOSYS | Errno::PERM) => Ok(rustix::fs::open(path, flags, created)?.into()),
        Err(error) => Err(error.into()),
    }
}

/// Whether the file system keeps owner and mode of each file. FAT, SMB and the like have one for all files, and an NFS
/// server may map root to nobody.
fn keeps_owners(file: &File) -> bool {
    let Ok(found) = rustix::fs::fstatfs(file) else { return true };
    // From statfs(2): NFS, SMB (three), FAT, exFAT, NTFS, 9P.
    let without = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x4d44, 0x2011_bab0, 0x5346_544e, 0x0102_1997];
    u32::try_from(found.f_type & 0xffff_ffff).map_or(true, |magic| !without.contains(&magic))
}

#[cfg(test)]
mod tests;
