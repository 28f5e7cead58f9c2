//! Addresses of other servers, and secrets, which no message and no list shows.

use std::fmt;

/// The address that events are posted to. It may contain a password or a token, so its text
/// form leaves out credentials and query.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    whole: Box<str>,
    without_secrets: Box<str>,
}

impl Url {
    /// Parses an address.
    ///
    /// # Errors
    /// When it is not an HTTP address. The message does not repeat the value, which may contain
    /// a secret.
    pub fn parse(given: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            format!("{what}, expected an address such as https://crm.example.com/presence")
        };
        let given = given.trim();
        if given.is_empty() || !given.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("it is empty, or has blanks or letters beyond ASCII"));
        }
        let schemes = ["http://", "https://"];
        let scheme = schemes.into_iter().find(|scheme| {
            let start = given.get(..scheme.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        let scheme = scheme.ok_or_else(|| wrong("it begins with neither http:// nor https://"))?;
        let rest = &given[scheme.len()..];
        if rest.contains('#') {
            return Err(wrong("it has a fragment (#), which is never sent"));
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (_, server) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (host, port) = match server.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
            Some((host, port)) => (
                host,
                port.strip_prefix(':').or(port.is_empty().then_some("")),
            ),
            None => match server.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (server, Some("")),
            },
        };
        let good_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok_and(|p| p > 0);
        if host.is_empty() || host.contains(['[', ']']) || !port.is_some_and(good_port) {
            return Err(wrong("it names no host, or no port from 1 to 65535"));
        }
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        Ok(Url {
            whole: given.into(),
            without_secrets: format!("{scheme}{server}{path}").into(),
        })
    }

    /// The complete address, for posting.
    pub fn whole(&self) -> &str {
        &self.whole
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_secrets)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_secrets)
    }
}

/// An origin: scheme, host and port of a site, in small letters, without anything else that a
/// policy would read.
///
/// # Errors
/// When it is not just that.
pub(super) fn origin(given: &str) -> Result<Box<str>, String> {
    let whole = given.trim().to_ascii_lowercase();
    let schemes = ["https://", "http://"];
    let server = schemes.iter().find_map(|scheme| whole.strip_prefix(scheme));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
    if server.is_some_and(|server| server.bytes().all(plain)) && Url::parse(&whole).is_ok() {
        return Ok(whole.into());
    }
    Err(format!(
        "'{given}' is no origin, expected scheme, host and port alone, such as \
         https://crm.example.com"
    ))
}

/// A server: scheme, host and port, in small letters.
///
/// # Errors
/// When it is not just that. The message says what is wrong and does not repeat the value, which
/// may contain a secret.
pub(super) fn server(given: &str) -> Result<Box<str>, &'static str> {
    let whole = given.to_ascii_lowercase();
    let whole = whole.strip_suffix('/').unwrap_or(&whole);
    if whole.contains('@') {
        return Err("it has a user or a password, which are options of their own");
    }
    let origin = origin(whole).map_err(|_| "it is not scheme, host and port alone")?;
    match origin.rsplit_once(':') {
        Some((_, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !port.is_empty() => {
            Ok(origin)
        }
        _ => Err("it names no port"),
    }
}

/// A secret: the one that signs the bodies of events, or a password. Its debug form does not contain
/// it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(super) Box<str>);

impl Secret {
    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_contains_no_secret() {
        let url = Url::parse("https://joe:pw@crm.example.com:8443/a/b?token=t&x=y").unwrap();
        assert_eq!(url.to_string(), "https://crm.example.com:8443/a/b");
        assert_eq!(format!("{url:?}"), url.to_string());
        assert!(url.whole().contains("token=t"));
        let url = Url::parse("HTTP://[::1]:80?token=t").unwrap();
        assert_eq!(url.to_string(), "http://[::1]:80");
        assert_eq!(format!("{:?}", Secret("geheim".into())), "(secret)");
    }
}
