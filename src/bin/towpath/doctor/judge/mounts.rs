//! Where a tree lies: what is mounted there, and whether that suits a migration.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use towpath::Side;
use towpath_local::Mount;

use super::network_mounts;
use crate::doctor::model::Place;
use crate::doctor::{Code, Plan, info, ok, problem, warning};
use crate::finding::Finding;
use crate::format;

/// File systems that show an object store as a directory, and the URL that needs no mount.
const STORES: [(&str, &str); 8] = [
    ("fuse.s3fs", "s3://"),
    ("fuse.goofys", "s3://"),
    ("fuse.mountpoint-s3", "s3://"),
    ("fuse.gcsfuse", "gcs://"),
    ("fuse.blobfuse", "azblob://"),
    ("fuse.blobfuse2", "azblob://"),
    ("fuse.sshfs", "sftp://"),
    ("fuse.davfs", "webdav://"),
];

/// Judges where a tree lies.
pub(crate) fn place(side: Side, place: &Place, plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(point) = &place.unmounted {
        findings.push(problem(
            Code::NotMounted,
            format!("{} is a mount point of /etc/fstab, and nothing is mounted there", point.display()),
            "the empty directory below the mount would be taken for the tree",
            format!("mount {}", point.display()),
        ));
    }
    let Some(mount) = &place.mount else { return findings };
    findings.push(ok(Code::Mount, described(mount)));
    if place.unmounted.is_none() && mount.point() == Path::new("/") && is_usual_mount_point(&place.path) {
        findings.push(warning(
            Code::RootFileSystem,
            format!("{} lies on the root file system", place.path.display()),
            "a share that should be mounted there is not",
            "findmnt; mount the share, or ignore this if the tree is meant to be there",
        ));
    }
    findings.extend(match mount.kind() {
        "nfs" | "nfs4" => network_mounts::nfs(side, mount, plan),
        "cifs" | "smb3" => network_mounts::smb(side, mount, plan),
        kind => local(side, mount, kind, plan),
    });
    findings.extend(writability(side, mount));
    findings
}

/// `nfs4 nas:/export on /mnt/old (rw,vers=4.2,…)`.
fn described(mount: &Mount) -> String {
    let (of_mount, of_file_system) = mount.options();
    let (of_mount, of_file_system) = (of_mount.as_bytes(), of_file_system.as_bytes());
    let both = [of_mount, b",", of_file_system].concat();
    let mut options: Vec<String> = Vec::new();
    for option in both.split(|&byte| byte == b',').filter(|option| !is_secret(option)) {
        let option = format::escape(option);
        if !option.is_empty() && !options.contains(&option) {
            options.push(option);
        }
    }
    let source = format::escape(mount.source().as_bytes());
    format!("{} {source} on {} ({})", mount.kind(), mount.point().display(), options.join(","))
}

/// Options that name users or keys are of no use in a report that is sent around.
fn is_secret(option: &[u8]) -> bool {
    [&b"username="[..], b"user=", b"password=", b"domain=", b"secret="].iter().any(|name| option.starts_with(name))
}

fn is_usual_mount_point(path: &Path) -> bool {
    ["/mnt", "/media", "/net", "/misc", "/Volumes"]
        .iter()
        .any(|above| path.starts_with(above) && path != Path::new(above))
}

/// A source that is mounted read-only is safe from everyone; so is a destination, from the migration.
fn writability(side: Side, mount: &Mount) -> Option<Finding> {
    match side {
        Side::Source if mount.is_read_only() => {
            Some(ok(Code::SourceReadOnly, "mounted read-only: nothing on this machine can change it"))
        }
        Side::Source => None,
        Side::Sink if mount.is_read_only() => Some(problem(
            Code::DestReadOnly,
            format!("{} is mounted read-only", mount.point().display()),
            "nothing can be written there",
            format!("mount -o remount,rw {}", mount.point().display()),
        )),
        Side::Sink => None,
    }
}

fn local(side: Side, mount: &Mount, kind: &str, plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    match (kind, side) {
        ("tmpfs" | "ramfs", Side::Sink) => findings.push(warning(
            Code::Memory,
            format!("{kind}: files in memory"),
            "they are lost when the machine restarts",
            "use a directory on a disk or on a share",
        )),
        ("overlay" | "overlayfs", Side::Sink) => findings.push(warning(
            Code::Overlay,
            "an overlay, as the root of a container",
            "what is written goes to its upper directory, and is lost with the container",
            "mount a volume or a directory of the host there",
        )),
        _ if kind.starts_with("fuse") => findings.push(fuse(kind)),
        _ => {}
    }
    // Other users than root may not read without changing the atime of files that they do not own.
    let keeps_atimes = mount.is_read_only() || mount.has_mount_flag("noatime") || plan.is_root;
    if side == Side::Source && !keeps_atimes && !kind.starts_with("fuse") && !matches!(kind, "tmpfs" | "ramfs") {
        findings.push(info(
            Code::AccessTimes,
            "mounted without noatime, and this user is not root",
            "reading updates the access times of files that belong to other users",
            format!("mount -o remount,noatime {}", mount.point().display()),
        ));
    }
    findings
}

fn fuse(kind: &str) -> Finding {
    match STORES.iter().find(|(name, _)| *name == kind) {
        Some((_, url)) => warning(
            Code::Fuse,
            format!("{kind}: a remote storage behind a program of this machine"),
            "mtimes, renames and errors of writing are what that program makes of them, and often get lost",
            format!("give {url} instead of the mounted path (`towpath backends`)"),
        ),
        None => info(
            Code::Fuse,
            format!("{kind}: a file system in a program of this machine"),
            "what it keeps depends on the program; each request costs more than with a file system of the kernel",
            "",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    fn at(path: &str, line: &str) -> Place {
        Place { path: path.into(), mount: Mount::of_line(line.as_bytes()), unmounted: None }
    }

    fn codes(side: Side, found: &Place, plan: &Plan) -> Vec<(&'static str, Severity)> {
        let findings = place(side, found, plan);
        findings.iter().map(|finding| (finding.code, finding.severity)).collect()
    }

    #[test]
    fn local_file_systems() {
        let root = Plan::of_test();
        let user = Plan { is_root: false, ..Plan::of_test() };
        let ext4 = at("/data/a", "36 1 8:1 / /data rw,relatime - ext4 /dev/sda1 rw");
        let mount = ("mount", Severity::Ok);
        assert_eq!(codes(Side::Source, &ext4, &root), [mount]);
        assert_eq!(codes(Side::Source, &ext4, &user), [mount, ("access-times", Severity::Info)]);
        assert_eq!(codes(Side::Sink, &ext4, &user), [mount]);
        let read_only = at("/data", "36 1 8:1 / /data ro - ext4 /dev/sda1 ro");
        assert_eq!(codes(Side::Source, &read_only, &user), [mount, ("source-read-only", Severity::Ok)]);
        assert_eq!(codes(Side::Sink, &read_only, &user), [mount, ("dest-read-only", Severity::Problem)]);
        let tmpfs = at("/run/x", "36 1 0:9 / /run rw - tmpfs tmpfs rw");
        assert_eq!(codes(Side::Sink, &tmpfs, &root), [mount, ("in-memory", Severity::Warning)]);
        assert_eq!(codes(Side::Source, &tmpfs, &user), [mount]);
        let overlay = at("/x", "36 1 0:9 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w");
        assert_eq!(codes(Side::Sink, &overlay, &root), [mount, ("overlay", Severity::Warning)]);
        assert_eq!(codes(Side::Source, &overlay, &root), [mount]);
    }

    #[test]
    fn programs_that_show_a_storage() {
        let s3 = at("/b", "36 1 0:9 / /b rw - fuse.s3fs s3fs rw");
        let found = place(Side::Sink, &s3, &Plan::of_test());
        assert_eq!((found[1].code, found[1].severity), ("fuse", Severity::Warning));
        assert!(found[1].remedy.contains("s3://"));
        let bind = at("/b", "36 1 0:9 / /b rw - fuse.bindfs /a rw");
        assert_eq!(codes(Side::Sink, &bind, &Plan::of_test())[1], ("fuse", Severity::Info));
    }

    #[test]
    fn a_share_that_is_not_mounted() {
        let root = "1 1 8:1 / / rw - ext4 /dev/sda1 rw";
        let plan = Plan::of_test();
        assert_eq!(codes(Side::Sink, &at("/mnt/new", root), &plan)[1], ("root-file-system", Severity::Warning));
        assert_eq!(codes(Side::Sink, &at("/home/a", root), &plan), [("mount", Severity::Ok)]);
        let listed = Place { unmounted: Some("/mnt/new".into()), ..at("/mnt/new/a", root) };
        assert_eq!(codes(Side::Sink, &listed, &plan), [("not-mounted", Severity::Problem), ("mount", Severity::Ok)]);
    }

    #[test]
    fn a_mount_is_described_without_users() {
        let line = "36 1 0:9 / /mnt/n rw,relatime - cifs //nas/a\\040b rw,vers=3.1.1,username=me,domain=D,uid=0";
        assert_eq!(
            described(&Mount::of_line(line.as_bytes()).unwrap()),
            "cifs //nas/a b on /mnt/n (rw,relatime,vers=3.1.1,uid=0)"
        );
    }
}
