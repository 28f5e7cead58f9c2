//! The announcement of users that come and go: see
//! [`World::announce`](presence::world::World::announce).

use std::sync::Arc;

use super::Runtime;
use presence::Presence;
use presence::model::address::{USER_LABEL, below};
use presence::world::Found;

/// The users are announced; dropping it withdraws them, so that no hint stays stale and no
/// queue member busy.
pub struct Announced(Arc<Runtime>);

impl Announced {
    /// Announces all users.
    pub fn everyone(runtime: Arc<Runtime>) -> Self {
        let found = runtime.find_published();
        // First: newer cores read the cache again at each publish.
        runtime.forget_others(&found);
        runtime.update(|world, _| {
            world.hold_publishing(false);
            ((), world.announce(&found, None))
        });
        Announced(runtime)
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        if !self.0.host().shutting_down() {
            let others = self.0.other_presence_spellings();
            self.0.update_always(|world, _| ((), world.withdraw()));
            for address in others {
                if let Err(why) = self.0.host().publish_unset(&address) {
                    log::error!("{address} could not be published: {why}");
                }
            }
        }
    }
}

impl Runtime {
    /// Announces the users that a reload has brought.
    pub(super) fn announce(&self, new: &[Arc<str>]) {
        if new.is_empty() {
            return;
        }
        let found = self.find_published();
        self.update(|world, _| {
            let mut effects = world.announce(&found, Some(new));
            effects.extend(world.show_devices(&found.respelled));
            ((), effects)
        });
    }

    /// The presences that hints spell in another way, of users who have one. A newer core's hint
    /// reads its own spelling, and after the unload that has no provider: so it has to be in the
    /// cache. The next load has it forgotten.
    fn other_presence_spellings(&self) -> Vec<String> {
        if !self.spellings.matter() {
            return Vec::new();
        }
        let watched = self.read_hints();
        let others = self.read(|world| {
            let directory = world.directory();
            let is_other = |address: &String| {
                let user = below(address, USER_LABEL).and_then(|name| directory.user(name));
                user.is_some_and(|user| {
                    let configured = &directory.get(user).name;
                    let is_set = world.outcome(user).presence.is_set();
                    is_set && *address != format!("{USER_LABEL}:{configured}")
                })
            };
            let spellings = watched.presence_spellings.into_iter();
            spellings.filter(is_other).collect()
        });
        others.unwrap_or_default()
    }

    /// Has Asterisk forget presences that an earlier run of the module has left, of users who are
    /// gone or spelled differently now: a hint that spells them so asks for the present answer.
    fn forget_others(&self, found: &Found) {
        let addresses = found.presences.iter().map(|(address, _)| address);
        let others = self.read(|world| {
            let directory = world.directory();
            let is_current = |address: &str| {
                let name = address.strip_prefix(USER_LABEL);
                let name = name.and_then(|rest| rest.strip_prefix(':'));
                let user = name.and_then(|name| directory.user(name));
                user.is_some_and(|user| Some(&*directory.get(user).name) == name)
            };
            let others = addresses.filter(|address| !is_current(address));
            others.cloned().collect::<Vec<_>>()
        });
        for address in others.unwrap_or_default() {
            self.host().forget_presence(&address);
        }
    }

    /// The presences of users that Asterisk has now, and the users that it watches. No lock may
    /// be held.
    fn find_published(&self) -> Found {
        let host = self.host();
        let mut presences = Vec::new();
        host.each_presence(&mut |address, state, subtype, message| {
            let Ok(address) = std::str::from_utf8(address) else {
                return;
            };
            if below(address, USER_LABEL).is_some() {
                let [subtype, message] = [subtype, message].map(String::from_utf8_lossy);
                let published = Presence::new(state, &subtype, &message);
                presences.push((address.to_owned(), published));
            }
        });
        // So they are known before a phone watches any.
        let mut watched = self.read_hints();
        // Where there is app_queue. The members of a queue that is loaded later ask.
        for message in host.manager_action("QueueStatus", &[]).unwrap_or_default() {
            watched.add_device(message.get("StateInterface"));
        }
        // A device that was shown once may be looked at still.
        host.each_device(&mut |name| watched.add_device(&String::from_utf8_lossy(name)));
        let directory = self.read(|world| world.directory().clone());
        let respelled = directory.map(|directory| self.note_spellings(&directory, &watched));
        Found {
            presences,
            watched,
            respelled: respelled.unwrap_or_default(),
        }
    }
}
