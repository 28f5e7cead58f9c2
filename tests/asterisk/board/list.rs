//! The list of people: search, filters, keyboard, and thousands of rows.

use super::{Board, PEOPLE, panel};
use crate::harness::api::api_user;
use crate::harness::key;

#[test]
fn people_can_be_searched_filtered_and_sorted() {
    let board = Board::of_alice();
    let (page, ast) = (&board.browser, &board.ast);
    ast.set_custom("210", "dnd,,Déjà vu");
    ast.set_custom("220", "available");
    board.wait_row("bob", "message", "Déjà vu");
    board.wait_row("carol", "label", "Available");

    for (text, found) in [
        ("CAR", &["carol"][..]),
        ("21", &["bob"]),
        ("deja bo", &["bob"]),
        ("not set", &["alice"]),
        ("", &["alice", "bob", "carol"]),
    ] {
        page.click("#search");
        page.keys(key::ESCAPE);
        page.keys(text);
        board.wait_names(found);
    }
    page.keys("nobody of that name");
    page.wait("document.querySelector('#nobody').textContent === 'No matches.'");
    page.wait("document.querySelector('#announcement').textContent === '0 of 3 people'");
    page.keys(key::ESCAPE);
    board.wait_names(&["alice", "bob", "carol"]);

    let chips = page.text("#chips");
    let chips: Vec<&str> = chips.split_whitespace().collect();
    assert_eq!(chips[..2], ["All", "3"], "{chips:?}");
    page.click(".chip[data-presence=Busy]");
    board.wait_names(&["bob"]);
    assert_eq!(
        page.attribute(".chip[data-presence=Busy]", "aria-pressed"),
        "true"
    );
    // People who no longer match disappear, and new matches appear.
    ast.set_custom("210", "available");
    page.wait("!document.querySelector('#nobody').hidden");
    ast.set_custom("220", "dnd");
    board.wait_names(&["carol"]);
    page.click(".chip[data-presence='']");
    board.wait_names(&["alice", "bob", "carol"]);

    page.choose("#status", "dnd");
    board.wait_names(&["carol"]);
    page.choose("#status", "");
    page.choose("#sort", "status");
    board.wait_names(&["bob", "carol", "alice"]);
    ast.set_custom("200", "available");
    board.wait_names(&["alice", "bob", "carol"]);
    board.no_errors();
}

#[test]
fn everything_works_by_keyboard() {
    let board = Board::open(&format!("{PEOPLE}{}", panel()));
    let page = &board.browser;
    page.keys("panel");
    page.keys(key::TAB);
    page.keys("secret");
    page.keys(key::ENTER);
    board.wait_live();
    board.wait_names(&["alice", "bob", "carol"]);
    page.keys("/");
    page.wait("document.activeElement.id === 'search'");
    page.keys("bo");
    page.keys(key::ENTER);
    page.wait("document.activeElement.id === 'grid'");
    board.wait_active("bob");
    page.keys("/");
    page.keys(key::ESCAPE);
    board.wait_names(&["alice", "bob", "carol"]);
    page.keys(key::DOWN);
    board.wait_active("alice");
    page.keys(key::END);
    board.wait_active("carol");
    page.keys(key::UP);
    board.wait_active("bob");
    page.keys(key::ENTER);
    assert_eq!(page.count("dialog[open]"), 0, "the row of somebody else");
    page.keys(key::HOME);
    board.wait_active("alice");
    // The keyboard focus is visible.
    let outline = page.run(
        "return getComputedStyle(document.querySelector('.row.active')).outlineStyle",
        &[],
    );
    assert_eq!(outline, "solid");

    page.keys(key::ENTER);
    board.wait_dialog(true);
    page.keys(key::ESCAPE);
    board.wait_dialog(false);
    page.wait("document.activeElement.id === 'grid'");
    page.keys(key::ENTER);
    board.wait_dialog(true);
    // Not set, unavailable, available.
    page.keys(key::DOWN);
    page.keys(key::DOWN);
    page.keys(key::TAB);
    page.keys("By keys");
    page.keys(key::ENTER);
    board.wait_dialog(false);
    board.wait_row("alice", "label", "Available");
    board.wait_row("alice", "message", "By keys");
    board.no_errors();
}

#[test]
fn a_hidden_user_does_not_appear() {
    let board = Board::of_alice();
    let ast = &board.ast;
    board.wait_names(&["alice", "bob", "carol"]);
    ast.setvar("USER_PRESENCE(bob,allowSeeMyPresence)", "false");
    board.wait_names(&["alice", "carol"]);
    // The user's own row stays visible.
    ast.setvar("USER_PRESENCE(alice,allowSeeMyPresence)", "false");
    ast.setvar("USER_PRESENCE(bob,allowSeeMyPresence)", "true");
    board.wait_names(&["alice", "bob", "carol"]);
    board.no_errors();
}

/// With five thousand people only the rows on the screen are in the page, and it keeps
/// drawing while a thousand of them change.
#[test]
fn five_thousand_people_scroll_smoothly() {
    const ALL: usize = 5000;
    const CHANGES: usize = 1000;
    let people: String = (0..ALL)
        .map(|n| format!("[u{n:04}]\ntype = user\nextension = {}\n", 10_000 + n))
        .collect();
    let board = Board::open(&format!("{people}{}", api_user("reader", "role = read")));
    board.log_in("reader");
    let page = &board.browser;
    page.wait("document.querySelector('#chips b').textContent === '5,000'");
    assert_eq!(page.attribute("#grid", "aria-rowcount"), "5001");

    // Scrolls up and down all the time, and records the longest time between two frames
    // and the highest number of rows.
    page.run(
        "const grid = document.querySelector('#grid'), seen = window.seen = {gap: 0, rows: 0, frames: 0}; \
         let last = performance.now(), step = 900; \
         requestAnimationFrame(function frame(now) { \
           seen.gap = Math.max(seen.gap, now - last); last = now; seen.frames++; \
           seen.rows = Math.max(seen.rows, document.querySelectorAll('.row').length); \
           const before = grid.scrollTop; grid.scrollTop += step; \
           if (grid.scrollTop === before) step = -step; \
           if (!seen.over) requestAnimationFrame(frame); })",
        &[],
    );
    for change in 0..CHANGES {
        let extension = 10_000 + change * 37 % ALL;
        board
            .ast
            .set_custom(&extension.to_string(), &format!("away,,change {change}"));
    }
    // The last person, wherever the row is.
    let (name, message) = ((CHANGES - 1) * 37 % ALL, format!("change {}", CHANGES - 1));
    page.run(
        "arguments[0].focus()",
        &[page.run("return document.querySelector('#search')", &[])],
    );
    page.keys(&format!("u{name:04}"));
    board.wait_row(&format!("u{name:04}"), "message", &message);
    let seen = page.run("window.seen.over = true; return window.seen", &[]);
    let number = |name: &str| seen[name].as_f64().expect("a number");
    assert!(number("rows") <= 60.0, "{seen}");
    // A page that redraws everything at each change would freeze for far longer.
    assert!(number("gap") < 2000.0, "{seen}");

    page.keys(key::ESCAPE);
    page.keys("change");
    page.wait("document.querySelector('#announcement').textContent === '1,000 of 5,000 people'");
    // The End key moves to the last person.
    page.keys(key::ENTER);
    page.keys(key::END);
    page.wait("document.querySelector('.row.active')?.getAttribute('aria-rowindex') === '1001'");
    assert_eq!(board.names().last(), Some(&board.active()));
    board.no_errors();
}
