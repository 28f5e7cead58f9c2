//! How actions are carried out in Asterisk: AstDB, dialplan functions, queues.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{KEYS, RECORDS, RUN, pause};
use crate::runtime::stats;
use crate::runtime::store;
use asterisk::{Error, ami, astdb, custom, function, log};
use presence::actions::{Found, Hands, Member, Place, Queue, REASON, Record, Step};
use presence::model::assignment;
use presence::views::fields::Query;
use presence::world::stored::FAMILY;

/// How long AstDB is left alone after it refused a row.
const RETRY: Duration = Duration::from_secs(1);

/// What AstDB takes for family and key together.
const MOST_KEY: usize = 250;

/// The hands of one user's actions.
pub(super) struct Asterisk<'a> {
    pub user: &'a str,
    pub status: &'a str,
    /// The name in AstDB's key.
    pub row: &'a Arc<str>,
    /// The key in [`RECORDS`].
    pub key: &'a str,
    pub run: u64,
}

impl Asterisk<'_> {
    /// Fails where the thread was given up meanwhile.
    fn may_act(&self) -> Result<(), String> {
        match RUN.load(Ordering::Acquire) == self.run {
            true => Ok(()),
            false => Err("the module was unloaded meanwhile".into()),
        }
    }

    /// Hands something to AstDB until it takes it, or it is time to stop: it refuses
    /// everything while somebody else has its file locked, a backup for example.
    fn insist(&self, give: impl Fn() -> Result<(), Error>) -> Result<(), String> {
        loop {
            self.may_act()?;
            let Err(why) = give() else {
                return Ok(());
            };
            store::warn_once("AstDB", "actions", || {
                format!("AstDB takes nothing of what actions do, it is tried again: {why}")
            });
            if pause(RETRY) {
                return Err("AstDB does not take it".into());
            }
        }
    }
}

impl Hands for Asterisk<'_> {
    fn read(&mut self, target: &str) -> Result<Found, String> {
        self.may_act()?;
        look(target)
    }

    fn write(&mut self, target: &str, value: Option<&str>) -> Result<(), String> {
        self.may_act()?;
        let done = match (Place::of(target), value) {
            // Here AstDB says whether it took it, and nothing else happens.
            (Place::Database(family, key), value) => {
                if family.len() + key.len() > MOST_KEY {
                    return Err(format!("the key is longer than {MOST_KEY} bytes"));
                }
                return self.insist(|| match value {
                    None | Some("") => astdb::del(family, key),
                    Some(value) => astdb::put(family, key, value),
                });
            }
            (Place::CustomDevice(device), None) => custom::forget(device),
            (Place::CustomPresence(name), None) => function::assign(target, "not_set")
                .and_then(|()| astdb::del("CustomPresence", name)),
            (_, value) => function::assign(target, value.unwrap_or_default()),
        };
        done.map_err(|why| why.to_string())
    }

    fn put_back(&mut self, target: &str, value: Option<&str>) -> Result<(), String> {
        function::without_escalations(|| self.write(target, value))
    }

    fn queues(&mut self, interface: &str) -> Result<Vec<Queue>, String> {
        self.may_act()?;
        queues(interface)
    }

    fn queue(&mut self, queue: &str, interface: &str, step: &Step) -> Result<(), String> {
        self.may_act()?;
        let place = [("Queue", queue), ("Interface", interface)];
        let done = match step {
            Step::Add(member) => {
                let (penalty, wrapup) = (member.penalty.to_string(), member.wrapuptime.to_string());
                let of_member = [
                    ("MemberName", &*member.name),
                    ("StateInterface", &*member.state_interface),
                    ("Penalty", &*penalty),
                    ("Wrapuptime", &*wrapup),
                    ("Paused", if member.paused { "yes" } else { "no" }),
                    ("Reason", &*member.reason),
                ];
                ami::action("QueueAdd", &[&place[..], &of_member].concat())
            }
            Step::Remove => ami::action("QueueRemove", &place),
            Step::Pause(reason) => {
                let paused = if reason.is_some() { "yes" } else { "no" };
                // The reason stays in the queue's log at the end of a pause, too.
                let reason = reason.as_deref().unwrap_or(REASON);
                let pause = [("Paused", paused), ("Reason", reason)];
                ami::action("QueuePause", &[&place[..], &pause].concat())
            }
        };
        done.map(drop).map_err(|why| why.to_string())
    }

    fn keep(&mut self, record: &Record) -> Result<(), String> {
        let key = format!("{KEYS}{}", self.row);
        let json = serde_json::to_string(record).map_err(|why| why.to_string())?;
        self.insist(|| match record.is_empty() {
            true => astdb::del(FAMILY, &key),
            false => astdb::put(FAMILY, &key, &json),
        })?;
        let mut records = RECORDS.lock();
        match record.is_empty() {
            true => drop(records.remove(self.key)),
            false => {
                records.insert(self.key.to_owned(), (self.row.clone(), record.clone()));
            }
        }
        Ok(())
    }

    fn failed(&mut self, action: &str, why: &str) {
        stats::ACTION_FAILURES.add(1);
        log::warning(format_args!(
            "Action of user '{}' for status '{}' failed: {action}: {why}",
            self.user, self.status
        ));
    }
}

/// What a target holds now.
pub(super) fn look(target: &str) -> Result<Found, String> {
    if let Some((family, key)) = Place::of(target).entry() {
        let value = astdb::look_up(family, key).map_err(|why| why.to_string())?;
        return Ok(value.map_or(Found::Absent, Found::Text));
    }
    if let Place::UserStatus(user) = Place::of(target) {
        let own = store::read(|world| {
            let user = Query::find(world, user)?;
            Ok(assignment::of_own(world.own(user)))
        });
        return own
            .unwrap_or_else(|| Err(store::NOT_RUNNING.into()))
            .map(Found::Text);
    }
    let value = function::get_writable(target).map_err(|why| why.to_string())?;
    Ok(value.map_or(Found::Unreadable, Found::Text))
}

/// Every queue, each with the member of that interface where it has it.
pub(super) fn queues(interface: &str) -> Result<Vec<Queue>, String> {
    let messages = ami::action("QueueStatus", &[("Member", interface)]);
    let mut queues: Vec<Queue> = Vec::new();
    for message in messages.map_err(|why| why.to_string())? {
        let name = message.get("Queue");
        match message.get("Event") {
            "QueueParams" => queues.push(Queue {
                name: name.to_owned(),
                member: None,
            }),
            "QueueMember" if message.get("Location").eq_ignore_ascii_case(interface) => {
                if let Some(queue) = queues.iter_mut().find(|queue| queue.name == name) {
                    queue.member = Some(member_of(&message));
                }
            }
            _ => {}
        }
    }
    Ok(queues)
}

fn member_of(message: &ami::Message) -> Member {
    let number = |name: &str| message.get(name).parse().unwrap_or_default();
    Member {
        name: message.get("Name").to_owned(),
        state_interface: message.get("StateInterface").to_owned(),
        fixed: message.get("Membership") != "dynamic",
        penalty: number("Penalty"),
        wrapuptime: number("Wrapuptime"),
        paused: message.get("Paused") == "1",
        reason: message.get("PausedReason").to_owned(),
    }
}
