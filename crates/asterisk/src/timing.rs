//! Time ranges, as the dialplan's `GotoIfTime` takes them, time zones, and the time there.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::ffi;
use super::text::Terminated;
use presence::Time;

/// Whether a moment lies within a range such as `09:00-17:00,mon-fri,*,*`, by the clocks
/// of a time zone; empty stands for the system's own. A range holds its last minute.
///
/// Asterisk logs and skips what it cannot read of a range, and takes a time zone that it
/// does not know for GMT: check both before, with [`presence::model::schedule::check`]
/// and [`is_timezone`].
pub fn matches(range: &str, timezone: &str, at: Time) -> bool {
    let (Ok(range), Ok(timezone)) = (Terminated::new(range), Terminated::new(timezone)) else {
        return false;
    };
    // C's own types, which are not as wide everywhere.
    let moment = ffi::timeval {
        tv_sec: (at.micros() / 1_000_000) as _,
        tv_usec: (at.micros() % 1_000_000) as _,
    };
    // Zeros match nothing, should Asterisk leave something as it is.
    let mut timing = ffi::ast_timing {
        hastime: 0,
        monthmask: 0,
        daymask: 0,
        dowmask: 0,
        minmask: [0; 48],
        timezone: std::ptr::null_mut(),
    };
    // SAFETY: a C string and room for what is made of it; that is given back once, as it
    // was made. What is asked meanwhile is a copy whose zone is ours, which Asterisk
    // only reads, although it takes it as mutable.
    unsafe {
        ffi::ast_build_timing(&mut timing, range.as_ptr());
        let zoned = ffi::ast_timing {
            timezone: timezone.as_ptr().cast_mut(),
            ..timing
        };
        let matches = ffi::ast_check_timing2(&zoned, moment);
        ffi::ast_destroy_timing(&mut timing);
        matches != 0
    }
}

/// The minutes since midnight that a clock shows at a moment in a time zone that
/// [`is_timezone`] knows; empty stands for the system's own.
pub fn minute_of_day(timezone: &str, at: Time) -> u32 {
    let moment = ffi::timeval {
        tv_sec: (at.micros() / 1_000_000) as _,
        tv_usec: 0,
    };
    let zone = Terminated::new(timezone).ok();
    let zone = zone.as_ref().filter(|_| !timezone.is_empty());
    // SAFETY: all zero is a valid value: numbers, and a pointer that may be NULL.
    let mut shown: ffi::ast_tm = unsafe { std::mem::zeroed() };
    // SAFETY: a moment, room for what is made of it, and NULL or a C string; all of them
    // live through the call.
    unsafe {
        let zone = zone.map_or(std::ptr::null(), Terminated::as_ptr);
        ffi::ast_localtime(&moment, &mut shown, zone);
    }
    let minutes = shown.tm_hour * 60 + shown.tm_min;
    u32::try_from(minutes).unwrap_or(0)
}

/// Whether Asterisk knows a time zone of that name, such as `Europe/Berlin`: it reads
/// them from the system's files, and has no way to say that there is none. UTC and GMT
/// need no file: what Asterisk cannot find is taken for them.
pub fn is_timezone(name: &str) -> bool {
    /// Where Asterisk looks, whatever the environment says.
    const FOLDER: &str = "/usr/share/zoneinfo";
    /// What a file of a time zone begins with. Asterisk does not look.
    const MAGIC: &[u8; 4] = b"TZif";
    if matches!(name, "UTC" | "GMT") {
        return true;
    }
    // An absolute name replaces the folder, in Asterisk too.
    let mut begin = [0; 4];
    let read =
        File::open(Path::new(FOLDER).join(name)).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *MAGIC
}
