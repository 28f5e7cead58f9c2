//! `v1/session`: log in, show the session, log out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json as object;

use super::access::{self, COOKIE};
use super::answer::{error, json, no_content, read_body, read_json};
use super::calls;
use crate::runtime;
use crate::runtime::sessions::session::{self, Token};
use crate::runtime::store;
use crate::web::access::{Credential, HttpCaller};
use asterisk::http::{Reply, Request, prefix};
use presence::config::{ApiUser, Http};
use presence::model::principal::Principal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginRequest {
    name: String,
    password: String,
}

/// `POST`: takes a name and password, sets a cookie.
pub fn log_in(request: &Request<'_>) -> Reply {
    try_log_in(request).unwrap_or_else(|refusal| refusal)
}

fn try_log_in(request: &Request<'_>) -> Result<Reply, Reply> {
    let http = access::settings().ok_or_else(super::not_running)?;
    let login: LoginRequest = read_body(request)?;
    let user = access::log_in(request, &http, &login.name, &login.password)?;
    let before = held(request, &http).map(|(token, _)| token);
    let cookie = begin(request, &user, before)?;
    let mut reply = json(&described(&user.caller, user.is_person));
    reply.headers.push(("Set-Cookie", cookie.into()));
    Ok(reply)
}

/// Begins a session, which takes the place of the browser's previous one as a panel; returns
/// its cookie.
fn begin(
    request: &Request<'_>,
    user: &Arc<ApiUser>,
    before: Option<Token<'_>>,
) -> Result<String, Reply> {
    let token = access::begin(user)?;
    if let Some(token) = Token::parse(&token) {
        runtime::with(|runtime| runtime.begin_panel(&token.key(), user, || true));
    }
    // Ends after the new one counts, so that the user stays on a panel.
    if let Some(before) = before {
        runtime::with(|runtime| runtime.end_panel(&before.key()));
    }
    Ok(cookie(request, &token, session::LASTS))
}

/// The cookie of a session that goes on with a new password; `None` without a session.
///
/// # Errors
/// Answers 503 if no session can begin.
pub fn renew(
    request: &Request<'_>,
    caller: &HttpCaller,
    user: ApiUser,
) -> Result<Option<String>, Reply> {
    if !matches!(caller.credential, Credential::Session(_)) {
        return Ok(None);
    }
    // It was valid until the password changed.
    let before = super::cookie(request, COOKIE).and_then(Token::parse);
    begin(request, &Arc::new(user), before).map(Some)
}

/// `GET`: describes the caller.
pub fn show(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    let is_person = caller.login.as_ref().is_some_and(|it| it.is_person);
    read_json(request, &described(caller, is_person))
}

/// The valid session of the request's cookie, and its login.
fn held<'a>(request: &Request<'a>, http: &Http) -> Option<(Token<'a>, Arc<ApiUser>)> {
    let remote = access::remote(request, http);
    let (user, _) = access::by_cookie(request, remote).ok().flatten()?;
    let token = super::cookie(request, COOKIE).and_then(Token::parse)?;
    Some((token, user))
}

/// A feed begins: its session counts as a panel, even if it began before the module was
/// loaded.
pub fn count_as_panel(request: &Request<'_>) {
    let by_cookie = request.header("Authorization").is_none();
    let http = access::settings().filter(|_| by_cookie);
    let held = || held(request, http.as_ref()?);
    if let Some((token, user)) = held() {
        runtime::with(|runtime| runtime.begin_panel(&token.key(), &user, || held().is_some()));
    }
}

/// `DELETE`: ends the session of the cookie.
pub fn log_out(request: &Request<'_>, _: &HttpCaller) -> Reply {
    let http = access::settings();
    let before = http.as_ref().and_then(|http| held(request, http));
    let ended = http.ok_or_else(super::not_running);
    if let Err(refusal) = ended.and_then(|http| access::end(request, &http)) {
        return refusal;
    }
    if let Some((token, _)) = before {
        runtime::with(|runtime| runtime.end_panel(&token.key()));
    }
    let mut reply = no_content();
    let cookie = cookie(request, "", 0);
    reply.headers.push(("Set-Cookie", cookie.into()));
    reply
}

/// The cookie is hidden from scripts and not sent by other sites, and over TLS it is never
/// sent in the clear. In a frame of another site, which only TLS makes possible, it has to be
/// sent by that site too, and belongs to that site's frames alone (`Partitioned`).
fn cookie(request: &Request<'_>, token: &str, seconds: u64) -> String {
    let http = access::settings();
    let is_secure = request.is_secure() || http.as_ref().is_some_and(|http| by_tls(request, http));
    let framed = http.is_some_and(|http| !http.frame.is_empty());
    let sent = match (is_secure, framed) {
        (true, true) => "SameSite=None; Secure; Partitioned",
        (true, false) => "SameSite=Strict; Secure",
        (false, _) => "SameSite=Strict",
    };
    format!(
        "{COOKIE}={token}; Path={}/userpresence; Max-Age={seconds}; HttpOnly; {sent}",
        prefix()
    )
}

/// Whether a trusted proxy says that it was asked by TLS.
fn by_tls(request: &Request<'_>, http: &Http) -> bool {
    let remote = request.remote();
    http.trusted_proxies
        .iter()
        .any(|proxy| proxy.contains(remote))
        && request
            .header("X-Forwarded-Proto")
            .is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

/// What a caller may do besides reading, so that a page shows only what works.
#[derive(Serialize)]
struct May {
    /// Change settings of one's own.
    settings: bool,
    /// Change one's own password.
    password: bool,
    /// Call and pick up with one's own phone.
    call: bool,
    /// Read and change the configuration.
    configure: bool,
}

impl May {
    fn of(caller: &Principal, is_person: bool) -> Self {
        May {
            settings: caller
                .user
                .as_deref()
                .is_some_and(|own| caller.may_set(own)),
            password: is_person,
            call: calls::may_call(caller),
            configure: caller.configure,
        }
    }
}

fn described(caller: &Principal, is_person: bool) -> serde_json::Value {
    let person = caller.user.as_deref().and_then(|user| {
        store::read(|world| {
            let directory = world.directory();
            let user = directory.get(directory.user(user)?);
            Some((user.id().to_owned(), user.display_name().to_owned()))
        })
        .flatten()
    });
    let (id, display_name) = person.unzip();
    object!({
        "name": *caller.name,
        "role": caller.role.name(),
        "account": own_account(caller),
        "extensionId": id,
        "user": caller.user.as_deref(),
        "may": May::of(caller, is_person),
        "displayName": display_name.as_deref().or(caller.user.as_deref()),
        "seesAll": caller.sees_all,
    })
}

/// The account that `~` means.
fn own_account(caller: &Principal) -> String {
    if let Some(account) = &caller.account {
        return account.to_string();
    }
    // A caller that sees all accounts means the only one, if there is just one.
    let only = store::read(|world| match world.directory().accounts() {
        [only] => Some(only.to_string()),
        _ => None,
    });
    only.flatten().unwrap_or_else(|| "default".into())
}

/// The account in the path of a request, `v1/account/{id}`.
///
/// # Errors
/// Answers 404 if the account does not exist or the caller may not see it.
pub fn account(request: &Request<'_>, caller: &HttpCaller) -> Result<String, Reply> {
    let segment = super::segment(request, 2);
    let given = match segment.as_str() {
        "~" => &own_account(caller),
        given => given,
    };
    let known = store::read(|world| {
        let id = world.directory().account_named(given)?;
        Some(world.directory().account(id).to_string())
    });
    // The same answer for an account that exists but is not visible to the caller.
    known
        .flatten()
        .filter(|account| caller.sees(account))
        .ok_or_else(|| error(404, "not_found", "There is no such account."))
}
