//! What a user switches apart from the status: the DND status and the flags.

use super::{Effect, World};
use crate::directory::UserId;
use crate::model::details::{Detail, Details};
use crate::model::dnd::DndStatus;
use crate::model::flags::Flag;
use crate::model::time::Time;

impl World {
    pub(super) fn set_dnd(&mut self, user: UserId, to: DndStatus, now: Time) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.put_dnd(user, to, now, &mut effects) {
            self.note_dnd(user, now);
        }
        effects
    }

    pub(super) fn set_flag(
        &mut self,
        user: UserId,
        flag: Flag,
        on: bool,
        now: Time,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.put_flag(user, flag, on, now, &mut effects) {
            self.note_flag(user, flag, now);
        }
        effects
    }

    /// Sets the DND status, whatever changed it. Returns whether it differs.
    pub(super) fn put_dnd(
        &mut self,
        user: UserId,
        to: DndStatus,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> bool {
        if self.users[user.index()].dnd_status == to {
            return false;
        }
        let was = self.users[user.index()].before_change();
        self.users[user.index()].dnd_status = to;
        self.update_activity(user);
        let changed = Details::NONE.with(Detail::Dnd, true);
        effects.push(self.transition(user, was, changed, now));
        self.update_device_states(user, effects);
        true
    }

    /// Sets a flag, whatever changed it. Returns whether it differs.
    pub(super) fn put_flag(
        &mut self,
        user: UserId,
        flag: Flag,
        on: bool,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let flags = self.users[user.index()].flags.with(flag, on);
        if self.users[user.index()].flags == flags {
            return false;
        }
        let was = self.users[user.index()].before_change();
        self.users[user.index()].flags = flags;
        self.update_visibility(user);
        let changed = Details::NONE.with(Detail::Flags, true);
        effects.push(self.transition(user, was, changed, now));
        true
    }
}
