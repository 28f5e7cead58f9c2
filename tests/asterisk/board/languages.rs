//! The board in each of its languages.

use serde_json::json;

use super::{Board, PEOPLE, panel};
use crate::harness::users::set;

/// A browser's languages, the page's, and some words of it: the search, a state, what was
/// inferred, and the length of a preset.
const LANGUAGES: [(&str, &str, [&str; 4]); 7] = [
    (
        "de-AT,en",
        "de",
        [
            "Suchen   /",
            "Abwesend",
            "· Telefon offline",
            "At lunch, 45 Minuten",
        ],
    ),
    (
        "fr",
        "fr",
        [
            "Chercher   /",
            "Absent",
            "· Téléphone hors ligne",
            "At lunch, 45 minutes",
        ],
    ),
    (
        "es-MX",
        "es",
        [
            "Buscar   /",
            "Ausente",
            "· Teléfono sin conexión",
            "At lunch, 45 minutos",
        ],
    ),
    (
        "pt-BR",
        "pt",
        [
            "Procurar   /",
            "Ausente",
            "· Telefone offline",
            "At lunch, 45 minutos",
        ],
    ),
    (
        "it",
        "it",
        [
            "Cerca   /",
            "Assente",
            "· Telefono non in linea",
            "At lunch, 45 minuti",
        ],
    ),
    // The first language that the board has.
    (
        "pl,de",
        "de",
        [
            "Suchen   /",
            "Abwesend",
            "· Telefon offline",
            "At lunch, 45 Minuten",
        ],
    ),
    (
        "pl",
        "en",
        [
            "Search   /",
            "Away",
            "· Phone offline",
            "At lunch, 45 minutes",
        ],
    ),
];

#[test]
fn the_browser_chooses_the_language() {
    let phone =
        "[general]\nuse_devices = yes\n[dora]\ntype = user\nextension = 230,Custom:desk-230\n";
    let board = Board::open(&format!("{phone}{PEOPLE}{}", panel()));
    let (page, ast) = (&board.browser, &board.ast);
    set(ast, "alice", "away");
    set(ast, "bob", "away,lunch");
    ast.set_custom("230", "available");
    ast.set_device("desk-230", "UNAVAILABLE");
    board.log_in("panel");
    let agent = page.run("return navigator.userAgent", &[]);
    for (asked, language, [search, state, inferred, preset]) in LANGUAGES {
        let override_ = json!({"userAgent": agent, "acceptLanguage": asked});
        page.chromium("Emulation.setUserAgentOverride", override_);
        page.open("/userpresence/");
        board.wait_row("dora", "why", inferred);
        board.wait_row("alice", "label", state);
        // What the administrator called a status stays.
        board.wait_row("bob", "label", "At lunch");
        assert_eq!(page.attribute("html", "lang"), language, "{asked}");
        assert_eq!(page.attribute("#search", "placeholder"), search, "{asked}");
        page.click("#own");
        let words = page.run(
            "return [...document.querySelectorAll('#menu [role=menuitem] span:last-of-type')][0].textContent",
            &[],
        );
        assert_eq!(words, json!(preset), "{asked}");
        page.click("#mine");
        board.wait_dialog(true);
        // No key and no {name} is shown in place of a text.
        let bare = page.run(
            "const texts = [document.body.innerHTML, ...[...document.querySelectorAll('template')].map((it) => it.innerHTML)]; \
             return texts.flatMap((it) => it.match(/>\\s*[a-z]+\\.[a-zA-Z_]+\\s*<|\\{[a-z]+\\}/g) ?? [])",
            &[],
        );
        assert_eq!(bare, json!([]), "{asked}");
        assert_eq!(page.accessibility(), Vec::<String>::new(), "{asked}");
    }
    board.no_errors();
}
