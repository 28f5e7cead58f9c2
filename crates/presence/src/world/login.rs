//! The statuses that are set by the login and logout of a panel, and by the registration of
//! a device and its end.

use std::sync::Arc;

use super::own::ChosenBy;
use super::{Effect, World};
use crate::directory::UserId;
use crate::model::assignment::Choice;
use crate::model::own_settings::UserSetting;
use crate::model::status::StatusType;
use crate::model::time::Time;

impl World {
    pub(super) fn logged_in(&mut self, user: UserId, now: Time) -> Vec<Effect> {
        let name = self.directory.get(user).name.to_ascii_lowercase();
        let panels = self.panels.entry(name.clone()).or_default();
        *panels += 1;
        let first = *panels == 1 && self.note_panels(&name);
        self.note_panel(user, true);
        let status = self.login_status(user, UserSetting::LoginStatus).cloned();
        let set = status.filter(|_| first).map(|status| (user, status));
        self.set_by_login(set, now)
    }

    pub(super) fn logged_out(&mut self, name: &str, now: Time) -> Vec<Effect> {
        let name = name.to_ascii_lowercase();
        let Some(panels) = self.panels.get_mut(&name) else {
            // The panel logged in before the module was loaded.
            return Vec::new();
        };
        *panels -= 1;
        if *panels > 0 {
            return Vec::new();
        }
        self.panels.remove(&name);
        let last = self.note_panels(&name);
        match self.directory.user(&name) {
            Some(user) => self.last_logged_out(user, last, now),
            None => Vec::new(),
        }
    }

    /// The last panel here has logged out; `last` if it was the last one on all nodes.
    fn last_logged_out(&mut self, user: UserId, last: bool, now: Time) -> Vec<Effect> {
        self.note_panel(user, false);
        if !last {
            return Vec::new();
        }
        let status = self.login_status(user, UserSetting::LogoutStatus).cloned();
        self.set_by_login(status.map(|status| (user, status)), now)
    }

    fn note_panel(&mut self, user: UserId, there: bool) {
        if self.users[user.index()].panel != there {
            self.users[user.index()].panel = there;
            self.mark_user(user);
        }
    }

    /// Logs out users whose panels were logged in before the load: those sessions have ended
    /// or are unknown. A node of a cluster first has to know the panels on the others.
    pub fn log_out_stale_panels(&mut self, now: Time) -> Vec<Effect> {
        if self.waits_with_stale_panels() {
            return Vec::new();
        }
        let directory = self.directory.clone();
        let mut effects = Vec::new();
        for (user, spec) in directory.users() {
            if !self.users[user.index()].panel {
                continue;
            }
            let name = spec.name.to_ascii_lowercase();
            if !self.panels.contains_key(&name) {
                let last = self.panels_elsewhere(&name) == 0;
                effects.extend(self.last_logged_out(user, last, now));
            }
        }
        effects
    }

    /// The number of panels on which the user is logged in.
    pub fn panels(&self, user: UserId) -> u32 {
        let name = self.directory.get(user).name.to_ascii_lowercase();
        let here = self.panels.get(&name).copied().unwrap_or_default();
        here + self.panels_elsewhere(&name)
    }

    /// Sets these statuses, except where one would replace a status chosen by hand and
    /// `login_overrides` is not set.
    pub(super) fn set_by_login(
        &mut self,
        set: impl IntoIterator<Item = (UserId, Arc<StatusType>)>,
        now: Time,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (user, status) in set {
            let overrides = self.directory.get(user).rule.login.overrides;
            if overrides || !self.chosen_by_hand(user, &status) {
                let at = self.stamp(now);
                effects.extend(self.choose(user, &Choice::of(&status), ChosenBy::Login, at));
            }
        }
        effects
    }

    /// Whether the present status was chosen by hand, in this module or on a phone, so that
    /// `status` must not replace it. Choosing the status that a login sets hands the user back
    /// to logins.
    fn chosen_by_hand(&self, user: UserId, status: &Arc<StatusType>) -> bool {
        let spec = self.directory.get(user);
        let of = |item| self.login_status(user, item);
        let logging_out = [UserSetting::LogoutStatus, UserSetting::UnregisterStatus]
            .map(of)
            .contains(&Some(status));
        let at_login = [UserSetting::LoginStatus, UserSetting::RegisterStatus].map(of);
        let own = self.own(user);
        let is_set = |own: &&super::Own| {
            let recorded_only = own.status.as_ref().is_some_and(|s| s.maps_to.is_none());
            own.presence.is_set() || recorded_only
        };
        let left_to_logins = |own: &super::Own| {
            own.by == ChosenBy::Login
                || (logging_out && own.status.is_some() && at_login.contains(&own.status.as_ref()))
        };
        if own.filter(is_set).is_some_and(|own| !left_to_logins(own)) {
            return true;
        }
        // Chosen on a phone: an extension holds a presence that this module did not write.
        let mut written = self.directory.written(spec, self.default_of(user));
        written.any(|source| {
            let known = self.source(source);
            let ours = own.is_some_and(|own| own.presence == known.presence);
            known.known && known.presence.is_set() && !ours
        })
    }
}
