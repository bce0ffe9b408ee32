//! The proxy that the environment names.
//!
//! The HTTP client reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in upper case before lower case.

use std::env::{VarError, var};

use reqwest::ClientBuilder;

/// A client without a proxy if `NO_PROXY` excepts everything: the client takes `*` for all names, and for no address.
pub(super) fn respected_by(builder: ClientBuilder) -> ClientBuilder {
    if excepts_all(var) { builder.no_proxy() } else { builder }
}

fn excepts_all(variable: impl Fn(&'static str) -> Result<String, VarError>) -> bool {
    let excepted = variable("NO_PROXY").or_else(|_| variable("no_proxy")).unwrap_or_default();
    excepted.split(',').any(|entry| entry.trim() == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_asterisk_of_its_own_excepts_all() {
        let excepts = |upper: Option<&str>, lower: Option<&str>| {
            let value = |value: Option<&str>| value.map(str::to_owned).ok_or(VarError::NotPresent);
            excepts_all(|name| value(if name == "NO_PROXY" { upper } else { lower }))
        };
        assert!(excepts(Some("*"), None) && excepts(None, Some("a.example, *")));
        assert!(!excepts(None, None) && !excepts(Some("*.example,.example"), None) && !excepts(Some("a"), Some("*")));
    }
}
