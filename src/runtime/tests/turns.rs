//! Where a webhook goes on when this node of a cluster begins to post.

use super::*;
use crate::webhooks::{Acknowledged, Resumed};
use presence::Time;
use presence::config::Webhook;

const CLUSTER: &str = "[etcd]\ntype = cluster\nservers = http://127.0.0.1:9\nnode = berlin\n\
                       [hook]\ntype = webhook\nurl = http://127.0.0.1:9/\n\
                       secret = 0123456789abcdef\n\
                       [alice]\ntype = user\nextension = 200\n\
                       [bob]\ntype = user\nextension = 201\n\
                       [carol]\ntype = user\nextension = 202\n";

/// More than any mark of time is apart.
const WHILE: Duration = Duration::from_millis(1050);

/// How much earlier than acknowledged another node goes on.
const SLACK: Duration = Duration::from_secs(3);

struct Node {
    runtime: Arc<Runtime>,
    spec: Arc<Webhook>,
    /// The number of the first change.
    first: u64,
    /// A time between the second and the third change.
    middle: Time,
}

impl Node {
    /// Alice changes twice, and a little later bob once.
    fn start() -> Self {
        let (runtime, _) = runtime(CLUSTER);
        runtime.keep_time();
        let spec = runtime.read(|world| world.directory().settings.webhooks[0].clone());
        set(&runtime, "alice", "away", "");
        let first = last(&runtime);
        thread::sleep(WHILE);
        set(&runtime, "alice", "dnd", "");
        let middle = Time::now();
        thread::sleep(WHILE);
        set(&runtime, "bob", "away", "");
        Node {
            runtime,
            spec: spec.unwrap(),
            first,
            middle,
        }
    }

    fn resume(&self, node: &str, until: Time, sequence: u64) -> Resumed {
        let known = Acknowledged::new(&self.spec, node, until, sequence);
        self.runtime.resume_from(&self.spec, &known, &[]).unwrap()
    }

    /// Drops all events of the journal.
    fn drop_events(&self) {
        self.runtime.feed.reconfigure(0, &["default".into()], &[]);
    }
}

fn last(runtime: &Runtime) -> u64 {
    let last = runtime.read(|world| world.account_sequences().map(|(_, last)| last).max());
    last.flatten().unwrap()
}

fn users(resumed: &Resumed) -> Vec<&str> {
    resumed.changed.iter().map(|(_, user)| &**user).collect()
}

#[test]
fn a_node_goes_on_by_its_own_number() {
    let node = Node::start();
    let resumed = node.resume("berlin", Time::from_millis(1), node.first);
    assert_eq!((resumed.sequence, users(&resumed)), (node.first, vec![]));
    node.drop_events();
    let resumed = node.resume("berlin", Time::from_millis(1), node.first);
    assert_eq!(users(&resumed), ["alice", "bob"]);
    assert_eq!(resumed.sequence, node.first + 2);
    assert_eq!(resumed.until, Time::from_millis(1));
    let numbers: Vec<u64> = resumed.changed.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [node.first + 1, node.first + 2]);
    let resumed = node.resume("berlin", Time::from_millis(1), node.first + 2);
    assert_eq!(users(&resumed), [""; 0]);
}

#[test]
fn a_node_goes_on_by_the_time_of_another_one() {
    let node = Node::start();
    let resumed = node.resume("paris", node.middle.after(SLACK), 77);
    assert_eq!(resumed.sequence, node.first + 1);
    assert_eq!(users(&resumed), [""; 0]);
    node.drop_events();
    let resumed = node.resume("paris", node.middle.after(SLACK), 77);
    assert_eq!(users(&resumed), ["bob"]);
    // Of the time before this run nothing is known: everybody who has ever changed.
    let resumed = node.resume("paris", Time::from_millis(1), 77);
    assert_eq!(users(&resumed), ["alice", "bob"]);
    // Nobody could know what happened while this node was cut off.
    let until = Time::now().after(SLACK);
    let known = Acknowledged::new(&node.spec, "paris", until, 77);
    let resume = |apart: &[(Time, Time)]| {
        let resumed = node.runtime.resume_from(&node.spec, &known, apart);
        resumed.unwrap()
    };
    assert_eq!(users(&resume(&[])), [""; 0]);
    let cut_off = node.middle.after(SLACK);
    assert_eq!(users(&resume(&[(cut_off, until)])), ["bob"]);
    // The other node has gone on after that, for long enough.
    assert_eq!(users(&resume(&[(cut_off, node.middle)])), [""; 0]);
}

#[test]
fn a_receiver_knows_who_was_hidden_before() {
    use presence::model::flags::Flag;
    use presence::world::Change;
    let node = Node::start();
    let hide = |user: &str| {
        let hidden = node.runtime.change_user(user, |user| {
            Change::Flag(user, Flag::AllowSeeMyPresence, false)
        });
        assert!(hidden.is_ok());
    };
    hide("bob");
    hide("carol");
    let resumed = node.resume("berlin", Time::now(), node.first + 3);
    let hidden: Vec<&str> = resumed.hidden.iter().map(|user| &**user).collect();
    assert_eq!(hidden, ["bob"]);
}
