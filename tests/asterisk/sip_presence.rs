//! What a phone of any make shows of a user: bodies of `application/pidf+xml`.

mod context;
mod order;
mod publish;
mod size;
mod stock;

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use crate::harness::barrier::configured;
use crate::harness::users::{ALICE, set};
use crate::harness::{Builder, Instance, Subscriber};

/// A phone that is not Digium's.
const SNOM: &str = "snomD385/10.1";

const STATES: [&str; 7] = [
    "dnd",
    "xa",
    "away",
    "chat",
    "unavailable",
    "available",
    "not_set",
];

const MEETING: &str = "[meeting]\ntype = status\nlabel = In a meeting\nstate = dnd\n\
                       subtype = meeting\nactivity = meeting,travel\n";

/// Alice with a desk that is never called, and without a device as 3000.
fn watched() -> Builder {
    configured(&format!("{MEETING}{ALICE}"))
        .sip(&["2000"])
        .hint("2000", "Custom:desk,UserPresence:alice")
        .hint("3000", ",userpresence:alice")
}

/// The body as it would be in another run: without ports, and without the random id of an atom.
fn comparable(body: &str) -> String {
    let atom = body
        .split_once(" atomid=\"")
        .and_then(|it| it.1.split_once('"'));
    let body = match atom {
        Some((id, _)) => &body.replace(id, "ID"),
        None => body,
    };
    let mut parts = body.split("127.0.0.1:");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("127.0.0.1:PORT");
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    text
}

/// Asserts that the RFCs' schemas accept a body.
#[track_caller]
fn assert_valid(ast: &Instance, body: &str) {
    if let Err(why) = validate(ast, body, true) {
        panic!("{why}\n{body}");
    }
}

/// Asserts that a body is XML at all.
#[track_caller]
fn assert_well_formed(ast: &Instance, body: &str) {
    if let Err(why) = validate(ast, body, false) {
        panic!("{why}\n{body}");
    }
}

fn validate(ast: &Instance, body: &str, by_schema: bool) -> Result<(), String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let file = ast.path(&format!("body-{number}.xml"));
    fs::write(&file, body).expect("a file in our own directory");
    let mut xmllint = Command::new("xmllint");
    xmllint.args(["--noout", "--nonet"]);
    if by_schema {
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/asterisk/pidf/pidf.xsd");
        xmllint.args(["--schema", schema]);
    }
    let output = xmllint.arg(file).output().expect("xmllint is installed");
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// The elements of the person's activities.
fn activities(body: &str) -> Vec<String> {
    let rest = body.split_once("<rpid:activities>").map_or("", |it| it.1);
    let inner = rest.split("</rpid:activities>").next().unwrap_or_default();
    let elements = inner.split('<').skip(1);
    let names = elements.map(|it| it.split([' ', '/']).next().unwrap_or_default());
    names.map(str::to_owned).collect()
}

/// The texts of all elements of that name.
fn texts<'a>(body: &'a str, name: &str) -> Vec<&'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let parts = body.split(begin.as_str()).skip(1);
    parts
        .filter_map(|part| part.split(end.as_str()).next())
        .collect()
}

#[track_caller]
fn wait_text(phone: &Subscriber, text: &str) -> String {
    let notify = phone.wait_notify(text, |it| it.body().contains(text));
    notify.body().to_owned()
}

#[test]
fn every_state_reaches_a_phone_of_any_make() {
    let ast = watched().start();
    let phones = ["2000", "3000"].map(|it| (it, Subscriber::start_as(&ast, it, SNOM)));
    for (state, activity) in STATES.into_iter().zip([
        Some("rpid:busy"),
        Some("rpid:away"),
        Some("rpid:away"),
        None,
        Some("rpid:away"),
        None,
        None,
    ]) {
        let message = format!("Text of {state}");
        set(&ast, "alice", &format!("{state},,{message}"));
        for (extension, phone) in &phones {
            let body = wait_text(phone, &message);
            assert_valid(&ast, &body);
            let activity: Vec<&str> = activity.into_iter().collect();
            assert_eq!(activities(&body), activity, "{body}");
            assert_eq!(texts(&body, "dm:note"), [message.as_str()]);
            assert_eq!(body.matches("<dm:person").count(), 1, "{body}");
            let closed = *extension == "3000" && matches!(state, "unavailable" | "xa");
            let note = match state {
                _ if closed => "Unavailable",
                "away" => "Away",
                "xa" => "Extended away",
                "dnd" => "Do not disturb",
                "unavailable" => "Unavailable",
                _ => "Ready",
            };
            let basic = if closed { "closed" } else { "open" };
            assert_eq!(texts(&body, "basic"), [basic], "{body}");
            assert_eq!(texts(&body, "note"), [note, &message], "{body}");
            let contact = format!(
                "<contact priority=\"1\">sip:{extension}@127.0.0.1:{}</contact>",
                ast.sip_port()
            );
            assert!(body.contains(&contact), "{contact}\n{body}");
        }
    }
    // The states alone.
    for state in STATES {
        set(&ast, "alice", "not_set,x");
        set(&ast, "alice", state);
        for (_, phone) in &phones {
            let before = phone.bodies().len();
            let body = match state {
                "not_set" => phone.wait_notify("it", |it| !it.body().contains("activities")),
                _ => phone.wait_notify(state, |_| true),
            };
            assert_valid(&ast, body.body());
            assert!(texts(body.body(), "dm:note").is_empty() && before > 0);
        }
    }
    for (_, phone) in &phones {
        for body in phone.bodies() {
            assert_valid(&ast, &body);
        }
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_status_type_has_its_activities_also_in_a_call() {
    let ast = watched().start();
    let phone = Subscriber::start_as(&ast, "2000", SNOM);
    set(&ast, "alice", "meeting,,Room 1 & 2");
    let body = wait_text(&phone, "Room 1 &amp; 2");
    assert_valid(&ast, &body);
    assert_eq!(
        activities(&body),
        ["rpid:busy", "rpid:meeting", "rpid:travel"]
    );

    ast.set_device("desk", "INUSE");
    let body = wait_text(&phone, "On the phone");
    assert_valid(&ast, &body);
    let expected = [
        "rpid:busy",
        "rpid:meeting",
        "rpid:travel",
        "rpid:on-the-phone",
    ];
    assert_eq!(activities(&body), expected);
    assert_eq!(texts(&body, "note"), ["On the phone", "Room 1 &amp; 2"]);

    set(&ast, "alice", "available");
    let free = phone.wait_notify("available", |it| !it.body().contains("busy"));
    assert_valid(&ast, free.body());
    assert_eq!(activities(free.body()), ["rpid:on-the-phone"]);
}

/// Each state with a status type of its own, on the phone and not, and without a device.
#[test]
fn every_combination_is_valid() {
    let types: String = STATES
        .iter()
        .map(|state| {
            format!(
                "[t-{state}]\ntype = status\nstate = {state}\nsubtype = t-{state}\n\
                 activity = vacation,in-transit\n"
            )
        })
        .collect();
    let ast = configured(&format!("{types}{ALICE}"))
        .sip(&["2000"])
        .hint("2000", "Custom:desk,UserPresence:alice")
        .hint("3000", ",UserPresence:alice")
        .start();
    let desk = Subscriber::start_as(&ast, "2000", SNOM);
    let bare = Subscriber::start_as(&ast, "3000", SNOM);
    let detail = ["rpid:vacation", "rpid:in-transit"];
    for state in STATES {
        ast.set_device("desk", "NOT_INUSE");
        let message = format!("<{state}> & more");
        let shown = format!("<dm:note>&lt;{state}&gt; &amp; more");
        set(&ast, "alice", &format!("t-{state},,{message}"));
        let first = match state {
            "dnd" => Some("rpid:busy"),
            "away" | "xa" | "unavailable" => Some("rpid:away"),
            _ => None,
        };
        let mut expected: Vec<&str> = first.into_iter().chain(detail).collect();
        for phone in [&desk, &bare] {
            let body = wait_text(phone, &shown);
            assert_valid(&ast, &body);
            assert_eq!(activities(&body), expected, "{body}");
        }
        expected.push("rpid:on-the-phone");
        for (device, note) in [
            ("RINGING", "Ringing"),
            ("INUSE", "On the phone"),
            ("ONHOLD", "On hold"),
        ] {
            ast.set_device("desk", device);
            let body = wait_text(&desk, &format!("<note>{note}"));
            assert_valid(&ast, &body);
            assert_eq!(activities(&body), expected, "{body}");
        }
        ast.set_device("desk", "UNAVAILABLE");
        let body = wait_text(&desk, "<note>Unavailable");
        assert_valid(&ast, &body);
        assert_eq!(texts(&body, "basic"), ["closed"]);
    }
    let listed = ast.cli("userpresence show statuses");
    let line = listed.lines().find(|line| line.starts_with("t-dnd "));
    assert!(
        line.is_some_and(|line| line.ends_with("vacation,in-transit")),
        "{listed}"
    );
}

/// Also a phone that tells no User-Agent, and hints that differ from the simple form.
#[test]
fn hints_of_every_form_are_completed() {
    let ast = watched()
        .hint("4000", "Custom:desk,CustomPresence:x&USERPRESENCE:alice")
        .dialplan("exten = _5XXX,hint,Custom:desk-${EXTEN},UserPresence:alice")
        .dialplan("[inner]\nexten = 6000,hint,Custom:desk,UserPresence:alice\n[default]")
        .dialplan("include = inner")
        .start();
    let phones = ["4000", "5123", "5124", "6000"].map(|it| Subscriber::start_as(&ast, it, SNOM));
    set(&ast, "alice", "dnd,,Quiet please");
    for phone in &phones {
        let body = wait_text(phone, "<dm:note>Quiet please");
        assert_valid(&ast, &body);
    }
}

#[test]
fn an_option_turns_it_off_and_on() {
    let ast = watched().start();
    let phone = Subscriber::start_as(&ast, "2000", SNOM);
    let shown = |value: &str| {
        let settings = ast.cli("userpresence show settings");
        let line = settings.lines().find(|it| it.contains("sip_presence"));
        let line = line.unwrap_or_else(|| panic!("{settings}"));
        assert!(line.ends_with(value), "{line}");
    };
    shown("yes");
    set(&ast, "alice", "away,,One");
    wait_text(&phone, "<dm:note>One");

    let conf = |value: &str| format!("[general]\nsip_presence = {value}\n{MEETING}{ALICE}");
    ast.write_config("userpresence.conf", &conf("no"));
    assert!(ast.reload().ok());
    shown("no");
    let before = phone.bodies().len();
    set(&ast, "alice", "dnd,,Two");
    let body = phone.wait_notify("stock's body", |it| !it.body().contains("dm:note"));
    assert!(!body.body().contains("rpid:busy") && phone.bodies().len() > before);

    ast.write_config("userpresence.conf", &conf("yes"));
    assert!(ast.reload().ok());
    set(&ast, "alice", "dnd,,Three");
    wait_text(&phone, "<dm:note>Three");
}

#[test]
fn it_goes_and_comes_with_the_module_while_phones_watch() {
    let ast = watched().start();
    let phone = Subscriber::start_as(&ast, "2000", SNOM);
    for turn in 0..5 {
        let message = format!("Turn {turn}");
        set(&ast, "alice", &format!("away,,{message}"));
        let body = wait_text(&phone, &format!("<dm:note>{message}"));
        assert_valid(&ast, &body);
        assert!(ast.reload().ok());
        assert!(ast.unload_module("res_userpresence.so").ok());
        // The device goes on to change, and phones are told as stock does it.
        ast.set_device("desk", "INUSE");
        let body = phone.wait_notify("in use", |it| it.body().contains("On the phone"));
        assert!(!body.body().contains("dm:note"), "{}", body.body());
        ast.set_device("desk", "NOT_INUSE");
        assert!(ast.load_module("res_userpresence.so").ok());
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// Freed memory is overwritten here: a text that is used after it was freed would show.
#[test]
fn phones_are_told_all_the_time_while_the_module_comes_and_goes() {
    let ast = watched().perturbed().start();
    let phones: Vec<Subscriber> = ["2000", "2000", "3000"]
        .into_iter()
        .map(|extension| Subscriber::start_as(&ast, extension, SNOM))
        .collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !done.load(Ordering::Acquire) {
                number += 1;
                let state = ["dnd", "away"][number % 2];
                ast.set_custom("200", &format!("{state},,Number {number} & more"));
                let device = ["INUSE", "NOT_INUSE"][number % 2];
                ast.set_device("desk", device);
            }
        });
        for _ in 0..20 {
            assert!(ast.unload_module("res_userpresence.so").ok());
            assert!(ast.load_module("res_userpresence.so").ok());
            assert!(ast.reload().ok());
        }
        done.store(true, Ordering::Release);
    });
    set(&ast, "alice", "dnd,,The last one");
    let mut completed = 0;
    for phone in &phones {
        assert_valid(&ast, &wait_text(phone, "<dm:note>The last one"));
        let bodies = phone.bodies();
        // Not each of thousands: a parser is started for each.
        for body in bodies.iter().step_by(bodies.len() / 50 + 1) {
            assert_well_formed(&ast, body);
        }
        for body in &bodies {
            assert!(body.ends_with("</presence>\n"), "{body}");
            completed += usize::from(body.contains("<dm:note>Number"));
        }
    }
    assert!(completed > 0, "the module has completed none in between");
}

#[test]
fn a_panic_leaves_the_body_alone() {
    let ast = Instance::selftest()
        .userpresence(ALICE)
        .sip(&["2000"])
        .hint("2000", "Custom:desk,UserPresence:alice")
        .start();
    let phone = Subscriber::start_as(&ast, "2000", SNOM);
    ast.cli("userpresence selftest panic pidf");
    set(&ast, "alice", "away,,One");
    let body = phone.wait_notify("a change", |it| {
        it.body().contains("2000") && !it.body().contains("dm:note")
    });
    assert_well_formed(&ast, body.body());
    ast.wait_log("forced by a test in pidf");
    set(&ast, "alice", "away,,Two");
    wait_text(&phone, "<dm:note>Two");
}
