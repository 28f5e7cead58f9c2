//! Nodes, each with the presence states of its Asterisk and its rows in AstDB, and a model of
//! etcd.

use super::*;

/// Keys with revisions, and what has changed since the last compaction.
#[derive(Default)]
pub struct Etcd {
    pub keys: BTreeMap<String, (String, i64)>,
    revision: i64,
    begins: bool,
    history: Vec<(i64, String, Option<String>)>,
    compacted: i64,
}

impl Etcd {
    /// Begins a transaction: what is put until the next has one revision.
    fn begin(&mut self) {
        self.begins = true;
    }

    fn put(&mut self, path: &str, value: Option<String>) {
        self.revision += i64::from(std::mem::take(&mut self.begins));
        match value.clone() {
            Some(value) => drop(self.keys.insert(path.to_owned(), (value, self.revision))),
            None => drop(self.keys.remove(path)),
        }
        self.history.push((self.revision, path.to_owned(), value));
    }

    pub fn compact(&mut self) {
        self.compacted = self.revision;
        self.history.clear();
    }
}

/// A node.
pub struct Member {
    pub world: World,
    pub name: &'static str,
    boot: u32,
    /// Whether it reaches etcd.
    pub connected: bool,
    /// The revision up to which it has read.
    read: i64,
    /// Whether it is registered and has read the whole store since.
    joined: bool,
    rows: HashMap<String, String>,
    pub stock: BTreeMap<String, Presence>,
    pub devices: BTreeMap<String, DeviceState>,
    /// How far the node's clock is ahead, in milliseconds.
    pub ahead: u64,
    /// The effects since they were looked at last.
    pub effects: Vec<Effect>,
    text: String,
}

impl Member {
    pub fn new(name: &'static str, text: &str, now: u64) -> Self {
        let mut member = Member {
            world: World::default(),
            name,
            boot: 0,
            connected: true,
            read: 0,
            joined: false,
            rows: HashMap::new(),
            stock: BTreeMap::new(),
            devices: BTreeMap::new(),
            ahead: 0,
            effects: Vec::new(),
            text: text.to_owned(),
        };
        member.start(now, false);
        member
    }

    pub fn identity(&self) -> NodeIdentity {
        NodeIdentity {
            name: self.name.into(),
            boot: format!("{}-{}", self.name, self.boot).into(),
        }
    }

    pub fn time(&self, now: u64) -> Time {
        Time::from_millis(now + self.ahead)
    }

    /// Starts from the rows. `beside`: Asterisk has run on meanwhile.
    pub fn start(&mut self, now: u64, beside: bool) {
        self.boot += 1;
        self.joined = false;
        let now = self.time(now);
        let rows = self
            .rows
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()));
        let stored = Stored::read(rows);
        assert_eq!(stored.unreadable, [""; 0]);
        self.world = World::restore(directory(&self.text), &stored, now);
        self.world.begin_sharing(self.identity(), now);
        self.world.hold_versions(!beside);
        let directory = self.world.directory().clone();
        for (_, source) in directory
            .sources()
            .filter(|(_, source)| source.is_provided())
        {
            let presence = self
                .stock
                .get(&*source.address)
                .cloned()
                .unwrap_or_default();
            self.world
                .report_presence(&source.address, presence.parts(), now);
        }
        self.world.hold_versions(false);
        let devices = directory.devices().map(|(device, name)| {
            let state = self.devices.get(name).copied();
            (device, state.unwrap_or(DeviceState::Unavailable))
        });
        let devices: Vec<_> = devices.collect();
        self.world.report_initial_devices(&devices, now);
        self.world.end_due_statuses(now);
        self.world.log_out_stale_panels(now);
        self.effects.clear();
    }

    /// Shares again, with another section of the configuration.
    pub fn rejoin(&mut self, now: u64) {
        self.joined = false;
        self.boot += 1;
        self.world.begin_sharing(self.identity(), self.time(now));
    }

    /// The configuration is another one from the next start on.
    pub fn set_text(&mut self, text: &str) {
        self.text = text.to_owned();
    }

    pub fn persist(&mut self, most: usize) {
        for row in self.world.take_rows(most) {
            match row.value {
                Some(value) => drop(self.rows.insert(row.key, value)),
                None => drop(self.rows.remove(&row.key)),
            }
        }
    }

    pub fn apply(&mut self, change: &Change, now: u64) {
        let effects = self.world.apply(change, self.time(now));
        self.effects.extend(effects);
    }

    /// Sets a status as `USER_PRESENCE(user)=value` does.
    pub fn choose(&mut self, user: &str, value: &str, now: u64) {
        let user = id(&self.world, user);
        let statuses = self.world.directory().settings.statuses().clone();
        let clock = Clock::utc(self.time(now));
        let choice = &assignment::parse(value, &statuses, &clock).unwrap();
        self.apply(&Change::Chosen { user, choice }, now);
    }

    pub fn set_dnd(&mut self, user: &str, dnd_status: DndStatus, now: u64) {
        let user = id(&self.world, user);
        self.apply(&Change::DndStatus(user, dnd_status), now);
    }

    pub fn set_flag(&mut self, user: &str, flag: Flag, on: bool, now: u64) {
        let user = id(&self.world, user);
        self.apply(&Change::Flag(user, flag, on), now);
    }

    pub fn set_settings(&mut self, user: &str, patch: &str, now: u64) {
        let user = id(&self.world, user);
        let patch = SettingsPatch::parse(patch).unwrap();
        let settings = self.world.with_settings(user, &patch).unwrap();
        let settings = settings.as_ref();
        self.apply(&Change::Settings { user, settings }, now);
    }

    /// An extension changes in Asterisk.
    pub fn report(&mut self, extension: &str, value: &str, now: u64) {
        let mut parts = value.splitn(3, ',');
        let state = State::parse(parts.next().unwrap()).unwrap();
        let mut text = || parts.next().unwrap_or_default();
        let presence = Presence::new(state, text(), text());
        let address = format!("CustomPresence:{extension}");
        let at = self.time(now);
        let effects = self.world.report_presence(&address, presence.parts(), at);
        self.effects.extend(effects);
        self.stock.insert(address, presence);
    }

    pub fn set_device(&mut self, name: &str, state: DeviceState, now: u64) {
        let device = self.world.directory().device(name).unwrap();
        self.devices.insert(name.to_owned(), state);
        self.apply(&Change::Device(device, state), now);
    }

    /// Writes to Asterisk, which tells of it.
    pub fn write_stock(&mut self, now: u64) {
        let at = self.time(now);
        while let Some(write) = self.world.take_write() {
            let parts = write.presence.parts();
            let mut effects = self.world.report_presence(&write.address, parts, at);
            effects.extend(self.world.confirm_write(&write.address, at));
            assert_eq!(effects, [], "an echo changes nothing");
            self.stock
                .insert(write.address.to_string(), write.presence.clone());
        }
    }

    pub fn end(&mut self, now: u64) {
        let (effects, _) = self.world.end_due_statuses(self.time(now));
        self.effects.extend(effects);
    }
}

/// All nodes and etcd.
pub struct Cluster {
    pub etcd: Etcd,
    pub members: Vec<Member>,
    pub now: u64,
}

impl Cluster {
    pub const START: u64 = 1_000_000;

    pub fn new(text: &str) -> Self {
        let now = Self::START;
        let names = ["a", "b", "c"];
        let members = names.map(|name| Member::new(name, text, now));
        let mut cluster = Cluster {
            etcd: Etcd::default(),
            members: members.into(),
            now,
        };
        cluster.settle();
        cluster
    }

    pub fn at(&mut self, member: usize) -> &mut Member {
        &mut self.members[member]
    }

    fn register(&mut self, at: usize) {
        let member = &self.members[at];
        let (key, boot) = (format!("node/{}", member.name), member.identity().boot);
        let known = self.etcd.keys.get(&key).map(|(boot, _)| boot.clone());
        if known.as_deref() == Some(&*boot) {
            return;
        }
        let below = format!("heard/{}/", member.name);
        let old = self
            .etcd
            .keys
            .iter()
            .filter(|(path, (value, _))| path.starts_with(&below) && !value.contains(&*boot));
        let old: Vec<String> = old.map(|(path, _)| path.clone()).collect();
        self.etcd.begin();
        self.etcd.put(&key, Some(boot.to_string()));
        for path in old {
            self.etcd.put(&path, None);
        }
    }

    fn join(&mut self, at: usize) {
        self.register(at);
        let keys = &self.etcd.keys;
        let live = keys.iter().filter_map(|(path, (boot, _))| {
            let name = path.strip_prefix("node/")?;
            Some(NodeIdentity {
                name: name.into(),
                boot: boot.as_str().into(),
            })
        });
        let live: Vec<NodeIdentity> = live.collect();
        let entries = keys.iter().map(|(path, (value, revision))| SharedEntry {
            path,
            value: Some(value),
            revision: *revision,
        });
        let entries: Vec<SharedEntry> = entries.collect();
        let member = &mut self.members[at];
        let now = member.time(self.now);
        let effects = member.world.take_whole(&entries, &live, now).unwrap();
        member.effects.extend(effects);
        (member.read, member.joined) = (self.etcd.revision, true);
    }

    /// Another program writes.
    pub fn put(&mut self, path: &str, value: String) {
        self.etcd.begin();
        self.etcd.put(path, Some(value));
    }

    /// The store loses everything.
    pub fn wipe(&mut self) {
        self.etcd = Etcd::default();
        self.members
            .iter_mut()
            .for_each(|member| member.joined = false);
    }

    /// The end of a node's lease.
    pub fn expire(&mut self, at: usize) {
        let member = &mut self.members[at];
        let key = format!("node/{}", member.name);
        if !member.connected && self.etcd.keys.contains_key(&key) {
            member.joined = false;
            self.etcd.begin();
            self.etcd.put(&key, None);
        }
    }

    /// A node reads up to `most` changes.
    pub fn watch(&mut self, at: usize, most: usize) {
        let member = &mut self.members[at];
        if !member.connected {
            return;
        }
        let wants = member.world.wants_whole();
        if !member.joined || wants || member.read < self.etcd.compacted {
            return self.join(at);
        }
        let now = member.time(self.now);
        let read = member.read;
        let news = self.etcd.history.iter();
        let news: Vec<_> = news.filter(|(revision, ..)| *revision > read).collect();
        let revisions = news.chunk_by(|a, b| a.0 == b.0);
        for changes in revisions.take(most) {
            let mut entries = Vec::new();
            let mut effects = Vec::new();
            for (revision, path, value) in changes.iter() {
                let value = value.as_deref();
                let revision = *revision;
                match (path.strip_prefix("node/"), value) {
                    (Some(name), Some(boot)) => {
                        let (name, boot) = (name.into(), boot.into());
                        let node = NodeIdentity { name, boot };
                        let more = member.world.node_here(node, now);
                        effects.extend(member.world.with_settled(more, now));
                    }
                    (Some(name), None) => {
                        let more = member.world.node_gone(name, now);
                        effects.extend(member.world.with_settled(more, now));
                    }
                    (None, value) => entries.push(SharedEntry {
                        path,
                        value,
                        revision,
                    }),
                }
                member.read = revision;
            }
            // A watch may repeat what it has told.
            effects.extend(member.world.take_shared(&entries, now));
            effects.extend(member.world.take_shared(&entries, now));
            member.effects.extend(effects);
        }
    }

    /// A node writes up to `most` keys. `lost`: it learns nothing of what it wrote.
    pub fn write(&mut self, at: usize, most: usize, lost: bool) {
        let member = &mut self.members[at];
        if !member.connected || !member.joined {
            return;
        }
        let now = member.time(self.now);
        let writes = member.world.take_shared_writes(most);
        if !writes.is_empty() {
            self.etcd.begin();
        }
        for write in writes {
            let known = self.etcd.keys.get(&write.path);
            let revision = known.map_or(0, |(_, revision)| *revision);
            let misses = write.is_register && revision != write.seen;
            if misses {
                let value = known.map(|(value, _)| value.clone());
                let entry = SharedEntry {
                    path: &write.path,
                    value: value.as_deref(),
                    revision,
                };
                if lost {
                    member.world.put_back_shared([&*write.path].into_iter());
                    continue;
                }
                let effects = member.world.take_shared(&[entry], now);
                member.effects.extend(effects);
                continue;
            }
            self.etcd.put(&write.path, write.value);
            match lost {
                true => member.world.put_back_shared([&*write.path].into_iter()),
                false => member.world.shared_written(&write.path, self.etcd.revision),
            }
        }
    }

    /// Everything that is on its way arrives. Returns the number of changes of the store.
    pub fn settle(&mut self) -> i64 {
        let before = self.etcd.revision;
        for round in 0.. {
            assert!(round < 30, "the nodes come to no end");
            let revision = self.etcd.revision;
            let mut idle = true;
            for at in 0..self.members.len() {
                self.members[at].connected = true;
                self.register(at);
                self.watch(at, usize::MAX);
                self.write(at, usize::MAX, false);
                let now = self.now;
                let member = &mut self.members[at];
                member.end(now);
                member.write_stock(now);
                idle &= member.read == self.etcd.revision && member.world.shared_waiting() == 0;
            }
            if idle && revision == self.etcd.revision {
                break;
            }
        }
        self.etcd.revision - before
    }

    /// All that has to be equal on all nodes.
    pub fn compare(&self) -> Result<(), String> {
        let first = described(&self.members[0]);
        for other in &self.members[1..] {
            let (name, other) = (other.name, described(other));
            for (a, b) in first.iter().zip(&other) {
                if a != b {
                    return Err(format!("a: {a}\n{name}: {b}"));
                }
            }
        }
        Ok(())
    }
}

/// What the world has of every user and source, one line each.
pub fn described(member: &Member) -> Vec<String> {
    let world = &member.world;
    let directory = world.directory();
    let users = directory.users().map(|(id, user)| {
        let outcome = world.outcome(id);
        let status = world.status(id).map(|status| status.name.to_string());
        let activity = world.activity(id);
        let name = &user.name;
        let chosen = world.chosen(id);
        let rest = (world.dnd_status(id), world.flags(id), world.visibility(id));
        let settings = world.own_settings(id).map(|settings| settings.json().to_owned());
        let states = [Watcher::Lamp, Watcher::Queue].map(|it| world.device_state_of(id, it));
        format!(
            "{name}: {outcome:?} {} {status:?} {activity:?} {chosen:?} {rest:?} {settings:?} {states:?} {:?}",
            world.winner(id),
            world.own(id),
        )
    });
    let sources = directory.sources().map(|(id, source)| {
        let stock = member
            .stock
            .get(&*source.address)
            .cloned()
            .unwrap_or_default();
        let stock = source.is_provided().then_some(stock);
        let known = world.source(id);
        let mut stack = known.layers();
        stack.ended.sort_by_key(|(_, version)| *version);
        assert!(
            stock.is_none_or(|stock| stock == known.presence),
            "{} {}",
            member.name,
            source.address
        );
        format!("{}: {:?} {stack:?}", source.address, world.base_version(id))
    });
    users.chain(sources).collect()
}
