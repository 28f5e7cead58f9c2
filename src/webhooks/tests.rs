//! A webhook's thread, with a source and a poster of the test.

mod turns;

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::{
    Acknowledged, EventReader, EventSource, Known, News, Post, PostOutcome, PostedEvent, Posting,
    Resumed, Shown, Subscribed, Webhooks,
};
use presence::Time;
use presence::account::testing::event;
use presence::account::{Event, Subscription};
use presence::config::Webhook;
use presence::config::testing::parsed;

/// What the test holds: the events of the account, and what became of the webhook.
#[derive(Default)]
struct Account {
    events: Mutex<Vec<Arc<Event>>>,
    /// The node that posts; `None` on a server of its own.
    posting: Mutex<Option<Posting>>,
    /// Where the next turn begins.
    resumed: Mutex<Option<Resumed>>,
    /// What follows on events that have left the journal.
    after: Mutex<Option<Resumed>>,
    /// The events up to this one have left the journal.
    before: AtomicU64,
    news: Condvar,
    lost: AtomicU64,
    failures: Mutex<Vec<String>>,
}

impl Account {
    fn add(&self, sequence: u64) {
        let event = Arc::new(event("main", sequence));
        self.events.lock().unwrap().push(event);
        self.news.notify_all();
    }
}

const NOW: Time = Time::from_millis(1_800_000_000_000);

struct TestSource(Arc<Account>);

struct TestReader {
    account: Arc<Account>,
    sequence: u64,
    end: Arc<AtomicBool>,
}

impl EventReader for TestReader {
    fn next(&mut self, most: usize, _: Instant) -> News {
        let mut events = self.account.events.lock().unwrap();
        loop {
            if self.end.load(Ordering::Acquire) {
                return News::Over;
            }
            let before = self.account.before.load(Ordering::Relaxed);
            if self.sequence < before {
                return News::Missed(before);
            }
            let new = events.iter().filter(|it| it.sequence > self.sequence);
            let new: Vec<_> = new.take(most).cloned().collect();
            if let Some(last) = new.last() {
                self.sequence = last.sequence;
                return News::Events(new);
            }
            events = self.account.news.wait(events).unwrap();
        }
    }

    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn skip_to(&mut self, sequence: u64) {
        self.sequence = sequence;
    }
}

impl EventSource for TestSource {
    fn subscribe(&self, _: &str, end: Arc<AtomicBool>) -> Option<Subscribed> {
        let reader = TestReader {
            account: self.0.clone(),
            sequence: 0,
            end,
        };
        Some((Box::new(reader), HashSet::new()))
    }

    fn posting(&self) -> Posting {
        let posting = self.0.posting.lock().unwrap();
        posting.clone().unwrap_or(Posting::Here(0))
    }

    fn resume(&self, _: &Webhook) -> Option<Resumed> {
        self.0.resumed.lock().unwrap().take()
    }

    fn resume_after(&self, _: &Webhook, _: u64) -> Option<Resumed> {
        self.0.after.lock().unwrap().take()
    }

    fn present(&self, _: &str, user: &str) -> Option<Arc<Event>> {
        user.parse()
            .ok()
            .map(|number| Arc::new(event("main", number)))
    }

    fn acknowledged(&self, spec: &Webhook, until: Time, sequence: u64) -> Option<Acknowledged> {
        let node = self.node()?;
        Some(Acknowledged::new(spec, &node, until, sequence))
    }

    fn node(&self) -> Option<Arc<str>> {
        let posting = self.0.posting.lock().unwrap();
        posting.as_ref().map(|_| "berlin".into())
    }

    fn now(&self) -> Time {
        NOW
    }

    fn known(&self, _: &str, _: &Event) -> Option<Known> {
        Some(Known::Event)
    }

    fn json_with_record(&self, event: &Event, subscription: &Subscription) -> String {
        event.json(subscription)
    }

    fn last_sequence(&self, _: &str) -> Option<u64> {
        let events = self.0.events.lock().unwrap();
        events.last().map(|event| event.sequence)
    }

    fn wake(&self) {
        // Under the lock: a reader that has just looked sleeps before it is woken.
        let _events = self.0.events.lock().unwrap();
        self.0.news.notify_all();
    }

    fn count_delivered(&self) {}

    fn count_lost(&self, events: u64) {
        self.0.lost.fetch_add(events, Ordering::Relaxed);
    }

    fn send_failure_event(&self, headers: &[(&str, &str)]) {
        let reason = headers.iter().find(|(name, _)| *name == "Reason");
        let reason = reason.map_or("", |(_, value)| value);
        self.0.failures.lock().unwrap().push(reason.to_owned());
    }

    fn is_stopping(&self) -> bool {
        false
    }
}

/// What the receiver answers next, and the numbers that it was posted.
static ANSWERS: Mutex<VecDeque<PostOutcome>> = Mutex::new(VecDeque::new());
static POSTED: Mutex<Vec<u64>> = Mutex::new(Vec::new());
/// The posters of all tests are these: one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

struct TestReceiver;

impl Post for TestReceiver {
    fn post(&mut self, _: &Webhook, event: &PostedEvent<'_>, _: &AtomicBool) -> PostOutcome {
        POSTED.lock().unwrap().push(event.sequence);
        let answer = ANSWERS.lock().unwrap().pop_front();
        answer.unwrap_or(PostOutcome::Delivered)
    }

    fn reset(&mut self) {}
}

fn failed() -> PostOutcome {
    PostOutcome::Failed("the answer was HTTP status 503".into(), None)
}

fn specs(retry_for: &str) -> Vec<Arc<Webhook>> {
    let text = format!(
        "[main-hook]\ntype = webhook\naccount = main\nurl = http://127.0.0.1:9/\n\
         secret = 0123456789abcdef\nretry_for = {retry_for}\n\
         [alice]\ntype = user\naccount = main\nextension = 200\n"
    );
    let parsed = parsed(&text);
    let errors: Vec<_> = parsed.all_errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{errors:?}");
    parsed.settings.webhooks.clone()
}

struct Started {
    webhooks: Webhooks,
    account: Arc<Account>,
    source: Arc<dyn EventSource>,
}

impl Started {
    fn start(specs: &[Arc<Webhook>], answers: impl IntoIterator<Item = PostOutcome>) -> Self {
        Self::start_with(Account::default(), specs, answers)
    }

    fn start_with(
        account: Account,
        specs: &[Arc<Webhook>],
        answers: impl IntoIterator<Item = PostOutcome>,
    ) -> Self {
        *ANSWERS.lock().unwrap() = answers.into_iter().collect();
        POSTED.lock().unwrap().clear();
        let webhooks = Webhooks::new(|| Box::new(TestReceiver));
        let account = Arc::new(account);
        let source: Arc<dyn EventSource> = Arc::new(TestSource(account.clone()));
        webhooks.start(specs, &source).unwrap();
        Started {
            webhooks,
            account,
            source,
        }
    }

    fn shown(&self) -> Shown {
        self.webhooks.show()[0].1.clone()
    }

    fn wait_for(&self, what: &str, done: impl Fn(&Shown) -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !done(&self.shown()) {
            assert!(Instant::now() < end, "{what} does not come");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[test]
fn a_failed_event_is_posted_again_before_the_next_one() {
    let _one = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|held| held.into_inner());
    let specs = specs("60");
    let running = Started::start(&specs, [failed(), failed()]);
    running.account.add(1);
    running.account.add(2);
    running.wait_for("a failure", |shown| shown.failing.is_some());
    // A reload tries again at once.
    running.webhooks.reconfigure(&specs, &running.source);
    running.wait_for("both events", |shown| shown.delivered == 2);
    assert_eq!(*POSTED.lock().unwrap(), [1, 1, 1, 2]);
    assert_eq!(running.shown().error, "");
    running.webhooks.stop(&*running.source);
    assert_eq!(running.account.lost.load(Ordering::Relaxed), 0);
}

#[test]
fn after_the_time_of_retries_all_that_waits_is_given_up() {
    let _one = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|held| held.into_inner());
    let running = Started::start(&specs("1"), std::iter::repeat_n(failed(), 50));
    for sequence in 1..=5 {
        running.account.add(sequence);
    }
    let end = Instant::now() + Duration::from_secs(60);
    while running.account.failures.lock().unwrap().is_empty() {
        assert!(Instant::now() < end, "it is never given up");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(*running.account.failures.lock().unwrap(), ["GivenUp"]);
    assert_eq!(running.account.lost.load(Ordering::Relaxed), 5);
    // It goes on with the next event.
    ANSWERS.lock().unwrap().clear();
    running.account.add(6);
    running.wait_for("the next event", |shown| shown.last == 6);
    running.webhooks.stop(&*running.source);
}

#[test]
fn a_receiver_that_is_gone_gets_nothing_until_a_reload() {
    let _one = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|held| held.into_inner());
    let specs = specs("60");
    let running = Started::start(&specs, [PostOutcome::Gone]);
    running.account.add(1);
    running.wait_for("the end", |shown| !shown.error.is_empty());
    running.account.add(2);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(*POSTED.lock().unwrap(), [1]);
    running.webhooks.reconfigure(&specs, &running.source);
    running.wait_for("both events", |shown| shown.delivered == 2);
    running.webhooks.stop(&*running.source);
}

#[test]
fn a_stop_reports_what_was_not_posted() {
    let _one = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|held| held.into_inner());
    let running = Started::start(&specs("60"), std::iter::repeat_n(failed(), 50));
    running.account.add(1);
    running.account.add(2);
    running.wait_for("a failure", |shown| shown.failing.is_some());
    running.webhooks.stop(&*running.source);
    assert_eq!(running.account.lost.load(Ordering::Relaxed), 2);
    assert_eq!(*running.account.failures.lock().unwrap(), ["Stopped"]);
}
