//! Sections of `type = handling`, and what rules and users say of calls.

use std::collections::HashMap;
use std::sync::Arc;

use super::user::UserSpec;
use super::{Origin, Problem, Section, Variable, option, place, value};
use crate::calls::{CallOrigin, Calls, Forward, ForwardWhen, Handling, HandlingBlock, Reach};
use crate::model::state::State;
use crate::model::status::Statuses;
use crate::model::suggest::expected;
use crate::model::text;
use crate::model::text::quoted;

/// The options of such a section.
const OPTIONS: &str = "type, set, status, forward_internal_always, forward_internal_noanswer, \
    forward_internal_busy, forward_external_always, forward_external_noanswer, \
    forward_external_busy, ring_first, ring_second, ring_timeout, ring_mobile, push, note";

/// The name that stands for the mobile number where no endpoint has it.
pub const MOBILE: &str = "mobile";

/// Takes one section into its set.
pub fn parse(
    section: &Section,
    statuses: &Statuses,
    sets: &mut HashMap<String, Arc<Handling>>,
    errors: &mut Vec<Problem>,
) {
    let before = errors.len();
    let mut fail = |variable: Option<&Variable>, message: String| {
        let place = place(Origin::File, section, variable);
        errors.push(Problem { place, message });
    };
    if let Err(message) = value::name(&section.name, "a handling's name") {
        fail(None, message);
    }
    let mut block = HandlingBlock {
        name: section.name.as_str().into(),
        ..HandlingBlock::default()
    };
    let mut set = section.name.as_str();
    for variable in &section.variables {
        let given = variable.value.as_str();
        let taken = if !variable.utf8 {
            Err("the value is not UTF-8".into())
        } else {
            match variable.name.to_ascii_lowercase().as_str() {
                "set" => value::name(given, "a set's name").map(|()| set = given),
                name => take(&mut block, name, given, statuses),
            }
        };
        if let Err(message) = taken {
            fail(Some(variable), message);
        }
    }
    let known = sets.get(&set.to_ascii_lowercase());
    if let Some(other) = known.and_then(|known| rival(known, &block)) {
        let message = match block.is_default() {
            true => format!(
                "'{}' is the default block of the set '{set}' already, expected one section \
                 of it without a status",
                other.name
            ),
            false => format!(
                "'{}' is for one of these statuses already, expected each status once in the \
                 set '{set}'",
                other.name
            ),
        };
        fail(option(section, "status"), message);
    }
    if errors.len() > before {
        return;
    }
    let known = sets.entry(set.to_ascii_lowercase()).or_insert_with(|| {
        Arc::new(Handling {
            name: set.into(),
            ..Handling::default()
        })
    });
    let known = Arc::make_mut(known);
    match block.is_default() {
        true => known.default = Some(block),
        false => known.blocks.push(block),
    }
}

/// A block of the set that is for the same.
fn rival<'a>(set: &'a Handling, block: &HandlingBlock) -> Option<&'a HandlingBlock> {
    if block.is_default() {
        return set.default.as_ref();
    }
    let same = |other: &&HandlingBlock| {
        let mut types = block.types.iter();
        block
            .states
            .iter()
            .any(|state| other.states.contains(state))
            || types.any(|name| other.types.iter().any(|t| t.eq_ignore_ascii_case(name)))
    };
    set.blocks.iter().find(same)
}

fn take(
    block: &mut HandlingBlock,
    name: &str,
    given: &str,
    statuses: &Statuses,
) -> Result<(), String> {
    if let Some(forward) = name.strip_prefix("forward_") {
        let place = [
            ("internal_always", CallOrigin::Internal, ForwardWhen::Always),
            (
                "internal_noanswer",
                CallOrigin::Internal,
                ForwardWhen::NoAnswer,
            ),
            ("internal_busy", CallOrigin::Internal, ForwardWhen::Busy),
            ("external_always", CallOrigin::External, ForwardWhen::Always),
            (
                "external_noanswer",
                CallOrigin::External,
                ForwardWhen::NoAnswer,
            ),
            ("external_busy", CallOrigin::External, ForwardWhen::Busy),
        ];
        let place = place.into_iter().find(|(known, ..)| *known == forward);
        if let Some((_, origin, when)) = place {
            block.forwards[HandlingBlock::slot(origin, when)] = Some(goal(given)?);
            return Ok(());
        }
    }
    match name {
        "type" => {}
        "status" => (block.states, block.types) = self::statuses(given, statuses)?,
        "ring_first" => block.ring_first = Some(endpoints(given)?),
        "ring_second" => block.ring_second = Some(endpoints(given)?),
        "ring_timeout" => block.ring_timeout = Some(value::number(given, 5, 300, "seconds")?),
        "ring_mobile" => block.ring_mobile = Some(value::boolean(given)?),
        "push" => block.push = Some(value::boolean(given)?),
        "note" => {
            text::check(given).map_err(|why| format!("the note {why}"))?;
            block.note = Some(given.into());
        }
        other => return Err(format!("unknown option{}", expected(other, OPTIONS))),
    }
    Ok(())
}

/// States and status types; a word that is a state means the state, and its own type
/// where that is mapped to something else.
fn statuses(given: &str, known: &Statuses) -> Result<(Vec<State>, Vec<Box<str>>), String> {
    let (mut states, mut types) = (Vec::new(), Vec::new());
    for word in given.split(',').map(str::trim) {
        let status = known.find(word);
        match (State::parse(word).ok(), status) {
            (Some(state), status) => {
                states.push(state);
                let meant = |presence: &crate::Presence| presence.state() == state;
                let same = |status: &Arc<_>| {
                    let status: &crate::model::status::StatusType = status;
                    status.maps_to.as_ref().is_some_and(meant)
                };
                if status.is_some_and(|status| !same(status)) {
                    types.push(word.into());
                }
            }
            (None, Some(_)) => types.push(word.into()),
            (None, None) => {
                return Err(format!(
                    "unknown status '{}'{}",
                    quoted(word),
                    expected(
                        word,
                        &format!("a status type or one of {}", State::expected())
                    )
                ));
            }
        }
    }
    Ok((states, types))
}

/// Names of endpoints; nothing, or `none`, for nobody.
fn endpoints(given: &str) -> Result<Vec<Box<str>>, String> {
    if given.is_empty() || given.eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    let names = given.split(',').map(str::trim);
    let names = names.map(|name| value::name(name, "an endpoint's name").map(|()| name.into()));
    names.collect()
}

fn is_number(given: &str) -> bool {
    let digits = given.strip_prefix('+').unwrap_or(given);
    !digits.is_empty() && given.len() <= 40 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A forward's target.
fn goal(given: &str) -> Result<Forward, String> {
    const EXPECTED: &str = "expected an extension and its context such as 200@default, a number \
                            such as +491701234567, voicemail, voicemail:<mailbox> or none";
    let bad = || format!("'{}' is no target, {EXPECTED}", quoted(given));
    if given.eq_ignore_ascii_case("none") {
        return Ok(Forward::None);
    }
    if given.eq_ignore_ascii_case("voicemail") {
        return Ok(Forward::OwnVoicemail);
    }
    if let Some((kind, mailbox)) = given.split_once(':') {
        if !kind.eq_ignore_ascii_case("voicemail") {
            return Err(bad());
        }
        return self::mailbox(mailbox).map(Forward::Voicemail);
    }
    if is_number(given) {
        return Ok(Forward::Number(given.into()));
    }
    let (extension, context) = given.split_once('@').ok_or_else(bad)?;
    for part in [extension, context] {
        variables(part)?;
        // What stands for itself: nothing that the dialplan would take apart.
        let plain = VARIABLES.iter().fold(part.to_owned(), |text, variable| {
            text.replace(variable, "x")
        });
        if !is_name(&plain) || part.len() > 79 {
            return Err(bad());
        }
    }
    Ok(Forward::Extension(extension.into(), context.into()))
}

/// What is replaced in an extension and a context.
const VARIABLES: [&str; 4] = ["${STATUS}", "${STATE}", "${USER}", "${EXTENSION}"];

fn variables(given: &str) -> Result<(), String> {
    for part in given.split("${").skip(1) {
        let name = part.split('}').next().unwrap_or_default();
        if !VARIABLES.contains(&format!("${{{name}}}").as_str()) {
            return Err(format!(
                "unknown variable '{}', expected {}",
                quoted(name),
                VARIABLES.join(", ")
            ));
        }
    }
    Ok(())
}

/// Whether it can be an extension or a context.
fn is_name(given: &str) -> bool {
    let good =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '*' | '#');
    !given.is_empty() && given.chars().all(good)
}

/// A mailbox such as `200@default`.
fn mailbox(given: &str) -> Result<Box<str>, String> {
    let mut parts = given.splitn(2, '@');
    let good = parts.all(is_name) && given.len() <= 79;
    match good {
        true => Ok(given.into()),
        false => Err(format!(
            "'{}' is no mailbox, expected one such as 200@default",
            quoted(given)
        )),
    }
}

/// Takes one of the options of a rule that are about calls; `Ok(false)` when it is none.
/// `several` says that `;` separates as a comma does.
pub fn set_calls(
    calls: &mut Calls,
    name: &str,
    given: &str,
    several: bool,
    sets: &HashMap<String, Arc<Handling>>,
) -> Result<bool, String> {
    let list = |good: fn(&str) -> bool, expected: &str| -> Result<Vec<Box<str>>, String> {
        if given.is_empty() {
            return Ok(Vec::new());
        }
        let words = given.split(|c| c == ',' || (several && c == ';'));
        let words = words.map(str::trim).map(|word| match good(word) {
            true => Ok(word.into()),
            false => Err(format!("'{}', expected {expected}", quoted(word))),
        });
        words.collect()
    };
    let name_or = |expected: &str| match is_name(given) {
        true => Ok(given.into()),
        false => Err(format!("'{}', expected {expected}", quoted(given))),
    };
    match name {
        "handling" => {
            calls.handling = match given {
                "" => None,
                name => Some(find(name, sets)?),
            };
        }
        "mobile_prefix" => {
            let good = given.is_empty() || is_name(given);
            if !good || given.len() > 40 {
                return Err(format!(
                    "'{}', expected what stands before a mobile's number, such as 0",
                    quoted(given)
                ));
            }
            calls.mobile_prefix = given.into();
        }
        "forward_context" => calls.forward_context = name_or("a context such as default")?,
        "internal_context" => {
            calls.internal_contexts = list(is_name, "contexts such as default,phones")?;
        }
        "trust_caller_id" => calls.trust_caller_id = value::boolean(given)?,
        "always_accept" => {
            calls.always_accept = list(is_name, "numbers such as 200,+491701234567")?;
        }
        "origin_variable" => {
            let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if given.is_empty() || given.len() > 79 || !given.chars().all(good) {
                return Err(format!(
                    "'{}', expected a channel variable's name such as USERPRESENCE_ORIGIN",
                    quoted(given)
                ));
            }
            calls.origin_variable = given.into();
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn find(name: &str, sets: &HashMap<String, Arc<Handling>>) -> Result<Arc<Handling>, String> {
    let found = sets.get(&name.to_ascii_lowercase());
    found.cloned().ok_or_else(|| {
        let mut names: Vec<&str> = sets.values().map(|set| &*set.name).collect();
        names.sort_unstable();
        let expected = match names.is_empty() {
            true => "a section of type = handling".to_owned(),
            false => names.join(", "),
        };
        format!(
            "unknown handling '{}'{}",
            quoted(name),
            self::expected(name, &expected)
        )
    })
}

/// Takes one of a user's own options that are about calls; `Ok(false)` when it is none.
pub fn set_reach(
    reach: &mut Option<Box<Reach>>,
    name: &str,
    given: &str,
    several: bool,
) -> Result<bool, String> {
    if !["endpoint", "mobile", "mailbox", "monitor"].contains(&name) {
        return Ok(false);
    }
    let reach = reach.get_or_insert_default();
    match name {
        "endpoint" => {
            for part in given.split(|c| several && c == ';').map(str::trim) {
                let endpoint = endpoint(part)?;
                let mut known = reach.endpoints.iter();
                if known.any(|(name, _)| name.eq_ignore_ascii_case(&endpoint.0)) {
                    return Err(format!(
                        "the endpoint '{}' stands twice for this user, expected it once",
                        endpoint.0
                    ));
                }
                reach.endpoints.push(endpoint);
            }
        }
        "mobile" if given.is_empty() || is_number(given) => reach.mobile = given.into(),
        "mobile" => {
            return Err(format!(
                "'{}', expected a number such as +491701234567",
                quoted(given)
            ));
        }
        "mailbox" if given.is_empty() => reach.mailbox = "".into(),
        "mailbox" => reach.mailbox = mailbox(given)?,
        _ => {
            let words = given.split(|c| c == ',' || (several && c == ';'));
            for word in words.map(str::trim) {
                value::name(word, "a user's name")?;
                let mut known = reach.monitors.iter();
                if !known.any(|name| name.eq_ignore_ascii_case(word)) {
                    reach.monitors.push(word.into());
                }
            }
        }
    }
    Ok(true)
}

/// `desk,PJSIP/desk-201`
fn endpoint(given: &str) -> Result<(Box<str>, Box<str>), String> {
    let bad = || {
        format!(
            "'{}' is no endpoint, expected a name and a device such as desk,PJSIP/desk-201",
            quoted(given)
        )
    };
    let (name, device) = given.split_once(',').ok_or_else(bad)?;
    let (name, device) = (name.trim(), device.trim());
    value::name(name, "an endpoint's name")?;
    let device = value::device(device).map_err(|_| bad())?;
    // Only a channel technology's devices can be called; more would be `Dial`'s own.
    match is_phone(&device) && !device.contains(['|', '^']) {
        true => Ok((name.into(), device)),
        false => Err(bad()),
    }
}

/// Whether a device can be called.
pub fn is_phone(device: &str) -> bool {
    let label = device.find([':', '/']);
    label.is_some_and(|at| device[at..].starts_with('/'))
}

/// Warns of what users name and what is not there.
pub fn check(
    specs: &[UserSpec],
    file: &[Section],
    realtime: &[Section],
    warnings: &mut Vec<Problem>,
) {
    let monitors = |spec: &UserSpec| spec.reach.as_ref().is_some_and(|r| !r.monitors.is_empty());
    let names: std::collections::HashSet<String> = match specs.iter().any(monitors) {
        true => specs.iter().map(|s| s.name.to_ascii_lowercase()).collect(),
        false => std::collections::HashSet::new(),
    };
    for spec in specs {
        let Some(section) = (match spec.origin {
            Origin::File => file.get(spec.section as usize),
            Origin::Realtime => realtime.get(spec.section as usize),
        }) else {
            // Of a user that was known before it was said before.
            continue;
        };
        let mut warn = |name: &str, message: String| {
            let place = place(spec.origin, section, option(section, name));
            warnings.push(Problem { place, message });
        };
        let none = Reach::default();
        let reach = spec.reach.as_deref().unwrap_or(&none);
        for name in &reach.monitors {
            if !names.contains(&name.to_ascii_lowercase()) {
                warn(
                    "monitor",
                    format!(
                        "there is no user '{name}', '{}' monitors nobody of that name",
                        spec.name
                    ),
                );
            }
        }
        let Some(handling) = &spec.rule.calls.handling else {
            continue;
        };
        if !reach.endpoints.is_empty() {
            let missing = missing_endpoints(handling, reach);
            if !missing.is_empty() {
                let known: Vec<_> = reach.endpoints.iter().map(|(name, _)| &**name).collect();
                warn(
                    "handling",
                    format!(
                        "the user '{}' has no endpoint {}, which the handling '{}' rings; \
                         known are {}",
                        spec.name,
                        missing.join(", "),
                        handling.name,
                        known.join(", ")
                    ),
                );
            }
        }
        let own = |block: &HandlingBlock| block.forwards.contains(&Some(Forward::OwnVoicemail));
        if reach.mailbox.is_empty() && handling.all().any(own) {
            warn(
                "handling",
                format!(
                    "the user '{}' has no mailbox, to which the handling '{}' forwards",
                    spec.name, handling.name
                ),
            );
        }
    }
}

/// The names that a set rings and the user does not have.
fn missing_endpoints<'a>(handling: &'a Handling, reach: &Reach) -> Vec<&'a str> {
    let mut missing: Vec<&str> = Vec::new();
    for block in handling.all() {
        let lists = [&block.ring_first, &block.ring_second];
        for name in lists.into_iter().flatten().flatten() {
            let mut endpoints = reach.endpoints.iter();
            let known = endpoints.any(|(known, _)| known.eq_ignore_ascii_case(name))
                || (name.eq_ignore_ascii_case(MOBILE) && !reach.mobile.is_empty());
            if !known && !missing.contains(&&**name) {
                missing.push(name);
            }
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::super::testing::parsed;

    fn errors(text: &str) -> Vec<String> {
        parsed(text).all_errors().map(ToString::to_string).collect()
    }

    fn warnings(text: &str) -> Vec<String> {
        let parsed = parsed(text);
        assert_eq!(parsed.all_errors().count(), 0, "{text}");
        parsed.warnings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_mistake_has_its_message_and_place() {
        for (text, expected) in [
            (
                "shoe=1",
                "option 'shoe': unknown option, expected type, set",
            ),
            (
                "status=supper",
                "option 'status': unknown status 'supper', expected a status",
            ),
            ("forward_internal_always=200", ""),
            ("forward_internal_always=200@default", ""),
            (
                "forward_internal_always=20 0@default",
                "'20 0@default' is no target, expected",
            ),
            ("forward_internal_always=200@d,1", "is no target"),
            ("forward_internal_always=@default", "is no target"),
            ("forward_internal_always=fax:1", "is no target"),
            (
                "forward_internal_always=voicemail:",
                "'' is no mailbox, expected one such",
            ),
            ("forward_internal_always=voicemail:1@a@b", "is no mailbox"),
            (
                "forward_internal_always=${MESSAGE}@d",
                "unknown variable 'MESSAGE', expected",
            ),
            ("forward_internal_always=${EXTENSION@d", "is no target"),
            ("forward_internal_always=${STATUS}-${USER}@x${STATE}", ""),
            ("forward_sideways=200", "unknown option"),
            (
                "ring_timeout=4",
                "'4', expected a whole number of seconds from 5 to 300",
            ),
            ("ring_timeout=301", "from 5 to 300"),
            ("ring_first=de sk", "'de sk' is not an endpoint's name"),
            ("ring_mobile=perhaps", "'perhaps', expected yes or no"),
            ("push=perhaps", "'perhaps', expected yes or no"),
            ("set=a b", "'a b' is not a set's name"),
        ] {
            let errors = errors(&format!("[h]\ntype=handling\n{text}\n"));
            match expected {
                "" => assert!(errors.is_empty(), "{text}: {errors:?}"),
                expected => {
                    assert_eq!(errors.len(), 1, "{text}: {errors:?}");
                    assert!(errors[0].contains(expected), "{text}: {}", errors[0]);
                    assert!(errors[0].starts_with("userpresence.conf:3, section [h]"));
                }
            }
        }
    }

    #[test]
    fn a_set_has_each_block_once() {
        let twice = "[a]\ntype=handling\n[b]\ntype=handling\nset=A\n";
        assert!(errors(twice)[0].contains("'a' is the default block of the set 'A' already"));
        let twice = "[a]\ntype=handling\nstatus=away,xa\n\
                     [b]\ntype=handling\nset=a\nstatus=dnd,xa\n";
        assert!(errors(twice)[0].contains("'a' is for one of these statuses already"));
    }

    #[test]
    fn options_of_users_and_rules_say_what_they_expected() {
        for (text, expected) in [
            ("handling=x", "unknown handling 'x', expected h"),
            (
                "endpoint=desk",
                "'desk' is no endpoint, expected a name and a device",
            ),
            ("endpoint=desk,Custom:x", "is no endpoint"),
            ("endpoint=d k,PJSIP/1", "'d k' is not an endpoint's name"),
            (
                "endpoint=desk,PJSIP/1\nendpoint=Desk,PJSIP/2",
                "the endpoint 'Desk' stands twice",
            ),
            (
                "mobile=office",
                "'office', expected a number such as +491701234567",
            ),
            ("mailbox=20 0", "'20 0' is no mailbox"),
            ("monitor=a b", "'a b' is not a user's name"),
            ("mobile_prefix=0&1", "'0&1', expected what stands before"),
            ("forward_context=", "'', expected a context such as default"),
            ("internal_context=a b", "'a b', expected contexts such as"),
            ("trust_caller_id=x", "'x', expected yes or no"),
            ("always_accept=200,,201", "'', expected numbers such as"),
            (
                "origin_variable=a-b",
                "'a-b', expected a channel variable's name",
            ),
        ] {
            let text = format!("[h]\ntype=handling\n[u]\ntype=user\n{text}\n");
            let errors = errors(&text);
            assert_eq!(errors.len(), 1, "{text}: {errors:?}");
            assert!(errors[0].contains(expected), "{text}: {}", errors[0]);
        }
    }

    #[test]
    fn what_users_lack_is_a_warning_that_names_them() {
        let set = "[h]\ntype=handling\nring_first=desk\nring_second=Web,mobile\n\
                   forward_internal_busy=voicemail\n[general]\nhandling=h\n";
        let said = warnings(&format!(
            "{set}[u]\ntype=user\nmailbox=1\nendpoint=desk,PJSIP/1\nmonitor=nobody,U\n"
        ));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("option 'monitor': there is no user 'nobody'"));
        assert!(said[1].contains("the user 'u' has no endpoint Web, mobile, which"));
        // Without endpoints no name means anything.
        let said = warnings(&format!("{set}[u]\ntype=user\n"));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("the user 'u' has no mailbox"));
    }

    #[test]
    fn a_user_says_otherwise_than_general() {
        let parsed = parsed(
            "[h]\ntype=handling\n[general]\nhandling=h\ninternal_context=a, b\n\
             [u]\ntype=user\nhandling=\nalways_accept=200,+49\n[v]\ntype=user\n",
        );
        let calls = |at: usize| &parsed.users[at].rule.calls;
        assert!(calls(0).handling.is_none() && calls(1).handling.is_some());
        assert_eq!(calls(0).internal_contexts, ["a".into(), "b".into()]);
        assert_eq!(calls(0).always_accept, ["200".into(), "+49".into()]);
        assert!(parsed.users[1].reach.is_none());
    }
}
