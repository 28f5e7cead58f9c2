//! Dialplan applications: `asterisk/pbx.h`; and the channel that one runs on:
//! `asterisk/channel.h`.

use std::any::TypeId;
use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use parking_lot::Mutex;

use super::channels::{self, device_of};
use super::guard::guard;
use super::text::{self, CText};
use super::{Error, ffi, gate, log};

/// An application. Its help comes from the installed XML documentation.
pub trait Application: 'static {
    /// The name, in Asterisk's CamelCase.
    const NAME: &'static CStr;

    /// Runs the application, on the channel's thread and for as long as it takes.
    ///
    /// # Errors
    /// The reason for the log, which shows it as a warning with the application's name and
    /// arguments. The dialplan continues.
    fn run(channel: &Channel<'_>, args: &str) -> Result<DialplanNext, String>;

    /// Tells the channel that the module is not running, and returns the same in words for the
    /// log. It must not use any other part of the module.
    fn closed(channel: &Channel<'_>) -> String;
}

/// What the dialplan does after an application.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DialplanNext {
    /// It continues with the next priority.
    Continue,
    /// It ends: the caller has hung up, or the call is over.
    HangUp,
}

/// Registers `A` for as long as the process lives; does nothing if it is registered already.
/// Calls come in while the [`gate`] is open.
///
/// # Errors
/// Another application has the name.
pub fn register<A: Application>() -> Result<(), Error> {
    static REGISTERED: Mutex<Vec<TypeId>> = Mutex::new(Vec::new());

    let application = TypeId::of::<A>();
    let mut registered = REGISTERED.lock();
    if registered.contains(&application) {
        return Ok(());
    }
    // SAFETY: HOST-COPIES, MODULE-MAPPED: the core copies the static name; NULL texts mean the
    // XML documentation. Without a module the core counts no users: the gate does.
    let result = unsafe {
        ffi::ast_register_application2(
            A::NAME.as_ptr(),
            Some(execute::<A>),
            ptr::null(),
            ptr::null(),
            ptr::null_mut(),
        )
    };
    if result != 0 {
        return Err(Error::new(format!(
            "Application {} could not be registered",
            A::NAME.to_string_lossy()
        )));
    }
    registered.push(application);
    Ok(())
}

/// # Safety
/// The arguments are those of an application: a live channel, in its own thread, and a C
/// string.
unsafe extern "C" fn execute<A: Application>(
    channel: *mut ffi::ast_channel,
    args: *const c_char,
) -> c_int {
    guard(
        || -1,
        || {
            let Some(raw) = NonNull::new(channel) else {
                return -1;
            };
            let channel = Channel {
                raw,
                call: PhantomData,
            };
            // Bytes that are not UTF-8 are replaced: they name nothing that exists.
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a C string until the thunk returns.
            let args = String::from_utf8_lossy(unsafe { text::bytes(args) });
            // SAFETY: CALLER, CHANNEL-THREAD: a live channel, in its own thread.
            let ran = unsafe { gate::call(raw.as_ptr(), || A::run(&channel, &args)) };
            match ran.unwrap_or_else(|| Err(A::closed(&channel))) {
                Ok(DialplanNext::Continue) => 0,
                Ok(DialplanNext::HangUp) => -1,
                Err(why) => {
                    let name = A::NAME.to_string_lossy();
                    log::warning(format_args!("{name}({args}): {why}"));
                    0
                }
            }
        },
    )
}

/// Why a call is redirected: some of `enum AST_REDIRECTING_REASON`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RedirectingReason {
    /// Every call is redirected.
    Unconditional,
    /// There was no answer.
    NoAnswer,
    /// The called user is busy.
    Busy,
    /// The called user is not to be disturbed.
    DoNotDisturb,
}

impl RedirectingReason {
    const fn code(self) -> c_int {
        let code = match self {
            RedirectingReason::Unconditional => ffi::AST_REDIRECTING_REASON_UNCONDITIONAL,
            RedirectingReason::NoAnswer => ffi::AST_REDIRECTING_REASON_NO_ANSWER,
            RedirectingReason::Busy => ffi::AST_REDIRECTING_REASON_USER_BUSY,
            RedirectingReason::DoNotDisturb => ffi::AST_REDIRECTING_REASON_DO_NOT_DISTURB,
        };
        code as c_int
    }
}

/// The channel that an application runs on.
///
/// Each method may take the channel's lock, and an application that is run on the channel
/// takes as long as it likes: the caller must hold no lock.
///
/// # Invariants
/// The channel lives for `'a`, and this thread is its own (CHANNEL-THREAD). The thread has not
/// locked it.
#[derive(Debug)]
pub struct Channel<'a> {
    raw: NonNull<ffi::ast_channel>,
    call: PhantomData<&'a ffi::ast_channel>,
}

/// Whether the dialplan has an application of that name.
pub fn exists(name: &str) -> bool {
    // SAFETY: HOST-COPIES: a C string that lives through the call.
    CText::new(name).is_ok_and(|name| !unsafe { ffi::pbx_findapp(name.as_ptr()) }.is_null())
}

impl Channel<'_> {
    pub(super) fn raw(&self) -> *mut ffi::ast_channel {
        self.raw.as_ptr()
    }

    fn text(&self, read: channels::ReadText) -> Option<String> {
        // SAFETY: INVARIANT: a live channel, and a function of the shim.
        unsafe { channels::read_text(self.raw(), read) }
    }

    /// The channel's name, such as `PJSIP/200-00000001`.
    pub fn name(&self) -> String {
        self.text(ffi::shim_channel_name).unwrap_or_default()
    }

    /// The device that the channel is a call of, such as `PJSIP/200`.
    pub fn device(&self) -> Option<String> {
        device_of(&self.name()).map(str::to_owned)
    }

    /// Whether the channel is a Local one, whose other end is in Asterisk itself.
    pub fn is_local(&self) -> bool {
        self.name().starts_with("Local/")
    }

    /// Whether a queue calls a member by this channel.
    pub fn is_from_queue(&self) -> bool {
        self.text(ffi::shim_channel_dialler).as_deref() == Some("AppQueue")
    }

    /// The channel's context in the dialplan.
    pub fn context(&self) -> String {
        self.text(ffi::shim_channel_context).unwrap_or_default()
    }

    /// The caller's number, if there is a valid one.
    pub fn caller(&self) -> Option<String> {
        self.text(ffi::shim_channel_caller)
    }

    /// The value of a channel variable or a global one. Functions are not evaluated.
    pub fn get(&self, variable: &str) -> Option<String> {
        let variable = CText::new(variable).ok()?;
        // SAFETY: INVARIANT, HOST-COPIES: a live channel, and a C string for the call.
        let value = unsafe { ffi::shim_channel_variable(self.raw(), variable.as_ptr()) };
        // SAFETY: HOST-ALLOCATOR: NULL, or a copy for the caller to free.
        unsafe { text::AstString::from_raw(value) }.map(|value| value.to_string_lossy())
    }

    /// Sets a variable. With `__` in front of its name, channels that are called from this one
    /// inherit it.
    pub fn set(&self, variable: &CStr, value: &str) {
        let value = text::printable(value);
        // SAFETY: INVARIANT, HOST-COPIES: a live channel; the core copies the C strings.
        unsafe {
            ffi::pbx_builtin_setvar_helper(self.raw(), variable.as_ptr(), value.as_ptr());
        }
    }

    /// Removes a variable.
    pub fn unset(&self, variable: &CStr) {
        // SAFETY: INVARIANT, HOST-COPIES: as in `set`; NULL removes the variable.
        unsafe { ffi::pbx_builtin_setvar_helper(self.raw(), variable.as_ptr(), ptr::null()) };
    }

    /// Runs another application on the channel. Its arguments are taken as they are: nothing
    /// in them is evaluated.
    ///
    /// # Errors
    /// There is no such application; or the arguments contain a NUL.
    pub fn run(&self, application: &CStr, args: &str) -> Result<DialplanNext, Error> {
        let args = CText::new(args)?;
        // SAFETY: HOST-COPIES: a static C string.
        let found = unsafe { ffi::pbx_findapp(application.as_ptr()) };
        if found.is_null() {
            return Err(Error::new(format!(
                "there is no application {}, its module is not loaded",
                application.to_string_lossy()
            )));
        }
        // SAFETY: INVARIANT, FOUND-APPLICATION: a live channel in its own thread, and an
        // application that was found just now; the arguments live through the call.
        let result = unsafe { ffi::pbx_exec(self.raw(), found, args.as_ptr()) };
        // The core has restored the name of the outer application without publishing it: CEL
        // would see the inner one go on, and would not notice a second run of it.
        // SAFETY: INVARIANT: a live channel.
        unsafe { ffi::shim_channel_publish(self.raw()) };
        Ok(if result == 0 {
            DialplanNext::Continue
        } else {
            DialplanNext::HangUp
        })
    }

    /// Records whose call it was and why it is redirected, for the next called party.
    pub fn redirect(&self, number: &str, reason: RedirectingReason) {
        let number = text::printable(number);
        // SAFETY: INVARIANT, HOST-COPIES: a live channel; the core copies the number.
        unsafe { ffi::shim_channel_redirect(self.raw(), number.as_ptr(), reason.code()) };
    }

    /// Has the caller told that the user is busy, if the channel is hung up without another
    /// cause.
    pub fn mark_busy(&self) {
        let cause = ffi::AST_CAUSE_USER_BUSY as c_int;
        // SAFETY: INVARIANT: a live channel.
        unsafe { ffi::shim_channel_cause(self.raw(), cause) };
    }

    /// Answers the channel, unless it is answered already.
    ///
    /// # Errors
    /// The caller has hung up.
    pub fn answer(&self) -> Result<(), Error> {
        // SAFETY: INVARIANT: a live channel in its own thread.
        match unsafe { ffi::ast_raw_answer(self.raw()) } {
            0 => Ok(()),
            _ => Err(Error::new("the channel could not be answered")),
        }
    }

    /// Whether the channel is being hung up.
    pub fn hung_up(&self) -> bool {
        // SAFETY: INVARIANT: a live channel; the core reads its flags without a lock.
        unsafe { ffi::ast_check_hangup(self.raw()) != 0 }
    }

    /// Whether the dialplan has such an extension for this caller.
    pub fn has_extension(&self, extension: &str, context: &str) -> bool {
        let caller = self.caller().unwrap_or_default();
        let texts = [extension, context, &caller].map(CText::new);
        let [Ok(extension), Ok(context), Ok(caller)] = texts else {
            return false;
        };
        // SAFETY: INVARIANT, HOST-COPIES: a live channel, and C strings for the call.
        let found = unsafe {
            ffi::ast_exists_extension(
                self.raw(),
                context.as_ptr(),
                extension.as_ptr(),
                1,
                caller.as_ptr(),
            )
        };
        found != 0
    }
}
