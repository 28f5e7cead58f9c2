//! Long use: nothing grows, nothing is lost, nothing arrives twice.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::harness::changes::assert_changes_in_order;
use crate::harness::users::{assert_consistent, json};
use crate::harness::{Ami, Instance, MODULE, Message, Subscriber, wait_until};

const LATEST: &str = "[general]\nmethod = latest\n\
    [alice]\ntype = user\nextension = 200\nextension = 201\n\
    [bob]\ntype = user\nextension = 201\nextension = 202\n\
    [team]\ntype = user\nsource = UserPresence:alice\n";

fn priority() -> String {
    LATEST.replace("latest", "priority") + "[carol]\ntype = user\nextension = 203\n"
}

/// What the process holds: threads, mappings of the module, descriptors.
#[derive(Debug, PartialEq, Clone, Copy)]
struct Held {
    threads: usize,
    module_maps: usize,
    descriptors: usize,
}

fn held(ast: &Instance) -> Held {
    let proc = format!("/proc/{}", ast.pid());
    let entries = |name: &str| {
        fs::read_dir(format!("{proc}/{name}"))
            .expect("Asterisk runs")
            .count()
    };
    let maps = fs::read_to_string(format!("{proc}/maps")).expect("Asterisk runs");
    Held {
        threads: entries("task"),
        module_maps: maps.lines().filter(|line| line.contains(MODULE)).count(),
        descriptors: entries("fd"),
    }
}

fn all_maps(ast: &Instance) -> usize {
    let maps = fs::read_to_string(format!("/proc/{}/maps", ast.pid())).expect("Asterisk runs");
    maps.lines().count()
}

/// Loads, uses, reloads and unloads the module while four clients keep asking.
fn cycles(ast: &Instance, count: usize) {
    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (stop, asked) = (&stop, &asked);
            scope.spawn(move || {
                let mut ami = ast.ami();
                let mut round = number;
                while !stop.load(Ordering::Relaxed) {
                    // Asterisk closes the session of a client whose action is being
                    // unregistered at that moment, whichever module it belongs to.
                    if ask(&ami, round) == "Permission denied" {
                        assert!(ami.wait_closed());
                        ami = ast.ami();
                    }
                    asked.fetch_add(1, Ordering::Relaxed);
                    round += 1;
                }
            });
        }
        for cycle in 0..count {
            cycle_once(ast, cycle, &asked);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Any answer will do because the module may be unloaded, but an answer has to come.
fn ask(ami: &Ami, round: usize) -> String {
    ami.take_events();
    if round % 8 == 0 {
        // Without an ActionID every part of the answer arrives as an event.
        let sent = ami.send_raw("Action: UserPresenceList\r\n\r\n");
        assert_eq!(sent, Ok(()));
        let last = ami.wait_event("the list", |event| {
            event.is_event("UserPresenceListComplete") || event.get("Response") == Some("Error")
        });
        return last.text().to_owned();
    }
    let state = ["dnd", "xa", "away", "chat"][round % 4];
    let user = ["alice", "bob", "team", "nobody"][round / 4 % 4];
    let get = [("Action", "UserPresenceGet"), ("User", user)];
    let set = [
        ("Action", "UserPresenceSet"),
        ("User", user),
        ("Status", state),
    ];
    let variable = format!("USER_PRESENCE({user})");
    let getvar = [("Action", "Getvar"), ("Variable", variable.as_str())];
    let answer = ami.action([get.as_slice(), &set, &getvar][round % 3]);
    answer.text().to_owned()
}

/// Loads, uses, reloads and unloads the module once.
fn cycle_once(ast: &Instance, cycle: usize, asked: &AtomicUsize) {
    ast.write_config("userpresence.conf", LATEST);
    assert!(ast.load_module(MODULE).ok(), "load {cycle}");
    let state = ["dnd", "xa", "away"][cycle % 3];
    ast.set_custom("200", &format!("{state},cycle,{cycle}"));
    // The clients set the state too, so it may be any, but there has to be one.
    assert_ne!(ast.getvar("USER_PRESENCE(alice)"), "", "cycle {cycle}");
    let before = asked.load(Ordering::Relaxed);
    wait_until("the clients to ask", || {
        (asked.load(Ordering::Relaxed) > before + 4).then_some(())
    });
    ast.write_config("userpresence.conf", &priority());
    assert!(ast.reload().ok(), "reload {cycle}");
    assert_ne!(ast.getvar("USER_PRESENCE(carol)"), "", "cycle {cycle}");
    // Asterisk refuses the unload while a client's action is in the module.
    wait_until("unload", || ast.unload_module(MODULE).ok().then_some(()));
}

#[test]
fn two_hundred_loads_and_unloads_leak_nothing() {
    let ast = Instance::builder()
        .userpresence(LATEST)
        .sip(&["2000"])
        .hint("2000", "PJSIP/2000,UserPresence:alice")
        .hint("2001", ",UserPresence:team")
        .start();
    let phone = Subscriber::start(&ast, "2000");
    phone.wait_presence("not_set");
    wait_until("unload", || ast.unload_module(MODULE).ok().then_some(()));

    // The pools of Asterisk and of the C library grow at first.
    cycles(&ast, 20);
    let before = settled(&ast);
    let maps = all_maps(&ast);
    cycles(&ast, 180);
    // Older pools of Asterisk end threads that have been idle for a while.
    wait_until(
        &format!("to be back at {before:?}, or fewer threads"),
        || {
            let now = held(&ast);
            let threads = now.threads.max(before.threads);
            (Held { threads, ..now } == before).then_some(())
        },
    );
    let more = all_maps(&ast).saturating_sub(maps);
    assert!(more < 40, "{more} more mappings than after 20 cycles");
    let log = ast.log();
    assert!(!log.contains("Panic"), "a panic in the log");

    // The module still works.
    ast.write_config("userpresence.conf", LATEST);
    assert!(ast.load_module(MODULE).ok());
    ast.setvar("USER_PRESENCE(alice)", "away,end,Two hundred");
    let told = phone.wait_notify("the end", |it| it.body().contains("Two hundred"));
    let told = told.presence().expect("a presence");
    assert_eq!(
        (told.state.as_str(), told.subtype.as_str()),
        ("away", "end")
    );
    ast.wait_hint_presence("2001", "away");
    ast.wait_watchers("2000", 1);
}

/// What the process holds once the clients' threads and connections are gone.
fn settled(ast: &Instance) -> Held {
    let mut last = held(ast);
    let mut same = 0;
    wait_until("the clients to be gone", || {
        let now = held(ast);
        same = if now == last { same + 1 } else { 0 };
        last = now;
        // About half a second without a change.
        (same > 100).then_some(now)
    })
}

const SHARED: &str = "[general]\n\
    [p1]\ntype = user\naccount = one\nextension = 301\nextension = 302\n\
    [p2]\ntype = user\naccount = one\nextension = 302\nextension = 303\n\
    [l1]\ntype = user\naccount = two\nmethod = latest\nextension = 301\nextension = 303\n\
    [l2]\ntype = user\naccount = two\nmethod = latest\nextension = 303\nextension = 304\noutgoing = default\n\
    [t]\ntype = user\naccount = one\nsource = UserPresence:l1\nsource = UserPresence:p2\n\
    [end]\ntype = user\naccount = three\n";

/// 10,000 changes by four clients that get in each other's way.
#[test]
fn ten_thousand_changes_end_as_the_rules_say() {
    const EACH: usize = 2500;
    let ast = Instance::builder().userpresence(SHARED).start();
    let feed = ast.ami();
    std::thread::scope(|scope| {
        for client in 0..4 {
            let ami = ast.ami();
            scope.spawn(move || {
                for number in 0..EACH {
                    make_change(&ami, client, number);
                    ami.take_events();
                }
            });
        }
    });

    // Stock CustomPresence stores and publishes without a lock: two writers at the very end
    // may leave one value stored and another published. So each is set once more.
    for (extension, state) in [
        ("301", "chat"),
        ("302", "xa"),
        ("303", "away"),
        ("304", "dnd"),
    ] {
        ast.set_custom(extension, &format!("{state},last,Of {extension}"));
    }
    let users = ["p1", "p2", "l1", "l2"];
    wait_until("everything heard", || {
        users.iter().all(|user| heard_all(&ast, user)).then_some(())
    });
    for user in users {
        assert_consistent(&ast, user);
    }
    // A source that is a user has that user's presence.
    let (l1, p2, t) = (json(&ast, "l1"), json(&ast, "p2"), json(&ast, "t"));
    for (source, user) in [(0, &l1), (1, &p2)] {
        assert_eq!(t["sources"][source]["state"], user["state"]);
        assert_eq!(t["sources"][source]["message"], user["message"]);
    }
    let events = all_changes(&ast, &feed);
    assert!(events.len() > EACH, "{} events", events.len());
    assert_changes_in_order(&events);
    for user in ["p1", "p2", "l1", "l2", "t"] {
        let last = events
            .iter()
            .rev()
            .find(|event| event.get("User") == Some(user));
        let last = last.unwrap_or_else(|| panic!("no event of {user}"));
        let now = json(&ast, user);
        for (header, field) in [
            ("State", "state"),
            ("Subtype", "subtype"),
            ("Message", "message"),
            ("Status", "status"),
            ("Label", "label"),
            ("Source", "source"),
        ] {
            assert_eq!(last.get(header), now[field].as_str(), "{user}: {last:?}");
        }
        assert_eq!(
            last.get("Sequence"),
            Some(now["sequence"].to_string().as_str())
        );
    }
    // On a slow machine Asterisk reports that its own subscribers lag behind.
    let complaints = ast.new_complaints(0).into_iter();
    let ours: Vec<_> = complaints
        .filter(|line| !line.contains("taskprocessor.c"))
        .collect();
    assert_eq!(ours, Vec::<String>::new());
}

/// Makes one change of a client: through the module, or past it.
fn make_change(ami: &Ami, client: usize, number: usize) {
    // Different strides make the clients meet in ever new combinations.
    let step = number * [1, 3, 7, 11][client] + client;
    let state = [
        "dnd",
        "away",
        "available",
        "not_set",
        "chat",
        "xa",
        "unavailable",
    ][step % 7];
    let text = format!("{client}-{number}");
    let answer = if step % 2 == 0 {
        let user = ["p1", "p2", "l1", "l2"][step / 2 % 4];
        ami.action(&[
            ("Action", "UserPresenceSet"),
            ("User", user),
            ("Status", state),
            ("Message", &text),
        ])
    } else {
        let extension = 301 + step / 2 % 4;
        ami.action(&[
            ("Action", "Setvar"),
            (
                "Variable",
                &format!("PRESENCE_STATE(CustomPresence:{extension})"),
            ),
            ("Value", &format!("{state},{text}")),
        ])
    };
    assert!(answer.ok(), "{answer:?}");
}

/// Whether the user's sources agree with CustomPresence.
fn heard_all(ast: &Instance, user: &str) -> bool {
    let seen = json(ast, user);
    let sources = seen["sources"].as_array().expect("sources");
    sources.iter().all(|source| {
        let address = source["address"].as_str().expect("an address");
        ["value", "subtype", "message"]
            .iter()
            .zip(["state", "subtype", "message"])
            .all(|(field, name)| {
                let custom = ast.getvar(&format!("PRESENCE_STATE({address},{field})"));
                source[name] == *custom
            })
    })
}

/// Every `UserPresenceChange` so far.
fn all_changes(ast: &Instance, feed: &Ami) -> Vec<Message> {
    ast.setvar("USER_PRESENCE(end)", "dnd");
    let is_end = |event: &Message| event.get("User") == Some("end");
    wait_until("the end of the feed", || {
        feed.events().iter().any(is_end).then_some(())
    });
    let mut events = feed.take_events();
    events.retain(|event| event.is_event("UserPresenceChange"));
    events
}
