//! `PUT v1/account/{id}/extension/{ext}/presence`: a caller sets a user's presence.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::{going, may_see, record, sees, user};
use crate::runtime::{self, store};
use crate::web::access::HttpCaller;
use crate::web::site::answer::no_content;
use crate::web::site::{Reply, Request, error, json, read_body};
use presence::Time;
use presence::model::assignment::{self, Parts};
use presence::model::dnd::DndStatus;
use presence::model::ending::{self, Clock};
use presence::model::flags::Flag;
use presence::model::text::quoted;
use presence::views::fields::Query;
use presence::world::Change;

/// The body of the request. Fields that are absent stay unchanged.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PresenceUpdate {
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
    /// Sets everything, or nothing if anything is invalid.
    fn carry_out(&self, user: &str) -> Result<(), String> {
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
                world.with_message(user, message, Time::now()).map(drop)
            });
            right.ok_or(runtime::NOT_RUNNING)??;
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

/// `PUT v1/account/{id}/extension/{ext}/presence`
///
/// A hidden user can be set too; otherwise only the user could end the hiding. The answer is
/// then 204, without the record.
pub fn put(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    let answer = || {
        let may_know = |name: &str| caller.may_set(name) || sees(caller, name);
        let name = user(request, caller, may_know)?;
        if !caller.may_set(&name) {
            let why = "You may only set your own presence.";
            return Err(error(403, "role", why));
        }
        let update: PresenceUpdate = read_body(request)?;
        update
            .carry_out(&name)
            .map_err(|why| error(400, "body", &sentence(&why)))?;
        // The record contains the flag that decides: a user who hides at this moment is not
        // shown.
        let record = record(&name).ok_or_else(going)?;
        Ok(
            match may_see(caller, &name, record.flags.get(Flag::AllowSeeMyPresence)) {
                true => json(&record),
                false => no_content(),
            },
        )
    };
    answer().unwrap_or_else(|refusal| refusal)
}

/// Messages of the parser begin with a small letter and have no full stop.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}
