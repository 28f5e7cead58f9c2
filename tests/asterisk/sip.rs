//! The presence of a user on a SIP phone.

use crate::harness::barrier::configured;
use crate::harness::users::{ALICE, set};
use crate::harness::{Instance, Presence, Subscriber};

const STATES: [&str; 6] = ["dnd", "xa", "away", "chat", "unavailable", "available"];

fn watched() -> Instance {
    configured(ALICE)
        .sip(&["2000"])
        .hint("2000", "PJSIP/2000,UserPresence:alice")
        .start()
}

fn presence(state: &str, subtype: &str, message: &str) -> Presence {
    Presence {
        state: state.to_owned(),
        subtype: subtype.to_owned(),
        message: message.to_owned(),
    }
}

#[test]
fn a_phone_gets_each_state_of_a_users_extension() {
    let ast = watched();
    let phone = Subscriber::start(&ast, "2000");
    assert_eq!(phone.wait_presence("not_set"), presence("not_set", "", ""));
    // From the lowest state up, so that each wins over the other extension.
    ast.set_custom("201", "available,rest,Does not win");
    phone.wait_presence("available");
    for state in STATES.into_iter().rev() {
        let (subtype, message) = (format!("sub-{state}"), format!("Text of {state}"));
        ast.set_custom("200", &format!("{state},{subtype},{message}"));
        let told = phone.wait_notify(state, |it| it.body().contains(&message));
        assert_eq!(told.presence(), Some(presence(state, &subtype, &message)));
    }
    for extension in ["201", "200"] {
        ast.set_custom(extension, "not_set");
    }
    assert_eq!(phone.wait_presence("not_set"), presence("not_set", "", ""));
    // One NOTIFY at the start and one for each change of the result, no more.
    assert_eq!(phone.notifies().len(), 9);
}

#[test]
fn a_phone_gets_each_state_that_a_user_sets() {
    let ast = watched();
    let phone = Subscriber::start(&ast, "2000");
    phone.wait_presence("not_set");
    for state in STATES {
        set(
            &ast,
            "alice",
            &format!("{state},sub-{state},Text of {state}"),
        );
        let told = phone.wait_presence(state);
        let expected = presence(state, &format!("sub-{state}"), &format!("Text of {state}"));
        assert_eq!(told, expected);
    }
    set(&ast, "alice", "not_set");
    assert_eq!(phone.wait_presence("not_set"), presence("not_set", "", ""));
    // Each status was written to two extensions, and the phone got one NOTIFY.
    assert_eq!(phone.notifies().len(), 8);
}

#[test]
fn unicode_and_special_characters_of_xml_arrive_whole() {
    let ast = watched();
    let phone = Subscriber::start(&ast, "2000");
    phone.wait_presence("not_set");
    let texts = [
        ("mittag", "Zurück um 13 Uhr – 昼休み 🍜"),
        ("<\"&'>", "a < b & \"c\" > 'd' &amp; </digium_presence> ]]>"),
        ("comma, here", "${SHELL(id)} $[1+1] \\ ; , %s %n"),
        ("long", &"ü".repeat(127)),
    ];
    for (subtype, message) in texts {
        let escaped = |text: &str| text.replace(',', "\\,");
        let value = format!("away,{},{}", escaped(subtype), escaped(message));
        set(&ast, "alice", &value);
        let told = phone.wait_presence("away");
        assert_eq!(told, presence("away", subtype, message));
        set(&ast, "alice", "not_set");
        phone.wait_presence("not_set");
    }
    let bodies = phone.bodies();
    let of_specials = "subtype=\"&lt;&quot;&amp;&apos;&gt;\">a &lt; b &amp; &quot;c&quot; &gt; \
                       &apos;d&apos; &amp;amp; &lt;/digium_presence&gt; ]]&gt;</digium_presence>";
    assert!(
        bodies.iter().any(|body| body.contains(of_specials)),
        "{bodies:#?}"
    );
}

/// The device part of a hint is independent of its presence.
#[test]
fn one_hint_shows_a_device_and_a_user() {
    let ast = configured(ALICE)
        .sip(&[])
        .hint("2000", "Custom:desk,UserPresence:alice")
        .start();
    let phone = Subscriber::start(&ast, "2000");
    phone.wait_presence("not_set");
    set(&ast, "alice", "away,lunch");
    phone.wait_presence("away");
    ast.set_device("desk", "INUSE");
    let told = phone.wait_notify("the device", |it| {
        it.note().as_deref() == Some("On the phone")
    });
    assert_eq!(told.presence(), Some(presence("away", "lunch", "")));
}
