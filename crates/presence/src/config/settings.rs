//! `[general]`.

use std::sync::Arc;

use super::{
    Definitions, Http, IsTimezone, Origin, Problem, Section, Variable, Webhook, action, handling,
    place, value,
};
use crate::actions::{ActionBlock, Functions};
use crate::calls::Calls;
use crate::combine::{Method, Order, Ranks};
use crate::model::address;
use crate::model::device::PresenceTable;
use crate::model::schedule;
use crate::model::state::{Presence, State};
use crate::model::status::{StatusType, Statuses};
use crate::model::suggest::expected;
use crate::model::words::words;

words! {
    /// Where setting a user's status goes.
    #[derive(Default)]
    pub enum Outgoing: "value" {
        /// To every extension of the user.
        #[default]
        All = "all",
        /// To the default extension.
        Default = "default",
        /// Nowhere: it stays the user's own status.
        None = "none",
    }
}

/// Time ranges, and the status outside them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Hash)]
pub struct Schedule {
    /// The ranges in Asterisk's own form; none for no schedule.
    pub ranges: Vec<Box<str>>,
    /// The time zone, such as `Europe/Berlin`; empty for the system's.
    pub timezone: Box<str>,
    /// What holds outside of all ranges.
    pub outside: Presence,
}

impl Schedule {
    /// What stands for it among a user's sources. It holds a comma, as no address of a
    /// provider does.
    pub fn key(&self) -> String {
        let outside = &self.outside;
        let (state, subtype, message) = (outside.state(), outside.subtype(), outside.message());
        let ranges = self.ranges.join("|");
        format!(
            "schedule,{ranges},{},{state},{subtype},{message}",
            self.timezone
        )
    }
}

/// The statuses that a login and a logout set.
#[derive(Clone, PartialEq, Eq, Debug, Default, Hash)]
pub struct LoginStatuses {
    /// StatusKind the first panel logs in.
    pub login: Option<Arc<StatusType>>,
    /// StatusKind the last panel logs out.
    pub logout: Option<Arc<StatusType>>,
    /// StatusKind the first of the extensions' devices becomes reachable.
    pub register: Option<Arc<StatusType>>,
    /// StatusKind the last of them becomes unreachable.
    pub unregister: Option<Arc<StatusType>>,
    /// Whether they take the place of a status that was chosen by hand.
    pub overrides: bool,
}

/// What `[general]` says and a user may say otherwise. Users of one rule share it.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Rule {
    /// Whether extensions are read and written.
    pub enabled: bool,
    /// How sources are combined.
    pub method: Method,
    /// The order of `method = priority`.
    pub order: Order,
    /// `order`, ready for comparing.
    pub ranks: Ranks,
    /// Where setting a status goes.
    pub outgoing: Outgoing,
    /// What stands before an extension to make its address.
    pub presence_prefix: Arc<str>,
    /// What stands before an extension to make its device.
    pub device_prefix: Arc<str>,
    /// Whether the extensions' devices are sources.
    pub use_devices: bool,
    /// Whether an extension whose device is unavailable takes no part while another
    /// one can.
    pub ignore_unreachable: bool,
    /// What a lamp is shown of a state.
    pub lamp_table: Arc<PresenceTable>,
    /// What a queue is shown of a state.
    pub queue_table: Arc<PresenceTable>,
    /// StatusKind another status than the chosen one holds.
    pub schedule: Schedule,
    /// What login and logout set.
    pub login: LoginStatuses,
    /// What is done when the status changes, in the order in which it is listed.
    pub actions: Vec<Arc<ActionBlock>>,
    /// What is behind `dnd` and `followme` of those.
    pub functions: Arc<Functions>,
    /// How calls are decided.
    pub calls: Calls,
}

impl Default for Rule {
    fn default() -> Self {
        let order = Order::default();
        let table = Arc::<PresenceTable>::default();
        Rule {
            enabled: true,
            method: Method::default(),
            order,
            ranks: Ranks::from(&order),
            outgoing: Outgoing::default(),
            presence_prefix: "CustomPresence:".into(),
            device_prefix: "PJSIP/".into(),
            use_devices: false,
            ignore_unreachable: true,
            lamp_table: table.clone(),
            queue_table: table,
            schedule: Schedule {
                outside: State::Unavailable.into(),
                ..Schedule::default()
            },
            login: LoginStatuses::default(),
            actions: Vec::new(),
            functions: Arc::default(),
            calls: Calls::default(),
        }
    }
}

/// A rule while the options of a section change it.
pub(super) struct Editing<'a> {
    base: &'a Arc<Rule>,
    /// `None` until something differs: most users say nothing of their own.
    rule: Option<Rule>,
    definitions: &'a Definitions,
    is_timezone: IsTimezone<'a>,
    /// The lists that the section has begun: the first of each replaces what
    /// `[general]` says.
    begun: Vec<&'static str>,
}

impl<'a> Editing<'a> {
    /// The options that a rule understands.
    pub const OPTIONS: &'static str = "enabled, method, priority, outgoing, presence_prefix, \
        device_prefix, use_devices, ignore_unreachable, lamp_table, queue_table, schedule, \
        schedule_status, timezone, login_status, logout_status, register_status, \
        unregister_status, login_overrides, action, dnd_on, dnd_off, followme_on, followme_off, \
        handling, mobile_prefix, forward_context, internal_context, trust_caller_id, \
        always_accept, origin_variable";

    /// Begins with that rule.
    pub fn new(
        base: &'a Arc<Rule>,
        definitions: &'a Definitions,
        is_timezone: IsTimezone<'a>,
    ) -> Self {
        Editing {
            base,
            rule: None,
            definitions,
            is_timezone,
            begun: Vec::new(),
        }
    }

    /// The rule that came of it.
    pub fn finish(self) -> Arc<Rule> {
        self.rule.map_or_else(|| self.base.clone(), Arc::new)
    }

    /// Takes one option; `Ok(false)` when it is not one of the rule's. `several` says
    /// that a value may hold several, separated by `;`.
    pub fn set(
        &mut self,
        variable: &Variable,
        several: bool,
        warn: &mut dyn FnMut(String),
    ) -> Result<bool, String> {
        let given = variable.value.as_str();
        let statuses = &self.definitions.statuses;
        let rule = self.rule.get_or_insert_with(|| Rule::clone(self.base));
        match variable.name.to_ascii_lowercase().as_str() {
            "enabled" => rule.enabled = value::boolean(given)?,
            "method" => rule.method = value::method(given)?,
            "outgoing" => rule.outgoing = value::outgoing(given)?,
            "priority" => {
                let (order, missing) = value::order(given)?;
                (rule.order, rule.ranks) = (order, Ranks::from(&order));
                if !missing.is_empty() {
                    let names: Vec<_> = missing.iter().map(|state| state.name()).collect();
                    let names = names.join(", ");
                    warn(format!(
                        "leaves out {names}: put at the end in the default order"
                    ));
                }
            }
            "presence_prefix" => {
                value::prefix(given, "CustomPresence:", address::check)?;
                rule.presence_prefix = given.into();
            }
            "device_prefix" => {
                value::prefix(given, "PJSIP/", |made| value::device(made).map(drop))?;
                rule.device_prefix = given.into();
            }
            "use_devices" => rule.use_devices = value::boolean(given)?,
            "ignore_unreachable" => rule.ignore_unreachable = value::boolean(given)?,
            "lamp_table" => rule.lamp_table = self.definitions.find_presence_table(given)?,
            "queue_table" => rule.queue_table = self.definitions.find_presence_table(given)?,
            "schedule" => {
                if !self.begun.contains(&"schedule") {
                    self.begun.push("schedule");
                    rule.schedule.ranges.clear();
                }
                for range in given.split(|c| several && c == ';').map(str::trim) {
                    schedule::check(range)?;
                    rule.schedule.ranges.push(range.into());
                }
            }
            "schedule_status" => {
                let status = value::status(given, statuses)?;
                let presence = status.maps_to.clone();
                rule.schedule.outside = presence
                    .ok_or_else(|| format!("the status '{given}' is mapped to no state"))?;
            }
            "timezone" => rule.schedule.timezone = value::timezone(given, self.is_timezone)?,
            "login_status" => rule.login.login = value::status_or_none(given, statuses)?,
            "logout_status" => rule.login.logout = value::status_or_none(given, statuses)?,
            "register_status" => rule.login.register = value::status_or_none(given, statuses)?,
            "unregister_status" => {
                rule.login.unregister = value::status_or_none(given, statuses)?;
            }
            "login_overrides" => rule.login.overrides = value::boolean(given)?,
            "action" => {
                let blocks = action::blocks(given, &self.definitions.actions)?;
                if !self.begun.contains(&"action") {
                    self.begun.push("action");
                    rule.actions.clear();
                }
                rule.actions.extend(blocks);
            }
            name => {
                let sets = &self.definitions.handlings;
                if handling::set_calls(&mut rule.calls, name, given, several, sets)? {
                    return Ok(true);
                }
                let functions = &mut rule.functions;
                return action::set_functions(functions, &mut self.begun, name, given, several);
            }
        }
        Ok(true)
    }
}

/// `[general]`, and what it and users may name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// The rule of users who do not say otherwise.
    pub rule: Arc<Rule>,
    /// How long, in milliseconds, after a publish of a user further changes are
    /// gathered into one publish; 0 publishes each.
    pub settle: u32,
    /// What other sections define.
    pub definitions: Arc<Definitions>,
    /// Where events are posted.
    pub webhooks: Vec<Arc<Webhook>>,
    /// What is served over HTTP, and to whom.
    pub http: Arc<Http>,
}

impl Settings {
    pub(super) fn parse(
        sections: &[&Section],
        definitions: Arc<Definitions>,
        is_timezone: IsTimezone<'_>,
        errors: &mut Vec<Problem>,
        warnings: &mut Vec<Problem>,
    ) -> Settings {
        for again in sections.iter().skip(1) {
            errors.push(Problem {
                place: place(Origin::File, again, None),
                message: "the section [general] stands twice, expected one".into(),
            });
        }
        let default = Arc::default();
        let mut editing = Editing::new(&default, &definitions, is_timezone);
        let (mut settle, mut http) = (0, Http::default());
        let options = sections.first().map(|section| {
            let variables = section.variables.iter();
            variables.map(move |variable| (section, variable))
        });
        for (section, variable) in options.into_iter().flatten() {
            let place = || place(Origin::File, section, Some(variable));
            let mut warn = |message| {
                warnings.push(Problem {
                    place: place(),
                    message,
                })
            };
            let taken = if !variable.utf8 {
                Err("the value is not UTF-8".into())
            } else if variable.name.eq_ignore_ascii_case("settle") {
                value::number(&variable.value, 0, 60_000, "milliseconds").map(|ms| settle = ms)
            } else {
                let known = match http.set(variable) {
                    Ok(false) => editing.set(variable, false, &mut warn),
                    taken => taken,
                };
                known.and_then(|known| match known {
                    true => Ok(()),
                    false => {
                        let known = format!("{}, settle, {}", Editing::OPTIONS, Http::OPTIONS);
                        Err(format!(
                            "unknown option{}",
                            expected(&variable.name, &known)
                        ))
                    }
                })
            };
            if let Err(message) = taken {
                errors.push(Problem {
                    place: place(),
                    message,
                });
            }
        }
        Settings {
            rule: editing.finish(),
            settle,
            definitions,
            webhooks: Vec::new(),
            http: Arc::new(http),
        }
    }

    /// The status types.
    pub fn statuses(&self) -> &Arc<Statuses> {
        &self.definitions.statuses
    }
}
