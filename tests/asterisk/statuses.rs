//! Status types, and the way of a status to and from the extensions.

use std::fs;

use crate::harness::barrier::{BARRIER, all_events, catch_up, configured, set_extension};
use crate::harness::changes::{assert_headers, matching, publishes};
use crate::harness::statuses::{TYPES, assert_status, set_by_ami};
use crate::harness::users::{
    ALICE, assert_consistent, complaints, extension, json, read, set, wait_custom, wait_extension,
};
use crate::harness::{Builder, Instance, MODULE, Message, wait_until};

fn typed(users: &str) -> Builder {
    configured(&format!("{TYPES}{users}"))
}

/// State, subtype, message, status and label of a user.
fn all(ast: &Instance, user: &str) -> [String; 5] {
    ["value", "subtype", "message", "status", "label"]
        .map(|field| read(ast, &format!("{user},{field}")))
}

/// The changes of a user among the events.
fn changes<'a>(events: &'a [Message], user: &str) -> Vec<&'a Message> {
    matching(events, "UserPresenceChange", "User", user)
}

/// The publishes of an extension among the events.
fn of_extension<'a>(events: &'a [Message], name: &str) -> Vec<&'a Message> {
    let address = format!("CustomPresence:{name}");
    matching(events, "PresenceStateChange", "Presentity", &address)
}

#[test]
fn every_interface_sets_a_type() {
    let ast = typed(ALICE).hint("2000", ",UserPresence:alice").start();
    let ami = ast.ami();
    let by_function = || set(&ast, "alice", "lunch");
    let by_cli = || {
        let shown = ast.cli("userpresence set ALICE Lunch");
        assert_eq!(
            shown.trim_end(),
            "Status of 'alice' set; the combined state is away."
        );
    };
    let by_ami = || {
        let lunch = [("User", "alice"), ("Status", "LUNCH")];
        assert_eq!(set_by_ami(&ami, &lunch), Ok(()));
    };
    let by_dialplan = || {
        ast.run_dialplan(&["Set(USER_PRESENCE(alice)=lunch)"], "");
    };
    let interfaces: [&dyn Fn(); 4] = [&by_function, &by_cli, &by_ami, &by_dialplan];
    for interface in interfaces {
        set(&ast, "alice", "meeting");
        assert_eq!(
            all(&ast, "alice"),
            ["dnd", "meeting", "", "meeting", "In a meeting"]
        );
        all_events(&ast, &ami);
        interface();
        assert_eq!(
            all(&ast, "alice"),
            ["away", "lunch", "Back soon", "lunch", "At lunch"]
        );
        for name in ["200", "201"] {
            wait_extension(&ast, name, ["away", "lunch", "Back soon"]);
        }
        ast.wait_hint_presence("2000", "away");
        let events = all_events(&ast, &ami);
        let [change] = changes(&events, "alice")[..] else {
            panic!("{events:#?}")
        };
        assert_headers(
            change,
            &[
                ("OldState", "dnd"),
                ("OldStatus", "meeting"),
                ("OldStatusType", "meeting"),
                ("State", "away"),
                ("Subtype", "lunch"),
                ("Message", "Back soon"),
                ("Status", "lunch"),
                ("StatusType", "lunch"),
                ("Label", "At lunch"),
            ],
        );
        assert_eq!(publishes(&events, "alice").len(), 1, "{events:#?}");
        for name in ["200", "201"] {
            assert_eq!(of_extension(&events, name).len(), 1, "{events:#?}");
        }
    }
    let answer = ami.action(&[("Action", "UserPresenceGet"), ("User", "alice")]);
    assert_headers(&answer, &[("Status", "lunch"), ("Label", "At lunch")]);
    let shown = ast.cli("userpresence show user alice");
    assert!(shown.contains(" Status: lunch, At lunch\n"), "{shown}");
    assert_eq!(complaints(&ast, ""), Vec::<String>::new());
}

#[test]
fn types_are_completed() {
    let ast = typed(ALICE).start();
    let complete = |line: &str| {
        let mut words = ast.complete(line);
        words.sort();
        words
    };
    assert_eq!(complete("userpresence set alice l"), ["lunch"]);
    assert_eq!(complete("userpresence set alice H"), ["home-office"]);
    assert_eq!(complete("userpresence set alice x"), ["xa"]);
    let every = [
        "available",
        "away",
        "chat",
        "dnd",
        "home-office",
        "lunch",
        "meeting",
        "not_set",
        "thinking",
        "unavailable",
        "xa",
    ];
    assert_eq!(complete("userpresence set alice "), every);
    assert!(complete("userpresence show ").contains(&"statuses".to_owned()));
}

#[test]
fn show_statuses_shows_the_state_of_each_status() {
    let ast = typed(ALICE).start();
    let shown = ast.cli("userpresence show statuses");
    let rows: Vec<String> = shown
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    // The states come first, in the core's order.
    let expected = [
        "Status Label State Subtype Message Activity",
        "not_set Not set not_set",
        "unavailable Unavailable unavailable",
        "available Available available",
        "away Away away",
        "xa Gone -",
        "chat Free to chat chat",
        "dnd Do not disturb dnd",
        "lunch At lunch away lunch Back soon",
        "meeting In a meeting dnd meeting",
        "home-office Working at home available home",
        "thinking Thinking, do not ask -",
    ];
    assert_eq!(rows[..expected.len()], expected, "{shown}");
    let usage = ast.cli("userpresence show statuses now");
    assert!(
        usage.starts_with("Usage: userpresence show statuses"),
        "{usage}"
    );
}

#[test]
fn given_texts_replace_those_of_the_type() {
    let ast = typed(ALICE).start();
    for (value, expected) in [
        (
            "lunch,,Back at two",
            ["away", "lunch", "Back at two", "lunch"],
        ),
        // An explicit subtype makes the status another type, or the plain state.
        ("lunch,walk", ["away", "walk", "Back soon", "away"]),
        ("away,lunch", ["away", "lunch", "", "lunch"]),
        (
            "dnd,meeting,Room 3",
            ["dnd", "meeting", "Room 3", "meeting"],
        ),
        ("meeting,,R\\, S", ["dnd", "meeting", "R, S", "meeting"]),
        ("home-office", ["available", "home", "", "home-office"]),
        ("available", ["available", "", "", "available"]),
        ("lunch", ["away", "lunch", "Back soon", "lunch"]),
    ] {
        set(&ast, "alice", value);
        assert_status(&ast, "alice", expected);
        wait_extension(&ast, "201", [expected[0], expected[1], expected[2]]);
    }
}

#[test]
fn a_type_without_a_state_is_recorded_and_written_nowhere() {
    let ast = typed(&format!("{ALICE}[nora]\ntype = user\nmethod = none\n"))
        .hint("2000", ",UserPresence:alice")
        .start();
    let ami = ast.ami();
    set(&ast, "alice", "lunch");
    let kept = ["since", "source", "reason"].map(|field| read(&ast, &format!("alice,{field}")));
    all_events(&ast, &ami);
    let number = |ast: &Instance| -> u64 { read(ast, "alice,sequence").parse().expect("a number") };
    let (mut sequence, mut before) = (number(&ast), "lunch");
    for (name, label) in [("thinking", "Thinking, do not ask"), ("xa", "Gone")] {
        set(&ast, "alice", name);
        assert_eq!(
            all(&ast, "alice"),
            ["away", "lunch", "Back soon", name, label]
        );
        let events = all_events(&ast, &ami);
        let [change] = changes(&events, "alice")[..] else {
            panic!("{events:#?}")
        };
        assert_headers(
            change,
            &[
                ("OldStatus", before),
                ("Status", name),
                ("Label", label),
                ("OldState", "away"),
                ("State", "away"),
                ("OldSubtype", "lunch"),
                ("Subtype", "lunch"),
                ("OldMessage", "Back soon"),
                ("Message", "Back soon"),
            ],
        );
        assert_eq!(number(&ast), sequence + 1);
        // Neither the extensions nor the user were published again.
        assert_eq!(publishes(&events, "alice").len(), 0, "{events:#?}");
        for extension in ["200", "201"] {
            assert_eq!(of_extension(&events, extension).len(), 0, "{events:#?}");
        }
        (sequence, before) = (number(&ast), name);
    }
    let after = ["since", "source", "reason"].map(|field| read(&ast, &format!("alice,{field}")));
    assert_eq!(after, kept);
    assert_eq!(ast.hint("2000").presence, "away");
    for name in ["200", "201"] {
        assert_eq!(extension(&ast, name), ["away", "lunch", "Back soon"]);
    }
    // The same status again is no change.
    set(&ast, "alice", "xa");
    assert_eq!(changes(&all_events(&ast, &ami), "alice").len(), 0);

    // The user has only their own status, which was not set before.
    set(&ast, "nora", "thinking");
    assert_status(&ast, "nora", ["not_set", "", "", "thinking"]);
    set(&ast, "nora", "meeting");
    set(&ast, "nora", "thinking");
    assert_status(&ast, "nora", ["dnd", "meeting", "", "thinking"]);
}

#[test]
fn an_incoming_state_of_no_type_keeps_the_status() {
    let ast = typed("[alice]\ntype = user\nextension = 200\n").start();
    let ami = ast.ami();
    set(&ast, "alice", "lunch");
    all_events(&ast, &ami);
    set_extension(&ast, "200", "xa,trip,Far away");
    assert_status(&ast, "alice", ["xa", "trip", "Far away", "lunch"]);
    let events = all_events(&ast, &ami);
    let [change] = changes(&events, "alice")[..] else {
        panic!("{events:#?}")
    };
    assert_headers(
        change,
        &[("OldStatus", "lunch"), ("Status", "lunch"), ("State", "xa")],
    );
    // A state that belongs to a type changes the status.
    set_extension(&ast, "200", "dnd");
    assert_status(&ast, "alice", ["dnd", "", "", "dnd"]);
    set_extension(&ast, "200", "xa");
    assert_status(&ast, "alice", ["xa", "", "", "dnd"]);
}

#[test]
fn an_incoming_presence_means_the_closest_type() {
    let types = "[late]\ntype = status\nstate = away\nsubtype = lunch\n\
                 [chat]\ntype = status\nstate =\n\
                 [talk]\ntype = status\nlabel = Talk to me\nstate = chat\nsubtype = a\n\
                 [more]\ntype = status\nstate = chat\nsubtype = b\n";
    let alice = "[alice]\ntype = user\nextension = 200\n";
    let ast = typed(&format!("{types}{alice}")).start();
    for (value, status) in [
        // A type with the same state and subtype; the first of several.
        ("away,lunch,At the lake", "lunch"),
        ("dnd,meeting", "meeting"),
        ("available,home", "home-office"),
        // Otherwise the type of the state itself.
        ("away", "away"),
        ("away,Lunch", "away"),
        ("dnd,other", "dnd"),
        ("available,elsewhere", "available"),
        ("unavailable,home", "unavailable"),
        // If that type has no state: the first type with this state.
        ("chat,b", "more"),
        ("chat", "talk"),
        ("chat,c", "talk"),
        ("not_set", "not_set"),
    ] {
        set_extension(&ast, "200", value);
        assert_eq!(read(&ast, "alice,status"), status, "{value}");
    }
    set_extension(&ast, "200", "chat,c");
    assert_eq!(read(&ast, "alice,label"), "Talk to me");
}

#[test]
fn a_reload_changes_types() {
    let ast = typed(ALICE).start();
    let ami = ast.ami();
    let reload = |types: &str| {
        ast.write_config("userpresence.conf", &format!("{types}{ALICE}{BARRIER}"));
        assert!(ast.reload().ok());
    };
    set(&ast, "alice", "lunch");
    all_events(&ast, &ami);

    // The new mapping applies from now on; a status already set stays unchanged.
    let changed = TYPES
        .replace("At lunch", "Having lunch")
        .replace("Back soon", "Back late");
    reload(&changed);
    assert_eq!(
        all(&ast, "alice"),
        ["away", "lunch", "Back soon", "lunch", "Having lunch"]
    );
    let events = all_events(&ast, &ami);
    let [changed_label] = changes(&events, "alice")[..] else {
        panic!("{events:#?}")
    };
    assert_headers(
        changed_label,
        &[("Status", "lunch"), ("Label", "Having lunch")],
    );
    assert_eq!(publishes(&events, "alice").len(), 0);
    set(&ast, "alice", "lunch");
    assert_status(&ast, "alice", ["away", "lunch", "Back late", "lunch"]);
    wait_custom(&ast, "201", "message", "Back late");

    // Without the type, the status follows from the presence.
    reload(&changed.replace("[lunch]", "[dinner]"));
    assert_status(&ast, "alice", ["away", "lunch", "Back late", "dinner"]);
    reload("");
    assert_status(&ast, "alice", ["away", "lunch", "Back late", "away"]);
    assert!(ast.try_setvar("USER_PRESENCE(alice)", "lunch").is_err());
    assert_status(&ast, "alice", ["away", "lunch", "Back late", "away"]);
    let refused = complaints(&ast, "unknown status 'lunch', expected not_set, ");
    assert_eq!(refused.len(), 1, "{refused:#?}");

    // The type of a state returns too, and is mapped again.
    reload(TYPES);
    set(&ast, "alice", "xa");
    assert_status(&ast, "alice", ["away", "lunch", "Back late", "xa"]);
    reload("");
    set(&ast, "alice", "xa");
    assert_status(&ast, "alice", ["xa", "", "", "xa"]);
}

#[test]
fn a_status_survives_every_kind_of_stop() {
    let users = format!("{ALICE}[nora]\ntype = user\nmethod = none\n");
    let ast = typed(&users).start();
    // The presence alone does not reveal the status.
    let lunch = ["away", "lunch", "Back soon", "thinking"];
    let meeting = ["dnd", "meeting", "Room 3", "meeting"];
    for status in ["lunch", "thinking"] {
        set(&ast, "alice", status);
    }
    set(&ast, "nora", "meeting,,Room 3");
    let check = || {
        assert_status(&ast, "alice", lunch);
        assert_status(&ast, "nora", meeting);
    };
    check();
    assert!(ast.unload_module(MODULE).ok());
    assert!(ast.load_module(MODULE).ok());
    check();
    ast.restart(false);
    check();
    ast.restart(true);
    check();
    set(&ast, "nora", "thinking");
    wait_until("the status on disk", || {
        let nora = ast.astdb_on_disk("/UserPresence/user/nora")?;
        nora.contains("thinking").then_some(())
    });
    ast.kill9();
    ast.start_again();
    assert_status(&ast, "alice", lunch);
    assert_status(&ast, "nora", ["dnd", "meeting", "Room 3", "thinking"]);
}

/// A section with a mistake, the place and the text of its one message.
const MISTAKES: [(&str, &str, &str); 12] = [
    (
        "[m1]\ntype = status\nlabel = No state\n",
        "section [m1]: ",
        "the option 'state' is missing, expected a state, or nothing after 'state =' for a status \
         that is recorded only",
    ),
    (
        "[m2]\ntype = status\nstate = busy\nsubtype = x\n",
        "section [m2], option 'state': ",
        "unknown state 'busy', expected not_set, unavailable, available, away, xa, chat or dnd",
    ),
    (
        "[m3]\ntype = status\nstate = away\nlabel = LONG\n",
        "section [m3], option 'label': ",
        "the label is 300 bytes long, expected at most 255",
    ),
    (
        "[m4]\ntype = status\nstate = away\nsubtype = LONG\n",
        "section [m4], option 'subtype': ",
        "the subtype is 300 bytes long, expected at most 255",
    ),
    (
        "[m5]\ntype = status\nstate = away\nmessage = a\u{1}b\n",
        "section [m5], option 'message': ",
        "the message holds a control character, expected printable text on one line",
    ),
    (
        "[m6]\ntype = status\nstate = away\ncolour = red\n",
        "section [m6], option 'colour': ",
        "unknown option, expected type, label, state, subtype, message",
    ),
    (
        "[m7]\ntype = status\nstate =\nmessage = Nowhere\n",
        "section [m7]: ",
        "a status without a state has no subtype and no message",
    ),
    (
        "[m 8]\ntype = status\nstate = away\n",
        "section [m 8]: ",
        "'m 8' is not a status type's name, expected 1 to 60 letters, digits, '-', '_' or '.'",
    ),
    (
        "[LUNCH]\ntype = status\nstate = dnd\n",
        "section [LUNCH]: ",
        "status 'LUNCH' is defined twice (first at userpresence.conf:2, section [lunch]), expected \
         each name once; upper and lower case are the same",
    ),
    (
        "[m9]\ntype = state\nstate = away\n",
        "section [m9], option 'type': ",
        "unknown type 'state', expected user, status, ",
    ),
    (
        "[m10]\ntype = user\nschedule = *\nschedule_status = breakfast\n",
        "section [m10], option 'schedule_status': ",
        "unknown status 'breakfast', expected not_set, unavailable, available, away, xa, chat, \
         dnd, lunch, meeting, home-office or thinking",
    ),
    (
        "[m11]\ntype = user\nschedule = *\nschedule_status = thinking\n",
        "section [m11], option 'schedule_status': ",
        "the status 'thinking' is mapped to no state",
    ),
];

/// Asserts that among `said` there is this one complaint about the section.
#[track_caller]
fn one(said: &[String], place: &str, message: &str) {
    let section = place.split([',', ':']).next().unwrap_or_default();
    let is_about = |line: &&String| {
        let (_, rest) = line.split_once(", ").unwrap_or_default();
        rest.starts_with(section)
    };
    let about: Vec<_> = said.iter().filter(is_about).collect();
    let [complaint] = about[..] else {
        panic!("{place}{message}: {said:#?}")
    };
    let expected = format!("{place}{message}");
    assert!(
        complaint.contains(&expected),
        "{complaint}\nexpected {expected}"
    );
    assert!(complaint.starts_with("userpresence.conf:"), "{complaint}");
}

#[test]
fn a_load_leaves_out_each_section_with_a_mistake() {
    let sections: String = MISTAKES.iter().map(|(section, ..)| *section).collect();
    let sections = sections.replace("LONG", &"x".repeat(300));
    let ast = typed(&format!("{ALICE}{sections}")).start();
    let said = complaints(&ast, "the section is left out");
    assert_eq!(said.len(), MISTAKES.len(), "{said:#?}");
    for (_, place, message) in MISTAKES {
        one(&said, place, message);
    }
    // The other sections are there.
    let shown = ast.cli("userpresence show statuses");
    assert_eq!(
        shown.lines().filter(|line| line.starts_with('m')).count(),
        1,
        "{shown}"
    );
    set(&ast, "alice", "lunch");
    assert_status(&ast, "alice", ["away", "lunch", "Back soon", "lunch"]);
}

#[test]
fn a_reload_with_a_mistake_keeps_everything() {
    let ast = typed(ALICE).start();
    set(&ast, "alice", "lunch");
    let running = ["status", "label", "since", "sequence"];
    let running = || running.map(|field| read(&ast, &format!("alice,{field}")));
    let before = running();
    let users = ALICE.replace("201", "202");
    let mut known = 0;
    let mut refused = |place: &str, message: &str| {
        assert!(!ast.reload().ok(), "{place}{message}");
        let said = complaints(&ast, "the running configuration stays");
        assert_eq!(said.len(), known + 1, "{place}: {said:#?}");
        let complaint = &said[known];
        assert!(
            complaint.contains(&format!("{place}{message}")),
            "{complaint}"
        );
        known += 1;
        assert_eq!(running(), before);
        assert_eq!(read(&ast, "alice,extensions"), "200,201");
    };
    for (section, place, message) in MISTAKES {
        let section = section.replace("LONG", &"x".repeat(300));
        let conf = format!("{TYPES}{users}{BARRIER}{section}");
        ast.write_config("userpresence.conf", &conf);
        refused(place, message);
    }
    // Not UTF-8.
    let conf = format!("{TYPES}{users}{BARRIER}[m12]\ntype = status\nstate = away\nlabel = ");
    let conf = [conf.as_bytes(), b"Gr\xfc\xdfe\n"].concat();
    fs::write(ast.config_path("userpresence.conf"), conf).expect("our own file");
    refused("section [m12], option 'label': ", "the value is not UTF-8");

    ast.write_config("userpresence.conf", &format!("{TYPES}{users}{BARRIER}"));
    assert!(ast.reload().ok());
    assert_eq!(read(&ast, "alice,extensions"), "200,202");
}

#[test]
fn each_wrong_value_has_its_message_on_every_interface() {
    let ast = typed(ALICE).start();
    let ami = ast.ami();
    set(&ast, "alice", "lunch");
    let expected = "expected not_set, unavailable, available, away, xa, chat, dnd, lunch, \
                    meeting, home-office or thinking";
    let nowhere = "the status 'thinking' is mapped to no state, expected no subtype and no message";
    for (status, subtype, message, why) in [
        (
            "breakfast",
            "",
            "",
            format!("unknown status 'breakfast', {expected}"),
        ),
        ("thinking", "", "hello", nowhere.to_owned()),
        ("thinking", "deep", "", nowhere.to_owned()),
        ("xa", "", "gone", nowhere.replace("thinking", "xa")),
    ] {
        let headers = [
            ("User", "alice"),
            ("Status", status),
            ("Subtype", subtype),
            ("Message", message),
        ];
        assert_eq!(set_by_ami(&ami, &headers), Err(why.clone()));
        let command = format!("userpresence set alice {status} \"{subtype}\" \"{message}\"");
        let shown = ast.cli(&command);
        let said = shown.lines().next().unwrap_or_default().to_lowercase();
        assert_eq!(said, format!("{why}.").to_lowercase());
        let known = complaints(&ast, &why).len();
        let value = format!("{status},{subtype},{message}");
        assert!(ast.try_setvar("USER_PRESENCE(alice)", &value).is_err());
        assert_eq!(complaints(&ast, &why).len(), known + 1, "{value}");
        assert_status(&ast, "alice", ["away", "lunch", "Back soon", "lunch"]);
    }
    let missing = format!("the status is missing, {expected}");
    assert_eq!(set_by_ami(&ami, &[("User", "alice")]), Err(missing));
}

/// Every `outgoing` with every `method`, against a different `[general]`.
#[test]
fn every_outgoing_works_with_every_method() {
    const OUT: [&str; 3] = ["all", "default", "none"];
    const IN: [&str; 4] = ["priority", "latest", "default", "none"];
    let pairs: Vec<_> = OUT
        .iter()
        .flat_map(|out| IN.map(|method| (*out, method)))
        .collect();
    let users: String = pairs
        .iter()
        .map(|(out, method)| {
            format!(
                "[{out}-{method}]\ntype = user\noutgoing = {out}\nmethod = {method}\n\
                 extension = {out}-{method}-1\nextension = {out}-{method}-2\n\
                 default = {out}-{method}-2\n"
            )
        })
        .collect();
    let general = "[general]\noutgoing = none\nmethod = none\n";
    let plain = "[plain]\ntype = user\nextension = plain\n";
    // With `none` the barrier would ignore its extension.
    let barrier = BARRIER.replace("account", "method = priority\naccount");
    let ast = Instance::builder()
        .userpresence(&format!("{general}{TYPES}{users}{plain}{barrier}"))
        .start();
    let ami = ast.ami();
    let lunch = ["away", "lunch", "Back soon", "lunch"];
    let (eating, nothing) = (["away", "lunch", "Back soon"], ["not_set", "", ""]);

    for (out, method) in pairs {
        let user = format!("{out}-{method}");
        let [first, second] = [format!("{user}-1"), format!("{user}-2")];
        all_events(&ast, &ami);
        set(&ast, &user, "lunch");
        wait_extension(&ast, &first, if out == "all" { eating } else { nothing });
        wait_extension(&ast, &second, if out == "none" { nothing } else { eating });
        let (source, expected) = match (out, method) {
            (_, "none") => ("own".to_owned(), lunch),
            ("none", "default") => (
                format!("CustomPresence:{second}"),
                ["not_set", "", "", "lunch"],
            ),
            ("none", _) => ("own".to_owned(), lunch),
            ("all", "priority" | "latest") => (format!("CustomPresence:{first}"), lunch),
            _ => (format!("CustomPresence:{second}"), lunch),
        };
        assert_status(&ast, &user, expected);
        assert_eq!(read(&ast, &format!("{user},source")), source, "{user}");
        let events = all_events(&ast, &ami);
        assert_eq!(changes(&events, &user).len(), 1, "{user}: {events:#?}");
        let writes = [&first, &second].map(|name| of_extension(&events, name).len());
        let expected_writes = match out {
            "all" => [1, 1],
            "default" => [0, 1],
            _ => [0, 0],
        };
        assert_eq!(writes, expected_writes, "{user}: {events:#?}");

        // A presence at the first extension counts for two of the methods, and is written
        // nowhere else.
        let before = extension(&ast, &second);
        set_extension(&ast, &first, "dnd,meeting,Now");
        let counts = matches!(method, "priority" | "latest");
        let meeting = ["dnd", "meeting", "Now", "meeting"];
        assert_status(&ast, &user, if counts { meeting } else { expected });
        let events = all_events(&ast, &ami);
        assert_eq!(
            changes(&events, &user).len(),
            usize::from(counts),
            "{user}: {events:#?}"
        );
        assert_eq!(
            publishes(&events, &user).len(),
            usize::from(counts),
            "{user}: {events:#?}"
        );
        assert_eq!(of_extension(&events, &first).len(), 1);
        assert_eq!(of_extension(&events, &second).len(), 0);
        assert_eq!(extension(&ast, &second), before);
        // A presence at the default extension also counts for the third one.
        set_extension(&ast, &second, "dnd,meeting,Then");
        let expected = match method {
            "none" => expected,
            _ => ["dnd", "meeting", "Then", "meeting"],
        };
        assert_status(&ast, &user, expected);
    }

    set(&ast, "plain", "lunch");
    set_extension(&ast, "plain", "dnd,meeting,Now");
    assert_status(&ast, "plain", lunch);
    assert_eq!(extension(&ast, "plain"), ["dnd", "meeting", "Now"]);
    assert_eq!(read(&ast, "plain,source"), "own");
}

#[test]
fn a_user_with_enabled_no_has_status_types_too() {
    let ast = typed(&format!("{ALICE}enabled = no\n")).start();
    let ami = ast.ami();
    set_extension(&ast, "200", "dnd,meeting");
    assert_status(&ast, "alice", ["not_set", "", "", "not_set"]);
    set(&ast, "alice", "lunch");
    assert_status(&ast, "alice", ["away", "lunch", "Back soon", "lunch"]);
    set(&ast, "alice", "thinking");
    assert_status(&ast, "alice", ["away", "lunch", "Back soon", "thinking"]);
    set_extension(&ast, "201", "dnd,meeting");
    assert_status(&ast, "alice", ["away", "lunch", "Back soon", "thinking"]);
    // Only the presences set by the phones were published of the extensions.
    let events = all_events(&ast, &ami);
    for name in ["200", "201"] {
        assert_eq!(of_extension(&events, name).len(), 1, "{events:#?}");
        assert_eq!(extension(&ast, name), ["dnd", "meeting", ""]);
    }
}

/// Three users in a ring, each sharing an extension with the next.
const RING: &str = "[a]\ntype = user\nextension = 301\nextension = 302\n\
    [b]\ntype = user\nextension = 302\nextension = 303\n\
    [c]\ntype = user\nmethod = latest\nextension = 303\nextension = 301\n";

#[test]
fn users_who_share_extensions_cause_no_echo() {
    let ast = typed(RING).start();
    let ami = ast.ami();
    for (user, status, written) in [
        ("a", "lunch", ["301", "302"]),
        ("b", "meeting", ["302", "303"]),
        ("c", "home-office", ["303", "301"]),
        ("a", "lunch,,Again", ["301", "302"]),
    ] {
        all_events(&ast, &ami);
        set(&ast, user, status);
        let at_301 = extension(&ast, written[0]);
        wait_until("both written", || {
            (extension(&ast, written[1]) == at_301).then_some(())
        });
        let events = all_events(&ast, &ami);
        for name in ["301", "302", "303"] {
            let expected = usize::from(written.contains(&name));
            let count = of_extension(&events, name).len();
            assert_eq!(count, expected, "{user} {status}, {name}: {events:#?}");
        }
        for user in ["a", "b", "c"] {
            let changes = changes(&events, user);
            assert!(changes.len() <= 1, "{user}: {changes:#?}");
            assert_eq!(publishes(&events, user).len(), changes.len(), "{events:#?}");
            assert_consistent(&ast, user);
        }
        assert_eq!(changes(&events, user).len(), 1, "{events:#?}");
    }

    // A presence set by a phone counts for every user of the extension, and is not passed on.
    all_events(&ast, &ami);
    set_extension(&ast, "303", "dnd,meeting,By phone");
    assert_status(&ast, "b", ["dnd", "meeting", "By phone", "meeting"]);
    assert_status(&ast, "c", ["dnd", "meeting", "By phone", "meeting"]);
    let events = all_events(&ast, &ami);
    for (name, count) in [("301", 0), ("302", 0), ("303", 1)] {
        assert_eq!(of_extension(&events, name).len(), count, "{events:#?}");
    }
    for (user, count) in [("a", 0), ("b", 1), ("c", 1)] {
        assert_eq!(changes(&events, user).len(), count, "{events:#?}");
    }
}

/// A phone sets its presence at the moment in which its user's status is set: each is
/// published once, and the later one counts.
#[test]
fn a_phones_change_at_the_same_moment_causes_no_echo() {
    const ROUNDS: usize = 200;
    let ast = typed(RING).start();
    let feed = ast.ami();
    let (phone, panel) = (ast.ami(), ast.ami());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..ROUNDS {
                // Set past the module, as a phone does.
                let value = format!("dnd,meeting,phone-{round}");
                let answer = phone.action(&[
                    ("Action", "Setvar"),
                    ("Variable", "PRESENCE_STATE(CustomPresence:302)"),
                    ("Value", &value),
                ]);
                assert!(answer.ok(), "{answer:?}");
                phone.take_events();
            }
        });
        scope.spawn(|| {
            for round in 0..ROUNDS {
                let message = format!("panel-{round}");
                let headers = [("User", "a"), ("Status", "lunch"), ("Message", &message)];
                assert_eq!(set_by_ami(&panel, &headers), Ok(()));
                panel.take_events();
            }
        });
    });
    catch_up(&ast);
    let events = all_events(&ast, &feed);
    let count = |events: &[&Message], text: &str| {
        let same = events.iter().filter(|event| event.text() == text);
        same.count()
    };
    let [first, second] = ["301", "302"].map(|name| of_extension(&events, name));
    let of_a = changes(&events, "a");
    for round in 0..ROUNDS {
        let (phone, panel) = (format!("phone-{round}"), format!("panel-{round}"));
        // The phone's presence is never repeated. The panel's status is written once, unless
        // a newer one replaced it before.
        assert_eq!(count(&second, &phone), 1, "{phone}");
        assert_eq!(count(&first, &phone), 0, "{phone}");
        assert!(count(&first, &panel) <= 1, "{panel}");
        assert!(count(&second, &panel) <= 1, "{panel}");
        assert!(count(&of_a, &phone) <= 1, "{phone}: {of_a:#?}");
        assert!(count(&of_a, &panel) <= 1, "{panel}: {of_a:#?}");
    }
    assert_eq!(of_extension(&events, "303").len(), 0);
    // Stock CustomPresence stores and publishes without a lock, so it may store the other
    // value. The module follows the last published one.
    let last = second.last().expect("many");
    let json = json(&ast, "a");
    assert_eq!(json["sources"][1]["message"], last.text());
    set_extension(&ast, "302", "dnd,meeting,The end");
    for user in ["a", "b", "c"] {
        assert_consistent(&ast, user);
    }
}
