//! The DND and forward keys of desk phones: what a press changes, and which phones follow.

use super::own_settings::ForwardCallers;
use super::{NOT_RUNNING, Runtime};
use presence::Time;
use presence::calls::ForwardWhen;
use presence::calls::feature_keys::{endpoints, is_dnd, state, user_of};
use presence::directory::UserId;
use presence::model::assignment::Choice;
use presence::model::dnd::DndStatus;
use presence::model::feature_keys::{DndKey, FeatureRequest};
use presence::model::state::State;
use presence::world::{Change, Effect, World};

/// The target that means no forward.
const NO_FORWARD: &str = "none";

impl Runtime {
    /// Whether phones get their feature keys.
    pub fn has_feature_keys(&self) -> bool {
        self.is_listening()
            && self.read(|world| world.directory().settings.sip.feature_keys) == Some(true)
    }

    /// Whether the endpoint is a phone of a user.
    pub fn is_phone_of_user(&self, endpoint: &str) -> bool {
        self.read(|world| user_of(world.directory(), endpoint).is_some()) == Some(true)
    }

    /// The documents for a phone, see [`presence::model::feature_keys`]; `None` for an endpoint
    /// of no user.
    pub fn feature_documents(&self, endpoint: &str, device: &str) -> Option<Vec<String>> {
        let documents = self.read(|world| {
            let user = user_of(world.directory(), endpoint)?;
            Some(state(world, user).documents(device))
        });
        documents.flatten()
    }

    /// The name of the user whose phone the endpoint is.
    fn user_of_endpoint(&self, endpoint: &str) -> Result<String, String> {
        let found = self.read(|world| {
            let directory = world.directory();
            let user = user_of(directory, endpoint)?;
            Some(directory.get(user).name.to_string())
        });
        found.ok_or(NOT_RUNNING)?.ok_or_else(no_user)
    }

    /// Does what a key of the endpoint asks for. What is so already is left alone.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn press_key(&self, endpoint: &str, request: &FeatureRequest) -> Result<(), String> {
        let user = self.user_of_endpoint(endpoint)?;
        match request {
            FeatureRequest::DoNotDisturb(on) => {
                let done = self.update(|world, now| match world.directory().user(&user) {
                    None => (Err(no_user()), Vec::new()),
                    Some(user) => match press_dnd(world, user, *on, now) {
                        Ok(effects) => (Ok(()), effects),
                        Err(why) => (Err(why), Vec::new()),
                    },
                });
                done.ok_or(NOT_RUNNING)?
            }
            FeatureRequest::Forwarding { when, to } => self.press_forward(&user, *when, to.clone()),
        }
    }

    fn press_forward(
        &self,
        user: &str,
        when: ForwardWhen,
        to: Option<String>,
    ) -> Result<(), String> {
        if self.shown_forward(user, when)? == to {
            return Ok(());
        }
        let set = |target: Option<&str>| {
            self.set_own_forward(user, ForwardCallers::Both, when, target, None)
        };
        match to.as_deref() {
            Some("") => return Err("the phone names no number to forward to".into()),
            Some(number) => set(Some(number))?,
            // The user's own forward goes first. What the administrator, or the user for every
            // status, has set may still apply then, and is overridden.
            None => {
                set(None)?;
                if self.shown_forward(user, when)?.is_some() {
                    set(Some(NO_FORWARD))?;
                }
            }
        }
        Ok(())
    }

    /// The number that the key of a forward shows.
    fn shown_forward(&self, user: &str, when: ForwardWhen) -> Result<Option<String>, String> {
        let shown = self.read(|world| {
            let user = world.directory().user(user)?;
            Some(state(world, user).forward(when).map(str::to_owned))
        });
        shown.ok_or(NOT_RUNNING)?.ok_or_else(no_user)
    }

    /// Has the phones of the user follow, if something that they show has changed.
    pub fn update_phones(&self, user: &str) {
        self.host().notify_phones(&mut || {
            let found = self.read(|world| {
                let directory = world.directory();
                let user = directory.user(user)?;
                let found = endpoints(directory, user).into_iter();
                Some(found.map(str::to_owned).collect())
            });
            found.flatten().unwrap_or_default()
        });
    }
}

fn no_user() -> String {
    "the phone belongs to no user".into()
}

/// Switches do not disturb on or off, as `dnd_key` has it. Off means both the status and the
/// dndStatus, because the key shows both.
fn press_dnd(world: &mut World, user: UserId, on: bool, now: Time) -> Result<Vec<Effect>, String> {
    let key = world.directory().get(user).rule.dnd_key;
    let (status, refuses) = (is_dnd(world, user), !world.dnd_status(user).accepts_calls());
    if on == (status || refuses) {
        return Ok(Vec::new());
    }
    let mut effects = Vec::new();
    match key {
        DndKey::No => return Err("the option dnd_key of the user is 'no'".into()),
        DndKey::DndStatus if on => {
            let change = Change::DndStatus(user, DndStatus::DoNotAcceptAnyCalls);
            effects.extend(world.apply(&change, now));
        }
        DndKey::Status if on => effects.extend(choose(world, user, State::Dnd, now)?),
        DndKey::Status | DndKey::DndStatus => {
            if status {
                effects.extend(choose(world, user, State::Available, now)?);
            }
            if refuses {
                let change = Change::DndStatus(user, DndStatus::TakeAllCalls);
                effects.extend(world.apply(&change, now));
            }
        }
    }
    Ok(effects)
}

/// Sets the status of that state's name.
fn choose(world: &mut World, user: UserId, state: State, now: Time) -> Result<Vec<Effect>, String> {
    let statuses = world.directory().settings.statuses().clone();
    let status = statuses.find(state.name());
    let status = status.filter(|status| status.maps_to.is_some());
    let status = status.ok_or_else(|| format!("the status '{state}' is mapped to no state"))?;
    let choice = &Choice::of(status);
    Ok(world.apply(&Change::Chosen { user, choice }, now))
}
