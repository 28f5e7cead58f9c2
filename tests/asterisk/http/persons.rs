//! People who log in with the password of their own section, and change it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::{CHANGED, builder, code, get, session};
use crate::harness::api::{HASH, JSON, SESSION, api_user, basic, cookie, put, sign_in};
use crate::harness::users::{read, wait_state};
use crate::harness::{Answer, Instance, MODULE, wait_until};

const PASSWORD: &str = "/userpresence/v1/session/password";

/// Alice and Carol with the password `secret`, Bob without one, and an administrator.
fn people(general: &str) -> String {
    format!(
        "[general]\n{general}\n\
         [alice]\ntype = user\nid = 4711\naccount = main\nextension = 200\npassword = {HASH}\n\
         outgoing = none\n\
         [bob]\ntype = user\naccount = main\nextension = 201\n\
         [carol]\ntype = user\naccount = main\nextension = 201\npassword = {HASH}\n{}",
        api_user("boss", "account = main\nrole = admin")
    )
}

fn change(ast: &Instance, credentials: &str, old: &str, new: &str) -> Answer {
    let body = json!({"old": old, "new": new}).to_string();
    ast.http("PUT", PASSWORD, &[credentials, JSON], &body)
}

#[test]
fn a_person_logs_in_as_self_with_the_password_of_the_own_section() {
    let ast = builder(&people("")).start();
    for name in ["alice", "Alice", "4711", "200"] {
        let answer = session(&ast, &basic(name, "secret"));
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        let caller = answer.json();
        let parts = ["name", "role", "account", "user", "extensionId"].map(|part| &caller[part]);
        assert_eq!(parts, ["alice", "self", "main", "alice", "4711"], "{name}");
        let may = &caller["may"];
        assert_eq!(
            (&may["settings"], &may["password"]),
            (&true.into(), &true.into())
        );
    }
    // Without a password, with an extension of two people, unknown.
    for name in ["bob", "201", "nobody"] {
        assert_eq!(session(&ast, &basic(name, "secret")).status, 401, "{name}");
    }
    let may = &session(&ast, &basic("boss", "secret")).json()["may"];
    assert_eq!(
        (&may["settings"], &may["password"]),
        (&false.into(), &false.into())
    );
    let presence = |who: &str| format!("/userpresence/v1/account/~/extension/{who}/presence");
    let away = json!({"status": "away"});
    for (who, status) in [("~", 200), ("alice", 200), ("bob", 403), ("nobody", 404)] {
        assert_eq!(
            put(&ast, "alice", &presence(who), &away).status,
            status,
            "{who}"
        );
    }
    assert_eq!(
        get(&ast, &presence("bob"), &[&basic("alice", "secret")]).status,
        200
    );
    // The failures of one person count together, however the person is named.
    for name in ["carol", "alice", "4711", "200", "ALICE", "4711"] {
        assert_eq!(session(&ast, &basic(name, "guess")).status, 401, "{name}");
    }
    for name in ["alice", "4711", "200"] {
        assert_eq!(session(&ast, &basic(name, "guess")).status, 429, "{name}");
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_person_s_session_ends_with_the_password_or_the_user() {
    let ast = builder(&people("")).start();
    let events = "/userpresence/v1/account/~/events";
    for text in [
        people("").replace(HASH, CHANGED),
        people("").replace("[alice]", "[alison]"),
        people("").replacen(&format!("password = {HASH}\n"), "", 1),
    ] {
        let cookie = sign_in(&ast, "alice", &[]);
        let mut stream = ast.stream(events, &[&cookie]);
        ast.write_config("userpresence.conf", &text);
        assert!(ast.reload().ok());
        assert_eq!(session(&ast, &cookie).status, 401, "{text}");
        while stream.next().is_some() {}
        ast.write_config("userpresence.conf", &people(""));
        assert!(ast.reload().ok());
    }
}

#[test]
fn an_api_user_of_the_same_name_comes_first() {
    let text = people("") + &api_user("ALICE", "account = main\nrole = read");
    let ast = builder(&text).start();
    ast.wait_log("there is an API user of the same name: 'alice' logs in as that one");
    assert_eq!(
        session(&ast, &basic("alice", "secret")).json()["role"],
        "read"
    );
    assert_eq!(session(&ast, &basic("4711", "secret")).status, 401);
}

#[test]
fn a_person_of_the_database_logs_in_too() {
    let sql = format!(
        "CREATE TABLE userpresence (name TEXT, account TEXT, extension TEXT, password TEXT);\
         INSERT INTO userpresence VALUES ('nora', 'main', '210', '{HASH}');\
         INSERT INTO userpresence VALUES ('otto', 'main', '211', NULL);"
    );
    let ast = builder(&people(""))
        .realtime(&["userpresence"], &sql)
        .start();
    let cookie = sign_in(&ast, "nora", &[]);
    assert_eq!(session(&ast, &cookie).json()["user"], "nora");
    assert_eq!(session(&ast, &basic("otto", "secret")).status, 401);
    let events = "/userpresence/v1/account/~/events";
    let stream = |by: &str| ast.stream(events, &[by]);
    let by_password = basic("nora", "secret");
    let mut ended = [&cookie, &by_password].map(|by| stream(by));
    let mut alice = stream(&basic("alice", "secret"));
    ast.setvar("USER_PRESENCE(bob)", "away");
    for stream in ended.iter_mut().chain([&mut alice]) {
        // Each has looked at its login once.
        stream.expect("presence");
    }
    ast.realtime_sql(&format!("UPDATE userpresence SET password = '{CHANGED}'"));
    assert!(
        ast.cli("userpresence reload user nora")
            .contains("read anew")
    );
    assert_eq!(session(&ast, &cookie).status, 401);
    // What she reads ends at once, and what others read goes on.
    for stream in &mut ended {
        while stream.next().is_some() {}
    }
    ast.setvar("USER_PRESENCE(bob)", "dnd");
    wait_until("bob's event", || {
        (alice.expect("presence").data["ownerId"] == "bob").then_some(())
    });
    assert_eq!(session(&ast, &basic("nora", "changed")).status, 200);
    assert!(
        ast.cli("userpresence reload user otto")
            .contains("read anew")
    );
    assert_eq!(session(&ast, &basic("otto", "changed")).status, 200);
    ast.realtime_sql("UPDATE userpresence SET password = 'plain' WHERE name = 'nora'");
    let refused = ast.cli("userpresence reload user nora");
    assert!(refused.contains("column 'password'"), "{refused}");
    assert!(!refused.contains("plain"), "{refused}");
}

#[test]
fn a_person_changes_the_own_password_and_other_sessions_end() {
    let text = people("login_status = chat\nlogout_status = xa");
    let ast = builder(&text).start();
    let (own, other) = (sign_in(&ast, "alice", &[]), sign_in(&ast, "4711", &[]));
    let events = "/userpresence/v1/account/~/events";
    let by_password = basic("alice", "secret");
    let mut ended = [&other, &by_password].map(|by| ast.stream(events, &[by.as_str()]));
    let mut carol = ast.stream(events, &[&basic("carol", "secret")]);
    wait_state(&ast, "alice", "chat");

    let changed = change(&ast, &own, "secret", "grüner Tee 7");
    assert_eq!(
        (changed.status, changed.body.as_str()),
        (204, ""),
        "{changed:?}"
    );
    let own_now = cookie(&changed);
    assert_eq!(session(&ast, &own_now).json()["user"], "alice");
    for gone in [&own, &other, &by_password] {
        assert_eq!(session(&ast, gone).status, 401, "{gone}");
    }
    for stream in &mut ended {
        while stream.next().is_some() {}
    }
    assert_eq!(session(&ast, &basic("alice", "grüner Tee 7")).status, 200);
    // She has been on a panel all the time, and the streams of others go on.
    assert_eq!(read(&ast, "alice"), "chat");
    ast.setvar("USER_PRESENCE(bob)", "dnd");
    wait_until("bob's event", || {
        (carol.expect("presence").data["ownerId"] == "bob").then_some(())
    });
    assert_eq!(ast.http("DELETE", SESSION, &[&own_now], "").status, 204);
    wait_state(&ast, "alice", "xa");

    let path = ast.path("lib/keys/userpresence.passwords");
    let mode = fs::metadata(&path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let kept = fs::read_to_string(&path).expect("a text");
    assert!(
        kept.starts_with("alice $6$") && !kept.contains("Tee"),
        "{kept}"
    );
    let database = ast.cli("database show");
    assert!(!database.contains("$6$"), "{database}");

    // Not even a kill loses it.
    ast.kill9();
    ast.start_again();
    let known = |password: &str| session(&ast, &basic("alice", password)).status;
    assert_eq!((known("secret"), known("grüner Tee 7")), (401, 200));
    // The administrator sets another one, which is valid from then on.
    ast.write_config("userpresence.conf", &text.replace(HASH, CHANGED));
    assert!(ast.reload().ok());
    assert_eq!((known("changed"), known("grüner Tee 7")), (200, 401));
    assert_eq!(fs::read_to_string(&path).expect("a text"), "");
    ast.write_config("userpresence.conf", &text);
    assert!(ast.reload().ok());
    assert_eq!((known("secret"), known("grüner Tee 7")), (200, 401));
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn the_periodic_look_at_the_database_ends_what_a_person_reads() {
    let sql = format!(
        "CREATE TABLE userpresence (name TEXT, account TEXT, password TEXT);\
         INSERT INTO userpresence VALUES ('nora', 'main', '{HASH}');"
    );
    let ast = builder(&people("realtime_refresh = 5"))
        .realtime(&["userpresence"], &sql)
        .start();
    let events = "/userpresence/v1/account/~/events";
    let mut stream = ast.stream(events, &[&basic("nora", "secret")]);
    ast.setvar("USER_PRESENCE(bob)", "away");
    // It has looked at its login once.
    stream.expect("presence");
    ast.realtime_sql("UPDATE userpresence SET password = NULL");
    while stream.next().is_some() {}
    assert_eq!(session(&ast, &basic("nora", "secret")).status, 401);
}

/// Reloads with another file of own passwords, and says who can log in with the first password.
#[track_caller]
fn logins_with(ast: &Instance, kept: &[u8]) -> [u16; 3] {
    let path = ast.path("lib/keys/userpresence.passwords");
    assert!(ast.unload_module(MODULE).ok());
    fs::write(&path, kept).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    assert!(ast.load_module(MODULE).ok());
    let first = |name: &str| session(ast, &basic(name, "secret")).status;
    ["alice", "carol", "boss"].map(first)
}

#[test]
fn a_damaged_file_makes_no_first_password_valid_again() {
    let ast = builder(&people("")).start();
    let alice = sign_in(&ast, "alice", &[]);
    assert_eq!(change(&ast, &alice, "secret", "grüner Tee 7").status, 204);
    let path = ast.path("lib/keys/userpresence.passwords");
    let good = fs::read(&path).expect("the file");
    // Nobody can say whose passwords these were.
    for damage in [
        [&good[..20], &[0xff, 0xfe], &good[22..]].concat(),
        [&good[..20], &[0; 100]].concat(),
        vec![b'x'; 64 * 1024 * 1024 + 1],
    ] {
        let errors = || ast.log().matches("and no person can log in").count();
        let before = errors();
        assert_eq!(logins_with(&ast, &damage), [401, 401, 200]);
        assert_eq!(errors(), before + 1);
        assert!(fs::read(&path).expect("the file") == damage);
    }
    // Repaired, a reload is enough.
    fs::write(&path, &good).expect("written");
    assert!(ast.reload().ok());
    let known = |password: &str| session(&ast, &basic("alice", password)).status;
    assert_eq!((known("secret"), known("grüner Tee 7")), (401, 200));

    // Of a line that is not whole, its user is known; others change theirs all the same.
    let broken = [&good[..40], b"\n"].concat();
    assert_eq!(logins_with(&ast, &broken), [401, 200, 200]);
    ast.wait_log("line 1 of '");
    let carol = sign_in(&ast, "carol", &[]);
    assert_eq!(change(&ast, &carol, "secret", "long enough").status, 204);
    let kept = fs::read(&path).expect("the file");
    assert!(kept.ends_with(&broken) && kept.starts_with(b"carol $6$"));
    assert_eq!(session(&ast, &basic("carol", "long enough")).status, 200);
    assert_eq!(session(&ast, &basic("alice", "secret")).status, 401);
}

#[test]
fn the_own_password_of_a_removed_user_is_forgotten() {
    let ast = builder(&people("")).start();
    for name in ["alice", "carol"] {
        let session = sign_in(&ast, name, &[]);
        assert_eq!(change(&ast, &session, "secret", "long enough").status, 204);
    }
    let path = ast.path("lib/keys/userpresence.passwords");
    let names = || {
        let text = fs::read_to_string(&path).expect("a text");
        let names = text
            .lines()
            .map(|line| line.split(' ').next().map(str::to_owned));
        names.flatten().collect::<Vec<_>>()
    };
    ast.setvar("USER_PRESENCE(alice)", "dnd");
    let without = people("").replace("[alice]", "[alison]");
    ast.write_config("userpresence.conf", &without);
    assert!(ast.reload().ok());
    assert_eq!(names(), ["alice", "carol"]);
    let said = ast.cli("userpresence forget carol");
    assert!(said.contains("is configured"), "{said}");
    ast.cli("userpresence forget alice");
    assert_eq!(names(), ["carol"]);
    ast.write_config("userpresence.conf", &people(""));
    assert!(ast.reload().ok());
    let known = |name: &str, password: &str| session(&ast, &basic(name, password)).status;
    assert_eq!(
        (known("alice", "secret"), known("alice", "long enough")),
        (200, 401)
    );
    assert_eq!(known("carol", "long enough"), 200);
    // All removed users at once.
    ast.setvar("USER_PRESENCE(carol)", "dnd");
    ast.write_config(
        "userpresence.conf",
        &people("").replace("[carol]", "[caroline]"),
    );
    assert!(ast.reload().ok());
    ast.cli("userpresence forget all");
    assert_eq!(names(), Vec::<String>::new());
}

#[test]
fn a_new_password_that_cannot_be_is_refused() {
    let ast = builder(&people("http_ami_sessions = yes")).start();
    let alice = basic("alice", "secret");
    let refused = |answer: Answer, status, word: &str| {
        assert_eq!(
            (answer.status, code(&answer).as_str()),
            (status, word),
            "{answer:?}"
        );
    };
    let long = "a".repeat(256);
    for new in ["", "seven77", "secret", "with\ttab and more", &long] {
        refused(change(&ast, &alice, "secret", new), 400, "password");
    }
    let body = r#"{"new": "long enough"}"#;
    refused(
        ast.http("PUT", PASSWORD, &[&alice, JSON], body),
        400,
        "body",
    );
    refused(
        change(&ast, "X: y", "secret", "long enough"),
        401,
        "unauthorized",
    );
    // Those of programs and administrators are in the file.
    let boss = basic("boss", "secret");
    refused(change(&ast, &boss, "secret", "long enough"), 403, "role");
    let login = get(
        &ast,
        "/rawman?action=Login&username=admin&secret=secret",
        &[],
    );
    refused(
        change(&ast, &cookie(&login), "secret", "long enough"),
        403,
        "role",
    );
    // Guesses of the old password are limited as those of a login.
    for _ in 0..5 {
        refused(
            change(&ast, &alice, "guess", "long enough"),
            403,
            "old_password",
        );
    }
    let limited = change(&ast, &alice, "guess", "long enough");
    refused(limited.clone(), 429, "too_many");
    assert_ne!(limited.header("Retry-After"), "");
    assert_eq!(session(&ast, &alice).status, 200);
    assert!(!ast.path("lib/keys/userpresence.passwords").exists());

    // A password that cannot be stored: not even root can write over a directory.
    fs::create_dir_all(ast.path("lib/keys/userpresence.passwords.new")).expect("a directory");
    let carol = sign_in(&ast, "carol", &[]);
    refused(
        change(&ast, &carol, "secret", "long enough"),
        503,
        "storage",
    );
    assert_eq!(session(&ast, &carol).status, 200);
    assert_eq!(session(&ast, &basic("carol", "secret")).status, 200);
    fs::remove_dir(ast.path("lib/keys/userpresence.passwords.new")).expect("removed");
    assert_eq!(change(&ast, &carol, "secret", "long enough").status, 204);
}

/// The longest file that a process may write from now on, in bytes. Beyond it a write ends in
/// the middle, as on a full disk.
fn limit_files(ast: &Instance, bytes: libc::rlim_t) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: libc::RLIM_INFINITY,
    };
    let pid = libc::pid_t::try_from(ast.pid()).expect("a process id");
    // SAFETY: the pointer is that of a limit, and the old limit is not asked for.
    let set = unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &limit, std::ptr::null_mut()) };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn on_a_full_disk_the_old_password_stays() {
    let ast = builder(&people("")).start();
    let alice = sign_in(&ast, "alice", &[]);
    let changed = change(&ast, &alice, "secret", "the first one");
    let alice = cookie(&changed);
    let path = ast.path("lib/keys/userpresence.passwords");
    let before = fs::read_to_string(&path).expect("a text");
    limit_files(&ast, 64);
    let refused = change(&ast, &alice, "the first one", "the second one");
    limit_files(&ast, libc::RLIM_INFINITY);
    assert_eq!((refused.status, code(&refused).as_str()), (503, "storage"));
    assert!(
        refused.body.contains("the old one stays valid"),
        "{refused:?}"
    );
    assert_eq!(fs::read_to_string(&path).expect("a text"), before);
    assert!(!ast.path("lib/keys/userpresence.passwords.new").exists());
    assert_eq!(session(&ast, &alice).status, 200);
    let known = |password: &str| session(&ast, &basic("alice", password)).status;
    assert_eq!(
        (known("the first one"), known("the second one")),
        (200, 401)
    );
    let changed = change(&ast, &alice, "the first one", "the third one");
    assert_eq!((changed.status, known("the third one")), (204, 200));
}

#[test]
fn of_two_changes_at_the_same_time_one_is_made() {
    let ast = builder(&people("")).start();
    let sessions: Vec<String> = (0..4).map(|_| sign_in(&ast, "alice", &[])).collect();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads = sessions.iter().enumerate().map(|(number, session)| {
            let ast = &ast;
            let new = format!("password {number}");
            scope.spawn(move || change(ast, session, "secret", &new).status)
        });
        let threads: Vec<_> = threads.collect();
        threads
            .into_iter()
            .map(|it| it.join().expect("an answer"))
            .collect()
    });
    let made: Vec<usize> = (0..4).filter(|at| statuses[*at] == 204).collect();
    assert_eq!(made.len(), 1, "{statuses:?}");
    assert!(
        statuses.iter().all(|it| [204, 401, 403].contains(it)),
        "{statuses:?}"
    );
    let new = format!("password {}", made[0]);
    assert_eq!(session(&ast, &basic("alice", &new)).status, 200);
}

/// The file that the console's answer names, and its text.
#[track_caller]
fn sheet(ast: &Instance, said: &str) -> (String, String) {
    let path = said.split('\'').rfind(|part| part.starts_with('/'));
    let path = path.unwrap_or_else(|| panic!("{said}"));
    // The answer may come before the end.
    ast.wait_log(&format!("are in '{path}'"));
    let mode = fs::metadata(path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    (path.to_owned(), fs::read_to_string(path).expect("a text"))
}

#[test]
fn passwords_for_an_account_or_group_are_made_at_once() {
    let text = people("")
        + "[team](!)\ntype = user\naccount = main\ngroup = Sales\n[eve](team)\n[fred](team)\n\
           [grace]\ntype = user\naccount = other\ngroup = sales\n";
    let sql = "CREATE TABLE userpresence (name TEXT, account TEXT, password TEXT);\
               INSERT INTO userpresence VALUES ('nora', 'main', NULL);";
    let ast = builder(&text).realtime(&["userpresence"], sql).start();
    let said = ast.cli("userpresence password for account main");
    assert!(said.contains("4 passwords for account 'main'"), "{said}");
    let (path, made) = sheet(&ast, &said);
    let passwords: Vec<(&str, &str)> = made
        .lines()
        .filter_map(|line| line.strip_prefix("; ")?.split_once(": "))
        .filter(|(_, password)| password.len() == 19)
        .collect();
    let names: Vec<&str> = passwords.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["bob", "eve", "fred", "nora"], "{made}");
    for (_, password) in &passwords {
        assert!(!said.contains(password) && !ast.log().contains(password));
    }
    // What the file says is what the configuration takes.
    ast.write_config("userpresence.conf", &format!("{text}#include \"{path}\"\n"));
    let hash = made.lines().find_map(|line| line.strip_prefix("; nora: $"));
    let hash = hash.unwrap_or_else(|| panic!("{made}"));
    ast.realtime_sql(&format!("UPDATE userpresence SET password = '${hash}'"));
    assert!(ast.reload().ok());
    for (name, password) in &passwords {
        assert_eq!(session(&ast, &basic(name, password)).json()["user"], *name);
    }
    let none = ast.cli("userpresence password for account main");
    assert!(
        none.contains("Every user of account 'main' has a password"),
        "{none}"
    );
    let said = ast.cli("userpresence password for group SALES");
    assert!(said.contains("1 passwords for group 'SALES'"), "{said}");
    assert!(sheet(&ast, &said).1.contains("[grace](+)\npassword = $6$"));
    for (wrong, why) in [
        ("account nowhere", "There is no user of account 'nowhere'"),
        ("group Boats", "There is no user of group 'Boats'"),
        ("everybody", "Usage: userpresence password for"),
        ("account", "Usage: userpresence password for"),
    ] {
        let said = ast.cli(&format!("userpresence password for {wrong}"));
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn an_unload_ends_the_making_of_passwords() {
    let many: String = (0..3000)
        .map(|n| format!("[u{n}]\ntype = user\n"))
        .collect();
    let ast = builder(&many).start();
    let said = ast.cli("userpresence password for account default");
    assert!(
        said.contains("3000 passwords for account 'default' are being made"),
        "{said}"
    );
    let again = ast.cli("userpresence password for account default");
    assert!(again.contains("Other passwords are being made"), "{again}");
    assert!(ast.unload_module(MODULE).ok());
    ast.wait_log("could not be made: the module is being unloaded");
    let names = fs::read_dir(ast.path("lib/keys"))
        .expect("the directory")
        .flatten();
    let mut names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    assert!(!names.any(|name| name.contains("passwords")));
}
