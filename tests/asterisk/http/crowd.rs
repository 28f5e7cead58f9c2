//! Many passwords at a time.

use std::fs;
use std::thread;

use super::{SECRET, basic, builder, code, header, session, users};
use crate::harness::Instance;

/// A hash of the kind that Debian makes by itself, of the password `secret`: about 16 MB each.
const YESCRYPT: &str = "$y$j9T$abcdefghijklmnop$3dL1LkYnZM.OVXuVdnnaKVDlLYT92dRwOzDZ5XiVCe.";

/// One that takes seconds, of a password nobody knows.
const DEAR: &str = "$6$rounds=10000000$test$guessed";

fn more(name: &str, hash: &str) -> String {
    format!("[{name}]\ntype = api_user\npassword = {hash}\naccount = main\n")
}

/// The most memory that Asterisk had since `clear`, in kB.
fn peak(ast: &Instance) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", ast.pid())).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("a number of kB")
}

#[test]
fn fifty_tries_at_a_time_take_no_more_memory_than_a_few() {
    let ast = builder(&(users("") + &more("yes", YESCRYPT))).start();
    assert_eq!(session(&ast, &basic("yes", "secret")).status, 200);
    fs::write(format!("/proc/{}/clear_refs", ast.pid()), "5").expect("a peak begun anew");
    let before = peak(&ast);
    thread::scope(|scope| {
        for name in 0..50 {
            let ast = &ast;
            scope.spawn(move || {
                let answer = session(ast, &basic(&format!("made-up-{name}"), "guess"));
                assert!(matches!(answer.status, 401 | 503), "{answer:?}");
            });
        }
    });
    let more = peak(&ast).saturating_sub(before);
    println!("{more} kB more");
    assert!(more < 100_000, "{more} kB more");
    assert_eq!(session(&ast, &basic("panel", "secret")).status, 200);
}

#[test]
fn who_cannot_be_looked_at_in_time_is_told_when_to_come_again() {
    let dear: String = (0..3).map(|n| more(&format!("dear{n}"), DEAR)).collect();
    let ast = builder(&(users("") + &dear)).start();
    assert_eq!(session(&ast, &basic("boss", "secret")).status, 200);
    thread::scope(|scope| {
        let tries = (0..12).map(|n| {
            let (ast, name) = (&ast, format!("dear{}", n % 3));
            scope.spawn(move || session(ast, &basic(&name, &format!("guess{n}"))))
        });
        let tries: Vec<_> = tries.collect();
        let answers = tries.into_iter().map(|one| one.join().expect("an answer"));
        let answers: Vec<_> = answers.collect();
        let refused: Vec<_> = answers.iter().filter(|one| one.status == 503).collect();
        assert!(!refused.is_empty(), "{answers:?}");
        for refused in refused {
            assert_eq!(code(refused), "busy");
            assert_eq!(header(refused, "Retry-After"), "1");
        }
    });
    // It was no failure: nobody has to wait for it. Who was found good before is not looked at.
    assert_eq!(session(&ast, &basic("boss", "secret")).status, 200);
    assert_eq!(session(&ast, &basic("panel", "secret")).status, 200);
    assert!(SECRET.starts_with("$6$"));
}
