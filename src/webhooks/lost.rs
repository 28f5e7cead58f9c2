//! What a webhook does not post is told, in the log and over AMI.

use crate::runtime::stats;
use asterisk::manager::{self, Class};
use asterisk::{log, system};
use presence::config::Webhook;

/// Why events are not posted.
pub enum Lost<'a> {
    /// The receiver did not take them for too long, the last time for that reason.
    GivenUp(&'a str),
    /// They came faster than the receiver took them.
    Missed,
    /// The webhook is there no more, or the module goes.
    Stopped,
}

impl Lost<'_> {
    /// Tells that the events of those numbers are not posted.
    pub fn tell(&self, spec: &Webhook, (from, to): (u64, u64)) {
        stats::EVENTS_LOST.add(to - from + 1);
        let range = match to - from {
            0 => format!("event {from} is"),
            _ => format!("events {from} to {to} are"),
        };
        let webhook = format!("Webhook '{}' ({}): {range}", spec.name, spec.url);
        let (reason, why) = match self {
            Lost::GivenUp(why) => {
                let time = spec.retry_for.as_secs();
                log::error(format_args!(
                    "{webhook} dropped: for {time} s it could deliver nothing, the last time \
                     because {why}"
                ));
                ("GivenUp", *why)
            }
            Lost::Missed => {
                log::error(format_args!(
                    "{webhook} dropped: they came faster than it could deliver, and the journal \
                     holds them no more"
                ));
                ("Missed", "the journal holds them no more")
            }
            Lost::Stopped => {
                log::warning(format_args!("{webhook} not posted: it is stopped"));
                ("Stopped", "the webhook is stopped")
            }
        };
        // Who would hear of it is as good as gone.
        if !system::shutting_down() {
            event(spec, reason, why, Some((from, to)));
        }
    }
}

/// Tells that the receiver wants no more.
pub fn gone(spec: &Webhook, why: &str) {
    log::error(format_args!(
        "Webhook '{}' ({}) is stopped until the next reload: {why}",
        spec.name, spec.url
    ));
    event(spec, "Gone", why, None);
}

fn event(spec: &Webhook, reason: &str, why: &str, dropped: Option<(u64, u64)>) {
    stats::WEBHOOK_FAILURES.add(1);
    let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
    manager::event(
        Class::System,
        c"UserPresenceWebhookFailed",
        &[
            ("Webhook", &spec.name),
            ("Account", &spec.account),
            ("Url", &spec.url.to_string()),
            ("Reason", reason),
            ("Error", why),
            ("DroppedFrom", &number(dropped.map(|(from, _)| from))),
            ("DroppedTo", &number(dropped.map(|(_, to)| to))),
        ],
    );
}
