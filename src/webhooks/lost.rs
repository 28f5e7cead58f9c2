//! Reports events that a webhook does not post, in the log and over AMI.

use super::EventSource;
use presence::config::Webhook;

/// Why events are not posted.
pub enum LostEvents<'a> {
    /// The receiver did not accept events for too long; the reason of the last failure.
    GivenUp(&'a str),
    /// Events came faster than the receiver accepted them.
    Missed,
    /// The webhook was removed, or the module is unloaded.
    Stopped,
}

impl LostEvents<'_> {
    /// Reports that the events with these sequence numbers are not posted.
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
                    "{webhook} dropped: nothing could be delivered for {time} s; the last \
                     failure: {why}"
                );
                ("GivenUp", *why)
            }
            LostEvents::Missed => {
                log::error!(
                    "{webhook} dropped: they came faster than they could be delivered, and the \
                     journal no longer holds them"
                );
                ("Missed", "the journal no longer holds them")
            }
            LostEvents::Stopped => {
                log::warn!("{webhook} not posted: the webhook is stopped");
                ("Stopped", "the webhook is stopped")
            }
        };
        // No AMI event while Asterisk shuts down.
        if !source.is_stopping() {
            event(source, spec, reason, why, Some((from, to)));
        }
    }
}

/// Reports that the receiver wants no more events.
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
