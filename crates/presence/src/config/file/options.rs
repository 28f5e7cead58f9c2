//! The options that a change asks for.

use super::change::{OptionsChange, PlannedSection, Planner, SectionChange, WantedOption};
use super::document::ConfigOption;
use super::guard;
use super::parts::{merge_parts, unchanged};
use crate::config::section_options;
use crate::model::suggest::expected;
use crate::model::text::quoted;

impl Planner<'_> {
    /// Gives a section the options of a change, of which it had `own`.
    pub fn set_options(
        &mut self,
        draft: &mut PlannedSection,
        change: &SectionChange,
        own: &[&ConfigOption],
    ) {
        let name = &*change.section;
        let OptionsChange::Set(wanted) = &change.options else {
            return;
        };
        let mut wanted = wanted.clone();
        let inherited = WantedOption {
            name: "type".to_owned(),
            value: Some(self.inherited_kind(&draft.templates)),
        };
        let has_type = |wanted: &[WantedOption]| {
            let mut wanted = wanted.iter();
            wanted.any(|option| option.name.eq_ignore_ascii_case("type"))
        };
        if !has_type(&wanted) {
            let own = own.iter().find(|it| it.name.eq_ignore_ascii_case("type"));
            let own = own.map(|option| option.value.clone());
            let new = (change.kind.clone())
                .filter(|kind| own.is_none() && Some(kind) != inherited.value.as_ref());
            if let Some(value) = own.or(new).filter(|_| name != "general") {
                let name = "type".to_owned();
                wanted.insert(
                    0,
                    WantedOption {
                        name,
                        value: Some(value),
                    },
                );
            }
        }
        let mut values = Vec::with_capacity(wanted.len());
        let kind = match wanted.iter().rev().chain([&inherited]) {
            _ if name == "general" => name.to_owned(),
            mut options => options
                .find(|option| option.name.eq_ignore_ascii_case("type"))
                .and_then(|option| option.value.clone())
                .unwrap_or_default(),
        };
        let known = known_options(&kind);
        for option in &wanted {
            let asked = &*option.name;
            if !known.contains(&&*asked.to_ascii_lowercase()) {
                let list = known.join(", ");
                let expected = expected(asked, &list);
                let asked_for = quoted(asked);
                let why = format!("unknown option '{asked_for}'{expected}");
                self.problem(name, Some(asked), why);
                continue;
            }
            let Some(value) = option.value.clone().or_else(|| kept(&wanted, option, own)) else {
                let why = "the value is missing, and there is no secret that could stay";
                self.problem(name, Some(asked), why);
                continue;
            };
            let unchanged = own.iter().any(|it| it.name == *asked && it.value == value);
            if let Err(why) = guard::check_value(&value).or_else(|why| match unchanged {
                true => Ok(()),
                false => Err(why),
            }) {
                self.problem(name, Some(asked), why);
                continue;
            }
            values.push((asked.to_owned(), value));
        }
        let fixed = |name: &str, value: &str| guard::fixed(name, value);
        let before = own.iter().filter(|it| fixed(&it.name, &it.value).is_some());
        let before = before.map(|it| (it.name.to_ascii_lowercase(), &*it.value));
        let after = values.iter();
        let after = after.filter(|(name, value)| fixed(name, value).is_some());
        let after = after.map(|(name, value)| (name.to_ascii_lowercase(), &**value));
        let (before, after): (Vec<_>, Vec<_>) = (before.collect(), after.collect());
        if before != after {
            let mut differs = after.iter().filter(|it| !before.contains(it));
            let mut gone = before.iter().filter(|it| !after.contains(it));
            let option = differs.next().or_else(|| gone.next()).or(after.first());
            if let Some((option, value)) = option
                && let Some(why) = fixed(option, value)
            {
                self.problem(name, Some(option), why);
            }
            return;
        }
        let source = draft.source.map(|source| &self.document.sections[source]);
        let parts = source.map_or_else(Vec::new, unchanged);
        draft.own = merge_parts(&parts, own, values);
    }

    /// The type that a section has by its templates.
    fn inherited_kind(&self, templates: &[String]) -> String {
        let kinds = templates.iter().rev().filter_map(|template| {
            let mut sections = self.document.sections.iter();
            let found = sections.find(|it| it.entry.name.eq_ignore_ascii_case(template))?;
            Some(found.entry.kind().to_owned()).filter(|kind| !kind.is_empty())
        });
        kinds.into_iter().next().unwrap_or_default()
    }
}

/// The value that an option without one keeps: that of the secret of the same name, counted
/// among options of that name.
fn kept(wanted: &[WantedOption], option: &WantedOption, own: &[&ConfigOption]) -> Option<String> {
    let same = |name: &str| name.eq_ignore_ascii_case(&option.name);
    let before = wanted.iter().take_while(|it| !std::ptr::eq(*it, option));
    let number = before.filter(|it| same(&it.name)).count();
    let mut known = own.iter().filter(|it| same(&it.name));
    let kept = known.nth(number)?;
    guard::is_secret(&kept.name, &kept.value).then(|| kept.value.clone())
}

/// The names of the options of a type of section, each once; of all types for an unknown one.
fn known_options(kind: &str) -> Vec<&'static str> {
    let mut types = section_options();
    if let Some(at) = types
        .iter()
        .position(|(name, _)| name.eq_ignore_ascii_case(kind))
    {
        return types.swap_remove(at).1;
    }
    let all = types.into_iter().flat_map(|(_, names)| names);
    let mut names: Vec<&str> = all.collect();
    names.sort_unstable();
    names.dedup();
    names
}
