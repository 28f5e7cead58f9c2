//! Whatever happens in whatever order: in the end all nodes have the same.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Choose(usize, usize, usize),
    Dnd(usize, usize, usize),
    Flag(usize, usize, usize, bool),
    Settings(usize, usize, usize),
    Report(usize, usize, usize),
    Device(usize, usize, usize),
    Panel(usize, usize, bool),
    Park(usize, usize, bool),
    Publish(usize, usize),
    Time(u64),
    End(usize),
    WriteStock(usize),
    Watch(usize, usize),
    Write(usize, usize, bool),
    Cut(usize, bool),
    Expire(usize),
    Compact,
    Persist(usize, usize),
    Restart(usize, bool),
}

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];
const VALUES: [&str; 8] = [
    "away",
    "dnd,x,m",
    "available",
    "focus",
    "away,,,t(20)",
    "dnd,,,t(5)",
    "focus,,,t(9)",
    "not_set",
];
const PATCHES: [&str; 6] = [
    r#"{"loginStatus":"away"}"#,
    r#"{"loginStatus":null}"#,
    r#"{"visibility":"nobody"}"#,
    r#"{"statuses":{"away":{"ringTimeout":20}}}"#,
    r#"{"statuses":{"away":{"ringTimeout":null,"note":"Back soon"}}}"#,
    r#"{"statuses":{"away":null},"loginStatus":"dnd"}"#,
];

fn step() -> impl Strategy<Value = Step> {
    // Few users for the small things, so that nodes change the same ones.
    let (node, user, few) = (0..3_usize, 0..4_usize, 0..2_usize);
    prop_oneof![
        6 => (node.clone(), user.clone(), 0..8_usize).prop_map(|(n, u, v)| Step::Choose(n, u, v)),
        4 => (node.clone(), few.clone(), 0..3_usize).prop_map(|(n, u, v)| Step::Dnd(n, u, v)),
        6 => (node.clone(), few.clone(), 0..2_usize, any::<bool>())
            .prop_map(|(n, u, f, on)| Step::Flag(n, u, f, on)),
        4 => (node.clone(), few, 0..6_usize).prop_map(|(n, u, v)| Step::Settings(n, u, v)),
        4 => (node.clone(), 0..3_usize, 0..4_usize).prop_map(|(n, e, v)| Step::Report(n, e, v)),
        4 => (node.clone(), 0..2_usize, 0..9_usize).prop_map(|(n, d, s)| Step::Device(n, d, s)),
        1 => (node.clone(), user, any::<bool>()).prop_map(|(n, u, on)| Step::Panel(n, u, on)),
        1 => (node.clone(), 0..2_usize, any::<bool>()).prop_map(|(n, s, on)| Step::Park(n, s, on)),
        1 => (node.clone(), 0..3_usize).prop_map(|(n, v)| Step::Publish(n, v)),
        3 => (1..8_000_u64).prop_map(Step::Time),
        3 => node.clone().prop_map(Step::End),
        3 => node.clone().prop_map(Step::WriteStock),
        6 => (node.clone(), 1..6_usize).prop_map(|(n, m)| Step::Watch(n, m)),
        6 => (node.clone(), 1..6_usize, any::<bool>()).prop_map(|(n, m, l)| Step::Write(n, m, l)),
        2 => (node.clone(), any::<bool>()).prop_map(|(n, on)| Step::Cut(n, on)),
        1 => node.clone().prop_map(Step::Expire),
        1 => Just(Step::Compact),
        3 => (node.clone(), 1..20_usize).prop_map(|(n, m)| Step::Persist(n, m)),
        1 => (node, any::<bool>()).prop_map(|(n, beside)| Step::Restart(n, beside)),
    ]
}

fn take(cluster: &mut Cluster, step: &Step) {
    use crate::model::publication::Publication;
    let now = cluster.now;
    match *step {
        Step::Choose(node, user, value) => cluster.at(node).choose(NAMES[user], VALUES[value], now),
        Step::Dnd(node, user, value) => {
            cluster
                .at(node)
                .set_dnd(NAMES[user], DndStatus::ALL[value], now)
        }
        Step::Flag(node, user, flag, on) => {
            cluster
                .at(node)
                .set_flag(NAMES[user], Flag::ALL[flag], on, now)
        }
        Step::Settings(node, user, patch) => {
            cluster
                .at(node)
                .set_settings(NAMES[user], PATCHES[patch], now)
        }
        Step::Report(node, extension, value) => {
            let value = ["not_set", "dnd,,on a phone", "away", "chat"][value];
            cluster
                .at(node)
                .report(["1", "2", "3"][extension], value, now)
        }
        Step::Device(node, device, state) => {
            let (name, state) = (["PJSIP/2", "PJSIP/3"][device], DeviceState::ALL[state]);
            cluster.at(node).set_device(name, state, now)
        }
        Step::Panel(node, user, on) => {
            let user = NAMES[user];
            let id = id(&cluster.members[node].world, user);
            match on {
                true => cluster.at(node).apply(&Change::LoggedIn(id), now),
                false => cluster.at(node).apply(&Change::LoggedOut(user), now),
            }
        }
        Step::Park(node, space, on) => {
            let space = ["701@default", "702@default"][space];
            let parked = Change::Parked {
                space,
                channel: "PJSIP/2-0001",
                parker: "PJSIP/3",
            };
            let change = match on {
                true => parked,
                false => Change::Unparked(space),
            };
            cluster.at(node).apply(&change, now)
        }
        Step::Publish(node, value) => {
            let member = cluster.at(node);
            let now_there = member.time(now);
            let at = member.world.stamp(now_there);
            let publication = Publication {
                open: Some(true),
                note: format!("note {value}").into(),
                ..Publication::default()
            };
            let latest = Latest {
                publication: Arc::new(publication),
                at,
            };
            let latest = (value > 0).then_some(&latest);
            let device = "PJSIP/3";
            member.apply(&Change::Published { device, latest }, now)
        }
        Step::Time(millis) => cluster.now += millis,
        Step::End(node) => cluster.at(node).end(now),
        Step::WriteStock(node) => cluster.at(node).write_stock(now),
        Step::Watch(node, most) => cluster.watch(node, most),
        Step::Write(node, most, lost) => cluster.write(node, most, lost),
        Step::Cut(node, on) => cluster.at(node).connected = on,
        Step::Expire(node) => cluster.expire(node),
        Step::Compact => cluster.etcd.compact(),
        Step::Persist(node, most) => cluster.at(node).persist(most),
        Step::Restart(node, beside) => cluster.at(node).start(now, beside),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn all_nodes_come_to_the_same(
        steps in prop::collection::vec(step(), 1..80),
        ahead in prop::array::uniform3(0..900_u64),
        end in 0..30_000_u64,
    ) {
        let mut cluster = Cluster::new(USERS);
        for (member, ahead) in cluster.members.iter_mut().zip(ahead) {
            member.ahead = ahead;
        }
        for step in &steps {
            take(&mut cluster, step);
        }
        // The clocks differ a little; the comparison is at one time, and no clock goes back.
        cluster.now += 900;
        cluster.members.iter_mut().for_each(|member| member.ahead = 0);
        cluster.settle();
        let same = cluster.compare();
        prop_assert!(same.is_ok(), "{}", same.unwrap_err());
        prop_assert_eq!(cluster.settle(), 0, "it is quiet then");

        // What ends later ends on all nodes, and tells the store nothing.
        cluster.now += end;
        let changes = cluster.settle();
        let same = cluster.compare();
        prop_assert!(same.is_ok(), "after ends: {}", same.unwrap_err());
        prop_assert_eq!(changes, 0);
    }

    #[test]
    fn of_every_part_the_latest_change_stays(
        steps in prop::collection::vec(step(), 1..60),
        ahead in prop::array::uniform3(0..900_u64),
    ) {
        let mut cluster = Cluster::new(USERS);
        for (member, ahead) in cluster.members.iter_mut().zip(ahead) {
            member.ahead = ahead;
        }
        let mut latest = Parts::new();
        for step in &steps {
            // A crash loses what was neither sent nor kept.
            if matches!(step, Step::Restart(..)) {
                continue;
            }
            let before: Vec<Parts> = cluster.members.iter().map(parts).collect();
            take(&mut cluster, step);
            if matches!(step, Step::Watch(..) | Step::Write(..)) {
                continue;
            }
            for (member, before) in cluster.members.iter().zip(before) {
                for (name, part) in parts(member) {
                    let is_new = before.get(&name).is_none_or(|known| known.0 < part.0);
                    let known = latest.get(&name).map_or(0, |known| known.0);
                    if is_new && known < part.0 {
                        latest.insert(name, part);
                    }
                }
            }
        }
        cluster.members.iter_mut().for_each(|member| member.ahead = 0);
        cluster.now += 900;
        cluster.settle();
        let all = parts(&cluster.members[2]);
        for (name, part) in latest {
            // What is timed goes with a later change of what is below it.
            let below = name.split_once(" timed").and_then(|(of, _)| all.get(&format!("{of} base")));
            if below.is_none_or(|below| below.0 < part.0) {
                prop_assert_eq!((&name, all.get(&name)), (&name, Some(&part)));
            }
        }
    }
}

/// The parts of all registers: the version, and the value.
type Parts = BTreeMap<String, (u64, serde_json::Value)>;

fn parts(member: &cluster::Member) -> Parts {
    use serde_json::Value;
    let world = &member.world;
    let mut all = Parts::new();
    let mut put = |name: String, part: &Value, value: &Value| {
        let version = part["version"].as_u64().unwrap_or_default();
        if version > 0 {
            all.insert(name, (version, value.clone()));
        }
    };
    let read = |text: Option<String>| -> Value {
        text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    };
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    for (user, spec) in world.directory().users() {
        let (name, person) = (&spec.name, read(world.person_register(user)));
        let own = &person["own"];
        put(format!("{name} base"), own, &own["value"]["state"]);
        put(format!("{name} timed"), &person["timed"], &Value::Null);
        put(
            format!("{name} dnd"),
            &person["dnd"],
            &person["dnd"]["value"],
        );
        for (flag, part) in members(&person["flags"]) {
            put(format!("{name} {flag}"), &part, &part["value"]);
        }
        for (path, item) in members(&read(world.settings_register(user))) {
            put(format!("{name} {path}"), &item, &item["value"]);
        }
    }
    for (source, spec) in world.directory().sources() {
        if !world.is_shared_source(source) {
            continue;
        }
        let (name, register) = (&spec.address, read(world.extension_register(source)));
        put(format!("{name} base"), &register, &register["state"]);
        for layer in register["timed"].as_array().into_iter().flatten() {
            let owner = layer["user"].as_str().unwrap_or_default();
            put(format!("{name} timed {owner}"), layer, &Value::Null);
        }
        for (owner, version) in members(&register["ended"]) {
            let part = serde_json::json!({ "version": version });
            put(format!("{name} timed {owner}"), &part, &Value::Null);
        }
    }
    all
}
