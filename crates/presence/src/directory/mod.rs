//! The configured users and the sources that they read.
//!
//! A directory never changes; a reload builds a new one, and only [`crate::world::World`]
//! changes between reloads. Users and sources are numbered, so that their state is kept in
//! plain arrays: 100,000 users have to fit and be found fast.

mod adjacency;
mod build;
mod digest;
mod extensions;
mod find;
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
mod source;
mod user;
pub mod watching;

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::config::{InputSpec, PasswordKinds, Publish, Schedule, Settings, UserSpec};
use crate::model::address::{self, USER_LABEL};
use crate::model::mailbox;
use crate::model::own_rights::OwnArea;
use crate::model::publish_table::PublishTable;
use adjacency::Adjacency;
use hash::{hash_address, hash_exact, hash_number};
use names::Names;
use phones::EndpointUsers;

pub use extensions::SharedExtension;
pub use find::Unclear;
pub use functions::unknown_functions;
pub use id::{AccountId, DeviceId, GroupId, SourceId, UserId};
pub use own_targets::OwnDestination;
pub use publishers::{MayPublish, Publishers};
pub use source::{Reading, Source, SourceKind};
pub use user::{Input, User};

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
}

#[cfg(test)]
mod tests {
    use crate::config::testing::directory;

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
