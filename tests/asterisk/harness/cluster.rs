//! Several Asterisks that share their users through etcd, each with links of its own to the
//! members, which a test may cut.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use serde_json::Value;

use super::ami::Ami;
use super::barrier::BARRIER;
use super::builder::Builder;
use super::cut::Link;
use super::etcd::{EtcdBuilder, EtcdCluster, Links};
use super::instance::Instance;
use super::namespace::Network;
use super::wait::{PATIENCE, poll, wait_until};

/// The names of the nodes, in their order.
pub const NODES: [&str; 3] = ["a", "b", "c"];

/// The shortest time after which a silent node counts as gone, in seconds. It is for tests in
/// which a node dies or is cut off: on a busy machine a node may be silent for that long.
pub const TIMEOUT: u64 = 3;

/// Everything that a node shows of its users, by user and member of their JSON.
pub type Picture = BTreeMap<String, Value>;

/// What each node's builder gets besides the common configuration.
type Shape = dyn Fn(&str, Builder) -> Builder + Sync;

/// The running nodes and members. Dropping it ends them, the nodes first.
pub struct Cluster {
    nodes: Vec<Instance>,
    /// The links of each node to each member; none with machines of their own.
    links: Vec<Links>,
    users: String,
    options: String,
    /// The members of etcd.
    pub etcd: EtcdCluster,
    /// The machines, which the nodes and the members leave first.
    network: Option<Arc<Network>>,
}

/// Describes a [`Cluster`].
pub struct ClusterBuilder {
    users: String,
    options: String,
    timeout: u64,
    nodes: usize,
    selftest: bool,
    in_turn: bool,
    apart: bool,
    etcd: EtcdBuilder,
    shape: Box<Shape>,
}

impl ClusterBuilder {
    /// The number of Asterisks, up to three; 3 by default.
    pub fn nodes(mut self, count: usize) -> Self {
        self.nodes = count;
        self
    }

    /// The build with the feature `selftest`.
    pub fn selftest(mut self) -> Self {
        self.selftest = true;
        self
    }

    /// Starts one node after the other has joined, in their order.
    pub fn in_turn(mut self) -> Self {
        self.in_turn = true;
        self
    }

    /// The number of members of etcd; 1 by default.
    pub fn members(mut self, count: usize) -> Self {
        self.etcd = EtcdCluster::builder(count);
        self
    }

    /// Each node is on a machine of its own, with the member of the same number: in a network
    /// namespace where this is possible, else on loopback with links that a test cuts. There
    /// have to be as many nodes as members.
    pub fn apart(mut self) -> Self {
        self.apart = true;
        self
    }

    /// More lines of the section of the cluster.
    pub fn options(mut self, lines: &str) -> Self {
        self.options.push_str(lines);
        self
    }

    /// A node that is silent for [`TIMEOUT`] counts as gone.
    pub fn quick(mut self) -> Self {
        self.timeout = TIMEOUT;
        self
    }

    /// What each Asterisk has besides its `userpresence.conf`, by the node's name.
    pub fn each(mut self, shape: impl Fn(&str, Builder) -> Builder + Sync + 'static) -> Self {
        self.shape = Box::new(shape);
        self
    }

    /// Starts the members and all nodes, and waits until each node sees what is set at the
    /// others.
    #[track_caller]
    pub fn start(self) -> Cluster {
        let network = self.apart.then(|| network(self.nodes)).flatten();
        let (etcd, links) = match &network {
            Some(network) => (self.etcd.network(network).start(), Vec::new()),
            None => {
                let etcd = self.etcd.start();
                let links = (0..self.nodes).map(|_| etcd.links()).collect();
                (etcd, links)
            }
        };
        let mut cluster = Cluster {
            nodes: Vec::new(),
            links,
            users: self.users,
            options: format!("node_timeout = {}\n{}", self.timeout, self.options),
            etcd,
            network,
        };
        let builder = |number: usize| {
            let builder = match self.selftest {
                true => Instance::selftest(),
                false => Instance::builder(),
            };
            let builder = builder.userpresence(&cluster.conf(number));
            let builder = match &cluster.network {
                Some(network) => builder.inside(network.machine(number)),
                None => builder,
            };
            (self.shape)(NODES[number], builder)
        };
        let builders: Vec<Builder> = (0..self.nodes).map(builder).collect();
        if self.in_turn {
            for builder in builders {
                let node = builder.start();
                node.wait_log("Joined the cluster");
                cluster.nodes.push(node);
            }
        } else {
            cluster.nodes = thread::scope(|scope| {
                let builders = builders.into_iter();
                let starting = builders.map(|builder| scope.spawn(move || builder.start()));
                let starting: Vec<_> = starting.collect();
                let started = starting.into_iter().map(|it| it.join().expect("a start"));
                started.collect()
            });
        }
        cluster.meet();
        cluster
    }
}

impl Cluster {
    /// A cluster with these sections in each `userpresence.conf`.
    pub fn of(users: &str) -> ClusterBuilder {
        ClusterBuilder {
            users: users.to_owned(),
            options: String::new(),
            timeout: 10,
            nodes: NODES.len(),
            selftest: false,
            in_turn: false,
            apart: false,
            etcd: EtcdCluster::builder(1),
            shape: Box::new(|_, builder| builder),
        }
    }

    /// The `userpresence.conf` of a node.
    pub fn conf(&self, number: usize) -> String {
        let links = self.links.get(number);
        let servers = links.map_or_else(|| self.etcd.servers(), Links::servers);
        let barriers = NODES.map(|node| {
            format!(
                "[barrier-{node}]\ntype = user\naccount = barrier\nextension = barrier-{node}\n"
            )
        });
        format!(
            "{}\n{BARRIER}{}[etcd]\ntype = cluster\nservers = {servers}\nnode = {}\n\
             {}\n",
            self.users,
            barriers.concat(),
            NODES[number],
            self.options
        )
    }

    /// The running Asterisks.
    pub fn all(&self) -> &[Instance] {
        &self.nodes
    }

    /// The three Asterisks `a`, `b` and `c`.
    #[track_caller]
    pub fn three(&self) -> [&Instance; 3] {
        [&self.nodes[0], &self.nodes[1], &self.nodes[2]]
    }

    /// The first two Asterisks.
    #[track_caller]
    pub fn two(&self) -> [&Instance; 2] {
        [&self.nodes[0], &self.nodes[1]]
    }

    /// Cuts a node off from every member: what is sent is lost, and no connection ends.
    pub fn cut(&self, number: usize) {
        self.link(number, Link::Stalled);
    }

    /// Ends the cut.
    pub fn heal(&self, number: usize) {
        self.link(number, Link::Open);
    }

    /// How a node's links to all members behave from now on.
    pub fn link(&self, number: usize, how: Link) {
        self.links[number].set(how);
    }

    /// Pulls the cable of a node and of the member beside it, with
    /// [`ClusterBuilder::apart`]: they reach each other alone.
    pub fn pull(&self, number: usize) {
        match &self.network {
            Some(network) => network.pull(number),
            None => self.set_cable(number, Link::Stalled),
        }
    }

    /// Plugs the cable in again.
    pub fn plug(&self, number: usize) {
        match &self.network {
            Some(network) => network.plug(number),
            None => self.set_cable(number, Link::Open),
        }
    }

    fn set_cable(&self, number: usize, link: Link) {
        self.etcd.set_member(number, link);
        for other in (0..self.links.len()).filter(|other| *other != number) {
            self.links[number].set_one(other, link);
            self.links[other].set_one(number, link);
        }
    }

    /// Returns once every node has handled what was set anywhere before.
    #[track_caller]
    pub fn meet(&self) {
        let numbers: Vec<usize> = (0..self.nodes.len()).collect();
        self.meet_of(&numbers);
    }

    /// As [`Cluster::meet`], among these nodes.
    #[track_caller]
    pub fn meet_of(&self, numbers: &[usize]) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("mark-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        for number in numbers {
            let barrier = format!("barrier-{}", NODES[*number]);
            self.nodes[*number].set_custom(&barrier, &format!("away,,{mark}"));
        }
        for at in numbers {
            for from in numbers {
                let (at, from) = (&self.nodes[*at], NODES[*from]);
                let function = format!("USER_PRESENCE(barrier-{from},message)");
                if poll(PATIENCE, || (at.getvar(&function) == mark).then_some(())).is_none() {
                    panic!("node {from} is not heard of:\n{}", self.report());
                }
            }
        }
    }

    /// Waits until all nodes show the same of every user, and returns that.
    #[track_caller]
    pub fn same(&self) -> Picture {
        let numbers: Vec<usize> = (0..self.nodes.len()).collect();
        self.same_of(&numbers)
    }

    /// As [`Cluster::same`], among these nodes.
    #[track_caller]
    pub fn same_of(&self, numbers: &[usize]) -> Picture {
        self.meet_of(numbers);
        let look = || {
            let pictures = numbers.iter().map(|number| picture(&self.nodes[*number]));
            pictures.collect::<Vec<Picture>>()
        };
        let same = poll(PATIENCE / 4, || {
            let mut pictures = look();
            let equal = pictures.windows(2).all(|pair| pair[0] == pair[1]);
            equal.then(|| pictures.remove(0))
        });
        same.unwrap_or_else(|| panic!("{}\n{}", differences(&look()), self.report()))
    }

    /// The node that does what one node does for all, by its number.
    #[track_caller]
    pub fn keeper(&self) -> usize {
        wait_until("a keeper", || {
            let name = self.etcd.get("/userpresence/keeper")?;
            NODES.iter().position(|node| *node == name)
        })
    }

    /// What each node says of the cluster.
    pub fn report(&self) -> String {
        let nodes = self.nodes.iter().filter(|node| node.running());
        let reports = nodes.map(|node| node.cli("userpresence show cluster"));
        reports.collect::<Vec<_>>().join("\n---\n")
    }

    /// Asserts that the presence of every address, and every hint, is the same on all nodes as
    /// Asterisk itself shows them.
    #[track_caller]
    pub fn same_in_stock(&self) {
        let shown = || {
            let nodes = self.nodes.iter();
            nodes.map(stock).collect::<Vec<Vec<String>>>()
        };
        let same = poll(PATIENCE / 4, || {
            let shown = shown();
            shown
                .windows(2)
                .all(|pair| pair[0] == pair[1])
                .then_some(())
        });
        assert!(same.is_some(), "{:#?}", shown());
    }

    /// SIP between the nodes: the endpoint named as a node leads to it, and `trust` lets a
    /// call keep the caller's number. The nodes need SIP.
    #[track_caller]
    pub fn trunks(&self) {
        for (own, node) in self.nodes.iter().enumerate() {
            let mut text = node.read_config("pjsip.conf");
            for (other, far) in self.nodes.iter().enumerate() {
                if own != other {
                    text += &trunk(NODES[other], NODES[own], far.sip_port());
                }
            }
            node.write_config("pjsip.conf", &text);
            node.cli("module reload res_pjsip.so");
        }
        for (own, node) in self.nodes.iter().enumerate() {
            for (other, name) in NODES.iter().enumerate().take(self.nodes.len()) {
                if own != other {
                    wait_until(&format!("the trunk to {name}"), || {
                        let shown = node.cli(&format!("pjsip show endpoint {name}"));
                        shown.contains("Contact:").then_some(())
                    });
                }
            }
        }
    }
}

/// Machines of their own, if this is possible. Prints which way the test goes.
fn network(count: usize) -> Option<Arc<Network>> {
    match Network::make(count) {
        Ok(network) => {
            println!("{count} network namespaces");
            Some(Arc::new(network))
        }
        Err(why) => {
            println!("loopback, for there are no network namespaces: {why}");
            None
        }
    }
}

/// An endpoint that leads to another node.
fn trunk(name: &str, own: &str, port: u16) -> String {
    format!(
        "\n[{name}]\ntype = endpoint\ntransport = transport\ncontext = default\n\
         disallow = all\nallow = ulaw\ndirect_media = no\naors = {name}\nfrom_user = {own}\n\
         send_pai = yes\ntrust_id_inbound = yes\n\
         \n[{name}]\ntype = aor\ncontact = sip:{name}@127.0.0.1:{port}\n"
    )
}

/// What a node shows of its users, but for the numbers that are the node's own.
#[track_caller]
pub fn picture(node: &Instance) -> Picture {
    let ami = node.control();
    let entries = ami.list(&[("Action", "UserPresenceList")]);
    let users = entries.iter().filter_map(|entry| entry.get("User"));
    let users = users.filter(|user| !user.starts_with("barrier"));
    users
        .map(|user| (user.to_owned(), shown(&ami, user)))
        .collect()
}

#[track_caller]
fn shown(ami: &Arc<Ami>, user: &str) -> Value {
    let answer = ami.action(&[("Action", "UserPresenceGet"), ("User", user)]);
    let text = answer.get("Json").unwrap_or_default();
    let mut value: Value =
        serde_json::from_str(text).unwrap_or_else(|why| panic!("{user}: {why}: {answer:?}"));
    if let Some(members) = value.as_object_mut() {
        members.remove("sequence");
        members.remove("node");
    }
    let variable = format!("USER_PRESENCE({user},settings)");
    let answer = ami.action(&[("Action", "Getvar"), ("Variable", &variable)]);
    let settings = answer.get("Value").unwrap_or_default();
    value["settings"] = serde_json::from_str(settings).expect("settings as JSON");
    value
}

/// What Asterisk itself shows: the presence of each address that has one, and each hint.
fn stock(node: &Instance) -> Vec<String> {
    let presences = node.cli("presencestate list");
    let presences = presences.split("--- Name: ").skip(1).map(|of_one| {
        let lines = of_one.lines().map(|line| line.trim_matches([' ', '-']));
        lines.collect::<Vec<_>>().join(" ")
    });
    // An address that was never set is like one whose presence was taken back.
    let presences = presences.filter(|it| !it.contains(":barrier") && !it.contains("'not_set'"));
    let hints = node.cli("core show hints");
    let hints = hints.lines().filter(|line| line.contains("@default"));
    // The number of watchers is the node's own.
    let hints = hints.filter_map(|line| line.split("Watchers").next());
    let hints = hints.map(|line| line.trim_end().to_owned());
    let mut lines: Vec<String> = presences.chain(hints).collect();
    lines.sort();
    lines
}

/// The members in which the pictures of nodes differ, one a line.
fn differences(pictures: &[Picture]) -> String {
    let mut text = String::from("the nodes differ:\n");
    let users = pictures.iter().flat_map(Picture::keys);
    let mut users: Vec<&String> = users.collect();
    users.sort();
    users.dedup();
    for user in users {
        let of = pictures.iter().map(|picture| &picture[user]);
        let of: Vec<&Value> = of.collect();
        let Some(first) = of[0].as_object() else {
            continue;
        };
        for member in first.keys() {
            let values: Vec<String> = of.iter().map(|it| it[member].to_string()).collect();
            if values.windows(2).any(|pair| pair[0] != pair[1]) {
                text += &format!("{user}.{member}:\n  {}\n", values.join("\n  "));
            }
        }
    }
    text
}
