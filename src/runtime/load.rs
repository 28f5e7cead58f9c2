//! A load: what was stored, and what sources report now.

use std::collections::HashSet;
use std::sync::Arc;

use super::Runtime;
use super::providers::{CustomPresences, ProviderProbe};
use presence::Time;
use presence::config::Parsed;
use presence::directory::{Directory, Source, SourceId};
use presence::model::address::{USER_LABEL, below};
use presence::model::text::quoted;
use presence::world::stored::{FAMILY, Stored};
use presence::world::{Change, World};

/// Devices taken over at a time, so that a user with several is combined once.
const DEVICES: usize = 1000;

impl Runtime {
    /// Begins with the world as it was stored; nothing is published yet.
    pub fn restore(&self, parsed: Parsed, customs: &CustomPresences) {
        let mut stored = Stored::read(self.host().tree(FAMILY, "").into_iter());
        for key in &stored.unreadable {
            log::warn!("AstDB entry '{FAMILY}/{key}' cannot be read and is left out");
        }
        for (key, field) in &stored.unreadable_fields {
            log::warn!(
                "'{field}' of AstDB entry '{FAMILY}/{key}' cannot be read and is left out; the rest \
                 of the entry counts"
            );
        }
        let unknown = stored.unknown_names();
        if !unknown.is_empty() {
            log::info!(
                "AstDB family '{FAMILY}' has entries or fields that this version does not know, \
                 which stay as they are: {}",
                quoted(&unknown.join(", "))
            );
        }
        let directory = Arc::new(Directory::new(parsed.settings, parsed.users));
        let given = stored.given(&directory);
        self.open_sequences(directory.accounts(), &given, &mut stored.accounts);
        let is_silent = |source: &Source| customs.is_silent(&source.address);
        let mut world = World::restore_beside(directory, &stored, is_silent, self.now());
        world.hold_publishing(true);
        self.share_from_the_start(&mut world);
        self.feed.open(world.directory().settings.http.journal);
        if world.directory().settings.cluster.is_some() {
            self.feed.keep_time(self.now(), world.account_sequences());
        }
        self.open_store(world);
    }

    /// Reads every source.
    pub fn read_sources(&self, customs: CustomPresences) {
        self.read_publications();
        let published = self.read_published();
        self.read_others(&published, customs);
    }

    /// Takes over every source that was ever published: it is in the core's cache, and one
    /// pass over that is far cheaper than asking for each address.
    fn read_published(&self) -> HashSet<SourceId> {
        let mut published = HashSet::new();
        self.host()
            .each_presence(&mut |raw, state, subtype, message| {
                let name = std::str::from_utf8(raw).unwrap_or_default();
                if below(name, USER_LABEL).is_some() {
                    return;
                }
                if let Some(source) = self.read(|world| world.directory().source(name)).flatten() {
                    published.insert(source);
                    self.on_presence_state(raw, state, subtype, message);
                }
            });
        published
    }

    /// Asks the providers of the other sources.
    fn read_others(&self, published: &HashSet<SourceId>, customs: CustomPresences) {
        let rest = self.read(|world| {
            let sources = world.directory().sources();
            let is_read = |id: &SourceId, address: &str| {
                let known = world.source(*id);
                let is_silent = known.since == Time::NEVER && known.known;
                published.contains(id) || is_silent && customs.is_silent(address)
            };
            let rest = sources
                .filter(|(id, source)| source.is_provided() && !is_read(id, &source.address));
            rest.map(|(id, source)| (id, source.address.clone()))
                .collect::<Vec<_>>()
        });
        let mut probe = ProviderProbe::new(self.host(), Some(customs));
        for (id, address) in rest.unwrap_or_default() {
            match probe.ask(&address) {
                Some(answer) => {
                    let (subtype, message) = (&answer.subtype, &answer.message);
                    self.on_presence_state(address.as_bytes(), answer.state, subtype, message);
                }
                None => {
                    self.update(|world, now| ((), world.apply(&Change::Lost(id), now)));
                }
            }
        }
    }

    /// Takes over the sources that were published since [`Runtime::read_sources`]. Each is
    /// looked up once more: what the topic has reported since the pass began is newer than
    /// the pass.
    pub fn read_changed_sources(&self) {
        let mut changed = Vec::new();
        self.host()
            .each_presence(&mut |address, state, subtype, message| {
                let name = std::str::from_utf8(address).unwrap_or_default();
                let differs = self.read(|world| {
                    let source = world.directory().source(name)?;
                    let known = &world.source(source).presence;
                    let same = known.state() == state
                        && known.subtype().as_bytes() == subtype
                        && known.message().as_bytes() == message;
                    (!same).then_some(())
                });
                if differs.flatten().is_some() {
                    changed.push(name.to_owned());
                }
            });
        for address in changed {
            if let Some(now) = self.host().cached_presence(&address) {
                let (subtype, message) = (&now.subtype, &now.message);
                self.on_presence_state(address.as_bytes(), now.state, subtype, message);
            }
        }
    }

    /// Reads the devices that have reported nothing since they are listened to.
    pub fn read_devices(&self) {
        let Some(directory) = self.read(|world| world.directory().clone()) else {
            return;
        };
        let mut devices = directory.devices();
        loop {
            let batch = devices.by_ref().take(DEVICES);
            let batch = batch.map(|(device, name)| (device, self.host().device(name)));
            let batch: Vec<_> = batch.collect();
            if batch.is_empty() {
                return;
            }
            self.update(|world, now| {
                // Nothing reloads while the module is being loaded.
                let same = Arc::ptr_eq(world.directory(), &directory);
                let found = if same { &batch[..] } else { &[] };
                ((), world.report_initial_devices(found, now))
            });
        }
    }

    /// Catches up with the time in which the module was not loaded, before any of it is
    /// announced: schedules, timed statuses that ended, panels that are gone.
    pub fn catch_up_with_time(&self) {
        self.reset_schedules();
        self.evaluate_schedules(self.now());
        self.update(|world, now| ((), world.end_due_statuses(now).0));
        self.update(|world, now| ((), world.log_out_stale_panels(now)));
    }
}
