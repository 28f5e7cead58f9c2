//! The manager interface (AMI): actions and events.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::sync::{PoisonError, RwLock};

use super::entry::this;
use super::guard::guard;
use super::session::{self, Session};
use super::text::{self, printable};
use super::{Error, ffi};

/// What a manager user may do or hear, as `read` and `write` in `manager.conf`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// `call`
    Call,
    /// `reporting`
    Reporting,
    /// `system`
    System,
}

impl Class {
    pub(super) fn flag(self) -> c_int {
        let flag = match self {
            Class::Call => ffi::EVENT_FLAG_CALL,
            Class::Reporting => ffi::EVENT_FLAG_REPORTING,
            Class::System => ffi::EVENT_FLAG_SYSTEM,
        };
        flag as c_int
    }
}

/// An action. Its help comes from the installed XML documentation.
#[derive(Debug)]
pub struct Action {
    /// The name; matched without regard to case.
    pub name: &'static CStr,
    /// Who may run it: a user whose `write` has one of these classes.
    pub classes: &'static [Class],
    /// Carries it out.
    pub run: fn(&Request<'_>) -> Reply,
}

/// The headers of a request; all are UTF-8. And the session that it came by.
pub struct Request<'a> {
    lines: &'a [*const c_char],
    session: Option<Session>,
}

impl<'a> Request<'a> {
    /// A header's value, without blanks before it; the first one of several. `None`
    /// where there is none, empty where it is empty. The name is matched without
    /// regard to case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers(name).next()
    }

    /// The values of all headers of that name.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let lines = self.lines.iter().filter_map(|line| {
            // SAFETY: a C string that lives as long as the request.
            unsafe { text::utf8(*line) }
        });
        lines.filter_map(move |line| {
            let (found, value) = line.split_once(':')?;
            found
                .eq_ignore_ascii_case(name)
                .then(|| value.trim_start_matches([' ', '\t']))
        })
    }

    /// Whether it came by a session, which can hold something. One that another module
    /// sends from within Asterisk, by `ast_hook_send_action`, did not.
    pub fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// Holds `key` for the rest of this session; `ended` is called with it once, when the
    /// session is over. False where this session holds it already, has none (see
    /// [`Request::has_session`]), or `key` is empty or holds a NUL. Keys are matched
    /// without regard to case. Other sessions may hold the same one.
    ///
    /// A session over HTTP is over when Asterisk clears it away: some time after
    /// `httptimeout` has passed. What is held when the module is unloaded is forgotten:
    /// nobody is called for it then or later, and it can be held anew.
    ///
    /// `ended` is called by whoever uses the session last. That may be anybody who just
    /// raises an AMI event, a thread of ours too, with any lock held: it must take note
    /// and nothing more, so call nothing of Asterisk's, wait for nothing, and take no lock
    /// that is held while an event is raised. It may also be called while Asterisk ends.
    pub fn hold(&self, key: &str, ended: fn(&str)) -> bool {
        self.session.is_some_and(|session| session.hold(key, ended))
    }

    /// Lets go what this session holds, without a call to `ended`; says whether it was
    /// held.
    pub fn release(&self, key: &str) -> bool {
        self.session.is_some_and(|session| session.release(key))
    }
}

/// Headers of an answer, in order.
pub type Fields = Vec<(&'static str, String)>;

/// The answer to an action. The request's ActionID goes into it by itself, and line
/// ends in values become blanks.
pub enum Reply {
    /// `Response: Error` with this message.
    Error(String),
    /// `Response: Success` with this message.
    Ack(String),
    /// `Response: Success` with these headers.
    Fields(Fields),
    /// A list, whose items are written one by one.
    List {
        /// The message of the response that starts it.
        message: &'static str,
        /// The event of each item.
        item: &'static str,
        /// The items.
        items: Box<dyn Iterator<Item = Fields>>,
        /// The event that ends it.
        complete: &'static str,
    },
}

/// Registered actions; dropping it unregisters, and forgets what sessions hold.
#[derive(Debug)]
#[must_use = "dropping it unregisters"]
pub struct Registration(Vec<&'static Action>);

/// The actions that the one thunk finds by name: Asterisk hands it nothing else.
static ACTIONS: RwLock<Vec<&'static Action>> = RwLock::new(Vec::new());

impl Registration {
    /// Registers all of `actions`, or none: an error where a name is taken.
    pub fn new(actions: &'static [Action]) -> Result<Self, Error> {
        let mut registration = Registration(Vec::with_capacity(actions.len()));
        for action in actions {
            let authority = action
                .classes
                .iter()
                .fold(0, |all, class| all | class.flag());
            ACTIONS
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .push(action);
            // SAFETY: the core keeps the name, which is static, and copies the rest;
            // no synopsis and description means the XML documentation.
            let result = unsafe {
                ffi::ast_manager_register2(
                    action.name.as_ptr(),
                    authority,
                    Some(handle),
                    this(),
                    ptr::null(),
                    ptr::null(),
                )
            };
            if result != 0 {
                forget(action);
                return Err(Error::new(format!(
                    "AMI action {} could not be registered",
                    action.name.to_string_lossy()
                )));
            }
            registration.0.push(action);
        }
        Ok(registration)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        for action in self.0.drain(..).rev() {
            // SAFETY: a static C string; registered in `new`, unregistered once.
            unsafe { ffi::ast_manager_unregister(action.name.as_ptr()) };
            forget(action);
        }
        session::forget_all();
    }
}

fn forget(action: &'static Action) {
    ACTIONS
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .retain(|known| !ptr::eq(*known, action));
}

fn find(name: &str) -> Option<&'static Action> {
    let actions = ACTIONS.read().unwrap_or_else(PoisonError::into_inner);
    let same = |action: &&&Action| action.name.to_bytes().eq_ignore_ascii_case(name.as_bytes());
    actions.iter().find(same).copied()
}

unsafe extern "C" fn handle(session: *mut ffi::mansession, message: *const ffi::message) -> c_int {
    guard(0, || {
        // SAFETY: the core passes a message that lives through the call, whose first
        // `hdrcount` headers are C strings, and the session that it handles here.
        let request = unsafe {
            let headers = &(*message).headers;
            let count = usize::try_from((*message).hdrcount).unwrap_or(usize::MAX);
            Request {
                lines: &headers[..count.min(headers.len())],
                session: Session::new(session),
            }
        };
        // A panic in the action still gives an answer.
        let reply = guard(Reply::Error("Internal error".to_owned()), || {
            answer(&request)
        });
        // SAFETY: session and message live through the call, in an action's callback.
        unsafe { send(session, message, &request, reply) };
        0
    })
}

fn answer(request: &Request<'_>) -> Reply {
    for line in request.lines {
        // SAFETY: a C string that lives as long as the request.
        let line = unsafe { text::bytes(*line) };
        if std::str::from_utf8(line).is_err() {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            let name = String::from_utf8_lossy(name);
            return Reply::Error(format!("Header '{name}' is not UTF-8"));
        }
    }
    // Asterisk itself skips Action headers without a value.
    let name = request.headers("Action").find(|name| !name.is_empty());
    match name.and_then(find) {
        Some(action) => (action.run)(request),
        None => Reply::Error("The module is being unloaded".to_owned()),
    }
}

/// Writes the answer.
///
/// # Safety
/// Session and message are those of the action that is being handled.
unsafe fn send(
    session: *mut ffi::mansession,
    message: *const ffi::message,
    request: &Request<'_>,
    reply: Reply,
) {
    let line = |text: &str| printable(&one_line(text));
    match reply {
        // SAFETY (all of these): live session and message; C strings that live through
        // the call and that the core copies, although it takes them as mutable.
        Reply::Error(why) => {
            let why = line(&why);
            // SAFETY: see above.
            unsafe { ffi::astman_send_error(session, message, why.as_ptr().cast_mut()) };
        }
        Reply::Ack(what) => {
            let what = line(&what);
            // SAFETY: see above.
            unsafe { ffi::astman_send_ack(session, message, what.as_ptr().cast_mut()) };
        }
        Reply::Fields(fields) => {
            // SAFETY: see above.
            unsafe { append(session, &block("Response", "Success", request, &fields)) };
        }
        Reply::List {
            message: start,
            item,
            items,
            complete,
        } => {
            let (start, complete) = (line(start), line(complete));
            // SAFETY: see above.
            unsafe {
                ffi::astman_send_listack(
                    session,
                    message,
                    start.as_ptr().cast_mut(),
                    c"start".as_ptr().cast_mut(),
                );
            }
            let mut count: c_int = 0;
            for fields in items {
                // SAFETY: see above.
                unsafe { append(session, &block("Event", item, request, &fields)) };
                count = count.saturating_add(1);
            }
            // SAFETY: see above.
            unsafe {
                ffi::astman_send_list_complete_start(session, message, complete.as_ptr(), count);
                ffi::astman_send_list_complete_end(session);
            }
        }
    }
}

/// # Safety
/// The session of the action that is being handled.
unsafe fn append(session: *mut ffi::mansession, text: &str) {
    // SAFETY: the caller vouches for the session; the format takes the one C string
    // that follows it.
    unsafe { ffi::astman_append(session, c"%s".as_ptr(), printable(text).as_ptr()) };
}

/// A whole block of headers, with its empty line.
fn block(kind: &str, name: &str, request: &Request<'_>, fields: &Fields) -> String {
    let mut text = String::with_capacity(256);
    header(&mut text, kind, name);
    if let Some(id) = request.header("ActionID").filter(|id| !id.is_empty()) {
        header(&mut text, "ActionID", id);
    }
    for (name, value) in fields {
        header(&mut text, name, value);
    }
    text.push_str("\r\n");
    text
}

fn header(text: &mut String, name: &str, value: &str) {
    for part in [name, ": ", &one_line(value), "\r\n"] {
        text.push_str(part);
    }
}

/// A value that cannot end its header.
fn one_line(value: &str) -> std::borrow::Cow<'_, str> {
    if value.bytes().any(|byte| matches!(byte, b'\r' | b'\n')) {
        value.replace(['\r', '\n'], " ").into()
    } else {
        value.into()
    }
}

/// Sends an event to every manager user whose `read` has the class. Next to nothing
/// is done where the manager interface is off.
pub fn event(class: Class, name: &CStr, headers: &[(&str, &str)]) {
    // SAFETY: reads a flag of the core.
    if unsafe { ffi::ast_manager_check_enabled() } == 0 {
        return;
    }
    let mut text = String::with_capacity(1024);
    for (name, value) in headers {
        header(&mut text, name, value);
    }
    let text = text::Line::new(text);
    // SAFETY: no channels; C strings that live through the call, and a format that
    // takes the one string that follows it.
    unsafe {
        ffi::__ast_manager_event_multichan(
            class.flag(),
            name.as_ptr(),
            0,
            ptr::null_mut(),
            c"userpresence/asterisk/manager.rs".as_ptr(),
            line!() as c_int,
            c"event".as_ptr(),
            c"%s".as_ptr(),
            text.as_ptr(),
        );
    }
}
