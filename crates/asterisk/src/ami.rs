//! AMI actions, run within this process: `ast_hook_send_action` in `asterisk/manager.h`.
//!
//! This reaches what other modules offer as AMI actions only. The manager interface itself may
//! be switched off.

use std::cell::RefCell;
use std::ffi::{c_char, c_int};
use std::ptr;

use super::guard::guard;
use super::slack::WithSlack;
use super::text::{self, CText};
use super::{Error, ffi};

/// A response or an event: its headers, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AmiMessage(Vec<(String, String)>);

impl AmiMessage {
    /// The value of the first header of that name, without regard to case; empty without such
    /// a header.
    pub fn get(&self, name: &str) -> &str {
        let mut headers = self.0.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// All headers, in order.
    pub fn into_headers(self) -> Vec<(String, String)> {
        self.0
    }
}

thread_local! {
    /// The output so far of the action that this thread runs: the hook has no argument by
    /// which it could reach anything else.
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Collects the output of the actions that this thread runs until [`ActionOutput::take`]. The
/// output of an action around it is kept aside.
struct ActionOutput {
    outer: Vec<u8>,
}

impl ActionOutput {
    fn begin() -> Self {
        ActionOutput {
            outer: OUTPUT.take(),
        }
    }

    fn take(self) -> Vec<u8> {
        OUTPUT.replace(self.outer)
    }
}

/// Runs an action and returns its response and, after it, its events.
///
/// # Errors
/// The response's message, if the response is an error; or there is no such action, or a value
/// contains a line end or a NUL.
pub fn action(name: &str, headers: &[(&str, &str)]) -> Result<Vec<AmiMessage>, Error> {
    let mut request = String::new();
    for (header, value) in std::iter::once(&("Action", name)).chain(headers) {
        if value.contains(['\r', '\n', '\0']) {
            return Err(Error::new(format!(
                "the {header} {value:?} is not one line"
            )));
        }
        request.push_str(header);
        request.push_str(": ");
        request.push_str(value);
        request.push_str("\r\n");
    }
    let request = CText::new(&request)?;
    let mut hook = WithSlack::new(ffi::manager_custom_hook {
        file: ptr::null_mut(),
        helper: Some(hear),
        // SAFETY: ZERO-VALUE: a list entry of NULLs; the hook is in no list.
        ..unsafe { std::mem::zeroed() }
    });
    let output = ActionOutput::begin();
    // SAFETY: HOST-COPIES, HOOK-IN-THREAD: hook and C string live through the call, which
    // calls `hear` in this thread only and keeps neither.
    unsafe { ffi::ast_hook_send_action(hook.as_mut_ptr(), request.as_ptr()) };
    let output = output.take();
    let mut messages = parse(&String::from_utf8_lossy(&output));
    let at = messages
        .iter()
        .position(|message| !message.get("Response").is_empty());
    let Some(at) = at else {
        return Err(Error::new(format!(
            "there is no AMI action {name}, its module is not loaded"
        )));
    };
    messages.swap(0, at);
    if messages[0].get("Response").eq_ignore_ascii_case("Error") {
        return Err(Error::new(messages[0].get("Message")));
    }
    Ok(messages)
}

/// # Safety
/// The arguments are those of a hook: `body` is a C string.
unsafe extern "C" fn hear(_category: c_int, _event: *const c_char, body: *mut c_char) -> c_int {
    guard(
        || 0,
        || {
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a C string until the thunk returns.
            let body = unsafe { text::bytes(body) };
            OUTPUT.with_borrow_mut(|output| output.extend_from_slice(body));
            0
        },
    )
}

/// Splits output into messages; an empty line ends each of them.
fn parse(output: &str) -> Vec<AmiMessage> {
    let mut messages = vec![AmiMessage::default()];
    for line in output.lines() {
        let line = line.trim_end_matches('\r');
        match (line.split_once(':'), messages.last_mut()) {
            (Some((name, value)), Some(message)) => {
                let value = value.strip_prefix(' ').unwrap_or(value);
                message.0.push((name.to_owned(), value.to_owned()));
            }
            _ if line.is_empty() => messages.push(AmiMessage::default()),
            _ => {}
        }
    }
    messages.retain(|message| !message.0.is_empty());
    messages
}
