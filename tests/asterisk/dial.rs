//! `UserPresenceDial()`: calls that follow the presence, as real calls.

use std::time::{Duration, Instant};

use crate::harness::barrier::configured;
use crate::harness::users::set;
use crate::harness::{Builder, Instance, Phone, wait_until};

/// Bob, whose phone makes internal calls. The endpoint `trunk` belongs to no user.
const BOB: &str = "[bob]\ntype = user\nextension = 202\n";

/// `2XX` calls users; `3XX` are phones that report how a call reached them.
const DIALPLAN: &str = "\
exten = 200,1,UserPresenceDial(alice)
 same = n,UserEvent(Ended,Status:${USERPRESENCESTATUS},Dial:${DIALSTATUS})
exten = 202,1,UserPresenceDial(bob)
 same = n,UserEvent(Ended,Status:${USERPRESENCESTATUS},Dial:${DIALSTATUS})
exten = _3XX,1,UserEvent(Target,To:${EXTEN},From:${REDIRECTING(from-num)},\
Reason:${REDIRECTING(reason)},Caller:${CALLERID(num)})
 same = n,Dial(PJSIP/${EXTEN})
[out]
exten = 9170123,1,Dial(PJSIP/300)
";

fn calls(conf: &str, phones: &[&str]) -> Builder {
    let mut all = vec!["202", "trunk"];
    all.extend(phones);
    configured(&format!("{conf}\n{BOB}"))
        .sip(&all)
        .modules(&[
            "func_callerid",
            "res_pjsip_caller_id",
            "res_pjsip_diversion",
        ])
        .dialplan(DIALPLAN)
}

/// The result of a call that nobody answered, as the dialplan sees it.
#[track_caller]
fn outcome(ast: &Instance, dial: &str) -> String {
    ast.run_dialplan(&[dial], "${USERPRESENCESTATUS} ${DIALSTATUS}")
}

/// Each phone receives the calls of one status and one origin.
const TARGETS: [(&str, &str, &str); 4] = [
    ("away", "internal", "300"),
    ("away", "external", "301"),
    ("chat", "internal", "302"),
    ("chat", "external", "303"),
];

/// In that case alice's calls are forwarded, to a different phone for each status and
/// origin: internal calls to an extension, external calls to a number. `rings` says
/// whether her own phone rings first.
fn matrix(case: &str, reason: &str, alice: fn(&Instance) -> Phone<'_>, rings: bool) {
    let mut conf = "[alice]\ntype = user\nextension = 200\nhandling = mine\n\
                    [mine]\ntype = handling\nring_timeout = 5\n"
        .to_owned();
    for status in ["away", "chat"] {
        conf.push_str(&format!(
            "[mine-{status}]\ntype = handling\nset = mine\nstatus = {status}\n"
        ));
        for (_, origin, target) in TARGETS.iter().filter(|it| it.0 == status) {
            let context = match *origin {
                "internal" => "@default",
                _ => "",
            };
            conf.push_str(&format!("forward_{origin}_{case} = {target}{context}\n"));
        }
    }
    let ast = calls(&conf, &["200", "300", "301", "302", "303"]).start();
    let alice = alice(&ast);
    let targets = TARGETS.map(|(_, _, target)| Phone::answering(&ast, target));
    let callers = ["202", "trunk"].map(|caller| (caller, Phone::ringing(&ast, caller)));
    for status in ["away", "chat"] {
        set(&ast, "alice", status);
        let ami = ast.ami();
        // Both calls run at the same time, because a call without an answer takes its time.
        for (_, phone) in &callers {
            phone.call("200");
        }
        for (caller, origin) in [("202", "internal"), ("trunk", "external")] {
            let is = |it: &&(&str, &str, &str)| (it.0, it.1) == (status, origin);
            let (.., target) = TARGETS.iter().find(is).expect("a target");
            let event = ami.wait_event("a target", |event| {
                event.get("UserEvent") == Some("Target") && event.get("Caller") == Some(caller)
            });
            let told = ["To", "From", "Reason"].map(|name| event.get(name).unwrap_or_default());
            assert_eq!(told, [target, "200", reason], "{status} {origin}");
            ast.wait_device(&format!("PJSIP/{target}"), "INUSE");
        }
        let busy = targets
            .iter()
            .filter(|it| ast.device(&it.device()) == "INUSE");
        assert_eq!(busy.count(), 2, "{status}");
        for (_, phone) in &callers {
            phone.hang_up();
        }
        ast.wait_no_channels();
    }
    let expected = if rings { 4 } else { 0 };
    assert_eq!(alice.invites().len(), expected);
    for phone in &targets {
        let invites = phone.invites();
        assert_eq!(invites.len(), 1, "{}", phone.device());
        // The phone shows the user that the call was meant for.
        let is_told = |line: &str| line.starts_with("Diversion:") && line.contains("sip:200@");
        assert!(invites[0].lines().any(is_told), "{}", invites[0]);
    }
}

#[test]
fn every_call_is_forwarded_at_once() {
    matrix("always", "cfu", |ast| Phone::ringing(ast, "200"), false);
}

#[test]
fn unanswered_calls_are_forwarded() {
    matrix("noanswer", "cfnr", |ast| Phone::ringing(ast, "200"), true);
}

#[test]
fn calls_to_a_busy_user_are_forwarded() {
    matrix("busy", "cfb", |ast| Phone::busy(ast, "200"), true);
}

/// Alice's desk phone rings first, her softphone second.
const STAGES: &str = "[alice]\ntype = user\nextension = 200\nhandling = mine\n\
    endpoint = desk,PJSIP/200\nendpoint = soft,PJSIP/201\nmobile = 170123\n\
    mobile_prefix = 9\nforward_context = out\n\
    [mine]\ntype = handling\nring_first = desk\nring_second = soft\nring_timeout = 5\n";

#[track_caller]
fn wait_ended(ami: &crate::harness::Ami) -> [String; 2] {
    let event = ami.wait_event("the end", |event| event.get("UserEvent") == Some("Ended"));
    ["Status", "Dial"].map(|name| event.get(name).unwrap_or_default().to_owned())
}

#[test]
fn the_second_stage_rings_after_the_first() {
    let ast = calls(STAGES, &["200", "201"]).start();
    let _alice = ["200", "201"].map(|phone| Phone::ringing(&ast, phone));
    let caller = Phone::ringing(&ast, "trunk");
    let ami = ast.ami();
    caller.call("200");
    let mut began = Vec::new();
    for (rings, is_silent) in [("PJSIP/200", "PJSIP/201"), ("PJSIP/201", "PJSIP/200")] {
        ast.wait_device(rings, "RINGING");
        began.push(Instant::now());
        ast.wait_device(is_silent, "NOT_INUSE");
    }
    assert_eq!(wait_ended(&ami), ["NOANSWER", "NOANSWER"]);
    began.push(Instant::now());
    for stage in began.windows(2) {
        let took = stage[1] - stage[0];
        let expected = Duration::from_millis(4000)..Duration::from_millis(9000);
        assert!(expected.contains(&took), "{took:?}");
    }
    ast.wait_no_channels();
}

#[test]
fn a_busy_first_stage_starts_the_second_one_at_once() {
    let ast = calls(STAGES, &["200", "201"]).start();
    let _desk = Phone::busy(&ast, "200");
    let soft = Phone::ringing(&ast, "201");
    let caller = Phone::ringing(&ast, "trunk");
    caller.call("200");
    ast.wait_device("PJSIP/201", "RINGING");
    soft.answer();
    ast.wait_device("PJSIP/201", "INUSE");
    caller.hang_up();
    ast.wait_no_channels();
}

#[test]
fn the_mobile_rings_with_the_other_phones_except_in_dnd() {
    let conf = STAGES.replace("ring_second = soft", "ring_mobile = yes");
    let ast = calls(&conf, &["200", "201", "300"]).start();
    let _desk = Phone::ringing(&ast, "200");
    let mobile = Phone::ringing(&ast, "300");
    let caller = Phone::ringing(&ast, "trunk");
    caller.call("200");
    ast.wait_device("PJSIP/200", "RINGING");
    ast.wait_device("PJSIP/300", "RINGING");
    mobile.answer();
    ast.wait_device("PJSIP/300", "INUSE");
    ast.wait_device("PJSIP/200", "NOT_INUSE");
    caller.hang_up();
    ast.wait_no_channels();

    set(&ast, "alice", "dnd");
    let ami = ast.ami();
    caller.call("200");
    ast.wait_device("PJSIP/200", "RINGING");
    assert_eq!(wait_ended(&ami), ["NOANSWER", "NOANSWER"]);
    ast.wait_no_channels();
    assert_eq!(mobile.invites().len(), 1);
}

#[test]
fn a_circle_of_forwards_ends_with_busy() {
    let ast = calls(
        "[alice]\ntype = user\nextension = 200\nhandling = to_bob\n\
         [to_bob]\ntype = handling\nforward_internal_always = 202@default\n\
         forward_external_always = 202@default\n\
         [to_alice]\ntype = handling\nforward_internal_always = 200@default\n\
         forward_external_always = 200@default\n\
         [general]\nhandling = to_alice\n",
        &[],
    )
    .start();
    for option in ["i", "e"] {
        let ended = outcome(&ast, &format!("UserPresenceDial(alice,{option})"));
        assert_eq!(ended, "FORWARDED BUSY");
    }
    ast.wait_log("the call loops: alice -> bob -> alice");
    // Nothing of the circle may remain.
    ast.wait_no_channels();
}

#[test]
fn the_number_of_forwards_is_limited() {
    let mut conf = String::new();
    let mut dialplan = String::new();
    for at in 0..12 {
        let next = at + 1;
        conf.push_str(&format!(
            "[user{at}]\ntype = user\nextension = 4{at}\nhandling = h{at}\n\
             [h{at}]\ntype = handling\nforward_external_always = 4{next}@default\n"
        ));
        dialplan.push_str(&format!("exten = 4{at},1,UserPresenceDial(user{at})\n"));
    }
    let ast = configured(&conf).dialplan(&dialplan).start();
    assert_eq!(outcome(&ast, "UserPresenceDial(user0,e)"), "FORWARDED BUSY");
    let line = ast.wait_log("forwarded more than 8 times");
    assert!(line.contains("user7 -> user8"), "{line}");
    ast.wait_no_channels();
}

#[test]
fn a_wrong_target_is_reported_and_the_caller_hears_busy() {
    let ast = calls(
        "[alice]\ntype = user\nextension = 200\nhandling = mine\n\
         [mine]\ntype = handling\nforward_external_always = 999@nowhere\n\
         forward_internal_always = voicemail\n",
        &["200"],
    )
    .start();
    let ended = outcome(&ast, "UserPresenceDial(alice,e)");
    assert_eq!(ended, "WRONGTARGET BUSY");
    ast.wait_log("there is no extension '999@nowhere'");
    let ended = outcome(&ast, "UserPresenceDial(alice,i)");
    assert_eq!(ended, "WRONGTARGET BUSY");
    ast.wait_log("the user has no mailbox");
    let ended = outcome(&ast, "UserPresenceDial(nobody)");
    assert_eq!(ended, "NOUSER BUSY");

    // The outcome is the same if a phone has rung before.
    ast.write_config(
        "userpresence.conf",
        "[general]\n[alice]\ntype = user\nextension = 200\nhandling = mine\n\
         [mine]\ntype = handling\nforward_external_busy = 998@nowhere\n\
         forward_external_noanswer = 997@nowhere\n",
    );
    assert!(ast.reload().ok());
    let ended = outcome(&ast, "UserPresenceDial(alice,e)");
    assert_eq!(ended, "WRONGTARGET BUSY");
    ast.wait_log("there is no extension '997@nowhere'");
    let busy = Phone::busy(&ast, "200");
    let ended = outcome(&ast, "UserPresenceDial(alice,e)");
    assert_eq!(ended, "WRONGTARGET BUSY");
    ast.wait_log("there is no extension '998@nowhere'");
    assert_eq!(busy.invites().len(), 1);

    // A phone gets the same cause if the dialplan ends there.
    let caller = Phone::ringing(&ast, "trunk");
    caller.call("200");
    assert_eq!(caller.wait_refused(), "SIP/2.0 486 Busy Here");
    ast.wait_no_channels();
}

/// Writes a greeting of ten seconds for mailbox 200: the private Asterisk has no sounds.
fn greet(ast: &Instance) {
    let folder = ast.path("spool/voicemail/default/200");
    std::fs::create_dir_all(&folder).expect("the test's own directory");
    let samples = vec![0; 160_000];
    let size = |bytes: u32| bytes.to_le_bytes();
    let length = samples.len() as u32;
    // Mono, 8000 samples of 16 bits each per second.
    let sound = [
        b"RIFF",
        &size(length + 36)[..],
        b"WAVEfmt ",
        &size(16),
        &[1, 0, 1, 0],
        &size(8000),
        &size(16_000),
        &[2, 0, 16, 0],
        b"data",
        &size(length),
        &samples,
    ];
    std::fs::write(folder.join("unavail.wav"), sound.concat()).expect("the test's own file");
}

#[test]
fn a_call_goes_to_voicemail_and_a_missing_mailbox_is_reported() {
    let conf = "[alice]\ntype = user\nextension = 200\nhandling = mine\nmailbox = 200@default\n\
                [mine]\ntype = handling\nforward_external_always = voicemail\n\
                forward_internal_always = voicemail:999@default\n";
    let ast = calls(conf, &[])
        .modules(&["app_voicemail", "format_wav"])
        .file(
            "voicemail.conf",
            "[general]\nformat = wav\n[default]\n200 => 1234,Alice\n",
        )
        .start();
    greet(&ast);
    ast.run("UserPresenceDial", "alice,e");
    wait_until("the mailbox", || {
        let channels = ast.cli("core show channels concise");
        channels.contains("!VoiceMail!200@default,u!").then_some(())
    });
    ast.hang_up_all();
    let ended = outcome(&ast, "UserPresenceDial(alice,i)");
    assert_eq!(ended, "WRONGTARGET BUSY");
    ast.wait_log("mailbox '999@default' accepts no message");
}

/// Without the application the caller is not left in silence either.
#[test]
fn missing_voicemail_is_reported() {
    let conf = "[alice]\ntype = user\nextension = 200\nhandling = mine\nmailbox = 200@default\n\
                [mine]\ntype = handling\nforward_external_noanswer = voicemail\n";
    let ast = calls(conf, &["200"]).start();
    let ended = outcome(&ast, "UserPresenceDial(alice,e)");
    assert_eq!(ended, "WRONGTARGET BUSY");
    ast.wait_log("there is no application VoiceMail");
}

#[test]
fn a_user_who_takes_no_calls_is_rung_only_by_exempt_callers() {
    let ast = calls(
        "[alice]\ntype = user\nextension = 200\nhandling = mine\n\
         always_accept = 202,+491701234567\n\
         [mine]\ntype = handling\nforward_external_always = 300@default\n",
        &["200", "300"],
    )
    .start();
    let alice = Phone::ringing(&ast, "200");
    let [bob, trunk] = ["202", "trunk"].map(|phone| Phone::ringing(&ast, phone));
    ast.setvar("USER_PRESENCE(alice,dndStatus)", "DoNotAcceptAnyCalls");
    let ami = ast.ami();
    trunk.call("200");
    assert_eq!(wait_ended(&ami), ["REFUSED", "BUSY"]);
    ast.wait_no_channels();
    bob.call("200");
    ast.wait_device("PJSIP/200", "RINGING");
    alice.answer();
    ast.wait_device("PJSIP/200", "INUSE");
    bob.hang_up();
    ast.wait_no_channels();
}

/// A queue picks the next member itself: a member's forward takes no caller away from it.
#[test]
fn a_call_from_a_queue_rings_all_phones_together() {
    let conf = STAGES.replace(
        "ring_timeout = 5",
        "ring_timeout = 5\nforward_external_always = 300@default\n\
         forward_internal_always = 300@default",
    );
    let ast = calls(&conf, &["200", "201", "300"])
        .queue("sales", "", &["Local/200@default/n"])
        .start();
    let phones = ["200", "201"].map(|phone| Phone::ringing(&ast, phone));
    let caller = ast.call_queue("sales");
    for phone in &phones {
        ast.wait_device(&phone.device(), "RINGING");
    }
    phones[1].answer();
    assert_eq!(caller.wait_answer(), ["Local/200@default/n"]);
    ast.wait_device("PJSIP/200", "NOT_INUSE");
    caller.hang_up();
    ast.wait_no_channels();
}

#[test]
fn all_phones_ring_together_if_an_option_says_so() {
    let ast = calls(STAGES, &["200", "201"]).start();
    let phones = ["200", "201"].map(|phone| Phone::ringing(&ast, phone));
    let call = ast.run("UserPresenceDial", "alice,ge,m");
    for phone in &phones {
        ast.wait_device(&phone.device(), "RINGING");
    }
    ast.hang_up(&call);
    ast.wait_no_channels();
}

#[test]
fn a_monitor_with_ring_on_monitored_call_rings_too() {
    let conf = "[alice]\ntype = user\nextension = 200\n\
                [carol]\ntype = user\nextension = 201\nmonitor = alice\n";
    let ast = calls(conf, &["200", "201"]).start();
    let phones = ["200", "201"].map(|phone| Phone::ringing(&ast, phone));
    let caller = Phone::ringing(&ast, "trunk");
    ast.setvar("USER_PRESENCE(carol,ringOnMonitoredCall)", "true");
    caller.call("200");
    for phone in &phones {
        ast.wait_device(&phone.device(), "RINGING");
    }
    phones[1].answer();
    ast.wait_device("PJSIP/200", "NOT_INUSE");
    caller.hang_up();
    ast.wait_no_channels();
    // Her own calls do not ring her own phone.
    let ami = ast.ami();
    phones[1].call("200");
    ast.wait_device("PJSIP/200", "RINGING");
    phones[0].hang_up();
    assert_eq!(wait_ended(&ami), ["BUSY", "BUSY"]);
    ast.wait_no_channels();
    assert_eq!(phones[1].invites().len(), 1);
}

/// Every way to tell internal calls from external ones.
#[test]
fn each_call_is_internal_or_external() {
    let conf = "[general]\ninternal_context = inside\norigin_variable = WHENCE\n\
                [alice]\ntype = user\nextension = 200\nhandling = mine\n\
                endpoint = web,PJSIP/205\n\
                [mine]\ntype = handling\nforward_internal_always = internal@nowhere\n\
                forward_external_always = external@nowhere\n";
    let ast = calls(conf, &["205"]).start();
    let told = |lines: &[&str]| {
        let from = ast.log().len();
        ast.run_dialplan(lines, "${USERPRESENCESTATUS}");
        let line = ast.wait_log_from(from, "@nowhere'");
        if line.contains("internal@") {
            "internal"
        } else {
            "external"
        }
    };
    let dial = "UserPresenceDial(alice)";
    assert_eq!(told(&[dial]), "external");
    assert_eq!(told(&["Set(CALLERID(num)=202)", dial]), "internal");
    assert_eq!(told(&["Set(CALLERID(num)=555)", dial]), "external");
    assert_eq!(told(&["Set(WHENCE=internal)", dial]), "internal");
    assert_eq!(
        told(&["Set(WHENCE=internal)", "UserPresenceDial(alice,e)"]),
        "external"
    );
    assert_eq!(told(&["UserPresenceDial(alice,i)"]), "internal");
    // The endpoint identifies a phone; a caller id alone may be forged.
    for (caller, origin) in [
        ("202", "internal"),
        ("205", "internal"),
        ("trunk", "external"),
    ] {
        let from = ast.log().len();
        Phone::ringing(&ast, caller).call("200");
        let line = ast.wait_log_from(from, "@nowhere'");
        assert!(line.contains(&format!("{origin}@")), "{line}");
    }
    ast.wait_no_channels();
}

/// A phone's refusal has the same result as with `Dial`: in DIALSTATUS, and in the cause
/// that the caller gets from a hangup without one.
#[test]
fn a_refusal_has_the_same_result_as_with_dial() {
    let cases = [
        ("503 Service Unavailable", "", "CONGESTION", "UNAVAILABLE"),
        ("480 Temporarily Unavailable", "", "", ""),
        ("404 Not Found", "", "CHANUNAVAIL", "UNAVAILABLE"),
        ("486 Busy Here", "", "BUSY", "BUSY"),
        ("302 Moved Temporarily", "i", "BUSY", "BUSY"),
        ("603 Decline", "", "", ""),
        // The phone answers, and a subroutine refuses for the person there.
        ("", "U(refuse)", "BUSY", "BUSY"),
    ];
    let mut dialplan = DIALPLAN.to_owned();
    for (at, (_, options, _, _)) in cases.iter().enumerate() {
        dialplan.push_str(&format!(
            "[stock{at}]\nexten = 1,1,Dial(PJSIP/200,20,{options})\n same = n,Goto(end,1,1)\n\
             [ours{at}]\nexten = 1,1,UserPresenceDial(alice,,{options})\n same = n,Goto(end,1,1)\n"
        ));
    }
    dialplan.push_str(
        "[end]\nexten = 1,1,UserEvent(Ended,Status:${USERPRESENCESTATUS},Dial:${DIALSTATUS},\
         Cause:${HANGUPCAUSE})\n same = n,Hangup()\n\
         [refuse]\nexten = s,1,Set(GOSUB_RESULT=BUSY)\n same = n,Return()\n\
         [default]\nexten = _[os]X,1,Goto(${IF($[\"${EXTEN:0:1}\" = \"o\"]?ours:stock)}${EXTEN:1},1,1)\n",
    );
    let ast = configured(&format!("[alice]\ntype = user\nextension = 200\n{BOB}"))
        .sip(&["202", "200"])
        .dialplan(&dialplan)
        .start();
    let caller = Phone::ringing(&ast, "202");
    for (at, (refusal, options, dialstatus, status)) in cases.into_iter().enumerate() {
        let phone = match refusal {
            "" => Phone::answering(&ast, "200"),
            _ => Phone::refusing(&ast, "200", refusal),
        };
        let mut ends = ["s", "o"].map(|kind| {
            let ami = ast.ami();
            caller.call(&format!("{kind}{at}"));
            let told = caller.wait_refused();
            let ended = ami.wait_event("the end of a call", |event| {
                event.get("UserEvent") == Some("Ended")
            });
            ast.wait_no_channels();
            let of = |name| ended.get(name).unwrap_or_default().to_owned();
            [of("Status"), of("Dial"), of("Cause"), told]
        });
        if !status.is_empty() {
            assert_eq!(ends[1][0], status, "{refusal} {options}");
            assert_eq!(ends[1][1], dialstatus, "{refusal} {options}");
        }
        // Stock Asterisk has no status of the module's.
        ends[1][0].clear();
        assert_eq!(ends[1], ends[0], "{refusal} {options}");
        drop(phone);
    }
}

/// CEL knows one application per channel at a time. Each stage is a `Dial`, and the end
/// belongs to `UserPresenceDial`, as the start does.
#[test]
fn cel_records_each_stage_and_ends_with_the_application() {
    let conf = "[alice]\ntype = user\nextension = 200\nendpoint = one,PJSIP/200\n\
                endpoint = two,PJSIP/201\nhandling = mine\n\
                [mine]\ntype = handling\nring_first = one\nring_second = two\n";
    let cel = "[general]\nenable = yes\napps = dial,userpresencedial\n\
               events = APP_START,APP_END\n[manager]\nenabled = yes\n";
    let ast = calls(conf, &["200", "201"])
        .modules(&["cel_manager"])
        .file("cel.conf", cel)
        .start();
    let ami = ast.ami();
    let _phones = ["200", "201"].map(|phone| Phone::busy(&ast, phone));
    let caller = Phone::ringing(&ast, "202");
    caller.call("200");
    assert_eq!(caller.wait_refused(), "SIP/2.0 486 Busy Here");
    ast.wait_no_channels();
    let mut told: Vec<String> = Vec::new();
    wait_until("the end in CEL", || {
        let events = ami.take_events().into_iter();
        let events = events.filter(|event| event.is_event("CEL"));
        told.extend(events.map(|event| {
            let of = |name| event.get(name).unwrap_or_default();
            format!("{} {}", of("EventName"), of("Application"))
        }));
        let ends = told
            .iter()
            .filter(|line| *line == "APP_END UserPresenceDial");
        (ends.count() == 3).then_some(())
    });
    let pair = |name: &str| ["APP_START", "APP_END"].map(|event| format!("{event} {name}"));
    let (whole, stage) = (pair("UserPresenceDial"), pair("Dial"));
    let expected = [&whole, &stage, &whole, &stage, &whole];
    let expected: Vec<String> = expected.into_iter().flatten().cloned().collect();
    assert_eq!(told, expected);
}
