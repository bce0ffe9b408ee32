//! The options of NFS and SMB mounts. What they cost is measured in docs/network-shares.md.

use towpath::Side;
use towpath_local::Mount;

use crate::doctor::{Code, Plan, info, ok, problem, warning};
use crate::finding::Finding;

/// Transfers below this size cost a noticeable number of requests.
const SMALL_TRANSFER_BYTES: u64 = 32 * 1024;
/// An attribute cache that hides changes for longer than the default does.
const LONG_CACHE_S: u64 = 60;

/// The text of an option's value.
fn text<'a>(mount: &'a Mount, name: &str) -> Option<&'a str> {
    std::str::from_utf8(mount.option(name)?).ok()
}

fn number(mount: &Mount, name: &str) -> Option<u64> {
    text(mount, name)?.parse().ok()
}

/// Judges the options of an NFS mount.
pub(super) fn nfs(side: Side, mount: &Mount, plan: &Plan) -> Vec<Finding> {
    let mut findings = vec![nfs_version(mount, plan)];
    findings.push(match ["soft", "softerr"].into_iter().find(|flag| mount.has_flag(flag)) {
        Some(flag) => warning(
            Code::NfsSoft,
            format!("mounted with {flag}"),
            "when the server does not answer for a while, reads and writes fail: the run ends or files stay pending, and \
             other programs lose what they wrote",
            "mount with hard, the default: the run waits and goes on",
        ),
        None => ok(Code::NfsSoft, "hard: an outage of the server is waited for"),
    });
    if let Some(protocol) = text(mount, "proto").filter(|protocol| protocol.starts_with("udp")) {
        findings.push(problem(
            Code::NfsProtocol,
            format!("proto={protocol}"),
            "NFS over UDP can corrupt data without an error on fast links, as fragments of packets are mixed up (nfs(5))",
            "mount with proto=tcp",
        ));
    }
    findings.extend(nfs_cache(side, mount));
    // `noac` implies it.
    let is_sync = mount.has_flag("sync") || mount.has_mount_flag("sync");
    if side == Side::Sink && is_sync && !mount.has_flag("noac") {
        findings.push(warning(
            Code::NfsSync,
            "mounted with sync",
            "each write waits until it is on the server's disk; Towpath flushes by itself before it records a file",
            "mount without sync",
        ));
    }
    for (name, does) in [("rsize", Side::Source), ("wsize", Side::Sink)] {
        if side == does
            && let Some(size) = number(mount, name).filter(|size| *size < SMALL_TRANSFER_BYTES)
        {
            findings.push(warning(
                Code::NfsTransferSize,
                format!("{name}={size}"),
                "large files need many requests, each with its round trip",
                format!("mount without {name}: client and server negotiate it, up to 1 MiB"),
            ));
        }
    }
    if text(mount, "nconnect").is_none()
        && !plan.is_limited
        && text(mount, "proto").is_none_or(|p| p.starts_with("tcp"))
    {
        findings.push(info(
            Code::NfsConnections,
            "one connection to the server, and no --bwlimit",
            "on a fast link with a long round trip, one connection may not carry all",
            "nconnect=4 (NFS on Linux 5.3 and later), if the link is not used fully",
        ));
    }
    findings
}

fn nfs_version(mount: &Mount, plan: &Plan) -> Finding {
    match text(mount, "vers").unwrap_or(mount.kind().trim_start_matches("nfs")) {
        version @ ("2" | "2.0") => problem(
            Code::NfsVersion,
            format!("NFS {version}"),
            "files end at 2 GiB, and times have no more than microseconds",
            "mount with vers=4.2",
        ),
        version if version.starts_with('3') && plan.keeps_xattrs => warning(
            Code::NfsVersion,
            format!("NFS {version}, and --xattrs"),
            "version 3 has no extended attributes",
            "mount with vers=4.2 (servers of Linux 5.9 and later, or those that support RFC 8276)",
        ),
        version => ok(Code::NfsVersion, format!("NFS {version}")),
    }
}

fn nfs_cache(side: Side, mount: &Mount) -> Option<Finding> {
    let is_zero = |name: &str| number(mount, name) == Some(0);
    let has_none = mount.has_flag("noac") || (is_zero("acregmax") && is_zero("acdirmax")) || is_zero("actimeo");
    if has_none {
        return Some(warning(
            Code::NfsAttributeCache,
            "mounted with noac or actimeo=0",
            "the server is asked for each file again and again: 75 times the requests for a tree in sync",
            "mount without noac, and without actimeo",
        ));
    }
    let longest = ["actimeo", "acregmax"].into_iter().filter_map(|name| number(mount, name)).max()?;
    (side == Side::Source && longest > LONG_CACHE_S).then(|| {
        warning(
            Code::NfsAttributeCache,
            format!("attributes are cached for up to {longest} s"),
            "a scan may miss what other machines changed in this time: the next run sends it",
            "mount without actimeo and acregmax, and wait this long after the last change before a cut-over",
        )
    })
}

/// Judges the options of an SMB mount.
pub(super) fn smb(side: Side, mount: &Mount, plan: &Plan) -> Vec<Finding> {
    let mut findings = vec![smb_version(mount)];
    findings.push(match text(mount, "cache") {
        Some("none") => warning(
            Code::SmbCache,
            "cache=none",
            "nothing is read ahead: each piece costs a round trip",
            "mount with cache=strict, the default",
        ),
        Some(cache @ ("loose" | "ro" | "rw" | "singleclient")) => warning(
            Code::SmbCache,
            format!("cache={cache}"),
            "the client may show old content of files that others change: an old copy would count as complete",
            "mount with cache=strict, the default",
        ),
        cache => ok(Code::SmbCache, format!("cache={}", cache.unwrap_or("strict"))),
    });
    let longest = ["actimeo", "acregmax"].into_iter().filter_map(|name| number(mount, name)).max();
    if let Some(longest) = longest.filter(|longest| side == Side::Source && *longest >= LONG_CACHE_S) {
        findings.push(warning(
            Code::SmbAttributeCache,
            format!("attributes are cached for up to {longest} s"),
            "a scan may miss what other machines changed in this time: the next run sends it",
            "mount without actimeo (the default is 1 s)",
        ));
    }
    if !mount.has_flag("serverino") {
        findings.push(warning(
            Code::SmbInodes,
            "mounted with noserverino",
            "inode numbers are the client's own: hard links are not recognized, and the tree is identified by its path",
            "mount with serverino, the default, if the server supports it",
        ));
    }
    findings.extend(smb_owners(side, mount, plan));
    if side == Side::Sink && !mount.has_flag("mapposix") && !mount.has_flag("mapchars") && !mount.has_flag("posix") {
        findings.push(warning(
            Code::SmbCharacters,
            "mounted with nomapposix",
            "names with : * ? \" < > | \\ are rejected by the server",
            "mount with mapposix, the default",
        ));
    }
    findings
}

fn smb_version(mount: &Mount) -> Finding {
    match text(mount, "vers").unwrap_or("unknown") {
        version if version.starts_with('1') => warning(
            Code::SmbVersion,
            format!("SMB {version}"),
            "it is slow, neither signed nor encrypted well, and being removed from servers and kernels",
            "mount with vers=3.1.1",
        ),
        version if version.starts_with('2') => info(
            Code::SmbVersion,
            format!("SMB {version}"),
            "version 3 has encryption, and handles that survive a lost connection",
            "mount with vers=3.1.1",
        ),
        version => ok(Code::SmbVersion, format!("SMB {version}")),
    }
}

/// Without POSIX extensions or ACLs, owners and modes are those of the mount.
fn smb_owners(side: Side, mount: &Mount, plan: &Plan) -> Option<Finding> {
    let is_real = ["posix", "unix", "cifsacl", "modefromsid"].into_iter().any(|flag| mount.has_flag(flag));
    if is_real || !(plan.keeps_owner || plan.keeps_permissions) {
        return None;
    }
    let (uid, gid) = (text(mount, "uid").unwrap_or("0"), text(mount, "gid").unwrap_or("0"));
    let forced = mount.has_flag("forceuid") || mount.has_flag("forcegid");
    let found =
        format!("owners and modes are the mount's: uid={uid},gid={gid}{}", if forced { ",forceuid" } else { "" });
    Some(match side {
        Side::Source => warning(
            Code::SmbOwners,
            found,
            "--owner and --perms would apply these to every file, instead of the server's",
            "leave out --owner and --perms, or mount with cifsacl or modefromsid and map the users",
        ),
        Side::Sink => warning(
            Code::SmbOwners,
            found,
            "the server keeps neither the owners nor the modes that --owner and --perms set",
            "leave out --owner and --perms, and set ACLs on the server",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    fn mount(kind: &str, options: &str) -> Mount {
        let line = format!("36 1 0:50 / /mnt/x rw,relatime shared:1 - {kind} nas:/export {options}");
        Mount::of_line(line.as_bytes()).unwrap()
    }

    /// The codes that are not ok, with their severities.
    fn bad(findings: &[Finding]) -> Vec<(&'static str, Severity)> {
        let bad = findings.iter().filter(|finding| finding.severity != Severity::Ok);
        bad.map(|finding| (finding.code, finding.severity)).collect()
    }

    const NFS: &str = "rw,vers=4.2,rsize=1048576,wsize=1048576,namlen=255,hard,proto=tcp,nconnect=4,timeo=600,retrans=2,\
                       sec=sys,clientaddr=10.0.0.1,local_lock=none,addr=10.0.0.2";
    const SMB: &str = "rw,vers=3.1.1,cache=strict,username=me,uid=0,noforceuid,gid=0,noforcegid,addr=10.0.0.2,\
                       file_mode=0755,dir_mode=0755,soft,nounix,serverino,mapposix,rsize=4194304,wsize=4194304,actimeo=1";

    #[test]
    fn the_defaults_of_nfs_are_good() {
        for side in [Side::Source, Side::Sink] {
            assert_eq!(bad(&nfs(side, &mount("nfs4", NFS), &Plan::of_test())), []);
        }
        let one = NFS.replace("nconnect=4,", "");
        let limited = Plan { is_limited: true, ..Plan::of_test() };
        assert_eq!(bad(&nfs(Side::Sink, &mount("nfs4", &one), &limited)), []);
        assert_eq!(
            bad(&nfs(Side::Sink, &mount("nfs4", &one), &Plan::of_test())),
            [("nfs-connections", Severity::Info)]
        );
    }

    #[test]
    fn each_option_of_nfs_that_harms_is_found() {
        use Severity::{Problem, Warning};
        let both = [Side::Source, Side::Sink];
        for (from, to, sides, expected) in [
            ("hard", "soft", &both[..], ("nfs-soft", Warning)),
            ("hard", "softerr", &both, ("nfs-soft", Warning)),
            ("proto=tcp", "proto=udp", &both, ("nfs-protocol", Problem)),
            ("proto=tcp", "proto=udp6", &both, ("nfs-protocol", Problem)),
            ("rw,", "rw,sync,noac,", &both, ("nfs-attribute-cache", Warning)),
            ("hard", "hard,acregmin=0,acregmax=0,acdirmin=0,acdirmax=0", &both, ("nfs-attribute-cache", Warning)),
            ("hard", "hard,acregmax=600", &both[..1], ("nfs-attribute-cache", Warning)),
            ("rw,", "rw,sync,", &both[1..], ("nfs-sync", Warning)),
            ("rsize=1048576", "rsize=8192", &both[..1], ("nfs-transfer-size", Warning)),
            ("wsize=1048576", "wsize=4096", &both[1..], ("nfs-transfer-size", Warning)),
            ("vers=4.2", "vers=2", &both, ("nfs-version", Problem)),
        ] {
            let options = NFS.replacen(from, to, 1);
            assert_ne!(options, NFS, "{from}");
            for side in both {
                let expected: &[_] = if sides.contains(&side) { &[expected] } else { &[] };
                assert_eq!(bad(&nfs(side, &mount("nfs4", &options), &Plan::of_test())), expected, "{to} {side:?}");
            }
        }
        let with_xattrs = Plan { keeps_xattrs: true, ..Plan::of_test() };
        let three = mount("nfs", &NFS.replace("vers=4.2", "vers=3"));
        assert_eq!(bad(&nfs(Side::Sink, &three, &with_xattrs)), [("nfs-version", Warning)]);
        assert_eq!(bad(&nfs(Side::Sink, &three, &Plan::of_test())), []);
    }

    #[test]
    fn the_defaults_of_smb_are_good() {
        for side in [Side::Source, Side::Sink] {
            assert_eq!(bad(&smb(side, &mount("cifs", SMB), &Plan::of_test())), []);
        }
    }

    #[test]
    fn each_option_of_smb_that_harms_is_found() {
        use Severity::{Info, Warning};
        let both = [Side::Source, Side::Sink];
        for (from, to, sides, expected) in [
            ("vers=3.1.1", "vers=1.0", &both[..], ("smb-version", Warning)),
            ("vers=3.1.1", "vers=2.1", &both, ("smb-version", Info)),
            ("cache=strict", "cache=none", &both, ("smb-cache", Warning)),
            ("cache=strict", "cache=loose", &both, ("smb-cache", Warning)),
            ("actimeo=1", "actimeo=60", &both[..1], ("smb-attribute-cache", Warning)),
            ("serverino,", "", &both, ("smb-inodes", Warning)),
            ("mapposix,", "", &both[1..], ("smb-characters", Warning)),
        ] {
            let options = SMB.replacen(from, to, 1);
            assert_ne!(options, SMB, "{from}");
            for side in both {
                let expected: &[_] = if sides.contains(&side) { &[expected] } else { &[] };
                assert_eq!(bad(&smb(side, &mount("cifs", &options), &Plan::of_test())), expected, "{to} {side:?}");
            }
        }
        let with_owner = Plan { keeps_owner: true, ..Plan::of_test() };
        let owners = smb(Side::Source, &mount("cifs", &SMB.replace("noforceuid", "forceuid")), &with_owner);
        assert_eq!(bad(&owners), [("smb-owners", Warning)]);
        assert!(owners.iter().any(|finding| finding.found.contains("forceuid")));
        assert_eq!(bad(&smb(Side::Source, &mount("cifs", &SMB.replace("nounix", "posix")), &with_owner)), []);
        let mapped = mount("cifs", &SMB.replace("mapposix", "mapchars"));
        assert_eq!(bad(&smb(Side::Sink, &mapped, &Plan::of_test())), []);
    }
}
