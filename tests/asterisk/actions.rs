//! Actions: what a status does in Asterisk, and what is there again when it ends.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::Lock;
use crate::harness::{Builder, Instance, MODULE, Message, sets, wait_until};

/// The interface of alice in queues, and the one of bob, who is in the file.
const ALICE: &str = "Local/200@default/n";
const BOB: &str = "Local/300@default/n";

/// Three users; zoe's actions tell that those of the others are through.
fn config(blocks: &str, actions: &str) -> String {
    format!(
        "{blocks}\n\
         [seen]\ntype = action\nstatus = away\nset = DB(test/seen)=${{MESSAGE}}\n\
         [alice]\ntype = user\nid = 4711\nextension = 200\nmember = {ALICE}\n{actions}\
         [bob]\ntype = user\nextension = 300\nmember = {BOB}\n{actions}\
         [zoe]\ntype = user\nextension = 900\naction = seen\n"
    )
}

const QUEUES: &str = "[general]\npersistentmembers = yes\n\
    [600]\nmember => Local/300@default/n,1,Bob\n[601]\n[602]\n";

fn builder(blocks: &str, actions: &str) -> Builder {
    Instance::builder()
        .userpresence(&config(blocks, actions))
        .file("queues.conf", QUEUES)
        .modules(sets::QUEUE)
}

/// Waits until all actions that the changes before this caused are through: one thread
/// does them in the order of the changes.
#[track_caller]
fn through(ast: &Instance) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mark = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
    ast.set_custom("900", &format!("away,,{mark}"));
    wait_until(&format!("the actions of {mark}"), || {
        (ast.astdb("test/seen")? == mark).then_some(())
    });
}

/// A status of alice, with its actions.
#[track_caller]
fn set(ast: &Instance, status: &str) {
    ast.set_custom("200", status);
    through(ast);
}

fn in_force(ast: &Instance) -> String {
    // Each row in single blanks, whatever the width of its columns.
    let table = ast.cli("userpresence show actions alice");
    let rows = table.lines().map(|row| row.split_whitespace());
    let rows = rows.map(|row| row.collect::<Vec<_>>().join(" "));
    rows.collect::<Vec<_>>().join("\n")
}

/// A member of a queue, as Asterisk tells of it.
fn member(ast: &Instance, queue: &str, interface: &str) -> Option<Message> {
    let ami = ast.ami();
    let status = [
        ("Action", "QueueStatus"),
        ("Queue", queue),
        ("Member", interface),
    ];
    let mut items = ami.list(&status).into_iter();
    items.find(|item| item.is_event("QueueMember"))
}

/// Whether it is paused, and why; `None` where it is no member.
fn paused(ast: &Instance, queue: &str, interface: &str) -> Option<(bool, String)> {
    let member = member(ast, queue, interface)?;
    let reason = member.get("PausedReason").unwrap_or_default().to_owned();
    Some((member.get("Paused") == Some("1"), reason))
}

fn by_us() -> Option<(bool, String)> {
    Some((true, "UserPresence".to_owned()))
}

fn by_hand() -> Option<(bool, String)> {
    Some((true, "Lunch".to_owned()))
}

fn not_paused() -> Option<(bool, String)> {
    Some((false, String::new()))
}

#[track_caller]
fn queue_action(ast: &Instance, headers: &[(&str, &str)]) {
    let answer = ast.ami().action(headers);
    assert!(answer.ok(), "{answer:?}");
}

#[track_caller]
fn pause(ast: &Instance, queue: &str, interface: &str, paused: &str, reason: &str) {
    queue_action(
        ast,
        &[
            ("Action", "QueuePause"),
            ("Queue", queue),
            ("Interface", interface),
            ("Paused", paused),
            ("Reason", reason),
        ],
    );
}

#[track_caller]
fn add(ast: &Instance, queue: &str) {
    queue_action(
        ast,
        &[
            ("Action", "QueueAdd"),
            ("Queue", queue),
            ("Interface", ALICE),
            ("MemberName", "Alice at work"),
            ("StateInterface", "Custom:alice"),
            ("Penalty", "3"),
        ],
    );
}

const DND: &str = "[dnd]\ntype = action\nstatus = dnd\ndnd = on\nfollowme = off\n\
    [back]\ntype = action\nstatus = available\ndnd = off\n";

/// The keys that FreePBX's dialplan and hints read, and back to what was there.
#[test]
fn do_not_disturb_and_follow_me_are_those_of_freepbx() {
    let ast = builder(DND, "action = dnd\n")
        .hint("2000", "Custom:phone&Custom:DND200")
        .start();
    ast.set_device("phone", "NOT_INUSE");
    ast.set_astdb("AMPUSER/200/followme/ddial", "DIRECT");
    ast.set_device("FOLLOWME200", "INUSE");
    set(&ast, "dnd");
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("YES"));
    assert_eq!(ast.getvar("DEVICE_STATE(Custom:DND200)"), "BUSY");
    assert_eq!(ast.getvar("DEVICE_STATE(Custom:DEVDND200)"), "BUSY");
    ast.wait_hint_state("2000", "Busy");
    assert_eq!(
        ast.astdb("AMPUSER/200/followme/ddial").as_deref(),
        Some("EXTENSION")
    );
    assert_eq!(ast.getvar("DEVICE_STATE(Custom:FOLLOWME200)"), "NOT_INUSE");
    let shown = in_force(&ast);
    assert!(
        shown.contains("alice DB(DND/200) YES YES (nothing)"),
        "{shown}"
    );
    let line = "alice DB(AMPUSER/200/followme/ddial) EXTENSION EXTENSION DIRECT";
    assert!(shown.contains(line), "{shown}");
    assert!(shown.contains("5 in force"), "{shown}");

    // What is there now is shown beside what was set.
    assert!(shown.starts_with("User Target Set Now Was\n"), "{shown}");
    for (value, now) in [("by hand", "by hand"), ("", "(nothing)"), ("YES", "YES")] {
        match value {
            "" => drop(ast.cli("database del DND 200")),
            value => ast.set_astdb("DND/200", value),
        }
        let shown = in_force(&ast);
        let line = format!("alice DB(DND/200) YES {now} (nothing)");
        assert!(shown.contains(&line), "{shown}");
    }

    // What was absent is absent again; what was there is there again.
    set(&ast, "available");
    assert_eq!(ast.astdb("DND/200"), None);
    assert_eq!(ast.astdb("CustomDevstate/DND200"), None);
    ast.wait_value("DEVICE_STATE(Custom:DND200)", "UNKNOWN");
    ast.wait_hint_state("2000", "Idle");
    assert_eq!(
        ast.astdb("AMPUSER/200/followme/ddial").as_deref(),
        Some("DIRECT")
    );
    assert_eq!(ast.getvar("DEVICE_STATE(Custom:FOLLOWME200)"), "INUSE");
    assert_eq!(in_force(&ast), "0 in force");
    assert_eq!(ast.astdb("UserPresence/action/alice"), None);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// An explicit off clears what a hand set; what a hand sets meanwhile stays.
#[test]
fn off_clears_what_a_hand_set_and_a_hand_has_the_last_word() {
    let ast = builder(DND, "action = dnd,back\n").start();
    ast.set_astdb("DND/200", "YES");
    set(&ast, "available");
    assert_eq!(ast.astdb("DND/200"), None);
    assert_eq!(ast.getvar("DEVICE_STATE(Custom:DND200)"), "UNAVAILABLE");
    set(&ast, "dnd");
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("YES"));
    ast.set_astdb("DND/200", "by hand");
    set(&ast, "away");
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("by hand"));
    assert_eq!(ast.astdb("AMPUSER/200/followme/ddial"), None);
    assert_eq!(in_force(&ast), "0 in force");
}

/// The administrator's own functions instead of FreePBX's.
#[test]
fn the_functions_behind_the_switches_can_be_replaced() {
    let own = "action = dnd\ndnd_on = GLOBAL(dnd_${EXTENSION})=1\n\
               dnd_on = DB(mine/${USER}/${ID}/${ACCOUNT})=on\nfollowme_off = GLOBAL(fm)=${STATUS}\n";
    let ast = builder(DND, own).start();
    set(&ast, "dnd");
    assert_eq!(ast.getvar("GLOBAL(dnd_200)"), "1");
    assert_eq!(ast.getvar("GLOBAL(fm)"), "dnd");
    assert_eq!(ast.astdb("mine/alice/4711/default").as_deref(), Some("on"));
    assert_eq!(ast.astdb("DND/200"), None);
    set(&ast, "away");
    assert_eq!(ast.getvar("GLOBAL(dnd_200)"), "");
    assert_eq!(ast.astdb("mine/alice/4711/default"), None);
}

/// What a person wrote is text: never a variable, an expression, a function or a
/// format, wherever it goes.
#[test]
fn what_a_person_wrote_is_never_evaluated() {
    let blocks = "[tell]\ntype = action\nstatus = away,xa\n\
                  set = DB(presence/${USER})=${MESSAGE}|${SUBTYPE}|${OLD_MESSAGE}\n\
                  set = GLOBAL(said)=${MESSAGE}\n";
    let ast = builder(blocks, "action = tell\n").start();
    let touched = ast.path("touched");
    let evil = format!(
        "${{SHELL(touch {})}} $[1+1] %s%n ${{USER}} \\\" `id` ; & ) =",
        touched.display()
    );
    // Through a dialplan or AMI the text would be evaluated on its way in, so it comes
    // in base64.
    let encoded = base64(&evil);
    set(&ast, &format!("away,{encoded},{encoded},e"));
    let said = ast.astdb("presence/alice");
    assert_eq!(said, Some(format!("{evil}|{evil}|")));
    set(&ast, "xa,,calm");
    assert_eq!(ast.astdb("presence/alice"), Some(format!("calm||{evil}")));
    assert!(!touched.exists());
    set(&ast, &format!("away,,{encoded},e"));
    assert_eq!(ast.getvar("GLOBAL(said)"), evil);
    assert!(!touched.exists());
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Both texts of the configuration: refused ones leave the section out, by name.
#[test]
fn what_could_take_arguments_apart_is_refused() {
    let blocks = "[bad]\ntype = action\nstatus = away\nset = DB(a/${MESSAGE})=1\n\
                  [worse]\ntype = action\nstatus = away\nset = DB(a/b)=${SHELL(id)}\n";
    let ast = builder(blocks, "").start();
    ast.wait_log("section [bad], option 'set': ${MESSAGE} is what a person wrote");
    ast.wait_log("section [worse], option 'set': unknown variable '${SHELL(id)}'");
}

const PAUSE: &str = "[pause]\ntype = action\nstatus = dnd,away\nqueue = pause\n\
    [login]\ntype = action\nstatus = available\nqueue = 600,login\nqueue = 601,login\n\
    [logout]\ntype = action\nstatus = xa\nqueue = logout\nqueue = 602,none\n";

#[test]
fn queues_pause_and_only_our_pause_ends() {
    let ast = builder(PAUSE, "action = pause\n").start();
    for queue in ["600", "601"] {
        add(&ast, queue);
    }
    pause(&ast, "601", ALICE, "yes", "Lunch");
    let state = |queue| paused(&ast, queue, ALICE);
    set(&ast, "dnd");
    assert_eq!(
        (state("600"), state("601"), state("602")),
        (by_us(), by_hand(), None)
    );
    let shown = in_force(&ast);
    let now = "member, paused (UserPresence)";
    let line = format!("alice queue 600, {ALICE} pause {now} not paused");
    assert!(
        shown.contains(&line) && !shown.contains("queue 601"),
        "{shown}"
    );
    // What both want is left alone, and what a hand did in between.
    pause(&ast, "600", ALICE, "no", "");
    let shown = in_force(&ast);
    let line = format!("alice queue 600, {ALICE} pause member not paused");
    assert!(shown.contains(&line), "{shown}");
    set(&ast, "away");
    assert_eq!(state("600"), not_paused());
    set(&ast, "available");
    assert_eq!((state("600"), state("601")), (not_paused(), by_hand()));
    // A hand's pause over ours stays.
    set(&ast, "dnd");
    assert_eq!(state("600"), by_us());
    pause(&ast, "600", ALICE, "yes", "Lunch");
    set(&ast, "available");
    assert_eq!((state("600"), state("601")), (by_hand(), by_hand()));
    // And one of ours ends.
    pause(&ast, "600", ALICE, "no", "");
    set(&ast, "dnd");
    assert_eq!(state("600"), by_us());
    set(&ast, "available");
    assert_eq!(state("600"), not_paused());
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn queues_login_and_logout_and_back() {
    let ast = builder(PAUSE, "action = pause,login,logout\n").start();
    add(&ast, "602");
    let get = |queue: &str, name: &str| {
        let member = member(&ast, queue, ALICE)?;
        member.get(name).map(str::to_owned)
    };
    set(&ast, "available");
    for queue in ["600", "601"] {
        assert_eq!(get(queue, "Name").as_deref(), Some("alice"));
        let from = get(queue, "StateInterface");
        assert_eq!(from.as_deref(), Some("UserPresence:alice@queue"));
        assert_eq!(get(queue, "Membership").as_deref(), Some("dynamic"));
    }
    set(&ast, "chat");
    assert_eq!((get("600", "Name"), get("601", "Name")), (None, None));

    // One that is there already is not ours, and stays as it is.
    add(&ast, "600");
    pause(&ast, "600", ALICE, "yes", "Lunch");
    set(&ast, "available");
    assert_eq!(get("600", "Name").as_deref(), Some("Alice at work"));
    assert_eq!(get("601", "Name").as_deref(), Some("alice"));
    set(&ast, "xa");
    // The login is undone, the rest is logged out, but for the queue with none.
    assert_eq!((get("600", "Name"), get("601", "Name")), (None, None));
    assert_eq!(get("602", "Name").as_deref(), Some("Alice at work"));
    // From logout to pause: back, and what a hand paused stays so.
    set(&ast, "dnd");
    assert_eq!(paused(&ast, "600", ALICE), by_hand());
    assert_eq!(paused(&ast, "602", ALICE), by_us());
    set(&ast, "xa");
    assert_eq!(get("600", "Name"), None);
    set(&ast, "chat");
    assert_eq!(get("600", "Name").as_deref(), Some("Alice at work"));
    assert_eq!(get("600", "Penalty").as_deref(), Some("3"));
    assert_eq!(
        get("600", "StateInterface").as_deref(),
        Some("Custom:alice")
    );
    assert_eq!(paused(&ast, "600", ALICE), by_hand());
    assert_eq!(paused(&ast, "602", ALICE), not_paused());
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_static_member_cannot_be_logged_out_but_paused() {
    let ast = builder(PAUSE, "action = pause,logout\n").start();
    ast.set_custom("300", "xa");
    through(&ast);
    let said = ast.complaints();
    assert_eq!(said.len(), 1, "{said:#?}");
    let expected = format!(
        "Action of user 'bob' for status 'xa' failed: queue 600: logout: '{BOB}' is a static member"
    );
    assert!(said[0].contains(&expected), "{}", said[0]);
    assert_eq!(paused(&ast, "600", BOB), not_paused());
    ast.set_custom("300", "dnd");
    through(&ast);
    assert_eq!(paused(&ast, "600", BOB), by_us());
    ast.set_custom("300", "available");
    through(&ast);
    assert_eq!(paused(&ast, "600", BOB), not_paused());
}

/// Each that fails is told once, with user, status, action and reason; the others are
/// done.
#[test]
fn a_failing_action_stops_nothing_else() {
    let blocks = "[away]\ntype = action\nstatus = away\n\
                  set = GLOBAL(first)=1\nset = NO_SUCH(x)=1\nset = LEN(x)=2\nset = SHELL(touch TOUCHED)=2\n\
                  set = DEVICE_STATE(Custom:x)=SLEEPING\nset = GLOBAL(last)=1\n\
                  queue = 999,login\nqueue = 601,login\n";
    let ast = builder("", "").modules(&["func_shell"]).start();
    let touched = ast.path("touched");
    let blocks = blocks.replace("TOUCHED", &touched.display().to_string());
    ast.write_config("userpresence.conf", &config(&blocks, "action = away\n"));
    assert!(ast.reload().ok());
    set(&ast, "away");
    assert!(!touched.exists());
    assert_eq!(ast.getvar("GLOBAL(first)"), "1");
    assert_eq!(ast.getvar("GLOBAL(last)"), "1");
    assert!(member(&ast, "601", ALICE).is_some());
    let complaints = || {
        let mut said = ast.complaints();
        // That it does not exist is told of the configuration too.
        said.retain(|line| !line.contains("there is no dialplan function 'NO_SUCH'"));
        said
    };
    let said = complaints();
    let failed = "Action of user 'alice' for status 'away' failed";
    let expected = [
        format!("{failed}: NO_SUCH(x)=1: there is no function NO_SUCH, its module is not loaded"),
        format!("{failed}: LEN(x)=2: LEN() cannot be written"),
        format!(
            "{failed}: SHELL(touch {})=2: SHELL() cannot be written",
            touched.display()
        ),
        format!(
            "{failed}: DEVICE_STATE(Custom:x)=SLEEPING: Asterisk refused it, see the line above"
        ),
        format!("{failed}: queue 999: login: there is no such queue"),
    ];
    for expected in &expected {
        let lines = said.iter().filter(|line| line.contains(expected));
        assert_eq!(lines.count(), 1, "{expected}\n{said:#?}");
    }
    // Asterisk's own reason, and nothing else.
    assert_eq!(said.len(), expected.len() + 1, "{said:#?}");
    set(&ast, "available");
    assert_eq!(ast.getvar("GLOBAL(last)"), "");
    assert_eq!(member(&ast, "601", ALICE), None);
    assert_eq!(complaints().len(), said.len());
}

#[test]
fn without_queues_the_rest_is_done() {
    let blocks = format!("{DND}{PAUSE}");
    let ast = Instance::builder()
        .userpresence(&config(&blocks, "action = dnd,pause\n"))
        .start();
    set(&ast, "dnd");
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("YES"));
    let said = ast.complaints();
    assert_eq!(said.len(), 1, "{said:#?}");
    let expected = format!(
        "failed: queues of {ALICE}: there is no AMI action QueueStatus, its module is not loaded"
    );
    assert!(said[0].contains(&expected), "{}", said[0]);
}

/// Where a user stands now, in the order in which it came to be.
const WHERE: &str = "[where]\ntype = action\nstatus = dnd,away\nset = GLOBAL(was)=${STATE}\n\
    set = DB(test/was)=${OLD_STATE}>${STATE}\n";

/// A crash leaves what it leaves; the next load undoes what the status then does not
/// want, and does again what Asterisk forgot.
#[test]
fn the_leftovers_of_a_crash_are_undone_at_the_load() {
    let blocks = format!("{DND}{PAUSE}{WHERE}");
    let ast = builder(&blocks, "action = dnd,pause,where,logout\n").start();
    add(&ast, "602");
    ast.set_custom("300", "dnd");
    set(&ast, "dnd");
    assert_eq!(paused(&ast, "600", BOB), by_us());
    assert_eq!(paused(&ast, "602", ALICE), by_us());
    wait_until("the record on disk", || {
        let on_disk = |key| ast.astdb_on_disk(key);
        let record = on_disk("/UserPresence/action/alice")?;
        let seen = on_disk("/test/seen") == ast.astdb("test/seen");
        (record.contains("DND/200") && seen && on_disk("/DND/200")? == "YES").then_some(())
    });
    ast.kill9();
    // Alice is another meanwhile, bob is not.
    let file = ast.path("lib/astdb.sqlite3");
    let sql = "UPDATE astdb SET value = 'available' WHERE key = '/CustomPresence/200';";
    let changed = Command::new("sqlite3").arg(&file).arg(sql).status();
    assert!(changed.is_ok_and(|status| status.success()));
    ast.start_again();
    through(&ast);
    assert_eq!(ast.getvar("USER_PRESENCE(alice)"), "available");
    assert_eq!(ast.astdb("DND/200"), None);
    assert_eq!(ast.astdb("CustomDevstate/DND200"), None);
    assert_eq!(paused(&ast, "602", ALICE), not_paused());
    assert_eq!(in_force(&ast), "0 in force");

    assert_eq!(ast.astdb("DND/300").as_deref(), Some("YES"));
    assert_eq!(ast.getvar("GLOBAL(was)"), "dnd");
    assert_eq!(ast.astdb("test/was").as_deref(), Some("not_set>dnd"));
    // A static member's pause is forgotten by Asterisk.
    assert_eq!(paused(&ast, "600", BOB), by_us());
    ast.set_custom("300", "available");
    through(&ast);
    assert_eq!(ast.astdb("DND/300"), None);
    assert_eq!(paused(&ast, "600", BOB), not_paused());
    assert!(ast.cli("userpresence show actions").ends_with("1 in force"));
}

/// A manager of class `system` can write AstDB and load modules, and no more: with the
/// rows that tell what is to be undone, functions are not called in that manager's name.
#[test]
fn rows_that_anybody_wrote_call_no_function() {
    let ast = builder(DND, "action = dnd\n")
        .modules(&["func_env"])
        .ami_user("operator", "system", "system")
        .start();
    let victim = ast.path("etc/victim.conf");
    fs::write(&victim, "theirs").expect("a file of our own");
    let target = format!("FILE({})", victim.display());
    let row = |set: &str| format!(r#"{{"set":[{set}]}}"#);
    let one = |target: &str, wrote: &str, found: &str| {
        format!(r#"{{"target":"{target}","wrote":"{wrote}","found":"{found}"}}"#)
    };
    let operator = ast.ami_as("operator").expect("a login");
    let act = |headers: &[(&str, &str)]| {
        let answer = operator.action(headers);
        assert!(answer.ok(), "{}", answer.text());
    };
    let module = |kind: &str| {
        act(&[
            ("Action", "ModuleLoad"),
            ("LoadType", kind),
            ("Module", MODULE),
        ]);
    };
    let forge = |user: &str, row: &str| {
        act(&[
            ("Action", "DBPut"),
            ("Family", "UserPresence"),
            ("Key", &format!("action/{user}")),
            ("Val", row),
        ]);
    };
    let all = row(&[
        one(&target, "theirs", "owned"),
        // What the configuration names is undone, as a row of an earlier run tells.
        one("DB(DND/200)", "YES", ""),
    ]
    .join(","));
    ast.set_astdb("DND/200", "YES");
    for user in ["alice", "nobody"] {
        forge(user, &all);
    }
    let before = ast.log().len();
    module("unload");
    module("load");
    let said = ast.wait_log_from(before, "What actions of an earlier run have set stays");
    assert!(said.contains(&format!("alice: {target}")), "{said}");
    assert!(said.contains("nobody: DB(DND/200)"), "{said}");
    through(&ast);
    assert_eq!(fs::read_to_string(&victim).expect("the file"), "theirs");
    assert_eq!(ast.astdb("DND/200"), None);
    // Neither is asked again.
    for user in ["alice", "nobody"] {
        assert_eq!(ast.astdb(&format!("UserPresence/action/{user}")), None);
    }
    let before = ast.log().len();
    module("unload");
    module("load");
    through(&ast);
    assert!(!ast.log()[before..].contains("of an earlier run"));
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// A dangerous function is the administrator's to name. It is undone with what the module
/// has seen there itself, not with what a row tells after a restart.
#[test]
fn a_dangerous_function_of_the_configuration_is_carried_out() {
    let note = std::env::temp_dir().join(format!("userpresence-note-{}", std::process::id()));
    fs::write(&note, "theirs").expect("a file of our own");
    let there = || fs::read_to_string(&note).expect("the file");
    let blocks = format!(
        "[note]\ntype = action\nstatus = dnd\nset = FILE({})=${{STATE}}\n",
        note.display()
    );
    let ast = builder(&blocks, "action = note\n")
        .modules(&["func_env"])
        .start();
    for how in ["at once", "after an unload"] {
        set(&ast, "dnd");
        assert_eq!(there(), "dnd", "{how}");
        if how != "at once" {
            assert!(ast.unload_module(MODULE).ok());
            assert!(ast.load_module(MODULE).ok());
            through(&ast);
        }
        set(&ast, "available");
        assert_eq!(there(), "theirs", "{how}");
        assert_eq!(ast.complaints(), Vec::<String>::new());
    }
    set(&ast, "dnd");
    assert!(ast.stop_gracefully().success());
    ast.start_again();
    set(&ast, "available");
    assert_eq!(there(), "dnd");
    ast.wait_log("Dangerous function FILE write blocked");
    ast.wait_log("failed: undo of FILE(");
    let _ = fs::remove_file(&note);
}

/// What is in force stays over a stop and over an unload, and ends when it has to.
#[test]
fn a_stop_leaves_what_is_in_force_and_the_next_load_goes_on() {
    let blocks = format!("{DND}{PAUSE}{WHERE}");
    let ast = builder(&blocks, "action = dnd,pause,where\n").start();
    add(&ast, "602");
    set(&ast, "dnd");
    let there = |ast: &Instance| {
        assert_eq!(ast.astdb("DND/200").as_deref(), Some("YES"));
        assert_eq!(ast.getvar("GLOBAL(was)"), "dnd");
        assert_eq!(ast.astdb("test/was").as_deref(), Some("not_set>dnd"));
        assert_eq!(paused(ast, "602", ALICE), by_us());
    };
    there(&ast);
    let shown = in_force(&ast);
    assert!(ast.unload_module(MODULE).ok());
    there(&ast);
    assert!(ast.load_module(MODULE).ok());
    through(&ast);
    there(&ast);
    assert_eq!(in_force(&ast), shown);
    for gracefully in [true, false] {
        let status = match gracefully {
            true => ast.stop_gracefully(),
            false => ast.stop(),
        };
        assert!(status.success(), "{status}");
        ast.start_again();
        through(&ast);
        there(&ast);
        assert_eq!(in_force(&ast), shown);
    }
    set(&ast, "available");
    assert_eq!(ast.astdb("DND/200"), None);
    assert_eq!(ast.astdb("test/was"), None);
    assert_eq!(ast.getvar("GLOBAL(was)"), "");
    assert_eq!(paused(&ast, "602", ALICE), not_paused());
}

/// A reload brings actions in line with the new configuration, and undoes those of a
/// user who is gone.
#[test]
fn a_reload_undoes_what_is_wanted_no_more() {
    let blocks = format!("{DND}{PAUSE}");
    let ast = builder(&blocks, "action = dnd,pause\n").start();
    add(&ast, "602");
    ast.set_custom("300", "dnd");
    set(&ast, "dnd");
    assert_eq!(paused(&ast, "602", ALICE), by_us());
    let reload = |text: &str| {
        ast.write_config("userpresence.conf", text);
        assert!(ast.reload().ok());
        through(&ast);
    };
    // Nothing changed, nothing is done: a hand's change stays.
    ast.set_astdb("DND/200", "by hand");
    pause(&ast, "602", ALICE, "no", "");
    reload(&config(&blocks, "action = dnd,pause\n"));
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("by hand"));
    assert_eq!(paused(&ast, "602", ALICE), not_paused());
    ast.set_astdb("DND/200", "YES");
    pause(&ast, "602", ALICE, "yes", "UserPresence");
    // No more pause.
    reload(&config(&blocks, "action = dnd\n"));
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("YES"));
    assert_eq!(paused(&ast, "602", ALICE), not_paused());
    assert_eq!(paused(&ast, "600", BOB), not_paused());
    // No more alice; bob has no actions any more.
    let rest = "[seen]\ntype = action\nstatus = away\nset = DB(test/seen)=${MESSAGE}\n\
                [bob]\ntype = user\nextension = 300\n\
                [zoe]\ntype = user\nextension = 900\naction = seen\n";
    reload(rest);
    for extension in ["200", "300"] {
        assert_eq!(ast.astdb(&format!("DND/{extension}")), None);
        assert_eq!(ast.astdb(&format!("CustomDevstate/DND{extension}")), None);
    }
    assert!(ast.cli("userpresence show actions").ends_with("1 in force"));
}

/// An action that hangs, here a function that reads a pipe, holds up neither Asterisk's
/// threads nor a caller; nor an unload, for long.
#[test]
fn an_action_that_hangs_holds_up_nobody() {
    let ast = builder("", "")
        .modules(&["func_env"])
        .hint("2000", ",UserPresence:alice")
        .start();
    let pipes = ["pipe1", "pipe2"].map(|name| ast.path(name));
    let made = Command::new("mkfifo").args(&pipes).status();
    assert!(made.is_ok_and(|status| status.success()));
    let [first, second] = [&pipes[0], &pipes[1]].map(|pipe| pipe.display());
    let blocks = format!(
        "[slow]\ntype = action\nstatus = dnd\nset = FILE({first})=x\nset = FILE({second})=x\n\
         [where]\ntype = action\nstatus = dnd,away,xa\nset = DB(test/was)=${{OLD_STATE}}>${{STATE}}\n"
    );
    ast.write_config(
        "userpresence.conf",
        &config(&blocks, "action = slow,where\n"),
    );
    assert!(ast.reload().ok());
    // The first pipe tells that the thread is there; then it hangs at the second.
    let hang = || {
        ast.set_custom("200", "dnd");
        const O_NONBLOCK: i32 = 0o4000;
        wait_until("a reader of the pipe", || {
            let mut open = fs::OpenOptions::new();
            open.write(true)
                .custom_flags(O_NONBLOCK)
                .open(&pipes[0])
                .ok()
        });
    };
    let release = || {
        // Whoever reads comes to its end when the last writer goes.
        for pipe in &pipes {
            let writer = fs::OpenOptions::new().read(true).write(true).open(pipe);
            drop(writer.expect("the pipe"));
        }
    };
    hang();
    // Everything else goes on; of what comes meanwhile the first old state and the
    // last new one count.
    for state in ["away", "chat", "xa"] {
        ast.set_custom("200", state);
        ast.wait_hint_presence("2000", state);
    }
    assert_eq!(ast.astdb("test/was"), None);
    wait_until("what came last", || {
        release();
        (ast.astdb("test/was")? == "dnd>xa").then_some(())
    });

    // Where one hangs at an unload, it is given up after a while, and does nothing
    // more when it comes back; the next load knows what is in force.
    hang();
    assert!(ast.unload_module(MODULE).ok());
    ast.wait_log("An action does not come to its end, it is given up");
    ast.set_custom("200", "away");
    release();
    ast.wait_log("failed: all of them: the module was unloaded meanwhile");
    assert_eq!(ast.astdb("test/was").as_deref(), Some("dnd>xa"));
    assert!(ast.load_module(MODULE).ok());
    through(&ast);
    let was = ast.astdb("test/was");
    assert_eq!(was.as_deref(), Some("xa>away"));
}

/// A panic is logged; the next actions of the same user are done, and those of others.
#[test]
fn a_panic_in_an_action_stops_no_other() {
    let ast = Instance::selftest()
        .userpresence(&config(DND, "action = dnd\n"))
        .start();
    ast.cli("userpresence selftest panic action");
    ast.set_custom("200", "dnd");
    ast.wait_log("please report it: forced by a test in action");
    ast.set_custom("300", "dnd");
    through(&ast);
    assert_eq!(ast.astdb("DND/200"), None);
    assert_eq!(ast.astdb("DND/300").as_deref(), Some("YES"));
    set(&ast, "dnd,again");
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("YES"));
}

/// While somebody else has AstDB's file locked, a backup for example, nothing is done
/// and nothing is taken for absent.
#[test]
fn a_locked_database_is_waited_for() {
    let ast = builder(DND, "action = dnd\n").start();
    ast.set_astdb("AMPUSER/200/followme/ddial", "DIRECT");
    ast.set_astdb("DND/200", "by hand");
    wait_until("what a hand set on disk", || {
        (ast.astdb_on_disk("/DND/200")? == "by hand").then_some(())
    });
    let lock = Lock::exclusive(&ast);
    ast.set_custom("200", "dnd");
    ast.wait_log("AstDB takes nothing of what actions do, it is tried again");
    assert_eq!(ast.getvar("DEVICE_STATE(Custom:DND200)"), "UNKNOWN");
    lock.release();
    through(&ast);
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("YES"));
    set(&ast, "away");
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("by hand"));
    let followme = ast.astdb("AMPUSER/200/followme/ddial");
    assert_eq!(followme.as_deref(), Some("DIRECT"));
    assert_eq!(in_force(&ast), "0 in force");
}
