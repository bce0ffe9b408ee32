//! The program `ssh`: its arguments, and what must never reach it as an option.

use std::fmt;
use std::process::Stdio;

use tokio::process::Command;
use towpath_backend::registry::Url;

/// Where a server is, and how it is reached. Every text in it was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    key: Option<String>,
    known_hosts: KnownHosts,
}

/// How a server whose key is not in `known_hosts` is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum KnownHosts {
    /// It is rejected.
    #[default]
    Strict,
    /// One seen for the first time is added.
    Add,
    /// Any key will do, even one that changed.
    Accept,
}

impl KnownHosts {
    /// The value of the option `known_hosts`.
    ///
    /// # Errors
    /// If it is none of them.
    pub(crate) fn parse(text: &str) -> Result<Self, TargetError> {
        match text.to_ascii_lowercase().as_str() {
            "strict" => Ok(Self::Strict),
            "add" => Ok(Self::Add),
            "accept" => Ok(Self::Accept),
            _ => Err(TargetError::KnownHosts(text.to_owned())),
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::Strict => "StrictHostKeyChecking=yes",
            Self::Add => "StrictHostKeyChecking=accept-new",
            Self::Accept => "StrictHostKeyChecking=no",
        }
    }
}

/// Characters that a shell acts on: `ssh` puts host and user into the commands that its configuration may name
/// (`ProxyCommand`, `Match exec`). OpenSSH rejects them too, since 9.6.
const OF_SHELLS: &str = "'`\"$\\;&<>|(){}";

impl Target {
    /// The server of a URL.
    ///
    /// # Errors
    /// If the URL names no host, or if `ssh` or a shell could act on a text in it.
    pub(crate) fn new(url: &Url, key: Option<&str>, known_hosts: KnownHosts) -> Result<Self, TargetError> {
        let (user, host, port) = url.user_host_port();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err(TargetError::NoHost);
        }
        check("host", host, &format!("{OF_SHELLS}@/[]"))?;
        if host.contains(':') && !url.authority().contains('[') {
            return Err(TargetError::Colon(host.to_owned()));
        }
        if let Some(user) = user {
            // A domain may stand before the name, with a backslash.
            check("user", user, "'`\"$;&<>|(){}")?;
            if user.ends_with('\\') {
                return Err(TargetError::Backslash);
            }
        }
        if let Some(key) = key {
            check("key", key, "")?;
        }
        Ok(Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            key: key.map(str::to_owned),
            known_hosts,
        })
    }

    /// The command that speaks SFTP on its standard input and output.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new("ssh");
        let options = [
            "BatchMode=yes",
            self.known_hosts.option(),
            // Banners are no errors.
            "LogLevel=ERROR",
            "ServerAliveInterval=15",
            "ForwardX11=no",
            "ForwardAgent=no",
            "PermitLocalCommand=no",
            "ClearAllForwardings=yes",
        ];
        command.args(options.iter().flat_map(|option| ["-o", option]));
        if let Some(port) = self.port {
            command.args(["-p", &port.to_string()]);
        }
        if let Some(user) = &self.user {
            command.args(["-l", user]);
        }
        if let Some(key) = &self.key {
            command.args(["-o", "IdentitiesOnly=yes", "-i", key]);
        }
        // Arguments after `--` are never options.
        command.args(["-s", "--", &self.host, "sftp"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C is for this program, which finishes what is in flight first.
        command.process_group(0);
        command
    }
}

/// Checks that neither `ssh` nor a shell would act on a text of a location.
fn check(what: &'static str, text: &str, forbidden: &str) -> Result<(), TargetError> {
    if text.is_empty() {
        return Err(TargetError::Empty { what });
    }
    if text.starts_with('-') {
        return Err(TargetError::Option { what, text: text.to_owned() });
    }
    // Paths may have spaces in them.
    let is_forbidden =
        |c: char| c.is_control() || forbidden.contains(c) || (!forbidden.is_empty() && c.is_whitespace());
    match text.chars().find(|c| is_forbidden(*c)) {
        Some(character) => Err(TargetError::Character { what, text: text.to_owned(), character }),
        None => Ok(()),
    }
}

/// Why a location names no server that `ssh` can be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TargetError {
    NoHost,
    /// The host has a colon that is not part of an IPv6 address in brackets.
    Colon(String),
    /// The user ends with a backslash.
    Backslash,
    Empty {
        what: &'static str,
    },
    /// `ssh` could take the text for an option.
    Option {
        what: &'static str,
        text: String,
    },
    /// A shell could act on the character.
    Character {
        what: &'static str,
        text: String,
        character: char,
    },
    /// The option `known_hosts` has another value.
    KnownHosts(String),
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost => f.write_str("names no host: sftp://user@host/path"),
            Self::Colon(host) => {
                write!(f, "the host {host:?} has a colon: write host:port, or an IPv6 address as [::1]")
            }
            Self::Backslash => f.write_str("the user ends with a backslash"),
            Self::Empty { what } => write!(f, "the {what} is empty"),
            Self::Option { what, text } => {
                write!(f, "the {what} {text:?} begins with `-`: ssh could take it for an option")
            }
            Self::Character { what, text, character } => {
                write!(f, "the {what} {text:?} has the character {character:?}, which is not allowed")
            }
            Self::KnownHosts(text) => write!(f, "`known_hosts` is `strict`, `add` or `accept`, not {text:?}"),
        }
    }
}

impl std::error::Error for TargetError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use towpath_backend::registry::Location;

    fn target(text: &str, key: Option<&str>) -> Result<Target, TargetError> {
        match Location::parse(text.as_ref()) {
            Ok(Location::Url(url)) => Target::new(&url, key, KnownHosts::Strict),
            other => panic!("{other:?}"),
        }
    }

    fn arguments(target: &Target) -> Vec<String> {
        let command = target.command();
        command.as_std().get_args().map(|argument| argument.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_text_that_ssh_could_take_for_an_option_is_rejected() {
        for url in [
            "sftp://-oProxyCommand=touch%20x/x",
            "sftp://%2doProxyCommand=x/x",
            "sftp://-oProxyCommand=x:22/x",
            "sftp://me@-oProxyCommand=x/x",
            "sftp://[-oProxyCommand=x]/x",
            "sftp://-lroot@host/x",
            "sftp://%2DoProxyCommand=x@host/x",
        ] {
            let problem = target(url, None).unwrap_err();
            assert!(matches!(problem, TargetError::Option { .. }), "{url}: {problem}");
        }
        let problem = target("sftp://host/x", Some("-oProxyCommand=x")).unwrap_err();
        assert_eq!(problem, TargetError::Option { what: "key", text: "-oProxyCommand=x".to_owned() });
    }

    #[test]
    fn characters_that_a_shell_acts_on_are_rejected() {
        for url in [
            "sftp://ho%0Ast/x",
            "sftp://ho%20st/x",
            "sftp://a%3Btouch%20b/x",
            "sftp://$(id)/x",
            "sftp://`id`/x",
            "sftp://a%2Fb/x",
            "sftp://m%0Ae@host/x",
            "sftp://m%60id%60e@host/x",
            "sftp://me%5C@host/x",
            "sftp://a%1Bb/x",
        ] {
            assert!(target(url, None).is_err(), "{url}");
        }
        for key in ["", "a\nb", "\u{1b}[2J"] {
            assert!(target("sftp://host/x", Some(key)).is_err(), "{key:?}");
        }
    }

    #[test]
    fn a_url_without_a_host_or_with_an_invalid_port_is_rejected() {
        for (url, problem) in [
            ("sftp:///x", TargetError::NoHost),
            ("sftp://@host/x", TargetError::Empty { what: "user" }),
            ("sftp://host:99999/x", TargetError::Colon("host:99999".to_owned())),
        ] {
            assert_eq!(target(url, None).unwrap_err(), problem, "{url}");
        }
    }

    #[test]
    fn each_component_of_a_url_is_its_own_argument() {
        let arguments_of = arguments(&target("sftp://DOM%5Cme@[fe80::1]:2222/x", Some("/a key")).unwrap());
        let ends = ["-p", "2222", "-l", "DOM\\me", "-o", "IdentitiesOnly=yes", "-i", "/a key", "-s", "--", "fe80::1"];
        assert!(arguments_of.ends_with(&[ends.as_slice(), &["sftp"]].concat().map_strings()), "{arguments_of:?}");
        let arguments_of = arguments(&target("sftp://host_1.example/x", None).unwrap());
        assert!(arguments_of.ends_with(&["-s", "--", "host_1.example", "sftp"].map(str::to_owned)), "{arguments_of:?}");
    }

    trait Strings {
        fn map_strings(&self) -> Vec<String>;
    }

    impl Strings for Vec<&str> {
        fn map_strings(&self) -> Vec<String> {
            self.iter().map(|text| (*text).to_owned()).collect()
        }
    }

    #[test]
    fn known_hosts_accepts_its_three_values_only() {
        assert_eq!(KnownHosts::parse("Add"), Ok(KnownHosts::Add));
        assert!(KnownHosts::parse("-oProxyCommand=x").is_err() && KnownHosts::parse("no\n").is_err());
    }

    proptest! {
        /// Whatever a URL contains, only this module's own options are options.
        #[test]
        fn no_text_of_a_url_becomes_an_option(user in "\\PC{0,12}", host in "\\PC{0,12}", key in "\\PC{0,12}") {
            let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
            let text = format!("sftp://{}@{}/x", encoded(&user), encoded(&host));
            let Ok(target) = target(&text, Some(&key)) else { return Ok(()) };
            let arguments_of = arguments(&target);
            let end = arguments_of.iter().position(|argument| argument == "--").unwrap();
            prop_assert_eq!(&arguments_of[end + 2..], &["sftp".to_owned()][..]);
            for argument in arguments_of[..end].iter().filter(|argument| argument.starts_with('-')) {
                prop_assert!(["-o", "-p", "-l", "-i", "-s"].contains(&argument.as_str()), "{}", argument);
            }
        }
    }
}
