//! The settle time: after a publish of a user, further changes within it become one
//! publish of the last. Transitions are not touched by it.

use std::time::Duration;

use super::{Effect, World};
use crate::presence::directory::UserId;
use crate::presence::state::Presence;
use crate::presence::time::Time;

#[derive(Debug)]
pub(super) struct Settling {
    until: Time,
    published: Presence,
}

impl World {
    /// Whether a change of this user, already combined, is published at once.
    pub(super) fn publish_now(&mut self, user: UserId, now: Time) -> bool {
        let settle = self.directory.settings.settle;
        if self.held {
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
        self.settling.insert(user, Settling { until, published });
        true
    }

    /// Whether publishes are held back: at a load everyone is published once, at its
    /// end.
    pub fn hold_publishing(&mut self, held: bool) {
        self.held = held;
    }

    /// What became due to be published, and when to ask again.
    pub fn settled(&mut self, now: Time) -> (Vec<Effect>, Option<Time>) {
        let due: Vec<UserId> = self
            .settling
            .iter()
            .filter(|(_, settling)| settling.until <= now)
            .map(|(user, _)| *user)
            .collect();
        let mut effects = Vec::new();
        for user in due {
            let settling = self.settling.remove(&user);
            let present = self.outcome(user).presence.clone();
            if settling.is_some_and(|settling| settling.published != present) {
                self.publish_now(user, now);
                effects.push(Effect::Publish(
                    self.directory.get(user).name.clone(),
                    present,
                ));
            }
        }
        let next = self.settling.values().map(|settling| settling.until).min();
        (effects, next)
    }
}
