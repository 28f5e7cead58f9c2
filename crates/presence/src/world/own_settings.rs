//! The settings that users make for themselves.

use std::borrow::Cow;

use super::chosen::OwnChange;
use super::{Decision, Effect, Touched, World};
use crate::actions::OwnActions;
use crate::directory::UserId;
use crate::model::assignment::Choice;
use crate::model::details::{Detail, Details};
use crate::model::own_rights::OwnArea;
use crate::model::own_settings::{
    NONE, OwnItems, OwnSettings, OwnStatusSettings, STATUSES, SettingsPatch, StatusSetting,
    UserSetting, forward_member,
};
use crate::model::state::{Presence, State};
use crate::model::status::StatusType;
use crate::model::time::Time;
use std::sync::Arc;

pub use crate::model::own_settings::SettingsError;

impl World {
    /// The settings that the user has made; `None` for none.
    pub fn own_settings(&self, user: UserId) -> Option<&OwnSettings> {
        self.users[user.index()].settings.as_deref()
    }

    /// The status that a change without a status applies to: the one that the user has chosen.
    pub fn settings_status(&self, user: UserId) -> &str {
        let chosen = || self.chosen(user).presence.state().name();
        self.status(user).map_or_else(chosen, |status| &status.name)
    }

    /// The user's mobile number: see [`crate::directory::Directory::mobile`].
    pub fn mobile(&self, user: UserId) -> Option<&str> {
        self.directory.mobile(user, self.own_settings(user))
    }

    /// The input of the user's default extension: see
    /// [`crate::directory::Directory::default_of`].
    pub fn default_of(&self, user: UserId) -> Option<u16> {
        match self.own_settings(user) {
            None => self.directory.get(user).default,
            settings => self.directory.default_of(user, settings),
        }
    }

    /// The name of the user's default extension.
    pub fn default_extension(&self, user: UserId) -> Option<&str> {
        let at = self.default_of(user)?;
        let input = &self.directory.get(user).inputs[usize::from(at)];
        self.directory.extension(input)
    }

    /// The status that a login, a logout, a registration or its end sets: the user's own, else
    /// the administrator's.
    pub fn login_status(&self, user: UserId, item: UserSetting) -> Option<&Arc<StatusType>> {
        let settings = self.own_settings(user);
        let own = settings.and_then(|settings| settings.user().get(item));
        match own.map(|own| self.own_login_status(user, own)) {
            Some(Ok(status)) => status,
            Some(Err(_)) | None => {
                let login = &self.directory.get(user).rule.login;
                let status = match item {
                    UserSetting::LoginStatus => &login.login,
                    UserSetting::LogoutStatus => &login.logout,
                    UserSetting::RegisterStatus => &login.register,
                    UserSetting::UnregisterStatus => &login.unregister,
                    UserSetting::Mobile | UserSetting::Default | UserSetting::Visibility => &None,
                };
                status.as_ref()
            }
        }
    }

    fn own_login_status(
        &self,
        user: UserId,
        own: &str,
    ) -> Result<Option<&Arc<StatusType>>, SettingsError> {
        let may_set = self.directory.may_set(user, OwnArea::Login);
        may_set.map_err(SettingsError::NotAllowed)?;
        match self.directory.settings.statuses().find(own) {
            _ if own == NONE => Ok(None),
            Some(status) => Ok(Some(status)),
            None => Err(SettingsError::Invalid(format!(
                "there is no status '{own}'"
            ))),
        }
    }

    /// Whether an item that belongs to no status is carried out now.
    ///
    /// # Errors
    /// The reason why not.
    pub fn own_user_item(
        &self,
        user: UserId,
        item: UserSetting,
        value: &str,
    ) -> Result<(), SettingsError> {
        match item {
            UserSetting::Mobile => self.directory.own_mobile(user, value),
            UserSetting::Default => self.directory.own_default(user, value).map(drop),
            UserSetting::Visibility => {
                let may_set = self.directory.may_set(user, OwnArea::Visibility);
                may_set.map_err(SettingsError::NotAllowed)
            }
            _ => self.own_login_status(user, value).map(drop),
        }
    }

    /// An item of the settings that count in a state and status type: the first one that is
    /// carried out, with the settings that hold it.
    pub fn own_item<'a, T>(
        &'a self,
        user: UserId,
        (state, status): (State, &str),
        item: StatusSetting,
        get: impl Fn(&'a OwnItems) -> Option<T>,
    ) -> Option<(&'a OwnStatusSettings, T)> {
        let settings = self.own_settings(user)?;
        let mut layers = settings.layers(state, status);
        layers.find_map(|layer| {
            let value = get(&layer.items)?;
            let works = self.directory.own_item(user, settings, &layer.items, item);
            works.is_ok().then_some((layer, value))
        })
    }

    /// What the user's own settings do in a status.
    pub(super) fn own_actions(&self, user: UserId, decision: &Decision) -> OwnActions {
        let Some(settings) = self.own_settings(user) else {
            return OwnActions::default();
        };
        let state = decision.presence.state();
        let status = decision.status.as_deref();
        let at = (state, status.map_or(state.name(), |status| &*status.name));
        let switch = |item, get: fn(&OwnItems) -> Option<_>| {
            self.own_item(user, at, item, get).map(|(_, value)| value)
        };
        let queue = self.own_item(user, at, StatusSetting::Queue, |items| items.queue);
        let named = settings.statuses().iter().filter_map(|it| it.items.queue);
        OwnActions {
            queue: queue.map(|(_, action)| action),
            dnd: switch(StatusSetting::Dnd, |items| items.dnd),
            follow_me: switch(StatusSetting::FollowMe, |items| items.follow_me),
            named: named.collect(),
        }
    }

    /// The choice with the user's own note as its message, if no message was given.
    pub(super) fn with_own_note<'a>(&self, user: UserId, choice: &'a Choice) -> Cow<'a, Choice> {
        let presence = choice.presence.as_ref().filter(|_| choice.takes_note);
        let noted = presence.and_then(|presence| {
            let at = (presence.state(), &*choice.status.name);
            let note = |items: &'_ OwnItems| items.note.clone();
            let (_, note) = self.own_item(user, at, StatusSetting::Note, note)?;
            let presence = Presence::new(presence.state(), presence.subtype(), &note);
            Some(Choice {
                presence: Some(presence),
                ..choice.clone()
            })
        });
        noted.map_or(Cow::Borrowed(choice), Cow::Owned)
    }

    /// The user's own settings after a patch; `None` if nothing is left. An item that the patch
    /// leaves as it is needs no right.
    ///
    /// # Errors
    /// Why the patch is refused, as a whole.
    pub fn with_settings(
        &self,
        user: UserId,
        patch: &SettingsPatch,
    ) -> Result<Option<OwnSettings>, SettingsError> {
        let before = self.own_settings(user);
        let statuses = self.directory.settings.statuses();
        let after = OwnSettings::patched(before, patch, statuses);
        let after = after.map_err(SettingsError::Invalid)?;
        if let Some(after) = &after {
            self.check_settings(user, before, after)?;
        }
        Ok(after)
    }

    /// Checks every item that differs.
    fn check_settings(
        &self,
        user: UserId,
        before: Option<&OwnSettings>,
        after: &OwnSettings,
    ) -> Result<(), SettingsError> {
        let directory = &self.directory;
        for item in UserSetting::ALL {
            let value = after.user().get(item);
            let was = before.and_then(|before| before.user().get(item));
            if let Some(value) = value.filter(|value| was != Some(value)) {
                let works = self.own_user_item(user, item, value);
                works.map_err(|why| why.at(item.name()))?;
            }
        }
        for status in after.statuses() {
            let was = before.and_then(|before| before.status(&status.status));
            for forward in &status.forwards {
                let was = was.and_then(|was| was.forward(forward.origin, forward.when));
                if was != Some(&forward.target) {
                    let allowed = directory.own_target(user, Some(after), &forward.target);
                    let (name, when) = (forward_member(forward.origin), forward.when);
                    let path = format!("{STATUSES}.{}.{name}.{when}", status.status);
                    allowed.map_err(|why| SettingsError::NotAllowed(why).at(&path))?;
                }
            }
            let items = &status.items;
            for item in StatusSetting::ALL {
                let value = items.value(item);
                if value.is_none() || value == was.and_then(|was| was.items.value(item)) {
                    continue;
                }
                let at =
                    |why: SettingsError| why.at(&format!("{STATUSES}.{}.{item}", status.status));
                let works = directory.own_item(user, after, items, item);
                works.map_err(at)?;
                let names = match item {
                    StatusSetting::RingFirst => items.ring_first.as_deref(),
                    StatusSetting::RingSecond => items.ring_second.as_deref(),
                    _ => None,
                };
                for name in names.into_iter().flatten() {
                    let known = directory.own_endpoint(user, Some(after), name);
                    known.map_err(at)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn set_settings(
        &mut self,
        user: UserId,
        settings: Option<&OwnSettings>,
        now: Time,
    ) -> Vec<Effect> {
        let before = match &self.replica {
            Some(_) => self.own_settings(user).cloned(),
            None => None,
        };
        let effects = self.put_settings(user, settings, now);
        if !effects.is_empty() {
            self.note_settings(user, before.as_ref(), now);
        }
        effects
    }

    /// Puts settings in place of the user's, whatever changed them.
    pub(super) fn put_settings(
        &mut self,
        user: UserId,
        settings: Option<&OwnSettings>,
        now: Time,
    ) -> Vec<Effect> {
        if self.own_settings(user) == settings {
            return Vec::new();
        }
        let default = self.default_of(user);
        let was = self.users[user.index()].before_change();
        self.users[user.index()].settings = settings.cloned().map(Box::new);
        self.mark_settings(user);
        self.update_visibility(user);
        let mut effects = Vec::new();
        if self.visibility(user) != was.visibility {
            let changed = Details::NONE.with(Detail::Flags, true);
            effects.push(self.transition(user, was, changed, now));
        }
        if self.default_of(user) != default {
            let mut touched = Touched::new();
            self.touch(user, &mut touched);
            self.recombine(touched, &OwnChange::None, now, &mut effects);
        } else {
            self.update_decisions(user);
        }
        effects.push(Effect::Settings(self.directory.get(user).name.clone()));
        effects
    }
}
