//! The options of a user by which calls reach the user, and their check against the
//! handling sets.

use std::collections::HashSet;

use super::dialplan;
use super::reader::Given;
use super::section::{Origin, Problem, Section, location};
use super::user::UserSpec;
use super::value::{self, unexpected};
use crate::model::dialable::is_number;
use crate::model::handling::{Forward, Handling, HandlingBlock, MOBILE, Reach, is_phone};
use crate::model::text::quoted;

/// One or more endpoints, each with a name of its own.
pub(super) fn endpoints(reach: &mut Reach, given: &Given<'_>) -> Result<(), String> {
    for part in given.values() {
        let (name, device) = endpoint(part)?;
        let mut known = reach.endpoints.iter();
        if known.any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            return Err(format!(
                "the user has two endpoints named '{name}', expected each name once"
            ));
        }
        reach.endpoints.push((name, device));
    }
    Ok(())
}

/// `desk,PJSIP/desk-201`
fn endpoint(given: &str) -> Result<(Box<str>, Box<str>), String> {
    let bad = || {
        format!(
            "'{}' is not an endpoint, expected a name and a device such as desk,PJSIP/desk-201",
            quoted(given)
        )
    };
    let (name, device) = given.split_once(',').ok_or_else(bad)?;
    let (name, device) = (name.trim(), device.trim());
    value::name(name, "an endpoint's name")?;
    let device = value::device(device).map_err(|_| bad())?;
    // `Dial` takes only channel technologies, and gives `|` and `^` a meaning of its own.
    match is_phone(&device) && !device.contains(['|', '^']) {
        true => Ok((name.into(), device)),
        false => Err(bad()),
    }
}

/// The number of the mobile; empty for none.
pub(super) fn mobile(reach: &mut Reach, given: &Given<'_>) -> Result<(), String> {
    if !given.value.is_empty() && !is_number(given.value) {
        return Err(unexpected(given.value, "a number such as +491701234567"));
    }
    reach.mobile = given.value.into();
    Ok(())
}

/// The mailbox; empty for none.
pub(super) fn mailbox(reach: &mut Reach, given: &Given<'_>) -> Result<(), String> {
    reach.mailbox = match given.value {
        "" => "".into(),
        mailbox => dialplan::mailbox(mailbox)?,
    };
    Ok(())
}

/// The names of users whom this user monitors, each once.
pub(super) fn monitors(reach: &mut Reach, given: &Given<'_>) -> Result<(), String> {
    given.repeats();
    // An empty value is no name, and is refused.
    let words = given.words().chain(given.value.is_empty().then_some(""));
    for word in words {
        value::name(word, "a user's name")?;
        let mut known = reach.monitors.iter();
        if !known.any(|name| name.eq_ignore_ascii_case(word)) {
            reach.monitors.push(word.into());
        }
    }
    Ok(())
}

/// Warns of names that users refer to and that do not exist.
pub(super) fn check(
    specs: &[UserSpec],
    file: &[Section],
    realtime: &[Section],
    warnings: &mut Vec<Problem>,
) {
    let monitors = |spec: &UserSpec| spec.reach.as_ref().is_some_and(|r| !r.monitors.is_empty());
    let names: HashSet<String> = match specs.iter().any(monitors) {
        true => specs.iter().map(|s| s.name.to_ascii_lowercase()).collect(),
        false => HashSet::new(),
    };
    for spec in specs {
        let Some(section) = (match spec.origin {
            Origin::File => file.get(spec.section as usize),
            Origin::Realtime => realtime.get(spec.section as usize),
        }) else {
            // A user who was known before has had these warnings.
            continue;
        };
        let mut warn = |option: &str, message: String| {
            let location = location(spec.origin, section, section.option(option));
            warnings.push(Problem { location, message });
        };
        let none = Reach::default();
        let reach = spec.reach.as_deref().unwrap_or(&none);
        for name in &reach.monitors {
            if !names.contains(&name.to_ascii_lowercase()) {
                let message = format!("there is no user '{name}' for '{}' to monitor", spec.name);
                warn("monitor", message);
            }
        }
        let Some(handling) = &spec.rule.calls.handling else {
            continue;
        };
        let missing = match reach.endpoints.is_empty() {
            true => Vec::new(),
            false => missing_endpoints(handling, reach),
        };
        if !missing.is_empty() {
            let known: Vec<_> = reach.endpoints.iter().map(|(name, _)| &**name).collect();
            let message = format!(
                "the handling '{}' rings the endpoint {}, which the user '{}' does not have; \
                 the user's endpoints are {}",
                handling.name,
                missing.join(", "),
                spec.name,
                known.join(", ")
            );
            warn("handling", message);
        }
        let own = |block: &HandlingBlock| block.forwards.contains(&Some(Forward::OwnVoicemail));
        if reach.mailbox.is_empty() && handling.all().any(own) {
            let message = format!(
                "the handling '{}' forwards to voicemail, but the user '{}' has no mailbox",
                handling.name, spec.name
            );
            warn("handling", message);
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
    fn each_mistake_of_a_user_has_its_message() {
        for (text, expected) in [
            ("handling=x", "unknown handling 'x', expected h"),
            (
                "endpoint=desk",
                "'desk' is not an endpoint, expected a name and a device",
            ),
            ("endpoint=desk,Custom:x", "is not an endpoint"),
            ("endpoint=d k,PJSIP/1", "'d k' is not an endpoint's name"),
            (
                "endpoint=desk,PJSIP/1\nendpoint=Desk,PJSIP/2",
                "the user has two endpoints named 'Desk'",
            ),
            (
                "mobile=office",
                "'office', expected a number such as +491701234567",
            ),
            ("mailbox=20 0", "'20 0' is not a mailbox"),
            ("monitor=a b", "'a b' is not a user's name"),
            ("mobile_prefix=0&1", "'0&1', expected the prefix of"),
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
    fn names_that_do_not_exist_are_warnings() {
        let set = "[h]\ntype=handling\nring_first=desk\nring_second=Web,mobile\n\
                   forward_internal_busy=voicemail\n[general]\nhandling=h\n";
        let found = warnings(&format!(
            "{set}[u]\ntype=user\nmailbox=1\nendpoint=desk,PJSIP/1\nmonitor=nobody,U\n"
        ));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].contains("option 'monitor': there is no user 'nobody' for 'u' to monitor")
        );
        assert!(found[1].contains(
            "the handling 'h' rings the endpoint Web, mobile, which the user 'u' does not have"
        ));
        // A user without endpoints is reached by the extensions.
        let found = warnings(&format!("{set}[u]\ntype=user\n"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("forwards to voicemail, but the user 'u' has no mailbox"));
    }

    #[test]
    fn a_user_overrides_general() {
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
