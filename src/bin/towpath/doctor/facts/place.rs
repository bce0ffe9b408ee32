//! Where a path lies, and how much room is there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat, statvfs};
use towpath_local::Mount;

use crate::doctor::model::{Place, Space};

/// Options of a mount that say that quotas are in force.
const QUOTAS: [&str; 10] = [
    "usrquota",
    "grpquota",
    "prjquota",
    "uquota",
    "gquota",
    "pquota",
    "quota",
    "usrjquota",
    "grpjquota",
    "uqnoenforce",
];

/// Where `path` lies. Nothing of the tree itself is read but its path; `resolved` is its canonical path, if that is known.
pub(crate) fn place(path: &Path, resolved: Option<PathBuf>) -> Place {
    let path = resolved.or_else(|| std::path::absolute(path).ok()).unwrap_or_else(|| path.to_owned());
    let mount = Mount::covering(&path).ok().flatten();
    let listed = fs::read_to_string("/etc/fstab").unwrap_or_default();
    let unmounted = unmounted(&listed, &path, mount.as_ref().map(Mount::point));
    Place { path, mount, unmounted }
}

/// A mount point that fstab lists below the mount of `path`, and at or above it.
fn unmounted(fstab: &str, path: &Path, mounted: Option<&Path>) -> Option<PathBuf> {
    let mounted = mounted?;
    let points = fstab.lines().map(str::trim).filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (point, kind) = (fields.next()?, fields.next()?);
        (kind != "swap" && point != "none").then(|| PathBuf::from(point.replace("\\040", " ")))
    });
    let missing = points.filter(|point| path.starts_with(point) && point.starts_with(mounted) && point != mounted);
    missing.max_by_key(|point| point.components().count())
}

/// The room of the file system of `path`.
pub(crate) fn space(path: &Path, mount: Option<&Mount>) -> io::Result<Space> {
    let found = statvfs(path)?;
    let unit = if found.f_frsize == 0 { found.f_bsize } else { found.f_frsize };
    let flag = |name: &&&str| mount.is_some_and(|mount| mount.has_flag(name) || mount.option(name).is_some());
    Ok(Space {
        free_bytes: found.f_bavail.saturating_mul(unit),
        total_bytes: found.f_blocks.saturating_mul(unit),
        free_files: (found.f_files > 0).then_some(found.f_favail),
        quota: QUOTAS.iter().find(flag).copied(),
    })
}

/// Whether this user may create entries in a directory.
pub(crate) fn is_writable(dir: &Path) -> bool {
    accessat(CWD, dir, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_mount_point_is_missed_only_if_nothing_is_mounted_there() {
        let fstab =
            "# /mnt/x\nUUID=1 / ext4 defaults 0 1\nnas:/a /mnt/new\\040disk nfs hard 0 0\n/dev/sdb none swap sw 0 0\n";
        let missed = |path: &str, mounted: &str| unmounted(fstab, Path::new(path), Some(Path::new(mounted)));
        assert_eq!(missed("/mnt/new disk/a", "/"), Some("/mnt/new disk".into()));
        assert_eq!(missed("/mnt/new disk", "/"), Some("/mnt/new disk".into()));
        assert_eq!(missed("/mnt/new disk/a", "/mnt/new disk"), None);
        assert_eq!(missed("/mnt/new disk/a", "/mnt/new disk/a"), None);
        assert_eq!(missed("/mnt/x", "/"), None);
        assert_eq!(unmounted(fstab, Path::new("/mnt/new disk"), None), None);
    }

    #[test]
    fn room_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let found = space(folder.path(), None).unwrap();
        assert!(found.total_bytes > 0 && found.free_bytes <= found.total_bytes, "{found:?}");
        assert!(space(&folder.path().join("missing"), None).is_err());
    }
}
