//! What a webhook needs of the running module.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::turn::{Acknowledged, Posting, Resumed};
use presence::Time;
use presence::account::{Event, Subscription};
use presence::config::Webhook;

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

    /// The node that posts now.
    fn posting(&self) -> Posting;

    /// Where the webhook goes on when this node begins to post. `None` where nothing is known of
    /// its receiver: then it begins with the next event, counted from when it was configured
    /// here.
    fn resume(&self, spec: &Webhook) -> Option<Resumed>;

    /// How the webhook goes on after that event where the journal does not hold the next ones
    /// any more: with the users who have changed since. `None` on a server of its own, which has
    /// lost these events.
    fn resume_after(&self, spec: &Webhook, sequence: u64) -> Option<Resumed>;

    /// The user as they are now, as an event with the number of their last change. `None` where
    /// the account has no such user.
    fn present(&self, account: &str, user: &str) -> Option<Arc<Event>>;

    /// How far the receiver is: it needs no event up to that number, and nothing of what had
    /// happened at the time `until`. `None` on a server of its own, which tells nobody.
    fn acknowledged(&self, spec: &Webhook, until: Time, sequence: u64) -> Option<Acknowledged>;

    /// This node's name; `None` on a server of its own.
    fn node(&self) -> Option<Arc<str>>;

    /// The present time.
    fn now(&self) -> Time;

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
