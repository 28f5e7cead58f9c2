//! Bodies have a greatest size: above it Asterisk sends none.

use super::{SNOM, activities, assert_valid, assert_well_formed, texts, wait_text, watched};
use crate::harness::Subscriber;
use crate::harness::users::set;

#[test]
fn messages_of_255_bytes_of_any_script_arrive() {
    let ast = watched().start();
    let phone = Subscriber::start_as(&ast, "2000", SNOM);
    let digium = Subscriber::start(&ast, "2000");
    for (number, character) in ["x", "\"", "'", "é", "中", "🍜"].into_iter().enumerate() {
        let message = character.repeat(255 / character.len());
        set(&ast, "alice", &format!("dnd,s{number},{message}"));
        let body = wait_text(&phone, &message);
        assert_valid(&ast, &body);
        assert_eq!(texts(&body, "dm:note"), [message.as_str()]);
        assert_eq!(texts(&body, "note"), ["Do not disturb", &message]);
        // There the message is a third time, escaped by Asterisk.
        let told = digium.wait_presence("dnd");
        assert_eq!(told.subtype, format!("s{number}"));
    }
    // Cut in whole characters and entities.
    for (number, character) in ["&", "<", "&<>"].into_iter().enumerate() {
        let message = character.repeat(255 / character.len());
        set(&ast, "alice", &format!("away,t{number},{message}"));
        let body = phone.wait_notify("away", |it| {
            let note = texts(it.body(), "dm:note").concat();
            let plain = note
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&");
            message.starts_with(&plain) && plain.len() > 100
        });
        let body = body.body();
        assert_valid(&ast, body);
        assert_eq!(activities(body), ["rpid:away"]);
        let room = 2047 - body.len();
        assert!(room < 60, "{room} bytes more would have fit");
        let told = digium.wait_presence("away");
        assert_eq!(told.subtype, format!("t{number}"));
    }
    let bodies = digium.bodies();
    assert_eq!(bodies.len(), 10, "one for each change");
    for body in bodies {
        assert_eq!(body.matches("<dm:person").count(), 1);
        // What Asterisk itself cuts in the middle of an entity is no XML.
        if !body.contains("&quot;&quot;")
            && !body.contains("&apos;&apos;")
            && !body.contains("&amp;&")
        {
            assert_well_formed(&ast, &body);
        }
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// The watched address is in the body twice.
#[test]
fn a_long_address_leaves_room() {
    let extension = "x".repeat(79);
    let ast = watched()
        .hint(&extension, "Custom:desk,UserPresence:alice")
        .start();
    let phone = Subscriber::start_as(&ast, &extension, SNOM);
    for (state, character) in [("away", "é"), ("dnd", "&")] {
        let message = character.repeat(255 / character.len());
        set(&ast, "alice", &format!("{state},,{message}"));
        let activity = if state == "dnd" {
            "rpid:busy"
        } else {
            "rpid:away"
        };
        let body = wait_text(&phone, activity);
        assert_valid(&ast, &body);
        assert!(texts(&body, "dm:note")[0].len() > 250, "{body}");
    }
}

/// `CustomPresence` takes control characters; a body has none.
#[test]
fn control_characters_do_not_reach_a_body() {
    let ast = watched().start();
    let phone = Subscriber::start_as(&ast, "2000", SNOM);
    ast.set_custom("200", "away,,WwEbMQly,e");
    let body = wait_text(&phone, "rpid:away");
    assert_valid(&ast, &body);
    assert_eq!(texts(&body, "dm:note"), ["[  1 r"]);
    assert!(
        !body.contains(|c: char| c.is_control() && c != '\n'),
        "{body:?}"
    );
}
