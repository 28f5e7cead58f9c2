//! Groups whose lists would have one name.

use std::collections::HashMap;

use super::section::{Origin, Problem, Section, location};
use super::{Lists, UserSpec};
use crate::model::text::quoted;
use crate::model::visibility::{group_list, same_group};

/// Warns of groups that have no list, because another group of the account has one of that name.
pub(super) fn check(
    specs: &[UserSpec],
    lists: &Lists,
    file: &[Section],
    realtime: &[Section],
    warnings: &mut Vec<Problem>,
) {
    if !lists.enabled {
        return;
    }
    let mut known: HashMap<(&str, String), Vec<&str>> = HashMap::new();
    for spec in specs {
        for group in spec.groups.iter().flat_map(|groups| groups.iter()) {
            let list = group_list(group);
            let key = (&*spec.account, list.to_ascii_lowercase());
            let same = known.entry(key).or_default();
            if same.iter().any(|known| same_group(known, group)) {
                continue;
            }
            same.push(group);
            let section = match spec.origin {
                Origin::File => file.get(spec.section as usize),
                Origin::Realtime => realtime.get(spec.section as usize),
            };
            // A user who was known before has had the warning.
            let (Some(section), [first, _, ..]) = (section, same.as_slice()) else {
                continue;
            };
            let message = format!(
                "the groups '{}' and '{}' would have one list, '{list}': only the first has it",
                quoted(first),
                quoted(group)
            );
            let location = location(spec.origin, section, section.option("group"));
            warnings.push(Problem { location, message });
        }
    }
}
