//! Notices on the page, and notifications of the browser.

use serde_json::{Value, json};

use super::{Board, PEOPLE, panel};
use crate::harness::barrier::configured;
use crate::harness::users::set;
use crate::harness::{Browser, key};

impl Board {
    /// Lets the page show notifications, or lets it ask.
    pub(super) fn permit(&self, setting: &str) {
        let origin = format!("http://127.0.0.1:{}", self.ast.http_port());
        self.browser.chromium(
            "Browser.setPermission",
            json!({"permission": {"name": "notifications"}, "setting": setting, "origin": origin}),
        );
    }

    /// Notes the notifications that the page shows from now on.
    pub(super) fn listen(&self) {
        self.browser.run(
            "const Real = Notification; window.shown = []; \
             window.Notification = class extends Real { \
               constructor(title, options) { super(title, options); \
                 this.addEventListener('show', () => shown.push([title, options.body])); } }",
            &[],
        );
    }

    pub(super) fn shown(&self) -> Value {
        self.browser.run("return window.shown", &[])
    }
}

#[test]
fn the_bell_tells_once_that_somebody_is_available() {
    let board = Board::of_alice();
    let (page, ast) = (&board.browser, &board.ast);
    board.permit("granted");
    page.open("/userpresence/");
    board.wait_names(&["alice", "bob", "carol"]);
    set(ast, "bob", "dnd");
    set(ast, "carol", "available");
    board.wait_row("bob", "label", "Do not disturb");
    board.wait_row("carol", "label", "Available");
    board.listen();
    // Only where there is something to wait for, and not for oneself.
    let bells = page.run(
        "return [...document.querySelectorAll('#rows .row')].map((row) => row.querySelector('[data-do=bell]').hidden)",
        &[],
    );
    assert_eq!(bells, json!([true, false, true]));
    let bell = "#rows .row:nth-child(2) [data-do=bell]";
    assert_eq!(
        page.attribute(bell, "aria-label"),
        "Tell me when bob is available"
    );
    page.click(bell);
    page.wait(&format!(
        "document.querySelector('{bell}').getAttribute('aria-pressed') === 'true'"
    ));
    assert_eq!(page.count("dialog[open]"), 0);
    // Another change is not what was waited for.
    set(ast, "bob", "away");
    board.wait_row("bob", "label", "Away");
    assert_eq!(page.count("#notices li"), 0);
    set(ast, "bob", "available");
    page.wait("document.querySelector('#notices .what')?.textContent === 'bob is available'");
    page.wait("document.querySelector('#announcement').textContent === 'bob is available'");
    page.wait("window.shown.length === 1");
    assert_eq!(board.shown(), json!([["Presence", "bob is available"]]));
    // Once.
    set(ast, "bob", "dnd");
    board.wait_row("bob", "label", "Do not disturb");
    page.wait(&format!(
        "document.querySelector('{bell}').getAttribute('aria-pressed') === 'false'"
    ));
    set(ast, "bob", "available");
    board.wait_row("bob", "label", "Available");
    assert_eq!(page.count("#notices li"), 1);

    // By keyboard; it is kept over a new load, and tells at once what happened meanwhile.
    set(ast, "bob", "dnd");
    board.wait_row("bob", "label", "Do not disturb");
    page.run("document.querySelector('#grid').focus()", &[]);
    page.keys(key::HOME);
    page.keys(key::DOWN);
    page.keys("b");
    page.wait(&format!(
        "document.querySelector('{bell}').getAttribute('aria-pressed') === 'true'"
    ));
    page.open("/userpresence/");
    page.wait(&format!(
        "document.querySelector('{bell}')?.getAttribute('aria-pressed') === 'true'"
    ));
    set(ast, "bob", "available");
    page.wait("document.querySelector('#notices .what')?.textContent === 'bob is available'");
    assert_eq!(page.accessibility(), Vec::<String>::new());
    board.no_errors();
}

/// The page asks for the permission only because of a click: on a bell, or on the button that
/// stands below notices as long as nobody has answered.
#[test]
fn a_click_asks_for_the_permission_to_notify() {
    let board = Board::of_alice();
    let (page, ast) = (&board.browser, &board.ast);
    board.permit("prompt");
    page.open("/userpresence/");
    set(ast, "bob", "dnd");
    board.wait_row("bob", "label", "Do not disturb");
    page.run(
        "window.asked = 0; window.real = Notification.requestPermission.bind(Notification); \
         Notification.requestPermission = async () => void window.asked++",
        &[],
    );
    assert_eq!(page.count("#ask"), 0);
    assert_eq!(page.run("return window.asked", &[]), json!(0));
    page.click("#rows .row:nth-child(2) [data-do=bell]");
    page.wait("window.asked === 1");
    set(ast, "bob", "available");
    page.wait("document.querySelector('#notices .what')?.textContent === 'bob is available'");
    assert_eq!(page.accessibility(), Vec::<String>::new());
    page.click("#ask");
    page.wait("window.asked === 2");
    board.permit("granted");
    page.run(
        "Notification.requestPermission = window.real; setTimeout(() => document.querySelector('#ask').click())",
        &[],
    );
    page.wait("!document.querySelector('#ask')");
    assert_eq!(page.count("#notices li"), 1);
    board.no_errors();
}

#[test]
fn a_missed_call_appears_on_the_board_of_its_user() {
    let conf = format!("{PEOPLE}{}", panel());
    let call = "exten = _X.,1,Set(CALLERID(num)=${EXTEN})\n same = n,UserPresenceDial(alice)\n \
                same = n,Hangup()\nexten = bob,1,UserPresenceDial(bob)\n same = n,Hangup()";
    let ast = configured(&conf)
        .http()
        .modules(&["func_callerid"])
        .dialplan(call)
        .start();
    let browser = Browser::start(&ast);
    let board = Board { browser, ast };
    board.permit("granted");
    board.browser.open("/userpresence/");
    board.log_in("panel");
    board.wait_row("alice", "label", "Not set");
    board.listen();
    let (page, ast) = (&board.browser, &board.ast);
    assert_eq!(page.count("#notices li"), 0);
    let call = |from: &str| ast.originate(&format!("Local/{from}@default/n"), "Wait", "1");
    let wait = |at: u32, text: &str| {
        page.wait(&format!(
            "document.querySelector('#notices li:nth-child({at}) .what')?.textContent === '{text}'"
        ));
    };
    // A missed call of another user does not appear.
    call("bob");
    ast.wait_no_channels();
    call("5551234");
    wait(1, "Missed call from 5551234");
    page.wait("document.querySelector('#announcement').textContent === 'Missed call from 5551234'");
    // The browser shows it too, where it was allowed to.
    page.wait("window.shown.length === 1");
    assert_eq!(
        board.shown(),
        json!([["Presence", "Missed call from 5551234"]])
    );
    ast.wait_no_channels();
    call("777");
    wait(1, "Missed call from 777");
    ast.wait_no_channels();
    call("5551234");
    wait(1, "Missed call from 5551234 (2 times)");
    wait(2, "Missed call from 777");
    assert_eq!(page.count("#notices li"), 2);
    assert_eq!(page.accessibility(), Vec::<String>::new());
    // By keyboard, one after the other.
    page.run("document.querySelector('#notices button').focus()", &[]);
    page.keys(key::ENTER);
    wait(1, "Missed call from 777");
    page.keys(key::ENTER);
    page.wait("document.querySelector('#notices').hidden");
    page.wait("document.activeElement.id === 'grid'");
    board.no_errors();
}
