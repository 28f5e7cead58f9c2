//! Unloads during calls: no call runs through freed memory, and none stays in an unloaded
//! module.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::harness::api::begin_login;
use crate::harness::{Builder, Instance, MODULE, wait_until};

/// A user whose phone rings for a few seconds and then gives up.
const ALICE: &str = "[general]\n[alice]\ntype = user\nextension = 200\n\
                     endpoint = soft,Local/ring@slow/n\n";

const DIALPLAN: &str = "\
[slow]
exten = ring,1,Ringing()
 same = n,Wait(2)
 same = n,Hangup(19)
[long]
exten = ring,1,Ringing()
 same = n,Wait(600)
[to]
exten = alice,1,UserPresenceDial(alice)
 same = n,UserEvent(Ended,Status:${USERPRESENCESTATUS},Dial:${DIALSTATUS})
exten = pickup,1,UserPresencePickup(alice)
 same = n,UserEvent(Ended,Status:${USERPRESENCEPICKUP})
";

fn builder() -> Builder {
    Instance::builder().userpresence(ALICE).dialplan(DIALPLAN)
}

/// Starts a call to an extension of the context `to`, without waiting for it.
fn call(ast: &Instance, extension: &str) {
    ast.originate(&format!("Local/{extension}@to/n"), "Wait", "600");
}

/// A call looks the application up and enters it a moment later: an unload may come in
/// between, or while the call is inside.
#[test]
fn a_call_during_an_unload_finds_the_module_not_running() {
    const ROUNDS: usize = 25;
    const CALLS: usize = 8;
    let logger = "[general]\ndateformat = %F %T.%3q\n[logfiles]\n\
                  full.log => notice,warning,error,verbose,debug\n";
    let ast = builder()
        .http()
        .file("logger.conf", logger)
        .perturbed()
        .start();
    ast.cli("core set debug 2 http.c");
    let ami = ast.ami();
    let (mut refused, mut rung) = (0, 0);
    for round in 0..ROUNDS {
        let before = ast.log().len();
        let login = r#"{"name": "panel", "password": "secret"}"#;
        let mut half = begin_login(&ast, login.len(), &login[..10]);
        ast.wait_log_from(before, "HTTP consuming request body");
        std::thread::scope(|scope| {
            let unload = scope.spawn(|| ast.unload_module(MODULE));
            for at in 0..CALLS {
                // A few at different moments before, during and after the unload.
                std::thread::sleep(Duration::from_millis((round % 5 * at) as u64));
                call(&ast, "alice");
            }
            // If the unload waits, the calls are inside by now.
            let _ = half.write_all(&login.as_bytes()[10..]);
            assert!(unload.join().expect("an unload").ok());
        });
        for _ in 0..CALLS {
            let ended = ami.wait_event("the end of a call", |event| {
                event.get("UserEvent") == Some("Ended")
            });
            match (ended.get("Status"), ended.get("Dial")) {
                (Some("NOTRUNNING"), Some("BUSY")) => refused += 1,
                (Some("NOANSWER" | "UNAVAILABLE"), _) => rung += 1,
                other => panic!("{other:?}"),
            }
        }
        ast.hang_up_all();
        assert!(ast.running());
        assert!(ast.load_module(MODULE).ok());
    }
    assert_eq!(refused + rung, ROUNDS * CALLS);
    assert!(refused > 0, "no call came in during an unload");
    assert_eq!(
        ast.cli("userpresence show settings")
            .matches("Users: 1")
            .count(),
        1
    );
}

/// The module counts calls in its applications as uses, as other modules of Asterisk do.
#[test]
fn an_unload_is_refused_during_a_call_and_a_forced_one_ends_it() {
    let conf = ALICE.replace("ring@slow", "ring@long");
    let ast = builder().userpresence(&conf).start();
    let ami = ast.ami();
    for _ in 0..3 {
        call(&ast, "alice");
        let uses = || {
            let shown = ast.cli("module show like userpresence");
            let line = shown.lines().find(|line| line.starts_with(MODULE));
            let line = line.unwrap_or_else(|| panic!("{shown}")).to_owned();
            let words: Vec<&str> = line.split_whitespace().collect();
            let running = words.iter().position(|word| *word == "Running");
            running.is_some_and(|at| words[at - 1] == "1")
        };
        wait_until("a use", || uses().then_some(()));
        assert!(!ast.unload_module(MODULE).ok());
        assert_eq!(ast.getvar("USER_PRESENCE(alice)"), "not_set");
        assert!(uses());

        let begin = Instant::now();
        ast.remote(&format!("module unload -f {MODULE}"));
        wait_until("the end of the module", || {
            let shown = ast.cli("module show like userpresence");
            shown.contains("Not Running").then_some(())
        });
        assert!(begin.elapsed() < Duration::from_secs(30));
        ast.hang_up_all();
        call(&ast, "alice");
        let ended = ami.wait_event("the end of a call", |event| {
            event.get("UserEvent") == Some("Ended") && event.get("Status") == Some("NOTRUNNING")
        });
        assert_eq!(ended.get("Dial"), Some("BUSY"));
        ast.hang_up_all();
        assert!(ast.load_module(MODULE).ok());
        assert!(!uses());
    }
    assert!(ast.running());
}

/// Functions and applications stay registered: they answer while the module is unloaded,
/// and work again after the next load.
#[test]
fn functions_and_applications_report_that_the_module_is_not_running() {
    let ast = builder().perturbed().start();
    let ami = ast.ami();
    ast.setvar("USER_PRESENCE(alice)", "away");
    for _ in 0..3 {
        let help = |what: &str| ast.cli(&format!("core show {what}"));
        let asked = [
            "application UserPresenceDial",
            "application UserPresencePickup",
            "function USER_PRESENCE",
            "function USER_PRESENCE_ROUTE",
        ];
        let before = asked.map(help);
        assert_eq!(ast.getvar("USER_PRESENCE(alice)"), "away");
        assert!(ast.unload_module(MODULE).ok());
        assert_eq!(asked.map(help), before);
        assert!(
            before.iter().all(|text| text.contains("alice")),
            "{before:?}"
        );

        for text in [
            "USER_PRESENCE(alice)",
            "USER_PRESENCE_ROUTE(alice,internal)",
        ] {
            let from = ast.log().len();
            assert_eq!(ast.getvar(text), "");
            ast.wait_log_from(from, &format!("{text}: the module is not running"));
        }
        let from = ast.log().len();
        let _ = ast.try_setvar("USER_PRESENCE(alice)", "dnd");
        ast.wait_log_from(from, "USER_PRESENCE(alice): the module is not running");
        for (extension, status) in [("alice", "NOTRUNNING"), ("pickup", "NOTRUNNING")] {
            call(&ast, extension);
            let ended = ami.wait_event("the end of a call", |event| {
                event.get("UserEvent") == Some("Ended")
            });
            assert_eq!(ended.get("Status"), Some(status));
        }
        ast.hang_up_all();
        assert!(ast.load_module(MODULE).ok());
    }
    // A status set while the module was unloaded had no effect.
    assert_eq!(ast.getvar("USER_PRESENCE(alice)"), "away");
}

/// The module's code stays in memory: a load reports a new file, which only a restart
/// brings into use.
#[test]
fn a_load_reports_a_new_file() {
    let ast = builder().start();
    let file = ast.path("modules").join(MODULE);
    let warning = format!(
        "'{}' is another build than the one that runs",
        file.display()
    );
    let warned = || ast.log().matches(&warning).count();
    // The same build in a new file, as after installing the same package again.
    let bytes = std::fs::read(&file).expect("the module");
    ast.install_module_bytes(&bytes);
    for _ in 0..2 {
        assert!(ast.unload_module(MODULE).ok());
        assert!(ast.load_module(MODULE).ok());
    }
    assert_eq!(warned(), 0);
    assert_eq!(ast.complaints(), Vec::<String>::new());

    let mut other = bytes.clone();
    let owner = [4u32, 20, 3].map(u32::to_ne_bytes).concat();
    let head = [&owner[..], b"GNU\0"].concat();
    let at = other.windows(head.len()).position(|part| part == head);
    let at = at.expect("a build id") + head.len();
    other[at] ^= 1;
    ast.install_module_bytes(&other);
    assert!(ast.unload_module(MODULE).ok());
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(warned(), 1);
    // The old build still runs.
    assert_eq!(ast.getvar("USER_PRESENCE(alice)"), "not_set");
    ast.restart(true);
    assert!(ast.unload_module(MODULE).ok());
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(warned(), 1);
}
