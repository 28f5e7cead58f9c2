//! The dialplan functions that actions assign to.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::Directory;
use crate::actions::Assignment;

/// The functions that actions name and that do not exist, as sentences: those of every
/// section, and what is behind its `dnd` and `followme` for the users who have it.
pub fn unknown_functions(directory: &Directory, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut said = BTreeSet::new();
    let mut note = |section: &str, option: &str, assignments: &[Assignment]| {
        for assignment in assignments {
            let name = assignment.function();
            if !exists(name) {
                said.insert(format!(
                    "section [{section}], option '{option}': there is no dialplan function \
                     '{name}', for '{assignment}'; its module is not loaded, or the name is \
                     another"
                ));
            }
        }
    };
    for block in directory.settings.definitions.actions.values() {
        note(&block.name, "set", &block.set);
    }
    let mut seen = HashSet::new();
    for (_, user) in directory.users() {
        // Many users share one rule.
        if user.rule.actions.is_empty() || !seen.insert(Arc::as_ptr(&user.rule)) {
            continue;
        }
        let functions = &user.rule.functions;
        for block in &user.rule.actions {
            if block.dnd.is_some() {
                note(&block.name, "dnd", &functions.dnd_on);
                note(&block.name, "dnd", &functions.dnd_off);
            }
            if block.followme.is_some() {
                note(&block.name, "followme", &functions.followme_on);
                note(&block.name, "followme", &functions.followme_off);
            }
        }
    }
    said.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::directory;

    #[test]
    fn what_is_not_there_is_named_with_its_section() {
        let directory = directory(
            "[a]\ntype=action\nstatus=dnd\nset=DBB(x/${USER})=1\nset=DB(x)=1\n\
             [b]\ntype=action\nstatus=xa\ndnd=on\n[c]\ntype=action\nstatus=xa\nfollowme=on\n\
             [alice]\ntype=user\nextension=1\naction=b\n",
        );
        let said = unknown_functions(&directory, &|name| name == "DB");
        let starts: Vec<_> = said.iter().map(|it| it.split(", for").next()).collect();
        let line = |section: &str, option: &str, name: &str| {
            format!(
                "section [{section}], option '{option}': there is no dialplan function '{name}'"
            )
        };
        let device = line("b", "dnd", "DEVICE_STATE");
        let expected = [
            line("a", "set", "DBB"),
            device.clone(),
            device.clone(),
            device.clone(),
            device,
        ];
        let expected: Vec<_> = expected.iter().map(|it| Some(it.as_str())).collect();
        assert_eq!(starts, expected);
        assert!(said[0].contains("for 'DBB(x/${USER})=1'"), "{said:?}");
        assert!(unknown_functions(&directory, &|_| true).is_empty());
    }
}
