//! The description of the interface, for programs.

use std::sync::LazyLock;

use super::{Reply, Request, answer};
use presence::model::flags::Flag;

/// The description. The file has a placeholder wherever it lists the users' flags.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    let (mut schemas, mut names) = (Vec::new(), Vec::new());
    for flag in Flag::ALL {
        let (name, description) = (flag.name(), flag.description());
        schemas.push(format!(
            r#""{name}": {{ "type": "boolean", "description": "{description}" }}"#
        ));
        names.push(format!(r#""{name}""#));
    }
    include_str!("openapi.json")
        .replace(r#""{flags}": {}"#, &schemas.join(", "))
        .replace(r#""{flags}""#, &names.join(", "))
});

/// `GET v1/openapi.json`, for everyone: it says nothing of anybody.
pub fn show(request: &Request<'_>) -> Reply {
    answer::tagged(request, "application/json", TEXT.as_str().into())
}
