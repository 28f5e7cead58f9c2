//! The readable state of a user: the fields of `USER_PRESENCE()`, and the view that CLI, AMI
//! and JSON show.

use serde::Serialize;

use crate::account::Activity;
use crate::calls::effective_settings::EffectiveSettings;
use crate::calls::feature_keys::refuses_calls;
use crate::combine::{Method, Order, Reason};
use crate::config::Outgoing;
use crate::directory::UserId;
use crate::model::assignment::encode;
use crate::model::contact::Contact;
use crate::model::device::{DeviceState, Watcher};
use crate::model::dnd::DndStatus;
use crate::model::flags::{Flag, Flags};
use crate::model::inferred::Inferred;
use crate::model::input::InputKind;
use crate::model::own_settings::{OwnSettings, SettingsPath};
use crate::model::state::{Presence, State};
use crate::model::text::quoted;
use crate::model::time::Time;
use crate::model::visibility::{Visibility, VisibilityOrigin};
use crate::model::words::words;
use crate::world::{PublishedSource, Winner, World};

words! {
    /// A field of `USER_PRESENCE(user,field)`.
    pub enum Field: "field" {
        /// The combined state.
        State = "state" | "value",
        /// The subtype of the combined presence.
        Subtype = "subtype",
        /// The message of the combined presence.
        Message = "message",
        /// When the winner was set: Unix time in milliseconds; empty if it was never set.
        Since = "since",
        /// When the combined presence ends: Unix time in milliseconds; empty without an end.
        Until = "until",
        /// The address of the winning source, `own` for own status, empty for none.
        Source = "source",
        /// The rule by which the source won: the name of a [`Reason`].
        Reason = "reason",
        /// The user's method: the name of a [`Method`].
        Method = "method",
        /// The sequence number of the user's last transition.
        Sequence = "sequence",
        /// The user's extensions, separated by commas.
        Extensions = "extensions",
        /// The person's name in the directory, or else the user's name.
        Name = "name",
        /// The person's title.
        Title = "title",
        /// The person's mail address.
        Email = "email",
        /// The user's groups, separated by commas.
        Groups = "groups",
        /// Who may see the presence: the name of a [`Visibility`].
        Visibility = "visibility",
        /// The status type that was set last, or that the chosen presence means.
        Status = "status",
        /// The label of the status type, for people.
        Label = "label",
        /// The system's conclusion in words; empty without a conclusion.
        Inferred = "inferred",
        /// The chosen state.
        ChosenState = "chosen_state",
        /// The subtype of the chosen presence.
        ChosenSubtype = "chosen_subtype",
        /// The message of the chosen presence; it can be set.
        ChosenMessage = "chosen_message",
        /// When the presence was chosen: Unix time in milliseconds; empty if it never was.
        ChosenSince = "chosen_since",
        /// When the chosen presence ends: Unix time in milliseconds; empty without an end.
        ChosenUntil = "chosen_until",
        /// The DND status: the name of a [`DndStatus`]; it can be set.
        DndStatus = "dndStatus",
        /// The status of the phones: the name of a [`crate::account::TelephonyStatus`].
        TelephonyStatus = "telephonyStatus",
        /// Whether the user is in a meeting: the name of a [`crate::account::MeetingStatus`].
        MeetingStatus = "meetingStatus",
        /// The user's availability: the name of a [`crate::account::PresenceStatus`].
        PresenceStatus = "presenceStatus",
        /// The availability by the user's own choice alone.
        UserStatus = "userStatus",
        /// The settings that the user has made, as one JSON object; a merge patch changes them.
        Settings = "settings",
        /// The settings as they apply, filled from the configuration, as one JSON object.
        EffectiveSettings = "effective_settings",
        /// The whole [`View`] as one JSON object.
        Json = "json";
        /// A flag of the user, `true` or `false`; it can be set.
        Flag(Flag)
    }
}

/// The parsed arguments of a read: `user[,field[,options]]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query<'a> {
    /// The user's name, id or extension.
    pub user: &'a str,
    /// The requested field.
    pub field: Field,
    /// Whether subtypes and messages are encoded in base64 (option `e`).
    pub encoded: bool,
    /// The one item of the settings to read; `None` for all of them.
    pub item: Option<SettingsPath<'a>>,
}

impl<'a> Query<'a> {
    /// Parses the arguments.
    ///
    /// # Errors
    /// Returns a message that names the argument and the expected value.
    pub fn parse(arguments: &'a str) -> Result<Self, String> {
        let mut parts = arguments.splitn(3, ',').map(str::trim);
        let user = parts.next().unwrap_or_default();
        if user.is_empty() {
            return Err("the user is missing, expected user[,field[,options]]".into());
        }
        let field = match parts.next() {
            None | Some("") => Field::State,
            Some(name) => Field::parse(name)?,
        };
        let options = parts.next().unwrap_or_default();
        if let Field::Settings | Field::EffectiveSettings = field {
            return Ok(Query {
                user,
                field,
                encoded: false,
                item: match options {
                    "" => None,
                    path => Some(SettingsPath::parse(path)?),
                },
            });
        }
        if let Some(other) = options.chars().find(|c| *c != 'e') {
            return Err(format!(
                "unknown option '{}', expected e",
                quoted(&other.to_string())
            ));
        }
        Ok(Query {
            user,
            field,
            encoded: !options.is_empty(),
            item: None,
        })
    }

    /// The user with this name, or else the only one with this id or extension.
    ///
    /// # Errors
    /// Returns a message if no user matches, or one that names the users if several match.
    pub fn find(world: &World, name: &str) -> Result<UserId, String> {
        world.find(name)
    }

    /// The value of the field.
    ///
    /// # Errors
    /// Returns a message if the user is unknown or ambiguous: see [`Query::find`].
    pub fn answer(&self, world: &World) -> Result<String, String> {
        let id = Query::find(world, self.user)?;
        let (outcome, chosen) = (world.outcome(id), world.chosen(id));
        let number = |time: Time| millis(time).map_or_else(String::new, |ms| ms.to_string());
        let text = |text: &str| match self.encoded {
            true => encode(text),
            false => text.to_owned(),
        };
        Ok(match self.field {
            Field::State => outcome.presence.state().name().to_owned(),
            Field::Subtype => text(outcome.presence.subtype()),
            Field::Message => text(outcome.presence.message()),
            Field::Since => number(outcome.since),
            Field::Until => number(outcome.until),
            Field::Source => world.winner(id).to_owned(),
            Field::Reason => outcome.reason.name().to_owned(),
            Field::Method => world.directory().get(id).rule.method.name().to_owned(),
            Field::Sequence => world.sequence(id).to_string(),
            Field::Extensions => extensions(world, id).join(","),
            Field::Name => world.directory().get(id).display_name().to_owned(),
            Field::Title => contact(world, id).title.to_string(),
            Field::Email => contact(world, id).email.to_string(),
            Field::Groups => groups(world, id).join(","),
            Field::Visibility => world.visibility(id).name().to_owned(),
            Field::Status => world
                .status(id)
                .map_or_else(String::new, |s| s.name.to_string()),
            Field::Label => world
                .status(id)
                .map_or_else(String::new, |s| s.label.to_string()),
            Field::Inferred => world
                .inferred(id)
                .map_or_else(String::new, |it| it.label().to_owned()),
            Field::ChosenState => chosen.presence.state().name().to_owned(),
            Field::ChosenSubtype => text(chosen.presence.subtype()),
            Field::ChosenMessage => text(chosen.presence.message()),
            Field::ChosenSince => number(chosen.since),
            Field::ChosenUntil => number(chosen.until),
            Field::DndStatus => world.dnd_status(id).name().to_owned(),
            Field::Flag(flag) => world.flags(id).word(flag).to_owned(),
            Field::TelephonyStatus => world.activity(id).telephony.name().to_owned(),
            Field::MeetingStatus => world.activity(id).meeting.name().to_owned(),
            Field::PresenceStatus => world.activity(id).presence.name().to_owned(),
            Field::UserStatus => world.activity(id).user.name().to_owned(),
            Field::Settings => {
                let settings = world.own_settings(id);
                match self.item {
                    Some(item) => item.read(settings, world.settings_status(id)),
                    None => settings.map_or("{}", OwnSettings::json).to_owned(),
                }
            }
            Field::EffectiveSettings => match &self.item {
                Some(item) => EffectiveSettings::item(world, id, item)?,
                None => EffectiveSettings::of(world, id).json(),
            },
            Field::Json => View::of(world, id).json(),
        })
    }
}

fn millis(time: Time) -> Option<u64> {
    (time != Time::NEVER).then(|| time.millis())
}

fn contact(world: &World, id: UserId) -> Contact {
    let contact = world.directory().get(id).contact.as_deref();
    contact.cloned().unwrap_or_default()
}

fn groups(world: &World, id: UserId) -> Vec<String> {
    let groups = world.directory().get(id).groups.iter();
    let groups = groups.flat_map(|groups| groups.iter());
    groups.map(ToString::to_string).collect()
}

fn extensions(world: &World, id: UserId) -> Vec<String> {
    let directory = world.directory();
    let inputs = directory.get(id).inputs.iter();
    inputs
        .filter_map(|input| directory.extension(input))
        .map(str::to_owned)
        .collect()
}

/// The whole state of a user at one moment.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub struct View {
    /// The user's name.
    pub user: String,
    /// The id by which other programs know the user.
    pub id: String,
    /// The name of the account.
    pub account: String,
    /// The person's name in the directory; in this JSON, which has to fit into the 1023 bytes
    /// of AMI's `Getvar`, only if there is one.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub name: Box<str>,
    /// The person's title.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub title: Box<str>,
    /// The person's mail address.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub email: Box<str>,
    /// The user's groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The combined presence.
    #[serde(flatten)]
    pub presence: PresenceView,
    /// The name of the status type; empty without one.
    pub status: String,
    /// The label of the status type, for people.
    pub label: String,
    /// The chosen presence.
    #[serde(skip)]
    pub chosen: PresenceView,
    /// The chosen presence for JSON, if it differs from the combined one. Leaving it out makes
    /// the JSON of a plain user fit into the 1023 bytes of AMI's `Getvar`.
    #[serde(rename = "chosen", skip_serializing_if = "Option::is_none")]
    chosen_apart: Option<PresenceView>,
    /// The system's conclusion, if it adds anything to the chosen presence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inferred: Option<Inferred>,
    /// The address of the winning source, `own` for own status, empty for none.
    pub source: String,
    /// The rule by which the source won.
    pub reason: Reason,
    /// The method that combines the sources.
    pub method: Method,
    /// The order of `priority`, highest first; in JSON only if it is not the default order.
    #[serde(skip_serializing_if = "is_usual")]
    pub priority: Order,
    /// Where a status is written when it is set.
    pub outgoing: Outgoing,
    /// Whether extensions are read and written.
    pub enabled: bool,
    /// The sequence number of the user's last transition.
    pub sequence: u64,
    /// The name of the default extension.
    pub default: Option<String>,
    /// The DND status: which calls the user takes.
    #[serde(rename = "dndStatus")]
    pub dnd_status: DndStatus,
    /// Whether FreePBX's do not disturb and the status follow each other; in JSON only if so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub follow_dnd: bool,
    /// The extension at which do not disturb was switched on in FreePBX, if that is why the user
    /// is in `dnd`. Other nodes of a cluster do not know it.
    #[serde(skip)]
    pub dnd_from: Option<String>,
    /// Whether do not disturb is on: what is followed, and what the DND key shows.
    #[serde(skip)]
    pub refuses_calls: bool,
    /// The user's flags.
    #[serde(flatten)]
    pub flags: Flags,
    /// Who may see the presence; in JSON only if not everyone may.
    #[serde(skip_serializing_if = "is_everyone")]
    pub visibility: Visibility,
    /// What decides who may see the presence.
    #[serde(skip)]
    pub visibility_origin: VisibilityOrigin,
    /// The user's activity.
    #[serde(flatten)]
    pub activity: Activity,
    /// The device state for lamps on the user.
    pub device_state: DeviceState,
    /// The device state for queues.
    pub queue_state: DeviceState,
    /// The number of panels on which the user is logged in.
    pub panels: u32,
    /// Own status, if one was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<PresenceView>,
    /// Whether own status is one of the sources.
    pub own_takes_part: bool,
    /// The names of the extensions to which a status is written when it is set.
    #[serde(skip)]
    pub written: Vec<String>,
    /// The sources in the order of the configuration, and what phones publish now.
    pub sources: Vec<SourceView>,
}

fn is_everyone(visibility: &Visibility) -> bool {
    *visibility == Visibility::Everyone
}

fn is_usual(order: &Order) -> bool {
    *order == Order::default()
}

/// A presence with its times.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub struct PresenceView {
    /// The state.
    pub state: State,
    /// The subtype.
    pub subtype: String,
    /// The message.
    pub message: String,
    /// When the presence was set: Unix time in milliseconds; `None` if it was never set.
    pub since: Option<u64>,
    /// When the presence ends: Unix time in milliseconds; `None` without an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

impl PresenceView {
    fn new(presence: &Presence, since: Time, until: Time) -> Self {
        PresenceView {
            until: millis(until),
            state: presence.state(),
            subtype: presence.subtype().to_owned(),
            message: presence.message().to_owned(),
            since: millis(since),
        }
    }
}

/// One source of a user.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub struct SourceView {
    /// The address, or the name of a device or schedule.
    pub address: String,
    /// The name of the extension; `None` for other sources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// The device that the source reads, or that belongs to the extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The state of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_state: Option<DeviceState>,
    /// The other nodes at which the device can be reached, if it cannot be reached here.
    #[serde(skip)]
    pub nodes: Vec<String>,
    /// The presence of the source.
    #[serde(flatten)]
    pub presence: PresenceView,
    /// Whether the provider has answered.
    pub known: bool,
    /// Whether the source takes part now.
    pub takes_part: bool,
    /// Whether the source is the winner.
    pub winner: bool,
    /// The kind of source.
    #[serde(skip)]
    pub kind: InputKind,
    /// Whether any other source that is set wins over this one: it is `not_set`, or it is an
    /// idle device and the method is `latest`.
    #[serde(skip)]
    pub gives_way: bool,
}

impl View {
    /// The present view of a user.
    pub fn of(world: &World, id: UserId) -> Self {
        let directory = world.directory();
        let (user, outcome) = (directory.get(id), world.outcome(id));
        let (own, status) = (world.own(id), world.status(id));
        let source = |(index, input): (usize, &crate::directory::Input)| {
            let state = world.source(input.source);
            let device = input.device();
            SourceView {
                address: directory.get_source(input.source).display_name().to_owned(),
                extension: directory.extension(input).map(str::to_owned),
                device: device.map(|device| directory.device_name(device).to_owned()),
                device_state: device.map(|device| world.device(device).unwrap_or_default()),
                nodes: device.map_or_else(Vec::new, |device| world.nodes_instead(device)),
                presence: PresenceView::new(&state.presence, state.since, state.until()),
                known: state.known,
                takes_part: world.takes_part(id, index),
                winner: outcome.winner == Winner::Input(index as u16),
                kind: input.kind,
                gives_way: !world.value_of(user.rule.method, input).is_set(),
            }
        };
        let published = |it: PublishedSource<'_>| SourceView {
            address: it.name.to_string(),
            extension: None,
            device: Some(directory.device_name(it.device).to_owned()),
            device_state: Some(world.device(it.device).unwrap_or_default()),
            nodes: world.nodes_instead(it.device),
            presence: PresenceView::new(it.presence, it.since, Time::NEVER),
            known: true,
            takes_part: it.takes_part,
            winner: outcome.winner == Winner::Publication(it.index),
            kind: InputKind::Publication,
            gives_way: !it.presence.is_set(),
        };
        let default = world.default_extension(id).map(str::to_owned);
        let written = |input: &&crate::directory::Input| {
            directory
                .written(user, world.default_of(id))
                .any(|source| source == input.source)
        };
        let written = user.inputs.iter().filter(written);
        let written = written
            .filter_map(|input| directory.extension(input))
            .map(str::to_owned);
        let presence = PresenceView::new(&outcome.presence, outcome.since, outcome.until);
        let Contact { name, title, email } = contact(world, id);
        let (visibility, visibility_origin) = world.visibility_origin(id);
        let dnd_from = world.dnd_from(id).filter(|_| user.rule.follow_dnd);
        let chosen = world.chosen(id);
        let chosen = PresenceView::new(&chosen.presence, chosen.since, chosen.until);
        View {
            user: user.name.to_string(),
            id: user.id().to_owned(),
            account: directory.account(user.account).to_string(),
            name,
            title,
            email,
            groups: groups(world, id),
            visibility,
            visibility_origin,
            chosen_apart: (chosen != presence).then(|| chosen.clone()),
            presence,
            status: status.map_or_else(String::new, |status| status.name.to_string()),
            label: status.map_or_else(String::new, |status| status.label.to_string()),
            chosen,
            inferred: world.inferred(id).cloned(),
            source: world.winner(id).to_owned(),
            reason: outcome.reason,
            method: user.rule.method,
            priority: user.rule.order,
            outgoing: user.rule.outgoing,
            enabled: user.rule.enabled,
            sequence: world.sequence(id),
            default,
            dnd_status: world.dnd_status(id),
            follow_dnd: user.rule.follow_dnd,
            dnd_from: dnd_from.map(str::to_owned),
            refuses_calls: refuses_calls(world, id),
            flags: world.flags(id),
            activity: world.activity(id),
            device_state: world.device_state_of(id, Watcher::Lamp),
            queue_state: world.device_state_of(id, Watcher::Queue),
            panels: world.panels(id),
            own: own.map(|own| PresenceView::new(&own.presence, own.since, own.until)),
            own_takes_part: world.own_takes_part(id),
            written: written.collect(),
            sources: {
                let inputs = user.inputs.iter().enumerate().map(source);
                inputs
                    .chain(world.publications(user).map(published))
                    .collect()
            },
        }
    }

    /// The view as one JSON object.
    pub fn json(&self) -> String {
        // Plain strings and numbers always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The system's conclusion in words; empty without one.
    pub fn inferred_label(&self) -> &str {
        self.inferred.as_ref().map_or("", Inferred::label)
    }

    /// The name that is shown to people: the one in the directory, or else the user's name.
    pub fn display_name(&self) -> &str {
        match &*self.name {
            "" => &self.user,
            name => name,
        }
    }

    /// The names of the extensions.
    pub fn extensions(&self) -> impl Iterator<Item = &str> {
        self.sources
            .iter()
            .filter_map(|source| source.extension.as_deref())
    }
}
