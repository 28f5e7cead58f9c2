//! Who may see whom: visibility, from the configuration, the user's own setting and the flag
//! `allowSeeMyPresence`.

use super::World;
use crate::directory::UserId;
use crate::model::flags::Flag;
use crate::model::own_rights::OwnArea;
use crate::model::principal::Principal;
use crate::model::visibility::{Seen, Viewer, Visibility, VisibilityOrigin};

impl World {
    /// Who may see the user's presence now: see [`World::visibility_origin`].
    pub fn visibility(&self, user: UserId) -> Visibility {
        self.users[user.index()].visibility
    }

    /// Who may see the user's presence, and what decides it: nobody while the flag
    /// `allowSeeMyPresence` is off, otherwise the user's own setting, otherwise the
    /// administrator's option. A setting of an area that the user may set no more has no effect.
    pub fn visibility_origin(&self, user: UserId) -> (Visibility, VisibilityOrigin) {
        if !self.flags(user).get(Flag::AllowSeeMyPresence) {
            return (Visibility::Nobody, VisibilityOrigin::Flag);
        }
        let rule = &self.directory.get(user).rule;
        let own = self
            .own_settings(user)
            .and_then(|settings| settings.visibility());
        match own.filter(|_| rule.own_rights.may_set(OwnArea::Visibility)) {
            Some(own) => (own, VisibilityOrigin::Own),
            None => (rule.visibility, VisibilityOrigin::Administrator),
        }
    }

    /// Brings [`World::visibility`] in line after a change of what decides it.
    pub(super) fn update_visibility(&mut self, user: UserId) {
        let (visibility, _) = self.visibility_origin(user);
        self.users[user.index()].visibility = visibility;
    }

    /// The reader behind an identity, with the groups that its user has now.
    pub fn viewer(&self, principal: &Principal) -> Viewer {
        let user = principal.user.as_deref();
        let user = user.and_then(|name| self.directory.user(name));
        let user = user.map(|id| self.directory.get(id));
        Viewer {
            sees_all: principal.sees_all,
            user: user.map(|user| user.name.clone()),
            account: user.map(|user| self.directory.account(user.account).clone()),
            groups: user.and_then(|user| user.groups.clone()),
        }
    }

    /// Whether the reader may see the user now.
    pub fn may_see(&self, viewer: &Viewer, target: UserId) -> bool {
        let user = self.directory.get(target);
        viewer.may_see(Seen {
            user: &user.name,
            account: self.directory.account(user.account),
            visibility: self.visibility(target),
            groups: &user.groups,
        })
    }
}
