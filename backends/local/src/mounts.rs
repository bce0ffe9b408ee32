//! The mounts, according to `/proc/self/mountinfo`.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, StatxFlags, statx};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
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
        Ok(mounts.split(|&b| b == b'\n').find_map(|line| Self::parse(line, stat.stx_mnt_id)))
    }

    /// Fields as in proc(5): `36 35 98:0 /root /mount/point rw … - type source options`.
    fn parse(line: &[u8], id: u64) -> Option<Self> {
        let mut fields = line.split(|&b| b == b' ');
        if text(fields.next()?).parse() != Ok(id) {
            return None;
        }
        let device = text(fields.nth(1)?);
        let root = unescape(fields.next()?).into();
        let point = unescape(fields.next()?).into();
        // Any number of optional fields ends with a dash.
        let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
        let kind = text(fields.next()?);
        let source = unescape(fields.next()?);
        let options = unescape(fields.next().unwrap_or_default());
        Some(Self { device, root, point, kind, source, options })
    }

    /// The value of an option of the file system.
    pub(crate) fn option(&self, name: &str) -> Option<&[u8]> {
        let mut options = self.options.as_bytes().split(|&b| b == b',');
        options.find_map(|option| option.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    }

    /// Whether the file system has an option without a value.
    pub(crate) fn has_flag(&self, name: &str) -> bool {
        self.options.as_bytes().split(|&b| b == b',').any(|option| option == name.as_bytes())
    }

    #[cfg(test)]
    pub(crate) fn of_line(line: &str) -> Self {
        Self::parse(line.as_bytes(), 36).unwrap()
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
        Mount::of_line(line)
    }

    #[test]
    fn a_mount_is_named_by_its_type_source_and_root() {
        let line = "36 35 0:98 / /mnt/new rw,noatime shared:1 - nfs4 server:/export rw,vers=4.2";
        assert_eq!(mount(line).name(), "nfs4 server:/export /");
        assert_eq!(Mount::parse(line.as_bytes(), 35), None);
        assert_eq!(mount("36 35 0:98 / /mnt rw - cifs //nas/share rw").name(), "cifs //nas/share /");
        assert_eq!(Mount::parse(b"36 35 0:98 / /mnt rw", 36), None, "cut off");
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
        let parse = |line: &[u8]| Mount::parse(line, 36).map(|mount| mount.name());
        let (first, second) =
            (parse(b"36 1 0:9 / /m rw - nfs s:/\xfe rw"), parse(b"36 1 0:9 / /m rw - nfs s:/\xff rw"));
        assert!(first.is_some() && first != second);
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
