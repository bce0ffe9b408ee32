use towpath_backend::registry::{Backend as _, Location, OpenError, Settings};
use towpath_backend::{Capabilities, Error, ErrorKind, Tree};

use super::*;
use crate::error::Cause;

#[tokio::test]
async fn a_tree_keeps_what_its_service_says() {
    let endpoint = ("endpoint", "http://127.0.0.1:1".to_owned());
    let anonymous = ("anonymous", "true".to_owned());
    let services = [
        (S3, "s3://bucket/x", vec![endpoint.clone(), anonymous.clone()]),
        (GCS, "gcs://bucket/x", vec![endpoint.clone(), anonymous]),
        (AZBLOB, "azblob://container/x", vec![endpoint]),
        (WEBDAV, "webdav://127.0.0.1:1/x", vec![]),
        (HDFS, "hdfs://127.0.0.1:1/x", vec![]),
    ];
    for (service, url, options) in services {
        let location = Location::parse(url.as_ref()).unwrap();
        let tree = service.tree(&location, &Settings::of(options)).unwrap();
        keeps(&tree, service.capabilities());
    }
    let location = Location::parse("sftp://127.0.0.1:1/x".as_ref()).unwrap();
    let settings = Settings::of(vec![("links", "true".to_owned())]);
    keeps(&SFTP.tree(&location, &settings).unwrap(), SFTP.capabilities());
}

#[tokio::test]
async fn what_is_missing_or_wrong_names_the_option_and_its_variable() {
    const KEY: (&str, &str) = ("account_key", "not base64!");
    for (service, url, options, names) in [
        (S3, "s3://b", &[][..], "?region=… in the URL, region in the configuration file, or AWS_REGION"),
        (S3, "s3://b", &[("region", "")], "AWS_REGION"),
        (S3, "s3://b", &[("region", "so so")], "AWS_REGION"),
        (S3, "s3://b", &[("endpoint", "ftp://x")], "AWS_ENDPOINT_URL_S3"),
        (S3, "s3://b", &[("endpoint", "http://")], "?endpoint="),
        (S3, "s3://b", &[("endpoint", "http://user:secret@host")], "the endpoint holds a user"),
        (GCS, "gcs://b", &[("endpoint", "http://host/?key=secret")], "the endpoint holds a user"),
        (S3, "s3://b", &[("region", "x"), ("access_key_id", "x")], "AWS_SECRET_ACCESS_KEY"),
        (S3, "s3://b", &[("region", "x"), ("secret_access_key", "x")], "AWS_ACCESS_KEY_ID"),
        (S3, "s3:///x", &[], "s3://bucket/prefix"),
        (S3, "s3://a b", &[], "bucket's name"),
        (GCS, "gcs://b", &[("endpoint", "a b")], "STORAGE_EMULATOR_HOST"),
        (GCS, "gcs://b", &[("credential_path", "/nowhere/key")], "GOOGLE_APPLICATION_CREDENTIALS"),
        (GCS, "gcs://", &[], "gcs://bucket/prefix"),
        (AZBLOB, "azblob://c", &[], "AZURE_STORAGE_ACCOUNT_NAME"),
        (AZBLOB, "azblob://c", &[("endpoint", "://")], "AZURE_STORAGE_ENDPOINT"),
        (AZBLOB, "azblob://c", &[("account_name", "a"), KEY], "account_key"),
        (AZBLOB, "azblob:///x", &[("account_name", "a")], "azblob://container/prefix"),
        (WEBDAV, "webdav://", &[], "webdavs://host/path"),
        (WEBDAV, "webdav://a b/x", &[], "webdav://host:port/path"),
        (WEBDAV, "webdav://a:99999/x", &[], "from 1 to 65535"),
        (HDFS, "hdfs://a:x/x", &[], "from 1 to 65535"),
    ] {
        let location = Location::parse(url.as_ref()).unwrap();
        let settings = Settings::of(options.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let Err(OpenError::Usage(problem)) = service.check(&location, &settings) else {
            panic!("{url} {options:?} is taken")
        };
        assert!(problem.starts_with(url) && problem.contains(names), "{problem}");
        assert!(!problem.contains("secret@") && !problem.contains("key=secret"), "{problem}");
        assert!(!["::", "builder", "env."].iter().any(|inner| problem[url.len()..].contains(inner)), "{problem}");
    }
}

#[test]
fn credentials_are_options_and_missing_ones_are_listed() {
    for service in [S3, GCS, AZBLOB, WEBDAV, HDFS] {
        for name in service.credentials {
            assert!(service.options.iter().any(|option| option.name == *name), "{name}");
        }
    }
    let Location::Url(url) = Location::parse("s3://b".as_ref()).unwrap() else { panic!("a URL") };
    let root = towpath_backend::RelPath::root();
    let text = |kind, cause: Cause| S3.failed(&url, &Error::new(kind, "stat", &root, cause)).to_string();
    let none = text(ErrorKind::Other, Cause::NoCredentials);
    assert!(none.contains("access_key_id (AWS_ACCESS_KEY_ID), secret_access_key (AWS_SECRET_ACCESS_KEY)"), "{none}");
    assert!(text(ErrorKind::PermissionDenied, Cause::Server("no".to_owned())).contains("AWS_ACCESS_KEY_ID"));
    assert!(text(ErrorKind::Unavailable, Cause::Server("gone".to_owned())).contains("endpoint (AWS_ENDPOINT_URL_S3)"));
    assert!(
        text(ErrorKind::Other, Cause::Server("the region 'x' is wrong".to_owned())).contains("region (AWS_REGION)")
    );
    assert_eq!(text(ErrorKind::Other, Cause::Server("what else".to_owned())), "s3://b: stat .: what else");
}

fn keeps(tree: &impl Tree, declared: Capabilities) {
    let (kept, url) = (tree.capabilities(), tree.root().escape_ascii().to_string());
    assert_eq!(kept.virtual_directories, declared.virtual_directories, "{url}");
    assert_eq!(kept.sets_mtime, declared.sets_mtime, "{url}");
    assert_eq!(kept.empty_directories, declared.empty_directories, "{url}");
    assert_eq!((kept.symlinks, kept.renames), (declared.symlinks, declared.renames), "{url}");
}
