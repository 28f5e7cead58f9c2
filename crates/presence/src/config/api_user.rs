//! HTTP: its options in `[general]`, and who may come in (`type = api_user`).

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::{Origin, Problem, Section, UserSpec, Variable, option, place, value};
use crate::model::mask::Mask;
use crate::model::principal::{Principal, Role};
use crate::model::suggest::expected;
use crate::model::text::quoted;

/// What is served over HTTP, and to whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Http {
    /// Whether anything is.
    pub enabled: bool,
    /// Requests a second of each caller.
    pub rate: u32,
    /// Who may read the feed of events at a time.
    pub readers: u32,
    /// How many of them may be one caller's.
    pub readers_each: u32,
    /// Whether a session of the manager interface over HTTP is let in.
    pub ami_sessions: bool,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Mask>,
    /// Events kept of each account for those who come back.
    pub journal: u32,
    /// Who may come in, by the name in small letters.
    users: HashMap<String, Arc<ApiUser>>,
}

impl Default for Http {
    fn default() -> Self {
        Http {
            enabled: true,
            rate: 50,
            readers: 80,
            readers_each: 20,
            ami_sessions: false,
            trusted_proxies: Vec::new(),
            journal: 10_000,
            users: HashMap::new(),
        }
    }
}

/// Somebody who may come in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiUser {
    /// The hash of the password, as `crypt` makes it.
    pub password: Box<str>,
    /// Where requests may come from; anywhere where there is none.
    permit: Vec<Mask>,
    /// Who it is.
    pub caller: Principal,
}

impl ApiUser {
    /// Whether requests may come from there.
    pub fn permits(&self, remote: IpAddr) -> bool {
        self.permit.is_empty() || self.permit.iter().any(|mask| mask.contains(remote))
    }
}

impl Http {
    /// The options of `[general]`.
    pub const OPTIONS: &'static str = "http, http_rate, http_readers, \
        http_readers_each, http_ami_sessions, trusted_proxy, journal";

    /// Takes one option of `[general]`; `Ok(false)` when it is none of these.
    pub(super) fn set(&mut self, variable: &Variable) -> Result<bool, String> {
        let given = &variable.value;
        match variable.name.to_ascii_lowercase().as_str() {
            "http" => self.enabled = value::boolean(given)?,
            "http_rate" => self.rate = value::number(given, 1, 10_000, "requests a second")?,
            "http_readers" => self.readers = value::number(given, 0, 10_000, "readers")?,
            "http_readers_each" => {
                self.readers_each = value::number(given, 1, 10_000, "readers")?;
            }
            "http_ami_sessions" => self.ami_sessions = value::boolean(given)?,
            "trusted_proxy" => {
                // Empty for none, as by default.
                let given = given.trim();
                let mut proxies = if given.is_empty() {
                    Vec::new()
                } else {
                    masks(given)?
                };
                self.trusted_proxies.append(&mut proxies);
            }
            // None at all, or so many that a reader who is a little late is not lost.
            "journal" => {
                let least = if given.trim() == "0" { 0 } else { 100 };
                self.journal = value::number(given, least, 1_000_000, "events")?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The API user of that name.
    pub fn user(&self, name: &str) -> Option<&Arc<ApiUser>> {
        self.users.get(&name.to_ascii_lowercase())
    }

    /// A hash of each kind that there is but the user's own: a try that fails is compared
    /// with them too, so that it takes as long whoever is named, and where it is nobody.
    pub fn other_kinds(&self, user: Option<&ApiUser>) -> impl Iterator<Item = &str> {
        let mut kinds = BTreeMap::new();
        for hash in self.users.values().map(|user| &*user.password) {
            // Always the same one, as they are in no order.
            let sample = kinds.entry(kind(hash)).or_insert(hash);
            *sample = hash.min(sample);
        }
        if let Some(user) = user {
            kinds.remove(kind(&user.password));
        }
        kinds.into_values()
    }

    /// How many API users there are.
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// Takes the sections of API users, who name users and their accounts.
    pub(super) fn add_users(
        &mut self,
        sections: &[&Section],
        users: &[UserSpec],
        errors: &mut Vec<Problem>,
    ) {
        for section in sections {
            let mut mine = Vec::new();
            let user = parse(section, users, &mut mine);
            let name = section.name.to_ascii_lowercase();
            match user {
                _ if self.users.contains_key(&name) => mine.push(Problem {
                    place: place(Origin::File, section, None),
                    message: format!(
                        "the api_user '{}' stands twice, expected a name once, without regard \
                         to case",
                        section.name
                    ),
                }),
                Some(user) if mine.is_empty() => {
                    self.users.insert(name, Arc::new(user));
                }
                _ => {}
            }
            errors.append(&mut mine);
        }
    }
}

const OPTIONS: &str = "type, password, account, role, user, permit";

fn parse(section: &Section, users: &[UserSpec], errors: &mut Vec<Problem>) -> Option<ApiUser> {
    let mut fail = |variable: Option<&Variable>, message: String| {
        let place = place(Origin::File, section, variable);
        errors.push(Problem { place, message });
    };
    if let Err(message) = value::name(&section.name, "an API user's name") {
        fail(None, message);
    }
    let (mut password, mut role, mut permit) = (None, Role::default(), Vec::new());
    let (mut account, mut user) = ("default", None);
    for variable in &section.variables {
        let given = variable.value.as_str();
        let taken = match variable.name.to_ascii_lowercase().as_str() {
            _ if !variable.utf8 => Err("the value is not UTF-8".into()),
            "type" => Ok(()),
            "password" => hash(given).map(|given| password = Some(given)),
            "role" => Role::parse(given)
                .map(|given| role = given)
                .map_err(String::from),
            "account" => value::identifier(given).map(|_| account = given),
            "user" => {
                user = Some((variable, given));
                Ok(())
            }
            "permit" => masks(given).map(|mut given| permit.append(&mut given)),
            other => Err(format!("unknown option{}", expected(other, OPTIONS))),
        };
        if let Err(message) = taken {
            fail(Some(variable), message);
        }
    }
    let mut accounts: Vec<&str> = users.iter().map(|user| &*user.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    // Where there are no users at all, they are to come from a database that is empty yet.
    if !accounts.contains(&account) && !accounts.is_empty() {
        fail(
            option(section, "account"),
            format!(
                "unknown account '{}', expected that of a user: {}",
                quoted(account),
                some(&accounts)
            ),
        );
    }
    let found = user.and_then(|(variable, name)| {
        let same = |user: &&UserSpec| user.name.eq_ignore_ascii_case(name);
        let found = users.iter().find(same);
        match found {
            None => fail(
                Some(variable),
                format!("unknown user '{}', expected a user's name", quoted(name)),
            ),
            Some(user) if *user.account != *account => fail(
                Some(variable),
                format!(
                    "the user '{}' is of account '{}', expected one of account '{account}'",
                    user.name, user.account
                ),
            ),
            Some(_) => {}
        }
        found
    });
    if role == Role::SelfOnly && user.is_none() {
        let message = "role = self, expected the option 'user' with it: whose presence is set";
        fail(option(section, "role"), message.into());
    }
    let Some(password) = password else {
        if option(section, "password").is_none() {
            let message = "the option 'password' is missing, expected the hash of one, which \
                           'userpresence password' makes";
            fail(None, message.into());
        }
        return None;
    };
    Some(ApiUser {
        password,
        permit,
        caller: Principal {
            name: section.name.as_str().into(),
            account: Some(account.into()),
            role,
            user: found.map(|user| user.name.clone()),
        },
    })
}

/// A few of them, for a message.
fn some(names: &[&str]) -> String {
    const MOST: usize = 5;
    let begin = names[..names.len().min(MOST)].join(", ");
    match names.len() > MOST {
        true => format!("{begin}, ..."),
        false => begin,
    }
}

/// What a hash is made with, which says how long it takes: all but the salt and the rest.
fn kind(hash: &str) -> &str {
    let mut parts = hash.rsplitn(3, '$');
    parts.nth(2).unwrap_or_default()
}

/// A hash as `crypt` makes it: what it is made with, a salt, and the rest.
fn hash(given: &str) -> Result<Box<str>, String> {
    let known = ["$5$", "$6$", "$y$"]
        .iter()
        .any(|kind| given.starts_with(kind));
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '$' | '.' | '/' | '=' | ',');
    let parts: Vec<&str> = given.split('$').skip(2).collect();
    // Not shown: it may be the password itself.
    match known
        && parts.len() >= 2
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.chars().all(good))
    {
        true => Ok(given.into()),
        false => Err(
            "this is no hash of a password, expected one such as $6$salt$hash, which \
             'userpresence password' makes"
                .into(),
        ),
    }
}

fn masks(given: &str) -> Result<Vec<Mask>, String> {
    let masks = given.split(',').map(str::trim).map(|mask| {
        Mask::parse(mask).ok_or_else(|| format!("'{}', expected {}", quoted(mask), Mask::EXPECTED))
    });
    masks.collect()
}

#[cfg(test)]
mod tests;
