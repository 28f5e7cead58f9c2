//! The HTTP interface: its settings, and sections of `type = api_user`.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;
use std::sync::Arc;

use super::password::{PasswordKinds, hash};
use super::reader::{Given, OptionSpec, OptionTable, SectionReader, TakenNames};
use super::section::{Origin, Problem};
use super::sorted::Sections;
use super::{UserSpec, value};
use crate::model::mask::Mask;
use crate::model::principal::{Principal, Role};
use crate::model::text::quoted;

/// The settings of the HTTP interface, and its users.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Http {
    /// Whether the interface answers requests.
    pub enabled: bool,
    /// The most requests per second from one caller, 1 to 10000.
    pub rate: u32,
    /// The most readers of the feed of events at a time, 0 to 10000.
    pub readers: u32,
    /// The most readers of one caller at a time, 1 to 10000.
    pub readers_each: u32,
    /// Whether a session of the manager interface over HTTP is accepted as a login.
    pub ami_sessions: bool,
    /// The accounts whose calls are shown.
    pub show_calls: ShownCalls,
    /// The roles that may dial and pick up.
    pub calls: Vec<Role>,
    /// The proxies whose header `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<Mask>,
    /// The origins whose pages may show the board in a frame.
    pub frame: Vec<Box<str>>,
    /// How many events of each account are kept for readers that resume: 0, or 100 to 1000000.
    pub journal: u32,
    /// The API users, by their names in small letters.
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
            show_calls: ShownCalls::default(),
            calls: Vec::new(),
            trusted_proxies: Vec::new(),
            frame: Vec::new(),
            journal: 10_000,
            users: HashMap::new(),
        }
    }
}

/// The accounts whose calls are shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum ShownCalls {
    /// None.
    #[default]
    No,
    /// Every account.
    All,
    /// These accounts.
    Of(Box<[Box<str>]>),
}

impl ShownCalls {
    /// Reads `no`, `all` or the names of accounts.
    pub(super) fn parse(given: &Given<'_>) -> Result<Self, String> {
        match given.value.trim() {
            value if value.eq_ignore_ascii_case("all") => return Ok(ShownCalls::All),
            value if value::boolean(value) == Ok(false) => return Ok(ShownCalls::No),
            _ => {}
        }
        let names = given.words().map(|name| match value::identifier(name) {
            Ok(name) => Ok(name.into()),
            Err(_) => Err(value::unexpected(
                name,
                "no, all or the names of accounts, separated by commas",
            )),
        });
        Ok(ShownCalls::Of(names.collect::<Result<_, _>>()?))
    }

    /// Whether the calls of an account are shown.
    pub fn includes(&self, account: &str) -> bool {
        match self {
            ShownCalls::No => false,
            ShownCalls::All => true,
            ShownCalls::Of(accounts) => accounts.iter().any(|known| **known == *account),
        }
    }
}

impl Display for ShownCalls {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ShownCalls::No => f.write_str("no"),
            ShownCalls::All => f.write_str("all"),
            ShownCalls::Of(accounts) => f.write_str(&accounts.join(",")),
        }
    }
}

/// The words of `http_calls`.
pub(super) const CALLING_WORDS: &[&str] = &["no", Role::SelfOnly.name(), Role::Admin.name()];

/// Reads `no` or the roles that may dial and pick up.
pub(super) fn calling_roles(given: &Given<'_>) -> Result<Vec<Role>, String> {
    if value::boolean(given.value) == Ok(false) {
        return Ok(Vec::new());
    }
    let role = |word| match value::role(word) {
        Ok(role @ (Role::SelfOnly | Role::Admin)) => Ok(role),
        _ => Err(value::unexpected(
            word,
            "no, or one or both of self and admin",
        )),
    };
    let roles: Result<Vec<Role>, String> = given.words().map(role).collect();
    let mut roles = roles?;
    roles.sort_unstable();
    roles.dedup();
    Ok(roles)
}

/// Who may log in over HTTP: an API user, or a person with a password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiUser {
    /// The hash of the password, as `crypt` makes it.
    pub password: Box<str>,
    /// Whether this is a user with a password, and not a section of `type = api_user`.
    pub is_person: bool,
    /// The networks that requests may come from; empty for everywhere.
    permit: Vec<Mask>,
    /// The identity and the rights of the user.
    pub caller: Principal,
}

impl ApiUser {
    /// A user who logs in by the password of their own section.
    pub fn person(name: &Arc<str>, account: &Arc<str>, password: &str) -> Self {
        ApiUser {
            password: password.into(),
            is_person: true,
            permit: Vec::new(),
            caller: Principal::person(name, account),
        }
    }

    /// The same login with another password's hash.
    pub fn with_password(&self, hash: &str) -> Self {
        ApiUser {
            password: hash.into(),
            ..self.clone()
        }
    }

    /// Whether requests may come from that address.
    pub fn permits(&self, remote: IpAddr) -> bool {
        self.permit.is_empty() || self.permit.iter().any(|mask| mask.contains(remote))
    }
}

impl Http {
    /// The API user of that name.
    pub fn user(&self, name: &str) -> Option<&Arc<ApiUser>> {
        self.users.get(&name.to_ascii_lowercase())
    }

    /// The kinds of the API users' passwords.
    pub(crate) fn password_kinds(&self) -> PasswordKinds {
        let mut kinds = PasswordKinds::default();
        for user in self.users.values() {
            kinds.add(&user.password);
        }
        kinds
    }

    /// Whether an API user sees other users than with the settings `before`.
    pub fn sees_otherwise(&self, before: &Http) -> bool {
        self.users.iter().any(|(name, user)| {
            let before = before.users.get(name);
            before.is_some_and(|before| {
                let (now, before) = (&user.caller, &before.caller);
                (now.sees_all, &now.user) != (before.sees_all, &before.user)
            })
        })
    }

    /// How many API users there are.
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// The accounts whose calls are to be shown, of those that no user belongs to.
    pub(super) fn accounts_without_users(&self, users: &[UserSpec]) -> Vec<&str> {
        let ShownCalls::Of(accounts) = &self.show_calls else {
            return Vec::new();
        };
        let has_users = |account: &str| users.iter().any(|user| *user.account == *account);
        let accounts = accounts.iter().map(|account| &**account);
        accounts.filter(|account| !has_users(account)).collect()
    }

    /// Reads the sections of API users, which name users and their accounts.
    pub(super) fn add_users(
        &mut self,
        sections: &Sections<'_>,
        users: &[UserSpec],
        errors: &mut Vec<Problem>,
        warnings: &mut Vec<Problem>,
    ) {
        let mut names = TakenNames::default();
        for (_, section) in sections {
            let mut reader = SectionReader::new(Origin::File, section);
            let user = read(&mut reader, users);
            names.take("api_user", &mut reader);
            if let (true, Some(user)) = (reader.finish(errors, warnings), user) {
                let name = section.name.to_ascii_lowercase();
                self.users.insert(name, Arc::new(user));
            }
        }
    }
}

/// A section while it is read.
#[derive(Default)]
pub(super) struct ApiUserDraft {
    password: Option<Box<str>>,
    account: Box<str>,
    role: Role,
    /// The name of the presence user.
    user: Option<String>,
    sees_all: bool,
    permit: Vec<Mask>,
    configure: bool,
}

impl OptionTable for ApiUserDraft {
    fn options() -> impl Iterator<Item = &'static OptionSpec<Self>> {
        const OPTIONS: &[OptionSpec<ApiUserDraft>] = &[
            OptionSpec::TYPE,
            OptionSpec::new("password", |it, given| {
                hash(given.value).map(|hash| it.password = Some(hash))
            }),
            OptionSpec::new("account", |it, given| {
                value::identifier(given.value).map(|account| it.account = account.into())
            }),
            OptionSpec::new("role", |it, given| {
                given.one_of(&Role::NAMES);
                value::role(given.value).map(|role| it.role = role)
            }),
            OptionSpec::new("user", |it, given| {
                it.user = Some(given.value.to_owned());
                Ok(())
            }),
            OptionSpec::new("sees_all", |it, given| {
                given.boolean().map(|on| it.sees_all = on)
            }),
            OptionSpec::new("permit", |it, given| {
                given.repeats();
                masks(given.value).map(|mut masks| it.permit.append(&mut masks))
            }),
            OptionSpec::new("configure", |it, given| {
                given.boolean().map(|on| it.configure = on)
            }),
        ];
        OPTIONS.iter()
    }
}

fn read(reader: &mut SectionReader<'_>, users: &[UserSpec]) -> Option<ApiUser> {
    let mut draft = ApiUserDraft {
        password: None,
        account: "default".into(),
        role: Role::default(),
        user: None,
        sees_all: false,
        permit: Vec::new(),
        configure: false,
    };
    reader.check_name("an API user's name");
    reader.read(&mut draft);
    check_account(&draft.account, users, reader);
    let user = draft.user.as_deref();
    let user = user.and_then(|name| find_user(name, &draft.account, users, reader));
    if draft.role == Role::SelfOnly && draft.user.is_none() {
        reader.error_at(
            "role",
            "role = self, expected the option 'user' beside it, whose presence is set",
        );
    }
    if draft.configure && draft.role != Role::Admin {
        reader.error_at(
            "configure",
            "configure = yes, expected role = admin beside it",
        );
    }
    reader.require(
        "password",
        "the hash of a password, which 'userpresence password' makes",
    );
    Some(ApiUser {
        password: draft.password?,
        is_person: false,
        permit: draft.permit,
        caller: Principal {
            name: reader.section().name.as_str().into(),
            account: Some((&*draft.account).into()),
            role: draft.role,
            user,
            sees_all: draft.sees_all,
            configure: draft.configure,
        },
    })
}

/// Refuses an account that no user belongs to.
fn check_account(account: &str, users: &[UserSpec], reader: &mut SectionReader<'_>) {
    let mut accounts: Vec<&str> = users.iter().map(|user| &*user.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    // Without any user the users are to come from a database that is still empty.
    if !accounts.contains(&account) && !accounts.is_empty() {
        reader.error_at(
            "account",
            format!(
                "unknown account '{}', expected that of a user: {}",
                quoted(account),
                some(&accounts)
            ),
        );
    }
}

/// The name of the user, who has to belong to the account.
fn find_user(
    name: &str,
    account: &str,
    users: &[UserSpec],
    reader: &mut SectionReader<'_>,
) -> Option<Arc<str>> {
    let mut users = users.iter();
    let found = users.find(|user| user.name.eq_ignore_ascii_case(name));
    match found {
        None => reader.error_at(
            "user",
            format!("unknown user '{}', expected a user's name", quoted(name)),
        ),
        Some(user) if *user.account != *account => reader.error_at(
            "user",
            format!(
                "the user '{}' belongs to account '{}', expected a user of account '{account}'",
                user.name, user.account
            ),
        ),
        Some(_) => {}
    }
    found.map(|user| user.name.clone())
}

/// The first few names, for a message.
fn some(names: &[&str]) -> String {
    const MOST: usize = 5;
    let begin = names[..names.len().min(MOST)].join(", ");
    match names.len() > MOST {
        true => format!("{begin}, ..."),
        false => begin,
    }
}

/// Addresses and networks that commas separate.
pub(super) fn masks(given: &str) -> Result<Vec<Mask>, String> {
    let masks = given.split(',').map(str::trim).map(|mask| {
        Mask::parse(mask).ok_or_else(|| format!("'{}', expected {}", quoted(mask), Mask::EXPECTED))
    });
    masks.collect()
}

#[cfg(test)]
mod tests;
