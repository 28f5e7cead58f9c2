//! The configured users and the sources that they read.
//!
//! A directory never changes; a reload builds a new one, and only [`crate::world::World`]
//! changes between reloads. Users and sources are numbered, so that their state is kept in
//! plain arrays: 100,000 users have to fit and be found fast.

mod adjacency;
mod build;
mod digest;
mod functions;
mod hash;
mod id;
pub mod lists;
mod logins;
mod names;
mod own_items;
mod own_targets;
mod phones;
mod publishers;
pub mod watching;

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::config::{
    InputKind, InputSpec, Origin, Outgoing, PasswordKinds, Publish, Rule, Schedule, Settings,
    UserSpec,
};
use crate::model::address::{self, USER_LABEL};
use crate::model::contact::Contact;
use crate::model::device::DeviceTable;
use crate::model::handling::Reach;
use crate::model::mailbox;
use crate::model::own_rights::OwnArea;
use crate::model::publish_table::PublishTable;
use crate::model::visibility::same_group;
use adjacency::Adjacency;
use hash::{hash_address, hash_exact, hash_folded, hash_number};
use names::Names;
use phones::EndpointUsers;

pub use functions::unknown_functions;
pub use id::{AccountId, DeviceId, GroupId, SourceId, UserId};
pub use own_targets::OwnDestination;
pub use publishers::{MayPublish, Publishers};

/// A source that a user reads.
#[derive(Debug)]
pub struct Input {
    /// The source.
    pub source: SourceId,
    /// The kind of source.
    pub kind: InputKind,
    /// The device's number; [`Input::NO_DEVICE`] without a device. An `Option` takes twice the
    /// memory.
    device: u32,
}

impl Input {
    const NO_DEVICE: u32 = u32::MAX;

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

/// The origin of a source's presence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceKind {
    /// `CustomPresence`, which can be written.
    Custom,
    /// Another presence provider, which can only be read.
    Presence,
    /// A user of this module.
    User(UserId),
    /// A device state and a table: see [`Directory::reading`].
    Device,
    /// Time ranges: see [`Directory::schedules`].
    Schedule,
}

/// A source, shared by all users that read it.
#[derive(Debug)]
pub struct Source {
    /// The address as configured; for a device or schedule, an internal name.
    pub address: Arc<str>,
    /// The origin of the presence.
    pub kind: SourceKind,
}

impl Source {
    /// Whether a presence provider answers for the source.
    pub fn is_provided(&self) -> bool {
        matches!(self.kind, SourceKind::Custom | SourceKind::Presence)
    }

    /// The user that the source is, if it is a user of this module.
    pub fn user(&self) -> Option<UserId> {
        match self.kind {
            SourceKind::User(user) => Some(user),
            _ => None,
        }
    }

    /// The name to display: the address, the device's name, or `schedule`.
    pub fn display_name(&self) -> &str {
        match self.kind {
            SourceKind::Device => {
                let rest = self.address.split_once(',').map_or("", |(_, rest)| rest);
                rest.rsplit_once(',').map_or(rest, |(device, _)| device)
            }
            SourceKind::Schedule => "schedule",
            _ => &self.address,
        }
    }
}

/// An extension that several users share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedExtension {
    /// The address.
    pub address: Arc<str>,
    /// The extension's name in the configuration of the first user.
    pub extension: String,
    /// The names of the first two users.
    pub users: [Arc<str>; 2],
    /// How many other users have the extension.
    pub others: usize,
}

/// The reason why [`Directory::find`] finds no user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unclear {
    /// No user has that name, id or extension.
    Unknown,
    /// These users all have that id or extension.
    Several(Vec<Arc<str>>),
}

/// The device and table of a source of [`SourceKind::Device`].
#[derive(Clone, Debug)]
pub struct Reading {
    /// The device.
    pub device: DeviceId,
    /// The presence for each state of the device.
    pub table: Arc<DeviceTable>,
}

/// Users and sources by number and by name.
#[derive(Default, Debug)]
pub struct Directory {
    /// The settings of `[general]`.
    pub settings: Settings,
    users: Vec<User>,
    sources: Vec<Source>,
    accounts: Vec<Arc<str>>,
    by_account: HashMap<Arc<str>, AccountId>,
    /// The users of an account.
    members: Adjacency<UserId>,
    /// Users by an id that is not their name.
    by_id: HashMap<(AccountId, Box<str>), UserId>,
    devices: Names,
    by_name: HashTable<u32>,
    /// Users by their id, if it is not the name, and by each extension.
    by_number: HashTable<UserId>,
    by_address: HashTable<u32>,
    by_device: HashTable<u32>,
    /// The users that read a source.
    readers: Adjacency<UserId>,
    /// The users whose phone a device is.
    owners: Adjacency<UserId>,
    /// The source by which other users read a user.
    source_of: HashTable<(UserId, SourceId)>,
    readings: HashMap<SourceId, Reading>,
    /// The sources that read a device.
    sources_of_device: HashMap<DeviceId, Vec<SourceId>>,
    schedules: Vec<(SourceId, Schedule)>,
    /// The users of each mailbox, by its name with context.
    mailboxes: HashMap<String, Vec<UserId>>,
    /// The account and name of each group, as the first user that names it spells it.
    groups: Vec<(AccountId, Box<str>)>,
    /// Groups by their account and the name of their list in small letters; of several groups with
    /// one name only the first has the list.
    by_group: HashMap<(AccountId, Box<str>), GroupId>,
    /// The users of a group.
    group_members: Adjacency<UserId>,
    /// The users that monitor a user.
    monitors: HashMap<UserId, Vec<UserId>>,
    endpoint_users: EndpointUsers,
    /// The table of the phones of users whose configuration names no phones.
    publish_table: Arc<PublishTable>,
    /// The users that name a device as a phone that publishes.
    named_publishers: HashMap<DeviceId, Vec<UserId>>,
    /// The kinds of all passwords: see [`Directory::password_kinds`].
    password_kinds: PasswordKinds,
}

impl Directory {
    /// The user of this name, ignoring case.
    pub fn user(&self, name: &str) -> Option<UserId> {
        let same = |user: &u32| self.users[*user as usize].name.eq_ignore_ascii_case(name);
        self.by_name
            .find(hash_folded(name), same)
            .copied()
            .map(UserId)
    }

    /// The user with this name, or else the only one with this id or extension.
    ///
    /// # Errors
    /// [`Unclear::Unknown`] if no user matches, [`Unclear::Several`] if several users do.
    pub fn find(&self, wanted: &str) -> Result<UserId, Unclear> {
        if let Some(user) = self.user(wanted) {
            return Ok(user);
        }
        match self.called(wanted).as_slice() {
            [] => Err(Unclear::Unknown),
            [one] => Ok(*one),
            several => {
                let names = several.iter().map(|user| self.get(*user).name.clone());
                Err(Unclear::Several(names.collect()))
            }
        }
    }

    /// The users with this id or extension, in the order of the configuration.
    fn called(&self, wanted: &str) -> Vec<UserId> {
        let hash = hash_exact(wanted);
        let mut found: Vec<UserId> = self.by_number.iter_hash(hash).copied().collect();
        found.retain(|user| self.is_called(*user, wanted));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Whether `wanted` is the user's id or one of the user's extensions.
    fn is_called(&self, user: UserId, wanted: &str) -> bool {
        let user = self.get(user);
        let mut inputs = user.inputs.iter();
        user.id.as_deref() == Some(wanted)
            || inputs.any(|input| self.extension(input) == Some(wanted))
    }

    /// The source at this address, ignoring case in the label.
    pub fn source(&self, address: &str) -> Option<SourceId> {
        let same = |source: &u32| address::same(&self.sources[*source as usize].address, address);
        self.by_address
            .find(hash_address(address), same)
            .copied()
            .map(SourceId)
    }

    /// The source by which other users read this user; `None` if none of them does.
    pub fn source_of(&self, user: UserId) -> Option<SourceId> {
        let found = self
            .source_of
            .find(hash_number(user), |(known, _)| *known == user);
        found.map(|(_, source)| *source)
    }

    /// The users that read a source.
    pub fn readers(&self, source: SourceId) -> &[UserId] {
        self.readers.of(source.index())
    }

    /// The device of this name.
    pub fn device(&self, name: &str) -> Option<DeviceId> {
        let same = |device: &u32| self.devices.get(*device as usize) == name;
        self.by_device
            .find(hash_exact(name), same)
            .copied()
            .map(DeviceId)
    }

    /// A device's name.
    pub fn device_name(&self, device: DeviceId) -> &str {
        self.devices.get(device.index())
    }

    /// Every device with its number.
    pub fn devices(&self) -> impl Iterator<Item = (DeviceId, &str)> {
        let devices = self.devices.iter().enumerate();
        devices.map(|(i, name)| (DeviceId::new(i), name))
    }

    /// The number of devices.
    pub fn device_count(&self) -> usize {
        self.devices.len()
    }

    /// The users whose phone this device is.
    pub fn owners(&self, device: DeviceId) -> &[UserId] {
        self.owners.of(device.index())
    }

    /// The sources that read a device, with the table of each.
    pub fn sources_of_device(
        &self,
        device: DeviceId,
    ) -> impl Iterator<Item = (SourceId, &Reading)> {
        let sources = self.sources_of_device.get(&device).into_iter().flatten();
        sources.map(|source| (*source, &self.readings[source]))
    }

    /// The device and table of a [`SourceKind::Device`]; `None` for other sources.
    pub fn reading(&self, source: SourceId) -> Option<&Reading> {
        self.readings.get(&source)
    }

    /// The users of a mailbox. A name without a context means the context `default`.
    pub fn owners_of_mailbox(&self, name: &str) -> &[UserId] {
        let owners = self.mailboxes.get(&*mailbox::whole(name));
        owners.map_or(&[], Vec::as_slice)
    }

    /// The schedules, each with its source.
    pub fn schedules(&self) -> &[(SourceId, Schedule)] {
        &self.schedules
    }

    /// The users that monitor a user, in the order of the configuration.
    pub fn monitors(&self, user: UserId) -> &[UserId] {
        self.monitors.get(&user).map_or(&[], Vec::as_slice)
    }

    /// The owner of an extension from the viewpoint of the user `of`. Several users may share
    /// the extension: `of` comes first, then users of the same account, then any other.
    pub fn owner_of_extension(&self, extension: &str, of: UserId) -> Option<UserId> {
        let user = self.get(of);
        let address = format!("{}{extension}", user.rule.presence_prefix);
        let source = self.source(&address)?;
        let has = |id: &&UserId| {
            let mut inputs = self.get(**id).inputs.iter();
            inputs.any(|input| input.source == source && input.is_extension())
        };
        let mut owners = self.readers(source).iter().filter(has);
        let first = owners.next()?;
        let all = || std::iter::once(first).chain(owners.clone());
        let found = all().find(|owner| **owner == of);
        let same = || all().find(|owner| self.get(**owner).account == user.account);
        found.or_else(same).or(Some(first)).copied()
    }

    /// The users that have an extension at this address, in the order of the configuration.
    pub fn owners_of_extension(&self, address: &str) -> impl Iterator<Item = UserId> {
        let source = self.source(address);
        let readers = source.map_or(&[][..], |source| self.readers(source));
        let owners = readers.iter().copied();
        owners.filter(move |user| {
            let mut inputs = self.get(*user).inputs.iter();
            inputs.any(|input| Some(input.source) == source && input.is_extension())
        })
    }

    /// The extensions that several users share.
    pub fn shared_extensions(&self) -> impl Iterator<Item = SharedExtension> {
        let read_by_several = self.sources().filter(|(id, _)| self.readers(*id).len() > 1);
        read_by_several.filter_map(|(id, source)| {
            let mut owners = self.owners_of_extension(&source.address);
            let (first, second) = (owners.next()?, owners.next()?);
            let mut inputs = self.get(first).inputs.iter();
            let own = inputs.find(|input| input.source == id && input.is_extension());
            Some(SharedExtension {
                address: source.address.clone(),
                extension: own.and_then(|input| self.extension(input))?.to_owned(),
                users: [first, second].map(|user| self.get(user).name.clone()),
                others: owners.count(),
            })
        })
    }

    /// The user with this number.
    pub fn get(&self, user: UserId) -> &User {
        &self.users[user.index()]
    }

    /// The user with this number, which may come from an earlier directory; `None` if it is
    /// out of range.
    pub fn try_get(&self, user: UserId) -> Option<&User> {
        self.users.get(user.index())
    }

    /// The source with this number.
    pub fn get_source(&self, source: SourceId) -> &Source {
        &self.sources[source.index()]
    }

    /// Whether the source names a user of this module that does not exist.
    pub fn is_missing_user(&self, source: SourceId) -> bool {
        let source = self.get_source(source);
        source.is_provided() && address::below(&source.address, USER_LABEL).is_some()
    }

    /// An account's name.
    pub fn account(&self, account: AccountId) -> &Arc<str> {
        &self.accounts[account.index()]
    }

    /// The account of this name.
    pub fn account_named(&self, name: &str) -> Option<AccountId> {
        self.by_account.get(name).copied()
    }

    /// The users of an account, in the order of the configuration.
    pub fn members(&self, account: AccountId) -> &[UserId] {
        self.members.of(account.index())
    }

    /// A hash of the account's members with their names, ids and extensions, what the directory
    /// has of them, their groups and who may see them. Readers of the account need a new list
    /// when it changes.
    pub fn members_digest(&self, account: AccountId) -> u64 {
        let members = self.members(account).iter();
        let names = members.map(|user| {
            let user = self.get(*user);
            let extensions = user.inputs.iter();
            let extensions = extensions.filter_map(|input| self.extension(input));
            let person = (&user.contact, &user.groups, user.rule.visibility);
            let rights = user.rule.own_rights.may_set(OwnArea::Visibility);
            let names = (&user.name, &user.id, extensions.collect::<Vec<_>>());
            (names, person, rights)
        });
        rustc_hash::FxBuildHasher.hash_one(names.collect::<Vec<_>>())
    }

    /// The accounts whose members, or what their readers may see, differ from those of
    /// `before`.
    pub fn changed_accounts(&self, before: &Directory) -> Vec<Arc<str>> {
        if self.settings.http.sees_otherwise(&before.settings.http) {
            return self.accounts.clone();
        }
        let changed = self.accounts.iter().filter(|name| {
            let digest = |of: &Directory| of.account_named(name).map(|id| of.members_digest(id));
            digest(self) != digest(before)
        });
        changed.cloned().collect()
    }

    /// The account's user with this id, or else with this name, or else the first one with
    /// this extension.
    pub fn member(&self, account: AccountId, wanted: &str) -> Option<UserId> {
        let is_member = |user: &UserId| self.get(*user).account == account;
        let by_id = || self.by_id.get(&(account, wanted.into())).copied();
        let by_name = || self.user(wanted).filter(is_member);
        let has = |user: &UserId| {
            let mut inputs = self.get(*user).inputs.iter();
            is_member(user) && inputs.any(|input| self.extension(input) == Some(wanted))
        };
        let by_extension = || {
            let called = self.by_number.iter_hash(hash_exact(wanted)).copied();
            called.filter(has).min()
        };
        by_id().or_else(by_name).or_else(by_extension)
    }

    /// Every account's name, by number.
    pub fn accounts(&self) -> &[Arc<str>] {
        &self.accounts
    }

    /// Every user with its number.
    pub fn users(&self) -> impl Iterator<Item = (UserId, &User)> {
        self.users
            .iter()
            .enumerate()
            .map(|(i, user)| (UserId::new(i), user))
    }

    /// The number of users.
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// The number of sources.
    pub fn source_count(&self) -> usize {
        self.sources.len()
    }

    /// Every source with its number.
    pub fn sources(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.sources
            .iter()
            .enumerate()
            .map(|(i, source)| (SourceId::new(i), source))
    }

    /// The users as specified, for building a directory that differs in a few of them.
    pub fn specs(&self) -> Vec<UserSpec> {
        let input = |input: &Input| InputSpec {
            kind: input.kind,
            address: self.get_source(input.source).address.as_ref().into(),
            device: input.device().map(|device| self.device_name(device).into()),
            table: self.reading(input.source).map(|read| read.table.clone()),
            variable: 0,
        };
        let spec = |user: &User| UserSpec {
            name: user.name.clone(),
            id: user.id.clone(),
            account: self.account(user.account).clone(),
            rule: user.rule.clone(),
            inputs: user.inputs.iter().map(input).collect(),
            default: user.default,
            member: user.member.clone(),
            groups: user.groups.clone(),
            contact: user.contact.clone(),
            reach: user.reach.clone(),
            password: user.password.clone(),
            publish: user
                .publishers
                .as_deref()
                .map(|it| Box::new(self.publish_of(it))),
            origin: user.origin,
            section: UserSpec::NO_SECTION,
        };
        self.users.iter().map(spec).collect()
    }

    /// The name of the extension; `None` for other inputs.
    pub fn extension(&self, input: &Input) -> Option<&str> {
        let address = &self.get_source(input.source).address;
        match input.kind {
            InputKind::Extension { at } => Some(&address[usize::from(at)..]),
            _ => None,
        }
    }

    /// The sources to which a status of the user is written; empty if it only becomes own
    /// status. `default` is the user's default extension, see [`crate::world::World::default_of`].
    pub fn written<'a>(
        &'a self,
        user: &'a User,
        default: Option<u16>,
    ) -> impl Iterator<Item = SourceId> + 'a {
        self.outgoing(user, default)
            .filter(|source| self.get_source(*source).kind == SourceKind::Custom)
    }

    /// The sources that [`Directory::written`] leaves out because they cannot be written.
    pub fn unwritable<'a>(
        &'a self,
        user: &'a User,
        default: Option<u16>,
    ) -> impl Iterator<Item = SourceId> + 'a {
        self.outgoing(user, default)
            .filter(|source| self.get_source(*source).kind != SourceKind::Custom)
    }

    fn outgoing<'a>(
        &'a self,
        user: &'a User,
        default: Option<u16>,
    ) -> impl Iterator<Item = SourceId> + 'a {
        let (on, to) = (user.rule.enabled, user.rule.outgoing);
        let inputs = user
            .inputs
            .iter()
            .enumerate()
            .filter(move |(index, input)| {
                on && match to {
                    Outgoing::All => input.is_extension(),
                    Outgoing::Default => default == Some(*index as u16),
                    Outgoing::None => false,
                }
            });
        inputs.map(|(_, input)| input.source)
    }
}

#[cfg(test)]
mod tests {
    use super::Unclear;
    use crate::config::testing::directory;

    #[test]
    fn finds_users_and_sources_as_asterisk_matches_names() {
        let directory = directory(
            "[Alice]\ntype=user\nextension=200\nextension=201\n[bob]\ntype=user\nextension=200",
        );
        let alice = directory.user("aLICE").unwrap();
        assert_eq!(&*directory.get(alice).name, "Alice");
        assert_eq!(directory.user("carol"), None);
        let shared = directory.source("customPRESENCE:200").unwrap();
        assert_eq!(directory.readers(shared).len(), 2);
        assert_eq!(directory.source("CustomPresence:202"), None);
        assert_eq!(directory.source_count(), 2);
    }

    #[test]
    fn a_user_is_found_by_the_id_and_by_an_extension() {
        let directory = directory(
            "[alice]\ntype=user\nid=4711\nextension=200\nextension=201\n\
             [bob]\ntype=user\nid=202\nextension=201\n\
             [carol]\ntype=user\nextension=202\naccount=east\n\
             [200]\ntype=user\nextension=210\n\
             [dave]\ntype=user\nid=210\nextension=210\npresence_prefix=CustomPresence:x-\n\
             [erin]\ntype=user\nid=9\nextension=9",
        );
        let find = |wanted| {
            let found = directory.find(wanted);
            found.map(|user| directory.get(user).name.to_string())
        };
        let several = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).into());
            Err(Unclear::Several(names.collect()))
        };
        assert_eq!(find("ALICE"), Ok("alice".into()));
        assert_eq!(find("4711"), Ok("alice".into()));
        assert_eq!(find("200"), Ok("200".into()), "a name comes first");
        assert_eq!(find("201"), several(&["alice", "bob"]));
        assert_eq!(find("202"), several(&["bob", "carol"]));
        assert_eq!(find("210"), several(&["200", "dave"]));
        assert_eq!(find("9"), Ok("erin".into()));
        assert_eq!(find("x-210"), Err(Unclear::Unknown));
        assert_eq!(find(""), Err(Unclear::Unknown));
        let east = directory.account_named("east").unwrap();
        let here = directory.account_named("default").unwrap();
        let member = |account, wanted| {
            let found = directory.member(account, wanted);
            found.map(|user| directory.get(user).name.to_string())
        };
        assert_eq!(member(east, "202").as_deref(), Some("carol"));
        assert_eq!(member(here, "202").as_deref(), Some("bob"));
        assert_eq!(member(here, "201").as_deref(), Some("alice"));
        assert_eq!(member(east, "201"), None);
    }

    #[test]
    fn depth_follows_the_longest_path() {
        let directory = directory(
            "[a]\ntype=user\nsource=UserPresence:b\nsource=UserPresence:C\n\
             [b]\ntype=user\nsource=UserPresence:c\n[c]\ntype=user\nextension=1",
        );
        let depth = |name| directory.get(directory.user(name).unwrap()).depth;
        assert_eq!((depth("a"), depth("b"), depth("c")), (2, 1, 0));
    }

    #[test]
    fn two_spellings_of_one_user_are_one_source() {
        let directory = directory(
            "[a]\ntype=user\nsource=UserPresence:c\n[b]\ntype=user\nsource=UserPresence:C\n\
             [c]\ntype=user",
        );
        assert_eq!(directory.source_count(), 1);
        let source = directory.source_of(directory.user("c").unwrap()).unwrap();
        assert_eq!(directory.readers(source).len(), 2);
    }
}
