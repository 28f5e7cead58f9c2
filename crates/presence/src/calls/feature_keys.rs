//! What the DND and forward keys of a user's phones show.

use super::{CallOrigin, CallPlan, Destination};
use crate::directory::{Directory, UserId};
use crate::model::feature_keys::FeatureState;
use crate::model::state::State;
use crate::world::World;

/// The technology of the devices whose names are endpoints.
const TECHNOLOGY: &str = "PJSIP/";

/// The user whose phone the endpoint is: the first one, in the order of the configuration, who
/// has the device `PJSIP/<endpoint>`, by an extension or an endpoint.
pub fn user_of(directory: &Directory, endpoint: &str) -> Option<UserId> {
    let name = format!("{TECHNOLOGY}{endpoint}");
    let by_extension = directory.device(&name).and_then(|device| {
        let owners = directory.owners(device);
        owners.first().copied()
    });
    let is_theirs = |(_, device): &(Box<str>, Box<str>)| endpoint_of(device) == Some(endpoint);
    let by_endpoint = || {
        let mut users = directory.users();
        let found = users.find(|(_, user)| {
            let reach = user.reach.as_deref();
            reach.is_some_and(|reach| reach.endpoints.iter().any(is_theirs))
        });
        found.map(|(id, _)| id)
    };
    by_extension.or_else(by_endpoint)
}

/// The endpoints of the user's phones.
pub fn endpoints(directory: &Directory, user: UserId) -> Vec<&str> {
    let user = directory.get(user);
    let reach = user.reach.as_deref();
    let named = reach.into_iter().flat_map(|reach| &reach.endpoints);
    let named = named.map(|(_, device)| &**device);
    let extensions = user.inputs.iter().filter(|input| input.is_extension());
    let extensions = extensions.filter_map(|input| input.device());
    let extensions = extensions.map(|device| directory.device_name(device));
    let mut found: Vec<&str> = named.chain(extensions).filter_map(endpoint_of).collect();
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
        dnd: is_dnd(world, user) || !world.dnd_status(user).accepts_calls(),
        always: plan.always.as_ref().map(number),
        busy: plan.busy.as_ref().map(number),
        no_answer: plan.no_answer.as_ref().map(number),
    }
}

/// Whether the status that the user has chosen is `dnd`.
pub fn is_dnd(world: &World, user: UserId) -> bool {
    world.chosen(user).presence.state() == State::Dnd
}

/// The number that a phone shows for a target.
fn number(target: &Destination) -> String {
    match target {
        Destination::Extension { extension, .. } => extension.clone(),
        Destination::Voicemail { mailbox } => {
            let (number, _) = mailbox.split_once('@').unwrap_or((mailbox, ""));
            number.to_owned()
        }
    }
}
