//! What a hint of the dialplan names, such as `PJSIP/2000,UserPresence:alice`.

use super::address::{USER_LABEL, below};

/// The parts of a hint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HintParts<'a> {
    /// The devices before the comma, separated by `&`; may be empty.
    pub devices: &'a str,
    /// The presence addresses after the comma, separated by `&`; may be empty.
    pub presences: &'a str,
}

impl<'a> HintParts<'a> {
    /// Splits what a hint names.
    pub fn new(names: &'a str) -> Self {
        let (devices, presences) = names.split_once(',').unwrap_or((names, ""));
        HintParts {
            devices: devices.trim(),
            presences: presences.trim(),
        }
    }

    /// The users in the presence part.
    pub fn users(self) -> impl Iterator<Item = &'a str> {
        let addresses = self.presences.split('&').map(str::trim);
        addresses.filter_map(|address| below(address, USER_LABEL))
    }

    /// Whether the presence part names a user of this module.
    pub fn has_user(self) -> bool {
        self.users().next().is_some()
    }

    /// Whether the hint has a device. Without one, Asterisk shows `Unavailable`.
    pub fn has_device(self) -> bool {
        !self.devices.is_empty()
    }
}

/// Which of the hints of one extension, in several contexts, a phone watches: the hint of
/// this module, or `None` if it is another's. Phones do not say which context they watch, so
/// where only some of the hints name users, or the hints differ, `is_current` decides: whether
/// one of the hint's users has the presence that the phone is told.
pub fn told_of<'a>(
    hints: impl Iterator<Item = HintParts<'a>> + Clone,
    mut is_current: impl FnMut(HintParts<'a>) -> bool,
) -> Option<HintParts<'a>> {
    let mut own = hints.clone().filter(|hint| hint.has_user());
    let first = own.next()?;
    let mixed = hints.clone().any(|hint| !hint.has_user());
    let alike = !mixed && own.all(|hint| hint.has_device() == first.has_device());
    if alike {
        return Some(first);
    }
    let mut own = hints.filter(|hint| hint.has_user());
    let current = own.find(|hint| is_current(*hint));
    current.or_else(|| (!mixed).then_some(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_devices_and_users() {
        let hint = HintParts::new("PJSIP/1&PJSIP/2,CustomPresence:1&userpresence:Alice");
        assert!(hint.has_user() && hint.has_device());
        assert_eq!(hint.users().collect::<Vec<_>>(), ["Alice"]);
        let hint = HintParts::new(",UserPresence:alice");
        assert!(hint.has_user() && !hint.has_device());
        // Without the comma it is a device.
        for other in ["UserPresence:alice", "PJSIP/1,CustomPresence:1", ""] {
            assert!(!HintParts::new(other).has_user(), "{other}");
        }
    }

    #[test]
    fn hints_of_one_extension_in_several_contexts() {
        let told = |names: &[&'static str], current: &'static str| {
            let hints = names.iter().map(|names| HintParts::new(names));
            told_of(hints, |hint| hint.users().any(|user| user == current))
        };
        let (own, other) = ("PJSIP/1,UserPresence:alice", "PJSIP/1,CustomPresence:1");
        let bare = ",UserPresence:bob";
        assert_eq!(told(&[], ""), None);
        assert_eq!(told(&[other], "alice"), None);
        assert_eq!(told(&[own], ""), Some(HintParts::new(own)));
        assert_eq!(told(&[own, own], ""), Some(HintParts::new(own)));
        assert_eq!(told(&[other, own], "alice"), Some(HintParts::new(own)));
        assert_eq!(told(&[other, own], "nobody"), None);
        assert_eq!(told(&[own, bare], "bob"), Some(HintParts::new(bare)));
        assert_eq!(told(&[own, bare], "nobody"), Some(HintParts::new(own)));
    }
}
