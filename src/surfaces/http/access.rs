//! Who asks, and whether so often.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::answer::error;
use crate::asterisk::http::{Reply, Request};
use crate::asterisk::manager::Class;
use crate::asterisk::security::{self, Event};
use crate::asterisk::{astdb, crypt, log};
use crate::door;
use crate::presence::Time;
use crate::presence::access::rate::Rate;
use crate::presence::access::session::{self, Ended, Secret, Token};
use crate::presence::access::throttle::{Throttle, Turn};
use crate::presence::access::{Caller, Role};
use crate::presence::config::{ApiUser, Http};
use crate::presence::row::{FAMILY, SECRET};

/// The cookie of a session.
pub const COOKIE: &str = "userpresence";

/// What is remembered of those who ask. Locked for moments only, never while a password
/// is looked at.
struct Access {
    secret: Secret,
    throttle: Throttle,
    rate: Rate,
    ended: Ended,
    /// Credentials that were found good, so that not each request costs a hash: nothing
    /// that they could be read from.
    good: HashSet<[u8; 32]>,
}

static ACCESS: Mutex<Option<Access>> = Mutex::new(None);
/// A password was looked at.
static LOOKED_AT: Condvar = Condvar::new();

/// How long a try waits for what comes of others. An unload waits longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many good credentials are remembered, from each address anew.
const MOST_GOOD: usize = 1000;

/// Begins with nobody, and with the secret that sessions of earlier runs are signed with.
pub fn open() {
    let stored = astdb::get(FAMILY, SECRET);
    let secret = stored.as_deref().and_then(Secret::restore);
    let secret = secret.or_else(|| {
        let made = crypt::random().inspect_err(|why| log::warning(why)).ok();
        let made = Secret::new(made?);
        if let Err(why) = astdb::put(FAMILY, SECRET, &made.stored()) {
            log::warning(format_args!(
                "Sessions over HTTP will not outlive this run: {why}"
            ));
        }
        Some(made)
    });
    // Without a secret nobody can log in.
    *ACCESS.lock() = secret.map(|secret| Access {
        secret,
        throttle: Throttle::default(),
        rate: Rate::default(),
        ended: Ended::default(),
        good: HashSet::new(),
    });
}

fn with<T>(what: impl FnOnce(&mut Access) -> T) -> Result<T, Reply> {
    ACCESS.lock().as_mut().map(what).ok_or_else(closed)
}

fn closed() -> Reply {
    error(503, "closing", "Nobody can log in now, see Asterisk's log.")
}

/// What is served, and to whom; `None` when the module is not running.
pub fn settings() -> Option<Arc<Http>> {
    door::read(|world| world.directory().settings.http.clone())
}

/// Finds out who asks, by HTTP Basic or a cookie.
///
/// # Errors
/// Answers 401 to those who are nobody, 429 to those who try or ask too often.
pub fn caller(request: &Request<'_>, http: &Http) -> Result<Caller, Reply> {
    let caller = match request.basic() {
        Some((name, password)) => log_in(request, http, &name, &password)?.caller.clone(),
        None if request.header("Authorization").is_some() => {
            return Err(unauthorized(
                "The only credentials taken are those of HTTP Basic.",
            ));
        }
        None => match by_cookie(request, http)? {
            Some(user) => user.caller.clone(),
            None => manager(request)
                .ok_or_else(|| unauthorized("Log in first, with POST v1/session or HTTP Basic."))?,
        },
    };
    let now = Instant::now();
    match with(|access| access.rate.take(&caller.name, http.rate, now))? {
        Ok(()) => Ok(caller),
        Err(wait) => Err(later("Too many requests", wait)),
    }
}

/// A browser that is told of HTTP Basic asks for a password itself, and never forgets it:
/// so it is told of what it does not know.
fn unauthorized(message: &str) -> Reply {
    let mut reply = error(401, "unauthorized", message);
    let realm = r#"Session realm="UserPresence""#;
    reply.headers.push(("WWW-Authenticate", realm.into()));
    reply
}

fn later(what: &str, wait: Duration) -> Reply {
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    let message = format!("{what}, try again in {seconds} s.");
    let mut reply = error(429, "too_many", &message);
    reply
        .headers
        .push(("Retry-After", seconds.to_string().into()));
    reply
}

/// Looks at a name and a password.
///
/// # Errors
/// Answers 401, the same whatever is wrong, or 429 after too many failures.
pub fn log_in(
    request: &Request<'_>,
    http: &Http,
    name: &str,
    password: &str,
) -> Result<Arc<ApiUser>, Reply> {
    let remote = request.remote();
    let from = remote.to_string();
    let known = http.user(name);
    let hash = known.map_or("", |user| &user.password);
    let permitted = known.filter(|user| user.permits(remote));
    let digest = with(|access| access.secret.digest(&["good", &from, name, password, hash]))?;
    let found_good = begin_try(remote, name, permitted.map(|_| &digest))?;
    if let Some(user) = permitted.filter(|_| found_good) {
        return Ok(user.clone());
    }
    let right = known.is_some() && crypt::verify(password, hash);
    if !right || permitted.is_none() {
        // It takes as long where there is no such name, or one of another kind.
        for other in http.other_kinds(known.map(|user| &**user)) {
            crypt::verify(password, other);
        }
    }
    let (event, user) = match (known, permitted) {
        (None, _) => (Event::NoSuchName, None),
        (Some(_), None) => (Event::Address, None),
        (Some(_), Some(_)) if !right => (Event::WrongPassword, None),
        (Some(_), Some(user)) => (Event::Success, Some(user)),
    };
    let noted = with(|access| {
        if user.is_none() {
            return access.throttle.failed(remote, name, Instant::now());
        }
        access.throttle.succeeded(remote, name);
        if access.good.len() >= MOST_GOOD {
            access.good.clear();
        }
        access.good.insert(digest);
    });
    LOOKED_AT.notify_all();
    security::report(request, name, event);
    noted?;
    user.cloned()
        .ok_or_else(|| unauthorized("Name or password is wrong."))
}

/// Begins a try, which counts before it is known what comes of it; no more go on at a time
/// than may fail. Says whether there is no need of one: the credentials were found good,
/// before or while it had to wait.
///
/// # Errors
/// Answers 429 after too many failures, or when what others try takes too long.
fn begin_try(remote: IpAddr, name: &str, credentials: Option<&[u8; 32]>) -> Result<bool, Reply> {
    let deadline = Instant::now() + PATIENCE;
    let mut access = ACCESS.lock();
    loop {
        let open = access.as_mut().ok_or_else(closed)?;
        if credentials.is_some_and(|credentials| open.good.contains(credentials)) {
            return Ok(true);
        }
        match open.throttle.begin(remote, name, Instant::now()) {
            Turn::Now => return Ok(false),
            Turn::Wait(wait) => return Err(later("Too many failures", wait)),
            Turn::Busy if Instant::now() >= deadline => {
                return Err(later("Too many tries at a time", Duration::ZERO));
            }
            Turn::Busy => {
                LOOKED_AT.wait_until(&mut access, deadline);
            }
        }
    }
}

/// Who has a session's cookie that holds.
///
/// # Errors
/// When the module is not running.
pub fn by_cookie(request: &Request<'_>, http: &Http) -> Result<Option<Arc<ApiUser>>, Reply> {
    let Some(token) = request.cookie(COOKIE).and_then(Token::parse) else {
        return Ok(None);
    };
    let user = http.user(token.name);
    let Some(user) = user.filter(|user| user.permits(request.remote())) else {
        return Ok(None);
    };
    let (secret, ended) = with(|access| (access.secret.clone(), access.ended.has(&token)))?;
    let holds = !ended && token.holds(&secret, &user.password, Time::now());
    Ok(holds.then(|| user.clone()))
}

/// Begins a session: the token.
///
/// # Errors
/// Where there are no random numbers.
pub fn begin(user: &ApiUser) -> Result<String, Reply> {
    let secret = with(|access| access.secret.clone())?;
    let random = crypt::random().map_err(|why| error(503, "random", &format!("Sorry, {why}.")))?;
    let (name, random) = (&user.caller.name, u64::from_ne_bytes(random));
    let token = session::issue(&secret, name, &user.password, random, Time::now());
    Ok(token)
}

/// Ends the session of the request's cookie, where it holds.
///
/// # Errors
/// When the module is not running.
pub fn end(request: &Request<'_>, http: &Http) -> Result<(), Reply> {
    if by_cookie(request, http)?.is_none() {
        return Ok(());
    }
    match request.cookie(COOKIE).and_then(Token::parse) {
        Some(token) => with(|access| access.ended.end(&token, Time::now())),
        None => Ok(()),
    }
}

/// Who has logged in to the manager interface over HTTP.
fn manager(request: &Request<'_>) -> Option<Caller> {
    request.cookie("mansession_id")?;
    // The actions that read and set ask for the same.
    let sees =
        request.manager_may_read(Class::Reporting) || request.manager_may_write(Class::Reporting);
    let role = match request.manager_may_write(Class::Call) {
        _ if !sees => return None,
        true => Role::Admin,
        false => Role::Read,
    };
    Some(Caller {
        name: "manager".into(),
        account: None,
        role,
        user: None,
    })
}
