//! `follow_dnd`: FreePBX's do not disturb and the status follow each other, each change once.

use crate::harness::barrier::{all_events, configured};
use crate::harness::changes::matching;
use crate::harness::users::{read, set, wait_custom, wait_state};
use crate::harness::{Ami, Builder, Instance, MODULE, Message, wait_until};

/// FreePBX's dialplan.
pub const DIALPLAN: &str = include_str!("extensions.conf");

/// Two users; what FreePBX has for each extension.
pub const USERS: &str = "[general]\nfollow_dnd = yes\n\
    [lunch]\ntype = status\nlabel = At lunch\nstate = away\nsubtype = lunch\n\
    [alice]\ntype = user\nextension = 200\nextension = 201\n\
    [bob]\ntype = user\nextension = 210\n";

/// An Asterisk with FreePBX's dialplan.
pub fn freepbx(conf: &str) -> Builder {
    configured(conf)
        .modules(&["func_callerid", "func_cut", "app_playback"])
        .dialplan(&format!("\n{DIALPLAN}"))
}

/// The same, started, with what FreePBX keeps of its users: the devices of 201 are two.
pub fn started(conf: &str) -> Instance {
    let ast = freepbx(conf).start();
    for (device, user) in [
        ("200", "200"),
        ("201", "201"),
        ("9201", "201"),
        ("210", "210"),
    ] {
        ast.cli(&format!("database put DEVICE {device}/user {user}"));
    }
    for phone in ["phone200", "phone201", "phone210"] {
        ast.set_device(phone, "NOT_INUSE");
    }
    for (user, devices) in [("200", "200"), ("201", "201&9201"), ("210", "210")] {
        ast.cli(&format!("database put AMPUSER {user}/device {devices}"));
        ast.cli(&format!(
            "database put AMPUSER {user}/followme/ddial EXTENSION"
        ));
    }
    ast
}

/// Dials a feature code from an extension and waits until the call is over.
#[track_caller]
pub fn press(ast: &Instance, extension: &str, code: &str) {
    let answer = ast.ami().action(&[
        ("Action", "Originate"),
        ("Channel", &format!("Local/{code}@from-internal/n")),
        ("CallerID", &format!("Somebody <{extension}>")),
        ("Application", "Wait"),
        ("Data", "600"),
    ]);
    assert!(answer.ok(), "{answer:?}");
    ast.wait_no_channels();
}

/// What FreePBX's pages do: they write over AMI, the lamps of the phones first.
fn on_a_page(ast: &Instance, extension: &str, devices: &[&str], on: bool) {
    let state = match on {
        true => {
            ast.cli(&format!("database put DND {extension} YES"));
            "BUSY"
        }
        false => {
            ast.cli(&format!("database del DND {extension}"));
            "UNAVAILABLE"
        }
    };
    let lamps = devices.iter().map(|device| format!("DEVDND{device}"));
    for lamp in lamps.chain([format!("DND{extension}")]) {
        let function = format!("DEVICE_STATE(Custom:{lamp})");
        ast.cli(&format!("dialplan set global {function} {state}"));
    }
}

/// Waits until do not disturb of an extension is so in everything that FreePBX has.
#[track_caller]
pub fn wait_dnd(ast: &Instance, extension: &str, devices: &[&str], on: bool) {
    let state = if on { "BUSY" } else { "UNAVAILABLE" };
    ast.wait_astdb(&format!("DND/{extension}"), on.then_some("YES"));
    ast.wait_value(&format!("DEVICE_STATE(Custom:DND{extension})"), state);
    for device in devices {
        ast.wait_value(&format!("DEVICE_STATE(Custom:DEVDND{device})"), state);
    }
}

/// Waits until do not disturb is so at all of alice's extensions.
#[track_caller]
fn wait_alice(ast: &Instance, on: bool) {
    wait_dnd(ast, "200", &["200"], on);
    wait_dnd(ast, "201", &["201", "9201"], on);
}

/// Waits until nothing is left to be compared: a mark of another user goes through the same
/// queue, behind everything that waits.
#[track_caller]
fn settle(ast: &Instance) {
    let on = ast.astdb("DND/210").is_none();
    press(ast, "210", if on { "*78" } else { "*79" });
    wait_state_of_bob(ast, on);
}

#[track_caller]
fn wait_state_of_bob(ast: &Instance, on: bool) {
    wait_until("bob to follow", || {
        ((read(ast, "bob") == "dnd") == on).then_some(())
    });
}

/// The changes of alice among the events, as (old status, status).
fn changes(events: &[Message]) -> Vec<[String; 2]> {
    let events = matching(events, "UserPresenceChange", "User", "alice");
    let events = events.into_iter();
    let names = events.map(|event| ["OldStatus", "Status"].map(|name| event.header(name).into()));
    names.collect()
}

/// The states that a device has come into.
fn device(events: &[Message], name: &str) -> Vec<String> {
    let events = matching(
        events,
        "DeviceStateChange",
        "Device",
        &format!("Custom:{name}"),
    );
    let states = events
        .into_iter()
        .map(|event| event.header("State").to_owned());
    states.collect()
}

/// Asserts that one change of alice, and one of each device, is all that has happened.
#[track_caller]
fn assert_once(ast: &Instance, ami: &Ami, change: [&str; 2], state: &str) {
    settle(ast);
    let events = all_events(ast, ami);
    assert_eq!(changes(&events), [change]);
    for name in ["DND200", "DND201", "DEVDND200", "DEVDND201", "DEVDND9201"] {
        assert_eq!(device(&events, name), [state], "{name}");
    }
}

/// Every way to press, at any extension, and the status before returns.
#[test]
fn the_status_follows_freepbx_and_the_status_before_returns() {
    let ast = started(USERS);
    set(&ast, "alice", "lunch,,Back at one");
    settle(&ast);
    let ami = ast.ami();
    for (extension, on, off) in [
        ("200", "*78", "*79"),
        ("201", "*76", "*76"),
        ("9201", "*78", "*76"),
    ] {
        all_events(&ast, &ami);
        press(&ast, extension, on);
        wait_state(&ast, "alice", "dnd");
        wait_alice(&ast, true);
        assert_once(&ast, &ami, ["lunch", "dnd"], "BUSY");
        for extension in ["200", "201"] {
            wait_custom(&ast, extension, "value", "dnd");
            ast.wait_value(&format!("EXTENSION_STATE({extension}@ext-local)"), "BUSY");
        }
        press(&ast, extension, off);
        wait_state(&ast, "alice", "away");
        wait_alice(&ast, false);
        assert_once(&ast, &ami, ["dnd", "lunch"], "UNAVAILABLE");
        let back = ["status", "message"].map(|field| read(&ast, &format!("alice,{field}")));
        assert_eq!(back, ["lunch", "Back at one"]);
    }
    on_a_page(&ast, "200", &["200"], true);
    wait_state(&ast, "alice", "dnd");
    wait_alice(&ast, true);
    let shown = ast.cli("userpresence show user alice");
    assert!(
        shown.contains("FreePBX DND: on, switched on at extension 200"),
        "{shown}"
    );
    let told = ast.cli("userpresence explain alice");
    let why = "Do not disturb was switched on in FreePBX, at extension 200.";
    assert!(told.contains(why), "{told}");
    on_a_page(&ast, "201", &["201", "9201"], false);
    wait_state(&ast, "alice", "away");
    wait_alice(&ast, false);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// However the status becomes `dnd`, and however it ends.
#[test]
fn freepbx_follows_the_status() {
    let ast = started(USERS);
    let ami = ast.ami();
    let mut before = "not_set";
    for status in ["available", "lunch", "xa"] {
        set(&ast, "alice", "dnd");
        wait_alice(&ast, true);
        assert_once(&ast, &ami, [before, "dnd"], "BUSY");
        set(&ast, "alice", status);
        wait_alice(&ast, false);
        assert_once(&ast, &ami, ["dnd", status], "UNAVAILABLE");
        before = status;
    }
    // By a phone's application; not by another status.
    ast.set_custom("200", "dnd");
    wait_alice(&ast, true);
    ast.set_custom("200", "away");
    wait_alice(&ast, false);
    // With an end.
    set(&ast, "alice", "dnd,t(2)");
    wait_alice(&ast, true);
    wait_state(&ast, "alice", "xa");
    wait_alice(&ast, false);
    // By the status for calls alone.
    ast.setvar("USER_PRESENCE(alice,dndStatus)", "DoNotAcceptAnyCalls");
    wait_alice(&ast, true);
    press(&ast, "201", "*79");
    wait_alice(&ast, false);
    ast.wait_value("USER_PRESENCE(alice,dndStatus)", "TakeAllCalls");
    assert_eq!(read(&ast, "alice"), "xa");
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// AstDB gets each entry once for a change, whichever side it is made on.
#[test]
fn a_change_is_written_once() {
    let ast = started(USERS);
    assert!(ast.stop().success());
    ast.count_astdb_writes();
    ast.start_again();
    let keys = [
        "/DND/200",
        "/DND/201",
        "/CustomDevstate/DND200",
        "/CustomDevstate/DEVDND9201",
        "/UserPresence/dnd/alice",
    ];
    let mut seen = ast.astdb_writes().len();
    let mut once = |what: &str| {
        settle(&ast);
        let all = ast.astdb_writes();
        for key in keys {
            let writes = all[seen..].iter().filter(|written| *written == key);
            assert_eq!(writes.count(), 1, "{key} after {what}: {:#?}", &all[seen..]);
        }
        seen = all.len();
    };
    press(&ast, "200", "*78");
    wait_alice(&ast, true);
    once("*78");
    press(&ast, "200", "*79");
    wait_alice(&ast, false);
    once("*79");
    set(&ast, "alice", "dnd");
    wait_alice(&ast, true);
    once("dnd");
    set(&ast, "alice", "available");
    wait_alice(&ast, false);
    once("available");
}

/// Both sides at once, again and again: they agree in the end, and nothing goes round.
#[test]
fn both_sides_may_change_at_once() {
    let ast = started(USERS);
    set(&ast, "alice", "available");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..20).for_each(|at| press(&ast, "200", if at % 2 == 0 { "*78" } else { "*79" }))
        });
        scope.spawn(|| (0..20).for_each(|_| press(&ast, "201", "*76")));
        scope.spawn(|| {
            for at in 0..60 {
                set(&ast, "alice", if at % 2 == 0 { "dnd" } else { "away" });
            }
        });
    });
    settle(&ast);
    settle(&ast);
    let on = read(&ast, "alice") == "dnd";
    wait_alice(&ast, on);
    let ami = ast.ami();
    settle(&ast);
    let events = all_events(&ast, &ami);
    assert_eq!(changes(&events), <[[String; 2]; 0]>::default());
    // And each side still follows.
    press(&ast, "200", if on { "*79" } else { "*78" });
    wait_alice(&ast, !on);
    wait_until("alice to follow", || {
        ((read(&ast, "alice") == "dnd") != on).then_some(())
    });
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// What either side became while the module was not loaded, or Asterisk was down, is followed.
#[test]
fn what_changed_meanwhile_is_followed() {
    let ast = started(USERS);
    set(&ast, "alice", "lunch");
    let unloaded = |change: &dyn Fn()| {
        settle(&ast);
        assert!(ast.unload_module(MODULE).ok());
        change();
        assert!(ast.load_module(MODULE).ok());
    };
    unloaded(&|| press(&ast, "200", "*78"));
    wait_state(&ast, "alice", "dnd");
    wait_alice(&ast, true);
    // A restart changes nothing, and what was before is still known.
    settle(&ast);
    ast.restart(true);
    settle(&ast);
    assert_eq!(read(&ast, "alice"), "dnd");
    wait_alice(&ast, true);
    unloaded(&|| press(&ast, "201", "*79"));
    wait_state(&ast, "alice", "away");
    wait_alice(&ast, false);
    assert_eq!(read(&ast, "alice,status"), "lunch");
    // The status side: by an extension.
    unloaded(&|| {
        for extension in ["200", "201"] {
            ast.set_custom(extension, "dnd");
        }
    });
    wait_alice(&ast, true);
    assert_eq!(read(&ast, "alice"), "dnd");
}

/// Nothing is known of a first load: do not disturb that is on, on either side, is followed.
#[test]
fn turning_it_on_and_off_by_a_reload() {
    let ast = started(&USERS.replace("yes", "no"));
    press(&ast, "200", "*78");
    set(&ast, "bob", "dnd");
    set(&ast, "alice", "away");
    assert_eq!(ast.astdb("DND/210"), None);
    let reload = |text: &str| {
        let conf = format!("{text}\n{}", crate::harness::barrier::BARRIER);
        std::fs::write(ast.path("etc/userpresence.conf"), conf).expect("writing");
        assert!(ast.reload().ok());
    };
    reload(USERS);
    wait_state(&ast, "alice", "dnd");
    wait_alice(&ast, true);
    wait_dnd(&ast, "210", &["210"], true);
    // A new extension of a user in dnd gets it; one that goes keeps it.
    reload(&USERS.replace("extension = 201", "extension = 202"));
    wait_dnd(&ast, "202", &[], true);
    assert_eq!(read(&ast, "alice"), "dnd");
    assert_eq!(ast.astdb("DND/201").as_deref(), Some("YES"));
    press(&ast, "200", "*79");
    wait_state(&ast, "alice", "away");
    wait_dnd(&ast, "202", &[], false);
    // Off: everything stays as it is, and nothing is remembered.
    reload(&USERS.replace("yes", "no"));
    ast.wait_astdb("UserPresence/dnd/bob", None);
    assert_eq!(ast.astdb("DND/210").as_deref(), Some("YES"));
    set(&ast, "bob", "available");
    press(&ast, "200", "*78");
    // For one user alone; the other one is not looked at.
    reload(
        &USERS
            .replace("yes", "no")
            .replace("extension = 200\n", "extension = 200\nfollow_dnd = yes\n"),
    );
    wait_state(&ast, "alice", "dnd");
    assert_eq!(read(&ast, "bob"), "available");
    assert_eq!(ast.astdb("DND/210").as_deref(), Some("YES"));
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// A status that another source outvotes does not follow, says so once, and nothing goes round.
#[test]
fn a_status_that_cannot_follow_says_so() {
    let conf = USERS.replace(
        "extension = 200\n",
        "extension = 200\nsource = CustomPresence:door\npriority = away,dnd,xa,chat,unavailable,available,not_set\n",
    );
    let ast = started(&conf);
    ast.set_custom("door", "away");
    wait_state(&ast, "alice", "away");
    press(&ast, "200", "*78");
    ast.wait_log(
        "Do not disturb of extension '200' was switched on in FreePBX, which the status of \
         'alice' does not follow: the status stays away, because 'CustomPresence:door' says so",
    );
    // FreePBX's own is left to it.
    settle(&ast);
    settle(&ast);
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("YES"));
    ast.set_custom("door", "not_set");
    wait_state(&ast, "alice", "dnd");
    wait_alice(&ast, true);
    press(&ast, "200", "*79");
    wait_alice(&ast, false);
    wait_until("alice to leave dnd", || {
        (read(&ast, "alice") != "dnd").then_some(())
    });
}

/// Users that share an extension follow it both, and one without extensions follows nothing.
#[test]
fn a_shared_extension_takes_its_users_along() {
    let conf = format!("{USERS}[carol]\ntype = user\nextension = 200\n[dave]\ntype = user\n");
    let ast = started(&conf);
    set(&ast, "carol", "away");
    press(&ast, "200", "*78");
    for user in ["alice", "carol"] {
        wait_state(&ast, user, "dnd");
    }
    wait_alice(&ast, true);
    set(&ast, "carol", "available");
    wait_alice(&ast, false);
    for user in ["alice", "carol"] {
        wait_until("both to leave dnd", || {
            (read(&ast, user) != "dnd").then_some(())
        });
    }
    set(&ast, "dave", "dnd");
    settle(&ast);
    assert_eq!(read(&ast, "dave"), "dnd");
}

/// With every place where a status can go.
#[test]
fn outgoing_and_methods_follow_alike() {
    let ast = started(USERS);
    for options in [
        "outgoing = none",
        "outgoing = default",
        "method = none",
        "method = latest",
        "method = default",
        "enabled = no",
        "dnd_key = no",
    ] {
        let conf = USERS.replace(
            "[alice]\ntype = user\n",
            &format!("[alice]\ntype = user\n{options}\n"),
        );
        let conf = format!("{conf}\n{}", crate::harness::barrier::BARRIER);
        std::fs::write(ast.path("etc/userpresence.conf"), conf).expect("writing");
        assert!(ast.reload().ok(), "{options}");
        set(&ast, "alice", "chat");
        settle(&ast);
        press(&ast, "201", "*78");
        wait_state(&ast, "alice", "dnd");
        wait_alice(&ast, true);
        press(&ast, "200", "*79");
        wait_state(&ast, "alice", "chat");
        wait_alice(&ast, false);
        set(&ast, "alice", "dnd");
        wait_alice(&ast, true);
        set(&ast, "alice", "chat");
        wait_alice(&ast, false);
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// Actions: what follows anyway is not done twice, and what contradicts it is an error.
#[test]
fn actions_with_dnd_agree_or_are_refused() {
    let with = |action: &str| {
        USERS.replace(
            "[alice]\ntype = user\n",
            "[alice]\ntype = user\naction = act\n",
        ) + &format!("[act]\ntype = action\n{action}\n")
    };
    let ast = started(&with("status = dnd\ndnd = on\nfollowme = on"));
    let ami = ast.ami();
    set(&ast, "alice", "dnd");
    wait_alice(&ast, true);
    ast.wait_astdb("AMPUSER/200/followme/ddial", Some("DIRECT"));
    assert_once(&ast, &ami, ["not_set", "dnd"], "BUSY");
    let shown = ast.cli("userpresence show actions alice");
    assert!(
        shown.contains("followme/ddial") && !shown.contains("DND"),
        "{shown}"
    );
    press(&ast, "200", "*79");
    wait_alice(&ast, false);
    ast.wait_astdb("AMPUSER/200/followme/ddial", Some("EXTENSION"));
    for bad in [
        "status = away\ndnd = on",
        "status = lunch,dnd\ndnd = on",
        "status = dnd\ndnd = off",
        "status = dnd\nwhen = combined\ndnd = on",
        "status = xa\nset = DB(DND/${EXTENSION})=YES",
        "status = xa\nset = DEVICE_STATE(Custom:DND201)=BUSY",
    ] {
        let conf = format!("{}\n{}", with(bad), crate::harness::barrier::BARRIER);
        std::fs::write(ast.path("etc/userpresence.conf"), conf).expect("writing");
        assert!(!ast.reload().ok(), "{bad}");
        ast.wait_log(match bad.contains("set =") {
            true => "a cycle, expected actions that do not change what causes them",
            false => {
                "the action 'act' sets dnd against the status of user 'alice', which do not \
                      disturb follows (follow_dnd = yes)"
            }
        });
    }
    let refused = ast.try_setvar(
        "USER_PRESENCE(alice,settings)",
        r#"{"statuses":{"away":{"dnd":"on"}}}"#,
    );
    assert!(refused.is_err() || ast.getvar("USER_PRESENCE(alice,settings)") == "{}");
    ast.wait_log("do not disturb of 'alice' follows the status (follow_dnd = yes)");
}

/// Follow me: FreePBX's code sees what an action did, and the other way round.
#[test]
fn follow_me_is_what_freepbx_reads() {
    let conf = USERS.replace("[bob]\ntype = user\n", "[bob]\ntype = user\naction = out\n")
        + "[out]\ntype = action\nstatus = away\nfollowme = on\n";
    let ast = started(&conf);
    set(&ast, "bob", "away");
    ast.wait_astdb("AMPUSER/210/followme/ddial", Some("DIRECT"));
    ast.wait_value("DEVICE_STATE(Custom:FOLLOWME210)", "INUSE");
    press(&ast, "210", "*21");
    ast.wait_astdb("AMPUSER/210/followme/ddial", Some("EXTENSION"));
    ast.wait_value("DEVICE_STATE(Custom:FOLLOWME210)", "NOT_INUSE");
    // What a hand has changed stays.
    set(&ast, "bob", "available");
    settle(&ast);
    assert_eq!(
        ast.astdb("AMPUSER/210/followme/ddial").as_deref(),
        Some("EXTENSION")
    );
    set(&ast, "bob", "away");
    ast.wait_astdb("AMPUSER/210/followme/ddial", Some("DIRECT"));
    set(&ast, "bob", "available");
    ast.wait_astdb("AMPUSER/210/followme/ddial", Some("EXTENSION"));
}
