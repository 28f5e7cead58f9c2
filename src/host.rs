//! Asterisk as the runtime's host: its traits on the layer over C.

mod call_watch;
mod logger;

use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::convert;
use crate::runtime::host::{
    ChannelVisitor, Channels, Configuration, Database, Dialplan, EventClass, HintEntry, Host,
    HostError, ManagerMessage, PresenceVisitor, Providers, Publisher, RawPresence, RealtimeChange,
    System, Unreadable,
};
use asterisk::channels::{self, ChannelRef};
use asterisk::manager::{self, Class};
use asterisk::pjsip::feature_events;
use asterisk::stasis::TopicSubscription;
use asterisk::{
    ami, application, astdb, config, config_writer, custom, devicestate, function, hints, peer,
    presencestate, realtime, snapshots, stasis_app, system, timing,
};
pub use call_watch::CallWatch;
pub use logger::install as install_logger;
use presence::config::Section;
use presence::config::file::{ConfigEntry, SectionText};
use presence::model::address::USER_LABEL;
use presence::model::device::DeviceState;
use presence::{Presence, Time};

/// The running Asterisk.
#[derive(Default)]
pub struct Asterisk {
    /// The subscription whose events [`Providers::catch_up`] waits for.
    presences: PresenceSubscription,
}

/// Where the subscription to presences is put once there is one. It is held weakly: it ends with
/// the module that subscribed, on the thread of the unload, and never on its own thread, however
/// long a runtime lives.
pub type PresenceSubscription = Arc<Mutex<Weak<TopicSubscription>>>;

impl Asterisk {
    /// Where the subscription to presences is to be put.
    pub fn presences(&self) -> PresenceSubscription {
        self.presences.clone()
    }
}

fn refusal(why: asterisk::Error) -> HostError {
    why.to_string()
}

fn unreadable(why: config::LoadError) -> Unreadable {
    match why {
        config::LoadError::Missing => Unreadable::Missing,
        config::LoadError::Invalid => Unreadable::Invalid,
    }
}

fn raw(read: presencestate::PublishedPresence) -> RawPresence {
    RawPresence {
        state: convert::state(read.state),
        subtype: read.subtype,
        message: read.message,
    }
}

impl Publisher for Asterisk {
    fn publish_presence(&self, user: &str, presence: &Presence) -> Result<(), HostError> {
        let (state, subtype, message) = presence.parts();
        let state = convert::presence_state(state);
        presencestate::publish(USER_LABEL, user, state, subtype, message).map_err(refusal)
    }

    fn publish_unset(&self, address: &str) -> Result<(), HostError> {
        let (label, name) = address.split_once(':').unwrap_or((address, ""));
        let state = presencestate::PresenceState::NotSet;
        presencestate::publish(label, name, state, "", "").map_err(refusal)
    }

    fn forget_presence(&self, address: &str) {
        presencestate::forget(address);
    }

    fn publish_device(&self, device: &str, state: DeviceState) -> Result<(), HostError> {
        let device = CString::new(device).unwrap_or_default();
        devicestate::publish(&device, convert::dev_state(state)).map_err(refusal)
    }

    fn forget_device(&self, device: &str) {
        devicestate::forget(device);
    }

    fn send_event(&self, class: EventClass, name: &CStr, headers: &[(&str, &str)]) {
        let class = match class {
            EventClass::Call => Class::Call,
            EventClass::System => Class::System,
        };
        manager::event(class, name, headers);
    }

    fn send_to_application(
        &self,
        application: &str,
        kind: &str,
        at: Time,
        member: &CStr,
        json: &str,
    ) -> Result<(), HostError> {
        let at = convert::system_time(at);
        stasis_app::send(application, kind, at, member, json).map_err(refusal)
    }

    fn notify_phones(&self, endpoints: &mut dyn FnMut() -> Vec<String>) {
        if feature_events::has_subscriptions() {
            feature_events::notify(endpoints().iter().map(String::as_str));
        }
    }
}

impl Database for Asterisk {
    fn look_up(&self, family: &str, key: &str) -> Result<Option<String>, HostError> {
        astdb::look_up(family, key).map_err(refusal)
    }

    fn put(&self, family: &str, key: &str, value: &str) -> Result<(), HostError> {
        astdb::put(family, key, value).map_err(refusal)
    }

    fn del(&self, family: &str, key: &str) -> Result<(), HostError> {
        astdb::del(family, key).map_err(refusal)
    }

    fn tree(&self, family: &str, prefix: &str) -> Vec<(String, String)> {
        astdb::tree(family, prefix)
    }

    fn get(&self, family: &str, key: &str) -> Option<String> {
        astdb::get(family, key)
    }
}

impl Providers for Asterisk {
    fn ask_presence(&self, address: &str) -> Option<RawPresence> {
        presencestate::read_nocache(address).map(raw)
    }

    fn cached_presence(&self, address: &str) -> Option<RawPresence> {
        presencestate::read(address).map(raw)
    }

    fn each_presence(&self, visit: PresenceVisitor<'_>) {
        presencestate::cached(|address, state, subtype, message| {
            visit(address, convert::state(state), subtype, message);
        });
    }

    fn device(&self, name: &str) -> DeviceState {
        convert::device_state(devicestate::read(name))
    }

    fn each_device(&self, visit: &mut dyn FnMut(&[u8])) {
        devicestate::cached(visit);
    }

    fn each_hint(&self, visit: &mut dyn FnMut(HintEntry<'_>)) {
        hints::each(|hint| {
            visit(HintEntry {
                context: hint.context,
                extension: hint.extension,
                names: hint.names,
            });
        });
    }

    fn hints_match_case(&self) -> bool {
        hints::match_case()
    }

    fn hint(&self, context: &str, extension: &str) -> Option<String> {
        hints::find(context, extension)
    }

    fn extension_matches(&self, pattern: &str, extension: &str) -> bool {
        hints::matches(pattern, extension)
    }

    fn catch_up(&self) {
        let subscription = self.presences.lock().upgrade();
        if let Some(subscription) = subscription {
            subscription.catch_up();
        }
    }
}

impl Dialplan for Asterisk {
    fn function_exists(&self, name: &str) -> bool {
        function::exists(name)
    }

    fn set_function(&self, function: &str, value: &str) -> Result<(), HostError> {
        function::set(function, value).map_err(refusal)
    }

    fn assign(&self, target: &str, value: &str, escalations: bool) -> Result<(), HostError> {
        let assign = || function::assign(target, value).map_err(refusal);
        match escalations {
            true => assign(),
            false => function::without_escalations(assign),
        }
    }

    fn value_of(&self, target: &str) -> Result<Option<String>, HostError> {
        function::get_writable(target).map_err(refusal)
    }

    fn forget_custom_device(&self, device: &str) -> Result<(), HostError> {
        custom::forget(device).map_err(refusal)
    }

    fn manager_action(
        &self,
        action: &str,
        headers: &[(&str, &str)],
    ) -> Result<Vec<ManagerMessage>, HostError> {
        let messages = ami::action(action, headers).map_err(refusal)?;
        let messages = messages.into_iter();
        Ok(messages
            .map(|message| ManagerMessage(message.into_headers()))
            .collect())
    }
}

impl Channels for Asterisk {
    fn each_channel(&self, is_wanted: &dyn Fn(&str) -> bool, visit: ChannelVisitor<'_>) {
        snapshots::each(is_wanted, |snapshot, answered, held| {
            let since = answered.unwrap_or(snapshot.created);
            convert::with_report(&snapshot, since, |report| visit(report, held));
        });
    }

    fn channel_exists(&self, id: &str) -> bool {
        snapshots::exists(id)
    }

    fn devices_of_channel(&self, id: &str) -> Vec<String> {
        snapshots::devices(id)
    }

    fn withholds(&self, id: &str, number: &str) -> bool {
        snapshots::withholds(id, number)
    }

    fn ringing(&self, devices: &[String]) -> Vec<String> {
        let mut calls = channels::of_devices(|device| devices.iter().any(|it| it == device));
        calls.retain(ChannelRef::rings);
        calls.sort_by_key(|call| std::cmp::Reverse(call.created()));
        calls.iter().map(ChannelRef::name).collect()
    }

    fn has_held(&self, devices: &[String]) -> bool {
        let calls = channels::of_devices(|device| devices.iter().any(|it| it == device));
        calls.iter().any(|call| call.held().is_some())
    }

    fn context_of(&self, device: &str) -> Option<String> {
        let (technology, endpoint) = device.split_once('/')?;
        let plain = endpoint
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+'));
        if !technology.eq_ignore_ascii_case("PJSIP") || !plain {
            return None;
        }
        let context = function::read_value(&format!("PJSIP_ENDPOINT({endpoint},context)"));
        context.filter(|context| !context.is_empty())
    }

    fn has_extension(&self, context: &str, extension: &str, caller: &str) -> bool {
        hints::has_extension(context, extension, caller)
    }

    fn application_exists(&self, name: &str) -> bool {
        application::exists(name)
    }
}

impl System for Asterisk {
    fn fully_booted(&self) -> bool {
        system::fully_booted()
    }

    fn shutting_down(&self) -> bool {
        system::shutting_down()
    }

    fn is_timezone(&self, name: &str) -> bool {
        timing::is_timezone(name)
    }

    fn host_name(&self) -> String {
        system::host_name()
    }

    fn minute_of_day(&self, timezone: &str, at: Time) -> u32 {
        timing::minute_of_day(timezone, convert::system_time(at))
    }

    fn in_range(&self, range: &str, timezone: &str, at: Time) -> bool {
        timing::matches(range, timezone, convert::system_time(at))
    }

    fn database_file(&self) -> PathBuf {
        system::database_file()
    }

    fn key_directory(&self) -> PathBuf {
        system::key_directory()
    }
}

impl Configuration for Asterisk {
    fn file(&self, name: &str) -> Result<Vec<Section>, Unreadable> {
        let name = CString::new(name).map_err(|_| Unreadable::Missing)?;
        let file = config::load(&name).map_err(unreadable)?;
        Ok(file.into_iter().map(convert::section).collect())
    }

    fn file_with_templates(&self, name: &str) -> Result<Vec<ConfigEntry>, Unreadable> {
        let name = CString::new(name).map_err(|_| Unreadable::Missing)?;
        let file = config::load_with_templates(&name).map_err(unreadable)?;
        Ok(file.into_iter().map(convert::entry).collect())
    }

    fn configuration_directory(&self) -> PathBuf {
        system::configuration_directory()
    }

    fn included_files(&self, pattern: &str) -> Vec<PathBuf> {
        config_writer::included_files(&system::configuration_directory(), pattern)
    }

    fn write_section(&self, scratch: &Path, section: &SectionText) -> Result<Vec<u8>, HostError> {
        let SectionText {
            text,
            templates,
            values,
        } = section;
        config_writer::write_section(scratch, text, *templates, values).map_err(refusal)
    }

    fn realtime_is_mapped(&self, family: &str) -> bool {
        realtime::available(family)
    }

    fn realtime_rows(&self, family: &str) -> Result<Vec<Section>, HostError> {
        let rows = realtime::load_all(family).map_err(refusal)?;
        Ok(rows.into_iter().map(convert::section).collect())
    }

    fn realtime_row(&self, family: &str, name: &str) -> Result<Option<Section>, HostError> {
        let row = realtime::load_one(family, name).map_err(refusal)?;
        Ok(row.map(convert::section))
    }

    fn change_row(
        &self,
        family: &str,
        name: &str,
        change: &RealtimeChange,
    ) -> Result<(), HostError> {
        let done = match change {
            RealtimeChange::Update(columns) => realtime::update(family, name, columns),
            RealtimeChange::Store(columns) => realtime::store(family, name, columns),
            RealtimeChange::Destroy => realtime::destroy(family, name),
        };
        done.map_err(refusal)
    }
}

impl Host for Asterisk {
    fn reconfigured(&self) {
        call_watch::follow();
        peer::try_again();
        feature_events::notify_all();
    }
}
