//! Texts pass through the dialplan, AMI and ARI unchanged and are never evaluated.

use crate::harness::ari;
use crate::harness::barrier::configured;
use crate::harness::users::{ALICE, complaints, custom, read, set, wait_custom};
use crate::harness::{Instance, wait_until};

/// Awkward texts. Their brackets are balanced, because Asterisk's parser counts brackets
/// in the arguments of the test's dialplan.
const TEXTS: &[&str] = &[
    "Back at one, or two, or three",
    "\"quoted\", 'so' and \"so",
    "a; b; c",
    "C:\\new\\table \\ end\\",
    "${SHELL(id)}",
    "$[1+1] ${EXTEN} ${GLOBAL(X)}",
    "${SHELL(touch evaluated)},${SHELL(id)}",
    "%s %n & < > | ` = ^ ~ # @ !",
    "Zurück 昼休み 🍜",
    "blanks at the end  ",
];

/// An Asterisk with functions that start programs: an evaluated text would not come back
/// unchanged.
fn dangerous() -> Instance {
    ari::with_ari(configured(ALICE).modules(&["func_shell"])).start()
}

fn escaped(text: &str) -> String {
    text.replace(',', "\\,")
}

#[test]
fn texts_survive_a_dialplan_with_a_real_channel() {
    let ast = dangerous();
    for text in TEXTS {
        // The text is in a variable, as if from a caller, a database or a web form.
        ast.setvar("GIVEN", &escaped(text));
        let back = ast.run_dialplan(
            &[
                "Set(USER_PRESENCE(alice)=away,lunch,${GLOBAL(GIVEN)})",
                "Set(BACK=${USER_PRESENCE(alice,message)})",
            ],
            "${BACK}",
        );
        assert_eq!(back, *text);
        assert_eq!(read(&ast, "alice,message"), *text);
        wait_custom(&ast, "201", "message", text);
    }
    assert!(!ast.path("evaluated").exists());
}

#[test]
fn texts_survive_ami_and_ari_without_live_dangerously() {
    let ast = dangerous();
    let channel = ari::Channel::call(&ast, "wait");
    for text in TEXTS {
        // A backslash at the end of a subtype would escape the comma after it.
        let subtype = text.trim_end_matches('\\');
        let value = format!("dnd,{},{}", escaped(subtype), escaped(text));
        set(&ast, "alice", &value);
        for (field, text) in [("subtype", subtype), ("message", text)] {
            let read_back = read(&ast, &format!("alice,{field}"));
            assert_eq!(read_back, text);
            assert_eq!(channel.get(&format!("USER_PRESENCE(alice,{field})")), text);
            wait_custom(&ast, "200", field, text);
        }
        let done = ari::set(
            &ast,
            "USER_PRESENCE(alice)",
            &format!("xa,,{}", escaped(text)),
        );
        assert_eq!(done.status, 204, "{}", done.body);
        assert_eq!(read(&ast, "alice"), "xa");
        assert_eq!(read(&ast, "alice,message"), *text);
        channel.set("USER_PRESENCE(alice)", &format!("chat,,{}", escaped(text)));
        // Older releases answer before they have set it.
        wait_until("what the channel sets", || {
            (channel.get("USER_PRESENCE(alice)") == "chat").then_some(())
        });
        assert_eq!(channel.get("USER_PRESENCE(alice,message)"), *text);
        assert_eq!(
            ast.getvar("PRESENCE_STATE(UserPresence:alice,message)"),
            *text
        );
    }
    // Dangerous functions are refused here, otherwise the assertions above prove nothing.
    assert_eq!(ast.getvar("SHELL(echo yes)"), "");
    assert!(!ast.path("evaluated").exists());
}

/// `extensions.conf` in an administrator's usual style.
#[test]
fn a_status_is_set_by_a_line_of_extensions_conf() {
    let ast = configured(ALICE)
        .dialplan(
            "exten = lunch,1,Set(USER_PRESENCE(alice)=away,lunch,\"Back\" at one\\, or two\\; maybe)\n\
             exten = ask,1,UserEvent(Asked,State:${USER_PRESENCE(alice)},\
             Text:${USER_PRESENCE(alice,message,e)})",
        )
        .start();
    let ami = ast.ami();
    for extension in ["lunch", "ask"] {
        let call = ami.action(&[
            ("Action", "Originate"),
            ("Channel", &format!("Local/{extension}@default/n")),
            ("Application", "Wait"),
            ("Data", "60"),
        ]);
        // The channel ends before an answer; only the dialplan on its way matters.
        assert!(!call.ok(), "{call:?}");
    }
    let event = ami.wait_event("the answer", |event| {
        event.get("UserEvent") == Some("Asked")
    });
    assert_eq!(event.get("State"), Some("away"));
    let text = "\"Back\" at one, or two; maybe";
    assert_eq!(read(&ast, "alice,message"), text);
    assert_eq!(
        event.get("Text"),
        Some(read(&ast, "alice,message,e").as_str())
    );
}

#[test]
fn the_next_line_of_a_dialplan_reads_the_new_status() {
    let ast = configured(ALICE).start();
    for (number, state) in ["dnd", "away", "chat", "available"].into_iter().enumerate() {
        let read = ast.run_dialplan(
            &[
                &format!("Set(USER_PRESENCE(alice)={state},sub,number {number})"),
                "Set(A=${USER_PRESENCE(alice)} ${PRESENCE_STATE(UserPresence:alice,message)})",
                "Set(B=${PRESENCE_STATE(CustomPresence:201,value)})",
            ],
            "${A} ${B}",
        );
        assert_eq!(read, format!("{state} number {number} {state}"));
    }
}

#[test]
fn outgoing_all_writes_every_extension_and_encodes_commas() {
    let ast = configured(ALICE).start();
    set(&ast, "alice", "away,lunch,Back at one");
    for extension in ["200", "201"] {
        wait_custom(&ast, extension, "message", "Back at one");
        assert_eq!(custom(&ast, extension, "value"), "away");
        assert_eq!(custom(&ast, extension, "subtype"), "lunch");
    }
    let stored =
        |extension: &str| ast.run_dialplan(&[], &format!("${{DB(CustomPresence/{extension})}}"));
    assert_eq!(stored("200"), "away,lunch,Back at one");
    set(&ast, "alice", "away,lunch,Back at one\\, or two");
    wait_custom(&ast, "201", "message", "Back at one, or two");
    assert_eq!(
        stored("201"),
        "away,bHVuY2g=,QmFjayBhdCBvbmUsIG9yIHR3bw==,e"
    );
    let listed = ast.cli("presencestate list");
    assert!(listed.contains("CustomPresence:201"), "{listed}");
}

#[test]
fn outgoing_default_writes_the_default_extension_alone() {
    let ast = configured(&format!("{ALICE}outgoing = default\ndefault = 201\n")).start();
    set(&ast, "alice", "away,lunch");
    wait_custom(&ast, "201", "value", "away");
    assert_eq!(custom(&ast, "200", "value"), "not_set");
    assert_eq!(read(&ast, "alice,source"), "CustomPresence:201");
}

#[test]
fn neither_outgoing_none_nor_enabled_no_writes_an_extension() {
    for option in ["outgoing = none", "enabled = no"] {
        let ast = configured(&format!("{ALICE}{option}\n")).start();
        set(&ast, "alice", "away,lunch");
        // Another user's status, written later, shows that nothing is still to come.
        set(&ast, "barrier", "away");
        wait_custom(&ast, "barrier", "value", "away");
        for extension in ["200", "201"] {
            assert_eq!(custom(&ast, extension, "value"), "not_set", "{option}");
        }
        assert_eq!(read(&ast, "alice,source"), "own", "{option}");
        assert_eq!(read(&ast, "alice"), "away", "{option}");
    }
}

#[test]
fn an_address_that_cannot_be_written_is_skipped_with_one_warning() {
    let conf = "[alice]\ntype = user\npresence_prefix = Calendar:\nextension = 200\n\
                [bob]\ntype = user\nextension = 300\n";
    let ast = configured(conf).start();
    for state in ["away", "dnd"] {
        set(&ast, "alice", state);
        set(&ast, "bob", state);
        wait_custom(&ast, "300", "value", state);
        // A status that cannot be written to an extension takes part as the user's own status.
        assert_eq!(read(&ast, "alice"), state);
        assert_eq!(read(&ast, "alice,source"), "own");
    }
    let skipped = "'Calendar:200' is no CustomPresence: it cannot be written and is skipped";
    assert_eq!(complaints(&ast, "skipped"), [skipped]);
}
