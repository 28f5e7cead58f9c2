//! The board's administration in a real browser, on a real Asterisk.

use std::fs;

use serde_json::json;

use crate::board::picture;
use crate::harness::api::api_user;
use crate::harness::barrier::configured;
use crate::harness::{Browser, Builder, View, key, wait_until};

const CONF: &str = "; Presence of the office\n[general]\n; the highest wins\nmethod = priority\n\
    settle = 0\n\
    [lunch]\ntype = status\nlabel = At lunch ; every day\nstate = away\nsubtype = lunch\n\
    [office](!)\ntype = user\ngroup = Sales\nmobile = +491701111111\n\
    [standard]\ntype = handling\nring_timeout = 20\n\
    [alice](office)\ntype = user\nname = Alice Adams ; since 2019\nextension = 200\n\
    [bruno](office)\ntype = user\nname = Bruno Costa\nextension = 210\n";

fn office(more: &str) -> Builder {
    let logins = [
        api_user("boss", "role = admin\nconfigure = yes"),
        api_user("chief", "role = admin\nconfigure = yes"),
    ];
    configured(&format!("{CONF}{more}{}", logins.concat())).http()
}

fn open(address: &str) -> View {
    View::open(office(""), "boss", &format!("#/administration/{address}"))
}

/// The selector of the control of an option.
fn option(name: &str) -> String {
    format!("[data-option=\"{name}\"] :is(input, select, textarea)")
}

fn file(view: &View) -> String {
    fs::read_to_string(view.ast.path("etc/userpresence.conf")).expect("the file")
}

/// Reviews and saves; returns the lines that were to be written.
#[track_caller]
fn save(view: &View) -> String {
    let page = &view.browser;
    page.click("#unsaved button.main");
    page.wait("document.querySelector('#review').open");
    let lines = page.text("#review .fields").replace('\n', " ");
    page.click("#review button.main");
    page.wait("!document.querySelector('#review')");
    lines
}

#[test]
fn an_administrator_changes_the_order_a_status_and_a_user() {
    let view = open("general");
    let page = &view.browser;
    page.drag("li[data-key=available]", "li[data-key=dnd]", -12);
    view.wait_text("#unsaved .count", "1");
    // The same by keyboard: away goes to the top.
    view.tab_to("li[data-key=away] button");
    for _ in 0..3 {
        page.keys(key::UP);
    }
    assert_eq!(page.text("#announcement"), "Away: place 1 of 7");

    view.go("#/administration/statuses/+");
    page.fill("#view form input", "home office");
    page.click("#view form button");
    view.wait_text("#view form .error", "Letters, digits");
    page.fill("#view form input", "LUNCH");
    page.click("#view form button");
    view.wait_text("#view form .error", "There is a section LUNCH already.");
    page.fill("#view form input", "home-office");
    page.click("#view form button");
    page.wait("document.querySelector('[data-option=label]')");
    page.fill(&option("label"), "Working from home");
    page.choose(&option("state"), "available");
    page.fill(&option("subtype"), "home");

    view.go("#/administration/users/+");
    page.fill("#view form input", "chiara");
    page.click("#view form button");
    page.wait("document.querySelector('[data-option=extension]')");
    page.click("[name=templates] input[value=office]");
    page.fill(&option("name"), "Chiara Moretti");
    page.fill(&option("extension"), "220\n221");
    page.fill(&option("password"), "a good secret");
    assert_eq!(
        page.attribute(&option("group"), "placeholder"),
        "Sales (from office)"
    );

    view.go("#/administration/users/alice");
    page.wait("document.querySelector('[data-option=title]')");
    page.fill(&option("title"), "Sales manager");
    let lines = save(&view);
    for expected in [
        "[general] changed",
        "+ priority = away,available,dnd,xa,chat,unavailable,not_set",
        "[home-office] new",
        "+ subtype = home",
        "[chiara] new",
        "+ (office)",
        "+ extension = 221",
        "+ password = •••••• (new)",
        "+ title = Sales manager",
    ] {
        assert!(lines.contains(expected), "{expected} in {lines}");
    }
    view.wait_text("#announcement", "Saved and in effect.");

    // Everything is in effect, and the file has kept what a hand wrote.
    let ast = &view.ast;
    assert_eq!(ast.getvar("USER_PRESENCE(chiara,extensions)"), "220,221");
    let statuses = ast.cli("userpresence show statuses");
    assert!(statuses.contains("Working from home"), "{statuses}");
    let text = file(&view);
    for kept in [
        "; Presence of the office",
        "; the highest wins",
        "; since 2019",
        "; every day",
        "[office](!)",
        "[chiara](office)",
    ] {
        assert!(text.contains(kept), "{kept} in {text}");
    }
    assert!(text.find("[bruno]") < text.find("[chiara]"), "{text}");

    // A backup brings back what was there before.
    view.go("#/administration/backups");
    page.click("#view .sortable li button");
    view.wait_text("#announcement", "Restored");
    let text = file(&view);
    assert!(!text.contains("[chiara]"), "{text}");
    assert_eq!(page.text("h2"), "Administration");
    view.no_errors();
}

#[test]
fn a_problem_is_shown_at_its_field_and_nothing_is_written() {
    let view = open("users/alice");
    let page = &view.browser;
    let before = file(&view);
    page.fill(&option("default"), "999");
    view.go("#/administration/handling/standard");
    page.wait("document.querySelector('[data-option=ring_timeout]')");
    page.fill(&option("ring_timeout"), "2");
    page.click("#unsaved button.main");
    page.click("#review button.main");
    page.wait("document.activeElement.id === 'problems'");
    view.wait_text("[data-option=ring_timeout] .error", "5 to 300");
    assert_eq!(
        page.attribute(&option("ring_timeout"), "aria-invalid"),
        "true"
    );
    view.is_accessible("problems");
    assert_eq!(file(&view), before);
    // The link leads to the other one.
    page.click("#problems a[href$='users/alice']");
    view.wait_text("[data-option=default] .error", "999");
    page.fill(&option("default"), "200");
    page.fill(&option("title"), "Manager");
    view.go("#/administration/handling/standard");
    page.wait("document.querySelector('[data-option=ring_timeout]')");
    page.fill(&option("ring_timeout"), "25");
    save(&view);
    assert!(file(&view).contains("ring_timeout = 25"));
    view.no_errors();
}

#[test]
fn the_second_of_two_administrators_is_told_and_keeps_the_changes() {
    let view = open("users/alice");
    let page = &view.browser;
    page.fill(&option("title"), "Sales manager");

    let second = Browser::start(&view.ast);
    second.open("/userpresence/#/administration/users/alice");
    second.wait("document.activeElement.id === 'name'");
    second.fill("#name", "chief");
    second.fill("#password", "secret");
    second.click("#login button");
    second.wait("document.querySelector('[data-option=email]')");
    second.fill(&option("email"), "alice@example.com");
    second.click("#unsaved button.main");
    second.click("#review button.main");
    second.wait("!document.querySelector('#review')");

    page.click("#unsaved button.main");
    page.click("#review button.main");
    view.wait_text("#review .error", "Somebody else has changed the file");
    view.is_accessible("a conflict");
    page.click("#review button.main");
    view.wait_text(
        "#review .hint",
        "Somebody else has changed this section too.",
    );
    let lines = page.text("#review .diff");
    assert_eq!(lines, "+ title = Sales manager");
    page.click("#review button.main");
    page.wait("!document.querySelector('#review')");
    let text = file(&view);
    for kept in [
        "title = Sales manager",
        "email = alice@example.com",
        "; since 2019",
    ] {
        assert!(text.contains(kept), "{kept} in {text}");
    }
    view.no_errors();
}

#[test]
fn a_status_is_renamed_by_keyboard() {
    let view = View::by_keyboard(office(""), "boss");
    let page = &view.browser;
    view.tab_to("a[href='#/administration']");
    page.keys(key::ENTER);
    view.wait_focus("#view h2");
    // From a tab to the next one the focus stays on the tabs.
    view.tab_to(".tabs a[href$=statuses]");
    page.keys(key::ENTER);
    view.wait_focus(".tabs a[aria-current=page][href$=statuses]");
    view.tab_to("#view tbody a[href$=lunch]");
    page.keys(key::ENTER);
    page.wait("document.querySelector('[data-option=label]')");
    view.wait_focus("#view h2");
    view.tab_to(&option("label"));
    page.keys("Eating");
    view.tab_to("#unsaved button.main");
    page.keys(key::ENTER);
    page.wait("document.querySelector('#review').open");
    // A look at what is written, away and back to it.
    page.keys(key::ESCAPE);
    view.wait_focus("#unsaved button.main");
    page.keys(key::ENTER);
    page.wait("document.querySelector('#review').open");
    view.tab_to("#review button.main");
    page.keys(key::ENTER);
    view.wait_text("#announcement", "Saved and in effect.");
    view.wait_focus("#view h2");
    let text = file(&view);
    assert!(text.contains("label = Eating"), "{text}");
    let statuses = view.ast.cli("userpresence show statuses");
    assert!(statuses.contains("Eating"), "{statuses}");
    view.no_errors();
}

#[test]
fn a_user_of_the_database_is_edited_there() {
    const TABLE: &str = "CREATE TABLE userpresence (name TEXT, account TEXT, extension TEXT, \
        display_name TEXT, mobile TEXT, method TEXT, dnd_on TEXT); \
        INSERT INTO userpresence VALUES \
        ('zoe', 'main', '300;301', 'Zoe Zimmer', NULL, NULL, 'DB(dnd/1)=1');";
    let office = office("").realtime(&["userpresence"], TABLE);
    let view = View::open(office, "boss", "#/administration/users");
    let page = &view.browser;
    page.fill("#view [type=search]", "zimmer");
    assert_eq!(page.text("#view tbody tr td"), "Zoe Zimmer");
    page.click("#view tbody a");
    page.wait("document.querySelector('[data-option=display_name]')");
    view.wait_text("#view form .hint", "database");
    let value = |name: &str| {
        let read = "return document.querySelector(arguments[0]).value";
        page.run(read, &[json!(option(name))])
    };
    assert_eq!(value("display_name"), "Zoe Zimmer");
    assert_eq!(value("extension"), "300;301");
    assert_eq!(
        page.text("[data-option=display_name] label"),
        "Full name display_name"
    );
    view.wait_text("[data-option=extension] .hint", "a semicolon between");
    // The key of the row, and what the server does not write. The database alone knows which of
    // the other columns the table has.
    assert_eq!(
        page.count("#view :is([data-option=name], [name=templates])"),
        0
    );
    assert_eq!(page.count("[data-option=dnd_on] :disabled"), 1);
    view.is_accessible("a user of the database");

    // A problem is shown at its field, and the row stays.
    let rows = || {
        let columns = "SELECT display_name, extension, mobile, method, dnd_on FROM userpresence;";
        view.ast.realtime_sql(columns)
    };
    page.fill(&option("display_name"), "Zoe Adler");
    page.fill(&option("mobile"), "none");
    page.click("#unsaved button.main");
    page.click("#review button.main");
    page.wait("document.activeElement.id === 'problems'");
    view.wait_text("[data-option=mobile] .error", "+491701234567");
    assert_eq!(rows(), "Zoe Zimmer|300;301|||DB(dnd/1)=1\n");

    let before = file(&view);
    page.fill(&option("mobile"), "+491701234567");
    page.fill(&option("extension"), "300;309");
    page.choose(&option("method"), "latest");
    let lines = save(&view);
    for expected in [
        "[zoe] changed",
        "− extension = 300;301",
        "+ method = latest",
    ] {
        assert!(lines.contains(expected), "{expected} in {lines}");
    }
    view.wait_text("#announcement", "Saved and in effect.");
    let saved = "Zoe Adler|300;309|+491701234567|latest|DB(dnd/1)=1\n";
    assert_eq!(rows(), saved);
    assert_eq!(file(&view), before);
    view.ast
        .wait_value("USER_PRESENCE(zoe,extensions)", "300,309");
    let shown = view.ast.cli("userpresence show user zoe");
    assert!(shown.contains("Zoe Adler"), "{shown}");
    assert_eq!(value("display_name"), "Zoe Adler");

    // The driver refuses.
    view.ast.realtime_sql(
        "CREATE TRIGGER refuse BEFORE UPDATE ON userpresence \
         BEGIN SELECT RAISE(ABORT, 'read only'); END;",
    );
    page.fill(&option("display_name"), "Zoe Berg");
    page.click("#unsaved button.main");
    page.click("#review button.main");
    view.wait_text("#review .error", "Nothing has changed");
    assert_eq!(rows(), saved);
    page.keys(key::ESCAPE);
    page.click("#unsaved button.quiet");
    // Beside a change of the file the row is refused too.
    page.fill(&option("display_name"), "Zoe Berg");
    view.go("#/administration/users/alice");
    page.fill(&option("title"), "Sales manager");
    page.click("#unsaved button.main");
    page.click("#review button.main");
    page.wait("document.activeElement.id === 'problems'");
    view.wait_text("#problems", "changed alone");
    assert_eq!((rows(), file(&view)), (saved.to_owned(), before));
    let mut entries = page.console();
    entries.retain(|it| !it.contains("the server responded with a status of"));
    assert!(entries.is_empty(), "{entries:#?}");
}

#[test]
fn thousands_of_users_are_found_by_search_and_page_by_page() {
    let many: String = (1000..3000)
        .map(|at| format!("[user{at}](office)\ntype = user\nextension = {at}\n"))
        .collect();
    let view = View::open(office(&many), "boss", "#/administration/users");
    let page = &view.browser;
    assert_eq!(page.count("#view tbody tr"), 50);
    view.wait_text("#view .tools .count", "1 to 50 of 2004");
    page.click("#view .tools:last-child button:last-child");
    view.wait_text("#view .tools .count", "51 to 100 of 2004");
    page.fill("#view [type=search]", "user2717");
    view.wait_text("#view .tools .count", "1 to 1 of 1");
    page.click("#view tbody a");
    page.wait("document.querySelector('[data-option=extension]')");
    assert_eq!(
        page.attribute(&option("mobile"), "placeholder"),
        "+491701111111 (from office)"
    );
    page.click("#view form .quiet");
    view.wait_text("#unsaved .count", "1");
    assert!(save(&view).contains("[user2717] deleted"));
    wait_until("the user to be gone", || {
        (!file(&view).contains("[user2717]")).then_some(())
    });
    view.no_errors();
}

#[test]
fn what_cannot_be_changed_is_shown_with_its_place_and_the_reason() {
    let more = "[dora]\ntype = user\nextension = 240\n[bare](!)\n[dora](+,bare)\nmobile = +491705555555\n\
                [work]\ntype = action\nstatus = dnd\nset = DB(a/${USER})=1\n";
    let view = View::open(office(more), "boss", "#/administration/users/dora");
    let page = &view.browser;
    page.wait("document.querySelector('[data-option=extension]')");
    view.wait_text("#view form .hint", "userpresence.conf, line");
    view.wait_text("#view form > p:not(.hint)", "goes on at");
    assert_eq!(page.count("#view form > fieldset:disabled"), 1);
    assert_eq!(page.count("#view form .ends button"), 0);
    view.is_accessible("a fixed section");
    view.go("#/administration/other/work");
    page.wait("document.querySelector('[data-option=set]')");
    assert_eq!(page.count("[data-option=set] :disabled"), 1);
    assert_eq!(page.count("[data-option=status] :enabled"), 1);
    view.no_errors();
}

#[test]
fn secrets_are_replaced_and_never_shown() {
    let view = open("other/boss");
    let page = &view.browser;
    let password = option("password");
    page.wait("document.querySelector('[data-option=password]')");
    assert_eq!(page.attribute(&password, "type"), "password");
    assert_eq!(
        page.attribute(&password, "placeholder"),
        "set; type to replace it"
    );
    assert_eq!(
        page.run(
            "return document.querySelector(arguments[0]).value",
            &[json!(password)]
        ),
        ""
    );
    view.no_errors();
}

/// axe-core finds no problem. With `SCREENSHOTS=DIR` a page is saved as a picture in DIR.
#[test]
fn looks() {
    let view = open("general");
    let page = &view.browser;
    view.is_accessible("general");
    page.click("details summary");
    view.is_accessible("all options");
    for place in [
        "statuses",
        "statuses/lunch",
        "statuses/+",
        "users",
        "users/alice",
        "handling/standard",
        "other",
        "backups",
    ] {
        view.go(&format!("#/administration/{place}"));
        view.is_accessible(place);
    }
    view.go("#/administration/users/alice");
    page.fill(&option("title"), "Sales manager");
    page.click("#unsaved button.main");
    page.wait("document.querySelector('#review').open");
    view.is_accessible("the review");
    page.keys(key::ESCAPE);
    page.size(1040, 900, false);
    page.run("document.activeElement.blur()", &[]);
    view.go("#/administration/general");
    page.mouse_away();
    picture(page, "administration");
    page.colours("dark");
    picture(page, "administration-dark");
    page.size(360, 640, true);
    picture(page, "administration-phone");
    view.no_errors();
}
