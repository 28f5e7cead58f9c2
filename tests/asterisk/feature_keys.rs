//! The DND and forward keys of desk phones.

use crate::harness::barrier::configured;
use crate::harness::feature_phone::{FeaturePhone, TYPE, dnd};
use crate::harness::users::{complaints, read, set, wait_state};
use crate::harness::{Instance, MODULE, root, skip, wait_until};

const ALICE: &str = "[general]\n[alice]\ntype = user\nextension = 200\n";

fn started(conf: &str) -> Instance {
    configured(conf).sip(&["200", "201", "stranger"]).start()
}

fn set_dnd_status(ast: &Instance, value: &str) {
    let answer = ast.ami().action(&[
        ("Action", "UserPresenceSet"),
        ("User", "alice"),
        ("DndStatus", value),
    ]);
    assert!(answer.ok(), "{}", answer.text());
}

/// Whether modules learn of the keys that phones press, in the body of a SUBSCRIBE.
pub fn keys_arrive() -> bool {
    root().declares("res_pjsip_pubsub.h", "new_subscribe_with_rdata")
}

/// Presses the user's key; where modules do not learn of that, the status is set.
pub fn press_dnd(ast: &Instance, phone: &FeaturePhone, user: &str, on: bool) {
    if keys_arrive() {
        phone.press_dnd(on);
    } else {
        set(ast, user, if on { "dnd" } else { "available" });
    }
}

fn subscriptions(ast: &Instance) -> String {
    ast.cli("pjsip show subscriptions inbound")
}

#[test]
fn a_phone_gets_the_state_of_each_key_and_each_change() {
    let ast = started(ALICE);
    let phone = FeaturePhone::subscribed(&ast, "200");
    assert_eq!(phone.dnd(), Some(false));
    for kind in ["forwardImmediate", "forwardBusy", "forwardNoAns"] {
        assert_eq!(phone.forward(kind), None);
    }
    for notify in phone.notifies() {
        assert!(notify.contains("Event: as-feature-event\r\n"), "{notify}");
        assert!(
            notify.contains(&format!("Content-Type: {TYPE}\r\n")),
            "{notify}"
        );
        assert!(notify.contains("<device>200</device>"), "{notify}");
    }
    set(&ast, "alice", "dnd,talk,Not now");
    phone.wait_dnd(true);
    set(&ast, "alice", "away");
    phone.wait_dnd(false);
    set_dnd_status(&ast, "DoNotAcceptAnyCalls");
    phone.wait_dnd(true);
    // Lit for both reasons: one of them ends, and nothing is sent.
    set(&ast, "alice", "dnd");
    set_dnd_status(&ast, "TakeAllCalls");
    set(&ast, "alice", "available");
    phone.wait_dnd(false);
    set_dnd_status(&ast, "DoNotAcceptDepartmentCalls");
    set(&ast, "alice", "chat");
    set_dnd_status(&ast, "DoNotAcceptAnyCalls");
    phone.wait_dnd(true);
    assert_eq!(phone.notifies().len(), 4 + 5);
    assert_eq!(complaints(&ast, "feature"), [""; 0]);
}

#[test]
fn the_forward_keys_show_how_calls_from_outside_are_forwarded_in_the_present_status() {
    let ast = started(
        "[general]\n[alice]\ntype = user\nextension = 200\nhandling = office\nmailbox = 200@default\n\
         [office]\ntype = handling\nforward_external_noanswer = voicemail\n\
         [office-away]\ntype = handling\nset = office\nstatus = away\n\
         forward_external_always = 210@default\nforward_internal_always = 211@default\n\
         forward_external_busy = +491701234567\n",
    );
    let phone = FeaturePhone::subscribed(&ast, "200");
    assert_eq!(phone.forward("forwardImmediate"), None);
    assert_eq!(phone.forward("forwardNoAns").as_deref(), Some("200"));
    set(&ast, "alice", "away");
    phone.wait_forward("forwardImmediate", Some("210"));
    phone.wait_forward("forwardBusy", Some("+491701234567"));
    assert_eq!(phone.forward("forwardNoAns").as_deref(), Some("200"));
    set(&ast, "alice", "available");
    phone.wait_forward("forwardImmediate", None);
    phone.wait_forward("forwardBusy", None);
    assert_eq!(phone.notifies().len(), 4 + 4);
}

#[test]
fn the_forward_keys_set_own_forwards_of_the_present_status() {
    if !keys_arrive() {
        return skip("res_pjsip_pubsub keeps the keys that phones press to itself");
    }
    let ast = started(
        "[general]\nhandling = office\n\
         [alice]\ntype = user\nextension = 200\n\
         [bob]\ntype = user\nextension = 201\n\
         [office]\ntype = handling\nforward_external_noanswer = 201@default\n",
    );
    let plan = |field: &str| ast.getvar(&format!("USER_PRESENCE_ROUTE(alice,external,{field})"));
    let phone = FeaturePhone::subscribed(&ast, "200");
    phone.wait_forward("forwardNoAns", Some("201"));
    set(&ast, "alice", "available");
    phone.press_forward("forwardImmediate", "201", true);
    phone.wait_forward("forwardImmediate", Some("201"));
    assert_eq!(plan("always"), "201@default");
    assert_eq!(
        ast.getvar("USER_PRESENCE_ROUTE(alice,internal,always)"),
        "201@default"
    );
    // In another status it is another forward.
    set(&ast, "alice", "away");
    phone.wait_forward("forwardImmediate", None);
    phone.press_forward("forwardBusy", "sip:201@127.0.0.1;user=phone", true);
    phone.wait_forward("forwardBusy", Some("201"));
    set(&ast, "alice", "available");
    phone.wait_forward("forwardImmediate", Some("201"));
    phone.wait_forward("forwardBusy", None);
    phone.press_forward("forwardImmediate", "", false);
    phone.wait_forward("forwardImmediate", None);
    assert_eq!(plan("always"), "");
    // The administrator's forward is overridden, and comes back.
    phone.press_forward("forwardNoAns", "201", false);
    phone.wait_forward("forwardNoAns", None);
    assert_eq!(plan("noAnswer"), "");
    phone.press_forward("forwardNoAns", "201", true);
    phone.wait_forward("forwardNoAns", Some("201"));
    assert_eq!(complaints(&ast, "feature"), [""; 0]);
}

#[test]
fn a_forward_key_goes_off_and_on_with_the_mailbox_and_the_mobile() {
    if !keys_arrive() {
        return skip("res_pjsip_pubsub keeps the keys that phones press to itself");
    }
    let ast = started(
        "[general]\nmobile_prefix = 0\n[alice]\ntype = user\nextension = 200\n\
         mailbox = 200@default\nmobile = +491701234567\n",
    );
    let phone = FeaturePhone::subscribed(&ast, "200");
    let always = || ast.getvar("USER_PRESENCE_ROUTE(alice,external,always)");
    for (typed, shown, target) in [
        ("200", "200", "voicemail:200@default"),
        ("+491701234567", "0+491701234567", "0+491701234567@default"),
        ("0+491701234567", "0+491701234567", "0+491701234567@default"),
    ] {
        phone.press_forward("forwardImmediate", typed, true);
        phone.wait_forward("forwardImmediate", Some(shown));
        assert_eq!(always(), target);
        phone.press_forward("forwardImmediate", "", false);
        phone.wait_forward("forwardImmediate", None);
        assert_eq!(always(), "");
    }
    assert_eq!(complaints(&ast, "feature"), [""; 0]);
}

#[test]
fn a_forward_that_is_not_allowed_is_refused_and_the_key_shows_the_truth() {
    if !keys_arrive() {
        return skip("res_pjsip_pubsub keeps the keys that phones press to itself");
    }
    let ast = started(&format!("{ALICE}[bob]\ntype = user\nextension = 201\n"));
    let phone = FeaturePhone::subscribed(&ast, "200");
    for (number, reason) in [
        (
            "+4990012345",
            "this number is not allowed; own_forward of 'alice'",
        ),
        ("", "the phone names no number"),
        ("${SHELL(id)}", ""),
    ] {
        let (before, log) = (phone.notifies().len(), ast.log().len());
        phone.press_forward("forwardImmediate", number, true);
        ast.wait_log_from(
            log,
            &format!("A key of the phone '200' is refused: {reason}"),
        );
        wait_until("the true state", || {
            (phone.notifies().len() >= before + 4).then_some(())
        });
        assert_eq!(phone.forward("forwardImmediate"), None, "{number}");
    }
}

#[test]
fn the_dnd_key_sets_the_status() {
    if !keys_arrive() {
        return skip("res_pjsip_pubsub keeps the keys that phones press to itself");
    }
    let ast = started(ALICE);
    let phone = FeaturePhone::subscribed(&ast, "200");
    phone.press_dnd(true);
    wait_state(&ast, "alice", "dnd");
    assert_eq!(read(&ast, "alice,status"), "dnd");
    phone.wait_dnd(true);
    // A phone that repeats what is so changes nothing.
    let sequence = read(&ast, "alice,sequence");
    phone.press_dnd(true);
    phone.press_dnd(true);
    assert_eq!(read(&ast, "alice,sequence"), sequence);
    phone.press_dnd(false);
    wait_state(&ast, "alice", "available");
    phone.wait_dnd(false);
    // Off means both reasons.
    set(&ast, "alice", "dnd");
    set_dnd_status(&ast, "DoNotAcceptAnyCalls");
    phone.wait_dnd(true);
    phone.press_dnd(false);
    phone.wait_dnd(false);
    assert_eq!(read(&ast, "alice,dndStatus"), "TakeAllCalls");
    wait_state(&ast, "alice", "available");
    // The first SUBSCRIBE may have a key already.
    let another = FeaturePhone::new(&ast, "200");
    assert_eq!(
        another.subscribe(3600, Some((TYPE, dnd(true).as_bytes()))),
        200
    );
    another.wait_dnd(true);
    phone.wait_dnd(true);
    assert_eq!(complaints(&ast, "feature"), [""; 0]);
}

#[test]
fn a_dnd_key_that_another_source_keeps_lit_says_so() {
    if !keys_arrive() {
        return skip("res_pjsip_pubsub keeps the keys that phones press to itself");
    }
    let ast = started(&format!("{ALICE}source = CustomPresence:door\n"));
    let phone = FeaturePhone::subscribed(&ast, "200");
    ast.cli("presencestate change CustomPresence:door DND");
    phone.wait_dnd(true);
    for _ in 0..2 {
        let (before, log) = (phone.notifies().len(), ast.log().len());
        phone.press_dnd(false);
        ast.wait_log_from(
            log,
            "A key of the phone '200' is refused: the status stays dnd, because \
             'CustomPresence:door' says so",
        );
        wait_until("the true state", || {
            (phone.notifies().len() >= before + 4).then_some(())
        });
        assert_eq!(phone.dnd(), Some(true));
    }
    ast.cli("presencestate change CustomPresence:door NOT_SET");
    phone.wait_dnd(false);
}

#[test]
fn the_dnd_key_sets_the_dnd_status_or_nothing_as_configured() {
    if !keys_arrive() {
        return skip("res_pjsip_pubsub keeps the keys that phones press to itself");
    }
    let ast = started(
        "[general]\ndnd_key = dnd_status\n\
         [alice]\ntype = user\nextension = 200\n\
         [bob]\ntype = user\nextension = 201\ndnd_key = no\n",
    );
    let phone = FeaturePhone::subscribed(&ast, "200");
    set(&ast, "alice", "away");
    phone.press_dnd(true);
    phone.wait_dnd(true);
    assert_eq!(read(&ast, "alice,dndStatus"), "DoNotAcceptAnyCalls");
    assert_eq!(read(&ast, "alice"), "away");
    phone.press_dnd(false);
    phone.wait_dnd(false);
    assert_eq!(read(&ast, "alice,dndStatus"), "TakeAllCalls");
    assert_eq!(read(&ast, "alice"), "away");

    let phone = FeaturePhone::subscribed(&ast, "201");
    let before = phone.notifies().len();
    phone.press_dnd(true);
    ast.wait_log("A key of the phone '201' is refused: the option dnd_key of the user is 'no'");
    // The phone gets the true state of each key again.
    wait_until("the true state", || {
        (phone.notifies().len() >= before + 4).then_some(())
    });
    assert_eq!(phone.dnd(), Some(false));
    assert_eq!(read(&ast, "bob"), "not_set");
}

#[test]
fn hostile_bodies_are_refused_with_one_warning() {
    if !keys_arrive() {
        return skip("res_pjsip_pubsub keeps the keys that phones press to itself");
    }
    let ast = started(ALICE);
    let phone = FeaturePhone::subscribed(&ast, "200");
    let deep = format!("{}{}", "<a>".repeat(400), "</a>".repeat(400));
    let bomb = "<!DOCTYPE a [<!ENTITY x \"yyyyyyyyyy\"><!ENTITY z \"&x;&x;&x;&x;\">]>\
                <SetDoNotDisturb><doNotDisturbOn>&z;</doNotDisturbOn></SetDoNotDisturb>";
    let huge = format!("<SetDoNotDisturb>{}</SetDoNotDisturb>", "x".repeat(20_000));
    let bodies: [&[u8]; 8] = [
        b"<",
        b"\xff\xfe<SetDoNotDisturb/>",
        b"<SetDoNotDisturb><doNotDisturbOn>\0</doNotDisturbOn></SetDoNotDisturb>",
        bomb.as_bytes(),
        deep.as_bytes(),
        huge.as_bytes(),
        b"<SetForwarding><forwardingType>${SHELL(id)}</forwardingType></SetForwarding>",
        b"<SetDoNotDisturb><doNotDisturbOn>%s%n</doNotDisturbOn></SetDoNotDisturb>",
    ];
    for body in bodies {
        assert_eq!(phone.subscribe(3600, Some((TYPE, body))), 200);
        let another = FeaturePhone::new(&ast, "200");
        assert_eq!(another.subscribe(3600, Some((TYPE, body))), 400);
    }
    let another = FeaturePhone::new(&ast, "200");
    assert_eq!(another.subscribe(3600, Some(("text/plain", b"dnd"))), 415);
    let parts = b"--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x--\r\n";
    let another = FeaturePhone::new(&ast, "200");
    let kind = "multipart/mixed;boundary=x";
    assert_eq!(another.subscribe(3600, Some((kind, parts))), 415);
    // All goes on.
    phone.press_dnd(true);
    phone.wait_dnd(true);
    set(&ast, "alice", "available");
    phone.wait_dnd(false);
    assert_eq!(complaints(&ast, "a body for its feature keys").len(), 1);
}

#[test]
fn an_endpoint_of_no_user_gets_no_keys() {
    let ast = started(
        "[general]\n[alice]\ntype = user\nextension = 200,PJSIP/desk\n\
         endpoint = soft,PJSIP/201\n",
    );
    let stranger = FeaturePhone::new(&ast, "stranger");
    assert_eq!(stranger.subscribe(3600, None), 404);
    let stranger = FeaturePhone::new(&ast, "stranger");
    assert_eq!(
        stranger.subscribe(3600, Some((TYPE, dnd(true).as_bytes()))),
        404
    );
    assert_eq!(complaints(&ast, "The phone 'stranger' asks").len(), 1);
    // The extension's device is another one.
    let phone = FeaturePhone::new(&ast, "200");
    assert_eq!(phone.subscribe(3600, None), 404);
    let phone = FeaturePhone::subscribed(&ast, "201");
    press_dnd(&ast, &phone, "alice", true);
    phone.wait_dnd(true);
    wait_state(&ast, "alice", "dnd");
}

#[test]
fn the_keys_of_each_phone_follow() {
    let ast = started(
        "[general]\n[alice]\ntype = user\nextension = 200\ndevice = PJSIP/201\n\
         endpoint = soft,PJSIP/stranger\n",
    );
    let phones = ["200", "201", "stranger"].map(|phone| FeaturePhone::subscribed(&ast, phone));
    for phone in &phones {
        for on in [true, false] {
            press_dnd(&ast, phone, "alice", on);
            for other in &phones {
                other.wait_dnd(on);
            }
        }
    }
}

#[test]
fn a_reload_switches_the_keys_and_changes_what_they_show() {
    let ast = started("[general]\nfeature_keys = no\n[alice]\ntype = user\nextension = 200\n");
    let refused = FeaturePhone::new(&ast, "200");
    assert_eq!(refused.subscribe(3600, None), 489);
    ast.write_config("userpresence.conf", ALICE);
    ast.reload();
    let phone = wait_until("the keys", || {
        let phone = FeaturePhone::new(&ast, "200");
        (phone.subscribe(3600, None) == 200).then_some(phone)
    });
    phone.wait_dnd(false);
    ast.write_config("userpresence.conf", &format!(
        "{ALICE}handling = office\n[office]\ntype = handling\nforward_external_always = 210@default\n"
    ));
    ast.reload();
    phone.wait_forward("forwardImmediate", Some("210"));
    ast.write_config(
        "userpresence.conf",
        "[general]\nfeature_keys = no\n[alice]\ntype = user\nextension = 200\n",
    );
    ast.reload();
    let refused = FeaturePhone::new(&ast, "200");
    assert_eq!(refused.subscribe(3600, None), 489);
    set(&ast, "alice", "dnd");
    ast.write_config("userpresence.conf", ALICE);
    ast.reload();
    phone.wait_dnd(true);
    phone.wait_forward("forwardImmediate", None);
}

#[test]
fn live_subscriptions_outlast_an_unload() {
    let ast = started(ALICE);
    let phone = FeaturePhone::subscribed(&ast, "200");
    for round in 0..5 {
        set(&ast, "alice", "available");
        phone.wait_dnd(false);
        assert!(ast.unload_module(MODULE).ok());
        let another = FeaturePhone::new(&ast, "200");
        assert_eq!(another.subscribe(3600, None), 489);
        // Not a crash: the press is ignored.
        phone.press_dnd(true);
        assert!(ast.load_module(MODULE).ok());
        phone.wait_dnd(false);
        press_dnd(&ast, &phone, "alice", true);
        phone.wait_dnd(true);
        wait_state(&ast, "alice", "dnd");
        let found = subscriptions(&ast);
        assert!(found.contains("1 active subscription"), "{round}: {found}");
    }
    // A subscription that ends while the module is away.
    assert!(ast.unload_module(MODULE).ok());
    assert_eq!(phone.subscribe(0, None), 200);
    wait_until("no subscription", || {
        subscriptions(&ast).contains("0 active").then_some(())
    });
    assert!(ast.load_module(MODULE).ok());
    FeaturePhone::subscribed(&ast, "200");
}

#[test]
fn a_subscription_ends_by_the_phone_or_by_time() {
    let ast = started(ALICE);
    let phone = FeaturePhone::subscribed(&ast, "200");
    let expiring = FeaturePhone::new(&ast, "200");
    assert_eq!(expiring.subscribe(1, None), 200);
    expiring.wait_dnd(false);
    assert_eq!(phone.subscribe(0, None), 200);
    wait_until("no subscription", || {
        subscriptions(&ast).contains("0 active").then_some(())
    });
    // Asterisk 16 ends a subscription that the phone ends itself without a NOTIFY, also of its own
    // events.
    let told = match keys_arrive() {
        true => &[&phone, &expiring][..],
        false => &[&expiring],
    };
    for ended in told {
        wait_until("the last NOTIFY", || {
            let all = ended.notifies();
            let last = all.last()?;
            last.contains("Subscription-State: terminated")
                .then_some(())
        });
    }
    let before = phone.notifies().len() + expiring.notifies().len();
    let third = FeaturePhone::subscribed(&ast, "200");
    set(&ast, "alice", "dnd");
    third.wait_dnd(true);
    let after = phone.notifies().len() + expiring.notifies().len();
    assert_eq!(before, after);
}

/// Asterisk stores the first SUBSCRIBE of a phone, and takes it from there at its start.
#[test]
fn a_key_that_was_pressed_before_a_restart_is_not_pressed_again() {
    if !keys_arrive() {
        return skip("res_pjsip_pubsub keeps the keys that phones press to itself");
    }
    let ast = configured(ALICE)
        .sip(&["200"])
        .modules(&["res_sorcery_astdb"])
        .start();
    let phone = FeaturePhone::new(&ast, "200");
    assert_eq!(
        phone.subscribe(3600, Some((TYPE, dnd(true).as_bytes()))),
        200
    );
    wait_state(&ast, "alice", "dnd");
    phone.wait_dnd(true);
    set(&ast, "alice", "away");
    phone.wait_dnd(false);
    let before = phone.notifies().len();
    ast.restart(true);
    wait_until("the state of each key after the restart", || {
        (phone.notifies().len() >= before + 4).then_some(())
    });
    assert_eq!(phone.dnd(), Some(false));
    wait_state(&ast, "alice", "away");
    phone.press_dnd(true);
    phone.wait_dnd(true);
    wait_state(&ast, "alice", "dnd");
}

#[test]
fn without_sip_the_module_runs_all_the_same() {
    let ast = configured(ALICE).start();
    set(&ast, "alice", "dnd");
    wait_state(&ast, "alice", "dnd");
    assert_eq!(complaints(&ast, ""), [""; 0]);
}
