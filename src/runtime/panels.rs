//! The board's logins: a session over HTTP whose API user stands for a user counts as a
//! panel, from its login to its logout or end. Its streams come and go as they like.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::runtime::persister;
use crate::runtime::store;
use crate::web::access::session::Token;
use crate::web::access::signed_in::{SignedIn, Step};
use presence::Time;
use presence::config::ApiUser;
use presence::world::{Change, Effect, World};

/// Forgotten with the module: the next load logs out those who were logged in.
static SIGNED_IN: Mutex<SignedIn> = Mutex::new(SignedIn::NONE);

/// Forgets all sessions.
pub fn forget() {
    *SIGNED_IN.lock() = SignedIn::NONE;
}

/// A session is in use: it counts, unless it does already or its logout came in between,
/// which `holds` tells. Hold no lock.
pub fn begin(token: &Token<'_>, who: &Arc<ApiUser>, holds: impl FnOnce() -> bool) {
    let Some(user) = who.caller.user.as_ref() else {
        return;
    };
    if SIGNED_IN.lock().has(token) {
        return;
    }
    // Counted before it is there: a logout that comes in between finds nothing to take back.
    carry_out([Step::In(user.clone())]);
    let steps = SIGNED_IN.lock().add(token, who);
    let mut steps = steps.into_iter();
    match steps.next() {
        None => carry_out([Step::Out(user.clone())]),
        // Done above.
        Some(_) => carry_out(steps),
    }
    if !holds() {
        end(token);
    }
    // It ends by itself some day.
    persister::wake(false);
}

/// A session is over. Hold no lock.
pub fn end(token: &Token<'_>) {
    let step = SIGNED_IN.lock().remove(token);
    carry_out(step);
}

/// Logs out those whose session is over by now, or holds no more in this configuration;
/// says when to look again. For the keeper.
pub fn over(now: Time) -> Option<Time> {
    let http = store::read(|world| world.directory().settings.http.clone())?;
    let (steps, next) = {
        let mut sessions = SIGNED_IN.lock();
        (sessions.over(&http, now), sessions.next())
    };
    for step in steps {
        store::update_always(|world, now| ((), apply(world, &step, now)));
    }
    next
}

fn carry_out(steps: impl IntoIterator<Item = Step>) {
    for step in steps {
        store::update(|world, now| ((), apply(world, &step, now)));
    }
}

fn apply(world: &mut World, step: &Step, now: Time) -> Vec<Effect> {
    match step {
        Step::In(user) => match world.directory().user(user) {
            Some(user) => world.apply(&Change::LoggedIn(user), now),
            None => Vec::new(),
        },
        Step::Out(user) => world.apply(&Change::LoggedOut(user), now),
    }
}
