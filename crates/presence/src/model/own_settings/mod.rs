//! The settings that users make for themselves. They lie over those of the administrator, item
//! by item.
//!
//! They are one JSON object, which a merge patch (RFC 7396) changes:
//!
//! ```text
//! {"statuses": {"away": {"forwardExternal": {"always": "+491701234567", "busy": "voicemail"},
//!                        "ringFirst": ["desk"], "ringTimeout": 15, "queue": "pause"}},
//!  "loginStatus": "available", "mobile": "+491701234567"}
//! ```
//!
//! What an item says is read once, when the object is restored or changed. The object itself is
//! kept as text, which takes little memory and keeps members that a later release has written.

mod forward;
mod items;
mod patch;
mod path;
mod restore;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::handling::{CallOrigin, ForwardWhen};
use super::own_rights::OwnArea;
use super::state::State;
use super::status::Statuses;
use super::visibility::Visibility;

pub use forward::{OwnForward, OwnTarget};
pub use items::{Greeting, OwnItems, OwnSwitch, StatusSetting, UserItems, UserSetting};
pub use patch::SettingsPatch;
pub use path::{SettingsPath, text_of};

/// The longest settings of a user, in bytes of JSON.
pub const MAX_BYTES: usize = 16 * 1024;

/// The most statuses that the settings of a user name.
pub const MAX_STATUSES: usize = 100;

/// The name of the settings that apply in every status.
pub const DEFAULT_STATUS: &str = "default";

/// The word for nothing, which overrides what the administrator has set.
pub const NONE: &str = "none";

/// The member that holds the settings of each status.
pub const STATUSES: &str = "statuses";

/// The member with the forwards of calls from inside or outside.
pub const fn forward_member(origin: CallOrigin) -> &'static str {
    match origin {
        CallOrigin::Internal => "forwardInternal",
        CallOrigin::External => "forwardExternal",
    }
}

/// Why a user's own settings are not changed, or are not carried out, in a clause without a full
/// stop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettingsError {
    /// The setting is wrong: a message that names the member and what was expected.
    Invalid(String),
    /// The user may not set that: the reason.
    NotAllowed(String),
}

impl SettingsError {
    /// The message.
    pub fn reason(self) -> String {
        match self {
            SettingsError::Invalid(why) | SettingsError::NotAllowed(why) => why,
        }
    }

    /// The same with the path of the member before the message.
    pub fn at(self, path: &str) -> Self {
        match self {
            SettingsError::Invalid(why) => SettingsError::Invalid(format!("{path}: {why}")),
            SettingsError::NotAllowed(why) => SettingsError::NotAllowed(format!("{path}: {why}")),
        }
    }
}

/// A user's own settings in one status.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnStatusSettings {
    /// The status type or state, or [`DEFAULT_STATUS`].
    pub status: Box<str>,
    /// The forwards, each at most once.
    pub forwards: Box<[OwnForward]>,
    /// The other items.
    pub items: OwnItems,
}

impl OwnStatusSettings {
    /// The target of a forward.
    pub fn forward(&self, origin: CallOrigin, when: ForwardWhen) -> Option<&OwnTarget> {
        let mut forwards = self.forwards.iter();
        let forward = forwards.find(|it| it.origin == origin && it.when == when)?;
        Some(&forward.target)
    }
}

/// A user's own settings.
///
/// # Invariants
/// `statuses` and `user` are what `json` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnSettings {
    json: Box<str>,
    statuses: Box<[OwnStatusSettings]>,
    user: UserItems,
}

impl OwnSettings {
    /// The settings as JSON.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The settings of each status.
    pub fn statuses(&self) -> &[OwnStatusSettings] {
        &self.statuses
    }

    /// The settings that belong to no status.
    pub fn user(&self) -> &UserItems {
        &self.user
    }

    /// Who may see the presence, if the user has set it.
    pub fn visibility(&self) -> Option<Visibility> {
        let word = self.user.get(UserSetting::Visibility)?;
        Visibility::parse(word).ok()
    }

    /// The settings of a status that is named exactly so, without regard to case.
    pub fn status(&self, status: &str) -> Option<&OwnStatusSettings> {
        let mut statuses = self.statuses.iter();
        statuses.find(|known| known.status.eq_ignore_ascii_case(status))
    }

    /// The target of a forward in a status that is named exactly so, without regard to case.
    pub fn forward(
        &self,
        status: &str,
        origin: CallOrigin,
        when: ForwardWhen,
    ) -> Option<&OwnTarget> {
        self.status(status)?.forward(origin, when)
    }

    /// The settings that count in a state and status type, the first ones first: those of the
    /// status type, then those of the state, then those for all statuses.
    pub fn layers(&self, state: State, status: &str) -> impl Iterator<Item = &OwnStatusSettings> {
        let of_state = Some(state.name()).filter(|state| !state.eq_ignore_ascii_case(status));
        let of_all = Some(DEFAULT_STATUS).filter(|all| !all.eq_ignore_ascii_case(status));
        let names = [self.status(status), of_state.and_then(|it| self.status(it))];
        let all = of_all.and_then(|it| self.status(it));
        names.into_iter().chain([all]).flatten()
    }

    /// Whether a status does something in queues, or switches do not disturb or follow me.
    pub fn has_actions(&self) -> bool {
        let is_action = |item: StatusSetting| item.area() == OwnArea::Actions;
        let mut statuses = self.statuses.iter();
        statuses.any(|it| {
            let mut items = StatusSetting::ALL
                .into_iter()
                .filter(|item| is_action(*item));
            items.any(|item| it.items.value(item).is_some())
        })
    }

    /// The settings after a patch; `None` if nothing is left.
    ///
    /// # Errors
    /// A message that names the member and what was expected.
    pub fn patched(
        before: Option<&Self>,
        patch: &SettingsPatch,
        statuses: &Statuses,
    ) -> Result<Option<Self>, String> {
        let mut object = before.map_or_else(Map::new, OwnSettings::object);
        patch.apply(&mut object, statuses)?;
        OwnSettings::of(object)
    }

    /// The object, as it was stored.
    pub fn object(&self) -> Map<String, Value> {
        // By the invariant it is one.
        serde_json::from_str(&self.json).unwrap_or_default()
    }
}

/// What a value is, in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
