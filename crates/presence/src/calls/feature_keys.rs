//! What the DND and forward keys of a user's phones show.

use super::{CallOrigin, CallPlan, Destination};
use crate::directory::{Directory, UserId};
use crate::model::feature_keys::FeatureState;
use crate::model::state::State;
use crate::world::World;

/// The technology of the devices whose names are endpoints.
const TECHNOLOGY: &str = "PJSIP/";

/// The user whose phone the endpoint is: the first one, in the order of the configuration, who
/// has the phone `PJSIP/<endpoint>`, by an extension, a `device` line or an endpoint.
pub fn user_of(directory: &Directory, endpoint: &str) -> Option<UserId> {
    let users = directory.users_of_phone(&format!("{TECHNOLOGY}{endpoint}"));
    users.first().copied()
}

/// The endpoints of the user's phones.
pub fn endpoints(directory: &Directory, user: UserId) -> Vec<&str> {
    let mut found: Vec<&str> = directory.phones(user).filter_map(endpoint_of).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn endpoint_of(device: &str) -> Option<&str> {
    let (technology, endpoint) = device.split_at_checked(TECHNOLOGY.len())?;
    technology
        .eq_ignore_ascii_case(TECHNOLOGY)
        .then_some(endpoint)
}

/// What the keys of the user's phones show. The DND key is lit if the user has chosen `dnd`, or
/// accepts no calls; a forward key, if calls from outside are forwarded in the status that the
/// user has chosen, for which the key sets it.
pub fn state(world: &World, user: UserId) -> FeatureState {
    let chosen = world.chosen(user).presence.state();
    let status = world.settings_status(user);
    let plan = CallPlan::in_status(world, user, CallOrigin::External, chosen, status);
    FeatureState {
        dnd: refuses_calls(world, user),
        always: plan.always.as_ref().map(shown),
        busy: plan.busy.as_ref().map(shown),
        no_answer: plan.no_answer.as_ref().map(shown),
    }
}

/// Whether the user has chosen `dnd`, or accepts no calls: what the DND key shows.
pub fn refuses_calls(world: &World, user: UserId) -> bool {
    is_dnd(world, user) || !world.dnd_status(user).accepts_calls()
}

/// Whether the status that the user has chosen is `dnd`.
pub fn is_dnd(world: &World, user: UserId) -> bool {
    world.chosen(user).presence.state() == State::Dnd
}

/// The number that a phone shows for a target.
pub(super) fn shown(target: &Destination) -> String {
    match target {
        Destination::Extension { extension, .. } => extension.clone(),
        Destination::Voicemail { mailbox } => {
            let (number, _) = mailbox.split_once('@').unwrap_or((mailbox, ""));
            number.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::directory;

    #[test]
    fn a_user_has_the_keys_of_every_phone() {
        let directory = directory(
            "[alice]\ntype=user\nextension=200\ndevice=PJSIP/300\nendpoint=soft,pjsip/400\n\
             endpoint=desk,PJSIP/200\ndevice=Calendar:alice\nendpoint=old,SIP/500\n",
        );
        let alice = directory.user("alice").unwrap();
        let found = endpoints(&directory, alice);
        assert_eq!(found, ["200", "300", "400"]);
        for endpoint in found {
            assert_eq!(user_of(&directory, endpoint), Some(alice), "{endpoint}");
        }
    }

    #[test]
    fn a_phone_of_two_users_is_that_of_the_first_one() {
        let directory = directory(
            "[alice]\ntype=user\nextension=200\nendpoint=desk,PJSIP/201\n\
             [bob]\ntype=user\nextension=201\nendpoint=soft,PJSIP/200\n",
        );
        for endpoint in ["200", "201"] {
            assert_eq!(user_of(&directory, endpoint), directory.user("alice"));
        }
        assert_eq!(user_of(&directory, "202"), None);
    }
}
