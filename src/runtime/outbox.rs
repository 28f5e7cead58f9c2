//! Effects that wait for their delivery, in the order of their changes.
//!
//! A change puts its effects here while it holds the world's lock, which gives them their
//! order. Then, without any lock, each thread delivers up to its own. One thread delivers at
//! a time, the others wait for their turn: so when a change returns, Asterisk knows of it,
//! nothing is delivered late or twice, and no thread works for others longer than for
//! itself.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::sync::{Condvar, Mutex};
use presence::world::Effect;

/// The number of the last effect of a change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[must_use = "the effects wait until a thread delivers them"]
pub struct Ticket(u64);

#[derive(Default)]
struct WaitingEffects {
    effects: VecDeque<Effect>,
    /// How many effects were put, ever.
    put: u64,
    /// How many of them are delivered.
    delivered: u64,
    /// Whether a thread is delivering one.
    busy: bool,
}

/// A queue of effects, emptied by the threads that fill it.
#[derive(Default)]
pub struct Outbox {
    waiting: Mutex<WaitingEffects>,
    turn: Condvar,
}

impl Outbox {
    /// Appends effects. Call it under the lock that orders them.
    pub fn put(&self, effects: Vec<Effect>) -> Ticket {
        let mut waiting = self.waiting.lock();
        waiting.put += effects.len() as u64;
        waiting.effects.extend(effects);
        Ticket(waiting.put)
    }

    /// Returns once every effect up to the ticket is delivered. No lock may be held.
    pub fn deliver(&self, ticket: Ticket, deliver: impl Fn(&Effect)) {
        let mut waiting = self.waiting.lock();
        while waiting.delivered < ticket.0 {
            if waiting.busy {
                self.turn.wait(&mut waiting);
                continue;
            }
            let Some(effect) = waiting.effects.pop_front() else {
                return;
            };
            waiting.busy = true;
            drop(waiting);
            let done = catch_unwind(AssertUnwindSafe(|| deliver(&effect)));
            drop(effect);
            waiting = self.waiting.lock();
            waiting.busy = false;
            waiting.delivered += 1;
            // A thread whose effects are delivered need not wait for those of this thread.
            self.turn.notify_all();
            if let Err(panic) = done {
                // The other threads go on; the panic belongs to this one.
                drop(waiting);
                resume_unwind(panic);
            }
        }
    }
}
