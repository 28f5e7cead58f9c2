//! Combines a user's sources into one presence: which sources take part, and which one wins.

use super::{Outcome, Winner, World};
use crate::combine::{self, Candidate, Method, Reason};
use crate::directory::{Input, User, UserId};
use crate::model::device::DeviceState;
use crate::model::input::{InputKind, ReadFrom};
use crate::model::state::Presence;
use crate::model::time::Time;

impl World {
    /// Whether the input takes part in combining now.
    pub fn takes_part(&self, id: UserId, index: usize) -> bool {
        let user = self.directory.get(id);
        let input = &user.inputs[index];
        match user.rule.method {
            Method::None => false,
            Method::Default => {
                let read = user.rule.enabled && self.default_of(id) == Some(index as u16);
                read && self.source(input.source).known
            }
            Method::Priority | Method::Latest => {
                self.combines(user, input, self.some_are_reachable(user))
            }
        }
    }

    /// [`World::takes_part`] for the methods that combine. `some_reachable` is the result of
    /// [`World::some_are_reachable`].
    fn combines(&self, user: &User, input: &Input, some_reachable: bool) -> bool {
        self.source(input.source).known
            && (user.rule.enabled || !input.is_extension())
            && !(some_reachable && self.is_unavailable(input))
    }

    /// Whether unreachable phones take no part: the rule ignores them and another phone of the
    /// user is reachable.
    pub(super) fn some_are_reachable(&self, user: &User) -> bool {
        let can = |input: &Input| {
            let device = input.phone().and_then(|device| self.device(device));
            device.is_some_and(DeviceState::is_reachable) && self.source(input.source).known
        };
        user.rule.ignore_unreachable && user.inputs.iter().any(can)
    }

    fn is_unavailable(&self, input: &Input) -> bool {
        let device = input.phone().and_then(|device| self.device(device));
        device == Some(DeviceState::Unavailable)
    }

    /// The presence of an input for the comparison. With `latest`, an idle device counts as
    /// `not_set`, so that a call or meeting that ends gives way.
    pub(crate) fn value_of(&self, method: Method, input: &Input) -> &Presence {
        static NOTHING: Presence = Presence::NOT_SET;
        let presence = &self.source(input.source).presence;
        let of_device = input.kind.read_from() == ReadFrom::Device;
        if method != Method::Latest || !of_device {
            return presence;
        }
        let reading = self.directory.reading(input.source);
        let idle = reading.map(|reading| reading.table.get(DeviceState::NotInUse));
        match idle == Some(presence) {
            true => &NOTHING,
            false => presence,
        }
    }

    /// Whether own status counts, alone or as one of the sources.
    pub fn own_takes_part(&self, user: UserId) -> bool {
        let spec = self.directory.get(user);
        match spec.rule.method {
            Method::None => true,
            Method::Default => !spec.rule.enabled || spec.default.is_none(),
            Method::Priority | Method::Latest => spec.own_combines,
        }
    }

    /// Computes the user's combined presence by the rule.
    pub fn combine(&self, user: UserId) -> Outcome {
        let spec = self.directory.get(user);
        let default = spec.default.filter(|_| spec.rule.enabled);
        match (spec.rule.method, default) {
            (Method::Default, Some(_)) => {
                let index = self.default_of(user).unwrap_or_default();
                if !self.takes_part(user, usize::from(index)) {
                    return Outcome::default();
                }
                self.won_by(user, Winner::Input(index), Reason::DefaultExtension)
            }
            // Without a default extension to read, own status is the only source.
            (Method::None | Method::Default, _) => match self.own(user) {
                Some(_) => self.won_by(user, Winner::Own, Reason::OwnStatus),
                None => Outcome {
                    reason: Reason::OwnStatus,
                    ..Outcome::default()
                },
            },
            (Method::Priority, _) => self.contest(user, spec, Some(&spec.rule.ranks), |_| true),
            (Method::Latest, _) => self.contest(user, spec, None, |_| true),
        }
    }

    /// The outcome among the inputs whose kind counts, and own status if it is a source.
    pub(super) fn contest(
        &self,
        user: UserId,
        spec: &User,
        ranks: Option<&combine::Ranks>,
        counts: impl Fn(InputKind) -> bool,
    ) -> Outcome {
        let some_reachable = self.some_are_reachable(spec);
        let candidate = |(index, input): (usize, &Input)| {
            let candidate = Candidate {
                state: self.value_of(spec.rule.method, input).state(),
                since: self.source(input.source).since,
            };
            let takes_part = counts(input.kind) && self.combines(spec, input, some_reachable);
            takes_part.then_some((Winner::Input(index as u16), candidate))
        };
        let own = self.own(user).filter(|_| spec.own_combines).map(|own| {
            let candidate = Candidate {
                state: own.presence.state(),
                since: own.since,
            };
            (Winner::Own, candidate)
        });
        let inputs = spec.inputs.iter().enumerate().filter_map(candidate);
        // Mostly no phone publishes; a longer chain of iterators takes three times as long.
        let won = if self.published.is_empty() || !counts(InputKind::Publication) {
            combine::winner(inputs.chain(own), ranks)
        } else {
            let published = self.published_candidates(spec);
            combine::winner(inputs.chain(published).chain(own), ranks)
        };
        match won {
            Some((winner, reason)) => self.won_by(user, winner, reason),
            None => Outcome::default(),
        }
    }

    fn won_by(&self, user: UserId, winner: Winner, reason: Reason) -> Outcome {
        let (presence, since, until) = match winner {
            Winner::NoSource => (Presence::default(), Time::NEVER, Time::NEVER),
            Winner::Own => self.own(user).map_or_else(Default::default, |own| {
                (own.presence.clone(), own.since, own.until)
            }),
            Winner::Publication(index) => {
                let published = self.publication(user, index);
                published.map_or_else(Default::default, |published| {
                    (published.presence.clone(), published.since, Time::NEVER)
                })
            }
            Winner::Input(index) => {
                let spec = self.directory.get(user);
                let input = &spec.inputs[usize::from(index)];
                let state = self.source(input.source);
                let presence = self.value_of(spec.rule.method, input).clone();
                (presence, state.since, state.until())
            }
        };
        Outcome {
            presence,
            since,
            until,
            winner,
            reason,
        }
    }
}
