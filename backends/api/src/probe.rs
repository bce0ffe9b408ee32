//! Names of the files by which a run finds out what a storage keeps.
//!
//! A run that is killed leaves them behind. The name says who made it: process id, time,
//! and machine with process namespace, so that a later run can find out whether its maker still lives.

use std::time::{SystemTime, UNIX_EPOCH};

const PREFIX: &str = ".towpath-probe-";

/// A hidden name that nobody else has, for `of` what it is.
pub fn name(of: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let place = place().unwrap_or_default();
    format!("{PREFIX}{}-{}-{place}-{of}", std::process::id(), now.as_nanos())
}

/// The maker of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// The process with this number, in this process's own namespace and since this machine's last start.
    Here(u32),
    /// A process of another machine or namespace, or of an earlier start of this machine.
    Elsewhere,
}

/// Whose probe a name is; `None` if it is no probe's.
pub fn maker(name: &[u8]) -> Option<Maker> {
    maker_seen_from(name, place().as_deref())
}

fn maker_seen_from(name: &[u8], here: Option<&str>) -> Option<Maker> {
    let name = std::str::from_utf8(name).ok()?;
    let mut parts = name.strip_prefix(PREFIX)?.splitn(4, '-');
    let mut number = || parts.next().filter(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let (process, _time) = (number()?, number()?);
    let place = parts.next()?;
    Some(match process.parse() {
        Ok(process) if here == Some(place) => Maker::Here(process),
        _ => Maker::Elsewhere,
    })
}

/// Where process numbers mean the same: this start of this machine, and the namespace.
fn place() -> Option<String> {
    let start = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let digits: String = namespace.to_str()?.chars().filter(char::is_ascii_digit).collect();
    Some(format!("{}.{digits}", start.get(..8)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_tells_its_maker() {
        assert_eq!(maker(name("file").as_bytes()), Some(Maker::Here(std::process::id())));
        let name = b".towpath-probe-12-34-1a2b3c4d.4026531836-file";
        assert_eq!(maker_seen_from(name, Some("1a2b3c4d.4026531836")), Some(Maker::Here(12)));
        for other in [Some("1a2b3c4d.4026531837"), Some("1a2b3c4e.4026531836"), None] {
            assert_eq!(maker_seen_from(name, other), Some(Maker::Elsewhere), "{other:?}");
        }
        // Of an earlier version, and of a place that is not known.
        for name in
            [&b".towpath-probe-12-34-file"[..], b".towpath-probe-12-34--file", b".towpath-probe-99999999999-3-x-y"]
        {
            assert_eq!(maker_seen_from(name, None), Some(Maker::Elsewhere), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn other_names_are_no_probes() {
        let names =
            [&b".towpath-probe-"[..], b".towpath-probe-of-mine", b".towpath-probe-12-mine", b".towpath-probe--1-x"];
        for name in names.into_iter().chain([&b".towpath-probe-1-2"[..], b".towpath-probe-1-2-\xff", b"file", b""]) {
            assert_eq!(maker(name), None, "{}", name.escape_ascii());
        }
    }
}
