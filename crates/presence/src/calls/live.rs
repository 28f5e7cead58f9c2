//! The calls that users have at this moment, as channels report them.
//!
//! The table knows channels and devices; whose call it is, and who may see it, is asked of the
//! directory and the world when it is read. So a reload changes nothing in it.

use std::collections::HashMap;

use serde::Serialize;

use crate::directory::{Directory, UserId};
use crate::model::dialable::is_name;
use crate::model::time::Time;
use crate::model::words::words;
use crate::world::World;

words! {
    /// What a call does.
    pub enum LiveState: "state of a call" {
        /// It rings, here or at the other side.
        Ringing = "Ringing",
        /// The two sides talk.
        Up = "Up",
        /// The user has put the other side on hold.
        OnHold = "OnHold",
    }
}

words! {
    /// Who has called whom.
    pub enum Direction: "direction of a call" {
        /// The user was called.
        In = "in",
        /// The user has called.
        Out = "out",
    }
}

/// The most calls in the table; further ones are left out.
pub const MOST: usize = 20_000;

/// The longest name or number of the other side that is kept, in characters.
const LONGEST: usize = 80;

/// What a channel reports. Texts are empty where nothing is known.
#[derive(Clone, Copy, Debug)]
pub struct ChannelReport<'a> {
    /// The unique id of the channel.
    pub id: &'a str,
    /// The device that the channel is a call of.
    pub device: &'a str,
    /// The id of the channel with which the call began.
    pub linked: &'a str,
    /// The number of the channel's own party.
    pub own_number: &'a str,
    /// The name of the channel's own party.
    pub own_name: &'a str,
    /// The number of the other side.
    pub number: &'a str,
    /// The name of the other side.
    pub name: &'a str,
    /// The number that was dialled on the channel.
    pub dialled: &'a str,
    /// Whether the other side withholds its name and number.
    pub withheld: bool,
    /// Ringing or up; `None` for a channel that does neither, or has ended.
    pub state: Option<LiveState>,
    /// Who has called whom.
    pub direction: Direction,
    /// When the state began.
    pub since: Time,
}

/// A call.
#[derive(Clone, PartialEq, Eq, Debug)]
struct LiveCall {
    id: Box<str>,
    linked: Box<str>,
    /// Never on hold.
    state: LiveState,
    on_hold: bool,
    direction: Direction,
    number: Box<str>,
    name: Box<str>,
    /// The number that the other side withholds. The caller's channel, which says so, may end
    /// before this one.
    withheld: Option<Box<str>>,
    dialled: Box<str>,
    since: Time,
}

#[derive(Default, Debug)]
struct OfDevice {
    calls: Vec<LiveCall>,
    /// The version of the table with the last change of these calls.
    version: u64,
}

/// The table.
#[derive(Default, Debug)]
pub struct LiveCalls {
    devices: HashMap<Box<str>, OfDevice>,
    /// The device of each call, by the call's id.
    ids: HashMap<Box<str>, Box<str>>,
    /// The ids of the calls that belong together, by the id of the first channel.
    linked: HashMap<Box<str>, Vec<Box<str>>>,
    version: u64,
    /// How many calls were left out.
    left_out: u64,
}

impl LiveCalls {
    /// Takes over a report; says whether anything that is shown has changed.
    pub fn report(&mut self, report: &ChannelReport<'_>) -> bool {
        let Some(state) = report.state else {
            return self.end(report.id);
        };
        let known = self.find(report.id);
        if known.is_none() && self.ids.len() >= MOST {
            self.left_out += 1;
            return false;
        }
        let call = updated(known, state, report);
        if known == Some(&call) {
            return false;
        }
        let moved = known.is_none_or(|known| known.linked != call.linked);
        self.version += 1;
        // A channel keeps its device for life, but for a masquerade: then it is another's call.
        let device = self.ids.get(report.id);
        if moved || device.is_some_and(|device| **device != *report.device) {
            self.remove(report.id);
            let linked = self.linked.entry(call.linked.clone()).or_default();
            linked.push(call.id.clone());
        }
        self.ids.insert(call.id.clone(), report.device.into());
        let of_device = self.devices.entry(report.device.into()).or_default();
        of_device.version = self.version;
        match of_device.calls.iter_mut().find(|it| it.id == call.id) {
            Some(known) => *known = call,
            None => of_device.calls.push(call),
        }
        true
    }

    /// Takes over a report of a channel that there was before the table: what the table knows
    /// already is newer.
    pub fn report_older(&mut self, report: &ChannelReport<'_>, on_hold: bool) -> bool {
        if self.ids.contains_key(report.id) {
            return false;
        }
        let new = self.report(report);
        self.hold(report.id, on_hold);
        new
    }

    /// The user has put the other side on hold, or resumes the call; says whether that is news.
    pub fn hold(&mut self, id: &str, on_hold: bool) -> bool {
        let Some(of_device) = self.ids.get(id).and_then(|it| self.devices.get_mut(it)) else {
            return false;
        };
        let Some(call) = of_device.calls.iter_mut().find(|call| *call.id == *id) else {
            return false;
        };
        if std::mem::replace(&mut call.on_hold, on_hold) == on_hold {
            return false;
        }
        self.version += 1;
        of_device.version = self.version;
        true
    }

    /// The channel has ended; says whether its call was known.
    pub fn end(&mut self, id: &str) -> bool {
        if !self.ids.contains_key(id) {
            return false;
        }
        self.version += 1;
        self.remove(id);
        true
    }

    fn remove(&mut self, id: &str) {
        let Some(device) = self.ids.remove(id) else {
            return;
        };
        let Some(of_device) = self.devices.get_mut(&device) else {
            return;
        };
        of_device.version = self.version;
        let Some(at) = of_device.calls.iter().position(|call| *call.id == *id) else {
            return;
        };
        let call = of_device.calls.remove(at);
        if let Some(ids) = self.linked.get_mut(&call.linked) {
            ids.retain(|it| **it != *id);
            if ids.is_empty() {
                self.linked.remove(&call.linked);
            }
        }
    }

    fn find(&self, id: &str) -> Option<&LiveCall> {
        let of_device = self.devices.get(self.ids.get(id)?)?;
        of_device.calls.iter().find(|call| *call.id == *id)
    }

    /// Forgets the calls of devices for which `is_wanted` does not hold.
    pub fn retain(&mut self, is_wanted: impl Fn(&str) -> bool) {
        let ids = self.ids.iter();
        let unwanted = ids.filter(|(_, device)| !is_wanted(device));
        let unwanted: Vec<Box<str>> = unwanted.map(|(id, _)| id.clone()).collect();
        for id in unwanted {
            self.end(&id);
        }
        self.devices
            .retain(|device, of_device| !of_device.calls.is_empty() || is_wanted(device));
    }

    /// Forgets all calls. Readers that ask for changes find that they are gone.
    pub fn clear(&mut self) {
        self.version += 1;
        for of_device in self.devices.values_mut() {
            if !of_device.calls.is_empty() {
                of_device.calls.clear();
                of_device.version = self.version;
            }
        }
        self.ids.clear();
        self.linked.clear();
    }

    /// The version, which rises with each change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many calls there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no call.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// How many reports were left out because the table was full.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Whether the channel of that id is in the table.
    pub fn has(&self, id: &str) -> bool {
        self.ids.contains_key(id)
    }

    /// The users whose calls have changed since that version, in the order of the
    /// configuration.
    pub fn changed_since(&self, directory: &Directory, version: u64) -> Vec<UserId> {
        let devices = self.devices.iter();
        let changed = devices.filter(|(_, of_device)| of_device.version > version);
        users(directory, changed.map(|(device, _)| device))
    }

    /// The users whose calls may be seen otherwise now that these users may be seen by others:
    /// their own, and those in which they are the other side.
    pub fn involved(&self, directory: &Directory, with: &[UserId]) -> Vec<UserId> {
        let is_meant = |user: UserId| with.contains(&user);
        let mut involved = Vec::new();
        for (device, of_device) in &self.devices {
            if of_device.calls.is_empty() {
                continue;
            }
            let owners = directory.users_of_phone(device);
            if owners.iter().copied().any(is_meant) {
                involved.extend(owners);
                continue;
            }
            let calls = &of_device.calls;
            involved.extend(owners.into_iter().filter(|user| {
                let by_number = |call: &LiveCall| self.by_number(directory, *user, call);
                calls.iter().any(|call| {
                    by_number(call).is_some_and(is_meant)
                        || self.by_phone(directory, call).any(is_meant)
                })
            }));
        }
        involved.sort_unstable();
        involved.dedup();
        involved
    }

    /// The users who have calls, in the order of the configuration.
    pub fn users(&self, directory: &Directory) -> Vec<UserId> {
        let devices = self.devices.iter();
        let busy = devices.filter(|(_, of_device)| !of_device.calls.is_empty());
        users(directory, busy.map(|(device, _)| device))
    }

    /// The calls of a user as someone sees them who sees the users for which `sees` holds.
    pub fn seen(
        &self,
        world: &World,
        user: UserId,
        sees: impl Fn(UserId) -> bool,
    ) -> Vec<SeenCall> {
        let directory = world.directory();
        let mut seen: Vec<(&str, SeenCall)> = Vec::new();
        let mut devices: Vec<&str> = directory.phones(user).collect();
        devices.sort_unstable();
        devices.dedup();
        let of_devices = devices
            .iter()
            .filter_map(|device| self.devices.get(*device));
        for call in of_devices.flat_map(|of_device| &of_device.calls) {
            // A call that rings several phones of the user is one call.
            let rings_too = |(linked, other): &(&str, SeenCall)| {
                let ringing = LiveState::Ringing.name();
                *linked == &*call.linked && other.state == ringing
            };
            if call.state == LiveState::Ringing && seen.iter().any(rings_too) {
                continue;
            }
            seen.push((&call.linked, self.seen_call(directory, user, call, &sees)));
        }
        let mut seen: Vec<SeenCall> = seen.into_iter().map(|(_, call)| call).collect();
        seen.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
        seen
    }

    /// The colleague whose number the other side has.
    fn by_number(&self, directory: &Directory, user: UserId, call: &LiveCall) -> Option<UserId> {
        let (_, number) = call.other_side();
        let account = directory.get(user).account;
        let found = directory.member(account, number);
        found.filter(|_| !number.is_empty())
    }

    /// The users whose phones take part in the call, those of the call itself too.
    fn by_phone<'a>(
        &'a self,
        directory: &'a Directory,
        call: &LiveCall,
    ) -> impl Iterator<Item = UserId> + use<'a> {
        let ids = self.linked.get(&call.linked).into_iter().flatten();
        let devices = ids.filter_map(|id| self.ids.get(id));
        devices.flat_map(|device| directory.users_of_phone(device))
    }

    fn seen_call(
        &self,
        directory: &Directory,
        user: UserId,
        call: &LiveCall,
        sees: impl Fn(UserId) -> bool,
    ) -> SeenCall {
        let state = match call.on_hold && call.state == LiveState::Up {
            true => LiveState::OnHold,
            false => call.state,
        };
        let (mut name, mut number) = call.other_side();
        let by_number = self.by_number(directory, user, call);
        let mut others = self.by_phone(directory, call);
        let is_hidden = |other: UserId| other != user && !sees(other);
        if by_number.is_some_and(is_hidden) || others.any(is_hidden) {
            (name, number) = ("", "");
        } else if let (true, Some(other)) = (name.is_empty(), by_number) {
            name = directory.get(other).display_name();
        }
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        SeenCall {
            extension_id: directory.get(user).id().to_owned(),
            id: call.id.to_string(),
            state: state.name(),
            direction: call.direction.name(),
            name: given(name),
            number: given(number),
            since: call.since.millis(),
        }
    }
}

impl LiveCall {
    /// Name and number of the other side; empty where they are not known.
    fn other_side(&self) -> (&str, &str) {
        match self.number.is_empty() && self.direction == Direction::Out {
            true => ("", &self.dialled),
            false => (&self.name, &self.number),
        }
    }
}

/// The call after a report.
fn updated(known: Option<&LiveCall>, state: LiveState, report: &ChannelReport<'_>) -> LiveCall {
    // A channel that was originated has its own number as that of the other side at first. One
    // that a queue calls has the caller's as its own.
    let is_out = report.direction == Direction::Out;
    let is_own = is_out && !report.number.is_empty() && report.number == report.own_number;
    let before = known.and_then(|known| known.withheld.as_deref());
    let is_withheld = report.withheld || before == Some(&*cut(report.number));
    let (number, name) = match is_withheld || is_own {
        true => ("", ""),
        // A new number may come without a new name.
        false if is_out && report.name == report.own_name => (report.number, ""),
        false => (report.number, report.name),
    };
    let dialled = match known.filter(|known| !known.dialled.is_empty()) {
        Some(known) => known.dialled.clone(),
        // In the dialplan, single letters such as `s` and `h` are no numbers.
        None if is_name(report.dialled) && !is_special(report.dialled) => cut(report.dialled),
        None => "".into(),
    };
    LiveCall {
        id: report.id.into(),
        linked: report.linked.into(),
        state,
        on_hold: known.is_some_and(|known| known.on_hold),
        direction: known.map_or(report.direction, |known| known.direction),
        number: cut(number),
        name: cut(name),
        withheld: is_withheld.then(|| cut(report.number)),
        dialled,
        since: match known.filter(|known| known.state == state) {
            Some(known) => known.since,
            None => report.since,
        },
    }
}

fn is_special(extension: &str) -> bool {
    extension.len() == 1 && extension.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn cut(text: &str) -> Box<str> {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => text[..end].into(),
        None => text.into(),
    }
}

fn users<'a>(directory: &Directory, devices: impl Iterator<Item = &'a Box<str>>) -> Vec<UserId> {
    let mut users: Vec<UserId> = devices
        .flat_map(|device| directory.users_of_phone(device))
        .collect();
    users.sort_unstable();
    users.dedup();
    users
}

/// A call as it is shown.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub struct SeenCall {
    /// The id of the user whose call it is.
    pub extension_id: String,
    /// The unique id of the user's channel.
    pub id: String,
    /// The state.
    pub state: &'static str,
    /// `in` if the user was called, else `out`.
    pub direction: &'static str,
    /// The name of the other side; `None` if it is not known, withheld or hidden.
    pub name: Option<String>,
    /// The number of the other side; `None` if it is not known, withheld or hidden.
    pub number: Option<String>,
    /// When the call was answered, or began to ring: Unix time in milliseconds.
    pub since: u64,
}

#[cfg(test)]
mod tests;
