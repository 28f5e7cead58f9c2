//! Who asks, and whether so often.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::{error, later};
use crate::runtime::sessions::Access;
use crate::runtime::sessions::session::{self, Token};
use crate::runtime::sessions::throttle::{Admission, Means};
use crate::runtime::{self, Runtime, store};
use crate::web::access::{Credential, HttpCaller, forwarded};
use asterisk::crypt;
use asterisk::http::{ManagerSession, Reply, Request};
use asterisk::manager::Class;
use asterisk::security::{self, Event};
use presence::Time;
use presence::config::{ApiUser, Http};
use presence::model::principal::{Principal, Role};

/// The cookie of a session.
pub const COOKIE: &str = "userpresence";

/// The name of callers who come by a session of the manager interface.
const MANAGER: &str = "manager";

/// How long a try waits for others in all. An unload waits longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many good credentials are remembered, from each address anew.
const MOST_GOOD: usize = 1000;

fn running() -> Result<Arc<Runtime>, Reply> {
    runtime::current().ok_or_else(closed)
}

fn with<T>(what: impl FnOnce(&mut Access) -> T) -> Result<T, Reply> {
    let runtime = running()?;
    let mut access = runtime.sessions.access();
    access.as_mut().map(what).ok_or_else(closed)
}

fn closed() -> Reply {
    error(503, "closing", "Nobody can log in now, see Asterisk's log.")
}

/// What is served, and to whom; `None` when the module is not running.
pub fn settings() -> Option<Arc<Http>> {
    store::read(|world| world.directory().settings.http.clone())
}

/// Where a request comes from: a trusted proxy says for whom it asks.
pub fn remote(request: &Request<'_>, http: &Http) -> IpAddr {
    let forwarded = request.header_values("X-Forwarded-For");
    forwarded::caller(request.remote(), forwarded, &http.trusted_proxies)
}

/// Finds out who asks, by HTTP Basic or a cookie.
///
/// # Errors
/// Answers 401 to those who are nobody, 429 to those who try or ask too often, 503 while
/// others are being looked at for too long.
pub fn caller(request: &Request<'_>, http: &Http) -> Result<HttpCaller, Reply> {
    let remote = remote(request, http);
    let caller = match request.basic() {
        Some((name, password)) => {
            let user = look_at(request, http, remote, &name, &password)?;
            HttpCaller {
                principal: user.caller.clone(),
                credential: Credential::Password,
            }
        }
        None if request.header("Authorization").is_some() => {
            return Err(unauthorized(
                "The only credentials taken are those of HTTP Basic.",
            ));
        }
        None => match by_cookie(request, http, remote)? {
            Some((user, session)) => HttpCaller {
                principal: user.caller.clone(),
                credential: Credential::Session(session),
            },
            None => manager(request, http, remote)?
                .ok_or_else(|| unauthorized("Log in first, with POST v1/session or HTTP Basic."))?,
        },
    };
    let now = Instant::now();
    match with(|access| access.rate.take(&caller.name, http.rate, now))? {
        Ok(()) => Ok(caller),
        Err(wait) => Err(too_many("Too many requests", wait)),
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

fn too_many(what: &str, wait: Duration) -> Reply {
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    let message = format!("{what}, try again in {seconds} s.");
    later(error(429, "too_many", &message), wait)
}

/// Checks a name and a password.
///
/// # Errors
/// Answers 401, the same whatever is wrong, 429 after too many failures, or 503 while too many
/// others are being looked at.
pub fn log_in(
    request: &Request<'_>,
    http: &Http,
    name: &str,
    password: &str,
) -> Result<Arc<ApiUser>, Reply> {
    look_at(request, http, remote(request, http), name, password)
}

fn look_at(
    request: &Request<'_>,
    http: &Http,
    remote: IpAddr,
    name: &str,
    password: &str,
) -> Result<Arc<ApiUser>, Reply> {
    let runtime = running()?;
    let from = remote.to_string();
    let known = http.user(name);
    let hash = known.map_or("", |user| &user.password);
    let permitted = known.filter(|user| user.permits(remote));
    let digest = with(|access| access.secret.digest(&["good", &from, name, password, hash]))?;
    let means = Means::Password {
        name,
        known: known.is_some(),
    };
    let deadline = Instant::now() + PATIENCE;
    let crowded = match begin_try(remote, means, permitted.map(|_| &digest), deadline)? {
        Try::FoundGood => return permitted.cloned().ok_or_else(wrong),
        Try::Begun { crowded } => crowded,
    };
    let Some(mut look) = runtime
        .sessions
        .checks
        .begin(crowded.then_some(remote), deadline)
    else {
        with(|access| access.throttle.withdrawn(remote, means))?;
        runtime.sessions.attempt_ended();
        let why = "Too many passwords are being looked at, try again in 1 s.";
        return Err(later(error(503, "busy", why), Duration::ZERO));
    };
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
            return access.throttle.failed(remote, means, Instant::now());
        }
        access.throttle.succeeded(remote, means);
        if access.verified.len() >= MOST_GOOD {
            access.verified.clear();
        }
        access.verified.insert(digest);
    });
    runtime.sessions.attempt_ended();
    look.failed = user.is_none();
    drop(look);
    security::report(request, remote, name, event);
    noted?;
    user.cloned().ok_or_else(wrong)
}

fn wrong() -> Reply {
    unauthorized("Name or password is wrong.")
}

enum Try {
    /// The credentials were found good before, or while it had to wait.
    FoundGood,
    /// It counts from here on.
    Begun {
        /// Many others from there have failed.
        crowded: bool,
    },
}

/// Begins a try, which counts before it is known what comes of it; no more go on at a time
/// than may fail.
///
/// # Errors
/// Answers 429 after too many failures, or when what others try takes too long.
fn begin_try(
    remote: IpAddr,
    means: Means<'_>,
    credentials: Option<&[u8; 32]>,
    deadline: Instant,
) -> Result<Try, Reply> {
    let runtime = running()?;
    let sessions = &runtime.sessions;
    let mut access = sessions.access();
    loop {
        let open = access.as_mut().ok_or_else(closed)?;
        if credentials.is_some_and(|credentials| open.verified.contains(credentials)) {
            return Ok(Try::FoundGood);
        }
        let now = Instant::now();
        match open.throttle.begin(remote, means, now) {
            Admission::Now => {
                let crowded = open.throttle.is_crowded(remote, now);
                return Ok(Try::Begun { crowded });
            }
            Admission::Wait(wait) => return Err(too_many("Too many failures", wait)),
            Admission::Busy if now >= deadline => {
                return Err(too_many("Too many tries at a time", Duration::ZERO));
            }
            Admission::Busy => {
                sessions.wait_for_attempt(&mut access, deadline);
            }
        }
    }
}

/// Who has a session's cookie that holds, and the session.
pub fn by_cookie(
    request: &Request<'_>,
    http: &Http,
    remote: IpAddr,
) -> Result<Option<(Arc<ApiUser>, session::SessionId)>, Reply> {
    let Some(token) = request.cookie(COOKIE).and_then(Token::parse) else {
        return Ok(None);
    };
    let Some(user) = http.user(token.name).filter(|user| user.permits(remote)) else {
        return Ok(None);
    };
    let secret = with(|access| access.secret.clone())?;
    if !token.holds(&secret, &user.password, Time::now()) {
        return Ok(None);
    }
    let id = token.id(&secret);
    let ended = with(|access| access.ended.has(&id))?;
    Ok((!ended).then(|| (user.clone(), id)))
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

/// Ends the session of the request's cookie, where it holds, and its streams.
///
/// # Errors
/// When the module is not running.
pub fn end(request: &Request<'_>, http: &Http) -> Result<(), Reply> {
    let Some((_, id)) = by_cookie(request, http, remote(request, http))? else {
        return Ok(());
    };
    running()?.end_session(id);
    Ok(())
}

/// Who has logged in to the manager interface over HTTP, where such sessions are let in. The
/// number of one may be guessed: a wrong one is a failure of its address.
///
/// # Errors
/// Answers 429 after too many failures.
fn manager(
    request: &Request<'_>,
    http: &Http,
    remote: IpAddr,
) -> Result<Option<HttpCaller>, Reply> {
    let Some(session) = request.manager_session().filter(|_| http.ami_sessions) else {
        return Ok(None);
    };
    let runtime = running()?;
    begin_try(remote, Means::Cookie, None, Instant::now() + PATIENCE)?;
    let found = session.is_authenticated();
    let noted = with(|access| match found {
        // Somebody else's may have been guessed before.
        true => access.throttle.withdrawn(remote, Means::Cookie),
        false => access
            .throttle
            .failed(remote, Means::Cookie, Instant::now()),
    });
    runtime.sessions.attempt_ended();
    if !found {
        security::report(request, remote, MANAGER, Event::WrongPassword);
    }
    noted?;
    // The actions that read and set ask for the same.
    let sees = |class| session.may_read(class) || session.may_write(class);
    if !found || !sees(Class::Reporting) {
        return Ok(None);
    }
    let role = match session.may_write(Class::Call) {
        true => Role::Admin,
        false => Role::Read,
    };
    Ok(Some(HttpCaller {
        principal: Principal {
            name: MANAGER.into(),
            account: None,
            role,
            user: None,
        },
        credential: Credential::Manager(session.0),
    }))
}

/// Whether a caller may go on, looked at again and again while a stream lasts.
pub struct Pass {
    credential: Credential,
    /// The number of logouts seen.
    logouts: u64,
    /// When the manager's sessions are looked at again.
    again: Instant,
}

/// How often that is.
const AGAIN: Duration = Duration::from_secs(15);

impl Pass {
    /// Of a caller who has just come in.
    pub fn new(caller: &HttpCaller) -> Self {
        Pass {
            credential: caller.credential,
            // Looked at once in any case: the logout may have come since.
            logouts: u64::MAX,
            again: Instant::now() + AGAIN,
        }
    }

    /// Whether it still holds. A session that has ended stays so; who has a password is
    /// looked at anew after each reload.
    pub fn holds(&mut self) -> bool {
        match self.credential {
            Credential::Password => true,
            Credential::Session(id) => {
                if id.is_over(Time::now()) {
                    return false;
                }
                let logouts =
                    runtime::with(|runtime| runtime.sessions.logouts()).unwrap_or_default();
                if self.logouts == logouts {
                    return true;
                }
                self.logouts = logouts;
                with(|access| !access.ended.has(&id)).unwrap_or(false)
            }
            Credential::Manager(number) => {
                let now = Instant::now();
                if now < self.again {
                    return true;
                }
                self.again = now + AGAIN;
                ManagerSession(number).is_authenticated()
            }
        }
    }
}

/// Test builds only: takes all turns to look at a password, or gives them back.
#[cfg(feature = "selftest")]
pub fn hold_looks(hold: bool) {
    use crate::runtime::sessions::password_checks::PasswordCheck;

    static HELD: parking_lot::Mutex<Vec<PasswordCheck>> = parking_lot::Mutex::new(Vec::new());
    let Some(runtime) = runtime::current() else {
        return;
    };
    let mut held = HELD.lock();
    let soon = || Instant::now() + Duration::from_millis(100);
    let begin = || runtime.sessions.checks.begin(None, soon());
    match hold {
        true => held.extend(std::iter::from_fn(begin)),
        false => held.clear(),
    }
}
