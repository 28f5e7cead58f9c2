//! The runtime as webhooks see it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::Runtime;
use super::feed::{Next, Reader};
use super::host::EventClass;
use crate::webhooks::{
    Acknowledged, EventReader, EventSource, Known, News, Posting, Resumed, Shown, Subscribed,
};
use presence::Time;
use presence::account::{Event, Subscription};
use presence::config::Webhook;
use presence::directory::UserId;
use presence::model::visibility::Viewer;
use presence::world::World;

impl EventReader for Reader {
    fn next(&mut self, most: usize, deadline: Instant) -> News {
        match Reader::next(self, most, deadline) {
            Next::News(events, _) => News::Events(events),
            Next::Missed(before) => News::Missed(before),
            Next::Over => News::Over,
        }
    }

    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn skip_to(&mut self, sequence: u64) {
        self.sequence = sequence;
    }
}

impl EventSource for Runtime {
    fn subscribe(&self, account: &str, end: Arc<AtomicBool>) -> Option<Subscribed> {
        // At one moment: a user that hides from then on is news.
        let (sequence, hidden) = self.read(|world| {
            let id = world.directory().account_named(account);
            let sequence = id.map(|id| world.account_sequence(id));
            (sequence.unwrap_or_default(), hidden(world, account))
        })?;
        let reader = Reader::staying(&self.feed, account.into(), sequence, end)?;
        Some((Box::new(reader), hidden))
    }

    fn posting(&self) -> Posting {
        Runtime::posting(self)
    }

    fn resume(&self, spec: &Webhook) -> Option<Resumed> {
        Runtime::resume(self, spec)
    }

    fn resume_after(&self, spec: &Webhook, sequence: u64) -> Option<Resumed> {
        Runtime::resume_after(self, spec, sequence)
    }

    fn present(&self, account: &str, user: &str) -> Option<Arc<Event>> {
        let now = EventSource::now(self);
        let present = self.read(|world| {
            let directory = world.directory();
            let account = directory.account_named(account)?;
            let user = directory.user(user);
            let user = user.filter(|user| directory.get(*user).account == account)?;
            Some(Event::new(&Arc::new(world.present(user)), now))
        });
        present.flatten().map(Arc::new)
    }

    fn acknowledged(&self, spec: &Webhook, until: Time, sequence: u64) -> Option<Acknowledged> {
        let node = self.node()?;
        Some(Acknowledged::new(spec, &node, until, sequence))
    }

    fn node(&self) -> Option<Arc<str>> {
        self.read(|world| {
            let cluster = world.directory().settings.cluster.as_deref();
            cluster.map(|cluster| cluster.node.clone())
        })
        .flatten()
    }

    fn now(&self) -> Time {
        Runtime::now(self)
    }

    fn known(&self, account: &str, event: &Event) -> Option<Known> {
        self.read(|world| {
            let directory = world.directory();
            let user = directory.user(&event.user);
            let user = user.filter(|id| {
                let now = directory.account(directory.get(*id).account);
                **now == *account
            });
            match user {
                // A user that was removed, or has another account now.
                None => Known::Nothing,
                Some(_) if event.is_hidden() => Known::Hidden,
                Some(user) if is_hidden(world, user) => Known::Nothing,
                Some(_) => Known::Event,
            }
        })
    }

    fn json_with_record(&self, event: &Event, subscription: &Subscription) -> String {
        Runtime::json_with_record(self, event, subscription)
    }

    fn last_sequence(&self, account: &str) -> Option<u64> {
        let last = self.read(|world| {
            let id = world.directory().account_named(account)?;
            Some(world.account_sequence(id))
        });
        last.flatten()
    }

    fn wake(&self) {
        self.feed.wake();
    }

    fn count_delivered(&self) {
        self.stats().webhook_posts.add(1);
    }

    fn count_lost(&self, events: u64) {
        self.stats().events_lost.add(events);
    }

    fn send_failure_event(&self, headers: &[(&str, &str)]) {
        self.stats().webhook_failures.add(1);
        self.host()
            .send_event(EventClass::System, c"UserPresenceWebhookFailed", headers);
    }

    fn is_stopping(&self) -> bool {
        self.host().shutting_down()
    }
}

/// The webhooks of a run; dropping it stops them.
#[must_use = "dropping it stops the webhooks"]
pub struct RunningWebhooks(Arc<Runtime>);

impl RunningWebhooks {
    /// Starts those of the configuration.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(runtime: Arc<Runtime>) -> std::io::Result<Self> {
        let specs = runtime.read(|world| world.directory().settings.webhooks.clone());
        let webhooks = RunningWebhooks(runtime);
        let runtime = &webhooks.0;
        let source: Arc<dyn EventSource> = runtime.clone();
        runtime
            .webhooks
            .start(&specs.unwrap_or_default(), &source)?;
        Ok(webhooks)
    }
}

impl Drop for RunningWebhooks {
    fn drop(&mut self) {
        self.0.webhooks.stop(&*self.0);
    }
}

impl Runtime {
    /// Takes over the webhooks of another configuration.
    pub(super) fn reconfigure_webhooks(self: &Arc<Self>, specs: &[Arc<Webhook>]) {
        let source: Arc<dyn EventSource> = self.clone();
        self.webhooks.reconfigure(specs, &source);
    }

    /// Every webhook and how it is doing, by name.
    pub fn show_webhooks(&self) -> Vec<(Arc<Webhook>, Shown)> {
        self.webhooks.show()
    }
}

/// The users of the account that not everyone may see.
pub(super) fn hidden(world: &World, account: &str) -> HashSet<Arc<str>> {
    let directory = world.directory();
    let account = directory.account_named(account);
    let members = account.map_or(&[][..], |account| directory.members(account));
    let hidden = members.iter().filter(|id| is_hidden(world, **id));
    hidden.map(|id| directory.get(*id).name.clone()).collect()
}

fn is_hidden(world: &World, user: UserId) -> bool {
    !world.may_see(&Viewer::ANYONE, user)
}
