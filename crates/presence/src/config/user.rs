//! Sections of `type = user` and rows of the realtime family.

use std::borrow::Cow;
use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::settings::{Editing, Rule, Settings};
use super::{
    Definitions, IsTimezone, Origin, Problem, Section, Variable, action, handling, place, value,
};
use crate::calls::Reach;
use crate::model::address;
use crate::model::device::DeviceTable;
use crate::model::suggest::{did_you_mean, expected};
use crate::model::text::quoted;

pub use crate::model::input::InputKind;

/// One source of a user, in the order of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InputSpec {
    /// What it is.
    pub kind: InputKind,
    /// The address it reads; for what is no presence provider's, a name with a comma.
    pub address: Box<str>,
    /// The device that it reads, or an extension's own.
    pub device: Option<Box<str>>,
    /// What the device's states mean, where they are the source.
    pub table: Option<Arc<DeviceTable>>,
    /// The line it stands on: an index into the section's variables.
    pub(crate) variable: u32,
}

impl InputSpec {
    /// The extension's name, `None` for other sources.
    pub fn extension(&self) -> Option<&str> {
        match self.kind {
            InputKind::Extension { at } => Some(&self.address[usize::from(at)..]),
            _ => None,
        }
    }

    /// A device as a source.
    fn device(kind: InputKind, device: Box<str>, table: Arc<DeviceTable>, variable: u32) -> Self {
        InputSpec {
            kind,
            // With commas, so that it is no provider's address.
            address: format!("device,{device},{}", table.name).into(),
            device: Some(device),
            table: Some(table),
            variable,
        }
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
    /// The interface that is the user's in queues, where it is named.
    pub member: Option<Box<str>>,
    /// By what the user is reached, where anything is named.
    pub reach: Option<Box<Reach>>,
    /// Where the user comes from.
    pub origin: Origin,
    /// Its section there, [`UserSpec::NO_SECTION`] for one that was known before.
    pub(crate) section: u32,
}

impl UserSpec {
    /// Stands for no section at hand.
    pub(crate) const NO_SECTION: u32 = u32::MAX;
}

/// The most sources a user can have.
const MAX_INPUTS: usize = 250;

const OPTIONS: &str = "type, id, account, extension, default, source, device, member, \
    endpoint, mobile, mailbox, monitor";

/// Collects users, sharing what is equal among them.
pub struct Users<'a> {
    settings: &'a Settings,
    is_timezone: IsTimezone<'a>,
    specs: Vec<UserSpec>,
    names: HashMap<String, (Origin, &'a Section), FxBuildHasher>,
    rules: HashSet<Arc<Rule>>,
    /// The account of users who name none.
    account: Arc<str>,
    accounts: HashSet<Arc<str>>,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    unknown_columns: HashSet<String>,
}

impl<'a> Users<'a> {
    /// No users yet.
    pub fn new(settings: &'a Settings, is_timezone: IsTimezone<'a>) -> Self {
        Users {
            settings,
            is_timezone,
            specs: Vec::new(),
            names: HashMap::default(),
            rules: HashSet::from([settings.rule.clone()]),
            account: "default".into(),
            accounts: HashSet::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            unknown_columns: HashSet::new(),
        }
    }

    /// What was collected: users, errors, warnings.
    pub fn finish(self) -> (Vec<UserSpec>, Vec<Problem>, Vec<Problem>) {
        (self.specs, self.errors, self.warnings)
    }

    /// Takes a section or row, the one of that index among all; its errors leave it out.
    pub fn add(&mut self, origin: Origin, index: usize, section: &'a Section) {
        let mut errors = Vec::new();
        let spec = self.parse(origin, index as u32, section, &mut errors);
        match self.names.entry(section.name.to_ascii_lowercase()) {
            Entry::Occupied(first) => {
                let (of, first) = first.get();
                let first = place(*of, first, None);
                errors.push(Problem {
                    place: place(origin, section, None),
                    message: format!(
                        "the user '{}' stands twice (first at {first}), expected a name once, \
                         without regard to case",
                        section.name
                    ),
                });
            }
            Entry::Vacant(new) => {
                new.insert((origin, section));
            }
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
        if let Err(message) = value::name(&section.name, "a user's name") {
            fail(None, message);
        }
        let mut editing = Editing::new(
            &self.settings.rule,
            &self.settings.definitions,
            self.is_timezone,
        );
        let (mut id, mut account, mut default) = (None, None, None);
        let (mut member, mut reach, mut lines) = (None, None, Vec::new());
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
            let taken = match &*small(&variable.name) {
                "type" => Ok(()),
                "name" if origin == Origin::Realtime => Ok(()),
                "id" => value::identifier(given).map(|given| id = Some(given.into())),
                "account" => value::identifier(given).map(|given| account = Some(Arc::from(given))),
                "default" => {
                    default = Some((variable, given));
                    Ok(())
                }
                "member" => action::member(given).map(|given| member = Some(given)),
                "extension" | "source" | "device" => {
                    lines.push((line as u32, variable));
                    Ok(())
                }
                "endpoint" | "mobile" | "mailbox" | "monitor" => {
                    let several = origin == Origin::Realtime;
                    let name = variable.name.to_ascii_lowercase();
                    handling::set_reach(&mut reach, &name, given, several).map(drop)
                }
                other => match editing.set(variable, origin == Origin::Realtime, &mut warn) {
                    Ok(true) => Ok(()),
                    Ok(false) if origin == Origin::Realtime => {
                        if self.unknown_columns.insert(other.to_owned()) {
                            let known = format!("{OPTIONS}, {}", Editing::OPTIONS);
                            warn(format!(
                                "unknown column, ignored{}; known are {known}",
                                did_you_mean(other, &known)
                            ));
                        }
                        Ok(())
                    }
                    Ok(false) => {
                        let known = format!("{OPTIONS}, {}", Editing::OPTIONS);
                        Err(format!("unknown option{}", expected(other, &known)))
                    }
                    Err(message) => Err(message),
                },
            };
            if let Err(message) = taken {
                fail(Some(variable), message);
            }
        }
        // The prefix may stand after the extensions, so these come last.
        let rule = editing.finish();
        let mut inputs: Vec<InputSpec> = Vec::with_capacity(lines.len());
        for (line, variable) in lines {
            let several = origin == Origin::Realtime;
            for part in variable.value.split(|c| several && c == ';') {
                let input = input(
                    &rule,
                    &self.settings.definitions,
                    line,
                    variable,
                    part.trim(),
                );
                match input.and_then(|input| once(input, part, &inputs)) {
                    Ok(input) => {
                        if let Some(message) = looks_like_a_device(&input) {
                            let place = place(origin, section, Some(variable));
                            self.warnings.push(Problem { place, message });
                        }
                        inputs.push(input);
                    }
                    Err(message) => fail(Some(variable), message),
                }
            }
        }
        if rule.use_devices {
            inputs = with_devices(inputs, &self.settings.definitions);
        }
        if !rule.schedule.ranges.is_empty() {
            let key = rule.schedule.key();
            match address::check_length(&key) {
                Ok(()) => inputs.push(InputSpec {
                    kind: InputKind::Schedule,
                    address: key.into(),
                    device: None,
                    table: None,
                    variable: 0,
                }),
                Err(why) => fail(None, format!("the schedule {why}")),
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
                let given = quoted(given);
                let message = format!("'{given}', expected one of the user's extensions");
                fail(Some(variable), message);
                None
            }),
        };
        UserSpec {
            name: section.name.as_str().into(),
            id,
            account: match account {
                Some(account) => shared(&mut self.accounts, account),
                None => self.account.clone(),
            },
            rule: match Arc::ptr_eq(&rule, &self.settings.rule) {
                true => rule,
                false => shared(&mut self.rules, rule),
            },
            inputs,
            default: default.map(|at| at as u16),
            member,
            reach,
            origin,
            section: index,
        }
    }
}

/// In small letters, as most options are.
fn small(name: &str) -> Cow<'_, str> {
    match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => name.to_ascii_lowercase().into(),
        false => name.into(),
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

/// One `extension`, `source` or `device`.
fn input(
    rule: &Rule,
    definitions: &Definitions,
    line: u32,
    variable: &Variable,
    given: &str,
) -> Result<InputSpec, String> {
    let (first, second) = match given.split_once(',') {
        Some((first, second)) => (first.trim(), Some(second.trim())),
        None => (given, None),
    };
    let (kind, address, device) = match &*small(&variable.name) {
        "device" => {
            let device = value::device(first)?;
            let label = device.split([':', '/']).next().unwrap_or_default();
            let mut meetings =
                [DeviceTable::MEETING, "confbridge", "meetme", "calendar"].into_iter();
            let by_label = meetings.any(|known| known.eq_ignore_ascii_case(label));
            let table = match (second, by_label) {
                (Some(name), _) => name,
                (None, true) => DeviceTable::MEETING,
                (None, false) => DeviceTable::DEVICE,
            };
            let table = definitions.find_device_table(table)?;
            let meeting = by_label || table.name.eq_ignore_ascii_case(DeviceTable::MEETING);
            // Only a channel technology's devices can be called.
            let phone = device[label.len()..].starts_with('/');
            let kind = match (meeting, phone) {
                (true, _) => InputKind::Meeting,
                (false, true) => InputKind::Device,
                (false, false) => InputKind::Custom,
            };
            let input = InputSpec::device(kind, device, table, line);
            address::check_length(&input.address)?;
            return Ok(input);
        }
        "source" => (InputKind::Source, given.to_owned(), None),
        _ if first.is_empty() => {
            return Err("empty, expected an extension such as 200 or 200,PJSIP/desk-200".into());
        }
        _ => {
            let device = match second {
                Some(device) => value::device(device)?,
                None => format!("{}{first}", rule.device_prefix).into(),
            };
            let at = u8::try_from(rule.presence_prefix.len());
            let at = at.map_err(|_| "the presence_prefix is too long")?;
            let address = format!("{}{first}", rule.presence_prefix);
            (InputKind::Extension { at }, address, Some(device))
        }
    };
    address::check(&address)?;
    Ok(InputSpec {
        kind,
        address: address.into(),
        device,
        table: None,
        variable: line,
    })
}

/// An extension that is a device's name, as that of one is often mistaken for the other.
fn looks_like_a_device(input: &InputSpec) -> Option<String> {
    let extension = input.extension()?;
    let (technology, name) = extension.split_once('/')?;
    let (technology, name) = (quoted(technology), quoted(name));
    Some(format!(
        "'{technology}/{name}' is a device, expected an extension: extension = {name}, or \
         extension = {name},{technology}/{name} to name its device"
    ))
}

/// The input, unless it stands among the others already.
fn once(input: InputSpec, given: &str, others: &[InputSpec]) -> Result<InputSpec, String> {
    let mut others = others.iter();
    match others.any(|other| address::same(&other.address, &input.address)) {
        true => Err(format!(
            "'{}' stands twice for this user, expected it once",
            given.trim()
        )),
        false => Ok(input),
    }
}

/// Each extension's device beside it, unless it is a source of its own.
fn with_devices(inputs: Vec<InputSpec>, definitions: &Definitions) -> Vec<InputSpec> {
    let Ok(table) = definitions.find_device_table(DeviceTable::DEVICE) else {
        return inputs;
    };
    let own = |input: &InputSpec| input.kind == InputKind::Device;
    let mut known: HashSet<Box<str>> = inputs
        .iter()
        .filter(|input| own(input))
        .filter_map(|input| input.device.clone())
        .collect();
    let mut all = Vec::with_capacity(inputs.len() * 2);
    for input in inputs {
        let device = match input.kind {
            InputKind::Extension { .. } => input.device.clone(),
            _ => None,
        };
        let line = input.variable;
        all.push(input);
        if let Some(device) = device.filter(|device| known.insert(device.clone())) {
            all.push(InputSpec::device(
                InputKind::Device,
                device,
                table.clone(),
                line,
            ));
        }
    }
    all
}
