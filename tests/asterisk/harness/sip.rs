//! A real SIP client that watches an extension, and what it was told.
//!
//! The client is `sipp`, with the scenario `tests/sip/subscribe.xml`; it writes
//! every message to a file, which is read here.
//!
//! Worth knowing about Asterisk:
//! - Presence is in the NOTIFY only for a User-Agent that contains `digium` or
//!   `sangoma`. Others get a NOTIFY at each change too, with an unchanged body.
//! - A state equal to the last one is not sent again.
//! - Subtype and message are cut at 1023 bytes *after* escaping, where that is
//!   in the middle of an entity too: 171 quotes make a body that no XML parser
//!   takes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::config::WATCHER;
use super::instance::Instance;
use super::process::Process;
use super::wait::wait_until;
use super::{paths, ports};

/// A phone with a subscription. Dropping it ends it.
pub struct Subscriber {
    process: Mutex<Process>,
    trace: PathBuf,
    output: PathBuf,
    /// How many NOTIFYs earlier waits have used up.
    seen: Mutex<usize>,
}

/// What a NOTIFY said.
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
    /// Empty where there is none.
    pub subtype: String,
    /// Empty where there is none.
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
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let trace = instance.path(&format!("sip-{number}.trace"));
        let output = instance.path(&format!("sip-{number}.output"));
        let mut command = Command::new("sipp");
        command
            .arg(format!("127.0.0.1:{}", instance.sip_port()))
            .arg("-sf")
            .arg(paths::repository().join("tests/sip/subscribe.xml"))
            .args(["-s", extension])
            .args(["-key", "endpoint", WATCHER, "-key", "agent", agent])
            .args(["-i", "127.0.0.1", "-p", &ports::free().to_string()])
            .args(["-m", "1", "-nostdin", "-trace_msg", "-message_file"])
            .arg(&trace);
        let subscriber = Self {
            process: Mutex::new(Process::start("sipp", &mut command, &output)),
            trace,
            output,
            seen: Mutex::new(0),
        };
        subscriber.wait("an accepted subscription", |received| {
            let accepted = received.iter().any(|text| text.starts_with("SIP/2.0 200"));
            accepted.then_some(())
        });
        subscriber
    }

    /// Waits for a NOTIFY that `wanted` accepts. That one and all before it are
    /// used up, so waits in a row see them in the order they came.
    #[track_caller]
    pub fn wait_notify(&self, what: &str, wanted: impl Fn(&Notify) -> bool) -> Notify {
        let mut seen = self.seen.lock().expect("no wait panics with this held");
        let found = self.wait_quietly(&format!("NOTIFY for {what}"), |received| {
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

    /// Every NOTIFY so far.
    pub fn notifies(&self) -> Vec<Notify> {
        notifies(&self.received())
    }

    /// The bodies of every NOTIFY so far.
    pub fn bodies(&self) -> Vec<String> {
        let all = self.notifies();
        all.iter().map(|it| it.body().to_owned()).collect()
    }

    #[track_caller]
    fn wait<T>(&self, what: &str, probe: impl Fn(&[String]) -> Option<T>) -> T {
        match self.wait_quietly(what, probe) {
            Ok(found) => found,
            Err(problem) => panic!("{problem}"),
        }
    }

    /// Waits; fails early where sipp has given up.
    fn wait_quietly<T>(
        &self,
        what: &str,
        probe: impl Fn(&[String]) -> Option<T>,
    ) -> Result<T, String> {
        let found = super::wait::poll(super::wait::PATIENCE, || {
            if let Some(found) = probe(&self.received()) {
                return Some(Ok(found));
            }
            let mut process = self.process.lock().expect("no holder panics");
            let status = process.ended()?;
            Some(Err(format!("sipp ended with {status}")))
        });
        let problem = match found {
            Some(Ok(found)) => return Ok(found),
            Some(Err(problem)) => problem,
            None => "timeout".to_owned(),
        };
        let output = fs::read_to_string(&self.output).unwrap_or_default();
        let received = self.received().join("\n");
        Err(format!(
            "no {what}: {problem}\n--- sipp ---\n{output}\n--- received ---\n{received}"
        ))
    }

    /// The messages that sipp received so far, whole ones only.
    fn received(&self) -> Vec<String> {
        let bytes = fs::read(&self.trace).unwrap_or_default();
        let mut rest = bytes.as_slice();
        let mut all = Vec::new();
        while let Some(((size, received), tail)) = next_heading(rest) {
            let Some((message, tail)) = tail.split_at_checked(size) else {
                break;
            };
            if received {
                all.push(String::from_utf8_lossy(message).replace("\r\n", "\n"));
            }
            rest = tail;
        }
        all
    }
}

fn notifies(received: &[String]) -> Vec<Notify> {
    let texts = received.iter().filter(|it| it.starts_with("NOTIFY "));
    texts.map(|text| Notify { text: text.clone() }).collect()
}

/// The next message's size, whether it was received, and what follows its
/// heading: `UDP message received [941] bytes :` or `UDP message sent (287
/// bytes):`, and an empty line. The size leads over the message itself, which
/// may contain anything.
fn next_heading(bytes: &[u8]) -> Option<((usize, bool), &[u8])> {
    const WORD: &[u8] = b"UDP message ";
    let at = bytes.windows(WORD.len()).position(|part| part == WORD)?;
    let bytes = &bytes[at + WORD.len()..];
    let end = bytes.windows(2).position(|part| part == b"\n\n")?;
    let heading = std::str::from_utf8(&bytes[..end]).ok()?;
    let digits: String = heading.chars().filter(char::is_ascii_digit).collect();
    let size = digits.parse().ok()?;
    Some(((size, heading.starts_with("received")), &bytes[end + 2..]))
}

impl Notify {
    /// The body.
    pub fn body(&self) -> &str {
        self.text.split_once("\n\n").map_or("", |(_, body)| body)
    }

    /// The presence for a Digium phone, where the body has one.
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

    /// The `<note>`: the device part of the hint, in words for a person.
    pub fn note(&self) -> Option<String> {
        let (_, rest) = self.body().split_once("<note>")?;
        Some(unescape(rest.split_once("</note>")?.0))
    }
}

/// The value of ` name="..."`, or of `name="..."` at the beginning.
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
            (self.hint(extension).watchers == count).then_some(())
        });
    }
}
