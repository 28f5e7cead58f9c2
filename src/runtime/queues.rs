//! The queues as they are now, asked of app_queue at most once a second, however many callers
//! ask here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Runtime;
use super::host::{HostError, ManagerMessage};
use crate::sync::{Condvar, Mutex};
use presence::Time;
use presence::actions::REASON;

/// For how long an answer holds.
const LASTS: Duration = Duration::from_secs(1);
/// How long a caller waits for the answer that another has asked for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A caller who waits in a queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingCaller {
    /// The unique id of the caller's channel.
    id: String,
    /// The name; empty if it is not known or withheld.
    pub name: String,
    /// The number; empty if it is not known or withheld.
    pub number: String,
    /// The devices that the caller's channel is a call of; empty if it is gone.
    pub devices: Vec<String>,
    /// Since when the caller waits.
    pub since: Time,
}

/// What a member of a queue does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemberState {
    /// The member can be called.
    Idle,
    /// The member is in a call.
    Busy,
    /// The member's phone rings.
    Ringing,
    /// The member's phone cannot be reached.
    Unavailable,
}

impl MemberState {
    /// The state as one word.
    pub const fn name(self) -> &'static str {
        match self {
            MemberState::Idle => "idle",
            MemberState::Busy => "busy",
            MemberState::Ringing => "ringing",
            MemberState::Unavailable => "unavailable",
        }
    }

    /// The state that the number of a device state means.
    fn of(number: &str) -> Self {
        match number {
            // The queue calls a member whose state nobody knows.
            "0" | "1" => MemberState::Idle,
            "2" | "3" | "7" | "8" => MemberState::Busy,
            "6" => MemberState::Ringing,
            _ => MemberState::Unavailable,
        }
    }
}

/// A member of a queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueAgent {
    /// What the queue calls, such as `Local/200@agents/n`.
    pub interface: String,
    /// The device whose state is the member's.
    pub state_interface: String,
    /// The name.
    pub name: String,
    /// Whether the member is paused.
    pub paused: bool,
    /// The reason of the pause; empty for none.
    pub reason: String,
    /// What the member does.
    pub state: MemberState,
    /// How many calls the member has taken.
    pub calls: u64,
    /// Whether the member was added while Asterisk runs, and not by the queue's configuration.
    pub dynamic: bool,
}

/// A queue at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QueueNow {
    /// The name.
    pub name: String,
    /// The callers who wait, the first one first.
    pub waiting: Vec<WaitingCaller>,
    /// The members, in app_queue's order.
    pub members: Vec<QueueAgent>,
}

/// The last answer.
#[derive(Default)]
pub struct QueueCache {
    state: Mutex<CachedQueues>,
    answered: Condvar,
}

#[derive(Default)]
struct CachedQueues {
    queues: Arc<Vec<QueueNow>>,
    /// When the answer was asked for; `None` for one that holds no more.
    taken: Option<Instant>,
    /// Whether somebody is asking.
    busy: bool,
    /// Rises when earlier answers hold no more.
    round: u64,
}

/// Somebody is asking; dropping it lets others ask.
struct Asking<'a>(&'a QueueCache);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.state.lock().busy = false;
        self.0.answered.notify_all();
    }
}

impl Runtime {
    /// The queues, at most a second old; none without app_queue. No lock may be held.
    pub fn queues(&self) -> Arc<Vec<QueueNow>> {
        let cache = &self.queues;
        let deadline = Instant::now() + PATIENCE;
        let (before, round) = {
            let mut state = cache.state.lock();
            loop {
                let holds = |taken: Instant| taken.elapsed() < LASTS;
                if state.taken.is_some_and(holds) {
                    return state.queues.clone();
                }
                if !state.busy {
                    state.busy = true;
                    break (state.queues.clone(), state.round);
                }
                if cache.answered.wait_until(&mut state, deadline).timed_out() {
                    return state.queues.clone();
                }
            }
        };
        let _asking = Asking(cache);
        let taken = Instant::now();
        let messages = self.host().manager_action("QueueStatus", &[]);
        let withholds = |id: &str, number: &str| self.host().withholds(id, number);
        let mut queues = parse(
            &messages.unwrap_or_default(),
            &before,
            Time::now(),
            withholds,
        );
        for caller in queues.iter_mut().flat_map(|queue| &mut queue.waiting) {
            caller.devices = self.host().devices_of_channel(&caller.id);
        }
        let queues = Arc::new(queues);
        let mut state = cache.state.lock();
        state.queues = queues.clone();
        state.taken = (state.round == round).then_some(taken);
        queues
    }

    /// Pauses a member of a queue with that reason, or with `None` ends the pause.
    ///
    /// # Errors
    /// app_queue's refusal.
    pub fn pause_member(
        &self,
        queue: &str,
        interface: &str,
        reason: Option<&str>,
    ) -> Result<(), HostError> {
        let paused = if reason.is_some() { "yes" } else { "no" };
        let headers = [
            ("Queue", queue),
            ("Interface", interface),
            ("Paused", paused),
            ("Reason", reason.unwrap_or_default()),
        ];
        let done = self.host().manager_action("QueuePause", &headers);
        let mut state = self.queues.state.lock();
        state.round += 1;
        state.taken = None;
        drop(state);
        done.map(drop)
    }
}

/// Whether a reason is the one by which actions know their own pauses.
pub fn is_reason_of_actions(reason: &str) -> bool {
    reason == REASON
}

fn parse(
    messages: &[ManagerMessage],
    before: &[QueueNow],
    now: Time,
    withholds: impl Fn(&str, &str) -> bool,
) -> Vec<QueueNow> {
    let mut queues: Vec<QueueNow> = Vec::new();
    for message in messages {
        let name = message.get("Queue");
        if message.get("Event") == "QueueParams" {
            queues.push(QueueNow {
                name: name.to_owned(),
                ..QueueNow::default()
            });
            continue;
        }
        let Some(queue) = queues.iter_mut().rfind(|queue| queue.name == name) else {
            continue;
        };
        match message.get("Event") {
            "QueueMember" => queue.members.push(member(message)),
            "QueueEntry" => {
                let mut earlier = before.iter().filter(|queue| queue.name == name);
                let earlier = earlier.next().map_or(&[][..], |queue| &queue.waiting);
                queue
                    .waiting
                    .push(caller(message, earlier, now, &withholds));
            }
            _ => {}
        }
    }
    // app_queue keeps them in no order.
    queues.sort_by(|a, b| a.name.cmp(&b.name));
    queues
}

fn member(message: &ManagerMessage) -> QueueAgent {
    let text = |name| message.get(name).to_owned();
    QueueAgent {
        interface: text("Location"),
        state_interface: text("StateInterface"),
        name: text("Name"),
        paused: message.get("Paused") == "1",
        reason: text("PausedReason"),
        state: MemberState::of(message.get("Status")),
        calls: message.get("CallsTaken").parse().unwrap_or_default(),
        dynamic: message.get("Membership") == "dynamic",
    }
}

fn caller(
    message: &ManagerMessage,
    earlier: &[WaitingCaller],
    now: Time,
    withholds: impl Fn(&str, &str) -> bool,
) -> WaitingCaller {
    let text = |name| match message.get(name) {
        "unknown" | "<unknown>" => "",
        text => text,
    };
    let id = message.get("Uniqueid");
    let number = text("CallerIDNum");
    let (name, number) = match !number.is_empty() && withholds(id, number) {
        true => ("", ""),
        false => (text("CallerIDName"), number),
    };
    // app_queue counts whole seconds: what was found first stays, so that nothing flickers.
    let known = earlier.iter().find(|caller| caller.id == id);
    let waited: u64 = message.get("Wait").parse().unwrap_or_default();
    let since = Time::from_micros(
        now.micros()
            .saturating_sub(waited.saturating_mul(1_000_000)),
    );
    WaitingCaller {
        id: id.to_owned(),
        name: name.to_owned(),
        number: number.to_owned(),
        devices: Vec::new(),
        since: known.map_or(since, |known| known.since),
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use crate::runtime::testing::runtime;

    fn message(headers: &[(&str, &str)]) -> ManagerMessage {
        let headers = headers.iter();
        ManagerMessage(headers.map(|(k, v)| ((*k).into(), (*v).into())).collect())
    }

    fn status(wait: &str) -> Vec<ManagerMessage> {
        vec![
            message(&[("Response", "Success")]),
            message(&[("Event", "QueueParams"), ("Queue", "sales")]),
            message(&[
                ("Event", "QueueMember"),
                ("Queue", "sales"),
                ("Name", "Alice"),
                ("Location", "PJSIP/200"),
                ("StateInterface", "PJSIP/200"),
                ("Membership", "dynamic"),
                ("Status", "6"),
                ("Paused", "1"),
                ("PausedReason", "Lunch"),
                ("CallsTaken", "4"),
            ]),
            message(&[
                ("Event", "QueueEntry"),
                ("Queue", "sales"),
                ("Uniqueid", "9"),
                ("CallerIDNum", "0170"),
                ("CallerIDName", "unknown"),
                ("Wait", wait),
            ]),
            message(&[("Event", "QueueStatusComplete")]),
        ]
    }

    #[test]
    fn the_moment_when_a_caller_came_does_not_flicker() {
        let shown = |_: &str, _: &str| false;
        let first = parse(&status("7"), &[], Time::from_millis(100_900), shown);
        let [sales] = &first[..] else {
            panic!("{first:?}");
        };
        assert_eq!(sales.waiting[0].since, Time::from_millis(93_900));
        assert_eq!(
            (&*sales.waiting[0].name, &*sales.waiting[0].number),
            ("", "0170")
        );
        let [alice] = &sales.members[..] else {
            panic!("{first:?}");
        };
        assert_eq!((alice.state, alice.calls), (MemberState::Ringing, 4));
        assert!(alice.paused && alice.dynamic && alice.reason == "Lunch");
        let later = parse(&status("8"), &first, Time::from_millis(101_100), shown);
        assert_eq!(later, first);
        let withheld = parse(&status("7"), &[], Time::NEVER, |id, _| id == "9");
        assert_eq!(withheld[0].waiting[0].number, "");
    }

    #[test]
    fn many_callers_ask_app_queue_once_a_second() {
        let (runtime, fake) = runtime("[alice]\ntype=user\n");
        fake.answers
            .lock()
            .unwrap()
            .insert("QueueStatus".into(), status("7"));
        let begin = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..200 {
                scope.spawn(|| assert_eq!(runtime.queues().len(), 1));
            }
        });
        let asked = |action: &str| {
            let actions = fake.actions.lock().unwrap();
            actions.iter().filter(|it| *it == action).count() as u64
        };
        let seconds = begin.elapsed().as_secs();
        assert!((1..=1 + seconds).contains(&asked("QueueStatus")));
        // A pause is seen at once.
        let before = asked("QueueStatus");
        runtime
            .pause_member("sales", "PJSIP/200", Some("Lunch"))
            .unwrap();
        runtime.queues();
        assert_eq!((asked("QueuePause"), asked("QueueStatus")), (1, before + 1));
    }
}
