//! Commands of Asterisk's console.

use std::ffi::{CStr, c_char, c_int};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::entry::this;
use super::guard::guard;
use super::text::{self, duplicate, printable};
use super::{Error, ffi, log};

/// A command. Its words, such as `userpresence show user`, must be all that is
/// typed before its arguments.
pub struct Command {
    /// The words, one blank between each two.
    pub words: &'static CStr,
    /// One line for `core show help`, below 60 characters.
    pub summary: &'static CStr,
    /// `Usage: ...` and what it does, indented by 7.
    pub usage: &'static CStr,
    /// Carries it out; what it writes to the text is shown, whatever the outcome.
    /// `run` checks the number of arguments itself.
    pub run: fn(&Args<'_>, &mut String) -> Outcome,
    /// What a word may be completed to; those that do not begin with what is typed
    /// are left out, so all candidates may be given.
    pub complete: Option<fn(&Completion<'_>) -> Vec<String>>,
}

/// The words typed after the command's own.
#[derive(Debug)]
pub struct Args<'a>(pub Vec<&'a str>);

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Well.
    Success,
    /// It was typed wrongly: Asterisk shows the usage.
    ShowUsage,
    /// Asterisk says that the command failed.
    Failure,
}

/// A word to complete.
#[derive(Debug)]
pub struct Completion<'a> {
    /// The words after the command's own, up to the one to complete.
    pub before: Vec<&'a str>,
    /// What of the word is typed.
    pub word: &'a str,
}

/// Registered commands; dropping it unregisters.
#[derive(Debug)]
#[must_use = "dropping it unregisters"]
pub struct Registration(Vec<NonNull<Entry>>);

// SAFETY: the entries are touched under the core's own lock only.
unsafe impl Send for Registration {}
// SAFETY: as above.
unsafe impl Sync for Registration {}

impl Registration {
    /// Registers all of `commands`, or none: an error where one is taken.
    pub fn new(commands: &'static [Command]) -> Result<Self, Error> {
        let mut registration = Registration(Vec::with_capacity(commands.len()));
        for command in commands {
            let entry = entry_of(command);
            // SAFETY: an entry that lives as long as the process, with a handler and
            // a summary; `raw` is its first field. One that is still in the core's
            // list (see `Entry`) is reported as registered.
            let result = unsafe {
                ffi::__ast_cli_register(entry.as_ptr().cast::<ffi::ast_cli_entry>(), this())
            };
            if result != 0 {
                return Err(Error::new(format!(
                    "CLI command '{}' could not be registered",
                    command.words.to_string_lossy()
                )));
            }
            registration.0.push(entry);
        }
        Ok(registration)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        for entry in self.0.drain(..).rev() {
            let raw = entry.as_ptr().cast::<ffi::ast_cli_entry>();
            // The core keeps an entry that is in use, for the moments before and after
            // the call of its handler too, when the module counts as unused.
            // SAFETY: an aligned int of an entry that is never freed, which the core
            // changes atomically.
            let in_use = unsafe { AtomicI32::from_ptr(&raw mut (*raw).inuse) };
            for _ in 0..1000 {
                if in_use.load(Ordering::Acquire) == 0 {
                    break;
                }
                thread::sleep(Duration::from_millis(1));
            }
            // SAFETY: registered in `new`, unregistered once.
            unsafe { ffi::ast_cli_unregister(raw) };
        }
    }
}

/// What the core links into its list. It may refuse to unlink an entry, so each
/// command has one entry that is made once, never freed and never made anew.
#[derive(Debug)]
#[repr(C)]
struct Entry {
    raw: ffi::ast_cli_entry,
    command: &'static Command,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Command").field(&self.words).finish()
    }
}

fn entry_of(command: &'static Command) -> NonNull<Entry> {
    struct Made(NonNull<Entry>);
    // SAFETY: only the pointer is sent; what it points to is guarded by the core.
    unsafe impl Send for Made {}
    static MADE: Mutex<Vec<Made>> = Mutex::new(Vec::new());

    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let known = made.iter().find(|entry| {
        // SAFETY: never freed, and `command` never changes.
        ptr::eq(
            unsafe { (&raw const (*entry.0.as_ptr()).command).read() },
            command,
        )
    });
    if let Some(entry) = known {
        return entry.0;
    }
    // SAFETY: all zero is a valid value: NULLs and zeros.
    let mut raw: ffi::ast_cli_entry = unsafe { std::mem::zeroed() };
    raw.summary = command.summary.as_ptr();
    raw.handler = Some(handle);
    let entry = NonNull::from(Box::leak(Box::new(Entry { raw, command })));
    made.push(Made(entry));
    entry
}

/// The core's codes, which it takes in a pointer: RESULT_SUCCESS and so on.
const fn code(outcome: Outcome) -> *mut c_char {
    ptr::without_provenance_mut(match outcome {
        Outcome::Success => 0,
        Outcome::ShowUsage => 1,
        Outcome::Failure => 2,
    })
}

unsafe extern "C" fn handle(
    entry: *mut ffi::ast_cli_entry,
    what: c_int,
    args: *mut ffi::ast_cli_args,
) -> *mut c_char {
    // Only a handler's answer is a code; the others' is NULL or a string to free.
    let fallback = match what {
        ffi::CLI_HANDLER => code(Outcome::Failure),
        _ => ptr::null_mut(),
    };
    guard(fallback, || {
        // SAFETY: the core passes the entry it was given, which is the first field
        // of an `Entry`; `command` never changes.
        let command = unsafe { (&raw const (*entry.cast::<Entry>()).command).read() };
        match what {
            ffi::CLI_INIT => {
                // SAFETY: the core holds its lock; it copies the words and keeps the
                // usage, which is static.
                unsafe {
                    (*entry).command = command.words.as_ptr().cast_mut();
                    (*entry).usage = command.usage.as_ptr();
                }
                ptr::null_mut()
            }
            ffi::CLI_GENERATE => {
                // SAFETY: the core passes arguments that live through the call.
                complete(command, unsafe { &*args });
                ptr::null_mut()
            }
            ffi::CLI_HANDLER => {
                // SAFETY: as above.
                code(run(command, unsafe { &*args }))
            }
            _ => ptr::null_mut(),
        }
    })
}

/// How many words the command itself has.
fn own_words(command: &Command) -> usize {
    command.words.to_bytes().split(|byte| *byte == b' ').count()
}

/// The first `count` words typed; `None` where one is not UTF-8.
fn words_typed(args: &ffi::ast_cli_args, count: usize) -> Option<Vec<&str>> {
    let count = count.min(usize::try_from(args.argc).unwrap_or(0));
    // SAFETY: `argv` has `argc` C strings, which live as long as `args`.
    (0..count)
        .map(|at| unsafe { text::utf8(*args.argv.add(at)) })
        .collect()
}

fn run(command: &Command, args: &ffi::ast_cli_args) -> Outcome {
    let mut text = String::new();
    let outcome = match words_typed(args, usize::MAX) {
        Some(mut words) => {
            words.drain(..own_words(command).min(words.len()));
            (command.run)(&Args(words), &mut text)
        }
        None => {
            text.push_str("The arguments are not UTF-8.\n");
            Outcome::Failure
        }
    };
    print(args.fd, &text);
    outcome
}

/// Shows text, in pieces that end with a line where they can: a slow console is
/// given a moment for each.
fn print(fd: c_int, mut text: &str) {
    const PIECE: usize = 16 * 1024;
    while !text.is_empty() {
        let mut end = text.len().min(PIECE);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        if end < text.len() {
            end = text[..end].rfind('\n').map_or(end, |line| line + 1);
        }
        let (piece, rest) = text.split_at(end);
        // SAFETY: the format takes the one C string that follows it.
        unsafe { ffi::ast_cli(fd, c"%s".as_ptr(), printable(piece).as_ptr()) };
        text = rest;
    }
}

fn complete(command: &Command, args: &ffi::ast_cli_args) {
    // All are given at the first call, so there are none at the next ones.
    let (Some(complete), 0) = (command.complete, args.n) else {
        return;
    };
    let own = own_words(command);
    let at = usize::try_from(args.pos).unwrap_or(0);
    // SAFETY: a C string that lives as long as `args`.
    let word = unsafe { text::utf8(args.word) };
    let (Some(before), Some(word)) = (words_typed(args, at), word) else {
        return;
    };
    let Some(before) = before.get(own..) else {
        return;
    };
    let candidates = complete(&Completion {
        before: before.to_vec(),
        word,
    });
    for candidate in candidates {
        let begins = candidate
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word));
        if !begins || candidate.is_empty() {
            continue;
        }
        // SAFETY: a copy in Asterisk's memory, which the core frees.
        if unsafe { ffi::ast_cli_completion_add(duplicate(&candidate)) } != 0 {
            log::warning("Not all completions could be shown");
            return;
        }
    }
}
