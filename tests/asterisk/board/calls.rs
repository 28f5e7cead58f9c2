//! Calls and queues on the board, with real SIP phones.

use serde_json::json;

use super::Board;
use crate::harness::api::api_user;
use crate::harness::barrier::configured;
use crate::harness::{Browser, Instance, Phone, key, wait_until};

const PEOPLE: &str = "[general]\nuse_devices = yes\nshow_calls = default\nhttp_calls = self\n\
    [alice]\ntype = user\nname = Alice Adams\nextension = 200\nmonitor = carol\n\
    [bob]\ntype = user\nname = Bob Brown\nextension = 201\n\
    [carol]\ntype = user\nextension = 203\n";

const DIALPLAN: &str = "exten = _20X,1,Dial(PJSIP/${EXTEN},60)\n\
    exten = 300,1,Answer()\n same = n,Wait(600)\n";

fn office() -> Instance {
    let users = [
        api_user("panel", "role = self\nuser = alice"),
        api_user("reader", "role = read"),
    ];
    configured(&format!("{PEOPLE}{}", users.concat()))
        .http()
        .sip(&["200", "201", "203"])
        .modules(&[
            "app_directed_pickup",
            "func_callerid",
            "func_pjsip_endpoint",
            "res_pjsip_caller_id",
        ])
        .dialplan(DIALPLAN)
        .start()
}

/// The text of a person's call on the board, without its clock, and the clock.
const TALK: &str = "(name) => { const row = [...document.querySelectorAll('#rows .row')].find((row) => row.querySelector('.name .text').textContent === name); \
    const talk = row.querySelector('.talk'); return talk.hidden ? ['', ''] : [...talk.children].map((it) => it.textContent); }";

#[track_caller]
fn wait_talk(page: &Browser, name: &str, talk: &str) {
    page.wait(&format!("({TALK})('{name}')[0] === '{talk}'"));
}

/// Which of call and pickup a person's row offers.
#[track_caller]
fn wait_offers(page: &Browser, name: &str, call: bool, pickup: bool) {
    page.wait(&format!(
        "[...document.querySelectorAll('#rows .row')].some((row) => row.querySelector('.name .text').textContent === '{name}' \
           && row.querySelector('[data-do=call]').hidden === {} && row.querySelector('[data-do=pickup]').hidden === {})",
        !call, !pickup
    ));
}

#[test]
fn calls_are_shown_dialled_and_picked_up() {
    let ast = office();
    let phones = ["200", "201", "203"].map(|name| Phone::ringing(&ast, name));
    let [alice, bob, carol] = &phones;
    let page = Browser::start(&ast);
    page.open("/userpresence/");
    page.wait("document.activeElement.id === 'name'");
    page.fill("#name", "panel");
    page.fill("#password", "secret");
    page.click("#login button");
    page.wait("document.querySelectorAll('#rows .row').length === 3");
    wait_offers(&page, "Alice Adams", false, false);
    wait_offers(&page, "Bob Brown", true, false);

    // Whom somebody calls, who is called, and the clock of the call.
    bob.call("203");
    wait_talk(&page, "Bob Brown", "calls carol");
    wait_talk(&page, "carol", "from Bob Brown");
    wait_offers(&page, "carol", false, true);
    carol.answer();
    wait_talk(&page, "Bob Brown", "with carol");
    page.wait(&format!("/^0:0[1-9]$/.test(({TALK})('carol')[1])"));
    wait_offers(&page, "carol", true, false);
    assert_eq!(page.accessibility(), Vec::<String>::new());
    // What goes on is there after a new load.
    page.open("/userpresence/");
    page.wait("document.querySelectorAll('#rows .row').length === 3");
    wait_talk(&page, "carol", "with Bob Brown");
    carol.hang_up();
    wait_talk(&page, "carol", "");
    wait_talk(&page, "Bob Brown", "");

    // Alice's own phone rings first, then it calls.
    page.click("#rows .row:nth-child(2) [data-do=call]");
    page.wait(
        "document.querySelector('#told').textContent.startsWith('Your phone rings, then Bob Brown ')",
    );
    ast.wait_device("PJSIP/200", "RINGING");
    alice.answer();
    ast.wait_device("PJSIP/201", "RINGING");
    wait_talk(&page, "Bob Brown", "from Alice Adams");
    page.wait("document.querySelector('#own .label')");
    alice.hang_up();
    wait_talk(&page, "Bob Brown", "");

    // Picking up by key. The rule refuses first, and the page says why.
    bob.call("203");
    wait_talk(&page, "carol", "from Bob Brown");
    page.run("document.querySelector('#grid').focus()", &[]);
    page.keys(key::END);
    page.wait("document.querySelector('.row.active .name .text')?.textContent === 'carol'");
    page.keys("p");
    page.wait("document.querySelector('#told.error')?.textContent.includes('pickUpCallsOnHold')");
    ast.setvar("USER_PRESENCE(alice,pickUpCallsOnHold)", "yes");
    page.keys("p");
    page.wait(
        "document.querySelector('#told:not(.error)')?.textContent === 'Your phone takes the call.'",
    );
    ast.wait_device("PJSIP/200", "RINGING");
    alice.answer();
    ast.wait_device("PJSIP/203", "NOT_INUSE");
    wait_talk(&page, "Bob Brown", "with Alice Adams");
    drop(page);
}

#[test]
fn queues_show_who_waits_and_take_ones_own_pause() {
    let people = PEOPLE.replace(
        "extension = 200",
        "extension = 200,Custom:a\nmember = Local/alice@agents/n",
    );
    let members = [
        "Local/alice@agents/n,0,Alice Adams,Custom:a",
        "Local/robot@agents/n,0,Robot",
    ];
    let users = [
        api_user("panel", "role = self\nuser = alice"),
        api_user("reader", "role = read"),
    ];
    let ast = configured(&format!("{people}{}", users.concat()))
        .http()
        .queue("sales", "", &members)
        .start();
    ast.set_device("a", "INUSE");
    for member in ["Alice Adams", "Robot"] {
        ast.wait_queue_member("sales", member, "Paused", "0");
    }
    let robot = ast.ami().action(&[
        ("Action", "QueuePause"),
        ("Queue", "sales"),
        ("Interface", "Local/robot@agents/n"),
        ("Paused", "yes"),
        ("Reason", "Maintenance"),
    ]);
    assert!(robot.ok(), "{robot:?}");
    let browser = Browser::start(&ast);
    browser.open("/userpresence/#/queues");
    browser.wait("document.activeElement.id === 'name'");
    let board = Board { browser, ast };
    board.log_in("panel");
    let (page, ast) = (&board.browser, &board.ast);
    // The address leads there once it is known that there are queues.
    page.wait("document.querySelector('.queue h2')?.textContent === 'sales'");
    assert_eq!(page.attribute("#nav [aria-current]", "href"), "#/queues");
    page.wait("document.querySelectorAll('.queue ul li').length === 2");
    page.wait("document.querySelector('.queue ul').innerText.includes('paused: Maintenance')");
    ast.originate("Local/wait@harness/n", "Queue", "sales");
    page.wait("document.querySelectorAll('.queue ol li').length === 1");
    page.wait("/^0:0[1-9]$/.test(document.querySelector('.queue ol time').textContent)");
    page.wait("document.querySelector('.queue').innerText.includes('Waiting: 1')");

    page.fill("#reason-0", "Back office");
    // The reason stays while the view is painted anew.
    page.wait("document.querySelector('#reason-0').value === 'Back office'");
    for (colours, width) in [
        ("light", 1040),
        ("dark", 1040),
        ("light", 320),
        ("forced", 1040),
    ] {
        page.size(width, 700, width < 500);
        page.colours(colours);
        assert_eq!(
            page.accessibility(),
            Vec::<String>::new(),
            "{colours}, {width}"
        );
        super::picture(page, &format!("board-queues-{colours}-{width}"));
    }
    page.size(1040, 700, false);
    page.colours("light");
    page.click("#pause-0");
    page.wait("document.querySelector('#pause-0').textContent === 'End pause'");
    ast.wait_queue_member("sales", "Alice Adams", "PausedReason", "Back office");
    page.wait("document.querySelector('.queue ul').innerText.includes('paused: Back office')");
    page.click("#pause-0");
    ast.wait_queue_member("sales", "Alice Adams", "Paused", "0");
    page.wait("document.querySelector('#pause-0').textContent === 'Pause'");
    assert_eq!(
        page.run("return document.activeElement.id", &[]),
        json!("pause-0")
    );
    // The other views are still there, and three keys set the status here too.
    page.keys("s1");
    page.keys(key::ENTER);
    wait_until("the status", || {
        (crate::harness::users::read(ast, "alice,status") == "available").then_some(())
    });
    page.click("#nav a");
    page.wait("document.querySelector('#board:not([hidden]) #rows .row')");
    page.run("history.back()", &[]);
    page.wait("document.querySelector('.queue h2')");
    page.keys("/");
    page.wait("document.activeElement.id === 'search'");
    board.no_errors();

    // Without a user there is no pause of one's own.
    page.click("#logout");
    page.wait("document.querySelector('#top').hidden");
    board.log_in("reader");
    page.run("location.hash = '#/queues'", &[]);
    page.wait("document.querySelector('.queue h2')");
    assert_eq!(page.count(".queue .own"), 0);
    board.no_errors();
}
