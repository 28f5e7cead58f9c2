//! The settings that users make for themselves.

use super::{Effect, World};
use crate::directory::UserId;
use crate::model::details::{Detail, Details};
use crate::model::own_rights::OwnArea;
use crate::model::own_settings::{OwnSettings, SettingsPatch};
use crate::model::time::Time;

/// Why a user's own settings are not changed, in a clause without a full stop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettingsError {
    /// The patch is wrong: a message that names the member and what was expected.
    Invalid(String),
    /// The user may not set that: the reason.
    NotAllowed(String),
}

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

    /// The user's own settings after a patch; `None` if nothing is left. A target that the patch
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
        let all = after.iter().flat_map(|after| after.statuses());
        for (status, forward) in all.flat_map(|it| it.forwards.iter().map(move |f| (it, f))) {
            let was = before
                .and_then(|before| before.forward(&status.status, forward.origin, forward.when));
            if was != Some(&forward.target) {
                let allowed = self.directory.own_target(user, &forward.target);
                allowed.map_err(SettingsError::NotAllowed)?;
            }
        }
        let visibility = |it: Option<&OwnSettings>| it.and_then(OwnSettings::visibility);
        let wanted = visibility(after.as_ref());
        if wanted.is_some() && wanted != visibility(before) {
            let spec = self.directory.get(user);
            if !spec.rule.own_rights.may_set(OwnArea::Visibility) {
                let (name, area) = (&spec.name, OwnArea::Visibility);
                return Err(SettingsError::NotAllowed(format!(
                    "own_settings of '{name}' does not include {area}"
                )));
            }
        }
        Ok(after)
    }

    pub(super) fn set_settings(
        &mut self,
        user: UserId,
        settings: Option<&OwnSettings>,
        now: Time,
    ) -> Vec<Effect> {
        if self.own_settings(user) == settings {
            return Vec::new();
        }
        let was = self.users[user.index()].before_change();
        self.users[user.index()].settings = settings.cloned().map(Box::new);
        self.mark_settings(user);
        self.update_visibility(user);
        let mut effects = Vec::new();
        if self.visibility(user) != was.visibility {
            let changed = Details::NONE.with(Detail::Flags, true);
            effects.push(self.transition(user, was, changed, now));
        }
        effects.push(Effect::Settings(self.directory.get(user).name.clone()));
        effects
    }
}
