//! State survives a stop, a `kill -9`, a locked and a damaged database.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::Lock;
use crate::harness::users::{assert_consistent, json, read, sequence, wait_state};
use crate::harness::{Instance, MODULE, wait_until};

const USERS: &str = "[general]\n\
    [alice]\ntype = user\nmethod = latest\nextension = 200\nextension = 201\nextension = 202\n\
    [bob]\ntype = user\noutgoing = none\nextension = 200\n\
    [carol]\ntype = user\nmethod = none\n\
    [team]\ntype = user\nmethod = latest\nsource = UserPresence:bob\nsource = UserPresence:alice\n";

const NAMES: [&str; 4] = ["alice", "bob", "carol", "team"];

fn all(ast: &Instance) -> Vec<Value> {
    NAMES.iter().map(|user| json(ast, user)).collect()
}

/// Waits until Asterisk has committed AstDB this number of times.
#[track_caller]
fn wait_commits(ast: &Instance, count: usize) {
    let changed = || {
        let file = fs::metadata(ast.path("lib/astdb.sqlite3"));
        file.and_then(|file| file.modified()).ok()
    };
    for _ in 0..count {
        let before = changed();
        wait_until("a commit", || (changed() != before).then_some(()));
    }
}

/// Waits until everything set by [`use_it`] is on disk.
#[track_caller]
fn wait_all_on_disk(ast: &Instance) {
    for (source, state) in [("200", "available"), ("201", "away"), ("202", "chat")] {
        ast.wait_astdb_on_disk(
            &format!("/UserPresence/source/CustomPresence:{source}"),
            state,
        );
    }
    for user in NAMES {
        let sequence = format!("\"sequence\":{}", sequence(ast, user));
        ast.wait_astdb_on_disk(&format!("/UserPresence/user/{user}"), &sequence);
    }
}

/// Sets every kind of state that is stored.
fn use_it(ast: &Instance) {
    ast.set_custom("202", "chat,c,Third");
    ast.set_custom("200", "available,a,First");
    ast.set_custom("201", "away,b,\"Second\"; one");
    ast.setvar("USER_PRESENCE(bob)", "dnd,focus,Größe \"L\"");
    ast.setvar("USER_PRESENCE(carol)", "xa,,C:\\, D:");
    wait_state(ast, "alice", "away");
}

#[test]
fn every_answer_is_the_same_after_each_kind_of_stop() {
    let ast = Instance::builder().userpresence(USERS).start();
    use_it(&ast);
    let before = all(&ast);
    assert_eq!(before[0]["source"], "CustomPresence:201");
    assert_eq!(before[2]["message"], "C:, D:");
    // An orderly end of Asterisk keeps even the last change.
    for graceful in [false, true] {
        let state = if graceful { "dnd" } else { "chat" };
        ast.setvar("USER_PRESENCE(carol)", state);
        let before = all(&ast);
        ast.restart(graceful);
        assert_eq!(all(&ast), before, "graceful: {graceful}");
    }

    // A kill keeps what is on disk.
    let before = all(&ast);
    wait_all_on_disk(&ast);
    ast.kill9();
    ast.start_again();
    assert_eq!(all(&ast), before);
    // Method `latest` continues from the stored state.
    ast.set_custom("202", "not_set");
    ast.set_custom("201", "not_set");
    wait_state(&ast, "alice", "available");
    assert_eq!(read(&ast, "alice,source"), "CustomPresence:200");
}

/// Numbers have no gap after `core stop now` or a graceful stop; after a kill they may
/// jump, but never repeat.
#[test]
fn account_numbers_continue_after_each_kind_of_stop() {
    let ast = Instance::builder().userpresence(USERS).start();
    let change = |state: &str| {
        ast.setvar("USER_PRESENCE(carol)", state);
        sequence(&ast, "carol")
    };
    let mut last = change("dnd");
    for (graceful, state) in [(false, "xa"), (true, "away"), (false, "xa")] {
        ast.restart(graceful);
        let next = change(state);
        assert_eq!(next, last + 1, "graceful: {graceful}");
        last = next;
    }
    assert!(ast.unload_module(MODULE).ok());
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(change("dnd"), last + 1);

    for (round, state) in ["unavailable", "available", "chat"].iter().enumerate() {
        // The last numbers are not on disk yet at the kill.
        for state in ["xa", "away", "dnd", "xa"] {
            last = change(state);
        }
        ast.kill9();
        ast.start_again();
        // A state that was never set before: the one that is on disk would change nothing.
        let next = change(state);
        assert!(next > last, "round {round}: {next} after {last}");
    }
}

fn sequence_file(ast: &Instance) -> Value {
    let text = fs::read_to_string(ast.path("lib/userpresence-sequence.json"));
    serde_json::from_str(&text.expect("the file")).expect("JSON")
}

/// Numbers are reserved on disk before they are used. Here Asterisk is killed before AstDB
/// commits anything, and the clock was ahead earlier.
#[test]
fn no_number_is_used_twice_whatever_the_clock_says() {
    let ast = Instance::builder().userpresence(USERS).start();
    let mut last = sequence_of_next_change(&ast);
    assert!(ast.stop().success());
    assert_eq!(
        sequence_file(&ast),
        serde_json::json!({"clean": true, "accounts": {"default": last}})
    );
    // As if the clock had been an hour ahead at the account's first number.
    let ahead = last + 3_600_000_000;
    let text = format!(r#"{{"clean":true,"accounts":{{"default":{ahead}}}}}"#);
    fs::write(ast.path("lib/userpresence-sequence.json"), text).expect("the file");
    last = ahead;
    for round in 0..4 {
        ast.start_again();
        for _ in 0..5 {
            let next = sequence_of_next_change(&ast);
            assert!(next > last, "round {round}: {next} after {last}");
            last = next;
        }
        // Killed at once: AstDB's file has nothing of this run.
        ast.kill9();
    }
    // A number at the end of its range is refused and does not wrap around.
    let text = format!(r#"{{"clean":true,"accounts":{{"default":{}}}}}"#, u64::MAX);
    fs::write(ast.path("lib/userpresence-sequence.json"), text).expect("the file");
    ast.start_again();
    let complaints = ast.complaints();
    let expected = "the number 18446744073709551615 of account 'default' is too high";
    let told = complaints.iter().filter(|line| line.contains(expected));
    assert_eq!(told.count(), 1, "{complaints:#?}");
    assert!(ast.path("lib/userpresence-sequence.damaged").exists());
    let first = sequence_of_next_change(&ast);
    assert_eq!(sequence_of_next_change(&ast), first + 1);
    assert!(first < 1 << 53);
}

/// After a kill in a storm of writes, everything set before the storm is there, and what
/// the storm set is consistent.
#[test]
fn a_kill_during_many_writes_loses_only_the_last_moment() {
    let storm = "[s1]\ntype = user\nextension = 301\nextension = 302\n\
                 [s2]\ntype = user\nmethod = latest\nextension = 302\nextension = 303\n\
                 [s3]\ntype = user\noutgoing = none\n\
                 [s4]\ntype = user\nmethod = latest\nsource = UserPresence:s1\nsource = UserPresence:s2\n";
    let ast = Instance::builder()
        .userpresence(&format!("{USERS}{storm}"))
        .start();
    use_it(&ast);
    let before = all(&ast);
    wait_all_on_disk(&ast);

    let (ended, highest) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let (ended, highest) = (&ended, &highest);
        let _end = End(ended);
        for user in ["s1", "s2", "s3", "s1"] {
            let ami = ast.ami();
            scope.spawn(move || {
                for number in 0.. {
                    let state = ["dnd", "away", "chat", "xa", "available"][number % 5];
                    let message = number.to_string();
                    let set = [
                        ("Action", "UserPresenceSet"),
                        ("User", user),
                        ("Status", state),
                        ("Message", &message),
                    ];
                    if ended.load(Ordering::Relaxed) || ami.try_action(&set).is_err() {
                        return;
                    }
                    for event in ami.take_events() {
                        let number = event.get("Sequence").and_then(|n| n.parse().ok());
                        highest.fetch_max(number.unwrap_or(0), Ordering::Relaxed);
                    }
                }
            });
        }
        // Part of the storm is on disk; the kill comes between two commits.
        wait_commits(&ast, 3);
        ast.kill9();
    });

    ast.start_again();
    assert_eq!(all(&ast), before);
    for user in ["s1", "s2"] {
        assert_consistent(&ast, user);
    }
    assert_eq!(read(&ast, "s3,source"), "own");
    let next = sequence_of_next_change(&ast);
    let highest = highest.load(Ordering::Relaxed);
    assert!(highest > 0 && next > highest, "{next} after {highest}");
}

/// Ends the storm on drop, also if the test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn sequence_of_next_change(ast: &Instance) -> u64 {
    let new = if read(ast, "carol") == "dnd" {
        "away"
    } else {
        "dnd"
    };
    ast.setvar("USER_PRESENCE(carol)", new);
    sequence(ast, "carol")
}

/// The module notices changes made while it was away, and they count as set now.
#[test]
fn a_change_while_the_module_is_away_counts_as_set_now() {
    let ast = Instance::builder().userpresence(USERS).start();
    use_it(&ast);
    let began = json(&ast, "alice")["since"].as_u64().expect("a time");

    // The module is unloaded.
    assert!(ast.unload_module(MODULE).ok());
    ast.cli("presencestate change CustomPresence:202 dnd");
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(read(&ast, "alice,source"), "CustomPresence:202");
    assert_eq!(read(&ast, "alice"), "dnd");
    let found = json(&ast, "alice")["since"].as_u64().expect("a time");
    assert!(found > began);

    // Asterisk is stopped and AstDB edited. The other users stay unchanged.
    let before = json(&ast, "bob");
    assert!(ast.stop().success());
    let astdb = ast.path("lib/astdb.sqlite3");
    let sql = "UPDATE astdb SET value = 'xa,edited,By hand' WHERE key = '/CustomPresence/201';";
    let status = Command::new("sqlite3")
        .arg(&astdb)
        .arg(sql)
        .status()
        .expect("sqlite3");
    assert!(status.success());
    ast.start_again();
    let alice = json(&ast, "alice");
    assert_eq!(
        (alice["state"].as_str(), alice["message"].as_str()),
        (Some("xa"), Some("By hand"))
    );
    assert!(alice["since"].as_u64() > Some(found));
    assert_eq!(alice["sources"][2]["since"].as_u64(), Some(found));
    assert_eq!(json(&ast, "bob"), before);

    // The state is removed: `not_set` never wins over a source that is set.
    assert!(ast.unload_module(MODULE).ok());
    ast.set_custom("201", "not_set");
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(read(&ast, "alice,source"), "CustomPresence:202");
}

/// Unreadable rows are left out, each with a warning; the other rows are used.
#[test]
fn damaged_rows_are_left_out_with_a_warning() {
    let ast = Instance::builder().userpresence(USERS).start();
    use_it(&ast);
    assert!(ast.stop().success());
    let astdb = ast.path("lib/astdb.sqlite3");
    let set = |key: &str, value: &str| {
        let sql = format!("INSERT OR REPLACE INTO astdb VALUES ('/UserPresence/{key}', {value});");
        let status = Command::new("sqlite3")
            .arg(&astdb)
            .arg(sql)
            .status()
            .expect("sqlite3");
        assert!(status.success());
    };
    set("user/carol", "'{\"own\":{\"state\":'");
    set(
        "user/bob",
        "'{\"own\":{\"state\":\"asleep\",\"since\":1},\"sequence\":1}'",
    );
    set("source/CustomPresence:202", "'nonsense'");
    set("source/CustomPresence:201", "''");
    set("unknown/thing", "'1'");
    let log = ast.log().len();
    ast.start_again();
    let said = ast.complaints();
    for key in [
        "user/carol",
        "source/CustomPresence:202",
        "source/CustomPresence:201",
    ] {
        let expected = format!("AstDB entry 'UserPresence/{key}' cannot be read and is left out");
        let lines: Vec<_> = said
            .iter()
            .filter(|line| line.contains(&expected))
            .collect();
        assert_eq!(lines.len(), 1, "{key}: {said:#?}");
        assert!(lines[0].contains("WARNING["), "{}", lines[0]);
    }
    let own = "'own' of AstDB entry 'UserPresence/user/bob' cannot be read and is left out";
    let lines = said.iter().filter(|line| line.contains(own));
    assert_eq!(lines.count(), 1, "{said:#?}");
    assert!(!ast.log()[log..].contains("Panic"));
    assert_eq!(read(&ast, "carol"), "not_set");
    assert_eq!(read(&ast, "bob"), "available");
    // The sources keep their presence, which counts as set now.
    let alice = json(&ast, "alice");
    assert_eq!(alice["sources"][0]["message"], "First");
    assert!(
        ["CustomPresence:201", "CustomPresence:202"]
            .contains(&alice["source"].as_str().expect("one"))
    );
    ast.setvar("USER_PRESENCE(carol)", "dnd");
    assert_eq!(read(&ast, "carol"), "dnd");
}

/// While another program locks AstDB's file, no call waits for it, and once the file is
/// free everything set meanwhile is stored.
#[test]
fn a_locked_database_blocks_no_call_and_loses_nothing() {
    let ast = Instance::builder()
        .userpresence(USERS)
        .hint("2000", ",UserPresence:carol")
        .start();
    use_it(&ast);
    wait_all_on_disk(&ast);
    let ami = ast.ami();
    let lock = Lock::exclusive(&ast);
    let mut slowest = Duration::ZERO;
    let mut number = 0;
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        number += 1;
        let begin = Instant::now();
        let state = ["dnd", "away", "chat"][number % 3];
        let message = format!("locked-{number}");
        let set = [
            ("Action", "UserPresenceSet"),
            ("User", "carol"),
            ("Status", state),
            ("Message", &message),
        ];
        assert!(ami.action(&set).ok());
        let set = [
            ("Action", "UserPresenceSet"),
            ("User", "alice"),
            ("Status", state),
            ("Message", &message),
        ];
        assert!(ami.action(&set).ok());
        assert_eq!(read(&ast, "carol,message"), message);
        assert_eq!(read(&ast, "alice,message"), message);
        slowest = slowest.max(begin.elapsed());
    }
    // Far below the three seconds of the lock, and far above the usual time.
    assert!(
        slowest < Duration::from_millis(1500),
        "four calls took {slowest:?}"
    );
    assert!(number > 3, "{number} rounds");
    ast.wait_hint_presence("2000", ["dnd", "away", "chat"][number % 3]);
    let disk = ast.wait_log("AstDB does not keep presence, it is tried again: ");
    assert!(disk.contains("WARNING["));

    lock.release();
    ast.wait_astdb_on_disk("/UserPresence/user/carol", &format!("locked-{number}\""));
    ast.wait_astdb_on_disk(
        "/UserPresence/user/carol",
        &format!("\"sequence\":{}", sequence(&ast, "carol")),
    );
    let before = json(&ast, "carol");
    ast.kill9();
    ast.start_again();
    assert_eq!(json(&ast, "carol"), before);
}

/// A status set while AstDB cannot store it survives a kill, even if it is written to the
/// extensions: the old value of CustomPresence must not win.
#[test]
fn a_status_set_while_astdb_fails_survives_a_kill() {
    for (what, lock) in [
        ("locked", Lock::exclusive as fn(&Instance) -> Lock),
        ("no commit", Lock::shared),
    ] {
        let users: Vec<String> = (0..10).map(|n| format!("u{n}")).collect();
        let section = |(n, user): (usize, &String)| {
            format!("[{user}]\ntype = user\nextension = 4{n}0\nextension = 4{n}1\n")
        };
        let conf: String = users.iter().enumerate().map(section).collect();
        let ast = Instance::builder().userpresence(&conf).start();
        for user in &users {
            ast.setvar(&format!("USER_PRESENCE({user})"), "available,,Before");
        }
        wait_until("CustomPresence on disk", || {
            let row = ast.astdb_on_disk("/CustomPresence/491")?;
            row.contains("Before").then_some(())
        });
        let lock = lock(&ast);
        for user in &users {
            ast.setvar(&format!("USER_PRESENCE({user})"), "dnd,,Meanwhile");
        }
        // Long enough for a failed commit and a new attempt.
        std::thread::sleep(Duration::from_secs(3));
        lock.release();
        for (n, user) in users.iter().enumerate() {
            ast.wait_astdb_on_disk(&format!("/UserPresence/user/{user}"), "Meanwhile");
            for extension in [format!("4{n}0"), format!("4{n}1")] {
                ast.wait_astdb_on_disk(
                    &format!("/UserPresence/source/CustomPresence:{extension}"),
                    "Meanwhile",
                );
                wait_until(&format!("{what}: {extension} on disk"), || {
                    let row = ast.astdb_on_disk(&format!("/CustomPresence/{extension}"))?;
                    row.contains("Meanwhile").then_some(())
                });
            }
        }
        let before: Vec<Value> = users.iter().map(|user| json(&ast, user)).collect();
        ast.kill9();
        ast.start_again();
        let after: Vec<Value> = users.iter().map(|user| json(&ast, user)).collect();
        assert_eq!(after, before, "{what}");
        assert_eq!(after[0]["state"], "dnd");
    }
}
