//! Sections of `type = user` and rows of the realtime family.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use super::settings::{Rule, Settings};
use super::{Origin, Problem, Section, Variable, place, value};
use crate::presence::address;

/// One source of a user, in the order of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InputSpec {
    /// The address it reads.
    pub address: Box<str>,
    /// Where in `address` the extension's name begins; `None` for a `source`.
    pub extension_at: Option<u8>,
    /// An extension's device, where it is named.
    pub device: Option<Box<str>>,
    /// The line it stands on: an index into the section's variables.
    pub(in crate::presence) variable: u32,
}

impl InputSpec {
    /// The extension's name, `None` for a `source`.
    pub fn extension(&self) -> Option<&str> {
        self.extension_at.map(|at| &self.address[usize::from(at)..])
    }
}

/// One user, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserSpec {
    /// The name as configured.
    pub name: Arc<str>,
    /// The id that other programs know the user by, when it is not the name.
    pub id: Option<Box<str>>,
    /// The account (tenant) the user belongs to.
    pub account: Arc<str>,
    /// How the user's sources are combined.
    pub rule: Arc<Rule>,
    /// The sources in their order.
    pub inputs: Vec<InputSpec>,
    /// The default extension, as an index into `inputs`.
    pub default: Option<u16>,
    /// Where the user comes from.
    pub origin: Origin,
    /// Its section there, [`UserSpec::NO_SECTION`] for one that was known before.
    pub(in crate::presence) section: u32,
}

impl UserSpec {
    /// Stands for no section at hand.
    pub(in crate::presence) const NO_SECTION: u32 = u32::MAX;
}

/// The most sources a user can have.
const MAX_INPUTS: usize = 250;

const OPTIONS: &str = "type, id, account, extension, default, source";

/// Collects users, sharing what is equal among them.
pub struct Users<'a> {
    settings: &'a Settings,
    specs: Vec<UserSpec>,
    names: HashMap<String, String>,
    rules: HashSet<Arc<Rule>>,
    accounts: HashSet<Arc<str>>,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    unknown_columns: HashSet<String>,
    seen: [u32; 2],
}

impl<'a> Users<'a> {
    /// No users yet.
    pub fn new(settings: &'a Settings) -> Self {
        Users {
            settings,
            specs: Vec::new(),
            names: HashMap::new(),
            rules: HashSet::from([settings.rule.clone()]),
            accounts: HashSet::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            unknown_columns: HashSet::new(),
            seen: [0; 2],
        }
    }

    /// What was collected: users, errors, warnings.
    pub fn finish(self) -> (Vec<UserSpec>, Vec<Problem>, Vec<Problem>) {
        (self.specs, self.errors, self.warnings)
    }

    /// Notes an error of a section, which is left out.
    pub fn problem(
        &mut self,
        origin: Origin,
        section: &Section,
        variable: Option<&Variable>,
        message: String,
    ) {
        self.seen[origin as usize] += u32::from(origin == Origin::File);
        let place = place(origin, section, variable);
        self.errors.push(Problem { place, message });
    }

    /// Takes a section or row; its errors leave it out.
    pub fn add(&mut self, origin: Origin, section: &Section) {
        let index = self.seen[origin as usize];
        self.seen[origin as usize] += 1;
        let mut errors = Vec::new();
        let spec = self.parse(origin, index, section, &mut errors);
        let first = self.names.get(&section.name.to_ascii_lowercase());
        if let Some(first) = first {
            errors.push(Problem {
                place: place(origin, section, None),
                message: format!(
                    "the user '{}' stands twice (first at {first}), expected a name once, \
                     without regard to case",
                    section.name
                ),
            });
        } else {
            let at = place(origin, section, None);
            self.names.insert(section.name.to_ascii_lowercase(), at);
        }
        match errors.is_empty() {
            true => self.specs.push(spec),
            false => self.errors.append(&mut errors),
        }
    }

    fn parse(
        &mut self,
        origin: Origin,
        index: u32,
        section: &Section,
        errors: &mut Vec<Problem>,
    ) -> UserSpec {
        let mut fail = |variable: Option<&Variable>, message: String| {
            let place = place(origin, section, variable);
            errors.push(Problem { place, message });
        };
        if let Err(message) = value::user_name(&section.name) {
            fail(None, message);
        }
        let mut rule = Rule::clone(&self.settings.rule);
        let (mut id, mut account, mut default) = (None, Arc::from("default"), None);
        let mut lines = Vec::new();
        for (line, variable) in section.variables.iter().enumerate() {
            // A NULL column reaches us as an empty one and means: not given.
            if origin == Origin::Realtime && variable.value.is_empty() {
                continue;
            }
            if !variable.utf8 {
                fail(Some(variable), "the value is not UTF-8".into());
                continue;
            }
            let mut warn = |message| {
                let place = place(origin, section, Some(variable));
                self.warnings.push(Problem { place, message });
            };
            let given = variable.value.as_str();
            let taken = match variable.name.to_ascii_lowercase().as_str() {
                "type" => Ok(()),
                "name" if origin == Origin::Realtime => Ok(()),
                "id" => value::identifier(given).map(|given| id = Some(given.into())),
                "account" => value::identifier(given).map(|given| account = given.into()),
                "default" => {
                    default = Some((variable, given));
                    Ok(())
                }
                "extension" | "source" => {
                    lines.push((line as u32, variable));
                    Ok(())
                }
                other => match rule.set(variable, &mut warn) {
                    Ok(true) => Ok(()),
                    Ok(false) if origin == Origin::Realtime => {
                        if self.unknown_columns.insert(other.to_owned()) {
                            warn(format!(
                                "unknown column, ignored; known are {OPTIONS}, {}",
                                Rule::OPTIONS
                            ));
                        }
                        Ok(())
                    }
                    Ok(false) => Err(format!(
                        "unknown option, expected {OPTIONS}, {}",
                        Rule::OPTIONS
                    )),
                    Err(message) => Err(message),
                },
            };
            if let Err(message) = taken {
                fail(Some(variable), message);
            }
        }
        // The prefix may stand after the extensions, so these come last.
        let mut inputs: Vec<InputSpec> = Vec::with_capacity(lines.len());
        for (line, variable) in lines {
            let several = origin == Origin::Realtime;
            for part in variable.value.split(|c| several && c == ';') {
                match input(&rule, line, variable, part.trim(), &inputs) {
                    Ok(input) => inputs.push(input),
                    Err(message) => fail(Some(variable), message),
                }
            }
        }
        if inputs.len() > MAX_INPUTS {
            fail(
                None,
                format!("{} sources, expected at most {MAX_INPUTS}", inputs.len()),
            );
        }
        let extension = |name: Option<&str>| {
            let mut all = inputs.iter();
            all.position(|input| {
                input
                    .extension()
                    .is_some_and(|e| name.is_none_or(|n| n == e))
            })
        };
        let default = match default {
            None => extension(None),
            Some((variable, given)) => extension(Some(given)).or_else(|| {
                let given = crate::presence::assignment::shown(given);
                let message = format!("'{given}', expected one of the user's extensions");
                fail(Some(variable), message);
                None
            }),
        };
        UserSpec {
            name: section.name.as_str().into(),
            id,
            account: shared(&mut self.accounts, account),
            rule: shared(&mut self.rules, Arc::new(rule)),
            inputs,
            default: default.map(|at| at as u16),
            origin,
            section: index,
        }
    }
}

/// The one of `known` that equals `value`, which joins them when it is new.
fn shared<T: ?Sized + Eq + Hash>(known: &mut HashSet<Arc<T>>, value: Arc<T>) -> Arc<T> {
    if let Some(known) = known.get(&value) {
        return known.clone();
    }
    known.insert(value.clone());
    value
}

/// One `extension` or `source`.
fn input(
    rule: &Rule,
    line: u32,
    variable: &Variable,
    given: &str,
    others: &[InputSpec],
) -> Result<InputSpec, String> {
    let mut device = None;
    let (address, extension_at) = if variable.name.eq_ignore_ascii_case("source") {
        (given.to_owned(), None)
    } else {
        let (extension, named) = match given.split_once(',') {
            Some((extension, device)) => (extension.trim(), Some(value::device(device.trim())?)),
            None => (given, None),
        };
        if extension.is_empty() {
            return Err("empty, expected an extension such as 200 or 200,PJSIP/desk-200".into());
        }
        device = named;
        let address = format!("{}{extension}", rule.presence_prefix);
        let at = u8::try_from(rule.presence_prefix.len());
        (
            address,
            Some(at.map_err(|_| "the presence_prefix is too long")?),
        )
    };
    address::check(&address)?;
    if others
        .iter()
        .any(|other| address::same(&other.address, &address))
    {
        return Err(format!(
            "'{given}' stands twice for this user, expected it once"
        ));
    }
    Ok(InputSpec {
        address: address.into(),
        extension_at,
        device,
        variable: line,
    })
}
