//! Reads what a scan compares and a listing does not show: the targets of links, and, on request, extended attributes.

use std::sync::Arc;

use tokio::task::JoinSet;
use towpath_backend::{ErrorKind, Kind, RelPath};

use super::queue::WalkDir;
use super::walk::Walk;
use crate::error::{Error, Result};
use crate::event::Side;
use crate::journal::{Detail, Details, Listed, Role};
use crate::options::Links;
use crate::session::Session;
use crate::xattrs::{self, XattrDigest};

/// Entries whose details one walker reads at a time: over a network each waits for an answer.
const IN_FLIGHT: usize = 32;

/// The details to be read of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    target: bool,
    xattrs: bool,
}

impl Wanted {
    fn requests(self) -> u64 {
        u64::from(self.target) + u64::from(self.xattrs)
    }
}

impl Walk {
    /// Reads the missing details of the entries of a page, several at a time, until the walk is stopped.
    pub(super) async fn read_details(&self, dir: &WalkDir, page: &mut [Listed]) -> Result<()> {
        let mut reads = JoinSet::new();
        let mut requests = 0;
        for at in 0..page.len() {
            let wanted = self.wanted(&page[at]);
            if self.stop.is_cancelled() {
                return Ok(());
            }
            if wanted == Wanted::default() {
                continue;
            }
            let Some(path) = read_path(dir, &page[at]) else { continue };
            requests += wanted.requests();
            if reads.len() >= IN_FLIGHT {
                self.take_one(&mut reads, page).await?;
            }
            let (session, side) = (Arc::clone(&self.session), self.side);
            reads.spawn(async move { (at, read(&session, side, &path, wanted).await) });
        }
        while !reads.is_empty() && !self.stop.is_cancelled() {
            self.take_one(&mut reads, page).await?;
        }
        if requests > 0 {
            self.pace_listed(requests).await;
        }
        Ok(())
    }

    /// The details of the root, which is in no listing.
    pub(super) async fn details_of_root(&self) -> Details {
        let wanted = Wanted { xattrs: self.session.options.keep_xattrs, target: false };
        let root = RelPath::root();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Details::default(),
            details = read(&self.session, self.side, &root, wanted) => details,
        }
    }

    /// Takes the details of one entry, unless the walk is stopped.
    async fn take_one(&self, reads: &mut JoinSet<(usize, Details)>, page: &mut [Listed]) -> Result<()> {
        let read = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(()),
            read = reads.join_next() => read,
        };
        let Some(read) = read else { return Ok(()) };
        let (at, Details { target, xattrs }) =
            read.map_err(|_| Error::Internal("a task that reads link targets panicked".to_owned()))?;
        let details = &mut page[at].details;
        if target != Detail::None {
            details.target = target;
        }
        details.xattrs = xattrs;
        Ok(())
    }

    fn wanted(&self, listed: &Listed) -> Wanted {
        if !matches!(listed.role, Role::Migrated | Role::ReadAt(_)) || listed.metadata.kind == Kind::Other {
            return Wanted::default();
        }
        let is_missing = listed.metadata.kind == Kind::Symlink && listed.details.target == Detail::None;
        Wanted { target: is_missing && self.compares_targets(), xattrs: self.session.options.keep_xattrs }
    }

    /// Whether links are migrated as links.
    fn compares_targets(&self) -> bool {
        let session = &self.session;
        let both = session.source.capabilities().symlinks && session.sink.capabilities().symlinks;
        both && session.options.links == Links::Copy
    }
}

/// Where an entry is read.
fn read_path(dir: &WalkDir, listed: &Listed) -> Option<RelPath> {
    match &listed.role {
        Role::ReadAt(real) => Some(real.clone()),
        // A walked name is valid.
        _ => dir.read_path().join(&listed.name).ok(),
    }
}

async fn read(session: &Session, side: Side, path: &RelPath, wanted: Wanted) -> Details {
    let mut details = Details::default();
    if wanted.target {
        let _operation = session.operations().in_tree(side, "read link", Some(path));
        details.target = of_side(side, session.tree(side).read_link(path).await);
    }
    if wanted.xattrs {
        let _operation = session.operations().in_tree(side, "read attributes", Some(path));
        let found = match side {
            Side::Source => xattrs::of_source(&*session.source, path).await,
            Side::Sink => session.sink.xattrs(path).await,
        };
        details.xattrs = of_side(side, found.map(|found| XattrDigest::of(&found)));
    }
    details
}

/// What was read, or that it could not be read. What the sink does not show at all is not compared.
fn of_side<T>(side: Side, read: towpath_backend::Result<T>) -> Detail<T> {
    match read {
        Ok(value) => Detail::Read(value),
        Err(error) if side == Side::Sink && error.kind() == ErrorKind::Unsupported => Detail::None,
        Err(error) => {
            // It is sent or applied again, and what fails then is reported.
            tracing::debug!(%side, %error, "unreadable detail");
            Detail::Unreadable
        }
    }
}
