//! Several worlds around one store.

use super::*;
use crate::config::testing::directory;
use crate::model::assignment;
use crate::model::device::{DeviceState, Watcher};
use crate::model::dnd::DndStatus;
use crate::model::ending::Clock;
use crate::model::own_settings::SettingsPatch;
use crate::model::state::{Presence, State};
use crate::world::stored::Stored;
use crate::world::{Change, Flags, Transition};

mod cluster;
mod converge;
mod doubt;
mod heard;
mod joining;
mod registers;
mod reload;

use cluster::Cluster;

/// Users that share extensions, read a device, or read another user.
const USERS: &str = "[general]\nown_settings=handling,mobile,actions,login,note,visibility\n\
     [focus]\ntype=status\nstate=\n\
     [alice]\ntype=user\nextension=1\nextension=2\n\
     [bob]\ntype=user\nextension=2\nmethod=latest\nuse_devices=yes\n\
     [carol]\ntype=user\nmethod=none\n\
     [dave]\ntype=user\nextension=3\nmethod=latest\nuse_devices=yes\nsource=UserPresence:alice\n";

impl World {
    /// Takes over the whole store, in small parts.
    ///
    /// # Errors
    /// None of the users of the store is configured here.
    pub fn take_whole(
        &mut self,
        entries: &[SharedEntry],
        live: &[NodeIdentity],
        now: Time,
    ) -> Result<Vec<Effect>, OtherUsers> {
        self.check_whole(entries)?;
        self.begin_whole(live);
        let mut effects = Vec::new();
        for entries in entries.chunks(3) {
            effects.extend(self.take_whole_part(entries, now));
        }
        while let Some(more) = self.settle_whole(2, now) {
            effects.extend(more);
        }
        Ok(effects)
    }

    fn with_settled(&mut self, mut effects: Vec<Effect>, now: Time) -> Vec<Effect> {
        while let Some(more) = self.settle_heard(1, now) {
            effects.extend(more);
        }
        effects
    }
}

fn id(world: &World, user: &str) -> UserId {
    world.directory().user(user).unwrap()
}

fn state(world: &World, user: &str) -> State {
    world.outcome(id(world, user)).presence.state()
}

fn transitions(effects: &[Effect]) -> Vec<&Transition> {
    let all = effects.iter().filter_map(|effect| match effect {
        Effect::Transition(transition) => Some(&**transition),
        _ => None,
    });
    all.collect()
}
