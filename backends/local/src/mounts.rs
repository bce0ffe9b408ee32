//! The mounts, according to `/proc/self/mountinfo`.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, StatxFlags, statx};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    id: u64,
    /// The device number of the file system, `major:minor`.
    device: String,
    /// The directory of the file system that is mounted.
    root: PathBuf,
    /// Where it is mounted.
    pub(crate) point: PathBuf,
    /// Type of file system, such as `nfs4`.
    pub(crate) kind: String,
    /// What is mounted: a server's share, or a device.
    pub(crate) source: OsString,
    /// Options of the mount, such as `rw,noatime`.
    mount_options: OsString,
    /// Options of the file system, such as `rw,lowerdir=/a`.
    options: OsString,
}

impl Mount {
    /// The mount that an open file lies on; `None` where the kernel (before
    /// 5.8) or a change of root does not report it.
    ///
    /// # Errors
    /// If the file or the list of mounts cannot be checked.
    pub(crate) fn of(file: impl AsFd) -> io::Result<Option<Self>> {
        let stat = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
        if stat.stx_mask & StatxFlags::MNT_ID.bits() == 0 {
            return Ok(None);
        }
        let mounts = std::fs::read("/proc/self/mountinfo")?;
        Ok(mounts.split(|&b| b == b'\n').filter_map(Self::of_line).find(|mount| mount.id == stat.stx_mnt_id))
    }

    /// The mount that an absolute path without links lies on, judging by the list of mounts alone: the path is not
    /// touched, so that a server that does not answer is not waited for.
    ///
    /// # Errors
    /// If the list of mounts cannot be read.
    pub fn covering(path: &Path) -> io::Result<Option<Self>> {
        Ok(Self::covering_in(&std::fs::read("/proc/self/mountinfo")?, path))
    }

    /// The same, for the lines of a list of mounts. Of several mounts on one directory, the last covers the others.
    fn covering_in(mounts: &[u8], path: &Path) -> Option<Self> {
        let mounts = mounts.split(|&b| b == b'\n').filter_map(Self::of_line);
        let covering = mounts.filter(|mount| path.starts_with(&mount.point));
        covering.max_by_key(|mount| mount.point.components().count())
    }

    /// Fields as in proc(5): `36 35 98:0 /root /mount/point rw … - type source options`. `None`: the line is cut off.
    pub fn of_line(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|&b| b == b' ');
        let id = text(fields.next()?).parse().ok()?;
        let device = text(fields.nth(1)?);
        let root = unescape(fields.next()?).into();
        let point = unescape(fields.next()?).into();
        let mount_options = unescape(fields.next()?);
        // Any number of optional fields ends with a dash.
        let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
        let kind = text(fields.next()?);
        let source = unescape(fields.next()?);
        let options = unescape(fields.next().unwrap_or_default());
        Some(Self { id, device, root, point, kind, source, mount_options, options })
    }

    /// Where it is mounted.
    pub fn point(&self) -> &Path {
        &self.point
    }

    /// The type of file system, such as `nfs4`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What is mounted: a server's share, or a device.
    pub fn source(&self) -> &OsStr {
        &self.source
    }

    /// The options of the mount, and those of the file system, as the kernel lists them.
    pub fn options(&self) -> (&OsStr, &OsStr) {
        (&self.mount_options, &self.options)
    }

    /// Whether the mount, or the file system, is read-only.
    pub fn is_read_only(&self) -> bool {
        self.has_mount_flag("ro") || self.has_flag("ro")
    }

    /// Whether the mount has an option without a value, such as `noatime`.
    pub fn has_mount_flag(&self, name: &str) -> bool {
        self.mount_options.as_bytes().split(|&b| b == b',').any(|option| option == name.as_bytes())
    }

    /// The value of an option of the file system.
    pub fn option(&self, name: &str) -> Option<&[u8]> {
        let mut options = self.options.as_bytes().split(|&b| b == b',');
        options.find_map(|option| option.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    }

    /// Whether the file system has an option without a value.
    pub fn has_flag(&self, name: &str) -> bool {
        self.options.as_bytes().split(|&b| b == b',').any(|option| option == name.as_bytes())
    }

    /// The path in the file system of what is at the canonical `path` on this mount.
    pub(crate) fn inside(&self, path: &Path) -> Option<PathBuf> {
        let root = self.root.strip_prefix("/").unwrap_or(&self.root);
        Some(root.join(path.strip_prefix(&self.point).ok()?))
    }

    /// A name for the mounted directory that stays the same across remounts and reboots.
    pub(crate) fn name(&self) -> String {
        let escape = |bytes: &[u8]| bytes.escape_ascii().to_string();
        format!("{} {} {}", self.kind, escape(self.source.as_bytes()), escape(self.root.as_os_str().as_bytes()))
    }

    /// Where the directory at the canonical `path` on this mount lies in its file system, regardless of the mount: the
    /// name of the file system, and the path in it.
    pub(crate) fn place(&self, path: &Path) -> Option<(&str, PathBuf)> {
        let inside = path.strip_prefix(&self.point).ok()?;
        if matches!(self.kind.as_str(), "nfs" | "nfs4") {
            // NFS reports no root, but the whole path on the server as its source, and parts of one export may have
            // separate device numbers.
            return Some(("nfs", Path::new(&self.source).join(inside)));
        }
        Some((&self.device, self.root.join(inside)))
    }
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}

/// Undoes `\040` and the like, which stand for spaces, tabs, newlines and backslashes.
fn unescape(field: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, others)) = rest.split_first() {
        let (byte, after) = match (first, others) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), after)
            }
            _ => (first, others),
        };
        bytes.push(byte);
        rest = after;
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(line: &str) -> Mount {
        Mount::of_line(line.as_bytes()).unwrap()
    }

    #[test]
    fn a_mount_is_named_by_its_type_source_and_root() {
        let line = "36 35 0:98 / /mnt/new rw,noatime shared:1 - nfs4 server:/export rw,vers=4.2";
        assert_eq!(mount(line).name(), "nfs4 server:/export /");
        let mount_options = mount(line);
        assert!(mount_options.has_mount_flag("noatime") && !mount_options.has_flag("noatime"));
        assert_eq!(mount("36 35 0:98 / /mnt rw - cifs //nas/share rw").name(), "cifs //nas/share /");
        assert_eq!(Mount::of_line(b"36 35 0:98 / /mnt rw"), None, "cut off");
    }

    #[test]
    fn options_and_paths_inside_are_found() {
        let overlay = mount("36 1 0:9 / /m rw - overlay overlay rw,lowerdir=/low,upperdir=/u\\040p,workdir=/w");
        assert_eq!(overlay.option("upperdir"), Some(&b"/u p"[..]));
        assert_eq!(overlay.option("upper"), None);
        assert_eq!(overlay.inside(Path::new("/m/a/b")), Some("a/b".into()));
        assert_eq!(overlay.inside(Path::new("/elsewhere")), None);
        let part = mount("36 1 0:9 /sub /m rw - fuse /data rw");
        assert_eq!(part.inside(Path::new("/m")), Some("sub".into()));
    }

    #[test]
    fn names_with_spaces_and_other_bytes_stay_apart() {
        let spaced = mount(r"36 35 0:98 /a\040b /mnt/with\134slash rw - cifs //nas/my\040share rw");
        assert_eq!((spaced.root, spaced.point), ("/a b".into(), r"/mnt/with\slash".into()));
        assert_eq!(spaced.source, "//nas/my share");
        let parse = |line: &[u8]| Mount::of_line(line).map(|mount| mount.name());
        let (first, second) =
            (parse(b"36 1 0:9 / /m rw - nfs s:/\xfe rw"), parse(b"36 1 0:9 / /m rw - nfs s:/\xff rw"));
        assert!(first.is_some() && first != second);
    }

    #[test]
    fn a_path_lies_on_the_deepest_mount_above_it_and_on_the_last_of_two() {
        let mounts = b"1 1 8:1 / / rw - ext4 /dev/sda1 rw\n36 1 0:5 / /mnt rw - nfs4 nas:/a rw\n\
            37 1 0:6 / /mnt/a rw - nfs4 nas:/b rw\n38 37 0:7 / /mnt/a ro - tmpfs none rw\n";
        let kind = |path: &str| Mount::covering_in(mounts, Path::new(path)).map(|mount| mount.kind);
        for (path, expected) in [("/mnt/a/b", "tmpfs"), ("/mnt/ab", "nfs4"), ("/mnt", "nfs4"), ("/home", "ext4")] {
            assert_eq!(kind(path).as_deref(), Some(expected), "{path}");
        }
        assert!(mount("38 37 0:7 / /m ro - tmpfs none rw").is_read_only());
        assert!(mount("38 37 0:7 / /m rw - ext4 none ro").is_read_only());
        assert!(Mount::covering(Path::new("/")).unwrap().is_some());
    }

    #[test]
    fn a_directory_has_one_place_on_all_its_mounts() {
        let place = |line: &str, path: &str| {
            let mount = mount(line);
            mount.place(Path::new(path)).map(|(name, path)| (name.to_owned(), path))
        };
        let disk = place("36 1 8:1 / /data rw - ext4 /dev/sda1 rw", "/data/a/b");
        assert_eq!(disk, place("36 1 8:1 /a /mnt/bound rw - ext4 /dev/sda1 rw", "/mnt/bound/b"));
        let share = place("36 1 0:50 / /mnt/old rw - nfs4 nas:/export rw", "/mnt/old/sub");
        assert_eq!(share, place("36 1 0:51 / /mnt/new rw - nfs4 nas:/export/sub rw", "/mnt/new"));
        assert_ne!(share, place("36 1 0:50 / /mnt/new rw - nfs4 nas:/export/other rw", "/mnt/new"));
        assert_eq!(place("36 1 8:1 / /data rw - ext4 /dev/sda1 rw", "/elsewhere"), None);
    }
}
