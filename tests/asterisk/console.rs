//! The commands `userpresence ...` on Asterisk's console.

use crate::harness::barrier::{configured, set_extension};
use crate::harness::users::{ALICE, custom, read, set, wait_custom};
use crate::harness::{Instance, has_test_commands};

/// The words of the table row that begins with this word.
#[track_caller]
fn table_row<'a>(shown: &'a str, first: &str) -> Vec<&'a str> {
    let mut lines = shown
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let found = lines.find(|words| words.first() == Some(&first));
    found.unwrap_or_else(|| panic!("no {first:?} in\n{shown}"))
}

/// `userpresence explain` without ages, which differ from run to run, and without the
/// lamp, which the tests of devices cover.
fn explain(ast: &Instance, user: &str) -> Vec<String> {
    let shown = ast.cli(&format!("userpresence explain {user}"));
    let age = |line: &str| match (line.find(", set "), line.find(" ago")) {
        (Some(from), Some(to)) => format!("{}{}", &line[..from], &line[to + 4..]),
        _ => line.to_owned(),
    };
    shown
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("A lamp on "))
        .map(age)
        .collect()
}

#[track_caller]
fn assert_explained(ast: &Instance, user: &str, expected: &[&str]) {
    assert_eq!(explain(ast, user), expected, "explain {user}");
}

const PRIORITY: &str = "Method priority: the highest state wins (dnd > xa > away > chat > \
                        unavailable > available > not_set), of equal states the one set last.";

#[test]
fn show_users_lists_everyone_with_state_source_age_and_texts() {
    let conf = format!(
        "[lunch]\ntype = status\nstate = away\nsubtype = lunch\n\
         {ALICE}[bob]\ntype = user\n[a-name-that-is-longer-than-any-column]\ntype = user\n"
    );
    let ast = configured(&conf).start();
    set_extension(&ast, "201", "away,lunch,Back at one");
    set(&ast, "bob", "chat");
    let shown = ast.cli("userpresence show users");
    assert_eq!(
        table_row(&shown, "User"),
        [
            "User", "State", "Status", "Inferred", "Source", "Set", "Subtype", "Message"
        ]
    );
    let alice = table_row(&shown, "alice");
    assert_eq!(alice[..4], ["alice", "away", "lunch", "CustomPresence:201"]);
    assert_eq!(alice[5..], ["ago", "lunch", "Back", "at", "one"]);
    let bob = table_row(&shown, "bob");
    assert_eq!(bob[..5], ["bob", "chat", "chat", "own", "status"]);
    let long = table_row(&shown, "a-name-that-is-longer-than-any-column");
    assert_eq!(long[1..], ["not_set", "not_set", "none", "never"]);
    assert!(shown.contains("\n4 users"), "{shown}");
    // The columns are aligned with their headings.
    let state = |line: &str, word: &str| line.find(word).expect("the line contains the word");
    let head = state(shown.lines().next().unwrap_or_default(), "State");
    for (user, word) in [("alice ", "away"), ("bob ", "chat"), ("a-name", "not_set")] {
        let line = shown
            .lines()
            .find(|line| line.starts_with(user))
            .unwrap_or_default();
        assert_eq!(state(line, word), head, "{shown}");
    }
}

#[test]
fn show_users_like_accepts_a_regular_expression() {
    let conf = "[alice]\ntype = user\n[bob]\ntype = user\n[bobby]\ntype = user\n";
    let ast = configured(conf).start();
    let names = |pattern: &str| {
        let shown = ast.cli(&format!("userpresence show users like {pattern}"));
        let lines: Vec<_> = shown
            .lines()
            .skip(1)
            .filter(|line| !line.is_empty())
            .collect();
        let words = lines
            .iter()
            .filter_map(|line| line.split_whitespace().next());
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names("^b.b"), ["bob", "bobby", "2"]);
    assert_eq!(names("^(alice|bob)$"), ["alice", "bob", "2"]);
    assert_eq!(names("bby$"), ["bobby", "1"]);
    assert_eq!(names("nobody"), ["0"]);
    assert_eq!(names("^[[:alpha:]]{3,4}$"), ["bob", "1"]);
    let bad = ast.cli("userpresence show users like [a");
    assert!(
        bad.starts_with(
            "'[a' is not a regular expression: non-empty character class has no closing bracket"
        ),
        "{bad}"
    );
    assert!(!bad.contains("State"), "{bad}");
}

#[test]
fn show_user_shows_the_result_its_reason_and_every_source() {
    let conf = "[general]\noutgoing = default\n\
                [Alice]\ntype = user\nid = 4711\naccount = main\nextension = 200\n\
                extension = 201\nsource = Calendar:alice\n";
    let ast = configured(conf).start();
    set(&ast, "alice", "away,lunch,Back at one");
    set_extension(&ast, "201", "chat");
    let shown = ast.cli("userpresence show user ALICE");
    let sequence = read(&ast, "alice,sequence");
    for (name, value) in [
        ("User", "Alice"),
        ("Id", "4711"),
        ("Account", "main"),
        ("State", "away"),
        ("Status", "away, Away"),
        ("Subtype", "lunch"),
        ("Message", "Back at one"),
        ("Ends", "never"),
        ("Source", "CustomPresence:200"),
        ("Reason", "highest"),
        ("Method", "priority"),
        ("Enabled", "yes"),
        ("Outgoing", "default"),
        ("Default", "200"),
        ("Calls", "TakeAllCalls"),
        ("Visible", "yes"),
        ("Ring along", "no"),
        ("Hold pickup", "no"),
        ("Lamp", "unavailable"),
        ("Queue", "unavailable"),
        ("Panels", "0"),
        ("Sequence", sequence.as_str()),
    ] {
        let line = format!(" {name}: {value}");
        assert!(
            shown.lines().any(|shown| shown.ends_with(&line)),
            "{line}\n{shown}"
        );
    }
    let table: Vec<_> = shown.lines().skip_while(|line| !line.is_empty()).collect();
    let words = |at: usize| table[at].split_whitespace().collect::<Vec<_>>();
    let head = [
        "Source", "State", "Set", "Subtype", "Message", "Device", "reports",
    ];
    assert_eq!(words(1), head);
    assert_eq!(words(2)[..3], ["*", "CustomPresence:200", "away"]);
    let rest = ["ago", "lunch", "Back", "at", "one", "PJSIP/200", "invalid"];
    assert_eq!(words(2)[4..], rest);
    assert_eq!(words(3)[..2], ["CustomPresence:201", "chat"]);
    assert_eq!(words(3)[3..], ["ago", "PJSIP/201", "invalid"]);
    assert_eq!(words(4), ["-", "Calendar:alice", "unknown", "never"]);
    assert_eq!(words(5)[..4], ["-", "own", "status", "away"]);
    assert_eq!(table[6], "* wins, - takes no part");
}

#[test]
fn explain_says_why_for_each_winner_of_method_priority() {
    let ast = configured(ALICE).start();
    let written = "A new status is written to extensions 200 and 201.";
    assert_explained(
        &ast,
        "alice",
        &[
            "alice is not_set.",
            "No source is set.",
            PRIORITY,
            "- CustomPresence:200 is not_set.",
            "- CustomPresence:201 is not_set.",
            "- Own status: none was chosen.",
            "Any source that is set would win.",
            written,
        ],
    );
    set_extension(&ast, "200", "away,lunch,Back at one");
    assert_explained(
        &ast,
        "alice",
        &[
            "alice is away (lunch) \"Back at one\".",
            "It comes from CustomPresence:200: no other source is set.",
            PRIORITY,
            "- CustomPresence:200 is away (lunch) \"Back at one\": it wins.",
            "- CustomPresence:201 is not_set: it gives way to any source that is set.",
            "- Own status: none was chosen.",
            "A source that becomes dnd or xa would win; one that is set to away later would take \
         its place.",
            written,
        ],
    );
    set_extension(&ast, "201", "dnd");
    let said = explain(&ast, "alice");
    assert_eq!(
        said[1],
        "It comes from CustomPresence:201: its state ranks highest."
    );
    assert_eq!(
        said[6],
        "No state ranks higher; one that is set to dnd later would take its place."
    );
    set_extension(&ast, "200", "dnd");
    assert_eq!(
        explain(&ast, "alice")[1],
        "It comes from CustomPresence:200: of the sources with the highest state it was set last."
    );
    set(&ast, "alice", "chat");
    let said = explain(&ast, "alice");
    assert_eq!(
        said[1],
        "It comes from CustomPresence:200: others are equal to it, and it is configured first."
    );
    assert_eq!(
        said[5],
        "- Own status is chat: not used, the extensions that it was written to count instead."
    );
}

#[test]
fn explain_says_why_for_each_other_method() {
    let conf = "[lara]\ntype = user\nmethod = latest\nextension = 300\nextension = 301\n\
                [dave]\ntype = user\nmethod = default\nextension = 300\nextension = 301\n\
                default = 301\n\
                [nora]\ntype = user\nmethod = none\nextension = 400\n\
                [frank]\ntype = user\nenabled = no\nextension = 300\nsource = Calendar:frank\n";
    let ast = configured(conf).start();
    set_extension(&ast, "301", "chat");
    set_extension(&ast, "300", "away");
    assert_explained(
        &ast,
        "lara",
        &[
            "lara is away.",
            "It comes from CustomPresence:300: it was set last.",
            "Method latest: the source that was set last wins.",
            "- CustomPresence:300 is away: it wins.",
            "- CustomPresence:301 is chat.",
            "- Own status: none was chosen.",
            "Any source that is set to another state now would win.",
            "A new status is written to extensions 300 and 301.",
        ],
    );
    assert_explained(
        &ast,
        "dave",
        &[
            "dave is chat.",
            "It comes from CustomPresence:301: it is the default extension.",
            "Method default: the default extension alone counts.",
            "- CustomPresence:300 is away: not the default extension.",
            "- CustomPresence:301 is chat: it wins.",
            "- Own status: none was chosen.",
            "Only extension 301 changes it.",
            "A new status is written to extensions 300 and 301.",
        ],
    );
    let nora = [
        "No status was chosen.",
        "Method none: own status alone counts.",
        "- CustomPresence:400 is not_set: not used by this method.",
        "- Own status: none was chosen.",
        "Only setting the user's status changes it.",
        "A new status is written to extension 400.",
    ];
    assert_explained(
        &ast,
        "nora",
        &[&["nora is not_set."], nora.as_slice()].concat(),
    );
    set(&ast, "nora", "dnd");
    let said = explain(&ast, "nora");
    assert_eq!(said[..2], ["nora is dnd.", "It comes from own status."]);
    assert_eq!(said[4], "- Own status is dnd: it wins.");
    set(&ast, "frank", "chat");
    assert_explained(
        &ast,
        "frank",
        &[
            "frank is chat.",
            "It comes from own status: no other source is set.",
            PRIORITY,
            "- CustomPresence:300 is away: not read, enabled = no.",
            "- Calendar:frank is unknown: its provider is not loaded or does not know it; it takes \
         no part.",
            "- Own status is chat: it wins.",
            "A source that becomes dnd, xa or away would win; one that is set to chat later would \
         take its place.",
            "A new status stays own status and is written to no extension: enabled = no.",
        ],
    );
}

#[test]
fn set_accepts_quoted_arguments() {
    let ast = configured(ALICE).start();
    for (arguments, [state, subtype, message]) in [
        ("alice dnd", ["dnd", "", ""]),
        ("ALICE Away lunch", ["away", "lunch", ""]),
        (
            "alice xa trip \"Back on Monday, or later\"",
            ["xa", "trip", "Back on Monday, or later"],
        ),
        (
            "alice chat \"\" \"so \\\"quoted\\\" it is\"",
            ["chat", "", "so \"quoted\" it is"],
        ),
        (
            "alice away \"a b\" \"${SHELL(id)} $[1+1]; ü\"",
            ["away", "a b", "${SHELL(id)} $[1+1]; ü"],
        ),
        ("alice not_set", ["not_set", "", ""]),
    ] {
        let shown = ast.cli(&format!("userpresence set {arguments}"));
        let done = format!("Status of 'alice' set; the combined state is {state}.");
        assert_eq!(shown.trim_end(), done, "{arguments}");
        assert_eq!(read(&ast, "alice"), state);
        assert_eq!(read(&ast, "alice,subtype"), subtype);
        assert_eq!(read(&ast, "alice,message"), message);
        wait_custom(&ast, "201", "message", message);
        assert_eq!(custom(&ast, "201", "value"), state);
    }
}

#[test]
fn each_failure_names_what_was_expected() {
    let ast = configured(ALICE).start();
    let long = "x".repeat(256);
    let nobody = "There is no user 'nobody', expected one of userpresence.conf or realtime.";
    for (command, why) in [
        ("show user nobody", nobody),
        ("explain nobody", nobody),
        ("set nobody away", nobody),
        (
            "set alice busy",
            "Unknown status 'busy', expected not_set, unavailable, available, away, xa, chat or dnd.",
        ),
        (
            &format!("set alice away sub {long}"),
            "The message is 256 bytes long, expected at most 255.",
        ),
        (
            "reload user alice",
            "'alice' is defined in userpresence.conf, expected a user from realtime; \
             use module reload res_userpresence.so.",
        ),
        (
            "reload user nobody",
            "Realtime family 'userpresence' is not mapped in extconfig.conf, \
             or its driver is not loaded.",
        ),
    ] {
        let command = format!("userpresence {command}");
        let shown = ast.cli(&command);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[0], why, "{command}");
        assert_eq!(lines[1], format!("Command '{command}' failed."));
    }
    assert_eq!(read(&ast, "alice"), "not_set");
}

#[test]
fn a_wrong_number_of_arguments_shows_the_usage() {
    let ast = configured(ALICE).start();
    for (command, usage) in [
        (
            "show users like",
            "show users [group <group>] [like <regex>]",
        ),
        (
            "show users like a b",
            "show users [group <group>] [like <regex>]",
        ),
        (
            "show users like a like b",
            "show users [group <group>] [like <regex>]",
        ),
        (
            "show users alice",
            "show users [group <group>] [like <regex>]",
        ),
        ("show groups Sales", "show groups"),
        ("show user", "show user <name>"),
        ("show user alice bob", "show user <name>"),
        (
            "explain",
            "explain <name> [internal|external|from <caller>]",
        ),
        (
            "explain alice internal now",
            "explain <name> [internal|external|from <caller>]",
        ),
        (
            "explain alice from",
            "explain <name> [internal|external|from <caller>]",
        ),
        (
            "explain alice from 200 now",
            "explain <name> [internal|external|from <caller>]",
        ),
        ("show routes", "show routes <name>"),
        ("show routes alice bob", "show routes <name>"),
        ("set", "set <name> <status> [<subtype>] [<message>] [<end>]"),
        (
            "set alice",
            "set <name> <status> [<subtype>] [<message>] [<end>]",
        ),
        (
            "set alice away lunch Back at one",
            "set <name> <status> [<subtype>] [<message>] [<end>]",
        ),
        ("dndstatus alice", "dndstatus <name> <value>"),
        (
            "dndstatus alice TakeAllCalls now",
            "dndstatus <name> <value>",
        ),
        ("show stats more", "show stats"),
        ("show statuses lunch", "show statuses"),
        ("show version now", "show version"),
        ("show webhooks crm", "show webhooks"),
        ("show settings alice now", "show settings [<name>]"),
        ("set settings", "set settings <name> <json>"),
        ("reload user", "reload user <name>"),
        ("reload now", "reload [--really]"),
        ("reload --really now", "reload [--really]"),
        ("check now", "check"),
        ("forget", "forget <name>|all"),
        ("forget alice bob", "forget <name>|all"),
    ] {
        let shown = ast.cli(&format!("userpresence {command}"));
        let usage = format!("Usage: userpresence {usage}");
        assert_eq!(shown.lines().next(), Some(usage.as_str()), "{command}");
    }
    assert_eq!(read(&ast, "alice"), "not_set");
}

#[test]
fn show_settings_shows_the_general_section_and_the_counts() {
    let conf = format!(
        "[general]\nmethod = latest\noutgoing = none\nsettle = 20\npriority = chat,dnd,xa,away,\
         unavailable,available,not_set\npresence_prefix = CustomPresence:t-\n\
         device_prefix = SIP/t-\nuse_devices = yes\nignore_unreachable = yes\n\
         schedule = 9:00-17:00,mon-fri,*,*\nschedule_status = xa\nmobile_prefix = 9\n\
         internal_context = inside,beside\nalways_accept = 202,+49170\n\
         dnd_on = DB(a/${{USER}})=b\n\
         [lunch]\ntype = status\nstate = away\n{ALICE}"
    );
    let ast = configured(&conf).start();
    let shown = ast.cli("userpresence show settings");
    for (name, value) in [
        ("Version", env!("CARGO_PKG_VERSION")),
        ("enabled", "yes"),
        ("method", "latest"),
        ("priority", "chat,dnd,xa,away,unavailable,available,not_set"),
        ("outgoing", "none"),
        ("presence_prefix", "CustomPresence:t-"),
        ("device_prefix", "SIP/t-"),
        ("use_devices", "yes"),
        ("lamp_table", "built-in"),
        ("schedule", "9:00-17:00,mon-fri,*,*"),
        ("schedule_status", "xa"),
        ("login_status", "-"),
        ("dnd_on", "DB(a/${USER})=b"),
        ("mobile_prefix", "9"),
        ("forward_context", "default"),
        ("internal_context", "inside,beside"),
        ("trust_caller_id", "no"),
        ("always_accept", "202,+49170"),
        ("origin_variable", "USERPRESENCE_ORIGIN"),
        ("handling", "-"),
        ("settle", "20 ms"),
        ("http", "yes"),
        ("http_rate", "50"),
        ("http_readers", "80"),
        ("http_readers_each", "20"),
        ("http_ami_sessions", "no"),
        ("show_calls", "no"),
        ("http_calls", "no"),
        ("trusted_proxy", "-"),
        ("http_frame", "-"),
        ("journal", "10000"),
        ("Users", "2"),
        ("Sources", "7"),
        ("Devices", "3"),
        ("Statuses", "8"),
        ("Accounts", "2"),
    ] {
        let line = format!(" {name}: {value}");
        assert!(
            shown.lines().any(|shown| shown.ends_with(&line)),
            "{line}\n{shown}"
        );
    }
    // The longest name fills its column exactly.
    assert!(shown.contains("\nignore_unreachable: yes\n"), "{shown}");
}

#[test]
fn users_states_and_verbs_are_completed() {
    let conf = "[alice]\ntype = user\n[Albert]\ntype = user\n[bob]\ntype = user\n\
                [lunch]\ntype = status\nstate = away\n";
    let ast = configured(conf).start();
    let test_commands = has_test_commands();
    for (line, words) in [
        (
            "userpresence ",
            &[
                "check",
                "dndstatus",
                "explain",
                "forget",
                "message",
                "password",
                "reload",
                "set",
                "show",
            ][..],
        ),
        ("userpresence s", &["set", "show"]),
        (
            "userpresence show ",
            &[
                "actions",
                "cluster",
                "groups",
                "publications",
                "routes",
                "settings",
                "stats",
                "statuses",
                "user",
                "users",
                "version",
                "webhooks",
            ],
        ),
        ("userpresence show users ", &["group", "like"]),
        (
            "userpresence show user ",
            &["Albert", "alice", "barrier", "bob"],
        ),
        ("userpresence show user AL", &["Albert", "alice"]),
        ("userpresence explain b", &["barrier", "bob"]),
        (
            "userpresence explain bob ",
            &["external", "from", "internal"],
        ),
        ("userpresence explain bob f", &["from"]),
        ("userpresence explain bob from al", &["Albert", "alice"]),
        ("userpresence explain bob internal al", &[]),
        ("userpresence show routes al", &["Albert", "alice"]),
        ("userpresence set al", &["Albert", "alice"]),
        (
            "userpresence set bob ",
            &[
                "available",
                "away",
                "chat",
                "dnd",
                "lunch",
                "not_set",
                "unavailable",
                "xa",
            ],
        ),
        ("userpresence dndstatus al", &["Albert", "alice"]),
        (
            "userpresence dndstatus bob ",
            &[
                "DoNotAcceptAnyCalls",
                "DoNotAcceptDepartmentCalls",
                "TakeAllCalls",
            ],
        ),
        ("userpresence show statuses ", &[]),
        ("userpresence show ver", &["version"]),
        ("userpresence show version ", &[]),
        ("userpresence set bob a", &["available", "away"]),
        ("userpresence set bob away ", &[]),
        ("userpresence show user alice ", &[]),
        ("userpresence show settings al", &["Albert", "alice"]),
        ("userpresence set settings al", &["Albert", "alice"]),
        // The completion offers no users of the file: a reload of the file reads those.
        ("userpresence reload user ", &[]),
    ] {
        let mut completed = ast.complete(line);
        if test_commands {
            completed.retain(|word| word != "selftest");
        }
        assert_eq!(completed, words, "{line}");
    }
}

#[test]
fn show_users_lists_five_thousand_users() {
    let users: String = (0..5000)
        .map(|n| format!("[user{n:04}]\ntype = user\nextension = {n}\n"))
        .collect();
    let ast = configured(&users).start();
    set(&ast, "user4999", "away,lunch,Back at one");
    let all = |shown: &str| {
        let names = shown.lines().filter(|line| line.starts_with("user"));
        assert!(
            names
                .enumerate()
                .all(|(n, line)| line.starts_with(&format!("user{n:04} ")))
        );
        assert!(shown.contains("\n5001 users"), "{}", shown.len());
        assert_eq!(table_row(shown, "user4999")[1..3], ["away", "away"]);
        assert_eq!(
            table_row(shown, "user4999")[6..],
            ["lunch", "Back", "at", "one"]
        );
    };
    all(&ast.cli("userpresence show users"));
    all(&ast.remote("userpresence show users"));
}

/// Characters that take two columns of the screen, or none, keep the columns aligned.
#[test]
fn tables_stay_aligned_with_wide_characters() {
    let conf = "[general]\noutgoing = none\n[alice]\ntype = user\n[bob]\ntype = user\n\
                [carol]\ntype = user\n[dave]\ntype = user\n";
    let ast = configured(conf).start();
    set(&ast, "alice", "away,會議室,end");
    set(&ast, "bob", "away,e\u{301}te\u{301},end");
    set(&ast, "carol", "away,🍕🍕,end");
    set(&ast, "dave", "away,plain,end");
    let shown = ast.cli("userpresence show users");
    // The column is as wide as its heading 'Subtype'.
    for row in [
        "會議室   end",
        "e\u{301}te\u{301}      end",
        "🍕🍕     end",
        "plain    end",
    ] {
        assert!(shown.contains(row), "{row:?} in {shown}");
    }
}

/// The form of an option says what it is, a status ends at a time of day or after a while,
/// and an extension or id names a user.
#[test]
fn a_status_is_set_in_everyday_words() {
    let conf = "[alice]\ntype = user\nid = 4711\nextension = 200\nextension = 201\n\
                timezone = Asia/Kolkata\n[bob]\ntype = user\nextension = 201\n\
                [lunch]\ntype = status\nstate = away\nsubtype = lunch\n";
    let ast = configured(conf).start();
    let left = || {
        let until: u64 = read(&ast, "alice,until").parse().expect("an end");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.expect("a clock").as_millis() as u64;
        (until.saturating_sub(now) / 1000, until)
    };
    for (words, least, most) in [
        ("t(1800)", 1700, 1800),
        ("t(30m)", 1700, 1800),
        ("for 30m", 1700, 1800),
        ("30m", 1700, 1800),
        ("for 1h30m", 5300, 5400),
        ("lunch \"Back soon\" t(2h)", 7100, 7200),
        ("lunch \"Back soon\" for 2h", 7100, 7200),
    ] {
        ast.cli("userpresence set alice available");
        let said = ast.cli(&format!("userpresence set alice lunch {words}"));
        assert!(said.starts_with("Status of 'alice' set"), "{words}: {said}");
        assert_eq!(read(&ast, "alice,subtype"), "lunch", "{words}");
        let (left, _) = left();
        assert!((least..=most).contains(&left), "{words}: {left}");
    }
    assert_eq!(read(&ast, "alice,message"), "Back soon");
    for words in ["until 14:30", "u(14:30)"] {
        ast.cli(&format!("userpresence set alice lunch {words}"));
        let (left, until) = left();
        assert!(left <= 86_400, "{words}: {left}");
        // 14:30 in India is 9:00 in UTC.
        assert_eq!(until % 86_400_000, 9 * 3_600_000, "{words}: {until}");
    }
    for (words, why) in [
        (
            "for ever",
            "'ever' is not a length of time, expected one such as 30m",
        ),
        ("for -5m", "'-5m' is not a length of time"),
        (
            "until noon",
            "without a Unix time in seconds or a time of day",
        ),
        ("t(25:00)", "Option t(25:00) is not a length of time"),
        ("u(24:00)", "Option u(24:00) without a Unix time"),
        ("for 99999999999999999999h", "is not a length of time"),
        ("for 4000d", "expected 1 to"),
        ("t(5) for 5m", "Two end times are given, expected one"),
    ] {
        let said = ast.cli(&format!("userpresence set alice lunch {words}"));
        assert!(said.contains(why), "{words}: {said}");
    }
    // The dialplan and AMI accept the same forms.
    ast.setvar("USER_PRESENCE(alice)", "lunch,t(45m)");
    assert!((2_600..=2_700).contains(&left().0));
    for options in ["t(45m)", "for 45m", "45m"] {
        let set = ast.ami().action(&[
            ("Action", "UserPresenceSet"),
            ("User", "200"),
            ("Status", "lunch"),
            ("Options", options),
        ]);
        assert!(set.ok(), "{set:?}");
        assert!((2_600..=2_700).contains(&left().0), "{options}");
    }

    // An extension or id names a user if it is unambiguous.
    for name in ["200", "4711", "ALICE"] {
        assert_eq!(
            read(&ast, &format!("{name},extensions")),
            "200,201",
            "{name}"
        );
        let shown = ast.cli(&format!("userpresence show user {name}"));
        assert!(shown.contains("User: alice"), "{shown}");
        let got = ast
            .ami()
            .action(&[("Action", "UserPresenceGet"), ("User", name)]);
        assert_eq!(got.get("User"), Some("alice"), "{got:?}");
        let said = ast.cli(&format!("userpresence dndstatus {name} TakeAllCalls"));
        assert!(said.starts_with("'alice' is set to TakeAllCalls"), "{said}");
    }
    let why = "'201' is the id or an extension of several users (alice, bob), expected the name \
               of one";
    let said = ast.cli("userpresence set 201 away");
    assert!(said.contains(why), "{said}");
    let got = ast
        .ami()
        .action(&[("Action", "UserPresenceGet"), ("User", "201")]);
    assert_eq!(got.get("Message"), Some(why));
    // It is one panel, whichever name it used for the user.
    let panel = ast.ami();
    let ask = |action: &str, user: &str| panel.action(&[("Action", action), ("User", user)]);
    assert_eq!(ask("UserPresenceLogin", "200").text(), "Logged in");
    assert_eq!(
        ask("UserPresenceLogin", "alice").text(),
        "Already logged in"
    );
    assert_eq!(ask("UserPresenceLogout", "4711").text(), "Logged out");
    assert_eq!(
        ast.ami()
            .action(&[("Action", "UserPresenceGet"), ("User", "alice")])
            .get("Panels"),
        Some("0")
    );
}
