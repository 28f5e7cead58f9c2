//! Presence as JSON: the list of an account, one user, and what one may set.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::answer::no_content;
use super::{HttpCaller, Reply, Request, account, error, json, read_body, read_json};
use crate::runtime::store;
use presence::Time;
use presence::account::{ListQuery, Record};
use presence::directory::{AccountId, Directory, UserId};
use presence::model::assignment::{self, Parts};
use presence::model::dnd::DndStatus;
use presence::model::ending::{self, Clock};
use presence::model::flags::Flag;
use presence::model::text::quoted;
use presence::views::fields::Query;
use presence::world::{Change, World};

/// Users looked at under the lock at a time.
const BATCH: usize = 256;
/// Users of whom little is looked at under the lock at a time.
const BATCH_OF_FLAGS: usize = 8192;

/// The query as pairs.
///
/// # Errors
/// Where it is not UTF-8.
pub fn pairs<'a>(request: &Request<'a>) -> Result<Vec<(&'a str, &'a str)>, Reply> {
    let pairs: Option<Vec<_>> = request.query().collect();
    pairs.ok_or_else(|| error(400, "query", "The query is not UTF-8."))
}

/// Whether the caller may see that user.
pub fn may_see(caller: &HttpCaller, user: &str, allows: bool) -> bool {
    let own = caller.user.as_deref();
    allows || own.is_some_and(|own| own.eq_ignore_ascii_case(user))
}

/// The users are others than those who were asked for.
pub struct Reloaded;

/// Shows `visit` the records of those users whom the caller may see. A change that comes
/// in between is in what follows. Nothing is locked for long.
///
/// # Errors
/// When a reload comes in between.
pub fn records(
    directory: &Arc<Directory>,
    users: &[UserId],
    caller: &HttpCaller,
    mut visit: impl FnMut(Record),
) -> Result<(), Reloaded> {
    for batch in users.chunks(BATCH) {
        let look = |world: &World| {
            if !Arc::ptr_eq(world.directory(), directory) {
                return None;
            }
            let seen = batch.iter().filter(|id| {
                let allows = world.flags(**id).get(Flag::AllowSeeMyPresence);
                may_see(caller, &directory.get(**id).name, allows)
            });
            let records = seen.map(|id| Record::of(world, *id));
            Some(records.collect::<Vec<_>>())
        };
        let found = store::read(look).flatten().ok_or(Reloaded)?;
        found.into_iter().for_each(&mut visit);
    }
    Ok(())
}

/// An account at one moment: who is in it, and the number of its last event.
pub struct Members {
    /// The users and their names.
    pub directory: Arc<Directory>,
    /// Who is wanted.
    pub users: Vec<UserId>,
    /// The number of the account's last event.
    pub sequence: u64,
}

impl Members {
    /// The account's users of these ids, names or extensions; all where there are none.
    ///
    /// # Errors
    /// Names the one whom the caller may not see, or who is not there, or says that the
    /// module is going.
    pub fn of(account: &str, wanted: &[String], caller: &HttpCaller) -> Result<Self, Reply> {
        let found = store::read(|world| {
            let directory = world.directory();
            let id = directory.account_named(account)?;
            Some((directory.clone(), id, world.account_sequence(id)))
        });
        let (directory, id, sequence) = found.flatten().ok_or_else(going)?;
        let users = match wanted {
            [] => directory.members(id).to_vec(),
            wanted => named(&directory, id, wanted, caller)?,
        };
        Ok(Members {
            directory,
            users,
            sequence,
        })
    }
}

fn named(
    directory: &Arc<Directory>,
    account: AccountId,
    wanted: &[String],
    caller: &HttpCaller,
) -> Result<Vec<UserId>, Reply> {
    let mut users = Vec::with_capacity(wanted.len());
    for name in wanted {
        let user = directory.member(account, name).filter(|id| {
            let allows = store::read(|world| {
                let same = Arc::ptr_eq(world.directory(), directory);
                same && world.flags(*id).get(Flag::AllowSeeMyPresence)
            });
            may_see(caller, &directory.get(*id).name, allows == Some(true))
        });
        let Some(user) = user else {
            let name = quoted(name);
            let why = format!("There is no extension '{name}' in this account.");
            return Err(error(400, "query", &why));
        };
        if !users.contains(&user) {
            users.push(user);
        }
    }
    Ok(users)
}

fn going() -> Reply {
    error(503, "not_running", "The module is not running.")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Paging {
    page: u64,
    per_page: u64,
    total_pages: u64,
    total_elements: u64,
}

#[derive(Serialize)]
struct PresencePage {
    records: Vec<Record>,
    paging: Paging,
    sequence: u64,
}

/// `GET v1/account/{id}/presence`
pub fn list(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    /// Reloads that may come in between.
    const PATIENCE: usize = 3;
    let answer = || {
        let account = account(request, caller)?;
        let query = ListQuery::parse(&pairs(request)?);
        let query = query.map_err(|why| error(400, "query", &why))?;
        for _ in 0..PATIENCE {
            let members = Members::of(&account, &query.extensions, caller)?;
            if let Ok(list) = page(&members, &query, caller) {
                return Ok(read_json(request, &list));
            }
        }
        Err(going())
    };
    answer().unwrap_or_else(|refusal| refusal)
}

/// The page of those whom the caller may see and who are wanted. They are counted through,
/// because the number of pages is told; a record is made of the page's alone, and of others
/// only where a text is looked for in it.
fn page(
    members: &Members,
    query: &ListQuery,
    caller: &HttpCaller,
) -> Result<PresencePage, Reloaded> {
    let first = (query.page - 1) * query.per_page;
    let wanted = first..first.saturating_add(query.per_page);
    let mut count = 0;
    let mut page = Vec::new();
    let batch = match query.text.is_empty() {
        true => BATCH_OF_FLAGS,
        false => BATCH,
    };
    let own = caller.user.as_deref();
    let own = own.and_then(|own| members.directory.user(own));
    for batch in members.users.chunks(batch) {
        let look = |world: &World| {
            if !Arc::ptr_eq(world.directory(), &members.directory) {
                return None;
            }
            for id in batch {
                let allows = world.flags(*id).get(Flag::AllowSeeMyPresence);
                if !(allows || own == Some(*id)) || !query.wants_status(world, *id) {
                    continue;
                }
                if query.text.is_empty() {
                    if wanted.contains(&count) {
                        page.push(Record::of(world, *id));
                    }
                    count += 1;
                    continue;
                }
                let record = Record::of(world, *id);
                if query.wants_text(&record) {
                    if wanted.contains(&count) {
                        page.push(record);
                    }
                    count += 1;
                }
            }
            Some(())
        };
        store::read(look).flatten().ok_or(Reloaded)?;
    }
    Ok(PresencePage {
        records: page,
        paging: Paging {
            page: query.page,
            per_page: query.per_page,
            total_pages: count.div_ceil(query.per_page),
            total_elements: count,
        },
        sequence: members.sequence,
    })
}

#[derive(Serialize)]
struct StatusItem {
    name: String,
    label: String,
    state: Option<&'static str>,
}

#[derive(Serialize)]
struct StatusList {
    statuses: Vec<StatusItem>,
}

/// `GET v1/account/{id}/statuses`
pub fn statuses(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    if let Err(refusal) = account(request, caller) {
        return refusal;
    }
    let statuses = store::read(|world| {
        let all = world.directory().settings.statuses().iter();
        let one = all.map(|status| StatusItem {
            name: status.name.to_string(),
            label: status.label.to_string(),
            state: status
                .maps_to
                .as_ref()
                .map(|presence| presence.state().name()),
        });
        one.collect()
    });
    match statuses {
        Some(statuses) => read_json(request, &StatusList { statuses }),
        None => going(),
    }
}

/// Whether the caller may see that user now.
fn sees(caller: &HttpCaller, user: &str) -> bool {
    let allows = store::read(|world| {
        let id = world.directory().user(user)?;
        Some(world.flags(id).get(Flag::AllowSeeMyPresence))
    });
    may_see(caller, user, allows.flatten().unwrap_or(false))
}

/// The user whom the request is about, `v1/account/{id}/extension/{ext}`, by name.
///
/// # Errors
/// Answers 404 where there is none of whom the caller may know.
fn user(
    request: &Request<'_>,
    caller: &HttpCaller,
    may_know: impl Fn(&str) -> bool,
) -> Result<Arc<str>, Reply> {
    let account = account(request, caller)?;
    let nobody = || error(404, "not_found", "There is no such extension.");
    let found = store::read(|world| {
        let directory = world.directory();
        let account = directory.account_named(&account)?;
        let id = match request.segment(4) {
            // By name: another's id or extension may be the same.
            "~" => directory.user(caller.user.as_deref()?)?,
            wanted => directory.member(account, wanted)?,
        };
        if directory.get(id).account != account {
            return None;
        }
        Some(directory.get(id).name.clone())
    });
    let found = found.ok_or_else(going)?;
    found.filter(|name| may_know(name)).ok_or_else(nobody)
}

fn record(name: &str) -> Option<Record> {
    let look = |world: &World| Some(Record::of(world, world.directory().user(name)?));
    store::read(look).flatten()
}

/// `GET v1/account/{id}/extension/{ext}/presence`
pub fn get(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    let found = user(request, caller, |name| sees(caller, name));
    let record = found.map(|name| record(&name));
    match record {
        Ok(Some(record)) => read_json(request, &record),
        Ok(None) => going(),
        Err(refusal) => refusal,
    }
}

/// What can be set; what is absent stays.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PresenceUpdate {
    status: Option<String>,
    subtype: Option<String>,
    message: Option<String>,
    until: Option<RequestedEnd>,
    dnd_status: Option<String>,
    /// In the order of [`Flag::ALL`].
    #[serde(flatten, deserialize_with = "flags")]
    flags: Vec<(Flag, bool)>,
}

/// Every other field of an update: the flags, and nothing else.
fn flags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(Flag, bool)>, D::Error> {
    const KNOWN: [&str; 5 + Flag::NAMES.len()] = {
        let others = ["status", "subtype", "message", "until", "dndStatus"];
        let mut known = [""; 5 + Flag::NAMES.len()];
        let mut at = 0;
        while at < known.len() {
            known[at] = match at < others.len() {
                true => others[at],
                false => Flag::NAMES[at - others.len()],
            };
            at += 1;
        }
        known
    };
    let mut given = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
    let mut flags = Vec::new();
    for flag in Flag::ALL {
        if let Some(value) = given.remove(flag.name()) {
            let on = Option::<bool>::deserialize(value).map_err(D::Error::custom)?;
            flags.extend(on.map(|on| (flag, on)));
        }
    }
    match given.keys().next() {
        Some(unknown) => Err(D::Error::unknown_field(unknown, &KNOWN)),
        None => Ok(flags),
    }
}

/// When a status ends: Unix time in milliseconds, or a text such as `14:30`, `30m`, `for 30m`
/// or `until 14:30`.
#[derive(Deserialize)]
#[serde(untagged)]
enum RequestedEnd {
    At(u64),
    Text(String),
    Other(serde_json::Value),
}

fn wrong_until(given: &str) -> String {
    format!(
        "until is {given}, expected Unix time in milliseconds, a time of day such as \"14:30\" or \
         a length of time such as \"30m\""
    )
}

impl RequestedEnd {
    fn time(&self, clock: &Clock<'_>) -> Result<Time, String> {
        match self {
            RequestedEnd::At(millis) => Ok(Time::from_millis(*millis)),
            RequestedEnd::Text(text) => match ending::time_of_day(text) {
                Ok(minutes) => Ok(clock.next(minutes)),
                Err(_) => assignment::in_words(text, clock)
                    .unwrap_or_else(|| Err(wrong_until(&format!("'{}'", quoted(text))))),
            },
            RequestedEnd::Other(given) => Err(wrong_until(&given.to_string())),
        }
    }
}

impl PresenceUpdate {
    /// Sets all of it, or nothing where something is wrong.
    fn carry_out(&self, user: &str) -> Result<(), String> {
        let dnd = self.dnd_status.as_deref().map(DndStatus::parse);
        let dnd = dnd.transpose()?;
        let text = |text: &'_ Option<String>| text.clone().unwrap_or_default();
        let (subtype, message) = (text(&self.subtype), text(&self.message));
        const HIDES: (Flag, bool) = (Flag::AllowSeeMyPresence, false);
        let hide = || match self.flags.contains(&HIDES) {
            true => store::change_user(user, |user| Change::Flag(user, HIDES.0, HIDES.1)).map(drop),
            false => Ok(()),
        };
        if let Some(status) = &self.status {
            let parts = Parts {
                status,
                subtype: &subtype,
                message: &message,
                options: "",
            };
            // Known to be right before anything is done.
            let choice = store::choice(user, |statuses, clock| {
                let until = self.until.as_ref().map(|until| until.time(clock));
                let choice = parts.choice(statuses, clock)?;
                choice.ending(until.transpose()?, clock.now)
            })?;
            hide()?;
            store::set_status(user, |_, _| Ok(choice))?;
        } else if self.until.is_some() || self.subtype.is_some() {
            return Err("subtype and until belong to a status, which is missing".into());
        } else if let Some(message) = &self.message {
            // Known to be right before anything is done.
            let right = store::read(|world| {
                let user = Query::find(world, user)?;
                world.with_message(user, message, Time::now()).map(drop)
            });
            right.ok_or(store::NOT_RUNNING)??;
            hide()?;
            store::set_message(user, message)?;
        }
        // Before anything else that others would see, and then nothing to be done again.
        hide()?;
        if let Some(takes) = dnd {
            store::change_user(user, |user| Change::DndStatus(user, takes))?;
        }
        for (flag, on) in self.flags.iter().copied().filter(|flag| *flag != HIDES) {
            store::change_user(user, |user| Change::Flag(user, flag, on))?;
        }
        Ok(())
    }
}

/// `PUT v1/account/{id}/extension/{ext}/presence`
///
/// Setting is possible for a user who is hidden too, or nobody but that user could end it.
/// The answer tells nothing of them then.
pub fn put(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    let answer = || {
        let may_know = |name: &str| caller.may_set(name) || sees(caller, name);
        let name = user(request, caller, may_know)?;
        if !caller.may_set(&name) {
            let why = "You may set your own presence only, and no other.";
            return Err(error(403, "role", why));
        }
        let update: PresenceUpdate = read_body(request)?;
        update
            .carry_out(&name)
            .map_err(|why| error(400, "body", &sentence(&why)))?;
        // Looked at together: who hides just now is not shown.
        let record = record(&name).ok_or_else(going)?;
        Ok(
            match may_see(caller, &name, record.flags.get(Flag::AllowSeeMyPresence)) {
                true => json(&record),
                false => no_content(),
            },
        )
    };
    answer().unwrap_or_else(|refusal| refusal)
}

/// Messages of ours begin small and have no full stop: they stand after a place.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}
