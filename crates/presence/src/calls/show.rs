//! What is shown of a plan: the fields of `USER_PRESENCE_ROUTE()`, a table, sentences.

use std::fmt;

use serde::Serialize;

use super::{CallOrigin, Plan, Step, Target};
use crate::directory::UserId;
use crate::model::state::{Presence, State};
use crate::model::text::quoted;
use crate::views::fields::Query as UserQuery;
use crate::world::World;

/// `210@default`, `voicemail:200@default`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Location {
                extension, context, ..
            } => write!(f, "{extension}@{context}"),
            Target::Voicemail { mailbox } => write!(f, "voicemail:{mailbox}"),
        }
    }
}

/// A field of `USER_PRESENCE_ROUTE(user,origin,field)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    Summary,
    State,
    Status,
    Block,
    Refused,
    Always,
    First,
    FirstTimeout,
    Second,
    SecondTimeout,
    NoAnswer,
    Busy,
    Together,
    Monitors,
    Push,
    Note,
    Json,
}

impl Field {
    const ALL: [(&'static str, Field); 16] = [
        ("state", Field::State),
        ("status", Field::Status),
        ("block", Field::Block),
        ("refused", Field::Refused),
        ("always", Field::Always),
        ("first", Field::First),
        ("first_timeout", Field::FirstTimeout),
        ("second", Field::Second),
        ("second_timeout", Field::SecondTimeout),
        ("noanswer", Field::NoAnswer),
        ("busy", Field::Busy),
        ("together", Field::Together),
        ("monitors", Field::Monitors),
        ("push", Field::Push),
        ("note", Field::Note),
        ("json", Field::Json),
    ];

    fn parse(name: &str) -> Result<Self, String> {
        let named = |(known, _): &&(&str, Field)| known.eq_ignore_ascii_case(name);
        let found = Field::ALL.iter().find(named).map(|(_, field)| *field);
        found.ok_or_else(|| {
            let known = Field::ALL.map(|(name, _)| name).join(", ");
            let known = crate::model::suggest::expected(name, &known);
            format!("unknown field '{}'{known}", quoted(name))
        })
    }
}

/// The parsed arguments `user,origin[,field]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query<'a> {
    user: &'a str,
    origin: CallOrigin,
    field: Field,
}

impl<'a> Query<'a> {
    /// Parses the arguments.
    ///
    /// # Errors
    /// One message that names the argument and what was expected.
    pub fn parse(arguments: &'a str) -> Result<Self, String> {
        const EXPECTED: &str = "expected user,internal or user,external, then perhaps a field";
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
            None | Some("") => Field::Summary,
            Some(name) => Field::parse(name)?,
        };
        Ok(Query {
            user,
            origin,
            field,
        })
    }

    /// The answer.
    ///
    /// # Errors
    /// Says that there is no such user.
    pub fn answer(&self, world: &World) -> Result<String, String> {
        let user = UserQuery::find(world, self.user)?;
        let plan = Plan::of(world, user, self.origin);
        let step = |at: usize| plan.steps.get(at);
        let devices = |at| step(at).map_or_else(String::new, |step: &Step| step.devices.join("&"));
        let timeout = |at| step(at).map_or_else(String::new, |step| step.timeout.to_string());
        let target = |target: &Option<Target>| text(target.as_ref());
        Ok(match self.field {
            Field::Summary => plan.summary(),
            Field::State => plan.state.name().to_owned(),
            Field::Status => plan.status,
            Field::Block => plan.block,
            Field::Refused => plan.refused.unwrap_or_default().to_owned(),
            Field::Always => target(&plan.always),
            Field::First => devices(0),
            Field::FirstTimeout => timeout(0),
            Field::Second => devices(1),
            Field::SecondTimeout => timeout(1),
            Field::NoAnswer => target(&plan.no_answer),
            Field::Busy => target(&plan.busy),
            Field::Together => plan.together.join("&"),
            Field::Monitors => plan.monitors.join("&"),
            Field::Push => if plan.push { "yes" } else { "no" }.to_owned(),
            Field::Note => plan.note,
            Field::Json => plan.json(),
        })
    }
}

fn text(target: Option<&Target>) -> String {
    target.map_or_else(String::new, Target::to_string)
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
    steps: &'a [Step],
    noanswer: Option<String>,
    busy: Option<String>,
    together: &'a [String],
    monitors: &'a [String],
    push: bool,
    note: &'a str,
}

impl Plan {
    /// The whole as one JSON object.
    pub fn json(&self) -> String {
        let target = |target: &Option<Target>| target.as_ref().map(Target::to_string);
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
            push: self.push,
            note: &self.note,
        };
        // Plain texts and numbers always serialise.
        serde_json::to_string(&view).unwrap_or_default()
    }

    /// The whole in one line, such as `PJSIP/200 20s, then voicemail:200@default, busy
    /// 210@default`.
    pub fn summary(&self) -> String {
        if let Some(why) = self.refused {
            return format!("refused {why}");
        }
        if let Some(always) = &self.always {
            return always.to_string();
        }
        let steps = self.steps.iter().map(stage);
        let then = self.no_answer.iter().map(Target::to_string);
        let mut summary = steps.chain(then).collect::<Vec<_>>().join(", then ");
        if summary.is_empty() {
            "nobody rings".clone_into(&mut summary);
        }
        match &self.busy {
            Some(busy) => format!("{summary}, busy {busy}"),
            None => summary,
        }
    }

    /// What a caller notices of it, without what it is called.
    fn difference(&self) -> impl PartialEq + '_ {
        let targets = (&self.always, &self.no_answer, &self.busy);
        (targets, &self.steps, self.push, &self.note)
    }
}

/// `PJSIP/200&PJSIP/201 20s`
fn stage(step: &Step) -> String {
    format!("{} {}s", step.devices.join("&"), step.timeout)
}

/// One line of the table of a user's plans.
pub type Row = [String; 10];

/// The heads of the table.
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

/// The plans of a user by status, for internal and for external calls: those that differ,
/// and one for all other statuses. `*` marks the present one.
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
    // What is now may be a pair that no type maps to: its status was only recorded.
    let statuses = statuses.map(|(mapped, name)| match name == now {
        true => (state, name),
        false => (mapped, name),
    });
    let statuses: Vec<(State, &str)> = statuses.collect();
    let plans = |(state, name): (State, &str)| {
        CallOrigin::ALL.map(|origin| Plan::in_status(world, user, origin, state, name))
    };
    let ordinary = |(state, name): &&(State, &str)| {
        *state != State::Dnd && handling.is_none_or(|h| h.block(*state, name).is_none())
    };
    let others = statuses.iter().find(ordinary).copied().map(plans);
    let same = |plans: &[Plan; 2]| {
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

fn row(mark: &str, status: &str, plan: &Plan) -> Row {
    let or_dash = |text: String| match text.is_empty() {
        true => "-".to_owned(),
        false => text,
    };
    let step = |at: usize| or_dash(plan.steps.get(at).map_or_else(String::new, stage));
    let target = |target: &Option<Target>| or_dash(text(target.as_ref()));
    [
        mark.to_owned(),
        status.to_owned(),
        plan.origin.name().to_owned(),
        target(&plan.always),
        step(0),
        step(1),
        target(&plan.no_answer),
        target(&plan.busy),
        if plan.push { "yes" } else { "no" }.to_owned(),
        or_dash(plan.block.clone()),
    ]
}
