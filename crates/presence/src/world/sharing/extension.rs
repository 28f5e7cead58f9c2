//! The presence of addresses that any node hears: a base and the timed statuses above it.
//!
//! A new base removes what is earlier, so a timed status counts while it is not earlier than the
//! base; of one user's timed statuses the later one stays. The end of a timed status is no
//! change: every node ends it by itself.

use super::keys::SharedKey;
use super::registers::json;
use super::{Gathered, SharedEntry, Version};
use crate::directory::{SourceId, SourceKind};
use crate::model::state::Presence;
use crate::model::time::Time;
use crate::world::stored::SourceRow;
use crate::world::{Layer, Layers, Touched, Value, World};

impl World {
    /// Whether the presence of a source is shared. A schedule's is computed on every node, and
    /// only its time is shared.
    pub(super) fn is_shared_source(&self, source: SourceId) -> bool {
        match self.directory.get_source(source).kind {
            SourceKind::Custom | SourceKind::Schedule => true,
            SourceKind::Presence => !self.directory.is_missing_user(source),
            SourceKind::User(_) | SourceKind::Device => false,
        }
    }

    /// The base of a source was set here at a time, and its timed statuses were removed.
    pub(in crate::world) fn note_base(&mut self, source: SourceId, at: Time) {
        if self.replica.is_none() || !self.is_shared_source(source) {
            return;
        }
        let version = self.version(at);
        let Some(replica) = &mut self.replica else {
            return;
        };
        if replica.versions_held {
            replica.sources[source.index()].base = Version::NONE;
            return;
        }
        replica.sources[source.index()].base = version;
        replica.wait(SharedKey::Extension(source));
    }

    /// The stack of a source has changed here: what differs gets a new version. A timed status
    /// that is gone needs none.
    pub(in crate::world) fn note_layers(
        &mut self,
        source: SourceId,
        before: &Layers,
        layers: &mut Layers,
    ) {
        if self.replica.is_none() {
            return;
        }
        let version = self.version(self.last);
        let Some(replica) = &mut self.replica else {
            return;
        };
        let base = &mut replica.sources[source.index()].base;
        let mut changed = layers.base != before.base;
        if changed {
            *base = version;
        }
        for layer in &mut layers.timed {
            let known = before.timed.iter().find(|known| known.is_of(&layer.owner));
            let same = known.filter(|it| it.value == layer.value && it.until == layer.until);
            match same {
                Some(same) if same.version >= *base => layer.version = same.version,
                _ => (layer.version, changed) = (version, true),
            }
        }
        layers.ended.retain(|(_, version)| version >= base);
        if changed {
            replica.wait(SharedKey::Extension(source));
        }
    }

    pub(super) fn take_extension(
        &mut self,
        source: SourceId,
        entry: &SharedEntry,
        taken: &mut Gathered,
        now: Time,
    ) {
        let Some(replica) = &mut self.replica else {
            return;
        };
        let versions = &mut replica.sources[source.index()];
        if entry.value.is_some() && entry.revision <= versions.revision {
            return;
        }
        versions.revision = entry.value.map_or(0, |_| entry.revision);
        let row = match entry.value.map(serde_json::from_str::<SourceRow>) {
            // A later release may have written it.
            Some(Err(_)) => return,
            Some(Ok(row)) => Some(row.restore()),
            None => None,
        };
        if let Some(row) = &row {
            self.join_extension(source, row, &mut taken.touched, now);
        }
        self.compare_extension(source, row.as_ref());
    }

    fn join_extension(
        &mut self,
        source: SourceId,
        (there, version): &(Layers, Version),
        touched: &mut Touched,
        now: Time,
    ) {
        let state = &self.sources[source.index()];
        let is_schedule = self.directory.get_source(source).kind == SourceKind::Schedule;
        if is_schedule && (!state.known || state.presence != there.base.presence) {
            // The other node's minute has begun earlier.
            return;
        }
        let before = state.layers();
        let mut layers = before.clone();
        let Some(replica) = &mut self.replica else {
            return;
        };
        let base = &mut replica.sources[source.index()].base;
        // What has no version yet was found in Asterisk while that started.
        if *version > *base || !base.is_some() {
            *base = *version;
            layers.base = there.base.clone();
        }
        let base = *base;
        let mut seen = *version;
        for layer in &there.timed {
            seen = seen.max(layer.version);
            if layer.version > layers.version_of(&layer.owner) {
                layers.put(layer.clone());
            }
        }
        for (owner, version) in &there.ended {
            seen = seen.max(*version);
            if *version > layers.version_of(owner) {
                layers.remove(owner);
                layers.ended.push((owner.clone(), *version));
            }
        }
        // A user that is not configured here has no status either.
        let directory = &self.directory;
        layers.end_those(|layer| layer.until <= now || directory.user(&layer.owner).is_none());
        layers.timed.retain(|layer| layer.version >= base);
        layers.ended.retain(|(_, version)| *version >= base);
        layers
            .timed
            .sort_by_key(|layer| (layer.value.since, layer.version));
        self.saw(seen);
        if layers == before && self.source(source).known {
            return;
        }
        self.put_layers(source, layers, touched);
    }

    /// Has the source's register written if this node has later parts.
    pub(super) fn compare_extension(
        &mut self,
        source: SourceId,
        register: Option<&(Layers, Version)>,
    ) {
        let ahead = self.is_ahead_at(source, register);
        if let Some(replica) = &mut self.replica {
            let key = SharedKey::Extension(source);
            replica.wait_if(ahead, key);
        }
    }

    fn is_ahead_at(&self, source: SourceId, register: Option<&(Layers, Version)>) -> bool {
        let Some(replica) = &self.replica else {
            return false;
        };
        let there = register.map_or(Version::NONE, |(_, version)| *version);
        let base = replica.sources[source.index()].base;
        if base > there {
            return true;
        }
        let layers = self.sources[source.index()].layers();
        let timed = layers.timed.iter().map(|it| (&it.owner, it.version));
        let ended = layers
            .ended
            .iter()
            .map(|(owner, version)| (owner, *version));
        timed.chain(ended).any(|(owner, version)| {
            let there = register.map(|(layers, _)| layers.version_of(owner));
            version > there.unwrap_or_default()
        })
    }

    /// Gives versions to what was set before anything was shared, by its time. Returns whether
    /// there was anything.
    pub(super) fn give_versions_to_source(&mut self, source: SourceId) -> bool {
        let Some(replica) = &mut self.replica else {
            return false;
        };
        let bits = replica.bits;
        let base = &mut replica.sources[source.index()].base;
        let state = &mut self.sources[source.index()];
        state.give_versions(base, |at| Version::new(at, bits))
    }

    /// The source's register; `None` if it was never set.
    pub(super) fn extension_register(&self, source: SourceId) -> Option<String> {
        let version = self.base_version(source);
        let layers = self.source(source).layers();
        let timed = layers.timed.iter().any(|it| it.version.is_some());
        let is_set = version.is_some() || timed || !layers.ended.is_empty();
        is_set.then(|| json(&SourceRow::new(&layers, version)))
    }

    /// The version of the base of a source, for its row.
    pub(in crate::world) fn base_version(&self, source: SourceId) -> Version {
        let replica = self.replica.as_deref();
        replica.map_or(Version::NONE, |it| it.sources[source.index()].base)
    }

    /// Takes over a stack that another node has set.
    fn put_layers(&mut self, source: SourceId, layers: Layers, touched: &mut Touched) {
        let differs = self.replace_layers(source, layers, touched);
        let kind = self.directory.get_source(source).kind;
        if differs && kind == SourceKind::Custom {
            self.write_again(source);
        }
    }

    /// While shared, a source that another user or a device makes has the time of what makes
    /// it, which is the same on every node. Returns whether it changed.
    pub(in crate::world) fn derive_source(
        &mut self,
        source: SourceId,
        presence: &Presence,
        since: Time,
    ) -> bool {
        let state = &mut self.sources[source.index()];
        if state.known && state.presence == *presence && state.since == since {
            return false;
        }
        let value = Value {
            presence: presence.clone(),
            since,
        };
        state.set_layers(Layers {
            base: value,
            ..Layers::default()
        });
        self.mark_source(source);
        true
    }
}

impl Layer {
    fn is_of(&self, owner: &str) -> bool {
        self.owner.eq_ignore_ascii_case(owner)
    }
}
