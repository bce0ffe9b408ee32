//! Servers over TLS, with certificates of an authority of the test.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::http::{Answer, Request, converse};

/// Issues certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub pem: String,
}

impl Authority {
    pub fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A server with a certificate for `host`.
    pub fn serve(&self, host: &str, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Server {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, format!("server of {host}"));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
        Server::start(Arc::new(config), answer)
    }
}

/// Its threads end with the test.
pub struct Server {
    pub port: u16,
    connections: Arc<AtomicUsize>,
}

impl Server {
    fn start(config: Arc<ServerConfig>, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), connections: Arc::default() };
        let (connections, answer) = (Arc::clone(&server.connections), Arc::new(answer));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, SeqCst);
                let (config, answer) = (Arc::clone(&config), Arc::clone(&answer));
                thread::spawn(move || {
                    let tls = ServerConnection::new(config).unwrap();
                    converse(StreamOwned::new(tls, client), &*answer);
                });
            }
        });
        server
    }

    /// How many there were.
    pub fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }
}

/// A bucket with one object, and a WebDAV folder with nothing in it.
pub fn storage(request: &Request) -> Answer {
    match request.method.as_str() {
        "PROPFIND" if request.path.trim_end_matches('/') == "/dav" => Answer::new(
            207,
            "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/dav/</D:href><D:propstat><D:prop><D:resourcetype>\
             <D:collection/></D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>\
             </D:multistatus>",
        ),
        "MKCOL" => Answer::new(405, ""),
        _ if request.query.get("prefix").is_some_and(|prefix| !"file".starts_with(prefix.as_str())) => {
            Answer::new(200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
        }
        _ if request.query.contains_key("list-type") => Answer::new(
            200,
            "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>file</Key><Size>7</Size><LastModified>\
             2026-01-01T00:00:00.000Z</LastModified><ETag>\"1\"</ETag></Contents></ListBucketResult>",
        ),
        _ if request.path != "/bucket/file" => Answer::new(404, ""),
        _ => {
            let found = Answer::new(200, "content").with("ETag", "\"1\"");
            found.with("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        }
    }
}
