//! The options of each type of section.

use presence::config::{Form, FormKind, section_forms};
use serde_json::{Map, Value, json};

/// Every option, by type of section.
pub fn all() -> Value {
    let types = section_forms().into_iter().map(|section| {
        let options = section.options.into_iter().map(option).collect::<Value>();
        (section.kind.to_owned(), options)
    });
    Value::Object(types.collect::<Map<String, Value>>())
}

fn option((form, default): (Form, Option<String>)) -> Value {
    let mut option = json!({
        "name": form.name,
        "kind": form.kind_name(),
        "words": form.words,
        "repeated": form.repeated,
        "default": default,
    });
    if let FormKind::Number { low, high, unit } = form.kind {
        option["low"] = low.into();
        option["high"] = high.into();
        option["unit"] = unit.into();
    }
    option
}
