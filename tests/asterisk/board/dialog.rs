//! The dialog in which a status is set.

use super::{Board, PEOPLE};
use crate::harness::api::api_user;
use crate::harness::users::{read, wait_custom};

#[test]
fn a_user_sets_their_own_status() {
    let board = Board::of_alice();
    let (page, ast) = (&board.browser, &board.ast);
    board.wait_row("alice", "label", "Not set");
    page.click("#mine");
    board.wait_dialog(true);
    page.click("#choices input[value=lunch]");
    page.fill("#message", "Soup, \"of the day\"");
    page.choose("#until", "at");
    let end = page.run(
        "return new Date(Date.now() + 2 * 36e5).toISOString().slice(0, 16)",
        &[],
    );
    page.choose("#at", end.as_str().expect("a time"));
    page.choose("#dnd", "DoNotAcceptDepartmentCalls");
    page.click("#pickUpCallsOnHold");
    page.click("#save");
    board.wait_dialog(false);

    board.wait_row("alice", "label", "At lunch");
    board.wait_row("alice", "message", "Soup, \"of the day\"");
    board.wait_row("alice", "calls", "No queue calls");
    let until = page.text(".row.own .until");
    assert!(until.starts_with("until "), "{until}");
    assert_eq!(read(ast, "alice,status"), "lunch");
    assert_eq!(read(ast, "alice,message"), "Soup, \"of the day\"");
    assert_eq!(read(ast, "alice,dndStatus"), "DoNotAcceptDepartmentCalls");
    assert_eq!(read(ast, "alice,pickUpCallsOnHold"), "true");
    wait_custom(ast, "201", "value", "away");
    let ends: i64 = read(ast, "alice,until").parse().expect("a time in ms");
    let expected = page.run("return new Date(arguments[0] + 'Z').getTime()", &[end]);
    assert_eq!(Some(ends), expected.as_i64());

    // The dialog shows the present values; choosing another status changes nothing else.
    page.click("#mine");
    board.wait_dialog(true);
    page.wait("document.querySelector('#choices :checked').value === 'lunch'");
    page.wait("document.querySelector('#message').value === 'Soup, \"of the day\"'");
    page.choose("#dnd", "TakeAllCalls");
    page.click("#save");
    board.wait_dialog(false);
    board.wait_row("alice", "calls", "");
    assert_eq!(read(ast, "alice,until"), ends.to_string());

    // The dialog stays open and shows why the server refuses; a time in the past is not
    // even sent.
    page.click("#mine");
    page.fill("#message", &"ü".repeat(200));
    page.click("#save");
    page.wait("document.querySelector('#message-wrong').textContent.includes('400 bytes')");
    page.choose("#until", "at");
    page.choose("#at", "2001-01-01T00:00");
    page.click("#save");
    page.wait("document.querySelector('#at-wrong').textContent.includes('in the future')");
    page.click("#cancel");
    board.wait_dialog(false);

    // A status for a while without a message gets the message of its type.
    page.click("#mine");
    page.click("#choices input[value=available]");
    page.choose("#until", "30");
    page.click("#save");
    board.wait_row("alice", "label", "Available");
    board.wait_row("alice", "message", "");
    assert_ne!(read(ast, "alice,until"), "");
    // The feed may show the change before the request's answer closes the dialog.
    board.wait_dialog(false);
    // The rows of others cannot be set.
    page.run(
        "[...document.querySelectorAll('.row')].find((row) => !row.matches('.own')).click()",
        &[],
    );
    assert_eq!(page.count("dialog[open]"), 0);
    assert_eq!(page.count(".row.editable"), 1);
    board.no_errors_but(&["status of 400"]);
}

#[test]
fn an_administrator_sets_the_status_of_others() {
    let boss = api_user("boss", "role = admin");
    let board = Board::open(&format!("{PEOPLE}{boss}"));
    board.log_in("boss");
    let page = &board.browser;
    board.wait_names(&["alice", "bob", "carol"]);
    page.click("#rows .row:nth-child(2)");
    board.wait_dialog(true);
    assert_eq!(page.text("#editor-title"), "Status of bob");
    page.click("#choices input[value=dnd]");
    page.click("#save");
    board.wait_row("bob", "label", "Do not disturb");
    assert_eq!(read(&board.ast, "bob"), "dnd");
    assert_eq!(page.count("#self:not([hidden])"), 0);
    board.no_errors();
}
