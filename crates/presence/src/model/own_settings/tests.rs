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
    let stored = r#"{"statuses":{"gone":{"ringFirst":["desk"]},"away":{"forwardExternal":{"busy":7,"later":"1"}}},"ringtone":"bells"}"#;
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
        "ringtone",
    ] {
        assert!(changed.json().contains(kept), "{kept}");
    }
    let back = r#"{"ringtone":null,"statuses":{"gone":null,"away":{"forwardExternal":{"later":null,"busy":null,"always":null}}}}"#;
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

#[test]
fn every_item_is_read_and_its_mistakes_have_a_message() {
    let json = r#"{"statuses":{"away":{"ringFirst":["desk","mobile"],"ringSecond":[],
        "ringTimeout":5,"ringMobile":true,"push":false,"note":"Back \"soon\"","queue":"PAUSE",
        "dnd":"On","followMe":"none","greeting":"Busy"}},
        "loginStatus":"AWAY","logoutStatus":"None","mobile":"+491","default":"200",
        "visibility":"Groups"}"#;
    let all = settings(json);
    let items = &all.status("AWAY").unwrap().items;
    let shown: Vec<_> = StatusSetting::ALL
        .into_iter()
        .map(|item| text_of(&items.value(item).unwrap()))
        .collect();
    let expected = [
        "desk,mobile",
        "none",
        "5",
        "yes",
        "no",
        "Back \"soon\"",
        "pause",
        "on",
        "none",
        "busy",
    ];
    assert_eq!(shown, expected);
    assert!(all.has_actions());
    let user = UserSetting::ALL.map(|item| all.user().get(item));
    assert_eq!(
        user,
        [
            Some("away"),
            Some("none"),
            None,
            None,
            Some("+491"),
            Some("200"),
            Some("groups"),
        ]
    );
    assert_eq!(OwnSettings::restore(all.json()).unwrap(), all);
    // Each item is given back alone.
    let back = r#"{"statuses":{"away":{"queue":null,"dnd":null,"followMe":null}},"mobile":null}"#;
    let less = patch(Some(&all), back).unwrap().unwrap();
    assert!(!less.has_actions());
    assert_eq!(less.user().get(UserSetting::Mobile), None);
    assert_eq!(less.user().get(UserSetting::Default), Some("200"));

    for (item, value, expected) in [
        (
            "ringFirst",
            r#""desk""#,
            "a text, expected a list of endpoints' names",
        ),
        ("ringFirst", "[1]", "the list has a number, expected"),
        ("ringFirst", r#"["a b"]"#, "'a b' is not an endpoint's name"),
        ("ringTimeout", "4", "4, expected 5 to 300"),
        ("ringTimeout", "5.5", "5.5, expected 5 to 300"),
        ("ringTimeout", "-5", "-5, expected 5 to 300"),
        (
            "ringTimeout",
            "true",
            "true or false, expected 5 to 300 or null",
        ),
        ("ringMobile", "1", "a number, expected true, false or null"),
        ("push", r#""yes""#, "a text, expected true, false or null"),
        ("note", r#""a\u0001""#, "the text"),
        (
            "queue",
            r#""jump""#,
            "unknown action 'jump', expected login, logout, pause or none",
        ),
        (
            "dnd",
            r#""maybe""#,
            "unknown value 'maybe', expected on, off or none",
        ),
        (
            "greeting",
            r#""a/b""#,
            "'a/b', expected unavailable, busy, or the name",
        ),
        ("greeting", r#"".""#, "'.', expected unavailable"),
    ] {
        let json = format!(r#"{{"statuses":{{"away":{{"{item}":{value}}}}}}}"#);
        let why = patch(None, &json).unwrap_err();
        let expected = format!("statuses.away.{item}: {expected}");
        assert!(why.starts_with(&expected), "{json}: {why}");
        // What a later release or another program has stored has no effect, and stays.
        let stored = OwnSettings::restore(&json).unwrap();
        assert_eq!(stored.status("away").unwrap().items, OwnItems::default());
        let name = StatusSetting::parse(item).unwrap();
        assert_eq!(
            SettingsPath::Status(Some("away"), name).read(Some(&stored), ""),
            ""
        );
    }
    for (json, expected) in [
        (
            r#"{"loginStatus":"awya"}"#,
            "loginStatus: unknown status 'awya', did you mean 'away'?",
        ),
        (
            r#"{"loginStatus":7}"#,
            "loginStatus: a number, expected a text or null",
        ),
        (
            r#"{"mobile":"49-1"}"#,
            "mobile: '49-1' is no number, expected one such as",
        ),
        (r#"{"mobile":""}"#, "mobile: '' is no number"),
        (r#"{"default":"2 0"}"#, "default: '2 0' is no extension"),
    ] {
        let why = patch(None, json).unwrap_err();
        assert!(why.starts_with(expected), "{json}: {why}");
    }
}

#[test]
fn layers_come_in_the_order_of_the_rule_each_once() {
    let all = settings(
        r#"{"statuses":{"default":{"push":true},"away":{"push":false},"dnd":{"push":true}}}"#,
    );
    let names = |state, status: &str| -> Vec<String> {
        let layers = all.layers(state, status);
        layers.map(|layer| layer.status.to_string()).collect()
    };
    assert_eq!(names(State::Away, "lunch"), ["away", "default"]);
    assert_eq!(names(State::Away, "AWAY"), ["away", "default"]);
    assert_eq!(names(State::Away, "dnd"), ["dnd", "away", "default"]);
    assert_eq!(names(State::Chat, "chat"), ["default"]);
    assert_eq!(names(State::Chat, "default"), ["default"]);
}

#[test]
fn a_path_names_one_item() {
    let set = |before: Option<&OwnSettings>, path: &str, text: &str| {
        let path = SettingsPath::parse(path).unwrap();
        OwnSettings::patched(before, &path.patch(text, "away"), &Statuses::default())
    };
    let read = |settings: &OwnSettings, path: &str| {
        SettingsPath::parse(path)
            .unwrap()
            .read(Some(settings), "away")
    };
    let mut all = None;
    for (path, text, reads) in [
        ("mobile", "+491", "+491"),
        ("statuses.~.ringMobile", "On", "yes"),
        ("statuses.away.ringFirst", "desk, soft", "desk,soft"),
        ("statuses.xa.ringFirst", "none", "none"),
        ("statuses.away.ringTimeout", "17", "17"),
        (
            "statuses.default.forwardExternal.noAnswer",
            "voicemail",
            "voicemail",
        ),
        ("statuses.dnd.note", "a, \"b\"", "a, \"b\""),
    ] {
        all = set(all.as_ref(), path, text).unwrap();
        assert_eq!(read(all.as_ref().unwrap(), path), reads, "{path}");
    }
    assert_eq!(
        read(all.as_ref().unwrap(), "statuses.away.ringMobile"),
        "yes"
    );
    for path in [
        "statuses.away.ringTimeout",
        "statuses.~.ringMobile",
        "mobile",
    ] {
        all = set(all.as_ref(), path, "").unwrap();
        assert_eq!(read(all.as_ref().unwrap(), path), "");
    }
    all = set(all.as_ref(), "statuses.away.ringFirst", "null").unwrap();
    assert_eq!(all.unwrap().status("away"), None);
    for wrong in [
        "",
        "shoe",
        "statuses",
        "statuses.away",
        "statuses..push",
        "statuses.away.pull",
        "statuses.away.always",
        "statuses.away.forwardSideways.always",
        "away.push",
        "statuses.away.forwardExternal.never",
    ] {
        let why = SettingsPath::parse(wrong).unwrap_err();
        assert!(
            why.contains("is no setting, expected one such as mobile"),
            "{wrong}: {why}"
        );
    }
    // A status may have dots in its name.
    let dotted = SettingsPath::parse("statuses.at.home.push").unwrap();
    assert_eq!(
        dotted,
        SettingsPath::Status(Some("at.home"), StatusSetting::Push)
    );
}
