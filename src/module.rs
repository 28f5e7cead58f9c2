//! Load, reload, unload.
//!
//! What is registered is a field of [`Module`]; the fields are dropped in the order of their
//! declaration, so what must stop first comes first. A load that fails halfway drops what it
//! has, in the same order. Applications and functions are the exception: they stay
//! registered, and answer that the module is not running.

use std::ffi::CStr;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::cluster::ToEtcd;
use crate::convert;
use crate::elf;
use crate::host::{self, Asterisk, CallWatch};
use crate::runtime::actions::ActionsWorker;
use crate::runtime::announced::Announced;
use crate::runtime::applications::RunningApplications;
use crate::runtime::cluster::RunningCluster;
use crate::runtime::listening::ParkedCall;
use crate::runtime::persister::Persister;
use crate::runtime::providers::CustomPresences;
use crate::runtime::push::MailboxState;
use crate::runtime::refresh::RunningRefresh;
use crate::runtime::webhooks::RunningWebhooks;
use crate::runtime::{self, Running, Runtime, configuration};
use crate::surfaces;
use crate::surfaces::ari::{UserPresenceEvents, UserPresenceResource};
use crate::surfaces::feature_keys::UserFeatureKeys;
use crate::surfaces::metrics::UserPresenceMetrics;
use crate::surfaces::pidf::UserPresencePidf;
use crate::surfaces::publication::{PhonePresence, PublicationObjects};
use crate::web;
use crate::webhooks::post;
use asterisk::ari::AriPeer;
use asterisk::devicestate::DevState;
use asterisk::mailbox::Mailbox;
use asterisk::parking::Space;
use asterisk::peer::{PeerRegistration, Slot};
use asterisk::pjsip::body_supplement::PidfPeer;
use asterisk::pjsip::feature_events::FeatureEventsPeer;
use asterisk::pjsip::publication::PublicationPeer;
use asterisk::pjsip::sender::SenderPeer;
use asterisk::presencestate::PresenceState;
use asterisk::prometheus::MetricsPeer;
use asterisk::release::{self, Remedy, Verdict};
use asterisk::sorcery::SorceryPeer;
use asterisk::stasis::TopicSubscription;
use asterisk::{
    AsteriskModule, Decline, application, cli, devicestate, function, gate, http, image, log,
    manager, presencestate, system,
};
use presence::config::Problem;

/// Everything that an unload takes back, in its order.
#[derive(Default)]
struct Module {
    gate: Option<gate::OpenGate>,
    peers: Option<PeerRegistration>,
    site: Option<http::SiteRegistration>,
    commands: Option<cli::CliRegistration>,
    #[cfg(feature = "selftest")]
    selftest: Option<cli::CliRegistration>,
    actions: Option<manager::ActionRegistration>,
    at_exit: Option<system::ExitRegistration>,
    refresh: Option<RunningRefresh>,
    webhooks: Option<RunningWebhooks>,
    applications: Option<RunningApplications>,
    cluster: Option<RunningCluster>,
    worker: Option<ActionsWorker>,
    persister: Option<Persister>,
    announced: Option<Announced>,
    presences: Option<Arc<TopicSubscription>>,
    devices: Option<TopicSubscription>,
    mailboxes: Option<TopicSubscription>,
    parking: Option<TopicSubscription>,
    calls: Option<CallWatch>,
    device_provider: Option<devicestate::DeviceProviderRegistration>,
    provider: Option<presencestate::PresenceProviderRegistration>,
    running: Option<Running>,
}

/// What is attached to other modules of Asterisk while they run. What subscriptions need that
/// Asterisk restores at its start comes first.
static PEERS: [Slot; 8] = [
    Slot::of::<SenderPeer>(),
    Slot::of::<SorceryPeer<surfaces::lists::UserLists>>(),
    Slot::of::<FeatureEventsPeer<UserFeatureKeys>>(),
    Slot::of::<SorceryPeer<PublicationObjects>>(),
    Slot::of::<PublicationPeer<PhonePresence>>(),
    Slot::of::<PidfPeer<UserPresencePidf>>(),
    Slot::of::<AriPeer<UserPresenceResource, UserPresenceEvents>>(),
    Slot::of::<MetricsPeer<UserPresenceMetrics>>(),
];

static MODULE: Mutex<Option<Module>> = Mutex::new(None);

/// The module as Asterisk's loader calls it.
struct UserPresence;

asterisk::module!(UserPresence);
asterisk::module_label!(env!("USERPRESENCE_LABEL"));

impl AsteriskModule for UserPresence {
    const NAME: &'static CStr = c"res_userpresence";
    const LOG_NAME: &'static CStr = c"userpresence";

    fn load() -> Result<(), Decline> {
        let begin = Instant::now();
        host::install_logger();
        compare_releases()?;
        // Where the loader went on without an unload that was refused.
        drop_module();
        warn_of_another_build();
        let asterisk = Asterisk::default();
        let presences = asterisk.presences();
        let runtime = Runtime::new(
            Box::new(asterisk),
            runtime::kept(),
            post::poster,
            Arc::new(ToEtcd),
        );
        let loaded = runtime.load_configuration().map_err(Decline)?;
        let parsed = loaded.parsed;
        if !parsed.general_errors.is_empty() {
            let errors: Vec<&Problem> = parsed.all_errors().collect();
            return Err(Decline(configuration::refusal(&errors)));
        }
        for error in &parsed.errors {
            log::error(format_args!("{error}; the section is left out"));
        }
        // What fails from here on drops the module as far as it has come.
        let mut module = Module::default();
        let customs = CustomPresences::find(runtime.host());
        runtime.restore(parsed, &customs);
        module.running = Some(Running::begin(runtime.clone()));
        module.provider = Some(presencestate::PresenceProviderRegistration::new::<
            surfaces::provider::UserPresenceProvider,
        >()?);
        module.device_provider = Some(devicestate::DeviceProviderRegistration::new::<
            surfaces::device::UserDeviceProvider,
        >()?);
        register()?;
        module.gate = Some(gate::OpenGate::new());
        module.commands = Some(cli::CliRegistration::new(surfaces::cli::COMMANDS)?);
        module.actions = Some(manager::ActionRegistration::new(
            surfaces::manager::ACTIONS,
        )?);
        runtime.read_sources(customs);
        module.devices = Some(TopicSubscription::devices(on_device_state)?);
        runtime.read_devices();
        runtime.catch_up_with_time();
        module.announced = Some(Announced::everyone(runtime.clone()));
        module.worker = Some(ActionsWorker::start(runtime.clone())?);
        runtime.bring_actions_in_line(true);
        // Only now, so that those publishes do not all come back here; what was published
        // in the meantime is read.
        let subscription = Arc::new(TopicSubscription::presence(on_presence_state)?);
        *presences.lock() = Arc::downgrade(&subscription);
        module.presences = Some(subscription);
        runtime.read_changed_sources();
        // Asterisk may be configured to publish no mailboxes: all else works without.
        let mailboxes = TopicSubscription::mailboxes(on_mailbox);
        module.mailboxes = mailboxes.inspect_err(|why| log::warning(why)).ok();
        let parking = TopicSubscription::parking(on_parking);
        module.parking = parking.inspect_err(|why| log::warning(why)).ok();
        module.calls = Some(CallWatch::start());
        module.persister = Some(Persister::start(runtime.clone())?);
        module.webhooks = Some(RunningWebhooks::start(runtime.clone())?);
        module.applications = Some(RunningApplications::start(runtime.clone()));
        module.cluster = Some(RunningCluster::start(runtime.clone())?);
        module.refresh = Some(RunningRefresh::start(runtime.clone(), loaded.file));
        system::give_back_memory();
        // Last: a caller finds everything from here on.
        runtime.open_sessions();
        module.site = Some(http::SiteRegistration::new::<web::site::UserPresenceSite>()?);
        module.peers = Some(PeerRegistration::new(&PEERS)?);
        #[cfg(feature = "selftest")]
        {
            module.selftest = Some(cli::CliRegistration::new(crate::selftest::COMMANDS)?);
        }
        module.at_exit = Some(system::ExitRegistration::new::<UserPresence>()?);
        *MODULE.lock() = Some(module);
        report_load(&runtime, begin);
        Ok(())
    }

    fn reload() -> Result<(), Decline> {
        let runtime = runtime::current().ok_or_else(|| Decline(runtime::NOT_RUNNING.into()))?;
        let reloaded = runtime.reload(false);
        reloaded.map(drop).map_err(|refused| Decline(refused.why))
    }

    /// Refused while calls are in the module and do not end: then it goes on running, and
    /// the loader keeps it, unless the unload is forced (`module unload -h`).
    fn unload() -> Result<(), Decline> {
        gate::close().map_err(Decline)?;
        drop_module();
        Ok(())
    }
}

/// The configuration, before anything else of it is read.
const FILE: &CStr = c"userpresence.conf";

/// Declines to load in another release of Asterisk than the module was built for, whose
/// structures may differ, unless the administrator takes the risk.
fn compare_releases() -> Result<(), Decline> {
    let remedy = Remedy {
        rebuild: "`make rebuild` in the module's source directory builds it for this Asterisk",
        option: "`allow_other_release = yes` in [general] of userpresence.conf",
    };
    let allowed = || release::is_set(FILE, c"general", c"allow_other_release");
    let (built, running) = (release::built_for(), release::running());
    match release::verdict(built, &running, release::known_of, allowed, remedy) {
        Verdict::Loads => Ok(()),
        Verdict::Risky(why) => {
            log::warning(why);
            Ok(())
        }
        Verdict::Declined(why) => Err(Decline(why)),
    }
}

fn drop_module() {
    let module = MODULE.lock().take();
    drop(module);
}

fn warn_of_another_build() {
    if let Some(file) = replaced() {
        log::warning(format_args!(
            "'{}' is another build than the one that runs, which stays in memory when the \
             module is unloaded: restart Asterisk to run it",
            file.display()
        ));
    }
}

/// The module's file, if it is another build than the running one: the code stays mapped
/// after an unload, and the next load runs it again.
fn replaced() -> Option<PathBuf> {
    let image = image::running()?;
    let running = image.notes.iter().find_map(|notes| elf::in_notes(notes))?;
    let installed = elf::build_id(&mut File::open(&image.file).ok()?)?;
    (installed != running).then_some(image.file)
}

fn report_load(runtime: &Runtime, begin: Instant) {
    let directory = runtime.read(|world| world.directory().clone());
    let directory = directory.unwrap_or_default();
    for notice in configuration::shared_extensions(&directory, None) {
        log::notice(notice);
    }
    runtime.check_functions_later();
    runtime.wake_persister(false);
    let (users, sources) = (directory.user_count(), directory.source_count());
    let took = begin.elapsed().as_millis();
    log::verbose(
        2,
        format_args!("{users} users with {sources} sources loaded in {took} ms"),
    );
}

/// What stays registered after an unload, and is registered once.
fn register() -> Result<(), Decline> {
    function::register::<surfaces::function::UserPresenceFunction>()?;
    function::register::<surfaces::route::UserPresenceRoute>()?;
    application::register::<surfaces::dial::UserPresenceDial>()?;
    application::register::<surfaces::pickup::UserPresencePickup>()?;
    Ok(())
}

impl system::ExitHandler for UserPresence {
    /// Asterisk ends without unloading its modules: what is known is stored all the same.
    fn at_exit() {
        let threads = MODULE.lock().as_mut().map(|module| {
            let (refresh, webhooks) = (module.refresh.take(), module.webhooks.take());
            (
                refresh,
                webhooks,
                module.cluster.take(),
                module.worker.take(),
                module.persister.take(),
            )
        });
        drop(threads);
        if let Some(runtime) = runtime::current() {
            runtime.password_sheets.close();
            runtime.close_sequences();
        }
    }
}

fn on_presence_state(address: &[u8], state: PresenceState, subtype: &[u8], message: &[u8]) {
    if let Some(runtime) = runtime::current() {
        let state = convert::state(state);
        runtime.on_presence_state(address, state, subtype, message);
    }
}

fn on_device_state(name: &[u8], state: DevState) {
    if let Some(runtime) = runtime::current() {
        runtime.on_device_state(name, convert::device_state(state));
    }
}

fn on_mailbox(mailbox: Mailbox<'_>) {
    let Some(runtime) = runtime::current() else {
        return;
    };
    runtime.on_mailbox(MailboxState {
        name: mailbox.name,
        new: mailbox.new,
        old: mailbox.old,
        by_call: mailbox.by_call,
    });
}

fn on_parking(space: Space<'_>) {
    let Some(runtime) = runtime::current() else {
        return;
    };
    let call = space.call.map(|call| ParkedCall {
        channel: call.channel,
        parker: call.parker,
    });
    runtime.on_parked_call(space.lot, space.number, call);
}
