//! A short digest of everything that decides what users' presence is, for comparing the
//! configurations of several servers.
//!
//! It is made of names and texts, never of numbers in memory, so it is the same on every machine.
//! The order of users does not count: a database may give its rows in any order. What concerns
//! one server alone, such as where it dials and what its lamps show, is left out.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Directory, User};
use crate::config::{InputKind, LoginStatuses, Rule};
use crate::model::device::{DeviceState, DeviceTable};
use crate::model::publish_table::{PhoneWord, PublishTable};
use crate::model::state::Presence;
use crate::model::status::StatusType;

/// 64 bits by FNV-1a. It finds differences; it is no protection against forgery.
#[derive(Clone, Copy)]
struct Digest(u64);

impl Digest {
    fn new() -> Self {
        Digest(0xcbf2_9ce4_8422_2325)
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    /// Adds a text. The byte behind it is in no UTF-8, so two texts never run into one.
    fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.byte(byte));
        self.byte(0xff);
    }

    /// Adds a text in small letters.
    fn folded(&mut self, text: &str) {
        text.bytes()
            .for_each(|byte| self.byte(byte.to_ascii_lowercase()));
        self.byte(0xff);
    }

    fn list<'a>(&mut self, texts: impl Iterator<Item = &'a str>) {
        texts.for_each(|text| self.text(text));
        self.byte(0xfe);
    }

    fn on(&mut self, on: bool) {
        self.byte(on.into());
    }

    fn number(&mut self, number: u64) {
        number
            .to_le_bytes()
            .into_iter()
            .for_each(|byte| self.byte(byte));
    }

    fn presence(&mut self, presence: &Presence) {
        self.text(presence.state().name());
        self.text(presence.subtype());
        self.text(presence.message());
    }

    fn status(&mut self, status: Option<&Arc<StatusType>>) {
        self.folded(status.map_or("", |status| &status.name));
    }
}

/// The digests of what many users share, by the place in memory.
#[derive(Default)]
struct Shared(HashMap<usize, u64>);

impl Shared {
    fn of<T>(&mut self, shared: &Arc<T>, digest: impl Fn(&mut Digest, &T)) -> u64 {
        let known = self.0.entry(Arc::as_ptr(shared).addr());
        *known.or_insert_with(|| {
            let mut made = Digest::new();
            digest(&mut made, shared);
            made.0
        })
    }
}

impl Directory {
    /// A digest of the users, with everything that decides their presence and what they may set:
    /// equal on all servers with the same configuration and version.
    pub fn digest(&self) -> String {
        let mut shared = Shared::default();
        let users = self.users.iter();
        let users = users.fold(0_u64, |sum, user| {
            sum.wrapping_add(self.digest_of(user, &mut shared))
        });
        let mut digest = Digest::new();
        digest.number(users);
        digest.number(self.users.len() as u64);
        for status in self.settings.statuses().iter() {
            digest.folded(&status.name);
            digest.text(&status.label);
            digest.on(status.maps_to.is_some());
            if let Some(presence) = &status.maps_to {
                digest.presence(presence);
            }
        }
        format!("{:016x}", digest.0)
    }

    fn digest_of(&self, user: &User, shared: &mut Shared) -> u64 {
        let mut digest = Digest::new();
        digest.folded(&user.name);
        digest.text(user.id.as_deref().unwrap_or_default());
        digest.text(self.account(user.account));
        digest.number(shared.of(&user.rule, rule));
        digest.number(user.default.map_or(0, |at| u64::from(at) + 1));
        for input in &user.inputs {
            let source = self.get_source(input.source);
            digest.text(match input.kind {
                InputKind::Extension { .. } => "extension",
                InputKind::Source => "source",
                InputKind::Device => "device",
                InputKind::Custom => "custom",
                InputKind::Meeting => "meeting",
                InputKind::Schedule => "schedule",
                InputKind::Publication => "publication",
            });
            digest.text(&source.address);
            digest.text(self.extension(input).unwrap_or_default());
            let device = input.device().map(|device| self.device_name(device));
            digest.text(device.unwrap_or_default());
            if let Some(reading) = self.reading(input.source) {
                digest.number(shared.of(&reading.table, device_table));
            }
        }
        digest.byte(0xfe);
        for (device, table) in self.publishers(user) {
            digest.text(self.device_name(device));
            digest.number(shared.of(table, publish_table));
        }
        digest.0
    }
}

/// The parts of a rule that decide the presence, and what the user may set.
fn rule(digest: &mut Digest, rule: &Rule) {
    let Rule {
        enabled,
        method,
        order,
        outgoing,
        use_devices,
        ignore_unreachable,
        login,
        own_rights,
        // The prefixes and the schedule are parts of the sources' names.
        presence_prefix: _,
        device_prefix: _,
        schedule: _,
        // It is made from the order.
        ranks: _,
        // What follows may differ between servers.
        lamp_table: _,
        queue_table: _,
        actions: _,
        functions: _,
        calls: _,
        dnd_key: _,
        follow_dnd: _,
        visibility: _,
    } = rule;
    digest.on(*enabled);
    digest.text(method.name());
    digest.list(order.states().iter().map(|state| state.name()));
    digest.text(outgoing.name());
    digest.on(*use_devices);
    digest.on(*ignore_unreachable);
    let LoginStatuses {
        login,
        logout,
        register,
        unregister,
        overrides,
    } = login;
    for status in [login, logout, register, unregister] {
        digest.status(status.as_ref());
    }
    digest.on(*overrides);
    digest.list(own_rights.areas.iter().map(|area| area.name()));
    let targets = own_rights.targets();
    digest.list(targets.iter().map(String::as_str));
}

fn device_table(digest: &mut Digest, table: &DeviceTable) {
    for state in DeviceState::ALL {
        digest.presence(table.get(state));
        digest.status(table.status(state));
    }
}

fn publish_table(digest: &mut Digest, table: &PublishTable) {
    for word in PhoneWord::ALL {
        digest.presence(table.get(word));
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::directory;

    fn digest(text: &str) -> String {
        directory(text).digest()
    }

    const USERS: &str = "[alice]\ntype=user\nextension=200\n[bob]\ntype=user\ndevice=PJSIP/1\n";

    #[test]
    fn it_is_the_same_in_every_process_and_on_every_machine() {
        // A new version may have another digest; this one must not change by accident.
        assert_eq!(digest(""), "17bad91938f81dd0");
        assert_eq!(digest(USERS), "64da4d9fa9aecd71");
    }

    #[test]
    fn the_order_of_users_and_what_concerns_one_server_do_not_count() {
        let same = [
            "[Bob]\ntype=user\ndevice=PJSIP/1\n[alice]\ntype=user\nextension=200\n",
            "[general]\nhttp=no\nsettle=50\nforward_context=x\n[alice]\ntype=user\n\
             extension=200\nname=Alice Adams\nmailbox=200@default\nhandling=h\n\
             [bob]\ntype=user\ndevice=PJSIP/1\nmonitor=alice\ndnd_key=no\n[h]\ntype=handling\n\
             [x]\ntype=cluster\nservers=http://e:1\n[y]\ntype=node\n",
        ];
        for text in same {
            assert_eq!(digest(text), digest(USERS), "{text}");
        }
    }

    #[test]
    fn whatever_decides_a_presence_counts() {
        let general = |line: &str| format!("[general]\n{line}\n{USERS}");
        let alice = |line: &str| USERS.replace("extension=200\n", &format!("{line}\n"));
        let more = |lines: &str| format!("{USERS}{lines}");
        let all = [
            USERS.to_owned(),
            general("method=latest"),
            general("priority=away,dnd,xa,chat,unavailable,available,not_set"),
            general("enabled=no"),
            general("outgoing=none"),
            general("ignore_unreachable=no"),
            general("use_devices=yes"),
            general("presence_prefix=CustomPresence:x"),
            general("device_prefix=SIP/"),
            general("login_status=away"),
            general("logout_status=away"),
            general("login_overrides=yes"),
            general("own_settings=login"),
            general("own_forward=voicemail"),
            general("schedule=9:00-17:00,*,*,*"),
            general("schedule=9:00-17:00,*,*,*\nschedule_status=away"),
            alice("extension=201"),
            alice("extension=200\nextension=201"),
            alice("extension=200\nextension=201\ndefault=201"),
            alice("extension=201\nextension=200"),
            alice("extension=200,PJSIP/x"),
            alice("extension=200\nid=7"),
            alice("extension=200\naccount=main"),
            alice("extension=200\npublish=no"),
            alice("extension=200\npublish=PJSIP/9"),
            more("[carol]\ntype=user\n"),
            more("[lunch]\ntype=status\nstate=away\n"),
            more("[lunch]\ntype=status\nstate=xa\n"),
            more("[lunch]\ntype=status\nlabel=Lunch\nstate=xa\n"),
            more("[device]\ntype=device_table\nringing=away\n"),
            more("[publish]\ntype=publish_table\nmeal=dnd\n"),
        ];
        let mut digests: Vec<_> = all.iter().map(|text| digest(text)).collect();
        assert!(digests.iter().all(|digest| digest.len() == 16));
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), all.len());
    }
}
