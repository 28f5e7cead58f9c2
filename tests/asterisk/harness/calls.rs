//! Devices, and the channels that make them busy.

use std::sync::atomic::{AtomicU32, Ordering};

use super::instance::Instance;
use super::sipp::Sipp;
use super::wait::wait_until;

/// A channel, as AMI's `CoreShowChannels` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// For example `PJSIP/200-00000001`.
    pub name: String,
    /// `Ring`, `Ringing`, `Up`, ...
    pub state: String,
    /// The id of its bridge; empty for none. Connected channels are in the same bridge.
    pub bridge: String,
}

impl Instance {
    /// A device's state, for example `NOT_INUSE`.
    #[track_caller]
    pub fn device(&self, name: &str) -> String {
        self.getvar(&format!("DEVICE_STATE({name})"))
    }

    /// Waits until a device has this state.
    #[track_caller]
    pub fn wait_device(&self, name: &str, state: &str) {
        wait_until(&format!("{name} {state}"), || {
            (self.device(name) == state).then_some(())
        });
    }

    /// Every channel; those of one device are in order, the oldest first.
    #[track_caller]
    pub fn channels(&self) -> Vec<Channel> {
        let mut all = self.control().list(&[("Action", "CoreShowChannels")]);
        let of = |event: &super::Message, name| event.get(name).unwrap_or_default().to_owned();
        // Names end with a number, of eight hexadecimal digits.
        all.sort_by_key(|event| of(event, "Channel"));
        let channel = |event| Channel {
            name: of(event, "Channel"),
            state: of(event, "ChannelStateDesc"),
            bridge: of(event, "BridgeId"),
        };
        all.iter().map(channel).collect()
    }

    /// Calls `channel`, for example `PJSIP/200`, and runs an application on it once it
    /// answers. Returns the channel's unique id at once, for [`Instance::hang_up`].
    #[track_caller]
    pub fn originate(&self, channel: &str, application: &str, data: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = format!("harness-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let other = format!("{id}-other");
        let answer = self.control().action(&[
            ("Action", "Originate"),
            ("Channel", channel),
            ("Application", application),
            ("Data", data),
            ("Timeout", "600000"),
            ("ChannelId", &id),
            ("OtherChannelId", &other),
            ("Async", "true"),
        ]);
        assert!(answer.ok(), "Originate {channel}: {}", answer.text());
        id
    }

    /// Runs an application on a channel without a phone at its other end: a caller in a
    /// queue, a member of a conference, a parked call.
    #[track_caller]
    pub fn run(&self, application: &str, data: &str) -> String {
        self.originate("Local/wait@harness/n", application, data)
    }

    /// Reports the messages in mailbox `ENDPOINT@default`, by SIP for an endpoint of
    /// [`super::Builder::sip`]. Returns once Asterisk has accepted the report.
    #[track_caller]
    pub fn tell_messages(&self, endpoint: &str, new: u32, old: u32) {
        let (new, old) = (new.to_string(), old.to_string());
        let keys = [("endpoint", endpoint), ("new", &new), ("old", &old)];
        let told = Sipp::start(self, "notify", &keys, &["-m", "1"]);
        told.wait_end("told messages");
    }

    /// Hangs up one channel by its name or unique id.
    #[track_caller]
    pub fn hang_up(&self, channel: &str) {
        let answer = self
            .control()
            .action(&[("Action", "Hangup"), ("Channel", channel)]);
        assert!(answer.ok(), "Hangup {channel}: {}", answer.text());
    }

    /// Hangs up every channel, and waits until they are gone.
    #[track_caller]
    pub fn hang_up_all(&self) {
        // Asterisk refuses this if there is no channel, which is fine.
        self.control()
            .action(&[("Action", "Hangup"), ("Channel", "/^.*$/")]);
        self.wait_no_channels();
    }

    /// Waits until no channel is left.
    #[track_caller]
    pub fn wait_no_channels(&self) {
        wait_until("no channels", || self.channels().is_empty().then_some(()));
    }
}
