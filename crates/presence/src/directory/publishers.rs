//! The phones whose own presence (SIP PUBLISH) is a source of a user.
//!
//! For most users these are the devices of the extensions, which are known anyway: only a user
//! whose configuration names phones takes memory for them.

use std::sync::Arc;

use super::{DeviceId, Directory, Input, Publish, User, UserId};
use crate::model::publish_table::PublishTable;

/// What begins the device of a phone that can publish.
const PJSIP: &str = "PJSIP/";

/// The phones whose own presence is a source of a user, where the configuration names any.
#[derive(Debug)]
pub struct Publishers {
    /// The table for the devices of the extensions; `None` if these are no source.
    extensions: Option<Arc<PublishTable>>,
    /// Other devices, each with its table.
    devices: Box<[(DeviceId, Arc<PublishTable>)]>,
}

/// Whether an endpoint may publish its presence under the name of a resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MayPublish {
    /// It may.
    Yes,
    /// The resource belongs to other endpoints.
    No,
    /// There is no such resource.
    Unknown,
}

impl Directory {
    pub(super) fn publishers_from(&mut self, publish: &Publish) -> Publishers {
        let devices = publish.devices.iter();
        let devices = devices.map(|(device, table)| (self.intern_device(device), table.clone()));
        Publishers {
            devices: devices.collect(),
            extensions: publish.extensions.clone(),
        }
    }

    /// The reverse of [`Directory::publishers_from`].
    pub(super) fn publish_of(&self, publishers: &Publishers) -> Publish {
        let devices = publishers.devices.iter();
        let devices = devices.map(|(id, table)| (self.device_name(*id).into(), table.clone()));
        Publish {
            devices: devices.collect(),
            extensions: publishers.extensions.clone(),
        }
    }

    /// Whether the configuration of `user` names the same phones as that of `other` in another
    /// directory.
    pub fn publishes_as(&self, user: &User, directory: &Directory, other: &User) -> bool {
        let named = |of: &Directory, user: &User| {
            let publishers = user.publishers.as_deref();
            publishers.map(|publishers| of.publish_of(publishers))
        };
        named(self, user) == named(directory, other)
    }

    pub(super) fn index_publishers(&mut self) {
        let usual = self
            .settings
            .definitions
            .find_publish_table(PublishTable::PUBLISH);
        self.publish_table = usual.unwrap_or_default();
        for (at, user) in self.users.iter().enumerate() {
            let devices = user.publishers.iter().flat_map(|it| &it.devices);
            for (device, _) in devices {
                let users = self.named_publishers.entry(*device).or_default();
                users.push(UserId::new(at));
            }
        }
    }

    /// The phones whose own presence is a source of a user, each with its table. The phones
    /// that the configuration names come first.
    pub fn publishers<'a>(
        &'a self,
        user: &'a User,
    ) -> impl Iterator<Item = (DeviceId, &'a Arc<PublishTable>)> + Clone {
        let (extensions, devices) = match user.publishers.as_deref() {
            None => (Some(&self.publish_table), &[][..]),
            Some(named) => (named.extensions.as_ref(), &*named.devices),
        };
        let inputs = &user.inputs;
        let of_extensions = extensions.into_iter().flat_map(move |table| {
            let own = |input: &Input| input.device().filter(|_| input.is_extension());
            let extensions = inputs.iter().enumerate().filter_map(move |(at, input)| {
                let device = own(input)?;
                let mut before = inputs[..at].iter();
                (!before.any(|other| own(other) == Some(device))).then_some(device)
            });
            let extensions =
                extensions.filter(move |device| !devices.iter().any(|(named, _)| named == device));
            extensions.map(move |device| (device, table))
        });
        let named = devices.iter().map(|(device, table)| (*device, table));
        named.chain(of_extensions)
    }

    /// The users that have the device's own presence as a source.
    pub fn users_of_publisher(&self, device: DeviceId) -> Vec<UserId> {
        let named = self.named_publishers.get(&device);
        let named = named.map_or(&[][..], Vec::as_slice).iter();
        let owners = self.owners(device).iter();
        let mut users: Vec<UserId> = named.chain(owners).copied().collect();
        users.sort_unstable();
        users.dedup();
        users.retain(|user| self.is_published_by(*user, device));
        users
    }

    fn is_published_by(&self, user: UserId, device: DeviceId) -> bool {
        let mut publishers = self.publishers(self.get(user));
        publishers.any(|(known, _)| known == device)
    }

    /// The device of a PJSIP endpoint, if it is one of this directory.
    pub fn device_of_endpoint(&self, endpoint: &str) -> Option<DeviceId> {
        self.device(&format!("{PJSIP}{endpoint}"))
    }

    /// Whether an endpoint may publish its presence under the name of a resource: its own
    /// name, or the name, id or an extension of a user that has it as a source.
    pub fn may_publish(&self, resource: &str, endpoint: &str) -> MayPublish {
        let publishes = |endpoint: &str| {
            let device = self.device_of_endpoint(endpoint);
            device.is_some_and(|device| !self.users_of_publisher(device).is_empty())
        };
        if endpoint == resource && publishes(endpoint) {
            return MayPublish::Yes;
        }
        let device = self.device_of_endpoint(endpoint);
        let mut known = publishes(resource);
        let called = self.user(resource).into_iter().chain(self.called(resource));
        for user in called {
            known |= self.publishers(self.get(user)).next().is_some();
            if device.is_some_and(|device| self.is_published_by(user, device)) {
                return MayPublish::Yes;
            }
        }
        if known {
            MayPublish::No
        } else {
            MayPublish::Unknown
        }
    }

    /// Whether any endpoint may publish its presence under the name of a resource.
    pub fn is_resource(&self, resource: &str) -> bool {
        self.may_publish(resource, "") != MayPublish::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::directory;

    const CONFIG: &str = "[alice]\ntype=user\nid=4711\nextension=200\nextension=201,PJSIP/soft\n\
        [bob]\ntype=user\nextension=300\npublish=no\n\
        [carol]\ntype=user\nextension=400\npublish=PJSIP/desk-4,mine\n\
        [dave]\ntype=user\nextension=500\npublish=yes,mine\npublish=PJSIP/desk-4\n\
        [erin]\ntype=user\nextension=200\npresence_prefix=CustomPresence:x-\n\
        [mine]\ntype=publish_table\nopen=\nBusy=away,busy\n";

    #[test]
    fn the_phones_of_a_user_publish() {
        let directory = directory(CONFIG);
        let of = |user: &str| {
            let user = directory.get(directory.user(user).unwrap());
            let all = directory
                .publishers(user)
                .map(|(device, table)| format!("{},{}", directory.device_name(device), table.name));
            all.collect::<Vec<_>>()
        };
        assert_eq!(of("alice"), ["PJSIP/200,publish", "PJSIP/soft,publish"]);
        assert!(of("bob").is_empty());
        assert_eq!(of("carol"), ["PJSIP/desk-4,mine"]);
        assert_eq!(of("dave"), ["PJSIP/desk-4,publish", "PJSIP/500,mine"]);
        let users = |endpoint: &str| {
            let device = directory.device_of_endpoint(endpoint).unwrap();
            let users = directory.users_of_publisher(device).into_iter();
            users
                .map(|user| directory.get(user).name.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(users("200"), ["alice", "erin"]);
        assert_eq!(users("desk-4"), ["carol", "dave"]);
        assert!(users("400").is_empty());
        let specs = directory.specs();
        let again = Directory::new(directory.settings.clone(), specs);
        for (id, user) in directory.users() {
            assert!(directory.publishes_as(user, &again, again.get(id)));
        }
    }

    #[test]
    fn an_endpoint_publishes_under_the_names_of_its_users() {
        use MayPublish::{No, Unknown, Yes};
        let directory = directory(CONFIG);
        for resource in ["soft", "alice", "ALICE", "4711", "201", "200"] {
            assert_eq!(directory.may_publish(resource, "soft"), Yes, "{resource}");
            assert_eq!(directory.may_publish(resource, "500"), No, "{resource}");
        }
        assert_eq!(directory.may_publish("500", "soft"), No);
        assert_eq!(directory.may_publish("desk-4", "desk-4"), Yes);
        assert_eq!(
            directory.may_publish("400", "desk-4"),
            Yes,
            "an extension of carol's"
        );
        assert_eq!(directory.may_publish("400", "400"), No);
        for resource in ["300", "bob", "nobody", ""] {
            assert_eq!(
                directory.may_publish(resource, "300"),
                Unknown,
                "{resource}"
            );
        }
        assert!(directory.is_resource("carol") && !directory.is_resource("bob"));
    }
}
