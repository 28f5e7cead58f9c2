//! The settings of `[general]` and the rules of users.

use std::sync::Arc;

use super::{Cluster, Definitions, Http, Node, Webhook};
use crate::actions::{ActionBlock, Functions};
use crate::combine::{Method, Order, Ranks};
use crate::model::device::PresenceTable;
use crate::model::feature_keys::DndKey;
use crate::model::handling::Calls;
use crate::model::own_rights::OwnRights;
use crate::model::state::{Presence, State};
use crate::model::status::{StatusType, Statuses};
use crate::model::visibility::Visibility;
use crate::model::words::words;

words! {
    /// Where a status that is set for a user goes.
    #[derive(Default)]
    pub enum Outgoing: "value" {
        /// To every extension of the user.
        #[default]
        All = "all",
        /// To the default extension.
        Default = "default",
        /// Nowhere: it remains the user's own status.
        None = "none",
    }
}

/// Time ranges, and the status outside of them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Hash)]
pub struct Schedule {
    /// The ranges in the form of `GotoIfTime`; empty without a schedule.
    pub ranges: Vec<Box<str>>,
    /// The time zone, such as `Europe/Berlin`; empty for the system's.
    pub timezone: Box<str>,
    /// The presence outside of all ranges.
    pub outside: Presence,
}

impl Schedule {
    /// The address of the schedule among a user's sources. It contains a comma, which no
    /// address of a presence provider does.
    pub fn key(&self) -> String {
        let outside = &self.outside;
        let (state, subtype, message) = (outside.state(), outside.subtype(), outside.message());
        let ranges = self.ranges.join("|");
        format!(
            "schedule,{ranges},{},{state},{subtype},{message}",
            self.timezone
        )
    }
}

/// The statuses that login and logout set.
#[derive(Clone, PartialEq, Eq, Debug, Default, Hash)]
pub struct LoginStatuses {
    /// When the first panel logs in.
    pub login: Option<Arc<StatusType>>,
    /// When the last panel logs out.
    pub logout: Option<Arc<StatusType>>,
    /// When the first of the extensions' devices becomes reachable.
    pub register: Option<Arc<StatusType>>,
    /// When the last of them becomes unreachable.
    pub unregister: Option<Arc<StatusType>>,
    /// Whether they replace a status that a person chose.
    pub overrides: bool,
}

/// The settings that `[general]` gives for all users and that a user's section may override.
/// Users with equal settings share one rule.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Rule {
    /// Whether extensions are read and written.
    pub enabled: bool,
    /// How sources are combined.
    pub method: Method,
    /// The order of `method = priority`.
    pub order: Order,
    /// `order`, ready for comparing.
    pub ranks: Ranks,
    /// Where a status that is set goes.
    pub outgoing: Outgoing,
    /// The prefix that turns an extension into its address.
    pub presence_prefix: Arc<str>,
    /// The prefix that turns an extension into its device.
    pub device_prefix: Arc<str>,
    /// Whether the extensions' devices are sources.
    pub use_devices: bool,
    /// Whether an extension whose device is unavailable is left out while another extension
    /// is reachable.
    pub ignore_unreachable: bool,
    /// The device state that a lamp shows for a state.
    pub lamp_table: Arc<PresenceTable>,
    /// The device state that a queue sees for a state.
    pub queue_table: Arc<PresenceTable>,
    /// The time ranges, and the status outside of them.
    pub schedule: Schedule,
    /// The statuses that login and logout set.
    pub login: LoginStatuses,
    /// The actions of status changes, in the order in which they are listed.
    pub actions: Vec<Arc<ActionBlock>>,
    /// The assignments behind `dnd` and `followme` of the actions.
    pub functions: Arc<Functions>,
    /// How calls are routed.
    pub calls: Calls,
    /// What the DND key of a phone sets.
    pub dnd_key: DndKey,
    /// What a user may set, and where the user may forward calls to.
    pub own_rights: OwnRights,
    /// Who may see the presence, unless the user has set it.
    pub visibility: Visibility,
}

impl Default for Rule {
    fn default() -> Self {
        let order = Order::default();
        let table = Arc::<PresenceTable>::default();
        Rule {
            enabled: true,
            method: Method::default(),
            order,
            ranks: Ranks::from(&order),
            outgoing: Outgoing::default(),
            presence_prefix: "CustomPresence:".into(),
            device_prefix: "PJSIP/".into(),
            use_devices: false,
            ignore_unreachable: true,
            lamp_table: table.clone(),
            queue_table: table,
            schedule: Schedule {
                outside: State::Unavailable.into(),
                ..Schedule::default()
            },
            login: LoginStatuses::default(),
            actions: Vec::new(),
            functions: Arc::default(),
            calls: Calls::default(),
            own_rights: OwnRights::default(),
            dnd_key: DndKey::default(),
            visibility: Visibility::default(),
        }
    }
}

/// What SIP phones get.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sip {
    /// Whether the presence of users is told in the terms of PIDF, to every phone.
    pub presence: bool,
    /// Whether the DND and forward keys of desk phones follow a user, and set what they are for.
    pub feature_keys: bool,
}

impl Default for Sip {
    fn default() -> Self {
        Sip {
            presence: true,
            feature_keys: true,
        }
    }
}

/// The resource lists (RFC 4662) to which phones subscribe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lists {
    /// Whether there are lists.
    pub enabled: bool,
    /// The beginning of each list's name; never empty.
    pub prefix: Box<str>,
    /// For how many milliseconds changes are gathered into one NOTIFY, 0 to 60000.
    pub batch: u32,
    /// Whether each NOTIFY has all members and not only those that have changed.
    pub full_state: bool,
    /// The most members of a list, 1 to 500.
    pub limit: u32,
}

impl Default for Lists {
    fn default() -> Self {
        Lists {
            enabled: true,
            prefix: "userpresence-".into(),
            batch: 200,
            full_state: false,
            limit: 40,
        }
    }
}

/// Everything that is configured for all users.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// The rule of users who override nothing.
    pub rule: Arc<Rule>,
    /// For how many milliseconds after a publish of a user further changes are gathered into
    /// one publish, 0 to 60000; 0 publishes each change.
    pub settle: u32,
    /// Status types, tables, actions and handling sets.
    pub definitions: Arc<Definitions>,
    /// The webhooks, at most [`super::webhook::MAX_WEBHOOKS`].
    pub webhooks: Vec<Arc<Webhook>>,
    /// The etcd through which users are shared; `None` for a server of its own.
    pub cluster: Option<Arc<Cluster>>,
    /// The other servers of the cluster that are configured.
    pub nodes: Vec<Arc<Node>>,
    /// The HTTP interface and its users.
    pub http: Arc<Http>,
    /// What SIP phones get.
    pub sip: Sip,
    /// The lists for phones.
    pub lists: Lists,
    /// How often realtime is looked at for changed rows, in seconds, 5 to 86400; 0 for never.
    pub realtime_refresh: u32,
    /// Whether the module may load in another release of Asterisk than it was built for. The
    /// module reads the option before it reads the configuration.
    pub allow_other_release: bool,
}

impl Settings {
    /// The status types.
    pub fn statuses(&self) -> &Arc<Statuses> {
        &self.definitions.statuses
    }
}
