//! What Asterisk's parser is to read after a change.

use std::collections::HashSet;
use std::sync::Arc;

use super::change::PlannedSection;
use super::document::{ConfigDocument, ConfigEntry, ConfigOption};
use super::merge::Merged;

/// The sections as Asterisk's parser would read them: with the options of their templates.
pub fn entries(document: &ConfigDocument, drafts: &[PlannedSection]) -> Vec<ConfigEntry> {
    let mut entries: Vec<ConfigEntry> = Vec::with_capacity(drafts.len());
    let mut changed: HashSet<String> = HashSet::new();
    for draft in drafts {
        let source = draft.source.map(|source| &document.sections[source].entry);
        let mut bases = draft.templates.iter();
        let bases_stay = bases.all(|name| !changed.contains(&name.to_ascii_lowercase()));
        let keeps = source.is_some_and(|source| {
            let own = draft.own().enumerate();
            source.templates == draft.templates
                && source.name == draft.name
                && draft.own().count() == source.own().count()
                && own.into_iter().all(|(at, own)| *own == Merged::Same(at))
                && bases_stay
        });
        if let (true, Some(source)) = (keeps, source) {
            entries.push(source.clone());
            continue;
        }
        changed.insert(draft.name.to_ascii_lowercase());
        let mut options = Vec::new();
        // What a section inherits need not be all that its template has now, if the template goes on
        // below it.
        let same = source.filter(|source| bases_stay && source.templates == draft.templates);
        if let Some(source) = same {
            let inherited = source.options.iter().filter(|option| option.inherited);
            options.extend(inherited.cloned());
        }
        let anew = same.is_none().then_some(&draft.templates);
        for template in anew.into_iter().flatten() {
            let mut before = entries.iter();
            let base = before.find(|it| it.name.eq_ignore_ascii_case(template));
            let inherited = base.into_iter().flat_map(|base| base.options.clone());
            options.extend(inherited.map(|option| ConfigOption {
                inherited: true,
                ..option
            }));
        }
        let own: Vec<&ConfigOption> = source.into_iter().flat_map(ConfigEntry::own).collect();
        options.extend(draft.own().map(|merged| merged.option(&own)));
        entries.push(ConfigEntry {
            name: draft.name.clone(),
            template: draft.template,
            templates: draft.templates.clone(),
            options,
        });
    }
    entries
}

impl Merged {
    /// The option, of which the section's own options were `own`.
    fn option(&self, own: &[&ConfigOption]) -> ConfigOption {
        match self {
            Merged::Same(at) => own[*at].clone(),
            Merged::Changed(at, value) => ConfigOption {
                value: value.clone(),
                utf8: true,
                ..own[*at].clone()
            },
            Merged::New(name, value) => ConfigOption {
                name: name.clone(),
                value: value.clone(),
                utf8: true,
                inherited: false,
                file: Arc::from(""),
                line: 0,
            },
        }
    }
}
