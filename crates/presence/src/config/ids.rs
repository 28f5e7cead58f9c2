//! The ids of users: each id of an account belongs to one user.

use std::collections::HashMap;
use std::sync::Arc;

use super::section::location;
use super::{Origin, Problem, Section, UserSpec};

/// Leaves out each user whose id, or else name, is the id of another user of the account,
/// with an error. Users of an earlier load stay.
pub fn check(
    mut specs: Vec<UserSpec>,
    file: &[Section],
    realtime: &[Section],
    errors: &mut Vec<Problem>,
) -> Vec<UserSpec> {
    if specs.iter().all(|spec| spec.id.is_none()) {
        return specs;
    }
    let id = |spec: &UserSpec| spec.id.as_deref().unwrap_or(&spec.name).to_owned();
    let known = |spec: &UserSpec| spec.section == UserSpec::NO_SECTION;
    let mut taken: HashMap<(Arc<str>, String), Arc<str>> = HashMap::new();
    for spec in specs.iter().filter(|spec| known(spec)) {
        taken.insert((spec.account.clone(), id(spec)), spec.name.clone());
    }
    specs.retain(|spec| {
        if known(spec) {
            return true;
        }
        let of = taken.entry((spec.account.clone(), id(spec)));
        let of = of.or_insert_with(|| spec.name.clone());
        if *of == spec.name {
            return true;
        }
        let sections = match spec.origin {
            Origin::File => file,
            Origin::Realtime => realtime,
        };
        let section = sections.get(spec.section as usize);
        let location = section.map_or_else(Default::default, |section| {
            location(spec.origin, section, section.option("id"))
        });
        let (id, account) = (id(spec), &spec.account);
        let message = format!("id '{id}' is already used by user '{of}' in account '{account}'");
        errors.push(Problem { location, message });
        false
    });
    specs
}

#[cfg(test)]
mod tests {
    use super::super::testing::parsed;

    #[test]
    fn an_id_belongs_to_one_user_of_an_account() {
        let user = |name: &str, more: &str| format!("[{name}]\ntype=user\n{more}\n");
        let text = [
            user("alice", "id=7"),
            user("bob", "id=7"),
            user("carol", "id=7\naccount=other"),
            user("dave", "id=erin"),
            user("erin", ""),
            // Each is the id of the other: odd, but clear.
            user("1", "id=2"),
            user("2", "id=1"),
        ];
        let parsed = parsed(&text.concat());
        let names: Vec<&str> = parsed.users.iter().map(|user| &*user.name).collect();
        assert_eq!(names, ["alice", "carol", "dave", "1", "2"]);
        let errors: Vec<&str> = parsed.errors.iter().map(|it| &*it.message).collect();
        let already = |id: &str, of: &str| {
            format!("id '{id}' is already used by user '{of}' in account 'default'")
        };
        assert_eq!(errors, [already("7", "alice"), already("erin", "dave")]);
    }
}
