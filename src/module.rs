//! Load, reload, unload.
//!
//! What is registered is a field of [`Module`]; the fields are dropped in the order
//! of their declaration, so what must stop first stands first. A load that fails
//! halfway drops what it has, in the same way. Applications and functions are the
//! exception: they stay registered, and answer that the module is not running.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;

use crate::runtime::actions::{self, ActionsWorker};
use crate::runtime::announced::Announced;
use crate::runtime::configuration;
use crate::runtime::feed;
use crate::runtime::functions;
use crate::runtime::panels;
use crate::runtime::persister::{self, Persister};
use crate::runtime::push;
use crate::runtime::reload;
use crate::runtime::schedules;
use crate::runtime::sequences;
use crate::runtime::store::{self, Open};
use crate::surfaces;
use crate::web;
use crate::webhooks::Webhooks;
use asterisk::stasis::Subscription;
use asterisk::{
    Decline, application, astdb, cli, devicestate, function, gate, http, image, log, manager,
    presencestate, prometheus, system,
};
use presence::Time;
use presence::config::{Parsed, Problem};
use presence::directory::{Directory, Source, SourceId};
use presence::model::address::{self, CUSTOM_LABEL, USER_LABEL};
use presence::world::stored::{FAMILY, Stored};
use presence::world::{Change, World};

/// Everything that an unload takes back.
#[expect(dead_code, reason = "held for what dropping does")]
struct Module {
    gate: gate::Open,
    metrics: prometheus::Registration,
    site: http::Registration,
    commands: cli::Registration,
    #[cfg(feature = "selftest")]
    selftest: cli::Registration,
    actions: manager::Registration,
    at_exit: system::AtExit,
    webhooks: Option<Webhooks>,
    actor: Option<ActionsWorker>,
    keeper: Option<Persister>,
    announced: Announced,
    subscription: Arc<Subscription>,
    devices: Subscription,
    mailboxes: Option<Subscription>,
    parking: Option<Subscription>,
    device_provider: devicestate::ProviderRegistration,
    provider: presencestate::ProviderRegistration,
    sequences: Option<sequences::Open>,
    door: Open,
    feed: feed::Open,
}

static MODULE: Mutex<Option<Module>> = Mutex::new(None);

/// The module as Asterisk's loader calls it.
struct UserPresence;

asterisk::module!(UserPresence);

impl asterisk::Module for UserPresence {
    fn load() -> Result<(), Decline> {
        load()
    }

    fn reload() -> Result<(), Decline> {
        reload()
    }

    fn unload() -> Result<(), Decline> {
        unload()
    }
}

/// Called by Asterisk's loader.
pub fn load() -> Result<(), Decline> {
    let begin = Instant::now();
    // Where the loader went on without an unload that was refused.
    drop_module();
    if let Some(file) = image::replaced() {
        log::warning(format_args!(
            "'{}' is another build than the one that runs, which stays in memory when the \
             module is unloaded: restart Asterisk to run it",
            file.display()
        ));
    }
    let parsed = configuration::load().map_err(Decline)?;
    if !parsed.general_errors.is_empty() {
        let errors: Vec<&Problem> = parsed.all_errors().collect();
        return Err(Decline(configuration::refusal(&errors)));
    }
    for error in &parsed.errors {
        log::error(format_args!("{error}; the section is left out"));
    }
    let customs = Customs::find();
    let (world, numbers) = restore(parsed, &customs);
    let feed = feed::open(world.directory().settings.http.journal);
    let door = store::open(world);
    let sequences = Some(numbers);
    let provider = presencestate::ProviderRegistration::new::<surfaces::provider::UserPresence>()?;
    let device_provider =
        devicestate::ProviderRegistration::new::<surfaces::device::UserPresence>()?;
    register()?;
    let gate = gate::open();
    let commands = cli::Registration::new(surfaces::cli::COMMANDS)?;
    let actions = manager::Registration::new(surfaces::manager::ACTIONS)?;
    read_others(&read_published(), customs);
    let devices = Subscription::devices(store::on_device_state)?;
    read_devices();
    schedules::forget();
    schedules::hear(Time::now());
    // What ended while the module was not loaded, before anybody is told of it.
    store::update(|world, now| ((), world.ended(now).0));
    store::update(|world, now| ((), world.log_out_the_left(now)));
    let announced = Announced::everyone();
    let actor = ActionsWorker::start()?;
    actions::everyone(true, store::people);
    // Only now, so that those publishes do not all come back here; what was published
    // in the meantime is read.
    let subscription = Arc::new(Subscription::presence(store::on_presence_state)?);
    read_changed();
    push::forget();
    panels::forget();
    // Asterisk may be told to publish nothing of mailboxes: all else works without.
    let mailboxes = Subscription::mailboxes(push::hear);
    let mailboxes = mailboxes.inspect_err(|why| log::warning(why)).ok();
    let parking = Subscription::parking(store::on_parked_call);
    let parking = parking.inspect_err(|why| log::warning(why)).ok();
    let keeper = Persister::start(subscription.clone())?;
    let settings = store::read(|world| world.directory().settings.webhooks.clone());
    let webhooks = Webhooks::start(&settings.unwrap_or_default())?;
    system::give_back_memory();
    // Last: whoever asks from here on finds everything.
    web::site::open();
    let site = http::Registration::new::<web::site::UserPresence>()?;
    *MODULE.lock() = Some(Module {
        gate,
        metrics: prometheus::Registration::new(surfaces::metrics::text),
        site,
        commands,
        #[cfg(feature = "selftest")]
        selftest: cli::Registration::new(crate::selftest::COMMANDS)?,
        actions,
        at_exit: system::AtExit::new(exit)?,
        webhooks: Some(webhooks),
        actor: Some(actor),
        keeper: Some(keeper),
        announced,
        subscription,
        devices,
        mailboxes,
        parking,
        device_provider,
        provider,
        sequences,
        door,
        feed,
    });
    let directory = store::read(|world| world.directory().clone()).unwrap_or_default();
    for notice in configuration::shared_extensions(&directory, None) {
        log::notice(notice);
    }
    functions::look_again();
    persister::wake(false);
    let (users, sources) = (directory.user_count(), directory.source_count());
    let took = begin.elapsed().as_millis();
    log::verbose(
        2,
        format_args!("{users} users with {sources} sources loaded in {took} ms"),
    );
    Ok(())
}

/// Called by Asterisk's loader.
pub fn reload() -> Result<(), Decline> {
    let reloaded = reload::everything(false);
    reloaded.map(drop).map_err(|refused| Decline(refused.why))
}

/// Called by Asterisk's loader.
///
/// # Errors
/// Where calls are in the module and do not end: then it goes on running, and the loader
/// keeps it, unless it is told to go on in any case (`module unload -h`).
pub fn unload() -> Result<(), Decline> {
    gate::close().map_err(Decline)?;
    drop_module();
    Ok(())
}

fn drop_module() {
    let module = MODULE.lock().take();
    drop(module);
}

/// What stays registered after an unload, and is registered once.
fn register() -> Result<(), Decline> {
    function::register::<surfaces::function::UserPresence>()?;
    function::register::<surfaces::route::UserPresenceRoute>()?;
    application::register::<surfaces::dial::UserPresenceDial>()?;
    application::register::<surfaces::pickup::UserPresencePickup>()?;
    Ok(())
}

/// Called when Asterisk ends without unloading its modules: what is known is kept all
/// the same.
pub fn exit() {
    let threads = MODULE.lock().as_mut().map(|module| {
        let webhooks = module.webhooks.take();
        let threads = (webhooks, module.actor.take(), module.keeper.take());
        (threads, module.sequences.take())
    });
    drop(threads);
}

/// The world as it was stored, nothing published yet.
fn restore(parsed: Parsed, customs: &Customs) -> (World, sequences::Open) {
    let mut stored = Stored::read(astdb::tree(FAMILY, "").into_iter());
    for key in &stored.unreadable {
        log::warning(format_args!(
            "AstDB entry '{FAMILY}/{key}' cannot be read and is left out"
        ));
    }
    let directory = Arc::new(Directory::new(parsed.settings, parsed.users));
    let numbers = sequences::open(
        directory.accounts(),
        &stored.given(&directory),
        &mut stored.accounts,
    );
    let is_silent = |source: &Source| customs.is_silent(&source.address);
    let mut world = World::restore_beside(directory, &stored, is_silent, Time::now());
    world.hold_publishing(true);
    (world, numbers)
}

/// Hears what was ever published of any source. It is in the core's cache, and one
/// pass over that is far cheaper than asking for each address.
fn read_published() -> HashSet<SourceId> {
    let mut heard = HashSet::new();
    presencestate::cached(|raw, state, subtype, message| {
        let name = std::str::from_utf8(raw).unwrap_or_default();
        if address::below(name, USER_LABEL).is_some() {
            return;
        }
        if let Some(source) = store::read(|world| world.directory().source(name)).flatten() {
            heard.insert(source);
            store::on_presence_state(raw, state, subtype, message);
        }
    });
    heard
}

/// Hears what was published since. Each is looked up once more: what the topic has
/// told since the pass began is newer than the pass.
fn read_changed() {
    let mut changed = Vec::new();
    presencestate::cached(|address, state, subtype, message| {
        let name = std::str::from_utf8(address).unwrap_or_default();
        let differs = store::read(|world| {
            let source = world.directory().source(name)?;
            let known = &world.source(source).presence;
            let same = known.state() == state
                && known.subtype().as_bytes() == subtype
                && known.message().as_bytes() == message;
            (!same).then_some(())
        });
        if differs.flatten().is_some() {
            changed.push(name.to_owned());
        }
    });
    for address in changed {
        if let Some(said) = presencestate::read(&address) {
            store::on_presence_state(address.as_bytes(), said.state, &said.subtype, &said.message);
        }
    }
}

/// Asks the providers of the other sources.
fn read_others(heard: &HashSet<SourceId>, customs: Customs) {
    let rest = store::read(|world| {
        let sources = world.directory().sources();
        let is_read = |id: &SourceId, address: &str| {
            let known = world.source(*id);
            let is_silent = known.since == Time::NEVER && known.known;
            heard.contains(id) || is_silent && customs.is_silent(address)
        };
        let rest =
            sources.filter(|(id, source)| source.is_provided() && !is_read(id, &source.address));
        rest.map(|(id, source)| (id, source.address.clone()))
            .collect::<Vec<_>>()
    });
    let mut labels = Labels {
        custom: Some(customs),
        ..Labels::default()
    };
    for (id, address) in rest.unwrap_or_default() {
        match labels.read(&address) {
            Some(said) => {
                store::on_presence_state(
                    address.as_bytes(),
                    said.state,
                    &said.subtype,
                    &said.message,
                );
            }
            None => {
                store::update(|world, now| ((), world.apply(&Change::Lost(id), now)));
            }
        }
    }
}

/// Reads the devices that have not been heard of since they are listened to. Many are taken
/// at a time, so that a user with several is combined once.
fn read_devices() {
    const BATCH: usize = 1000;
    let Some(directory) = store::read(|world| world.directory().clone()) else {
        return;
    };
    let mut devices = directory.devices();
    loop {
        let batch = devices.by_ref().take(BATCH);
        let batch = batch.map(|(device, name)| (device, devicestate::read(name)));
        let batch: Vec<_> = batch.collect();
        if batch.is_empty() {
            return;
        }
        store::update(|world, now| {
            // Nobody reloads what is being loaded.
            let same = Arc::ptr_eq(world.directory(), &directory);
            let found = if same { &batch[..] } else { &[] };
            ((), world.find_devices(found, now))
        });
    }
}

/// What CustomPresence answers, by its rows in AstDB: `not_set` for all that has none, so
/// that 300,000 addresses need not be asked for.
struct Customs {
    /// `None` where nobody answers.
    rows: Option<HashSet<String, FxBuildHasher>>,
}

impl Customs {
    fn find() -> Self {
        // The module that answers brings this function too; asked for an address without
        // it, the core would log a warning.
        let answers = function::exists("PRESENCE_STATE");
        let rows = answers.then(|| astdb::tree(CUSTOM_LABEL, "").into_iter());
        Customs {
            rows: rows.map(|rows| rows.map(|(key, _)| key).collect()),
        }
    }

    /// Whether it is an address for which CustomPresence answers `not_set`.
    fn is_silent(&self, address: &str) -> bool {
        let custom = address::below(address, CUSTOM_LABEL);
        let known = custom.zip(self.rows.as_ref());
        known.is_some_and(|(name, rows)| !rows.contains(name))
    }
}

/// Asks providers, but not for ever one that is not loaded: for each address of such
/// a label Asterisk's core would log a warning.
#[derive(Default)]
pub struct Labels {
    asked: HashMap<String, (bool, u32)>,
    /// What CustomPresence answers, where it was looked up.
    custom: Option<Customs>,
}

impl Labels {
    /// What the address's provider says; `None` where it has none, and for a user of
    /// ours: one who exists is no address to ask for, another takes no part.
    pub fn read(&mut self, address: &str) -> Option<presencestate::RawPresence> {
        const ENOUGH: u32 = 3;
        if address::below(address, USER_LABEL).is_some() {
            return None;
        }
        let label = address::split(address).map_or("", |(label, _)| label);
        let (good, failures) = self.asked.entry(label.to_ascii_lowercase()).or_default();
        if !*good && *failures >= ENOUGH {
            return None;
        }
        let is_silent = |customs: &Customs| customs.is_silent(address);
        if self.custom.as_ref().is_some_and(is_silent) {
            return Some(presencestate::RawPresence::not_set());
        }
        let said = presencestate::read_nocache(address);
        match said {
            Some(_) => *good = true,
            None => *failures += 1,
        }
        said
    }
}
