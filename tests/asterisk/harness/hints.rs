//! Hints.

use super::instance::Instance;
use super::wait::wait_until;

/// A hint of context `default`, as `core show hints` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The device part: `Idle`, `InUse`, `Unavailable`, ...
    pub state: String,
    /// The presence part: `not_set`, `away`, ...
    pub presence: String,
    /// The number of SIP subscriptions and other watchers.
    pub watchers: usize,
}

impl Instance {
    /// The hint now. A hint follows its sources a moment later, so most tests need
    /// [`Instance::wait_hint_presence`] instead.
    #[track_caller]
    pub fn hint(&self, extension: &str) -> Hint {
        let shown = self.cli("core show hints");
        let name = format!("{extension}@default ");
        let line = shown.lines().find(|line| line.starts_with(&name));
        let line = line.unwrap_or_else(|| panic!("no hint {extension} in\n{shown}"));
        parse(line).unwrap_or_else(|| panic!("unexpected format: {line}"))
    }

    /// Waits until the hint's presence is `presence`.
    #[track_caller]
    pub fn wait_hint_presence(&self, extension: &str, presence: &str) {
        wait_until(
            &format!("hint {extension} with presence {presence}"),
            || (self.hint(extension).presence == presence).then_some(()),
        );
    }

    /// Waits until the hint's device state is `state`.
    #[track_caller]
    pub fn wait_hint_state(&self, extension: &str, state: &str) {
        wait_until(&format!("hint {extension} with state {state}"), || {
            (self.hint(extension).state == state).then_some(())
        });
    }
}

/// Parses `2000@default : HINT  State:Idle  Presence:away  Watchers  0` from the end,
/// because the hint itself may contain anything.
fn parse(line: &str) -> Option<Hint> {
    let (rest, watchers) = line.rsplit_once("Watchers")?;
    let (rest, presence) = rest.rsplit_once("Presence:")?;
    let (_, state) = rest.rsplit_once("State:")?;
    Some(Hint {
        state: state.trim().to_owned(),
        presence: presence.trim().to_owned(),
        watchers: watchers.trim().parse().ok()?,
    })
}
