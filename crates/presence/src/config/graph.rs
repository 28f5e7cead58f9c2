//! Users that are sources of other users: unknown users and cycles.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet, VecDeque};

use super::feedback::{self, Reads};
use super::section::location;
use super::user::{InputSpec, UserSpec};
use super::{Origin, Outgoing, Problem, Section};
use crate::actions::Person;
use crate::model::address::{USER_LABEL, below};
use crate::model::device::Watcher;
use crate::model::input::ReadFrom;

/// Leaves out the users of every cycle, with an error for each, and warns of sources that
/// name no user.
pub fn check(
    specs: Vec<UserSpec>,
    file: &[Section],
    realtime: &[Section],
    errors: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> Vec<UserSpec> {
    let acts = |spec: &UserSpec| !spec.rule.actions.is_empty();
    let reads_users = |spec: &UserSpec| {
        spec.inputs
            .iter()
            .any(|input| reads(input).next().is_some())
    };
    if !specs.iter().any(|spec| reads_users(spec) || acts(spec)) {
        return specs;
    }
    let section_of = |spec: &UserSpec| match spec.origin {
        Origin::File => file.get(spec.section as usize),
        Origin::Realtime => realtime.get(spec.section as usize),
    };
    let location_of_user = |spec: &UserSpec| match section_of(spec) {
        Some(section) => location(spec.origin, section, None),
        None => format!("user '{}'", spec.name).into(),
    };
    let location_of = |spec: &UserSpec, number: usize| match section_of(spec) {
        Some(section) => {
            let line = spec.inputs[number].variable as usize;
            location(spec.origin, section, section.variables.get(line))
        }
        None => location_of_user(spec),
    };
    let mut index = HashMap::new();
    for (at, spec) in specs.iter().enumerate() {
        index.insert(spec.name.to_ascii_lowercase(), at);
    }
    // For each user the users that are its sources, with the number of the source.
    let mut edges: Vec<Vec<(usize, usize)>> = Vec::with_capacity(specs.len());
    for spec in &specs {
        let mut found = Vec::new();
        for (number, input) in spec.inputs.iter().enumerate() {
            for name in reads(input) {
                match index.get(&name.to_ascii_lowercase()) {
                    Some(&user) => found.push((user, number)),
                    // A user of an earlier load has had this warning.
                    None if spec.section == UserSpec::NO_SECTION => {}
                    None => warnings.push(Problem {
                        location: location_of(spec, number),
                        message: format!("there is no user '{name}', the source is ignored"),
                    }),
                }
            }
        }
        edges.push(found);
    }
    let numbers = OnceCell::new();
    let mut bad = vec![false; specs.len()];
    for knot in knots(&edges) {
        let round = named(&knot, &edges, |user| &specs[user].name);
        for (user, number) in knot {
            bad[user] = true;
            errors.push(Problem {
                location: location_of(&specs[user], number),
                message: format!(
                    "a cycle of users ({round}), expected a source that does not lead back"
                ),
            });
        }
    }
    for (user, spec) in specs.iter().enumerate() {
        // The users of a cycle are left out already.
        if bad[user] {
            continue;
        }
        if let Some(message) = feedback(user, &specs, &edges, &index, &numbers) {
            bad[user] = true;
            errors.push(Problem {
                location: location_of_user(spec),
                message,
            });
        }
    }
    let mut bad = bad.into_iter();
    specs
        .into_iter()
        .filter(|_| !bad.next().unwrap_or(false))
        .collect()
}

/// The error where a user's actions would write what the user's presence depends on, directly
/// or through other users.
fn feedback(
    user: usize,
    specs: &[UserSpec],
    edges: &[Vec<(usize, usize)>],
    index: &HashMap<String, usize>,
    numbers: &OnceCell<HashMap<String, Vec<usize>>>,
) -> Option<String> {
    if specs[user].rule.actions.is_empty() {
        return None;
    }
    let (mut reads, mut seen, mut open) = (Reads::default(), HashSet::from([user]), vec![user]);
    while let Some(next) = open.pop() {
        if specs[next].rule.follow_dnd {
            let extensions = specs[next].inputs.iter();
            reads
                .dnd
                .extend(extensions.filter_map(InputSpec::extension));
        }
        for input in &specs[next].inputs {
            if input.kind.read_from() == ReadFrom::Provider {
                reads.addresses.push(&input.address);
            }
            reads.devices.extend(input.device.as_deref());
        }
        for (other, _) in &edges[next] {
            if seen.insert(*other) {
                open.push(*other);
            }
        }
    }
    let written = |name: &str| -> Vec<&str> {
        let named = index.get(&name.to_ascii_lowercase());
        let others = match named {
            Some(other) => std::slice::from_ref(other),
            None => {
                let numbers = numbers.get_or_init(|| by_number(specs));
                numbers.get(name).map_or(&[][..], Vec::as_slice)
            }
        };
        let others = others.iter().map(|other| &specs[*other]);
        let writes = |spec: &UserSpec| spec.rule.enabled && spec.rule.outgoing != Outgoing::None;
        let written = others.flat_map(|spec| {
            let inputs = spec.inputs.iter().filter(|_| writes(spec));
            let extensions = inputs.filter(|input| input.extension().is_some());
            let addresses = extensions.map(|input| &*input.address);
            std::iter::once(&*spec.name).chain(addresses)
        });
        written.collect()
    };
    feedback::find(&Person::configured(&specs[user]), &reads, &written)
}

/// The users by their other names: id and extensions.
fn by_number(specs: &[UserSpec]) -> HashMap<String, Vec<usize>> {
    let mut found: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, spec) in specs.iter().enumerate() {
        let extensions = spec.inputs.iter().filter_map(InputSpec::extension);
        for number in extensions.chain(spec.id.as_deref()) {
            found.entry(number.to_owned()).or_default().push(at);
        }
    }
    found
}

/// The users that a source reads, by their presence or by their device state.
fn reads(input: &InputSpec) -> impl Iterator<Item = &str> {
    let provided = input.kind.read_from() == ReadFrom::Provider;
    let presence = provided
        .then(|| below(&input.address, USER_LABEL))
        .flatten();
    let device = input.device.as_deref();
    let device = device.and_then(|device| below(device, USER_LABEL));
    presence
        .into_iter()
        .chain(device.map(|name| Watcher::split(name).0))
}

/// The users of cycles: groups in which each leads to every other, as (user, number of a
/// source that stays within the group), in order. Iterative, because a chain of users may
/// be as long as there are users; in time and room it takes as much as there are edges.
fn knots(edges: &[Vec<(usize, usize)>]) -> Vec<Vec<(usize, usize)>> {
    const NEW: usize = usize::MAX;
    // Tarjan's algorithm: the order of the first visit, and the earliest user on the
    // stack that is reached from there.
    let mut order = vec![NEW; edges.len()];
    let mut low = vec![NEW; edges.len()];
    let mut waits = vec![false; edges.len()];
    let (mut stack, mut count, mut found) = (Vec::new(), 0, Vec::new());
    for start in 0..edges.len() {
        if order[start] != NEW {
            continue;
        }
        // The walk: each user with the number of the next edge to follow.
        let mut walk = vec![(start, 0)];
        while let Some(last) = walk.last_mut() {
            let (user, next) = *last;
            if next == 0 && order[user] == NEW {
                (order[user], low[user]) = (count, count);
                count += 1;
                stack.push(user);
                waits[user] = true;
            }
            if let Some(&(target, _)) = edges[user].get(next) {
                last.1 += 1;
                if order[target] == NEW {
                    walk.push((target, 0));
                } else if waits[target] {
                    low[user] = low[user].min(order[target]);
                }
                continue;
            }
            walk.pop();
            if let Some(&(before, _)) = walk.last() {
                low[before] = low[before].min(low[user]);
            }
            if low[user] != order[user] {
                continue;
            }
            let from = stack.iter().rposition(|waiting| *waiting == user);
            let mut group = stack.split_off(from.unwrap_or(0));
            group.iter().for_each(|user| waits[*user] = false);
            group.sort_unstable();
            let within = |user: &usize| {
                let mut edges = edges[*user].iter();
                let edge = edges.find(|(target, _)| group.binary_search(target).is_ok());
                edge.map(|(_, number)| (*user, *number))
            };
            let knot: Vec<_> = group.iter().filter_map(within).collect();
            if !knot.is_empty() {
                found.push(knot);
            }
        }
    }
    found
}

/// The shortest way round through the first user of a knot, cut after a few names: the error
/// of each user of the knot shows it.
fn named<'a>(
    knot: &[(usize, usize)],
    edges: &[Vec<(usize, usize)>],
    name: impl Fn(usize) -> &'a str,
) -> String {
    const FEW: usize = 5;
    let Some(&(first, _)) = knot.first() else {
        return String::new();
    };
    let within = |user: usize| knot.binary_search_by_key(&user, |(user, _)| *user).ok();
    // From which user each user was reached first.
    let mut from = vec![None; knot.len()];
    let mut open = VecDeque::from([first]);
    let mut round = vec![first];
    'search: while let Some(user) = open.pop_front() {
        for (target, _) in &edges[user] {
            if *target == first {
                let mut at = user;
                while at != first {
                    round.push(at);
                    at = within(at).and_then(|at| from[at]).unwrap_or(first);
                }
                break 'search;
            }
            if let Some(at) = within(*target).filter(|at| from[*at].is_none()) {
                from[at] = Some(user);
                open.push_back(*target);
            }
        }
    }
    round[1..].reverse();
    let names = round.iter().take(FEW).map(|user| name(*user));
    let mut text = names.collect::<Vec<_>>().join(" -> ");
    if round.len() > FEW {
        text.push_str(" -> ...");
    }
    text.push_str(" -> ");
    text.push_str(name(first));
    if round.len() > FEW || knot.len() > round.len() {
        text.push_str(&format!(", {} users", knot.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::testing::parsed;

    fn ring(users: usize) -> String {
        let user = |at| {
            let next = (at + 1) % users;
            format!("[u{at}]\ntype=user\nsource=UserPresence:u{next}\n")
        };
        (0..users).map(user).collect()
    }

    #[test]
    fn a_long_cycle_names_the_first_few() {
        const USERS: usize = 20_000;
        let parsed = parsed(&ring(USERS));
        assert_eq!(parsed.errors.len(), USERS);
        let expected = "a cycle of users (u0 -> u1 -> u2 -> u3 -> u4 -> ... -> u0, 20000 users), \
                        expected a source that does not lead back";
        assert!(parsed.errors.iter().all(|error| error.message == expected));
        assert!(parsed.users.is_empty());
        let last = &parsed.errors[USERS - 1];
        assert!(
            last.location.text.contains("[u19999], option 'source'"),
            "{last}"
        );
    }

    /// Every user has a way back to the first, and none of them a short one.
    #[test]
    fn many_cycles_within_each_other_are_one_error_each() {
        const USERS: usize = 2_000;
        let back = "source=UserPresence:u0\n";
        let text = ring(USERS).replace("\n[", &format!("\n{back}["));
        let parsed = parsed(&text);
        assert_eq!(parsed.errors.len(), USERS);
        let message = &parsed.errors[1].message;
        assert!(message.contains("(u0 -> u0, 2000 users)"), "{message}");
    }

    #[test]
    fn a_user_outside_of_the_cycle_stays() {
        let parsed = parsed(
            "[a]\ntype=user\nsource=UserPresence:b\n[b]\ntype=user\nsource=UserPresence:c\n\
             [c]\ntype=user\nsource=UserPresence:b\nsource=UserPresence:d\n[d]\ntype=user\n",
        );
        let users: Vec<&str> = parsed.users.iter().map(|user| &*user.name).collect();
        assert_eq!(users, ["a", "d"]);
        let messages: Vec<&str> = parsed.errors.iter().map(|it| &*it.message).collect();
        let expected = "a cycle of users (b -> c -> b), expected a source that does not lead back";
        assert_eq!(messages, [expected; 2]);
    }

    /// An action may name the user whose status it writes by name, id or extension.
    #[test]
    fn an_action_that_causes_itself_is_found_by_extension_and_id() {
        let with = |target: &str| {
            let text = format!(
                "[act]\ntype=action\nstatus=dnd\nset=USER_PRESENCE({target})=away\n\
                 [alice]\ntype=user\nid=4711\nextension=200\nextension=201\naction=act\n\
                 source=UserPresence:bob\n\
                 [bob]\ntype=user\nid=9\nextension=202\n[carol]\ntype=user\nextension=203\n"
            );
            parsed(&text).errors.len()
        };
        for bad in ["alice", "${EXTENSION}", "201", "4711", "bob", "202", "9"] {
            assert_eq!(with(bad), 1, "{bad}");
        }
        for good in ["carol", "203", "nobody"] {
            assert_eq!(with(good), 0, "{good}");
        }
    }
}
