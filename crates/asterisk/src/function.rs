//! Dialplan functions: `asterisk/pbx.h`.

use std::any::TypeId;
use std::ffi::{CStr, c_char, c_int};
use std::mem::MaybeUninit;
use std::ptr;
use std::slice;

use parking_lot::Mutex;

use super::guard::guard;
use super::text::{self, AstString, CText, printable};
use super::{Error, ffi, gate, log, slack};

/// A dialplan function that can be read and written.
///
/// Its help comes from the installed XML documentation. It is registered as one that does not
/// escalate privileges: AMI and ARI may use it, so it must not evaluate its arguments.
pub trait Function: 'static {
    /// The name, in capitals.
    const NAME: &'static CStr;

    /// Appends the value for these arguments to `out`.
    ///
    /// # Errors
    /// The reason for the log, which shows it as a warning with the function's name and
    /// arguments.
    fn read(args: &str, out: &mut String) -> Result<(), String>;

    /// Sets the value.
    ///
    /// # Errors
    /// The reason for the log, as for [`Function::read`].
    fn write(args: &str, value: &str) -> Result<(), String>;
}

/// Registers `F` for as long as the process lives; does nothing if it is registered already.
/// Calls come in while the [`gate`] is open.
///
/// # Errors
/// Another function has the name.
pub fn register<F: Function>() -> Result<(), Error> {
    static REGISTERED: Mutex<Vec<TypeId>> = Mutex::new(Vec::new());

    let function = TypeId::of::<F>();
    let mut registered = REGISTERED.lock();
    if registered.contains(&function) {
        return Ok(());
    }
    // SAFETY: ZERO-VALUE: NULLs, and documentation that the core fills in.
    let entry = unsafe {
        slack::leak(|entry: &mut ffi::ast_custom_function| {
            entry.name = F::NAME.as_ptr();
            entry.read = Some(read::<F>);
            entry.read2 = Some(read2::<F>);
            entry.write = Some(write::<F>);
        })
    };
    // SAFETY: LINKED-FOREVER, MODULE-MAPPED: an entry in no list, never freed once it is in
    // one. Without a module the core counts no users: the gate does.
    let result = unsafe { ffi::__ast_custom_function_register(entry, ptr::null_mut()) };
    if result != 0 {
        // SAFETY: LINKED-FOREVER: an entry that was refused is in no list.
        unsafe { slack::free(entry) };
        return Err(Error::new(format!(
            "Function {} could not be registered",
            F::NAME.to_string_lossy()
        )));
    }
    registered.push(function);
    Ok(())
}

/// What a function can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Abilities {
    read: bool,
    write: bool,
}

/// Whether there is a dialplan function of that name.
pub fn exists(name: &str) -> bool {
    find(name).is_some()
}

/// What a function can do; its name may come with arguments. `None` without such a function.
fn find(name_and_args: &str) -> Option<Abilities> {
    let name = name_and_args.split('(').next().unwrap_or_default();
    let name = CText::new(name).ok()?;
    // SAFETY: HOST-COPIES: a C string that lives through the call.
    let entry = unsafe { ffi::ast_custom_function_find(name.as_ptr()) };
    // SAFETY: FOUND-FUNCTION: NULL, or an entry that was registered just now; no lock holds it.
    let entry = unsafe { entry.as_ref() }?;
    Some(Abilities {
        read: entry.read.is_some() || entry.read2.is_some(),
        write: entry.write.is_some(),
    })
}

/// Reads a writable function as `${name_and_args}` does, without a channel. `None` if it cannot
/// be read, or refuses; the log may say why.
///
/// # Errors
/// There is no such function; or it is not writable (then it is not read: some functions have
/// effects when they are read); or the value is not UTF-8.
pub fn get_writable(name_and_args: &str) -> Result<Option<String>, Error> {
    if !writable(name_and_args)?.read {
        return Ok(None);
    }
    let function = CText::new(name_and_args)?;
    // SAFETY: HOST-COPIES: a C string that lives through the call.
    let value = unsafe { ffi::shim_function_read(function.as_ptr()) };
    // SAFETY: HOST-ALLOCATOR: NULL, or a copy for the caller to free.
    let value = unsafe { AstString::from_raw(value) };
    let value = value.map(|value| value.to_utf8()).transpose();
    value.map_err(|_| Error::new(format!("the value of {name_and_args} is not UTF-8")))
}

/// Reads a function as `${name_and_args}` does, without a channel. `None` without such a
/// function, or if it refuses; the log may say why. The caller names a function that has no
/// effect when it is read.
pub fn read_value(name_and_args: &str) -> Option<String> {
    find(name_and_args).filter(|can| can.read)?;
    let function = CText::new(name_and_args).ok()?;
    // SAFETY: HOST-COPIES: a C string that lives through the call.
    let value = unsafe { ffi::shim_function_read(function.as_ptr()) };
    // SAFETY: HOST-ALLOCATOR: NULL, or a copy for the caller to free.
    unsafe { AstString::from_raw(value) }?.to_utf8().ok()
}

/// Writes a function as [`set`] does.
///
/// # Errors
/// There is no such function, it is not writable, or it refuses the value.
pub fn assign(name_and_args: &str, value: &str) -> Result<(), Error> {
    writable(name_and_args)?;
    set(name_and_args, value).map_err(|_| Error::new("Asterisk refused it, see the line above"))
}

fn writable(name_and_args: &str) -> Result<Abilities, Error> {
    let name = name_and_args.split('(').next().unwrap_or_default();
    match find(name_and_args) {
        None => Err(Error::new(format!(
            "there is no function {name}, its module is not loaded"
        ))),
        Some(function) if !function.write => Err(Error::new(format!("{name}() cannot be written"))),
        Some(function) => Ok(function),
    }
}

/// Runs `body` in this thread with the rights of AMI: functions that Asterisk calls dangerous
/// refuse to be written or read, unless `live_dangerously` is on.
pub fn without_escalations<T>(body: impl FnOnce() -> T) -> T {
    struct InhibitedBefore(c_int);
    impl Drop for InhibitedBefore {
        fn drop(&mut self) {
            // SAFETY: HOST-GLOBALS: it changes a value of this thread alone.
            unsafe { ffi::ast_thread_inhibit_escalations_swap(self.0.max(0)) };
        }
    }
    // Without memory for the value the core answers -1 wherever it looks, which permits nothing.
    // SAFETY: HOST-GLOBALS: it changes a value of this thread alone.
    let before = unsafe { ffi::ast_thread_inhibit_escalations_swap(1) };
    let _before = InhibitedBefore(before);
    body()
}

/// Writes a function as `Set(name_and_args=value)` does, without a channel.
///
/// # Errors
/// Asterisk refuses it; or a text contains a NUL.
pub fn set(name_and_args: &str, value: &str) -> Result<(), Error> {
    let (function, value) = (CText::new(name_and_args)?, CText::new(value)?);
    // SAFETY: HOST-COPIES: C strings that live through the call; no channel is needed.
    let result = unsafe { ffi::ast_func_write(ptr::null_mut(), function.as_ptr(), value.as_ptr()) };
    if result == 0 {
        Ok(())
    } else {
        Err(Error::new(format!("{name_and_args} could not be set")))
    }
}

/// Reads into a buffer of a fixed size, such as that of AMI's Getvar.
///
/// # Safety
/// The arguments are those of a function's `read`: a C string, and a buffer of that length
/// for the result, which need not be initialised.
unsafe extern "C" fn read<F: Function>(
    _channel: *mut ffi::ast_channel,
    _name: *const c_char,
    args: *mut c_char,
    buffer: *mut c_char,
    length: usize,
) -> c_int {
    guard(
        || -1,
        || {
            if buffer.is_null() || length == 0 {
                return -1;
            }
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a buffer of that length, ours until the return.
            let buffer =
                unsafe { slice::from_raw_parts_mut(buffer.cast::<MaybeUninit<u8>>(), length) };
            buffer[0].write(0);
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a C string until the thunk returns.
            let Some(value) = (unsafe { value_of::<F>(args) }) else {
                return -1;
            };
            match buffer.split_at_mut_checked(value.len()) {
                Some((room, [end, ..])) => {
                    for (place, byte) in room.iter_mut().zip(value.as_bytes()) {
                        place.write(*byte);
                    }
                    end.write(0);
                    0
                }
                _ => {
                    // SAFETY: CALLER, CALLBACK-ARGUMENTS: as above.
                    unsafe { too_long::<F>(args, value.len(), length - 1) };
                    -1
                }
            }
        },
    )
}

/// Reads into a buffer that can grow. `limit` is the buffer's largest size, 0 for no limit;
/// below 0 the buffer must not grow.
///
/// # Safety
/// The arguments are those of a function's `read2`: a C string, and a live buffer.
unsafe extern "C" fn read2<F: Function>(
    _channel: *mut ffi::ast_channel,
    _name: *const c_char,
    args: *mut c_char,
    buffer: *mut *mut ffi::ast_str,
    limit: isize,
) -> c_int {
    guard(
        || -1,
        || {
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a C string until the thunk returns.
            let Some(value) = (unsafe { value_of::<F>(args) }) else {
                return -1;
            };
            let room = match limit {
                0 => usize::MAX,
                1.. => limit.unsigned_abs() - 1,
                _ => {
                    // SAFETY: CALLER, CALLBACK-ARGUMENTS: a pointer to the buffer.
                    let buffer = unsafe { *buffer };
                    // SAFETY: CALLER, CALLBACK-ARGUMENTS: a live buffer.
                    unsafe { ffi::shim_str_room(buffer) }
                }
            };
            if value.len() > room {
                // SAFETY: CALLER, CALLBACK-ARGUMENTS: as above.
                unsafe { too_long::<F>(args, value.len(), room) };
                return -1;
            }
            let value = printable(&value);
            // SAFETY: CALLER, CALLBACK-ARGUMENTS, HOST-COPIES: a live buffer and a C string.
            unsafe { ffi::shim_str_set(buffer, value.as_ptr()) }
        },
    )
}

/// # Safety
/// The arguments are those of a function's `write`: C strings.
unsafe extern "C" fn write<F: Function>(
    _channel: *mut ffi::ast_channel,
    _name: *const c_char,
    args: *mut c_char,
    value: *const c_char,
) -> c_int {
    guard(
        || -1,
        || {
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a C string until the thunk returns.
            let args_text = unsafe { text::utf8(args) };
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: as above.
            let value = unsafe { text::utf8(value) };
            let result = match (args_text, value) {
                (Some(args), Some(value)) => inside(|| F::write(args, value)),
                (None, _) => Err("the arguments are not UTF-8".to_owned()),
                (_, None) => Err("the value is not UTF-8".to_owned()),
            };
            match result {
                Ok(()) => 0,
                Err(why) => {
                    // SAFETY: CALLER, CALLBACK-ARGUMENTS: as above.
                    unsafe { warn::<F>(args, &why) };
                    -1
                }
            }
        },
    )
}

fn inside(body: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    gate::function(body).unwrap_or_else(|| Err(gate::NOT_RUNNING.to_owned()))
}

/// # Safety
/// `args` is NULL or a C string.
unsafe fn value_of<F: Function>(args: *const c_char) -> Option<String> {
    let mut value = String::new();
    // SAFETY: CALLER: NULL or a C string.
    let result = match unsafe { text::utf8(args) } {
        Some(args) => inside(|| F::read(args, &mut value)),
        None => Err("the arguments are not UTF-8".to_owned()),
    };
    match result {
        Ok(()) => Some(value),
        Err(why) => {
            // SAFETY: CALLER: as above.
            unsafe { warn::<F>(args, &why) };
            None
        }
    }
}

/// # Safety
/// `args` is NULL or a C string.
unsafe fn warn<F: Function>(args: *const c_char, why: &str) {
    // SAFETY: CALLER: NULL or a C string.
    let call = unsafe { call_of::<F>(args) };
    log::warning(format_args!("{call}: {why}"));
}

/// # Safety
/// `args` is NULL or a C string.
unsafe fn too_long<F: Function>(args: *const c_char, needed: usize, room: usize) {
    // SAFETY: CALLER: NULL or a C string.
    let call = unsafe { call_of::<F>(args) };
    log::error(format_args!(
        "{call}: the value has {needed} bytes, and the buffer has room for {room}"
    ));
}

/// `NAME(args)`, for messages.
///
/// # Safety
/// `args` is NULL or a C string.
unsafe fn call_of<F: Function>(args: *const c_char) -> String {
    // SAFETY: CALLER: NULL or a C string.
    let args = String::from_utf8_lossy(unsafe { text::bytes(args) });
    format!("{}({args})", F::NAME.to_string_lossy())
}
