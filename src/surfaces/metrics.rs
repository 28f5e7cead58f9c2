//! The metrics, for Prometheus and `userpresence show stats`.

use std::ffi::CStr;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::{ClusterView, Standing};
use crate::runtime;
use crate::runtime::stats::Counter;
use crate::runtime::store;
use crate::version::{COMMIT, ModuleFile, Releases, VERSION};
use asterisk::prometheus::Metrics;
use presence::State;
use presence::directory::UserId;
use presence::model::inferred::InferredKind;
use presence::world::World;

/// The prefix of every name.
const PREFIX: &str = "asterisk_userpresence_";

/// One metric.
pub struct Metric {
    /// The name, without [`PREFIX`].
    name: &'static str,
    /// Prometheus' type: `counter`, `gauge` or `summary`.
    kind: &'static str,
    /// One sentence.
    help: &'static str,
    /// Pairs of a suffix for the name, such as labels, and a value.
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

    /// Names, without [`PREFIX`], and values.
    pub fn rows(&self) -> impl Iterator<Item = (String, &str)> {
        let rows = self.values.iter();
        rows.map(|(more, value)| (format!("{}{more}", self.name), value.as_str()))
    }
}

/// All metrics with their current values.
pub fn all() -> Vec<Metric> {
    let Some(runtime) = runtime::current() else {
        return Vec::new();
    };
    let stats = runtime.stats();
    let counts = users();
    let inferred = InferredKind::ALL.into_iter().zip(counts.inferred);
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
    let mut all = vec![
        Metric {
            name: "users",
            kind: "gauge",
            help: "Users by their combined state.",
            values: users.collect(),
        },
        Metric {
            name: "users_inferred",
            kind: "gauge",
            help: "Users with an inferred presence beside the chosen one, by its kind.",
            values: inferred.collect(),
        },
        Metric::one(
            "publications",
            "gauge",
            "Publications of phones that are alive.",
            runtime.publications().count() as u64,
        ),
        Metric::counter(
            "changes_total",
            "Changes of users; each is one event of the user's account.",
            &stats.changes,
        ),
        Metric::counter(
            "publishes_total",
            "Presence states of users that were published to Asterisk.",
            &stats.publishes,
        ),
        Metric::one(
            "feed_readers",
            "gauge",
            "Connected readers of event streams.",
            u64::from(runtime.sessions.slots.in_use()),
        ),
        Metric::one(
            "journal_events",
            "gauge",
            "Events kept in the journal for readers that reconnect, and for webhooks.",
            runtime.feed.journal_length() as u64,
        ),
        Metric::counter(
            "events_lost_total",
            "Events that were not delivered to a reader or webhook that was too slow or failed.",
            &stats.events_lost,
        ),
        Metric::counter(
            "action_failures_total",
            "Status actions that failed.",
            &stats.action_failures,
        ),
        Metric::counter(
            "webhook_posts_total",
            "Events that webhooks delivered.",
            &stats.webhook_posts,
        ),
        Metric::counter(
            "webhook_failures_total",
            "Times that a webhook dropped events or was stopped by its receiver.",
            &stats.webhook_failures,
        ),
        Metric {
            name: "callback_seconds",
            kind: "summary",
            help: "Response time of the presence provider; one response in 256 is timed.",
            values: vec![
                ("_sum".into(), seconds(time)),
                ("_count".into(), answers.to_string()),
            ],
        },
    ];
    all.extend(build());
    all.extend(runtime.cluster().view().iter().flat_map(cluster));
    all
}

/// What runs.
fn build() -> [Metric; 3] {
    let releases = Releases::now();
    let labels = [
        ("version", VERSION),
        ("commit", COMMIT),
        ("built_for", releases.built_for),
        ("runs_in", &releases.runs_in),
    ];
    let labels = labels.map(|(name, value)| format!("{name}=\"{}\"", label_value(value)));
    let replaced = ModuleFile::now().is_replaced();
    [
        Metric {
            name: "build_info",
            kind: "gauge",
            help: "1; the labels are the module's version and commit, the Asterisk that it was \
                   built for and the one that it runs in.",
            values: vec![(format!("{{{}}}", labels.join(",")), "1".to_owned())],
        },
        Metric::one(
            "other_release",
            "gauge",
            "Whether the module runs in another release of Asterisk than it was built for.",
            u64::from(releases.differ()),
        ),
        Metric {
            name: "file_replaced",
            kind: "gauge",
            help: "Whether the module's file is another build than the one that runs; no value \
                   if the file cannot be read.",
            values: replaced
                .map(|replaced| (String::new(), u64::from(replaced).to_string()))
                .into_iter()
                .collect(),
        },
    ]
}

/// A value of a label in Prometheus' text format.
fn label_value(value: &str) -> String {
    value
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n")
}

/// The metrics of a cluster, where there is one.
fn cluster(view: &ClusterView) -> [Metric; 9] {
    let is_joined = matches!(view.standing, Standing::Joined(_));
    let here = view.nodes.iter().filter(|node| node.is_here).count();
    let is_keeper = is_joined && view.keeper.as_ref() == Some(&view.node);
    let counts = &view.counts;
    let lag = |kind, time: Option<Duration>| {
        (
            format!("{{kind=\"{kind}\"}}"),
            seconds(time.unwrap_or_default()),
        )
    };
    let (last, worst) = view.lag;
    [
        Metric::one(
            "cluster_joined",
            "gauge",
            "Whether this server shares its users with the other nodes now.",
            u64::from(is_joined),
        ),
        Metric::one(
            "cluster_nodes",
            "gauge",
            "Nodes that are here, this one among them.",
            here as u64,
        ),
        Metric::one(
            "cluster_keeper",
            "gauge",
            "Whether this node posts the webhooks of the cluster.",
            u64::from(is_keeper),
        ),
        Metric::one(
            "cluster_waiting",
            "gauge",
            "Keys that wait to be written to etcd.",
            view.waiting as u64,
        ),
        Metric {
            name: "cluster_lag_seconds",
            kind: "gauge",
            help: "Time of a change from here through etcd and back: the last one, and the worst \
                   of the last minute.",
            values: vec![lag("last", last), lag("worst", worst)],
        },
        Metric::one(
            "cluster_transactions_total",
            "counter",
            "Transactions of etcd.",
            counts.transactions,
        ),
        Metric::one(
            "cluster_written_total",
            "counter",
            "Keys that were written to etcd.",
            counts.written,
        ),
        Metric::one(
            "cluster_received_total",
            "counter",
            "Changes of keys that arrived from etcd.",
            counts.received,
        ),
        Metric::one(
            "cluster_failures_total",
            "counter",
            "Requests to etcd that failed.",
            counts.failures,
        ),
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

/// The metrics in Prometheus' text format.
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

/// The number of users read under one lock.
const BATCH: usize = 256;

/// The number of users of each kind.
#[derive(Default)]
struct UserCounts {
    states: [u64; State::ALL.len()],
    inferred: [u64; InferredKind::ALL.len()],
}

impl UserCounts {
    fn add(&mut self, world: &World, id: UserId) {
        self.states[world.outcome(id).presence.state() as usize] += 1;
        if let Some(inferred) = world.inferred(id) {
            self.inferred[inferred.kind() as usize] += 1;
        }
    }
}

/// Counts the users. The lock is released between batches, so the counts are not a snapshot
/// of one moment; a reload in between starts the count again.
fn users() -> UserCounts {
    const TRIES: usize = 3;
    let counted = (0..TRIES).find_map(|_| {
        let directory = store::read(|world| world.directory().clone())?;
        let mut counts = UserCounts::default();
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
