//! A user's present state as a transition, for a reader that knows nothing newer of them.

use std::sync::Arc;

use super::{Transition, World};
use crate::directory::UserId;
use crate::model::details::{Detail, Details};
use crate::model::state::Presence;
use crate::model::status::StatusType;
use crate::model::visibility::Visibility;

impl World {
    /// The user as they are, with the number of their last transition, as a transition in which
    /// every detail may have changed.
    pub fn present(&self, user: UserId) -> Transition {
        let all: Details = Detail::ALL.into_iter().collect();
        let old = (
            self.outcome(user).presence.clone(),
            self.status(user).cloned(),
            self.visibility(user),
        );
        self.transition_from(user, old, all.with_visibility(true))
    }

    /// The transition to the present state of a user, from the presence, the status type and the
    /// visibility before.
    pub(super) fn transition_from(
        &self,
        user: UserId,
        (old, old_status, old_visibility): (Presence, Option<Arc<StatusType>>, Visibility),
        changed: Details,
    ) -> Transition {
        let spec = self.directory.get(user);
        let outcome = self.outcome(user);
        let name = spec.name.clone();
        Transition {
            old,
            new: outcome.presence.clone(),
            old_status,
            status: self.status(user).cloned(),
            dnd_status: self.dnd_status(user),
            flags: self.flags(user),
            activity: self.activity(user),
            visibility: self.visibility(user),
            old_visibility,
            groups: spec.groups.clone(),
            contact: spec.contact.clone(),
            changed,
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
