//! Who asks.

use serde_json::json as object;

use super::answer::{error, json};
use crate::asterisk::http::{Reply, Request};
use crate::asterisk::manager::Class;
use crate::door;
use crate::presence::access::{Caller, Role};

/// Finds out who asks; the answer to nobody is 401.
pub fn find(request: &Request<'_>) -> Result<Caller, Reply> {
    manager(request)
        .ok_or_else(|| unauthorized("Log in first, with POST v1/session or HTTP Basic."))
}

/// Without `WWW-Authenticate` on purpose: a browser would ask for a password itself,
/// and never forget it.
fn unauthorized(message: &str) -> Reply {
    error(401, "unauthorized", message)
}

/// Who has logged in to the manager interface over HTTP.
fn manager(request: &Request<'_>) -> Option<Caller> {
    request.cookie("mansession_id")?;
    let role = match (
        request.manager_may_read(Class::Reporting),
        request.manager_may_write(Class::Call),
    ) {
        (_, true) => Role::Admin,
        (true, false) => Role::Read,
        (false, false) => return None,
    };
    Some(Caller {
        name: "manager".into(),
        account: None,
        role,
        user: None,
    })
}

/// `GET v1/session`: who one is.
pub fn show(_: &Request<'_>, caller: &Caller) -> Reply {
    json(&described(caller))
}

/// A caller, as answers describe it.
pub fn described(caller: &Caller) -> serde_json::Value {
    let id = caller.user.as_deref().and_then(|user| {
        door::read(|world| {
            let directory = world.directory();
            Some(directory.get(directory.user(user)?).id.clone())
        })
        .flatten()
    });
    object!({
        "name": *caller.name,
        "role": caller.role.name(),
        "account": own_account(caller),
        "extensionId": id,
        "user": caller.user.as_deref(),
    })
}

/// The account that `~` stands for.
fn own_account(caller: &Caller) -> String {
    if let Some(account) = &caller.account {
        return account.to_string();
    }
    // Who sees every account means the only one where there is one.
    let only = door::read(|world| match world.directory().accounts() {
        [only] => Some(only.to_string()),
        _ => None,
    });
    only.flatten().unwrap_or_else(|| "default".into())
}

/// The account that the request is about, `v1/account/{id}`.
///
/// # Errors
/// Answers 404 where there is none that the caller may see.
pub fn account(request: &Request<'_>, caller: &Caller) -> Result<String, Reply> {
    let given = match request.segment(2) {
        "~" => &own_account(caller),
        given => given,
    };
    let known = door::read(|world| {
        let mut accounts = world.directory().accounts().iter();
        accounts
            .find(|name| ***name == *given)
            .map(ToString::to_string)
    });
    // One that the caller may not see is as good as none.
    known
        .flatten()
        .filter(|account| caller.sees(account))
        .ok_or_else(|| error(404, "not_found", "There is no such account."))
}
