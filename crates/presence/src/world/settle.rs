//! The settle time: after a user is published, further changes within this time become one
//! publish of the last presence. Transitions are not affected.

use std::time::Duration;

use super::{Effect, World};
use crate::directory::UserId;
use crate::model::state::Presence;
use crate::model::time::Time;

#[derive(Debug)]
pub(super) struct Settling {
    published: Presence,
}

impl World {
    /// Whether the user's new outcome is published at once. Starts the settle time if so.
    pub(super) fn publish_now(&mut self, user: UserId, now: Time) -> bool {
        let settle = self.directory.settings.settle;
        if self.publishing_held {
            return false;
        }
        if settle == 0 {
            return true;
        }
        if self.settling.contains_key(&user) {
            return false;
        }
        let until = now.after(Duration::from_millis(settle.into()));
        let published = self.outcome(user).presence.clone();
        self.settling.insert(user, Settling { published });
        self.due.push_back((until, user));
        true
    }

    /// Whether this presence of the user still waits to be published.
    pub(super) fn is_unpublished(&self, user: UserId, present: &Presence) -> bool {
        let settling = self.settling.get(&user);
        settling.is_some_and(|settling| settling.published != *present)
    }

    /// Whether Asterisk may show this presence for the user: the one published last, which stays
    /// until the settle time ends, or the present one. Unlike [`World::ask_presence`] it is no
    /// sign that anything watches the user.
    pub fn may_show(&self, user: UserId, presence: &Presence) -> bool {
        if self.withdrawn {
            return *presence == Presence::default();
        }
        let settling = self.settling.get(&user);
        settling.is_some_and(|settling| settling.published == *presence)
            || self.outcome(user).presence == *presence
    }

    /// Holds publishing back, or resumes it. During a load nothing is published; its end
    /// publishes the differences.
    pub fn hold_publishing(&mut self, held: bool) {
        self.publishing_held = held;
    }

    /// Returns the presences that are due to be published, and when to call again.
    pub fn publish_settled(&mut self, now: Time) -> (Vec<Effect>, Option<Time>) {
        // All users wait equally long, so they are due in the order in which they started. A
        // time further ahead than the settle time is from before the clock was set back.
        let longest = now.after(Duration::from_millis(self.directory.settings.settle.into()));
        let mut effects = Vec::new();
        while let Some(&(until, user)) = self.due.front() {
            if until > now && until <= longest {
                break;
            }
            self.due.pop_front();
            let settling = self.settling.remove(&user);
            let present = self.outcome(user).presence.clone();
            if settling.is_some_and(|settling| settling.published != present) {
                self.publish_now(user, now);
                let name = self.directory.get(user).name.clone();
                effects.push(Effect::Publish(name, present));
            }
        }
        (effects, self.due.front().map(|(until, _)| *until))
    }
}
