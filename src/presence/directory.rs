//! Who the users are and what they read: made from the configuration, never changed.
//!
//! A reload makes a new directory; only [`crate::presence::world::World`] changes
//! between reloads. Users and addresses are numbered, so that what is known of them
//! sits in plain arrays: 100,000 users have to fit and be found fast.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::address::{self, CUSTOM_LABEL, USER_LABEL};
use super::config::{InputKind, InputSpec, Origin, Outgoing, Rule, Schedule, Settings, UserSpec};
use super::device::{DeviceTable, Watcher};

/// The number of a user in a [`Directory`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserId(u32);

/// The number of a source in a [`Directory`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SourceId(u32);

/// The number of an account in a [`Directory`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AccountId(u32);

/// The number of a device in a [`Directory`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeviceId(u32);

macro_rules! index {
    ($($id:ty),*) => {$(
        impl $id {
            /// As an index into an array of them.
            pub fn index(self) -> usize {
                self.0 as usize
            }
            pub(super) fn new(index: usize) -> Self {
                Self(index as u32)
            }
        }
    )*};
}
index!(UserId, SourceId, AccountId, DeviceId);

/// One thing a user reads.
#[derive(Debug)]
pub struct Input {
    /// What it reads.
    pub source: SourceId,
    /// What kind of source it is.
    pub kind: InputKind,
    /// [`Input::NO_DEVICE`] for none: it takes half the room of an `Option`.
    device: u32,
}

impl Input {
    const NO_DEVICE: u32 = u32::MAX;

    /// Whether it is an extension.
    pub fn is_extension(&self) -> bool {
        matches!(self.kind, InputKind::Extension { .. })
    }

    /// The device it reads, or an extension's own.
    pub fn device(&self) -> Option<DeviceId> {
        (self.device != Self::NO_DEVICE).then_some(DeviceId(self.device))
    }

    /// The device by which the user is called: a meeting is none.
    pub fn phone(&self) -> Option<DeviceId> {
        self.device().filter(|_| self.kind != InputKind::Meeting)
    }
}

/// A user as configured.
#[derive(Debug)]
pub struct User {
    /// The one canonical spelling of the name.
    pub name: Arc<str>,
    /// The id that other programs know the user by, when it is not the name.
    pub id: Option<Box<str>>,
    /// The account the user belongs to.
    pub account: AccountId,
    /// How the sources are combined.
    pub rule: Arc<Rule>,
    /// What the user reads, in the order of the configuration.
    pub inputs: Box<[Input]>,
    /// The default extension, as an index into `inputs`.
    pub default: Option<u16>,
    /// The interface that is the user's in queues, where it is named.
    pub member: Option<Box<str>>,
    /// Where the user comes from.
    pub origin: Origin,
    /// Whether own status is one of the sources: only where setting a status writes
    /// nothing out, for else no phone could ever clear it.
    pub own_combines: bool,
    /// 0 for one who reads no user, else one more than the deepest user it reads.
    pub depth: u32,
}

/// What a source is read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceKind {
    /// CustomPresence, which can be written.
    Custom,
    /// A presence provider that can only be read.
    Presence,
    /// One of our users.
    User(UserId),
    /// A device and a table: see [`Directory::reading`].
    Device,
    /// Time ranges: see [`Directory::schedules`].
    Schedule,
}

/// A source, shared by all the users who read it.
#[derive(Debug)]
pub struct Source {
    /// The address as configured; for a device or schedule a name of ours.
    pub address: Arc<str>,
    /// What it is read from.
    pub kind: SourceKind,
}

impl Source {
    /// Whether a presence provider answers for it.
    pub fn is_provided(&self) -> bool {
        matches!(self.kind, SourceKind::Custom | SourceKind::Presence)
    }

    /// The user it is, when it is one of ours.
    pub fn user(&self) -> Option<UserId> {
        match self.kind {
            SourceKind::User(user) => Some(user),
            _ => None,
        }
    }

    /// Its name for people: a device is called by its own.
    pub fn shown(&self) -> &str {
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

/// What a source of [`SourceKind::Device`] reads.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The device.
    pub device: DeviceId,
    /// What its states mean.
    pub table: Arc<DeviceTable>,
}

/// A list for each of many things, all in one array: those of thing `t` are
/// `all[at[t]..at[t + 1]]`.
#[derive(Debug)]
struct Lists<T> {
    all: Vec<T>,
    at: Vec<u32>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Lists {
            all: Vec::new(),
            at: vec![0],
        }
    }
}

impl<T: Copy> Lists<T> {
    /// From pairs of a thing's index and what goes into its list, which keeps their
    /// order.
    fn new(things: usize, pairs: impl Iterator<Item = (usize, T)> + Clone) -> Self {
        let mut at = vec![0u32; things + 1];
        let mut count = 0;
        let mut first = None;
        for (thing, item) in pairs.clone() {
            at[thing + 1] += 1;
            count += 1;
            first = Some(item);
        }
        for thing in 1..at.len() {
            at[thing] += at[thing - 1];
        }
        let mut next = at.clone();
        let mut all = first.map_or_else(Vec::new, |item| vec![item; count]);
        for (thing, item) in pairs {
            all[next[thing] as usize] = item;
            next[thing] += 1;
        }
        Lists { all, at }
    }

    fn of(&self, thing: usize) -> &[T] {
        &self.all[self.at[thing] as usize..self.at[thing + 1] as usize]
    }
}

/// Users and sources by number and by name.
#[derive(Default, Debug)]
pub struct Directory {
    /// `[general]`.
    pub settings: Settings,
    users: Vec<User>,
    sources: Vec<Source>,
    accounts: Vec<Arc<str>>,
    devices: Vec<Box<str>>,
    by_name: HashTable<u32>,
    by_address: HashTable<u32>,
    by_device: HashTable<u32>,
    /// The users who read a source.
    readers: Lists<UserId>,
    /// The users whom a device belongs to as a phone.
    owners: Lists<UserId>,
    /// The source that a user is for others.
    source_of: HashTable<(UserId, SourceId)>,
    readings: HashMap<SourceId, Reading>,
    /// The sources that a device is.
    sources_of_device: HashMap<DeviceId, Vec<SourceId>>,
    schedules: Vec<(SourceId, Schedule)>,
}

impl Directory {
    /// Numbers users and sources. Users must be free of cycles and of double names,
    /// as [`super::config::parse`] leaves them.
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
            .reserve(inputs, |_| unreachable!("it is empty"));
        for spec in &specs {
            let id = directory.by_name.len() as u32;
            let hash = hash_folded(&spec.name);
            let rehash = |user: &u32| hash_folded(&specs[*user as usize].name);
            directory.by_name.insert_unique(hash, id, rehash);
        }
        // Names are known now, so that a source can be recognised as a user.
        let names: Vec<Arc<str>> = specs.iter().map(|spec| spec.name.clone()).collect();
        for spec in specs {
            let inputs = spec.inputs.iter();
            let inputs = inputs.map(|input| directory.input(input, &spec.rule, &names));
            let inputs = inputs.collect();
            let account = directory.intern_account(spec.account);
            directory.users.push(User {
                name: spec.name,
                id: spec.id,
                account,
                rule: spec.rule,
                inputs,
                default: spec.default,
                member: spec.member,
                origin: spec.origin,
                own_combines: true,
                depth: 0,
            });
        }
        for user in 0..directory.users.len() {
            let writes = directory.written(&directory.users[user]).next().is_some();
            directory.users[user].own_combines = !writes;
        }
        directory.sources.shrink_to_fit();
        directory.devices.shrink_to_fit();
        directory.index();
        directory.measure_depths();
        directory
    }

    fn intern_account(&mut self, name: Arc<str>) -> AccountId {
        let known = self.accounts.iter().rposition(|known| *known == name);
        AccountId::new(known.unwrap_or_else(|| {
            self.accounts.push(name);
            self.accounts.len() - 1
        }))
    }

    fn input(&mut self, spec: &InputSpec, rule: &Rule, names: &[Arc<str>]) -> Input {
        let device = spec.device.as_deref();
        let device = device.map(|device| self.intern_device(&self.canonical(device, names)));
        let source = match spec.kind {
            InputKind::Extension { .. } | InputKind::Source => {
                self.intern_provided(&spec.address, names)
            }
            InputKind::Device | InputKind::Meeting => {
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
            InputKind::Schedule => {
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

    /// A device that is one of our users, in the spelling under which it is published.
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

    fn intern_device(&mut self, name: &str) -> DeviceId {
        if let Some(known) = self.device(name) {
            return known;
        }
        let id = DeviceId::new(self.devices.len());
        self.devices.push(name.into());
        let devices = &self.devices;
        let rehash = |device: &u32| hash_exact(&devices[*device as usize]);
        self.by_device.insert_unique(hash_exact(name), id.0, rehash);
        id
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
        // Users match without regard to case: one spelling makes them one source.
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
        if let Some(known) = self.source(address) {
            return known;
        }
        let id = SourceId::new(self.sources.len());
        let address: Arc<str> = address.into();
        let hash = hash_address(&address);
        self.sources.push(Source { address, kind });
        let sources = &self.sources;
        let rehash = |source: &u32| hash_address(&sources[*source as usize].address);
        self.by_address.insert_unique(hash, id.0, rehash);
        id
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
        // An extension's device may be a source beside it: its owner stands there once.
        let owners = inputs.filter_map(|(user, input)| {
            let phone = input.phone()?;
            let mut inputs = self.users[user.index()].inputs.iter();
            let first = inputs.find(|other| other.phone() == Some(phone))?;
            std::ptr::eq(first, input).then_some((phone.index(), user))
        });
        let readers = Lists::new(self.sources.len(), readers);
        let owners = Lists::new(self.devices.len(), owners);
        (self.readers, self.owners) = (readers, owners);
    }

    /// Depths from the users who read no user upwards; each user is settled once all
    /// whom it reads are.
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

    /// The user of that name, without regard to case.
    pub fn user(&self, name: &str) -> Option<UserId> {
        let same = |user: &u32| self.users[*user as usize].name.eq_ignore_ascii_case(name);
        self.by_name
            .find(hash_folded(name), same)
            .copied()
            .map(UserId)
    }

    /// The source of that address; its label matches without regard to case.
    pub fn source(&self, address: &str) -> Option<SourceId> {
        let same = |source: &u32| address::same(&self.sources[*source as usize].address, address);
        self.by_address
            .find(hash_address(address), same)
            .copied()
            .map(SourceId)
    }

    /// The source that other users read this user by.
    pub fn source_of(&self, user: UserId) -> Option<SourceId> {
        let found = self
            .source_of
            .find(hash_number(user), |(known, _)| *known == user);
        found.map(|(_, source)| *source)
    }

    /// The users who read a source.
    pub fn readers(&self, source: SourceId) -> &[UserId] {
        self.readers.of(source.index())
    }

    /// The device of that name.
    pub fn device(&self, name: &str) -> Option<DeviceId> {
        let same = |device: &u32| *self.devices[*device as usize] == *name;
        self.by_device
            .find(hash_exact(name), same)
            .copied()
            .map(DeviceId)
    }

    /// A device's name.
    pub fn device_name(&self, device: DeviceId) -> &str {
        &self.devices[device.index()]
    }

    /// Every device with its number.
    pub fn devices(&self) -> impl Iterator<Item = (DeviceId, &str)> {
        let devices = self.devices.iter().enumerate();
        devices.map(|(i, name)| (DeviceId::new(i), &**name))
    }

    /// How many devices there are.
    pub fn device_count(&self) -> usize {
        self.devices.len()
    }

    /// The users whom a device belongs to as a phone.
    pub fn owners(&self, device: DeviceId) -> &[UserId] {
        self.owners.of(device.index())
    }

    /// The sources that a device is, with the table of each.
    pub fn sources_of_device(
        &self,
        device: DeviceId,
    ) -> impl Iterator<Item = (SourceId, &Reading)> {
        let sources = self.sources_of_device.get(&device).into_iter().flatten();
        sources.map(|source| (*source, &self.readings[source]))
    }

    /// What a source of [`SourceKind::Device`] reads.
    pub fn reading(&self, source: SourceId) -> Option<&Reading> {
        self.readings.get(&source)
    }

    /// The time ranges that are sources.
    pub fn schedules(&self) -> &[(SourceId, Schedule)] {
        &self.schedules
    }

    /// A user by number.
    pub fn get(&self, user: UserId) -> &User {
        &self.users[user.index()]
    }

    /// A user by a number that may be of an earlier directory.
    pub fn try_get(&self, user: UserId) -> Option<&User> {
        self.users.get(user.index())
    }

    /// A source by number.
    pub fn get_source(&self, source: SourceId) -> &Source {
        &self.sources[source.index()]
    }

    /// Whether the source names a user of ours who does not exist.
    pub fn is_missing_user(&self, source: SourceId) -> bool {
        let source = self.get_source(source);
        source.is_provided() && address::below(&source.address, USER_LABEL).is_some()
    }

    /// An account's name.
    pub fn account(&self, account: AccountId) -> &Arc<str> {
        &self.accounts[account.index()]
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

    /// How many users there are.
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// How many sources there are.
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

    /// The users as they were specified, for a directory that differs in a few.
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
            origin: user.origin,
            section: UserSpec::NO_SECTION,
        };
        self.users.iter().map(spec).collect()
    }

    /// The extension's name, `None` for other sources.
    pub fn extension(&self, input: &Input) -> Option<&str> {
        let address = &self.get_source(input.source).address;
        match input.kind {
            InputKind::Extension { at } => Some(&address[usize::from(at)..]),
            _ => None,
        }
    }

    /// The sources that setting the user's status is written to; empty where the
    /// status stays the user's own.
    pub fn written<'a>(&'a self, user: &'a User) -> impl Iterator<Item = SourceId> + 'a {
        self.outgoing(user)
            .filter(|source| self.get_source(*source).kind == SourceKind::Custom)
    }

    /// The sources that [`Directory::written`] has to leave out.
    pub fn unwritable<'a>(&'a self, user: &'a User) -> impl Iterator<Item = SourceId> + 'a {
        self.outgoing(user)
            .filter(|source| self.get_source(*source).kind != SourceKind::Custom)
    }

    fn outgoing<'a>(&'a self, user: &'a User) -> impl Iterator<Item = SourceId> + 'a {
        let (on, to) = (user.rule.enabled, user.rule.outgoing);
        let inputs = user
            .inputs
            .iter()
            .enumerate()
            .filter(move |(index, input)| {
                on && match to {
                    Outgoing::All => input.is_extension(),
                    Outgoing::Default => user.default == Some(*index as u16),
                    Outgoing::None => false,
                }
            });
        inputs.map(|(_, input)| input.source)
    }
}

/// A hash without regard to case. Names are short: a stack buffer holds them.
fn hash_folded(name: &str) -> u64 {
    let mut folded = [0; 64];
    let mut hasher = FxHasher::default();
    for chunk in name.as_bytes().chunks(folded.len()) {
        let folded = &mut folded[..chunk.len()];
        folded.copy_from_slice(chunk);
        folded.make_ascii_lowercase();
        hasher.write(folded);
    }
    hasher.finish()
}

fn hash_exact(name: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(name.as_bytes());
    hasher.finish()
}

fn hash_number(user: UserId) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u32(user.0);
    hasher.finish()
}

/// A hash of the label without and of the rest with regard to case.
fn hash_address(address: &str) -> u64 {
    let (label, rest) = address.split_at(address.find(':').unwrap_or(0));
    let mut hasher = FxHasher::default();
    hasher.write_u64(hash_folded(label));
    hasher.write(rest.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use crate::presence::config::testing::directory;

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
    fn depth_follows_the_longest_way() {
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
