//! The subscription to channels, which there is only while the calls of an account are shown.

use parking_lot::Mutex;

use crate::convert;
use crate::runtime;
use asterisk::log;
use asterisk::snapshots::ChannelEvent;
use asterisk::stasis::TopicSubscription;

/// The subscription is kept here and not in the runtime: it must not end on its own thread, and
/// a late callback may be the last to hold the runtime.
static WATCH: Mutex<WatchState> = Mutex::new(WatchState::Closed);

#[derive(Debug)]
enum WatchState {
    /// The module is not loaded.
    Closed,
    /// The module is loaded; `None` while no account shows its calls.
    Open(Option<TopicSubscription>),
}

/// Channels are watched as the configuration asks for; dropping it ends that.
#[must_use = "dropping it ends the watch"]
#[derive(Debug)]
pub struct CallWatch(());

impl CallWatch {
    /// Begins as the running configuration asks for.
    pub fn start() -> Self {
        *WATCH.lock() = WatchState::Open(None);
        follow();
        CallWatch(())
    }
}

impl Drop for CallWatch {
    fn drop(&mut self) {
        // Without the lock: it waits for a callback in progress.
        let ended = std::mem::replace(&mut *WATCH.lock(), WatchState::Closed);
        drop(ended);
    }
}

/// Subscribes or unsubscribes as the running configuration asks for, and reads the channels.
pub fn follow() {
    let Some(runtime) = runtime::current() else {
        return;
    };
    if !runtime.shows_calls() {
        let ended = match &mut *WATCH.lock() {
            WatchState::Closed => None,
            WatchState::Open(subscription) => subscription.take(),
        };
        if ended.is_some() {
            drop(ended);
            runtime.forget_calls();
        }
        return;
    }
    if matches!(*WATCH.lock(), WatchState::Open(None)) {
        let new = match TopicSubscription::channels(on_channel) {
            Ok(new) => new,
            Err(why) => return log::warning(why),
        };
        let superfluous = match &mut *WATCH.lock() {
            WatchState::Open(subscription @ None) => {
                *subscription = Some(new);
                None
            }
            _ => Some(new),
        };
        drop(superfluous);
    }
    runtime.read_calls();
}

fn on_channel(event: ChannelEvent<'_>) {
    let Some(runtime) = runtime::current() else {
        return;
    };
    match event {
        ChannelEvent::Changed(snapshot, at) => {
            let device = convert::device_of(&snapshot);
            match device.filter(|device| runtime.keeps_calls_of(device)) {
                Some(_) => convert::with_report(&snapshot, at, |report| runtime.on_call(report)),
                // A channel that has become another's.
                None => runtime.on_call_end(&String::from_utf8_lossy(snapshot.id)),
            }
        }
        ChannelEvent::Held(id, on_hold) => {
            runtime.on_call_held(&String::from_utf8_lossy(id), on_hold);
        }
    }
}
