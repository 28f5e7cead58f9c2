//! The settings that users make for themselves: changing them, reading them, and hearing of
//! changed forwards.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{NOT_RUNNING, Runtime};
use presence::calls::{self, CallOrigin, EffectiveForward, ForwardWhen};
use presence::directory::UserId;
use presence::model::own_settings::{OwnForward, SettingsPatch, SettingsPath};
use presence::model::text::quoted;
use presence::views::fields::Query;
use presence::world::{Change, SettingsError, World};

/// The callers whose forward is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForwardCallers {
    /// Callers of this system.
    Internal,
    /// Callers from outside.
    External,
    /// All callers.
    Both,
}

impl ForwardCallers {
    fn origins(self) -> &'static [CallOrigin] {
        match self {
            ForwardCallers::Internal => &[CallOrigin::Internal],
            ForwardCallers::External => &[CallOrigin::External],
            ForwardCallers::Both => &CallOrigin::ALL,
        }
    }
}

/// Why a user's own settings are not read or changed. Its `Display` form is a clause without a
/// full stop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettingsRefusal {
    /// The module is not running.
    NotRunning,
    /// There is no such user, or several.
    NoUser(String),
    /// The request is wrong: the message names the member and what was expected.
    Invalid(String),
    /// The administrator does not allow it: the message says what is allowed.
    NotAllowed(String),
    /// The settings have changed since they were read.
    Changed,
}

impl fmt::Display for SettingsRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SettingsRefusal::NotRunning => NOT_RUNNING,
            SettingsRefusal::Changed => "the settings have changed since they were read",
            SettingsRefusal::NoUser(why)
            | SettingsRefusal::Invalid(why)
            | SettingsRefusal::NotAllowed(why) => why,
        })
    }
}

impl From<SettingsRefusal> for String {
    fn from(refusal: SettingsRefusal) -> Self {
        refusal.to_string()
    }
}

impl From<SettingsError> for SettingsRefusal {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Invalid(why) => SettingsRefusal::Invalid(why),
            SettingsError::NotAllowed(why) => SettingsRefusal::NotAllowed(why),
        }
    }
}

/// Whose forwards may have changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForwardsChanged<'a> {
    /// Those of the user of this name: the user has changed them, or their status is another.
    Of(&'a str),
    /// Those of every user: another configuration runs.
    All,
}

/// Hears of changed forwards. It is called without a lock, on the thread of the change, after
/// the change; it must not wait.
pub type ForwardsWatcher = Arc<dyn Fn(ForwardsChanged<'_>) + Send + Sync>;

/// The watchers of forwards.
#[derive(Default)]
pub struct ForwardsWatchers(ArcSwap<Vec<ForwardsWatcher>>);

impl Runtime {
    /// Calls the watcher whenever forwards may have changed, for as long as the runtime lives.
    pub fn watch_forwards(&self, watcher: ForwardsWatcher) {
        self.forwards_watchers.0.rcu(|watchers| {
            let mut watchers = Vec::clone(watchers);
            watchers.push(watcher.clone());
            watchers
        });
    }

    /// Tells the watchers. No lock may be held.
    pub(super) fn forwards_changed(&self, changed: ForwardsChanged<'_>) {
        for watcher in self.forwards_watchers.0.load().iter() {
            watcher(changed);
        }
    }

    /// Sets one of a user's own forwards. `target` is an extension such as `210` or
    /// `210@default`, a number, `voicemail`, `mobile`, or `none` for no forward although the
    /// administrator has one; without it the item is given back to the administrator. Without
    /// `status` the status is meant that the user has chosen; `default` means every status.
    /// `user` is a name, an id or an extension.
    ///
    /// # Errors
    /// Why nothing changed.
    pub fn set_own_forward(
        &self,
        user: &str,
        callers: ForwardCallers,
        when: ForwardWhen,
        target: Option<&str>,
        status: Option<&str>,
    ) -> Result<(), SettingsRefusal> {
        self.change_settings(
            user,
            |world, user| {
                let status = status.unwrap_or_else(|| world.settings_status(user));
                let origins = callers.origins();
                SettingsPatch::forward(status, origins, when, target)
            },
            |_, _| true,
        )
    }

    /// Applies a merge patch to a user's own settings: all of it, or nothing.
    ///
    /// # Errors
    /// Why nothing changed.
    pub fn patch_settings(&self, user: &str, patch: &SettingsPatch) -> Result<(), SettingsRefusal> {
        self.change_settings(user, |_, _| patch.clone(), |_, _| true)
    }

    /// The same, if `is_current` accepts the settings as they are before the change.
    ///
    /// # Errors
    /// As there, and [`SettingsRefusal::Changed`].
    pub fn patch_current_settings(
        &self,
        user: &str,
        patch: &SettingsPatch,
        is_current: impl FnOnce(&World, UserId) -> bool,
    ) -> Result<(), SettingsRefusal> {
        self.change_settings(user, |_, _| patch.clone(), is_current)
    }

    fn change_settings(
        &self,
        name: &str,
        patch: impl FnOnce(&World, UserId) -> SettingsPatch,
        is_current: impl FnOnce(&World, UserId) -> bool,
    ) -> Result<(), SettingsRefusal> {
        let changed = self.update(|world, now| {
            let user = match Query::find(world, name) {
                Ok(user) => user,
                Err(why) => return (Err(SettingsRefusal::NoUser(why)), Vec::new()),
            };
            let patch = patch(world, user);
            match world.with_settings(user, &patch) {
                // A wrong change is refused as such, whatever has happened meanwhile.
                Ok(_) if !is_current(world, user) => (Err(SettingsRefusal::Changed), Vec::new()),
                Ok(settings) => {
                    let settings = settings.as_ref();
                    let change = Change::Settings { user, settings };
                    (Ok(()), world.apply(&change, now))
                }
                Err(why) => (Err(why.into()), Vec::new()),
            }
        });
        changed.unwrap_or(Err(SettingsRefusal::NotRunning))
    }

    /// A user's own settings as JSON, `{}` for none.
    ///
    /// # Errors
    /// There is no such user, or the module is not running.
    pub fn own_settings(&self, user: &str) -> Result<String, SettingsRefusal> {
        self.of_user(user, |world, user| {
            let settings = world.own_settings(user);
            settings.map_or_else(|| "{}".to_owned(), |settings| settings.json().to_owned())
        })
    }

    /// A user's own forwards, each with its status.
    ///
    /// # Errors
    /// As [`Runtime::own_settings`].
    pub fn own_forwards(&self, user: &str) -> Result<Vec<(Box<str>, OwnForward)>, SettingsRefusal> {
        self.of_user(user, |world, user| {
            let settings = world.own_settings(user).into_iter();
            let statuses = settings.flat_map(|settings| settings.statuses());
            let forwards = statuses.flat_map(|it| {
                let forwards = it.forwards.iter().cloned();
                forwards.map(|forward| (it.status.clone(), forward))
            });
            forwards.collect()
        })
    }

    /// The six forwards of a user as they apply, internal before external, and in the order of
    /// [`ForwardWhen`]: the user's own ones over those of the administrator. Without `status`,
    /// for the status that the user has chosen, as [`Runtime::set_own_forward`] sets them.
    ///
    /// # Errors
    /// As [`Runtime::own_settings`], and an unknown status.
    pub fn effective_forwards(
        &self,
        user: &str,
        status: Option<&str>,
    ) -> Result<[EffectiveForward; 6], SettingsRefusal> {
        self.of_user(user, |world, user| {
            let Some(name) = status else {
                let state = world.chosen(user).presence.state();
                let status = world.settings_status(user);
                return Ok(calls::effective(world, user, state, status));
            };
            let statuses = world.directory().settings.statuses();
            let Some(known) = statuses.find(name) else {
                let why = format!(
                    "unknown status '{}', expected {}",
                    quoted(name),
                    statuses.expected()
                );
                return Err(SettingsRefusal::Invalid(why));
            };
            let state = calls::state_of(world, user, &known.name);
            Ok(calls::effective(world, user, state, &known.name))
        })?
    }

    /// The user's settings with those that follow from the configuration, whose they are, and
    /// what the user may set, as one JSON object: see [`presence::calls::effective_settings::page`].
    ///
    /// # Errors
    /// As [`Runtime::own_settings`].
    pub fn settings_page(&self, user: &str) -> Result<serde_json::Value, SettingsRefusal> {
        self.of_user(user, calls::effective_settings::page)
    }

    /// Sets one item of a user's settings to a text: see [`SettingsPath::patch`].
    ///
    /// # Errors
    /// Why nothing changed.
    pub fn set_own_item(
        &self,
        user: &str,
        path: SettingsPath<'_>,
        text: &str,
    ) -> Result<(), SettingsRefusal> {
        path.check(text).map_err(SettingsRefusal::Invalid)?;
        let patch = |world: &World, user| path.patch(text, world.settings_status(user));
        self.change_settings(user, patch, |_, _| true)
    }

    fn of_user<T>(
        &self,
        name: &str,
        look: impl FnOnce(&World, UserId) -> T,
    ) -> Result<T, SettingsRefusal> {
        let found = self.read(|world| Query::find(world, name).map(|user| look(world, user)));
        let found = found.ok_or(SettingsRefusal::NotRunning)?;
        found.map_err(SettingsRefusal::NoUser)
    }
}

// The same on the runtime that runs, for interfaces.

/// See [`Runtime::patch_settings`]; the patch is JSON text.
///
/// # Errors
/// As there, and [`SettingsRefusal::NotRunning`].
pub fn patch(user: &str, json: &str) -> Result<(), SettingsRefusal> {
    let patch = SettingsPatch::parse(json).map_err(SettingsRefusal::Invalid)?;
    let runtime = super::current().ok_or(SettingsRefusal::NotRunning)?;
    runtime.patch_settings(user, &patch)
}

/// See [`Runtime::set_own_item`].
///
/// # Errors
/// As there, and [`SettingsRefusal::NotRunning`].
pub fn set_item(user: &str, path: SettingsPath<'_>, text: &str) -> Result<(), SettingsRefusal> {
    let runtime = super::current().ok_or(SettingsRefusal::NotRunning)?;
    runtime.set_own_item(user, path, text)
}

/// See [`Runtime::settings_page`].
///
/// # Errors
/// As there, and [`SettingsRefusal::NotRunning`].
pub fn page(user: &str) -> Result<serde_json::Value, SettingsRefusal> {
    super::current()
        .ok_or(SettingsRefusal::NotRunning)?
        .settings_page(user)
}

/// See [`Runtime::patch_current_settings`].
///
/// # Errors
/// As there, and [`SettingsRefusal::NotRunning`].
pub fn patch_current(
    user: &str,
    patch: &SettingsPatch,
    is_current: impl FnOnce(&World, UserId) -> bool,
) -> Result<(), SettingsRefusal> {
    let runtime = super::current().ok_or(SettingsRefusal::NotRunning)?;
    runtime.patch_current_settings(user, patch, is_current)
}

/// See [`Runtime::own_settings`].
///
/// # Errors
/// As there, and [`SettingsRefusal::NotRunning`].
pub fn json(user: &str) -> Result<String, SettingsRefusal> {
    super::current()
        .ok_or(SettingsRefusal::NotRunning)?
        .own_settings(user)
}
