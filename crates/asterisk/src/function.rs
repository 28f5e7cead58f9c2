//! Dialplan functions.

use std::any::TypeId;
use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::slice;

use parking_lot::Mutex;

use super::guard::guard;
use super::text::{self, Owned, Terminated, printable};
use super::{Error, ffi, gate, log};

/// A dialplan function that can be read and written.
///
/// Its help comes from the installed XML documentation. It does not escalate:
/// AMI and ARI may use it, so it must not evaluate what it is given.
pub trait Function: 'static {
    /// The name, in capitals.
    const NAME: &'static CStr;

    /// Appends the value for these arguments to `out`. An error is logged as a
    /// warning with the function's name and arguments.
    fn read(args: &str, out: &mut String) -> Result<(), String>;

    /// Sets the value; an error is logged as in [`Function::read`].
    fn write(args: &str, value: &str) -> Result<(), String>;
}

/// Registers `F`, for as long as the process lives; where it is registered already,
/// nothing happens. It can be used while the [`gate`] is open.
///
/// # Errors
/// Where the name is taken.
pub fn register<F: Function>() -> Result<(), Error> {
    static REGISTERED: Mutex<Vec<TypeId>> = Mutex::new(Vec::new());

    let function = TypeId::of::<F>();
    let mut registered = REGISTERED.lock();
    if registered.contains(&function) {
        return Ok(());
    }
    // SAFETY: all zero is a valid value: NULLs, and docs that the core fills in.
    let mut entry = Box::new(unsafe { std::mem::zeroed::<ffi::ast_custom_function>() });
    entry.name = F::NAME.as_ptr();
    entry.read = Some(read::<F>);
    entry.read2 = Some(read2::<F>);
    entry.write = Some(write::<F>);
    // SAFETY: an entry that is in no list, and lives as long as the process once it is in
    // one. Without a module the core counts no users of one: the gate does.
    let result = unsafe { ffi::__ast_custom_function_register(&raw mut *entry, ptr::null_mut()) };
    if result != 0 {
        return Err(Error::new(format!(
            "Function {} could not be registered",
            F::NAME.to_string_lossy()
        )));
    }
    Box::leak(entry);
    registered.push(function);
    Ok(())
}

/// What can be done with a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Abilities {
    read: bool,
    write: bool,
}

/// Whether there is a dialplan function of that name.
pub fn exists(name: &str) -> bool {
    find(name).is_some()
}

/// What can be done with the function that is named, with or without arguments;
/// `None` where there is none.
fn find(name_and_args: &str) -> Option<Abilities> {
    let name = name_and_args.split('(').next().unwrap_or_default();
    let name = Terminated::new(name).ok()?;
    // SAFETY: a C string that lives through the call.
    let entry = unsafe { ffi::ast_custom_function_find(name.as_ptr()) };
    // SAFETY: NULL or an entry that is registered now; it is looked at once, at once,
    // as the core itself does after the same call.
    let entry = unsafe { entry.as_ref() }?;
    Some(Abilities {
        read: entry.read.is_some() || entry.read2.is_some(),
        write: entry.write.is_some(),
    })
}

/// Reads a function that can be written, as `${name_and_args}` does, with no channel.
/// `None` where it cannot be read, or refuses; the log may say why.
///
/// # Errors
/// Says that there is no such function, that it cannot be written (then it is not
/// read: some do things when they are read), or that the value is not UTF-8.
pub fn get_writable(name_and_args: &str) -> Result<Option<String>, Error> {
    if !writable(name_and_args)?.read {
        return Ok(None);
    }
    let function = Terminated::new(name_and_args)?;
    // SAFETY: a C string that lives through the call; what is returned is ours to free.
    let value = unsafe { Owned::new(ffi::res_userpresence_function_read(function.as_ptr())) };
    let Some(value) = value else {
        return Ok(None);
    };
    let value = String::from_utf8(value.bytes().to_vec());
    value
        .map(Some)
        .map_err(|_| Error::new(format!("what {name_and_args} holds is not UTF-8")))
}

/// Writes a function as [`set`] does, and says why it cannot be.
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

/// Runs something on this thread with the rights that AMI has: a function that Asterisk
/// calls dangerous refuses to be written or read, unless `live_dangerously` is on.
pub fn without_escalations<T>(body: impl FnOnce() -> T) -> T {
    struct Before(c_int);
    impl Drop for Before {
        fn drop(&mut self) {
            // SAFETY: changes a value of this thread alone.
            unsafe { ffi::ast_thread_inhibit_escalations_swap(self.0.max(0)) };
        }
    }
    // SAFETY: as above. Where there is no memory for it, nothing can be dangerous either:
    // then the core itself answers -1 wherever it looks, which is no permission.
    let _before = Before(unsafe { ffi::ast_thread_inhibit_escalations_swap(1) });
    body()
}

/// Writes a function as `Set(name_and_args=value)` does, with no channel.
pub fn set(name_and_args: &str, value: &str) -> Result<(), Error> {
    let (function, value) = (Terminated::new(name_and_args)?, Terminated::new(value)?);
    // SAFETY: no channel is allowed; C strings that live through the call.
    let result = unsafe { ffi::ast_func_write(ptr::null_mut(), function.as_ptr(), value.as_ptr()) };
    if result == 0 {
        Ok(())
    } else {
        Err(Error::new(format!("{name_and_args} could not be set")))
    }
}

/// Into a buffer of a fixed size, such as AMI's Getvar has.
unsafe extern "C" fn read<F: Function>(
    _channel: *mut ffi::ast_channel,
    _name: *const c_char,
    args: *mut c_char,
    buffer: *mut c_char,
    length: usize,
) -> c_int {
    guard(-1, || {
        if buffer.is_null() || length == 0 {
            return -1;
        }
        // SAFETY: the core passes a buffer of this length for us to fill.
        let buffer = unsafe { slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
        buffer[0] = 0;
        // SAFETY: the core passes a C string.
        let Some(value) = (unsafe { value_of::<F>(args) }) else {
            return -1;
        };
        match buffer.split_at_mut_checked(value.len()) {
            Some((room, [end, ..])) => {
                room.copy_from_slice(value.as_bytes());
                *end = 0;
                0
            }
            _ => {
                // SAFETY: as above.
                unsafe { too_long::<F>(args, value.len(), length - 1) };
                -1
            }
        }
    })
}

/// Into a buffer that grows, unless `limit` says otherwise: above zero it is the
/// buffer's largest size, below zero the buffer stays as it is.
unsafe extern "C" fn read2<F: Function>(
    _channel: *mut ffi::ast_channel,
    _name: *const c_char,
    args: *mut c_char,
    buffer: *mut *mut ffi::ast_str,
    limit: isize,
) -> c_int {
    guard(-1, || {
        // SAFETY: the core passes a C string.
        let Some(value) = (unsafe { value_of::<F>(args) }) else {
            return -1;
        };
        let room = match limit {
            0 => usize::MAX,
            1.. => limit.unsigned_abs() - 1,
            // SAFETY: the core passes a buffer.
            _ => unsafe { ffi::res_userpresence_str_room(*buffer) },
        };
        if value.len() > room {
            // SAFETY: as above.
            unsafe { too_long::<F>(args, value.len(), room) };
            return -1;
        }
        // SAFETY: the core passes a buffer for us to fill; the text is a C string.
        unsafe { ffi::res_userpresence_str_set(buffer, printable(&value).as_ptr()) }
    })
}

unsafe extern "C" fn write<F: Function>(
    _channel: *mut ffi::ast_channel,
    _name: *const c_char,
    args: *mut c_char,
    value: *const c_char,
) -> c_int {
    guard(-1, || {
        // SAFETY: the core passes C strings.
        let result = unsafe {
            match (text::utf8(args), text::utf8(value)) {
                (Some(args), Some(value)) => inside(|| F::write(args, value)),
                (None, _) => Err("the arguments are not UTF-8".to_owned()),
                (_, None) => Err("the value is not UTF-8".to_owned()),
            }
        };
        match result {
            Ok(()) => 0,
            Err(why) => {
                // SAFETY: as above.
                unsafe { warn::<F>(args, &why) };
                -1
            }
        }
    })
}

fn inside(body: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    gate::function(body).unwrap_or_else(|| Err(gate::NOT_RUNNING.to_owned()))
}

/// # Safety
/// `args` is NULL or a C string.
unsafe fn value_of<F: Function>(args: *const c_char) -> Option<String> {
    let mut value = String::new();
    // SAFETY: the caller vouches for it.
    let result = match unsafe { text::utf8(args) } {
        Some(args) => inside(|| F::read(args, &mut value)),
        None => Err("the arguments are not UTF-8".to_owned()),
    };
    match result {
        Ok(()) => Some(value),
        Err(why) => {
            // SAFETY: as above.
            unsafe { warn::<F>(args, &why) };
            None
        }
    }
}

/// # Safety
/// `args` is NULL or a C string.
unsafe fn warn<F: Function>(args: *const c_char, why: &str) {
    // SAFETY: the caller vouches for it.
    log::warning(format_args!("{}: {why}", unsafe { call_of::<F>(args) }));
}

/// # Safety
/// `args` is NULL or a C string.
unsafe fn too_long<F: Function>(args: *const c_char, needed: usize, room: usize) {
    // SAFETY: the caller vouches for it.
    let call = unsafe { call_of::<F>(args) };
    log::error(format_args!(
        "{call}: the answer needs {needed} bytes and the asker has room for {room}"
    ));
}

/// `NAME(args)`, for messages.
///
/// # Safety
/// `args` is NULL or a C string.
unsafe fn call_of<F: Function>(args: *const c_char) -> String {
    // SAFETY: the caller vouches for it.
    let args = String::from_utf8_lossy(unsafe { text::bytes(args) });
    format!("{}({args})", F::NAME.to_string_lossy())
}
