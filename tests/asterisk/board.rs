//! The board in a real browser, on a real Asterisk.

mod calls;
mod connection;
mod dialog;
mod firefox;
mod frame;
mod inferred;
mod languages;
mod list;
mod looks;
mod notices;
mod own_status;
mod people;
mod site;
mod usable;

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::harness::api::api_user;
use crate::harness::barrier::configured;
use crate::harness::{Browser, Instance, key, wait_until};

const PEOPLE: &str = "[lunch]\ntype = status\nlabel = At lunch\nstate = away\nsubtype = lunch\n\
    message = Back soon\n\
    [alice]\ntype = user\nextension = 200\nextension = 201\n\
    [bob]\ntype = user\nextension = 210\n\
    [carol]\ntype = user\nextension = 220\n";

fn panel() -> String {
    api_user("panel", "role = self\nuser = alice")
}

/// A browser at the board of an Asterisk. The field order makes the browser end first.
struct Board {
    browser: Browser,
    ast: Instance,
}

impl Board {
    /// Opens the login form of an Asterisk with this `userpresence.conf`.
    #[track_caller]
    fn open(conf: &str) -> Self {
        let ast = configured(conf).http().start();
        let browser = Browser::start(&ast);
        browser.open("/userpresence/");
        browser.wait("document.activeElement.id === 'name'");
        Self { browser, ast }
    }

    /// Logs in as alice, who may set her own status.
    #[track_caller]
    fn of_alice() -> Self {
        let board = Self::open(&format!("{PEOPLE}{}", panel()));
        board.log_in("panel");
        board
    }

    #[track_caller]
    fn log_in(&self, name: &str) {
        self.browser.fill("#name", name);
        self.browser.fill("#password", "secret");
        self.browser.click("#login button");
        self.wait_live();
    }

    #[track_caller]
    fn wait_live(&self) {
        self.browser
            .wait("document.querySelector('#connection[data-state=live]')");
    }

    /// The people who have a row in the document, in the order shown.
    #[track_caller]
    fn names(&self) -> Vec<String> {
        let names = self.browser.run(
            "return [...document.querySelectorAll('.row .name .text')].map((it) => it.textContent)",
            &[],
        );
        serde_json::from_value(names).expect("texts")
    }

    /// Waits until these people have rows, in this order.
    #[track_caller]
    fn wait_names(&self, names: &[&str]) {
        wait_until(&format!("{names:?}"), || {
            (self.names() == names).then_some(())
        });
    }

    /// Waits until a part of a person's row (`label`, `message` or `calls`) has this text.
    #[track_caller]
    fn wait_row(&self, name: &str, part: &str, value: &str) {
        let (name, value) = (json!(name), json!(value));
        self.browser.wait(&format!(
            "[...document.querySelectorAll('#rows .row')].some((row) => \
             row.querySelector('.name .text')?.textContent === {name} && \
             row.querySelector('.{part}').textContent === {value})"
        ));
    }

    /// The row with the keyboard focus, as a screen reader announces it.
    fn active(&self) -> String {
        let name = self.browser.run(
            "const id = document.querySelector('#grid').getAttribute('aria-activedescendant'); \
             return document.getElementById(id ?? '')?.querySelector('.name .text').textContent ?? ''",
            &[],
        );
        name.as_str().expect("a text").to_owned()
    }

    #[track_caller]
    fn wait_active(&self, name: &str) {
        wait_until(&format!("the keyboard at {name}"), || {
            (self.active() == name).then_some(())
        });
    }

    #[track_caller]
    fn wait_dialog(&self, open: bool) {
        self.browser.wait(&format!(
            "document.querySelector('#editor').open === {open}"
        ));
    }

    /// Asserts that the browser logged no error of the page.
    #[track_caller]
    fn no_errors(&self) {
        self.no_errors_but(&[]);
    }

    /// As [`Board::no_errors`], but these are expected. The browser also logs the status 401
    /// before a login, a server that is down, and that there are no calls or queues to be
    /// told; these are no errors of the page.
    #[track_caller]
    fn no_errors_but(&self, expected: &[&str]) {
        let mut entries = self.browser.console();
        let absent = |entry: &str| {
            let either = entry.contains("/~/calls -") || entry.contains("/~/queues -");
            either && (entry.contains("status of 404") || entry.contains("status of 403"))
        };
        entries.retain(|entry| {
            !["status of 401", "net::ERR_"]
                .iter()
                .chain(expected)
                .any(|part| entry.contains(part))
                && !absent(entry)
        });
        assert!(entries.is_empty(), "{entries:#?}");
    }
}

#[test]
fn a_login_shows_everyone() {
    let board = Board::open(&format!(
        "{PEOPLE}{}{}",
        panel(),
        api_user("reader", "role = read")
    ));
    let page = &board.browser;

    page.fill("#name", "panel");
    page.fill("#password", "wrong");
    page.click("#login button");
    page.wait(
        "document.querySelector('#login-error').textContent === 'The name or password is wrong.'",
    );
    assert_eq!(page.count("#rows .row"), 0);

    board.log_in("panel");
    board.wait_names(&["alice", "bob", "carol"]);
    assert_eq!(page.text("#caller"), "alice");
    assert_eq!(page.text("#own .label"), "Not set");
    // The session survives a new load of the page and ends with the logout.
    page.open("/userpresence/");
    board.wait_names(&["alice", "bob", "carol"]);
    page.click("#logout");
    page.wait("document.activeElement.id === 'name'");
    assert_eq!(page.count("#rows .row"), 0);
    page.open("/userpresence/");
    page.wait("document.activeElement.id === 'name'");

    // A role that only reads has nothing to set.
    board.log_in("reader");
    board.wait_names(&["alice", "bob", "carol"]);
    assert_eq!(page.count("#self:not([hidden])"), 0);
    page.click("#rows .row");
    page.keys(key::ENTER);
    assert_eq!(page.count("dialog[open]"), 0);
    board.no_errors();
}

#[test]
fn a_change_from_a_phone_shows_at_once() {
    let board = Board::of_alice();
    board.wait_row("alice", "label", "Not set");
    board.ast.set_custom("200", "away,lunch,Back at one");
    board.wait_row("alice", "message", "Back at one");
    board.wait_row("alice", "label", "At lunch");
    assert_eq!(board.browser.text("#own .label"), "At lunch");
    // A screen reader announces the user's own status too.
    board.browser.wait(
        "document.querySelector('#announcement').textContent === 'Your status: At lunch, Back at one'",
    );

    // The page shows markup as text.
    let nasty = "<script>document.title = 'hit'</script><img src=x onerror=alert(1)> \"it's\" & so";
    board.ast.set_custom("210", &format!("dnd,,{nasty}"));
    board.wait_row("bob", "message", nasty);
    assert_eq!(
        board.browser.count("#rows script, #rows img, #own script"),
        0
    );
    assert_eq!(board.browser.run("return document.title", &[]), "Presence");
    board.no_errors();
}

/// The pictures that README shows.
const SHOWN: [&str; 8] = [
    "board",
    "board-dark",
    "board-dialog",
    "board-groups",
    "board-menu",
    "board-phone",
    "settings",
    "administration",
];

pub fn picture(page: &Browser, name: &str) {
    let Some(folder) = std::env::var_os("SCREENSHOTS") else {
        return;
    };
    if SHOWN.contains(&name) || std::env::var_os("SCREENSHOTS_ALL").is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(folder)
            .join(format!("{name}.png"));
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder for pictures");
        fs::write(file, page.screenshot()).expect("a picture");
    }
}
