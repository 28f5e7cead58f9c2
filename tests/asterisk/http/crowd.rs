//! Many passwords at the same time.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::proxy::forwarded;
use super::{builder, code, session, users};
use crate::harness::Instance;
use crate::harness::api::basic;

/// A hash of the password `secret` in Debian's default format, which takes about 16 MB to
/// check.
const YESCRYPT: &str = "$y$j9T$abcdefghijklmnop$3dL1LkYnZM.OVXuVdnnaKVDlLYT92dRwOzDZ5XiVCe.";

fn more(name: &str, hash: &str) -> String {
    format!("[{name}]\ntype = api_user\npassword = {hash}\naccount = main\n")
}

/// The peak of Asterisk's memory since it was last reset, in kB.
fn peak(ast: &Instance) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", ast.pid())).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("a number of kB")
}

#[test]
fn fifty_parallel_attempts_take_no_more_memory_than_a_few() {
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
fn an_attempt_that_cannot_be_checked_in_time_gets_a_time_to_retry() {
    let ast = Instance::selftest().userpresence(&users("")).http().start();
    assert_eq!(session(&ast, &basic("boss", "secret")).status, 200);
    ast.cli("userpresence selftest passwords hold");
    // As many as would have to wait if they had failed.
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                let refused = session(&ast, &basic("panel", "guess"));
                assert_eq!((refused.status, code(&refused).as_str()), (503, "busy"));
                assert_eq!(refused.header("Retry-After"), "1");
            });
        }
    });
    // A password that was checked before is not checked again.
    assert_eq!(session(&ast, &basic("boss", "secret")).status, 200);
    thread::scope(|scope| {
        let waits = scope.spawn(|| session(&ast, &basic("panel", "secret")).status);
        ast.cli("userpresence selftest passwords free");
        assert_eq!(waits.join().expect("an answer"), 200);
    });
}

#[test]
fn a_caller_who_keeps_guessing_starves_no_other() {
    let names: String = (0..6).map(|n| more(&format!("one{n}"), YESCRYPT)).collect();
    let ast = builder(&(users("trusted_proxy = 127.0.0.1") + &names)).start();
    let stop = AtomicBool::new(false);
    let attack = &|thread: usize| {
        for guess in 0.. {
            if stop.load(Ordering::Relaxed) {
                return guess;
            }
            let answer = forwarded(&ast, "192.0.2.1", &format!("{thread}-{guess}"), "guess");
            assert!(matches!(answer.status, 401 | 503), "{answer:?}");
        }
        0
    };
    let guesses = thread::scope(|scope| {
        let attackers: Vec<_> = (0..20)
            .map(|thread| scope.spawn(move || attack(thread)))
            .collect();
        // From elsewhere, and in turn from the same address.
        for name in 0..6 {
            let from = ["192.0.2.2", "192.0.2.1"][name % 2];
            let answer = forwarded(&ast, from, &format!("one{name}"), "secret");
            assert_eq!(answer.status, 200, "{from}: {answer:?}");
        }
        stop.store(true, Ordering::Relaxed);
        let ends = attackers
            .into_iter()
            .map(|one| one.join().expect("its end"));
        ends.sum::<usize>()
    });
    assert!(guesses > 20, "{guesses}");
}
