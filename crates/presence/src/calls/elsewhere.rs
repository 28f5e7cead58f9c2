//! Phones that are registered at another node of the cluster: `dial` of `type = node` says how a
//! call goes there.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::CallPlan;
use super::ringing::add;
use crate::config::{Node, Settings};
use crate::directory::{Directory, UserId};
use crate::world::World;

/// A phone that is registered at another node, and not here.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub struct Elsewhere {
    /// The phone's device, such as `PJSIP/200`.
    pub device: String,
    /// The node.
    pub node: String,
    /// What is dialled instead of the device; `None` if nothing is configured for the node.
    pub dial: Option<String>,
}

/// `PJSIP/200 is registered at 'berlin' and is called by PJSIP/200@berlin`.
impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (device, node) = (&self.device, &self.node);
        write!(f, "{device} is registered at '{node}'")?;
        match &self.dial {
            Some(dial) => write!(f, " and is called by {dial}"),
            None => write!(f, ", which has no 'dial' in a section of type = node"),
        }
    }
}

impl Settings {
    /// The node of this name.
    fn node(&self, name: &str) -> Option<&Arc<Node>> {
        self.nodes
            .iter()
            .find(|node| node.name.eq_ignore_ascii_case(name))
    }

    /// Whether calls to another node go through this device. So a call from it comes from there.
    pub fn leads_to_node(&self, device: &str) -> bool {
        let dials = self.nodes.iter().filter_map(|node| node.dial.as_ref());
        let mut devices = dials.filter_map(|dial| dial.device());
        devices.any(|known| known.eq_ignore_ascii_case(device))
    }
}

/// The nodes at which a phone of the user is registered, if it is not registered here.
pub fn elsewhere(world: &World, user: UserId, device: &str) -> Vec<Elsewhere> {
    let directory = world.directory();
    if !world.is_sharing() {
        return Vec::new();
    }
    let Some(id) = directory.device(device) else {
        return Vec::new();
    };
    if world.is_reachable_here(id) {
        return Vec::new();
    }
    at_nodes(directory, user, device, world.nodes_of(id)).collect()
}

/// The user's phones that are registered at other nodes, and not here.
pub fn of_user(world: &World, user: UserId) -> Vec<Elsewhere> {
    let mut devices: Vec<&str> = world.directory().phones(user).collect();
    devices.sort_unstable();
    devices.dedup();
    let found = devices.into_iter();
    found
        .flat_map(|device| elsewhere(world, user, device))
        .collect()
}

fn at_nodes<'a>(
    directory: &Directory,
    user: UserId,
    device: &str,
    nodes: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = Elsewhere> {
    nodes.map(move |name| {
        let node = directory.settings.node(name);
        let dial = node.and_then(|node| node.dial.as_ref());
        Elsewhere {
            device: device.to_owned(),
            node: name.to_owned(),
            dial: dial.map(|dial| dial.of(extension_of(directory, user, device))),
        }
    })
}

/// The extension by which another node knows a phone: the user's own, or that of another user of
/// the phone. A phone without an extension is known by the part of its name behind the slash.
fn extension_of<'a>(directory: &'a Directory, user: UserId, device: &'a str) -> &'a str {
    let id = directory.device(device);
    let owners = id
        .map_or(&[][..], |id| directory.owners(id))
        .iter()
        .copied();
    let of = |user: UserId| {
        let inputs = directory.get(user).inputs.iter();
        let mut inputs = inputs.filter(|input| id.is_some() && input.phone() == id);
        inputs.find_map(|input| directory.extension(input))
    };
    let mut users = std::iter::once(user).chain(owners);
    let found = users.find_map(of);
    found.unwrap_or_else(|| device.split_once('/').map_or(device, |(_, name)| name))
}

impl CallPlan {
    /// Replaces the phones that are registered at another node by what is dialled there.
    pub(super) fn place(&mut self, world: &World, user: UserId) {
        if !world.is_sharing() {
            return;
        }
        let found = &mut self.elsewhere;
        let mut placed = |devices: &mut Vec<String>| {
            let mut all = Vec::with_capacity(devices.len());
            for device in std::mem::take(devices) {
                let known = found.iter().any(|known| known.device == device);
                if !known {
                    found.extend(elsewhere(world, user, &device));
                }
                let nodes = found.iter().filter(|known| known.device == device);
                let dials: Vec<_> = nodes.filter_map(|known| known.dial.clone()).collect();
                if dials.is_empty() {
                    add(&mut all, Some(device));
                }
                dials.into_iter().for_each(|dial| add(&mut all, Some(dial)));
            }
            *devices = all;
        };
        self.steps
            .iter_mut()
            .for_each(|step| placed(&mut step.devices));
        placed(&mut self.together);
        placed(&mut self.monitors);
    }

    /// The plan of a call from another node: the phones here that belong to the called name ring,
    /// at once, and that node decides about everything else. So no call comes back.
    pub fn from_node(mut self, directory: &Directory, user: UserId, called: &str) -> Self {
        let of = directory.get(user);
        let inputs = of.inputs.iter();
        let inputs = inputs.filter(|input| directory.extension(input) == Some(called));
        let phones = inputs.filter_map(|input| input.phone());
        let mut together = Vec::new();
        for device in phones {
            add(
                &mut together,
                Some(directory.device_name(device).to_owned()),
            );
        }
        if together.is_empty() {
            together = super::ringing::devices(directory, of);
        }
        self.refused = None;
        self.always = None;
        self.no_answer = None;
        self.busy = None;
        self.steps = Vec::new();
        self.monitors = Vec::new();
        self.elsewhere = Vec::new();
        self.together = together;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::{CallOrigin, Caller, RouteQuery, explain, table};
    use crate::config::testing::directory;
    use crate::model::device::DeviceState;
    use crate::model::time::Time;
    use crate::world::stored::Stored;
    use crate::world::{Change, NodeIdentity, SharedEntry};

    const TEXT: &str = "[c]\ntype=cluster\nservers=http://e:1\n\
        [berlin]\ntype=node\ndial=PJSIP/${EXTENSION}@trunk\n[rome]\ntype=node\n\
        [alice]\ntype=user\nextension=200,PJSIP/desk-200\nextension=201\ndevice=PJSIP/soft\n\
        [bob]\ntype=user\nextension=202,PJSIP/soft\nextension=203,PJSIP/desk-200\n";

    #[test]
    fn a_phone_is_dialled_by_its_extension() {
        let directory = directory(TEXT);
        let told = |user: &str, device: &str, node: &str| {
            let user = directory.user(user).unwrap();
            let found = at_nodes(&directory, user, device, std::iter::once(node));
            found.map(|found| found.to_string()).collect::<String>()
        };
        assert_eq!(
            told("alice", "PJSIP/desk-200", "berlin"),
            "PJSIP/desk-200 is registered at 'berlin' and is called by PJSIP/200@trunk"
        );
        assert!(told("bob", "PJSIP/desk-200", "Berlin").ends_with("PJSIP/203@trunk"));
        // A phone without an extension of the user: that of another one, or its own name.
        assert!(told("alice", "PJSIP/soft", "berlin").ends_with("PJSIP/202@trunk"));
        assert!(told("alice", "PJSIP/9", "berlin").ends_with("PJSIP/9@trunk"));
        for node in ["rome", "paris"] {
            assert_eq!(
                told("alice", "PJSIP/201", node),
                format!(
                    "PJSIP/201 is registered at '{node}', which has no 'dial' in a section of \
                     type = node"
                )
            );
        }
    }

    #[test]
    fn a_call_through_a_trunk_to_a_node_comes_from_there() {
        let settings = &directory(TEXT).settings;
        assert!(settings.leads_to_node("PJSIP/trunk") && settings.leads_to_node("pjsip/trunk"));
        assert!(!settings.leads_to_node("PJSIP/200"));
    }

    /// A world that shares, in which each device is reachable at the given node.
    fn world(devices: &[(&str, &str)]) -> World {
        let now = Time::from_millis(1000);
        let mut world = World::restore(directory(TEXT), &Stored::default(), now);
        let node = |name: &str| NodeIdentity {
            name: name.into(),
            boot: "b".into(),
        };
        world.begin_sharing(node("here"), now);
        let live = ["berlin", "rome"].map(node);
        world.take_whole(&[], &live, now).unwrap();
        for (device, name) in devices {
            let value = "{\"boot\":\"b\",\"state\":\"not_in_use\",\"at\":1}";
            let path = format!("heard/{name}/device/{device}");
            let entry = SharedEntry {
                path: &path,
                value: Some(value),
                revision: 1,
            };
            world.take_shared(&[entry], now);
        }
        world
    }

    fn alice(world: &World) -> UserId {
        world.directory().user("alice").unwrap()
    }

    fn route(world: &World, field: &str) -> String {
        let arguments = format!("alice,internal,{field}");
        RouteQuery::parse(&arguments)
            .unwrap()
            .answer(world)
            .unwrap()
    }

    #[test]
    fn a_phone_at_another_node_is_called_through_it() {
        let world = world(&[
            ("PJSIP/desk-200", "berlin"),
            ("PJSIP/201", "rome"),
            ("PJSIP/soft", "berlin"),
        ]);
        assert_eq!(route(&world, "first"), "PJSIP/200@trunk&PJSIP/201");
        assert_eq!(route(&world, "together"), "PJSIP/200@trunk&PJSIP/201");
        let told = "PJSIP/desk-200 is registered at 'berlin' and is called by PJSIP/200@trunk; \
                    PJSIP/201 is registered at 'rome', which has no 'dial' in a section of \
                    type = node";
        assert_eq!(route(&world, "elsewhere"), told);
        let json: serde_json::Value = serde_json::from_str(&route(&world, "json")).unwrap();
        assert_eq!(json["elsewhere"][0]["dial"], "PJSIP/200@trunk");
        assert_eq!(json["elsewhere"][1]["dial"], serde_json::Value::Null);
        let text = explain(&world, alice(&world), &Caller::from(CallOrigin::Internal));
        assert!(
            text.contains("The call rings PJSIP/200@trunk and PJSIP/201 for"),
            "{text}"
        );
        assert!(
            text.contains("is registered at 'rome', which has no 'dial'"),
            "{text}"
        );
        let rows = table(&world, alice(&world));
        assert!(
            rows[0][4].starts_with("PJSIP/200@trunk&PJSIP/201 "),
            "{rows:?}"
        );
        // Of all phones, whether the plan rings them or not.
        assert_eq!(of_user(&world, alice(&world)).len(), 3);
    }

    #[test]
    fn a_phone_that_is_registered_here_is_called_here() {
        let mut world = world(&[("PJSIP/desk-200", "berlin")]);
        let device = world.directory().device("PJSIP/desk-200").unwrap();
        let change = Change::Device(device, DeviceState::NotInUse);
        world.apply(&change, Time::from_millis(2000));
        assert_eq!(route(&world, "first"), "PJSIP/desk-200&PJSIP/201");
        assert_eq!(route(&world, "elsewhere"), "");
        let change = Change::Device(device, DeviceState::Unavailable);
        world.apply(&change, Time::from_millis(3000));
        assert_eq!(route(&world, "first"), "PJSIP/200@trunk&PJSIP/201");
        world.node_gone("berlin", Time::from_millis(4000));
        while world.settle_heard(1, Time::from_millis(4000)).is_some() {}
        assert_eq!(route(&world, "first"), "PJSIP/desk-200&PJSIP/201");
    }

    #[test]
    fn a_call_from_another_node_rings_phones_here_alone() {
        let world = world(&[("PJSIP/desk-200", "berlin")]);
        let of = |called: &str| {
            let plan = CallPlan::of(&world, alice(&world), CallOrigin::External);
            plan.from_node(world.directory(), alice(&world), called)
        };
        let plan = of("200");
        assert_eq!(plan.together, ["PJSIP/desk-200"]);
        assert!(plan.steps.is_empty() && plan.elsewhere.is_empty() && plan.no_answer.is_none());
        assert_eq!(of("201").together, ["PJSIP/201"]);
        assert_eq!(of("alice").together, ["PJSIP/desk-200", "PJSIP/201"]);
    }
}
