//! Servers of files: WebDAV, SFTP and HDFS.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::{Server, program, servers_folder};

/// WebDAV, by Apache.
pub fn webdav() -> Result<Server, String> {
    let apache = program("apache2", "apache2-bin of Debian")?;
    let modules = Path::new("/usr/lib/apache2/modules");
    if !modules.join("mod_dav.so").exists() {
        return Err(format!("Apache's mod_dav is not in {}, where Debian has it", modules.display()));
    }
    Ok(webdav_by("Watchdog: Running", move |folder, port| {
        // Its workers are another user's where root starts it.
        let open = std::fs::Permissions::from_mode(0o777);
        for dir in ["", "files", "locks"].map(|name| folder.join(name)) {
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::set_permissions(&dir, open.clone()).unwrap();
        }
        let settings = include_str!("apache.conf").replace("PORT", &port.to_string());
        let settings = settings.replace("FOLDER", folder.to_str().unwrap());
        let settings = settings.replace("MODULES", modules.to_str().unwrap());
        std::fs::write(folder.join("apache.conf"), settings).unwrap();
        let mut command = Command::new(&apache);
        // One process, which is gone when it is killed.
        command.args(["-X", "-f"]).arg(folder.join("apache.conf"));
        command
    }))
}

/// The same, which keeps properties of files as well.
pub fn webdav_with_mtimes() -> Result<Server, String> {
    let mut server = webdav()?;
    server.query = "?mtimes=true".to_owned();
    Ok(server)
}

/// WebDAV, by dufs.
pub fn dufs() -> Result<Server, String> {
    let dufs = program("dufs", "dufs of crates.io")?;
    Ok(webdav_by("Listening on", move |folder, port| {
        let mut command = Command::new(&dufs);
        command.args(["-A", "-b", "127.0.0.1", "-p", &port.to_string()]).arg(folder.join("files"));
        command
    }))
}

/// WebDAV, by rclone.
pub fn rclone() -> Result<Server, String> {
    let rclone = program("rclone", "rclone")?;
    Ok(webdav_by("started on", move |folder, port| {
        let mut command = Command::new(&rclone);
        command.args(["serve", "webdav", "--addr", &format!("127.0.0.1:{port}")]).arg(folder.join("files"));
        command
    }))
}

/// WebDAV, by a command that serves `files` in its folder.
fn webdav_by(ready: &'static str, command: impl Fn(&Path, u16) -> Command + Send + Sync + 'static) -> Server {
    let server = Server::start(ready, move |folder, port| {
        std::fs::create_dir_all(folder.join("files")).unwrap();
        command(folder, port)
    });
    let url = format!("webdav://{}", server.address());
    server.with(url, &[])
}

/// SFTP, by OpenSSH's own server, with keys of its own; `ssh` must be there too.
pub fn sftp() -> Result<Server, String> {
    let (sshd, _ssh) = (program("sshd", "openssh-server")?, program("ssh", "openssh-client")?);
    let mut server = Server::start("Server listening on", move |folder, port| {
        for key in ["host", "user"].map(|name| folder.join(name)) {
            if !key.exists() {
                let created =
                    Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
                assert!(created.unwrap().success());
            }
        }
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::create_dir_all(folder.join("files")).unwrap();
        // The directory that its package creates; only root can create it, and only root needs it.
        let _there = std::fs::create_dir_all("/run/sshd");
        let mut command = Command::new(&sshd);
        command.args(["-D", "-e", "-f", "/dev/null", "-p", &port.to_string(), "-h"]).arg(folder.join("host"));
        for option in [
            "ListenAddress=127.0.0.1",
            "PidFile=none",
            "StrictModes=no",
            "MaxStartups=100",
            "Subsystem=sftp internal-sftp",
            "UsePAM=no",
        ] {
            command.args(["-o", option]);
        }
        command.arg("-o").arg(format!("AuthorizedKeysFile={}", folder.join("user.pub").display()));
        command
    });
    let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    let folder = server.folder.path().join("files");
    let url = format!("sftp://{user}@{}{}", server.address(), folder.display());
    let key = server.folder.path().join("user");
    server.query = format!("?key={}&known_hosts=accept", key.display());
    Ok(server.with(url, &[]))
}

/// The same, where symbolic links are kept.
pub fn sftp_with_links() -> Result<Server, String> {
    let mut server = sftp()?;
    server.query.push_str("&links=true");
    Ok(server)
}

/// HDFS, by Hadoop's own name node and data node.
pub fn hdfs() -> Result<Server, String> {
    let (python, _java) = (program("python3", "python3")?, program("java", "default-jre-headless")?);
    let jars = servers_folder().join("hadoop");
    if !jars.is_dir() {
        return Err(format!("{} is missing: backends/opendal/tests/servers/install.sh fills it", jars.display()));
    }
    let server = Server::start("ready", move |folder, port| {
        let mut command = Command::new(&python);
        command.args(["-c", include_str!("hdfs.py")]).arg(&jars).arg(folder).arg(port.to_string());
        command
    });
    let url = format!("hdfs://{}", server.address());
    Ok(server.with(url, &[]))
}
