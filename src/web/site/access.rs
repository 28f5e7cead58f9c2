//! Authenticates callers and limits their requests.

use std::ffi::CStr;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::{error, later};
use crate::runtime::sessions::Access;
use crate::runtime::sessions::session::{self, Token};
use crate::runtime::sessions::throttle::{Admission, Means};
use crate::runtime::{self, Runtime, store};
use crate::web::access::{Credential, HttpCaller, forwarded};
use crate::web::wire;
use asterisk::crypt;
use asterisk::http::{ManagerSession, Reply, Request};
use asterisk::manager::Class;
use asterisk::security::{self, SecurityEvent};
use presence::Time;
use presence::config::{ApiUser, Http};
use presence::model::principal::{Principal, Role};

/// The cookie of a session.
pub const COOKIE: &str = "userpresence";

/// The service of security events.
const SERVICE: &CStr = c"UserPresence";

/// The name of callers with an AMI session over HTTP.
const MANAGER: &str = "manager";

/// How long an attempt waits for other attempts in total. An unload waits longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The number of valid credentials that are remembered; each address counts separately.
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
    error(
        503,
        "closing",
        "Logins are not possible now; see Asterisk's log.",
    )
}

/// The settings of the HTTP interface; `None` when the module is not running.
pub fn settings() -> Option<Arc<Http>> {
    store::read(|world| world.directory().settings.http.clone())
}

/// The address of the client; a trusted proxy names it in `X-Forwarded-For`.
pub fn remote(request: &Request<'_>, http: &Http) -> IpAddr {
    let forwarded = request.header_values("X-Forwarded-For");
    forwarded::caller(request.remote(), forwarded, &http.trusted_proxies)
}

/// Authenticates the caller by HTTP Basic or a cookie.
///
/// # Errors
/// Answers 401 without valid credentials, 429 after too many failures or requests, 503 while
/// other passwords are being checked.
pub fn caller(request: &Request<'_>, http: &Http) -> Result<HttpCaller, Reply> {
    let remote = remote(request, http);
    let caller = match request.header("Authorization").and_then(wire::basic) {
        Some((name, password)) => {
            let user = check(request, remote, &name, &password)?;
            HttpCaller::new(user, Credential::Password)
        }
        None if request.header("Authorization").is_some() => {
            return Err(unauthorized(
                "Only HTTP Basic is accepted in the Authorization header.",
            ));
        }
        None => match by_cookie(request, remote)? {
            Some((user, session)) => HttpCaller::new(user, Credential::Session(session)),
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

/// A browser that sees `Basic` here asks for the password itself and keeps it. So the header
/// names a scheme that browsers do not know.
fn unauthorized(message: &str) -> Reply {
    let mut reply = error(401, "unauthorized", message);
    let realm = r#"Session realm="UserPresence""#;
    reply.headers.push(("WWW-Authenticate", realm.into()));
    reply
}

fn too_many(what: &str, wait: Duration) -> Reply {
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    let message = format!("{what}; try again in {seconds} s.");
    later(error(429, "too_many", &message), wait)
}

/// Checks a name and a password.
///
/// # Errors
/// Answers 401, whichever of them is wrong, 429 after too many failures, or 503 while too many
/// other passwords are being checked.
pub fn log_in(
    request: &Request<'_>,
    http: &Http,
    name: &str,
    password: &str,
) -> Result<Arc<ApiUser>, Reply> {
    check(request, remote(request, http), name, password)
}

/// Checks the password of a caller again; attempts count as those to log in do.
///
/// # Errors
/// Answers 403 if it is wrong, which is no reason to log in again; else as [`log_in`].
pub fn verify_again(
    request: &Request<'_>,
    name: &str,
    password: &str,
) -> Result<Arc<ApiUser>, Reply> {
    let http = settings().ok_or_else(super::not_running)?;
    let checked = check(request, remote(request, &http), name, password);
    checked.map_err(|refusal| match refusal.status {
        401 => wrong_old_password(),
        _ => refusal,
    })
}

/// 403: the old password is not the present one.
pub fn wrong_old_password() -> Reply {
    error(403, "old_password", "The old password is wrong.")
}

fn check(
    request: &Request<'_>,
    remote: IpAddr,
    name: &str,
    password: &str,
) -> Result<Arc<ApiUser>, Reply> {
    let runtime = running()?;
    let from = remote.to_string();
    let logins = runtime.logins().ok_or_else(closed)?;
    let known = logins.find(name);
    let known = known.as_ref();
    let hash = known.map_or("", |user| &user.password);
    let permitted = known.filter(|user| user.permits(remote));
    let digest = with(|access| access.secret.digest(&["good", &from, name, password, hash]))?;
    let means = Means::Password {
        // A person may be named in several ways, which count together.
        name: known.map_or(name, |user| &user.caller.name),
        known: known.is_some(),
    };
    let deadline = Instant::now() + PATIENCE;
    let crowded = match begin_try(remote, means, permitted.map(|_| &digest), deadline)? {
        Try::FoundGood => return permitted.cloned().ok_or_else(wrong),
        Try::Begun { crowded } => crowded,
    };
    let Some(mut check) = runtime
        .sessions
        .checks
        .begin(crowded.then_some(remote), deadline)
    else {
        with(|access| access.throttle.withdrawn(remote, means))?;
        runtime.sessions.attempt_ended();
        let why = "Too many passwords are being checked; try again in 1 s.";
        return Err(later(error(503, "busy", why), Duration::ZERO));
    };
    let right = known.is_some() && crypt::verify(password, hash);
    if !right || permitted.is_none() {
        // Takes the same time for a name that does not exist, or whose hash is of another kind.
        for other in logins.kinds().others(known.map(|user| &*user.password)) {
            crypt::verify(password, other);
        }
    }
    let (event, user) = match (known, permitted) {
        (None, _) => (SecurityEvent::NoSuchAccount, None),
        (Some(_), None) => (SecurityEvent::Address, None),
        (Some(_), Some(_)) if !right => (SecurityEvent::WrongPassword, None),
        (Some(_), Some(user)) => (SecurityEvent::Success, Some(user)),
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
    check.failed = user.is_none();
    drop(check);
    security::report(request, SERVICE, name, remote, event);
    noted?;
    user.cloned().ok_or_else(wrong)
}

fn wrong() -> Reply {
    unauthorized("The name or password is wrong.")
}

enum Try {
    /// The credentials were valid before, or were found valid during the wait.
    FoundGood,
    /// The attempt counts from now on.
    Begun {
        /// Whether the network of the address has many failures.
        crowded: bool,
    },
}

/// Begins an attempt. It counts before its result is known, so that attempts at the same time
/// are limited like attempts in sequence.
///
/// # Errors
/// Answers 429 after too many failures, or when other attempts take too long.
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
                return Err(too_many(
                    "Too many attempts at the same time",
                    Duration::ZERO,
                ));
            }
            Admission::Busy => {
                sessions.wait_for_attempt(&mut access, deadline);
            }
        }
    }
}

/// The login and session of a valid session cookie; `None` without one.
///
/// # Errors
/// Answers 503 when the module is not running.
pub fn by_cookie(
    request: &Request<'_>,
    remote: IpAddr,
) -> Result<Option<(Arc<ApiUser>, session::SessionId)>, Reply> {
    let Some(token) = super::cookie(request, COOKIE).and_then(Token::parse) else {
        return Ok(None);
    };
    let logins = running()?.logins().ok_or_else(closed)?;
    let user = logins.find(token.name);
    let Some(user) = user.filter(|user| user.permits(remote)) else {
        return Ok(None);
    };
    let secret = with(|access| access.secret.clone())?;
    if !token.holds(&secret, &user.password, Time::now()) {
        return Ok(None);
    }
    let id = token.id(&secret);
    let ended = with(|access| access.ended.has(&id))?;
    Ok((!ended).then_some((user, id)))
}

/// Begins a session and returns its token.
///
/// # Errors
/// Answers 503 if the system has no random numbers.
pub fn begin(user: &ApiUser) -> Result<String, Reply> {
    let secret = with(|access| access.secret.clone())?;
    let random = crypt::random()
        .map_err(|why| error(503, "random", &format!("No session can be created: {why}.")))?;
    let (name, random) = (&user.caller.name, u64::from_ne_bytes(random));
    let token = session::issue(&secret, name, &user.password, random, Time::now());
    Ok(token)
}

/// Ends the session of the request's cookie, if it is valid, and its streams.
///
/// # Errors
/// Answers 503 when the module is not running.
pub fn end(request: &Request<'_>, http: &Http) -> Result<(), Reply> {
    let Some((_, id)) = by_cookie(request, remote(request, http))? else {
        return Ok(());
    };
    running()?.end_session(id).map_err(|_| closed())?;
    Ok(())
}

/// The caller of an AMI session over HTTP, if `http_ami_sessions` allows those. The number of
/// such a session can be guessed, so a wrong number counts as a failure of its address.
///
/// # Errors
/// Answers 429 after too many failures.
fn manager(
    request: &Request<'_>,
    http: &Http,
    remote: IpAddr,
) -> Result<Option<HttpCaller>, Reply> {
    if super::cookie(request, "mansession_id").is_none() || !http.ami_sessions {
        return Ok(None);
    }
    let session = request.manager_session();
    let runtime = running()?;
    begin_try(remote, Means::Cookie, None, Instant::now() + PATIENCE)?;
    let found = session.is_authenticated();
    let noted = with(|access| match found {
        // Not a success: the session may be another one's, guessed after failures.
        true => access.throttle.withdrawn(remote, Means::Cookie),
        false => access
            .throttle
            .failed(remote, Means::Cookie, Instant::now()),
    });
    runtime.sessions.attempt_ended();
    if !found {
        security::report(
            request,
            SERVICE,
            MANAGER,
            remote,
            SecurityEvent::WrongPassword,
        );
    }
    noted?;
    // The AMI actions require the same classes.
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
            sees_all: false,
            configure: role == Role::Admin && session.may_write(Class::Config),
        },
        credential: Credential::Manager(session.0),
        login: None,
    }))
}

/// Whether a caller may continue to read, checked repeatedly during a stream.
pub struct Pass {
    credential: Credential,
    /// The login, with the password at the begin.
    login: Option<Arc<ApiUser>>,
    /// The number of [`Sessions::logouts`](crate::runtime::sessions::Sessions::logouts) seen.
    logouts: u64,
    /// When an AMI session is checked again.
    again: Instant,
}

/// The interval between checks of an AMI session.
const AGAIN: Duration = Duration::from_secs(15);

impl Pass {
    /// The pass of a caller that was just authenticated.
    pub fn new(caller: &HttpCaller) -> Self {
        Pass {
            credential: caller.credential,
            login: caller.login.clone(),
            // Checked at least once: a logout may have come in the meantime.
            logouts: u64::MAX,
            again: Instant::now() + AGAIN,
        }
    }

    /// Whether the pass is still valid. A session that has ended stays ended; a reload ends the
    /// stream, so that everything is checked again.
    pub fn holds(&mut self) -> bool {
        match self.credential {
            Credential::Password => self.login_holds(None),
            Credential::Session(id) => !id.is_over(Time::now()) && self.login_holds(Some(id)),
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

    /// Whether the session has not ended, and the password is still the same.
    fn login_holds(&mut self, session: Option<session::SessionId>) -> bool {
        let Some(runtime) = runtime::current() else {
            return false;
        };
        let logouts = runtime.sessions.logouts();
        if self.logouts == logouts {
            return true;
        }
        self.logouts = logouts;
        let ended = session.is_some_and(|id| with(|access| access.ended.has(&id)).unwrap_or(true));
        let name = self.login.as_ref().map(|login| &login.caller.name);
        let now = name.and_then(|name| runtime.logins()?.find(name));
        let password = |login: &Option<Arc<ApiUser>>| login.as_ref().map(|it| it.password.clone());
        !ended && password(&now) == password(&self.login)
    }
}

/// Test builds only: takes all turns to check a password, or frees them.
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
