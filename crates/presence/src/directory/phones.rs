//! The phones of users: the devices of their extensions, their `device` lines and endpoints.

use super::hash::hash_folded;
use super::{Directory, Input, User, UserId};

/// The users of each endpoint's device, found by a hash of the device's name: 8 bytes for each
/// endpoint, and none for a user without one.
///
/// # Invariants
/// The entries are sorted.
#[derive(Default, Debug)]
pub(super) struct EndpointUsers(Box<[(u32, UserId)]>);

impl EndpointUsers {
    pub fn new(users: &[User]) -> Self {
        let users = users.iter().enumerate();
        let entries = users.flat_map(|(at, user)| {
            devices_of_endpoints(user).map(move |device| (hash(device), UserId::new(at)))
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_unstable();
        entries.dedup();
        EndpointUsers(entries.into())
    }

    /// The users whose endpoints may have the device: the hash of another device may be the same.
    fn candidates(&self, device: &str) -> impl Iterator<Item = UserId> {
        let wanted = hash(device);
        let first = self.0.partition_point(|(hash, _)| *hash < wanted);
        let entries = self.0[first..].iter();
        let entries = entries.take_while(move |(hash, _)| *hash == wanted);
        entries.map(|(_, user)| *user)
    }
}

fn hash(device: &str) -> u32 {
    (hash_folded(device) >> 32) as u32
}

fn devices_of_endpoints(user: &User) -> impl Iterator<Item = &str> {
    let endpoints = user.reach.iter().flat_map(|reach| &reach.endpoints);
    endpoints.map(|(_, device)| &**device)
}

/// Whether two names mean one device. `Dial` ignores the case of a technology.
fn is_same(one: &str, other: &str) -> bool {
    match (one.split_once('/'), other.split_once('/')) {
        (Some((technology, name)), Some((other, other_name))) => {
            technology.eq_ignore_ascii_case(other) && name == other_name
        }
        _ => one == other,
    }
}

impl Directory {
    /// The users with an endpoint of this device, in the order of the configuration.
    fn users_of_endpoint(&self, device: &str) -> impl Iterator<Item = UserId> {
        let candidates = self.endpoint_users.candidates(device);
        candidates.filter(move |user| {
            let mut devices = devices_of_endpoints(self.get(*user));
            devices.any(|known| is_same(known, device))
        })
    }

    /// Whether the device is a user's phone: an extension's device, a `device` line's or an
    /// endpoint's.
    pub fn is_phone(&self, device: &str) -> bool {
        let owned = |device| !self.owners(device).is_empty();
        self.device(device).is_some_and(owned) || self.users_of_endpoint(device).next().is_some()
    }

    /// The users whose phone the device is, in the order of the configuration.
    pub fn users_of_phone(&self, device: &str) -> Vec<UserId> {
        let owners = self.device(device).map(|device| self.owners(device));
        let mut found = owners.unwrap_or_default().to_vec();
        found.extend(self.users_of_endpoint(device));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// A user's phones: the endpoints and the devices of extensions and `device` lines.
    pub fn phones(&self, user: UserId) -> impl Iterator<Item = &str> {
        let user = self.get(user);
        let devices = user.inputs.iter().filter_map(Input::phone);
        let devices = devices.map(|device| self.device_name(device));
        devices_of_endpoints(user).chain(devices)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::directory;

    #[test]
    fn the_users_of_a_phone_are_in_the_order_of_the_configuration() {
        let directory = directory(
            "[alice]\ntype=user\nendpoint=a,PJSIP/1\nendpoint=b,PJSIP/2\nendpoint=c,PJSIP/1\n\
             [bob]\ntype=user\nextension=1\n\
             [carol]\ntype=user\ndevice=PJSIP/2\ndevice=Calendar:carol\n\
             [dave]\ntype=user\nextension=9,PJSIP/1\nendpoint=a,pjsip/1\n\
             [erin]\ntype=user\nendpoint=a,pjsip/erin\n",
        );
        let users = |device: &str| {
            let users = directory.users_of_phone(device);
            assert_eq!(directory.is_phone(device), !users.is_empty(), "{device}");
            let names = users.iter().map(|user| &*directory.get(*user).name);
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(users("PJSIP/1"), "alice bob dave");
        assert_eq!(users("PJSIP/2"), "alice carol");
        assert_eq!(users("PJSIP/erin"), "erin");
        for none in ["PJSIP/3", "PJSIP/9", "PJSIP/Erin", "Calendar:carol", ""] {
            assert_eq!(users(none), "", "{none}");
        }
    }

    #[test]
    fn only_the_users_of_a_device_are_looked_at() {
        let users = (0..5000).map(|user| {
            format!(
                "[u{user}]\ntype=user\nendpoint=a,PJSIP/a{user}\nendpoint=b,PJSIP/b{}\n",
                user / 2
            )
        });
        let directory = directory(&users.collect::<String>());
        let candidates = |device: &str| directory.endpoint_users.candidates(device).count();
        let most = (0..5000).map(|user| candidates(&format!("PJSIP/a{user}")));
        assert!(most.max() <= Some(4));
        assert!(candidates("PJSIP/b7") <= 4);
        let found = directory.users_of_phone("PJSIP/b7");
        let names: Vec<_> = found
            .iter()
            .map(|user| &*directory.get(*user).name)
            .collect();
        assert_eq!(names, ["u14", "u15"]);
    }
}
