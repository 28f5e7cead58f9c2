//! The board's logins: a session over HTTP of a person or of a user's API user counts as a
//! panel, from its login to its logout or end, however its streams come and go.

use std::sync::Arc;
use std::time::Duration;

use super::signed_in::{PanelStep, SessionKey};
use crate::runtime::Runtime;
use presence::Time;
use presence::config::ApiUser;
use presence::world::{Change, Effect, World};

impl Runtime {
    /// A session is in use: it counts, unless it does already or its logout came in between,
    /// which `holds` tells. No lock may be held.
    pub fn begin_panel(&self, key: &SessionKey, who: &Arc<ApiUser>, holds: impl FnOnce() -> bool) {
        let Some(user) = who.caller.user.as_ref() else {
            return;
        };
        let signed_in = &self.sessions.signed_in;
        if signed_in.lock().has(key) {
            return;
        }
        // Counted before it is there: a logout that comes in between finds nothing to undo.
        self.take_steps([PanelStep::In(user.clone())]);
        let steps = signed_in.lock().add(key, who);
        let mut steps = steps.into_iter();
        match steps.next() {
            None => self.take_steps([PanelStep::Out(user.clone())]),
            // Done above.
            Some(_) => self.take_steps(steps),
        }
        if !holds() {
            self.end_panel(key);
        }
        // It ends by itself some day.
        self.wake_persister(false);
    }

    /// A session is over. No lock may be held.
    pub fn end_panel(&self, key: &SessionKey) {
        let step = self.sessions.signed_in.lock().remove(key);
        self.take_steps(step);
    }

    /// Logs out the users whose session is over by now, or invalid in this configuration;
    /// returns when to look again. For the persister.
    pub(in crate::runtime) fn end_sessions(&self) -> Option<Time> {
        let logins = self.logins()?;
        // Sessions go by the system's clock: their tokens are this server's alone.
        let now = Time::now();
        let (steps, next) = {
            let mut sessions = self.sessions.signed_in.lock();
            (sessions.over(&logins, now), sessions.next())
        };
        for step in steps {
            self.update_always(|world, now| ((), apply(world, &step, now)));
        }
        let left = |next: Time| Duration::from_micros(next.micros().saturating_sub(now.micros()));
        next.map(|next| self.now().after(left(next)))
    }

    fn take_steps(&self, steps: impl IntoIterator<Item = PanelStep>) {
        for step in steps {
            self.update(|world, now| ((), apply(world, &step, now)));
        }
    }
}

fn apply(world: &mut World, step: &PanelStep, now: Time) -> Vec<Effect> {
    match step {
        PanelStep::In(user) => match world.directory().user(user) {
            Some(user) => world.apply(&Change::LoggedIn(user), now),
            None => Vec::new(),
        },
        PanelStep::Out(user) => world.apply(&Change::LoggedOut(user), now),
    }
}
