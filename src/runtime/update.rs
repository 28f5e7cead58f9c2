//! A change of a user's presence as HTTP and ARI take it: one JSON object.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::{NOT_RUNNING, store};
use presence::Time;
use presence::model::assignment::{self, Parts};
use presence::model::dnd::DndStatus;
use presence::model::ending::{self, Clock};
use presence::model::flags::Flag;
use presence::model::text::quoted;
use presence::views::fields::Query;
use presence::world::Change;

/// A change of a user as a JSON object. Fields that are absent stay unchanged.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct PresenceUpdate {
    status: Option<String>,
    subtype: Option<String>,
    message: Option<String>,
    until: Option<RequestedEnd>,
    dnd_status: Option<String>,
    /// In the order of [`Flag::ALL`].
    #[serde(flatten, deserialize_with = "flags")]
    flags: Vec<(Flag, bool)>,
}

/// All other fields of an update: the flags, and nothing else.
fn flags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(Flag, bool)>, D::Error> {
    const KNOWN: [&str; 5 + Flag::NAMES.len()] = {
        let others = ["status", "subtype", "message", "until", "dndStatus"];
        let mut known = [""; 5 + Flag::NAMES.len()];
        let mut at = 0;
        while at < known.len() {
            known[at] = match at < others.len() {
                true => others[at],
                false => Flag::NAMES[at - others.len()],
            };
            at += 1;
        }
        known
    };
    let mut given = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
    let mut flags = Vec::new();
    for flag in Flag::ALL {
        if let Some(value) = given.remove(flag.name()) {
            let on = Option::<bool>::deserialize(value).map_err(D::Error::custom)?;
            flags.extend(on.map(|on| (flag, on)));
        }
    }
    match given.keys().next() {
        Some(unknown) => Err(D::Error::unknown_field(unknown, &KNOWN)),
        None => Ok(flags),
    }
}

/// The end of a status: Unix time in milliseconds, or a text such as `14:30`, `30m`, `for 30m`
/// or `until 14:30`.
#[derive(Deserialize)]
#[serde(untagged)]
enum RequestedEnd {
    At(u64),
    Text(String),
    Other(serde_json::Value),
}

fn wrong_until(given: &str) -> String {
    format!(
        "until is {given}, expected Unix time in milliseconds, a time of day such as \"14:30\" or \
         a length of time such as \"30m\""
    )
}

impl RequestedEnd {
    fn time(&self, clock: &Clock<'_>) -> Result<Time, String> {
        match self {
            RequestedEnd::At(millis) => Ok(Time::from_millis(*millis)),
            RequestedEnd::Text(text) => match ending::time_of_day(text) {
                Ok(minutes) => Ok(clock.next(minutes)),
                Err(_) => assignment::in_words(text, clock)
                    .unwrap_or_else(|| Err(wrong_until(&format!("'{}'", quoted(text))))),
            },
            RequestedEnd::Other(given) => Err(wrong_until(&given.to_string())),
        }
    }
}

impl PresenceUpdate {
    /// Sets everything, or nothing if anything is invalid. `user` is the user's name.
    ///
    /// # Errors
    /// What is invalid, in words that begin with a small letter.
    pub fn carry_out(&self, user: &str) -> Result<(), String> {
        let dnd = self.dnd_status.as_deref().map(DndStatus::parse);
        let dnd = dnd.transpose()?;
        let text = |text: &'_ Option<String>| text.clone().unwrap_or_default();
        let (subtype, message) = (text(&self.subtype), text(&self.message));
        const HIDES: (Flag, bool) = (Flag::AllowSeeMyPresence, false);
        let hide = || match self.flags.contains(&HIDES) {
            true => store::change_user(user, |user| Change::Flag(user, HIDES.0, HIDES.1)).map(drop),
            false => Ok(()),
        };
        if let Some(status) = &self.status {
            let parts = Parts {
                status,
                subtype: &subtype,
                message: &message,
                options: "",
            };
            // Checked before anything changes.
            let choice = store::choice(user, |statuses, clock| {
                let until = self.until.as_ref().map(|until| until.time(clock));
                let choice = parts.choice(statuses, clock)?;
                choice.ending(until.transpose()?, clock.now)
            })?;
            hide()?;
            store::set_status(user, |_, _| Ok(choice))?;
        } else if self.until.is_some() || self.subtype.is_some() {
            return Err("subtype and until need a status, which is missing".into());
        } else if let Some(message) = &self.message {
            // Checked before anything changes.
            let right = store::read(|world| {
                let user = Query::find(world, user)?;
                world.with_message(user, message, store::now()).map(drop)
            });
            right.ok_or(NOT_RUNNING)??;
            hide()?;
            store::set_message(user, message)?;
        }
        // Before any other change that others could see; no effect if it is done already.
        hide()?;
        if let Some(takes) = dnd {
            store::change_user(user, |user| Change::DndStatus(user, takes))?;
        }
        for (flag, on) in self.flags.iter().copied().filter(|flag| *flag != HIDES) {
            store::change_user(user, |user| Change::Flag(user, flag, on))?;
        }
        Ok(())
    }
}

/// A message as a sentence: messages of the parser begin with a small letter and have no full stop.
pub fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}
