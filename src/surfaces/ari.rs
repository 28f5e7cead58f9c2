//! ARI: `GET` and `PUT` of `/ari/userPresence`, and the event source `userPresence:`. ARI's own
//! users see the users that everyone may see; those that are not read-only may set every user, as
//! over AMI.

use std::ffi::CStr;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::runtime::applications::SubscriptionTo;
use crate::runtime::update::{PresenceUpdate, sentence};
use crate::runtime::{self, store};
use asterisk::ari::{AriReply, AriRequest, Resource};
use asterisk::stasis_app::{AppEventSource, Which};
use presence::account::{FullRecord, ListQuery, Record};
use presence::directory::{Directory, Unclear, UserId};
use presence::model::flags::Flag;
use presence::model::text::quoted;
use presence::model::visibility::Viewer;
use presence::views::fields::Query;
use presence::world::World;

/// `/ari/userPresence`
pub struct UserPresenceResource;

/// The number of users read under one lock.
const BATCH: usize = 256;

/// ARI's own parameters, which every request may have.
const OF_ARI: [&str; 2] = ["api_key", "app"];

fn not_running() -> AriReply {
    AriReply::Unavailable("The module is not running.".into())
}

/// The parameters of the query that are not ARI's own. An empty one is none.
///
/// # Errors
/// Answers 400 if the query is not UTF-8.
fn parameters<'a>(request: &AriRequest<'a>) -> Result<Vec<(&'a str, &'a str)>, AriReply> {
    let pairs: Option<Vec<_>> = request.query().collect();
    let mut pairs = pairs.ok_or_else(|| AriReply::BadRequest("The query is not UTF-8.".into()))?;
    pairs.retain(|pair| *pair != ("", "") && !OF_ARI.contains(&pair.0));
    Ok(pairs)
}

/// Whom a list is about, at one moment.
struct Selected {
    directory: Arc<Directory>,
    users: Vec<UserId>,
}

impl Selected {
    /// The users with these names, ids or extensions, or all users; of one account or of all.
    ///
    /// # Errors
    /// Answers 404 if there is no such account, 400 if there is no such user in it.
    fn of(account: Option<&str>, wanted: &[String]) -> Result<Self, AriReply> {
        let directory = store::read(|world| world.directory().clone()).ok_or_else(not_running)?;
        let account = match account {
            None => None,
            Some(name) => Some(directory.account_named(name).ok_or_else(|| {
                AriReply::NotFound(format!("There is no account '{}'.", quoted(name)))
            })?),
        };
        let mut users = Vec::new();
        for name in wanted {
            let user = match account {
                Some(account) => directory.member(account, name),
                None => directory.find(name).ok(),
            };
            let sees = |user: &UserId| {
                store::read(|world| {
                    let same = Arc::ptr_eq(world.directory(), &directory);
                    same && world.may_see(&Viewer::ANYONE, *user)
                })
            };
            let Some(user) = user.filter(|user| sees(user) == Some(true)) else {
                let name = quoted(name);
                let why = format!("'{name}' is not the name, id or extension of one user.");
                return Err(AriReply::BadRequest(why));
            };
            if !users.contains(&user) {
                users.push(user);
            }
        }
        if wanted.is_empty() {
            users = match account {
                Some(account) => directory.members(account).to_vec(),
                None => directory.users().map(|(id, _)| id).collect(),
            };
        }
        Ok(Selected { directory, users })
    }

    /// A page of the users that the query selects; `None` if a reload comes in between.
    fn page(&self, query: &ListQuery) -> Option<Vec<FullRecord>> {
        let mut skip = (query.page - 1).saturating_mul(query.per_page);
        let mut page = Vec::new();
        for batch in self.users.chunks(BATCH) {
            let look = |world: &World| {
                if !Arc::ptr_eq(world.directory(), &self.directory) {
                    return None;
                }
                for id in batch.iter().copied() {
                    if page.len() as u64 == query.per_page {
                        break;
                    }
                    if !world.may_see(&Viewer::ANYONE, id) || !query.wants(world, id) {
                        continue;
                    }
                    if query.text.is_empty() && skip > 0 {
                        skip -= 1;
                        continue;
                    }
                    let record = Record::of(world, id);
                    if !query.text.is_empty() && !query.wants_text(&record) {
                        continue;
                    }
                    match skip {
                        0 => page.push(record.full(world, id)),
                        _ => skip -= 1,
                    }
                }
                Some(())
            };
            store::read(look).flatten()?;
            if page.len() as u64 == query.per_page {
                break;
            }
        }
        Some(page)
    }
}

fn list(request: &AriRequest<'_>) -> Result<AriReply, AriReply> {
    /// The number of attempts: a reload in between starts the list again.
    const PATIENCE: usize = 3;
    let mut pairs = parameters(request)?;
    let account = pairs.iter().position(|(name, _)| *name == "account");
    let account = account.map(|at| pairs.remove(at).1);
    let query = ListQuery::parse(&pairs).map_err(|why| {
        // The account is a parameter here.
        AriReply::BadRequest(why.replace("expected page, ", "expected account, page, "))
    })?;
    for _ in 0..PATIENCE {
        let selected = Selected::of(account, &query.extensions)?;
        if let Some(page) = selected.page(&query) {
            return Ok(AriReply::Ok(
                serde_json::to_string(&page).unwrap_or_default(),
            ));
        }
    }
    Err(not_running())
}

/// Runs `look` with the user of that name, id or extension.
///
/// # Errors
/// Answers 404 if there is no such user, 400 if there are several.
fn with_user<T>(name: &str, look: impl FnOnce(&World, UserId) -> T) -> Result<T, AriReply> {
    let found = store::read(|world| match Query::find(world, name) {
        Ok(user) => Ok(look(world, user)),
        Err(why) => Err(match world.directory().find(name) {
            Err(Unclear::Several(users)) => {
                let is_seen = |user: &Arc<str>| {
                    let user = world.directory().user(user);
                    user.is_some_and(|user| world.may_see(&Viewer::ANYONE, user))
                };
                AriReply::BadRequest(match users.iter().all(is_seen) {
                    true => sentence(&why),
                    // Hidden users are not named.
                    false => format!(
                        "'{}' is the id or an extension of several users, expected the name of one.",
                        quoted(name)
                    ),
                })
            }
            _ => AriReply::NotFound(sentence(&why)),
        }),
    });
    found.ok_or_else(not_running)?
}

fn get(request: &AriRequest<'_>, name: &str) -> Result<AriReply, AriReply> {
    if let Some((unknown, _)) = parameters(request)?.first() {
        let why = format!("Unknown parameter '{}', expected none.", quoted(unknown));
        return Err(AriReply::BadRequest(why));
    }
    let record = with_user(name, |world, id| {
        let sees = world.may_see(&Viewer::ANYONE, id);
        sees.then(|| FullRecord::of(world, id))
    })?;
    match record {
        Some(record) => Ok(AriReply::Ok(record.json())),
        // The same answer as for a user who does not exist.
        None => Err(AriReply::NotFound(sentence(&World::unknown_user(name)))),
    }
}

/// The parameters of a `PUT` as a JSON object. Like the resources of Asterisk, it takes them
/// from the query and from the body, which precedes.
fn wish(request: &AriRequest<'_>) -> Result<Map<String, Value>, AriReply> {
    let mut wish = Map::new();
    for (name, value) in parameters(request)? {
        let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let flag = Flag::ALL.into_iter().find(|flag| flag.name() == name);
        let given = match (name, flag) {
            (_, Some(flag)) => {
                let on = flag.parse_value(value);
                Value::Bool(on.map_err(|why| AriReply::BadRequest(sentence(&why)))?)
            }
            ("until", None) if is_number => value.parse::<u64>().map_or(value.into(), Value::from),
            _ => value.into(),
        };
        if wish.insert(name.to_owned(), given).is_some() {
            let why = format!("The parameter '{}' is given twice.", quoted(name));
            return Err(AriReply::BadRequest(why));
        }
    }
    match request.body().map(serde_json::from_str) {
        None => {}
        Some(Ok(Value::Object(body))) => wish.extend(body),
        Some(_) => {
            return Err(AriReply::BadRequest(
                "The body is not a JSON object.".into(),
            ));
        }
    }
    // A body may repeat what `res_ari` itself takes from it.
    OF_ARI.iter().for_each(|name| drop(wish.remove(*name)));
    Ok(wish)
}

fn put(request: &AriRequest<'_>, name: &str) -> Result<AriReply, AriReply> {
    crate::trip("ari");
    let user = with_user(name, |world, id| world.directory().get(id).name.clone())?;
    let wish = wish(request)?;
    if wish.is_empty() {
        let why = "Nothing to set, expected status, subtype, message, until, dndStatus or a flag.";
        return Err(AriReply::BadRequest(why.into()));
    }
    let update: PresenceUpdate = serde_json::from_value(Value::Object(wish))
        .map_err(|why| AriReply::BadRequest(sentence(&why.to_string())))?;
    match update.carry_out(&user) {
        Ok(()) => Ok(AriReply::NoContent),
        Err(why) if why == runtime::NOT_RUNNING => Err(not_running()),
        Err(why) => Err(AriReply::BadRequest(sentence(&why))),
    }
}

impl Resource for UserPresenceResource {
    const ROOT: &'static CStr = c"userPresence";
    const CHILD: &'static CStr = c"user";

    fn list(request: &AriRequest<'_>) -> AriReply {
        list(request).unwrap_or_else(|refusal| refusal)
    }

    fn get(request: &AriRequest<'_>, name: &str) -> AriReply {
        get(request, name).unwrap_or_else(|refusal| refusal)
    }

    fn put(request: &AriRequest<'_>, name: &str) -> AriReply {
        put(request, name).unwrap_or_else(|refusal| refusal)
    }
}

/// `userPresence:{user}`, and `userPresence:` for all users.
pub struct UserPresenceEvents;

/// The name of a user; the given text if there is no such user any more.
fn name_of(user: &str) -> Arc<str> {
    store::name_of(user).unwrap_or_else(|_| user.into())
}

impl AppEventSource for UserPresenceEvents {
    const SCHEME: &'static CStr = c"userPresence:";
    const MEMBER: &'static CStr = c"userpresence_names";

    fn find(id: &str) -> Option<String> {
        store::name_of(id).ok().map(|name| name.to_string())
    }

    fn subscribe(application: &str, name: Option<&str>) {
        let applications = &runtime::kept().applications;
        applications.subscribe(application, name.map(Arc::from));
    }

    fn unsubscribe(application: &str, subscription: Which<'_>) {
        let applications = &runtime::kept().applications;
        match subscription {
            Which::Any => applications.unsubscribe(application, SubscriptionTo::Any),
            Which::Everything => applications.unsubscribe(application, SubscriptionTo::Everyone),
            Which::Id(id) => {
                let name = name_of(id);
                applications.unsubscribe(application, SubscriptionTo::User(&name));
            }
        }
    }

    fn is_subscribed(application: &str, subscription: Which<'_>) -> bool {
        let applications = &runtime::kept().applications;
        match subscription {
            Which::Any => applications.is_subscribed(application, SubscriptionTo::Any),
            Which::Everything => applications.is_subscribed(application, SubscriptionTo::Everyone),
            Which::Id(id) => {
                let name = name_of(id);
                applications.is_subscribed(application, SubscriptionTo::User(&name))
            }
        }
    }

    fn names(application: &str) -> Vec<String> {
        runtime::kept().applications.names(application)
    }
}
