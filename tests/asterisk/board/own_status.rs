//! One's own status: the menu at the top, presets, and the fields of the dialog.

use serde_json::{Value, json};

use super::{Board, PEOPLE, panel};
use crate::harness::users::read;
use crate::harness::{key, wait_until};

impl Board {
    #[track_caller]
    fn wait_status(&self, status: &str) {
        wait_until(&format!("the status {status}"), || {
            (read(&self.ast, "alice,status") == status).then_some(())
        });
        self.browser.wait("document.querySelector('#menu').hidden");
    }

    /// How many minutes from now the status ends, rounded.
    #[track_caller]
    fn ends_in(&self) -> i64 {
        let until: i64 = wait_until("an end", || read(&self.ast, "alice,until").parse().ok());
        let now = self.browser.run("return Date.now()", &[]);
        (until - now.as_i64().expect("a time") + 30_000) / 60_000
    }

    /// The entries of the menu, which is open.
    fn entries(&self) -> Vec<String> {
        let entries = self.browser.run(
            "return [...document.querySelectorAll('#menu button span:last-of-type')].map((it) => it.textContent)",
            &[],
        );
        serde_json::from_value(entries).expect("texts")
    }
}

#[test]
fn two_clicks_or_three_keys_set_ones_own_status_from_everywhere() {
    let board = Board::of_alice();
    let page = &board.browser;
    board.wait_row("alice", "label", "Not set");
    page.click("#own");
    page.click("#menu [role=menuitemradio]:nth-child(5)");
    board.wait_status("dnd");
    page.wait("document.querySelector('#own .label').textContent === 'Do not disturb'");
    // Of what was chosen before, nothing remains.
    assert_eq!(read(&board.ast, "alice,until"), "");

    // By digit, and by the first letter of a status type; from the page and from the list.
    for (keys, status, label) in [
        ("s1", "available", "Available"),
        ("sa", "away", "Away"),
        ("s7", "lunch", "At lunch"),
    ] {
        page.keys(keys);
        page.keys(key::ENTER);
        board.wait_status(status);
        page.wait(&format!(
            "document.querySelector('#own .label').textContent === '{label}'"
        ));
        page.wait("document.activeElement.id === 'own'");
    }
    page.run("document.querySelector('#grid').focus()", &[]);
    page.keys("s");
    // The present status has the focus and is marked.
    page.wait("document.activeElement.textContent.startsWith('At lunch')");
    page.wait("document.activeElement.getAttribute('aria-checked') === 'true'");
    page.keys(key::UP);
    page.wait("document.activeElement.textContent.startsWith('Unavailable')");
    page.keys(key::HOME);
    page.keys(key::ENTER);
    board.wait_status("available");

    // In a field, s is a letter.
    page.click("#search");
    page.keys("s1");
    page.wait("document.querySelector('#search').value === 's1'");
    assert_eq!(page.count("#menu:not([hidden])"), 0);
    page.keys(key::ESCAPE);
    // Escape, Tab and a click elsewhere close the menu without a change.
    let number = read(&board.ast, "alice,sequence");
    for close in [key::ESCAPE, key::TAB] {
        page.click("#own");
        page.wait("!document.querySelector('#menu').hidden");
        page.keys(close);
        page.wait("document.querySelector('#menu').hidden");
    }
    page.click("#own");
    page.click("#top h1");
    page.wait("document.querySelector('#menu').hidden");
    assert_eq!(read(&board.ast, "alice,sequence"), number);
    board.no_errors();
}

#[test]
fn presets_end_and_ones_own_are_kept() {
    let board = Board::of_alice();
    let page = &board.browser;
    board.wait_row("alice", "label", "Not set");
    page.click("#own");
    // The states, the administrator's types, and these for a while.
    assert_eq!(
        board.entries()[5..],
        ["Unavailable", "At lunch", "At lunch, 45 minutes"]
    );
    page.run(
        "[...document.querySelectorAll('#menu [role=menuitem]')][0].click()",
        &[],
    );
    board.wait_status("lunch");
    assert_eq!(board.ends_in(), 45);
    // The message of the status type comes with it.
    board.wait_row("alice", "message", "Back soon");

    // One's own: kept with the status, offered after a new load, applied, and removed.
    page.click("#mine");
    page.click("#choices input[value=away]");
    page.fill("#message", "Walking the dog");
    page.choose("#until", "15");
    page.click("#keep");
    page.click("#save");
    board.wait_dialog(false);
    board.wait_status("away");
    assert_eq!(board.ends_in(), 15);
    page.keys("s1");
    page.keys(key::ENTER);
    board.wait_status("available");
    page.open("/userpresence/");
    board.wait_row("alice", "label", "Available");
    page.click("#own");
    assert_eq!(
        board.entries()[7..],
        ["Away, 15 minutes · Walking the dog", "At lunch, 45 minutes"]
    );
    page.keys("8");
    page.keys(key::ENTER);
    board.wait_status("away");
    assert_eq!(read(&board.ast, "alice,message"), "Walking the dog");
    assert_eq!(board.ends_in(), 15);
    page.click("#mine");
    page.click("#presets button");
    page.wait("document.querySelector('#presets').hidden");
    // A time of the day is no preset.
    page.choose("#until", "at");
    page.wait("document.querySelector('#keep').disabled");
    page.click("#cancel");
    page.click("#own");
    assert_eq!(board.entries()[7..], ["At lunch, 45 minutes"]);
    board.no_errors();
}

/// What a screen reader announces at a field: whether it is wrong, and why.
fn wrong(board: &Board, field: &str) -> Value {
    board.browser.run(
        "const it = document.querySelector(arguments[0]); \
         const why = (it.getAttribute('aria-describedby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join(''); \
         return [it.getAttribute('aria-invalid') === 'true', why, document.activeElement === it]",
        &[json!(field)],
    )
}

#[test]
fn a_form_says_at_its_field_what_is_wrong() {
    let board = Board::open(&format!("{PEOPLE}{}", panel()));
    let page = &board.browser;
    page.fill("#name", "panel");
    page.fill("#password", "wrong");
    page.click("#login button");
    page.wait("document.querySelector('#password[aria-invalid]')");
    let why = "The name or password is wrong.";
    assert_eq!(wrong(&board, "#password"), json!([true, why, true]));
    assert_eq!(wrong(&board, "#name"), json!([true, why, false]));
    assert_eq!(page.accessibility(), Vec::<String>::new());
    page.fill("#password", "secret");
    page.click("#login button");
    board.wait_live();

    page.click("#mine");
    page.click("#choices input[value=away]");
    page.choose("#until", "at");
    page.choose("#at", "2001-01-01T00:00");
    page.click("#save");
    page.wait("document.querySelector('#at[aria-invalid]')");
    let why = "The time must be in the future.";
    assert_eq!(wrong(&board, "#at"), json!([true, why, true]));
    assert_eq!(wrong(&board, "#message"), json!([false, "", false]));
    page.choose("#until", "");
    page.fill("#message", &"ü".repeat(201));
    page.click("#save");
    page.wait("document.querySelector('#message[aria-invalid]')");
    let told = wrong(&board, "#message");
    assert_eq!((&told[0], &told[2]), (&json!(true), &json!(true)), "{told}");
    assert!(
        told[1]
            .as_str()
            .is_some_and(|why| why.contains("402 bytes")),
        "{told}"
    );
    assert_eq!(wrong(&board, "#at"), json!([false, "", false]));
    assert_eq!(page.accessibility(), Vec::<String>::new());
    // Right again.
    page.fill("#message", "Short");
    page.click("#save");
    board.wait_dialog(false);
    page.click("#mine");
    assert_eq!(wrong(&board, "#message"), json!([false, "", false]));
    board.no_errors_but(&["status of 400"]);
}
