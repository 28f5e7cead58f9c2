//! `[general]`.

use std::sync::Arc;

use super::{Origin, Problem, Section, Variable, place, value};
use crate::presence::address;
use crate::presence::combine::{Method, Order, Ranks};

/// Where setting a user's status goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Outgoing {
    /// To every extension of the user.
    #[default]
    All,
    /// To the default extension.
    Default,
    /// Nowhere: it stays the user's own status.
    None,
}

impl Outgoing {
    /// The configuration's words, for messages that say what was expected.
    pub const EXPECTED: &'static str = "all, default or none";

    /// The configuration's word.
    pub const fn name(self) -> &'static str {
        match self {
            Outgoing::All => "all",
            Outgoing::Default => "default",
            Outgoing::None => "none",
        }
    }

    /// The value of that name, without regard to case.
    pub fn parse(name: &str) -> Option<Self> {
        [Outgoing::All, Outgoing::Default, Outgoing::None]
            .into_iter()
            .find(|outgoing| outgoing.name().eq_ignore_ascii_case(name))
    }
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
}

impl Default for Rule {
    fn default() -> Self {
        let order = Order::default();
        Rule {
            enabled: true,
            method: Method::default(),
            order,
            ranks: Ranks::from(&order),
            outgoing: Outgoing::default(),
            presence_prefix: "CustomPresence:".into(),
        }
    }
}

impl Rule {
    /// The options that a rule understands.
    pub const OPTIONS: &'static str = "enabled, method, priority, outgoing, presence_prefix";

    /// Takes one option; `Ok(false)` when it is not one of the rule's.
    pub(super) fn set(
        &mut self,
        variable: &Variable,
        warn: &mut dyn FnMut(String),
    ) -> Result<bool, String> {
        let given = variable.value.as_str();
        match variable.name.to_ascii_lowercase().as_str() {
            "enabled" => self.enabled = value::boolean(given)?,
            "method" => self.method = value::method(given)?,
            "outgoing" => self.outgoing = value::outgoing(given)?,
            "priority" => {
                let (order, missing) = value::order(given)?;
                (self.order, self.ranks) = (order, Ranks::from(&order));
                if !missing.is_empty() {
                    let names: Vec<_> = missing.iter().map(|state| state.name()).collect();
                    let names = names.join(", ");
                    warn(format!(
                        "leaves out {names}: put at the end in the default order"
                    ));
                }
            }
            "presence_prefix" => {
                address::check(&format!("{given}x"))?;
                self.presence_prefix = given.into();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// `[general]`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// The rule of users who do not say otherwise.
    pub rule: Arc<Rule>,
    /// How long, in milliseconds, after a publish of a user further changes are
    /// gathered into one publish; 0 publishes each.
    pub settle: u32,
}

impl Settings {
    pub(super) fn parse(
        section: &Section,
        errors: &mut Vec<Problem>,
        warnings: &mut Vec<Problem>,
    ) -> Settings {
        let mut rule = Rule::default();
        let mut settle = 0;
        for variable in &section.variables {
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
                rule.set(variable, &mut warn).and_then(|known| match known {
                    true => Ok(()),
                    false => Err(format!(
                        "unknown option, expected {}, settle",
                        Rule::OPTIONS
                    )),
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
            rule: Arc::new(rule),
            settle,
        }
    }
}
