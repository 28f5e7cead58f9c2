//! The delivery of effects: to Asterisk, to listeners of AMI, to readers, to actions.

use std::sync::Arc;

use super::Runtime;
use super::applications::ApplicationEvent;
use super::host::EventClass;
use super::own_settings::ForwardsChanged;
use presence::actions::Person;
use presence::model::address::USER_LABEL;
use presence::model::details::Detail;
use presence::model::device::{DeviceState, Watcher};
use presence::model::flags::Flag;
use presence::model::inferred::Inferred;
use presence::model::status::StatusType;
use presence::world::{Effect, Transition};
use presence::{Presence, Time};

impl Runtime {
    /// Delivers one effect. No lock may be held.
    pub(super) fn deliver(&self, effect: &Effect) {
        crate::trip("tell");
        match effect {
            Effect::Transition(transition) => {
                self.stats().changes.add(1);
                if transition.publish {
                    self.publish(&transition.user, &transition.new);
                }
                self.send_change_event(transition);
                self.append_to_feed(transition);
                if self.applications().any() {
                    let event =
                        ApplicationEvent::Changed(transition.clone(), transition.old_visibility);
                    self.applications().put(&event);
                }
                self.update_phones(&transition.user);
                self.follow_dnd_of_user(&transition.user);
                self.status_changed(|| {
                    let person = self.read(|world| Person::after(world, transition));
                    person.flatten()
                });
                if transition.changed.has(Detail::Status) {
                    self.forwards_changed(ForwardsChanged::Of(&transition.user));
                }
            }
            Effect::Publish(user, presence) => self.publish(user, presence),
            Effect::Device(user, watcher, state) => self.publish_device(user, *watcher, *state),
            Effect::Forget(user) => self.forget_published(user),
            Effect::Settings(user) => {
                self.update_phones(user);
                self.own_actions_changed(user);
                self.forwards_changed(ForwardsChanged::Of(user));
            }
        }
    }

    fn publish(&self, user: &str, presence: &Presence) {
        if let Err(why) = self.host().publish_presence(user, presence) {
            log::error!("The presence of '{user}' could not be published: {why}");
        }
        self.stats().publishes.add(1);
        crate::trip::published();
    }

    pub(super) fn publish_device(&self, user: &str, watcher: Watcher, state: DeviceState) {
        for device in self.spellings.all(user, watcher) {
            if let Err(why) = self.host().publish_device(&device, state) {
                log::error!("The device state of '{user}' could not be published: {why}");
            }
        }
    }

    fn forget_published(&self, user: &str) {
        self.host().forget_presence(&format!("{USER_LABEL}:{user}"));
        for watcher in Watcher::ALL {
            for device in self.spellings.all(user, watcher) {
                self.host().forget_device(&device);
            }
        }
    }

    fn send_change_event(&self, transition: &Transition) {
        let Transition { old, new, .. } = transition;
        let millis = |time: Time| match time {
            Time::NEVER => String::new(),
            time => time.millis().to_string(),
        };
        let (since, until) = (millis(transition.since), millis(transition.until));
        let name = |status: &Option<Arc<StatusType>>| {
            let status = status.as_deref();
            status.map_or_else(String::new, |status| status.name.to_string())
        };
        let label = transition
            .status
            .as_deref()
            .map_or("", |status| &status.label);
        let chosen = &transition.chosen;
        let (chosen_since, chosen_until) = (millis(chosen.since), millis(chosen.until));
        let inferred = transition.inferred.as_ref().map_or("", Inferred::label);
        let sequence = transition.sequence.to_string();
        let activity = transition.activity;
        let flags = Flag::ALL.map(|flag| (flag.header(), transition.flags.word(flag)));
        let (old_status, status) = (name(&transition.old_status), name(&transition.status));
        self.host().send_event(
            EventClass::Call,
            c"UserPresenceChange",
            &[
                ("User", &*transition.user),
                ("Name", transition.display_name()),
                ("Account", &transition.account),
                ("OldState", old.state().name()),
                ("OldSubtype", old.subtype()),
                ("OldMessage", old.message()),
                ("OldStatus", &old_status),
                // The former name of OldStatus, for one release.
                ("OldStatusType", &old_status),
                ("State", new.state().name()),
                ("Subtype", new.subtype()),
                ("Message", new.message()),
                ("Status", &status),
                // The former name of Status, for one release.
                ("StatusType", &status),
                ("Label", label),
                ("Inferred", inferred),
                ("ChosenState", chosen.presence.state().name()),
                ("ChosenStatus", &status),
                ("ChosenSubtype", chosen.presence.subtype()),
                ("ChosenMessage", chosen.presence.message()),
                ("ChosenSince", &chosen_since),
                ("ChosenUntil", &chosen_until),
                ("DndStatus", transition.dnd_status.name()),
                ("Visibility", transition.visibility.name()),
                ("TelephonyStatus", activity.telephony.name()),
                ("MeetingStatus", activity.meeting.name()),
                ("PresenceStatus", activity.presence.name()),
                ("UserStatus", activity.user.name()),
                ("Source", &transition.source),
                ("Reason", transition.reason.name()),
                ("Method", transition.method.name()),
                ("Since", &since),
                ("Until", &until),
                ("Sequence", &sequence),
            ]
            .into_iter()
            .chain(flags)
            .collect::<Vec<_>>(),
        );
    }

    /// Every user with actions on a status.
    pub(super) fn people(&self) -> Vec<Person> {
        let people = self.read(|world| {
            let users = world.directory().users();
            users.filter_map(|(id, _)| Person::of(world, id)).collect()
        });
        people.unwrap_or_default()
    }
}
