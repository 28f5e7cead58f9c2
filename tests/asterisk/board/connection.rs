//! The connection of the board: restarts, reloads, silence, and the login of a panel.

use std::process::Command;

use super::{Board, PEOPLE, panel};
use crate::harness::users::{read, set};
use crate::harness::{MODULE, wait_until};

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
