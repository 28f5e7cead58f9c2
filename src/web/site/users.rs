//! Presence as JSON: the list of an account, and one user.

mod members;
mod update;

use std::sync::Arc;

use serde::Serialize;

use super::{HttpCaller, Reply, Request, account, error, read_json};
use crate::runtime::store;
pub use members::{Members, Reloaded, may_see, pairs, records};
use presence::account::{EventId, ListQuery, Record};
use presence::world::World;
pub use update::put;

/// The number of users read under one lock.
const BATCH: usize = 256;
/// The number of users read under one lock where only their flags are needed.
const BATCH_OF_FLAGS: usize = 8192;

pub(super) fn going() -> Reply {
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
#[serde(rename_all = "camelCase")]
struct PresencePage {
    records: Vec<Record>,
    paging: Paging,
    sequence: u64,
    /// The number as a reader of the feed gives it, where it is not the number alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event_id: Option<String>,
}

/// `GET v1/account/{id}/presence`
pub fn list(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    /// The number of attempts: a reload in between starts the list again.
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

/// One page of the users that the caller may see and that the query selects. All of them are
/// counted, because the answer contains the number of pages. Records are built for the users
/// of the page only, or for all users if the query searches for a text.
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
    for batch in members.users.chunks(batch) {
        let look = |world: &World| {
            if !Arc::ptr_eq(world.directory(), &members.directory) {
                return None;
            }
            let viewer = world.viewer(caller);
            for id in batch {
                if !world.may_see(&viewer, *id) || !query.wants(world, *id) {
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
    let settings = &members.directory.settings;
    Ok(PresencePage {
        records: page,
        paging: Paging {
            page: query.page,
            per_page: query.per_page,
            total_pages: count.div_ceil(query.per_page),
            total_elements: count,
        },
        sequence: members.sequence,
        last_event_id: settings
            .cluster
            .is_some()
            .then(|| EventId::here(settings, members.sequence).to_string()),
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

/// The name of the user in the path of a request, `v1/account/{id}/extension/{ext}`.
///
/// # Errors
/// Answers 404 if there is no such user, or `may_know` refuses.
pub fn user(
    request: &Request<'_>,
    caller: &HttpCaller,
    may_know: impl Fn(&str) -> bool,
) -> Result<Arc<str>, Reply> {
    let account = account(request, caller)?;
    let nobody = || error(404, "not_found", "There is no such extension.");
    let found = store::read(|world| {
        let directory = world.directory();
        let account = directory.account_named(&account)?;
        let id = match super::segment(request, 4).as_str() {
            // By name only: the id or extension of another user may be the same text.
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
    let found = user(request, caller, |name| may_see(caller, name));
    let record = found.map(|name| record(&name));
    match record {
        Ok(Some(record)) => read_json(request, &record),
        Ok(None) => going(),
        Err(refusal) => refusal,
    }
}
