//! The settings that users make for themselves.

use super::{Effect, World};
use crate::directory::UserId;
use crate::model::own_settings::{OwnSettings, SettingsPatch};

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
        Ok(after)
    }

    pub(super) fn set_settings(
        &mut self,
        user: UserId,
        settings: Option<&OwnSettings>,
    ) -> Vec<Effect> {
        if self.own_settings(user) == settings {
            return Vec::new();
        }
        self.users[user.index()].settings = settings.cloned().map(Box::new);
        self.mark_settings(user);
        vec![Effect::Settings(self.directory.get(user).name.clone())]
    }
}
