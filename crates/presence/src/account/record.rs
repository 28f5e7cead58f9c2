//! What the account is told of a user: one JSON object, the same in lists and streams.

use serde::Serialize;

use crate::directory::UserId;
use crate::model::activity::{MeetingStatus, PresenceStatus, TelephonyStatus};
use crate::model::flags::Flags;
use crate::model::inferred::Inferred;
use crate::model::time::Time;
use crate::world::{Outcome, Transition, World};

/// A user at one moment.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The id that other programs know the user by.
    pub extension_id: String,
    /// The name.
    pub user: String,
    /// The extensions, the default one first.
    pub extensions: Vec<String>,
    /// What the phones do.
    pub telephony_status: TelephonyStatus,
    /// All taken together.
    pub presence_status: PresenceStatus,
    /// By what the user chose alone.
    pub user_status: PresenceStatus,
    /// Whether in a meeting.
    pub meeting_status: MeetingStatus,
    /// Which calls the user takes.
    pub dnd_status: &'static str,
    /// What else the user chose.
    #[serde(flatten)]
    pub flags: Flags,
    /// The account's number of the user's last transition.
    pub sequence: u64,
    /// The combined state.
    pub state: &'static str,
    /// Its subtype.
    pub subtype: String,
    /// Its message.
    pub message: String,
    /// The status type; empty for none.
    pub status: String,
    /// How people are shown it.
    pub label: String,
    /// Since when, in milliseconds of Unix time; none when never set.
    pub since: Option<u64>,
    /// When it ends, in milliseconds of Unix time; none without an end.
    pub until: Option<u64>,
    /// What was chosen.
    pub chosen: Chosen,
    /// What the system has concluded, where there is anything to say beside that.
    pub inferred: Option<Inferred>,
}

/// What a person chose.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub struct Chosen {
    /// The state.
    pub state: &'static str,
    /// Its subtype.
    pub subtype: String,
    /// Its message.
    pub message: String,
    /// Since when, in milliseconds of Unix time; none when never set.
    pub since: Option<u64>,
    /// When it ends, in milliseconds of Unix time; none without an end.
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

fn millis(time: Time) -> Option<u64> {
    (time != Time::NEVER).then(|| time.millis())
}

impl Record {
    /// Looks at a user.
    pub fn of(world: &World, id: UserId) -> Self {
        let directory = world.directory();
        let (user, outcome) = (directory.get(id), world.outcome(id));
        let default = user.default.map(usize::from);
        let default = default.and_then(|at| user.inputs.get(at));
        let others = user.inputs.iter().enumerate();
        let others = others.filter(|(at, _)| Some(*at) != user.default.map(usize::from));
        let extensions = default.into_iter().chain(others.map(|(_, input)| input));
        let extensions = extensions.filter_map(|input| directory.extension(input));
        let (activity, status) = (world.activity(id), world.status(id));
        Record {
            extension_id: user.id().to_owned(),
            user: user.name.to_string(),
            extensions: extensions.map(str::to_owned).collect(),
            telephony_status: activity.telephony,
            presence_status: activity.presence,
            user_status: activity.user,
            meeting_status: activity.meeting,
            dnd_status: world.dnd_status(id).name(),
            flags: world.flags(id),
            sequence: world.sequence(id),
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

    /// As it was after a transition. `None` when the user is gone since.
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

    /// As JSON.
    pub fn json(&self) -> String {
        // Plain texts and numbers always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}
