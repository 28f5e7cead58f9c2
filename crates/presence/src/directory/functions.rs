//! The check that the dialplan functions in assignments of actions exist.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::Directory;
use crate::actions::Assignment;

/// Messages about dialplan functions in actions that do not exist: in the option `set` of every
/// section, and in the assignments behind `dnd` and `followme` for users of the section.
pub fn unknown_functions(directory: &Directory, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut messages = BTreeSet::new();
    let mut check = |section: &str, option: &str, assignments: &[Assignment]| {
        for assignment in assignments {
            let name = assignment.function();
            if !exists(name) {
                messages.insert(format!(
                    "section [{section}], option '{option}': there is no dialplan function \
                     '{name}', for '{assignment}'; its module is not loaded, or its name is \
                     misspelt"
                ));
            }
        }
    };
    for block in directory.settings.definitions.actions.values() {
        check(&block.name, "set", &block.set);
    }
    let mut seen = HashSet::new();
    for (_, user) in directory.users() {
        // Many users share a rule, which is checked once.
        if user.rule.actions.is_empty() || !seen.insert(Arc::as_ptr(&user.rule)) {
            continue;
        }
        let functions = &user.rule.functions;
        for block in &user.rule.actions {
            if block.dnd.is_some() {
                check(&block.name, "dnd", &functions.dnd_on);
                check(&block.name, "dnd", &functions.dnd_off);
            }
            if block.followme.is_some() {
                check(&block.name, "followme", &functions.followme_on);
                check(&block.name, "followme", &functions.followme_off);
            }
        }
    }
    messages.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::directory;

    #[test]
    fn a_missing_function_is_reported_with_its_section() {
        let directory = directory(
            "[a]\ntype=action\nstatus=dnd\nset=DBB(x/${USER})=1\nset=DB(x)=1\n\
             [b]\ntype=action\nstatus=xa\ndnd=on\n[c]\ntype=action\nstatus=xa\nfollowme=on\n\
             [alice]\ntype=user\nextension=1\naction=b\n",
        );
        let messages = unknown_functions(&directory, &|name| name == "DB");
        let starts: Vec<_> = messages.iter().map(|it| it.split(", for").next()).collect();
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
        assert!(
            messages[0].contains("for 'DBB(x/${USER})=1'"),
            "{messages:?}"
        );
        assert!(unknown_functions(&directory, &|_| true).is_empty());
    }
}
