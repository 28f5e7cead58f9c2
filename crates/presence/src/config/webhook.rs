//! Sections of `type = webhook`: where an account's events are posted.

use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use super::{Origin, Problem, Section, UserSpec, Variable, place, value};
use crate::model::suggest::expected;
use crate::model::text::quoted;

/// The options of such a section.
const OPTIONS: &str = "type, url, account, secret, expand, timeout, retry_for, ca_file";

/// The most webhooks: each has a thread.
pub const MOST: usize = 16;

/// The fewest characters of a secret.
const SECRET: usize = 16;

/// One webhook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Webhook {
    /// The section's name.
    pub name: Arc<str>,
    /// Where to.
    pub url: Url,
    /// Whose events.
    pub account: Arc<str>,
    /// What the bodies are signed with.
    pub secret: Secret,
    /// Whether each event carries the user's record.
    pub with_record: bool,
    /// How long one post may take.
    pub timeout: Duration,
    /// How long an event is tried again before it is given up.
    pub retry_for: Duration,
    /// Certificates of authorities that are trusted besides the system's own.
    pub ca_file: Option<Box<str>>,
}

/// Where events are posted. It may hold a password or a token, so it shows itself without
/// credentials and query.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    whole: Box<str>,
    shown: Box<str>,
}

impl Url {
    /// Reads one.
    ///
    /// # Errors
    /// Says what was expected. What stands there is not repeated: it may be a secret.
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
        let (_, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (host, port) = match place.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
            Some((host, port)) => (
                host,
                port.strip_prefix(':').or(port.is_empty().then_some("")),
            ),
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, Some("")),
            },
        };
        let good_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok_and(|p| p > 0);
        if host.is_empty() || host.contains(['[', ']']) || !port.is_some_and(good_port) {
            return Err(wrong("it names no host, or no port from 1 to 65535"));
        }
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        Ok(Url {
            whole: given.into(),
            shown: format!("{scheme}{place}{path}").into(),
        })
    }

    /// All of it, for who posts.
    pub fn whole(&self) -> &str {
        &self.whole
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

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

/// Parses the sections; those with an error are left out. An account is one that a user
/// belongs to. What waits is in a journal that keeps so many events.
pub(super) fn parse(
    sections: &[&Section],
    users: &[UserSpec],
    journal: u32,
    errors: &mut Vec<Problem>,
) -> Vec<Arc<Webhook>> {
    let mut found: Vec<Arc<Webhook>> = Vec::new();
    let mut names: Vec<(String, String)> = Vec::new();
    for section in sections {
        let at = place(Origin::File, section, None);
        let name = section.name.to_ascii_lowercase();
        let refusal = match names.iter().find(|(known, _)| *known == name) {
            Some((_, first)) => Some(format!(
                "the webhook '{}' stands twice (first at {first}), expected a name once, without \
                 regard to case",
                section.name
            )),
            None if names.len() >= MOST => Some(format!(
                "there are more than {MOST} webhooks, expected at most so many"
            )),
            None if journal == 0 => Some(
                "there is nothing to post with 'journal = 0' in [general], expected 1 or more"
                    .into(),
            ),
            None => None,
        };
        if let Some(message) = refusal {
            errors.push(Problem { place: at, message });
            continue;
        }
        names.push((name, at));
        found.extend(one(section, users, errors).map(Arc::new));
    }
    found
}

fn one(section: &Section, users: &[UserSpec], errors: &mut Vec<Problem>) -> Option<Webhook> {
    let before = errors.len();
    let mut fail = |variable: Option<&Variable>, message: String| {
        let place = place(Origin::File, section, variable);
        errors.push(Problem { place, message });
    };
    let (mut url, mut secret, mut ca_file) = (None, None, None);
    let (mut timeout, mut retry_for) = (10, 3600);
    let mut with_record = false;
    let mut account: Arc<str> = "default".into();
    let mut named = None;
    if let Err(message) = value::name(&section.name, "a webhook's name") {
        fail(None, message);
    }
    for variable in &section.variables {
        if !variable.utf8 {
            fail(Some(variable), "the value is not UTF-8".into());
            continue;
        }
        let given = variable.value.as_str();
        let taken = match variable.name.to_ascii_lowercase().as_str() {
            "type" => Ok(()),
            "url" => Url::parse(given).map(|it| url = Some(it)),
            "account" => value::identifier(given).map(|it| {
                account = it.into();
                named = Some(variable);
            }),
            "secret" => self::secret(given).map(|it| secret = Some(it)),
            "expand" => expand(given).map(|it| with_record = it),
            "timeout" => value::number(given, 1, 60, "seconds").map(|it| timeout = it),
            "retry_for" => value::number(given, 1, 86_400, "seconds").map(|it| retry_for = it),
            "ca_file" => self::ca_file(given).map(|it| ca_file = it),
            other => Err(format!("unknown option{}", expected(other, OPTIONS))),
        };
        if let Err(message) = taken {
            fail(Some(variable), message);
        }
    }
    let is_given = |name: &str| {
        let mut variables = section.variables.iter();
        variables.any(|variable| variable.name.eq_ignore_ascii_case(name))
    };
    if !is_given("url") {
        let message = "the option 'url' is missing, expected an address such as \
                       https://crm.example.com/presence";
        fail(None, message.into());
    }
    if !is_given("secret") {
        let message = format!(
            "the option 'secret' is missing, expected a text of at least {SECRET} characters"
        );
        fail(None, message);
    }
    if !users.iter().any(|user| user.account == account) {
        let message = format!(
            "there is no user of the account '{}', expected one of {}",
            quoted(&account),
            accounts(users)
        );
        fail(named, message);
    }
    if errors.len() > before {
        return None;
    }
    Some(Webhook {
        name: section.name.as_str().into(),
        url: url?,
        account,
        secret: secret?,
        with_record,
        timeout: Duration::from_secs(timeout.into()),
        retry_for: Duration::from_secs(retry_for.into()),
        ca_file,
    })
}

/// The users' accounts, for messages: no more than anybody reads.
fn accounts(users: &[UserSpec]) -> String {
    const MOST: usize = 20;
    let mut names: Vec<&str> = Vec::new();
    for user in users {
        if names.len() < MOST && !names.contains(&&*user.account) {
            names.push(&user.account);
        }
    }
    match names.is_empty() {
        true => "the accounts of users, and there is no user".into(),
        false => names.join(", "),
    }
}

fn secret(given: &str) -> Result<Secret, String> {
    match given.chars().count() {
        long if long >= SECRET => Ok(Secret(given.into())),
        short => Err(format!(
            "the secret has {short} characters, expected at least {SECRET}"
        )),
    }
}

/// What an event carries besides, as in the stream's query; nothing for nothing.
fn expand(given: &str) -> Result<bool, String> {
    match given {
        "" => Ok(false),
        _ if given.eq_ignore_ascii_case("record") => Ok(true),
        _ => Err(format!(
            "'{}', expected record, or nothing for the event alone",
            quoted(given)
        )),
    }
}

/// A readable file; nothing for none.
fn ca_file(given: &str) -> Result<Option<Box<str>>, String> {
    if given.is_empty() {
        return Ok(None);
    }
    let expected = "expected the path of a readable file of certificates (PEM)";
    let found = File::open(given).and_then(|file| file.metadata());
    match found {
        Ok(found) if found.is_file() => Ok(Some(given.into())),
        Ok(_) => Err(format!("'{}' is no file, {expected}", quoted(given))),
        Err(why) => Err(format!("'{}': {why}, {expected}", quoted(given))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::parsed;
    use super::*;

    const USER: &str = "[alice]\ntype=user\naccount=main\n";

    fn webhooks(text: &str) -> Vec<Arc<Webhook>> {
        let parsed = parsed(&format!("{USER}{text}"));
        let errors: Vec<_> = parsed.all_errors().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{errors:?}");
        parsed.settings.webhooks
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let hooks = webhooks(
            "[crm]\ntype=webhook\nurl=https://crm.example.com/presence\naccount=main\n\
             secret=0123456789abcdef",
        );
        let hook = &hooks[0];
        assert_eq!((&*hook.name, &*hook.account), ("crm", "main"));
        assert_eq!(hook.timeout, Duration::from_secs(10));
        assert_eq!(hook.retry_for, Duration::from_secs(3600));
        assert_eq!(hook.ca_file, None);
        assert!(!hook.with_record);
        assert_eq!(hook.secret.text(), "0123456789abcdef");
    }

    #[test]
    fn nothing_secret_is_shown() {
        let url = Url::parse("https://joe:pw@crm.example.com:8443/a/b?token=t&x=y").unwrap();
        assert_eq!(url.to_string(), "https://crm.example.com:8443/a/b");
        assert_eq!(format!("{url:?}"), url.to_string());
        assert!(url.whole().contains("token=t"));
        let url = Url::parse("HTTP://[::1]:80?token=t").unwrap();
        assert_eq!(url.to_string(), "http://[::1]:80");
        assert_eq!(format!("{:?}", Secret("geheim".into())), "(secret)");
    }

    #[test]
    fn every_error_says_what_was_expected_and_repeats_no_secret() {
        let cases = [
            ("url=ftp://host/", "neither http:// nor https://"),
            ("url=https:///path", "it names no host"),
            ("url=https://h:99999/", "no port from 1 to 65535"),
            ("url=https://h:x/", "no port from 1 to 65535"),
            ("url=https://[::1/", "it names no host"),
            ("url=https://h/#a", "it has a fragment"),
            ("url=https://h/a b", "it is empty, or has blanks"),
            (
                "secret=geheim",
                "the secret has 6 characters, expected at least 16",
            ),
            (
                "expand=records",
                "'records', expected record, or nothing for the event alone",
            ),
            (
                "timeout=0",
                "'0', expected a whole number of seconds from 1 to 60",
            ),
            ("retry_for=90000", "seconds from 1 to 86400"),
            (
                "ca_file=/no/such/file",
                "expected the path of a readable file",
            ),
            ("ca_file=/", "'/' is no file, expected the path"),
            (
                "account=none",
                "option 'account': there is no user of the account 'none', \
                              expected one of main",
            ),
            (
                "shoe=x",
                "unknown option, expected type, url, account, secret, expand, timeout",
            ),
        ];
        let good = "account=main\nurl=http://h/\nsecret=0123456789abcdef";
        for (wrong, expected) in cases {
            let text = format!("{USER}[crm]\ntype=webhook\n{good}\n{wrong}");
            let parsed = parsed(&text);
            let errors: Vec<_> = parsed.all_errors().map(ToString::to_string).collect();
            assert_eq!(errors.len(), 1, "{wrong}: {errors:?}");
            let error = &errors[0];
            assert!(error.starts_with("userpresence.conf:"), "{error}");
            assert!(error.contains("section [crm]"), "{error}");
            assert!(error.contains(expected), "{wrong}: {error}");
            assert!(!error.contains("geheim"), "{error}");
            assert!(parsed.settings.webhooks.is_empty());
        }
    }

    #[test]
    fn what_has_to_be_there() {
        let parsed = parsed("[crm]\ntype=webhook\n");
        let errors: Vec<_> = parsed.all_errors().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert!(errors[0].contains("the option 'url' is missing"));
        assert!(errors[1].contains("the option 'secret' is missing"));
        assert!(errors[2].contains("the account 'default', expected one of the accounts of users"));
    }

    #[test]
    fn there_has_to_be_a_journal() {
        let text = format!(
            "[general]\njournal=0\n{USER}[crm]\ntype=webhook\naccount=main\nurl=http://h/\n\
             secret=0123456789abcdef"
        );
        let parsed = parsed(&text);
        let errors: Vec<_> = parsed.all_errors().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains("nothing to post with 'journal = 0'"));
    }

    #[test]
    fn there_are_sixteen_of_different_names() {
        let text = |count: usize, extra: &str| {
            let hooks = (0..count).map(|at| {
                format!(
                    "[h{at}]\ntype=webhook\naccount=main\nurl=http://h/\nsecret=0123456789abcdef\n"
                )
            });
            let extra = format!(
                "{extra}\ntype=webhook\naccount=main\nurl=http://h/\nsecret=0123456789abcdef"
            );
            format!("{USER}{}{extra}", hooks.collect::<String>())
        };
        assert_eq!(parsed(&text(15, "[last]")).settings.webhooks.len(), 16);
        let many = parsed(&text(16, "[last]"));
        assert_eq!(many.settings.webhooks.len(), 16);
        assert!(many.errors[0].to_string().contains("more than 16 webhooks"));
        let twice = parsed(&text(2, "[H1]"));
        assert!(
            twice.errors[0]
                .to_string()
                .contains("the webhook 'H1' stands twice (first at")
        );
    }
}
