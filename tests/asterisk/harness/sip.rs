//! A real SIP client that watches an extension, and the messages that it received.
//!
//! The client is `sipp`, with the scenario `tests/sip/subscribe.xml`.
//!
//! About Asterisk:
//! - Without the module, a NOTIFY has the presence only for a User-Agent that contains
//!   `digium` or `sangoma`. Others get a NOTIFY at each change too, with an unchanged body.
//! - A state equal to the last one is not sent.
//! - Subtype and message are truncated to 1023 bytes *after* escaping, even in the middle
//!   of an entity: 171 quotes make a body that no XML parser accepts.

use std::sync::Mutex;

use super::config::WATCHER;
use super::instance::Instance;
use super::root::root;
use super::sipp::{FORM, Sipp};
use super::wait::wait_until;

/// A phone with a subscription. Dropping it ends the phone.
pub struct Subscriber {
    sipp: Sipp,
    /// The number of NOTIFYs that earlier waits have used up.
    seen: Mutex<usize>,
}

/// One NOTIFY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// The whole message, headers included.
    pub text: String,
}

/// The presence in a NOTIFY, with XML entities resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// `away`, `not_set`, ...
    pub state: String,
    /// Empty if there is none.
    pub subtype: String,
    /// Empty if there is none.
    pub message: String,
}

impl Subscriber {
    /// Subscribes to `extension` in context `default` as a Digium phone, and
    /// waits until Asterisk has accepted that.
    #[track_caller]
    pub fn start(instance: &Instance, extension: &str) -> Self {
        Self::start_as(instance, extension, "digium D65")
    }

    /// As [`Subscriber::start`], with another User-Agent.
    #[track_caller]
    pub fn start_as(instance: &Instance, extension: &str, agent: &str) -> Self {
        Self::subscribe(
            instance,
            extension,
            agent,
            ("presence", "application/pidf+xml"),
        )
    }

    /// Subscribes like a phone for the lamp of a key, which gets the hint's device part
    /// ([`Subscriber::wait_lamp`]).
    #[track_caller]
    pub fn lamp(instance: &Instance, extension: &str) -> Self {
        let event = ("dialog", "application/dialog-info+xml");
        Self::subscribe(instance, extension, "Another/1.0", event)
    }

    /// As [`Subscriber::start_as`], for an event and a type of body.
    #[track_caller]
    pub fn subscribe(
        instance: &Instance,
        extension: &str,
        agent: &str,
        (event, accept): (&str, &str),
    ) -> Self {
        let keys = [
            ("endpoint", WATCHER),
            ("agent", agent),
            ("event", event),
            ("accept", accept),
        ];
        let arguments = ["-s", extension, "-m", "1"];
        Self::accepted(Sipp::start(instance, "subscribe", &keys, &arguments))
    }

    /// Sends the request of a file `tests/sip/forms/FORM.sip`, a SUBSCRIBE or a PUBLISH in
    /// the form of a certain phone, and waits until Asterisk has accepted it.
    #[track_caller]
    pub fn form(instance: &Instance, form: &str, endpoint: &str, extension: &str) -> Self {
        let keys = [("endpoint", endpoint), (FORM, form)];
        let arguments = ["-s", extension, "-m", "1"];
        Self::accepted(Sipp::start(instance, "form", &keys, &arguments))
    }

    #[track_caller]
    fn accepted(sipp: Sipp) -> Self {
        sipp.wait("an accepted request", |received| {
            let accepted = received.iter().any(|text| text.starts_with("SIP/2.0 200"));
            accepted.then_some(())
        });
        Self {
            sipp,
            seen: Mutex::new(0),
        }
    }

    /// Waits for a NOTIFY that `wanted` accepts, and uses up that one and all before it:
    /// successive waits see the NOTIFYs in their order.
    #[track_caller]
    pub fn wait_notify(&self, what: &str, wanted: impl Fn(&Notify) -> bool) -> Notify {
        let mut seen = self.seen.lock().expect("no wait panics with this held");
        let found = self
            .sipp
            .wait_quietly(&format!("NOTIFY for {what}"), |received| {
                let all = notifies(received);
                let at = all.iter().skip(*seen).position(&wanted)?;
                Some((*seen + at + 1, all[*seen + at].clone()))
            });
        match found {
            Ok((next, notify)) => {
                *seen = next;
                notify
            }
            Err(problem) => {
                drop(seen);
                panic!("{problem}");
            }
        }
    }

    /// Waits for a NOTIFY with this presence state.
    #[track_caller]
    pub fn wait_presence(&self, state: &str) -> Presence {
        let has = |notify: &Notify| notify.presence().is_some_and(|it| it.state == state);
        let notify = self.wait_notify(state, has);
        notify.presence().expect("just looked at")
    }

    /// Waits until a lamp gets `state`: `terminated`, `early` or `confirmed`.
    #[track_caller]
    pub fn wait_lamp(&self, state: &str) -> Notify {
        self.wait_notify(state, |it| it.lamp().as_deref() == Some(state))
    }

    /// Every NOTIFY so far.
    pub fn notifies(&self) -> Vec<Notify> {
        notifies(&self.sipp.received())
    }

    /// The bodies of every NOTIFY so far.
    pub fn bodies(&self) -> Vec<String> {
        let all = self.notifies();
        all.iter().map(|it| it.body().to_owned()).collect()
    }
}

fn notifies(received: &[String]) -> Vec<Notify> {
    let texts = received.iter().filter(|it| it.starts_with("NOTIFY "));
    texts.map(|text| Notify { text: text.clone() }).collect()
}

impl Notify {
    /// The body.
    pub fn body(&self) -> &str {
        self.text.split_once("\n\n").map_or("", |(_, body)| body)
    }

    /// The presence for a Digium phone, if the body has one.
    pub fn presence(&self) -> Option<Presence> {
        let (_, element) = self.body().split_once("<digium_presence ")?;
        let (attributes, rest) = element.split_once('>')?;
        // An element without text is written `<digium_presence ... />`.
        let message = if attributes.ends_with('/') {
            ""
        } else {
            rest.split_once("</digium_presence>")?.0
        };
        Some(Presence {
            state: attribute(attributes, "type")?,
            subtype: attribute(attributes, "subtype").unwrap_or_default(),
            message: unescape(message),
        })
    }

    /// The state in the body of a lamp's NOTIFY.
    pub fn lamp(&self) -> Option<String> {
        let (_, rest) = self.body().split_once("<state>")?;
        Some(unescape(rest.split_once("</state>")?.0))
    }

    /// The `<note>`: the device part of the hint in words.
    pub fn note(&self) -> Option<String> {
        let (_, rest) = self.body().split_once("<note>")?;
        Some(unescape(rest.split_once("</note>")?.0))
    }
}

/// The value of the attribute `name`.
fn attribute(attributes: &str, name: &str) -> Option<String> {
    let mut rest = attributes;
    loop {
        let (key, tail) = rest.split_once("=\"")?;
        let (value, tail) = tail.split_once('"')?;
        if key.trim() == name {
            return Some(unescape(value));
        }
        rest = tail;
    }
}

fn unescape(text: &str) -> String {
    // The ampersand last, or `&amp;lt;` would become `<`.
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

impl Instance {
    /// Waits until `count` subscriptions watch the hint.
    #[track_caller]
    pub fn wait_watchers(&self, extension: &str, count: usize) {
        wait_until(&format!("{count} watchers of {extension}"), || {
            let others = self.watchers_of_every_hint();
            (self.hint(extension).watchers == count + others).then_some(())
        });
    }

    /// What Asterisk counts as a watcher of every hint: none, or from 20.21, 22.11 and 23.5 on
    /// the parts of its core that follow all hints.
    #[track_caller]
    fn watchers_of_every_hint(&self) -> usize {
        if !root().keeps_extension_states() {
            return 0;
        }
        self.cli("dialplan add extension nobody,hint,Custom:nobody into unwatched");
        let shown = self.cli("core show hints");
        let line = shown
            .lines()
            .find(|line| line.starts_with("nobody@unwatched"));
        let line = line.unwrap_or_else(|| panic!("no hint that nobody watches in\n{shown}"));
        let count = line.rsplit_once("Watchers").expect("a count").1.trim();
        count.parse().expect("a number")
    }
}
