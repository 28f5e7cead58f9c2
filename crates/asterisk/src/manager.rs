//! The manager interface (AMI), its actions and events: `asterisk/manager.h`.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use parking_lot::RwLock;

use super::entry::this;
use super::guard::guard;
use super::session::{self, AmiSession};
use super::text::{self, OutgoingText, printable, source_file};
use super::{Error, ffi};

/// A class of actions and events, as in `read` and `write` of `manager.conf`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// `call`
    Call,
    /// `config`
    Config,
    /// `reporting`
    Reporting,
    /// `system`
    System,
}

impl Class {
    pub(super) fn flag(self) -> c_int {
        let flag = match self {
            Class::Call => ffi::EVENT_FLAG_CALL,
            Class::Config => ffi::EVENT_FLAG_CONFIG,
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
    /// A user whose `write` has one of these classes may run the action.
    pub classes: &'static [Class],
    /// Runs the action.
    pub run: fn(&AmiRequest<'_>) -> AmiReply,
}

/// A request: its headers, and the session that it came by.
///
/// # Invariants
/// The lines are C strings that live and stay unchanged for `'a`, and `session` is that of the
/// action that this thread handles for `'a`.
pub struct AmiRequest<'a> {
    lines: &'a [*const c_char],
    session: Option<AmiSession<'a>>,
}

impl<'a> AmiRequest<'a> {
    /// The value of the first header of that name, without leading blanks; the name is matched
    /// without regard to case. `None` without such a header, empty for an empty value.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers(name).next()
    }

    /// The values of all headers of that name.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let lines = self
            .lines()
            .filter_map(|line| std::str::from_utf8(line).ok());
        lines.filter_map(move |line| {
            let (found, value) = line.split_once(':')?;
            found
                .eq_ignore_ascii_case(name)
                .then(|| value.trim_start_matches([' ', '\t']))
        })
    }

    fn lines(&self) -> impl Iterator<Item = &'a [u8]> {
        self.lines.iter().map(|line| {
            // SAFETY: INVARIANT: a C string for `'a`.
            unsafe { text::bytes(*line) }
        })
    }

    /// Whether the request came by a session, which can hold keys. A request that a module
    /// sends from within Asterisk, by `ast_hook_send_action`, did not.
    pub fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// Holds `key` for the rest of this session. `ended` is called with it once, when the
    /// session ends. False if this session holds it already, if there is no session (see
    /// [`AmiRequest::has_session`]), or if `key` is empty or contains a NUL. Keys are matched
    /// without regard to case. Several sessions may hold the same key.
    ///
    /// A session over HTTP ends when Asterisk clears it away: some time after `httptimeout`
    /// has passed. At an unload of the module all keys are forgotten: `ended` is never called
    /// for them, and they can be held again.
    ///
    /// The last user of a session calls `ended`. That may be any thread that raises an AMI
    /// event, also one of the module's, with any lock held: `ended` may only take a note. It
    /// must call nothing of Asterisk, wait for nothing, and take no lock that is held while an
    /// event is raised. It may also be called while Asterisk stops.
    pub fn hold(&self, key: &str, ended: fn(&str)) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| session.hold(key, ended))
    }

    /// Releases a key of this session without a call of `ended`; says whether it was held.
    pub fn release(&self, key: &str) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| session.release(key))
    }
}

/// Headers of an answer, in order.
pub type Fields = Vec<(&'static str, String)>;

/// The answer to an action. The request's ActionID is added to it, and line ends in values
/// become blanks.
pub enum AmiReply {
    /// `Response: Error` with this message.
    Error(String),
    /// `Response: Success` with this message.
    Ack(String),
    /// `Response: Success` with these headers.
    Fields(Fields),
    /// A list, whose items are written one by one.
    List {
        /// The message of the response that starts the list.
        message: &'static str,
        /// The event of each item.
        item: &'static str,
        /// The items.
        items: Box<dyn Iterator<Item = Fields>>,
        /// The event that ends the list.
        complete: &'static str,
    },
}

/// Registered actions; dropping it unregisters, and forgets the keys that sessions hold. A
/// call in progress goes on.
///
/// # Invariants
/// Each action is registered, and in `ACTIONS`, from `new` until the drop.
#[derive(Debug)]
#[must_use = "dropping it unregisters"]
pub struct ActionRegistration(Vec<&'static Action>);

/// The actions, for the one thunk to find by name: Asterisk passes it nothing else.
static ACTIONS: RwLock<Vec<&'static Action>> = RwLock::new(Vec::new());

impl ActionRegistration {
    /// Registers all of `actions`, or none.
    ///
    /// # Errors
    /// Another action has the name.
    pub fn new(actions: &'static [Action]) -> Result<Self, Error> {
        let mut registration = ActionRegistration(Vec::with_capacity(actions.len()));
        for action in actions {
            let classes = action.classes.iter();
            let authority = classes.fold(0, |all, class| all | class.flag());
            ACTIONS.write().push(action);
            // SAFETY: MODULE-MAPPED, MODULE-HANDLE: the core keeps the name, which is static;
            // NULL texts mean the XML documentation.
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

impl Drop for ActionRegistration {
    fn drop(&mut self) {
        for action in self.0.drain(..).rev() {
            // SAFETY: INVARIANT, HOST-COPIES: registered in `new`, unregistered once.
            unsafe { ffi::ast_manager_unregister(action.name.as_ptr()) };
            forget(action);
        }
        session::forget_all();
    }
}

fn forget(action: &'static Action) {
    ACTIONS.write().retain(|known| !ptr::eq(*known, action));
}

fn find(name: &str) -> Option<&'static Action> {
    let actions = ACTIONS.read();
    let same = |action: &&&Action| action.name.to_bytes().eq_ignore_ascii_case(name.as_bytes());
    actions.iter().find(same).copied()
}

/// # Safety
/// The arguments are those of an action: its session and its message, both live and this
/// thread's until the thunk returns.
unsafe extern "C" fn handle(session: *mut ffi::mansession, message: *const ffi::message) -> c_int {
    guard(
        || 0,
        || {
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: the action's message.
            let headers = unsafe { &*message };
            let count = usize::try_from(headers.hdrcount).unwrap_or(usize::MAX);
            let request = AmiRequest {
                lines: &headers.headers[..count.min(headers.headers.len())],
                // SAFETY: CALLER, AMI-SESSION: the action's session.
                session: unsafe { AmiSession::new(session) },
            };
            // After a panic in the action there is an answer all the same.
            let internal_error = || AmiReply::Error("Internal error".to_owned());
            let reply = guard(internal_error, || answer(&request));
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: the action's session and message.
            unsafe { send(session, message, &request, reply) };
            0
        },
    )
}

fn answer(request: &AmiRequest<'_>) -> AmiReply {
    let mut lines = request.lines();
    if let Some(line) = lines.find(|line| std::str::from_utf8(line).is_err()) {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        return AmiReply::Error(format!("Header '{name}' is not UTF-8"));
    }
    // Asterisk itself skips Action headers without a value.
    let name = request.headers("Action").find(|name| !name.is_empty());
    match name.and_then(find) {
        Some(action) => (action.run)(request),
        None => AmiReply::Error("The module is being unloaded".to_owned()),
    }
}

/// Writes the answer.
///
/// # Safety
/// Session and message are those of the action that this thread handles.
unsafe fn send(
    session: *mut ffi::mansession,
    message: *const ffi::message,
    request: &AmiRequest<'_>,
    reply: AmiReply,
) {
    // The core copies the texts, although it takes them as mutable.
    let line = |text: &str| printable(&one_line(text));
    match reply {
        AmiReply::Error(why) => {
            let why = line(&why);
            // SAFETY: CALLER, HOST-COPIES: the action's session and message, and a C string.
            unsafe { ffi::astman_send_error(session, message, why.as_ptr().cast_mut()) };
        }
        AmiReply::Ack(what) => {
            let what = line(&what);
            // SAFETY: CALLER, HOST-COPIES: as above.
            unsafe { ffi::astman_send_ack(session, message, what.as_ptr().cast_mut()) };
        }
        AmiReply::Fields(fields) => {
            // SAFETY: CALLER: the action's session.
            unsafe { append(session, &block("Response", "Success", request, &fields)) };
        }
        AmiReply::List {
            message: start,
            item,
            items,
            complete,
        } => {
            let (start, complete) = (line(start), line(complete));
            // SAFETY: CALLER, HOST-COPIES: as above.
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
                // SAFETY: CALLER: the action's session.
                unsafe { append(session, &block("Event", item, request, &fields)) };
                count = count.saturating_add(1);
            }
            // SAFETY: CALLER, HOST-COPIES: as above.
            unsafe {
                ffi::astman_send_list_complete_start(session, message, complete.as_ptr(), count);
            }
            // SAFETY: CALLER: the action's session.
            unsafe { ffi::astman_send_list_complete_end(session) };
        }
    }
}

/// # Safety
/// `session` is that of the action that this thread handles.
unsafe fn append(session: *mut ffi::mansession, text: &str) {
    let text = printable(text);
    // SAFETY: CALLER, HOST-COPIES, FIXED-FORMAT: the action's session, and a C string.
    unsafe { ffi::astman_append(session, c"%s".as_ptr(), text.as_ptr()) };
}

/// A block of headers, with the empty line that ends it.
fn block(kind: &str, name: &str, request: &AmiRequest<'_>, fields: &Fields) -> String {
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

/// The value without line ends, which would end its header.
fn one_line(value: &str) -> std::borrow::Cow<'_, str> {
    if value.bytes().any(|byte| matches!(byte, b'\r' | b'\n')) {
        value.replace(['\r', '\n'], " ").into()
    } else {
        value.into()
    }
}

/// Sends an event to every manager user whose `read` has the class. While the manager interface
/// is switched off, it costs next to nothing.
pub fn event(class: Class, name: &CStr, headers: &[(&str, &str)]) {
    // SAFETY: HOST-GLOBALS: it reads a flag of the core.
    if unsafe { ffi::ast_manager_check_enabled() } == 0 {
        return;
    }
    let mut text = String::with_capacity(1024);
    for (name, value) in headers {
        header(&mut text, name, value);
    }
    let text = OutgoingText::new(text);
    // SAFETY: HOST-COPIES, FIXED-FORMAT: no channels, and C strings that live through the call.
    unsafe {
        ffi::__ast_manager_event_multichan(
            class.flag(),
            name.as_ptr(),
            0,
            ptr::null_mut(),
            source_file!(),
            line!() as c_int,
            c"event".as_ptr(),
            c"%s".as_ptr(),
            text.as_ptr(),
        );
    }
}
