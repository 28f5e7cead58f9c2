//! Extensions: whose they are, and where a status is written to.

use std::sync::Arc;

use super::{Directory, Input, SourceId, SourceKind, User, UserId};
use crate::config::{InputKind, Outgoing};

/// An extension that several users share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedExtension {
    /// The address.
    pub address: Arc<str>,
    /// The extension's name in the configuration of the first user.
    pub extension: String,
    /// The names of the first two users.
    pub users: [Arc<str>; 2],
    /// How many other users have the extension.
    pub others: usize,
}

impl Directory {
    /// The name of the extension; `None` for other inputs.
    pub fn extension(&self, input: &Input) -> Option<&str> {
        let address = &self.get_source(input.source).address;
        match input.kind {
            InputKind::Extension { at } => Some(&address[usize::from(at)..]),
            _ => None,
        }
    }

    /// The owner of an extension from the viewpoint of the user `of`. Several users may share
    /// the extension: `of` comes first, then users of the same account, then any other.
    pub fn owner_of_extension(&self, extension: &str, of: UserId) -> Option<UserId> {
        let user = self.get(of);
        let address = format!("{}{extension}", user.rule.presence_prefix);
        let source = self.source(&address)?;
        let has = |id: &&UserId| {
            let mut inputs = self.get(**id).inputs.iter();
            inputs.any(|input| input.source == source && input.is_extension())
        };
        let mut owners = self.readers(source).iter().filter(has);
        let first = owners.next()?;
        let all = || std::iter::once(first).chain(owners.clone());
        let found = all().find(|owner| **owner == of);
        let same = || all().find(|owner| self.get(**owner).account == user.account);
        found.or_else(same).or(Some(first)).copied()
    }

    /// The users that have an extension at this address, in the order of the configuration.
    pub fn owners_of_extension(&self, address: &str) -> impl Iterator<Item = UserId> {
        let source = self.source(address);
        let readers = source.map_or(&[][..], |source| self.readers(source));
        let owners = readers.iter().copied();
        owners.filter(move |user| {
            let mut inputs = self.get(*user).inputs.iter();
            inputs.any(|input| Some(input.source) == source && input.is_extension())
        })
    }

    /// The extensions that several users share.
    pub fn shared_extensions(&self) -> impl Iterator<Item = SharedExtension> {
        let read_by_several = self.sources().filter(|(id, _)| self.readers(*id).len() > 1);
        read_by_several.filter_map(|(id, source)| {
            let mut owners = self.owners_of_extension(&source.address);
            let (first, second) = (owners.next()?, owners.next()?);
            let mut inputs = self.get(first).inputs.iter();
            let own = inputs.find(|input| input.source == id && input.is_extension());
            Some(SharedExtension {
                address: source.address.clone(),
                extension: own.and_then(|input| self.extension(input))?.to_owned(),
                users: [first, second].map(|user| self.get(user).name.clone()),
                others: owners.count(),
            })
        })
    }

    /// The sources to which a status of the user is written; empty if it only becomes own
    /// status. `default` is the user's default extension, see [`crate::world::World::default_of`].
    pub fn written<'a>(
        &'a self,
        user: &'a User,
        default: Option<u16>,
    ) -> impl Iterator<Item = SourceId> + 'a {
        self.outgoing(user, default)
            .filter(|source| self.get_source(*source).kind == SourceKind::Custom)
    }

    /// The sources that [`Directory::written`] leaves out because they cannot be written.
    pub fn unwritable<'a>(
        &'a self,
        user: &'a User,
        default: Option<u16>,
    ) -> impl Iterator<Item = SourceId> + 'a {
        self.outgoing(user, default)
            .filter(|source| self.get_source(*source).kind != SourceKind::Custom)
    }

    fn outgoing<'a>(
        &'a self,
        user: &'a User,
        default: Option<u16>,
    ) -> impl Iterator<Item = SourceId> + 'a {
        let (on, to) = (user.rule.enabled, user.rule.outgoing);
        let inputs = user
            .inputs
            .iter()
            .enumerate()
            .filter(move |(index, input)| {
                on && match to {
                    Outgoing::All => input.is_extension(),
                    Outgoing::Default => default == Some(*index as u16),
                    Outgoing::None => false,
                }
            });
        inputs.map(|(_, input)| input.source)
    }
}
