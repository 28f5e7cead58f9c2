//! The kind of a target. For a target that Asterisk stores in AstDB, the entry in AstDB tells
//! an absent value from an empty one; reading the target does not.

use crate::model::address::{CUSTOM_LABEL, below};

/// The kind of a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TargetKind<'a> {
    /// `DB(family/key)`.
    Database(&'a str, &'a str),
    /// `DEVICE_STATE(Custom:name)`.
    CustomDevice(&'a str),
    /// `PRESENCE_STATE(CustomPresence:name)`.
    CustomPresence(&'a str),
    /// `USER_PRESENCE(user)`: reading it does not return the value that was set.
    UserStatus(&'a str),
    /// Any other function.
    Function,
}

impl<'a> TargetKind<'a> {
    /// The kind of a target such as `DB(DND/200)`.
    pub fn of(target: &'a str) -> Self {
        let Some((name, args)) = split(target) else {
            return TargetKind::Function;
        };
        // Asterisk removes quotes and backslashes itself, so the arguments are not split here.
        if args.contains(['"', '\\', ',']) {
            return TargetKind::Function;
        }
        match name {
            "DB" => match args.split_once('/') {
                Some((family, key)) if !family.is_empty() && !key.is_empty() => {
                    TargetKind::Database(family, key)
                }
                _ => TargetKind::Function,
            },
            "DEVICE_STATE" | "DEVSTATE" => match below(args, "Custom") {
                Some(device) if !device.is_empty() => TargetKind::CustomDevice(device),
                _ => TargetKind::Function,
            },
            "PRESENCE_STATE" => match below(args, CUSTOM_LABEL) {
                Some(name) if !name.is_empty() => TargetKind::CustomPresence(name),
                _ => TargetKind::Function,
            },
            "USER_PRESENCE" => TargetKind::UserStatus(args.trim()),
            _ => TargetKind::Function,
        }
    }

    /// Family and key of the target's entry in AstDB; `None` without an entry.
    pub fn entry(self) -> Option<(&'a str, &'a str)> {
        match self {
            TargetKind::Database(family, key) => Some((family, key)),
            TargetKind::CustomDevice(device) => Some(("CustomDevstate", device)),
            TargetKind::CustomPresence(name) => Some((CUSTOM_LABEL, name)),
            TargetKind::UserStatus(_) | TargetKind::Function => None,
        }
    }
}

/// Splits a target into its function and arguments; `None` for another form.
pub fn split(target: &str) -> Option<(&str, &str)> {
    let (name, rest) = target.split_once('(')?;
    Some((name, rest.strip_suffix(')')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_in_astdb_have_an_entry() {
        let entry = |target| TargetKind::of(target).entry();
        assert_eq!(entry("DB(a/b/c)"), Some(("a", "b/c")));
        assert_eq!(
            entry("DEVICE_STATE(custom:x)"),
            Some(("CustomDevstate", "x"))
        );
        let custom = "PRESENCE_STATE(CustomPresence:200)";
        assert_eq!(entry(custom), Some(("CustomPresence", "200")));
        for function in [
            "GLOBAL(x)",
            "DB(a)",
            "DB(\"a\"/b)",
            "DEVICE_STATE(PJSIP/1)",
            "x",
        ] {
            assert_eq!(entry(function), None, "{function}");
        }
    }
}
