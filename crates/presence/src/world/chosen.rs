//! The chosen outcome and the inferred one, which are kept apart.
//!
//! The combined outcome covers all sources. The *chosen* outcome applies the same rule to
//! the chosen sources alone (see [`InputKind::is_chosen`]); the status type follows it.
//! The two differ only if an inferred source has won.

use std::sync::Arc;

use super::{Outcome, UserState, Winner, World};
use crate::combine::Method;
use crate::directory::UserId;
use crate::model::activity::Activity;
use crate::model::activity::Telephony;
use crate::model::activity::TelephonyStatus;
use crate::model::assignment::Choice;
use crate::model::device::DeviceState;
use crate::model::inferred::Inferred;
use crate::model::input::InputKind;
use crate::model::own_settings::OwnSettings;
use crate::model::state::{Presence, State};
use crate::model::status::StatusType;
use crate::model::text;
use crate::model::time::Time;
use crate::model::visibility::Visibility;

/// A presence with the status type that goes with it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Decision {
    /// The presence.
    pub presence: Presence,
    /// The status type; `None` if the user has none.
    pub status: Option<Arc<StatusType>>,
}

/// The decisions that actions act on, kept for users that have actions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Decisions {
    /// The decision of the chosen sources and the schedule.
    pub chosen: Decision,
    /// The decision of all sources.
    pub combined: Decision,
}

/// A change of a user's own status.
pub(super) enum OwnChange {
    /// No change.
    None,
    /// The user's own status was set.
    Chosen(UserId),
    /// The own status of these users has ended. Each status type is restored if the chosen
    /// presence means no type.
    Ended(Vec<(UserId, Option<Arc<StatusType>>)>),
}

/// The state of a user before a change, for the comparison after it.
pub(super) struct UserBefore {
    pub presence: Presence,
    pub status: Option<Arc<StatusType>>,
    pub chosen: Presence,
    pub chosen_until: Time,
    pub inferred: Option<Inferred>,
    pub activity: Activity,
    pub decisions: Option<Box<Decisions>>,
    pub visibility: Visibility,
}

impl UserState {
    pub(super) fn chosen(&self) -> &Outcome {
        self.chosen.as_deref().unwrap_or(&self.outcome)
    }

    pub(super) fn before_change(&self) -> UserBefore {
        UserBefore {
            presence: self.outcome.presence.clone(),
            status: self.status.clone(),
            chosen: self.chosen().presence.clone(),
            chosen_until: self.chosen().until,
            inferred: self.inferred.clone(),
            activity: self.activity,
            decisions: self.decisions.clone(),
            visibility: self.visibility,
        }
    }

    /// Whether the present state differs from that before the change.
    pub(super) fn differs(&self, was: &UserBefore) -> bool {
        self.status_differs(was)
            || self.inferred != was.inferred
            || self.activity != was.activity
            || self.visibility != was.visibility
    }

    /// Whether the status that people see differs for a reason other than a call or a
    /// meeting.
    pub(super) fn status_differs(&self, was: &UserBefore) -> bool {
        let (now, then) = (self.activity, was.activity);
        let does = now.telephony != then.telephony || now.meeting != then.meeting;
        self.outcome.presence != was.presence
            || self.chosen().presence != was.chosen
            || self.status != was.status
            || (self.inferred != was.inferred && !does)
    }
}

impl World {
    /// The user's chosen outcome: the rule applied to the chosen sources alone.
    pub fn chosen(&self, user: UserId) -> &Outcome {
        self.users[user.index()].chosen()
    }

    /// The system's conclusion about the user, if it adds anything to the chosen outcome.
    pub fn inferred(&self, user: UserId) -> Option<&Inferred> {
        self.users[user.index()].inferred.as_ref()
    }

    /// The decisions that the user's actions act on; `None` without actions.
    pub fn decisions(&self, user: UserId) -> Option<&Decisions> {
        self.users[user.index()].decisions.as_deref()
    }

    /// The status type of all sources, including a call or a meeting that has won.
    pub fn combined_status(&self, user: UserId) -> Option<&Arc<StatusType>> {
        let outcome = self.outcome(user);
        let inferred = self.inferred_winner(user).is_some() && outcome.presence.is_set();
        let meaning = inferred.then(|| self.meaning(&outcome.presence));
        meaning.flatten().or(self.status(user))
    }

    /// A choice that repeats the chosen status with another message: the status type, the
    /// subtype and the end stay.
    ///
    /// # Errors
    /// Returns a message if the text is too long or not plain, if no status is set, or if the
    /// status is mapped to no state.
    pub fn with_message(&self, user: UserId, message: &str, now: Time) -> Result<Choice, String> {
        text::check(message).map_err(|why| format!("the message {why}"))?;
        let chosen = self.chosen(user);
        let (presence, known) = (&chosen.presence, self.status(user));
        if let Some(status) = known.filter(|status| status.maps_to.is_none()) {
            return Err(format!(
                "the status '{}' is mapped to no state, expected no message",
                status.name
            ));
        }
        let of_state = |status: &&Arc<StatusType>| {
            let mapped = status.maps_to.as_ref();
            mapped.is_some_and(|mapped| mapped.state() == presence.state())
        };
        let status = known.filter(of_state).or_else(|| self.meaning(presence));
        let Some(status) = status.or(known) else {
            return Err("no status is set, expected a status before its message".into());
        };
        Ok(Choice {
            status: status.clone(),
            presence: Some(Presence::new(presence.state(), presence.subtype(), message)),
            until: (chosen.until > now).then_some(chosen.until),
            takes_note: false,
        })
    }

    fn meaning(&self, presence: &Presence) -> Option<&Arc<StatusType>> {
        self.directory.settings.statuses().meaning(presence)
    }

    /// The index and kind of the input that has won the combined outcome, if it is inferred.
    fn inferred_winner(&self, user: UserId) -> Option<(usize, InputKind)> {
        let Winner::Input(index) = self.outcome(user).winner else {
            return None;
        };
        let index = usize::from(index);
        let kind = self.directory.get(user).inputs[index].kind;
        (!kind.is_chosen()).then_some((index, kind))
    }

    /// Records a change of own status before the status type is derived.
    pub(super) fn note_own_change(&mut self, user: UserId, change: &OwnChange) {
        let state = &mut self.users[user.index()];
        match change {
            OwnChange::Chosen(chooser) if *chooser == user => {
                // Changes of other users that this choice caused are no later than the choice.
                if let Some(own) = state.own.as_deref_mut() {
                    own.chosen = own.chosen.max(self.last);
                }
            }
            OwnChange::Ended(ended) => {
                let mut ended = ended.iter();
                if let Some((_, Some(status))) = ended.find(|(of, _)| *of == user) {
                    state.status = Some(status.clone());
                }
            }
            OwnChange::Chosen(_) | OwnChange::None => {}
        }
    }

    /// Updates all that follows from the combined outcome: the chosen outcome, the status type
    /// and the decisions for actions.
    pub(super) fn update_chosen(&mut self, user: UserId) {
        let won = self.inferred_winner(user);
        let chosen = won.map(|_| Box::new(self.contest_of(user, InputKind::is_chosen)));
        self.users[user.index()].chosen = chosen;
        if let Some(status) = self.derived_status(user) {
            self.users[user.index()].status = Some(status);
        }
        self.update_decisions(user);
    }

    /// Updates the decisions for actions: the administrator's, or the user's own.
    pub(super) fn update_decisions(&mut self, user: UserId) {
        let own = self.users[user.index()].settings.as_deref();
        let acts = !self.directory.get(user).rule.actions.is_empty()
            || own.is_some_and(OwnSettings::has_actions);
        let decisions = acts.then(|| Box::new(self.decide(user)));
        self.users[user.index()].decisions = decisions;
    }

    /// The new status type: the one chosen last, until a chosen source that is set later
    /// means another. `None` if the status type stays as it is.
    pub(super) fn derived_status(&self, user: UserId) -> Option<Arc<StatusType>> {
        let chosen = self.chosen(user);
        let own = self.own(user).filter(|own| {
            let beside = own.beside.as_ref();
            own.chosen >= chosen.since && beside.is_none_or(|it| *it == chosen.presence)
        });
        let last = own.and_then(|own| own.status.as_ref());
        let status = last.or_else(|| self.meaning(&chosen.presence));
        // The user's former type is no longer configured.
        let status = status.or_else(|| match self.status(user) {
            Some(_) => None,
            None => self.own(user)?.status.as_ref(),
        });
        status
            .filter(|status| self.status(user) != Some(status))
            .cloned()
    }

    fn decide(&self, user: UserId) -> Decisions {
        let state = &self.users[user.index()];
        let decision = |presence: &Presence, status: Option<&Arc<StatusType>>| Decision {
            presence: presence.clone(),
            status: status.cloned(),
        };
        let by_choice = || decision(&state.chosen().presence, state.status.as_ref());
        let of_schedule = |presence: &Presence| {
            let meaning = self.meaning(presence).or(state.status.as_ref());
            decision(presence, meaning)
        };
        let chosen = match self.inferred_winner(user) {
            None => by_choice(),
            Some((_, kind)) if kind.is_acted_on() && state.outcome.presence.is_set() => {
                of_schedule(&state.outcome.presence)
            }
            Some(_) => {
                let outcome = self.contest_of(user, InputKind::is_acted_on);
                match self.is_inferred(user, outcome.winner) && outcome.presence.is_set() {
                    true => of_schedule(&outcome.presence),
                    false => by_choice(),
                }
            }
        };
        Decisions {
            chosen,
            combined: decision(&state.outcome.presence, self.combined_status(user)),
        }
    }

    fn is_inferred(&self, user: UserId, winner: Winner) -> bool {
        let Winner::Input(index) = winner else {
            return false;
        };
        let input = &self.directory.get(user).inputs[usize::from(index)];
        !input.kind.is_chosen()
    }

    /// The system's conclusion from the winner, the calls and the meetings of the user.
    pub(super) fn compute_inferred(
        &self,
        user: UserId,
        telephony: &Telephony,
        in_meeting: bool,
    ) -> Option<Inferred> {
        let outcome = self.outcome(user);
        let won = self.inferred_winner(user);
        let won = won.filter(|_| outcome.presence.is_set());
        let by_winner = won.and_then(|(index, kind)| self.conclusion_of(user, index, kind));
        let by_activity = || match telephony.status() {
            TelephonyStatus::CallConnected => Some(Inferred::Call),
            _ if in_meeting => Some(Inferred::Meeting),
            TelephonyStatus::OnHold => Some(Inferred::Hold),
            TelephonyStatus::Ringing => Some(Inferred::Ringing),
            // The user is parked.
            TelephonyStatus::ParkedCall if telephony.is_parked => Some(Inferred::Hold),
            TelephonyStatus::ParkedCall | TelephonyStatus::NoCall => None,
        };
        let offline = || {
            self.is_offline(user, telephony)
                .then_some(Inferred::Offline)
        };
        by_winner
            .or_else(by_activity)
            .or_else(offline)
            .or_else(|| self.difference_of(user))
    }

    /// The conclusion from an inferred source that has won.
    fn conclusion_of(&self, user: UserId, index: usize, kind: InputKind) -> Option<Inferred> {
        let input = &self.directory.get(user).inputs[index];
        let state = input.device().and_then(|device| self.device(device));
        let state = state.unwrap_or_default();
        let reading = self.directory.reading(input.source);
        if let Some(status) = reading.and_then(|reading| reading.table.status(state)) {
            return Some(Inferred::Status(status.clone()));
        }
        kind.conclusion(state)
    }

    /// Whether the combined presence makes the user look reachable although no phone is.
    fn is_offline(&self, user: UserId, telephony: &Telephony) -> bool {
        let reachable = matches!(
            self.outcome(user).presence.state(),
            State::NotSet | State::Available | State::Chat
        );
        let off = |device| self.device(device) == Some(DeviceState::Unavailable);
        // A device that does not exist is not a phone that is switched off.
        let can = telephony.phones.reachable || telephony.is_parked;
        reachable && !can && self.phone_devices(user).any(off)
    }

    /// The status type that the combined presence means, if its state differs from the chosen
    /// one. This explains the shown state when no other conclusion does.
    fn difference_of(&self, user: UserId) -> Option<Inferred> {
        let holds = &self.outcome(user).presence;
        let chosen = self.status(user).and_then(|status| status.maps_to.as_ref());
        let same = match chosen {
            Some(chosen) => chosen.state() == holds.state(),
            // The type sets no state, or there is no type.
            None => self.chosen(user).presence.state() == holds.state(),
        };
        let meaning = match same {
            true => None,
            false => self.meaning(holds),
        };
        meaning.cloned().map(Inferred::Status)
    }

    /// The outcome of the inputs of these kinds and own status. Only methods that combine get
    /// here: with the other methods no inferred source wins.
    fn contest_of(&self, user: UserId, counts: impl Fn(InputKind) -> bool) -> Outcome {
        let spec = self.directory.get(user);
        let ranks = match spec.rule.method {
            Method::Priority => Some(&spec.rule.ranks),
            Method::Latest | Method::Default | Method::None => None,
        };
        self.contest(user, spec, ranks, counts)
    }
}
