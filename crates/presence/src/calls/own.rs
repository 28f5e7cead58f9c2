//! A user's own forwards, which lie over those of the administrator item by item.

use std::collections::BTreeMap;

use super::{Blocks, Callee, Destination, Forward, HandlingBlock};
use crate::directory::{Directory, OwnDestination, UserId};
use crate::model::handling::{CallOrigin, ForwardWhen};
use crate::model::own_rights::OwnArea;
use crate::model::own_settings::{DEFAULT_STATUS, OwnSettings, OwnTarget};
use crate::model::state::{Presence, State};
use crate::world::World;

/// A forward that a user has set and that is not carried out, because it is not allowed any
/// more. The administrator's forward applies instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IgnoredForward {
    /// The status whose settings hold it.
    pub status: Box<str>,
    /// The callers that it is for.
    pub origin: CallOrigin,
    /// When it would apply.
    pub when: ForwardWhen,
    /// The target, as the user has set it.
    pub target: String,
    /// The reason, as a clause.
    pub why: String,
}

/// The forward in a sentence without a full stop.
impl std::fmt::Display for IgnoredForward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let IgnoredForward {
            status,
            origin,
            when,
            target,
            why,
        } = self;
        write!(
            f,
            "the own forward {status} {origin} {when} to {target} is not carried out: {why}"
        )
    }
}

/// A forward as it applies in a status.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EffectiveForward {
    /// The callers that it is for.
    pub origin: CallOrigin,
    /// When it applies.
    pub when: ForwardWhen,
    /// The target in the words of the settings, such as `210`, `voicemail` or `none`; `None` if
    /// nobody has set one.
    pub target: Option<String>,
    /// Where the call goes; `None` if it is not forwarded.
    pub destination: Option<Destination>,
    /// The status of the user's own setting that decides it, `default` for their setting for all
    /// statuses; `None` where the administrator decides.
    pub own: Option<Box<str>>,
}

/// One forward of a plan.
pub(super) struct PlannedForward<'a> {
    pub destination: Option<Destination>,
    pub own: Option<Box<str>>,
    target: Target<'a>,
}

enum Target<'a> {
    Unset,
    Own(&'a OwnTarget),
    Administrator(&'a Forward),
}

/// Which of the user's own settings come first: those of the status type, then those of the
/// state, then those for all statuses.
fn layers(state: State, status: &str) -> impl Iterator<Item = &str> {
    let state = Some(state.name()).filter(|state| !state.eq_ignore_ascii_case(status));
    [Some(status), state, Some(DEFAULT_STATUS)]
        .into_iter()
        .flatten()
}

/// Decides one forward: the first of the user's own settings that is allowed, else the
/// administrator's. Own settings that are passed over are added to `ignored`.
pub(super) fn planned<'a>(
    world: &'a World,
    callee: &Callee<'a>,
    blocks: &Blocks<'a>,
    (origin, when): (CallOrigin, ForwardWhen),
    ignored: &mut Vec<IgnoredForward>,
) -> PlannedForward<'a> {
    if let Some(settings) = world.own_settings(callee.id) {
        for layer in layers(callee.state, callee.status) {
            let Some(target) = settings.forward(layer, origin, when) else {
                continue;
            };
            match destination(callee, target) {
                Ok(destination) => {
                    return PlannedForward {
                        destination,
                        own: Some(layer.into()),
                        target: Target::Own(target),
                    };
                }
                Err(why) => ignored.push(IgnoredForward {
                    status: layer.into(),
                    origin,
                    when,
                    target: target.to_string(),
                    why,
                }),
            }
        }
    }
    let forward = blocks.get(|block| block.forwards[HandlingBlock::slot(origin, when)].as_ref());
    PlannedForward {
        destination: forward.and_then(|goal| callee.target(goal)),
        own: None,
        target: forward.map_or(Target::Unset, Target::Administrator),
    }
}

/// Where an own target leads now.
fn destination(callee: &Callee<'_>, target: &OwnTarget) -> Result<Option<Destination>, String> {
    let found = callee.directory.own_target(callee.id, target)?;
    Ok(destination_of(callee.directory, found))
}

/// The destination of a call; `None` for no forward.
pub(super) fn destination_of(directory: &Directory, found: OwnDestination) -> Option<Destination> {
    match found {
        OwnDestination::Nowhere => None,
        OwnDestination::Voicemail(mailbox) => Some(Destination::Voicemail {
            mailbox: mailbox.into(),
        }),
        OwnDestination::Extension(extension, context, user) => Some(Destination::Extension {
            extension,
            context,
            user: user.map(|user| directory.get(user).name.clone()),
        }),
    }
}

/// The six forwards of a user in a state and status type, internal before external.
pub fn effective(world: &World, user: UserId, state: State, status: &str) -> [EffectiveForward; 6] {
    let callee = Callee::new(world, user, state, status);
    let blocks = Blocks::of(&callee);
    let pairs = CallOrigin::ALL.map(|origin| ForwardWhen::ALL.map(|when| (origin, when)));
    let [[a, b, c], [d, e, f]] = pairs;
    [a, b, c, d, e, f].map(|(origin, when)| {
        let planned = planned(world, &callee, &blocks, (origin, when), &mut Vec::new());
        EffectiveForward {
            origin,
            when,
            target: match planned.target {
                Target::Unset => None,
                Target::Own(target) => Some(target.to_string()),
                Target::Administrator(Forward::None) => Some("none".to_owned()),
                Target::Administrator(Forward::OwnVoicemail) => Some("voicemail".to_owned()),
                Target::Administrator(_) => {
                    planned.destination.as_ref().map(Destination::to_string)
                }
            },
            destination: planned.destination,
            own: planned.own,
        }
    })
}

/// The state that goes with a status type: the one that it is mapped to. A type that is mapped
/// to nothing leaves the user's state as it is.
pub fn state_of(world: &World, user: UserId, status: &str) -> State {
    let known = world.directory().settings.statuses().find(status);
    let mapped = known.and_then(|status| status.maps_to.as_ref());
    mapped.map_or_else(|| world.chosen(user).presence.state(), Presence::state)
}

/// Every own forward of the user that is not carried out, whatever the status.
pub fn ignored(world: &World, user: UserId) -> Vec<IgnoredForward> {
    let settings = world.own_settings(user);
    let statuses = settings.map_or(&[][..], OwnSettings::statuses).iter();
    let all = statuses.flat_map(|it| it.forwards.iter().map(move |forward| (it, forward)));
    let ignored = all.filter_map(|(settings, forward)| {
        let allowed = world.directory().own_target(user, &forward.target);
        Some(IgnoredForward {
            status: settings.status.clone(),
            origin: forward.origin,
            when: forward.when,
            target: forward.target.to_string(),
            why: allowed.err()?,
        })
    });
    ignored.collect()
}

/// What the user may set: the parts of the own settings, and the targets of forwards.
pub fn allowed(world: &World, user: UserId) -> BTreeMap<&'static str, Vec<String>> {
    let rights = &world.directory().get(user).rule.own_rights;
    let areas = rights.areas.iter().map(ToString::to_string).collect();
    let targets = match rights.may_set(OwnArea::Handling) {
        true => rights.targets(),
        false => Vec::new(),
    };
    BTreeMap::from([("settings", areas), ("forward", targets)])
}
