//! A SIP phone: real calls, and the devices' states that follow from them.
//!
//! The phone is `sipp` (`tests/sip/answer.xml`, `call.xml`), and an endpoint of
//! [`super::Builder::sip`]. What it does in a call it is told by Asterisk's own AMI
//! action `SendText`, which reaches it as a MESSAGE within that call: so a test
//! decides when, and no clock does. An order returns once Asterisk has taken it: what
//! comes of it is to be waited for, for example by [`Instance::wait_device`].

use std::sync::Mutex;

use super::instance::Instance;
use super::sipp::{REFUSAL, Sipp};
use super::wait::wait_until;

/// What a phone says whose user is busy.
const BUSY: &str = "486 Busy Here";

/// A registered phone. Dropping it ends its programs, but unregisters nothing.
pub struct Phone<'a> {
    ast: &'a Instance,
    endpoint: String,
    /// Takes the calls that come, several at a time too.
    listener: Sipp,
    /// Every call that it made.
    calls: Mutex<Vec<Sipp>>,
}

impl<'a> Phone<'a> {
    /// A phone that rings until it is told what to do ([`Phone::answer`],
    /// [`Phone::hang_up`]) or the caller gives up.
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

    /// A phone that refuses every call so, for example with `503 Service Unavailable`;
    /// with `302 Moved Temporarily` it names the number `elsewhere`.
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

    /// Its device, as Asterisk names it.
    pub fn device(&self) -> String {
        format!("PJSIP/{}", self.endpoint)
    }

    /// Registers (again), and waits until its device is no longer `UNAVAILABLE`.
    #[track_caller]
    pub fn register(&self) {
        self.send_register("3600");
        let device = self.device();
        wait_until(&format!("{device} registered"), || {
            (self.ast.device(&device) != "UNAVAILABLE").then_some(())
        });
    }

    /// Takes the registration back. The device follows a moment later, and not before
    /// its calls have ended.
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

    /// Calls an extension of context `default`, and returns once Asterisk has begun
    /// with it.
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

    /// Makes so many calls of an endpoint that need not be registered, `rate` in a second,
    /// to these extensions in turn. Each is ended a second after its answer. Panics where
    /// one is neither answered nor told busy.
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

    /// Waits until the call that it made last is refused, and returns the answer's first
    /// line.
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

    /// Every call that came to it: its INVITE, once each.
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

    /// Waits until as many calls as this that came to it were ended by the other side.
    #[track_caller]
    pub fn wait_ended(&self, calls: usize) {
        self.listener.wait("a BYE", |received| {
            let byes = received.iter().filter(|it| it.starts_with("BYE "));
            (byes.count() >= calls).then_some(())
        });
    }

    /// Answers the call that rings.
    #[track_caller]
    pub fn answer(&self) {
        self.order("Ringing", "answer");
    }

    /// Puts its call on hold: an INVITE with `sendonly`. The device that is then
    /// `ONHOLD` is the other one's: it is held, and hears the music.
    #[track_caller]
    pub fn hold(&self) {
        self.order("Up", "hold");
    }

    /// Takes its call back from hold: an INVITE with `sendrecv`.
    #[track_caller]
    pub fn resume(&self) {
        self.order("Up", "resume");
    }

    /// Ends its call, in whatever state that is: a call that rings here is rejected,
    /// one that rings there is given up.
    #[track_caller]
    pub fn hang_up(&self) {
        self.order("", "hangup");
    }

    /// Has Asterisk send `text` within the newest call that is in this channel state.
    #[track_caller]
    fn order(&self, state: &str, text: &str) {
        let prefix = format!("{}-", self.device());
        let what = format!("a call of {} to {text}", self.device());
        let channel = wait_until(&what, || {
            let channels = self.ast.channels().into_iter();
            let mine = channels.filter(|channel| channel.name.starts_with(&prefix));
            // Until its state is known to Asterisk, there is no call to speak within.
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
