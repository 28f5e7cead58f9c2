//! Push messages: missed calls and messages that wait, for those who take them.

use crate::harness::barrier::configured;
use crate::harness::changes::assert_headers;
use crate::harness::users::{ALICE, set};
use crate::harness::{Ami, Instance, Message, wait_until};

const HANDLING: &str = "[quiet]\ntype = handling\n[quiet-dnd]\ntype = handling\nset = quiet\n\
                        status = dnd\npush = no\n";

fn users() -> String {
    format!(
        "{HANDLING}{ALICE}mailbox = 200\nhandling = quiet\n\
         [bob]\ntype = user\nextension = 300\nmailbox = 300@other\n"
    )
}

/// The push of a user's that comes next.
#[track_caller]
fn next(ami: &Ami) -> Message {
    ami.wait_event("a push", |event| event.is_event("UserPresencePush"))
}

#[test]
fn a_call_that_nobody_took_is_missed() {
    let ast = configured(&users())
        .sip(&["200"])
        .dialplan("exten = alice,1,UserPresenceDial(alice)\n same = n,Hangup()")
        .start();
    let ami = ast.ami();
    let call = |ast: &Instance| {
        ast.originate("Local/alice@default/n", "Wait", "1");
    };
    call(&ast);
    assert_headers(
        &next(&ami),
        &[
            ("User", "alice"),
            ("Type", "MissedCall"),
            ("CallStatus", "UNAVAILABLE"),
        ],
    );
    set(&ast, "alice", "dnd");
    call(&ast);
    ast.wait_no_channels();
    set(&ast, "alice", "away");
    call(&ast);
    assert_headers(&next(&ami), &[("Status", "away")]);
}

/// A caller leaves a message in a real mailbox.
#[test]
fn a_voicemail_is_told_as_one() {
    let mailboxes = "[general]\nformat = wav\nminsecs = 0\n[default]\n200 = 1234,Alice\n";
    let ast = configured(&users())
        .modules(&["app_voicemail", "app_milliwatt", "format_wav"])
        .file("voicemail.conf", mailboxes)
        .dialplan("exten = vm,1,Answer()\n same = n,VoiceMail(200@default,s)")
        .start();
    let ami = ast.ami();
    let leave = |new: &str| {
        let caller = ast.originate("Local/vm@default/n", "Milliwatt", "");
        ami.wait_event("the mailbox", |event| {
            event.is_event("Newexten") && event.get("Application") == Some("VoiceMail")
        });
        // While it is recorded the file grows.
        wait_until("a recording", || {
            let folder = ast.path("spool/voicemail/default/200");
            let files = std::fs::read_dir(folder.join("tmp")).ok()?;
            let mut files = files.flatten();
            files.find(|file| file.metadata().is_ok_and(|about| about.len() > 8_000))
        });
        ast.hang_up(&caller);
        let told = next(&ami);
        assert_headers(
            &told,
            &[
                ("User", "alice"),
                ("Type", "Voicemail"),
                ("Mailbox", "200@default"),
                ("NewMessages", new),
            ],
        );
        ast.wait_no_channels();
    };
    leave("1");
    leave("2");
}

/// A voicemail server elsewhere tells of its messages by SIP.
#[test]
fn a_message_of_another_program_is_told_as_one() {
    let ast = configured(&users()).sip(&["200", "300"]).start();
    let ami = ast.ami();
    // What is there when it is heard of first counts as seen.
    ast.tell_messages("200", 2, 0);
    ast.tell_messages("200", 3, 1);
    assert_headers(
        &next(&ami),
        &[
            ("User", "alice"),
            ("Id", "alice"),
            ("Type", "Message"),
            ("Mailbox", "200@default"),
            ("NewMessages", "3"),
            ("OldMessages", "1"),
        ],
    );
    // Fewer are none, and in dnd she takes none; nor is 300@default bob's.
    ast.tell_messages("200", 1, 3);
    set(&ast, "alice", "dnd");
    ast.tell_messages("200", 2, 3);
    ast.tell_messages("300", 0, 0);
    ast.tell_messages("300", 1, 0);
    set(&ast, "alice", "away");
    ast.tell_messages("200", 5, 3);
    assert_headers(&next(&ami), &[("Status", "away"), ("NewMessages", "5")]);
}
