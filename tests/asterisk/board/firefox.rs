//! The board in Firefox.

use super::{PEOPLE, panel};
use crate::harness::barrier::configured;
use crate::harness::users::{read, set};
use crate::harness::{Firefox, key, wait_until};

#[test]
fn firefox_shows_people_and_changes_a_status() {
    let ast = configured(&format!("{PEOPLE}{}", panel())).http().start();
    // Declared after Asterisk, so that it ends first.
    let mut page = Firefox::start(&ast);
    page.open("/userpresence/");
    page.wait("document.activeElement.id === 'name'");
    page.fill("#name", "panel");
    page.fill("#password", "secret");
    page.click("#login button");
    page.wait("document.querySelector('#connection[data-state=live]')");
    page.wait("document.querySelectorAll('#rows .row').length === 3");
    set(&ast, "bob", "away,,Back at one");
    page.wait(
        "document.querySelector('#rows .row:nth-child(2) .message').textContent === 'Back at one'",
    );

    // By mouse, then by keyboard.
    page.click("#own");
    page.click("#menu [role=menuitemradio]");
    page.wait("document.querySelector('#own .label').textContent === 'Available'");
    wait_until("the status", || {
        (read(&ast, "alice") == "available").then_some(())
    });
    page.keys("s3");
    page.keys(key::ENTER);
    page.wait("document.querySelector('#own .label').textContent === 'Away'");
    wait_until("the status", || {
        (read(&ast, "alice") == "away").then_some(())
    });
    page.click("#mine");
    page.wait("document.querySelector('#editor').open");
    page.fill("#message", "From Firefox");
    page.click("#save");
    page.wait("!document.querySelector('#editor').open");
    wait_until("the message", || {
        (read(&ast, "alice,message") == "From Firefox").then_some(())
    });
    page.click("#logout");
    page.wait("document.querySelector('#top').hidden && document.activeElement.id === 'password'");
}
