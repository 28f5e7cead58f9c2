//! What the runtime needs of Asterisk, as traits: `src/host.rs` implements them on
//! Asterisk's interfaces, unit tests on a fake.
//!
//! No lock of the runtime may be held while one of these functions is called.

use std::ffi::CStr;
use std::path::{Path, PathBuf};

use presence::calls::live::ChannelReport;
use presence::config::Section;
use presence::config::file::{ConfigEntry, SectionText};
use presence::model::device::DeviceState;
use presence::{Presence, State, Time};

/// Why Asterisk did not do something, in a sentence without a full stop.
pub type HostError = String;

/// A presence as a provider reports it: texts are not checked yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawPresence {
    /// The state.
    pub state: State,
    /// The subtype; empty for none.
    pub subtype: Vec<u8>,
    /// The message; empty for none.
    pub message: Vec<u8>,
}

/// The class of an AMI event: sessions receive the classes that they may read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventClass {
    /// About calls and presence.
    Call,
    /// About the system itself.
    System,
}

/// Publishing to Asterisk and its clients.
pub trait Publisher {
    /// Publishes the presence of `UserPresence:<user>`; returns when Asterisk's topic has it.
    ///
    /// # Errors
    /// Asterisk's refusal.
    fn publish_presence(&self, user: &str, presence: &Presence) -> Result<(), HostError>;

    /// Publishes `not_set` for an address of a user, in that spelling.
    ///
    /// # Errors
    /// Asterisk's refusal.
    fn publish_unset(&self, address: &str) -> Result<(), HostError>;

    /// Has Asterisk forget the presence published last of an address, spelled like that:
    /// the next reader gets the answer of its provider.
    fn forget_presence(&self, address: &str);

    /// Publishes a device state, such as that of `UserPresence:<user>`.
    ///
    /// # Errors
    /// Asterisk's refusal.
    fn publish_device(&self, device: &str, state: DeviceState) -> Result<(), HostError>;

    /// Has Asterisk forget the state published last of a device, spelled like that.
    fn forget_device(&self, device: &str);

    /// Sends an AMI event.
    fn send_event(&self, class: EventClass, name: &CStr, headers: &[(&str, &str)]);

    /// Sends an event of that type and time to an ARI application, with the JSON of one member;
    /// waits for the application's websocket.
    ///
    /// # Errors
    /// The application is gone, or ARI does not run.
    fn send_to_application(
        &self,
        application: &str,
        kind: &str,
        at: Time,
        member: &CStr,
        json: &str,
    ) -> Result<(), HostError>;

    /// Has the phones of these endpoints show their user's present state on their keys. The
    /// endpoints are asked for only if there are such phones.
    fn notify_phones(&self, endpoints: &mut dyn FnMut() -> Vec<String>);
}

/// AstDB.
pub trait Database {
    /// The value of a key, or `None`.
    ///
    /// # Errors
    /// Where AstDB cannot be asked.
    fn look_up(&self, family: &str, key: &str) -> Result<Option<String>, HostError>;

    /// Stores a value. AstDB commits up to a second later.
    ///
    /// # Errors
    /// AstDB's refusal: another program has its file locked, for example.
    fn put(&self, family: &str, key: &str, value: &str) -> Result<(), HostError>;

    /// Deletes a key, which may be absent.
    ///
    /// # Errors
    /// As [`Database::put`].
    fn del(&self, family: &str, key: &str) -> Result<(), HostError>;

    /// The keys below a prefix, without the family, and their values.
    fn tree(&self, family: &str, prefix: &str) -> Vec<(String, String)>;

    /// The value of a key; `None` also where AstDB cannot be asked.
    fn get(&self, family: &str, key: &str) -> Option<String> {
        self.look_up(family, key).ok().flatten()
    }
}

/// Takes an address, its state, subtype and message; the texts are not checked yet.
pub type PresenceVisitor<'a> = &'a mut dyn FnMut(&[u8], State, &[u8], &[u8]);

/// A hint of the dialplan. Texts need not be UTF-8.
#[derive(Clone, Copy, Debug)]
pub struct HintEntry<'a> {
    /// The context's name.
    pub context: &'a [u8],
    /// The extension, or a pattern.
    pub extension: &'a [u8],
    /// What the hint names, such as `PJSIP/2000,UserPresence:alice`.
    pub names: &'a [u8],
}

/// Presence and device states that others provide.
pub trait Providers {
    /// Asks the provider of an address; `None` where it has none.
    fn ask_presence(&self, address: &str) -> Option<RawPresence>;

    /// The presence of an address, from the core's cache where it is there.
    fn cached_presence(&self, address: &str) -> Option<RawPresence>;

    /// Shows every presence in the core's cache.
    fn each_presence(&self, visit: PresenceVisitor<'_>);

    /// The state of a device.
    fn device(&self, name: &str) -> DeviceState;

    /// Shows the name of every device in the core's cache.
    fn each_device(&self, visit: &mut dyn FnMut(&[u8]));

    /// Shows each hint of the dialplan. The dialplan is locked meanwhile.
    fn each_hint(&self, visit: &mut dyn FnMut(HintEntry<'_>));

    /// Whether a hint follows a device only under the very spelling that the hint has, as from
    /// 20.21, 22.11 and 23.5 on. It never changes.
    fn hints_match_case(&self) -> bool;

    /// What the hint of an extension names, as the dialplan finds it in that context.
    fn hint(&self, context: &str, extension: &str) -> Option<String>;

    /// Whether an extension matches a pattern of the dialplan.
    fn extension_matches(&self, pattern: &str, extension: &str) -> bool;

    /// Returns when every presence event published before has been received.
    fn catch_up(&self);
}

/// A message of an AMI action's answer.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ManagerMessage(pub Vec<(String, String)>);

impl ManagerMessage {
    /// The value of a header, or an empty text.
    pub fn get(&self, header: &str) -> &str {
        let mut headers = self.0.iter();
        let found = headers.find(|(name, _)| name.eq_ignore_ascii_case(header));
        found.map_or("", |(_, value)| value)
    }
}

/// Dialplan functions and AMI actions. They may take as long as they like.
pub trait Dialplan {
    /// Whether Asterisk has the function of that name.
    fn function_exists(&self, name: &str) -> bool;

    /// Sets a function, such as `PRESENCE_STATE(CustomPresence:200)`, without a channel.
    ///
    /// # Errors
    /// Asterisk's refusal.
    fn set_function(&self, function: &str, value: &str) -> Result<(), HostError>;

    /// Sets the target of an action, a function or `GLOBAL()`. `escalations`: whether
    /// functions that reach outside of the dialplan are allowed.
    ///
    /// # Errors
    /// Asterisk's refusal.
    fn assign(&self, target: &str, value: &str, escalations: bool) -> Result<(), HostError>;

    /// The value of a target that can be set; `None` where it cannot be read.
    ///
    /// # Errors
    /// Asterisk's refusal.
    fn value_of(&self, target: &str) -> Result<Option<String>, HostError>;

    /// Deletes a custom device state, as if it had never been set.
    ///
    /// # Errors
    /// AstDB's refusal.
    fn forget_custom_device(&self, device: &str) -> Result<(), HostError>;

    /// Carries out an AMI action; its answer's messages.
    ///
    /// # Errors
    /// The action's own error message.
    fn manager_action(
        &self,
        action: &str,
        headers: &[(&str, &str)],
    ) -> Result<Vec<ManagerMessage>, HostError>;
}

/// Takes what a channel reports, and whether it has the other side on hold.
pub type ChannelVisitor<'a> = &'a mut dyn FnMut(&ChannelReport<'_>, bool);

/// Channels, and where they may call.
pub trait Channels {
    /// Shows each channel that is a call of a device for which `is_wanted` holds.
    fn each_channel(&self, is_wanted: &dyn Fn(&str) -> bool, visit: ChannelVisitor<'_>);

    /// Whether there is a channel of that unique id.
    fn channel_exists(&self, id: &str) -> bool;

    /// The devices that the channel of that unique id and the channel with which its call began
    /// are calls of.
    fn devices_of_channel(&self, id: &str) -> Vec<String>;

    /// Whether `number` is that of the channel of that unique id, whose caller withholds it.
    fn withholds(&self, id: &str, number: &str) -> bool;

    /// The name of each channel that rings one of these devices, the newest first.
    fn ringing(&self, devices: &[String]) -> Vec<String>;

    /// Whether one of these devices has a call on hold.
    fn has_held(&self, devices: &[String]) -> bool;

    /// The context in which calls of a device begin; `None` where Asterisk does not say.
    fn context_of(&self, device: &str) -> Option<String>;

    /// Whether the dialplan has the extension in that context, for a caller of that number.
    fn has_extension(&self, context: &str, extension: &str, caller: &str) -> bool;

    /// Whether the dialplan has an application of that name.
    fn application_exists(&self, name: &str) -> bool;
}

/// Asterisk's own state, its clock and its folders.
pub trait System {
    /// Whether Asterisk has loaded all modules of its start.
    fn fully_booted(&self) -> bool;

    /// Whether Asterisk is stopping.
    fn shutting_down(&self) -> bool;

    /// Whether the time zone is known.
    fn is_timezone(&self, name: &str) -> bool;

    /// The name of this server; empty where it has none.
    fn host_name(&self) -> String;

    /// The minute of the day (0 to 1439) in a time zone, empty for Asterisk's own.
    fn minute_of_day(&self, timezone: &str, at: Time) -> u32;

    /// Whether a moment lies in a time range, written as for `GotoIfTime`.
    fn in_range(&self, range: &str, timezone: &str, at: Time) -> bool;

    /// The path of AstDB's file.
    fn database_file(&self) -> PathBuf;

    /// The folder for keys: `keys` below `astkeydir` in `asterisk.conf`. Asterisk may not be able to
    /// write there: `Runtime::key_folder` is the one to use.
    fn key_directory(&self) -> PathBuf;
}

/// Why a configuration file cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// There is no such file.
    Missing,
    /// Asterisk's parser refuses it, and has logged why.
    Invalid,
}

/// Where the configuration comes from, and where it is written.
pub trait Configuration {
    /// The sections of a file in Asterisk's configuration directory.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn file(&self, name: &str) -> Result<Vec<Section>, Unreadable>;

    /// The sections of a file in Asterisk's configuration directory and its templates, as the
    /// parser reads them; the names of the templates of a section are left out.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn file_with_templates(&self, name: &str) -> Result<Vec<ConfigEntry>, Unreadable>;

    /// Asterisk's configuration directory.
    fn configuration_directory(&self) -> PathBuf;

    /// The files that an `#include` of that pattern reads, in order.
    fn included_files(&self, pattern: &str) -> Vec<PathBuf>;

    /// Has Asterisk's writer write a section, with the help of the file `scratch`; its text.
    ///
    /// # Errors
    /// Why it cannot be written.
    fn write_section(&self, scratch: &Path, section: &SectionText) -> Result<Vec<u8>, HostError>;

    /// Whether a realtime family is mapped and its driver is there.
    fn realtime_is_mapped(&self, family: &str) -> bool;

    /// Every row of a realtime family.
    ///
    /// # Errors
    /// Why its table cannot be read.
    fn realtime_rows(&self, family: &str) -> Result<Vec<Section>, HostError>;

    /// The row of that name, where there is one.
    ///
    /// # Errors
    /// As [`Configuration::realtime_rows`].
    fn realtime_row(&self, family: &str, name: &str) -> Result<Option<Section>, HostError>;

    /// Changes the row of that name.
    ///
    /// # Errors
    /// The driver's refusal.
    fn change_row(
        &self,
        family: &str,
        name: &str,
        change: &RealtimeChange,
    ) -> Result<(), HostError>;
}

/// A change of a row of a realtime family.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RealtimeChange {
    /// These columns get other values.
    Update(Vec<(String, String)>),
    /// The row is new.
    Store(Vec<(String, String)>),
    /// The row goes.
    Destroy,
}

/// All that the runtime needs of Asterisk.
pub trait Host:
    Publisher
    + Database
    + Providers
    + Dialplan
    + Channels
    + System
    + Configuration
    + Send
    + Sync
    + 'static
{
    /// Called when another configuration runs.
    fn reconfigured(&self);
}
