//! Emulators of object stores.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use super::{Server, program};

/// S3, by moto.
pub fn s3() -> Result<Server, String> {
    let moto = program("moto_server", "moto[server] of PyPI")?;
    let server = Server::start("Running on", move |_, port| {
        let mut command = Command::new(&moto);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command
    });
    let endpoint = format!("http://{}", server.address());
    assert!(request(&server.address(), "PUT", "/bucket", &[]).starts_with("HTTP/1.1 200"));
    Ok(server.in_memory().with(
        "s3://bucket".to_owned(),
        &[
            ("AWS_ENDPOINT_URL", &endpoint),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret-of-the-test"),
        ],
    ))
}

/// Google Cloud Storage, by gcp-storage-emulator with a few additions.
pub fn gcs() -> Result<Server, String> {
    program("gcp-storage-emulator", "gcp-storage-emulator of PyPI")?;
    let python = program("python3", "python3")?;
    let server = Server::start("ready", move |_folder, port| {
        let mut command = Command::new(&python);
        command.args(["-c", include_str!("gcs.py"), &port.to_string()]);
        command
    });
    let endpoint = format!("http://{}", server.address());
    let mut server = server.in_memory().with("gcs://bucket".to_owned(), &[("STORAGE_EMULATOR_HOST", &endpoint)]);
    server.query = "?anonymous=true".to_owned();
    Ok(server)
}

/// The account of the emulator, which everyone knows.
const AZURITE_ACCOUNT: &str = "devstoreaccount1";
const AZURITE_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Azure Blob Storage, by azurite.
pub fn azblob() -> Result<Server, String> {
    let azurite = program("azurite-blob", "azurite of npm")?;
    let python = program("python3", "python3")?;
    let server = Server::start("successfully listens on", move |folder, port| {
        let mut command = Command::new(&azurite);
        command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string(), "--skipApiVersionCheck", "--loose"]);
        command.args(["--disableTelemetry", "--location"]).arg(folder);
        command
    });
    let endpoint = format!("http://{}/{AZURITE_ACCOUNT}", server.address());
    // The request to create a container must be signed.
    let script = include_str!("container.py");
    let created =
        Command::new(python).args(["-c", script, &endpoint, AZURITE_ACCOUNT, AZURITE_KEY, "container"]).status();
    assert!(created.unwrap().success());
    // Much of it is in memory.
    Ok(server.in_memory().with(
        "azblob://container".to_owned(),
        &[
            ("AZURE_STORAGE_ENDPOINT", &endpoint),
            ("AZURE_STORAGE_ACCOUNT_NAME", AZURITE_ACCOUNT),
            ("AZURE_STORAGE_ACCOUNT_KEY", AZURITE_KEY),
        ],
    ))
}

/// A request without a signature; the answer's head.
fn request(address: &str, method: &str, path: &str, headers: &[&str]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n{headers}\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
