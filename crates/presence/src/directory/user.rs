//! A user as configured, and what the user reads.

use std::sync::Arc;

use super::{AccountId, DeviceId, Publishers, SourceId};
use crate::config::{InputKind, Origin, Rule};
use crate::model::contact::Contact;
use crate::model::handling::Reach;
use crate::model::visibility::same_group;

/// A source that a user reads.
#[derive(Debug)]
pub struct Input {
    /// The source.
    pub source: SourceId,
    /// The kind of source.
    pub kind: InputKind,
    /// The device's number; [`Input::NO_DEVICE`] without a device. An `Option` takes twice the
    /// memory.
    pub(super) device: u32,
}

impl Input {
    pub(super) const NO_DEVICE: u32 = u32::MAX;

    /// Whether the input is an extension.
    pub fn is_extension(&self) -> bool {
        matches!(self.kind, InputKind::Extension { .. })
    }

    /// The device that the input reads, or that belongs to an extension.
    pub fn device(&self) -> Option<DeviceId> {
        (self.device != Self::NO_DEVICE).then_some(DeviceId(self.device))
    }

    /// The phone on which the user is called. A meeting or a custom device state is no phone.
    pub fn phone(&self) -> Option<DeviceId> {
        self.device().filter(|_| self.kind.is_phone())
    }
}

/// A user as configured.
#[derive(Debug)]
pub struct User {
    /// The name in its canonical spelling.
    pub name: Arc<str>,
    /// The id by which other programs know the user, if it is not the name.
    pub id: Option<Box<str>>,
    /// The account that the user belongs to.
    pub account: AccountId,
    /// The rule that combines the sources, and the user's other settings.
    pub rule: Arc<Rule>,
    /// The sources that the user reads, in the order of the configuration.
    pub inputs: Box<[Input]>,
    /// The default extension, as an index into `inputs`.
    pub default: Option<u16>,
    /// The user's interface in queues, if it is configured.
    pub member: Option<Box<str>>,
    /// The groups of the user, if any are configured.
    pub groups: Option<Arc<[Box<str>]>>,
    /// The directory's entry of the user, if anything of it is configured.
    pub contact: Option<Arc<Contact>>,
    /// How the user is reached, if anything is configured.
    pub reach: Option<Box<Reach>>,
    /// The hash of the password with which the user may log in over HTTP, if there is one.
    pub password: Option<Box<str>>,
    /// The phones whose own presence is a source, if the configuration names any.
    pub publishers: Option<Box<Publishers>>,
    /// Where the user is configured.
    pub origin: Origin,
    /// Whether own status is one of the sources. It is only if a status is written to no
    /// extension; otherwise no phone could ever clear it.
    pub own_combines: bool,
    /// 0 for a user that reads no user, else one more than the deepest user that it reads.
    pub depth: u32,
}

impl User {
    /// The id by which other programs know the user; the name if no id is configured.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.name)
    }

    /// The name that is shown to people: the one in the directory, or else the user's name.
    pub fn display_name(&self) -> &str {
        let contact = self.contact.as_deref().map_or("", |contact| &contact.name);
        if contact.is_empty() {
            &self.name
        } else {
            contact
        }
    }

    /// Whether the user belongs to the group, ignoring case.
    pub fn is_in_group(&self, group: &str) -> bool {
        let mut groups = self.groups.iter().flat_map(|groups| groups.iter());
        groups.any(|own| same_group(own, group))
    }
}
