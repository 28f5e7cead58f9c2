//! Devices, meetings and calendars as a user's sources, with real calls.

use crate::harness::barrier::{configured, set_extension};
use crate::harness::users::{assert_verdict, complaints, read, set, wait_state, wait_verdict};
use crate::harness::{Instance, MODULE, Phone, wait_until};

const TWO: &str = "[alice]\ntype = user\nextension = 200\nextension = 201\nuse_devices = yes\n";

/// The words of a source's row in `userpresence show user`.
#[track_caller]
fn source_row(ast: &Instance, user: &str, source: &str) -> Vec<String> {
    let shown = ast.cli(&format!("userpresence show user {user}"));
    let (_, table) = shown.split_once("\n\n").unwrap_or_default();
    let mut lines = table.lines().map(str::split_whitespace);
    let found = lines.find(|words| words.clone().take(2).any(|word| word == source));
    let words = found.unwrap_or_else(|| panic!("no {source} in\n{shown}"));
    words.map(str::to_owned).collect()
}

/// A device's state and the presence that it means, in `userpresence show user`.
#[track_caller]
fn device_row(ast: &Instance, user: &str, device: &str) -> (String, String) {
    let words = source_row(ast, user, device);
    let at = words.iter().position(|word| word == device).unwrap_or(0);
    let is = words.last().cloned().unwrap_or_default();
    (is, words[at + 1].clone())
}

/// A line of `userpresence explain`.
#[track_caller]
fn explain_line(ast: &Instance, user: &str, begin: &str) -> String {
    let shown = ast.cli(&format!("userpresence explain {user}"));
    let found = shown.lines().find(|line| line.starts_with(begin));
    let line = found.unwrap_or_else(|| panic!("no line begins with {begin:?} in\n{shown}"));
    // Ages differ from run to run.
    match (line.find(", set "), line.find(" ago")) {
        (Some(from), Some(to)) => format!("{}{}", &line[..from], &line[to + 4..]),
        _ => line.to_owned(),
    }
}

#[test]
fn a_call_counts_by_its_priority() {
    let ast = configured(TWO).phones().start();
    wait_state(&ast, "alice", "unavailable");
    let first = Phone::ringing(&ast, "200");
    // The unregistered phone does not count while the other one is reachable.
    wait_verdict(&ast, "alice", "available PJSIP/200 only");
    let second = Phone::ringing(&ast, "201");
    wait_verdict(&ast, "alice", "available PJSIP/201 last_of_equals");
    let caller = Phone::ringing(&ast, "202");

    caller.call("200");
    ast.wait_device("PJSIP/200", "RINGING");
    wait_until("200 ringing", || {
        (device_row(&ast, "alice", "PJSIP/200") == ("ringing".into(), "available".into()))
            .then_some(())
    });
    // The presence of the device did not change, so it does not count as set again.
    assert_verdict(&ast, "alice", "available PJSIP/201 last_of_equals");
    first.answer();
    wait_verdict(&ast, "alice", "dnd PJSIP/200 highest");
    let since = read(&ast, "alice,since");
    let is = |state: &str| {
        wait_until(&format!("PJSIP/200 {state}"), || {
            (device_row(&ast, "alice", "PJSIP/200") == (state.into(), "dnd".into())).then_some(())
        });
        assert_eq!(read(&ast, "alice,since"), since);
    };
    is("in_use");
    caller.hold();
    is("on_hold");
    caller.resume();
    is("in_use");

    // A status chosen during a call ranks below it and counts afterwards.
    set_extension(&ast, "201", "xa,train");
    assert_verdict(&ast, "alice", "dnd PJSIP/200 highest");
    caller.hang_up();
    wait_verdict(&ast, "alice", "xa CustomPresence:201 highest");
    assert_eq!(read(&ast, "alice,subtype"), "train");
    ast.wait_no_channels();

    // A call that alice makes herself counts too.
    set_extension(&ast, "201", "not_set");
    second.call("202");
    caller.answer();
    wait_verdict(&ast, "alice", "dnd PJSIP/201 highest");
    second.hang_up();
    wait_state(&ast, "alice", "available");
    ast.wait_no_channels();

    first.unregister();
    wait_verdict(&ast, "alice", "available PJSIP/201 only");
    second.unregister();
    wait_verdict(&ast, "alice", "unavailable PJSIP/201 last_of_equals");
    // Asterisk complains about calls that end while they begin.
    let mut complaints = ast.new_complaints(0);
    complaints.retain(|line| line.contains("userpresence/"));
    assert_eq!(complaints, Vec::<String>::new());
}

#[test]
fn with_method_latest_a_call_that_ends_gives_way_to_the_chosen_status() {
    let conf = format!("{TWO}method = latest\nignore_unreachable = no\n");
    let ast = configured(&conf).phones().start();
    let first = Phone::ringing(&ast, "200");
    let second = Phone::ringing(&ast, "201");
    let caller = Phone::ringing(&ast, "202");
    // Both phones are idle.
    wait_state(&ast, "alice", "not_set");
    set_extension(&ast, "200", "away,lunch");
    assert_verdict(&ast, "alice", "away CustomPresence:200 only");
    for phone in [&first, &second] {
        caller.call(&phone.device()["PJSIP/".len()..]);
        ast.wait_device(&phone.device(), "RINGING");
        phone.answer();
        wait_verdict(&ast, "alice", &format!("dnd {} latest", phone.device()));
        caller.hang_up();
        wait_verdict(&ast, "alice", "away CustomPresence:200 only");
        assert_eq!(read(&ast, "alice,subtype"), "lunch");
        ast.wait_no_channels();
    }
    // A status chosen during a call is the later one.
    caller.call("200");
    first.answer();
    wait_verdict(&ast, "alice", "dnd PJSIP/200 latest");
    set_extension(&ast, "201", "chat");
    assert_verdict(&ast, "alice", "chat CustomPresence:201 latest");
    caller.hang_up();
    ast.wait_device("PJSIP/200", "NOT_INUSE");
    ast.wait_no_channels();
    assert_verdict(&ast, "alice", "chat CustomPresence:201 latest");

    // A phone that becomes unreachable is a change; a registration is none.
    first.unregister();
    wait_verdict(&ast, "alice", "unavailable PJSIP/200 latest");
    first.register();
    wait_verdict(&ast, "alice", "chat CustomPresence:201 latest");
}

/// Every state of a device, by the default tables and by configured ones.
#[test]
fn tables_define_the_meaning_of_device_states() {
    let ast = configured(
        "[room]\ntype = device_table\nin_use = xa,room,In the room\nringing = lunch\n\
         NOT_INUSE = not_set\n\
         [lunch]\ntype = status\nstate = away\nsubtype = lunch\n\
         [alice]\ntype = user\ndevice = Custom:a\n\
         [bob]\ntype = user\ndevice = Custom:a,meeting\n\
         [carol]\ntype = user\ndevice = Custom:a,ROOM\n",
    )
    .start();
    let cases = [
        ("NOT_INUSE", ["available,", "not_set,", "not_set,"]),
        ("INUSE", ["dnd,", "dnd,meeting", "xa,room"]),
        ("BUSY", ["dnd,", "dnd,meeting", "dnd,"]),
        ("INVALID", ["not_set,", "not_set,", "not_set,"]),
        ("UNAVAILABLE", ["unavailable,", "not_set,", "unavailable,"]),
        ("RINGING", ["available,", "not_set,", "away,lunch"]),
        ("RINGINUSE", ["dnd,", "not_set,", "dnd,"]),
        ("ONHOLD", ["dnd,", "not_set,", "dnd,"]),
    ];
    for (state, expected) in cases {
        ast.set_device("a", state);
        for (user, expected) in ["alice", "bob", "carol"].into_iter().zip(expected) {
            wait_until(&format!("{user} {expected} at {state}"), || {
                let said = [user, &format!("{user},subtype")].map(|what| read(&ast, what));
                (said.join(",") == expected).then_some(())
            });
        }
    }
    assert_eq!(ast.new_complaints(0), Vec::<String>::new());
}

#[test]
fn the_default_tables_can_be_replaced() {
    let ast = configured(
        "[device]\ntype = device_table\nin_use = away,phone,On the phone\n\
         [Meeting]\ntype = device_table\nin_use = xa,meeting,In the room\n\
         [alice]\ntype = user\nextension = 200,Custom:a\nuse_devices = yes\n\
         [bob]\ntype = user\ndevice = confbridge:100\n",
    )
    .conferences()
    .start();
    ast.set_device("a", "INUSE");
    wait_verdict(&ast, "alice", "away Custom:a only");
    assert_eq!(read(&ast, "alice,message"), "On the phone");
    ast.set_device("a", "BUSY");
    wait_verdict(&ast, "alice", "dnd Custom:a only");
    ast.run("ConfBridge", "100");
    wait_verdict(&ast, "bob", "xa confbridge:100 only");
    assert_eq!(read(&ast, "bob,message"), "In the room");
}

#[test]
fn the_device_of_an_extension_is_named_or_begins_with_the_prefix() {
    let ast = configured(
        "[general]\ndevice_prefix = Custom:desk-\n\
         [alice]\ntype = user\nextension = 200\nuse_devices = yes\n\
         [bob]\ntype = user\nextension = 200, Custom:mobile\nuse_devices = yes\n\
         [carol]\ntype = user\nextension = 200\nuse_devices = yes\ndevice_prefix = Custom:soft-\n\
         [dave]\ntype = user\nextension = 200\n",
    )
    .start();
    for (device, user) in [
        ("desk-200", "alice"),
        ("mobile", "bob"),
        ("soft-200", "carol"),
    ] {
        ast.set_device(device, "INUSE");
        wait_verdict(&ast, user, &format!("dnd Custom:{device} only"));
        // The extension's row names the device too.
        assert_eq!(device_row(&ast, user, "CustomPresence:200").0, "in_use");
    }
    // Without use_devices the device is no source, but its state is still known.
    assert_verdict(&ast, "dave", "not_set CustomPresence:200 nothing_set");
    assert_eq!(device_row(&ast, "dave", "CustomPresence:200").0, "in_use");
}

#[test]
fn a_conference_is_a_meeting() {
    let ast = configured(
        "[alice]\ntype = user\nextension = 200\ndevice = confbridge:100\n\
         [bob]\ntype = user\nmethod = latest\nextension = 200\ndevice = confbridge:100\n",
    )
    .conferences()
    .start();
    // The room does not exist yet, which does no harm.
    set_extension(&ast, "200", "away,lunch");
    assert_verdict(&ast, "alice", "away CustomPresence:200 only");
    let somebody = ast.run("ConfBridge", "100");
    wait_verdict(&ast, "alice", "dnd confbridge:100 highest");
    wait_verdict(&ast, "bob", "dnd confbridge:100 latest");
    assert_eq!(read(&ast, "alice,subtype"), "meeting");
    assert_eq!(
        explain_line(&ast, "alice", "- Meeting confbridge:100"),
        "- Meeting confbridge:100 is in_use, which means dnd (meeting): it wins."
    );
    ast.hang_up(&somebody);
    for user in ["alice", "bob"] {
        wait_verdict(&ast, user, "away CustomPresence:200 only");
    }
    assert_eq!(
        explain_line(&ast, "bob", "- Meeting confbridge:100"),
        "- Meeting confbridge:100 is not_in_use: it gives way to any source that is set."
    );
    // The private Asterisk has no sounds, and complains about that in several ways.
    let mut said = ast.new_complaints(0);
    said.retain(|line| line.contains("userpresence/"));
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn a_calendar_event_is_a_meeting_from_its_start_to_its_end() {
    let ast = configured("[alice]\ntype = user\nextension = 200\ndevice = Calendar:alice\n")
        .calendar("alice")
        .start();
    set_extension(&ast, "200", "chat");
    let ami = ast.ami();
    ast.set_calendar("alice", 1, 3);
    for (state, source) in [("dnd", "Calendar:alice"), ("chat", "CustomPresence:200")] {
        ami.wait_event(state, |event| {
            event.is_event("UserPresenceChange")
                && event.get("User") == Some("alice")
                && event.get("State") == Some(state)
                && event.get("Source") == Some(source)
        });
    }
}

#[test]
fn a_parked_call_shows_at_its_parking_space() {
    let ast = configured(
        "[parked]\ntype = device_table\nin_use = away,parked,A call waits\nnot_in_use = not_set\n\
         [alice]\ntype = user\nextension = 200\ndevice = park:701@parkedcalls,parked\n",
    )
    .parking()
    .start();
    assert_verdict(&ast, "alice", "not_set CustomPresence:200 nothing_set");
    ast.run("Park", "");
    wait_verdict(&ast, "alice", "away park:701@parkedcalls only");
    assert_eq!(read(&ast, "alice,message"), "A call waits");
    ast.run("ParkedCall", "default,701");
    wait_state(&ast, "alice", "not_set");
    ast.hang_up_all();
}

#[test]
fn unreachable_extensions_are_ignored_unless_configured_to_count() {
    let conf = "[alice]\ntype = user\nextension = 200\nextension = 201\n\
                [bob]\ntype = user\nextension = 200\nextension = 201\nignore_unreachable = no\n\
                [carol]\ntype = user\nextension = 200\nextension = 201\nuse_devices = yes\n";
    let ast = configured(conf).phones().start();
    set_extension(&ast, "201", "chat");
    set_extension(&ast, "200", "away");
    // While no phone can be reached, each counts.
    assert_verdict(&ast, "alice", "away CustomPresence:200 highest");
    let second = Phone::ringing(&ast, "201");
    wait_verdict(&ast, "alice", "chat CustomPresence:201 only");
    wait_verdict(&ast, "carol", "chat CustomPresence:201 highest");
    assert_verdict(&ast, "bob", "away CustomPresence:200 highest");
    assert_eq!(source_row(&ast, "alice", "CustomPresence:200")[0], "-");
    assert_eq!(
        explain_line(&ast, "alice", "- CustomPresence:200"),
        "- CustomPresence:200 is away: ignored, its device PJSIP/200 cannot be reached and \
         another can (ignore_unreachable)."
    );
    assert_eq!(
        explain_line(&ast, "carol", "- Device PJSIP/200"),
        "- Device PJSIP/200 is unavailable, which means unavailable: ignored, it cannot be \
         reached and another can (ignore_unreachable)."
    );
    // A presence set meanwhile counts once the phone is reachable.
    set_extension(&ast, "200", "dnd");
    assert_verdict(&ast, "alice", "chat CustomPresence:201 only");
    let first = Phone::ringing(&ast, "200");
    wait_verdict(&ast, "alice", "dnd CustomPresence:200 highest");
    first.unregister();
    wait_verdict(&ast, "alice", "chat CustomPresence:201 only");
    second.unregister();
    wait_verdict(&ast, "alice", "dnd CustomPresence:200 highest");
    assert_verdict(&ast, "bob", "dnd CustomPresence:200 highest");
}

#[test]
fn among_equal_devices_the_last_one_set_wins() {
    let conf = |more: &str| {
        format!("[general]\n[alice]\ntype = user\ndevice = Custom:a\ndevice = Custom:b\n{more}")
    };
    let ast = Instance::builder().userpresence(&conf("")).start();
    for (device, reason) in [("a", "only"), ("b", "last_of_equals")] {
        ast.set_device(device, "INUSE");
        wait_verdict(&ast, "alice", &format!("dnd Custom:{device} {reason}"));
    }
    // Another state with the same meaning does not count as set again, and is not published.
    let (since, sequence) = (read(&ast, "alice,since"), read(&ast, "alice,sequence"));
    ast.set_device("a", "ONHOLD");
    wait_until("a on hold", || {
        (device_row(&ast, "alice", "Custom:a").0 == "on_hold").then_some(())
    });
    assert_verdict(&ast, "alice", "dnd Custom:b last_of_equals");
    // A device that returns to a state after another one counts as set again.
    for state in ["NOT_INUSE", "BUSY"] {
        ast.set_device("a", state);
    }
    wait_verdict(&ast, "alice", "dnd Custom:a last_of_equals");
    // Both may happen within the same millisecond.
    assert!(read(&ast, "alice,since") >= since);
    assert_eq!(read(&ast, "alice,sequence"), sequence);

    // A reload finds two devices at once, so the first one configured wins.
    ast.set_device("c", "INUSE");
    ast.set_device("d", "INUSE");
    let more = "device = Custom:d\ndevice = Custom:c\n";
    ast.write_config("userpresence.conf", &conf(more));
    assert!(ast.reload().ok());
    assert_verdict(&ast, "alice", "dnd Custom:d first_of_equals");
}

/// A device that is gone or never existed takes no part.
#[test]
fn a_missing_device_does_no_harm() {
    let ast = configured(
        "[alice]\ntype = user\nextension = 200\nuse_devices = yes\ndevice = PJSIP/nobody\n\
         device = Nothing/at all\ndevice = Custom:never\ndevice = confbridge:404\n\
         device = Calendar:none\ndevice = Nobody:here\n",
    )
    .sip(&[])
    .conferences()
    .start();
    assert_verdict(&ast, "alice", "not_set CustomPresence:200 nothing_set");
    for device in ["PJSIP/200", "PJSIP/nobody", "confbridge:404"] {
        let of_it = device_row(&ast, "alice", device);
        assert_eq!(of_it, ("invalid".into(), "not_set".into()), "{device}");
    }
    assert_eq!(
        explain_line(&ast, "alice", "- Device PJSIP/nobody"),
        "- Device PJSIP/nobody is invalid: it does not exist, or its module is not loaded."
    );
    set_extension(&ast, "200", "available");
    assert_verdict(&ast, "alice", "available CustomPresence:200 only");
    assert_eq!(ast.new_complaints(0), Vec::<String>::new());
}

/// The presence of a device in use, and its time, survive reloads, unloads and restarts.
#[test]
fn devices_survive_a_reload_an_unload_and_a_restart() {
    let conf = |table: &str| {
        format!(
            "[general]\n[mine]\ntype = device_table\nin_use = {table}\n\
             [alice]\ntype = user\nextension = 200\ndevice = Custom:a,mine\n\
             [bob]\ntype = user\nextension = 201,Custom:b\nuse_devices = yes\n"
        )
    };
    let ast = Instance::builder().userpresence(&conf("dnd,call")).start();
    ast.set_device("a", "INUSE");
    ast.set_device("b", "INUSE");
    wait_verdict(&ast, "alice", "dnd Custom:a only");
    wait_verdict(&ast, "bob", "dnd Custom:b only");
    let all = || {
        let users = ["alice", "bob"].into_iter();
        let fields = ["value", "subtype", "source", "reason", "since", "sequence"];
        let of_user = |user| fields.map(|field| read(&ast, &format!("{user},{field}")));
        users.map(of_user).collect::<Vec<_>>()
    };
    let before = all();
    assert!(ast.reload().ok());
    assert_eq!(all(), before);
    assert!(ast.unload_module(MODULE).ok());
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(all(), before);
    for graceful in [false, true] {
        ast.restart(graceful);
        assert_eq!(all(), before);
    }

    // The new table gives the known state of the device another meaning.
    ast.write_config("userpresence.conf", &conf("xa,call"));
    assert!(ast.reload().ok());
    assert_verdict(&ast, "alice", "xa Custom:a only");
    assert!(read(&ast, "alice,since") > before[0][4]);
    assert_eq!(all()[1], before[1]);

    // The load finds the change that came while the module was away.
    assert!(ast.unload_module(MODULE).ok());
    ast.set_device("a", "NOT_INUSE");
    ast.wait_device("Custom:a", "NOT_INUSE");
    assert!(ast.load_module(MODULE).ok());
    assert_verdict(&ast, "alice", "available Custom:a only");
    assert_eq!(all()[1], before[1]);

    // A reload adds and removes devices.
    let without = "[general]\n[alice]\ntype = user\nextension = 200\n\
                   [bob]\ntype = user\nextension = 201,Custom:c\nuse_devices = yes\n";
    ast.set_device("c", "BUSY");
    ast.write_config("userpresence.conf", without);
    assert!(ast.reload().ok());
    assert_verdict(&ast, "alice", "not_set CustomPresence:200 nothing_set");
    assert_verdict(&ast, "bob", "dnd Custom:c only");
    ast.set_device("c", "NOT_INUSE");
    wait_verdict(&ast, "bob", "available Custom:c only");
    // Their rows stay for a while, as those of removed users.
    wait_until("the rows of devices that are gone to say so", || {
        let rows = crate::reload::rows(&ast);
        let stamp = |line: &str, device| line.contains("/gone/source/") && line.contains(device);
        let gone = |device| rows.lines().any(|line| stamp(line, device));
        (gone("Custom:a") && gone("Custom:b")).then_some(())
    });
    assert_eq!(ast.new_complaints(0), Vec::<String>::new());
}

/// A call ends with a restart of Asterisk and leaves no user busy.
#[test]
fn a_restart_during_a_call_ends_the_call_of_the_user() {
    let ast = configured(TWO).phones().start();
    let first = Phone::answering(&ast, "200");
    let _second = Phone::ringing(&ast, "201");
    let caller = Phone::ringing(&ast, "202");
    caller.call("200");
    wait_verdict(&ast, "alice", "dnd PJSIP/200 highest");
    assert!(ast.stop().success());
    drop(first);
    ast.start_again();
    wait_until("no call", || (read(&ast, "alice") != "dnd").then_some(()));
    assert_eq!(device_row(&ast, "alice", "PJSIP/200").0, {
        let state = ast.device("PJSIP/200");
        if state == "UNAVAILABLE" {
            "unavailable"
        } else {
            "not_in_use"
        }
    });
}

/// The lines about devices in `userpresence show user` and `explain`.
#[test]
fn show_and_explain_describe_devices() {
    let ast = configured(
        "[alice]\ntype = user\nextension = 200,Custom:a\nuse_devices = yes\nmethod = latest\n\
         device = confbridge:100\n\
         [bob]\ntype = user\nmethod = none\ndevice = Custom:a\n\
         [carol]\ntype = user\nextension = 202\nschedule = *,*,31,feb\n\
         schedule_status = away\nmethod = default\n",
    )
    .start();
    let table = ast.cli("userpresence show user alice");
    assert!(
        table.contains("Device") && table.contains("Lamp:"),
        "{table}"
    );
    ast.set_device("a", "NOT_INUSE");
    wait_until("a idle", || {
        (device_row(&ast, "alice", "Custom:a").0 == "not_in_use").then_some(())
    });
    assert_eq!(
        explain_line(&ast, "alice", "- Device Custom:a"),
        "- Device Custom:a is not_in_use: idle, it gives way to any source that is set."
    );
    assert_eq!(
        explain_line(&ast, "alice", "A lamp "),
        "A lamp on alice shows not_in_use, a queue sees not_in_use."
    );
    ast.set_device("a", "INUSE");
    wait_state(&ast, "alice", "dnd");
    assert_eq!(
        explain_line(&ast, "alice", "- Device Custom:a"),
        "- Device Custom:a is in_use, which means dnd: it wins."
    );
    assert_eq!(
        explain_line(&ast, "alice", "It comes from"),
        "It comes from Custom:a: no other source is set."
    );
    assert_eq!(
        explain_line(&ast, "alice", "A lamp "),
        "A lamp on alice shows in_use, a queue sees in_use."
    );
    assert_eq!(
        explain_line(&ast, "bob", "- Device Custom:a"),
        "- Device Custom:a is in_use, which means dnd: not used by this method."
    );
    assert_eq!(
        explain_line(&ast, "carol", "- The schedule"),
        "- The schedule sets away: not used by this method."
    );
    // A status with an end shows when it ends.
    set(&ast, "alice", "away,lunch,,t(600)");
    let said = explain_line(&ast, "alice", "alice is away (lunch)");
    assert!(
        said.contains("ends in 10m") || said.contains("ends in 9m"),
        "{said}"
    );
    ast.setvar(
        "USER_PRESENCE(alice,dndStatus)",
        "DoNotAcceptDepartmentCalls",
    );
    assert_eq!(
        explain_line(&ast, "alice", "A lamp "),
        "A lamp on alice shows in_use, a queue sees busy: DoNotAcceptDepartmentCalls."
    );
}

/// Each bad option is reported once, with its place and what was expected; the rest works.
#[test]
fn bad_options_of_devices_and_tables_are_reported() {
    let user = |line: &str| format!("type = user\n{line}");
    let device = |line: &str| format!("type = device_table\n{line}");
    let presence = |line: &str| format!("type = presence_table\n{line}");
    let not_device =
        |given: &str| format!("'{given}' is not a device, expected one such as PJSIP/desk-201");
    let cases = [
        (
            user("use_devices = perhaps"),
            "use_devices",
            "'perhaps', expected yes or no".into(),
        ),
        (
            user("ignore_unreachable = 2"),
            "ignore_unreachable",
            "'2', expected yes or no".into(),
        ),
        (user("device = nothing"), "device", not_device("nothing")),
        (user("device ="), "device", not_device("")),
        (
            user("device = Custom:a&Custom:b"),
            "device",
            not_device("Custom:a&Custom:b"),
        ),
        (
            user("device = Custom:a,nowhere"),
            "device",
            "unknown device_table 'nowhere', expected device, meeting".into(),
        ),
        (
            user("device = Custom:a\ndevice = Custom:a"),
            "device",
            "the user has 'Custom:a' twice, expected it once".into(),
        ),
        (
            user("extension = 200,desk"),
            "extension",
            not_device("desk"),
        ),
        (
            user("device_prefix = desk"),
            "device_prefix",
            "'desk".into(),
        ),
        (
            user("lamp_table = nowhere"),
            "lamp_table",
            "unknown presence_table 'nowhere', expected good".into(),
        ),
        (
            user("queue_table = nowhere"),
            "queue_table",
            "unknown presence_table 'nowhere', expected good".into(),
        ),
        (
            device("asleep = dnd"),
            "asleep",
            "unknown option, expected type or a device state (unknown, not_in_use, ".into(),
        ),
        (
            device("in_use = busy"),
            "in_use",
            "unknown status 'busy', expected not_set, ".into(),
        ),
        (
            presence("busy = in_use"),
            "busy",
            "unknown option, expected type or a state (not_set, ".into(),
        ),
        (
            presence("dnd = asleep"),
            "dnd",
            "unknown device state 'asleep', expected unknown, not_in_use, ".into(),
        ),
    ];
    let mut conf = "[good]\ntype = presence_table\naway = busy\n\
                    [alice]\ntype = user\ndevice = Custom:a\nlamp_table = good\n"
        .to_owned();
    for (at, (section, ..)) in cases.iter().enumerate() {
        conf.push_str(&format!("[bad{at}]\n{section}\n"));
    }
    let ast = configured(&conf).start();
    let said = ast.new_complaints(0);
    for (at, (section, option, expected)) in cases.iter().enumerate() {
        let message = format!("section [bad{at}], option '{option}': {expected}");
        let lines = said.iter().filter(|line| line.contains(&message));
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines.len(), 1, "{section}: {message}: {said:#?}");
        assert!(lines[0].contains("ERROR[") && lines[0].contains("userpresence.conf:"));
    }
    assert_eq!(said.len(), cases.len(), "{said:#?}");
    ast.set_device("a", "INUSE");
    wait_verdict(&ast, "alice", "dnd Custom:a only");
}

/// Many short calls during reloads, unloads and loads of the module.
#[test]
fn five_hundred_calls_leave_nothing_behind() {
    const USERS: usize = 10;
    let users = (0..USERS).map(|n| {
        format!("[u{n}]\ntype = user\nextension = 30{n},Local/30{n}@agents\nuse_devices = yes\n")
    });
    let ast = configured(&users.collect::<String>())
        .hint("2100", "UserPresence:u0")
        .start();
    let count = || {
        let rows = crate::reload::rows(&ast);
        rows.lines()
            .filter(|line| line.contains("/UserPresence/"))
            .count()
    };
    let idle = || {
        ast.hang_up_all();
        for n in 0..USERS {
            let verdict = format!("available Local/30{n}@agents only");
            wait_verdict(&ast, &format!("u{n}"), &verdict);
        }
        ast.wait_hint_state("2100", "Idle");
    };
    let call = |number: usize| {
        ast.originate(&format!("Local/30{}@agents", number % USERS), "NoOp", "");
    };
    (0..USERS).for_each(call);
    idle();
    // One row per user, and two for the account and the run.
    let kept = || {
        let seen = count();
        (seen >= 2 * USERS).then_some(seen)
    };
    let before = wait_until("every device and user kept", kept);
    for number in 0..500 {
        call(number);
        match number {
            100 | 300 => assert!(ast.reload().ok()),
            200 | 400 => {
                wait_until("unload", || ast.unload_module(MODULE).ok().then_some(()));
                call(number);
                assert!(ast.load_module(MODULE).ok());
            }
            _ => {}
        }
    }
    idle();
    wait_until("as many rows as before", || {
        (count() == before).then_some(())
    });
    assert_eq!(complaints(&ast, "serpresence"), [""; 0]);
    assert!(!ast.log().contains("Panic"));
}
