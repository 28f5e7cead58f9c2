//! Tests of own settings.

use super::*;

fn patch(before: Option<&OwnSettings>, json: &str) -> Result<Option<OwnSettings>, String> {
    OwnSettings::patched(before, &SettingsPatch::parse(json)?, &Statuses::default())
}

fn settings(json: &str) -> OwnSettings {
    patch(None, json).unwrap().unwrap()
}

#[test]
fn a_patch_merges_and_null_gives_back() {
    let first = settings(
        r#"{"statuses":{"AWAY":{"forwardExternal":{"always":"+491","busy":"voicemail"}}}}"#,
    );
    let (external, always) = (CallOrigin::External, ForwardWhen::Always);
    let forward = first.forward("Away", external, always).unwrap();
    assert_eq!(forward.to_string(), "+491");
    assert!(
        first
            .forward("away", CallOrigin::Internal, always)
            .is_none()
    );
    let more = r#"{"statuses":{"away":{"forwardExternal":{"always":null},
                   "forwardInternal":{"noAnswer":"210@default"}},"default":{}}}"#;
    let second = patch(Some(&first), more).unwrap().unwrap();
    assert_eq!(
        second.json(),
        r#"{"statuses":{"away":{"forwardExternal":{"busy":"voicemail"},"forwardInternal":{"noAnswer":"210@default"}}}}"#
    );
    assert_eq!(OwnSettings::restore(second.json()).unwrap(), second);
    assert_eq!(patch(Some(&second), "{}"), Ok(Some(second.clone())));
    for nothing in [
        r#"{"statuses":null}"#,
        r#"{"statuses":{"away":null}}"#,
        r#"{"statuses":{"away":{"forwardExternal":null,"forwardInternal":{"noAnswer":null}}}}"#,
    ] {
        assert_eq!(patch(Some(&second), nothing), Ok(None), "{nothing}");
    }
}

#[test]
fn each_mistake_names_the_member() {
    for (json, expected) in [
        ("[1]", "the settings are a list, expected an object"),
        ("{", "the settings are not JSON: EOF"),
        (r#"{"shoe":1}"#, "shoe: unknown member, expected statuses"),
        (r#"{"shoe":null}"#, "shoe: unknown member"),
        (
            r#"{"statuses":1}"#,
            "statuses: a number, expected an object",
        ),
        (
            r#"{"statuses":{"awya":{}}}"#,
            "statuses.awya: unknown status 'awya', did you mean 'away'?",
        ),
        (
            r#"{"statuses":{"away":[]}}"#,
            "statuses.away: a list, expected an object or null",
        ),
        (
            r#"{"statuses":{"away":{"ringThird":[]}}}"#,
            "statuses.away.ringThird: unknown member, expected forwardInternal, forwardExternal, ringFirst",
        ),
        (
            r#"{"statuses":{"away":{"forwardExternal":"210"}}}"#,
            "statuses.away.forwardExternal: a text, expected an object or null",
        ),
        (
            r#"{"statuses":{"away":{"forwardExternal":{"never":"210"}}}}"#,
            "forwardExternal.never: unknown member, expected always, noAnswer or busy",
        ),
        (
            r#"{"statuses":{"away":{"forwardExternal":{"busy":210}}}}"#,
            "forwardExternal.busy: a number, expected a text or null",
        ),
        (
            r#"{"statuses":{"away":{},"Away":{}}}"#,
            "the status is there twice",
        ),
    ] {
        let why = patch(None, json).unwrap_err();
        assert!(why.contains(expected), "{json}: {why}");
    }
    for target in [
        "",
        "2 0",
        "200&300",
        "200/300",
        "200@d,1",
        "@d",
        "200@",
        "${X}",
        "_X.",
        "-_X.",
        "--",
        "-@d",
        "a@b@c",
        "voicemail:2",
        "ü",
        "200\n",
    ] {
        let why = OwnTarget::parse(target).unwrap_err();
        assert!(
            why.contains("cannot be dialled, expected an extension"),
            "{target}: {why}"
        );
    }
    assert!(OwnTarget::parse(&"1".repeat(80)).is_err());
    for target in ["none", "voicemail", "mobile", "+491", "*72", "210@default"] {
        assert_eq!(OwnTarget::parse(target).unwrap().to_string(), target);
    }
}

#[test]
fn what_comes_in_is_bounded() {
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_BYTES));
    assert!(
        SettingsPatch::parse(&long)
            .unwrap_err()
            .contains("expected at most 16384")
    );
    assert!(OwnSettings::restore(&long).is_none());
    assert!(SettingsPatch::parse(&"[".repeat(10_000)).is_err());
    let many = (0..=MAX_STATUSES).map(|at| format!(r#""s{at}":{{"x":1}}"#));
    let many: Vec<_> = many.collect();
    assert!(OwnSettings::restore(&format!(r#"{{"statuses":{{{}}}}}"#, many.join(","))).is_none());
}

#[test]
fn members_of_a_later_release_are_kept_and_can_be_given_back() {
    let stored = r#"{"statuses":{"gone":{"ringFirst":["desk"]},"away":{"forwardExternal":{"busy":7,"later":"1"}}},"visibility":"everyone"}"#;
    let stored = OwnSettings::restore(stored).unwrap();
    assert!(
        stored
            .statuses()
            .iter()
            .all(|status| status.forwards.is_empty())
    );
    let changed = r#"{"statuses":{"away":{"forwardExternal":{"always":"mobile"}}}}"#;
    let changed = patch(Some(&stored), changed).unwrap().unwrap();
    for kept in [
        r#""ringFirst":["desk"]"#,
        r#""busy":7"#,
        r#""later":"1""#,
        "visibility",
    ] {
        assert!(changed.json().contains(kept), "{kept}");
    }
    let back = r#"{"visibility":null,"statuses":{"gone":null,"away":{"forwardExternal":{"later":null,"busy":null,"always":null}}}}"#;
    assert_eq!(patch(Some(&changed), back), Ok(None));
}

#[test]
fn one_forward_is_a_patch() {
    let of = |target| SettingsPatch::forward("away", &CallOrigin::ALL, ForwardWhen::Busy, target);
    let set = OwnSettings::patched(None, &of(Some("210")), &Statuses::default());
    let set = set.unwrap().unwrap();
    let item = r#"{"busy":"210"}"#;
    let json = format!(
        r#"{{"statuses":{{"away":{{"forwardExternal":{item},"forwardInternal":{item}}}}}}}"#
    );
    assert_eq!(set.json(), json);
    let back = OwnSettings::patched(Some(&set), &of(None), &Statuses::default());
    assert_eq!(back, Ok(None));
}
