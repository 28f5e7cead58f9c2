//! Finds out how `pjsip_rx_data` is laid out.

use std::ffi::{CStr, c_void};
use std::mem::offset_of;

use super::{BODY, METHOD, POINTER, ParseFunctions};
use crate::ffi;

/// Where the parts of a request are, in bytes from its beginning.
pub(super) struct Layout {
    /// `msg_info.msg`.
    pub message: usize,
    /// `msg_info.msg_buf`, the text that was received; NULL in a request that was not received.
    pub text: usize,
    /// The address of the function that prints a body that is text.
    pub print: usize,
}

impl Layout {
    /// The pointer at that place of a request.
    ///
    /// # Safety
    /// `rdata` is such a request, and the place one of this layout.
    pub unsafe fn word(&self, rdata: *const ffi::pjsip_rx_data, place: usize) -> *const c_void {
        // SAFETY: CALLER: the place is within the structure.
        let word = unsafe { rdata.byte_add(place) };
        // SAFETY: CALLER: a pointer stands there.
        unsafe { word.cast::<*const c_void>().read_unaligned() }
    }
}

/// More than `pjsip_rx_data` takes, which has a buffer for a packet in it: 32 kB in an
/// Asterisk with its own pjproject.
const REQUEST: usize = 1 << 20;
/// More than the request takes when it is parsed.
const POOL: usize = 1 << 18;

const SOURCE: &CStr = c"198.51.100.77";
const SOURCE_PORT: i32 = 40_961;
const TEXT: &str = "<probe>request</probe>";
const HEAD: &str = "SUBSCRIBE sip:probe@192.0.2.1 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKuserpresence\r\n\
    Max-Forwards: 70\r\n\
    From: <sip:probe@192.0.2.2>;tag=userpresence\r\n\
    To: <sip:probe@192.0.2.1>\r\n\
    Call-ID: userpresence@192.0.2.2\r\n\
    CSeq: 1 SUBSCRIBE\r\n\
    Contact: <sip:probe@192.0.2.2>\r\n\
    Event: as-feature-event\r\n\
    Expires: 3600\r\n\
    Content-Type: application/x-probe+xml\r\n";

/// Has res_pjsip parse a request, and looks for what is relied on. The error is what was not
/// found.
///
/// # Safety
/// This is a thread that pjproject knows.
pub(super) unsafe fn layout(functions: &ParseFunctions) -> Result<Layout, &'static str> {
    let mut request = Memory::new(REQUEST);
    let mut pool = Memory::new(POOL);
    let text = format!("{HEAD}Content-Length: {}\r\n\r\n{TEXT}", TEXT.len());
    let mut packet = Memory::new(text.len() + 1);
    packet.bytes_mut()[..text.len()].copy_from_slice(text.as_bytes());
    let mut transport = *b"udp\0";

    let memory = pool.bytes_mut().as_mut_ptr().cast();
    // SAFETY: CALLER, PJSIP-FUNCTIONS: it allocates from that memory alone.
    let made = unsafe { (functions.pool)(c"userpresence".as_ptr(), memory, POOL) };
    if made.is_null() {
        return Err("no pool");
    }
    // The pool is the first member (`tp_info.pool`).
    request.bytes_mut()[..POINTER].copy_from_slice(&(made as usize).to_ne_bytes());
    // SAFETY: CALLER, PJSIP-FUNCTIONS: it fills in the request, which is larger than the
    // structure, zeroed, and has a pool; it reads the texts, and writes to the packet and the
    // memory of the pool, all of which live to the end of this function.
    let failed = unsafe {
        (functions.create)(
            request.bytes_mut().as_mut_ptr().cast(),
            packet.bytes_mut().as_mut_ptr().cast(),
            SOURCE.as_ptr(),
            SOURCE_PORT,
            transport.as_mut_ptr().cast(),
            c"198.51.100.78".as_ptr(),
            5060,
            std::ptr::null(),
        )
    };
    if failed != 0 {
        return Err("a request is not parsed");
    }
    let body = packet.address() + text.len() - TEXT.len();
    find(&request, &pool, &packet, body)
}

/// Looks for the message of a parsed request: res_pjsip has copied the name of its source into
/// the structure, followed by its port; the part with the message is next.
fn find(
    request: &Memory,
    pool: &Memory,
    packet: &Memory,
    body: usize,
) -> Result<Layout, &'static str> {
    let places = request.places_of(SOURCE.to_bytes_with_nul());
    let source = *places.first().ok_or("no source")?;
    if places.len() > 1 {
        return Err("two sources");
    }
    // `char src_name[PJ_INET6_ADDRSTRLEN]; int src_port;`
    let port = align(source + 46, 4);
    if request.int(port) != Some(SOURCE_PORT) {
        return Err("no port");
    }
    // `char *msg_buf; int len; pjsip_msg *msg;`, the first two of which stay 0 in a request
    // that was not received.
    let text = align(port + 4, POINTER);
    let message = text + 2 * POINTER;
    if request.word(text) != Some(0) || request.word(text + POINTER) != Some(0) {
        return Err("no place for the text");
    }
    // An empty list of the parser's errors follows: two pointers to itself.
    let is_list = |place: &usize| {
        let address = Some(request.address() + *place);
        request.word(*place) == address && request.word(*place + POINTER) == address
    };
    let after = (3..32).map(|word| message + word * POINTER);
    if after.filter(is_list).count() != 1 {
        return Err("no list of errors");
    }
    let found = request.word(message).ok_or("no message")?;
    let print = text_body(pool, packet, found, body)?;
    Ok(Layout {
        message,
        text,
        print,
    })
}

/// Whether that is the message whose body is the known text: the function that prints it.
fn text_body(
    pool: &Memory,
    packet: &Memory,
    message: usize,
    expected: usize,
) -> Result<usize, &'static str> {
    let message = pool.place(message).ok_or("the message is elsewhere")?;
    if pool.int(message) != Some(0) {
        return Err("no request");
    }
    let is = |place: Option<usize>, text: &str| {
        let address = place.and_then(|place| pool.word(place));
        let length = place.and_then(|place| pool.word(place + POINTER));
        length == Some(text.len())
            && address.is_some_and(|address| {
                [pool, packet].iter().any(|memory| {
                    let place = memory.place(address);
                    place.and_then(|at| memory.bytes().get(at..at + text.len()))
                        == Some(text.as_bytes())
                })
            })
    };
    if !is(Some(message + METHOD), "SUBSCRIBE") {
        return Err("no method");
    }
    let body = pool.word(message + BODY).and_then(|at| pool.place(at));
    let part = |offset: usize| body.map(|body| body + offset);
    let kind = offset_of!(ffi::pjsip_msg_body, content_type);
    if !is(
        part(kind + offset_of!(ffi::pjsip_media_type, type_)),
        "application",
    ) || !is(
        part(kind + offset_of!(ffi::pjsip_media_type, subtype)),
        "x-probe+xml",
    ) {
        return Err("no content type");
    }
    let data = part(offset_of!(ffi::pjsip_msg_body, data));
    if data.and_then(|place| pool.word(place)) != Some(expected) {
        return Err("no body");
    }
    let length = part(offset_of!(ffi::pjsip_msg_body, len)).and_then(|place| pool.int(place));
    if length != i32::try_from(TEXT.len()).ok() {
        return Err("no length");
    }
    let print = part(offset_of!(ffi::pjsip_msg_body, print_body));
    match print.and_then(|place| pool.word(place)) {
        None | Some(0) => Err("no print function"),
        Some(print) => Ok(print),
    }
}

fn align(place: usize, to: usize) -> usize {
    place.next_multiple_of(to)
}

/// Zeroed memory that pjproject fills, aligned for any structure, and that is read within its
/// bounds.
struct Memory {
    bytes: Vec<u8>,
    begin: usize,
}

impl Memory {
    const ALIGNMENT: usize = 16;

    fn new(size: usize) -> Self {
        let bytes = vec![0_u8; size + Self::ALIGNMENT];
        let begin = bytes.as_ptr().align_offset(Self::ALIGNMENT);
        Memory { bytes, begin }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[self.begin..]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.begin..]
    }

    fn address(&self) -> usize {
        self.bytes().as_ptr() as usize
    }

    /// Where in the memory that address is.
    fn place(&self, address: usize) -> Option<usize> {
        let place = address.checked_sub(self.address())?;
        (place < self.bytes().len()).then_some(place)
    }

    /// Where the text is. Most of the memory is zero, and is skipped.
    fn places_of(&self, text: &[u8]) -> Vec<usize> {
        const BLOCK: usize = 256;
        let bytes = self.bytes();
        let mut places = Vec::new();
        for begin in (0..bytes.len()).step_by(BLOCK) {
            let end = bytes.len().min(begin + BLOCK);
            if bytes[begin..end] == [0; BLOCK][..end - begin] {
                continue;
            }
            let all = begin..end;
            places.extend(all.filter(|place| bytes[*place..].starts_with(text)));
        }
        places
    }

    fn word(&self, place: usize) -> Option<usize> {
        let bytes = self.bytes().get(place..place.checked_add(POINTER)?)?;
        Some(usize::from_ne_bytes(bytes.try_into().ok()?))
    }

    fn int(&self, place: usize) -> Option<i32> {
        let bytes = self.bytes().get(place..place.checked_add(4)?)?;
        Some(i32::from_ne_bytes(bytes.try_into().ok()?))
    }
}
