use super::*;
use crate::config::testing::directory;
use crate::world::stored::Stored;

fn world() -> World {
    let users = "[alice]\ntype=user\nextension=200,PJSIP/200\nendpoint=soft,PJSIP/200s\n\
                 [bob]\ntype=user\nextension=201,PJSIP/201\n\
                 [carol]\ntype=user\nextension=202,PJSIP/202\n";
    World::restore(directory(users), &Stored::default(), Time::NEVER)
}

fn report<'a>(id: &'a str, device: &'a str, linked: &'a str) -> ChannelReport<'a> {
    ChannelReport {
        id,
        device,
        linked,
        own_number: "",
        own_name: "",
        number: "",
        name: "",
        dialled: "",
        withheld: false,
        state: Some(LiveState::Ringing),
        direction: Direction::In,
        since: Time::from_millis(1),
    }
}

fn seen(calls: &LiveCalls, user: &str, hidden: &str) -> Vec<String> {
    let world = world();
    let directory = world.directory();
    let user = directory.user(user).unwrap();
    let hidden = directory.user(hidden);
    let calls = calls
        .seen(&world, user, |it| Some(it) != hidden)
        .into_iter();
    let line = |call: SeenCall| {
        let text = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        let (name, number) = (text(call.name), text(call.number));
        let (state, direction) = (call.state, call.direction);
        format!(
            "{} {direction} {state} {name} {number} {}",
            call.id, call.since
        )
    };
    calls.map(line).collect()
}

#[test]
fn a_call_of_two_users_is_seen_from_both_sides() {
    let mut calls = LiveCalls::default();
    let out = ChannelReport {
        direction: Direction::Out,
        dialled: "201",
        own_number: "200",
        ..report("1", "PJSIP/200", "1")
    };
    assert!(calls.report(&out));
    assert!(!calls.report(&out), "the same again is no news");
    let ringing = ChannelReport {
        number: "200",
        name: "Alice",
        ..report("2", "PJSIP/201", "1")
    };
    assert!(calls.report(&ringing));
    assert_eq!(seen(&calls, "alice", ""), ["1 out Ringing bob 201 1"]);
    assert_eq!(seen(&calls, "bob", ""), ["2 in Ringing Alice 200 1"]);
    let version = calls.version();
    let up = |report| ChannelReport {
        state: Some(LiveState::Up),
        since: Time::from_millis(7),
        ..report
    };
    assert!(calls.report(&up(ringing)));
    // The dialplan goes on elsewhere: the number dialled stays.
    let elsewhere = ChannelReport {
        dialled: "h",
        ..out
    };
    assert!(calls.report(&up(elsewhere)));
    assert!(calls.hold("2", true) && !calls.hold("2", true));
    assert_eq!(seen(&calls, "alice", ""), ["1 out Up bob 201 7"]);
    assert_eq!(seen(&calls, "bob", ""), ["2 in OnHold Alice 200 7"]);
    let world = world();
    let changed = calls.changed_since(world.directory(), version);
    assert_eq!(changed.len(), 2);
    assert!(calls.end("2") && !calls.end("2"));
    assert!(seen(&calls, "bob", "").is_empty());
    let ended = calls.changed_since(world.directory(), calls.version() - 1);
    assert_eq!(ended, [world.directory().user("bob").unwrap()]);
}

#[test]
fn a_hidden_colleague_is_not_given_away() {
    let mut calls = LiveCalls::default();
    let out = ChannelReport {
        direction: Direction::Out,
        dialled: "201",
        ..report("1", "PJSIP/200", "1")
    };
    calls.report(&out);
    // By the number alone, and once the phone rings, by the call.
    assert_eq!(seen(&calls, "alice", "bob"), ["1 out Ringing - - 1"]);
    let named = ChannelReport {
        number: "0800",
        name: "Robert",
        ..out
    };
    calls.report(&named);
    assert_eq!(
        seen(&calls, "alice", "bob"),
        ["1 out Ringing Robert 0800 1"]
    );
    calls.report(&report("2", "PJSIP/201", "1"));
    assert_eq!(seen(&calls, "alice", "bob"), ["1 out Ringing - - 1"]);
    assert_eq!(
        seen(&calls, "alice", "carol"),
        ["1 out Ringing Robert 0800 1"]
    );
}

#[test]
fn only_calls_in_which_a_user_takes_part_are_seen_otherwise() {
    let world = world();
    let directory = world.directory();
    let involved = |calls: &LiveCalls, name: &str| {
        let user = directory.user(name).unwrap();
        let found = calls.involved(directory, &[user]).into_iter();
        let names = found.map(|user| directory.get(user).name.to_string());
        names.collect::<Vec<_>>()
    };
    let mut calls = LiveCalls::default();
    let out = ChannelReport {
        direction: Direction::Out,
        dialled: "201",
        ..report("1", "PJSIP/200", "1")
    };
    calls.report(&out);
    calls.report(&report("9", "PJSIP/202", "9"));
    // By the number alone, and once the phone rings, by the call.
    assert_eq!(involved(&calls, "bob"), ["alice"]);
    assert_eq!(involved(&calls, "alice"), ["alice"]);
    assert_eq!(involved(&calls, "carol"), ["carol"]);
    calls.report(&report("2", "PJSIP/201", "1"));
    assert_eq!(involved(&calls, "bob"), ["alice", "bob"]);
    assert_eq!(involved(&calls, "alice"), ["alice", "bob"]);
    calls.end("9");
    assert!(involved(&calls, "carol").is_empty());
}

#[test]
fn phones_that_ring_together_are_one_call() {
    let mut calls = LiveCalls::default();
    calls.report(&report("2", "PJSIP/200", "1"));
    calls.report(&report("3", "PJSIP/200s", "1"));
    assert_eq!(seen(&calls, "alice", "").len(), 1);
    let up = ChannelReport {
        state: Some(LiveState::Up),
        ..report("3", "PJSIP/200s", "1")
    };
    calls.report(&up);
    calls.end("2");
    assert_eq!(seen(&calls, "alice", ""), ["3 in Up - - 1"]);
}

#[test]
fn a_withheld_number_is_not_shown_and_the_own_number_is_no_other_side() {
    let mut calls = LiveCalls::default();
    let given = ChannelReport {
        number: "0170",
        name: "X",
        withheld: true,
        ..report("2", "PJSIP/200", "1")
    };
    calls.report(&given);
    assert_eq!(seen(&calls, "alice", ""), ["2 in Ringing - - 1"]);
    // The caller's channel has gone, and nobody says any more that the number is withheld.
    let alone = ChannelReport {
        withheld: false,
        state: Some(LiveState::Up),
        ..given
    };
    calls.report(&alone);
    assert_eq!(seen(&calls, "alice", ""), ["2 in Up - - 1"]);
    let another = ChannelReport {
        number: "0171",
        ..alone
    };
    calls.report(&another);
    assert_eq!(seen(&calls, "alice", ""), ["2 in Up X 0171 1"]);
    let own = ChannelReport {
        direction: Direction::Out,
        own_number: "201",
        number: "201",
        dialled: "202",
        ..report("3", "PJSIP/201", "3")
    };
    calls.report(&own);
    assert_eq!(seen(&calls, "bob", ""), ["3 out Ringing carol 202 1"]);
    let half = ChannelReport {
        own_name: "Bob",
        number: "202",
        name: "Bob",
        ..own
    };
    calls.report(&half);
    assert_eq!(seen(&calls, "bob", ""), ["3 out Ringing carol 202 1"]);
    let of_queue = ChannelReport {
        own_number: "0170",
        own_name: "Mia",
        number: "0170",
        name: "Mia",
        ..report("4", "PJSIP/202", "5")
    };
    calls.report(&of_queue);
    assert_eq!(seen(&calls, "carol", ""), ["4 in Ringing Mia 0170 1"]);
}

#[test]
fn the_table_is_bounded_and_forgets_nothing_silently() {
    let mut calls = LiveCalls::default();
    for id in 0..MOST {
        calls.report(&report(&id.to_string(), "PJSIP/200", "1"));
    }
    assert!(!calls.report(&report("more", "PJSIP/201", "1")));
    assert_eq!((calls.len(), calls.left_out()), (MOST, 1));
    let version = calls.version();
    calls.clear();
    assert!(calls.is_empty() && calls.version() > version);
    let world = world();
    let changed = calls.changed_since(world.directory(), version);
    assert_eq!(changed, [world.directory().user("alice").unwrap()]);
}

#[test]
fn what_was_there_before_does_not_replace_what_is_newer() {
    let mut calls = LiveCalls::default();
    let up = ChannelReport {
        state: Some(LiveState::Up),
        ..report("2", "PJSIP/200", "1")
    };
    calls.report(&up);
    assert!(!calls.report_older(&report("2", "PJSIP/200", "1"), false));
    assert_eq!(seen(&calls, "alice", ""), ["2 in Up - - 1"]);
    let held = ChannelReport {
        state: Some(LiveState::Up),
        ..report("4", "PJSIP/201", "4")
    };
    assert!(calls.report_older(&held, true));
    assert_eq!(seen(&calls, "bob", ""), ["4 in OnHold - - 1"]);
}
