//! A user's present state as a transition, for a reader that knows nothing newer of them.

use std::sync::Arc;

use super::{Transition, World};
use crate::directory::UserId;
use crate::model::details::{Detail, Details};

impl World {
    /// The user as they are, with the number of their last transition, as a transition in which
    /// every detail may have changed.
    pub fn present(&self, user: UserId) -> Transition {
        let all: Details = Detail::ALL.into_iter().collect();
        let spec = self.directory.get(user);
        let outcome = self.outcome(user);
        let status = self.status(user);
        let name = spec.name.clone();
        Transition {
            old: outcome.presence.clone(),
            new: outcome.presence.clone(),
            old_status: status.cloned(),
            status: status.cloned(),
            dnd_status: self.dnd_status(user),
            flags: self.flags(user),
            activity: self.activity(user),
            visibility: self.visibility(user),
            old_visibility: self.visibility(user),
            groups: spec.groups.clone(),
            contact: spec.contact.clone(),
            changed: all.with_visibility(true),
            id: spec.id.as_deref().map_or_else(|| name.clone(), Arc::from),
            user: name,
            source: self.shared_winner(user),
            reason: outcome.reason,
            method: spec.rule.method,
            since: outcome.since,
            until: outcome.until,
            chosen: self.chosen(user).clone(),
            inferred: self.inferred(user).cloned(),
            decisions: None,
            account: self.directory.account(spec.account).clone(),
            sequence: self.sequence(user),
            publish: false,
            origin: false,
        }
    }
}
