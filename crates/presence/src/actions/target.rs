//! What is behind a target: for what Asterisk keeps in AstDB, the entry there. It
//! tells what is absent from what is empty, and is told apart by nothing else.

use crate::model::address::{CUSTOM_LABEL, below};

/// What a target writes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TargetKind<'a> {
    /// `DB(family/key)`.
    Database(&'a str, &'a str),
    /// `DEVICE_STATE(Custom:name)`.
    CustomDevice(&'a str),
    /// `PRESENCE_STATE(CustomPresence:name)`.
    CustomPresence(&'a str),
    /// `USER_PRESENCE(user)`: what that reads is not what it was set to.
    UserStatus(&'a str),
    /// Any other function.
    Function,
}

impl<'a> TargetKind<'a> {
    /// What is behind the target.
    pub fn of(target: &'a str) -> Self {
        let Some((name, args)) = split(target) else {
            return TargetKind::Function;
        };
        // Where Asterisk would take quotes and backslashes out, it is left to do so.
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

    /// Family and key in AstDB.
    pub fn entry(self) -> Option<(&'a str, &'a str)> {
        match self {
            TargetKind::Database(family, key) => Some((family, key)),
            TargetKind::CustomDevice(device) => Some(("CustomDevstate", device)),
            TargetKind::CustomPresence(name) => Some((CUSTOM_LABEL, name)),
            TargetKind::UserStatus(_) | TargetKind::Function => None,
        }
    }
}

/// Name and arguments of a target.
pub fn split(target: &str) -> Option<(&str, &str)> {
    let (name, rest) = target.split_once('(')?;
    Some((name, rest.strip_suffix(')')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asterisk_keeps_is_known() {
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
