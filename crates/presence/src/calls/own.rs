//! A user's own settings for calls, which lie over those of the administrator item by item.

use super::{Blocks, Callee, Destination, Forward, HandlingBlock};
use crate::directory::{Directory, OwnDestination, UserId};
use crate::model::handling::{CallOrigin, ForwardWhen};
use crate::model::own_settings::{
    DEFAULT_STATUS, OwnForward, OwnItems, OwnSettings, OwnStatusSettings, OwnTarget, STATUSES,
    StatusSetting, UserSetting, forward_member, text_of,
};
use crate::model::state::{Presence, State};
use crate::model::text::quoted;
use crate::world::World;

/// A setting that a user has made and that is not carried out, because it is not allowed any
/// more. The next setting applies, in the end the administrator's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IgnoredSetting {
    /// The path of the item, such as `statuses.away.ringFirst`.
    pub path: String,
    /// The item and its value in words, such as `forward away external always to 305`.
    item: String,
    /// The value, as the user has set it.
    pub value: String,
    /// The reason, as a clause.
    pub why: String,
}

impl IgnoredSetting {
    fn forward(status: &str, origin: CallOrigin, when: ForwardWhen, target: &OwnTarget) -> Self {
        IgnoredSetting {
            path: format!("{STATUSES}.{status}.{}.{when}", forward_member(origin)),
            item: format!("forward {status} {origin} {when} to {target}"),
            value: target.to_string(),
            why: String::new(),
        }
    }

    fn item(status: &str, item: StatusSetting, value: &str) -> Self {
        IgnoredSetting {
            path: format!("{STATUSES}.{status}.{item}"),
            item: format!("setting {status} {item} ({value})"),
            value: value.to_owned(),
            why: String::new(),
        }
    }

    fn user(item: UserSetting, value: &str) -> Self {
        IgnoredSetting {
            path: item.name().to_owned(),
            item: format!("setting {item} ({value})"),
            value: value.to_owned(),
            why: String::new(),
        }
    }

    fn because(self, why: String) -> Self {
        IgnoredSetting { why, ..self }
    }
}

/// The setting in a sentence without a full stop.
impl std::fmt::Display for IgnoredSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let IgnoredSetting { item, why, .. } = self;
        write!(f, "the own {item} is not carried out: {why}")
    }
}

/// Whose setting decides an item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetBy {
    /// The user's own setting for this status; `default` for every status.
    Own(Box<str>),
    /// The administrator's section of this name.
    Section(Box<str>),
}

impl SetBy {
    /// Whether it is the user's own setting.
    pub fn is_own(&self) -> bool {
        matches!(self, SetBy::Own(_))
    }
}

/// `own away` or `section standard-away`.
impl std::fmt::Display for SetBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SetBy::Own(status) => write!(f, "own {status}"),
            SetBy::Section(section) => write!(f, "section {section}"),
        }
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
    /// Whose setting decides it; `None` if nobody has set it.
    pub set_by: Option<SetBy>,
}

/// One forward of a plan.
pub(super) struct PlannedForward<'a> {
    pub destination: Option<Destination>,
    pub set_by: Option<SetBy>,
    target: Target<'a>,
}

enum Target<'a> {
    Unset,
    Own(&'a OwnTarget),
    Administrator(&'a Forward),
}

/// The settings that count for a call: the user's own ones, then the administrator's blocks.
pub(super) struct CallSettings<'a> {
    world: &'a World,
    pub callee: &'a Callee<'a>,
    pub blocks: Blocks<'a>,
    own: Option<&'a OwnSettings>,
    /// The user's own settings that were passed over.
    pub ignored: Vec<IgnoredSetting>,
}

impl<'a> CallSettings<'a> {
    pub fn of(world: &'a World, callee: &'a Callee<'a>) -> Self {
        CallSettings {
            world,
            callee,
            blocks: Blocks::of(callee),
            own: world.own_settings(callee.id),
            ignored: Vec::new(),
        }
    }

    /// Decides one forward: the first of the user's own settings that is allowed, else the
    /// administrator's.
    pub fn forward(&mut self, origin: CallOrigin, when: ForwardWhen) -> PlannedForward<'a> {
        let callee = self.callee;
        for layer in self.own.into_iter().flat_map(|own| callee.layers(own)) {
            let Some(target) = layer.forward(origin, when) else {
                continue;
            };
            match destination(self.world, callee, target) {
                Ok(destination) => {
                    return PlannedForward {
                        destination,
                        set_by: Some(SetBy::Own(layer.status.clone())),
                        target: Target::Own(target),
                    };
                }
                Err(why) => {
                    let forward = IgnoredSetting::forward(&layer.status, origin, when, target);
                    self.ignored.push(forward.because(why));
                }
            }
        }
        let slot = HandlingBlock::slot(origin, when);
        let found = self.blocks.find(|block| block.forwards[slot].as_ref());
        PlannedForward {
            destination: found.and_then(|(_, goal)| callee.target(goal)),
            set_by: found.map(|(block, _)| SetBy::Section(block.name.clone())),
            target: found.map_or(Target::Unset, |(_, goal)| Target::Administrator(goal)),
        }
    }

    /// Decides another item: the first of the user's own settings that is carried out, else the
    /// administrator's.
    pub fn item<T>(
        &mut self,
        item: StatusSetting,
        own: impl Fn(&'a OwnItems) -> Option<T>,
        of_block: impl Fn(&'a HandlingBlock) -> Option<T>,
    ) -> Option<(T, SetBy)> {
        let callee = self.callee;
        for (settings, layer) in self
            .own
            .into_iter()
            .flat_map(|own| callee.layers(own).map(move |layer| (own, layer)))
        {
            let Some(value) = own(&layer.items) else {
                continue;
            };
            let directory = self.world.directory();
            match directory.own_item(callee.id, settings, &layer.items, item) {
                Ok(()) => {
                    let missing = missing_endpoints(self.world, callee.id, layer, item);
                    self.ignored.extend(missing);
                    return Some((value, SetBy::Own(layer.status.clone())));
                }
                Err(why) => {
                    let value = layer.items.value(item).unwrap_or_default();
                    let ignored = IgnoredSetting::item(&layer.status, item, &text_of(&value));
                    self.ignored.push(ignored.because(why.reason()));
                }
            }
        }
        let (block, value) = self.blocks.find(of_block)?;
        Some((value, SetBy::Section(block.name.clone())))
    }
}

/// The names in a stage of ringing that mean nothing any more, while others do.
fn missing_endpoints(
    world: &World,
    user: UserId,
    layer: &OwnStatusSettings,
    item: StatusSetting,
) -> Vec<IgnoredSetting> {
    let names = match item {
        StatusSetting::RingFirst => layer.items.ring_first.as_deref(),
        StatusSetting::RingSecond => layer.items.ring_second.as_deref(),
        _ => None,
    };
    let names = names.into_iter().flatten();
    let missing = names.filter_map(|name| {
        let settings = world.own_settings(user);
        let known = world.directory().own_endpoint(user, settings, name);
        let ignored = IgnoredSetting::item(&layer.status, item, name);
        Some(ignored.because(known.err()?.reason()))
    });
    missing.collect()
}

/// Where an own target leads now.
fn destination(
    world: &World,
    callee: &Callee<'_>,
    target: &OwnTarget,
) -> Result<Option<Destination>, String> {
    let settings = world.own_settings(callee.id);
    let found = callee.directory.own_target(callee.id, settings, target)?;
    Ok(destination_of(callee.directory, found))
}

/// The same as a target of a plan.
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
    let mut settings = CallSettings::of(world, &callee);
    let pairs = CallOrigin::ALL.map(|origin| ForwardWhen::ALL.map(|when| (origin, when)));
    let [[a, b, c], [d, e, f]] = pairs;
    [a, b, c, d, e, f].map(|(origin, when)| {
        let planned = settings.forward(origin, when);
        EffectiveForward {
            origin,
            when,
            target: planned.text(),
            destination: planned.destination,
            set_by: planned.set_by,
        }
    })
}

impl PlannedForward<'_> {
    /// The target in the words of the settings; `None` if nobody has set one.
    pub fn text(&self) -> Option<String> {
        match self.target {
            Target::Unset => None,
            Target::Own(target) => Some(target.to_string()),
            Target::Administrator(Forward::None) => Some("none".to_owned()),
            Target::Administrator(Forward::OwnVoicemail) => Some("voicemail".to_owned()),
            Target::Administrator(_) => self.destination.as_ref().map(Destination::to_string),
        }
    }
}

/// The state that goes with a status type: the one that it is mapped to. A type that is mapped
/// to nothing leaves the user's state as it is.
pub fn state_of(world: &World, user: UserId, status: &str) -> State {
    let known = world.directory().settings.statuses().find(status);
    let mapped = known.and_then(|status| status.maps_to.as_ref());
    mapped.map_or_else(|| world.chosen(user).presence.state(), Presence::state)
}

/// Every own setting of the user that is not carried out, whatever the status.
pub fn ignored(world: &World, user: UserId) -> Vec<IgnoredSetting> {
    let Some(settings) = world.own_settings(user) else {
        return Vec::new();
    };
    let directory = world.directory();
    let mut found = Vec::new();
    for status in settings.statuses() {
        let name = &status.status;
        let is_known = name.eq_ignore_ascii_case(DEFAULT_STATUS)
            || directory.settings.statuses().find(name).is_some();
        if !is_known {
            found.push(IgnoredSetting {
                path: format!("{STATUSES}.{name}"),
                item: format!("setting {name}"),
                value: String::new(),
                why: format!("there is no status '{}'", quoted(name)),
            });
            continue;
        }
        for OwnForward {
            origin,
            when,
            target,
        } in &status.forwards
        {
            if let Err(why) = directory.own_target(user, Some(settings), target) {
                let ignored = IgnoredSetting::forward(&status.status, *origin, *when, target);
                found.push(ignored.because(why));
            }
        }
        for item in StatusSetting::ALL {
            let Some(value) = status.items.value(item) else {
                continue;
            };
            match directory.own_item(user, settings, &status.items, item) {
                Ok(()) => found.extend(missing_endpoints(world, user, status, item)),
                Err(why) => {
                    let ignored = IgnoredSetting::item(&status.status, item, &text_of(&value));
                    found.push(ignored.because(why.reason()));
                }
            }
        }
    }
    for item in UserSetting::ALL {
        let value = settings.user().get(item);
        let refused = value.map(|value| (value, world.own_user_item(user, item, value)));
        if let Some((value, Err(why))) = refused {
            found.push(IgnoredSetting::user(item, value).because(why.reason()));
        }
    }
    found
}
