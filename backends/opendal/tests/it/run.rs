//! A run between two trees, and what it reports of single entries.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use towpath::{Event, Migration, Options, Report};
use towpath_backend::{Sink, Source};

pub struct Run {
    pub report: Result<Report, towpath::Error>,
    /// The errors of entries.
    pub failed: Vec<String>,
}

impl Run {
    /// With its state in `folder`.
    pub async fn between(source: impl Source + 'static, sink: impl Sink + 'static, folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let (migration, mut events) = Migration::builder()
            .source(source)
            .sink(sink)
            .database(folder.join("db"))
            .audit_log(folder.join("log"))
            .options(Options::default().rescan(true))
            .build()
            .unwrap();
        let run = tokio::spawn(migration.run());
        let mut failed = Vec::new();
        while let Some(event) = events.next().await {
            match event {
                Event::Failed { error, .. } => failed.push(error.to_string()),
                Event::Unreadable { error, .. } => failed.push(error.to_string()),
                _ => {}
            }
        }
        Self { report: run.await.unwrap(), failed }
    }
}

/// The files below a folder.
pub fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn add(dir: &Path, root: &Path, all: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                add(&path, root, all)?;
            } else {
                all.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), fs::read(&path)?);
            }
        }
        Ok(())
    }
    let mut all = BTreeMap::new();
    add(root, root, &mut all).unwrap();
    all
}
