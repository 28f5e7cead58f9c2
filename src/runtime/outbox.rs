//! What is to be told to Asterisk, told in the order in which it came to be.
//!
//! A change puts its effects here while it holds the world's lock, which gives them
//! their order; then, without any lock, each thread delivers up to its own. One
//! thread tells at a time, the others wait for their turn: so when a change returns,
//! Asterisk knows, nothing is told late or twice, and no thread works for others
//! longer than for itself.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use parking_lot::{Condvar, Mutex};

use presence::world::Effect;

/// The place of the last effect of a change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[must_use = "the effects wait until somebody delivers them"]
pub struct Ticket(u64);

struct Queue {
    waiting: VecDeque<Effect>,
    put: u64,
    delivered: u64,
    busy: bool,
}

/// An ordered queue whose users empty it themselves.
pub struct Outbox {
    queue: Mutex<Queue>,
    turn: Condvar,
}

impl Outbox {
    /// Empty.
    #[expect(clippy::new_without_default, reason = "it is const")]
    pub const fn new() -> Self {
        Outbox {
            queue: Mutex::new(Queue {
                waiting: VecDeque::new(),
                put: 0,
                delivered: 0,
                busy: false,
            }),
            turn: Condvar::new(),
        }
    }

    /// Appends effects; call it under the lock that orders them.
    pub fn put(&self, effects: Vec<Effect>) -> Ticket {
        let mut queue = self.queue.lock();
        queue.put += effects.len() as u64;
        queue.waiting.extend(effects);
        Ticket(queue.put)
    }

    /// Returns once everything up to the ticket was told. Hold no lock.
    pub fn deliver(&self, ticket: Ticket, tell: impl Fn(&Effect)) {
        let mut queue = self.queue.lock();
        while queue.delivered < ticket.0 {
            if queue.busy {
                self.turn.wait(&mut queue);
                continue;
            }
            let Some(effect) = queue.waiting.pop_front() else {
                return;
            };
            queue.busy = true;
            let told = parking_lot::MutexGuard::unlocked(&mut queue, || {
                let told = catch_unwind(AssertUnwindSafe(|| tell(&effect)));
                drop(effect);
                told
            });
            queue.busy = false;
            queue.delivered += 1;
            // Whose effects are told need not wait for those of this thread.
            self.turn.notify_all();
            if let Err(panic) = told {
                // The others go on; the panic is for whoever called.
                drop(queue);
                resume_unwind(panic);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use presence::Presence;
    use presence::State;

    fn effect(number: usize) -> Effect {
        Effect::Publish(number.to_string().into(), Presence::from(State::Away))
    }

    #[test]
    fn four_threads_tell_everything_once_and_in_order() {
        let (outbox, order, told) = (Outbox::new(), Mutex::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let ticket = {
                            let mut next = order.lock();
                            *next += 1;
                            outbox.put(vec![effect(*next)])
                        };
                        outbox.deliver(ticket, |effect| told.lock().push(effect.clone()));
                        assert!(told.lock().len() as u64 >= ticket.0);
                    }
                });
            }
        });
        let expected: Vec<_> = (1..=2000).map(effect).collect();
        assert!(*told.lock() == expected);
    }

    #[test]
    fn a_panic_in_telling_stops_nobody() {
        let outbox = Outbox::new();
        let ticket = outbox.put(vec![effect(1)]);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            outbox.deliver(ticket, |_| panic!("told"));
        }));
        assert!(result.is_err());
        let told = Mutex::new(0);
        let ticket = outbox.put(vec![effect(2)]);
        outbox.deliver(ticket, |_| *told.lock() += 1);
        assert_eq!(*told.lock(), 1);
    }
}
