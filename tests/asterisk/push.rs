//! Push messages: missed calls and new voicemail, for users whose status takes them.

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

/// The next push message.
#[track_caller]
fn next(ami: &Ami) -> Message {
    ami.wait_event("a push", |event| event.is_event("UserPresencePush"))
}

#[test]
fn an_unanswered_call_is_a_missed_call() {
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
    assert_headers(&next(&ami), &[("State", "away")]);
}

/// A caller leaves a message in a real mailbox.
#[test]
fn a_new_voicemail_causes_a_push() {
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
        // The file grows during the recording.
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

/// A voicemail server elsewhere reports its messages by SIP.
#[test]
fn a_message_on_another_server_causes_a_push() {
    let ast = configured(&users()).sip(&["200", "300"]).start();
    let ami = ast.ami();
    // Messages in the first report count as seen.
    ast.tell_messages("200", 2, 0);
    ast.tell_messages("200", 3, 1);
    assert_headers(
        &next(&ami),
        &[
            ("User", "alice"),
            ("Id", "alice"),
            ("Name", "alice"),
            ("Type", "Message"),
            ("Mailbox", "200@default"),
            ("NewMessages", "3"),
            ("OldMessages", "1"),
        ],
    );
    // Fewer messages cause no push, dnd takes none, and 300@default is not bob's mailbox.
    ast.tell_messages("200", 1, 3);
    set(&ast, "alice", "dnd");
    ast.tell_messages("200", 2, 3);
    ast.tell_messages("300", 0, 0);
    ast.tell_messages("300", 1, 0);
    set(&ast, "alice", "away");
    ast.tell_messages("200", 5, 3);
    assert_headers(&next(&ami), &[("State", "away"), ("NewMessages", "5")]);
}
