//! What a webhook needs of the running module.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use presence::account::{Event, Subscription};

/// The next part of the events of an account.
#[derive(Debug)]
pub enum News {
    /// The events since; empty at the deadline.
    Events(Vec<Arc<Event>>),
    /// The events up to that number are not there any more.
    Missed(u64),
    /// The reader has to end.
    Over,
}

/// A reader of an account's events in their order.
pub trait EventReader: Send {
    /// Up to `most` events since the last, at the latest at the deadline.
    fn next(&mut self, most: usize, deadline: Instant) -> News;

    /// The number of the last event given.
    fn sequence(&self) -> u64;

    /// Goes on after that event.
    fn skip_to(&mut self, sequence: u64);
}

/// How much of an event a receiver may know now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// All of it.
    Event,
    /// That the user is hidden.
    Hidden,
    /// Nothing.
    Nothing,
}

/// A reader, and the users that were hidden when it began.
pub type Subscribed = (Box<dyn EventReader>, HashSet<Arc<str>>);

/// The running module, as webhooks see it. No lock may be held at a call.
pub trait EventSource: Send + Sync {
    /// A reader that begins with the account's next event and ends with the flag, and the
    /// users that are hidden at that moment. `None` while the module is not running.
    fn subscribe(&self, account: &str, end: Arc<AtomicBool>) -> Option<Subscribed>;

    /// How much of the event a receiver of the account's events may know now: the event may
    /// have waited for hours. `None` while the module is not running.
    fn known(&self, account: &str, event: &Event) -> Option<Known>;

    /// The event's JSON with the user's record after it.
    fn json_with_record(&self, event: &Event, subscription: &Subscription) -> String;

    /// The number of the account's last event; `None` where there is no such account.
    fn last_sequence(&self, account: &str) -> Option<u64>;

    /// Has every reader look whether it has to end.
    fn wake(&self);

    /// Counts a delivered event.
    fn count_delivered(&self);

    /// Counts events that are not posted.
    fn count_lost(&self, events: u64);

    /// Sends the AMI event `UserPresenceWebhookFailed`, and counts the failure.
    fn send_failure_event(&self, headers: &[(&str, &str)]);

    /// Whether Asterisk is stopping: then no AMI event is sent any more.
    fn is_stopping(&self) -> bool;
}
