//! The presence that stock Asterisk sends to a SIP phone; `sip` has the same tests with the
//! module.

use crate::harness::{Instance, Presence, Subscriber};

/// Each state reaches the phone with its subtype and message.
#[test]
fn a_phone_gets_every_state() {
    let ast = Instance::stock()
        .sip(&["2000"])
        .hint("2000", "PJSIP/2000,CustomPresence:alice")
        .start();
    let phone = Subscriber::start(&ast, "2000");
    assert_eq!(phone.wait_presence("not_set").subtype, "");

    let states = ["dnd", "xa", "away", "chat", "unavailable", "available"];
    for state in states {
        let set = format!("{state},sub-{state},Text of {state}");
        ast.set_custom("alice", &set);
        let told = phone.wait_presence(state);
        assert_eq!(told.subtype, format!("sub-{state}"));
        assert_eq!(told.message, format!("Text of {state}"));
    }
    ast.set_custom("alice", "not_set");
    let told = phone.wait_presence("not_set");
    assert_eq!((told.subtype, told.message), (String::new(), String::new()));

    // One NOTIFY at the start and one for each change, no more.
    assert_eq!(phone.notifies().len(), 8);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// The element itself, character by character.
#[test]
fn the_presence_is_an_element_of_its_own_tuple() {
    let ast = Instance::stock()
        .sip(&["2000"])
        .hint("2000", "PJSIP/2000,CustomPresence:alice")
        .start();
    let phone = Subscriber::start(&ast, "2000");
    let first = phone.wait_notify("the start", |_| true);
    assert!(
        first
            .body()
            .contains("<digium_presence type=\"not_set\" />")
    );
    assert_eq!(first.note().as_deref(), Some("Unavailable"));

    ast.set_custom("alice", "away,lunch,Back at one");
    let notify = phone.wait_notify("away", |it| it.body().contains("away"));
    let expected = " <tuple id=\"digium-presence\">\n  \
                    <status>\n   \
                    <digium_presence type=\"away\" subtype=\"lunch\">Back at one</digium_presence>\n  \
                    </status>\n \
                    </tuple>";
    assert!(notify.body().contains(expected), "{}", notify.body());
}

/// Unicode passes unchanged, special characters of XML are escaped.
#[test]
fn texts_arrive_whole() {
    let ast = Instance::stock()
        .sip(&["2000"])
        .hint("2000", "PJSIP/2000,CustomPresence:alice")
        .start();
    let phone = Subscriber::start(&ast, "2000");
    let told = |subtype: &str, message: &str| {
        phone.wait_presence("not_set");
        ast.set_custom("alice", &format!("away,{subtype},{message}"));
        let told = phone.wait_notify(message, |it| it.body().contains("\"away\""));
        ast.set_custom("alice", "not_set");
        let expected = Presence {
            state: "away".to_owned(),
            subtype: subtype.to_owned(),
            message: message.to_owned(),
        };
        assert_eq!(told.presence(), Some(expected));
        told
    };
    told("mittag", "Zurück um 13 Uhr – 昼休み 🍜");
    let notify = told("<\"&'>", "a < b & \"c\" > 'd' &amp; </digium_presence>");
    assert!(
        notify
            .body()
            .contains("subtype=\"&lt;&quot;&amp;&apos;&gt;\"")
    );
    told("long", &"ü".repeat(127));
}

/// Asterisk escapes into a buffer of 1024 bytes and truncates the rest, even in the middle
/// of an entity: such a NOTIFY is not well-formed XML.
#[test]
fn asterisk_truncates_a_long_text_of_special_characters() {
    let ast = Instance::stock()
        .sip(&[])
        .hint("2000", ",CustomPresence:alice")
        .start();
    let phone = Subscriber::start(&ast, "2000");
    ast.set_custom("alice", &format!("away,,{}", "\"".repeat(170)));
    assert_eq!(phone.wait_presence("away").message, "\"".repeat(170));
    ast.set_custom("alice", &format!("away,,{}", "\"".repeat(171)));
    // A repeated NOTIFY of the text before may come first.
    phone.wait_notify("the longer one, truncated", |it| {
        it.body().contains(";&qu</digium_presence>")
    });
}

/// A phone of another make gets a NOTIFY without a presence.
#[test]
fn other_phones_get_devices_only() {
    let ast = Instance::stock()
        .sip(&["2000"])
        .hint("2000", "Custom:desk,CustomPresence:alice")
        .start();
    let phone = Subscriber::start_as(&ast, "2000", "Another/1.0");
    let first = phone.wait_notify("the start", |_| true);
    assert_eq!(first.presence(), None);
    ast.set_custom("alice", "dnd");
    let second = phone.wait_notify("the change", |_| true);
    assert_eq!(second.body(), first.body());
    ast.set_device("desk", "INUSE");
    phone.wait_notify("the device", |it| {
        it.note().as_deref() == Some("On the phone")
    });
    ast.wait_watchers("2000", 1);
}
