//! Hadoop file systems.

use std::collections::HashMap;

use towpath_backend::ByteSet;
use towpath_backend::registry::{OpenError, Settings, Url};

use super::check;
use super::operator::tree_within;
use super::options::FOLDERS;
use super::service::Service;
use crate::handle::OpendalTree;
use crate::http::STALL_TIMEOUT;

/// `hdfs://host:port/path`, with the name nodes of a pair separated by a comma.
///
/// The client knows Hadoop's own environment: `HADOOP_USER_NAME` is the user, and the files
/// of `HADOOP_CONF_DIR` are read.
pub const HDFS: Service = Service {
    name: "hdfs",
    about: "Hadoop file systems",
    schemes: &["hdfs"],
    options: &[],
    credentials: &[],
    read_again: &[],
    capabilities: FOLDERS,
    build,
};

/// Attempts to reach a name node, each after a longer pause: some seconds in all, as the migration continues with other
/// files and retries later.
const ATTEMPTS: [(&str, &str); 1] = [("dfs.client.failover.max.attempts", "3")];
/// A name node often learns of a small file only after the client has checked for the first time whether it exists, and
/// the client then waits half a second before it checks again.
const LANES: usize = 128;
/// The port of a name node, where none is given.
const PORT: &str = "8020";

fn build(url: &Url, _settings: &Settings) -> Result<OpendalTree, OpenError> {
    let name_nodes = name_nodes(url)?;
    let root = format!("/{}", url.path());
    let options = HashMap::from(ATTEMPTS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let builder = opendal::services::HdfsNative::default().name_node(&name_nodes).root(&root).options(options);
    let tree = tree_within(STALL_TIMEOUT, url, builder, Some(&name_nodes), false)?;
    // A name node takes none of these in a name.
    Ok(tree.without_names_of(ByteSet::of(b":")).of_hadoop().with_lanes(LANES))
}

/// `host:port,host:port`.
fn name_nodes(url: &Url) -> Result<String, OpenError> {
    let authority = url.authority();
    if authority.contains('@') {
        return Err(OpenError::Usage(format!("{url} names a user: set HADOOP_USER_NAME instead")));
    }
    let with_port = |host: &str| if host.contains(':') { host.to_owned() } else { format!("{host}:{PORT}") };
    let hosts: Vec<_> = authority.split(',').filter(|host| !host.is_empty()).map(with_port).collect();
    if hosts.is_empty() {
        return Err(OpenError::Usage(format!("{url} names no host: hdfs://host/path")));
    }
    hosts.iter().try_for_each(|host| check::host(url, host))?;
    Ok(hosts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use towpath_backend::registry::Location;

    #[test]
    fn name_nodes_have_a_port() {
        let of = |text: &str| match Location::parse(text.as_ref()).unwrap() {
            Location::Url(url) => name_nodes(&url).map_err(|error| error.to_string()),
            Location::Path(path) => panic!("{}", path.display()),
        };
        assert_eq!(of("hdfs://one/x"), Ok("one:8020".to_owned()));
        assert_eq!(of("hdfs://one:9000,two/x"), Ok("one:9000,two:8020".to_owned()));
        assert!(of("hdfs://one:x/x").unwrap_err().contains("port \"x\""));
        assert!(of("hdfs:///x").unwrap_err().contains("no host"));
        assert!(of("hdfs://me@one/x").unwrap_err().contains("HADOOP_USER_NAME"));
    }
}
