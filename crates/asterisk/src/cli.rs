//! Commands of Asterisk's console: `asterisk/cli.h`.

use std::ffi::{CStr, c_char, c_int};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use super::entry::this;
use super::guard::guard;
use super::slack::WithSlack;
use super::text::{self, AstString, printable};
use super::{Error, ffi, log};

/// A command. Its words, such as `core show channels`, are all that is typed before its
/// arguments.
pub struct Command {
    /// The words, with one blank between each two.
    pub words: &'static CStr,
    /// One line for `core show help`, below 60 characters.
    pub summary: &'static CStr,
    /// `Usage: ...` and a description, indented by 7.
    pub usage: &'static CStr,
    /// Runs the command and checks the number of its arguments. The text is shown, whatever
    /// the result.
    pub run: fn(&Args<'_>, &mut String) -> CliResult,
    /// The candidates for completion of a word; those that do not begin with what is typed are
    /// left out, so the function may return all candidates.
    pub complete: Option<fn(&Completion<'_>) -> Vec<String>>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Command").field(&self.words).finish()
    }
}

/// The words typed after those of the command.
#[derive(Debug)]
pub struct Args<'a>(pub Vec<&'a str>);

/// The result of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CliResult {
    /// `CLI_SUCCESS`
    Success,
    /// `CLI_SHOWUSAGE`: Asterisk shows the usage.
    ShowUsage,
    /// `CLI_FAILURE`: Asterisk reports that the command failed.
    Failure,
}

impl CliResult {
    /// The core's code, which it takes in a pointer.
    const fn code(self) -> *mut c_char {
        ptr::without_provenance_mut(match self {
            CliResult::Success => 0,
            CliResult::ShowUsage => 1,
            CliResult::Failure => 2,
        })
    }
}

/// A word to complete.
#[derive(Debug)]
pub struct Completion<'a> {
    /// The words between those of the command and the word to complete.
    pub before: Vec<&'a str>,
    /// The part of the word that is typed.
    pub word: &'a str,
}

/// Registered commands; dropping it unregisters, and waits for a call in progress for up to a
/// second.
///
/// # Invariants
/// Each entry is registered from `new` until the drop.
#[derive(Debug)]
#[must_use = "dropping it unregisters"]
pub struct CliRegistration(Vec<EntryPointer>);

impl CliRegistration {
    /// Registers all of `commands`, or none.
    ///
    /// # Errors
    /// Another command has the same words.
    pub fn new(commands: &'static [Command]) -> Result<Self, Error> {
        let mut registration = CliRegistration(Vec::with_capacity(commands.len()));
        for command in commands {
            let entry = EntryPointer::of(command);
            // An entry that the core refused to unlink before is reported as registered.
            // SAFETY: LINKED-FOREVER, MODULE-HANDLE: an entry that is never freed, with a
            // handler and a summary.
            let result = unsafe { ffi::__ast_cli_register(entry.raw(), this()) };
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

impl Drop for CliRegistration {
    fn drop(&mut self) {
        for entry in self.0.drain(..).rev() {
            // The core keeps an entry that is in use: also in the moments before and after the
            // call of its handler, when the module no longer counts as used.
            for _ in 0..1000 {
                if entry.in_use().load(Ordering::Acquire) == 0 {
                    break;
                }
                thread::sleep(Duration::from_millis(1));
            }
            // SAFETY: INVARIANT: registered in `new`, unregistered once.
            unsafe { ffi::ast_cli_unregister(entry.raw()) };
        }
    }
}

/// What the core links into its list: its own part comes first.
#[repr(C)]
struct CliEntry {
    raw: WithSlack<ffi::ast_cli_entry>,
    command: &'static Command,
}

/// The entry of a command. The core may refuse to unlink an entry, so each command has one
/// that is made once, and neither freed nor initialised again.
///
/// # Invariants
/// The pointer is to an entry that is never freed (LINKED-FOREVER). The core changes `raw`,
/// under its own lock; nobody changes `command`.
#[derive(Clone, Copy, Debug)]
struct EntryPointer(NonNull<CliEntry>);

// SAFETY: INVARIANT: the core guards what changes; the rest is immutable.
unsafe impl Send for EntryPointer {}
// SAFETY: INVARIANT: as above.
unsafe impl Sync for EntryPointer {}

impl EntryPointer {
    fn of(command: &'static Command) -> Self {
        static MADE: Mutex<Vec<EntryPointer>> = Mutex::new(Vec::new());

        let mut made = MADE.lock();
        let known = made.iter().find(|entry| ptr::eq(entry.command(), command));
        if let Some(entry) = known {
            return *entry;
        }
        // SAFETY: ZERO-VALUE: NULLs and zeros.
        let mut raw: ffi::ast_cli_entry = unsafe { std::mem::zeroed() };
        raw.summary = command.summary.as_ptr();
        raw.handler = Some(handle);
        let raw = WithSlack::new(raw);
        let entry = Box::leak(Box::new(CliEntry { raw, command }));
        let entry = EntryPointer(NonNull::from(entry));
        made.push(entry);
        entry
    }

    fn raw(self) -> *mut ffi::ast_cli_entry {
        self.0.as_ptr().cast()
    }

    fn command(self) -> &'static Command {
        // No reference to the entry, whose other part the core changes.
        // SAFETY: INVARIANT: never freed.
        let command = unsafe { &raw const (*self.0.as_ptr()).command };
        // SAFETY: INVARIANT: never changed.
        unsafe { command.read() }
    }

    /// The number of calls in progress, counted by the core.
    fn in_use(&self) -> &AtomicI32 {
        // SAFETY: INVARIANT: never freed.
        let in_use = unsafe { &raw mut (*self.raw()).inuse };
        // SAFETY: INVARIANT: an aligned int that the core changes by atomic operations only.
        unsafe { AtomicI32::from_ptr(in_use) }
    }
}

/// # Safety
/// The arguments are those of a handler: the entry that was registered, and arguments that
/// live until the thunk returns.
unsafe extern "C" fn handle(
    entry: *mut ffi::ast_cli_entry,
    what: c_int,
    args: *mut ffi::ast_cli_args,
) -> *mut c_char {
    // Only the result of a command is a code; else it is NULL or a string to free.
    let fallback = || match what {
        ffi::CLI_HANDLER => CliResult::Failure.code(),
        _ => ptr::null_mut(),
    };
    guard(fallback, || {
        let Some(pointer) = NonNull::new(entry.cast::<CliEntry>()) else {
            return fallback();
        };
        let command = EntryPointer(pointer).command();
        match what {
            ffi::CLI_INIT => {
                // The core copies the words, and keeps the usage, which is static.
                // SAFETY: CALLER: the entry; the core holds its lock for writing.
                unsafe { (*entry).command = command.words.as_ptr().cast_mut() };
                // SAFETY: CALLER: as above.
                unsafe { (*entry).usage = command.usage.as_ptr() };
                ptr::null_mut()
            }
            ffi::CLI_GENERATE => {
                // SAFETY: CALLER, CALLBACK-ARGUMENTS: live arguments.
                complete(command, &unsafe { TypedWords::new(args) });
                ptr::null_mut()
            }
            ffi::CLI_HANDLER => {
                // SAFETY: CALLER, CALLBACK-ARGUMENTS: live arguments.
                run(command, &unsafe { TypedWords::new(args) }).code()
            }
            _ => ptr::null_mut(),
        }
    })
}

/// What is typed: `struct ast_cli_args`.
///
/// # Invariants
/// `argv` has `argc` C strings, and `word` is a C string or NULL; all of them live and stay
/// unchanged for `'a`.
struct TypedWords<'a>(&'a ffi::ast_cli_args);

impl<'a> TypedWords<'a> {
    /// # Safety
    /// `args` are arguments of a handler that live and stay unchanged for `'a`.
    unsafe fn new(args: *const ffi::ast_cli_args) -> Self {
        // SAFETY: CALLER: live arguments.
        TypedWords(unsafe { &*args })
    }

    /// The first `count` words; `None` if one is not UTF-8.
    fn first(&self, count: usize) -> Option<Vec<&'a str>> {
        let count = count.min(usize::try_from(self.0.argc).unwrap_or(0));
        let word = |at| {
            // SAFETY: INVARIANT: there are so many words.
            let word = unsafe { self.0.argv.add(at) };
            // SAFETY: INVARIANT: as above.
            let word = unsafe { *word };
            // SAFETY: INVARIANT: a C string for `'a`.
            unsafe { text::utf8(word) }
        };
        (0..count).map(word).collect()
    }

    /// The word to complete; `None` if it is not UTF-8.
    fn word(&self) -> Option<&'a str> {
        // SAFETY: INVARIANT: a C string for `'a`, or NULL.
        unsafe { text::utf8(self.0.word) }
    }

    /// The number of words before the word to complete.
    fn position(&self) -> usize {
        usize::try_from(self.0.pos).unwrap_or(0)
    }
}

/// The number of the command's own words.
fn own_words(command: &Command) -> usize {
    command.words.to_bytes().split(|byte| *byte == b' ').count()
}

fn run(command: &Command, typed: &TypedWords<'_>) -> CliResult {
    let mut text = String::new();
    let result = match typed.first(usize::MAX) {
        Some(mut words) => {
            words.drain(..own_words(command).min(words.len()));
            (command.run)(&Args(words), &mut text)
        }
        None => {
            text.push_str("The arguments are not UTF-8.\n");
            CliResult::Failure
        }
    };
    print(typed.0.fd, &text);
    result
}

/// Shows text, in pieces that end with a line if possible: a slow console has a moment for
/// each.
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
        let piece = printable(piece);
        // SAFETY: HOST-COPIES, FIXED-FORMAT: a C string that lives through the call.
        unsafe { ffi::ast_cli(fd, c"%s".as_ptr(), piece.as_ptr()) };
        text = rest;
    }
}

fn complete(command: &Command, typed: &TypedWords<'_>) {
    // The first call adds all candidates, so the next ones add none.
    let (Some(complete), 0) = (command.complete, typed.0.n) else {
        return;
    };
    let own = own_words(command);
    let (Some(before), Some(word)) = (typed.first(typed.position()), typed.word()) else {
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
        let candidate = AstString::into_raw(AstString::new(&candidate));
        // SAFETY: HOST-ALLOCATOR: a string that the core frees, or NULL.
        if unsafe { ffi::ast_cli_completion_add(candidate) } != 0 {
            log::warning("Not all completions could be shown");
            return;
        }
    }
}
