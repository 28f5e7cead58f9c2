//! This node's turns as the keeper, which posts webhooks: how far the receivers are, and what
//! other nodes could not know.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::hub::Hub;
use super::record::ACKNOWLEDGED;
use presence::Time;

/// The most times of being cut off that are remembered; older ones become one.
const MOST: usize = 16;

/// The most bytes of what a keeper notes of a webhook.
pub(super) const MOST_BYTES: usize = 4096;

/// The node that is the keeper, as far as this one knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Turn {
    /// This one, in its turn of that number; each turn has a higher one.
    Own(u64),
    /// Another one, of that name; `None` while there is none, and while this node is cut off.
    Other(Option<Arc<str>>),
}

/// What is noted for the keeper.
#[derive(Default, Debug)]
pub struct TurnState {
    /// How far the receiver of each webhook is, in the words of the keeper.
    pub acknowledged: BTreeMap<String, String>,
    /// The webhooks whose text waits to be written.
    pub unwritten: BTreeMap<String, String>,
    /// The revision of the keeper's key for which `acknowledged` was read anew.
    pub read_for: i64,
    /// Since when this node has been without the others, and has not told them what changed.
    cut_off: Option<Time>,
    /// From when to when it was so.
    apart: Vec<(Time, Time)>,
}

impl TurnState {
    fn begin_apart(&mut self, at: Time) {
        self.cut_off.get_or_insert(at);
    }

    fn end_apart(&mut self, now: Time) {
        let Some(from) = self.cut_off.take() else {
            return;
        };
        self.apart.push((from, now));
        if self.apart.len() > MOST {
            let oldest = self.apart.remove(0);
            self.apart[0].0 = oldest.0;
        }
    }

    /// The times in which this node was cut off, the oldest first.
    pub fn apart(&self) -> Vec<(Time, Time)> {
        let still = self.cut_off.map(|from| (from, Time::from_micros(u64::MAX)));
        self.apart.iter().copied().chain(still).collect()
    }
}

impl Hub {
    /// The node that posts webhooks.
    pub fn turn(&self) -> Turn {
        let is_keeper = self.is_keeper();
        self.with(|state| match &state.keeper {
            Some(keeper) if is_keeper && state.turn.read_for == keeper.revision => {
                Turn::Own(keeper.revision.unsigned_abs())
            }
            Some(keeper) if keeper.name != self.me.name && state.is_ready => {
                Turn::Other(Some(keeper.name.clone()))
            }
            _ => Turn::Other(None),
        })
    }

    /// From now on other nodes may not learn what changes here.
    pub fn begin_apart(&self) {
        let now = self.source.now();
        self.with(|state| {
            let silent = state.alive.map(|alive| alive.elapsed()).unwrap_or_default();
            let since = now.micros().saturating_sub(silent.as_micros() as u64);
            state.turn.begin_apart(Time::from_micros(since));
        });
    }

    /// Other nodes have learned what has changed here, unless something waits still.
    pub fn end_apart(&self) {
        if self.with(|state| state.turn.cut_off.is_some()) && self.source.waiting() == 0 {
            let now = self.source.now();
            self.with(|state| state.turn.end_apart(now));
        }
    }

    /// The keeper of now has noted these texts.
    pub fn take_acknowledged(&self, path: &str, text: Option<&str>) {
        let Some(webhook) = path.strip_prefix(ACKNOWLEDGED) else {
            return;
        };
        if text.is_some_and(|text| text.len() > MOST_BYTES) {
            return;
        }
        // What this node notes itself is newer than what comes back of it.
        if matches!(self.turn(), Turn::Own(_)) {
            return;
        }
        self.with(|state| match text {
            Some(text) => {
                let all = &mut state.turn.acknowledged;
                all.insert(webhook.to_owned(), text.to_owned());
            }
            None => {
                state.turn.acknowledged.remove(webhook);
            }
        });
    }

    /// Notes how far the receivers are, if this node posts; it is written with the next beat.
    pub fn note_acknowledged(&self) {
        if !matches!(self.turn(), Turn::Own(_)) {
            self.with(|state| state.turn.unwritten.clear());
            return;
        }
        let all = self.source.acknowledged();
        self.with(|state| {
            for (webhook, text) in all {
                let known = state
                    .turn
                    .acknowledged
                    .insert(webhook.clone(), text.clone());
                if known.as_ref() != Some(&text) {
                    state.turn.unwritten.insert(webhook, text);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_being_cut_off_are_remembered_and_are_few() {
        let at = Time::from_millis;
        let mut turn = TurnState::default();
        turn.begin_apart(at(10));
        turn.begin_apart(at(15));
        assert_eq!(turn.apart(), [(at(10), Time::from_micros(u64::MAX))]);
        turn.end_apart(at(20));
        turn.end_apart(at(25));
        assert_eq!(turn.apart(), [(at(10), at(20))]);
        for time in 1..=100 {
            turn.begin_apart(at(time * 100));
            turn.end_apart(at(time * 100 + 50));
        }
        assert_eq!(turn.apart().len(), MOST);
        assert_eq!(turn.apart()[0].0, at(10));
        assert_eq!(turn.apart()[MOST - 1], (at(10_000), at(10_050)));
    }
}
