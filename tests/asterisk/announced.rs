//! What the module publishes at a load, a reload and an unload, and what Asterisk answers
//! about users without a publish.

use crate::harness::barrier::{configured, set_extension};
use crate::harness::changes::{pairs, published_states};
use crate::harness::users::ALICE;
use crate::harness::{Ami, Instance, MODULE, Message, Subscriber, wait_until};

/// The header `value` of the items of an AMI list whose header `key` is `of`.
fn listed(ast: &Instance, action: &str, key: &str, value: &str, of: &str) -> Vec<String> {
    let all = ast.ami().list(&[("Action", action)]);
    let of_it = all.iter().filter(|item| item.get(key) == Some(of));
    let found = of_it.filter_map(|item| item.get(value));
    found.map(str::to_owned).collect()
}

fn presences(ast: &Instance, user: &str) -> Vec<String> {
    let address = format!("UserPresence:{user}");
    listed(ast, "PresenceStateList", "Presentity", "Status", &address)
}

fn published_state(ast: &Instance, user: &str) -> String {
    ast.getvar(&format!("PRESENCE_STATE(UserPresence:{user},value)"))
}

fn asked(ast: &Instance, user: &str) -> Message {
    let provider = format!("UserPresence:{user}");
    let asked = [("Action", "PresenceState"), ("Provider", &provider)];
    ast.ami().action(&asked)
}

/// The changes of the module's devices that this AMI client has received so far.
fn device_changes(ast: &Instance, ami: &Ami) -> Vec<(String, String)> {
    ast.set_device("mark", "INUSE");
    ast.set_device("mark", "NOT_INUSE");
    let mut all = Vec::new();
    wait_until("the mark", || {
        all.extend(ami.take_events());
        let is_mark = |event: &Message| {
            event.get("Device") == Some("Custom:mark") && event.get("State") == Some("NOT_INUSE")
        };
        all.iter().any(is_mark).then_some(())
    });
    let of_it = all
        .iter()
        .filter(|event| event.is_event("DeviceStateChange"));
    let of_it = of_it.filter_map(|event| {
        let device = event.get("Device")?.strip_prefix("UserPresence:")?;
        Some((device.to_owned(), event.get("State")?.to_owned()))
    });
    of_it.collect()
}

const BOTH: &str = "[alice]\ntype = user\nextension = 200\n[bob]\ntype = user\nextension = 201\n";

#[test]
fn every_answer_is_right_after_a_start() {
    let ast = configured(BOTH)
        .hint("2000", "UserPresence:alice,UserPresence:Alice")
        .hint("2001", "UserPresence:bob,UserPresence:bob")
        .sip(&["2000"])
        .start();
    set_extension(&ast, "200", "dnd,busy,In a call");
    ast.restart(true);
    let phone = Subscriber::start(&ast, "2000");
    assert_eq!(phone.wait_presence("dnd").message, "In a call");
    for (user, state) in [("alice", "dnd"), ("bob", "not_set")] {
        assert_eq!(published_state(&ast, user), state);
        assert_eq!(asked(&ast, user).get("State"), Some(state));
    }
    assert_eq!(presences(&ast, "alice"), ["dnd"]);
    assert_eq!(presences(&ast, "bob"), Vec::<String>::new());
    ast.wait_hint_presence("2000", "dnd");
    ast.wait_hint_presence("2001", "not_set");
    ast.wait_hint_state("2000", "Busy");
    // The unload takes back what Asterisk learnt by asking, too.
    assert!(ast.unload_module(MODULE).ok());
    ast.wait_hint_presence("2000", "not_set");
    ast.wait_hint_state("2000", "Idle");
    phone.wait_presence("not_set");
    for user in ["alice", "bob"] {
        assert!(
            ["", "not_set"].contains(&&*published_state(&ast, user)),
            "{user}"
        );
    }
    assert!(["not_set", ""].contains(&&*presences(&ast, "alice").concat()));
}

#[test]
fn a_load_into_a_running_asterisk_reaches_earlier_subscribers() {
    let ast = configured(BOTH)
        .not_loaded()
        .sip(&["2000"])
        .hint("2000", ",UserPresence:ALICE")
        .hint("2001", "UserPresence:bob,UserPresence:bob")
        .hint("_21XX", "UserPresence:${IF($[${EXTEN}=2100]?alice:bob)}")
        .queue(
            "sales",
            "",
            &["Local/x@agents/n,0,X,UserPresence:alice@QUEUE"],
        )
        .start();
    ast.set_custom("200", "dnd,busy,In a call");
    let ami = ast.ami();
    published_states(&ast, &ami);
    device_changes(&ast, &ami);
    assert!(ast.load_module(MODULE).ok());
    // Bob's hint has had no presence yet.
    let told = pairs(&[("alice", "dnd"), ("bob", "not_set")]);
    assert_eq!(published_states(&ast, &ami), told);
    ast.wait_hint_presence("2000", "dnd");
    ast.wait_hint_presence("2001", "not_set");
    // A queue sees dnd as busy.
    ast.wait_queue_member("sales", "X", "Status", "3");
    let phone = Subscriber::start(&ast, "2000");
    assert_eq!(phone.wait_presence("dnd").message, "In a call");
    for (user, state) in [("alice", "dnd"), ("bob", "not_set")] {
        assert_eq!(published_state(&ast, user), state);
    }
    assert_eq!(presences(&ast, "alice"), ["dnd"]);
    assert_eq!(presences(&ast, "bob"), ["not_set"]);

    // A phone with an older subscription sees the presence go and come, and nothing stale.
    assert!(ast.unload_module(MODULE).ok());
    phone.wait_presence("not_set");
    ast.wait_hint_presence("2000", "not_set");
    ast.wait_queue_member("sales", "X", "Status", "0");
    assert_eq!(presences(&ast, "alice"), ["not_set"]);
    ast.set_custom("200", "not_set");
    ast.set_custom("201", "away");
    let ami = ast.ami();
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(published_states(&ast, &ami), pairs(&[("bob", "away")]));
    ast.wait_hint_presence("2001", "away");
    assert_eq!(
        [published_state(&ast, "alice"), published_state(&ast, "bob")],
        ["not_set", "away"]
    );
    set_extension(&ast, "200", "xa");
    phone.wait_presence("xa");
    ast.wait_hint_presence("2000", "xa");
}

/// However many users there are, nothing is published whose value is the default.
#[test]
fn nothing_is_published_of_unset_users_whom_no_hint_watches() {
    let users: String = (0..300)
        .map(|user| format!("[u{user}]\ntype = user\nextension = u{user}\n"))
        .collect();
    let ast = configured(&users)
        .not_loaded()
        .hint("7", "UserPresence:u7,UserPresence:u7")
        .start();
    let ami = ast.ami();
    device_changes(&ast, &ami);
    for told in [pairs(&[("u7", "not_set")]), pairs(&[])] {
        assert!(ast.load_module(MODULE).ok());
        assert_eq!(published_states(&ast, &ami), told);
        assert!(ast.unload_module(MODULE).ok());
        assert_eq!(published_states(&ast, &ami), pairs(&[]));
    }
    assert!(ast.load_module(MODULE).ok());
    let ami = ast.ami();
    // A hint watches the lamp alone: only what differs is published.
    ast.set_custom("u7", "dnd");
    ast.wait_hint_state("7", "Busy");
    assert_eq!(published_states(&ast, &ami), pairs(&[("u7", "dnd")]));
    let ami = ast.ami();
    ast.unload_module(MODULE);
    assert_eq!(published_states(&ast, &ami), pairs(&[("u7", "not_set")]));
    assert!(ast.load_module(MODULE).ok());
    let ami = ast.ami();
    ast.wait_hint_state("7", "Busy");
    ast.write_config("userpresence.conf", "[u7]\ntype = user\nextension = u7\n");
    assert!(ast.reload().ok());
    assert_eq!(published_states(&ast, &ami), pairs(&[]));
    assert_eq!(device_changes(&ast, &ami), pairs(&[]));
}

#[test]
fn a_reload_publishes_added_and_removed_users() {
    let ast = configured(ALICE)
        .hint("2001", "UserPresence:bob,UserPresence:bob")
        .hint("2002", "UserPresence:carol,UserPresence:carol")
        .start();
    ast.wait_hint_presence("2001", "not_set");
    ast.set_custom("201", "not_set");
    ast.set_custom("301", "dnd");
    let ami = ast.ami();
    let more = "[bob]\ntype = user\nextension = 301\n[carol]\ntype = user\n\
                [dave]\ntype = user\nextension = 303\n";
    ast.write_config("userpresence.conf", &format!("{ALICE}{more}"));
    assert!(ast.reload().ok());
    ast.wait_hint_presence("2001", "dnd");
    ast.wait_hint_state("2001", "Busy");
    ast.wait_hint_presence("2002", "not_set");
    ast.wait_hint_state("2002", "Unavailable");
    assert_eq!(published_states(&ast, &ami), pairs(&[("bob", "dnd")]));
    ast.write_config("userpresence.conf", ALICE);
    let ami = ast.ami();
    assert!(ast.reload().ok());
    ast.wait_hint_presence("2001", "not_set");
    // The provider answers invalid for a device of an unknown user.
    ast.wait_hint_state("2001", "Unavailable");
    assert_eq!(published_states(&ast, &ami), pairs(&[("bob", "not_set")]));
}
