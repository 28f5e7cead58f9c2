//! Real SIP clients of other makes, and what each says that it sees; and the requests of
//! phones byte for byte.

use crate::harness::Subscriber;
use crate::harness::barrier::configured;
use crate::harness::client::{Baresip, Line, Linphone, Pjsua, Watcher};
use crate::harness::users::{ALICE, set};

/// Phones that subscribe to Alice's extension each get a body of the type that they ask for.
#[test]
fn the_subscriptions_of_each_make_are_answered_in_their_type() {
    let ast = configured(ALICE)
        .sip(&["phone"])
        .modules(&["res_pjsip_xpidf_body_generator"])
        .hint("2000", "Custom:desk,UserPresence:alice")
        .start();
    ast.set_device("desk", "NOT_INUSE");
    set(&ast, "alice", "dnd,meeting,Board meeting");
    for (form, content_type) in [
        ("snom-subscribe", "application/pidf+xml"),
        ("audiocodes-subscribe", "application/pidf+xml"),
        ("cisco-subscribe", "application/cpim-pidf+xml"),
        ("yealink-subscribe", "application/dialog-info+xml"),
    ] {
        let phone = Subscriber::form(&ast, form, "phone", "2000");
        let first = phone.wait_notify(form, |_| true);
        let wanted = format!("\nContent-Type: {content_type}\n");
        assert!(first.text.contains(&wanted), "{form}: {}", first.text);
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// The clients themselves, by a presence that they all know: the device's.
#[test]
fn every_client_follows_a_device() {
    let ast = configured(ALICE)
        .sip(&["pjsua", "baresip", "linphone"])
        .hint("2000", "Custom:desk,UserPresence:alice")
        .start();
    ast.set_device("desk", "UNAVAILABLE");
    let line = |endpoint| Line {
        endpoint,
        watches: "2000",
    };
    let linphone = Linphone::start(&ast, line("linphone"));
    let baresip = Baresip::start(&ast, line("baresip"));
    let pjsua = Pjsua::start(&ast, line("pjsua"));
    assert_eq!(baresip.wait_seen(1), "Offline");
    assert_eq!(linphone.wait_seen(1), "Offline");
    assert!(pjsua.wait_seen(1).starts_with("offline"));
    ast.set_device("desk", "NOT_INUSE");
    assert_eq!(baresip.wait_seen(2), "Online");
    assert_eq!(linphone.wait_seen(2), "Online");
    assert!(pjsua.wait_seen(2).starts_with("online"));
}
