//! Hints of users that the dialplan spells in another way than the configuration. From 20.21,
//! 22.11 and 23.5 on, a hint follows a device under its own spelling only; the same holds here
//! on every release.

use crate::harness::barrier::{all_events, configured};
use crate::harness::users::set;
use crate::harness::{Ami, Builder, Instance, MODULE, Subscriber, root, skipped_without_sip};

const BOB: &str = "[general]\n[Bob]\ntype = user\nextension = 200,Custom:desk\n";

/// Hints on one user: as configured, in other letters, with another label, as a queue.
const HINTS: [(&str, &str); 4] = [
    ("2100", "UserPresence:Bob"),
    ("2101", "UserPresence:bob"),
    ("2102", "userpresence:BOB"),
    ("2103", "USERPRESENCE:bob@Queue"),
];

fn with_hints(conf: &str) -> Builder {
    let add = |builder: Builder, (extension, names): (&str, &str)| builder.hint(extension, names);
    HINTS.into_iter().fold(configured(conf), add)
}

fn start(conf: &str) -> Instance {
    started(with_hints(conf))
}

fn started(builder: Builder) -> Instance {
    let ast = builder.start();
    ast.set_device("desk", "NOT_INUSE");
    ast
}

#[track_caller]
fn wait_all(ast: &Instance, state: &str) {
    for (extension, _) in HINTS {
        ast.wait_hint_state(extension, state);
    }
}

/// Every lamp follows the user through a few states.
#[track_caller]
fn assert_follow(ast: &Instance, user: &str) {
    for (value, state) in [("dnd", "Busy"), ("not_set", "Idle"), ("dnd", "Busy")] {
        set(ast, user, value);
        wait_all(ast, state);
    }
    set(ast, user, "not_set");
    wait_all(ast, "Idle");
}

/// The states that were published for each device of the module, in order.
fn devices(ast: &Instance, ami: &Ami) -> Vec<(String, String)> {
    let events = all_events(ast, ami);
    let events = events.iter().filter(|it| it.is_event("DeviceStateChange"));
    let parts = events.filter_map(|event| Some((event.get("Device")?, event.get("State")?)));
    let own = parts.filter(|(device, _)| device.to_ascii_lowercase().starts_with("userpresence:"));
    let mut own: Vec<_> = own
        .map(|(device, state)| (device.to_owned(), state.to_owned()))
        .collect();
    // Asterisk reports each change of a device twice.
    own.dedup();
    own
}

#[test]
fn a_lamp_that_spells_the_user_otherwise_lights_up() {
    if skipped_without_sip() {
        return;
    }
    let ast = started(with_hints(BOB).phones());
    let phone = Subscriber::lamp(&ast, "2101");
    wait_all(&ast, "Idle");
    phone.wait_lamp("terminated");
    set(&ast, "Bob", "dnd");
    wait_all(&ast, "Busy");
    phone.wait_lamp("confirmed");
    assert_follow(&ast, "bob");
    phone.wait_lamp("terminated");
    assert_eq!(ast.new_complaints(0), Vec::<String>::new());
}

/// Hints that are there before the module, and after an unload and another load.
#[test]
fn a_module_that_is_loaded_later_finds_the_hints() {
    let hints = with_hints(BOB).hint("2200", ",userpresence:bob");
    let ast = started(hints.not_loaded());
    for _ in 0..2 {
        let log = ast.log().len();
        assert!(ast.load_module(MODULE).ok());
        assert_follow(&ast, "bob");
        set(&ast, "bob", "dnd");
        wait_all(&ast, "Busy");
        ast.wait_hint_presence("2200", "dnd");
        assert!(ast.unload_module(MODULE).ok());
        wait_all(&ast, "Idle");
        ast.wait_hint_presence("2200", "not_set");
        assert!(!ast.log()[log..].contains("No provider found"));
    }
}

/// A hint that a reload of the dialplan brings.
#[test]
fn a_new_hint_lights_up() {
    let ast = started(configured(BOB).hint("2100", "UserPresence:Bob"));
    ast.wait_hint_state("2100", "Idle");
    let hints = HINTS.map(|(extension, names)| format!("exten => {extension},hint,{names}\n"));
    ast.write_config("extensions.conf", &format!("[default]\n{}", hints.concat()));
    ast.cli("dialplan reload");
    wait_all(&ast, "Idle");
    assert_follow(&ast, "bob");
}

/// A hint of a user who is configured later.
#[test]
fn a_user_who_is_added_later_lights_up() {
    let ast = start("[general]\n[carol]\ntype = user\nextension = 300\n");
    ast.write_config("userpresence.conf", BOB);
    assert!(ast.reload().ok());
    assert_follow(&ast, "bob");
}

/// Devices and presences, before the rename and after it.
#[test]
fn a_rename_by_case_reaches_the_hints() {
    let hints = with_hints(&BOB.replace("Bob", "bob"));
    let ast = started(hints.hint("2200", ",UserPresence:bob"));
    assert_follow(&ast, "bob");
    set(&ast, "bob", "dnd");
    wait_all(&ast, "Busy");
    ast.wait_hint_presence("2200", "dnd");
    for name in ["Bob", "BOB", "bob"] {
        ast.write_config("userpresence.conf", &BOB.replace("Bob", name));
        assert!(ast.reload().ok());
        wait_all(&ast, "Busy");
        ast.wait_hint_presence("2200", "dnd");
        for (value, state) in [("away", "Unavailable"), ("dnd", "Busy")] {
            set(&ast, name, value);
            wait_all(&ast, state);
            ast.wait_hint_presence("2200", value);
        }
    }
}

/// Neither a removed user nor an earlier spelling leaves an answer behind that somebody else
/// may get.
#[test]
fn no_stale_state_stays() {
    let ast = start(BOB);
    let custom = "[general]\n[dave]\ntype = user\nextension = 300\n";
    set(&ast, "bob", "dnd");
    wait_all(&ast, "Busy");
    ast.write_config("userpresence.conf", custom);
    assert!(ast.reload().ok());
    // The core asks for a device that was forgotten: there is no such user.
    for (extension, names) in HINTS {
        ast.wait_device(names, "INVALID");
        // A queue may go on to ring the member: its device is unknown, which newer cores show as
        // idle in a hint.
        if !names.ends_with("@Queue") {
            ast.wait_hint_state(extension, "Unavailable");
        }
    }
    let states = ast.ami().list(&[("Action", "PresenceStateList")]);
    let names = states.iter().filter_map(|state| state.get("Presentity"));
    let own: Vec<_> = names.filter(|name| name.contains("ob")).collect();
    assert_eq!(own, Vec::<&str>::new());

    // Another spelling, over a reload and over a load.
    let presence = |name: &str| ast.getvar(&format!("PRESENCE_STATE(UserPresence:{name},value)"));
    for name in ["BOB", "bob"] {
        ast.write_config("userpresence.conf", &BOB.replace("Bob", name));
        assert!(ast.reload().ok());
        set(&ast, name, "dnd");
        wait_all(&ast, "Busy");
        for spelled in ["Bob", "BOB", "bob"] {
            assert_eq!(presence(spelled), "dnd", "{spelled}");
        }
    }
    assert!(ast.unload_module(MODULE).ok());
    ast.write_config("userpresence.conf", BOB);
    assert!(ast.load_module(MODULE).ok());
    wait_all(&ast, "Busy");
    for spelled in ["Bob", "BOB", "bob"] {
        assert_eq!(presence(spelled), "dnd", "{spelled}");
    }
    assert_follow(&ast, "bob");
}

/// Nothing is published under a spelling that no hint has, even if a function asks for it; and each change
/// once.
#[test]
fn only_spellings_of_hints_are_published() {
    let hints = configured(BOB).hint("2100", "UserPresence:Bob");
    let ast = started(hints.hint("2101", "UserPresence:bob"));
    for asked in [
        "UserPresence:BOB",
        "userpresence:Bob",
        "UserPresence:nobody",
    ] {
        ast.device(asked);
    }
    for extension in ["2100", "2101"] {
        ast.wait_hint_state(extension, "Idle");
    }
    // The first change may come before the hints were read for the second time.
    for (value, state) in [("dnd", "Busy"), ("not_set", "Idle")] {
        set(&ast, "bob", value);
        ast.wait_hint_state("2100", state);
        ast.wait_hint_state("2101", state);
    }
    let ami = ast.ami();
    set(&ast, "bob", "dnd");
    ast.wait_hint_state("2101", "Busy");
    let mut told = devices(&ast, &ami);
    told.sort();
    told.dedup();
    let names: Vec<&str> = told.iter().map(|(device, _)| device.as_str()).collect();
    let by_spelling = ["UserPresence:Bob", "UserPresence:bob"];
    // Older cores match without regard to case, and need one.
    match root().keeps_extension_states() {
        true => assert_eq!(names, by_spelling),
        false => assert_eq!(names, by_spelling[..1]),
    }
    assert!(told.iter().all(|(_, state)| state == "BUSY"), "{told:?}");
}
