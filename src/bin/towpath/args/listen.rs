//! The options of the control server on TCP.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;

/// Where the control server listens, besides its Unix socket.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ListenArguments {
    /// Also serve the control API over HTTP on this address (for example 127.0.0.1:9464); one that
    /// other machines reach needs --listen-token-file
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_listen, help_heading = "Control")]
    pub(crate) listen: Option<SocketAddr>,

    /// File with the token that changes over --listen need, readable by its owner only
    #[arg(long, value_name = "FILE", requires = "listen", help_heading = "Control")]
    pub(crate) listen_token_file: Option<PathBuf>,
}

/// An IP address and a port; `localhost` is 127.0.0.1.
fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let local = || {
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse().ok()?;
        host.eq_ignore_ascii_case("localhost").then(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    };
    text.parse().ok().or_else(local).ok_or_else(|| {
        format!("`{text}` is not an IP address and a port: use 127.0.0.1:9464, or [::1]:9464, or 0.0.0.0:9464 for all")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_port_and_no_name() {
        for (text, address) in [
            ("127.0.0.1:9464", "127.0.0.1:9464"),
            ("localhost:1", "127.0.0.1:1"),
            ("[::1]:9464", "[::1]:9464"),
            ("0.0.0.0:0", "0.0.0.0:0"),
        ] {
            assert_eq!(parse_listen(text).map(|address| address.to_string()), Ok(address.to_owned()));
        }
        for text in ["", "9464", ":9464", "127.0.0.1", "::1:9464x", "nas:9464", "localhost", "localhost:65536"] {
            assert!(parse_listen(text).unwrap_err().contains("127.0.0.1:9464"), "{text}");
        }
    }
}
