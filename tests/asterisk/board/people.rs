//! The list: names and initials, groups, favourites, order and density.

use serde_json::{Value, json};

use super::{Board, panel};
use crate::harness::api::api_user;
use crate::harness::key;
use crate::harness::users::set;

/// Six people in three groups, one in two of them and one in none.
const COMPANY: &str = "[alice]\ntype = user\nname = Alice Adams\ntitle = Head of sales\ngroup = Sales\n\
    email = alice@example.com\nextension = 200\n\
    [bob]\ntype = user\nname = Bob Brown\ngroup = Sales\ngroup = Berlin\nextension = 210\n\
    [chiara]\ntype = user\nname = Chiara Conti\ngroup = Berlin\nextension = 220\n\
    [dmitri]\ntype = user\nname = Dmitri van der Berg\ngroup = Support\nextension = 230\n\
    [emil]\ntype = user\nname = Émile Zola\ngroup = Support\nextension = 240\n\
    [zoe]\ntype = user\nextension = 250\n";

impl Board {
    #[track_caller]
    fn of_company() -> Self {
        let board = Self::open(&format!("{COMPANY}{}", panel()));
        board.log_in("panel");
        board
    }

    /// The rows in their order: names of people, and sections with their number.
    #[track_caller]
    fn wait_rows(&self, rows: &[&str]) {
        let rows = json!(rows);
        self.browser.wait(&format!(
            "JSON.stringify([...document.querySelectorAll('#rows .row')].map((row) => \
               row.matches('.section') ? row.innerText.replace(/\\s+/g, ' ').trim() : row.querySelector('.name .text').textContent)) \
             === JSON.stringify({rows})"
        ));
    }
}

#[test]
fn people_have_names_titles_and_initials() {
    let board = Board::of_company();
    let page = &board.browser;
    board.wait_rows(&[
        "Alice Adams",
        "Bob Brown",
        "Chiara Conti",
        "Dmitri van der Berg",
        "Émile Zola",
        "zoe",
    ]);
    let initials = page.run(
        "return [...document.querySelectorAll('#rows .avatar')].map((it) => it.textContent)",
        &[],
    );
    assert_eq!(initials, json!(["AA", "BB", "CC", "DB", "ÉZ", "Z"]));
    assert_eq!(page.text("#rows .title"), "Head of sales · Sales");
    assert_eq!(page.text("#caller"), "Alice Adams");
    let mail = page.attribute("#rows .row:first-child [data-do=mail]", "href");
    assert_eq!(mail, "mailto:alice%40example.com");
    // Title, group and address are found too.
    for (text, found) in [
        ("head of", &["Alice Adams"][..]),
        ("berlin", &["Bob Brown", "Chiara Conti"]),
        ("alice@", &["Alice Adams"]),
        ("emile", &["Émile Zola"]),
    ] {
        page.click("#search");
        page.keys(key::ESCAPE);
        page.keys(text);
        board.wait_rows(found);
    }
    page.keys(key::ESCAPE);
    // The colours of the initials have contrast, whatever the name.
    let worst = page.run(
        "const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true}); \
         const light = (colour) => { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); \
           const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((it) => it / 255).map((it) => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4); \
           return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]; }; \
         const it = document.querySelector('#rows .avatar'); let worst = 99; \
         for (let hue = 0; hue < 360; hue++) { it.style.setProperty('--hue', hue); const {color, backgroundColor} = getComputedStyle(it); \
           const [a, b] = [light(color), light(backgroundColor)].sort((a, b) => b - a); worst = Math.min(worst, (a + 0.05) / (b + 0.05)); } \
         return worst",
        &[],
    );
    assert!(worst.as_f64().is_some_and(|worst| worst > 4.5), "{worst}");
    board.no_errors();
}

#[test]
fn groups_have_counts_and_collapse() {
    let board = Board::of_company();
    let page = &board.browser;
    board.wait_names(&[
        "Alice Adams",
        "Bob Brown",
        "Chiara Conti",
        "Dmitri van der Berg",
        "Émile Zola",
        "zoe",
    ]);
    let groups = page.run(
        "return [...document.querySelectorAll('#group option')].map((it) => it.text)",
        &[],
    );
    assert_eq!(
        groups,
        json!(["All", "Berlin (2)", "Sales (2)", "Support (2)"])
    );
    page.choose("#group", "Berlin");
    board.wait_rows(&["Bob Brown", "Chiara Conti"]);
    page.choose("#group", "");
    page.choose("#sort", "group");
    let all = [
        "Berlin 2",
        "Bob Brown",
        "Chiara Conti",
        "Sales 2",
        "Alice Adams",
        "Bob Brown",
        "Support 2",
        "Dmitri van der Berg",
        "Émile Zola",
        "No group 1",
        "zoe",
    ];
    board.wait_rows(&all);
    // By click, then by keyboard.
    page.click("#rows .section button");
    let folded = [&["Berlin 2"], &all[3..]].concat();
    board.wait_rows(&folded);
    assert_eq!(
        page.attribute("#rows .section button", "aria-expanded"),
        "false"
    );
    page.run("document.querySelector('#grid').focus()", &[]);
    page.keys(key::END);
    page.keys(key::UP);
    page.keys(key::ENTER);
    board.wait_rows(&folded[..folded.len() - 1]);
    assert_eq!(page.accessibility(), Vec::<String>::new());
    // Both are kept.
    page.open("/userpresence/");
    board.wait_rows(&folded[..folded.len() - 1]);
    page.click("#rows .section button");
    page.run("document.querySelector('#grid').focus()", &[]);
    page.keys(key::END);
    page.keys("\u{e014}");
    board.wait_rows(&all);

    // Changes go to each row of a person; the counts follow the filter.
    set(&board.ast, "bob", "dnd");
    page.wait("[...document.querySelectorAll('#rows .row')].filter((row) => row.querySelector('.label')?.textContent === 'Do not disturb').length === 2");
    page.click(".chip[data-presence=Busy]");
    board.wait_rows(&["Berlin 1", "Bob Brown", "Sales 1", "Bob Brown"]);
    board.no_errors();
}

#[test]
fn favourites_order_and_density_are_kept() {
    let board = Board::of_company();
    let (page, ast) = (&board.browser, &board.ast);
    let names = [
        "Alice Adams",
        "Bob Brown",
        "Chiara Conti",
        "Dmitri van der Berg",
        "Émile Zola",
        "zoe",
    ];
    board.wait_rows(&names);
    page.click("#rows .row:nth-child(3) [data-do=star]");
    board.wait_rows(&[
        "Chiara Conti",
        "Alice Adams",
        "Bob Brown",
        "Dmitri van der Berg",
        "Émile Zola",
        "zoe",
    ]);
    // By key on the row, which stays the active one.
    page.run("document.querySelector('#grid').focus()", &[]);
    page.keys(key::END);
    board.wait_active("zoe");
    page.keys("f");
    let favoured = [
        "Chiara Conti",
        "zoe",
        "Alice Adams",
        "Bob Brown",
        "Dmitri van der Berg",
        "Émile Zola",
    ];
    board.wait_rows(&favoured);
    board.wait_active("zoe");
    let stars = page.run(
        "return [...document.querySelectorAll('#rows [data-do=star]')].map((it) => it.getAttribute('aria-pressed'))",
        &[],
    );
    assert_eq!(
        stars,
        json!(["true", "true", "false", "false", "false", "false"])
    );
    // Also as a section of their own.
    page.choose("#sort", "group");
    page.wait("document.querySelector('#rows .section')?.innerText.startsWith('Favourites')");
    for (extension, name) in [("210", "bob"), ("240", "emil")] {
        ast.set_custom(extension, "available");
        let label = "Available";
        let full = if name == "bob" {
            "Bob Brown"
        } else {
            "Émile Zola"
        };
        board.wait_row(full, "label", label);
    }
    // The latest change comes first, after the favourites.
    page.choose("#sort", "since");
    page.wait("[...document.querySelectorAll('#rows .name .text')].slice(2, 4).map((it) => it.textContent).join() === 'Émile Zola,Bob Brown'");
    let height = || {
        page.run(
            "return document.querySelector('#rows .row').offsetHeight",
            &[],
        )
    };
    let before = height();
    page.click("#compact");
    page.wait(&format!(
        "document.querySelector('#rows .row')?.offsetHeight < {before}"
    ));

    page.open("/userpresence/");
    page.wait("[...document.querySelectorAll('#rows .name .text')].slice(0, 4).map((it) => it.textContent).join() === 'Chiara Conti,zoe,Émile Zola,Bob Brown'");
    board.wait_live();
    assert!(height().as_i64() < before.as_i64());
    assert_eq!(page.attribute("#compact", "aria-pressed"), "true");
    board.no_errors();
}

/// What a browser keeps belongs to who is logged in.
#[test]
fn favourites_of_one_person_are_not_anothers() {
    let reader = api_user("reader", "role = read");
    let board = Board::open(&format!("{COMPANY}{}{reader}", panel()));
    board.log_in("panel");
    let page = &board.browser;
    page.click("#rows .row:nth-child(6) [data-do=star]");
    page.wait("document.querySelector('#rows .name .text')?.textContent === 'zoe'");
    page.click("#logout");
    page.wait("document.querySelector('#top').hidden");
    board.log_in("reader");
    page.wait("document.querySelector('#rows .name .text')?.textContent === 'Alice Adams'");
    let own: Value = page.run(
        "return document.querySelectorAll('#rows [aria-pressed=true]').length",
        &[],
    );
    assert_eq!(own, json!(0));
    board.no_errors();
}
