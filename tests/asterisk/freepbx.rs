//! Beside FreePBX: the module follows changes that FreePBX makes, and the sample's feature
//! codes work unchanged.

mod cluster;
mod codes;
mod entries;
mod follow_dnd;

use crate::harness::barrier::{catch_up, configured};
use crate::harness::repository_file;
use crate::harness::users::{custom, read, set, wait_custom};
use crate::harness::{Builder, Instance};

const USERS: &str = "[lunch]\ntype = status\nlabel = At lunch\nstate = away\nsubtype = lunch\n\
                     [alice]\ntype = user\nextension = 200\nextension = 201\n\
                     [210]\ntype = user\nextension = 210\n";

/// The user's state, status type and label.
#[track_caller]
fn is(ast: &Instance, user: &str, expected: [&str; 3]) {
    let found = ["value", "status", "label"].map(|field| read(ast, &format!("{user},{field}")));
    assert_eq!(found, expected, "of {user}");
}

/// Every way in which FreePBX, a phone's application or an administrator writes
/// CustomPresence.
#[test]
fn the_module_follows_what_freepbx_writes() {
    let ast = configured(USERS).start();
    ast.run_dialplan(
        &["Set(PRESENCE_STATE(CustomPresence:200)=away,lunch,Back at one)"],
        "",
    );
    catch_up(&ast);
    is(&ast, "alice", ["away", "lunch", "At lunch"]);
    assert_eq!(read(&ast, "alice,message"), "Back at one");

    ast.setvar("PRESENCE_STATE(CustomPresence:201)", "dnd,,In a call");
    catch_up(&ast);
    is(&ast, "alice", ["dnd", "dnd", "Do not disturb"]);
    assert_eq!(read(&ast, "alice,source"), "CustomPresence:201");

    // Over AMI's action Command and from a shell.
    ast.cli("presencestate change CustomPresence:201 xa");
    catch_up(&ast);
    is(&ast, "alice", ["xa", "xa", "Extended away"]);
    ast.remote("presencestate change CustomPresence:201 available");
    catch_up(&ast);
    is(&ast, "alice", ["away", "lunch", "At lunch"]);
    // Older releases take this state from the dialplan only.
    let changed = ast.cli("presencestate change CustomPresence:200 not_set");
    if changed.contains("Usage:") {
        ast.set_custom("200", "not_set");
    }
    catch_up(&ast);
    is(&ast, "alice", ["available", "available", "Available"]);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// A status chosen through the module gives way to a later one from outside, and the other
/// way round.
#[test]
fn the_latest_choice_wins_wherever_it_is_made() {
    let ast = configured(USERS).start();
    set(&ast, "alice", "lunch");
    is(&ast, "alice", ["away", "lunch", "At lunch"]);
    for extension in ["200", "201"] {
        wait_custom(&ast, extension, "subtype", "lunch");
        ast.set_custom(extension, "available");
    }
    catch_up(&ast);
    is(&ast, "alice", ["available", "available", "Available"]);
    set(&ast, "alice", "lunch");
    is(&ast, "alice", ["away", "lunch", "At lunch"]);
}

/// An Asterisk with the sample's feature codes and the modules that play sounds.
fn with_codes() -> Builder {
    let codes = repository_file("configs/samples/extensions_userpresence.conf.sample");
    configured(USERS)
        .modules(&["app_playback", "codec_gsm", "format_gsm", "func_callerid"])
        .dialplan(&format!("\n[globals]\nUSER_OF_201 = alice\n\n{codes}"))
}

/// Dials a code from an extension and waits until the call is over.
#[track_caller]
fn dial(ast: &Instance, extension: &str, code: &str) -> Vec<String> {
    let from = ast.log().len();
    let answer = ast.ami().action(&[
        ("Action", "Originate"),
        ("Channel", &format!("Local/{code}@from-internal-custom/n")),
        ("CallerID", &format!("Somebody <{extension}>")),
        // The directory of sounds in the private Asterisk, which is unpacked only.
        ("Variable", "CHANNEL(language)=en_US_f_Allison"),
        ("Application", "Wait"),
        ("Data", "600"),
    ]);
    assert!(answer.ok(), "{answer:?}");
    ast.wait_no_channels();
    ast.complaints();
    said(&ast.log()[from..])
}

/// The sound files that were played.
fn said(log: &str) -> Vec<String> {
    let played = log.lines().filter_map(|line| {
        let (_, rest) = line.split_once(" Playing '")?;
        let (file, _) = rest.split_once('\'')?;
        Some(file.trim_end_matches(".gsm").to_owned())
    });
    played.collect()
}

#[test]
fn the_cycling_code_steps_through_the_statuses_and_speaks_each() {
    let ast = with_codes().start();
    let off = ["do-not-disturb", "de-activated"];
    let away = ["letters/a", "letters/w", "letters/a", "letters/y"];
    let on = ["do-not-disturb", "activated"];
    for (status, words) in [
        ("available", &off[..]),
        ("away", &away),
        ("dnd", &on),
        ("available", &off),
        ("away", &away),
    ] {
        // A global variable says that 201 is one of alice's extensions.
        assert_eq!(dial(&ast, "201", "*22"), words, "{status}");
        assert_eq!(read(&ast, "alice,status"), status);
        wait_custom(&ast, "200", "value", status);
        assert_eq!(custom(&ast, "201", "value"), status);
    }
    // From any other status the code starts with the first one.
    set(&ast, "alice", "lunch");
    assert_eq!(dial(&ast, "201", "*22"), off);
    assert_eq!(read(&ast, "alice"), "available");
    // Without such a variable the user's name is the extension.
    assert_eq!(read(&ast, "210"), "not_set");
    assert_eq!(dial(&ast, "210", "*22"), off);
    assert_eq!(read(&ast, "210"), "available");
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn the_speaking_code_speaks_the_status_and_changes_nothing() {
    let ast = with_codes().start();
    let spelled = |word: &str| -> Vec<String> {
        word.chars()
            .map(|letter| format!("letters/{letter}"))
            .collect()
    };
    for (status, words) in [
        ("lunch", spelled("lunch")),
        ("unavailable", vec!["vm-isunavail".to_owned()]),
        (
            "dnd",
            ["do-not-disturb", "activated"].map(str::to_owned).into(),
        ),
        ("xa", spelled("xa")),
    ] {
        set(&ast, "alice", status);
        let before = ["since", "sequence"].map(|field| read(&ast, &format!("alice,{field}")));
        assert_eq!(dial(&ast, "201", "*23"), words, "{status}");
        let after = ["since", "sequence"].map(|field| read(&ast, &format!("alice,{field}")));
        assert_eq!(after, before);
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// The codes of own settings, over a section of the administrator's.
#[test]
fn the_codes_for_forwards_and_the_mobile_change_the_present_status() {
    let users = USERS.replace(
        "[210]",
        "mobile = +491701\nown_forward = internal,mobile\nhandling = office\n[210]",
    );
    let conf = format!("{users}[office]\ntype = handling\nforward_external_always = 300@default\n");
    let ast = with_codes().userpresence(&conf).start();
    set(&ast, "alice", "away");
    let on = ["call-fwd-unconditional", "activated"];
    let off = ["call-fwd-unconditional", "de-activated"];
    let forwards = || {
        ["internal", "external"]
            .map(|origin| ast.getvar(&format!("USER_PRESENCE_ROUTE(alice,{origin},always)")))
    };
    assert_eq!(forwards(), ["", "300@default"]);
    let said = dial(&ast, "201", "*72210");
    assert_eq!(
        said,
        [&on[..], &["digits/2", "digits/1", "digits/0"]].concat()
    );
    assert_eq!(forwards(), ["210@default", "210@default"]);
    assert_eq!(dial(&ast, "201", "*73"), off);
    assert_eq!(forwards(), ["", ""]);
    // On again, to the last number. Another status has the administrator's.
    assert_eq!(dial(&ast, "201", "*72").len(), 5);
    assert_eq!(forwards(), ["210@default", "210@default"]);
    set(&ast, "alice", "chat");
    assert_eq!(forwards(), ["", "300@default"]);
    assert_eq!(ast.complaints(), Vec::<String>::new());
    // What is not allowed is refused aloud, and leaves things as they are.
    assert_eq!(dial(&ast, "201", "*72199"), ["invalid"]);
    assert_eq!(forwards(), ["", "300@default"]);
    ast.wait_log("this number is not allowed; own_forward of 'alice' allows internal");
    let mobile = || ast.getvar("USER_PRESENCE(alice,effective_settings,statuses.chat.ringMobile)");
    assert_eq!(mobile(), "");
    assert_eq!(dial(&ast, "201", "*251"), ["spy-mobile", "activated"]);
    assert_eq!(mobile(), "yes");
    assert_eq!(dial(&ast, "201", "*250"), ["spy-mobile", "de-activated"]);
    assert_eq!(mobile(), "no");
    // 210 has no mobile; and has never forwarded, so that *72 means it too.
    for code in ["*251", "*72"] {
        assert_eq!(dial(&ast, "210", code), ["invalid"], "{code}");
    }
    ast.wait_log("'210' has no mobile");
}

#[test]
fn the_code_for_a_break_sets_a_status_that_ends() {
    let ast = with_codes().start();
    set(&ast, "alice", "chat");
    let before = crate::harness::now();
    let said = dial(&ast, "201", "*26*45");
    let away = ["letters/a", "letters/w", "letters/a", "letters/y"];
    assert_eq!(
        said,
        [&["digits/40", "digits/5", "minutes"][..], &away].concat()
    );
    is(&ast, "alice", ["away", "away", "Away"]);
    let until: u64 = read(&ast, "alice,until").parse().expect("a time");
    let minutes_45 = 45 * 60_000;
    assert!(
        (before..=crate::harness::now()).contains(&(until - minutes_45)),
        "{until}"
    );
    assert_eq!(ast.complaints(), Vec::<String>::new());
    assert_eq!(dial(&ast, "999", "*26*45"), ["invalid"]);
}

/// A caller who is no user hears so, and a forged number is used as nothing but a number.
#[test]
fn a_caller_who_is_no_user_hears_so() {
    let ast = with_codes().start();
    for caller in ["999", "9${SHELL(id)}9,9)"] {
        for code in ["*22", "*23"] {
            assert_eq!(dial(&ast, caller, code), ["invalid"], "{caller} {code}");
        }
    }
    let told: Vec<_> = ast.complaints();
    let ours = |line: &&String| line.contains("there is no user '99");
    assert_eq!(told.iter().filter(ours).count(), 4 + 2, "{told:#?}");
}

/// The code that takes over a held call, and the commented-out lines that dial a user.
#[test]
fn a_held_call_and_a_user_are_found_by_the_extension() {
    let codes = repository_file("configs/samples/extensions_userpresence.conf.sample");
    let uncommented = codes
        .replace("\n;exten", "\nexten")
        .replace("\n; same", "\n same");
    assert_ne!(codes, uncommented);
    let ast = configured(&USERS.replace(
        "[210]\ntype = user\n",
        "[210]\ntype = user\nmonitor = alice\n",
    ))
    .modules(&["app_playback", "codec_gsm", "format_gsm", "func_callerid"])
    .dialplan(&format!(
        "\n[globals]\nUSER_OF_201 = alice\n\n{uncommented}"
    ))
    .start();
    assert_eq!(dial(&ast, "210", "*24201"), ["invalid"]);
    ast.wait_log("a call held by 'alice' may not be picked up: pickUpCallsOnHold of '210' is off");
    assert_eq!(dial(&ast, "999", "*24201"), ["invalid"]);
    ast.wait_log("a call held by 'alice' may not be picked up: the caller is not a user");
    assert_eq!(ast.complaints(), Vec::<String>::new());
    for (caller, extension, told) in [
        ("999", "201", "the call to 'alice' is external"),
        ("201", "210", "the call to '210' is internal"),
    ] {
        let call = [
            ("Action", "Originate"),
            (
                "Channel",
                &format!("Local/{extension}@from-internal-custom/n"),
            ),
            ("CallerID", caller),
            ("Application", "Wait"),
            ("Data", "600"),
            ("Async", "true"),
        ];
        assert!(ast.ami().action(&call).ok());
        ast.wait_log(told);
        ast.wait_no_channels();
    }
}
