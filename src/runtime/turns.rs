//! The turns in which this node of a cluster posts webhooks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Runtime;
use super::webhooks::hidden;
use crate::cluster::Turn;
use crate::webhooks::{Acknowledged, Posting, Resumed};
use presence::Time;
use presence::config::Webhook;

/// How much later an event may be here than on the node that has posted: the clocks of nodes
/// differ by up to a second each, and a change takes a moment to arrive. What happened within
/// this time before the last acknowledgement may be posted twice.
const SLACK: Duration = Duration::from_secs(3);

/// How far ahead an acknowledgement may be.
const FUTURE: Duration = Duration::from_secs(24 * 3600);

/// The time in which this node was cut off, and settled what it had missed.
pub type Apart = (Time, Time);

impl Runtime {
    /// The node that posts webhooks now.
    pub fn posting(&self) -> Posting {
        let is_clustered = self.read(|world| world.directory().settings.cluster.is_some());
        if is_clustered != Some(true) {
            return Posting::Here(0);
        }
        match self.clustering.turn() {
            Some(Turn::Own(turn)) => Posting::Here(turn),
            Some(Turn::Other(node)) => Posting::Elsewhere(node),
            // It has not begun.
            None => Posting::Elsewhere(None),
        }
    }

    /// See [`crate::webhooks::EventSource::resume`].
    pub(super) fn resume(&self, spec: &Webhook) -> Option<Resumed> {
        let known = self.clustering.acknowledged(&spec.name)?;
        // One from far in the future would skip everything until then.
        let latest = self.now().after(FUTURE);
        let known = Acknowledged::of(spec, &known).filter(|it| it.until() <= latest)?;
        self.resume_from(spec, &known, &self.clustering.apart())
    }

    /// Where a webhook goes on after what another node, or this one in an earlier turn, has
    /// acknowledged.
    pub(super) fn resume_from(
        &self,
        spec: &Webhook,
        known: &Acknowledged,
        apart: &[Apart],
    ) -> Option<Resumed> {
        let account = &*spec.account;
        let (node, last) = self
            .read(|world| {
                let directory = world.directory();
                let last = world.account_sequence(directory.account_named(account)?);
                let cluster = directory.settings.cluster.as_deref();
                Some((cluster.map(|cluster| cluster.node.clone()), last))
            })
            .flatten()?;
        let own = node.and_then(|node| known.sequence_of(&node));
        let sequence = own.filter(|own| *own <= last).or_else(|| {
            let mut from = before(known.until(), SLACK);
            // What changed here while nobody else could know of it.
            for (cut_off, settled) in apart.iter().rev() {
                if from <= *settled {
                    from = from.min(before(*cut_off, SLACK));
                }
            }
            self.feed.last_at(account, from)
        });
        // Without a number: each user who has ever changed.
        let mut resumed = self.changed_after(account, sequence.unwrap_or(0))?;
        resumed.until = known.until();
        Some(resumed)
    }

    /// See [`crate::webhooks::EventSource::resume_after`].
    pub(super) fn resume_after(&self, spec: &Webhook, sequence: u64) -> Option<Resumed> {
        self.read(|world| world.directory().settings.cluster.is_some())
            .filter(|is_clustered| *is_clustered)?;
        self.changed_after(&spec.account, sequence)
    }

    /// What is to be posted after that event: from the journal, or, where that does not reach
    /// back so far, the users who have changed since. `None` without such an account.
    fn changed_after(&self, account: &str, sequence: u64) -> Option<Resumed> {
        self.read(|world| {
            let directory = world.directory();
            let id = directory.account_named(account)?;
            let members = directory.members(id).iter();
            let changed = members.map(|user| (world.sequence(*user), *user));
            let mut changed: Vec<_> = changed.filter(|(own, _)| *own > sequence).collect();
            changed.sort_unstable_by_key(|(own, _)| *own);
            let name = |(own, user)| (own, directory.get(user).name.clone());
            let changed: VecDeque<(u64, Arc<str>)> = changed.into_iter().map(name).collect();
            let mut hidden = hidden(world, account);
            for (_, user) in &changed {
                hidden.remove(user);
            }
            let last = world.account_sequence(id);
            let in_journal = self.feed.holds_after(account, sequence, last);
            Some(Resumed {
                sequence: if in_journal { sequence } else { last },
                hidden,
                changed: if in_journal { VecDeque::new() } else { changed },
                until: Time::NEVER,
            })
        })
        .flatten()
    }

    /// Notes when events happen, if another node may have to find them by their time.
    pub(super) fn keep_time(&self) {
        let last = self.read(|world| {
            let is_clustered = world.directory().settings.cluster.is_some();
            let all = world.account_sequences();
            let all = all.map(|(name, last)| (name.to_owned(), last));
            is_clustered.then(|| all.collect::<Vec<_>>())
        });
        if let Some(last) = last.flatten() {
            let last = last.iter().map(|(name, last)| (name.as_str(), *last));
            self.feed.keep_time(self.now(), last);
        }
    }
}

fn before(time: Time, by: Duration) -> Time {
    Time::from_micros(time.micros().saturating_sub(by.as_micros() as u64))
}
