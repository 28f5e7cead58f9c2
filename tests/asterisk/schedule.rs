//! Schedules: time ranges with their time zones, by the real clock.

use std::time::Duration;

use crate::harness::barrier::{all_events, configured, set_extension};
use crate::harness::changes::{assert_headers, matching};
use crate::harness::now;
use crate::harness::statuses::{TYPES, assert_status};
use crate::harness::users::{assert_verdict, complaints, json, read, set};
use crate::harness::{Builder, Instance, MODULE};

/// The minutes by which each zone's clock is ahead of UTC, all year round.
const TOKYO: i64 = 9 * 60;
const KIRITIMATI: i64 = 14 * 60;
const PAGO_PAGO: i64 = -11 * 60;

/// A time of day by minutes since the epoch.
fn time(minute: i64) -> String {
    let minute = minute.rem_euclid(1440);
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn minute() -> i64 {
    (now() / 60_000) as i64
}

/// The hours around this moment by a clock that is ahead of UTC by this many minutes.
fn these_hours(ahead: i64) -> String {
    let now = minute() + ahead;
    format!("{}-{}", time(now - 120), time(now + 120))
}

/// Hours that do not include this moment.
fn other_hours(ahead: i64) -> String {
    let now = minute() + ahead;
    format!("{}-{}", time(now + 300), time(now + 480))
}

/// Days since the epoch by such a clock, today.
fn today(ahead: i64) -> i64 {
    (minute() + ahead).div_euclid(1440)
}

/// The weekday of a day since the epoch, which was a Thursday.
fn weekday(day: i64) -> &'static str {
    ["thu", "fri", "sat", "sun", "mon", "tue", "wed"][day.rem_euclid(7) as usize]
}

/// Yesterday to tomorrow, and two days that are neither.
fn weekdays() -> [String; 2] {
    let today = today(0);
    let days = |from, to| format!("*,{}-{},*,*", weekday(today + from), weekday(today + to));
    [days(-1, 1), days(3, 4)]
}

fn user(name: &str, options: &str) -> String {
    format!("[{name}]\ntype = user\n{options}\n")
}

fn scheduled(conf: &str) -> Builder {
    configured(&format!("{TYPES}{conf}"))
}

#[track_caller]
fn reload(ast: &Instance, conf: &str) {
    let barrier = "[barrier]\ntype = user\naccount = barrier\nextension = barrier\n";
    ast.write_config("userpresence.conf", &format!("{TYPES}{conf}\n{barrier}"));
    assert!(ast.reload().ok());
}

#[test]
fn a_schedule_has_a_status_only_outside_its_ranges() {
    let utc = "timezone = UTC";
    let (here, there) = (these_hours(0), other_hours(0));
    let [these_days, other_days] = weekdays();
    let cases = [
        ("all", "*".to_owned(), true),
        ("all-four", "*,*,*,*".into(), true),
        ("days-of-month", "*,*,1-31,jan-dec".into(), true),
        ("hours", here.clone(), true),
        ("hours-full", format!("{here},sun-sat,*,*"), true),
        ("other-hours", there.clone(), false),
        ("list", format!("{there}&{here},*,*,*"), true),
        ("old-form", format!("{here}|*|*|*"), true),
        ("days", these_days.clone(), true),
        ("other-days", other_days.clone(), false),
        (
            "these-hours-of-other-days",
            other_days.replacen('*', &here, 1),
            false,
        ),
        (
            "other-hours-of-these-days",
            these_days.replacen('*', &there, 1),
            false,
        ),
        (
            "two-lines",
            format!("{there}\nschedule = {these_days}"),
            true,
        ),
        (
            "two-others",
            format!("{there}\nschedule = {other_days}"),
            false,
        ),
    ];
    let users = cases
        .iter()
        .map(|(name, range, _)| user(name, &format!("schedule = {range}\n{utc}")));
    let ast = scheduled(&users.collect::<String>()).start();
    for (name, range, holds) in cases {
        let state = if holds { "not_set" } else { "unavailable" };
        assert_eq!(read(&ast, name), state, "{name}: {range}");
    }
    assert_verdict(&ast, "other-hours", "unavailable schedule only");
    assert_eq!(
        json(&ast, "other-hours")["sources"][0]["address"],
        "schedule"
    );
    let shown = ast.cli("userpresence show user other-hours");
    assert!(shown.contains(" Source: schedule\n"), "{shown}");
    assert_eq!(complaints(&ast, ""), Vec::<String>::new());
}

#[test]
fn hours_and_days_follow_the_time_zone() {
    // If a day ends while Asterisk starts, the test tries once more.
    for _ in 0..2 {
        let days = || [KIRITIMATI, PAGO_PAGO].map(today);
        let [kiritimati, pago_pago] = days();
        // The two zones never have the same day.
        assert_ne!(weekday(kiritimati), weekday(pago_pago));
        let cases = [
            ("tokyo", these_hours(TOKYO), "Asia/Tokyo", true),
            ("not-utc", these_hours(TOKYO), "UTC", false),
            (
                "not-honolulu",
                these_hours(TOKYO),
                "Pacific/Honolulu",
                false,
            ),
            ("utc", these_hours(0), "UTC", true),
            ("not-tokyo", these_hours(0), "Asia/Tokyo", false),
            (
                "east",
                format!("*,{}", weekday(kiritimati)),
                "Pacific/Kiritimati",
                true,
            ),
            (
                "not-west",
                format!("*,{}", weekday(kiritimati)),
                "Pacific/Pago_Pago",
                false,
            ),
            (
                "west",
                format!("*,{}", weekday(pago_pago)),
                "Pacific/Pago_Pago",
                true,
            ),
            (
                "not-east",
                format!("*,{}", weekday(pago_pago)),
                "Pacific/Kiritimati",
                false,
            ),
        ];
        let users = cases.iter().map(|(name, range, zone, _)| {
            user(name, &format!("schedule = {range}\ntimezone = {zone}"))
        });
        // [general] applies to users without a value of their own.
        let general = "[general]\ntimezone = Asia/Tokyo\n";
        let plain = user("plain", &format!("schedule = {}", these_hours(TOKYO)));
        let ast = scheduled(&format!("{general}{plain}{}", users.collect::<String>())).start();
        let states = cases.each_ref().map(|(name, ..)| read(&ast, name));
        let plain = read(&ast, "plain");
        if days() != [kiritimati, pago_pago] {
            continue;
        }
        for ((name, range, zone, holds), state) in cases.iter().zip(states) {
            let expected = if *holds { "not_set" } else { "unavailable" };
            assert_eq!(state, expected, "{name}: {range} {zone}");
        }
        assert_eq!(plain, "not_set");
        return;
    }
    panic!("two midnights in a row");
}

#[test]
fn the_status_outside_hours_is_a_state_or_a_type() {
    let outside = format!("schedule = {}\ntimezone = UTC", other_hours(0));
    let outside_status = |status: &str| format!("{outside}\nschedule_status = {status}");
    let conf = [
        user("plain", &outside),
        user("state", &outside_status("away")),
        user("type", &outside_status("Lunch")),
        user(
            "phone",
            &format!("{}\nextension = 200", outside_status("chat")),
        ),
        user(
            "within",
            &format!("schedule = *\nschedule_status = dnd\n{}", "timezone = UTC"),
        ),
    ];
    let ast = scheduled(&conf.concat()).start();
    // The status is inferred, not chosen.
    assert_status(&ast, "plain", ["unavailable", "", "", "not_set"]);
    assert_status(&ast, "state", ["away", "", "", "not_set"]);
    assert_status(&ast, "type", ["away", "lunch", "Back soon", "not_set"]);
    for name in ["plain", "state", "type"] {
        assert_eq!(read(&ast, &format!("{name},inferred")), "Outside hours");
    }
    assert_status(&ast, "within", ["not_set", "", "", "not_set"]);
    assert_eq!(read(&ast, "within,inferred"), "");

    // The schedule is one source among others, ranked by the order.
    assert_verdict(&ast, "phone", "chat schedule only");
    set_extension(&ast, "200", "available");
    assert_verdict(&ast, "phone", "chat schedule highest");
    set(&ast, "phone", "dnd");
    assert_verdict(&ast, "phone", "dnd CustomPresence:200 highest");
}

#[test]
fn a_schedule_comes_from_general_a_template_or_the_user() {
    let general = format!(
        "[general]\nschedule = {}\nschedule_status = lunch\ntimezone = UTC\n",
        other_hours(0)
    );
    let template = format!(
        "[office](!)\ntype = user\nschedule = {}\nschedule_status = away\n",
        weekdays()[1]
    );
    let conf = [
        general,
        template,
        user("plain", ""),
        user("always", "schedule = *"),
        user("other", "schedule_status = dnd"),
        "[clerk](office)\n[guard](office)\nschedule_status = xa\n".replace("xa", "dnd"),
        user("late", &format!("schedule = {}", these_hours(0))),
    ];
    let ast = scheduled(&conf.concat()).start();
    for (name, state, subtype) in [
        ("plain", "away", "lunch"),
        ("always", "not_set", ""),
        ("other", "dnd", ""),
        ("clerk", "away", ""),
        ("guard", "dnd", ""),
        ("late", "not_set", ""),
    ] {
        assert_eq!(read(&ast, name), state, "{name}");
        assert_eq!(read(&ast, &format!("{name},subtype")), subtype, "{name}");
    }
}

#[test]
fn methods_default_and_none_ignore_schedules() {
    let general = format!("[general]\nschedule = {}\ntimezone = UTC\n", other_hours(0));
    let conf = [
        general,
        user("one", "method = default\nextension = 200"),
        user("two", "method = none\nextension = 200"),
        user("three", "method = default"),
        user("four", "method = latest\nextension = 200\nenabled = no"),
    ];
    let ast = scheduled(&conf.concat()).start();
    for name in ["one", "two", "three"] {
        assert_eq!(read(&ast, name), "not_set", "{name}");
    }
    assert_verdict(&ast, "four", "unavailable schedule only");
    set_extension(&ast, "200", "chat");
    assert_verdict(&ast, "one", "chat CustomPresence:200 default_extension");
    assert_verdict(&ast, "two", "not_set  own_status");
    assert_verdict(&ast, "four", "unavailable schedule only");
}

/// With method `latest` a schedule counts as set when it begins, and gives way when it
/// ends. A reload causes both at once.
#[test]
fn with_method_latest_a_schedule_that_ends_gives_way() {
    let conf = |range: &str| {
        user(
            "alice",
            &format!("method = latest\nextension = 200\nschedule = {range}\ntimezone = UTC"),
        )
    };
    let (within, outside) = (conf(&these_hours(0)), conf(&other_hours(0)));
    let ast = scheduled(&within).start();
    let ami = ast.ami();
    set(&ast, "alice", "chat,,Chosen");
    assert_verdict(&ast, "alice", "chat CustomPresence:200 only");
    all_events(&ast, &ami);

    reload(&ast, &outside);
    assert_verdict(&ast, "alice", "unavailable schedule latest");
    let events = all_events(&ast, &ami);
    let [change] = matching(&events, "UserPresenceChange", "User", "alice")[..] else {
        panic!("{events:#?}")
    };
    assert_headers(
        change,
        &[
            ("OldState", "chat"),
            ("State", "unavailable"),
            ("Source", "schedule"),
        ],
    );
    reload(&ast, &within);
    assert_status(&ast, "alice", ["chat", "", "Chosen", "chat"]);
    reload(&ast, &outside);
    assert_verdict(&ast, "alice", "unavailable schedule latest");

    // A status chosen outside the hours is the later one, even after a reload without a
    // difference and after a restart.
    set(&ast, "alice", "away,,Still here");
    assert_verdict(&ast, "alice", "away CustomPresence:200 latest");
    reload(&ast, &format!("{outside}{}", user("new", "")));
    assert_verdict(&ast, "alice", "away CustomPresence:200 latest");
    ast.restart(false);
    assert_verdict(&ast, "alice", "away CustomPresence:200 latest");
    reload(&ast, &within);
    assert_status(&ast, "alice", ["away", "", "Still here", "away"]);
    // Without a schedule its status is gone.
    reload(&ast, &outside);
    assert_verdict(&ast, "alice", "unavailable schedule latest");
    reload(&ast, &user("alice", "method = latest\nextension = 200"));
    assert_verdict(&ast, "alice", "away CustomPresence:200 only");
}

/// The only test that waits for the end of a minute. Its clock is ahead, so that a minute ends
/// soon.
#[test]
fn a_range_begins_and_ends_with_its_minute() {
    let left = 60 - now() / 1000 % 60;
    let ahead = left.saturating_sub(15);
    let now = || now() + 1000 * ahead;
    let scheduled = |conf: &str| scheduled(conf).clock(&format!("+{ahead}s"));
    let ast = scheduled("").start();
    let ami = ast.ami();
    // Far enough ahead to see the state before.
    let begins = (now() + 5_000) / 60_000 + 1;
    let at = begins as i64;
    let opens = format!("schedule = {}-{}\ntimezone = UTC", time(at), time(at + 240));
    // A range includes its last minute.
    let closes = format!(
        "schedule = {}-{}\ntimezone = UTC",
        time(at - 240),
        time(at - 1)
    );
    reload(
        &ast,
        &[user("opens", &opens), user("closes", &closes)].concat(),
    );
    // The same if nothing else happens meanwhile.
    let alone = scheduled("").start();
    let alone_ami = alone.ami();
    reload(&alone, &user("closes", &closes));
    all_events(&ast, &ami);
    let before = ["opens", "closes"].map(|name| read(&ast, name));
    let boundary = begins * 60_000;
    assert!(
        now() < boundary,
        "five seconds for a reload were not enough"
    );
    assert_eq!(before, ["unavailable", "not_set"]);
    let mut waiting = vec!["opens", "closes"];
    while !waiting.is_empty() {
        let change = ami.wait_event_for(Duration::from_secs(130), |event| {
            let user = event.get("User").unwrap_or_default();
            event.is_event("UserPresenceChange") && waiting.contains(&user)
        });
        let change = change.unwrap_or_else(|| panic!("nothing of {waiting:?}"));
        assert!(now() >= boundary, "early: {change:?}");
        let user = change.get("User").unwrap_or_default().to_owned();
        let state = if user == "opens" {
            "not_set"
        } else {
            "unavailable"
        };
        assert_headers(&change, &[("State", state)]);
        waiting.retain(|name| *name != user);
    }
    let since: u64 = read(&ast, "closes,since").parse().expect("a number");
    assert!(since >= boundary, "{since} before {boundary}");
    let closed = alone_ami.wait_event_for(Duration::from_secs(130), |event| {
        event.is_event("UserPresenceChange") && event.get("User") == Some("closes")
    });
    assert_headers(
        &closed.expect("the change of the one user alone"),
        &[("State", "unavailable")],
    );
}

/// A bad line and its message.
const MISTAKES: [(&str, &str); 12] = [
    (
        "schedule = 25:00-26:00",
        "option 'schedule': time '25:00' in '25:00-26:00', expected *, or times from 00:00 to 23:59",
    ),
    (
        "schedule = 9-17",
        "option 'schedule': time '9' in '9-17', expected *, or times",
    ),
    (
        "schedule = 09:00-17:00,mon-fry",
        "option 'schedule': day of the week 'fry' in 'mon-fry', expected *, or sun, mon,",
    ),
    (
        "schedule = 09:00-17:00, mon-fri",
        "such as mon-wed&fri without blanks",
    ),
    (
        "schedule = *,*,32",
        "option 'schedule': day of the month '32', expected *, or days from 1 to 31",
    ),
    (
        "schedule = *,*,*,june",
        "option 'schedule': month 'june', expected *, or jan, feb,",
    ),
    (
        "schedule = *,*,*,*,Europe/Berlin",
        "option 'schedule': 'Europe/Berlin' follows the months, expected no fifth field: a time zone belongs in the option timezone",
    ),
    (
        "schedule =",
        "option 'schedule': the time range is empty, expected times,days of week,days of month,months",
    ),
    (
        "timezone = Mars/Base",
        "option 'timezone': 'Mars/Base', expected a time zone of this system, such as Europe/Berlin",
    ),
    (
        "timezone = ../../etc/passwd",
        "option 'timezone': '../../etc/passwd', expected a time zone of this system",
    ),
    (
        "schedule_status = busy",
        "option 'schedule_status': unknown status 'busy', expected not_set, ",
    ),
    (
        "schedule_status = thinking",
        "option 'schedule_status': the status 'thinking' is mapped to no state",
    ),
];

#[test]
fn a_mistake_of_a_user_is_left_out_by_a_load_and_fails_a_reload() {
    let bad = MISTAKES.iter().enumerate();
    let bad = bad.map(|(number, (line, _))| user(&format!("bad{number}"), line));
    let alice = user(
        "alice",
        &format!("schedule = {}\ntimezone = UTC", other_hours(0)),
    );
    let ast = scheduled(&format!("{alice}{}", bad.collect::<String>())).start();
    let said = complaints(&ast, "");
    assert_eq!(said.len(), MISTAKES.len(), "{said:#?}");
    for ((number, (_, expected)), line) in MISTAKES.iter().enumerate().zip(&said) {
        let place = format!(", section [bad{number}], ");
        assert!(
            line.starts_with("userpresence.conf:") && line.contains(&place),
            "{line}"
        );
        assert!(line.contains(expected), "{line}\nexpected {expected}");
        assert!(line.ends_with("; the section is left out"), "{line}");
    }
    assert_verdict(&ast, "alice", "unavailable schedule only");

    let before = json(&ast, "alice");
    for (line, expected) in MISTAKES {
        let known = complaints(&ast, "the running configuration stays").len();
        let conf = format!(
            "{TYPES}{}{}",
            user("alice", "schedule = *"),
            user("bad", line)
        );
        ast.write_config("userpresence.conf", &conf);
        assert!(!ast.reload().ok(), "{line}");
        let said = complaints(&ast, "the running configuration stays");
        assert_eq!(said.len(), known + 1, "{said:#?}");
        assert!(
            said[known].contains(expected),
            "{said:#?}\nexpected {expected}"
        );
        assert_eq!(json(&ast, "alice"), before);
    }
}

#[test]
fn a_mistake_in_general_makes_the_load_decline() {
    let ast = scheduled("").not_loaded().start();
    for (line, expected) in MISTAKES {
        let known = complaints(&ast, expected).len();
        let conf = format!("[general]\n{line}\n{TYPES}{}", user("alice", ""));
        ast.write_config("userpresence.conf", &conf);
        assert!(!ast.load_module(MODULE).ok(), "{line}");
        let said = complaints(&ast, expected);
        assert_eq!(said.len(), known + 1, "{line}: {said:#?}");
        assert!(
            said[known].contains("userpresence.conf:2, section [general], "),
            "{said:#?}"
        );
    }
    ast.write_config("userpresence.conf", &user("alice", "schedule = *"));
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(read(&ast, "alice"), "not_set");
}
