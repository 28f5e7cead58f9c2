//! Own settings for what a status does: queues, do not disturb, follow me, logins.

use crate::harness::users::{read, set};
use crate::harness::{Ami, Builder, Instance, Message, sets, wait_until};

const MEMBER: &str = "Local/200@default/n";

const CONF: &str = "[dnd]\ntype = action\nstatus = dnd\ndnd = on\nqueue = pause\n\
    [shift]\ntype = action\nstatus = xa\nqueue = 602,logout\n\
    [alice]\ntype = user\nextension = 200\noutgoing = none\nmember = Local/200@default/n\n\
    action = dnd,shift\nlogin_status = available\n\
    [bob]\ntype = user\nextension = 210\noutgoing = none\nmember = Local/210@default/n\n";

fn builder(conf: &str) -> Builder {
    let queues = format!(
        "[general]\n[600]\nmember => {MEMBER},1,Alice\nmember => Local/210@default/n,1,Bob\n\
         [601]\n[602]\n"
    );
    Instance::builder()
        .userpresence(conf)
        .file("queues.conf", &queues)
        .modules(sets::QUEUE)
}

#[track_caller]
fn item(ast: &Instance, user: &str, path: &str, value: &str) {
    ast.setvar(&format!("USER_PRESENCE({user},settings,{path})"), value);
}

/// Waits until AstDB has this value; `None` for none.
#[track_caller]
fn wait_db(ast: &Instance, key: &str, value: Option<&str>) {
    ast.wait_astdb(key, value);
}

fn member(ast: &Instance, queue: &str, interface: &str) -> Option<Message> {
    let status = [
        ("Action", "QueueStatus"),
        ("Queue", queue),
        ("Member", interface),
    ];
    let mut items = ast.ami().list(&status).into_iter();
    items.find(|item| item.is_event("QueueMember"))
}

/// Waits until the member is there and paused, there, or not there: `paused`, `ready`, `none`.
#[track_caller]
fn wait_member(ast: &Instance, queue: &str, interface: &str, expected: &str) {
    wait_until(&format!("{interface} in {queue} to be {expected}"), || {
        let found = match member(ast, queue, interface) {
            None => "none",
            Some(member) if member.get("Paused") == Some("1") => "paused",
            Some(_) => "ready",
        };
        (found == expected).then_some(())
    });
}

#[test]
fn a_status_does_what_the_person_wants_and_its_end_undoes_it() {
    let ast = builder(CONF).start();
    // A user without any action of the administrator.
    let bob = "Local/210@default/n";
    item(&ast, "bob", "statuses.away.queue", "pause");
    item(&ast, "bob", "statuses.away.dnd", "on");
    item(&ast, "bob", "statuses.default.followMe", "on");
    set(&ast, "bob", "away");
    wait_member(&ast, "600", bob, "paused");
    wait_db(&ast, "DND/210", Some("YES"));
    wait_db(&ast, "AMPUSER/210/followme/ddial", Some("DIRECT"));
    let table = ast.cli("userpresence show actions bob");
    assert!(
        table.contains("DB(DND/210)") && table.contains("pause"),
        "{table}"
    );
    // A change of the settings works at once, and gives back what was there before.
    item(&ast, "bob", "statuses.away.queue", "");
    item(&ast, "bob", "statuses.away.dnd", "");
    wait_member(&ast, "600", bob, "ready");
    wait_db(&ast, "DND/210", None);
    item(&ast, "bob", "statuses.away.queue", "pause");
    wait_member(&ast, "600", bob, "paused");
    // What is in force outlives a crash, and is undone by the end of the status.
    ast.wait_astdb_on_disk("/UserPresence/action/bob", "pause");
    ast.wait_astdb_on_disk("/UserPresence/settings/bob", "pause");
    ast.wait_astdb_on_disk("/UserPresence/user/bob", "away");
    ast.kill9();
    ast.start_again();
    wait_member(&ast, "600", bob, "paused");
    set(&ast, "bob", "available");
    wait_member(&ast, "600", bob, "ready");
    set(&ast, "bob", "away");
    wait_member(&ast, "600", bob, "paused");
    ast.setvar("USER_PRESENCE(bob,settings)", r#"{"statuses":null}"#);
    wait_member(&ast, "600", bob, "ready");
    wait_db(&ast, "AMPUSER/210/followme/ddial", None);
}

#[test]
fn the_persons_item_takes_the_place_of_the_administrators() {
    let ast = builder(CONF).start();
    set(&ast, "alice", "dnd");
    wait_member(&ast, "600", MEMBER, "paused");
    wait_db(&ast, "DND/200", Some("YES"));
    item(&ast, "alice", "statuses.dnd.queue", "none");
    wait_member(&ast, "600", MEMBER, "ready");
    assert_eq!(
        ast.astdb("DND/200").as_deref(),
        Some("YES"),
        "that is the administrator's"
    );
    item(&ast, "alice", "statuses.dnd.dnd", "none");
    wait_db(&ast, "DND/200", None);
    // A login into the queues that the administrator's actions name, and into no other.
    item(&ast, "alice", "statuses.available.queue", "login");
    set(&ast, "alice", "available");
    wait_member(&ast, "602", MEMBER, "ready");
    wait_member(&ast, "601", MEMBER, "none");
    set(&ast, "alice", "away");
    wait_member(&ast, "602", MEMBER, "none");
    let refused = ast.ami().action(&[
        ("Action", "UserPresenceSetSettings"),
        ("User", "bob"),
        ("Settings", r#"{"statuses":{"away":{"queue":"login"}}}"#),
    ]);
    let why = "statuses.away.queue: no action of 'bob' names a queue, expected logout, pause or \
               none";
    assert_eq!(refused.get("Message"), Some(why));
    // The right goes: the administrator's actions apply again.
    set(&ast, "alice", "dnd");
    wait_member(&ast, "600", MEMBER, "ready");
    let conf = CONF.replace(
        "action = dnd,shift",
        "action = dnd,shift\nown_settings = handling",
    );
    ast.write_config("userpresence.conf", &conf);
    assert!(ast.reload().ok());
    wait_member(&ast, "600", MEMBER, "paused");
    wait_db(&ast, "DND/200", Some("YES"));
    let said = ast.cli("userpresence show settings alice");
    let line = "the own setting dnd queue (none) is not carried out: own_settings of 'alice' does \
                not include actions";
    assert!(said.contains(line), "{said}");
    ast.write_config("userpresence.conf", CONF);
    assert!(ast.reload().ok());
    wait_member(&ast, "600", MEMBER, "ready");
    wait_db(&ast, "DND/200", None);
}

/// Logs a panel of alice in or out.
#[track_caller]
fn panel(ami: &Ami, action: &str) {
    let answer = ami.action(&[("Action", action), ("User", "alice")]);
    assert!(answer.ok(), "{answer:?}");
}

#[test]
fn logins_and_registrations_set_the_persons_status() {
    let conf = CONF.replace("extension = 200\n", "extension = 200,Custom:desk\n");
    let ast = builder(&conf).start();
    let status = || read(&ast, "alice,status");
    ast.set_device("desk", "NOT_INUSE");
    let ami = ast.ami();
    panel(&ami, "UserPresenceLogin");
    assert_eq!(status(), "available");
    panel(&ami, "UserPresenceLogout");
    assert_eq!(status(), "available");
    for (path, value) in [
        ("loginStatus", "CHAT"),
        ("logoutStatus", "away"),
        ("registerStatus", "xa"),
        ("unregisterStatus", "unavailable"),
    ] {
        item(&ast, "alice", path, value);
    }
    panel(&ami, "UserPresenceLogin");
    assert_eq!(status(), "chat");
    panel(&ami, "UserPresenceLogout");
    assert_eq!(status(), "away");
    // A status that was chosen by hand stays.
    set(&ast, "alice", "dnd");
    panel(&ami, "UserPresenceLogin");
    assert_eq!(status(), "dnd");
    panel(&ami, "UserPresenceLogout");
    set(&ast, "alice", "chat");
    panel(&ami, "UserPresenceLogin");
    panel(&ami, "UserPresenceLogout");
    assert_eq!(status(), "away", "chat is the status of logins");
    // The phone comes and goes.
    ast.set_device("desk", "UNAVAILABLE");
    ast.wait_value("USER_PRESENCE(alice,status)", "unavailable");
    ast.set_device("desk", "NOT_INUSE");
    ast.wait_value("USER_PRESENCE(alice,status)", "xa");
    // No status at a login, although the administrator has set one.
    item(&ast, "alice", "loginStatus", "none");
    panel(&ami, "UserPresenceLogin");
    assert_eq!(status(), "xa");
    panel(&ami, "UserPresenceLogout");
    assert_eq!(status(), "away");
    item(&ast, "alice", "loginStatus", "");
    panel(&ami, "UserPresenceLogin");
    assert_eq!(status(), "available");
}
