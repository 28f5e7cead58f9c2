//! The options of each type of section.

use presence::config::section_options;
use serde_json::{Map, Value, json};

/// Every option, by type of section.
pub fn all() -> Value {
    let types = section_options().into_iter().map(|(kind, names)| {
        let options = names
            .iter()
            .map(|name| json!({"name": name, "kind": "text", "words": [], "default": null}));
        (kind.to_owned(), options.collect::<Value>())
    });
    Value::Object(types.collect::<Map<String, Value>>())
}
