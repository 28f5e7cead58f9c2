//! Models of the runtime's threads: loom runs them in every order.
//!
//! A model that can wait for ever fails, so each of them also shows that no wake-up is lost.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use loom::thread;

use super::ProcessState;
use super::actions::OrderQueue;
use super::actions::queue::{ActionOrder, Task};
use super::feed::{Feed, Next, Reader};
use super::hint_index::{HintIndex, KnownHints};
use super::outbox::Outbox;
use super::persister::wakeup::Wakeup;
use crate::sync::Mutex;
use presence::Presence;
use presence::account::testing::event;
use presence::actions::Person;
use presence::config::testing::parsed;
use presence::world::Effect;

/// Orders in which threads run that differ in more places than this are left out: loom's own
/// advice for models of this size.
const PREEMPTIONS: usize = 3;

fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(run);
}

fn effect(number: usize) -> Effect {
    Effect::Publish(number.to_string().into(), Presence::default())
}

fn number_of(effect: &Effect) -> usize {
    match effect {
        Effect::Publish(user, _) => user.parse().unwrap(),
        _ => unreachable!("only publishes are put"),
    }
}

#[test]
fn effects_are_delivered_once_in_order_and_before_their_change_returns() {
    model(|| {
        let outbox = Arc::new(Outbox::default());
        // The lock that orders changes: the world's.
        let order = Arc::new(Mutex::new(0));
        let delivered = Arc::new(Mutex::new(Vec::new()));
        let change = |outbox: &Outbox, order: &Mutex<usize>, delivered: &Mutex<Vec<usize>>| {
            let (ticket, own) = {
                let mut last = order.lock();
                *last += 1;
                (outbox.put(vec![effect(*last)]), *last)
            };
            outbox.deliver(ticket, |effect| delivered.lock().push(number_of(effect)));
            assert!(delivered.lock().contains(&own));
        };
        let others: Vec<_> = (0..2)
            .map(|_| {
                let (outbox, order, delivered) = (outbox.clone(), order.clone(), delivered.clone());
                thread::spawn(move || change(&outbox, &order, &delivered))
            })
            .collect();
        change(&outbox, &order, &delivered);
        others.into_iter().for_each(|it| it.join().unwrap());
        assert_eq!(*delivered.lock(), [1, 2, 3]);
    });
}

#[test]
fn the_persister_never_sleeps_through_work_or_a_stop() {
    model(|| {
        let wakeup = Arc::new(Wakeup::default());
        let work = Arc::new(Mutex::new(0));
        let made = [false, true].map(|urgent| {
            let (wakeup, work) = (wakeup.clone(), work.clone());
            thread::spawn(move || {
                *work.lock() += 1;
                wakeup.wake(urgent);
            })
        });
        let persister = {
            let (wakeup, work) = (wakeup.clone(), work.clone());
            thread::spawn(move || {
                let mut done = 0;
                loop {
                    let stop = wakeup.sleep(None);
                    done += std::mem::take(&mut *work.lock());
                    if stop {
                        return done;
                    }
                }
            })
        };
        made.into_iter().for_each(|it| it.join().unwrap());
        wakeup.stop();
        assert_eq!(persister.join().unwrap(), 2);
    });
}

#[test]
fn a_reader_gets_every_event_once_until_the_streams_end() {
    model(|| {
        let feed = Arc::new(Feed::new(Arc::new(ProcessState::default())));
        feed.open(10);
        feed.append(Arc::new(event("main", 1)));
        let round = feed.round();
        let (mut reader, resumes) = Reader::new(&feed, "main".into(), Some(1), 1, round).unwrap();
        assert!(resumes);
        let writer = {
            let feed = feed.clone();
            thread::spawn(move || {
                feed.append(Arc::new(event("main", 2)));
                feed.append(Arc::new(event("main", 3)));
                feed.end_streams();
            })
        };
        let mut numbers = Vec::new();
        loop {
            match reader.next(10, Instant::now() + Duration::from_secs(60)) {
                Next::News(events, _) => numbers.extend(events.iter().map(|it| it.sequence)),
                Next::Over => break,
                Next::Missed(_) => panic!("nothing is missed"),
            }
        }
        writer.join().unwrap();
        // The streams may end before the reader has had all: it comes back with its number.
        let last = reader.sequence;
        drop(reader);
        let (mut again, resumes) =
            Reader::new(&feed, "main".into(), Some(last), 0, feed.round()).unwrap();
        assert!(resumes);
        if last < 3 {
            match again.next(10, Instant::now()) {
                Next::News(events, _) => numbers.extend(events.iter().map(|it| it.sequence)),
                _ => panic!("the rest is there"),
            }
        }
        assert_eq!(numbers, [2, 3]);
    });
}

#[test]
fn a_flag_and_a_wake_up_end_a_reader_that_stays() {
    model(|| {
        let feed = Arc::new(Feed::new(Arc::new(ProcessState::default())));
        feed.open(10);
        feed.append(Arc::new(event("main", 1)));
        let end = Arc::new(AtomicBool::new(false));
        let mut reader = Reader::staying(&feed, "main".into(), 1, end.clone()).unwrap();
        let stop = {
            let feed = feed.clone();
            thread::spawn(move || {
                end.store(true, std::sync::atomic::Ordering::Release);
                feed.wake();
            })
        };
        assert!(matches!(reader.next(1, Instant::now()), Next::Over));
        stop.join().unwrap();
    });
}

/// A user with the status of that name, as an action sees them.
fn person() -> Person {
    let parsed = parsed("[alice]\ntype = user\nextension = 200\n");
    Person::configured(&parsed.users[0])
}

#[test]
fn a_user_waits_once_and_the_last_order_is_served_last() {
    let alice = person();
    model(move || {
        let orders = Arc::new(OrderQueue::default());
        orders.open();
        let put = |orders: &OrderQueue, fresh| {
            let stamp = orders.stamp().unwrap();
            orders.put([ActionOrder::of(alice.clone(), fresh, stamp)]);
            stamp
        };
        let first = put(&orders, true);
        let worker = {
            let orders = orders.clone();
            thread::spawn(move || {
                let mut served = Vec::new();
                while let Task::Do(order) = orders.next() {
                    served.push((order.stamp(), order.fresh));
                }
                orders.end();
                served
            })
        };
        let second = put(&orders, false);
        let end = Instant::now() + Duration::from_secs(3600);
        assert!(orders.stop(end, end));
        let served = worker.join().unwrap();
        // Merged into one order, or both in their order: and nothing of the first is lost.
        assert!(
            served == [(second, true)] || served == [(first, true), (second, false)],
            "{served:?}"
        );
    });
}

#[test]
fn one_thread_reads_the_hints_and_the_first_ones_wait_for_it() {
    model(|| {
        let index = Arc::new(HintIndex::default());
        let reads = Arc::new(Mutex::new(0));
        let ask = |index: &HintIndex, reads: &Mutex<u32>| {
            let read = || {
                *reads.lock() += 1;
                KnownHints::none()
            };
            drop(index.known_or(true, Duration::MAX, read));
        };
        let others: Vec<_> = (0..2)
            .map(|_| {
                let (index, reads) = (index.clone(), reads.clone());
                thread::spawn(move || ask(&index, &reads))
            })
            .collect();
        ask(&index, &reads);
        others.into_iter().for_each(|it| it.join().unwrap());
        assert_eq!(*reads.lock(), 1);
    });
}
