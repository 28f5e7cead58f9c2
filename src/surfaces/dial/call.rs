//! One call to a user: refuse, forward, or ring the user's phones.

use super::{CalledUser, DIALSTATUS, STATUS, busy};
use crate::runtime::push::{self, Push};
use asterisk::application::{Channel, DialplanNext, RedirectingReason};
use asterisk::log;
use presence::calls::CallPlan;
use presence::model::state::State;

/// How long all phones ring together where no stage sets a timeout, in seconds.
const TOGETHER: u32 = 20;

/// A call to a user.
pub struct DialCall<'a> {
    pub channel: &'a Channel<'a>,
    /// Whether a queue or another node makes the call. It decides itself for how long phones ring
    /// and what follows, so such a call is never forwarded.
    pub caller_decides: bool,
    pub together: bool,
    pub dial_options: &'a str,
    /// The caller's device, which does not ring.
    pub device: Option<String>,
    pub plan: CallPlan,
    pub called: CalledUser,
}

/// The result of ringing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum DialOutcome {
    /// No phone could ring.
    Unavailable,
    /// No phone could ring, and at least one reported congestion.
    Congested,
    Busy,
    NoAnswer,
    /// The call is over, or the dialplan continues after it.
    Over(DialplanNext),
}

impl DialCall<'_> {
    /// Carries out the plan.
    pub fn carry_out(&self) -> DialplanNext {
        crate::trip("call");
        let plan = &self.plan;
        if let Some(why) = plan.refused.filter(|_| !self.called.accepts_caller) {
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
        if let Some(target) = plan.always.as_ref().filter(|_| !self.caller_decides) {
            let reason = match plan.state {
                State::Dnd => RedirectingReason::DoNotDisturb,
                _ => RedirectingReason::Unconditional,
            };
            return self.forward(target, reason);
        }
        let rung = self.ring();
        self.push_if_missed(rung);
        let (outcome, reason) = match rung {
            DialOutcome::Over(next) => return next,
            DialOutcome::Busy => ("BUSY", RedirectingReason::Busy),
            DialOutcome::NoAnswer => ("NOANSWER", RedirectingReason::NoAnswer),
            DialOutcome::Congested | DialOutcome::Unavailable => {
                ("UNAVAILABLE", RedirectingReason::NoAnswer)
            }
        };
        let target = match reason {
            RedirectingReason::Busy => &plan.busy,
            _ => &plan.no_answer,
        };
        if let Some(target) = target.as_ref().filter(|_| !self.caller_decides) {
            return self.forward(target, reason);
        }
        let status = match rung {
            DialOutcome::Congested => "CONGESTION",
            DialOutcome::Unavailable => "CHANUNAVAIL",
            _ => outcome,
        };
        // `Dial` has set DIALSTATUS and the hangup cause for the last stage already, unless
        // another stage decides.
        if self.channel.get("DIALSTATUS").as_deref() != Some(status) {
            self.channel.set(DIALSTATUS, status);
            if rung == DialOutcome::Busy {
                self.channel.mark_busy();
            }
        }
        self.channel.set(STATUS, outcome);
        DialplanNext::Continue
    }

    /// Sends the user a push message about a call that rang without an answer. Not for a
    /// queue, which tries other members, nor for another node, which sends it itself.
    fn push_if_missed(&self, rung: DialOutcome) {
        let status = match rung {
            DialOutcome::NoAnswer => "NOANSWER",
            DialOutcome::Busy => "BUSY",
            DialOutcome::Congested | DialOutcome::Unavailable => "UNAVAILABLE",
            DialOutcome::Over(_) => "CANCELLED",
        };
        let answered = self.channel.get("DIALSTATUS").as_deref() == Some("ANSWER");
        if self.caller_decides || (answered && status == "CANCELLED") {
            return;
        }
        let caller = self.channel.caller().unwrap_or_default();
        let missed = Push::MissedCall {
            caller: &caller,
            status,
        };
        push::send(&self.plan.user, missed);
    }

    /// Rings one stage after the other, or all phones together. The result is busy where
    /// every stage that could ring was busy.
    fn ring(&self) -> DialOutcome {
        let plan = &self.plan;
        if self.caller_decides || self.together {
            let stage = plan.steps.first().map_or(TOGETHER, |step| step.timeout);
            // The caller has a timeout of its own.
            let timeout = (!self.caller_decides).then_some(stage);
            let monitors = plan.monitors.iter().filter(|_| !self.caller_decides);
            return self.dial_all(plan.together.iter().chain(monitors), timeout);
        }
        let mut all = DialOutcome::Unavailable;
        let first = plan.steps.first().map_or(TOGETHER, |step| step.timeout);
        for at in 0..plan.steps.len().max(1) {
            let step = plan.steps.get(at);
            let devices = step.into_iter().flat_map(|step| &step.devices);
            let monitors = plan.monitors.iter().filter(|_| at == 0);
            let timeout = step.map_or(first, |step| step.timeout);
            let outcome = self.dial_all(devices.chain(monitors), Some(timeout));
            all = match (all, outcome) {
                (_, DialOutcome::Over(next)) => return DialOutcome::Over(next),
                (DialOutcome::NoAnswer, _) | (_, DialOutcome::NoAnswer) => DialOutcome::NoAnswer,
                (DialOutcome::Busy, _) | (_, DialOutcome::Busy) => DialOutcome::Busy,
                (DialOutcome::Congested, _) | (_, DialOutcome::Congested) => DialOutcome::Congested,
                _ => DialOutcome::Unavailable,
            };
        }
        all
    }

    /// Rings these devices, each once and never the caller's own.
    fn dial_all<'d>(
        &self,
        devices: impl Iterator<Item = &'d String>,
        timeout: Option<u32>,
    ) -> DialOutcome {
        let mut names: Vec<&str> = Vec::new();
        for device in devices {
            let own = self.device.as_ref() == Some(device);
            if !own && !names.contains(&device.as_str()) {
                names.push(device);
            }
        }
        if names.is_empty() {
            return DialOutcome::Unavailable;
        }
        self.dial(&names.join("&"), timeout, "ANSWERED")
    }

    /// Runs `Dial` for `timeout` seconds; `answered` is the status of an answered call.
    pub fn dial(&self, devices: &str, timeout: Option<u32>, answered: &str) -> DialOutcome {
        let channel = self.channel;
        if channel.hung_up() {
            channel.set(DIALSTATUS, "CANCEL");
            channel.set(STATUS, "CANCELLED");
            return DialOutcome::Over(DialplanNext::HangUp);
        }
        let timeout = timeout.map_or_else(String::new, |seconds| seconds.to_string());
        let args = format!("{devices},{timeout},{}", self.dial_options);
        let next = match channel.run(c"Dial", &args) {
            Ok(next) => next,
            Err(why) => {
                self.warn(&why);
                return DialOutcome::Unavailable;
            }
        };
        let status = channel.get("DIALSTATUS").unwrap_or_default();
        let status = status.as_str();
        match (status, next) {
            ("ANSWER", _) => channel.set(STATUS, answered),
            (_, DialplanNext::HangUp) => channel.set(STATUS, "CANCELLED"),
            ("BUSY", _) => return DialOutcome::Busy,
            ("NOANSWER", _) => return DialOutcome::NoAnswer,
            ("CONGESTION", _) => return DialOutcome::Congested,
            ("CHANUNAVAIL", _) => return DialOutcome::Unavailable,
            // An option of Dial lets the called person decide.
            (other, _) => channel.set(STATUS, other),
        }
        DialOutcome::Over(next)
    }

    /// Logs why the call cannot be handled.
    pub fn warn(&self, why: &dyn std::fmt::Display) {
        let CallPlan { user, block, .. } = &self.plan;
        let by = match block.as_str() {
            "" => String::new(),
            block => format!(" by '{block}'"),
        };
        log::warning(format_args!(
            "The call to '{user}' cannot be handled{by}: {why}; the caller hears busy"
        ));
    }
}
