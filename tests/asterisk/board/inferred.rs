//! What is chosen beside what is inferred: calls, and do not disturb.

use serde_json::{Value, json};

use super::{Board, panel};
use crate::harness::users::read;

/// A desk phone that is a source, and FreePBX's do not disturb as an action.
const CALLED: &str = "[general]\nuse_devices = yes\n\
    [lunch]\ntype = status\nlabel = At lunch\nstate = away\nsubtype = lunch\n\
    [quiet]\ntype = action\nstatus = dnd\ndnd = on\n\
    [alice]\ntype = user\nextension = 201,Custom:desk-201\n\
    [bob]\ntype = user\nextension = 202,Custom:desk-202\nextension = 203,Custom:soft-203\n";

/// Asserts that each person's icon, words and presence agree with the numbers on top.
#[track_caller]
fn agree(board: &Board, people: &[(&str, &str, &str)]) {
    let told = board.browser.run(
        "return [...document.querySelectorAll('#rows .row')].map((row) => [ \
           row.querySelector('.name .text').textContent, \
           row.querySelector('.words').innerText.trim().replaceAll(/\\s+/g, ' '), \
           row.querySelector('.dot').className.slice(4) + ' ' + row.querySelector('.dot').dataset.presence])",
        &[],
    );
    let wanted: Vec<_> = people
        .iter()
        .map(|(name, words, icon)| json!([name, words, icon]))
        .collect();
    assert_eq!(told, Value::from(wanted));
    for presence in ["Available", "Busy", "Offline"] {
        let count = people
            .iter()
            .filter(|(_, _, icon)| icon.ends_with(presence));
        let shown = board
            .browser
            .text(&format!("[data-presence={presence}].chip b"));
        assert_eq!(shown, count.count().to_string(), "{presence}");
    }
}

/// A message typed during a call changes the message and nothing else.
#[test]
fn a_message_typed_during_a_call_changes_the_message_alone() {
    let board = Board::open(&format!("{CALLED}{}", panel()));
    let (page, ast) = (&board.browser, &board.ast);
    let call = |state: &str| ast.set_device("desk-201", state);
    let dnd = || ast.cli("database get DND 201");
    let write = |message: &str| {
        page.click("#mine");
        board.wait_dialog(true);
        page.fill("#message", message);
        page.click("#save");
        board.wait_dialog(false);
        board.wait_row("alice", "message", message);
    };
    call("NOT_INUSE");
    ast.set_device("desk-202", "NOT_INUSE");
    board.log_in("panel");
    for (status, label, after) in [
        ("available", "Available", "available Available"),
        ("lunch", "At lunch", "away Busy"),
    ] {
        page.click("#mine");
        page.click(&format!("#choices input[value={status}]"));
        page.fill("#message", "Before");
        page.choose("#until", "60");
        page.click("#save");
        board.wait_row("alice", "label", label);
        board.wait_row("alice", "message", "Before");
        let until = read(ast, "alice,chosen_until");
        assert_ne!(until, "");

        call("INUSE");
        board.wait_row("alice", "why", "· On a call");
        assert_eq!(read(ast, "alice"), "dnd");
        // The dialog opens with the chosen status.
        page.click("#mine");
        board.wait_dialog(true);
        let begins = page.run(
            "return ['#choices :checked', '#message', '#until'].map((it) => document.querySelector(it).value)",
            &[],
        );
        assert_eq!(begins, json!([status, "Before", "at"]));
        page.click("#cancel");
        board.wait_dialog(false);
        write("Call me back");
        board.wait_row("alice", "why", "· On a call");
        board.wait_row("alice", "label", label);
        assert_eq!(read(ast, "alice,status"), status);

        call("NOT_INUSE");
        board.wait_row("alice", "why", "");
        let icon = page.run(
            "const dot = document.querySelector('.row.own .dot'); return dot.className.slice(4) + ' ' + dot.dataset.presence",
            &[],
        );
        assert_eq!(icon, after);
        board.wait_row("alice", "label", label);
        board.wait_row("alice", "message", "Call me back");
        assert_eq!(read(ast, "alice,status"), status);
        assert_eq!(read(ast, "alice,chosen_message"), "Call me back");
        assert_eq!(read(ast, "alice,chosen_until"), until);
        assert!(dnd().contains("not found"), "{}", dnd());
    }
    // Changing the end during a call keeps the status.
    call("INUSE");
    board.wait_row("alice", "why", "· On a call");
    page.click("#mine");
    page.choose("#until", "");
    page.click("#save");
    board.wait_dialog(false);
    board.wait_row("alice", "until", "");
    call("NOT_INUSE");
    board.wait_row("alice", "why", "");
    assert_eq!(read(ast, "alice,status"), "lunch");
    assert_eq!(read(ast, "alice,chosen_subtype"), "lunch");
    assert_eq!(read(ast, "alice,chosen_message"), "Call me back");
    assert!(dnd().contains("not found"), "{}", dnd());
    // Saving without a change sends nothing.
    let number = read(ast, "alice,sequence");
    page.click("#mine");
    page.click("#save");
    board.wait_dialog(false);
    assert_eq!(read(ast, "alice,sequence"), number);
    board.no_errors();
}

#[test]
fn icons_words_and_numbers_agree() {
    let board = Board::open(&format!("{CALLED}{}", panel()));
    let ast = &board.ast;
    board.log_in("panel");
    ast.set_custom("201", "available");
    ast.set_custom("202", "available");
    for phone in ["desk-201", "desk-202"] {
        ast.set_device(phone, "NOT_INUSE");
    }
    ast.set_device("soft-203", "UNAVAILABLE");
    board.wait_row("alice", "label", "Available");
    // The desk phone is registered, the soft phone is off.
    board.wait_row("bob", "label", "Available");
    agree(
        &board,
        &[
            ("alice", "Available", "available Available"),
            ("bob", "Available", "available Available"),
        ],
    );
    ast.set_device("desk-201", "INUSE");
    ast.set_device("desk-202", "RINGING");
    board.wait_row("alice", "why", "· On a call");
    board.wait_row("bob", "why", "· Ringing");
    agree(
        &board,
        &[
            ("alice", "Available · On a call", "call Busy"),
            ("bob", "Available · Ringing", "available Available"),
        ],
    );
    ast.set_custom("202", "dnd");
    ast.set_device("desk-202", "INUSE");
    ast.set_device("desk-201", "UNAVAILABLE");
    board.wait_row("alice", "why", "· Phone offline");
    board.wait_row("bob", "why", "· On a call");
    agree(
        &board,
        &[
            ("alice", "Available · Phone offline", "unavailable Offline"),
            ("bob", "Do not disturb · On a call", "dnd Busy"),
        ],
    );
    ast.set_custom("201", "xa");
    ast.set_device("desk-202", "UNAVAILABLE");
    board.wait_row("alice", "why", "· Offline");
    board.wait_row("bob", "why", "");
    agree(
        &board,
        &[
            ("alice", "Extended away · Offline", "xa Offline"),
            ("bob", "Do not disturb", "dnd Busy"),
        ],
    );
    board.no_errors();
}
