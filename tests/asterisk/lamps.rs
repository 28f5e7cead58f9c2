//! Lamps: hints on the device `UserPresence:<user>`.

use crate::harness::barrier::{all_events, configured, set_extension};
use crate::harness::users::{
    ALICE, assert_verdict, complaints, read, set, wait_state, wait_verdict,
};
use crate::harness::{Builder, Instance, MODULE, Phone, Subscriber, wait_until};

const LAMP: &str = "UserPresence:alice";

fn lamp(conf: &str) -> Builder {
    configured(conf).phones().hint("2100", LAMP)
}

/// Waits until the hint has this state and the device that state.
#[track_caller]
fn wait_shown(ast: &Instance, state: &str, device: &str) {
    ast.wait_hint_state("2100", state);
    ast.wait_device(LAMP, device);
}

#[test]
fn a_lamp_shows_what_a_user_does() {
    let ast = lamp(ALICE).start();
    let watcher = Subscriber::lamp(&ast, "2100");
    let ami = ast.ami();
    let told = |text: &str| {
        ami.wait_event(text, |event| {
            event.is_event("ExtensionStatus")
                && event.get("Exten") == Some("2100")
                && event.get("StatusText") == Some(text)
        });
    };
    // No phone is reachable.
    wait_shown(&ast, "Unavailable", "UNAVAILABLE");
    watcher.wait_lamp("terminated");
    // dnd shows as busy even if no phone is reachable.
    set(&ast, "alice", "dnd");
    wait_shown(&ast, "Busy", "BUSY");
    watcher.wait_lamp("confirmed");
    told("Busy");
    // An unreachable user never looks idle.
    for state in ["available", "not_set", "chat", "away", "xa"] {
        set(&ast, "alice", "dnd");
        wait_shown(&ast, "Busy", "BUSY");
        set(&ast, "alice", state);
        wait_shown(&ast, "Unavailable", "UNAVAILABLE");
    }
    set(&ast, "alice", "not_set");

    let first = Phone::ringing(&ast, "200");
    let caller = Phone::ringing(&ast, "202");
    wait_shown(&ast, "Idle", "NOT_INUSE");
    told("Idle");
    caller.call("200");
    wait_shown(&ast, "Ringing", "RINGING");
    watcher.wait_lamp("early");
    told("Ringing");
    first.answer();
    wait_shown(&ast, "InUse", "INUSE");
    watcher.wait_lamp("confirmed");
    told("InUse");
    caller.hold();
    wait_shown(&ast, "Hold", "ONHOLD");
    told("Hold");
    caller.resume();
    wait_shown(&ast, "InUse", "INUSE");
    // A lamp shows a call in every status except dnd.
    for (state, shown, device) in [
        ("away", "InUse", "INUSE"),
        ("dnd", "Busy", "BUSY"),
        ("xa", "InUse", "INUSE"),
    ] {
        set(&ast, "alice", state);
        wait_state(&ast, "alice", state);
        wait_shown(&ast, shown, device);
    }
    caller.hang_up();
    wait_shown(&ast, "Unavailable", "UNAVAILABLE");
    told("Unavailable");
    watcher.wait_lamp("terminated");
    set(&ast, "alice", "not_set");
    wait_shown(&ast, "Idle", "NOT_INUSE");
    assert_eq!(ast.new_complaints(0), Vec::<String>::new());
}

/// A call that causes `dnd` is shown as a call.
#[test]
fn a_call_shows_as_a_call_if_devices_are_sources() {
    let ast = lamp(&format!("{ALICE}use_devices = yes\n")).start();
    let first = Phone::ringing(&ast, "200");
    let _second = Phone::ringing(&ast, "201");
    let caller = Phone::ringing(&ast, "202");
    wait_shown(&ast, "Idle", "NOT_INUSE");
    caller.call("200");
    wait_shown(&ast, "Ringing", "RINGING");
    first.answer();
    wait_verdict(&ast, "alice", "dnd PJSIP/200 highest");
    wait_shown(&ast, "InUse", "INUSE");
    caller.hold();
    wait_shown(&ast, "Hold", "ONHOLD");
    caller.hang_up();
    wait_shown(&ast, "Idle", "NOT_INUSE");
}

/// No lamp shows an unreachable user as idle when a status ends, whichever way it is set
/// or cleared.
#[test]
fn clearing_dnd_never_shows_an_unreachable_user_as_idle() {
    let ast = lamp(ALICE).start();
    let ami = ast.ami();
    wait_shown(&ast, "Unavailable", "UNAVAILABLE");
    let ways: [&dyn Fn(&str); 3] = [
        &|state| set(&ast, "alice", state),
        &|state| {
            set_extension(&ast, "200", state);
            set_extension(&ast, "201", state);
        },
        &|state| drop(ast.cli(&format!("userpresence set alice {state}"))),
    ];
    for way in ways {
        way("dnd");
        wait_shown(&ast, "Busy", "BUSY");
        way("not_set");
        wait_shown(&ast, "Unavailable", "UNAVAILABLE");
    }
    ast.setvar("USER_PRESENCE(alice,dndStatus)", "DoNotAcceptAnyCalls");
    wait_shown(&ast, "Busy", "BUSY");
    ast.setvar("USER_PRESENCE(alice,dndStatus)", "TakeAllCalls");
    wait_shown(&ast, "Unavailable", "UNAVAILABLE");
    let events = ami.take_events();
    let of_lamp = events
        .iter()
        .filter(|event| event.is_event("DeviceStateChange") && event.get("Device") == Some(LAMP));
    let states: Vec<_> = of_lamp.filter_map(|event| event.get("State")).collect();
    assert!(states.contains(&"BUSY"), "{states:?}");
    assert!(!states.contains(&"NOT_INUSE"), "{states:?}");
}

#[test]
fn tables_define_what_a_lamp_shows() {
    let conf = |table: &str| {
        format!(
            "[general]\n[mine]\ntype = presence_table\n{table}\
             [alice]\ntype = user\nextension = 200,Custom:a\nlamp_table = mine\n"
        )
    };
    let ast = configured(&conf(
        "away = in_use\nxa = ON_HOLD\nchat = RINGING\ndnd = unavailable\n",
    ))
    .hint("2100", LAMP)
    .start();
    ast.set_device("a", "NOT_INUSE");
    wait_shown(&ast, "Idle", "NOT_INUSE");
    for (state, shown, device) in [
        ("away", "InUse", "INUSE"),
        ("xa", "Hold", "ONHOLD"),
        ("chat", "Ringing", "RINGING"),
        ("dnd", "Unavailable", "UNAVAILABLE"),
        ("unavailable", "Unavailable", "UNAVAILABLE"),
        ("available", "Idle", "NOT_INUSE"),
    ] {
        set_extension(&ast, "200", state);
        wait_shown(&ast, shown, device);
        // The queue has its own table.
        let queue = match state {
            "dnd" => "BUSY",
            "available" | "chat" => "NOT_INUSE",
            _ => "UNAVAILABLE",
        };
        assert_eq!(ast.device("UserPresence:alice@queue"), queue, "{state}");
    }

    // A reload changes the table alone.
    set_extension(&ast, "200", "away");
    wait_shown(&ast, "InUse", "INUSE");
    let sequence = read(&ast, "alice,sequence");
    ast.write_config("userpresence.conf", &conf("away = busy\n"));
    assert!(ast.reload().ok());
    wait_shown(&ast, "Busy", "BUSY");
    ast.write_config("userpresence.conf", &conf(""));
    assert!(ast.reload().ok());
    wait_shown(&ast, "Unavailable", "UNAVAILABLE");
    assert_eq!(read(&ast, "alice,sequence"), sequence);
}

#[test]
fn an_unload_turns_lamps_off_and_a_load_restores_them() {
    let ast = configured("[alice]\ntype = user\nextension = 200,Custom:a\n")
        .sip(&[])
        .hint("2100", LAMP)
        .start();
    let watcher = Subscriber::lamp(&ast, "2100");
    ast.set_device("a", "NOT_INUSE");
    set_extension(&ast, "200", "dnd");
    watcher.wait_lamp("confirmed");
    for _ in 0..3 {
        wait_shown(&ast, "Busy", "BUSY");
        let ami = ast.ami();
        assert!(ast.unload_module(MODULE).ok());
        ami.wait_event("unknown", |event| {
            event.get("Device") == Some(LAMP) && event.get("State") == Some("UNKNOWN")
        });
        watcher.wait_lamp("terminated");
        // A query now finds no provider.
        wait_until("no lamp", || {
            ["UNKNOWN", "INVALID"]
                .contains(&ast.device(LAMP).as_str())
                .then_some(())
        });
        // The lamp shows the change that came while the module was away.
        ast.set_device("a", "INUSE");
        ast.set_custom("200", "available");
        assert!(ast.load_module(MODULE).ok());
        wait_shown(&ast, "InUse", "INUSE");
        watcher.wait_lamp("confirmed");
        ast.set_device("a", "NOT_INUSE");
        wait_shown(&ast, "Idle", "NOT_INUSE");
        watcher.wait_lamp("terminated");
        set_extension(&ast, "200", "dnd");
        watcher.wait_lamp("confirmed");
    }
    // The same after a restart.
    ast.restart(true);
    wait_shown(&ast, "Busy", "BUSY");
}

/// The hints asked before the module was there.
#[test]
fn a_load_into_a_running_asterisk_lights_the_lamps() {
    let ast = configured("[alice]\ntype = user\nextension = 200,Custom:a\n[Bob]\ntype = user\n")
        .not_loaded()
        .sip(&[])
        .hint("2100", LAMP)
        .hint("2101", "userpresence:BOB")
        .start();
    ast.set_custom("200", "dnd");
    let watcher = Subscriber::lamp(&ast, "2100");
    assert_ne!(ast.hint("2100").state, "Busy");
    assert!(ast.load_module(MODULE).ok());
    wait_shown(&ast, "Busy", "BUSY");
    watcher.wait_lamp("confirmed");
    set(&ast, "bob", "dnd");
    ast.wait_hint_state("2101", "Busy");
    set(&ast, "bob", "available");
    ast.wait_hint_state("2101", "Idle");
}

#[test]
fn a_reload_adds_and_removes_lamps() {
    let conf = |more: &str| format!("[general]\n{ALICE}{more}");
    let bob = "[Bob]\ntype = user\n";
    let ast = Instance::builder()
        .userpresence(&conf(bob))
        .hint("2100", LAMP)
        .hint("2101", "UserPresence:bob")
        .hint("2102", "UserPresence:carol")
        .start();
    set(&ast, "bob", "dnd");
    ast.wait_hint_state("2101", "Busy");
    let carol = "[carol]\ntype = user\n";
    ast.write_config("userpresence.conf", &conf(carol));
    assert!(ast.reload().ok());
    wait_until("bob's lamp off", || {
        (ast.hint("2101").state != "Busy").then_some(())
    });
    set(&ast, "carol", "dnd");
    ast.wait_hint_state("2102", "Busy");
    // The hint asked for bob before that user existed.
    assert_eq!(ast.device("UserPresence:carol"), "BUSY");

    ast.write_config("userpresence.conf", &conf(&format!("{carol}{bob}")));
    assert!(ast.reload().ok());
    set(&ast, "bob", "dnd");
    ast.wait_hint_state("2101", "Busy");
    assert_eq!(ast.device("UserPresence:bob"), "BUSY");
}

#[test]
fn an_unknown_user_is_invalid_with_one_warning() {
    let ast = configured(ALICE).start();
    for name in ["nobody", "NOBODY", "nobody@queue", "Nobody"] {
        assert_eq!(ast.device(&format!("UserPresence:{name}")), "INVALID");
    }
    for _ in 0..3 {
        assert_eq!(ast.device("UserPresence:somebody"), "INVALID");
    }
    let said = complaints(&ast, "UserPresence:");
    assert_eq!(
        said,
        [
            "There is no user 'nobody': the device state of UserPresence:nobody is invalid",
            "There is no user 'somebody': the device state of UserPresence:somebody is invalid"
        ]
    );
}

/// Asterisk asks for a device before it shows it: nothing is published of a user whom no
/// hint watches.
#[test]
fn a_user_whom_no_hint_watches_is_not_published() {
    let ast = configured(&format!("{ALICE}[bob]\ntype = user\nextension = 202\n"))
        .hint("2100", "USERPRESENCE:Alice")
        .start();
    let ami = ast.ami();
    for state in ["dnd", "not_set", "away"] {
        set(&ast, "alice", state);
        set(&ast, "bob", state);
    }
    let events = all_events(&ast, &ami);
    let devices = events
        .iter()
        .filter(|event| event.is_event("DeviceStateChange"))
        .filter_map(|event| event.get("Device"))
        .filter(|device| device.starts_with("UserPresence:"));
    let mut devices: Vec<_> = devices.collect();
    devices.dedup();
    assert_eq!(devices, [LAMP]);
    // The hint spells the name in another way.
    ast.wait_hint_state("2100", "Unavailable");
    assert_eq!(ast.device("UserPresence:ALICE"), "UNAVAILABLE");
    set(&ast, "alice", "dnd");
    ast.wait_hint_state("2100", "Busy");
}

/// A user may be the device of another one.
#[test]
fn a_boss_follows_the_secretarys_lamp() {
    let ast = configured(
        "[boss]\ntype = user\nextension = 300\ndevice = UserPresence:Secretary\n\
         [secretary]\ntype = user\nextension = 301,Custom:desk\n\
         [guard]\ntype = user\ndevice = UserPresence:boss@queue\n",
    )
    .start();
    ast.set_device("desk", "NOT_INUSE");
    wait_verdict(&ast, "boss", "available UserPresence:Secretary only");
    set_extension(&ast, "301", "dnd");
    wait_verdict(&ast, "boss", "dnd UserPresence:Secretary only");
    wait_state(&ast, "guard", "dnd");
    set_extension(&ast, "301", "away");
    wait_verdict(&ast, "boss", "unavailable UserPresence:Secretary only");
    set_extension(&ast, "300", "xa");
    assert_verdict(&ast, "boss", "xa CustomPresence:300 highest");
    set_extension(&ast, "300", "not_set");
    set_extension(&ast, "301", "not_set");
    ast.set_device("desk", "INUSE");
    wait_verdict(&ast, "boss", "dnd UserPresence:Secretary only");
    ast.set_device("desk", "NOT_INUSE");
    wait_verdict(&ast, "boss", "available UserPresence:Secretary only");
    assert_eq!(ast.new_complaints(0), Vec::<String>::new());
}

#[test]
fn a_cycle_through_devices_is_refused_and_reported() {
    let conf = "[general]\n[alice]\ntype = user\ndevice = UserPresence:alice\n\
                [bob]\ntype = user\ndevice = UserPresence:CAROL@queue\n\
                [carol]\ntype = user\nextension = 300,userpresence:bob\n\
                [dave]\ntype = user\nsource = UserPresence:erin\n\
                [erin]\ntype = user\ndevice = UserPresence:dave,meeting\n\
                [frank]\ntype = user\nextension = 301\n";
    let ast = Instance::builder().userpresence(conf).start();
    let expected = "expected a source that does not lead back";
    let said = ast.new_complaints(0);
    for (place, round) in [
        (":4, section [alice], option 'device'", "alice -> alice"),
        (":7, section [bob], option 'device'", "bob -> carol -> bob"),
        (
            ":10, section [carol], option 'extension'",
            "bob -> carol -> bob",
        ),
        (
            ":13, section [dave], option 'source'",
            "dave -> erin -> dave",
        ),
        (
            ":16, section [erin], option 'device'",
            "dave -> erin -> dave",
        ),
    ] {
        let message = format!("userpresence.conf{place}: a cycle of users ({round}), {expected}");
        let lines = said.iter().filter(|line| line.contains(&message));
        assert_eq!(lines.count(), 1, "{message}: {said:#?}");
    }
    assert_eq!(said.len(), 5, "{said:#?}");
    let users = ast.ami().list(&[("Action", "UserPresenceList")]);
    assert_eq!(users.len(), 1);
    assert_eq!(read(&ast, "frank"), "not_set");
    // The reload is refused as a whole.
    let log = ast.log().len();
    assert!(!ast.reload().ok());
    ast.wait_log_from(log, "the running configuration stays");
}
