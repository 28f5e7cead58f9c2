//! AMI actions, run within this process: what other modules offer there and nowhere
//! else. The manager interface itself may be off.

use std::cell::RefCell;
use std::ffi::{c_char, c_int};
use std::ptr;

use super::guard::guard;
use super::text::{self, Terminated};
use super::{Error, ffi};

/// A response or an event: its headers, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Message(Vec<(String, String)>);

impl Message {
    /// The first header of that name, without regard to case; empty where there is none.
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
    /// What the action that this thread runs has written so far.
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Runs an action and returns its response and, after it, its events.
///
/// # Errors
/// The response's message where that is an error; else that there is no such action,
/// or that a value holds what would end its header.
pub fn action(name: &str, headers: &[(&str, &str)]) -> Result<Vec<Message>, Error> {
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
    let request = Terminated::new(&request)?;
    let mut hook = ffi::manager_custom_hook {
        file: ptr::null_mut(),
        helper: Some(hear),
        // SAFETY: a list entry of NULLs; the hook is in no list.
        ..unsafe { std::mem::zeroed() }
    };
    OUTPUT.take();
    // SAFETY: hook and C string live through the call, which calls `hear` on this
    // thread only and holds on to neither.
    unsafe { ffi::ast_hook_send_action(&mut hook, request.as_ptr()) };
    let output = OUTPUT.take();
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

unsafe extern "C" fn hear(_category: c_int, _event: *const c_char, body: *mut c_char) -> c_int {
    guard(0, || {
        // SAFETY: the core passes a C string.
        let body = unsafe { text::bytes(body) };
        OUTPUT.with_borrow_mut(|output| output.extend_from_slice(body));
        0
    })
}

/// Messages end with an empty line.
fn parse(output: &str) -> Vec<Message> {
    let mut messages = vec![Message::default()];
    for line in output.lines() {
        let line = line.trim_end_matches('\r');
        match (line.split_once(':'), messages.last_mut()) {
            (Some((name, value)), Some(message)) => {
                let value = value.strip_prefix(' ').unwrap_or(value);
                message.0.push((name.to_owned(), value.to_owned()));
            }
            _ if line.is_empty() => messages.push(Message::default()),
            _ => {}
        }
    }
    messages.retain(|message| !message.0.is_empty());
    messages
}
