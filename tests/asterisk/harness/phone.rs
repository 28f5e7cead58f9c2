//! A SIP phone: real calls, and the devices' states that follow from them.
//!
//! A phone is `sipp` (`tests/sip/answer.xml`, `call.xml`) with an endpoint of
//! [`super::Builder::sip`]. A test controls a phone in a call by Asterisk's AMI action
//! `SendText`, which reaches the phone as a MESSAGE within that call: the test decides
//! when something happens, not a clock. An order returns once Asterisk has accepted it; a
//! test waits for its effect, for example by [`Instance::wait_device`].

use std::sync::Mutex;

use super::instance::Instance;
use super::sipp::{REFUSAL, Sipp};
use super::wait::wait_until;

/// The answer of a busy phone.
const BUSY: &str = "486 Busy Here";

/// A registered phone. Dropping it ends its programs without unregistering.
pub struct Phone<'a> {
    ast: &'a Instance,
    endpoint: String,
    /// Takes incoming calls, several at the same time too.
    listener: Sipp,
    /// Every outgoing call.
    calls: Mutex<Vec<Sipp>>,
}

impl<'a> Phone<'a> {
    /// A phone that rings until an order ([`Phone::answer`], [`Phone::hang_up`]) or until the
    /// caller gives up.
    #[track_caller]
    pub fn ringing(ast: &'a Instance, endpoint: &str) -> Self {
        Self::start(ast, endpoint, "ring", BUSY)
    }

    /// A phone that answers at once.
    #[track_caller]
    pub fn answering(ast: &'a Instance, endpoint: &str) -> Self {
        Self::start(ast, endpoint, "answer", BUSY)
    }

    /// A phone that answers every call with 486 Busy Here.
    #[track_caller]
    pub fn busy(ast: &'a Instance, endpoint: &str) -> Self {
        Self::start(ast, endpoint, "reject", BUSY)
    }

    /// A phone that refuses every call with this answer, for example `503 Service
    /// Unavailable`; with `302 Moved Temporarily` it names the number `elsewhere`.
    #[track_caller]
    pub fn refusing(ast: &'a Instance, endpoint: &str, refusal: &str) -> Self {
        Self::start(ast, endpoint, "reject", refusal)
    }

    #[track_caller]
    fn start(ast: &'a Instance, endpoint: &str, manner: &str, refusal: &str) -> Self {
        let keys = [
            ("endpoint", endpoint),
            ("manner", manner),
            (REFUSAL, refusal),
        ];
        let phone = Self {
            ast,
            endpoint: endpoint.to_owned(),
            listener: Sipp::start(ast, "answer", &keys, &[]),
            calls: Mutex::new(Vec::new()),
        };
        phone.listener.wait_listening();
        phone.register();
        phone
    }

    /// The name of its device in Asterisk.
    pub fn device(&self) -> String {
        format!("PJSIP/{}", self.endpoint)
    }

    /// Registers, possibly again, and waits until its device is no longer `UNAVAILABLE`.
    #[track_caller]
    pub fn register(&self) {
        self.send_register("3600");
        let device = self.device();
        wait_until(&format!("{device} registered"), || {
            (self.ast.device(&device) != "UNAVAILABLE").then_some(())
        });
    }

    /// Removes the registration. The device follows a moment later, once its calls have
    /// ended.
    #[track_caller]
    pub fn unregister(&self) {
        self.send_register("0");
    }

    #[track_caller]
    fn send_register(&self, expires: &str) {
        let contact = self.listener.port().to_string();
        let keys = [
            ("endpoint", self.endpoint.as_str()),
            ("contact", contact.as_str()),
            ("expires", expires),
        ];
        let register = Sipp::start(self.ast, "register", &keys, &["-m", "1"]);
        register.wait_end("registration");
    }

    /// Calls an extension of context `default` and returns once Asterisk handles the call.
    #[track_caller]
    pub fn call(&self, extension: &str) {
        let keys = [("endpoint", self.endpoint.as_str())];
        let call = Sipp::start(self.ast, "call", &keys, &["-s", extension, "-m", "1"]);
        call.wait("answer to an INVITE", |received| {
            (!received.is_empty()).then_some(())
        });
        let mut calls = self.calls.lock().unwrap_or_else(|held| held.into_inner());
        calls.push(call);
    }

    /// Makes this number of calls from an endpoint, which need not be registered, to these
    /// extensions in turn, `rate` per second. Each call ends one second after its answer.
    /// Panics if a call is neither answered nor refused as busy.
    #[track_caller]
    pub fn call_many(
        ast: &Instance,
        endpoint: &str,
        extensions: &[&str],
        calls: usize,
        rate: usize,
    ) {
        let file = ast.path("extensions.csv");
        let lines = extensions.iter().map(|extension| format!("{extension};\n"));
        let text = format!("SEQUENTIAL\n{}", lines.collect::<String>());
        std::fs::write(&file, text).expect("a file in our own directory");
        let (calls, rate) = (calls.to_string(), rate.to_string());
        let arguments = [
            "-inf",
            &file.to_string_lossy(),
            "-m",
            &calls,
            "-l",
            &calls,
            "-r",
            &rate,
        ];
        let all = Sipp::start(ast, "load", &[("endpoint", endpoint)], &arguments);
        all.wait_end("call for each");
    }

    /// Waits until the last outgoing call is refused, and returns the first line of the
    /// answer.
    #[track_caller]
    pub fn wait_refused(&self) -> String {
        let calls = self.calls.lock().unwrap_or_else(|held| held.into_inner());
        let call = calls.last().expect("a call that it made");
        call.wait("a refusal", |received| {
            let first = received.iter().filter_map(|message| message.lines().next());
            let is_refusal = |line: &&str| {
                let code = line.strip_prefix("SIP/2.0 ");
                code.is_some_and(|code| code.starts_with(['4', '5', '6']))
            };
            let mut refused = first.filter(is_refusal);
            refused.next().map(str::to_owned)
        })
    }

    /// The INVITE of every incoming call, once each.
    pub fn invites(&self) -> Vec<String> {
        let call_of = |message: &str| {
            let mut lines = message.lines();
            lines
                .find(|line| line.starts_with("Call-ID:"))
                .map(str::to_owned)
        };
        let mut all: Vec<String> = Vec::new();
        for message in self.listener.received() {
            let known = |other: &String| call_of(other) == call_of(&message);
            if message.starts_with("INVITE ") && !all.iter().any(known) {
                all.push(message);
            }
        }
        all
    }

    /// Waits until the other side has ended this number of incoming calls.
    #[track_caller]
    pub fn wait_ended(&self, calls: usize) {
        self.listener.wait("a BYE", |received| {
            let byes = received.iter().filter(|it| it.starts_with("BYE "));
            (byes.count() >= calls).then_some(())
        });
    }

    /// Answers the ringing call.
    #[track_caller]
    pub fn answer(&self) {
        self.order("Ringing", "answer");
    }

    /// Puts its call on hold by an INVITE with `sendonly`. The other phone's device is then
    /// `ONHOLD`: that phone hears the music.
    #[track_caller]
    pub fn hold(&self) {
        self.order("Up", "hold");
    }

    /// Resumes its call by an INVITE with `sendrecv`.
    #[track_caller]
    pub fn resume(&self) {
        self.order("Up", "resume");
    }

    /// Ends its call in any state: rejects an incoming call that rings, and cancels an
    /// outgoing one.
    #[track_caller]
    pub fn hang_up(&self) {
        self.order("", "hangup");
    }

    /// Makes Asterisk send `text` within the newest call in this channel state.
    #[track_caller]
    fn order(&self, state: &str, text: &str) {
        let prefix = format!("{}-", self.device());
        let what = format!("a call of {} to {text}", self.device());
        let channel = wait_until(&what, || {
            let channels = self.ast.channels().into_iter();
            let mine = channels.filter(|channel| channel.name.starts_with(&prefix));
            // Before Asterisk knows the channel's state, it cannot send within the call.
            let mut mine = mine.filter(|it| it.state != "Down" && it.state.contains(state));
            mine.next_back()
        });
        let answer = self.ast.control().action(&[
            ("Action", "SendText"),
            ("Channel", &channel.name),
            ("Message", text),
        ]);
        assert!(answer.ok(), "{what}: {}", answer.text());
    }
}
