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
        match self.own_visibility(user) {
            Some(own) => (own, VisibilityOrigin::Own),
            None => {
                let rule = &self.directory.get(user).rule;
                (rule.visibility, VisibilityOrigin::Administrator)
            }
        }
    }

    /// The user's own setting, if the user may set it.
    fn own_visibility(&self, user: UserId) -> Option<Visibility> {
        let own = self.own_settings(user)?.visibility();
        let rights = &self.directory.get(user).rule.own_rights;
        own.filter(|_| rights.may_set(OwnArea::Visibility))
    }

    /// Who may see the user's presence as it is set, apart from the flag: by the user, otherwise
    /// by the administrator.
    pub fn configured_visibility(&self, user: UserId) -> Visibility {
        let administrator = || self.directory.get(user).rule.visibility;
        self.own_visibility(user).unwrap_or_else(administrator)
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
