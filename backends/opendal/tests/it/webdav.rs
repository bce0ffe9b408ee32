//! WebDAV servers of all manners: references, properties that are missing, members that are refused.

use std::collections::BTreeMap;
use std::path::Path;

use towpath_backend::{ErrorKind, Kind, ReadOptions, RelPath, Source as _, Tree as _};
use towpath_local::{LocalSink, LocalSource};

use crate::fake_dav::{Resource, Server, encoded};
use crate::http::Answer;
use crate::run::{Run, files};

const FILES: [(&str, &[u8]); 5] = [
    ("a.txt", b"aaa"),
    ("with space & more.txt", b"b"),
    ("sub/b.txt", b"bb"),
    ("sub/deep/\u{fc}ml\u{e4}ut 100%.txt", b"c"),
    ("sub/50%25", b"percent"),
];

fn expected(left_out: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let files = FILES.iter().filter(|(name, _)| !left_out.contains(name));
    files.map(|(name, content)| ((*name).to_owned(), content.to_vec())).collect()
}

/// Copies what the server shows to a folder.
async fn copied(server: &Server, folder: &Path) -> (Run, BTreeMap<String, Vec<u8>>) {
    std::fs::create_dir_all(folder.join("new")).unwrap();
    let run = Run::between(server.tree(&[]), LocalSink::open(&folder.join("new")).unwrap(), folder).await;
    (run, files(&folder.join("new")))
}

/// The names in the root.
async fn listed(server: &Server) -> towpath_backend::Result<Vec<Vec<u8>>> {
    let mut pages = server.tree(&[]).read_dir(&RelPath::root(), &ReadOptions::default()).await?;
    let mut names = Vec::new();
    while let Some(page) = tokio_stream::StreamExt::next(&mut pages).await {
        names.extend(page?.into_iter().map(|entry| entry.name));
    }
    Ok(names)
}

type Style = fn(&Resource<'_>) -> String;

/// References as servers write them.
const STYLES: &[(&str, Style)] = &[
    ("absolute paths", |one| one.response(&one.encoded())),
    ("absolute URLs (IIS)", |one| one.response(&format!("http://127.0.0.1:{}{}", one.port, one.encoded()))),
    ("absolute URLs of another case", |one| one.response(&format!("HTTP://127.0.0.1:{}{}", one.port, one.encoded()))),
    ("the host behind a proxy", |one| one.response(&format!("http://inside/{}", &one.encoded()[1..]))),
    ("a scheme that is left out", |one| one.response(&format!("//127.0.0.1:{}{}", one.port, one.encoded()))),
    ("relative to the folder", |one| {
        one.response(&if one.path == one.asked { "./".to_owned() } else { encoded(one.name()) })
    }),
    ("relative with dots", |one| {
        let up = format!("../{}", encoded(one.asked.trim_end_matches('/').rsplit('/').next().unwrap()));
        one.response(&format!("{up}/{}", encoded(one.path.strip_prefix(one.asked).unwrap())))
    }),
    ("dots that lead back", |one| one.response(&format!("/x/..{}", one.encoded()))),
    ("UTF-8 and spaces as they are", |one| one.response(&one.path.replace('%', "%25"))),
    ("no slash after folders", |one| one.response(one.encoded().trim_end_matches('/'))),
    ("doubled slashes", |one| one.response(&one.encoded().replacen("/dav/", "/dav//", 1))),
    ("lower hexadecimal digits", |one| one.response(&one.encoded().replace("%C3%BC", "%c3%bc"))),
    ("everything encoded", |one| {
        let all = one.path.bytes().map(|byte| if byte == b'/' { "/".to_owned() } else { format!("%{byte:02x}") });
        one.response(&all.collect::<String>())
    }),
    ("white space around", |one| one.response(&format!("\n  {}\n  ", one.encoded()))),
    ("the default namespace (Nextcloud)", |one| {
        one.response(&one.encoded())
            .replace("<D:", "<")
            .replace("</D:", "</")
            .replace("<response>", "<response xmlns=\"DAV:\">")
    }),
    ("other prefixes and several propstats (Apache)", |one| {
        format!(
            "<lp1:response xmlns:lp1=\"DAV:\" xmlns:x=\"urn:x\"><lp1:href>{}</lp1:href>\
             <lp1:propstat><lp1:prop><lp1:quota-used-bytes/><x:getcontentlength/></lp1:prop>\
             <lp1:status>HTTP/1.1 404 Not Found</lp1:status></lp1:propstat>\
             <lp1:propstat><lp1:prop>{}<x:getcontentlength>77</x:getcontentlength></lp1:prop>\
             <lp1:status>HTTP/1.1 200 OK</lp1:status></lp1:propstat></lp1:response>",
            one.encoded(),
            one.properties()
        )
    }),
    ("more than one type of a folder (calendars)", |one| {
        one.response_of(
            &one.encoded(),
            &one.properties().replace("<D:collection/>", "<x:c xmlns:x=\"urn:x\"/><D:collection/><D:principal/>"),
        )
    }),
    ("no properties of folders", |one| {
        let type_only = "<D:resourcetype><D:collection/></D:resourcetype>".to_owned();
        one.response_of(&one.encoded(), &one.content.map_or(type_only, |_| one.properties()))
    }),
    ("no lengths", |one| one.response_of(&one.encoded(), &one.properties().replace("getcontentlength", "x"))),
    ("times that are none", |one| one.response_of(&one.encoded(), &one.properties().replace("Nov", "Brumaire"))),
];

#[tokio::test(flavor = "multi_thread")]
async fn references_and_properties_of_all_styles_are_read() {
    for (name, style) in STYLES {
        let (server, folder) = (Server::start(&FILES, style), tempfile::tempdir().unwrap());
        let (run, copied) = copied(&server, folder.path()).await;
        assert!(run.failed.is_empty(), "{name}: {:?}", run.failed);
        assert!(run.report.as_ref().is_ok_and(towpath::Report::all_in_sync), "{name}: {:?}", run.report);
        assert_eq!(copied, expected(&[]), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_goes_to_servers_of_all_styles() {
    for (name, style) in STYLES {
        let (server, folder) = (Server::start(&[], style), tempfile::tempdir().unwrap());
        for (file, content) in &FILES {
            let path = folder.path().join("old").join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let source = || LocalSource::open(&folder.path().join("old")).unwrap();
        let first = Run::between(source(), server.tree(&[]), &folder.path().join("state")).await;
        assert!(first.report.as_ref().is_ok_and(towpath::Report::all_in_sync), "{name}: {:?}", first.failed);
        let again = Run::between(source(), server.tree(&[]), &folder.path().join("state")).await;
        let sent = |run: Run| run.report.unwrap().synced.files;
        assert_eq!((sent(first), sent(again)), (FILES.len() as u64, 0), "{name}");
        let files = server.files.lock().unwrap();
        assert!(
            FILES.iter().all(|(file, content)| files[&format!("/dav/{file}")].as_deref() == Some(content)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_listing_that_cannot_be_placed_is_an_error_and_never_empty() {
    let styles: &[(&str, Style)] = &[
        ("another prefix", |one| one.response(&format!("/inside{}", one.encoded()))),
        ("no prefix", |one| one.response(one.encoded().strip_prefix("/dav").unwrap_or("/"))),
        ("names without a slash before", |one| one.response(&one.encoded()[1..])),
        ("another host for some", |one| {
            one.response(&format!("{}{}", if one.content.is_some() { "http://other" } else { "" }, one.encoded()))
        }),
        ("a folder that is not there itself", |one| {
            if one.path == one.asked { String::new() } else { one.response(&one.encoded()) }
        }),
        ("members of members", |one| one.response(&format!("{}x/y", one.encoded()))),
        ("no XML", |one| one.response(&one.encoded()) + "</D:other>"),
    ];
    for (name, style) in styles {
        let server = Server::start(&[("a.txt", b"a"), ("b.txt", b"b")], style);
        let listed = listed(&server).await;
        assert!(listed.is_err(), "{name}: {listed:?}");
    }
    for body in [
        "",
        "<html><body>Welcome</body></html>",
        "<D:multistatus xmlns:D=\"DAV:\"/>",
        "<D:multistatus xmlns:D=\"DAV:\">",
    ] {
        let server = Server::with_faults(
            &[],
            |_| String::new(),
            move |request| (request.method == "PROPFIND").then(|| Answer::new(207, body)),
        );
        let listed = listed(&server).await;
        assert!(listed.is_err(), "{body}: {listed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_member_that_is_refused_is_reported_and_the_rest_is_copied() {
    let styles: &[(&str, Style)] = &[
        ("a status of the response", |one| {
            format!(
                "<D:response><D:href>{}</D:href><D:status>HTTP/1.1 403 Forbidden</D:status></D:response>",
                one.encoded()
            )
        }),
        ("a status of the properties", |one| one.response(&one.encoded()).replace("200 OK", "403 Forbidden")),
        ("nothing of it", |one| format!("<D:response><D:href>{}</D:href></D:response>", one.encoded())),
    ];
    for (name, style) in styles {
        let server =
            Server::start(
                &FILES,
                |one: &Resource<'_>| {
                    if one.path == "/dav/sub/b.txt" { style(one) } else { one.response(&one.encoded()) }
                },
            );
        let folder = tempfile::tempdir().unwrap();
        let (run, copied) = copied(&server, folder.path()).await;
        assert_eq!(run.failed.len(), 1, "{name}: {:?}", run.failed);
        assert!(run.failed[0].contains("sub/b.txt"), "{name}: {:?}", run.failed);
        assert_eq!(copied, expected(&["sub/b.txt"]), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_no_utf_8_is_reported_and_the_rest_is_copied() {
    for latin in ["%E4.txt", "\u{e0e4}.txt"] {
        let server = Server::start(&FILES, move |one: &Resource<'_>| match one.path {
            "/dav/sub/b.txt" => one.response(&format!("/dav/sub/{latin}")),
            _ => one.response(&one.encoded()),
        });
        let folder = tempfile::tempdir().unwrap();
        let (run, copied) = copied(&server, folder.path()).await;
        assert_eq!(run.failed.len(), 1, "{:?}", run.failed);
        assert!(run.failed[0].contains("UTF-8"), "{:?}", run.failed);
        assert_eq!(copied, expected(&["sub/b.txt"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_length_nobody_knows_is_reported_alone() {
    let without_length = |one: &Resource<'_>| {
        let properties = one.properties();
        one.response_of(
            &one.encoded(),
            &if one.name() == "b.txt" { properties.replace("getcontentlength", "x") } else { properties },
        )
    };
    // It is made when it is read, and its end is that of the connection.
    let server = Server::with_faults(&FILES, without_length, |request| {
        let made = request.path.ends_with("b.txt") && matches!(request.method.as_str(), "GET" | "HEAD");
        made.then(|| Answer::new(200, "bb").with("Connection", "close"))
    });
    let folder = tempfile::tempdir().unwrap();
    let (run, copied) = copied(&server, folder.path()).await;
    assert_eq!(run.failed.len(), 1, "{:?}", run.failed);
    assert!(run.failed[0].contains("length"), "{:?}", run.failed);
    assert_eq!(copied, expected(&["sub/b.txt"]));
    // HEAD is not served by every server.
    let server =
        Server::with_faults(&FILES, without_length, |request| (request.method == "HEAD").then(|| Answer::new(405, "")));
    let found = server.tree(&[]).metadata(&RelPath::new("sub/b.txt").unwrap()).await.unwrap();
    assert_eq!((found.kind, found.size_bytes), (Kind::File, 2));
    assert_eq!(server.asked("HEAD"), ["/dav/sub/b.txt"]);
}

#[tokio::test]
async fn a_file_in_place_of_the_folder_is_named() {
    let server = Server::start(&FILES, |one| one.response(&one.encoded()));
    let tree = server.tree_at("/dav/a.txt", &[]);
    let error = tree.read_dir(&RelPath::root(), &ReadOptions::default()).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotADirectory, "{error}");
}

/// A file may be written while it is sent: a strong ETag names what is sent, and without one a question follows.
#[tokio::test]
async fn a_small_file_without_a_strong_etag_is_asked_for_after_its_last_byte() {
    const READS: usize = 6;
    // A server is asked twice until three answers were the same.
    for (etag, asked) in [(Some("\"a\""), 3), (Some("W/\"a\""), READS), (None, READS)] {
        let write = |resource: &Resource<'_>| resource.response(&resource.encoded());
        let server = Server::with_faults(&[("file", b"content")], write, move |request| {
            let answer = Answer::new(200, "content").with("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT");
            let answer = if let Some(etag) = etag { answer.with("ETag", etag) } else { answer };
            (request.method == "GET").then_some(answer)
        });
        let (tree, at) = (server.tree(&[]), RelPath::new("file").unwrap());
        for _ in 0..READS {
            let whole = tree.read_whole(&at, 7, Vec::new(), &ReadOptions::default()).await.unwrap();
            assert_eq!(whole.data, b"content");
        }
        let requests = server.requests.lock().unwrap();
        assert_eq!(requests.iter().filter(|(method, _)| method == "PROPFIND").count(), asked, "{etag:?}");
    }
}
