//! The users of an account that a caller may see.

use std::sync::Arc;

use super::{BATCH, going};
use crate::runtime::store;
use crate::web::access::HttpCaller;
use crate::web::site::{Reply, Request, error};
use presence::account::Record;
use presence::directory::{AccountId, Directory, UserId};
use presence::model::text::quoted;
use presence::world::World;

/// The names and values of the query.
///
/// # Errors
/// Answers 400 if the query is not UTF-8.
pub fn pairs<'a>(request: &Request<'a>) -> Result<Vec<(&'a str, &'a str)>, Reply> {
    let pairs: Option<Vec<_>> = request.query().collect();
    pairs.ok_or_else(|| error(400, "query", "The query is not UTF-8."))
}

/// Whether the caller may see the user of that name now.
pub fn may_see(caller: &HttpCaller, user: &str) -> bool {
    let sees = store::read(|world| {
        let id = world.directory().user(user)?;
        Some(world.may_see(&world.viewer(caller), id))
    });
    sees.flatten().unwrap_or(false)
}

/// A reload came in between, and the users are not the same any more.
pub struct Reloaded;

/// Passes `visit` the records of the users that the caller may see. The lock is released
/// between batches; a change in between is in the later records or in the events that follow.
///
/// # Errors
/// [`Reloaded`] if a reload comes in between.
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
            let viewer = world.viewer(caller);
            let seen = batch.iter().filter(|id| world.may_see(&viewer, **id));
            let records = seen.map(|id| Record::of(world, *id));
            Some(records.collect::<Vec<_>>())
        };
        let found = store::read(look).flatten().ok_or(Reloaded)?;
        found.into_iter().for_each(&mut visit);
    }
    Ok(())
}

/// An account at one moment.
pub struct Members {
    /// The directory of that moment.
    pub directory: Arc<Directory>,
    /// The selected users.
    pub users: Vec<UserId>,
    /// The number of the account's last event.
    pub sequence: u64,
}

impl Members {
    /// The account's users with these ids, names or extensions; all users if `wanted` is
    /// empty.
    ///
    /// # Errors
    /// Answers 400 with the first one that does not exist or is not visible to the caller, 503
    /// if the module is not running.
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
            let sees = store::read(|world| {
                let same = Arc::ptr_eq(world.directory(), directory);
                same && world.may_see(&world.viewer(caller), *id)
            });
            sees == Some(true)
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
