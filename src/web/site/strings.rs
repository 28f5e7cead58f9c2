//! The board's texts: one table, from which each browser gets one language.

use std::collections::BTreeMap;

/// The languages of the board, in the order of the table's columns.
pub const LANGUAGES: [&str; 6] = ["en", "de", "fr", "es", "pt", "it"];

/// The table: a text in every language for each key.
type Table = BTreeMap<String, [String; LANGUAGES.len()]>;

/// The texts of one language as a JSON object; `None` for an unknown language.
pub fn of_language(language: &str) -> Option<String> {
    let column = LANGUAGES.iter().position(|known| *known == language)?;
    let table: Table = serde_json::from_str(include_str!("board/strings.json")).ok()?;
    let texts: BTreeMap<&str, &str> = table
        .iter()
        .map(|(key, texts)| (key.as_str(), texts[column].as_str()))
        .collect();
    serde_json::to_string(&texts).ok()
}
