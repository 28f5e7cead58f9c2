//! Sections of `type = user` and rows of the realtime family.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use super::inputs::{Line, LineKind, read_lines, with_devices};
use super::reader::{Given, OptionSpec, OptionTable, SectionReader, TakenNames};
use super::rule::{HasRule, RuleDraft, RuleOptions};
use super::section::{Origin, Problem, Section};
use super::settings::{Rule, Settings};
use super::user::{InputKind, InputSpec, UserSpec};
use super::value::unexpected;
use super::{IsTimezone, action, password, publish, reach, value};
use crate::model::address;
use crate::model::contact::{self, Contact};
use crate::model::handling::Reach;
use crate::model::visibility::same_group;

/// The most sources that a user can have.
const MAX_INPUTS: usize = 250;

/// A user while the section is read.
#[derive(Default)]
pub(super) struct UserDraft {
    id: Option<Box<str>>,
    account: Option<Arc<str>>,
    default: Option<String>,
    member: Option<Box<str>>,
    groups: Vec<Box<str>>,
    contact: Contact,
    reach: Option<Box<Reach>>,
    password: Option<Box<str>>,
    /// The lines of `publish`, as indexes among the section's variables.
    publish: Vec<u32>,
    /// The sources, read when the rule is complete: a prefix may follow the extensions.
    lines: Vec<Line>,
    rule: RuleDraft,
}

impl HasRule for UserDraft {
    fn draft(&mut self) -> &mut RuleDraft {
        &mut self.rule
    }
}

impl UserDraft {
    fn reach(&mut self) -> &mut Reach {
        self.reach.get_or_insert_default()
    }
}

/// The options that `[general]` does not have.
const OPTIONS: &[OptionSpec<UserDraft>] = &[
    OptionSpec::TYPE,
    OptionSpec::new("id", |it, given| {
        value::identifier(given.value).map(|id| it.id = Some(id.into()))
    }),
    OptionSpec::new("account", |it, given| {
        value::identifier(given.value).map(|account| it.account = Some(account.into()))
    }),
    OptionSpec::new("extension", |it, given| {
        given.repeats();
        it.lines.push(Line::new(LineKind::Extension, given));
        Ok(())
    }),
    OptionSpec::new("default", |it, given| {
        it.default = Some(given.value.to_owned());
        Ok(())
    }),
    OptionSpec::new("source", |it, given| {
        given.repeats();
        it.lines.push(Line::new(LineKind::Source, given));
        Ok(())
    }),
    OptionSpec::new("device", |it, given| {
        given.repeats();
        it.lines.push(Line::new(LineKind::Device, given));
        Ok(())
    }),
    OptionSpec::new("publish", |it, given| {
        given.repeats();
        it.publish.push(given.index);
        Ok(())
    }),
    OptionSpec::new("member", |it, given| {
        action::member(given.value).map(|member| it.member = Some(member))
    }),
    OptionSpec::new("password", |it, given| {
        password::hash(given.value).map(|hash| it.password = Some(hash))
    }),
    OptionSpec::new("group", |it, given| groups(&mut it.groups, given)),
    OptionSpec::new("name", |it, given| {
        person(&mut it.contact.name, given, "name")
    }),
    OptionSpec::new("title", |it, given| {
        person(&mut it.contact.title, given, "title")
    }),
    OptionSpec::new("email", |it, given| {
        if !given.value.is_empty() {
            contact::check_email(given.value)?;
        }
        person(&mut it.contact.email, given, "mail address")
    }),
    OptionSpec::new("endpoint", |it, given| reach::endpoints(it.reach(), given)),
    OptionSpec::new("mobile", |it, given| reach::mobile(it.reach(), given)),
    OptionSpec::new("mailbox", |it, given| reach::mailbox(it.reach(), given)),
    OptionSpec::new("monitor", |it, given| reach::monitors(it.reach(), given)),
];

impl OptionTable for UserDraft {
    fn options() -> impl Iterator<Item = &'static OptionSpec<Self>> {
        let of_rule = RuleOptions::<Self>::ALL.iter();
        OPTIONS.iter().chain(of_rule.map(|setting| &setting.option))
    }
}

/// Collects users; those with equal rules or accounts share them.
pub(super) struct Users<'a> {
    settings: &'a Settings,
    is_timezone: IsTimezone<'a>,
    specs: Vec<UserSpec>,
    names: TakenNames<'a>,
    rules: HashSet<Arc<Rule>>,
    /// The account of users whose sections name none.
    account: Arc<str>,
    accounts: HashSet<Arc<str>>,
    groups: HashSet<Arc<[Box<str>]>>,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    /// Unknown columns that have had their warning.
    unknown_columns: HashSet<String>,
}

impl<'a> Users<'a> {
    /// No users yet.
    pub fn new(settings: &'a Settings, is_timezone: IsTimezone<'a>) -> Self {
        Users {
            settings,
            is_timezone,
            specs: Vec::new(),
            names: TakenNames::default(),
            rules: HashSet::from([settings.rule.clone()]),
            account: "default".into(),
            accounts: HashSet::new(),
            groups: HashSet::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            unknown_columns: HashSet::new(),
        }
    }

    /// The users, and the errors and warnings.
    pub fn finish(self) -> (Vec<UserSpec>, Vec<Problem>, Vec<Problem>) {
        (self.specs, self.errors, self.warnings)
    }

    /// Adds the user of a section or row unless it has an error. `index` is the section's
    /// index among those of its origin.
    pub fn add(&mut self, origin: Origin, index: u32, section: &'a Section) {
        let mut reader = SectionReader::new(origin, section);
        let spec = self.read(origin, index, &mut reader);
        self.names.take("user", &mut reader);
        if reader.finish(&mut self.errors, &mut self.warnings) {
            self.specs.push(spec);
        }
    }

    fn read(&mut self, origin: Origin, index: u32, reader: &mut SectionReader<'_>) -> UserSpec {
        let definitions = &self.settings.definitions;
        reader.check_name("a user's name");
        let base = self.settings.rule.clone();
        let mut draft = UserDraft {
            id: None,
            account: None,
            default: None,
            member: None,
            groups: Vec::new(),
            contact: Contact::default(),
            reach: None,
            password: None,
            publish: Vec::new(),
            lines: Vec::new(),
            rule: RuleDraft::new(base, definitions.clone()),
        };
        reader.read_columns(&mut draft, &mut self.unknown_columns);
        let rule = draft.rule.finish(self.is_timezone, reader);
        let mut inputs = read_lines(&draft.lines, &rule, definitions, reader);
        if rule.use_devices {
            inputs = with_devices(inputs, definitions);
        }
        inputs.extend(schedule(&rule, reader));
        if inputs.len() > MAX_INPUTS {
            let count = inputs.len();
            reader.error(format!("{count} sources, expected at most {MAX_INPUTS}"));
        }
        let publish = publish::read(&draft.publish, definitions, reader);
        UserSpec {
            name: reader.section().name.as_str().into(),
            id: draft.id,
            account: match draft.account {
                Some(account) => shared(&mut self.accounts, account),
                None => self.account.clone(),
            },
            rule: match Arc::ptr_eq(&rule, &self.settings.rule) {
                true => rule,
                false => shared(&mut self.rules, rule),
            },
            default: default_extension(&inputs, draft.default.as_deref(), reader),
            inputs,
            member: draft.member,
            groups: match draft.groups.is_empty() {
                true => None,
                false => Some(shared(&mut self.groups, draft.groups.into())),
            },
            contact: match draft.contact.is_empty() {
                true => None,
                false => Some(Arc::new(draft.contact)),
            },
            reach: draft.reach,
            password: draft.password,
            publish,
            origin,
            section: index,
        }
    }
}

/// The schedule as a source, where the rule has time ranges.
fn schedule(rule: &Rule, reader: &mut SectionReader<'_>) -> Option<InputSpec> {
    if rule.schedule.ranges.is_empty() {
        return None;
    }
    let key = rule.schedule.key();
    if let Err(why) = address::check_length(&key) {
        reader.error(format!("the schedule {why}"));
        return None;
    }
    Some(InputSpec {
        kind: InputKind::Schedule,
        address: key.into(),
        device: None,
        table: None,
        variable: 0,
    })
}

/// The names of groups, each once. An empty value is no name, and is refused.
fn groups(groups: &mut Vec<Box<str>>, given: &Given<'_>) -> Result<(), String> {
    given.repeats();
    let words = given.words().chain(given.value.is_empty().then_some(""));
    for word in words {
        value::group(word)?;
        if !groups.iter().any(|name| same_group(name, word)) {
            groups.push(word.into());
        }
    }
    Ok(())
}

/// A field of the directory; an empty value takes back what a template gives.
fn person(field: &mut Box<str>, given: &Given<'_>, what: &str) -> Result<(), String> {
    *field = value::text(given.value, what)?.into();
    Ok(())
}

/// The index of the named extension, or of the first one.
fn default_extension(
    inputs: &[InputSpec],
    name: Option<&str>,
    reader: &mut SectionReader<'_>,
) -> Option<u16> {
    let mut all = inputs.iter();
    let at = all.position(|input| {
        let extension = input.extension();
        extension.is_some_and(|extension| name.is_none_or(|name| name == extension))
    });
    if let (None, Some(name)) = (at, name) {
        let message = unexpected(name, "one of the user's extensions");
        reader.error_at("default", message);
    }
    at.map(|at| at as u16)
}

/// The value in `known` that equals `value`; a new value is added.
fn shared<T: ?Sized + Eq + Hash>(known: &mut HashSet<Arc<T>>, value: Arc<T>) -> Arc<T> {
    if let Some(known) = known.get(&value) {
        return known.clone();
    }
    known.insert(value.clone());
    value
}
