//! What Asterisk says of channels: `asterisk/stasis_channels.h`.

use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::stasis::MessageType;
use super::text::{self, CText};
use super::{channels, ffi};

/// Whether a channel rings or talks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineState {
    /// Neither: nothing rings yet, or the channel is about to end.
    Down,
    /// It rings, here or at the other side.
    Ringing,
    /// It was answered.
    Up,
}

/// A channel at one moment. Texts need not be UTF-8, and are empty where nothing is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Snapshot<'a> {
    /// The unique id, which no later channel has.
    pub id: &'a [u8],
    /// The name, such as `PJSIP/200-00000001`.
    pub name: &'a [u8],
    /// The id of the channel with which the call began.
    pub linked: &'a [u8],
    /// The number of the channel's own party.
    pub caller_number: &'a [u8],
    /// The name of the channel's own party.
    pub caller_name: &'a [u8],
    /// The number of the other party.
    pub connected_number: &'a [u8],
    /// The name of the other party.
    pub connected_name: &'a [u8],
    /// The number that was dialled on the channel.
    pub dialled: &'a [u8],
    /// The extension at which the channel is in the dialplan.
    pub extension: &'a [u8],
    /// When the channel was created.
    pub created: SystemTime,
    /// Whether it rings or talks.
    pub line: LineState,
    /// Whether Asterisk calls the channel's device.
    pub outgoing: bool,
    /// Whether Asterisk does so for a program, and not for a caller.
    pub originated: bool,
    /// Whether the channel has ended.
    pub gone: bool,
}

impl<'a> Snapshot<'a> {
    /// The device that the channel is a call of.
    pub fn device(&self) -> Option<&'a str> {
        channels::device_of(std::str::from_utf8(self.name).ok()?)
    }
}

/// A change of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChannelEvent<'a> {
    /// The channel is like this since that time.
    Changed(Snapshot<'a>, SystemTime),
    /// The channel of this id puts the other party on hold, or resumes the call.
    Held(&'a [u8], bool),
}

/// The type of the messages with snapshots; `None` if Asterisk does not publish them.
pub(super) fn message_type() -> Option<MessageType> {
    // SAFETY: HOST-GLOBALS: a type of the core's, or NULL.
    let raw = unsafe { ffi::ast_channel_snapshot_type() };
    // SAFETY: HOST-GLOBALS: it lives until the core ends.
    unsafe { MessageType::new(raw) }
}

fn hold_type() -> Option<MessageType> {
    // SAFETY: HOST-GLOBALS: a type of the core's, or NULL.
    let raw = unsafe { ffi::ast_channel_hold_type() };
    // SAFETY: HOST-GLOBALS: it lives until the core ends.
    unsafe { MessageType::new(raw) }
}

fn resume_type() -> Option<MessageType> {
    // SAFETY: HOST-GLOBALS: a type of the core's, or NULL.
    let raw = unsafe { ffi::ast_channel_unhold_type() };
    // SAFETY: HOST-GLOBALS: it lives until the core ends.
    unsafe { MessageType::new(raw) }
}

/// The types of the messages about holds.
pub(super) fn hold_types() -> impl Iterator<Item = MessageType> {
    hold_type().into_iter().chain(resume_type())
}

/// Calls `visit` with the event of a message.
///
/// # Safety
/// `message` is a live message of type `kind`, which is [`message_type`] or one of
/// [`hold_types`].
pub(super) unsafe fn with_event(
    kind: MessageType,
    message: *const ffi::stasis_message,
    visit: impl FnOnce(ChannelEvent<'_>),
) {
    // SAFETY: CALLER: a live message.
    let data = unsafe { ffi::stasis_message_data(message) };
    if data.is_null() {
        return;
    }
    if Some(kind) == message_type() {
        // SAFETY: MESSAGE-DATA: a message of this type carries this structure.
        let snapshot = unsafe { ffi::shim_snapshot_after(data) };
        // SAFETY: CALLER: a live message.
        let time = unsafe { ffi::stasis_message_timestamp(message) };
        // SAFETY: CALLER, MESSAGE-DATA: it lives as long as the message, and never changes.
        let time = unsafe { time.as_ref() };
        if let (Some(snapshot), Some(time)) = (NonNull::new(snapshot.cast_mut()), time) {
            // SAFETY: MESSAGE-DATA: it lives as long as the message.
            let snapshot = unsafe { read(snapshot) };
            visit(ChannelEvent::Changed(snapshot, system_time(*time)));
        }
        return;
    }
    // SAFETY: MESSAGE-DATA: a message about a hold carries this structure.
    let id = unsafe { ffi::shim_blob_channel(data.cast()) };
    // SAFETY: MESSAGE-DATA: NULL, or a C string that lives as long as the message.
    let id = unsafe { text::bytes(id) };
    visit(ChannelEvent::Held(id, Some(kind) == hold_type()));
}

/// # Safety
/// The snapshot stays for `'a`.
unsafe fn read<'a>(snapshot: NonNull<ffi::ast_channel_snapshot>) -> Snapshot<'a> {
    let mut read = MaybeUninit::<ffi::shim_snapshot>::uninit();
    // SAFETY: CALLER: a live snapshot, and a place for what it says.
    unsafe { ffi::shim_snapshot_read(snapshot.as_ptr(), read.as_mut_ptr()) };
    // SAFETY: CALLER: the shim has filled the whole structure.
    let read = unsafe { read.assume_init() };
    // SAFETY: CALLER, MESSAGE-DATA: a text of the snapshot, which is immutable.
    let bytes = |text| unsafe { text::bytes(text) };
    Snapshot {
        id: bytes(read.id),
        name: bytes(read.name),
        linked: bytes(read.linked),
        caller_number: bytes(read.caller_number),
        caller_name: bytes(read.caller_name),
        connected_number: bytes(read.connected_number),
        connected_name: bytes(read.connected_name),
        dialled: bytes(read.dialled),
        extension: bytes(read.extension),
        created: system_time(read.created),
        line: match read.line {
            ffi::SHIM_LINE_UP => LineState::Up,
            ffi::SHIM_LINE_RINGING => LineState::Ringing,
            _ => LineState::Down,
        },
        outgoing: read.outgoing != 0,
        originated: read.originated != 0,
        gone: read.gone != 0,
    }
}

pub(super) fn system_time(time: ffi::timeval) -> SystemTime {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let micros = u64::try_from(time.tv_usec).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros)
}

/// The latest snapshot of a channel.
///
/// # Invariants
/// The value owns a reference to the snapshot, which is given back once.
struct LatestSnapshot(NonNull<ffi::ast_channel_snapshot>);

impl LatestSnapshot {
    /// The snapshot of the channel of that id; `None` once the channel has ended.
    fn of(id: &str) -> Option<Self> {
        let id = CText::new(id).ok().filter(|_| !id.is_empty())?;
        // SAFETY: HOST-COPIES, HOST-OBJECTS: a C string; NULL, or a snapshot with a reference.
        NonNull::new(unsafe { ffi::ast_channel_snapshot_get_latest(id.as_ptr()) })
            .map(LatestSnapshot)
    }
}

impl Drop for LatestSnapshot {
    fn drop(&mut self) {
        // SAFETY: INVARIANT, HOST-OBJECTS: the value's reference, given back once.
        unsafe { ffi::__ao2_cleanup(self.0.as_ptr().cast()) };
    }
}

/// Whether Asterisk has a channel of that id still.
pub fn exists(id: &str) -> bool {
    LatestSnapshot::of(id).is_some()
}

/// The devices that the channel of that id and the channel with which its call began are calls
/// of.
pub fn devices(id: &str) -> Vec<String> {
    let Some(latest) = LatestSnapshot::of(id) else {
        return Vec::new();
    };
    // SAFETY: INVARIANT: it lives as long as `latest`.
    let snapshot = unsafe { read(latest.0) };
    let linked = Some(String::from_utf8_lossy(snapshot.linked)).filter(|linked| **linked != *id);
    let first = linked.and_then(|linked| LatestSnapshot::of(&linked));
    // SAFETY: INVARIANT: it lives as long as `first`.
    let first = first.as_ref().map(|first| unsafe { read(first.0) });
    let both = [Some(snapshot), first].into_iter().flatten();
    both.filter_map(|snapshot| snapshot.device().map(str::to_owned))
        .collect()
}

/// Whether `number` is that of the channel of that id, whose caller withholds it.
pub fn withholds(id: &str, number: &str) -> bool {
    let Some(latest) = LatestSnapshot::of(id) else {
        return false;
    };
    // SAFETY: INVARIANT: a live snapshot.
    let withheld = unsafe { ffi::shim_snapshot_withheld(latest.0.as_ptr()) };
    // SAFETY: MESSAGE-DATA: NULL, or a C string that lives as long as the snapshot.
    !withheld.is_null() && unsafe { text::bytes(withheld) } == number.as_bytes()
}

/// Calls `visit` with each channel that is a call of a device for which `is_wanted` holds; with
/// when it was answered, and whether it has the other party on hold. No lock is held meanwhile.
pub fn each(
    is_wanted: impl Fn(&str) -> bool,
    mut visit: impl FnMut(Snapshot<'_>, Option<SystemTime>, bool),
) {
    for channel in channels::of_devices(is_wanted) {
        if let Some(latest) = LatestSnapshot::of(&channel.id()) {
            // SAFETY: INVARIANT: it lives as long as `latest`.
            let snapshot = unsafe { read(latest.0) };
            visit(snapshot, channel.answered(), channel.held().is_some());
        }
    }
}
