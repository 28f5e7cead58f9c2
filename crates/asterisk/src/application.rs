//! Dialplan applications, and the channel that one runs on.

use std::any::TypeId;
use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use parking_lot::Mutex;

use super::guard::guard;
use super::text::{self, Owned, Terminated};
use super::{Error, ffi, gate, log};

/// An application. Its help comes from the installed XML documentation.
pub trait Application: 'static {
    /// The name, in Asterisk's CamelCase.
    const NAME: &'static CStr;

    /// Carries it out, on the thread of the channel, for as long as it takes. An error is
    /// logged as a warning with the application's name and arguments, and the dialplan
    /// goes on.
    fn run(channel: &Channel<'_>, args: &str) -> Result<Next, String>;

    /// Says on the channel that the module is not running, and the same in words for the
    /// log. It uses nothing else of the module.
    fn closed(channel: &Channel<'_>) -> String;
}

/// What becomes of a channel after an application.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// The dialplan goes on.
    Continue,
    /// The dialplan ends: the caller has gone, or the call is over.
    HangUp,
}

/// Registers `A`, for as long as the process lives; where it is registered already,
/// nothing happens. Calls come in while the [`gate`] is open.
///
/// # Errors
/// Where the name is taken.
pub fn register<A: Application>() -> Result<(), Error> {
    static REGISTERED: Mutex<Vec<TypeId>> = Mutex::new(Vec::new());

    let application = TypeId::of::<A>();
    let mut registered = REGISTERED.lock();
    if registered.contains(&application) {
        return Ok(());
    }
    // SAFETY: the name is static, and the core copies it; help comes from the XML
    // documentation where it is NULL; the callback is never unmapped. Without a module the
    // core counts no users of one: the gate does.
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

unsafe extern "C" fn execute<A: Application>(
    channel: *mut ffi::ast_channel,
    args: *const c_char,
) -> c_int {
    guard(-1, || {
        let Some(raw) = NonNull::new(channel) else {
            return -1;
        };
        let channel = Channel {
            raw,
            call: PhantomData,
        };
        // SAFETY: the core passes a C string that lives through the call. What is not
        // UTF-8 names nothing that we know.
        let args = String::from_utf8_lossy(unsafe { text::bytes(args) });
        // SAFETY: the core passes a live channel, on its own thread.
        let ran = unsafe { gate::call(raw.as_ptr(), || A::run(&channel, &args)) };
        match ran.unwrap_or_else(|| Err(A::closed(&channel))) {
            Ok(Next::Continue) => 0,
            Ok(Next::HangUp) => -1,
            Err(why) => {
                let name = A::NAME.to_string_lossy();
                log::warning(format_args!("{name}({args}): {why}"));
                0
            }
        }
    })
}

/// Why a call goes elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Always.
    Unconditional,
    /// Nobody answered.
    NoAnswer,
    /// Who was called is busy.
    Busy,
    /// Who was called does not want to be disturbed.
    DoNotDisturb,
}

impl Reason {
    const fn code(self) -> c_int {
        let code = match self {
            Reason::Unconditional => ffi::AST_REDIRECTING_REASON_UNCONDITIONAL,
            Reason::NoAnswer => ffi::AST_REDIRECTING_REASON_NO_ANSWER,
            Reason::Busy => ffi::AST_REDIRECTING_REASON_USER_BUSY,
            Reason::DoNotDisturb => ffi::AST_REDIRECTING_REASON_DO_NOT_DISTURB,
        };
        code as c_int
    }
}

/// The channel that an application runs on. It lives at least for as long as the
/// application does, which is where it can be had, and its thread is ours until then.
///
/// Everything here may take the channel's lock, and an application that is run on it
/// takes as long as it likes: hold no lock of ours.
#[derive(Debug)]
pub struct Channel<'a> {
    raw: NonNull<ffi::ast_channel>,
    call: PhantomData<&'a ffi::ast_channel>,
}

impl Channel<'_> {
    pub(super) fn raw(&self) -> *mut ffi::ast_channel {
        self.raw.as_ptr()
    }

    /// Its name, such as `PJSIP/200-00000001`.
    pub fn name(&self) -> String {
        // SAFETY: a live channel; what is returned is ours to free.
        owned(unsafe { ffi::res_userpresence_channel_name(self.raw()) }).unwrap_or_default()
    }

    /// The device that it is a call of, such as `PJSIP/200`.
    pub fn device(&self) -> Option<String> {
        device_of(&self.name()).map(str::to_owned)
    }

    /// Whether its other end is in Asterisk itself.
    pub fn is_local(&self) -> bool {
        self.name().starts_with("Local/")
    }

    /// Whether a queue calls a member by this channel.
    pub fn is_from_queue(&self) -> bool {
        // SAFETY: as in `name`.
        let dialler = owned(unsafe { ffi::res_userpresence_channel_dialler(self.raw()) });
        dialler.as_deref() == Some("AppQueue")
    }

    /// Where in the dialplan it is.
    pub fn context(&self) -> String {
        // SAFETY: as in `name`.
        owned(unsafe { ffi::res_userpresence_channel_context(self.raw()) }).unwrap_or_default()
    }

    /// The caller's number, where there is a valid one.
    pub fn caller(&self) -> Option<String> {
        // SAFETY: as in `name`.
        owned(unsafe { ffi::res_userpresence_channel_caller(self.raw()) })
    }

    /// A variable of the channel, or a global one; no function.
    pub fn get(&self, variable: &str) -> Option<String> {
        let variable = Terminated::new(variable).ok()?;
        // SAFETY: as in `name`; a C string that lives through the call.
        owned(unsafe { ffi::res_userpresence_channel_variable(self.raw(), variable.as_ptr()) })
    }

    /// Sets a variable. With `__` in front, channels that are called from here have it
    /// too.
    pub fn set(&self, variable: &CStr, value: &str) {
        let value = text::printable(value);
        // SAFETY: a live channel, not locked by us; C strings that the core copies.
        unsafe {
            ffi::pbx_builtin_setvar_helper(self.raw(), variable.as_ptr(), value.as_ptr());
        }
    }

    /// Takes a variable away.
    pub fn unset(&self, variable: &CStr) {
        // SAFETY: as in `set`; NULL stands for no value.
        unsafe { ffi::pbx_builtin_setvar_helper(self.raw(), variable.as_ptr(), ptr::null()) };
    }

    /// Runs another application on it; its arguments are taken as they are, nothing in
    /// them is evaluated.
    ///
    /// # Errors
    /// Says that there is no such application.
    pub fn run(&self, application: &CStr, args: &str) -> Result<Next, Error> {
        let args = Terminated::new(args)?;
        // SAFETY: a C string.
        let found = unsafe { ffi::pbx_findapp(application.as_ptr()) };
        if found.is_null() {
            return Err(Error::new(format!(
                "there is no application {}, its module is not loaded",
                application.to_string_lossy()
            )));
        }
        // SAFETY: a live channel whose thread is ours, not locked by us; an application that
        // was found just now, as the core itself does before it runs one; arguments that
        // live through the call.
        let result = unsafe { ffi::pbx_exec(self.raw(), found, args.as_ptr()) };
        // The core has put back the name of the application around it and tells nobody: to
        // CEL the one inside would go on, and a second one would be the same.
        // SAFETY: a live channel, not locked by us.
        unsafe { ffi::res_userpresence_channel_publish(self.raw()) };
        Ok(if result == 0 {
            Next::Continue
        } else {
            Next::HangUp
        })
    }

    /// Notes whose call it was and why it goes elsewhere, for who is called next.
    pub fn redirect(&self, number: &str, reason: Reason) {
        let number = text::printable(number);
        // SAFETY: a live channel; the number is copied.
        unsafe {
            ffi::res_userpresence_channel_redirect(self.raw(), number.as_ptr(), reason.code());
        }
    }

    /// Where the channel is hung up without another cause, the caller is told of a user
    /// who is busy.
    pub fn mark_busy(&self) {
        let cause = ffi::AST_CAUSE_USER_BUSY as c_int;
        // SAFETY: a live channel.
        unsafe { ffi::res_userpresence_channel_cause(self.raw(), cause) };
    }

    /// Answers it where nobody has yet.
    ///
    /// # Errors
    /// Where the caller has gone.
    pub fn answer(&self) -> Result<(), Error> {
        // SAFETY: a live channel whose thread is ours, not locked by us.
        match unsafe { ffi::ast_raw_answer(self.raw()) } {
            0 => Ok(()),
            _ => Err(Error::new("the channel could not be answered")),
        }
    }

    /// Whether it is being hung up.
    pub fn hung_up(&self) -> bool {
        // SAFETY: a live channel, which the core looks at without its lock.
        unsafe { ffi::ast_check_hangup(self.raw()) != 0 }
    }

    /// Whether the dialplan has such an extension for this caller.
    pub fn has_extension(&self, extension: &str, context: &str) -> bool {
        let caller = self.caller().unwrap_or_default();
        let texts = [extension, context, &caller].map(Terminated::new);
        let [Ok(extension), Ok(context), Ok(caller)] = texts else {
            return false;
        };
        // SAFETY: a live channel, not locked by us; C strings that live through the call.
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

/// The device that a channel of this name is a call of.
pub(super) fn device_of(name: &str) -> Option<&str> {
    // A number ends the name, and a device's own name may have a dash too.
    name.rsplit_once('-').map(|(device, _)| device)
}

/// What the shim copied for us.
pub(super) fn owned(text: *mut c_char) -> Option<String> {
    // SAFETY: NULL or a C string from Asterisk's allocator that is ours alone.
    let text = unsafe { Owned::new(text) }?;
    Some(String::from_utf8_lossy(text.bytes()).into_owned())
}
