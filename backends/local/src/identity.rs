//! The identity of a tree: a text that stays the same across remounts and reboots.
//!
//! Device numbers change with a reboot, when disks are attached in another order, and for NFS, Btrfs and overlays with
//! each mount. So the text contains none. What it contains depends on the file system:
//!
//! - for a share, the server and its export, and the root's inode;
//! - for a file system whose `f_fsid` is derived from its UUID (ext4, Btrfs, ZFS, bcachefs), `f_fsid`, the root's
//!   inode, and its creation time. Also for tmpfs: its UUID is new with each mount, as is its content;
//! - for others, the root's inode and its creation time in nanoseconds. XFS and F2FS derive `f_fsid` from the device
//!   number;
//! - if the root has no such time (FAT, exFAT), its UUID if udev lists it, or the mounted device (`/dev/sdb1`).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, StatxFlags, fstatvfs, major, makedev, minor, statx};
use towpath_backend::Identity;

use crate::filesystem::{FileSystem, IdSource};
use crate::mounts::Mount;

/// Where udev lists the local file systems by UUID.
const BY_UUID: &str = "/dev/disk/by-uuid";

/// The properties of a root that identify it.
struct Facts {
    filesystem: FileSystem,
    /// `f_fsid` of statvfs.
    id: u64,
    inode: u64,
    /// When the directory was created, in seconds and nanoseconds.
    created: Option<(i64, u32)>,
}

impl Facts {
    fn of(root: BorrowedFd<'_>) -> io::Result<(Self, u64)> {
        let stat = statx(root, "", AtFlags::EMPTY_PATH, StatxFlags::INO | StatxFlags::BTIME)?;
        let has_created = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
        let created = has_created.then_some((stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec));
        let (filesystem, id) = (FileSystem::of(root)?, fstatvfs(root)?.f_fsid);
        Ok((Self { filesystem, id, inode: stat.stx_ino, created }, makedev(stat.stx_dev_major, stat.stx_dev_minor)))
    }

    /// A directory that is removed and created again often gets the same inode, but not the same time.
    fn created(&self) -> String {
        self.created.map(|(s, ns)| format!(" created {s}.{ns:09}")).unwrap_or_default()
    }

    /// The text for a local file system, if these properties are sufficient.
    fn text(&self) -> Option<String> {
        let (name, inode, created) = (self.filesystem.name(), self.inode, self.created());
        match self.filesystem.id_source() {
            IdSource::Uuid => Some(format!("{name} {:016x} inode {inode}{created}", self.id)),
            // A time of zero means that the root has none.
            IdSource::Device if self.created.is_some_and(|time| time != (0, 0)) => {
                Some(format!("{name} inode {inode}{created}"))
            }
            IdSource::Device | IdSource::DeviceAndNoTimes => None,
        }
    }

    fn text_by_uuid(&self, uuid: &str) -> String {
        format!("{} {uuid} inode {}", self.filesystem.name(), self.inode)
    }

    /// As version 0.1 wrote it; for some file systems it contains a device number.
    fn former_text(&self) -> String {
        let born = self.created.map(|(s, ns)| format!(" born {s}.{ns:09}")).unwrap_or_default();
        format!("{:x} {:x} inode {}{born}", self.filesystem.magic(), self.id, self.inode)
    }
}

/// The identity of the tree with this root, at the canonical `path`.
pub(crate) fn identity(root: impl AsFd, path: &Path) -> io::Result<Identity> {
    let root = root.as_fd();
    let (facts, device) = Facts::of(root)?;
    if facts.filesystem.is_remote()
        && let Some(mount) = Mount::of(root)?
    {
        return Ok(of_share(&facts, &mount, path));
    }
    if let Some(text) = facts.text() {
        return Ok(Identity::new(text).formerly(facts.former_text()));
    }
    let text = match (uuid(Path::new(BY_UUID), device), Mount::of(root)?) {
        (Some(uuid), _) => facts.text_by_uuid(&uuid),
        (None, Some(mount)) => format!("{} inode {}", mount.name(), facts.inode),
        (None, None) => facts.former_text(),
    };
    Ok(Identity::new(text).formerly(facts.former_text()))
}

fn of_share(facts: &Facts, mount: &Mount, path: &Path) -> Identity {
    let by_inode = format!("{} inode {}", mount.name(), facts.inode);
    let inodes_stay = !facts.filesystem.is_fuse() && (!facts.filesystem.is_smb() || mount.has_flag("serverino"));
    match mount.inside(path) {
        // The client assigns its own inode numbers, starting again with each mount.
        Some(inside) if !inodes_stay => {
            let inside = inside.as_os_str().as_encoded_bytes().escape_ascii().to_string();
            Identity::new(format!("{} path /{inside}", mount.name())).formerly(by_inode)
        }
        _ => Identity::new(by_inode),
    }
}

/// The UUID of the file system on a device, if udev lists it.
fn uuid(listed: &Path, device: u64) -> Option<String> {
    let is_it = |number: u64| (major(number), minor(number)) == (major(device), minor(device));
    let mut entries = std::fs::read_dir(listed).ok()?.flatten();
    let found = entries.find(|entry| std::fs::metadata(entry.path()).is_ok_and(|found| is_it(found.rdev())))?;
    found.file_name().into_string().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags, open};

    fn at(path: &Path) -> Identity {
        identity(open(path, OFlags::PATH, Mode::empty()).unwrap(), path).unwrap()
    }

    fn facts(magic: u32, id: u64, created: Option<(i64, u32)>) -> Facts {
        Facts { filesystem: FileSystem::with_magic(magic), id, inode: 128, created }
    }

    #[test]
    fn directories_have_different_and_stable_identities() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other");
        std::fs::create_dir(&other).unwrap();
        let first = at(folder.path());
        assert_eq!(first, at(folder.path()));
        assert_ne!(first, at(&other));
    }

    #[test]
    fn the_text_contains_the_number_of_the_file_system_only_if_it_is_a_uuid() {
        let created = Some((1_700_000_000, 5));
        let text = |magic, id, created| facts(magic, id, created).text();
        let xfs = text(0x5846_5342, 0x0700, created);
        assert_eq!(xfs.as_deref(), Some("xfs inode 128 created 1700000000.000000005"));
        assert_eq!(xfs, text(0x5846_5342, 0x0701, created), "attached to another device");
        assert_eq!(text(0x5846_5342, 0x0700, None), None, "XFS of version 4 has no such times");
        let ext = text(0xef53, 0xabc, created);
        assert_eq!(ext.as_deref(), Some("ext 0000000000000abc inode 128 created 1700000000.000000005"));
        assert_ne!(ext, text(0xef53, 0xabd, created));
        for magic in [0x4d44, 0x2011_bab0] {
            assert_eq!(text(magic, 1, Some((0, 0))), None, "roots of FAT have no time");
            assert_eq!(text(magic, 1, created), None, "those of exFAT that of the mount");
        }
    }

    #[test]
    fn the_text_of_an_earlier_version_is_recognized() {
        let facts = facts(0x5846_5342, 0x0700, Some((1, 2)));
        assert_eq!(facts.former_text(), "58465342 700 inode 128 born 1.000000002");
        let now = Identity::new("now").formerly(facts.former_text());
        assert!(now.is_recorded_as("now") && now.is_recorded_as("58465342 700 inode 128 born 1.000000002"));
        assert!(!now.is_recorded_as("58465342 701 inode 128 born 1.000000002"));
    }

    #[test]
    fn shares_with_inode_numbers_of_the_client_are_identified_by_path() {
        let of = |magic, line: &str| {
            of_share(&facts(magic, 1, None), &Mount::of_line(line.as_bytes()).unwrap(), Path::new("/m/a b"))
        };
        let nfs = of(0x6969, "36 1 0:9 / /m rw - nfs4 nas:/export rw");
        assert_eq!(nfs.as_str(), "nfs4 nas:/export / inode 128");
        let smb = of(0xfe53_4d42, "36 1 0:9 / /m rw - cifs //nas/share rw,serverino,nounix");
        assert_eq!(smb.as_str(), "cifs //nas/share / inode 128");
        let smb = of(0xfe53_4d42, "36 1 0:9 / /m rw - cifs //nas/share rw,nounix");
        assert_eq!(smb.as_str(), "cifs //nas/share / path /a b");
        let fuse = of(0x6573_5546, "36 1 0:9 / /m rw - fuse.sshfs host:/data rw");
        assert_eq!(fuse.as_str(), "fuse.sshfs host:/data / path /a b");
        assert!(fuse.is_recorded_as("fuse.sshfs host:/data / inode 128"), "as earlier versions wrote it");
    }

    #[test]
    fn a_uuid_is_found_by_its_device() {
        let listed = tempfile::tempdir().unwrap();
        let null = std::fs::metadata("/dev/null").unwrap().rdev();
        std::os::unix::fs::symlink("/dev/zero", listed.path().join("1111-1111")).unwrap();
        std::os::unix::fs::symlink("/dev/null", listed.path().join("2222-2222")).unwrap();
        std::os::unix::fs::symlink("/dev/missing", listed.path().join("3333-3333")).unwrap();
        assert_eq!(uuid(listed.path(), null).as_deref(), Some("2222-2222"));
        assert_eq!(uuid(listed.path(), makedev(250, 250)), None);
        assert_eq!(uuid(&listed.path().join("missing"), null), None);
    }
}
