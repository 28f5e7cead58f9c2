//! Time ranges as the dialplan's `GotoIfTime` takes them: `asterisk/pbx.h`; time zones and
//! their clocks: `asterisk/localtime.h`.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::ptr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::ffi;
use super::slack::WithSlack;
use super::text::CText;

/// Whether a moment lies within a range such as `09:00-17:00,mon-fri,*,*`, by the clocks of a
/// time zone; an empty time zone is the system's own. A range includes its last minute.
///
/// Asterisk logs and ignores parts of a range that it cannot read, and takes an unknown time
/// zone for GMT: check the range's form before, and the time zone with [`is_timezone`].
pub fn matches(range: &str, timezone: &str, at: SystemTime) -> bool {
    let (Ok(range), Ok(timezone)) = (CText::new(range), CText::new(timezone)) else {
        return false;
    };
    // A field that Asterisk leaves as it is matches nothing.
    let mut timing = WithSlack::new(ffi::ast_timing {
        hastime: 0,
        monthmask: 0,
        daymask: 0,
        dowmask: 0,
        minmask: [0; 48],
        timezone: ptr::null_mut(),
    });
    // SAFETY: HOST-COPIES: a C string, and room for the result.
    unsafe { ffi::ast_build_timing(timing.as_mut_ptr(), range.as_ptr()) };
    let zoned = WithSlack::new(ffi::ast_timing {
        timezone: timezone.as_ptr().cast_mut(),
        ..*timing.get()
    });
    // SAFETY: HOST-COPIES: the time zone is only read, although its pointer is to mutable.
    let matches = unsafe { ffi::ast_check_timing2(zoned.as_ptr(), timeval(at)) };
    // SAFETY: HOST-ALLOCATOR: built above, and destroyed once.
    unsafe { ffi::ast_destroy_timing(timing.as_mut_ptr()) };
    matches != 0
}

/// The minutes since midnight, 0 to 1439, on the clocks of a time zone that [`is_timezone`]
/// knows; an empty time zone is the system's own.
pub fn minute_of_day(timezone: &str, at: SystemTime) -> u32 {
    let zone = CText::new(timezone).ok();
    let zone = zone.as_ref().filter(|_| !timezone.is_empty());
    let zone = zone.map_or(ptr::null(), CText::as_ptr);
    // SAFETY: ZERO-VALUE: numbers, and a pointer that may be NULL.
    let mut shown = WithSlack::new(unsafe { std::mem::zeroed::<ffi::ast_tm>() });
    // SAFETY: HOST-COPIES: NULL or a C string, and room for the result.
    unsafe { ffi::ast_localtime(&timeval(at), shown.as_mut_ptr(), zone) };
    let shown = shown.get();
    let minutes = shown.tm_hour * 60 + shown.tm_min;
    u32::try_from(minutes).unwrap_or(0)
}

/// C's own types are not equally wide everywhere.
fn timeval(at: SystemTime) -> ffi::timeval {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    ffi::timeval {
        tv_sec: since.as_secs() as _,
        tv_usec: since.subsec_micros() as _,
    }
}

/// Whether Asterisk knows a time zone of that name, such as `Europe/Berlin`. Asterisk reads
/// them from the system's files, and does not report that there is none. UTC and GMT need no
/// file: Asterisk takes a time zone that it cannot find for them.
pub fn is_timezone(name: &str) -> bool {
    /// The folder that Asterisk reads, whatever the environment says.
    const FOLDER: &str = "/usr/share/zoneinfo";
    /// The first bytes of a file of a time zone, which Asterisk does not check.
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
