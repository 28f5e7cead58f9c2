//! The dialplan application `UserPresenceDial()`: carries out the plan of a call.
//!
//! Who is rung and where a call is forwarded to is decided in
//! [`presence::calls`]; here it is done, with Asterisk's own `Dial` and
//! `VoiceMail`. Nothing is locked while they run.

mod origin;
mod path;

use crate::runtime;
use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::runtime::push::{self, Push};
use crate::runtime::store;
use asterisk::application::{Application, Channel, DialplanNext, RedirectingReason};
use asterisk::log;
use path::Path;
use presence::calls::{CallOrigin, Plan, Target};
use presence::model::state::State;
use presence::views::fields::Query;
use presence::world::World;

/// `UserPresenceDial(user[,options[,dial_options]])`
pub struct UserPresenceDial;

/// What became of a call, in `USERPRESENCESTATUS`.
const STATUS: &CStr = c"USERPRESENCESTATUS";
const DIALSTATUS: &CStr = c"DIALSTATUS";
/// How long all phones ring together where no stage says so, in seconds.
const TOGETHER: u32 = 20;

impl Application for UserPresenceDial {
    const NAME: &'static CStr = c"UserPresenceDial";

    fn run(channel: &Channel<'_>, args: &str) -> Result<DialplanNext, String> {
        channel.unset(STATUS);
        let path = Path::of(channel);
        let call = || UserPresenceDial::call(channel, args, &path);
        let called = catch_unwind(AssertUnwindSafe(call));
        // The dialplan may call the same user once more.
        path.leave(channel);
        // A panic was logged: it ends neither the dialplan nor the caller's call.
        called.unwrap_or_else(|_| {
            busy(channel, "FAILED");
            Ok(DialplanNext::Continue)
        })
    }

    fn closed(channel: &Channel<'_>) -> String {
        busy(channel, "NOTRUNNING");
        runtime::NOT_RUNNING.into()
    }
}

impl UserPresenceDial {
    fn call(channel: &Channel<'_>, args: &str, path: &Path) -> Result<DialplanNext, String> {
        crate::trip("application");
        let mut args = args.splitn(3, ',');
        let user = args.next().unwrap_or_default().trim();
        let options = Options::parse(args.next().unwrap_or_default());
        let dial_options = args.next().unwrap_or_default().trim();

        // Its name depends on who is called.
        let variable = store::read(|world| {
            let user = Query::find(world, user).ok()?;
            let rule = &world.directory().get(user).rule;
            Some(rule.calls.origin_variable.clone())
        });
        let variable = variable.flatten();
        let told = options.origin.or(path.origin);
        let asked = origin::Asked::new(channel, told, variable.as_deref());
        let Some(call) = store::read(|world| prepare(world, user, &asked)) else {
            return Err(UserPresenceDial::closed(channel));
        };
        let (plan, caller) = call.inspect_err(|_| busy(channel, "NOUSER"))?;
        log::verbose(
            3,
            format_args!(
                "{}: a call to '{}' is {}{}",
                channel.name(),
                plan.user,
                plan.origin.name(),
                match plan.block.as_str() {
                    "" => String::new(),
                    block => format!(", handled by '{block}'"),
                }
            ),
        );
        if let Some(why) = path.forbids(&plan.user) {
            busy(channel, "LOOP");
            return Err(why);
        }
        let call = Call {
            channel,
            from_queue: channel.is_from_queue(),
            together: options.together,
            dial_options,
            device: channel.device(),
            plan,
            caller,
        };
        path.enter(channel, &call.plan.user, call.plan.origin);
        Ok(call.carry_out())
    }
}

/// The second argument.
#[derive(Default)]
struct Options {
    origin: Option<CallOrigin>,
    together: bool,
}

impl Options {
    fn parse(given: &str) -> Self {
        let mut options = Options::default();
        for option in given.chars().filter(|option| !option.is_whitespace()) {
            match option {
                'i' => options.origin = Some(CallOrigin::Internal),
                'e' => options.origin = Some(CallOrigin::External),
                'g' => options.together = true,
                other => log::warning(format_args!(
                    "UserPresenceDial: unknown option '{other}' is ignored, expected i, e or g; \
                     options of Dial are the third argument"
                )),
            }
        }
        options
    }
}

/// What a call needs of the user, beside the plan.
struct Caller {
    /// Whether the caller gets through to one who takes no calls.
    accepted: bool,
    /// The user's own number, for who is called instead.
    number: String,
}

fn prepare(world: &World, user: &str, asked: &origin::Asked) -> Result<(Plan, Caller), String> {
    let id = Query::find(world, user)?;
    let directory = world.directory();
    let user = directory.get(id);
    let plan = Plan::of(world, id, asked.origin(directory, id));
    let always_accept = &user.rule.calls.always_accept;
    let is_caller = |number: &&str| always_accept.iter().any(|known| **known == **number);
    let default = user.default.and_then(|at| user.inputs.get(usize::from(at)));
    let mut inputs = default.into_iter().chain(user.inputs.iter());
    let number = inputs.find_map(|input| directory.extension(input));
    let caller = Caller {
        accepted: asked.number().filter(is_caller).is_some(),
        number: number.unwrap_or(&user.name).to_owned(),
    };
    Ok((plan, caller))
}

/// The caller is told of a busy user, whatever the dialplan does next.
fn busy(channel: &Channel<'_>, status: &str) {
    channel.mark_busy();
    channel.set(DIALSTATUS, "BUSY");
    channel.set(STATUS, status);
}

/// A call to a user.
struct Call<'a> {
    channel: &'a Channel<'a>,
    /// A queue looks for somebody else itself, so it is nobody to forward.
    from_queue: bool,
    together: bool,
    dial_options: &'a str,
    /// The device of the caller, who does not ring.
    device: Option<String>,
    plan: Plan,
    caller: Caller,
}

/// What ringing came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Nobody could be rung.
    Unavailable,
    /// The same, and one of the phones said that the network is at its limit.
    Congested,
    Busy,
    NoAnswer,
    /// The call is over, or the dialplan goes on after it.
    Over(DialplanNext),
}

impl Call<'_> {
    fn carry_out(&self) -> DialplanNext {
        crate::trip("call");
        let plan = &self.plan;
        if let Some(why) = plan.refused.filter(|_| !self.caller.accepted) {
            log::verbose(
                3,
                format_args!(
                    "{}: '{}' refuses the call: {why}",
                    self.channel.name(),
                    plan.user
                ),
            );
            busy(self.channel, "REFUSED");
            return DialplanNext::Continue;
        }
        if let Some(target) = plan.always.as_ref().filter(|_| !self.from_queue) {
            let reason = match plan.state {
                State::Dnd => RedirectingReason::DoNotDisturb,
                _ => RedirectingReason::Unconditional,
            };
            return self.forward(target, reason);
        }
        let rung = self.ring();
        self.tell_if_missed(rung);
        let (outcome, reason) = match rung {
            Outcome::Over(next) => return next,
            Outcome::Busy => ("BUSY", RedirectingReason::Busy),
            Outcome::NoAnswer => ("NOANSWER", RedirectingReason::NoAnswer),
            Outcome::Congested | Outcome::Unavailable => {
                ("UNAVAILABLE", RedirectingReason::NoAnswer)
            }
        };
        let target = match reason {
            RedirectingReason::Busy => &plan.busy,
            _ => &plan.no_answer,
        };
        if let Some(target) = target.as_ref().filter(|_| !self.from_queue) {
            return self.forward(target, reason);
        }
        let status = match rung {
            Outcome::Congested => "CONGESTION",
            Outcome::Unavailable => "CHANUNAVAIL",
            _ => outcome,
        };
        // What the last stage came to is said already, with the cause for a hangup that
        // `Dial` has found for it, or has not.
        if self.channel.get("DIALSTATUS").as_deref() != Some(status) {
            self.channel.set(DIALSTATUS, status);
            if rung == Outcome::Busy {
                self.channel.mark_busy();
            }
        }
        self.channel.set(STATUS, outcome);
        DialplanNext::Continue
    }

    /// Tells the user of a call that rang and that nobody took. A queue goes on to others.
    fn tell_if_missed(&self, rung: Outcome) {
        let status = match rung {
            Outcome::NoAnswer => "NOANSWER",
            Outcome::Busy => "BUSY",
            Outcome::Congested | Outcome::Unavailable => "UNAVAILABLE",
            Outcome::Over(_) => "CANCELLED",
        };
        let answered = self.channel.get("DIALSTATUS").as_deref() == Some("ANSWER");
        if self.from_queue || (answered && status == "CANCELLED") {
            return;
        }
        let caller = self.channel.caller().unwrap_or_default();
        let missed = Push::MissedCall {
            caller: &caller,
            status,
        };
        push::send(&self.plan.user, missed);
    }

    /// Rings one stage after the other, or everybody together. Busy is who was busy in
    /// each stage that could be rung.
    fn ring(&self) -> Outcome {
        let plan = &self.plan;
        if self.from_queue || self.together {
            let stage = plan.steps.first().map_or(TOGETHER, |step| step.timeout);
            // A queue gives up when it wants to.
            let timeout = (!self.from_queue).then_some(stage);
            let monitors = plan.monitors.iter().filter(|_| !self.from_queue);
            return self.dial_all(plan.together.iter().chain(monitors), timeout);
        }
        let mut all = Outcome::Unavailable;
        let first = plan.steps.first().map_or(TOGETHER, |step| step.timeout);
        for at in 0..plan.steps.len().max(1) {
            let step = plan.steps.get(at);
            let devices = step.into_iter().flat_map(|step| &step.devices);
            let monitors = plan.monitors.iter().filter(|_| at == 0);
            let timeout = step.map_or(first, |step| step.timeout);
            let outcome = self.dial_all(devices.chain(monitors), Some(timeout));
            all = match (all, outcome) {
                (_, Outcome::Over(next)) => return Outcome::Over(next),
                (Outcome::NoAnswer, _) | (_, Outcome::NoAnswer) => Outcome::NoAnswer,
                (Outcome::Busy, _) | (_, Outcome::Busy) => Outcome::Busy,
                (Outcome::Congested, _) | (_, Outcome::Congested) => Outcome::Congested,
                _ => Outcome::Unavailable,
            };
        }
        all
    }

    /// Rings these devices, each once and never the caller's own.
    fn dial_all<'d>(
        &self,
        devices: impl Iterator<Item = &'d String>,
        timeout: Option<u32>,
    ) -> Outcome {
        let mut names: Vec<&str> = Vec::new();
        for device in devices {
            let own = self.device.as_ref() == Some(device);
            if !own && !names.contains(&device.as_str()) {
                names.push(device);
            }
        }
        if names.is_empty() {
            return Outcome::Unavailable;
        }
        self.dial(&names.join("&"), timeout, "ANSWERED")
    }

    /// `Dial`, and what it came to; `answered` is the status of a call that somebody
    /// took.
    fn dial(&self, devices: &str, timeout: Option<u32>, answered: &str) -> Outcome {
        let channel = self.channel;
        if channel.hung_up() {
            channel.set(DIALSTATUS, "CANCEL");
            channel.set(STATUS, "CANCELLED");
            return Outcome::Over(DialplanNext::HangUp);
        }
        let timeout = timeout.map_or_else(String::new, |seconds| seconds.to_string());
        let args = format!("{devices},{timeout},{}", self.dial_options);
        let next = match channel.run(c"Dial", &args) {
            Ok(next) => next,
            Err(why) => {
                self.complain(&why);
                return Outcome::Unavailable;
            }
        };
        let status = channel.get("DIALSTATUS").unwrap_or_default();
        let status = status.as_str();
        match (status, next) {
            ("ANSWER", _) => channel.set(STATUS, answered),
            (_, DialplanNext::HangUp) => channel.set(STATUS, "CANCELLED"),
            ("BUSY", _) => return Outcome::Busy,
            ("NOANSWER", _) => return Outcome::NoAnswer,
            ("CONGESTION", _) => return Outcome::Congested,
            ("CHANUNAVAIL", _) => return Outcome::Unavailable,
            // An option of Dial has let somebody decide.
            (other, _) => channel.set(STATUS, other),
        }
        Outcome::Over(next)
    }

    fn forward(&self, target: &Target, reason: RedirectingReason) -> DialplanNext {
        let (channel, plan) = (self.channel, &self.plan);
        if channel.hung_up() {
            channel.set(DIALSTATUS, "CANCEL");
            channel.set(STATUS, "CANCELLED");
            return DialplanNext::HangUp;
        }
        match target {
            Target::Location {
                extension, context, ..
            } => {
                let place = format!("{extension}@{context}");
                let unfit = |text: &str| text.is_empty() || text.contains(['&', ',', '@', '/']);
                if unfit(extension) || unfit(context) || !channel.has_extension(extension, context)
                {
                    self.complain(&format_args!("there is no extension '{place}'"));
                    busy(channel, "WRONGTARGET");
                    return DialplanNext::Continue;
                }
                log::verbose(
                    3,
                    format_args!(
                        "{}: the call to '{}' is forwarded to '{place}'",
                        channel.name(),
                        plan.user
                    ),
                );
                channel.redirect(&self.caller.number, reason);
                channel.set(STATUS, "FORWARDED");
                let outcome = self.dial(&format!("Local/{place}/n"), None, "FORWARDED");
                match outcome {
                    Outcome::Over(next) => next,
                    // Dial has said in DIALSTATUS what became of it.
                    Outcome::Busy => {
                        busy(channel, "FORWARDED");
                        DialplanNext::Continue
                    }
                    _ => DialplanNext::Continue,
                }
            }
            Target::Voicemail { mailbox } => self.voicemail(mailbox, reason),
        }
    }

    fn voicemail(&self, mailbox: &str, reason: RedirectingReason) -> DialplanNext {
        let channel = self.channel;
        if mailbox.is_empty() {
            self.complain(&"the user has no mailbox");
            busy(channel, "WRONGTARGET");
            return DialplanNext::Continue;
        }
        channel.redirect(&self.caller.number, reason);
        channel.set(STATUS, "VOICEMAIL");
        let greeting = match reason {
            RedirectingReason::Busy => 'b',
            _ => 'u',
        };
        let result = channel.run(c"VoiceMail", &format!("{mailbox},{greeting}"));
        // The mailbox may be gone: nobody is left in silence.
        let failed = match &result {
            Ok(_) => channel.get("VMSTATUS").as_deref() == Some("FAILED"),
            Err(_) => true,
        };
        if failed && !channel.hung_up() {
            match &result {
                Err(why) => self.complain(why),
                Ok(_) => self.complain(&format_args!("mailbox '{mailbox}' takes no message")),
            }
            busy(channel, "WRONGTARGET");
            return DialplanNext::Continue;
        }
        result.unwrap_or(DialplanNext::Continue)
    }

    fn complain(&self, why: &dyn std::fmt::Display) {
        let Plan { user, block, .. } = &self.plan;
        let by = match block.as_str() {
            "" => String::new(),
            block => format!(" by '{block}'"),
        };
        log::warning(format_args!(
            "The call to '{user}' cannot be handled{by}: {why}; the caller is told busy"
        ));
    }
}
