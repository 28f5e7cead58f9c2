//! The module comes and goes while phones watch, publish and press keys, and an application of
//! ARI listens: nothing crashes, no publication is lost, and every one of them goes on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::feature_keys::{keys_arrive, press_dnd};
use crate::harness::ari::{Socket, ari, with_ari};
use crate::harness::feature_phone::FeaturePhone;
use crate::harness::publisher::pidf;
use crate::harness::users::read;
use crate::harness::{Instance, ListSubscriber, MODULE, Publisher, Subscriber, wait_until};

const USERS: &str = "[general]\n\
    [alice]\ntype = user\nextension = 200\n\
    [bob]\ntype = user\nextension = 201\nmethod = latest\ndnd_key = dnd_status\n";

/// The loads and unloads; fewer under valgrind, where each takes twenty times as long.
fn cycles() -> usize {
    match std::env::var_os("USERPRESENCE_VALGRIND") {
        Some(_) => 25,
        None => 500,
    }
}

/// A phone that publishes one presence after the other until `stop`; the last is returned.
fn publish_on(phone: &mut Publisher, stop: &AtomicBool, published: &AtomicUsize) -> String {
    let mut last = String::new();
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        let note = format!("round {round}");
        let activity = ["away", "busy", "meeting", ""][round % 4];
        let answer = match round % 5 {
            4 => phone.refresh().status,
            _ => phone.publish(&pidf("open", activity, &note)).status,
        };
        match answer {
            200 if round % 5 != 4 => last = note,
            // The publication is unknown: it is made anew.
            412 => phone.etag = None,
            // New ones are refused while the module is not loaded.
            200 | 404 | 489 | 503 => {}
            other => panic!("{other} for a PUBLISH"),
        }
        published.fetch_add(1, Ordering::Relaxed);
        // Asterisk keeps each request for half a minute.
        std::thread::sleep(Duration::from_millis(3));
    }
    last
}

/// Asterisk's threads and open files.
fn held(ast: &Instance) -> [usize; 2] {
    ["task", "fd"].map(|what| {
        let entries = std::fs::read_dir(format!("/proc/{}/{what}", ast.pid()));
        entries.expect("Asterisk runs").count()
    })
}

/// Sets the flag when it is dropped, in a panic too.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn phones_alive_survive_five_hundred_loads_and_unloads() {
    let ast = with_ari(Instance::builder())
        .userpresence(USERS)
        .sip(&["200", "201"])
        .hint("2000", "PJSIP/200,UserPresence:alice")
        .hint("2001", ",UserPresence:bob")
        .start();
    ast.wait_log("Phones may publish their presence now");
    let digium = Subscriber::start(&ast, "2000");
    let other = Subscriber::start_as(&ast, "2001", "Phone/1.0");
    digium.wait_presence("not_set");
    let list = ListSubscriber::start(&ast, "200", "userpresence-default");
    list.wait("both users", |it| it.extensions().len() == 2);
    let keys = FeaturePhone::subscribed(&ast, "201");
    let mut application = Socket::open(&ast, "board", "");
    let source = [("eventSource", "userPresence:bob")];
    let subscribed = ari(&ast, "POST", "applications/board/subscription", &source);
    assert_eq!(subscribed.status, 200, "{subscribed:?}");
    let (stop, published) = (AtomicBool::new(false), AtomicUsize::new(0));
    let last = Mutex::new(String::new());
    let (mut fast, mut still) = (Publisher::new(&ast, "200"), Publisher::new(&ast, "201"));
    assert_eq!(
        still
            .publish(&pidf("open", "vacation", "Gone fishing"))
            .status,
        200
    );
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let end = publish_on(&mut fast, &stop, &published);
            *last.lock().expect("no panic") = end;
        });
        let _stop = Stop(&stop);
        let mut early = [usize::MAX; 2];
        for cycle in 0..cycles() {
            let before = published.load(Ordering::Relaxed);
            wait_until("the phone to publish", || {
                (published.load(Ordering::Relaxed) > before + 1).then_some(())
            });
            wait_until("unload", || ast.unload_module(MODULE).ok().then_some(()));
            let before = published.load(Ordering::Relaxed);
            wait_until("the phone to publish", || {
                (published.load(Ordering::Relaxed) > before + 1).then_some(())
            });
            assert!(ast.load_module(MODULE).ok(), "load {cycle}");
            // The one that is not published again is known all the same.
            ast.wait_value("USER_PRESENCE(bob,message)", "Gone fishing");
            if keys_arrive() {
                keys.press_dnd(cycle % 2 == 0);
                application.expect("UserPresenceChanged");
            }
            // Asterisk's pools of threads grow at first.
            if cycle == cycles() / 5 {
                early = held(&ast);
            }
            if cycle % 5 == 0 {
                assert!(ast.reload().ok(), "reload {cycle}");
                list.refresh();
            }
        }
        let after = held(&ast);
        let grown = |what: usize| after[what].saturating_sub(early[what]);
        assert!(grown(0) < 20 && grown(1) < 20, "{early:?}, later {after:?}");
    });
    // Both publications are there, with what was published last.
    let last = last.into_inner().expect("no panic");
    ast.wait_value("USER_PRESENCE(alice,message)", &last);
    assert_eq!(read(&ast, "alice,source"), "publish:PJSIP/200");
    let end = other.wait_notify("the one that stayed", |it| {
        it.body().contains("Gone fishing")
    });
    assert!(end.body().contains("<rpid:vacation />"), "{}", end.body());
    ast.setvar("USER_PRESENCE(bob)", "available");
    assert_eq!(fast.publish(&pidf("open", "away", "The end")).status, 200);
    digium.wait_notify("the end", |it| it.body().contains("The end"));
    list.wait("the end", |it| it.state("2000").is_some());
    press_dnd(&ast, &keys, "bob", true);
    keys.wait_dnd(true);
    let event = application.expect("UserPresenceChanged");
    assert_eq!(event["userPresence"]["user"], "bob", "{event}");
    let log = ast.log();
    assert!(!log.contains("Panic"), "a panic in the log");
    assert_eq!(fast.remove().status, 200);
    assert_eq!(still.remove().status, 200);
    ast.wait_value("USER_PRESENCE(alice,source)", "CustomPresence:200");
    assert!(ast.stop().success());
}
