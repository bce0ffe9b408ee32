//! Creates the file that is written.

use towpath_backend::{FileWriter, Kind, Metadata, RelPath, WriteOptions};

use super::{Step, Writing, begin, sink_failed};
use crate::absence;
use crate::conflict;
use crate::journal::{Begin, Replaced};
use crate::phase::transfer::block::Block;
use crate::phase::transfer::in_place;
use crate::session::Session;

impl Writing {
    /// Creates or overwrites a file that is written in steps.
    pub(super) async fn create(&mut self, at: &RelPath) -> Step<Box<dyn FileWriter>> {
        let (session, task, metadata) = (&*self.transfer.session, &*self.task, &self.hint());
        // A file may have been created since the scan.
        let may_be_new =
            !matches!(task.replaces, Replaced::SameKind { .. }) && in_place::is_recorded(session, task, at);
        let is_new = may_be_new && absence::is_vacant(&*session.sink, at).await;
        let begins = !is_new && begin(&self.clock, session, &self.task, at, Begin::Over).await?;
        let file = match create_file(session, at, metadata, &self.options()).await {
            Err(result) => {
                if begins {
                    // A file that could not be opened was not truncated.
                    in_place::forget(session, task).await?;
                }
                return Err(result);
            }
            Ok(file) => file,
        };
        if is_new {
            // Only a file that was created here may be removed again.
            begin(&self.clock, session, &self.task, at, Begin::New).await?;
        }
        Ok(file)
    }

    /// Writes a small file in one call.
    pub(super) async fn write_whole(&mut self, block: Block) -> Step<Metadata> {
        let (session, at) = (&*self.transfer.session, &block.destination_path);
        let options = self.options();
        // The size that was read, whatever the source states.
        let metadata = &Metadata { size_bytes: block.data.len() as u64, ..self.hint() };
        match session.sink.write_whole(at, block.data.clone(), metadata, &options).await {
            Err(error) => {
                // Small files are written at once: only one that failed can be incomplete.
                begin(&self.clock, session, &self.task, at, Begin::Over).await?;
                conflict::resolve(session, at, Kind::File, error).await?;
            }
            Ok(written) => return Ok(written),
        }
        session.sink.write_whole(at, block.data, metadata, &options).await.map_err(sink_failed)
    }

    fn options(&self) -> WriteOptions {
        self.transfer.session.paces.write_options().with_object(self.object.clone())
    }

    /// The metadata that the sink gets for a file that it creates or overwrites, with the most permissions that
    /// the file may have.
    fn hint(&self) -> Metadata {
        let (metadata, replaces) = (self.task.metadata, self.task.replaces);
        let keep_permissions = self.transfer.session.options.keep_permissions;
        let permissions = most_permissions(metadata.permissions, replaces, self.is_partial(), keep_permissions);
        Metadata { permissions, ..metadata }
    }
}

async fn create_file(
    session: &Session,
    at: &RelPath,
    metadata: &Metadata,
    options: &WriteOptions,
) -> Step<Box<dyn FileWriter>> {
    match session.sink.create(at, metadata, options).await {
        Err(error) => conflict::resolve(session, at, Kind::File, error).await?,
        Ok(file) => return Ok(file),
    }
    session.sink.create(at, metadata, options).await.map_err(sink_failed)
}

/// The most permissions that a file may have. A file that is created has no more than its source, nor than the
/// one that it replaces. A file that is overwritten keeps those that the destination gives it, unless the source's
/// permissions are to be applied.
fn most_permissions(source: Option<u32>, replaces: Replaced, is_partial: bool, keep_permissions: bool) -> Option<u32> {
    let Replaced::SameKind { permissions: Some(there), has_other_names } = replaces else { return source };
    let Some(source) = source else { return Some(there) };
    Some(match keep_permissions {
        // The sink creates a new file under the name, so that the others keep theirs.
        _ if is_partial || has_other_names => source & there,
        true => source,
        false => source | there,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_created_permits_no_more_than_its_source() {
        let there = |has_other_names| Replaced::SameKind { permissions: Some(0o664), has_other_names };
        for keep_permissions in [false, true] {
            let bound = |source, replaces, is_partial| most_permissions(source, replaces, is_partial, keep_permissions);
            assert_eq!(bound(Some(0o640), Replaced::Nothing, false), Some(0o640), "a new file");
            assert_eq!(bound(Some(0o644), there(false), true), Some(0o644), "a new file that replaces one");
            assert_eq!(bound(Some(0o666), there(false), true), Some(0o664), "one that replaces a narrower one");
            assert_eq!(bound(Some(0o640), there(true), false), Some(0o640), "one name of several");
            assert_eq!(bound(None, Replaced::Nothing, false), None, "the source has no permissions");
            assert_eq!(bound(None, there(false), true), Some(0o664), "nor more than what is replaced");
        }
    }

    #[test]
    fn what_is_overwritten_permits_what_it_did_unless_permissions_are_applied() {
        let there = Replaced::SameKind { permissions: Some(0o644), has_other_names: false };
        assert_eq!(most_permissions(Some(0o600), there, false, false), Some(0o644));
        assert_eq!(most_permissions(Some(0o600), there, false, true), Some(0o600));
        assert_eq!(most_permissions(Some(0o660), there, false, false), Some(0o664));
    }
}
