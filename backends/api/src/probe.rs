//! Names of probe files, with which a run tests what a storage keeps.
//!
//! A run that is killed leaves them behind. The name identifies the process that created it by process id, time, and
//! machine with process namespace, so that a later run can check whether that process is still running.

use std::time::{SystemTime, UNIX_EPOCH};

const PREFIX: &str = ".towpath-probe-";

/// A unique hidden name; `of` says what is tested.
pub fn name(of: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let place = place().unwrap_or_default();
    format!("{PREFIX}{}-{}-{place}-{of}", std::process::id(), now.as_nanos())
}

/// The process that created a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creator {
    /// The process with this id, in this process's own namespace and since this machine's last boot.
    Here(u32),
    /// A process of another machine or namespace, or of an earlier boot of this machine.
    Elsewhere,
}

/// The process that created the probe with this name; `None` if it is not the name of a probe.
pub fn creator(name: &[u8]) -> Option<Creator> {
    // A scan asks for every name: the place, which is read from files of the system, is needed for few.
    if !name.starts_with(PREFIX.as_bytes()) {
        return None;
    }
    creator_seen_from(name, place().as_deref())
}

fn creator_seen_from(name: &[u8], here: Option<&str>) -> Option<Creator> {
    let name = std::str::from_utf8(name).ok()?;
    let mut parts = name.strip_prefix(PREFIX)?.splitn(4, '-');
    let mut number = || parts.next().filter(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let (process, _time) = (number()?, number()?);
    let place = parts.next()?;
    Some(match process.parse() {
        Ok(process) if here == Some(place) => Creator::Here(process),
        _ => Creator::Elsewhere,
    })
}

/// The scope in which process ids are unique: this boot of this machine, and the namespace.
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
    fn the_name_identifies_the_creator() {
        assert_eq!(creator(name("file").as_bytes()), Some(Creator::Here(std::process::id())));
        let name = b".towpath-probe-12-34-1a2b3c4d.4026531836-file";
        assert_eq!(creator_seen_from(name, Some("1a2b3c4d.4026531836")), Some(Creator::Here(12)));
        for other in [Some("1a2b3c4d.4026531837"), Some("1a2b3c4e.4026531836"), None] {
            assert_eq!(creator_seen_from(name, other), Some(Creator::Elsewhere), "{other:?}");
        }
        // Of an earlier version, and of an unknown place.
        for name in
            [&b".towpath-probe-12-34-file"[..], b".towpath-probe-12-34--file", b".towpath-probe-99999999999-3-x-y"]
        {
            assert_eq!(creator_seen_from(name, None), Some(Creator::Elsewhere), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn other_names_are_not_probes() {
        let names =
            [&b".towpath-probe-"[..], b".towpath-probe-of-mine", b".towpath-probe-12-mine", b".towpath-probe--1-x"];
        for name in names.into_iter().chain([&b".towpath-probe-1-2"[..], b".towpath-probe-1-2-\xff", b"file", b""]) {
            assert_eq!(creator(name), None, "{}", name.escape_ascii());
        }
    }
}
