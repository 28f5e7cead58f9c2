//! Asterisk's states and configuration, as the layer over C has them, and those of
//! [`presence`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use asterisk::config::{Category, ConfigVariable};
use asterisk::devicestate::DevState;
use asterisk::presencestate::{PresenceState, ProvidedPresence};
use asterisk::snapshots::{self, LineState, Snapshot};
use presence::calls::live::{ChannelReport, Direction, LiveState};
use presence::config::file::{ConfigEntry, ConfigOption};
use presence::config::{Section, Variable};
use presence::model::device::DeviceState;
use presence::{Presence, State, Time};

pub fn state(state: PresenceState) -> State {
    match state {
        PresenceState::NotSet => State::NotSet,
        PresenceState::Unavailable => State::Unavailable,
        PresenceState::Available => State::Available,
        PresenceState::Away => State::Away,
        PresenceState::Xa => State::Xa,
        PresenceState::Chat => State::Chat,
        PresenceState::Dnd => State::Dnd,
    }
}

pub fn presence_state(state: State) -> PresenceState {
    match state {
        State::NotSet => PresenceState::NotSet,
        State::Unavailable => PresenceState::Unavailable,
        State::Available => PresenceState::Available,
        State::Away => PresenceState::Away,
        State::Xa => PresenceState::Xa,
        State::Chat => PresenceState::Chat,
        State::Dnd => PresenceState::Dnd,
    }
}

/// The answer of a presence provider.
pub fn provided(presence: &Presence) -> ProvidedPresence {
    let (state, subtype, message) = presence.parts();
    ProvidedPresence::new(presence_state(state), subtype, message)
}

pub fn device_state(state: DevState) -> DeviceState {
    match state {
        DevState::Unknown => DeviceState::Unknown,
        DevState::NotInUse => DeviceState::NotInUse,
        DevState::InUse => DeviceState::InUse,
        DevState::Busy => DeviceState::Busy,
        DevState::Invalid => DeviceState::Invalid,
        DevState::Unavailable => DeviceState::Unavailable,
        DevState::Ringing => DeviceState::Ringing,
        DevState::RingInUse => DeviceState::RingInUse,
        DevState::OnHold => DeviceState::OnHold,
    }
}

pub fn dev_state(state: DeviceState) -> DevState {
    match state {
        DeviceState::Unknown => DevState::Unknown,
        DeviceState::NotInUse => DevState::NotInUse,
        DeviceState::InUse => DevState::InUse,
        DeviceState::Busy => DevState::Busy,
        DeviceState::Invalid => DevState::Invalid,
        DeviceState::Unavailable => DevState::Unavailable,
        DeviceState::Ringing => DevState::Ringing,
        DeviceState::RingInUse => DevState::RingInUse,
        DeviceState::OnHold => DevState::OnHold,
    }
}

pub fn section(category: Category) -> Section {
    let Category {
        name, variables, ..
    } = category;
    Section {
        name,
        variables: variables.into_iter().map(variable).collect(),
    }
}

/// A section with its templates still to be found in its text.
pub fn entry(category: Category) -> ConfigEntry {
    let Category {
        name,
        template,
        variables,
    } = category;
    let option = |it: ConfigVariable| ConfigOption {
        name: it.name,
        value: it.value,
        utf8: it.utf8,
        inherited: it.inherited,
        file: it.file,
        line: it.line,
    };
    ConfigEntry {
        name,
        template,
        templates: Vec::new(),
        options: variables.into_iter().map(option).collect(),
    }
}

fn variable(variable: ConfigVariable) -> Variable {
    let ConfigVariable {
        name,
        value,
        utf8,
        file,
        line,
        inherited: _,
    } = variable;
    Variable {
        name,
        value,
        utf8,
        file,
        line,
    }
}

/// Passes `visit` a channel's report; `since` is when it came into its state.
pub fn with_report(
    snapshot: &Snapshot<'_>,
    since: SystemTime,
    visit: impl FnOnce(&ChannelReport<'_>),
) {
    let Some(device) = device_of(snapshot) else {
        return;
    };
    let text = String::from_utf8_lossy;
    let (id, linked) = (text(snapshot.id), text(snapshot.linked));
    let [own_number, own_name] = [snapshot.caller_number, snapshot.caller_name].map(text);
    let (number, name) = (
        text(snapshot.connected_number),
        text(snapshot.connected_name),
    );
    let dialled = match snapshot.dialled {
        b"" => snapshot.extension,
        dialled => dialled,
    };
    // The number that was dialled on a channel which Asterisk calls is not the user's doing.
    let is_out = !snapshot.outgoing || snapshot.originated;
    let state = match snapshot.line {
        _ if snapshot.gone => None,
        LineState::Down => None,
        LineState::Ringing => Some(LiveState::Ringing),
        LineState::Up => Some(LiveState::Up),
    };
    visit(&ChannelReport {
        id: &id,
        device,
        linked: &linked,
        own_number: &own_number,
        own_name: &own_name,
        number: &number,
        name: &name,
        dialled: &text(if is_out { dialled } else { b"" }),
        withheld: linked != id && snapshots::withholds(&linked, &number),
        state,
        direction: if is_out {
            Direction::Out
        } else {
            Direction::In
        },
        since: time(since),
    });
}

/// The device that a channel is a call of. The second half of a Local channel is none.
pub fn device_of<'a>(snapshot: &Snapshot<'a>) -> Option<&'a str> {
    snapshot
        .device()
        .filter(|_| !snapshot.name.ends_with(b";2"))
}

fn time(at: SystemTime) -> Time {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_micros(u64::try_from(since.as_micros()).unwrap_or_default())
}

pub fn system_time(time: Time) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(time.micros())
}
