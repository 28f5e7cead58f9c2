//! The board in a real browser, on a real Asterisk.

mod calls;
mod firefox;
mod frame;
mod languages;
mod notices;
mod own_status;
mod people;
mod usable;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::api::api_user;
use crate::harness::barrier::configured;
use crate::harness::users::{read, set, wait_custom};
use crate::harness::{Browser, Instance, MODULE, key, wait_until};

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
fn the_board_is_current_again_after_a_restart() {
    let board = Board::of_alice();
    let (page, ast) = (&board.browser, &board.ast);
    ast.set_custom("200", "dnd,,Before");
    board.wait_row("alice", "message", "Before");
    board.wait_names(&["alice", "bob", "carol"]);

    assert!(ast.stop().success());
    page.wait("document.querySelector('#connection[data-state=stale]')");
    assert!(
        page.text("#connection").starts_with("Not current since "),
        "{}",
        page.text("#connection")
    );
    // The last known rows stay visible.
    board.wait_row("alice", "message", "Before");

    // Meanwhile a message changes, one user goes and another comes.
    let update = "UPDATE astdb SET value = replace(value, 'Before', 'Meanwhile')";
    let done = Command::new("sqlite3")
        .args([ast.path("lib/astdb.sqlite3").as_os_str(), update.as_ref()])
        .status();
    assert!(done.is_ok_and(|status| status.success()), "sqlite3");
    let people = PEOPLE.replace("[bob]", "[dave]");
    ast.write_config("userpresence.conf", &format!("{people}{}", panel()));
    ast.start_again();
    page.run("document.querySelector('#again').click()", &[]);
    board.wait_live();
    board.wait_row("alice", "message", "Meanwhile");
    board.wait_names(&["alice", "carol", "dave"]);
    ast.set_custom("220", "away,,After");
    board.wait_row("carol", "message", "After");

    // A reload ends the stream; a removed API user has to log in again.
    ast.write_config("userpresence.conf", &people);
    assert!(ast.reload().ok());
    page.wait("!document.querySelector('#login').hidden");
    assert_eq!(
        page.text("#login-error"),
        "Your session has ended. Please log in again."
    );
    assert_eq!(page.count("#rows .row"), 0);
    // Asterisk's HTTP server answers before it has loaded the module.
    board.no_errors_but(&["/~/events?expand=record"]);
}

/// After a complete snapshot the page reconnects soon, whatever failed before.
#[test]
fn a_good_connection_resets_the_pause_before_a_reconnect() {
    let board = Board::of_alice();
    let (page, ast) = (&board.browser, &board.ast);
    board.wait_names(&["alice", "bob", "carol"]);
    // Records how long the page waits before it reconnects.
    page.run(
        "window.pauses = []; const later = setTimeout; \
         window.setTimeout = (what, time, ...rest) => { \
           if (time > 300 && time !== 600) pauses.push(time); return later(what, time, ...rest); }",
        &[],
    );
    for _ in 0..8 {
        page.run("window.pauses.length = 0", &[]);
        assert!(ast.unload_module(MODULE).ok());
        page.wait("document.querySelector('#connection:not([data-state=live])')");
        assert!(ast.load_module(MODULE).ok());
        page.wait("window.pauses.length > 0");
        page.run("document.querySelector('#again').click()", &[]);
        board.wait_live();
        page.wait("document.querySelectorAll('#rows .row').length === 3");
    }
    // The first pause after the good connection: half a second, give or take a quarter.
    let pause = page.run("return window.pauses[0]", &[]);
    assert!(pause.as_f64().is_some_and(|pause| pause < 700.0), "{pause}");
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

/// Logging in on the board is a login of a panel; a lost stream is no logout.
#[test]
fn a_login_on_the_board_is_a_login_of_a_panel() {
    let login = "[alice]\nlogin_status = lunch\nlogout_status = unavailable\n";
    let people = PEOPLE.replace("[alice]\n", login);
    let conf = format!("{people}{}", panel());
    let board = Board::open(&conf);
    let ast = &board.ast;
    board.log_in("panel");
    board.wait_row("alice", "label", "At lunch");
    let number = read(ast, "alice,sequence");
    for more in ["[dora]\ntype = user\n", ""] {
        ast.write_config("userpresence.conf", &format!("{conf}{more}"));
        assert!(ast.reload().ok());
        let count = if more.is_empty() { 3 } else { 4 };
        board.browser.wait(&format!(
            "document.querySelectorAll('#rows .row').length === {count}"
        ));
        board.wait_live();
    }
    board.browser.open("/userpresence/");
    board.wait_live();
    assert_eq!(read(ast, "alice,sequence"), number);
    board.browser.click("#logout");
    board.browser.wait("document.activeElement.id === 'name'");
    wait_until("the logout", || {
        (read(ast, "alice,status") == "unavailable").then_some(())
    });
    board.no_errors();
}

/// A frozen server closes no connection: only its silence shows.
#[test]
fn a_silent_server_is_noticed() {
    let board = Board::of_alice();
    let (page, ast) = (&board.browser, &board.ast);
    board.wait_names(&["alice", "bob", "carol"]);
    let signal = |name: &str| {
        let kill = ["-c", "kill -s \"$1\" \"$2\"", "sh", name];
        let sent = Command::new("sh")
            .args(kill)
            .arg(ast.pid().to_string())
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "{name}");
    };
    signal("STOP");
    // The page's clock jumps one minute ahead.
    page.run(
        "const now = Date.now.bind(Date); Date.now = () => now() + 60e3",
        &[],
    );
    page.wait("document.querySelector('#connection[data-state=stale]')");
    signal("CONT");
    board.wait_live();
    ast.set_custom("210", "away,,Moving again");
    board.wait_row("bob", "message", "Moving again");
    board.no_errors();
}

#[test]
fn the_board_follows_a_reload() {
    let board = Board::of_alice();
    board.wait_names(&["alice", "bob", "carol"]);
    let more = "[zoe]\ntype = user\nextension = 260\n\
                [tea]\ntype = status\nlabel = Tea\nstate = away\nsubtype = tea\n";
    let conf = format!("{}{more}{}", PEOPLE.replace("[bob]", "[bert]"), panel());
    board.ast.write_config("userpresence.conf", &conf);
    assert!(board.ast.reload().ok());
    board.wait_names(&["alice", "bert", "carol", "zoe"]);
    board.wait_live();
    // The list of statuses follows too.
    board
        .browser
        .wait("document.querySelector('#status option[value=tea]')");
    set(&board.ast, "zoe", "away,tea");
    board.wait_row("zoe", "label", "Tea");
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

#[test]
fn the_board_works_below_a_prefix() {
    let ast = configured(&format!("{PEOPLE}{}", panel())).http().start();
    let http = fs::read_to_string(ast.config_path("http.conf")).expect("http.conf");
    ast.write_config("http.conf", &format!("{http}prefix = pbx\n"));
    ast.cli("module reload http");
    let browser = Browser::start(&ast);
    // The redirect leads to an address where relative links work.
    browser.open("/pbx/userpresence");
    browser.wait("location.pathname === '/pbx/userpresence/'");
    let board = Board { browser, ast };
    board.log_in("panel");
    board.browser.click("#mine");
    board.browser.click("#choices input[value=away]");
    board.browser.click("#save");
    board.wait_row("alice", "label", "Away");
    board.no_errors();
}

#[test]
fn the_board_is_small_and_loads_nothing_from_elsewhere() {
    let board = Board::of_alice();
    let names = [
        "",
        "admin-backups.js",
        "admin-form.js",
        "admin-list.js",
        "administration.js",
        "board.css",
        "board.js",
        "calls.js",
        "configuration.js",
        "core.js",
        "form.js",
        "icon.svg",
        "list.js",
        "manifest.webmanifest",
        "notices.js",
        "password.js",
        "people.js",
        "queues.js",
        "settings.js",
        "sortable.js",
        "status.js",
        "strings-en.json",
        "strings-de.json",
        "strings-fr.json",
        "strings-es.json",
        "strings-pt.json",
        "strings-it.json",
    ];
    let parts = names.map(|name| {
        let answer = board
            .ast
            .http("GET", &format!("/userpresence/{name}"), &[], "");
        assert_eq!(answer.status, 200, "{name}");
        answer.body
    });
    // As a browser gets them: compressed, with the texts of every language.
    let sizes = names.map(|name| {
        let path = format!("/userpresence/{name}");
        let answer = board
            .ast
            .http("HEAD", &path, &["Accept-Encoding: gzip"], "");
        assert_eq!(answer.header("Content-Encoding"), "gzip", "{name}");
        let length = answer.header("Content-Length").parse();
        length.unwrap_or_else(|_| panic!("{answer:?}"))
    });
    let size: usize = sizes.iter().sum();
    let plain: usize = parts.iter().map(String::len).sum();
    println!("{size} bytes, {plain} without compression");
    assert!(size < 120_000, "{size} bytes");
    for part in &parts {
        // The only absolute address is the name of an XML namespace.
        let addresses = part.matches("://").count();
        assert_eq!(
            addresses,
            part.matches("http://www.w3.org/2000/svg").count()
        );
    }
    let asked = board.browser.run(
        "return performance.getEntriesByType('resource').map((it) => it.name)",
        &[],
    );
    let site = format!("http://127.0.0.1:{}/userpresence/", board.ast.http_port());
    let asked = asked.as_array().expect("a list");
    let own = |address: &Value| {
        let address = address.as_str().unwrap_or_default();
        address.starts_with(&site) || address.starts_with("data:")
    };
    assert!(!asked.is_empty() && asked.iter().all(own), "{asked:#?}");
    board.no_errors();
}

/// axe-core finds no problem in any look of the board. With `SCREENSHOTS=DIR` each look is
/// saved as a picture in DIR.
#[test]
fn looks() {
    let board = Board::open(&format!("{STAFF}{}", panel()));
    let page = &board.browser;
    let look = |name: &str| {
        page.mouse_away();
        assert_eq!(page.accessibility(), Vec::<String>::new(), "{name}");
        picture(page, name);
    };
    page.size(1040, 650, false);
    page.colours("light");
    look("login");
    staff_at_work(&board.ast);
    board.log_in("panel");
    board.wait_row("Theo Martin", "why", "· On a call");
    board.wait_row("Nora Lind", "label", "Working from home");
    page.run("document.activeElement.blur()", &[]);
    page.click("#rows .row:nth-child(3) [data-do=bell]");
    page.click("#rows .row:nth-child(8) [data-do=star]");
    page.wait("document.querySelector('#rows .name .text').textContent === 'Nora Lind'");
    page.run("document.activeElement.blur()", &[]);
    look("board");
    page.colours("dark");
    look("board-dark");
    page.colours("light");
    page.choose("#sort", "group");
    page.wait("document.querySelector('#rows .section')");
    look("board-groups");
    page.choose("#sort", "name");
    page.click("#own");
    look("board-menu");
    page.keys(key::ESCAPE);
    page.wait("document.querySelector('#menu').hidden");
    page.colours("dark");

    page.click("#mine");
    board.wait_dialog(true);
    look("board-dialog-dark");
    page.colours("light");
    page.choose("#until", "at");
    look("board-dialog");
    page.keys(key::ESCAPE);
    board.wait_dialog(false);

    page.size(360, 640, true);
    page.run("document.activeElement.blur()", &[]);
    page.wait("document.querySelector('.row').offsetHeight > 50");
    look("board-phone");
    page.colours("dark");
    look("board-phone-dark");
    page.click("#mine");
    board.wait_dialog(true);
    look("board-phone-dialog");
    // Nothing overflows on the right.
    let wide = page.run(
        "return document.documentElement.scrollWidth > innerWidth || document.querySelector('#editor').scrollWidth > innerWidth",
        &[],
    );
    assert_eq!(wide, json!(false));
    page.keys(key::ESCAPE);
    page.colours("light");
    page.size(1040, 650, false);
    page.keys("/nobody");
    page.wait("!document.querySelector('#nobody').hidden");
    look("board-nobody");
    board.no_errors();
}

/// Names of thirteen letters at every width, also with text of twice the size.
#[test]
fn no_text_is_cut_off_or_overlaps() {
    let people = "[Bartholomeus1]\ntype = user\nextension = 200\nextension = 201\n\
        [Wilhelminaxyz]\ntype = user\nextension = 202\n\
        [Montgomeryxyz]\ntype = user\nextension = 203,Custom:desk-203\n";
    let own = api_user("panel", "role = self\nuser = Bartholomeus1");
    let board = Board::open(&format!("{people}{own}"));
    board.log_in("panel");
    let (page, ast) = (&board.browser, &board.ast);
    ast.setvar("USER_PRESENCE(Bartholomeus1,allowSeeMyPresence)", "false");
    set(ast, "Bartholomeus1", "xa,,Back on Monday,t(3000)");
    ast.set_custom("202", "dnd,,Quarterly figures");
    ast.setvar(
        "USER_PRESENCE(Wilhelminaxyz,dndStatus)",
        "DoNotAcceptDepartmentCalls",
    );
    ast.set_custom("203", "available,,At my desk");
    ast.set_device("desk-203", "INUSE");
    board.wait_row("Montgomeryxyz", "why", "· On a call");
    board.wait_row("Wilhelminaxyz", "calls", "No queue calls");
    board.wait_row("Bartholomeus1", "you", "you, hidden");
    page.run("document.activeElement.blur()", &[]);
    for (width, height, text) in [
        (1280, 800, 100),
        (1280, 800, 200),
        (1024, 768, 100),
        (768, 1024, 100),
        (768, 1024, 200),
        (360, 640, 100),
        (360, 640, 200),
    ] {
        page.size(width, height, width < 500);
        page.run(
            "document.documentElement.style.fontSize = arguments[0] + '%'",
            &[json!(text)],
        );
        let name = format!("board-{width}-{text}");
        // The page is redrawn for the new size.
        page.run_async("requestAnimationFrame(() => setTimeout(arguments[0], 100))");
        page.mouse_away();
        picture(page, &name);
        assert_eq!(misplaced(page), json!([]), "{name}");
        assert_eq!(page.accessibility(), Vec::<String>::new(), "{name}");
    }
    // Every language has room for its words, also at times that are longer than "now".
    page.run("document.documentElement.style.fontSize = ''", &[]);
    let agent = page.run("return navigator.userAgent", &[]);
    for language in ["en", "de", "fr", "es", "pt", "it"] {
        let asked = json!({"userAgent": agent, "acceptLanguage": language});
        page.chromium("Emulation.setUserAgentOverride", asked);
        page.size(1280, 800, false);
        page.open("/userpresence/");
        page.wait("document.querySelectorAll('#rows .row').length === 3");
        page.run(
            "const real = Intl.RelativeTimeFormat.prototype.format; \
             Intl.RelativeTimeFormat.prototype.format = function () { return real.call(this, -28, 'minute'); }",
            &[],
        );
        for width in [1024, 1280] {
            page.size(width, 800, false);
            page.wait("document.querySelector('.since time').textContent.includes('28')");
            page.run_async("requestAnimationFrame(() => setTimeout(arguments[0], 100))");
            let name = format!("board-{width}-{language}");
            picture(page, &name);
            assert_eq!(misplaced(page), json!([]), "{name}");
            let lines = page.run(
                "return document.querySelector('#own .label').getClientRects().length",
                &[],
            );
            assert_eq!(lines, json!(1), "{name}");
        }
    }
    board.no_errors();
}

/// What is cut off, overlaps or stands outside its row.
fn misplaced(page: &Browser) -> Value {
    page.run(
            "const cut = (it) => it.offsetWidth > 1 && \
               (it.scrollWidth > it.clientWidth + 1 || it.scrollHeight > it.clientHeight + 1); \
             const parts = '.row .name .text, .you, .row .words, .row .extensions, .since time, \
               .row .message .text, [role=columnheader], .chip, .pick, #own .words, #nav a, .queue time, #tools, #caller'; \
             const box = (it) => it.getBoundingClientRect(); \
             const all = [...document.querySelectorAll(parts)]; \
             const found = all.filter(cut).map((it) => 'cut: ' + it.outerHTML); \
             const heads = [...document.querySelectorAll('[role=columnheader]')]; \
             heads.forEach((it, at) => { const next = heads[at + 1]; \
               if (next && it.offsetWidth > 1 && next.offsetTop === it.offsetTop && box(it).right > box(next).left) found.push('over: ' + it.outerHTML) }); \
             for (const row of document.querySelectorAll('.row')) { \
               for (const part of row.querySelectorAll('.text, .you:not([hidden]), .words, .since time')) { \
                 const [inner, outer] = [box(part), box(row)]; \
                 if (inner.left < outer.left || inner.right > outer.right || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1) \
                   found.push('outside: ' + part.outerHTML); } \
               const parts = [...row.querySelectorAll('.name .text, .you, .extensions, .words, .message .text, .since time, .actions')]; \
               for (const one of parts) for (const other of parts) { \
                 const [a, b] = [box(one), box(other)]; \
                 if (one !== other && a.width && b.width && a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2) \
                   found.push('over: ' + one.outerHTML + other.outerHTML); } } \
             if (document.documentElement.scrollWidth > innerWidth) found.push('wide: ' + document.documentElement.scrollWidth); \
             return found",
            &[],
        )
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

const STAFF: &str = "[lunch]\ntype = status\nlabel = At lunch\nstate = away\nsubtype = lunch\n\
    [meeting-room]\ntype = status\nlabel = In a meeting\nstate = dnd\nsubtype = meeting\n\
    [home]\ntype = status\nlabel = Working from home\nstate = available\nsubtype = home\n\
    [travel]\ntype = status\nlabel = Travelling\nstate = xa\nsubtype = travel\n\
    [alice]\ntype = user\nname = Alice Adams\ntitle = Head of sales\ngroup = Sales\nextension = 200\nextension = 201\n\
    [Bruno]\ntype = user\nname = Bruno Bianchi\ntitle = Accounts\ngroup = Office\nemail = bruno@example.com\nextension = 202\n\
    [Chiara]\ntype = user\nname = Chiara Conti\ngroup = Office\nextension = 203\nextension = 303\n\
    [Dmitri]\ntype = user\nname = Dmitri Volkov\ngroup = Support\nextension = 204,Custom:desk-204\n\
    [Emilia]\ntype = user\nname = Emilia Silva\ngroup = Sales\nextension = 205\n\
    [Jonas]\ntype = user\nname = Jonas Weber\ngroup = Support\nextension = 206,Custom:desk-206\n\
    [Mariam]\ntype = user\nname = Mariam Haddad\ntitle = Director\ngroup = Office\nextension = 207\ndevice = Custom:room,meeting\n\
    [Nora]\ntype = user\nname = Nora Lind\ngroup = Support\nextension = 208\n\
    [Theo]\ntype = user\nname = Theo Martin\ngroup = Sales\nextension = 209,Custom:desk-209\n\
    [Yuki]\ntype = user\nname = Yuki Tanaka\ngroup = Support\nextension = 211\n";

fn staff_at_work(ast: &Instance) {
    for (extension, value) in [
        ("200", "available,,At my desk"),
        ("202", "away,lunch,Back at one"),
        (
            "203",
            "dnd,,Quarterly figures. Please write <b>only</b> if it burns",
        ),
        ("204", "available"),
        ("205", "xa,travel,In Lisbon until Thursday"),
        ("206", "available"),
        ("207", "available"),
        ("208", "available,home,Reachable on my mobile"),
        ("209", "available"),
        ("211", "chat"),
    ] {
        ast.set_custom(extension, value);
    }
    ast.set_device("desk-204", "RINGING");
    ast.set_device("desk-206", "ONHOLD");
    ast.set_device("desk-209", "INUSE");
    ast.set_device("room", "INUSE");
    ast.setvar("USER_PRESENCE(Chiara,dndStatus)", "DoNotAcceptAnyCalls");
    set(ast, "Bruno", "away,lunch,Back at one,t(3000)");
}
