//! The rules of combining, each tested with real events of real addresses.

use crate::harness::barrier::{all_events, catch_up, configured, set_extension};
use crate::harness::changes::{matching, publishes};
use crate::harness::users::{ALICE, assert_verdict, complaints, read, set};

/// The core's own order, highest first.
const ORDER: [&str; 6] = ["dnd", "xa", "away", "chat", "unavailable", "available"];

#[test]
fn the_highest_state_of_the_cores_order_wins_by_default() {
    let ast = configured(ALICE).start();
    assert_verdict(&ast, "alice", "not_set CustomPresence:200 nothing_set");
    for pair in ORDER.windows(2) {
        let [higher, lower] = pair else {
            unreachable!("windows of two")
        };
        set_extension(&ast, "200", lower);
        set_extension(&ast, "201", higher);
        assert_verdict(
            &ast,
            "alice",
            &format!("{higher} CustomPresence:201 highest"),
        );
        // The order of the changes does not matter.
        set_extension(&ast, "200", higher);
        set_extension(&ast, "201", lower);
        assert_verdict(
            &ast,
            "alice",
            &format!("{higher} CustomPresence:200 highest"),
        );
    }
    set_extension(&ast, "200", "not_set");
    assert_verdict(&ast, "alice", "available CustomPresence:201 only");
    assert_eq!(complaints(&ast, ""), Vec::<String>::new());
}

#[test]
fn the_winner_brings_its_subtype_message_and_since() {
    let ast = configured(ALICE).start();
    set_extension(&ast, "200", "away,lunch,Back at one");
    let since: u64 = read(&ast, "alice,since").parse().expect("a number");
    set_extension(&ast, "201", "available,desk,Here");
    let all = ["value", "subtype", "message"].map(|field| read(&ast, &format!("alice,{field}")));
    assert_eq!(all, ["away", "lunch", "Back at one"]);
    assert_eq!(read(&ast, "alice,since"), since.to_string());

    set_extension(&ast, "200", "not_set");
    let all = ["value", "subtype", "message"].map(|field| read(&ast, &format!("alice,{field}")));
    assert_eq!(all, ["available", "desk", "Here"]);
    assert!(read(&ast, "alice,since").parse::<u64>().expect("a number") >= since);
}

#[test]
fn the_administrators_order_counts_in_general_and_for_one_user() {
    let conf = "[general]\npriority = available,chat,dnd,xa,away,unavailable,not_set\n\
                [alice]\ntype = user\nextension = 200\nextension = 201\n\
                [bob]\ntype = user\npriority = away\nextension = 200\nextension = 201\n";
    let ast = configured(conf).start();
    set_extension(&ast, "200", "dnd");
    set_extension(&ast, "201", "available");
    assert_verdict(&ast, "alice", "available CustomPresence:201 highest");
    // States that bob's order leaves out follow at its end, in the default order.
    assert_verdict(&ast, "bob", "dnd CustomPresence:200 highest");
    set_extension(&ast, "201", "away");
    assert_verdict(&ast, "alice", "dnd CustomPresence:200 highest");
    assert_verdict(&ast, "bob", "away CustomPresence:201 highest");

    let warned = complaints(&ast, "");
    let [warning] = warned.as_slice() else {
        panic!("{warned:#?}")
    };
    assert!(
        warning.contains("section [bob], option 'priority'")
            && warning
                .contains("the states not_set, unavailable, available, xa, chat, dnd are missing"),
        "{warning}"
    );
}

#[test]
fn among_equal_states_the_last_one_set_wins_then_the_first_configured() {
    let ast = configured(ALICE).start();
    set_extension(&ast, "200", "away,,first");
    set_extension(&ast, "201", "away,,second");
    assert_verdict(&ast, "alice", "away CustomPresence:201 last_of_equals");
    set_extension(&ast, "200", "away,,third");
    assert_verdict(&ast, "alice", "away CustomPresence:200 last_of_equals");
    // One setting writes both at the same time.
    set(&ast, "alice", "away,,both");
    assert_verdict(&ast, "alice", "away CustomPresence:200 first_of_equals");
}

#[test]
fn not_set_never_wins_wherever_the_order_puts_it() {
    let conf =
        format!("[general]\npriority = not_set,dnd,xa,away,chat,unavailable,available\n{ALICE}");
    let ast = configured(&conf).start();
    set_extension(&ast, "200", "available");
    set_extension(&ast, "201", "not_set,sub,a text");
    assert_verdict(&ast, "alice", "available CustomPresence:200 only");
}

#[test]
fn method_latest_picks_the_source_set_last() {
    let conf = format!("[general]\nmethod = latest\n{ALICE}source = CustomPresence:door\n");
    let ast = configured(&conf).start();
    set_extension(&ast, "200", "dnd");
    set_extension(&ast, "201", "available");
    assert_verdict(&ast, "alice", "available CustomPresence:201 latest");
    set_extension(&ast, "door", "chat");
    assert_verdict(&ast, "alice", "chat CustomPresence:door latest");
    set_extension(&ast, "200", "dnd,again");
    assert_verdict(&ast, "alice", "dnd CustomPresence:200 latest");
    // A cleared source gives way to the one set before it.
    set_extension(&ast, "200", "not_set");
    assert_verdict(&ast, "alice", "chat CustomPresence:door latest");
    set_extension(&ast, "door", "not_set");
    assert_verdict(&ast, "alice", "available CustomPresence:201 only");
}

#[test]
fn method_default_reads_the_default_extension_alone() {
    let conf = "[general]\nmethod = default\n\
                [alice]\ntype = user\nextension = 200\nextension = 201\ndefault = 201\n\
                source = CustomPresence:door\n\
                [bob]\ntype = user\nextension = 200\nextension = 201\n\
                [carol]\ntype = user\nsource = CustomPresence:door\n";
    let ast = configured(conf).start();
    for address in ["200", "door"] {
        set_extension(&ast, address, "dnd");
    }
    assert_verdict(
        &ast,
        "alice",
        "not_set CustomPresence:201 default_extension",
    );
    // Without the option the first extension is the default.
    assert_verdict(&ast, "bob", "dnd CustomPresence:200 default_extension");
    set_extension(&ast, "201", "available");
    assert_verdict(
        &ast,
        "alice",
        "available CustomPresence:201 default_extension",
    );
    // Without an extension the user's own status remains.
    assert_verdict(&ast, "carol", "not_set  own_status");
    set(&ast, "carol", "chat");
    assert_verdict(&ast, "carol", "chat own own_status");
}

#[test]
fn method_none_reads_the_users_own_status_alone() {
    let conf = format!("{ALICE}method = none\nsource = CustomPresence:door\n");
    let ast = configured(&conf).start();
    for address in ["200", "201", "door"] {
        set_extension(&ast, address, "dnd");
    }
    assert_verdict(&ast, "alice", "not_set  own_status");
    set(&ast, "alice", "away,lunch");
    assert_verdict(&ast, "alice", "away own own_status");
    set_extension(&ast, "200", "dnd,again");
    assert_verdict(&ast, "alice", "away own own_status");
}

#[test]
fn a_user_overrides_the_method_of_general() {
    let conf = "[general]\nmethod = latest\n\
                [alice]\ntype = user\nmethod = priority\nextension = 200\nextension = 201\n\
                [bob]\ntype = user\nextension = 200\nextension = 201\n";
    let ast = configured(conf).start();
    set_extension(&ast, "200", "dnd");
    set_extension(&ast, "201", "available");
    assert_verdict(&ast, "alice", "dnd CustomPresence:200 highest");
    assert_verdict(&ast, "bob", "available CustomPresence:201 latest");
    assert_eq!(read(&ast, "alice,method"), "priority");
    assert_eq!(read(&ast, "bob,method"), "latest");
}

#[test]
fn a_user_with_enabled_no_reads_every_source_but_extensions() {
    let conf = format!("{ALICE}enabled = no\nsource = CustomPresence:door\n");
    let ast = configured(&conf).start();
    set_extension(&ast, "200", "dnd");
    assert_verdict(&ast, "alice", "not_set CustomPresence:door nothing_set");
    set_extension(&ast, "door", "available");
    assert_verdict(&ast, "alice", "available CustomPresence:door only");
    set(&ast, "alice", "away,lunch");
    assert_verdict(&ast, "alice", "away own highest");
    set(&ast, "alice", "not_set");
    assert_verdict(&ast, "alice", "available CustomPresence:door only");
}

#[test]
fn a_user_without_extensions_combines_own_status_and_sources() {
    let conf = "[alice]\ntype = user\n\
                [bob]\ntype = user\nsource = CustomPresence:door\n";
    let ast = configured(conf).start();
    assert_verdict(&ast, "alice", "not_set  nothing_set");
    set(&ast, "alice", "away,lunch,Back at one");
    assert_verdict(&ast, "alice", "away own only");
    set(&ast, "bob", "away");
    set_extension(&ast, "door", "dnd");
    assert_verdict(&ast, "bob", "dnd CustomPresence:door highest");
    set(&ast, "bob", "dnd");
    assert_verdict(&ast, "bob", "dnd own last_of_equals");
}

#[test]
fn two_users_share_one_extension() {
    let conf = "[alice]\ntype = user\nextension = 200\n\
                [bob]\ntype = user\nextension = 200\nextension = 201\n";
    let ast = configured(conf).start();
    set_extension(&ast, "200", "away");
    for user in ["alice", "bob"] {
        assert_verdict(&ast, user, "away CustomPresence:200 only");
    }
    // Alice's status is written to the shared extension.
    set(&ast, "alice", "dnd,busy");
    assert_verdict(&ast, "bob", "dnd CustomPresence:200 only");
    set_extension(&ast, "201", "available");
    assert_eq!(read(&ast, "bob"), "dnd");
}

#[test]
fn a_user_can_be_a_source_of_another_user() {
    let conf = "[boss]\ntype = user\nsource = userpresence:Alice\n\
                [alice]\ntype = user\nextension = 200\nsource = UserPresence:TEAM\n\
                [team]\ntype = user\nextension = 300\n";
    let ast = configured(conf).start();
    let ami = ast.ami();
    ast.set_custom("300", "away,trip,All on a trip");
    let events = all_events(&ast, &ami);
    assert_verdict(&ast, "alice", "away UserPresence:team only");
    assert_verdict(&ast, "boss", "away UserPresence:alice only");
    assert_eq!(read(&ast, "boss,message"), "All on a trip");
    // Each user changes once, after the users that it reads.
    let changed = events.iter().filter(|it| it.is_event("UserPresenceChange"));
    let changed: Vec<_> = changed.filter_map(|it| it.get("User")).collect();
    assert_eq!(changed, ["team", "alice", "boss", "barrier"]);

    set_extension(&ast, "200", "dnd");
    assert_verdict(&ast, "boss", "dnd UserPresence:alice only");
    assert_eq!(read(&ast, "team"), "away");
}

#[test]
fn a_cycle_of_users_is_refused_and_the_rest_runs() {
    let conf = "[alice]\ntype = user\nsource = UserPresence:bob\n\
                [bob]\ntype = user\nsource = UserPresence:alice\n\
                [carol]\ntype = user\nsource = UserPresence:nobody\nextension = 200\n";
    let ast = configured(conf).start();
    let cycle = complaints(&ast, "a cycle of users");
    assert_eq!(cycle.len(), 2, "{cycle:#?}");
    for (line, user, complaint) in [(3, "alice", &cycle[0]), (6, "bob", &cycle[1])] {
        let place = format!("userpresence.conf:{line}, section [{user}], option 'source'");
        assert!(complaint.contains(&place), "{complaint}");
        assert!(complaint.contains("alice -> bob -> alice"), "{complaint}");
    }
    let missing = complaints(&ast, "there is no user 'nobody'");
    assert_eq!(missing.len(), 1, "{missing:#?}");
    set_extension(&ast, "200", "chat");
    assert_verdict(&ast, "carol", "chat CustomPresence:200 only");
}

#[test]
fn a_source_whose_provider_is_not_loaded_takes_no_part() {
    let conf = format!("{ALICE}method = latest\nsource = Calendar:alice\n");
    let ast = configured(&conf).start();
    set_extension(&ast, "200", "away");
    assert_verdict(&ast, "alice", "away CustomPresence:200 only");
    let shown = ast.cli("userpresence show user alice");
    let line = shown.lines().find(|line| line.contains("Calendar:alice"));
    let words: Vec<_> = line.unwrap_or_default().split_whitespace().collect();
    assert_eq!(
        words,
        ["-", "Calendar:alice", "unknown", "never"],
        "{shown}"
    );
}

#[test]
fn extensions_of_two_tenants_have_separate_addresses() {
    let conf = "[tenant](!)\ntype = user\npresence_prefix = CustomPresence:t1-\n\
                [alice](tenant)\nextension = 200\n\
                [bob]\ntype = user\nextension = 200\n";
    let ast = configured(conf).start();
    set_extension(&ast, "t1-200", "dnd");
    set_extension(&ast, "200", "chat");
    assert_verdict(&ast, "alice", "dnd CustomPresence:t1-200 only");
    assert_eq!(read(&ast, "alice,extensions"), "200");
    assert_verdict(&ast, "bob", "chat CustomPresence:200 only");
}

/// Asterisk publishes every state again at a start, and phones repeat theirs.
#[test]
fn a_repeated_event_changes_nothing() {
    let conf = format!("[general]\nmethod = latest\n{ALICE}");
    let ast = configured(&conf).start();
    set_extension(&ast, "201", "away,lunch,Back at one");
    set_extension(&ast, "200", "dnd");
    let kept = |ast| ["since", "sequence"].map(|field| read(ast, &format!("alice,{field}")));
    let before = kept(&ast);
    let ami = ast.ami();
    set_extension(&ast, "200", "dnd");
    set_extension(&ast, "201", "away,lunch,Back at one");
    set_extension(&ast, "201", "AWAY,lunch,Back at one");
    assert_eq!(kept(&ast), before);
    assert_verdict(&ast, "alice", "dnd CustomPresence:200 latest");
    let events = all_events(&ast, &ami);
    assert_eq!(publishes(&events, "alice").len(), 0);
    assert_eq!(
        matching(&events, "UserPresenceChange", "User", "alice").len(),
        0
    );
}

#[test]
fn setting_a_status_always_renews_since() {
    let ast = configured("[alice]\ntype = user\n").start();
    set(&ast, "alice", "away,lunch");
    let (since, sequence) = (read(&ast, "alice,since"), read(&ast, "alice,sequence"));
    let moved = || {
        set(&ast, "alice", "away,lunch");
        (read(&ast, "alice,since") > since).then_some(())
    };
    crate::harness::wait_until("a later millisecond", moved);
    assert_eq!(read(&ast, "alice,sequence"), sequence);
}

/// A text that no interface could pass on is repaired, with one warning per source and
/// kind of defect.
#[test]
fn an_invalid_text_of_a_source_is_repaired() {
    let ast = configured(ALICE).start();
    // Text that is not UTF-8, and a line end that would begin another header.
    let bad = [("/w==", "\u{fffd}"), ("Qg0KRXZlbnQ6IHg=", "B  Event: x")];
    for (encoded, mended) in [bad[0], bad[1], bad[0], bad[1]] {
        ast.run_dialplan(
            &[&format!(
                "Set(PRESENCE_STATE(CustomPresence:200)=dnd,sub,${{BASE64_DECODE({encoded})}})"
            )],
            "",
        );
        catch_up(&ast);
        assert_verdict(&ast, "alice", "dnd CustomPresence:200 only");
        assert_eq!(read(&ast, "alice,subtype"), "sub");
        assert_eq!(read(&ast, "alice,message"), mended);
        set_extension(&ast, "200", "not_set");
    }
    let long = "é".repeat(130);
    set_extension(&ast, "201", &format!("away,,{long}"));
    assert_verdict(&ast, "alice", "away CustomPresence:201 only");
    assert_eq!(read(&ast, "alice,message"), "é".repeat(127));
    set_extension(&ast, "201", &format!("xa,,{long}"));
    // A reload reads the same text, and so does a load.
    let conf = format!("{ALICE}[bob]\ntype = user\nextension = 202\n");
    set_extension(&ast, "202", &format!("chat,,{long}"));
    ast.write_config("userpresence.conf", &conf);
    assert!(ast.reload().ok());
    assert_eq!(read(&ast, "bob,message"), "é".repeat(127));
    let warned = complaints(&ast, "of 'CustomPresence:20");
    let expected = [
        "The message of 'CustomPresence:200' is not UTF-8, ",
        "The message of 'CustomPresence:200' holds a control character, ",
        "The message of 'CustomPresence:201' is 260 bytes long, expected at most 255; it is cut",
        "The message of 'CustomPresence:202' is 260 bytes long, expected at most 255; it is cut",
    ];
    assert_eq!(warned.len(), expected.len(), "{warned:#?}");
    for (line, expected) in warned.iter().zip(expected) {
        assert!(line.contains(expected.trim_end_matches(", ")), "{line}");
    }
}
