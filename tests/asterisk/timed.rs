//! Timed statuses: they end on time, restore the previous status, and survive every kind
//! of stop.

use crate::harness::barrier::{all_events, configured, set_extension};
use crate::harness::changes::{assert_headers, matching, publishes};
use crate::harness::now;
use crate::harness::statuses::{TYPES, assert_status, set_by_ami};
use crate::harness::users::{ALICE, complaints, custom, json, read, set, wait_extension};
use crate::harness::{Ami, Builder, Instance, MODULE, Message, wait_until};

/// One more user, `clock`, shows when the ends of all others are over, see [`pass`].
fn timed(users: &str) -> Builder {
    let clock = "[clock]\ntype = user\naccount = clock\n";
    configured(&format!("{TYPES}{users}{clock}"))
}

/// When the user's presence ends.
#[track_caller]
fn until(ast: &Instance, user: &str) -> u64 {
    let until = read(ast, &format!("{user},until"));
    until
        .parse()
        .unwrap_or_else(|_| panic!("{user} ends {until:?}"))
}

fn is_of(event: &Message, user: &str) -> bool {
    event.is_event("UserPresenceChange") && event.get("User") == Some(user)
}

/// Waits until every end due by then is over.
#[track_caller]
fn pass(ast: &Instance, until: u64) {
    let ami = ast.ami();
    let then = until / 1000 + 1;
    if now() / 1000 >= then {
        return;
    }
    set(ast, "clock", &format!("dnd,,{then},u({then})"));
    let then = then.to_string();
    ami.wait_event("the clock's end", |event| {
        is_of(event, "clock") && event.get("OldMessage") == Some(&then)
    });
}

/// Repeats an attempt until it finishes before the moment that it returns.
#[track_caller]
fn in_time(mut attempt: impl FnMut() -> u64) -> u64 {
    for _ in 0..5 {
        let until = attempt();
        if now() < until {
            return until;
        }
    }
    panic!("the machine is too slow: milliseconds take seconds");
}

/// State, subtype, message and since of the user's extensions.
fn sources(ast: &Instance, user: &str) -> Vec<[String; 4]> {
    let seen = json(ast, user);
    let sources = seen["sources"].as_array().expect("sources");
    let said = sources.iter().map(|source| {
        ["state", "subtype", "message", "since"].map(|name| source[name].to_string())
    });
    said.collect()
}

/// Asserts that an end comes within 100 ms after its time, and never early. The best of a
/// few trials counts, because a late one may be the machine's fault.
#[track_caller]
fn punctual(ast: &Instance, ami: &Ami, options: impl Fn() -> String) {
    let mut best = u64::MAX;
    for trial in 0..5 {
        let message = format!("{}, trial {trial}", options());
        set(
            ast,
            "alice",
            &format!("lunch,,{},{}", message.replace(',', "\\,"), options()),
        );
        let begin = ami.wait_event("the begin", |event| {
            is_of(event, "alice") && event.text() == message
        });
        let until = begin.get("Until").and_then(|until| until.parse().ok());
        let until: u64 = until.unwrap_or_else(|| panic!("{begin:?}"));
        let end = ami.wait_event("the end", |event| {
            is_of(event, "alice") && event.get("OldMessage") == Some(&message)
        });
        let arrived = now();
        assert_headers(&end, &[("State", "chat"), ("Until", "")]);
        assert!(arrived >= until, "{} ms early: {end:?}", until - arrived);
        best = best.min(arrived - until);
        if best <= 100 {
            return;
        }
    }
    panic!("{best} ms late at best");
}

#[test]
fn a_timed_status_ends_on_time() {
    let ast = timed(ALICE).start();
    let ami = ast.ami();
    set_extension(&ast, "200", "chat,desk,Here");
    punctual(&ast, &ami, || "t(1)".into());
    punctual(&ast, &ami, || format!("u({})", now() / 1000 + 2));
    // Several at a time, set in another order than that of their ends.
    let (later, sooner) = in_time_pair(&ast);
    let ends = ["alice", "clock"].map(|user| {
        let end = ami.wait_event("an end", |event| {
            is_of(event, user) && event.get("OldState") == Some("dnd")
        });
        (end, now())
    });
    assert!(
        ends[0].1 >= sooner && ends[1].1 >= later,
        "{sooner} {later}: {ends:?}"
    );
}

/// Sets the clock so that it ends after alice, who is set later.
fn in_time_pair(ast: &Instance) -> (u64, u64) {
    set(ast, "clock", "dnd,,,t(2)");
    let later = until(ast, "clock");
    set(ast, "alice", "dnd,,,t(1)");
    (later, until(ast, "alice"))
}

#[test]
fn every_interface_shows_the_end() {
    let ast = timed(ALICE).start();
    let ami = ast.ami();
    let before = now();
    set(&ast, "alice", "lunch,,,t(3600)");
    let ends = until(&ast, "alice");
    let hour = 3_600_000;
    assert!((before + hour..=now() + hour).contains(&ends), "{ends}");
    let events = all_events(&ast, &ami);
    let [change] = matching(&events, "UserPresenceChange", "User", "alice")[..] else {
        panic!("{events:#?}")
    };
    let text = ends.to_string();
    assert_headers(
        change,
        &[("Until", &text), ("Status", "lunch"), ("State", "away")],
    );
    let answer = ami.action(&[("Action", "UserPresenceGet"), ("User", "alice")]);
    assert_headers(&answer, &[("Until", &text)]);
    let seen = json(&ast, "alice");
    assert_eq!(seen["until"], ends);
    assert_eq!(seen["own"]["until"], ends);
    assert_eq!(seen["sources"][0]["until"], ends);
    let shown = ast.cli("userpresence show user alice");
    assert!(shown.contains(" Ends: in "), "{shown}");

    // As Unix time in seconds, on every interface.
    let then = now() / 1000 + 7200;
    let option = format!("u({then})");
    let headers = [
        ("User", "alice"),
        ("Status", "meeting"),
        ("Options", option.as_str()),
    ];
    assert_eq!(set_by_ami(&ami, &headers), Ok(()));
    assert_eq!(until(&ast, "alice"), then * 1000);
    ast.cli(&format!(
        "userpresence set alice lunch \"\" \"\" u({})",
        then + 1
    ));
    assert_eq!(until(&ast, "alice"), then * 1000 + 1000);
    ast.run_dialplan(
        &[&format!(
            "Set(USER_PRESENCE(alice)=dnd,,QnVzeQ==,e u({then}))"
        )],
        "",
    );
    assert_status(&ast, "alice", ["dnd", "", "Busy", "dnd"]);
    assert_eq!(until(&ast, "alice"), then * 1000);

    // The presence of another source has no end, and neither has a new one.
    set_extension(&ast, "200", "dnd,,By phone");
    assert_eq!(read(&ast, "alice,until"), "");
    let seen = json(&ast, "alice");
    assert_eq!(seen["until"], serde_json::Value::Null);
    assert_eq!(seen["sources"][0]["until"], serde_json::Value::Null);
    assert_eq!(seen["sources"][1]["until"], then * 1000);
    set(&ast, "alice", "dnd");
    assert_eq!(
        json(&ast, "alice")["sources"][1]["until"],
        serde_json::Value::Null
    );
    assert!(
        ast.cli("userpresence show user alice")
            .contains(" Ends: never\n")
    );
}

#[test]
fn everything_returns_to_the_previous_status() {
    let users = format!(
        "{ALICE}[nora]\ntype = user\nmethod = none\n\
         [omar]\ntype = user\noutgoing = none\nextension = 202\n"
    );
    let ast = timed(&users).hint("2000", ",UserPresence:alice").start();
    let ami = ast.ami();
    set_extension(&ast, "200", "chat,desk,Here");
    set_extension(&ast, "201", "available");
    for user in ["nora", "omar"] {
        set(&ast, user, "available,,Mine");
    }
    let people = ["alice", "nora", "omar"];
    let all = || people.map(|user| (json(&ast, user), sources(&ast, user)));
    let before = all();
    all_events(&ast, &ami);

    for user in people {
        set(&ast, user, "lunch,,,t(1)");
    }
    let mut events = Vec::new();
    wait_until("three ends", || {
        events.extend(ami.take_events());
        let ended = |user: &str| {
            let mut changes = events.iter().filter(|event| is_of(event, user));
            changes.any(|event| event.get("OldStatus") == Some("lunch"))
        };
        people.iter().all(|user| ended(user)).then_some(())
    });
    wait_extension(&ast, "200", ["chat", "desk", "Here"]);
    wait_extension(&ast, "201", ["available", "", ""]);
    ast.wait_hint_presence("2000", "chat");
    // `since`, own status and status type return too; only the number has increased.
    for (now, then) in all().iter().zip(&before) {
        assert_eq!(now.1, then.1);
        let without = |view: &serde_json::Value| {
            let mut view = view.clone();
            view["sequence"] = 0.into();
            view
        };
        assert_eq!(without(&now.0), without(&then.0));
    }
    events.extend(all_events(&ast, &ami));
    let states = |user: &str| {
        let changes = matching(&events, "UserPresenceChange", "User", user);
        let states = changes.iter().map(|event| event.get("Status"));
        states
            .map(|it| it.unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(states("alice"), ["lunch", "chat"]);
    assert_eq!(states("nora"), ["lunch", "available"]);
    assert_eq!(states("omar"), ["lunch", "available"]);
    assert_eq!(publishes(&events, "alice").len(), 2);
    // Each extension was written twice: at the start and at the end.
    for extension in ["200", "201"] {
        let address = format!("CustomPresence:{extension}");
        let said = matching(&events, "PresenceStateChange", "Presentity", &address);
        assert_eq!(said.len(), 2, "{said:#?}");
    }
}

#[test]
fn a_change_from_outside_stays() {
    let ast = timed(ALICE).start();
    // The change comes from a phone.
    let end = in_time(|| {
        set(&ast, "alice", "available,,Before");
        set(&ast, "alice", "lunch,,,t(2)");
        let end = until(&ast, "alice");
        set_extension(&ast, "200", "dnd,meeting,By phone");
        end
    });
    assert_status(&ast, "alice", ["dnd", "meeting", "By phone", "meeting"]);
    pass(&ast, end);
    wait_extension(&ast, "201", ["available", "", "Before"]);
    wait_extension(&ast, "200", ["dnd", "meeting", "By phone"]);
    assert_status(&ast, "alice", ["dnd", "meeting", "By phone", "meeting"]);

    // Changes on both phones: only the user's own status returns.
    let end = in_time(|| {
        set(&ast, "alice", "available,,Before");
        set(&ast, "alice", "lunch,,,t(2)");
        let end = until(&ast, "alice");
        set_extension(&ast, "200", "chat");
        set_extension(&ast, "201", "chat,,Two");
        end
    });
    let (number, own) = (read(&ast, "alice,sequence"), |ast| {
        json(ast, "alice")["own"].clone()
    });
    assert_eq!(own(&ast)["state"], "away");
    pass(&ast, end);
    assert_eq!(own(&ast)["message"], "Before");
    wait_extension(&ast, "200", ["chat", "", ""]);
    wait_extension(&ast, "201", ["chat", "", "Two"]);
    assert_status(&ast, "alice", ["chat", "", "Two", "chat"]);
    // Only the user's choice has changed.
    let number: u64 = number.parse().expect("a number");
    assert_eq!(read(&ast, "alice,sequence"), (number + 1).to_string());
}

#[test]
fn a_timed_status_over_another_returns_to_the_last_untimed_one() {
    let users = format!("{ALICE}[nora]\ntype = user\nmethod = none\n");
    let ast = timed(&users).start();
    set_extension(&ast, "200", "chat,desk,Here");
    set_extension(&ast, "201", "available");
    set(&ast, "nora", "chat,,Mine");
    let before =
        ["alice", "nora"].map(|user| (json(&ast, user)["own"].clone(), sources(&ast, user)));
    for user in ["alice", "nora"] {
        set(&ast, user, "lunch,,,t(3600)");
        set(&ast, user, "lunch,,Longer,t(7200)");
        set(&ast, user, "meeting,,,t(1)");
    }
    wait_until("the end", || {
        ["alice", "nora"]
            .iter()
            .all(|user| read(&ast, user) == "chat")
            .then_some(())
    });
    wait_extension(&ast, "201", ["available", "", ""]);
    let after =
        ["alice", "nora"].map(|user| (json(&ast, user)["own"].clone(), sources(&ast, user)));
    assert_eq!(after, before);
    assert_status(&ast, "alice", ["chat", "desk", "Here", "chat"]);
    assert_status(&ast, "nora", ["chat", "", "Mine", "chat"]);

    // The extension returns to the presence that the phone set between the two.
    set(&ast, "alice", "lunch,,,t(3600)");
    set_extension(&ast, "201", "chat,,By phone");
    set(&ast, "alice", "meeting,,,t(1)");
    wait_until("the end", || (read(&ast, "alice") == "chat").then_some(()));
    wait_extension(&ast, "200", ["chat", "desk", "Here"]);
    wait_extension(&ast, "201", ["chat", "", "By phone"]);
    assert_status(&ast, "alice", ["chat", "", "By phone", "chat"]);
}

#[test]
fn a_new_status_cancels_the_end() {
    let users = format!(
        "{ALICE}[nora]\ntype = user\nmethod = none\n[omar]\ntype = user\n[paul]\ntype = user\n"
    );
    let ast = timed(&users).start();
    let end = in_time(|| {
        for (user, status) in [("alice", "chat"), ("nora", "lunch"), ("omar", "not_set")] {
            set(&ast, user, "available,,Before");
            set(&ast, user, "lunch,,,t(2)");
            set(&ast, user, status);
        }
        // A later end replaces the earlier one.
        set(&ast, "paul", "lunch,,,t(2)");
        let end = until(&ast, "paul");
        set(&ast, "paul", "lunch,,,t(3600)");
        end
    });
    for user in ["alice", "nora", "omar"] {
        assert_eq!(read(&ast, &format!("{user},until")), "", "{user}");
    }
    pass(&ast, end);
    assert_status(&ast, "alice", ["chat", "", "", "chat"]);
    assert_status(&ast, "nora", ["away", "lunch", "Back soon", "lunch"]);
    assert_status(&ast, "omar", ["not_set", "", "", "not_set"]);
    assert_status(&ast, "paul", ["away", "lunch", "Back soon", "lunch"]);
    for extension in ["200", "201"] {
        wait_extension(&ast, extension, ["chat", "", ""]);
    }
}

#[test]
fn a_type_without_a_state_can_be_timed() {
    let ast = timed(ALICE).start();
    let ami = ast.ami();
    set(&ast, "alice", "lunch");
    all_events(&ast, &ami);
    set(&ast, "alice", "thinking,,,t(1)");
    let statuses = ["thinking", "lunch"].map(|name| {
        let change = ami.wait_event(name, |event| is_of(event, "alice"));
        assert_headers(
            &change,
            &[("Status", name), ("State", "away"), ("OldState", "away")],
        );
        change
    });
    assert_eq!(statuses.len(), 2);
    assert_status(&ast, "alice", ["away", "lunch", "Back soon", "lunch"]);
    assert_eq!(publishes(&all_events(&ast, &ami), "alice").len(), 0);

    // Over another timed status its end ends both, with everything that the first one wrote.
    set_extension(&ast, "200", "chat,desk,Here");
    set_extension(&ast, "201", "available");
    set(&ast, "alice", "meeting,,,t(3600)");
    set(&ast, "alice", "thinking,,,t(1)");
    assert_status(&ast, "alice", ["dnd", "meeting", "", "thinking"]);
    wait_until("the end", || (read(&ast, "alice") == "chat").then_some(()));
    wait_extension(&ast, "200", ["chat", "desk", "Here"]);
    wait_extension(&ast, "201", ["available", "", ""]);
    assert_status(&ast, "alice", ["chat", "desk", "Here", "chat"]);
    // A status without an end cancels the end of the first one.
    set(&ast, "alice", "meeting,,,t(3600)");
    set(&ast, "alice", "thinking");
    assert_eq!(read(&ast, "alice,until"), "");
}

/// How the module or Asterisk stops and returns.
#[derive(Clone, Copy, Debug)]
enum Stop {
    Unload,
    Now,
    Gracefully,
    Kill,
}

impl Stop {
    #[track_caller]
    fn go(self, ast: &Instance) {
        match self {
            Stop::Unload => assert!(ast.unload_module(MODULE).ok()),
            Stop::Now => assert!(ast.stop().success()),
            Stop::Gracefully => assert!(ast.stop_gracefully().success()),
            Stop::Kill => {
                for user in ["alice", "bob"] {
                    ast.wait_astdb_on_disk(&format!("/UserPresence/user/{user}"), "\"until\":");
                }
                for extension in ["200", "201", "202"] {
                    ast.wait_astdb_on_disk(&format!("/CustomPresence/{extension}"), "lunch");
                    let source = format!("/UserPresence/source/CustomPresence:{extension}");
                    ast.wait_astdb_on_disk(&source, "\"until\":");
                }
                ast.kill9();
            }
        }
    }

    #[track_caller]
    fn come_back(self, ast: &Instance) {
        match self {
            Stop::Unload => assert!(ast.load_module(MODULE).ok()),
            _ => ast.start_again(),
        }
    }
}

/// One status ends while the module is away, another one later.
fn survives(stop: Stop) {
    let users = format!("{ALICE}[bob]\ntype = user\nextension = 202\n");
    let ast = timed(&users).hint("2000", ",UserPresence:bob").start();
    set_extension(&ast, "200", "chat,desk,Here");
    set_extension(&ast, "201", "available");
    set_extension(&ast, "202", "chat,home,Bob");
    let before = ["alice", "bob"].map(|user| sources(&ast, user));

    // AstDB commits about once a second: before a kill both have to be on disk.
    let (short, long) = match stop {
        Stop::Kill => (8, 14),
        _ => (1, 6),
    };
    set(&ast, "alice", &format!("lunch,,,t({long})"));
    set(&ast, "bob", &format!("lunch,,,t({short})"));
    let ends = until(&ast, "alice");
    let gone = read(&ast, "bob,until").parse().unwrap_or(0);
    for extension in ["200", "201", "202"] {
        // On a slow machine the status is not restored yet.
        let lunch = || read(&ast, "bob") != "away" || custom_is_lunch(&ast, extension);
        wait_until("written", || lunch().then_some(()));
    }
    stop.go(&ast);
    wait_until("bob's end", || (now() > gone).then_some(()));
    stop.come_back(&ast);

    assert_status(&ast, "bob", ["chat", "home", "Bob", "chat"]);
    wait_extension(&ast, "202", ["chat", "home", "Bob"]);
    ast.wait_hint_presence("2000", "chat");
    let state = read(&ast, "alice");
    let read_at = now();
    if read_at < ends {
        assert_eq!(state, "away", "{stop:?}");
    }
    wait_until("alice's end", || {
        (read(&ast, "alice") == "chat").then_some(())
    });
    assert!(now() >= ends, "{stop:?}: early");
    assert_status(&ast, "alice", ["chat", "desk", "Here", "chat"]);
    wait_extension(&ast, "200", ["chat", "desk", "Here"]);
    wait_extension(&ast, "201", ["available", "", ""]);
    let after = ["alice", "bob"].map(|user| sources(&ast, user));
    assert_eq!(after, before, "{stop:?}");
    for user in ["alice", "bob"] {
        assert_eq!(json(&ast, user)["own"], serde_json::Value::Null, "{stop:?}");
    }
}

fn custom_is_lunch(ast: &Instance, extension: &str) -> bool {
    custom(ast, extension, "subtype") == "lunch"
}

#[test]
fn an_end_survives_an_unload() {
    survives(Stop::Unload);
}

#[test]
fn an_end_survives_a_stop() {
    survives(Stop::Now);
}

#[test]
fn an_end_survives_a_graceful_stop() {
    survives(Stop::Gracefully);
}

#[test]
fn an_end_survives_a_kill() {
    survives(Stop::Kill);
}

#[test]
fn a_reload_keeps_the_end() {
    let ast = timed(ALICE).start();
    set_extension(&ast, "200", "chat,desk,Here");
    set(&ast, "alice", "lunch,,,t(2)");
    let end = until(&ast, "alice");
    let conf = format!("{TYPES}[alice]\ntype = user\nextension = 200\nextension = 203\n");
    ast.write_config("userpresence.conf", &conf);
    assert!(ast.reload().ok());
    wait_until("the end", || (read(&ast, "alice") == "chat").then_some(()));
    assert!(now() >= end);
    wait_extension(&ast, "200", ["chat", "desk", "Here"]);
    // An extension that the user no longer has stays unchanged.
    assert_eq!(custom(&ast, "201", "subtype"), "lunch");
}

#[test]
fn each_wrong_option_has_its_message_on_every_interface() {
    let ast = timed(ALICE).start();
    let ami = ast.ami();
    set(&ast, "alice", "lunch");
    let (longest, past) = (10 * 366 * 86_400u64, now() / 1000 - 1);
    let number = "expected one such as t(300), t(30m) or t(1h30m)";
    for (options, why) in [
        (
            "t".to_owned(),
            "option t without a length of time, expected one such as t(300) or t(30m)".into(),
        ),
        (
            "t()".into(),
            format!("option t() is not a length of time, {number}"),
        ),
        (
            "t(1.5)".into(),
            format!("option t(1.5) is not a length of time, {number}"),
        ),
        (
            "t(5x)".into(),
            format!("option t(5x) is not a length of time, {number}"),
        ),
        (
            "t(0)".into(),
            format!("option t(0), expected 1 to {longest} seconds"),
        ),
        (
            format!("t({})", longest + 1),
            format!("option t({}), expected 1 to {longest} seconds", longest + 1),
        ),
        (
            format!("u({past})"),
            format!("option u({past}) is in the past, expected a Unix time in seconds"),
        ),
        (
            // In milliseconds, as in other programs.
            "u(1800000000000)".into(),
            "option u(1800000000000) is more than ten years ahead, expected a Unix time in \
             seconds"
                .into(),
        ),
        (
            "u".into(),
            "option u without a Unix time in seconds, expected one such as u(1767225600) or u(14:30)"
                .into(),
        ),
        (
            "t(5)u(4000000000)".into(),
            "the status has two ends, expected t() or u()".into(),
        ),
        (
            "5".into(),
            "unknown option '5', expected e (subtype and message in base64), t(seconds) or \
             t(30m), u(Unix time) or u(14:30); a comma within a text is written \\,"
                .into(),
        ),
    ] {
        let headers = [
            ("User", "alice"),
            ("Status", "meeting"),
            ("Options", options.as_str()),
        ];
        assert_eq!(set_by_ami(&ami, &headers), Err(why.clone()));
        let command = format!("userpresence set alice meeting \"\" \"\" {options}");
        let shown = ast.cli(&command);
        let said = shown.lines().next().unwrap_or_default().to_lowercase();
        assert_eq!(said, format!("{why}.").to_lowercase());
        let known = complaints(&ast, &why).len();
        let value = format!("meeting,,,{options}");
        assert!(ast.try_setvar("USER_PRESENCE(alice)", &value).is_err());
        assert_eq!(complaints(&ast, &why).len(), known + 1, "{options}");
        assert_status(&ast, "alice", ["away", "lunch", "Back soon", "lunch"]);
        assert_eq!(read(&ast, "alice,until"), "");
    }
}

/// Timed statuses of two users on a shared extension: whichever ends first, the extension
/// returns to its presence before both.
#[test]
fn timed_statuses_on_a_shared_extension_return_to_the_state_before_both() {
    let users = "[a]\ntype = user\nextension = 301\nextension = 302\n\
                 [b]\ntype = user\nextension = 302\nextension = 303\n";
    let ast = timed(users).start();
    for extension in ["301", "302", "303"] {
        set_extension(&ast, extension, &format!("chat,,Of {extension}"));
    }
    let before = ["a", "b"].map(|user| sources(&ast, user));
    for [first, second] in [[1, 3], [3, 1]] {
        let end = in_time(|| {
            set(&ast, "a", &format!("lunch,,,t({first})"));
            let end = until(&ast, "a");
            set(&ast, "b", &format!("meeting,,,t({second})"));
            end.min(until(&ast, "b"))
        });
        pass(&ast, end + 2000);
        for user in ["a", "b"] {
            wait_until(&format!("the end of {user}, {first} {second}"), || {
                (read(&ast, user) == "chat").then_some(())
            });
        }
        for extension in ["301", "302", "303"] {
            wait_extension(&ast, extension, ["chat", "", &format!("Of {extension}")]);
        }
        assert_eq!(
            ["a", "b"].map(|user| sources(&ast, user)),
            before,
            "{first} {second}"
        );
    }
}

/// A third timed status, and one that is written nowhere, on an extension of two users:
/// when all have ended, everything is as before.
#[test]
fn any_number_of_timed_statuses_on_one_extension_end() {
    let users = "[a]\ntype = user\nextension = 201\n[b]\ntype = user\nextension = 201\n\
                 [unmapped]\ntype = status\nstate =\n";
    let ast = timed(users).start();
    set_extension(&ast, "201", "available,,Of 201");
    let before = ["a", "b"].map(|user| sources(&ast, user));
    let histories = [
        [
            ("a", "away,,,t(1)"),
            ("b", "dnd,,,t(2)"),
            ("a", "xa,,,t(3)"),
        ],
        [
            ("a", "xa,,,t(3)"),
            ("b", "away,,,t(1)"),
            ("a", "unmapped,,,t(2)"),
        ],
    ];
    for history in histories {
        for (user, value) in history {
            set(&ast, user, value);
        }
        pass(&ast, now() + 3000);
        for user in ["a", "b"] {
            wait_until(&format!("the end of {user}, {history:?}"), || {
                let until = read(&ast, &format!("{user},until"));
                (read(&ast, user) == "available" && until.is_empty()).then_some(())
            });
        }
        wait_extension(&ast, "201", ["available", "", "Of 201"]);
        assert_eq!(["a", "b"].map(|user| sources(&ast, user)), before);
    }
    // The other user does not show a cancelled end.
    set(&ast, "a", "dnd,,,t(600)");
    assert!(until(&ast, "b") > now());
    set(&ast, "a", "unmapped");
    assert_eq!(read(&ast, "b,until"), "");
}

/// A mistake in the file removes the user of a timed status for a while.
#[test]
fn a_timed_status_of_a_removed_user_leaves_its_extensions() {
    let ast = timed(ALICE).start();
    set_extension(&ast, "200", "available,,Of 200");
    set_extension(&ast, "201", "chat,,Of 201");
    let before = sources(&ast, "alice");
    set(&ast, "alice", "dnd,,,t(600)");
    wait_extension(&ast, "200", ["dnd", "", ""]);
    let whole = std::fs::read_to_string(ast.config_path("userpresence.conf")).expect("the file");
    ast.write_config("userpresence.conf", &whole.replace(ALICE, ""));
    assert!(ast.reload().ok());
    wait_until("the extensions as they were", || {
        let state =
            |name: &str| ast.getvar(&format!("PRESENCE_STATE(CustomPresence:{name},value)"));
        (state("200") == "available" && state("201") == "chat").then_some(())
    });
    ast.write_config("userpresence.conf", &whole);
    assert!(ast.reload().ok());
    assert_eq!(read(&ast, "alice"), "chat");
    assert_eq!(sources(&ast, "alice"), before);
}
