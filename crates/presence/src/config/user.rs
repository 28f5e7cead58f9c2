//! Users as they are configured.

use std::sync::Arc;

use super::section::Origin;
use super::settings::Rule;
use crate::model::contact::Contact;
use crate::model::device::DeviceTable;
use crate::model::handling::Reach;
use crate::model::publish_table::PublishTable;

pub use crate::model::input::InputKind;

/// One source of a user, in the order of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InputSpec {
    /// The kind of source.
    pub kind: InputKind,
    /// The address of a presence provider; for a source of another kind a unique name that
    /// contains a comma.
    pub address: Box<str>,
    /// The device of the source, or of the extension.
    pub device: Option<Box<str>>,
    /// The table that maps the device's states, where these are the source.
    pub table: Option<Arc<DeviceTable>>,
    /// The index of the option among the section's variables.
    pub(crate) variable: u32,
}

impl InputSpec {
    /// The extension's name, `None` for other sources.
    pub fn extension(&self) -> Option<&str> {
        match self.kind {
            InputKind::Extension { at } => Some(&self.address[usize::from(at)..]),
            _ => None,
        }
    }

    /// A device as a source.
    pub(super) fn device(
        kind: InputKind,
        device: Box<str>,
        table: Arc<DeviceTable>,
        variable: u32,
    ) -> Self {
        InputSpec {
            kind,
            // Commas keep it apart from every provider's address.
            address: format!("device,{device},{}", table.name).into(),
            device: Some(device),
            table: Some(table),
            variable,
        }
    }
}

/// The phones whose own presence is a source of a user.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Publish {
    /// The table for the devices of the extensions; `None` if these are no source.
    pub extensions: Option<Arc<PublishTable>>,
    /// Other devices, such as `PJSIP/201`, each with its table.
    pub devices: Vec<(Box<str>, Arc<PublishTable>)>,
}

/// One user, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserSpec {
    /// The name as configured.
    pub name: Arc<str>,
    /// The id that other programs know the user by, when it is not the name.
    pub id: Option<Box<str>>,
    /// The account (tenant) the user belongs to.
    pub account: Arc<str>,
    /// How the user's sources are combined.
    pub rule: Arc<Rule>,
    /// The sources in their order.
    pub inputs: Vec<InputSpec>,
    /// The index of the default extension in `inputs`.
    pub default: Option<u16>,
    /// The user's interface in queues, where the section names one.
    pub member: Option<Box<str>>,
    /// The groups of the user, each once; `None` without any. Users with equal groups share them.
    pub groups: Option<Arc<[Box<str>]>>,
    /// The directory's entry of the user; `None` where the section gives nothing of it.
    pub contact: Option<Arc<Contact>>,
    /// Endpoints, mobile, mailbox and monitored users, where the section names any.
    pub reach: Option<Box<Reach>>,
    /// The hash of the password with which the user may log in over HTTP, if there is one.
    pub password: Option<Box<str>>,
    /// The phones whose own presence is a source; `None` where the section names none: then
    /// they are the devices of the extensions, with the usual table.
    pub publish: Option<Box<Publish>>,
    /// The origin of the user's section.
    pub origin: Origin,
    /// The index of the section there; [`UserSpec::NO_SECTION`] for a user of an earlier load.
    pub(crate) section: u32,
}

impl UserSpec {
    /// The index of a user whose section is not at hand.
    pub(crate) const NO_SECTION: u32 = u32::MAX;
}
