//! What a webhook does not post is told, in the log and over AMI.

use super::EventSource;
use presence::config::Webhook;

/// Why events are not posted.
pub enum LostEvents<'a> {
    /// The receiver did not take them for too long, the last time for that reason.
    GivenUp(&'a str),
    /// They came faster than the receiver took them.
    Missed,
    /// The webhook is there no more, or the module goes.
    Stopped,
}

impl LostEvents<'_> {
    /// Tells that the events of those numbers are not posted.
    pub fn report(&self, source: &dyn EventSource, spec: &Webhook, (from, to): (u64, u64)) {
        source.count_lost(to - from + 1);
        let range = match to - from {
            0 => format!("event {from} is"),
            _ => format!("events {from} to {to} are"),
        };
        let webhook = format!("Webhook '{}' ({}): {range}", spec.name, spec.url);
        let (reason, why) = match self {
            LostEvents::GivenUp(why) => {
                let time = spec.retry_for.as_secs();
                log::error!(
                    "{webhook} dropped: for {time} s it could deliver nothing, the last time \
                     because {why}"
                );
                ("GivenUp", *why)
            }
            LostEvents::Missed => {
                log::error!(
                    "{webhook} dropped: they came faster than it could deliver, and the journal \
                     holds them no more"
                );
                ("Missed", "the journal holds them no more")
            }
            LostEvents::Stopped => {
                log::warn!("{webhook} not posted: it is stopped");
                ("Stopped", "the webhook is stopped")
            }
        };
        // Who would hear of it is as good as gone.
        if !source.is_stopping() {
            event(source, spec, reason, why, Some((from, to)));
        }
    }
}

/// Tells that the receiver wants no more.
pub fn report_stopped(source: &dyn EventSource, spec: &Webhook, why: &str) {
    log::error!(
        "Webhook '{}' ({}) is stopped until the next reload: {why}",
        spec.name,
        spec.url
    );
    event(source, spec, "Gone", why, None);
}

fn event(
    source: &dyn EventSource,
    spec: &Webhook,
    reason: &str,
    why: &str,
    dropped: Option<(u64, u64)>,
) {
    let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
    source.send_failure_event(&[
        ("Webhook", &spec.name),
        ("Account", &spec.account),
        ("Url", &spec.url.to_string()),
        ("Reason", reason),
        ("Error", why),
        ("DroppedFrom", &number(dropped.map(|(from, _)| from))),
        ("DroppedTo", &number(dropped.map(|(_, to)| to))),
    ]);
}
