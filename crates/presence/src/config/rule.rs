//! The options that `[general]` and users have in common: those of a [`Rule`].

use std::marker::PhantomData;
use std::sync::Arc;

use super::reader::{Given, SectionReader, Setting};
use super::settings::{Outgoing, Rule};
use super::show::{list, status, table, text, yes_no};
use super::{Definitions, IsTimezone, Settings, action, dialplan, value};
use crate::actions::{Assignment, Functions};
use crate::combine::{Method, Ranks};
use crate::model::feature_keys::DndKey;
use crate::model::own_rights::{OwnArea, OwnTargetKind};
use crate::model::pattern::ExtensionPattern;
use crate::model::state::State;
use crate::model::suggest::expected;
use crate::model::text::quoted;
use crate::model::visibility::Visibility;
use crate::model::{address, schedule};

/// A rule while the options of a section change it.
#[derive(Default)]
pub(super) struct RuleDraft {
    base: Arc<Rule>,
    /// `None` until the section gives an option of the rule: most users give none.
    own: Option<Rule>,
    definitions: Arc<Definitions>,
}

impl RuleDraft {
    /// Begins with the rule `base`. Options may name what is in `definitions`.
    pub fn new(base: Arc<Rule>, definitions: Arc<Definitions>) -> Self {
        RuleDraft {
            base,
            own: None,
            definitions,
        }
    }

    /// The finished rule, `base` itself where no option changed it. An unknown time zone is an
    /// error of the section.
    pub fn finish(self, is_timezone: IsTimezone<'_>, reader: &mut SectionReader<'_>) -> Arc<Rule> {
        let Some(own) = self.own else {
            return self.base;
        };
        let zone = &own.schedule.timezone;
        if *zone != self.base.schedule.timezone && !is_timezone(zone) {
            reader.error_at("timezone", value::unknown_timezone(zone));
        }
        Arc::new(own)
    }

    fn rule(&mut self) -> &mut Rule {
        self.own.get_or_insert_with(|| Rule::clone(&self.base))
    }

    /// The value of an option that names a status, or nothing.
    fn status(&self, given: &Given<'_>) -> value::OptionalStatus {
        given.status();
        value::status_or_none(given.value, &self.definitions.statuses)
    }
}

/// A draft that has the options of a rule among its own.
pub(super) trait HasRule: 'static {
    /// The part for these options.
    fn draft(&mut self) -> &mut RuleDraft;

    /// The rule.
    fn rule(&mut self) -> &mut Rule {
        self.draft().rule()
    }
}

/// The options of a rule, as a part of the draft `D`.
pub(super) struct RuleOptions<D>(PhantomData<D>);

impl<D: HasRule> RuleOptions<D> {
    /// All of them.
    pub const ALL: &'static [Setting<D>] = &[
        Setting::new(
            "enabled",
            |it, given| given.boolean().map(|on| it.rule().enabled = on),
            |settings| yes_no(settings.rule.enabled),
        ),
        Setting::new(
            "method",
            |it, given| {
                given.one_of(&Method::NAMES);
                value::method(given.value).map(|method| it.rule().method = method)
            },
            |settings| settings.rule.method.name().to_owned(),
        ),
        Setting::new(
            "priority",
            |it, given| priority(it.rule(), given),
            |settings| list(settings.rule.order.states(), ","),
        ),
        Setting::new(
            "outgoing",
            |it, given| {
                given.one_of(&Outgoing::NAMES);
                value::outgoing(given.value).map(|to| it.rule().outgoing = to)
            },
            |settings| settings.rule.outgoing.name().to_owned(),
        ),
        Setting::new(
            "presence_prefix",
            |it, given| {
                value::prefix(given.value, "CustomPresence:", address::check)?;
                it.rule().presence_prefix = given.value.into();
                Ok(())
            },
            |settings| text(&settings.rule.presence_prefix),
        ),
        Setting::new(
            "device_prefix",
            |it, given| {
                value::prefix(given.value, "PJSIP/", |made| value::device(made).map(drop))?;
                it.rule().device_prefix = given.value.into();
                Ok(())
            },
            |settings| text(&settings.rule.device_prefix),
        ),
        Setting::new(
            "use_devices",
            |it, given| given.boolean().map(|on| it.rule().use_devices = on),
            |settings| yes_no(settings.rule.use_devices),
        ),
        Setting::new(
            "ignore_unreachable",
            |it, given| given.boolean().map(|on| it.rule().ignore_unreachable = on),
            |settings| yes_no(settings.rule.ignore_unreachable),
        ),
        Setting::new(
            "lamp_table",
            |it, given| {
                let table = it.draft().definitions.find_presence_table(given.value)?;
                it.rule().lamp_table = table;
                Ok(())
            },
            |settings| table(&settings.rule.lamp_table),
        ),
        Setting::new(
            "queue_table",
            |it, given| {
                let table = it.draft().definitions.find_presence_table(given.value)?;
                it.rule().queue_table = table;
                Ok(())
            },
            |settings| table(&settings.rule.queue_table),
        ),
        Setting::new(
            "schedule",
            |it, given| ranges(it.rule(), given),
            |settings| list(&settings.rule.schedule.ranges, "; "),
        ),
        Setting::new(
            "schedule_status",
            |it, given| outside(it.draft(), given),
            show_outside,
        ),
        Setting::new(
            "timezone",
            |it, given| value::timezone(given.value).map(|zone| it.rule().schedule.timezone = zone),
            |settings| text(&settings.rule.schedule.timezone),
        ),
        Setting::new(
            "login_status",
            |it, given| {
                it.rule().login.login = it.draft().status(given)?;
                Ok(())
            },
            |settings| status(&settings.rule.login.login),
        ),
        Setting::new(
            "logout_status",
            |it, given| {
                it.rule().login.logout = it.draft().status(given)?;
                Ok(())
            },
            |settings| status(&settings.rule.login.logout),
        ),
        Setting::new(
            "register_status",
            |it, given| {
                it.rule().login.register = it.draft().status(given)?;
                Ok(())
            },
            |settings| status(&settings.rule.login.register),
        ),
        Setting::new(
            "unregister_status",
            |it, given| {
                it.rule().login.unregister = it.draft().status(given)?;
                Ok(())
            },
            |settings| status(&settings.rule.login.unregister),
        ),
        Setting::new(
            "login_overrides",
            |it, given| given.boolean().map(|on| it.rule().login.overrides = on),
            |settings| yes_no(settings.rule.login.overrides),
        ),
        Setting::new(
            "action",
            |it, given| actions(it.draft(), given),
            |settings| list(settings.rule.actions.iter().map(|block| &block.name), ","),
        ),
        Setting::new(
            "dnd_on",
            |it, given| function(it.rule(), given, |functions| &mut functions.dnd_on),
            |settings| list(&settings.rule.functions.dnd_on, "; "),
        ),
        Setting::new(
            "dnd_off",
            |it, given| function(it.rule(), given, |functions| &mut functions.dnd_off),
            |settings| list(&settings.rule.functions.dnd_off, "; "),
        ),
        Setting::new(
            "followme_on",
            |it, given| function(it.rule(), given, |functions| &mut functions.followme_on),
            |settings| list(&settings.rule.functions.followme_on, "; "),
        ),
        Setting::new(
            "followme_off",
            |it, given| function(it.rule(), given, |functions| &mut functions.followme_off),
            |settings| list(&settings.rule.functions.followme_off, "; "),
        ),
        Setting::new(
            "handling",
            |it, given| handling(it.draft(), given),
            |settings| {
                let handling = settings.rule.calls.handling.as_ref();
                text(handling.map_or("", |handling| &handling.name))
            },
        ),
        Setting::new(
            "mobile_prefix",
            |it, given| {
                it.rule().calls.mobile_prefix = dialplan::mobile_prefix(given.value)?;
                Ok(())
            },
            |settings| text(&settings.rule.calls.mobile_prefix),
        ),
        Setting::new(
            "forward_context",
            |it, given| {
                let context = dialplan::name(given.value, "a context such as default")?;
                it.rule().calls.forward_context = context;
                Ok(())
            },
            |settings| text(&settings.rule.calls.forward_context),
        ),
        Setting::new(
            "internal_context",
            |it, given| {
                let contexts = dialplan::names(given, "contexts such as default,phones")?;
                it.rule().calls.internal_contexts = contexts;
                Ok(())
            },
            |settings| list(&settings.rule.calls.internal_contexts, ","),
        ),
        Setting::new(
            "trust_caller_id",
            |it, given| {
                given
                    .boolean()
                    .map(|on| it.rule().calls.trust_caller_id = on)
            },
            |settings| yes_no(settings.rule.calls.trust_caller_id),
        ),
        Setting::new(
            "always_accept",
            |it, given| {
                let numbers = dialplan::names(given, "numbers such as 200,+491701234567")?;
                it.rule().calls.always_accept = numbers;
                Ok(())
            },
            |settings| list(&settings.rule.calls.always_accept, ","),
        ),
        Setting::new(
            "origin_variable",
            |it, given| {
                it.rule().calls.origin_variable = dialplan::channel_variable(given.value)?;
                Ok(())
            },
            |settings| text(&settings.rule.calls.origin_variable),
        ),
        Setting::new(
            "dnd_key",
            |it, given| {
                given.one_of(&DndKey::NAMES);
                it.rule().dnd_key = DndKey::parse(given.value)?;
                Ok(())
            },
            |settings| settings.rule.dnd_key.name().to_owned(),
        ),
        Setting::new(
            "follow_dnd",
            |it, given| given.boolean().map(|on| it.rule().follow_dnd = on),
            |settings| yes_no(settings.rule.follow_dnd),
        ),
        Setting::new(
            "visibility",
            |it, given| {
                given.one_of(&Visibility::NAMES);
                it.rule().visibility = Visibility::parse(given.value)?;
                Ok(())
            },
            |settings| settings.rule.visibility.name().to_owned(),
        ),
        Setting::new(
            "own_settings",
            |it, given| {
                given.some_of(&OwnArea::NAMES);
                let areas = given.words().map(OwnArea::parse);
                it.rule().own_rights.areas = areas.collect::<Result<_, _>>()?;
                Ok(())
            },
            |settings| list(&settings.rule.own_rights.areas, ","),
        ),
        Setting::new(
            "own_forward",
            |it, given| own_forward(it.rule(), given),
            |settings| list(settings.rule.own_rights.targets(), ","),
        ),
    ];
}

/// The order of states. States that the value leaves out follow, with a warning.
fn priority(rule: &mut Rule, given: &Given<'_>) -> Result<(), String> {
    given.some_of(&State::NAMES);
    let (order, missing) = value::order(given.value)?;
    (rule.order, rule.ranks) = (order, Ranks::from(&order));
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|state| state.name()).collect();
        let names = names.join(", ");
        given.warn(format!(
            "the states {names} are missing; they follow in the default order"
        ));
    }
    Ok(())
}

fn ranges(rule: &mut Rule, given: &Given<'_>) -> Result<(), String> {
    if given.is_first() {
        rule.schedule.ranges.clear();
    }
    for range in given.values() {
        schedule::check(range)?;
        rule.schedule.ranges.push(range.into());
    }
    Ok(())
}

/// The status outside of the schedule's ranges.
fn outside(draft: &mut RuleDraft, given: &Given<'_>) -> Result<(), String> {
    given.status();
    let status = value::status(given.value, &draft.definitions.statuses)?;
    let presence = status.maps_to.clone();
    draft.rule().schedule.outside = presence.ok_or_else(|| value::unmapped(&status))?;
    Ok(())
}

/// The status type whose presence the schedule sets: only the presence is kept.
fn show_outside(settings: &Settings) -> String {
    let outside = &settings.rule.schedule.outside;
    let mut statuses = settings.statuses().iter();
    let status = statuses.find(|status| status.maps_to.as_ref() == Some(outside));
    status.map_or_else(|| outside.to_string(), |status| status.name.to_string())
}

fn actions(draft: &mut RuleDraft, given: &Given<'_>) -> Result<(), String> {
    given.repeats();
    let blocks = action::find(given.value, &draft.definitions.actions)?;
    let rule = draft.rule();
    if given.is_first() {
        rule.actions.clear();
    }
    rule.actions.extend(blocks);
    Ok(())
}

/// One of the lists of assignments behind `dnd` and `followme`.
fn function(
    rule: &mut Rule,
    given: &Given<'_>,
    list: fn(&mut Functions) -> &mut Vec<Assignment>,
) -> Result<(), String> {
    let assignments = given.values().map(Assignment::parse);
    let assignments: Vec<Assignment> = assignments.collect::<Result<_, _>>()?;
    let list = list(Arc::make_mut(&mut rule.functions));
    if given.is_first() {
        list.clear();
    }
    list.extend(assignments);
    Ok(())
}

/// The targets that users may forward their own calls to: kinds, extensions and patterns.
fn own_forward(rule: &mut Rule, given: &Given<'_>) -> Result<(), String> {
    let (mut kinds, mut patterns) = (Vec::new(), Vec::new());
    for word in given.words() {
        if let Ok(kind) = OwnTargetKind::parse(word) {
            kinds.push(kind);
            continue;
        }
        let pattern = ExtensionPattern::parse(word).ok().filter(|_| {
            // Letters alone are a misspelt kind, and no number.
            word.starts_with('_') || !word.bytes().all(|byte| byte.is_ascii_alphabetic())
        });
        let Some(pattern) = pattern else {
            let known = format!("{}, or a pattern such as _+49X.", OwnTargetKind::expected());
            return Err(format!(
                "'{}' is no target{}",
                quoted(word),
                expected(word, &known)
            ));
        };
        if pattern.matches_all() {
            given.warn(format!(
                "'{pattern}' lets people forward calls to every number"
            ));
        }
        patterns.push(pattern);
    }
    (rule.own_rights.kinds, rule.own_rights.patterns) = (kinds, patterns);
    Ok(())
}

fn handling(draft: &mut RuleDraft, given: &Given<'_>) -> Result<(), String> {
    let handling = match given.value {
        "" => None,
        name => Some(draft.definitions.find_handling(name)?),
    };
    draft.rule().calls.handling = handling;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::parsed;

    #[test]
    fn rights_over_own_settings_are_read_and_mistakes_refused() {
        for (text, expected) in [
            ("own_settings=", ""),
            ("own_settings=handling, visibility", ""),
            (
                "own_settings=handeling",
                "unknown part of the own settings 'handeling', did you mean 'handling'?",
            ),
            ("own_forward=", ""),
            ("own_forward=internal,_0[1-9]X.,_+49!,112,*72", ""),
            (
                "own_forward=intern",
                "'intern' is no target, did you mean 'internal'?",
            ),
            (
                "own_forward=anywhere",
                "'anywhere' is no target, expected internal, voicemail or mobile, or a pattern",
            ),
            ("own_forward=_49.X", "is no target"),
            ("own_forward=internal,,mobile", "'' is no target"),
        ] {
            for section in ["[general]\n", "[u]\ntype=user\n"] {
                let parsed = parsed(&format!("{section}{text}\n"));
                let errors: Vec<_> = parsed.all_errors().map(ToString::to_string).collect();
                match expected {
                    "" => assert!(errors.is_empty(), "{text}: {errors:?}"),
                    expected => {
                        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
                        assert!(errors[0].contains(expected), "{text}: {}", errors[0]);
                    }
                }
            }
        }
        let warned = parsed("[general]\nown_forward=_.\n").warnings;
        assert!(
            warned[0]
                .to_string()
                .contains("forward calls to every number")
        );
    }
}
