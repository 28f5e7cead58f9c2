//! Shows a plan: the fields of `USER_PRESENCE_ROUTE()`, a summary, JSON and a table.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{CallOrigin, CallPlan, Destination, Elsewhere, PlanItem, RingStep, SetBy};
use crate::directory::UserId;
use crate::model::state::{Presence, State};
use crate::model::words::words;
use crate::world::World;

/// `210@default` or `voicemail:200@default`.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Extension {
                extension, context, ..
            } => write!(f, "{extension}@{context}"),
            Destination::Voicemail { mailbox } => write!(f, "voicemail:{mailbox}"),
        }
    }
}

words! {
    /// A field of `USER_PRESENCE_ROUTE(user,origin,field)`.
    enum RouteField: "field" {
        State = "state",
        Status = "status",
        Block = "block",
        Refused = "refused",
        Always = "always",
        First = "first",
        FirstTimeout = "first_timeout",
        Second = "second",
        SecondTimeout = "second_timeout",
        NoAnswer = "noanswer",
        Busy = "busy",
        Together = "together",
        Monitors = "monitors",
        Elsewhere = "elsewhere",
        Push = "push",
        Note = "note",
        Greeting = "greeting",
        Own = "own",
        SetBy = "set_by",
        Ignored = "ignored",
        Json = "json",
    }
}

/// The parsed arguments `user,origin[,field]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RouteQuery<'a> {
    user: &'a str,
    origin: CallOrigin,
    /// The field to read; `None` for the summary.
    field: Option<RouteField>,
}

impl<'a> RouteQuery<'a> {
    /// Parses the arguments.
    ///
    /// # Errors
    /// A message that names the wrong argument and the expected form.
    pub fn parse(arguments: &'a str) -> Result<Self, String> {
        const EXPECTED: &str = "expected user,internal or user,external, and optionally a field";
        let mut parts = arguments.splitn(3, ',').map(str::trim);
        let user = parts.next().unwrap_or_default();
        if user.is_empty() {
            return Err(format!("the user is missing, {EXPECTED}"));
        }
        let origin = match parts.next() {
            None | Some("") => return Err(format!("the origin is missing, {EXPECTED}")),
            Some(origin) => CallOrigin::parse(origin)?,
        };
        let field = match parts.next() {
            None | Some("") => None,
            Some(name) => Some(RouteField::parse(name)?),
        };
        Ok(RouteQuery {
            user,
            origin,
            field,
        })
    }

    /// Reads the field for a call to the user now.
    ///
    /// # Errors
    /// A message that there is no such user.
    pub fn answer(&self, world: &World) -> Result<String, String> {
        let user = world.find(self.user)?;
        let plan = CallPlan::of(world, user, self.origin);
        let step = |at: usize| plan.steps.get(at);
        let devices =
            |at| step(at).map_or_else(String::new, |step: &RingStep| step.devices.join("&"));
        let timeout = |at| step(at).map_or_else(String::new, |step| step.timeout.to_string());
        let target = |target: &Option<Destination>| text(target.as_ref());
        let Some(field) = self.field else {
            return Ok(plan.summary());
        };
        Ok(match field {
            RouteField::State => plan.state.name().to_owned(),
            RouteField::Status => plan.status,
            RouteField::Block => plan.block,
            RouteField::Refused => plan.refused.unwrap_or_default().to_owned(),
            RouteField::Always => target(&plan.always),
            RouteField::First => devices(0),
            RouteField::FirstTimeout => timeout(0),
            RouteField::Second => devices(1),
            RouteField::SecondTimeout => timeout(1),
            RouteField::NoAnswer => target(&plan.no_answer),
            RouteField::Busy => target(&plan.busy),
            RouteField::Together => plan.together.join("&"),
            RouteField::Monitors => plan.monitors.join("&"),
            RouteField::Elsewhere => {
                let elsewhere = plan.elsewhere.iter().map(ToString::to_string);
                elsewhere.collect::<Vec<_>>().join("; ")
            }
            RouteField::Push => if plan.push { "yes" } else { "no" }.to_owned(),
            RouteField::Note => plan.note,
            RouteField::Greeting => {
                let greeting = plan.greeting.as_ref();
                greeting.map_or_else(String::new, ToString::to_string)
            }
            RouteField::Own => plan.own_items().collect::<Vec<_>>().join(","),
            RouteField::SetBy => {
                let set_by = plan.set_by.iter();
                let set_by = set_by.map(|(item, by)| format!("{item}={by}"));
                set_by.collect::<Vec<_>>().join(",")
            }
            RouteField::Ignored => {
                let ignored = plan.ignored.iter().map(ToString::to_string);
                ignored.collect::<Vec<_>>().join("; ")
            }
            RouteField::Json => plan.json(),
        })
    }
}

fn text(target: Option<&Destination>) -> String {
    target.map_or_else(String::new, Destination::to_string)
}

#[derive(Serialize)]
struct PlanView<'a> {
    user: &'a str,
    origin: &'static str,
    state: &'static str,
    status: &'a str,
    block: &'a str,
    refused: Option<&'static str>,
    always: Option<String>,
    steps: &'a [RingStep],
    noanswer: Option<String>,
    busy: Option<String>,
    together: &'a [String],
    monitors: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    elsewhere: &'a [Elsewhere],
    push: bool,
    note: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    greeting: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    own: Vec<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    set_by: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignored: Vec<String>,
}

impl CallPlan {
    /// The whole plan as one JSON object.
    pub fn json(&self) -> String {
        let target = |target: &Option<Destination>| target.as_ref().map(Destination::to_string);
        let view = PlanView {
            user: &self.user,
            origin: self.origin.name(),
            state: self.state.name(),
            status: &self.status,
            block: &self.block,
            refused: self.refused,
            always: target(&self.always),
            steps: &self.steps,
            noanswer: target(&self.no_answer),
            busy: target(&self.busy),
            together: &self.together,
            monitors: &self.monitors,
            elsewhere: &self.elsewhere,
            push: self.push,
            note: &self.note,
            greeting: self.greeting.as_ref().map(ToString::to_string),
            own: self.own_items().collect(),
            set_by: {
                let set_by = self.set_by.iter();
                set_by
                    .map(|(item, by)| (item.name(), by.to_string()))
                    .collect()
            },
            ignored: self.ignored.iter().map(ToString::to_string).collect(),
        };
        // Plain texts and numbers always serialise.
        serde_json::to_string(&view).unwrap_or_default()
    }

    /// The whole plan in one line, such as `PJSIP/200 20s, then voicemail:200@default, busy
    /// 210@default`.
    pub fn summary(&self) -> String {
        if let Some(why) = self.refused {
            return format!("refused {why}");
        }
        if let Some(always) = &self.always {
            return always.to_string();
        }
        let steps = self.steps.iter().map(stage);
        let then = self.no_answer.iter().map(Destination::to_string);
        let mut summary = steps.chain(then).collect::<Vec<_>>().join(", then ");
        if summary.is_empty() {
            "nothing rings".clone_into(&mut summary);
        }
        match &self.busy {
            Some(busy) => format!("{summary}, busy {busy}"),
            None => summary,
        }
    }

    /// The names of the items that are the user's own settings.
    pub(super) fn own_items(&self) -> impl Iterator<Item = &'static str> {
        let own = self.set_by.iter().filter(|(_, by)| by.is_own());
        own.map(|(item, _)| item.name())
    }

    /// The parts of the plan that the table compares.
    fn difference(&self) -> impl PartialEq + '_ {
        let own: Vec<_> = self.own_items().collect();
        let targets = (&self.always, &self.no_answer, &self.busy, own);
        (targets, &self.steps, self.push, &self.note)
    }

    /// Whether one of the items is the user's own setting.
    fn any_own(&self, items: &[PlanItem]) -> bool {
        let mut set_by = self.set_by.iter();
        set_by.any(|(item, by)| matches!(by, SetBy::Own(_)) && items.contains(item))
    }
}

/// A stage, such as `PJSIP/200&PJSIP/201 20s`.
fn stage(step: &RingStep) -> String {
    format!("{} {}s", step.devices.join("&"), step.timeout)
}

/// One row of the table of a user's plans, in the columns of [`HEADS`].
pub type Row = [String; 10];

/// The column headers of the table of a user's plans.
pub const HEADS: [&str; 10] = [
    "",
    "Status",
    "Call",
    "Always",
    "First",
    "Second",
    "No answer",
    "Busy",
    "Push",
    "Section",
];

/// The plans of a user for internal and external calls: a pair of rows for each status with
/// a plan of its own, and one pair for all other statuses. `*` marks the present status.
pub fn table(world: &World, user: UserId) -> Vec<Row> {
    let state = world.outcome(user).presence.state();
    let now = world
        .combined_status(user)
        .map_or(state.name(), |status| &status.name);
    let handling = world.directory().get(user).rule.calls.handling.as_deref();
    let statuses = world.directory().settings.statuses();
    let statuses = statuses.iter().map(|status| {
        let mapped = status.maps_to.as_ref().map(Presence::state);
        (mapped.unwrap_or(state), &*status.name)
    });
    // The present state may differ from the state that the present status maps to, for example
    // if the status was recorded only.
    let statuses = statuses.map(|(mapped, name)| match name == now {
        true => (state, name),
        false => (mapped, name),
    });
    let statuses: Vec<(State, &str)> = statuses.collect();
    let plans = |(state, name): (State, &str)| {
        CallOrigin::ALL.map(|origin| CallPlan::in_status(world, user, origin, state, name))
    };
    let own = world.own_settings(user);
    let is_own = |state: State, name: &str| {
        let mut statuses = own.into_iter().flat_map(|own| own.statuses());
        let names = [name, state.name()];
        statuses.any(|it| {
            names
                .iter()
                .any(|name| it.status.eq_ignore_ascii_case(name))
        })
    };
    let ordinary = |(state, name): &&(State, &str)| {
        *state != State::Dnd
            && handling.is_none_or(|h| h.block(*state, name).is_none())
            && !is_own(*state, name)
    };
    let others = statuses.iter().find(ordinary).copied().map(plans);
    let same = |plans: &[CallPlan; 2]| {
        others.as_ref().is_some_and(|others| {
            let mut pairs = others.iter().zip(plans);
            pairs.all(|(other, plan)| other.difference() == plan.difference())
        })
    };
    let mut rows = Vec::new();
    let mut marked = false;
    for status in statuses {
        let plans = plans(status);
        if !same(&plans) {
            marked |= status.1 == now;
            let mark = if status.1 == now { "*" } else { "" };
            rows.extend(plans.iter().map(|plan| row(mark, status.1, plan)));
        }
    }
    let name = if rows.is_empty() { "any" } else { "any other" };
    let mark = if marked { "" } else { "*" };
    let others = others.iter().flatten();
    rows.extend(others.map(|plan| row(mark, name, plan)));
    rows
}

fn row(mark: &str, status: &str, plan: &CallPlan) -> Row {
    let or_dash = |text: String| match text.is_empty() {
        true => "-".to_owned(),
        false => text,
    };
    let own = |items: &[PlanItem]| match plan.any_own(items) {
        true => " (own)",
        false => "",
    };
    let step = |at: usize, item: PlanItem| match plan.steps.get(at) {
        None => "-".to_owned(),
        Some(step) => {
            let own = own(&[item, PlanItem::Timeout, PlanItem::Mobile]);
            format!("{}{own}", stage(step))
        }
    };
    let target = |target: &Option<Destination>, item: PlanItem| {
        let target = text(target.as_ref());
        match (plan.own(item), target.as_str()) {
            (None, _) => or_dash(target),
            (Some(_), "") => "none (own)".to_owned(),
            (Some(_), target) => format!("{target} (own)"),
        }
    };
    let push = if plan.push { "yes" } else { "no" };
    [
        mark.to_owned(),
        status.to_owned(),
        plan.origin.name().to_owned(),
        target(&plan.always, PlanItem::Always),
        step(0, PlanItem::First),
        step(1, PlanItem::Second),
        target(&plan.no_answer, PlanItem::NoAnswer),
        target(&plan.busy, PlanItem::Busy),
        format!("{push}{}", own(&[PlanItem::Push])),
        or_dash(plan.block.clone()),
    ]
}
