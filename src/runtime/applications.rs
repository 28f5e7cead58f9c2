//! ARI's applications: which users each one is subscribed to, and the events that wait for it.
//!
//! Each application with a subscription has a thread of its own, because sending waits for the
//! application's websocket: a slow one holds up nothing but its own events. The threads that
//! change a presence only put an event into a queue. Beyond [`MOST`] events, a further event of
//! a user replaces the one that waits: a slow application misses changes, but never the last
//! one of a user, and no queue grows beyond the number of users.
//!
//! Subscriptions outlive an unload of the module: its code stays, and Asterisk tells it of
//! applications that leave meanwhile.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Runtime;
use crate::sync::{Condvar, Mutex};
use presence::Time;
use presence::account::FullRecord;
use presence::model::visibility::{Viewer, Visibility};
use presence::world::{Transition, World};

/// The events that wait for an application before those of one user are joined.
pub const MOST: usize = 1000;

/// How long a stop waits for events that are being sent.
const PATIENCE: Duration = Duration::from_secs(2);

/// An event of a user.
#[derive(Clone)]
pub enum ApplicationEvent {
    /// The user's presence has changed; who could see the user before, an event that this one
    /// replaced included.
    Changed(Arc<Transition>, Visibility),
    /// The user is no longer configured.
    Removed(Arc<str>),
}

impl ApplicationEvent {
    /// The user's name.
    fn user(&self) -> &Arc<str> {
        match self {
            ApplicationEvent::Changed(transition, _) => &transition.user,
            ApplicationEvent::Removed(user) => user,
        }
    }
}

/// The events that wait for an application, in their order.
#[derive(Default)]
struct EventQueue {
    events: VecDeque<(ApplicationEvent, Time)>,
    /// The number of the first event that waits.
    first: u64,
    /// The number of the last event of each user that waits.
    last_of: HashMap<Arc<str>, u64>,
}

impl EventQueue {
    /// Appends an event; returns whether it took the place of an earlier one.
    fn put(&mut self, event: ApplicationEvent, at: Time) -> bool {
        let last = self.last_of.get(event.user());
        if let Some(last) = last.filter(|_| self.events.len() >= MOST) {
            let waiting = &mut self.events[(last - self.first) as usize];
            let event = match (&waiting.0, event) {
                (ApplicationEvent::Changed(_, before), ApplicationEvent::Changed(new, _)) => {
                    ApplicationEvent::Changed(new, *before)
                }
                (_, event) => event,
            };
            *waiting = (event, at);
            return true;
        }
        let number = self.first + self.events.len() as u64;
        self.last_of.insert(event.user().clone(), number);
        self.events.push_back((event, at));
        false
    }

    fn take(&mut self) -> Option<(ApplicationEvent, Time)> {
        let (event, at) = self.events.pop_front()?;
        if self.last_of.get(event.user()) == Some(&self.first) {
            self.last_of.remove(event.user());
        }
        self.first += 1;
        Some((event, at))
    }
}

/// An application with a subscription.
#[derive(Default)]
struct AriApplication {
    /// Whether it is subscribed to all users.
    everything: bool,
    /// The users that it is subscribed to, by lower-case name.
    users: BTreeMap<String, Arc<str>>,
    queue: EventQueue,
    /// The number of the thread that sends its events; `None` without one.
    sender: Option<u64>,
    /// The events that were replaced since the queue was last empty.
    replaced: u64,
}

impl AriApplication {
    fn wants(&self, user: &str) -> bool {
        self.everything || self.users.contains_key(&user.to_ascii_lowercase())
    }

    fn is_subscribed(&self) -> bool {
        self.everything || !self.users.is_empty()
    }
}

/// Which of an application's subscriptions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubscriptionTo<'a> {
    /// Any of them, or all.
    Any,
    /// The one to all users.
    Everyone,
    /// The one to this user.
    User(&'a str),
}

#[derive(Default)]
struct ApplicationsState {
    applications: BTreeMap<Arc<str>, AriApplication>,
    /// The runtime whose threads send events; `None` while the module is not running.
    running: Option<Arc<Runtime>>,
    /// The number of the last thread that was begun.
    last_sender: u64,
    /// How many threads there are, of an earlier run too.
    senders: usize,
}

/// All applications with a subscription.
#[derive(Default)]
pub struct Applications {
    state: Mutex<ApplicationsState>,
    /// Whether there are any: without them a change costs no more than this look.
    any: AtomicBool,
    news: Condvar,
    ended: Condvar,
}

impl Applications {
    /// Subscribes an application, to all users if `user` is `None`.
    pub fn subscribe(&self, application: &str, user: Option<Arc<str>>) {
        let mut state = self.state.lock();
        let one = state.applications.entry(application.into()).or_default();
        match user {
            None => one.everything = true,
            Some(user) => {
                one.users.insert(user.to_ascii_lowercase(), user);
            }
        }
        self.any.store(true, Ordering::Release);
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, application: &str, subscription: SubscriptionTo<'_>) {
        let mut state = self.state.lock();
        let Some(one) = state.applications.get_mut(application) else {
            return;
        };
        match subscription {
            SubscriptionTo::Any => {
                one.everything = false;
                one.users.clear();
            }
            SubscriptionTo::Everyone => one.everything = false,
            SubscriptionTo::User(user) => {
                one.users.remove(&user.to_ascii_lowercase());
            }
        }
        if !one.is_subscribed() {
            state.applications.remove(application);
            self.any
                .store(!state.applications.is_empty(), Ordering::Release);
            // Its thread ends.
            self.news.notify_all();
        }
    }

    /// Whether an application has a subscription. One to all users is none to a single user.
    pub fn is_subscribed(&self, application: &str, subscription: SubscriptionTo<'_>) -> bool {
        let state = self.state.lock();
        let one = state.applications.get(application);
        one.is_some_and(|one| match subscription {
            SubscriptionTo::Any => one.is_subscribed(),
            SubscriptionTo::Everyone => one.everything,
            SubscriptionTo::User(user) => one.users.contains_key(&user.to_ascii_lowercase()),
        })
    }

    /// The users that an application is subscribed to; `*` for all users.
    pub fn names(&self, application: &str) -> Vec<String> {
        let state = self.state.lock();
        let one = state.applications.get(application);
        one.map_or_else(Vec::new, |one| {
            let everyone = one.everything.then(|| "*".to_owned());
            let users = one.users.values().map(|user| user.to_string());
            everyone.into_iter().chain(users).collect()
        })
    }

    /// Whether an application may be interested in any change.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Gives an event to the applications that are subscribed to the user.
    pub fn put(&self, event: &ApplicationEvent) {
        if !self.any() {
            return;
        }
        let now = Time::now();
        let mut state = self.state.lock();
        let state = &mut *state;
        let Some(runtime) = &state.running else {
            return;
        };
        for (name, one) in &mut state.applications {
            if !one.wants(event.user()) {
                continue;
            }
            if one.queue.put(event.clone(), now) {
                one.replaced += 1;
            }
            if one.sender.is_none() {
                state.last_sender += 1;
                let (runtime, name, sender) = (runtime.clone(), name.clone(), state.last_sender);
                let thread = std::thread::Builder::new().name("userpresence-ar".into());
                match thread.spawn(move || runtime.send_events(&name, sender)) {
                    Ok(_) => {
                        one.sender = Some(sender);
                        state.senders += 1;
                    }
                    Err(why) => log::error!("No thread for ARI's events: {why}"),
                }
            }
        }
        self.news.notify_all();
    }

    /// The next event for an application; waits for one. `None` ends the thread of that number:
    /// the application has left, or the module is being unloaded.
    fn next(&self, application: &str, sender: u64) -> Option<(ApplicationEvent, Time)> {
        let mut state = self.state.lock();
        loop {
            let one = state.applications.get_mut(application);
            let one = one.filter(|one| one.sender == Some(sender))?;
            if let Some(next) = one.queue.take() {
                return Some(next);
            }
            let replaced = std::mem::take(&mut one.replaced);
            if replaced == 0 {
                self.news.wait(&mut state);
                continue;
            }
            drop(state);
            log::warn!(
                "The ARI application '{application}' was slow: {replaced} changes of presence \
                 were joined with later ones of the same user"
            );
            state = self.state.lock();
        }
    }

    /// The thread of that number ends.
    fn end(&self, application: &str, sender: u64) {
        let mut state = self.state.lock();
        state.senders -= 1;
        let one = state.applications.get_mut(application);
        if let Some(one) = one.filter(|one| one.sender == Some(sender)) {
            // After a panic: the next event begins another thread.
            one.sender = None;
        }
        self.ended.notify_all();
    }

    fn start(&self, runtime: Arc<Runtime>) {
        self.state.lock().running = Some(runtime);
    }

    /// Stops the threads. One that is sending is waited for a moment, then left to its end.
    fn stop(&self) {
        let mut state = self.state.lock();
        let runtime = state.running.take();
        for one in state.applications.values_mut() {
            one.queue = EventQueue::default();
            one.sender = None;
            one.replaced = 0;
        }
        self.news.notify_all();
        let end = Instant::now() + PATIENCE;
        while state.senders > 0 && !self.ended.wait_until(&mut state, end).timed_out() {}
        drop(state);
        drop(runtime);
    }
}

/// A thread that sends an application's events, until the drop.
struct Sender<'a> {
    applications: &'a Applications,
    application: &'a str,
    number: u64,
}

impl Drop for Sender<'_> {
    fn drop(&mut self) {
        self.applications.end(self.application, self.number);
    }
}

/// The threads that send events of a run; dropping it stops them.
#[must_use = "dropping it stops the threads"]
pub struct RunningApplications(Arc<Runtime>);

impl RunningApplications {
    /// Begins to send events to the applications that are subscribed, and to those that will be.
    pub fn start(runtime: Arc<Runtime>) -> Self {
        runtime.applications().start(runtime.clone());
        RunningApplications(runtime)
    }
}

impl Drop for RunningApplications {
    fn drop(&mut self) {
        self.0.applications().stop();
    }
}

impl Runtime {
    /// ARI's applications, which outlive an unload.
    pub fn applications(&self) -> &Applications {
        &self.kept.applications
    }

    /// Sends an application's events until it leaves, or the module is unloaded.
    fn send_events(&self, application: &str, number: u64) {
        let _sender = Sender {
            applications: self.applications(),
            application,
            number,
        };
        while let Some((event, at)) = self.applications().next(application, number) {
            let (kind, member, json) = match &event {
                ApplicationEvent::Changed(transition, before) => {
                    if transition.visibility != Visibility::Everyone {
                        if *before != Visibility::Everyone {
                            continue;
                        }
                        removed(&transition.user)
                    } else {
                        // A user who was removed or who hides meanwhile: that is an event of
                        // its own.
                        let after = |world: &World| {
                            let user = world.directory().user(&transition.user)?;
                            let sees = world.may_see(&Viewer::ANYONE, user);
                            sees.then(|| FullRecord::after(world, transition))?
                        };
                        let Some(record) = self.read(after).flatten() else {
                            continue;
                        };
                        ("UserPresenceChanged", c"userPresence", record.json())
                    }
                }
                ApplicationEvent::Removed(user) => removed(user),
            };
            let sent = self
                .host()
                .send_to_application(application, kind, at, member, &json);
            if let Err(why) = sent {
                log::debug!("An event for the ARI application '{application}' is lost: {why}");
            }
        }
    }
}

/// The event of a user who is gone for the application: removed, or hidden.
fn removed(user: &str) -> (&'static str, &'static CStr, String) {
    let name = serde_json::Value::from(user);
    ("UserPresenceRemoved", c"user", name.to_string())
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    fn removed(user: &str) -> ApplicationEvent {
        ApplicationEvent::Removed(user.into())
    }

    #[test]
    fn beyond_the_limit_only_the_last_event_of_each_user_waits() {
        let mut queue = EventQueue::default();
        for at in 1..=MOST as u64 {
            assert!(!queue.put(removed("alice"), Time::from_millis(at)));
        }
        assert!(!queue.put(removed("bob"), Time::from_millis(1)));
        assert!(queue.put(removed("bob"), Time::from_millis(2)));
        for at in 5000..6000 {
            assert!(queue.put(removed("alice"), Time::from_millis(at)));
        }
        assert_eq!(queue.events.len(), MOST + 1);
        let taken: Vec<_> = std::iter::from_fn(|| queue.take()).collect();
        // The earlier ones stay, the last is the last of each user.
        assert_eq!(taken[0].1, Time::from_millis(1));
        assert_eq!(taken[MOST - 1].1, Time::from_millis(5999));
        assert_eq!(&**taken[MOST].0.user(), "bob");
        assert_eq!(taken[MOST].1, Time::from_millis(2));
        assert!(queue.last_of.is_empty());
        assert!(!queue.put(removed("alice"), Time::from_millis(1)));
        assert!(queue.take().is_some() && queue.take().is_none());
    }

    #[test]
    fn an_event_in_the_place_of_another_keeps_who_saw_the_user_before() {
        let changed = |user: &str, visibility, before| {
            let transition = Transition {
                user: user.into(),
                visibility,
                ..Transition::default()
            };
            ApplicationEvent::Changed(Arc::new(transition), before)
        };
        use Visibility::{Everyone, Groups, Nobody};
        let mut queue = EventQueue::default();
        let now = Time::NEVER;
        for _ in 1..MOST {
            queue.put(removed("bob"), now);
        }
        assert!(!queue.put(changed("alice", Groups, Everyone), now));
        // A change that hides the user further would not be told by itself.
        assert!(queue.put(changed("alice", Nobody, Groups), now));
        let last = std::iter::from_fn(|| queue.take()).last();
        let Some((ApplicationEvent::Changed(transition, before), _)) = last else {
            panic!("an event of alice");
        };
        assert_eq!((transition.visibility, before), (Nobody, Everyone));
    }

    #[test]
    fn a_subscription_ends_alone_or_with_its_application() {
        let applications = Applications::default();
        assert!(!applications.any());
        applications.subscribe("crm", Some("Alice".into()));
        applications.subscribe("crm", Some("bob".into()));
        applications.subscribe("wall", None);
        assert!(applications.any());
        assert_eq!(applications.names("crm"), ["Alice", "bob"]);
        assert_eq!(applications.names("wall"), ["*"]);
        let is = |name, to| applications.is_subscribed(name, to);
        assert!(is("crm", SubscriptionTo::User("ALICE")));
        assert!(!is("crm", SubscriptionTo::Everyone) && is("crm", SubscriptionTo::Any));
        assert!(is("wall", SubscriptionTo::Everyone));
        applications.unsubscribe("crm", SubscriptionTo::User("alice"));
        assert_eq!(applications.names("crm"), ["bob"]);
        applications.unsubscribe("crm", SubscriptionTo::Any);
        applications.unsubscribe("wall", SubscriptionTo::Everyone);
        assert!(!applications.any() && applications.names("wall").is_empty());
    }
}
