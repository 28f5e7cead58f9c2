//! How actions are carried out: AstDB, dialplan functions, queues.

use std::sync::Arc;
use std::time::Duration;

use super::KEYS;
use crate::runtime::host::{HostError, ManagerMessage};
use crate::runtime::{NOT_RUNNING, Runtime};
use presence::actions::{
    ActionRecord, Backend, Member, QueueMembership, QueueStep, REASON, TargetKind, TargetValue,
};
use presence::model::assignment;
use presence::views::fields::Query;
use presence::world::stored::FAMILY;

/// How long AstDB is left alone after it refused a row.
const RETRY: Duration = Duration::from_secs(1);

/// What AstDB takes for family and key together, in bytes.
const MOST_KEY: usize = 250;

/// Carries out the actions of one user in Asterisk.
pub(super) struct AsteriskBackend<'a> {
    pub runtime: &'a Runtime,
    pub user: &'a str,
    pub status: &'a str,
    /// The name in AstDB's key.
    pub row: &'a Arc<str>,
    /// The key of the user's record.
    pub key: &'a str,
}

impl AsteriskBackend<'_> {
    /// Fails where the worker was given up meanwhile.
    fn may_act(&self) -> Result<(), HostError> {
        match self.runtime.actions.orders.has_ended() {
            false => Ok(()),
            true => Err("the module was unloaded meanwhile".into()),
        }
    }

    /// Hands something to AstDB until it takes it, or it is time to stop: it refuses
    /// everything while another program has its file locked, a backup for example.
    fn insist(&self, give: impl Fn() -> Result<(), HostError>) -> Result<(), HostError> {
        loop {
            self.may_act()?;
            let Err(why) = give() else {
                return Ok(());
            };
            self.runtime.warn_once("AstDB", "actions", || {
                format!("AstDB takes nothing of what actions do, it is tried again: {why}")
            });
            if self.runtime.actions.orders.pause(RETRY) {
                return Err("AstDB does not take it".into());
            }
        }
    }
}

impl AsteriskBackend<'_> {
    /// Sets a target; `None` deletes it.
    fn set(&self, target: &str, value: Option<&str>, escalations: bool) -> Result<(), HostError> {
        self.may_act()?;
        let host = self.runtime.host();
        match (TargetKind::of(target), value) {
            // Here AstDB says whether it took it, and nothing else happens.
            (TargetKind::Database(family, key), value) => {
                if family.len() + key.len() > MOST_KEY {
                    return Err(format!("the key is longer than {MOST_KEY} bytes"));
                }
                self.insist(|| match value {
                    None | Some("") => host.del(family, key),
                    Some(value) => host.put(family, key, value),
                })
            }
            (TargetKind::CustomDevice(device), None) => host.forget_custom_device(device),
            (TargetKind::CustomPresence(name), None) => host
                .assign(target, "not_set", escalations)
                .and_then(|()| host.del("CustomPresence", name)),
            (_, value) => host.assign(target, value.unwrap_or_default(), escalations),
        }
    }
}

impl Backend for AsteriskBackend<'_> {
    fn read(&mut self, target: &str) -> Result<TargetValue, String> {
        self.may_act()?;
        self.runtime.value_of_target(target)
    }

    fn write(&mut self, target: &str, value: Option<&str>) -> Result<(), String> {
        self.set(target, value, true)
    }

    fn restore(&mut self, target: &str, value: Option<&str>) -> Result<(), String> {
        self.set(target, value, false)
    }

    fn queues(&mut self, interface: &str) -> Result<Vec<QueueMembership>, String> {
        self.may_act()?;
        self.runtime.queues_of(interface)
    }

    fn queue(&mut self, queue: &str, interface: &str, step: &QueueStep) -> Result<(), String> {
        self.may_act()?;
        let place = [("Queue", queue), ("Interface", interface)];
        let host = self.runtime.host();
        let pause = |paused, reason| {
            let pause = [("Paused", paused), ("Reason", reason)];
            host.manager_action("QueuePause", &[&place[..], &pause].concat())
        };
        let done = match step {
            QueueStep::Add(member) => {
                let (penalty, wrapup) = (member.penalty.to_string(), member.wrapuptime.to_string());
                let of_member = [
                    ("MemberName", &*member.name),
                    ("StateInterface", &*member.state_interface),
                    ("Penalty", &*penalty),
                    ("Wrapuptime", &*wrapup),
                    ("Paused", if member.paused { "yes" } else { "no" }),
                ];
                let added = host.manager_action("QueueAdd", &[&place[..], &of_member].concat());
                // Older releases do not read the reason of a new member.
                match member.paused && !member.reason.is_empty() {
                    true => added.and_then(|_| pause("yes", &*member.reason)),
                    false => added,
                }
            }
            QueueStep::Remove => host.manager_action("QueueRemove", &place),
            QueueStep::Pause(reason) => {
                let paused = if reason.is_some() { "yes" } else { "no" };
                // The reason stays in the queue's log at the end of a pause, too.
                pause(paused, reason.as_deref().unwrap_or(REASON))
            }
        };
        done.map(drop)
    }

    fn save(&mut self, record: &ActionRecord) -> Result<(), String> {
        let key = format!("{KEYS}{}", self.row);
        let json = serde_json::to_string(record).map_err(|why| why.to_string())?;
        let host = self.runtime.host();
        self.insist(|| match record.is_empty() {
            true => host.del(FAMILY, &key),
            false => host.put(FAMILY, &key, &json),
        })?;
        let mut records = self.runtime.actions.records.lock();
        match record.is_empty() {
            true => drop(records.remove(self.key)),
            false => {
                records.insert(self.key.to_owned(), (self.row.clone(), record.clone()));
            }
        }
        Ok(())
    }

    fn failed(&mut self, action: &str, why: &str) {
        self.runtime.stats().action_failures.add(1);
        log::warn!(
            "Action of user '{}' for status '{}' failed: {action}: {why}",
            self.user,
            self.status
        );
    }
}

impl Runtime {
    /// The present value of a target.
    pub(super) fn value_of_target(&self, target: &str) -> Result<TargetValue, HostError> {
        if let Some((family, key)) = TargetKind::of(target).entry() {
            let value = self.host().look_up(family, key)?;
            return Ok(value.map_or(TargetValue::Absent, TargetValue::Text));
        }
        if let TargetKind::UserStatus(user) = TargetKind::of(target) {
            let own = self.read(|world| {
                let user = Query::find(world, user)?;
                let own = world.own(user);
                let presence = own.map(|own| own.presence.clone()).unwrap_or_default();
                let status = own.and_then(|own| own.status.as_deref());
                Ok(assignment::value_of(status, &presence))
            });
            let own = own.unwrap_or_else(|| Err(NOT_RUNNING.into()));
            return own.map(TargetValue::Text);
        }
        let value = self.host().value_of(target)?;
        Ok(value.map_or(TargetValue::Unreadable, TargetValue::Text))
    }

    /// Every queue, each with its member of that interface.
    pub(super) fn queues_of(&self, interface: &str) -> Result<Vec<QueueMembership>, HostError> {
        let messages = self
            .host()
            .manager_action("QueueStatus", &[("Member", interface)])?;
        let mut queues: Vec<QueueMembership> = Vec::new();
        for message in messages {
            let name = message.get("Queue");
            match message.get("Event") {
                "QueueParams" => queues.push(QueueMembership {
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
}

fn member_of(message: &ManagerMessage) -> Member {
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
