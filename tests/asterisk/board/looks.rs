//! How the board looks: accessibility, pictures, and texts that are cut off.

use serde_json::{Value, json};

use super::{Board, panel, picture};
use crate::harness::api::api_user;
use crate::harness::users::set;
use crate::harness::{Browser, Instance, key};

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

pub(super) const STAFF: &str = "[lunch]\ntype = status\nlabel = At lunch\nstate = away\nsubtype = lunch\n\
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

pub(super) fn staff_at_work(ast: &Instance) {
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
