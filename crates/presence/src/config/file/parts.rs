//! Sections in parts: `[nora](+)` goes on with a section from further up.
//!
//! An option is changed in the part where it stands, and a new one comes to the first part. Every
//! part has the same name, goes with the others, and moves with them.

use super::change::{PlannedSection, Planner};
use super::document::{ConfigEntry, ConfigOption, PlacedSection};
use super::merge::{Merged, merge};

impl PlannedSection {
    /// The section's own options, in order.
    pub fn own(&self) -> impl Iterator<Item = &Merged> {
        self.own.iter().flatten()
    }
}

/// The options of a section that stay in their parts.
pub fn unchanged(section: &PlacedSection) -> Vec<Vec<Merged>> {
    let count = section.entry.own().count();
    let mut sizes: Vec<usize> = section.parts().map(|part| part.options.len()).collect();
    if section.fixed.is_some() || sizes.is_empty() {
        sizes = vec![count];
    }
    let mut rows = 0..count;
    let parts = sizes.into_iter();
    parts
        .map(|size| rows.by_ref().take(size).map(Merged::Same).collect())
        .collect()
}

/// Brings the options that a section is to have together with those that it has, which are
/// `before` in their parts.
pub fn merge_parts(
    before: &[Vec<Merged>],
    own: &[&ConfigOption],
    wanted: Vec<(String, String)>,
) -> Vec<Vec<Merged>> {
    let part_of: Vec<usize> = (before.iter().enumerate())
        .flat_map(|(part, options)| options.iter().map(move |_| part))
        .collect();
    let mut parts: Vec<Vec<(String, String)>> = vec![Vec::new(); before.len().max(1)];
    for (part, option) in wanted_parts(&part_of, own, &wanted).into_iter().zip(wanted) {
        parts[part].push(option);
    }
    let mut begin = 0;
    let merged = parts.into_iter().enumerate().map(|(part, wanted)| {
        let end = begin + before.get(part).map_or(0, Vec::len);
        let mut merged = merge(&own[begin..end], wanted);
        for option in &mut merged {
            if let Merged::Same(at) | Merged::Changed(at, _) = option {
                *at += begin;
            }
        }
        begin = end;
        merged
    });
    merged.collect()
}

/// The part of each option. Those of the same name keep their order.
fn wanted_parts(
    part_of: &[usize],
    own: &[&ConfigOption],
    wanted: &[(String, String)],
) -> Vec<usize> {
    let mut parts = vec![0; wanted.len()];
    if part_of.iter().all(|part| *part == 0) {
        return parts;
    }
    for (at, (name, _)) in wanted.iter().enumerate() {
        let is_same = |other: &str| other.eq_ignore_ascii_case(name);
        if wanted[..at].iter().any(|(other, _)| is_same(other)) {
            continue;
        }
        let of_name = |it: &usize| is_same(&own[*it].name);
        let rows: Vec<usize> = (0..own.len()).filter(of_name).collect();
        let of_name = |it: &usize| is_same(&wanted[*it].0);
        let columns: Vec<usize> = (at..wanted.len()).filter(of_name).collect();
        let known: Vec<&ConfigOption> = rows.iter().map(|row| own[*row]).collect();
        let values = columns.iter().map(|column| wanted[*column].clone());
        // A new one stands below the one before it.
        let mut part = 0;
        for (merged, column) in merge(&known, values.collect()).iter().zip(columns) {
            if let Merged::Same(row) | Merged::Changed(row, _) = merged {
                part = part_of[rows[*row]];
            }
            parts[column] = part;
        }
    }
    parts
}

impl Planner<'_> {
    /// The parts of a section have to stay its own, and what another section inherits of it depends
    /// on which of them stand before that one.
    pub(super) fn check_parts(&mut self) {
        let mut found = Vec::new();
        for (at, draft) in self.drafts.iter().enumerate() {
            let Some(place) = self.goes_on(draft) else {
                continue;
            };
            let is_same = |name: &str| name.eq_ignore_ascii_case(&draft.name);
            let mut before = self.drafts[..at].iter();
            if before.any(|other| !other.template && is_same(&other.name)) {
                let why = format!("the part at {place} would go on with the section before it");
                found.push((draft.name.clone(), why));
            }
            for heir in &self.drafts {
                let source = heir.source.map(|source| &self.document.sections[source]);
                let stays = source.is_some_and(|source| source.entry.templates == heir.templates);
                let inherits = heir.templates.iter().any(|name| is_same(name));
                if inherits && (heir.moved || !stays) {
                    let why = format!(
                        "it cannot inherit from [{}] here, which goes on at {place}",
                        draft.name
                    );
                    found.push((heir.name.clone(), why));
                }
            }
        }
        for (name, why) in found {
            self.problem(&name, None, why);
        }
    }

    /// A section in parts from which another one inherits keeps its options, and those of its
    /// templates.
    pub(super) fn check_heirs(&mut self, entries: &[ConfigEntry]) {
        let mut found = Vec::new();
        for (draft, entry) in self.drafts.iter().zip(entries) {
            let source = draft.source.map(|source| &self.document.sections[source]);
            let changed = source.is_some_and(|source| source.entry != *entry);
            let is_heir = |heir: &&PlannedSection| {
                let mut templates = heir.templates.iter();
                templates.any(|name| name.eq_ignore_ascii_case(&draft.name))
            };
            let Some(place) = self.goes_on(draft).filter(|_| changed) else {
                continue;
            };
            if let Some(heir) = self.drafts.iter().find(is_heir) {
                let why = format!(
                    "its options and templates cannot change here: it goes on at {place}, and \
                     [{}] inherits from it",
                    heir.name
                );
                found.push((draft.name.clone(), why));
            }
        }
        for (name, why) in found {
            self.problem(&name, None, why);
        }
    }

    /// Where a section goes on, for people.
    fn goes_on(&self, draft: &PlannedSection) -> Option<String> {
        let more = &self.document.sections[draft.source?].more;
        let part = more.first()?;
        Some(self.document.place_of(part.file, part.header))
    }
}
