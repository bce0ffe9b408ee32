//! One entry among hundreds that a server cannot describe, send or name: it alone is reported, all else is migrated, and
//! nothing that may be it is deleted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::select;
use towpath::{Event, MaxDelete, Migration, Mirror, Options, Report};
use towpath_local::{LocalSink, LocalSource};
use towpath_opendal::OpendalTree;

use crate::run::files;
use crate::{fake_dav, fake_objects, faulty, http};

const ENTRIES: usize = 300;

fn name(number: usize) -> String {
    format!("dir{}/{number:03}", number % 3)
}

/// All entries, with their names as content.
fn entries() -> BTreeMap<String, Vec<u8>> {
    (0..ENTRIES).map(name).map(|name| (name.clone(), name.into_bytes())).collect()
}

/// What is wrong with one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Poison {
    /// The request that stats it is refused: a `HEAD`, or a `PROPFIND` of it alone.
    Stat,
    /// Its content is refused.
    Get,
    /// Its key or reference is none of a file.
    Name,
    /// The listing describes another entry in its place, or refuses to.
    Listed,
    /// Its ETag is none.
    Etag,
    /// Its time is none.
    Time,
    /// Its length is none.
    Length,
}

use Poison::{Etag, Get, Length, Listed, Name, Stat, Time};

/// Keeps a server alive.
enum Server {
    S3(faulty::Server),
    Azure(fake_objects::Server),
    Dav(fake_dav::Server),
}

impl Server {
    fn tree(&self) -> OpendalTree {
        match self {
            Self::S3(server) => server.tree(),
            Self::Azure(server) => server.azure(),
            Self::Dav(server) => server.tree(&[]),
        }
    }

    fn has(&self, key: &str) -> bool {
        match self {
            Self::S3(server) => server.store().objects.contains_key(key),
            Self::Azure(server) => server.state.lock().unwrap().objects.contains_key(key),
            Self::Dav(server) => server.files.lock().unwrap().contains_key(&format!("/dav/{key}")),
        }
    }
}

/// The key of the poisoned entry.
fn key(of: &str, poison: Poison) -> String {
    if poison == Name { of.replace('/', "//") } else { of.to_owned() }
}

fn s3(mut entries: BTreeMap<String, Vec<u8>>, of: &str, poison: Poison) -> Server {
    let bad = key(of, poison);
    if let Some(content) = entries.remove(of) {
        entries.insert(bad.clone(), content);
    }
    let server = faulty::Server::start(move |request, store| {
        let is_head = request.method == "HEAD";
        let is_it = request.key == bad && (is_head || request.method == "GET");
        let Some((content, _)) = store.objects.get(&bad).filter(|_| is_it) else { return faulty::Outcome::Serve };
        let answer = faulty::Answer { body: String::from_utf8(content.clone()).unwrap(), ..faulty::Answer::of(200) };
        let time = "Thu, 01 Jan 2026 00:00:00 GMT";
        match poison {
            Stat if is_head => faulty::Answer::of(403).instead(),
            Get if !is_head => faulty::Answer::error(403, "AccessDenied").instead(),
            Etag => answer.header("ETag", "\"\u{fc}").header("Last-Modified", time).instead(),
            Time => answer.header("Last-Modified", "never").header("x-amz-meta-mtime", "soon").instead(),
            _ => faulty::Outcome::Serve,
        }
    });
    server.store().objects.extend(entries.into_iter().map(|(key, content)| (key, (content, None))));
    Server::S3(server)
}

fn azure(mut entries: BTreeMap<String, Vec<u8>>, of: &str, poison: Poison) -> Server {
    let bad = key(of, poison);
    if let Some(content) = entries.remove(of) {
        entries.insert(bad.clone(), content);
    }
    let path = format!("/bucket/{bad}");
    let server = fake_objects::Server::start(move |request| {
        let is_it = request.path == path;
        let refused = || http::Answer::new(403, "<Error><Code>AuthorizationFailure</Code></Error>");
        match (poison, request.method.as_str()) {
            (Stat, "HEAD") | (Get, "GET") if is_it => Some(refused()),
            _ => None,
        }
    });
    let object = |content| fake_objects::Object { content, ..fake_objects::Object::default() };
    let mut objects: BTreeMap<_, _> = entries.into_iter().map(|(key, content)| (key, object(content))).collect();
    if let Some(bad) = objects.get_mut(&bad).filter(|_| poison == Time) {
        bad.headers.insert("x-ms-meta-mtime".to_owned(), "soon".to_owned());
    }
    server.state.lock().unwrap().objects = objects;
    Server::Azure(server)
}

fn dav(entries: BTreeMap<String, Vec<u8>>, of: &str, poison: Poison) -> Server {
    let bad = format!("/dav/{of}");
    let asked = bad.clone();
    let files: Vec<_> = entries.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
    let write = move |one: &fake_dav::Resource<'_>| {
        let plain = one.response(&one.encoded());
        match poison {
            _ if one.path != bad => plain,
            // A byte that is no UTF-8.
            Name => one.response(&format!("{}%E4", one.encoded())),
            Listed => plain.replace("200 OK", "403 Forbidden"),
            Etag => one.response_of(&one.encoded(), &format!("{}<D:getetag>\"</D:getetag>", one.properties())),
            Time => one.response_of(&one.encoded(), &one.properties().replace("Nov", "Brumaire")),
            Length => one.response_of(&one.encoded(), &one.properties().replace("length>", "length>x")),
            Stat | Get => plain,
        }
    };
    let fault = move |request: &mut http::Request| match (poison, request.method.as_str()) {
        (Stat, "PROPFIND") | (Get, "GET") if request.path == asked => Some(http::Answer::new(403, "")),
        // It is asked for the length that is missing.
        (Length, "HEAD") if request.path == asked => Some(http::Answer::new(403, "")),
        _ => None,
    };
    Server::Dav(fake_dav::Server::with_faults(&files, write, fault))
}

type Start = fn(BTreeMap<String, Vec<u8>>, &str, Poison) -> Server;

/// A run that deletes extras: its report, and which entries it reports, each with its error.
async fn mirror(
    source: impl towpath::Source + 'static,
    sink: impl towpath::Sink + 'static,
    state: &Path,
) -> (Report, BTreeMap<String, String>) {
    let mirror = Mirror::default().max_delete(MaxDelete::Percent(100));
    let (migration, mut events) = Migration::builder()
        .source(source)
        .sink(sink)
        .database(state.join("db"))
        .audit_log(state.join("log"))
        .options(Options::default().mirror(mirror))
        .build()
        .unwrap();
    let run = tokio::spawn(migration.run());
    let mut reported = BTreeMap::new();
    while let Some(event) = events.next().await {
        let (path, error) = match event {
            Event::Failed { paths, error } => (paths.source, error.to_string()),
            Event::Unreadable { path, error, .. } => (path, error.to_string()),
            _ => continue,
        };
        reported.insert(String::from_utf8_lossy(&path).into_owned(), error);
    }
    (run.await.unwrap().unwrap(), reported)
}

fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

/// Downloads everything over an older copy of the poisoned entry.
fn download(start: Start, number: usize, poison: Poison) {
    let (bad, folder) = (name(number), tempfile::tempdir().unwrap());
    let server = start(entries(), &bad, poison);
    let new = folder.path().join("new");
    fs::create_dir_all(new.join(&bad).parent().unwrap()).unwrap();
    fs::write(new.join(&bad), "older").unwrap();
    let (report, reported) =
        in_runtime(async { mirror(server.tree(), LocalSink::open(&new).unwrap(), folder.path()).await });
    let (mut expected, mut arrived) = (entries(), files(&new));
    let (content, kept) = (expected.remove(&bad).unwrap(), arrived.remove(&bad));
    assert!(arrived == expected, "{poison:?} of {bad}: {} of {} arrived", arrived.len(), expected.len());
    assert!(report.refusal.is_none());
    // With the exit status 3, unless it is no problem.
    assert_eq!(report.all_in_sync(), reported.is_empty(), "{poison:?} of {bad}: {report:?}");
    match reported.len() {
        0 => assert_eq!(kept, Some(content), "{poison:?} of {bad}"),
        1 => {
            let (path, error) = reported.first_key_value().unwrap();
            let is_named = path.contains(&bad) || error.contains(&bad) || error.contains(&key(&bad, poison));
            assert!(is_named, "{poison:?} of {bad}: {reported:?}");
            assert_eq!(kept.as_deref(), Some(b"older".as_slice()), "{poison:?} of {bad}: {reported:?}");
        }
        _ => panic!("{poison:?} of {bad}: {reported:?}"),
    }
    assert!(matches!(poison, Etag | Time) || !reported.is_empty(), "{poison:?} of {bad} is not reported");
}

/// Uploads all others to a server that has the poisoned entry as an extra one.
fn upload(start: Start, number: usize, poison: Poison) {
    let (bad, folder) = (name(number), tempfile::tempdir().unwrap());
    let mut others = entries();
    let content = others.remove(&bad).unwrap();
    let server = start(BTreeMap::from([(bad.clone(), content)]), &bad, poison);
    let old = folder.path().join("old");
    for (name, content) in &others {
        fs::create_dir_all(old.join(name).parent().unwrap()).unwrap();
        fs::write(old.join(name), content).unwrap();
    }
    let (report, reported) =
        in_runtime(async { mirror(LocalSource::open(&old).unwrap(), server.tree(), folder.path()).await });
    assert_eq!(reported.len(), 1, "{poison:?} of {bad}: {reported:?}");
    assert!(!report.all_in_sync() && report.refusal.is_none(), "{poison:?} of {bad}: {report:?}");
    assert!(
        server.has(&key(&bad, if matches!(server, Server::Dav(_)) { Stat } else { poison })),
        "{poison:?} of {bad}"
    );
    assert!(others.keys().all(|name| server.has(name)), "{poison:?} of {bad}");
}

#[test]
fn a_file_whose_name_the_source_lists_wrongly_is_not_deleted() {
    for start in [s3, azure, dav] {
        download(start, 207, Name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn one_poisoned_object_of_s3_is_reported_alone(
        number in 0..ENTRIES,
        poison in select(vec![Stat, Get, Name, Etag, Time])
    ) {
        download(s3, number, poison);
    }

    #[test]
    fn one_poisoned_blob_of_azure_is_reported_alone(number in 0..ENTRIES, poison in select(vec![Stat, Get, Name, Time])) {
        download(azure, number, poison);
    }

    #[test]
    fn one_poisoned_file_of_webdav_is_reported_alone(
        number in 0..ENTRIES,
        poison in select(vec![Stat, Get, Name, Listed, Etag, Time, Length])
    ) {
        download(dav, number, poison);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]

    #[test]
    fn a_poisoned_object_at_the_destination_is_not_deleted(number in 0..ENTRIES, poison in select(vec![Stat, Name])) {
        upload(s3, number, poison);
        upload(azure, number, poison);
    }

    #[test]
    fn a_poisoned_file_at_the_destination_is_not_deleted(number in 0..ENTRIES, poison in select(vec![Name, Listed])) {
        upload(dav, number, poison);
    }
}
