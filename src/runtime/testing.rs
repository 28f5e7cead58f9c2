//! A fake of the host, to reach the runtime's own behaviour. It claims nothing of Asterisk's.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::host::{
    ChannelVisitor, Channels, Configuration, Database, Dialplan, EventClass, HintEntry, Host,
    HostError, ManagerMessage, PresenceVisitor, Providers, Publisher, RawPresence, RealtimeChange,
    System, Unreadable,
};
use super::{ProcessState, Runtime};
use crate::cluster::testing::FakeConnector;
use crate::webhooks::{Post, PostOutcome, PostedEvent};
use presence::actions::TargetKind;
use presence::config::file::{ConfigEntry, SectionText};
use presence::config::testing::directory;
use presence::config::{Section, Webhook};
use presence::model::device::DeviceState;
use presence::world::World;
use presence::world::stored::Stored;
use presence::{Presence, Time};

/// What the host was told, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// A published presence: the user, the state and the message.
    Presence(String, &'static str, String),
    /// An AMI event: its name, and its headers.
    Event(String, Vec<(String, String)>),
}

type Look = Box<dyn Fn() + Send>;

/// The state of the fake, shared with the test.
#[derive(Default)]
pub struct Fake {
    /// What the host was told.
    pub told: Mutex<Vec<Told>>,
    /// AstDB, by family and key.
    pub database: Mutex<BTreeMap<(String, String), String>>,
    /// Whether AstDB refuses everything.
    pub locked: AtomicBool,
    /// How many of the next rows AstDB accepts and loses.
    pub losses: AtomicU32,
    /// Called at each publish.
    pub at_publish: Mutex<Option<Look>>,
    /// The dialplan's hints: context, extension and what they name.
    pub hints: Mutex<Vec<(String, String, String)>>,
    /// How often all hints were read.
    pub hints_read: AtomicU32,
    /// How often an extension was looked for in a context.
    pub looked_for: AtomicU32,
    /// The AMI actions that were carried out, in order.
    pub actions: Mutex<Vec<String>>,
    /// The answer to each AMI action.
    pub answers: Mutex<BTreeMap<String, Vec<ManagerMessage>>>,
    /// Whether Asterisk still boots.
    pub boots: AtomicBool,
    /// Whether a hint follows a device under its own spelling only.
    pub match_case: AtomicBool,
    /// Whether functions take no value.
    pub refuses_assignments: AtomicBool,
    /// The devices that were published, in order.
    pub devices: Mutex<Vec<(String, DeviceState)>>,
    /// The addresses and devices that were forgotten, in order.
    pub forgotten: Mutex<Vec<String>>,
}

impl Fake {
    /// The events of that name.
    pub fn events(&self, name: &str) -> Vec<Vec<(String, String)>> {
        let told = self.told.lock().unwrap();
        let events = told.iter().filter_map(|told| match told {
            Told::Event(event, headers) if event == name => Some(headers.clone()),
            _ => None,
        });
        events.collect()
    }

    /// The states and messages published of a user.
    pub fn published(&self, user: &str) -> Vec<(&'static str, String)> {
        let told = self.told.lock().unwrap();
        let published = told.iter().filter_map(|told| match told {
            Told::Presence(of, state, message) if of == user => Some((*state, message.clone())),
            _ => None,
        });
        published.collect()
    }

    /// The rows of this module in AstDB.
    pub fn rows(&self) -> BTreeMap<String, String> {
        let database = self.database.lock().unwrap();
        let own = database
            .iter()
            .filter(|((family, _), _)| family == "UserPresence");
        own.map(|((_, key), value)| (key.clone(), value.clone()))
            .collect()
    }
}

/// The fake as a host.
pub struct FakeHost(pub Arc<Fake>);

impl Publisher for FakeHost {
    fn publish_presence(&self, user: &str, presence: &Presence) -> Result<(), HostError> {
        if let Some(look) = &*self.0.at_publish.lock().unwrap() {
            look();
        }
        self.0.told.lock().unwrap().push(Told::Presence(
            user.to_owned(),
            presence.state().name(),
            presence.message().to_owned(),
        ));
        Ok(())
    }

    fn publish_unset(&self, address: &str) -> Result<(), HostError> {
        let told = Told::Presence(address.to_owned(), "not_set", String::new());
        self.0.told.lock().unwrap().push(told);
        Ok(())
    }

    fn forget_presence(&self, address: &str) {
        self.0.forgotten.lock().unwrap().push(address.to_owned());
    }

    fn publish_device(&self, device: &str, state: DeviceState) -> Result<(), HostError> {
        let mut devices = self.0.devices.lock().unwrap();
        devices.push((device.to_owned(), state));
        Ok(())
    }

    fn forget_device(&self, device: &str) {
        self.forget_presence(device);
    }

    fn send_event(&self, _: EventClass, name: &CStr, headers: &[(&str, &str)]) {
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let name = name.to_string_lossy().into_owned();
        let event = Told::Event(name, headers.collect());
        self.0.told.lock().unwrap().push(event);
    }

    fn send_to_application(
        &self,
        _: &str,
        _: &str,
        _: Time,
        _: &CStr,
        _: &str,
    ) -> Result<(), HostError> {
        Ok(())
    }

    fn notify_phones(&self, _: &mut dyn FnMut() -> Vec<String>) {}
}

impl FakeHost {
    fn accept(&self) -> Result<bool, HostError> {
        if self.0.locked.load(Ordering::Relaxed) {
            return Err("locked".into());
        }
        let losses = &self.0.losses;
        let lose = losses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        });
        Ok(lose.is_err())
    }
}

impl Database for FakeHost {
    fn look_up(&self, family: &str, key: &str) -> Result<Option<String>, HostError> {
        let database = self.0.database.lock().unwrap();
        Ok(database.get(&(family.into(), key.into())).cloned())
    }

    fn put(&self, family: &str, key: &str, value: &str) -> Result<(), HostError> {
        if self.accept()? {
            let mut database = self.0.database.lock().unwrap();
            database.insert((family.into(), key.into()), value.into());
        }
        Ok(())
    }

    fn del(&self, family: &str, key: &str) -> Result<(), HostError> {
        if self.accept()? {
            let mut database = self.0.database.lock().unwrap();
            database.remove(&(family.into(), key.into()));
        }
        Ok(())
    }

    fn tree(&self, family: &str, prefix: &str) -> Vec<(String, String)> {
        let database = self.0.database.lock().unwrap();
        let below = database
            .iter()
            .filter(|((of, key), _)| of == family && key.starts_with(prefix));
        below
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect()
    }
}

impl Providers for FakeHost {
    fn ask_presence(&self, _: &str) -> Option<RawPresence> {
        None
    }

    fn cached_presence(&self, _: &str) -> Option<RawPresence> {
        None
    }

    fn each_presence(&self, _: PresenceVisitor<'_>) {}

    fn device(&self, _: &str) -> DeviceState {
        DeviceState::Unknown
    }

    fn each_device(&self, _: &mut dyn FnMut(&[u8])) {}

    fn each_hint(&self, visit: &mut dyn FnMut(HintEntry<'_>)) {
        self.0.hints_read.fetch_add(1, Ordering::Relaxed);
        // A panic of `visit` leaves no lock behind.
        let hints = self.0.hints.lock().unwrap().clone();
        for (context, extension, names) in &hints {
            visit(HintEntry {
                context: context.as_bytes(),
                extension: extension.as_bytes(),
                names: names.as_bytes(),
            });
        }
    }

    fn hints_match_case(&self) -> bool {
        self.0.match_case.load(Ordering::Relaxed)
    }

    fn hint(&self, context: &str, extension: &str) -> Option<String> {
        self.0.looked_for.fetch_add(1, Ordering::Relaxed);
        let hints = self.0.hints.lock().unwrap();
        let mut all = hints.iter();
        let found = all.find(|hint| hint.0 == context && hint.1 == extension);
        found.map(|hint| hint.2.clone())
    }

    fn extension_matches(&self, _: &str, _: &str) -> bool {
        false
    }

    fn catch_up(&self) {}
}

impl Dialplan for FakeHost {
    fn function_exists(&self, _: &str) -> bool {
        true
    }

    fn set_function(&self, function: &str, value: &str) -> Result<(), HostError> {
        let address = function.strip_prefix("PRESENCE_STATE(CustomPresence:");
        if let Some(name) = address.and_then(|rest| rest.strip_suffix(')')) {
            self.put("CustomPresence", name, value)?;
        }
        Ok(())
    }

    fn assign(&self, target: &str, value: &str, _: bool) -> Result<(), HostError> {
        if self.0.refuses_assignments.load(Ordering::Relaxed) {
            return Err("refused".into());
        }
        if let Some((family, key)) = TargetKind::of(target).entry() {
            let mut database = self.0.database.lock().unwrap();
            database.insert((family.into(), key.into()), value.into());
        }
        Ok(())
    }

    fn value_of(&self, _: &str) -> Result<Option<String>, HostError> {
        Ok(None)
    }

    fn forget_custom_device(&self, _: &str) -> Result<(), HostError> {
        Ok(())
    }

    fn manager_action(
        &self,
        action: &str,
        _: &[(&str, &str)],
    ) -> Result<Vec<ManagerMessage>, HostError> {
        self.0.actions.lock().unwrap().push(action.to_owned());
        let answers = self.0.answers.lock().unwrap();
        Ok(answers.get(action).cloned().unwrap_or_default())
    }
}

impl Channels for FakeHost {
    fn each_channel(&self, _: &dyn Fn(&str) -> bool, _: ChannelVisitor<'_>) {}

    fn channel_exists(&self, _: &str) -> bool {
        true
    }

    fn devices_of_channel(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn withholds(&self, _: &str, _: &str) -> bool {
        false
    }

    fn ringing(&self, _: &[String]) -> Vec<String> {
        Vec::new()
    }

    fn has_held(&self, _: &[String]) -> bool {
        false
    }

    fn context_of(&self, _: &str) -> Option<String> {
        None
    }

    fn has_extension(&self, _: &str, _: &str, _: &str) -> bool {
        false
    }

    fn application_exists(&self, _: &str) -> bool {
        true
    }
}

impl System for FakeHost {
    fn fully_booted(&self) -> bool {
        !self.0.boots.load(Ordering::Relaxed)
    }

    fn shutting_down(&self) -> bool {
        false
    }

    fn is_timezone(&self, _: &str) -> bool {
        true
    }

    fn host_name(&self) -> String {
        "here".into()
    }

    fn minute_of_day(&self, _: &str, at: Time) -> u32 {
        (at.millis() / 60_000 % 1440) as u32
    }

    fn in_range(&self, _: &str, _: &str, _: Time) -> bool {
        true
    }

    fn database_file(&self) -> PathBuf {
        std::env::temp_dir().join("userpresence-no-such-folder/astdb")
    }

    fn key_directory(&self) -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = format!("userpresence-keys-{}-{number}", std::process::id());
        std::env::temp_dir().join(folder)
    }
}

impl Configuration for FakeHost {
    fn file(&self, _: &str) -> Result<Vec<Section>, Unreadable> {
        Err(Unreadable::Missing)
    }

    fn file_with_templates(&self, _: &str) -> Result<Vec<ConfigEntry>, Unreadable> {
        Err(Unreadable::Missing)
    }

    fn configuration_directory(&self) -> PathBuf {
        std::env::temp_dir().join("userpresence-no-such-folder")
    }

    fn included_files(&self, _: &str) -> Vec<PathBuf> {
        Vec::new()
    }

    fn write_section(&self, _: &Path, _: &SectionText) -> Result<Vec<u8>, HostError> {
        Err("there is no writer".into())
    }

    fn realtime_is_mapped(&self, _: &str) -> bool {
        false
    }

    fn realtime_rows(&self, _: &str) -> Result<Vec<Section>, HostError> {
        Ok(Vec::new())
    }

    fn realtime_row(&self, _: &str, _: &str) -> Result<Option<Section>, HostError> {
        Ok(None)
    }

    fn change_row(&self, _: &str, _: &str, _: &RealtimeChange) -> Result<(), HostError> {
        Err("there is no database".into())
    }
}

impl Host for FakeHost {
    fn reconfigured(&self) {}
}

/// A poster that delivers nothing.
struct NoPost;

impl Post for NoPost {
    fn post(&mut self, _: &Webhook, _: &PostedEvent<'_>, _: &AtomicBool) -> PostOutcome {
        PostOutcome::Failed("no poster".into(), None)
    }

    fn reset(&mut self) {}
}

/// A runtime of that configuration, on a fake; nothing runs yet.
pub fn runtime(configuration: &str) -> (Arc<Runtime>, Arc<Fake>) {
    runtime_where(configuration, |_| ())
}

/// The same with a fake that was prepared before.
pub fn runtime_where(
    configuration: &str,
    prepare: impl FnOnce(&Fake),
) -> (Arc<Runtime>, Arc<Fake>) {
    let fake = Arc::new(Fake::default());
    prepare(&fake);
    let host = Box::new(FakeHost(fake.clone()));
    let kept = Arc::new(ProcessState::default());
    let connector = Arc::new(FakeConnector::default());
    let runtime = Runtime::new(host, kept, || Box::new(NoPost), connector);
    let directory = directory(configuration);
    runtime.feed.open(1000);
    runtime.open_store(World::restore(directory, &Stored::default(), Time::now()));
    (runtime, fake)
}
