//! The board's page of own settings in a real browser, on a real Asterisk.

use serde_json::json;

use crate::board::picture;
use crate::harness::api::{HASH, api_user};
use crate::harness::barrier::configured;
use crate::harness::{Builder, View, key, wait_until};

const PEOPLE: &str = "[general]\nhandling = standard\n\
    [standard]\ntype = handling\nring_timeout = 20\nforward_external_noanswer = voicemail\n\
    forward_internal_busy = none\nring_first = desk\nring_second = soft\n\
    [lunch]\ntype = status\nlabel = At lunch\nstate = away\nsubtype = lunch\n\
    [alice]\ntype = user\nname = Alice Adams\nextension = 200\nextension = 201\nmailbox = 200@default\n\
    mobile = +491701111111\nendpoint = desk,PJSIP/200\nendpoint = soft,PJSIP/201\nendpoint = kitchen,PJSIP/290\n\
    [bruno]\ntype = user\nname = Bruno Costa\nextension = 210\n\
    [chiara]\ntype = user\nextension = 220\nown_settings = handling,login\nown_forward = internal\n";

fn office() -> Builder {
    let logins = [
        api_user("alice-web", "role = self\nuser = alice"),
        api_user("chiara-web", "role = self\nuser = chiara"),
    ];
    configured(&format!("{PEOPLE}{}", logins.concat())).http()
}

/// The selector of the field of a setting.
fn field(path: &str) -> String {
    format!("[data-path=\"{path}\"]")
}

const OUTSIDE: &str = "statuses.default.forwardExternal.always";

#[track_caller]
fn save(view: &View) {
    view.browser.click("#unsaved [type=submit]");
    view.browser
        .wait("document.querySelector('#unsaved').hidden");
}

/// Waits until the console shows this among alice's settings.
#[track_caller]
fn wait_settings(view: &View, text: &str) {
    wait_until(text, || {
        let shown = view.ast.cli("userpresence show settings alice");
        shown.contains(text).then_some(())
    });
}

#[test]
fn a_forward_is_set_refused_at_its_field_and_given_back() {
    let view = View::open(office(), "alice-web", "#/settings");
    let page = &view.browser;
    let select = format!("{} select", field(OUTSIDE));
    let number = format!("{} input", field(OUTSIDE));
    let back = format!("{} .back", field(OUTSIDE));
    // What the administrator has set is shown, and what is not allowed cannot be chosen.
    let no_answer = field("statuses.default.forwardExternal.noAnswer");
    view.wait_text(&format!("{no_answer} option"), "Voicemail (administrator)");
    assert_eq!(
        page.count(&format!("{select} option[value=number]:disabled")),
        1
    );
    assert_eq!(page.count("#unsaved[hidden]"), 1);

    page.choose(&select, "internal");
    page.fill(&number, "2 0");
    page.click("#unsaved [type=submit]");
    view.wait_text(
        &format!("{} .error", field(OUTSIDE)),
        "'2 0' cannot be dialled",
    );
    assert_eq!(page.attribute(&number, "aria-invalid"), "true");
    page.wait(&format!(
        "document.activeElement === document.querySelector('{number}')"
    ));
    let described = page.attribute(&number, "aria-describedby");
    assert!(
        page.text(&format!("#{described}"))
            .contains("cannot be dialled")
    );
    view.is_accessible("a refused forward");

    page.fill(&number, "210");
    assert_eq!(page.count(&format!("{number}[aria-invalid]")), 0);
    save(&view);
    wait_settings(&view, r#""forwardExternal":{"always":"210"}"#);
    assert_eq!(page.text("#announcement"), "Saved.");
    view.wait_text("[data-status=default] .own", "1");

    // Given back, it is the administrator's again.
    page.click(&back);
    assert_eq!(page.count("#unsaved[hidden]"), 0);
    save(&view);
    wait_settings(&view, "Own settings: {}");
    assert_eq!(page.count(&format!("{back}[hidden]")), 1);
    view.no_errors();
}

#[test]
fn a_forward_is_set_by_keyboard() {
    let view = View::by_keyboard(office(), "alice-web");
    let page = &view.browser;
    view.tab_to("a[href='#/settings']");
    page.keys(key::ENTER);
    view.wait_focus("#view");
    view.wait_shown();
    view.tab_to(&format!("{} select", field(OUTSIDE)));
    // The first letter chooses 'A colleague', and the field for the extension is the next one.
    page.keys("A");
    page.keys(key::TAB);
    view.wait_focus(&format!("{} input", field(OUTSIDE)));
    page.keys("210");
    // The key sends the form.
    page.keys(key::ENTER);
    page.wait("document.querySelector('#unsaved').hidden");
    wait_settings(&view, r#""forwardExternal":{"always":"210"}"#);
    assert_eq!(page.text("#announcement"), "Saved.");
    view.wait_focus("#view h2");
    view.no_errors();
}

#[test]
fn what_is_not_allowed_any_more_is_refused_at_its_field() {
    let office = |rights: &str| {
        let alice = format!("[alice]\ntype = user\nextension = 200\nown_settings = {rights}\n");
        let login = api_user("alice-web", "role = self\nuser = alice");
        format!("[lunch]\ntype = status\nstate = away\n{alice}{login}")
    };
    let may = office("handling,mobile,login,visibility\nown_forward = voicemail,internal,_+49X.");
    let view = View::open(configured(&may).http(), "alice-web", "#/settings");
    let page = &view.browser;
    // The administrator takes the rights back while the page is shown.
    let ast = &view.ast;
    ast.write_config("userpresence.conf", &office("actions"));
    assert!(ast.reload().ok());
    let select = |path: &str| format!("{} select", field(path));
    page.choose(&select(OUTSIDE), "voicemail");
    page.choose(&select("visibility"), "\"nobody\"");
    page.fill(&format!("{} input", field("mobile")), "+491701234567");
    page.choose(&select("loginStatus"), "\"lunch\"");
    // The server names one after the other, and each is given back.
    for path in ["loginStatus", "mobile", "visibility", OUTSIDE] {
        page.click("#unsaved [type=submit]");
        let control = format!("{} :is(input, select)", field(path));
        page.wait(&format!(
            "document.querySelector({}).textContent",
            json!(format!("{} .error", field(path)))
        ));
        let error = page.text(&format!("{} .error", field(path)));
        assert!(error.contains("of 'alice' does not"), "{path}: {error}");
        assert!(!error.starts_with(path), "{path}: {error}");
        assert_eq!(page.text("#settings-error"), "", "{path}");
        view.wait_focus(&control);
        page.click(&format!("{} .back", field(path)));
        assert_eq!(page.count("[aria-invalid]"), 0, "{path}");
    }
    assert_eq!(page.count("#unsaved[hidden]"), 1);
    view.no_errors();
}

#[test]
fn settings_for_one_status_come_and_go() {
    let view = View::open(office(), "alice-web", "#/settings");
    let page = &view.browser;
    let chosen = "return document.querySelector('#status-new').value";
    assert_eq!(page.run(chosen, &[]), "", "every status can be chosen");
    page.choose("#status-new", "lunch");
    assert_eq!(page.run(chosen, &[]), "");
    let timeout = format!("{} input", field("statuses.lunch.ringTimeout"));
    page.fill(&timeout, "45");
    page.choose(
        &format!("{} select", field("statuses.lunch.queue")),
        "\"pause\"",
    );
    page.choose(&format!("{} select", field("loginStatus")), "\"lunch\"");
    save(&view);
    wait_settings(&view, r#""lunch":{"queue":"pause","ringTimeout":45}"#);
    wait_settings(&view, r#""loginStatus":"lunch""#);
    // What is not saved can be discarded.
    page.fill(&timeout, "50");
    page.click("#unsaved button.quiet");
    page.wait("document.querySelector('#unsaved').hidden");
    let value = page.run(
        "return document.querySelector(arguments[0]).value",
        &[json!(timeout)],
    );
    assert_eq!(value, "45");
    page.fill(&timeout, "2");
    page.click("#unsaved [type=submit]");
    view.wait_text(
        &format!("{} .error", field("statuses.lunch.ringTimeout")),
        "2, expected 5 to 300",
    );
    view.tab_to("[data-status=lunch] .ends button");
    page.keys(key::ENTER);
    save(&view);
    wait_settings(&view, r#"Own settings: {"loginStatus":"lunch"}"#);
    view.no_errors();
}

#[test]
fn the_ring_order_is_changed_by_dragging_and_by_keyboard() {
    let view = View::open(office(), "alice-web", "#/settings");
    let page = &view.browser;
    let row = |key: &str| format!("[data-status=default] li[data-key={key}]");
    page.drag(&row("kitchen"), &row("desk"), 12);
    save(&view);
    wait_settings(
        &view,
        r#""ringFirst":["desk","kitchen"],"ringSecond":["soft"]"#,
    );
    // Nothing but the keyboard from the head of the page on.
    view.tab_to(&format!("{} button:last-child", row("desk")));
    page.keys(key::DOWN);
    assert_eq!(page.text("#announcement"), "desk: First, place 2 of 4");
    page.keys(key::DOWN);
    assert_eq!(page.text("#announcement"), "desk: Then, place 2 of 4");
    view.tab_to("#unsaved [type=submit]");
    page.keys(key::ENTER);
    page.wait("document.querySelector('#unsaved').hidden");
    wait_settings(
        &view,
        r#""ringFirst":["kitchen"],"ringSecond":["desk","soft"]"#,
    );
    view.no_errors();
}

#[test]
fn what_is_not_allowed_is_disabled_and_says_why() {
    let view = View::open(office(), "chiara-web", "#/settings");
    let page = &view.browser;
    let mobile = field("mobile");
    assert_eq!(page.count(&format!("{mobile} input:disabled")), 1);
    assert_eq!(
        page.text(&format!("{mobile} .hint")),
        "The administrator sets this."
    );
    let target = format!("{} select", field(OUTSIDE));
    assert_eq!(
        page.count(&format!("{target} option[value=voicemail]:disabled")),
        1
    );
    assert_eq!(
        page.count(&format!("{target} option[value=internal]:not(:disabled)")),
        1
    );
    assert_eq!(
        page.count("#password-form"),
        0,
        "an API user has no own password"
    );
    view.no_errors();
}

#[test]
fn a_person_changes_their_own_password() {
    let conf = format!("{PEOPLE}[dora]\ntype = user\nextension = 230\npassword = {HASH}\n");
    let view = View::open(configured(&conf).http(), "dora", "#/settings");
    let page = &view.browser;
    let fill = |old: &str, new: &str, again: &str| {
        for (at, text) in [old, new, again].iter().enumerate() {
            page.fill(
                &format!("#password-form .field:nth-child({}) input", at + 1),
                text,
            );
        }
        page.click("#password-form button");
    };
    fill("secret", "something longer", "something else");
    view.wait_text("#password-form .field:nth-child(3) .error", "differ");
    fill("wrong", "something longer", "something longer");
    view.wait_text("#password-form .field:nth-child(1) .error", "password");
    fill("secret", "something longer", "something longer");
    view.wait_text("#password-form .done", "The password is changed.");
    // The new password counts from now on, and this session goes on.
    page.open("/userpresence/#/settings");
    view.wait_shown();
    page.click("#logout");
    view.log_in("dora", "something longer", "#/settings");
    view.no_errors();
}

#[test]
fn what_is_not_saved_survives_a_look_at_the_people() {
    let view = View::open(office(), "alice-web", "#/settings");
    let page = &view.browser;
    let timeout = format!("{} input", field("statuses.lunch.ringTimeout"));
    let nobody = field("statuses.default.forwardInternal.always");
    // Nobody has set it: it is not the administrator's.
    assert_eq!(
        page.text(&format!("{nobody} option:first-child")),
        "Do not forward"
    );
    page.choose("#status-new", "lunch");
    page.fill(&timeout, "45");
    page.run("location.hash = '#/people'", &[]);
    page.wait("!document.querySelector('#board').hidden");
    view.go("#/settings");
    assert_eq!(
        page.run(
            "return document.querySelector(arguments[0]).value",
            &[json!(timeout)]
        ),
        "45"
    );
    assert_eq!(page.count("#unsaved[hidden]"), 0);
    // The browser asks before the page is left, until everything is saved.
    let asks = "return !dispatchEvent(new Event('beforeunload', {cancelable: true}))";
    assert_eq!(page.run(asks, &[]), json!(true));
    save(&view);
    wait_settings(&view, r#""lunch":{"ringTimeout":45}"#);
    assert_eq!(page.run(asks, &[]), json!(false));
    view.no_errors();
}

/// axe-core finds no problem. With `SCREENSHOTS=DIR` the page is saved as a picture in DIR.
#[test]
fn looks() {
    let more = "own_forward = internal,voicemail,mobile,_+49X.\nmobile =";
    let conf = PEOPLE.replacen("mobile =", more, 1);
    let login = api_user("alice-web", "role = self\nuser = alice");
    let office = configured(&format!("{conf}{login}")).http();
    let view = View::open(office, "alice-web", "#/settings");
    let page = &view.browser;
    page.choose(&format!("{} select", field(OUTSIDE)), "mobile");
    page.fill(&format!("{} input", field("mobile")), "+491701234567");
    page.choose("#status-new", "lunch");
    page.choose(
        &format!("{} select", field("statuses.lunch.ringMobile")),
        "true",
    );
    view.is_accessible("own settings");
    save(&view);
    page.run(
        "document.querySelector('[data-status=lunch]').open = false; scrollTo(0, 0)",
        &[],
    );
    page.size(1040, 1120, false);
    page.run("document.activeElement.blur()", &[]);
    page.mouse_away();
    picture(page, "settings");
    page.colours("dark");
    picture(page, "settings-dark");
    page.size(360, 640, true);
    picture(page, "settings-phone");
    view.no_errors();
}
