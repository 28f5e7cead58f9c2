//! Actions: what a status does in Asterisk, and what its end restores.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::Lock;
use crate::harness::{Builder, Instance, MODULE, Message, sets, wait_until};

/// The queue interfaces of alice and of bob; `queues.conf` lists bob's.
const ALICE: &str = "Local/200@default/n";
const BOB: &str = "Local/300@default/n";

/// Three users. An action of zoe's is the mark for [`through`].
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

/// Waits until the actions of all changes so far are done: one thread carries them out
/// in the order of the changes.
#[track_caller]
fn through(ast: &Instance) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // An order of zoe's that waits since a reload is made anew in its place, which may be before
    // those of others. After a first mark none waits, and the second one is the last in the queue.
    for _ in 0..2 {
        let mark = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
        ast.set_custom("900", &format!("away,,{mark}"));
        wait_until(&format!("the actions of {mark}"), || {
            (ast.astdb("test/seen")? == mark).then_some(())
        });
    }
}

/// Sets alice's status and waits for its actions.
#[track_caller]
fn set_alice(ast: &Instance, status: &str) {
    ast.set_custom("200", status);
    through(ast);
}

fn in_force(ast: &Instance) -> String {
    // One blank between words: the width of the columns does not matter.
    let table = ast.cli("userpresence show actions alice");
    let rows = table.lines().map(|row| row.split_whitespace());
    let rows = rows.map(|row| row.collect::<Vec<_>>().join(" "));
    rows.collect::<Vec<_>>().join("\n")
}

/// A queue's member as AMI reports it.
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

/// Whether the member is paused and for which reason; `None` without such a member.
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

/// The actions set the keys that FreePBX's dialplan and hints read, and then restore them.
#[test]
fn do_not_disturb_and_follow_me_work_as_in_freepbx() {
    let ast = builder(DND, "action = dnd\n")
        .hint("2000", "Custom:phone&Custom:DND200")
        .start();
    ast.set_device("phone", "NOT_INUSE");
    ast.set_astdb("AMPUSER/200/followme/ddial", "DIRECT");
    ast.set_device("FOLLOWME200", "INUSE");
    set_alice(&ast, "dnd");
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

    // The table shows the present value beside the one that was set.
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

    // Absent keys are absent again; the others have their previous values.
    set_alice(&ast, "available");
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

/// An explicit `off` clears a value set by hand; a value set by hand meanwhile stays.
#[test]
fn off_clears_a_value_and_a_later_change_by_hand_stays() {
    let ast = builder(DND, "action = dnd,back\n").start();
    ast.set_astdb("DND/200", "YES");
    set_alice(&ast, "available");
    assert_eq!(ast.astdb("DND/200"), None);
    assert_eq!(ast.getvar("DEVICE_STATE(Custom:DND200)"), "UNAVAILABLE");
    set_alice(&ast, "dnd");
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("YES"));
    ast.set_astdb("DND/200", "by hand");
    set_alice(&ast, "away");
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("by hand"));
    assert_eq!(ast.astdb("AMPUSER/200/followme/ddial"), None);
    assert_eq!(in_force(&ast), "0 in force");
}

/// The administrator may name other functions than FreePBX's.
#[test]
fn the_functions_behind_the_switches_can_be_replaced() {
    let own = "action = dnd\ndnd_on = GLOBAL(dnd_${EXTENSION})=1\n\
               dnd_on = DB(mine/${USER}/${ID}/${ACCOUNT})=on\nfollowme_off = GLOBAL(fm)=${STATUS}\n";
    let ast = builder(DND, own).start();
    set_alice(&ast, "dnd");
    assert_eq!(ast.getvar("GLOBAL(dnd_200)"), "1");
    assert_eq!(ast.getvar("GLOBAL(fm)"), "dnd");
    assert_eq!(ast.astdb("mine/alice/4711/default").as_deref(), Some("on"));
    assert_eq!(ast.astdb("DND/200"), None);
    set_alice(&ast, "away");
    assert_eq!(ast.getvar("GLOBAL(dnd_200)"), "");
    assert_eq!(ast.astdb("mine/alice/4711/default"), None);
}

/// A user's text is never taken for a variable, an expression, a function or a format,
/// wherever it goes.
#[test]
fn the_text_of_a_user_is_never_evaluated() {
    let blocks = "[tell]\ntype = action\nstatus = away,xa\n\
                  set = DB(presence/${USER})=${MESSAGE}|${SUBTYPE}|${OLD_MESSAGE}\n\
                  set = GLOBAL(said)=${MESSAGE}\n";
    let ast = builder(blocks, "action = tell\n").start();
    let touched = ast.path("touched");
    let evil = format!(
        "${{SHELL(touch {})}} $[1+1] %s%n ${{USER}} \\\" `id` ; & ) =",
        touched.display()
    );
    // The dialplan and AMI would evaluate the text on its way in, so it comes as base64.
    let encoded = base64(&evil);
    set_alice(&ast, &format!("away,{encoded},{encoded},e"));
    let said = ast.astdb("presence/alice");
    assert_eq!(said, Some(format!("{evil}|{evil}|")));
    set_alice(&ast, "xa,,calm");
    assert_eq!(ast.astdb("presence/alice"), Some(format!("calm||{evil}")));
    assert!(!touched.exists());
    set_alice(&ast, &format!("away,,{encoded},e"));
    assert_eq!(ast.getvar("GLOBAL(said)"), evil);
    assert!(!touched.exists());
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// A refused target leaves its section out, with a message that names the section.
#[test]
fn a_target_that_could_split_arguments_is_refused() {
    let blocks = "[bad]\ntype = action\nstatus = away\nset = DB(a/${MESSAGE})=1\n\
                  [worse]\ntype = action\nstatus = away\nset = DB(a/b)=${SHELL(id)}\n";
    let ast = builder(blocks, "").start();
    ast.wait_log("section [bad], option 'set': ${MESSAGE} is user input");
    ast.wait_log("section [worse], option 'set': unknown variable '${SHELL(id)}'");
}

const PAUSE: &str = "[pause]\ntype = action\nstatus = dnd,away\nqueue = pause\n\
    [login]\ntype = action\nstatus = available\nqueue = 600,login\nqueue = 601,login\n\
    [logout]\ntype = action\nstatus = xa\nqueue = logout\nqueue = 602,none\n";

#[test]
fn queues_pause_members_and_end_only_their_own_pause() {
    let ast = builder(PAUSE, "action = pause\n").start();
    for queue in ["600", "601"] {
        add(&ast, queue);
    }
    pause(&ast, "601", ALICE, "yes", "Lunch");
    let state = |queue| paused(&ast, queue, ALICE);
    set_alice(&ast, "dnd");
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
    // The pause that both statuses want stays, and so does a change made by hand.
    pause(&ast, "600", ALICE, "no", "");
    let shown = in_force(&ast);
    let line = format!("alice queue 600, {ALICE} pause member not paused");
    assert!(shown.contains(&line), "{shown}");
    set_alice(&ast, "away");
    assert_eq!(state("600"), not_paused());
    set_alice(&ast, "available");
    assert_eq!((state("600"), state("601")), (not_paused(), by_hand()));
    // A pause set by hand over the module's pause stays.
    set_alice(&ast, "dnd");
    assert_eq!(state("600"), by_us());
    pause(&ast, "600", ALICE, "yes", "Lunch");
    set_alice(&ast, "available");
    assert_eq!((state("600"), state("601")), (by_hand(), by_hand()));
    // The module's own pause ends.
    pause(&ast, "600", ALICE, "no", "");
    set_alice(&ast, "dnd");
    assert_eq!(state("600"), by_us());
    set_alice(&ast, "available");
    assert_eq!(state("600"), not_paused());
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn queues_log_members_in_and_out_and_back() {
    let ast = builder(PAUSE, "action = pause,login,logout\n").start();
    add(&ast, "602");
    let get = |queue: &str, name: &str| {
        let member = member(&ast, queue, ALICE)?;
        member.get(name).map(str::to_owned)
    };
    set_alice(&ast, "available");
    for queue in ["600", "601"] {
        assert_eq!(get(queue, "Name").as_deref(), Some("alice"));
        let from = get(queue, "StateInterface");
        assert_eq!(from.as_deref(), Some("UserPresence:alice@queue"));
        assert_eq!(get(queue, "Membership").as_deref(), Some("dynamic"));
    }
    set_alice(&ast, "chat");
    assert_eq!((get("600", "Name"), get("601", "Name")), (None, None));

    // A member that was there before is not the module's and stays.
    add(&ast, "600");
    pause(&ast, "600", ALICE, "yes", "Lunch");
    set_alice(&ast, "available");
    assert_eq!(get("600", "Name").as_deref(), Some("Alice at work"));
    assert_eq!(get("601", "Name").as_deref(), Some("alice"));
    set_alice(&ast, "xa");
    // The login is undone, and the other queues are logged out, except the one with `none`.
    assert_eq!((get("600", "Name"), get("601", "Name")), (None, None));
    assert_eq!(get("602", "Name").as_deref(), Some("Alice at work"));
    // From logout to pause: the members return, and a pause set by hand stays.
    set_alice(&ast, "dnd");
    assert_eq!(paused(&ast, "600", ALICE), by_hand());
    assert_eq!(paused(&ast, "602", ALICE), by_us());
    set_alice(&ast, "xa");
    assert_eq!(get("600", "Name"), None);
    set_alice(&ast, "chat");
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
fn a_static_member_is_paused_but_never_logged_out() {
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

/// Each failed action is logged once, with user, status, action and reason; the others
/// are carried out.
#[test]
fn a_failing_action_stops_no_other_action() {
    let blocks = "[away]\ntype = action\nstatus = away\n\
                  set = GLOBAL(first)=1\nset = NO_SUCH(x)=1\nset = LEN(x)=2\nset = SHELL(touch TOUCHED)=2\n\
                  set = DEVICE_STATE(Custom:x)=SLEEPING\nset = GLOBAL(last)=1\n\
                  queue = 999,login\nqueue = 601,login\n";
    let ast = builder("", "").modules(&["func_shell"]).start();
    let touched = ast.path("touched");
    let blocks = blocks.replace("TOUCHED", &touched.display().to_string());
    ast.write_config("userpresence.conf", &config(&blocks, "action = away\n"));
    assert!(ast.reload().ok());
    set_alice(&ast, "away");
    assert!(!touched.exists());
    assert_eq!(ast.getvar("GLOBAL(first)"), "1");
    assert_eq!(ast.getvar("GLOBAL(last)"), "1");
    assert!(member(&ast, "601", ALICE).is_some());
    let complaints = || {
        let mut said = ast.complaints();
        // The check of the configuration reports the missing function too.
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
    // Asterisk's own reason is all that follows.
    assert_eq!(said.len(), expected.len() + 1, "{said:#?}");
    set_alice(&ast, "available");
    assert_eq!(ast.getvar("GLOBAL(last)"), "");
    assert_eq!(member(&ast, "601", ALICE), None);
    assert_eq!(complaints().len(), said.len());
}

#[test]
fn without_app_queue_the_other_actions_run() {
    let blocks = format!("{DND}{PAUSE}");
    let ast = Instance::builder()
        .userpresence(&config(&blocks, "action = dnd,pause\n"))
        .start();
    set_alice(&ast, "dnd");
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("YES"));
    let said = ast.complaints();
    assert_eq!(said.len(), 1, "{said:#?}");
    let expected = format!(
        "failed: queues of {ALICE}: there is no AMI action QueueStatus, its module is not loaded"
    );
    assert!(said[0].contains(&expected), "{}", said[0]);
}

/// Records the user's state, and the previous one, as the actions run.
const WHERE: &str = "[where]\ntype = action\nstatus = dnd,away\nset = GLOBAL(was)=${STATE}\n\
    set = DB(test/was)=${OLD_STATE}>${STATE}\n";

/// After a crash the next load undoes what the present status does not want, and repeats
/// what Asterisk forgot.
#[test]
fn the_next_load_undoes_what_a_crash_left_in_force() {
    let blocks = format!("{DND}{PAUSE}{WHERE}");
    let ast = builder(&blocks, "action = dnd,pause,where,logout\n").start();
    add(&ast, "602");
    ast.set_custom("300", "dnd");
    set_alice(&ast, "dnd");
    assert_eq!(paused(&ast, "600", BOB), by_us());
    assert_eq!(paused(&ast, "602", ALICE), by_us());
    wait_until("the record on disk", || {
        let on_disk = |key| ast.astdb_on_disk(key);
        let record = on_disk("/UserPresence/action/alice")?;
        let seen = on_disk("/test/seen") == ast.astdb("test/seen");
        (record.contains("DND/200") && seen && on_disk("/DND/200")? == "YES").then_some(())
    });
    ast.kill9();
    // Alice's status changes meanwhile, bob's does not.
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
    // Asterisk forgets a static member's pause.
    assert_eq!(paused(&ast, "600", BOB), by_us());
    ast.set_custom("300", "available");
    through(&ast);
    assert_eq!(ast.astdb("DND/300"), None);
    assert_eq!(paused(&ast, "600", BOB), not_paused());
    assert!(ast.cli("userpresence show actions").ends_with("1 in force"));
}

/// A manager of class `system` can write AstDB and load modules, but may not call
/// functions: the rows that say what to undo must not call any on the manager's behalf.
#[test]
fn a_forged_row_calls_no_function() {
    let ast = builder(DND, "action = dnd\n")
        .modules(&["func_env"])
        .ami_user("operator", "system", "system")
        .start();
    let victim = ast.path("etc/victim.conf");
    fs::write(&victim, "theirs").expect("the test's own file");
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
        // The module undoes what the configuration names, as the row of an earlier run says.
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
    // The module tries neither of them again.
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

/// The administrator may name a dangerous function. The module restores the value that it
/// read itself, never one from a row of an earlier run.
#[test]
fn a_dangerous_function_named_in_the_configuration_runs() {
    let note = std::env::temp_dir().join(format!("userpresence-note-{}", std::process::id()));
    fs::write(&note, "theirs").expect("the test's own file");
    let there = || fs::read_to_string(&note).expect("the file");
    let blocks = format!(
        "[note]\ntype = action\nstatus = dnd\nset = FILE({})=${{STATE}}\n",
        note.display()
    );
    let ast = builder(&blocks, "action = note\n")
        .modules(&["func_env"])
        .start();
    for how in ["at once", "after an unload"] {
        set_alice(&ast, "dnd");
        assert_eq!(there(), "dnd", "{how}");
        if how != "at once" {
            assert!(ast.unload_module(MODULE).ok());
            assert!(ast.load_module(MODULE).ok());
            through(&ast);
        }
        set_alice(&ast, "available");
        assert_eq!(there(), "theirs", "{how}");
        assert_eq!(ast.complaints(), Vec::<String>::new());
    }
    set_alice(&ast, "dnd");
    ast.restart(true);
    set_alice(&ast, "available");
    assert_eq!(there(), "dnd");
    ast.wait_log("Dangerous function FILE write blocked");
    ast.wait_log("failed: undo of FILE(");
    let _ = fs::remove_file(&note);
}

/// Actions in force survive a stop and an unload, and end with their status.
#[test]
fn actions_in_force_survive_a_stop_and_an_unload() {
    let blocks = format!("{DND}{PAUSE}{WHERE}");
    let ast = builder(&blocks, "action = dnd,pause,where\n").start();
    add(&ast, "602");
    set_alice(&ast, "dnd");
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
    set_alice(&ast, "available");
    assert_eq!(ast.astdb("DND/200"), None);
    assert_eq!(ast.astdb("test/was"), None);
    assert_eq!(ast.getvar("GLOBAL(was)"), "");
    assert_eq!(paused(&ast, "602", ALICE), not_paused());
}

/// A reload applies the new configuration to actions in force, and undoes the actions of
/// a removed user.
#[test]
fn a_reload_undoes_actions_that_are_no_longer_configured() {
    let blocks = format!("{DND}{PAUSE}");
    let ast = builder(&blocks, "action = dnd,pause\n").start();
    add(&ast, "602");
    ast.set_custom("300", "dnd");
    set_alice(&ast, "dnd");
    assert_eq!(paused(&ast, "602", ALICE), by_us());
    let reload = |text: &str| {
        ast.write_config("userpresence.conf", text);
        assert!(ast.reload().ok());
        through(&ast);
    };
    // Without a change nothing happens: a change made by hand stays.
    ast.set_astdb("DND/200", "by hand");
    pause(&ast, "602", ALICE, "no", "");
    reload(&config(&blocks, "action = dnd,pause\n"));
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("by hand"));
    assert_eq!(paused(&ast, "602", ALICE), not_paused());
    ast.set_astdb("DND/200", "YES");
    pause(&ast, "602", ALICE, "yes", "UserPresence");
    // The configuration no longer pauses.
    reload(&config(&blocks, "action = dnd\n"));
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("YES"));
    assert_eq!(paused(&ast, "602", ALICE), not_paused());
    assert_eq!(paused(&ast, "600", BOB), not_paused());
    // The configuration no longer has alice, and bob has no actions.
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

/// An action that hangs (here a function that reads a pipe) delays neither Asterisk's
/// threads nor a call, and an unload only briefly.
#[test]
fn a_hanging_action_delays_nothing_else() {
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
    // The first pipe shows that the thread has come; then the thread hangs at the second.
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
        // The reader's end comes when the last writer closes.
        for pipe in &pipes {
            let writer = fs::OpenOptions::new().read(true).write(true).open(pipe);
            drop(writer.expect("the pipe"));
        }
    };
    hang();
    // Everything else goes on. Of the changes meanwhile, the first old state and the last
    // new one count.
    for state in ["away", "chat", "xa"] {
        ast.set_custom("200", state);
        ast.wait_hint_presence("2000", state);
    }
    assert_eq!(ast.astdb("test/was"), None);
    wait_until("what came last", || {
        release();
        (ast.astdb("test/was")? == "dnd>xa").then_some(())
    });

    // An unload gives up a hanging action after a while, and the action does nothing when
    // it returns; the next load knows what is in force.
    hang();
    assert!(ast.unload_module(MODULE).ok());
    ast.wait_log("An action does not come to its end, it is given up");
    ast.set_custom("200", "away");
    release();
    ast.wait_log("failed: all actions: the module was unloaded meanwhile");
    assert_eq!(ast.astdb("test/was").as_deref(), Some("dnd>xa"));
    assert!(ast.load_module(MODULE).ok());
    through(&ast);
    let was = ast.astdb("test/was");
    assert_eq!(was.as_deref(), Some("xa>away"));
}

/// After a panic, which is logged, the next actions of this user and of others run.
#[test]
fn a_panic_in_an_action_stops_no_other_action() {
    let ast = Instance::selftest()
        .userpresence(&config(DND, "action = dnd\n"))
        .start();
    // The first actions are those of the load.
    through(&ast);
    ast.cli("userpresence selftest panic action");
    ast.set_custom("200", "dnd");
    ast.wait_log("please report it: forced by a test in action");
    ast.set_custom("300", "dnd");
    through(&ast);
    assert_eq!(ast.astdb("DND/200"), None);
    assert_eq!(ast.astdb("DND/300").as_deref(), Some("YES"));
    set_alice(&ast, "dnd,again");
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("YES"));
}

/// While another program, for example a backup, locks AstDB's file, no action runs and no
/// value counts as absent.
#[test]
fn actions_wait_for_a_locked_database() {
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
    set_alice(&ast, "away");
    assert_eq!(ast.astdb("DND/200").as_deref(), Some("by hand"));
    let followme = ast.astdb("AMPUSER/200/followme/ddial");
    assert_eq!(followme.as_deref(), Some("DIRECT"));
    assert_eq!(in_force(&ast), "0 in force");
}
