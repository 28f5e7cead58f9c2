//! What can be measured: for Prometheus, and for `userpresence show stats`.

use std::ffi::CStr;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::runtime;
use crate::runtime::stats::Counter;
use crate::runtime::store;
use crate::web;
use asterisk::http::Site;
use asterisk::prometheus::Metrics;
use presence::State;
use presence::directory::UserId;
use presence::model::inferred::Inferred;
use presence::world::World;

/// What stands before every name.
const PREFIX: &str = "asterisk_userpresence_";

/// One thing that is measured.
pub struct Metric {
    /// Its name, without what all have in common.
    name: &'static str,
    /// Prometheus' word for its kind.
    kind: &'static str,
    /// One sentence.
    help: &'static str,
    /// For each what is added to the name, and the value.
    values: Vec<(String, String)>,
}

impl Metric {
    fn one(name: &'static str, kind: &'static str, help: &'static str, value: u64) -> Self {
        let values = vec![(String::new(), value.to_string())];
        Metric {
            name,
            kind,
            help,
            values,
        }
    }

    fn counter(name: &'static str, help: &'static str, counter: &Counter) -> Self {
        Metric::one(name, "counter", help, counter.get())
    }

    /// Names and values, for people.
    pub fn rows(&self) -> impl Iterator<Item = (String, &str)> {
        let rows = self.values.iter();
        rows.map(|(more, value)| (format!("{}{more}", self.name), value.as_str()))
    }
}

/// All of them, as they are now.
pub fn all() -> Vec<Metric> {
    let Some(runtime) = runtime::current() else {
        return Vec::new();
    };
    let stats = runtime.stats();
    let counts = users();
    let inferred = Inferred::KINDS.into_iter().zip(counts.inferred);
    let inferred = inferred.map(|(kind, count)| {
        let label = format!("{{kind=\"{kind}\"}}");
        (label, count.to_string())
    });
    let users = State::ALL.into_iter().zip(counts.states);
    let users = users.map(|(state, count)| {
        let label = format!("{{state=\"{}\"}}", state.name());
        (label, count.to_string())
    });
    let (answers, time) = stats.answers();
    vec![
        Metric {
            name: "users",
            kind: "gauge",
            help: "Users by their combined state.",
            values: users.collect(),
        },
        Metric {
            name: "users_inferred",
            kind: "gauge",
            help: "Users of whom something is inferred beside what they chose, by its kind.",
            values: inferred.collect(),
        },
        Metric::counter(
            "changes_total",
            "Changes of what is known of a user; each is an event of the user's account.",
            &stats.changes,
        ),
        Metric::counter(
            "publishes_total",
            "Presence states of users that Asterisk was told.",
            &stats.publishes,
        ),
        Metric::one(
            "feed_readers",
            "gauge",
            "Readers of event streams that are connected.",
            web::site::UserPresence::state().streams() as u64,
        ),
        Metric::one(
            "journal_events",
            "gauge",
            "Events kept for readers who come back, and for webhooks.",
            runtime.feed.journal_length() as u64,
        ),
        Metric::counter(
            "events_lost_total",
            "Events that a reader or a webhook was not given, because it was too slow or failed.",
            &stats.events_lost,
        ),
        Metric::counter(
            "action_failures_total",
            "Actions of a status that could not be carried out.",
            &stats.action_failures,
        ),
        Metric::counter(
            "webhook_posts_total",
            "Events that webhooks have delivered.",
            &stats.webhook_posts,
        ),
        Metric::counter(
            "webhook_failures_total",
            "How often a webhook has dropped events, or was stopped by its receiver.",
            &stats.webhook_failures,
        ),
        Metric {
            name: "callback_seconds",
            kind: "summary",
            help: "Time in which the presence provider has answered; one answer of 256 is timed.",
            values: vec![
                ("_sum".into(), seconds(time)),
                ("_count".into(), answers.to_string()),
            ],
        },
    ]
}

fn seconds(time: Duration) -> String {
    format!("{}.{:09}", time.as_secs(), time.subsec_nanos())
}

/// The metrics for Prometheus.
pub struct UserPresenceMetrics;

impl Metrics for UserPresenceMetrics {
    const NAME: &'static CStr = c"res_userpresence";

    fn text() -> String {
        text()
    }
}

/// The text that Prometheus reads.
fn text() -> String {
    crate::trip("metrics");
    let mut text = String::new();
    for metric in all() {
        let Metric {
            name, kind, help, ..
        } = metric;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {PREFIX}{name} {help}");
        let _ = writeln!(text, "# TYPE {PREFIX}{name} {kind}");
        for (more, value) in &metric.values {
            let _ = writeln!(text, "{PREFIX}{name}{more} {value}");
        }
    }
    text
}

/// Users looked at under the lock at a time.
const BATCH: usize = 256;

/// How many users there are of each kind.
#[derive(Default)]
struct Counts {
    states: [u64; State::ALL.len()],
    inferred: [u64; Inferred::KINDS.len()],
}

impl Counts {
    fn add(&mut self, world: &World, id: UserId) {
        self.states[world.outcome(id).presence.state() as usize] += 1;
        let kind = world.inferred(id).map(Inferred::kind);
        let mut kinds = Inferred::KINDS.into_iter();
        if let Some(at) = kinds.position(|known| Some(known) == kind) {
            self.inferred[at] += 1;
        }
    }
}

/// Counts the users. Nothing is locked for long, so it is no picture of one moment; a
/// reload in between begins anew.
fn users() -> Counts {
    const TRIES: usize = 3;
    let counted = (0..TRIES).find_map(|_| {
        let directory = store::read(|world| world.directory().clone())?;
        let mut counts = Counts::default();
        let mut ids = directory.users().map(|(id, _)| id);
        loop {
            let more = store::read(|world| {
                if !Arc::ptr_eq(world.directory(), &directory) {
                    return None;
                }
                let mut seen = 0;
                for id in ids.by_ref().take(BATCH) {
                    counts.add(world, id);
                    seen += 1;
                }
                Some(seen == BATCH)
            });
            if !more.flatten()? {
                return Some(counts);
            }
        }
    });
    counted.unwrap_or_default()
}
