//! What a press of a DND or forward key changes.

use super::feature_keys::{is_dnd, shown, state};
use super::{CallOrigin, ForwardWhen};
use crate::directory::UserId;
use crate::model::assignment::Choice;
use crate::model::dialable::without_hyphens;
use crate::model::dnd::DndStatus;
use crate::model::feature_keys::{DndKey, FeatureRequest};
use crate::model::own_settings::{OwnTarget, STATUSES, SettingsPatch};
use crate::model::state::State;
use crate::model::time::Time;
use crate::world::{Change, Effect, SettingsError, World};

/// Does what a key asks for, and returns the effects, with the reason if the key does not show
/// afterwards what was asked for. What is so already is left alone.
pub fn press(
    world: &mut World,
    user: UserId,
    request: &FeatureRequest,
    now: Time,
) -> (Result<(), String>, Vec<Effect>) {
    let mut effects = Vec::new();
    let done = match request {
        FeatureRequest::DoNotDisturb(on) => press_dnd(world, user, *on, now, &mut effects),
        FeatureRequest::Forwarding { when, to } => {
            press_forward(world, user, (*when, to.as_deref()), now, &mut effects)
        }
    };
    (done, effects)
}

/// Sets the user's own forward, or ends it.
fn press_forward(
    world: &mut World,
    user: UserId,
    (when, to): (ForwardWhen, Option<&str>),
    now: Time,
    effects: &mut Vec<Effect>,
) -> Result<(), String> {
    // A phone may group digits by hyphens, which mean nothing to Asterisk.
    let plain = to.map(without_hyphens);
    let is_shown = |world: &World| {
        let state = state(world, user);
        state.forward(when).map(without_hyphens) == plain
    };
    if is_shown(world) {
        return Ok(());
    }
    let target = match to {
        Some("") => return Err("the phone names no number to forward to".into()),
        Some(number) => target_of(world, user, number),
        None => OwnTarget::None.to_string(),
    };
    let status = world.settings_status(user).to_owned();
    let patch = |target| SettingsPatch::forward(&status, &CallOrigin::ALL, when, target);
    let before = world.own_settings(user).cloned();
    // The user's own forward is given back first. What the administrator, or the user for every
    // status, has set may be what is asked for, and is overridden if it is not.
    let given_back = world.with_settings(user, &patch(None)).map_err(reason)?;
    let set = |world: &mut World, settings: Option<&_>| {
        world.apply(&Change::Settings { user, settings }, now)
    };
    let first = set(world, given_back.as_ref());
    if is_shown(world) {
        *effects = first;
        return Ok(());
    }
    match world.with_settings(user, &patch(Some(&target))) {
        Ok(settings) => {
            *effects = set(world, settings.as_ref());
            Ok(())
        }
        Err(why) => {
            set(world, before.as_ref());
            Err(reason(why))
        }
    }
}

/// The target that the number of a key means: the user's own mailbox or mobile, if a forward
/// there shows this number, else the number. An extension of another user is never meant as a
/// mailbox.
fn target_of(world: &World, user: UserId, number: &str) -> String {
    let directory = world.directory();
    let plain = without_hyphens(number);
    let settings = world.own_settings(user);
    let shows = |target: &OwnTarget| {
        let destination = directory.own_target(user, settings, target).ok();
        let destination = destination.and_then(|it| super::own::destination_of(directory, it));
        destination.is_some_and(|destination| without_hyphens(&shown(&destination)) == plain)
    };
    let is_mobile = directory.is_own_mobile(user, settings, &plain);
    let mobile = OwnTarget::Mobile;
    let mobile_is_allowed = || directory.own_target(user, settings, &mobile).is_ok();
    if (is_mobile && mobile_is_allowed()) || shows(&OwnTarget::Mobile) {
        return OwnTarget::Mobile.to_string();
    }
    // An extension may be configured with hyphens.
    let as_given = directory.owner_of_extension(number, user);
    let (owner, number) = match as_given {
        Some(_) => (as_given, number),
        None => (directory.owner_of_extension(&plain, user), &*plain),
    };
    match owner.is_none_or(|owner| owner == user) && shows(&OwnTarget::Voicemail) {
        true => OwnTarget::Voicemail.to_string(),
        false => number.to_owned(),
    }
}

/// The reason without the path of the item, which says nothing to the user of a phone.
fn reason(error: SettingsError) -> String {
    let why = error.reason();
    match why.split_once(": ") {
        Some((path, why)) if path.starts_with(STATUSES) => why.to_owned(),
        _ => why,
    }
}

/// Switches do not disturb on or off, as `dnd_key` has it. Off means both the status and the
/// dndStatus, because the key shows both.
fn press_dnd(
    world: &mut World,
    user: UserId,
    on: bool,
    now: Time,
    effects: &mut Vec<Effect>,
) -> Result<(), String> {
    let key = world.directory().get(user).rule.dnd_key;
    let (status, refuses) = (is_dnd(world, user), !world.dnd_status(user).accepts_calls());
    if on == (status || refuses) {
        return Ok(());
    }
    if key == DndKey::No {
        return Err("the option dnd_key of the user is 'no'".into());
    }
    switch_dnd(world, user, (on, key), None, now, effects)
}

/// Switches do not disturb on or off, whatever the user has now; off with the choice `back`, or
/// with `available`. On is the status unless `key` is [`DndKey::DndStatus`].
pub(super) fn switch_dnd(
    world: &mut World,
    user: UserId,
    (on, key): (bool, DndKey),
    back: Option<&Choice>,
    now: Time,
    effects: &mut Vec<Effect>,
) -> Result<(), String> {
    let (status, refuses) = (is_dnd(world, user), !world.dnd_status(user).accepts_calls());
    match (on, key) {
        (true, DndKey::DndStatus) => {
            let change = Change::DndStatus(user, DndStatus::DoNotAcceptAnyCalls);
            effects.extend(world.apply(&change, now));
        }
        (true, DndKey::Status | DndKey::No) => {
            effects.extend(choose(world, user, State::Dnd, now)?);
        }
        (false, _) => {
            if status {
                effects.extend(match back {
                    Some(choice) => world.apply(&Change::Chosen { user, choice }, now),
                    None => choose(world, user, State::Available, now)?,
                });
            }
            if refuses {
                let change = Change::DndStatus(user, DndStatus::TakeAllCalls);
                effects.extend(world.apply(&change, now));
            }
        }
    }
    let is_status = (status && !on) || (on && key != DndKey::DndStatus);
    match is_status && is_dnd(world, user) != on {
        true => Err(outvoted(world, user)),
        false => Ok(()),
    }
}

/// Why the status is another one than the key has just set.
fn outvoted(world: &World, user: UserId) -> String {
    let state = world.chosen(user).presence.state();
    match world.chosen_winner(user) {
        "" => format!("the status stays {state}"),
        winner => format!("the status stays {state}, because '{winner}' says so"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::directory;
    use crate::world::stored::Stored;

    struct Phone {
        world: World,
        user: UserId,
    }

    impl Phone {
        fn of_alice(conf: &str) -> Phone {
            let directory = directory(conf);
            let user = directory.user("alice").unwrap();
            let world = World::restore(directory, &Stored::default(), Time::NEVER);
            Phone { world, user }
        }

        fn press(&mut self, request: &FeatureRequest) -> Result<(), String> {
            let now = Time::from_millis(1);
            press(&mut self.world, self.user, request, now).0
        }

        /// Presses *forward always*, and returns what the key shows and the own forward.
        fn forward(&mut self, to: Option<&str>) -> Result<(String, String), String> {
            let (when, to) = (ForwardWhen::Always, to.map(str::to_owned));
            self.press(&FeatureRequest::Forwarding { when, to })?;
            let shown = state(&self.world, self.user).always.unwrap_or_default();
            let settings = self.world.own_settings(self.user);
            let status = self.world.settings_status(self.user);
            let own = settings.and_then(|it| it.forward(status, CallOrigin::Internal, when));
            Ok((shown, own.map_or_else(String::new, ToString::to_string)))
        }
    }

    fn shows(shown: &str, own: &str) -> Result<(String, String), String> {
        Ok((shown.into(), own.into()))
    }

    const REACH: &str = "[general]\nmobile_prefix=0\nhandling=office\n\
        [alice]\ntype=user\nextension=200\nmailbox=200@default\nmobile=+49170\n\
        [bob]\ntype=user\nextension=210\n[gina]\ntype=user\nextension=12-100\n";

    #[test]
    fn off_and_on_brings_back_the_mailbox_and_the_mobile() {
        let mut phone = Phone::of_alice(&format!("{REACH}[office]\ntype=handling\n"));
        assert_eq!(phone.forward(Some("200")), shows("200", "voicemail"));
        assert_eq!(phone.forward(None), shows("", ""));
        assert_eq!(phone.forward(Some("200")), shows("200", "voicemail"));
        assert_eq!(phone.forward(Some("0+49170")), shows("0+49170", "mobile"));
        assert_eq!(phone.forward(None), shows("", ""));
        assert_eq!(phone.forward(Some("+49170")), shows("0+49170", "mobile"));
        assert_eq!(phone.forward(Some("210")), shows("210", "210"));
        let why = phone.forward(Some("+49171")).unwrap_err();
        assert!(why.contains("this number is not allowed"), "{why}");
        assert_eq!(phone.forward(Some("210")), shows("210", "210"), "as before");
        assert_eq!(phone.forward(Some("+49-170")), shows("0+49170", "mobile"));
        assert_eq!(phone.forward(Some("2-10")), shows("210", "210"));
        assert_eq!(phone.forward(Some("12-100")), shows("12-100", "12-100"));
        assert_eq!(phone.forward(None), shows("", ""));
        assert_eq!(phone.forward(Some("2-00")), shows("200", "voicemail"));
    }

    #[test]
    fn off_and_on_brings_back_what_the_administrator_has_set() {
        let mut phone = Phone::of_alice(&format!(
            "{REACH}[office]\ntype=handling\nforward_external_always=voicemail:55@other\n"
        ));
        assert_eq!(phone.forward(None), shows("", "none"));
        assert_eq!(phone.forward(Some("55")), shows("55", ""));
        assert_eq!(phone.forward(Some("210")), shows("210", "210"));
        assert_eq!(phone.forward(None), shows("", "none"));
    }

    #[test]
    fn a_word_that_is_not_allowed_is_no_way_round() {
        let mut phone = Phone::of_alice(&format!(
            "{}[office]\ntype=handling\n",
            REACH.replace("extension=200", "own_forward=internal\nextension=200")
        ));
        let why = phone.forward(Some("200")).unwrap_err();
        assert!(why.contains("'200' is an extension of 'alice'"), "{why}");
        let why = phone.forward(Some("+49170")).unwrap_err();
        assert!(why.contains("this number is not allowed"), "{why}");
    }

    #[test]
    fn the_extension_of_another_user_is_not_the_own_mailbox() {
        let conf = REACH.replace("200@default", "210@default");
        let mut phone = Phone::of_alice(&format!("{conf}[office]\ntype=handling\n"));
        assert_eq!(phone.forward(Some("210")), shows("210", "210"));
    }

    #[test]
    fn a_dnd_key_that_cannot_change_the_status_says_why() {
        let mut phone = Phone::of_alice(
            "[general]\npriority=away,dnd,available,chat,xa,unavailable,not_set\n\
             [alice]\ntype=user\nextension=200\nsource=CustomPresence:door\n",
        );
        let dnd = FeatureRequest::DoNotDisturb;
        assert_eq!(phone.press(&dnd(true)), Ok(()));
        assert_eq!(phone.press(&dnd(false)), Ok(()));
        let at = Time::from_millis(1);
        let door = "CustomPresence:door";
        phone.world.report_presence(door, (State::Dnd, "", ""), at);
        let why = "the status stays dnd, because 'CustomPresence:door' says so";
        for _ in 0..2 {
            assert_eq!(phone.press(&dnd(false)), Err(why.into()));
            assert!(state(&phone.world, phone.user).dnd);
        }
        phone.world.report_presence(door, (State::Away, "", ""), at);
        assert!(!state(&phone.world, phone.user).dnd);
        assert_eq!(phone.press(&dnd(false)), Ok(()));
        let why = "the status stays away, because 'CustomPresence:door' says so";
        assert_eq!(phone.press(&dnd(true)), Err(why.into()));
    }

    #[test]
    fn a_press_is_one_change() {
        let mut phone = Phone::of_alice(&format!(
            "{REACH}[office]\ntype=handling\nforward_external_always=55@other\n"
        ));
        for to in [Some("210".to_owned()), None] {
            let when = ForwardWhen::Always;
            let request = FeatureRequest::Forwarding { when, to };
            let (done, effects) =
                press(&mut phone.world, phone.user, &request, Time::from_millis(1));
            assert_eq!((done, effects.len()), (Ok(()), 1), "{effects:?}");
        }
    }
}
