//! A user's record for the account: one JSON object, the same in lists and streams.

use serde::{Serialize, Serializer};

use crate::combine::{Method, Reason};
use crate::directory::UserId;
use crate::model::activity::{MeetingStatus, PresenceStatus, TelephonyStatus};
use crate::model::flags::Flags;
use crate::model::inferred::Inferred;
use crate::model::time::Time;
use crate::model::visibility::{UserGroups, Visibility};
use crate::world::{Outcome, Transition, World};

/// A user's state at one moment.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The id by which other programs know the user.
    pub extension_id: String,
    /// The user's name.
    pub user: String,
    /// The person's name in the directory, or else the user's name.
    pub name: String,
    /// The person's title; empty without one.
    pub title: String,
    /// The person's mail address; empty without one.
    pub email: String,
    /// The user's groups.
    #[serde(serialize_with = "group_names")]
    pub groups: UserGroups,
    /// The names of the extensions, the default extension first.
    pub extensions: Vec<String>,
    /// The status of the phones.
    pub telephony_status: TelephonyStatus,
    /// The availability by all sources, calls and meetings.
    pub presence_status: PresenceStatus,
    /// The availability by the user's own choice alone.
    pub user_status: PresenceStatus,
    /// Whether the user is in a meeting.
    pub meeting_status: MeetingStatus,
    /// The DND status: which calls the user takes.
    pub dnd_status: &'static str,
    /// The user's flags.
    #[serde(flatten)]
    pub flags: Flags,
    /// Who may see the presence.
    pub visibility: Visibility,
    /// The sequence number of the user's last transition.
    pub sequence: u64,
    /// The node that has given the number; `None` for a server of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The combined state.
    pub state: &'static str,
    /// The subtype.
    pub subtype: String,
    /// The message.
    pub message: String,
    /// The name of the status type; empty without one.
    pub status: String,
    /// The label of the status type, for people.
    pub label: String,
    /// When the presence was set: Unix time in milliseconds; `null` if it was never set.
    pub since: Option<u64>,
    /// When the presence ends: Unix time in milliseconds; `null` without an end.
    pub until: Option<u64>,
    /// The chosen presence.
    pub chosen: Chosen,
    /// The system's conclusion, if it adds anything to the chosen presence.
    pub inferred: Option<Inferred>,
}

/// The chosen presence of a user.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub struct Chosen {
    /// The state.
    pub state: &'static str,
    /// The subtype.
    pub subtype: String,
    /// The message.
    pub message: String,
    /// When the presence was set: Unix time in milliseconds; `null` if it was never set.
    pub since: Option<u64>,
    /// When the presence ends: Unix time in milliseconds; `null` without an end.
    pub until: Option<u64>,
}

impl Chosen {
    fn of(outcome: &Outcome) -> Self {
        let presence = &outcome.presence;
        Chosen {
            state: presence.state().name(),
            subtype: presence.subtype().to_owned(),
            message: presence.message().to_owned(),
            since: millis(outcome.since),
            until: millis(outcome.until),
        }
    }
}

/// A list, empty for no groups.
fn group_names<S: Serializer>(groups: &UserGroups, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(groups.iter().flat_map(|groups| groups.iter()))
}

fn millis(time: Time) -> Option<u64> {
    (time != Time::NEVER).then(|| time.millis())
}

impl Record {
    /// The present record of a user.
    pub fn of(world: &World, id: UserId) -> Self {
        let directory = world.directory();
        let (user, outcome) = (directory.get(id), world.outcome(id));
        let default_at = world.default_of(id).map(usize::from);
        let default = default_at.and_then(|at| user.inputs.get(at));
        let others = user.inputs.iter().enumerate();
        let others = others.filter(|(at, _)| Some(*at) != default_at);
        let extensions = default.into_iter().chain(others.map(|(_, input)| input));
        let extensions = extensions.filter_map(|input| directory.extension(input));
        let (activity, status) = (world.activity(id), world.status(id));
        let contact = user.contact.as_deref();
        let cluster = directory.settings.cluster.as_deref();
        Record {
            extension_id: user.id().to_owned(),
            user: user.name.to_string(),
            name: user.display_name().to_owned(),
            title: contact.map_or_else(String::new, |contact| contact.title.to_string()),
            email: contact.map_or_else(String::new, |contact| contact.email.to_string()),
            groups: user.groups.clone(),
            extensions: extensions.map(str::to_owned).collect(),
            telephony_status: activity.telephony,
            presence_status: activity.presence,
            user_status: activity.user,
            meeting_status: activity.meeting,
            dnd_status: world.dnd_status(id).name(),
            flags: world.flags(id),
            visibility: world.visibility(id),
            sequence: world.sequence(id),
            node: cluster.map(|cluster| cluster.node.to_string()),
            state: outcome.presence.state().name(),
            subtype: outcome.presence.subtype().to_owned(),
            message: outcome.presence.message().to_owned(),
            status: status.map_or_else(String::new, |status| status.name.to_string()),
            label: status.map_or_else(String::new, |status| status.label.to_string()),
            since: millis(outcome.since),
            until: millis(outcome.until),
            chosen: Chosen::of(world.chosen(id)),
            inferred: world.inferred(id).cloned(),
        }
    }

    /// The record right after a transition; `None` if the user has been removed since.
    pub fn after(world: &World, transition: &Transition) -> Option<Self> {
        let id = world.directory().user(&transition.user)?;
        let (new, status) = (&transition.new, transition.status.as_deref());
        let activity = transition.activity;
        Some(Record {
            telephony_status: activity.telephony,
            presence_status: activity.presence,
            user_status: activity.user,
            meeting_status: activity.meeting,
            dnd_status: transition.dnd_status.name(),
            flags: transition.flags,
            visibility: transition.visibility,
            sequence: transition.sequence,
            state: new.state().name(),
            subtype: new.subtype().to_owned(),
            message: new.message().to_owned(),
            status: status.map_or_else(String::new, |status| status.name.to_string()),
            label: status.map_or_else(String::new, |status| status.label.to_string()),
            since: millis(transition.since),
            until: millis(transition.until),
            chosen: Chosen::of(&transition.chosen),
            inferred: transition.inferred.clone(),
            ..Record::of(world, id)
        })
    }

    /// The record as JSON.
    pub fn json(&self) -> String {
        // Plain strings and numbers always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A [`Record`] with the user's account, and with what explains the combined presence.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub struct FullRecord {
    /// The record.
    #[serde(flatten)]
    pub record: Record,
    /// The name of the account.
    pub account: String,
    /// The address of the winning source, `own` for own status, empty for none.
    pub source: String,
    /// The rule by which the source won.
    pub reason: Reason,
    /// The method that combines the sources.
    pub method: Method,
}

impl FullRecord {
    /// The present record of a user.
    pub fn of(world: &World, id: UserId) -> Self {
        Record::of(world, id).full(world, id)
    }

    /// The record right after a transition; `None` if the user has been removed since.
    pub fn after(world: &World, transition: &Transition) -> Option<Self> {
        Some(FullRecord {
            record: Record::after(world, transition)?,
            account: transition.account.to_string(),
            source: transition.source.to_string(),
            reason: transition.reason,
            method: transition.method,
        })
    }

    /// The record as JSON.
    pub fn json(&self) -> String {
        // Plain strings and numbers always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Record {
    /// The present record with what a [`FullRecord`] has besides.
    pub fn full(self, world: &World, id: UserId) -> FullRecord {
        let user = world.directory().get(id);
        FullRecord {
            record: self,
            account: world.directory().account(user.account).to_string(),
            source: world.winner(id).to_owned(),
            reason: world.outcome(id).reason,
            method: user.rule.method,
        }
    }
}
