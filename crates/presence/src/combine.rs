//! The rule that combines many sources into one presence.
//!
//! The winner by method:
//! - `priority`: the source whose state ranks highest in the administrator's order; among
//!   equal states the one set last; then the one configured first.
//! - `latest`: the source set last; then the one configured first.
//! - `default` and `none` name their source and need no comparison.
//!
//! A source that is `not_set` never wins over a source that is set.

use serde::{Serialize, Serializer};

use crate::model::state::State;
use crate::model::time::Time;
use crate::model::words::words;

words! {
    /// How a user's sources become one presence.
    #[derive(Default)]
    pub enum Method: "method" {
        /// The source with the highest state in the order wins.
        #[default]
        Priority = "priority",
        /// The source that was set last wins.
        Latest = "latest",
        /// The default extension alone counts.
        Default = "default",
        /// Own status alone counts.
        None = "none",
    }
}

/// The order of states for [`Method::Priority`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Order([State; 7]);

impl Default for Order {
    /// Asterisk's own order, so that replacing `A&B` in a hint changes no state.
    fn default() -> Self {
        Order([
            State::Dnd,
            State::Xa,
            State::Away,
            State::Chat,
            State::Unavailable,
            State::Available,
            State::NotSet,
        ])
    }
}

impl Order {
    /// The order that begins with these states; the missing ones follow in the default order.
    /// A repeated state counts at its first position.
    pub fn new(first: &[State]) -> Self {
        let mut order = [State::NotSet; 7];
        let mut filled = 0;
        for &state in first.iter().chain(&Order::default().0) {
            if !order[..filled].contains(&state) {
                order[filled] = state;
                filled += 1;
            }
        }
        Order(order)
    }

    /// The states, highest first.
    pub fn states(&self) -> &[State; 7] {
        &self.0
    }

    /// 0 for the highest state, 6 for the lowest.
    fn ranks(&self) -> [u8; 7] {
        let mut ranks = [0; 7];
        for (rank, state) in self.0.iter().enumerate() {
            ranks[*state as usize] = rank as u8;
        }
        ranks
    }
}

/// The states' names, highest first.
impl Serialize for Order {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.states())
    }
}

/// The rank of each state, 0 for the highest; computed once per user rule. See [`winner`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Ranks([u8; 7]);

impl From<&Order> for Ranks {
    fn from(order: &Order) -> Self {
        Ranks(order.ranks())
    }
}

/// The part of a source that the rule compares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// The state.
    pub state: State,
    /// When the source was set.
    pub since: Time,
}

words! {
    /// The reason why the winner won.
    #[derive(Default)]
    #[repr(u8)]
    pub enum Reason: "reason" {
        /// No source takes part, or none is set.
        #[default]
        NothingSet = "nothing_set",
        /// No other source is set.
        Only = "only",
        /// The winner's state ranks highest in the order.
        Highest = "highest",
        /// Several sources have the highest state; the winner was set last.
        LastOfEquals = "last_of_equals",
        /// Several sources are equal and were set at the same time; the winner is configured
        /// first.
        FirstOfEquals = "first_of_equals",
        /// The winner was set last.
        Latest = "latest",
        /// The winner is the default extension.
        DefaultExtension = "default_extension",
        /// Only own status counts.
        OwnStatus = "own_status",
    }
}

/// Picks the winner among candidates in their configured order: by `priority` with `ranks`,
/// by `latest` without. Returns `None` only if there are no candidates.
pub fn winner<Name: Copy>(
    candidates: impl Iterator<Item = (Name, Candidate)>,
    ranks: Option<&Ranks>,
) -> Option<(Name, Reason)> {
    // not_set always ranks last, whatever the order is.
    let rank = |state: State| match (state, ranks) {
        (State::NotSet, _) => u8::MAX,
        (_, None) => 0,
        (state, Some(ranks)) => ranks.0[state as usize],
    };
    let mut best: Option<(Name, u8, Time)> = None;
    let (mut set, mut equals, mut same_time) = (0, 0, 0);
    for (name, candidate) in candidates {
        let (rank, since) = (rank(candidate.state), candidate.since);
        set += usize::from(candidate.state != State::NotSet);
        match best {
            Some((_, best_rank, best_since)) if rank == best_rank => {
                equals += 1;
                if since > best_since {
                    best = Some((name, rank, since));
                    same_time = 1;
                } else if since == best_since {
                    same_time += 1;
                }
            }
            Some((_, best_rank, _)) if rank > best_rank => {}
            _ => {
                best = Some((name, rank, since));
                (equals, same_time) = (1, 1);
            }
        }
    }
    let (name, rank, _) = best?;
    let reason = match (rank, set, ranks) {
        (u8::MAX, ..) => Reason::NothingSet,
        (_, 1, _) => Reason::Only,
        (_, _, Some(_)) if equals == 1 => Reason::Highest,
        _ if same_time > 1 => Reason::FirstOfEquals,
        (_, _, Some(_)) => Reason::LastOfEquals,
        (_, _, None) => Reason::Latest,
    };
    Some((name, reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidate(state: State, since: u64) -> Candidate {
        Candidate {
            state,
            since: Time::from_millis(since),
        }
    }

    fn by_priority(candidates: &[Candidate]) -> Option<(usize, Reason)> {
        let ranks = Ranks::from(&Order::default());
        winner(candidates.iter().copied().enumerate(), Some(&ranks))
    }

    fn by_latest(candidates: &[Candidate]) -> Option<(usize, Reason)> {
        winner(candidates.iter().copied().enumerate(), None)
    }

    #[test]
    fn priority_then_time_then_position() {
        let (dnd, away, none) = (State::Dnd, State::Away, State::NotSet);
        assert_eq!(by_priority(&[]), None);
        let all_unset = [candidate(none, 5), candidate(none, 9)];
        assert_eq!(by_priority(&all_unset), Some((1, Reason::NothingSet)));
        let one = [candidate(none, 9), candidate(State::Available, 1)];
        assert_eq!(by_priority(&one), Some((1, Reason::Only)));
        let highest = [candidate(away, 9), candidate(dnd, 1)];
        assert_eq!(by_priority(&highest), Some((1, Reason::Highest)));
        let equals = [candidate(dnd, 1), candidate(dnd, 2), candidate(away, 3)];
        assert_eq!(by_priority(&equals), Some((1, Reason::LastOfEquals)));
        let ties = [candidate(dnd, 2), candidate(dnd, 2), candidate(dnd, 1)];
        assert_eq!(by_priority(&ties), Some((0, Reason::FirstOfEquals)));
    }

    #[test]
    fn latest_compares_times_only() {
        let mixed = [
            candidate(State::Dnd, 1),
            candidate(State::Chat, 3),
            candidate(State::NotSet, 9),
        ];
        assert_eq!(by_latest(&mixed), Some((1, Reason::Latest)));
        let tie = [candidate(State::Away, 3), candidate(State::Dnd, 3)];
        assert_eq!(by_latest(&tie), Some((0, Reason::FirstOfEquals)));
    }

    #[test]
    fn missing_states_go_to_the_end_in_the_default_order() {
        let order = Order::new(&[State::Chat, State::Available, State::Chat]);
        let names: Vec<_> = order.states().iter().map(|state| state.name()).collect();
        assert_eq!(
            names.join(","),
            "chat,available,dnd,xa,away,unavailable,not_set"
        );
    }

    #[test]
    fn not_set_never_wins_even_when_the_order_puts_it_first() {
        let ranks = Ranks::from(&Order::new(&[State::NotSet]));
        let both = [candidate(State::NotSet, 9), candidate(State::Available, 1)];
        let won = winner(both.into_iter().enumerate(), Some(&ranks));
        assert_eq!(won, Some((1, Reason::Only)));
    }

    fn any_candidates() -> impl Strategy<Value = Vec<Candidate>> {
        let one = (0usize..7, 0u64..4).prop_map(|(s, t)| candidate(State::ALL[s], t));
        proptest::collection::vec(one, 1..9)
    }

    proptest! {
        /// There is exactly one winner, and no candidate beats it by the rule's definition.
        #[test]
        fn there_is_one_winner_and_nothing_beats_it(all in any_candidates(), latest: bool) {
            let ranks = Ranks::from(&Order::default());
            let (won, _) = winner(all.iter().copied().enumerate(), (!latest).then_some(&ranks)).unwrap();
            let order = Order::default();
            let key = |i: usize| {
                let c = all[i];
                let rank = order.states().iter().position(|s| *s == c.state).unwrap();
                let rank = if latest { usize::from(c.state == State::NotSet) } else { rank };
                (rank, std::cmp::Reverse(c.since), i)
            };
            prop_assert!((0..all.len()).all(|i| key(won) <= key(i)));
        }

        /// The winner does not depend on the order of the candidates if their times differ.
        #[test]
        fn the_position_decides_only_ties(mut all in any_candidates(), latest: bool) {
            let ranks = Ranks::from(&Order::default());
            for (i, c) in all.iter_mut().enumerate() {
                c.since = Time::from_micros(c.since.micros() + i as u64);
            }
            let pick = |all: &[Candidate]| {
                let won = winner(all.iter().copied().enumerate(), (!latest).then_some(&ranks));
                won.map(|(i, reason)| (all[i], reason))
            };
            let forward = pick(&all);
            all.reverse();
            prop_assert_eq!(forward, pick(&all));
        }
    }
}
