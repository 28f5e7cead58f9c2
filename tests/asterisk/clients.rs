//! Real SIP clients of other makes, and what each says that it sees; and the requests of
//! phones byte for byte.

use crate::documentation::pages::tables;
use crate::harness::barrier::configured;
use crate::harness::client::{Baresip, Line, Linphone, Pjsua, Watcher};
use crate::harness::users::{ALICE, set};
use crate::harness::{Builder, Instance, Subscriber};

/// The stock modules that make the bodies of all makes.
const BODIES: &[&str] = &[
    "res_pjsip_pidf_eyebeam_body_supplement",
    "res_pjsip_xpidf_body_generator",
];

/// A status type with a message and an activity.
const LUNCH: &str = "[lunch]\ntype = status\nlabel = At lunch\nstate = away\nsubtype = lunch\n\
    message = Back at one\nactivity = meal\n";

/// In the first column of the documentation's table: the status that is set, and the state
/// of the device.
const SHOWN: [(&str, &str, &str); 9] = [
    ("`available`", "available", "NOT_INUSE"),
    ("`chat`", "chat", "NOT_INUSE"),
    ("`away`", "away", "NOT_INUSE"),
    ("`xa`", "xa", "NOT_INUSE"),
    ("`dnd`", "dnd", "NOT_INUSE"),
    ("`unavailable`", "unavailable", "NOT_INUSE"),
    ("`not_set`", "not_set", "NOT_INUSE"),
    ("`lunch`", "lunch", "NOT_INUSE"),
    ("`available`, in a call", "available", "INUSE"),
];

fn watching(conf: &str, endpoints: &[&str]) -> Instance {
    let ast = builder(conf, endpoints).start();
    ast.set_device("desk", "NOT_INUSE");
    ast
}

fn builder(conf: &str, endpoints: &[&str]) -> Builder {
    configured(conf)
        .sip(endpoints)
        .modules(BODIES)
        .hint("2000", "Custom:desk,UserPresence:alice")
}

fn line(endpoint: &str) -> Line<'_> {
    Line {
        endpoint,
        watches: "2000",
    }
}

/// What each client shows, in its own words, is what the documentation says.
#[test]
fn every_client_shows_what_the_documentation_says() {
    let ast = watching(
        &format!("{ALICE}{LUNCH}"),
        &["pjsua", "baresip", "linphone"],
    );
    let linphone = Linphone::start(&ast, line("linphone"));
    let baresip = Baresip::start(&ast, line("baresip"));
    let pjsua = Pjsua::start(&ast, line("pjsua"));
    let clients: [&dyn Watcher; 3] = [&pjsua, &baresip, &linphone];
    // One NOTIFY at the start and one for each change.
    let mut notify = 1;
    for client in clients {
        client.wait_seen(notify);
    }
    let (mut status, mut device) = ("not_set", "NOT_INUSE");
    let mut seen = Vec::new();
    for (name, wanted, state) in SHOWN {
        if device != state {
            ast.set_device("desk", state);
            (device, notify) = (state, notify + 1);
        }
        if status != wanted {
            set(&ast, "alice", wanted);
            (status, notify) = (wanted, notify + 1);
        }
        let mut row = vec![name.to_owned()];
        row.extend(clients.map(|client| client.wait_seen(notify)));
        seen.push(row);
    }
    let table = |rows: &[Vec<String>]| {
        let lines = rows.iter().map(|row| format!("| {} |\n", row.join(" | ")));
        lines.collect::<String>()
    };
    let all = tables("Alice");
    let documented: Vec<_> = all.iter().map(|it| table(&it.rows)).collect();
    assert_eq!(documented, [table(&seen)], "seen:\n{}", table(&seen));
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// Phones that subscribe to Alice's extension each get a body of the type that they ask for.
#[test]
fn the_subscriptions_of_each_make_are_answered_in_their_type() {
    let ast = watching(ALICE, &["phone"]);
    set(&ast, "alice", "away,lunch,Back at one");
    let pidf = "<rpid:away";
    // The text that the body has to contain, and the one that it may not.
    for (form, content_type, text) in [
        ("snom-subscribe", "application/pidf+xml", Some(pidf)),
        ("audiocodes-subscribe", "application/pidf+xml", Some(pidf)),
        ("cisco-subscribe", "application/cpim-pidf+xml", None),
        ("yealink-subscribe", "application/dialog-info+xml", None),
    ] {
        let phone = Subscriber::form(&ast, form, "phone", "2000");
        let first = phone.wait_notify(form, |_| true);
        let wanted = format!("\nContent-Type: {content_type}\n");
        assert!(first.text.contains(&wanted), "{form}: {}", first.text);
        let ours = text.unwrap_or("rpid");
        assert_eq!(
            first.body().contains(ours),
            text.is_some(),
            "{form}: {}",
            first.text
        );
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}
