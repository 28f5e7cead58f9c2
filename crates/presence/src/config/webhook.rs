//! Sections of `type = webhook`: addresses that the events of an account are posted to.

use std::sync::Arc;
use std::time::Duration;

use super::UserSpec;
use super::reader::{OptionSpec, OptionTable, SectionReader, TakenNames};
use super::section::{Origin, Problem};
use super::sorted::Sections;
use super::value::{self, unexpected};
use crate::model::text::quoted;

pub use super::url::{Secret, Url};

/// The most webhooks: each has a thread of its own.
pub const MAX_WEBHOOKS: usize = 16;

/// The fewest characters of a secret.
const MIN_SECRET: usize = 16;

/// One webhook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Webhook {
    /// The section's name.
    pub name: Arc<str>,
    /// The address that events are posted to.
    pub url: Url,
    /// The account whose events are posted.
    pub account: Arc<str>,
    /// The key of the signature of each body.
    pub secret: Secret,
    /// Whether each event carries the user's record.
    pub with_record: bool,
    /// The time that one post may take, 1 to 60 seconds.
    pub timeout: Duration,
    /// For how long an event is retried before it is given up, 1 second to 1 day.
    pub retry_for: Duration,
    /// A file of authorities' certificates (PEM) that are trusted besides the system's own.
    pub ca_file: Option<Box<str>>,
}

/// A section while it is read.
#[derive(Default)]
pub(super) struct WebhookDraft {
    url: Option<Url>,
    account: Arc<str>,
    secret: Option<Secret>,
    with_record: bool,
    /// In seconds.
    timeout: u32,
    /// In seconds.
    retry_for: u32,
    ca_file: Option<Box<str>>,
}

impl OptionTable for WebhookDraft {
    fn options() -> impl Iterator<Item = &'static OptionSpec<Self>> {
        const OPTIONS: &[OptionSpec<WebhookDraft>] = &[
            OptionSpec::TYPE,
            OptionSpec::new("url", |it, given| {
                Url::parse(given.value).map(|url| it.url = Some(url))
            }),
            OptionSpec::new("account", |it, given| {
                value::identifier(given.value).map(|account| it.account = account.into())
            }),
            OptionSpec::new("secret", |it, given| {
                secret(given.value).map(|secret| it.secret = Some(secret))
            }),
            OptionSpec::new("expand", |it, given| {
                expand(given.value).map(|with_record| it.with_record = with_record)
            }),
            OptionSpec::new("timeout", |it, given| {
                given.number(1, 60, "seconds").map(|time| it.timeout = time)
            }),
            OptionSpec::new("retry_for", |it, given| {
                given
                    .number(1, 86_400, "seconds")
                    .map(|time| it.retry_for = time)
            }),
            OptionSpec::new("ca_file", |it, given| {
                value::pem_file(given.value, "certificates").map(|file| it.ca_file = file)
            }),
        ];
        OPTIONS.iter()
    }
}

/// Reads the sections; those with an error are left out. The account of a webhook is that of
/// a user. Events wait in the journal, which keeps at most `journal` of them.
pub(super) fn parse(
    sections: &Sections<'_>,
    users: &[UserSpec],
    journal: u32,
    errors: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> Vec<Arc<Webhook>> {
    let mut found: Vec<Arc<Webhook>> = Vec::new();
    let mut names = TakenNames::default();
    for (_, section) in sections {
        let mut reader = SectionReader::new(Origin::File, section);
        if names.take("webhook", &mut reader) {
            if names.len() > MAX_WEBHOOKS {
                reader.error(format!(
                    "there are more than {MAX_WEBHOOKS} webhooks, expected at most \
                     {MAX_WEBHOOKS}"
                ));
            } else if journal == 0 {
                reader.error(
                    "a webhook posts nothing with 'journal = 0' in [general], expected 100 or \
                     more",
                );
            } else {
                found.extend(read(&mut reader, users).map(Arc::new));
            }
        }
        reader.finish(errors, warnings);
    }
    found
}

fn read(reader: &mut SectionReader<'_>, users: &[UserSpec]) -> Option<Webhook> {
    let mut draft = WebhookDraft {
        url: None,
        account: "default".into(),
        secret: None,
        with_record: false,
        timeout: 10,
        retry_for: 3600,
        ca_file: None,
    };
    reader.check_name("a webhook's name");
    reader.read(&mut draft);
    reader.require("url", "an address such as https://crm.example.com/presence");
    reader.require(
        "secret",
        &format!("a text of at least {MIN_SECRET} characters"),
    );
    if !users.iter().any(|user| user.account == draft.account) {
        reader.error_at(
            "account",
            format!(
                "no user belongs to the account '{}', expected one of {}",
                quoted(&draft.account),
                accounts(users)
            ),
        );
    }
    if !reader.is_clean() {
        return None;
    }
    Some(Webhook {
        name: reader.section().name.as_str().into(),
        url: draft.url?,
        account: draft.account,
        secret: draft.secret?,
        with_record: draft.with_record,
        timeout: Duration::from_secs(draft.timeout.into()),
        retry_for: Duration::from_secs(draft.retry_for.into()),
        ca_file: draft.ca_file,
    })
}

/// The accounts of users for a message, as many as a reader takes in.
fn accounts(users: &[UserSpec]) -> String {
    const MOST: usize = 20;
    let mut names: Vec<&str> = Vec::new();
    for user in users {
        if names.len() < MOST && !names.contains(&&*user.account) {
            names.push(&user.account);
        }
    }
    match names.is_empty() {
        true => "the accounts of users, and there are no users".into(),
        false => names.join(", "),
    }
}

fn secret(given: &str) -> Result<Secret, String> {
    match given.chars().count() {
        long if long >= MIN_SECRET => Ok(Secret(given.into())),
        short => Err(format!(
            "the secret has {short} characters, expected at least {MIN_SECRET}"
        )),
    }
}

/// Whether an event carries the user's record, as the query `expand` of the stream; empty for
/// no record.
fn expand(given: &str) -> Result<bool, String> {
    match given {
        "" => Ok(false),
        _ if given.eq_ignore_ascii_case("record") => Ok(true),
        _ => Err(unexpected(given, "record, or nothing for the event alone")),
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
    fn an_option_that_is_not_given_has_a_default() {
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
    fn every_error_names_what_was_expected_and_no_secret() {
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
            ("ca_file=/", "'/' is not a file, expected the path"),
            (
                "account=none",
                "option 'account': no user belongs to the account 'none', \
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
    fn a_missing_option_is_an_error() {
        let parsed = parsed("[crm]\ntype=webhook\n");
        let errors: Vec<_> = parsed.all_errors().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert!(errors[0].contains("the option 'url' is missing"));
        assert!(errors[1].contains("the option 'secret' is missing"));
        assert!(errors[2].contains("the account 'default', expected one of the accounts of users"));
    }

    #[test]
    fn a_webhook_needs_a_journal() {
        let text = format!(
            "[general]\njournal=0\n{USER}[crm]\ntype=webhook\naccount=main\nurl=http://h/\n\
             secret=0123456789abcdef"
        );
        let parsed = parsed(&text);
        let errors: Vec<_> = parsed.all_errors().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains("posts nothing with 'journal = 0'"));
    }

    #[test]
    fn at_most_sixteen_webhooks_have_different_names() {
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
                .contains("webhook 'H1' is defined twice (first at")
        );
    }
}
