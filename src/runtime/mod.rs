//! The running module: one [`Runtime`], made at a load and gone after the unload.
//!
//! Everything that lives for as long as the module runs is a field of it, and everything
//! that it needs of Asterisk comes through the traits of [`host`]. So unit tests run it on
//! a fake, and no secret and no row outlives an unload.
//!
//! - [`store`] holds the world, and [`outbox`] gives the effects of changes their order;
//!   [`listening`] takes in what Asterisk reports, [`delivery`] hands out the effects.
//! - [`feed`] serves the readers of an account.
//! - [`persister`] is the one thread that may wait for a disk, [`actions`] the one that
//!   may wait for a dialplan function.
//! - [`applications`] sends events to ARI's applications.
//! - [`sessions`] are the logins over HTTP, [`password_sheet`] makes passwords for many users.
//! - [`cluster`] shares users with other servers.
//! - [`administration`] changes `userpresence.conf`.
//! - [`reload`] replaces the configuration, [`load`] reads what was there before, [`refresh`]
//!   looks periodically at realtime.

pub mod actions;
pub mod administration;
pub mod announced;
pub mod applications;
pub mod check;
pub mod cluster;
pub mod configuration;
pub mod delivery;
pub mod feature_keys;
pub mod feed;
pub mod forget;
pub mod functions;
pub mod hint_index;
pub mod host;
pub mod listening;
pub mod lists;
pub mod live_calls;
pub mod load;
#[cfg(all(test, feature = "loom"))]
mod models;
pub mod outbox;
pub mod own_settings;
pub mod password_sheet;
pub mod persister;
pub mod pickups;
pub mod providers;
pub mod publications;
pub mod push;
pub mod queues;
pub mod refresh;
pub mod reload;
pub mod schedules;
pub mod sequences;
pub mod sessions;
pub mod spellings;
pub mod stats;
pub mod store;
#[cfg(all(test, not(feature = "loom")))]
mod testing;
#[cfg(all(test, not(feature = "loom")))]
mod tests;
pub mod turns;
pub mod update;
pub mod warnings;
pub mod webhooks;

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;

use crate::cluster::{Clustering, Connector};
use crate::sync::Mutex;
use crate::webhooks::{MakePoster, Webhooks};
use actions::{ActionQueue, Records};
use administration::ChangeGate;
use applications::Applications;
use cluster::DigestCache;
use feed::Feed;
use functions::FunctionCheck;
use hint_index::HintIndex;
use host::Host;
use lists::ListExtensions;
use live_calls::CallTable;
use own_settings::ForwardsWatchers;
use password_sheet::PasswordSheets;
use persister::PersisterQueue;
use pickups::Pickups;
use publications::Publications;
use push::PushState;
use queues::QueueCache;
use refresh::Refresh;
use reload::ReloadLock;
use schedules::Schedules;
use sequences::Sequences;
use sessions::Sessions;
use spellings::Spellings;
use stats::Stats;
use store::Store;
use warnings::Warnings;

use presence::config::DirectoryRows;

/// The error returned while the module is not running.
pub const NOT_RUNNING: &str = "the module is not running";

/// The running module.
pub struct Runtime {
    host: Box<dyn Host>,
    store: Store,
    /// The events of each account, for readers.
    pub feed: Arc<Feed>,
    persister: PersisterQueue,
    actions: ActionQueue,
    schedules: Schedules,
    push: PushState,
    sequences: Sequences,
    functions: FunctionCheck,
    hints: HintIndex,
    spellings: Spellings,
    calls: CallTable,
    queues: QueueCache,
    lists: ListExtensions,
    reload: ReloadLock,
    changes: ChangeGate,
    refresh: Refresh,
    /// What the directory's family gave last.
    directory_rows: Mutex<Option<Arc<DirectoryRows>>>,
    warnings: Warnings,
    forwards_watchers: ForwardsWatchers,
    webhooks: Webhooks,
    clustering: Clustering,
    /// The digest of the configuration that runs.
    digest: DigestCache,
    /// The held calls that are being picked up.
    pub pickups: Arc<Pickups>,
    /// The logins over HTTP.
    pub sessions: Sessions,
    /// Passwords for many users at once.
    pub password_sheets: PasswordSheets,
    kept: Arc<ProcessState>,
}

/// What outlives an unload: counts, the actions that the module itself has left in force, which
/// the next load believes, what phones publish, and the subscriptions of ARI's applications.
#[derive(Default)]
pub struct ProcessState {
    stats: Stats,
    records: Mutex<Records>,
    publications: Publications,
    /// ARI's applications, with their subscriptions.
    pub applications: Applications,
}

impl Runtime {
    /// A runtime without a world: [`store::Store::open`] gives it one.
    pub fn new(
        host: Box<dyn Host>,
        kept: Arc<ProcessState>,
        poster: MakePoster,
        connector: Arc<dyn Connector>,
    ) -> Arc<Self> {
        Arc::new(Runtime {
            spellings: Spellings::new(host.hints_match_case()),
            host,
            store: Store::default(),
            feed: Arc::new(Feed::new(kept.clone())),
            persister: PersisterQueue::default(),
            actions: ActionQueue::default(),
            schedules: Schedules::default(),
            push: PushState::default(),
            sequences: Sequences::default(),
            functions: FunctionCheck::default(),
            hints: HintIndex::default(),
            calls: CallTable::default(),
            queues: QueueCache::default(),
            lists: ListExtensions::default(),
            reload: ReloadLock::default(),
            changes: ChangeGate::default(),
            refresh: Refresh::default(),
            directory_rows: Mutex::default(),
            warnings: Warnings::default(),
            forwards_watchers: ForwardsWatchers::default(),
            webhooks: Webhooks::new(poster),
            clustering: Clustering::new(connector),
            digest: DigestCache::default(),
            pickups: Arc::default(),
            sessions: Sessions::default(),
            password_sheets: PasswordSheets::default(),
            kept,
        })
    }

    /// The counts since Asterisk was started.
    pub fn stats(&self) -> &Stats {
        &self.kept.stats
    }

    /// What the runtime needs of Asterisk.
    pub fn host(&self) -> &dyn Host {
        &*self.host
    }
}

/// What there is of the module in this process.
struct Process {
    /// The one that runs. The module stays mapped after an unload, so a late callback finds
    /// `None` here.
    running: ArcSwapOption<Runtime>,
    kept: OnceLock<Arc<ProcessState>>,
}

static PROCESS: Process = Process {
    running: ArcSwapOption::const_empty(),
    kept: OnceLock::new(),
};

/// What outlives an unload.
pub fn kept() -> Arc<ProcessState> {
    PROCESS.kept.get_or_init(Arc::default).clone()
}

/// The runtime, while the module runs.
pub fn current() -> Option<Arc<Runtime>> {
    PROCESS.running.load_full()
}

/// Takes a short look at the runtime, while the module runs. For longer uses, and for every call
/// of the host, there is [`current`].
pub fn with<T>(look: impl FnOnce(&Runtime) -> T) -> Option<T> {
    PROCESS.running.load().as_deref().map(look)
}

/// The running module; dropping it ends it.
#[must_use = "dropping it ends the runtime"]
pub struct Running(Arc<Runtime>);

impl Running {
    /// Makes it the one that runs.
    pub fn begin(runtime: Arc<Runtime>) -> Self {
        PROCESS.running.store(Some(runtime.clone()));
        Running(runtime)
    }

    /// The runtime.
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.password_sheets.close();
        self.0.close_sequences();
        self.0.close_store();
        self.0.feed.close();
        // A thread that was given up may hold the runtime still: the secrets go now.
        self.0.sessions.close();
        PROCESS.running.store(None);
    }
}
