//! Builds a directory from the parsed configuration.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::adjacency::Adjacency;
use super::hash::{hash_address, hash_exact, hash_folded, hash_number};
use super::phones::EndpointUsers;
use super::{
    AccountId, DeviceId, Directory, GroupId, Input, Reading, Source, SourceId, SourceKind, User,
    UserId,
};
use crate::config::{InputSpec, Rule, Settings, UserSpec};
use crate::model::address::{self, CUSTOM_LABEL, USER_LABEL};
use crate::model::device::Watcher;
use crate::model::input::ReadFrom;
use crate::model::mailbox;
use crate::model::visibility::group_list;

impl Directory {
    /// Numbers users, sources and devices. Users must have distinct names and no cycles, as
    /// [`crate::config::parse`] guarantees.
    pub fn new(settings: Settings, specs: Vec<UserSpec>) -> Self {
        let mut directory = Directory {
            settings,
            users: Vec::with_capacity(specs.len()),
            by_name: HashTable::with_capacity(specs.len()),
            ..Directory::default()
        };
        let inputs: usize = specs.iter().map(|spec| spec.inputs.len()).sum();
        directory.sources.reserve(inputs);
        directory
            .by_address
            .reserve(inputs, |_| unreachable!("the table is empty"));
        let inputs = specs.iter().flat_map(|spec| &spec.inputs);
        let devices = inputs.filter(|input| input.device.is_some()).count();
        directory
            .by_device
            .reserve(devices, |_| unreachable!("the table is empty"));
        for spec in &specs {
            let id = directory.by_name.len() as u32;
            let hash = hash_folded(&spec.name);
            let rehash = |user: &u32| hash_folded(&specs[*user as usize].name);
            directory.by_name.insert_unique(hash, id, rehash);
        }
        // All names are known now, so a source that is a user can be recognised.
        let names: Vec<Arc<str>> = specs.iter().map(|spec| spec.name.clone()).collect();
        for spec in specs {
            let inputs = spec.inputs.iter();
            let inputs = inputs.map(|input| directory.input(input, &spec.rule, &names));
            let inputs = inputs.collect();
            let publishers = spec
                .publish
                .map(|it| Box::new(directory.publishers_from(&it)));
            let account = directory.intern_account(spec.account);
            directory.users.push(User {
                name: spec.name,
                id: spec.id,
                account,
                rule: spec.rule,
                inputs,
                default: spec.default,
                member: spec.member,
                groups: spec.groups,
                contact: spec.contact,
                reach: spec.reach,
                password: spec.password,
                publishers,
                origin: spec.origin,
                own_combines: true,
                depth: 0,
            });
        }
        for user in 0..directory.users.len() {
            let spec = &directory.users[user];
            let writes = directory.written(spec, spec.default).next().is_some();
            directory.users[user].own_combines = !writes;
        }
        directory.sources.shrink_to_fit();
        directory.devices.shrink_to_fit();
        directory.index();
        directory.index_numbers();
        directory.index_mailboxes();
        directory.index_publishers();
        directory.index_groups();
        directory.collect_password_kinds();
        directory.measure_depths();
        directory
    }

    fn index_numbers(&mut self) {
        let mut numbers = Vec::new();
        for (at, user) in self.users.iter().enumerate() {
            let extensions = user.inputs.iter();
            let extensions = extensions.filter_map(|input| self.extension(input));
            let names = extensions.chain(user.id.as_deref());
            numbers.extend(names.map(|name| (hash_exact(name), UserId::new(at))));
        }
        // The exact size avoids hashing an entry twice.
        self.by_number.reserve(numbers.len(), |_| 0);
        for (hash, user) in numbers {
            self.by_number
                .insert_unique(hash, user, |_| unreachable!("there is room"));
        }
    }

    fn index_mailboxes(&mut self) {
        for (at, user) in self.users.iter().enumerate() {
            let mailbox = user.reach.as_deref().map_or("", |reach| &reach.mailbox);
            if !mailbox.is_empty() {
                let name = mailbox::whole(mailbox).into_owned();
                self.mailboxes
                    .entry(name)
                    .or_default()
                    .push(UserId::new(at));
            }
        }
    }

    fn index_groups(&mut self) {
        let mut pairs = Vec::new();
        let mut known: HashMap<(AccountId, String), GroupId> = HashMap::new();
        for (at, user) in self.users.iter().enumerate() {
            for name in user.groups.iter().flat_map(|groups| groups.iter()) {
                let key = (user.account, name.to_lowercase());
                let next = GroupId::new(self.groups.len());
                let group = *known.entry(key).or_insert(next);
                if group == next {
                    self.groups.push((user.account, name.clone()));
                    let list = (user.account, group_list(name).to_ascii_lowercase().into());
                    self.by_group.entry(list).or_insert(group);
                }
                pairs.push((group.index(), UserId::new(at)));
            }
        }
        self.group_members = Adjacency::new(self.groups.len(), pairs.into_iter());
    }

    fn intern_account(&mut self, name: Arc<str>) -> AccountId {
        let next = AccountId::new(self.accounts.len());
        let account = *self.by_account.entry(name.clone()).or_insert(next);
        if account == next {
            self.accounts.push(name);
        }
        account
    }

    fn input(&mut self, spec: &InputSpec, rule: &Rule, names: &[Arc<str>]) -> Input {
        let device = spec.device.as_deref();
        let device = device.map(|device| self.intern_device(&self.canonical(device, names)));
        let source = match spec.kind.read_from() {
            ReadFrom::Provider => self.intern_provided(&spec.address, names),
            ReadFrom::Device => {
                let source = self.intern_source(&spec.address, SourceKind::Device);
                if let Some((device, table)) = device.zip(spec.table.clone()) {
                    let reading = Reading { device, table };
                    if self.readings.insert(source, reading).is_none() {
                        let sources = self.sources_of_device.entry(device).or_default();
                        sources.push(source);
                    }
                }
                source
            }
            // No line of the configuration gives an input of this kind.
            ReadFrom::Phone => self.intern_source(&spec.address, SourceKind::Device),
            ReadFrom::Clock => {
                let before = self.sources.len();
                let source = self.intern_source(&spec.address, SourceKind::Schedule);
                if self.sources.len() > before {
                    self.schedules.push((source, rule.schedule.clone()));
                }
                source
            }
        };
        Input {
            source,
            kind: spec.kind,
            device: device.map_or(Input::NO_DEVICE, |device| device.0),
        }
    }

    /// A device's name; a device that is a user of this module gets its published spelling.
    fn canonical<'a>(&self, device: &'a str, names: &[Arc<str>]) -> Cow<'a, str> {
        let found = address::below(device, USER_LABEL).and_then(|name| {
            let (name, watcher) = Watcher::split(name);
            let same = |user: &u32| names[*user as usize].eq_ignore_ascii_case(name);
            let user = self.by_name.find(hash_folded(name), same)?;
            let name = &names[*user as usize];
            Some(format!("{USER_LABEL}:{name}{}", watcher.suffix()))
        });
        found.map_or(Cow::Borrowed(device), Cow::Owned)
    }

    pub(super) fn intern_device(&mut self, name: &str) -> DeviceId {
        let devices = &self.devices;
        let same = |device: &u32| devices.get(*device as usize) == name;
        let rehash = |device: &u32| hash_exact(devices.get(*device as usize));
        match self.by_device.entry(hash_exact(name), same, rehash) {
            Entry::Occupied(known) => DeviceId(*known.get()),
            Entry::Vacant(slot) => {
                let id = DeviceId::new(devices.len());
                slot.insert(id.0);
                self.devices.push(name);
                id
            }
        }
    }

    fn intern_provided(&mut self, address: &str, names: &[Arc<str>]) -> SourceId {
        let user = address::below(address, USER_LABEL).and_then(|name| {
            let same = |user: &u32| names[*user as usize].eq_ignore_ascii_case(name);
            self.by_name
                .find(hash_folded(name), same)
                .copied()
                .map(UserId)
        });
        let Some(user) = user else {
            let kind = match address::below(address, CUSTOM_LABEL) {
                Some(_) => SourceKind::Custom,
                None => SourceKind::Presence,
            };
            return self.intern_source(address, kind);
        };
        // User names match regardless of case: one spelling makes them one source.
        let canonical = format!("{USER_LABEL}:{}", names[user.index()]);
        let source = self.intern_source(&canonical, SourceKind::User(user));
        if self.source_of(user).is_none() {
            let rehash = |(user, _): &(UserId, SourceId)| hash_number(*user);
            self.source_of
                .insert_unique(hash_number(user), (user, source), rehash);
        }
        source
    }

    fn intern_source(&mut self, address: &str, kind: SourceKind) -> SourceId {
        let sources = &self.sources;
        let same = |source: &u32| address::same(&sources[*source as usize].address, address);
        let rehash = |source: &u32| hash_address(&sources[*source as usize].address);
        match self.by_address.entry(hash_address(address), same, rehash) {
            Entry::Occupied(known) => SourceId(*known.get()),
            Entry::Vacant(slot) => {
                let id = SourceId::new(sources.len());
                slot.insert(id.0);
                let address = address.into();
                self.sources.push(Source { address, kind });
                id
            }
        }
    }

    fn index(&mut self) {
        let users = self.users.iter().enumerate();
        let inputs = users.flat_map(|(user, spec)| {
            let inputs = spec.inputs.iter();
            inputs.map(move |input| (UserId::new(user), input))
        });
        let readers = inputs
            .clone()
            .map(|(user, input)| (input.source.index(), user));
        // An extension's device may also be a source of its own: its owner is listed once.
        let owners = inputs.filter_map(|(user, input)| {
            let phone = input.phone()?;
            let mut inputs = self.users[user.index()].inputs.iter();
            let first = inputs.find(|other| other.phone() == Some(phone))?;
            std::ptr::eq(first, input).then_some((phone.index(), user))
        });
        let readers = Adjacency::new(self.sources.len(), readers);
        let owners = Adjacency::new(self.devices.len(), owners);
        (self.readers, self.owners) = (readers, owners);
        self.endpoint_users = EndpointUsers::new(&self.users);
        let members = self.users.iter().enumerate();
        let members = members.map(|(at, user)| (user.account.index(), UserId::new(at)));
        self.members = Adjacency::new(self.accounts.len(), members);
        for (at, user) in self.users.iter().enumerate() {
            if let Some(id) = &user.id {
                let key = (user.account, id.clone());
                self.by_id.entry(key).or_insert(UserId::new(at));
            }
        }
        for (at, user) in self.users.iter().enumerate() {
            let names = user.reach.iter().flat_map(|reach| &reach.monitors);
            let monitored = names.filter_map(|name| self.user(name));
            let monitored: Vec<UserId> = monitored.filter(|other| other.index() != at).collect();
            for other in monitored {
                let monitors = self.monitors.entry(other).or_default();
                monitors.push(UserId::new(at));
            }
        }
    }

    /// Computes depths, starting from users that read no user. A user's depth is final once the
    /// depths of all users that it reads are final.
    fn measure_depths(&mut self) {
        let reads = |user: &User| {
            let inputs = user.inputs.iter();
            inputs
                .filter(|i| self.sources[i.source.index()].user().is_some())
                .count()
        };
        let mut open: Vec<usize> = self.users.iter().map(reads).collect();
        let ready = (0..self.users.len()).filter(|user| open[*user] == 0);
        let mut ready: Vec<UserId> = ready.map(UserId::new).collect();
        while let Some(user) = ready.pop() {
            let Some(source) = self.source_of(user) else {
                continue;
            };
            let deeper = self.users[user.index()].depth + 1;
            for reader in self.readers(source).to_vec() {
                let entry = &mut self.users[reader.index()];
                entry.depth = entry.depth.max(deeper);
                open[reader.index()] -= 1;
                if open[reader.index()] == 0 {
                    ready.push(reader);
                }
            }
        }
    }
}
