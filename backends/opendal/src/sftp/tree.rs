//! What source and sink have in common: identity, capabilities, listings and metadata.

use towpath_backend::{
    Capabilities, EntryStream, Error, ErrorKind, Identity, Kind, Metadata, ReadOptions, RelPath, Result, Timestamp,
    Tree, async_trait,
};

use super::handle::{Abilities, KEPT, Keeps, SftpTree};
use super::listing;
use super::wire::{Answer, Attributes, Request, request};

impl SftpTree {
    /// Whether the root is there, and is a directory.
    pub(crate) async fn is_there(&self) -> Result<bool> {
        Ok(self.check("open", &RelPath::root()).await?.kind() == Some(Kind::Dir))
    }

    /// Whether the root is missing, and that counts as an empty one.
    async fn is_missing_in_a_dry_run(&self) -> Result<bool> {
        if !self.root_may_be_missing() {
            return Ok(false);
        }
        Ok(self.check("check", &RelPath::root()).await?.found.is_none())
    }

    /// Creates the root, and the missing directories above it.
    pub(crate) async fn create_root(&self) -> Result<()> {
        const OPERATION: &str = "create directory";
        let root = RelPath::root();
        if self.is_there().await? {
            return Ok(());
        }
        let connection = self.connection(OPERATION, &root).await?;
        let slashes = self.shared.path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for end in slashes.chain([self.shared.path.len()]) {
            let at = &self.shared.path[..end];
            let created = connection.send(Request::about(request::MKDIR, at).no_attributes()).await.done().await;
            let Err(failure) = created else { continue };
            // Servers answer "Failure" for a name that exists, and other errors if nothing can be created beside it.
            match connection.send(Request::about(request::STAT, at)).await.attributes().await.map(Attributes::kind) {
                Ok(Kind::Dir) => {}
                _ => return Err(failure.error(OPERATION, &root)),
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Tree for SftpTree {
    fn root(&self) -> &[u8] {
        &self.shared.root
    }

    fn capabilities(&self) -> Capabilities {
        let Abilities { links, renames } = self.abilities();
        let Keeps { mtimes, links: wanted, .. } = self.shared.keeps;
        Capabilities { sets_mtime: mtimes, symlinks: links && wanted, renames, ..KEPT }
    }

    async fn identity(&self) -> Result<Identity> {
        const OPERATION: &str = "check";
        let root = RelPath::root();
        match self.check(OPERATION, &root).await?.kind() {
            Some(Kind::Dir) => Ok(Identity::new(self.shared.identity.clone())),
            None if self.root_may_be_missing() => Ok(Identity::new(self.shared.identity.clone())),
            None => Err(Error::new(ErrorKind::NotFound, OPERATION, &root, "there is no such directory")),
            Some(_) => Err(Error::new(ErrorKind::NotADirectory, OPERATION, &root, "is not a directory")),
        }
    }

    async fn read_dir(&self, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream> {
        const OPERATION: &str = "list";
        let checked = self.check(OPERATION, dir).await?;
        let (kind, cause) = match checked.kind() {
            Some(Kind::Dir) => return listing::open(checked, dir, options.is_limited()).await,
            None if dir.is_root() && self.root_may_be_missing() => {
                return Ok(Box::pin(tokio_stream::empty()));
            }
            None => (ErrorKind::NotFound, "there is no such directory"),
            Some(Kind::Symlink) => (ErrorKind::Escapes, "is a symbolic link on the server, and links are not followed"),
            Some(_) => (ErrorKind::NotADirectory, "is not a directory"),
        };
        Err(Error::new(kind, OPERATION, dir, cause))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        if path.is_root() && self.is_missing_in_a_dry_run().await? {
            return Ok(Metadata::new(Kind::Dir, 0, Timestamp::default()));
        }
        let (_, found) = self.check_there("check", path).await?;
        Ok(found.metadata())
    }

    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
        const OPERATION: &str = "read link";
        let (checked, found) = self.check_there(OPERATION, path).await?;
        if found.kind() != Kind::Symlink {
            return Err(Error::new(ErrorKind::Other, OPERATION, path, "is no symbolic link"));
        }
        match checked.connection.send(checked.about(request::READLINK)).await.answer().await {
            Ok(Answer::Names(names)) if names.len() == 1 => Ok(names[0].name.to_vec()),
            Ok(_) => Err(Error::new(ErrorKind::Other, OPERATION, path, "the server does not return its target")),
            Err(failure) => Err(failure.error(OPERATION, path)),
        }
    }
}
