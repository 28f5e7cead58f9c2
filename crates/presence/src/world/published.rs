//! What phones publish of themselves (SIP PUBLISH). A publication takes memory only while it
//! lives: it is no [`super::SourceState`], of which there is one for each source at all times.

use std::sync::Arc;

use super::{Touched, Winner, World};
use crate::combine::{Candidate, Method};
use crate::directory::{DeviceId, Directory, User, UserId};
use crate::model::device::DeviceState;
use crate::model::input::PUBLISHED;
use crate::model::publication::Publication;
use crate::model::publish_table::PublishTable;
use crate::model::state::Presence;
use crate::model::time::Time;

/// What a phone publishes now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Latest {
    /// The publication that the phone changed last.
    pub publication: Arc<Publication>,
    /// When it changed.
    pub at: Time,
}

/// The publication of a device, and what it means.
#[derive(Debug)]
pub(super) struct Published {
    publication: Arc<Publication>,
    since: Time,
    /// The source's name: `publish:PJSIP/201`.
    name: Arc<str>,
    /// What it means by each table that a user has for the device; hardly ever more than one.
    meanings: Vec<(Arc<PublishTable>, Presence)>,
}

/// A publication as a source of a user.
#[derive(Clone, Copy, Debug)]
pub struct PublishedSource<'a> {
    /// The phone.
    pub device: DeviceId,
    /// The source's name: `publish:PJSIP/201`.
    pub name: &'a Arc<str>,
    /// What the publication means.
    pub presence: &'a Presence,
    /// When the phone changed it.
    pub since: Time,
    /// Whether it takes part in combining now.
    pub takes_part: bool,
    /// Its place among the user's phones, as in [`Winner::Publication`].
    pub index: u16,
}

impl Published {
    /// What the phone publishes.
    pub(super) fn latest(&self) -> Latest {
        Latest {
            publication: self.publication.clone(),
            at: self.since,
        }
    }

    fn new(directory: &Directory, device: DeviceId, latest: &Latest) -> Option<Self> {
        let users = directory.users_of_publisher(device);
        let mut meanings: Vec<(Arc<PublishTable>, Presence)> = Vec::new();
        for user in &users {
            let mut publishers = directory.publishers(directory.get(*user));
            let table = publishers.find(|(known, _)| *known == device);
            let Some((_, table)) = table else {
                continue;
            };
            if !meanings.iter().any(|(known, _)| known == table) {
                let statuses = directory.settings.statuses();
                let presence = table.presence_of(&latest.publication, statuses);
                meanings.push((table.clone(), presence));
            }
        }
        (!users.is_empty()).then(|| Published {
            publication: latest.publication.clone(),
            since: latest.at,
            name: format!("{PUBLISHED}{}", directory.device_name(device)).into(),
            meanings,
        })
    }

    fn by(&self, table: &Arc<PublishTable>) -> Option<&Presence> {
        let mut meanings = self.meanings.iter();
        let found = meanings.find(|(known, _)| Arc::ptr_eq(known, table) || known == table);
        found.map(|(_, presence)| presence)
    }
}

impl World {
    /// Takes over what a phone publishes now; `None` for nothing. A publication that says what
    /// the last one said changes nothing, `since` included.
    pub(super) fn report_published(
        &mut self,
        device: &str,
        latest: Option<&Latest>,
        touched: &mut Touched,
    ) {
        let directory = self.directory.clone();
        let Some(device) = directory.device(device) else {
            return;
        };
        let latest = self.note_published(device, latest);
        self.put_published(device, latest.as_ref(), touched);
    }

    /// Takes over what counts of all that a phone publishes.
    pub(super) fn put_published(
        &mut self,
        device: DeviceId,
        latest: Option<&Latest>,
        touched: &mut Touched,
    ) {
        let directory = self.directory.clone();
        let known = self.published.get(&device);
        let same = known.map(|known| &*known.publication) == latest.map(|it| &*it.publication);
        let same_time = known.map(|known| known.since) == latest.map(|latest| latest.at);
        if same && (same_time || !self.is_sharing()) {
            return;
        }
        let published = latest.and_then(|latest| Published::new(&directory, device, latest));
        match published {
            Some(published) => {
                self.last = self.last.max(published.since);
                self.published.insert(device, published)
            }
            None => self.published.remove(&device),
        };
        self.touch_publishers(device, touched);
    }

    pub(super) fn touch_publishers(&self, device: DeviceId, touched: &mut Touched) {
        for user in self.directory.users_of_publisher(device) {
            self.touch(user, touched);
        }
    }

    /// Takes over all that phones publish now, in a new directory. `before` is the world with
    /// the former one.
    pub(super) fn publish_again(&mut self, all: &[(String, Latest)], before: &World) {
        let directory = self.directory.clone();
        for (name, latest) in all {
            let Some(device) = directory.device(name) else {
                continue;
            };
            let known = before.directory.device(name);
            let known = known.and_then(|known| before.published.get(&known));
            let known = known.filter(|known| known.publication == latest.publication);
            let latest = Latest {
                publication: latest.publication.clone(),
                at: known.map_or(latest.at, |known| known.since),
            };
            let Some(latest) = self.note_published(device, Some(&latest)) else {
                continue;
            };
            if let Some(published) = Published::new(&directory, device, &latest) {
                self.last = self.last.max(published.since);
                self.published.insert(device, published);
            }
        }
    }

    /// The number of phones that publish now and are a source of a user.
    pub fn published_count(&self) -> usize {
        self.published.len()
    }

    /// The publications that are sources of a user now.
    pub fn publications<'a>(
        &'a self,
        user: &'a User,
    ) -> impl Iterator<Item = PublishedSource<'a>> + 'a {
        let some_reachable = !self.published.is_empty() && self.some_are_reachable(user);
        // Hardly any user has one, and mostly there is none at all.
        let publishers = (!self.published.is_empty()).then(|| self.directory.publishers(user));
        let publishers = publishers.into_iter().flatten().enumerate();
        publishers.filter_map(move |(index, (device, table))| {
            let published = self.published.get(&device)?;
            let unavailable = self.device(device) == Some(DeviceState::Unavailable);
            let combines = matches!(user.rule.method, Method::Priority | Method::Latest);
            Some(PublishedSource {
                device,
                name: &published.name,
                presence: published.by(table)?,
                since: published.since,
                takes_part: combines && !(some_reachable && unavailable),
                index: index as u16,
            })
        })
    }

    /// The publication that has won.
    pub(super) fn publication(&self, user: UserId, index: u16) -> Option<PublishedSource<'_>> {
        let mut all = self.publications(self.directory.get(user));
        all.find(|published| published.index == index)
    }

    /// The publications of a user for the comparison.
    pub(super) fn published_candidates<'a>(
        &'a self,
        user: &'a User,
    ) -> impl Iterator<Item = (Winner, Candidate)> + 'a {
        let taking_part = self.publications(user).filter(|source| source.takes_part);
        taking_part.map(|source| {
            let candidate = Candidate {
                state: source.presence.state(),
                since: source.since,
            };
            (Winner::Publication(source.index), candidate)
        })
    }

    /// Visits the time of every publication.
    pub(super) fn each_published_time(&mut self, mut visit: impl FnMut(&mut Time)) {
        for published in self.published.values_mut() {
            visit(&mut published.since);
        }
    }
}
