//! The rights of people over their own settings: what they may set, and where they may forward
//! calls to.

use super::pattern::ExtensionPattern;
use super::words::words;

words! {
    /// A part of a user's own settings.
    pub enum OwnArea: "part of the own settings" {
        /// Where calls go: forwards.
        Handling = "handling",
        /// The mobile number.
        Mobile = "mobile",
        /// What a status does: queues, do not disturb, follow me.
        Actions = "actions",
        /// The statuses of logins and logouts.
        Login = "login",
        /// The note of a status.
        Note = "note",
        /// Who may see the presence.
        Visibility = "visibility",
    }
}

words! {
    /// A kind of target for a user's own forwards.
    pub enum OwnTargetKind: "kind of target" {
        /// An extension of another user of the same account.
        Internal = "internal",
        /// The user's own mailbox.
        Voicemail = "voicemail",
        /// The user's own mobile, as it is configured.
        Mobile = "mobile",
    }
}

/// What a user may set, and where the user may forward calls to.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct OwnRights {
    /// The parts of the own settings that the user may set.
    pub areas: Vec<OwnArea>,
    /// The kinds of targets that are allowed.
    pub kinds: Vec<OwnTargetKind>,
    /// The extensions and numbers that are allowed besides.
    pub patterns: Vec<ExtensionPattern>,
}

impl Default for OwnRights {
    /// Everything but forwards to numbers outside.
    fn default() -> Self {
        OwnRights {
            areas: OwnArea::ALL.into(),
            kinds: OwnTargetKind::ALL.into(),
            patterns: Vec::new(),
        }
    }
}

impl OwnRights {
    /// Whether the user may set this part.
    pub fn may_set(&self, area: OwnArea) -> bool {
        self.areas.contains(&area)
    }

    /// Whether targets of this kind are allowed.
    pub fn allows(&self, kind: OwnTargetKind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Whether a pattern allows the extension or number.
    pub fn allows_number(&self, number: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(number))
    }

    /// The allowed targets, in the form of the option `own_forward`; empty for none.
    pub fn targets(&self) -> Vec<String> {
        let kinds = self.kinds.iter().map(ToString::to_string);
        let patterns = self.patterns.iter().map(ToString::to_string);
        kinds.chain(patterns).collect()
    }
}
