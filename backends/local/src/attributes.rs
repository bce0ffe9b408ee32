//! Owner, permissions and extended attributes.
//!
//! All operations use an `O_PATH` handle: it is opened without following a link, needs no read permission, does not
//! touch a device, and is not affected if the name is swapped afterwards. Calls such as `fgetxattr` do not accept such
//! a handle; `/proc/self/fd/N` directs the calls that take a path to exactly the entry of the handle, including a link
//! itself, and no further.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, Gid, Uid, XattrFlags, chownat, getxattr, listxattr, removexattr, setxattr};
use rustix::io::Errno;
use rustix::process::geteuid;
use towpath_backend::{Attributes, Error, ErrorKind, Kind, Owner, RelPath, Xattr};

use crate::lifted::Hold;
use crate::proc_fd::{proc_path, through_proc};
use crate::root::Root;
use crate::stat::metadata_of_open;

/// The kernel's limit for the names, and for each value.
const MAX_BYTES: usize = 65_536;
/// Room for the names of most entries.
const FEW_BYTES: usize = 512;
const OWNER_WRITES: u32 = 0o200;

/// All extended attributes of a file, directory or link, in no order; none if the file system does not support them.
pub(crate) fn xattrs(root: &Root, path: &RelPath) -> io::Result<Vec<Xattr>> {
    let file = root.resolver.pin(path)?;
    let names = names(&file)?;
    let mut found = Vec::new();
    let mut value = Vec::with_capacity(if names.is_empty() { 0 } else { MAX_BYTES });
    for name in names {
        value.clear();
        match getxattr(proc_path(&file), OsStr::from_bytes(&name), spare_capacity(&mut value)) {
            Ok(_) => found.push(Xattr { name, value: value.clone() }),
            // Removed since they were listed, or not readable.
            Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            Err(error) => return Err(through_proc(error)),
        }
    }
    Ok(found)
}

/// The names of all extended attributes; none if the file system does not support them.
fn names(file: &OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    // A scan asks for those of each entry, and nearly all have few or none.
    let (mut few, mut many) = ([0; FEW_BYTES], Vec::new());
    let listed = match listxattr(proc_path(file), &mut few[..]) {
        Err(Errno::RANGE) => {
            many.reserve_exact(MAX_BYTES);
            listxattr(proc_path(file), spare_capacity(&mut many)).map(|_| &many[..])
        }
        listed => listed.map(|length| &few[..length]),
    };
    match listed {
        Ok(names) => Ok(names.split(|&b| b == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(Vec::new()),
        Err(error) => Err(through_proc(error)),
    }
}

/// Removes users' attributes and ACLs that are not among `kept`.
fn remove_others(file: &OwnedFd, path: &RelPath, kept: &[Xattr], errors: &mut Vec<Error>) -> io::Result<()> {
    let goes = |name: &[u8]| {
        (name.starts_with(b"user.") || name.starts_with(b"system.posix_acl_"))
            && !kept.iter().any(|xattr| xattr.name == name)
    };
    for name in names(file)?.iter().filter(|name| goes(name)) {
        match removexattr(proc_path(file), OsStr::from_bytes(name)) {
            Ok(()) | Err(Errno::NODATA) => {}
            Err(error) => errors.push(not_accepted(path, name, error)),
        }
    }
    Ok(())
}

/// Applies attributes; returns an error for each one that was not accepted.
///
/// The owner comes first: changing it clears setuid, setgid and capabilities. Then `user.` attributes, which the
/// permissions may not allow to set. Then the permissions, and after them the other attributes: an ACL contains the
/// permissions and more.
pub(crate) fn set(root: &Root, path: &RelPath, attributes: &Attributes) -> io::Result<Vec<Error>> {
    let file = root.resolver.pin(path)?;
    let now = metadata_of_open(&file)?;
    let mut errors = Vec::new();
    let mut owner = now.owner;
    let new_owner = attributes.owner.filter(|owner| now.owner != Some(*owner));
    if let Some(new) = new_owner {
        match set_owner(&file, new) {
            Ok(()) => owner = Some(new),
            Err(error) => errors.push(Error::from_io("set owner", path, error.into())),
        }
    }
    let (of_users, others): (Vec<_>, Vec<_>) =
        attributes.xattrs.iter().partition(|xattr| xattr.name.starts_with(b"user."));
    // Users' attributes need write access to the file itself.
    let needs_write = (attributes.removes_others || !of_users.is_empty()) && !geteuid().is_root();
    let hold = if needs_write { root.write_access.lift(&file, OWNER_WRITES)? } else { None };
    if attributes.removes_others {
        remove_others(&file, path, &attributes.xattrs, &mut errors)?;
    }
    set_xattrs(&file, path, &of_users, &mut errors);
    hold.map_or(Ok(()), Hold::release)?;
    // A link has no permissions.
    if now.kind != Kind::Symlink
        && let Some(permissions) = attributes.permissions_for(owner)
    {
        if attributes.permissions != Some(permissions) {
            let cause = "setuid or setgid is dropped: the file belongs to another user or group than at the source";
            errors.push(Error::new(ErrorKind::Unsupported, "set permissions", path, cause));
        }
        let is_set =
            new_owner.is_none() && now.permissions == Some(permissions) && !root.write_access.is_lifted(now.id);
        if !is_set && let Err(error) = root.write_access.set_permissions(&file, &now, permissions) {
            errors.push(Error::from_io("set permissions", path, error));
        }
    }
    set_xattrs(&file, path, &others, &mut errors);
    Ok(errors)
}

fn set_owner(file: &OwnedFd, owner: Owner) -> Result<(), Errno> {
    // All ones mean "leave unchanged" to the system, and are never the id of an owner.
    let user = (owner.user != u32::MAX).then(|| Uid::from_raw(owner.user));
    let group = (owner.group != u32::MAX).then(|| Gid::from_raw(owner.group));
    chownat(file, "", user, group, AtFlags::EMPTY_PATH)
}

fn set_xattrs(file: &OwnedFd, path: &RelPath, xattrs: &[&Xattr], errors: &mut Vec<Error>) {
    for xattr in xattrs {
        let set = setxattr(proc_path(file), OsStr::from_bytes(&xattr.name), &xattr.value, XattrFlags::empty());
        if let Err(error) = set {
            errors.push(not_accepted(path, &xattr.name, error));
        }
    }
}

/// The error for an attribute that was not accepted.
fn not_accepted(path: &RelPath, name: &[u8], error: Errno) -> Error {
    let error = Error::from_io("set attribute", path, through_proc(error));
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let named = format!("{}: {cause}", String::from_utf8_lossy(name));
    Error::new(error.kind(), "set attribute", path, named).with_temporary(error.is_temporary())
}
