//! Users who are sources of other users: unknown ones and cycles.

use std::collections::HashMap;

use super::action::{self, Reads};
use super::user::{InputKind, InputSpec, UserSpec};
use super::{Origin, Outgoing, Problem, Section, place};
use crate::presence::action::Person;
use crate::presence::address::{USER_LABEL, below};
use crate::presence::device::Watcher;

/// Leaves out the users of every cycle, with an error each, and warns of a source
/// that names no user.
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
    let place_of_user = |spec: &UserSpec| match section_of(spec) {
        Some(section) => place(spec.origin, section, None),
        None => format!("user '{}'", spec.name),
    };
    let place_of = |spec: &UserSpec, number: usize| match section_of(spec) {
        Some(section) => {
            let line = spec.inputs[number].variable as usize;
            place(spec.origin, section, section.variables.get(line))
        }
        None => place_of_user(spec),
    };
    let mut index = HashMap::new();
    for (at, spec) in specs.iter().enumerate() {
        index.insert(spec.name.to_ascii_lowercase(), at);
    }
    // The users that each user reads, each with the number of the source.
    let mut edges: Vec<Vec<(usize, usize)>> = Vec::with_capacity(specs.len());
    for spec in &specs {
        let mut found = Vec::new();
        for (number, input) in spec.inputs.iter().enumerate() {
            for name in reads(input) {
                match index.get(&name.to_ascii_lowercase()) {
                    Some(&user) => found.push((user, number)),
                    // Of a user that was known before it was said before.
                    None if spec.section == UserSpec::NO_SECTION => {}
                    None => warnings.push(Problem {
                        place: place_of(spec, number),
                        message: format!("there is no user '{name}', the source takes no part"),
                    }),
                }
            }
        }
        edges.push(found);
    }
    let mut bad = vec![false; specs.len()];
    for cycle in cycles(&edges) {
        let names: Vec<_> = cycle.iter().map(|(user, _)| &*specs[*user].name).collect();
        let round = format!("{} -> {}", names.join(" -> "), names[0]);
        for (user, number) in cycle {
            bad[user] = true;
            errors.push(Problem {
                place: place_of(&specs[user], number),
                message: format!(
                    "a cycle of users ({round}), expected a source that does not lead back"
                ),
            });
        }
    }
    for (user, spec) in specs.iter().enumerate() {
        if let Some(message) = feeds_itself(user, &specs, &edges, &index) {
            bad[user] = true;
            errors.push(Problem {
                place: place_of_user(spec),
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

/// Says it where a user's actions would write what the user reads, directly or through
/// other users.
fn feeds_itself(
    user: usize,
    specs: &[UserSpec],
    edges: &[Vec<(usize, usize)>],
    index: &HashMap<String, usize>,
) -> Option<String> {
    if specs[user].rule.actions.is_empty() {
        return None;
    }
    let (mut reads, mut seen, mut open) = (Reads::default(), vec![user], vec![user]);
    while let Some(next) = open.pop() {
        for input in &specs[next].inputs {
            if matches!(input.kind, InputKind::Extension { .. } | InputKind::Source) {
                reads.addresses.push(&input.address);
            }
            reads.devices.extend(input.device.as_deref());
        }
        for (other, _) in &edges[next] {
            if !seen.contains(other) {
                seen.push(*other);
                open.push(*other);
            }
        }
    }
    let written = |name: &str| -> Vec<&str> {
        let other = index.get(&name.to_ascii_lowercase());
        let other = other.map(|other| &specs[*other]);
        let writes = |spec: &&UserSpec| spec.rule.enabled && spec.rule.outgoing != Outgoing::None;
        let inputs = other
            .filter(writes)
            .into_iter()
            .flat_map(|spec| &spec.inputs);
        let extensions = inputs.filter(|input| input.extension().is_some());
        extensions.map(|input| &*input.address).collect()
    };
    action::feeds(&Person::configured(&specs[user]), &reads, &written)
}

/// The users whom a source reads: by their presence, or by their device state.
fn reads(input: &InputSpec) -> impl Iterator<Item = &str> {
    let presence = match input.kind {
        InputKind::Extension { .. } | InputKind::Source => below(&input.address, USER_LABEL),
        _ => None,
    };
    let device = input.device.as_deref();
    let device = device.and_then(|device| below(device, USER_LABEL));
    presence
        .into_iter()
        .chain(device.map(|name| Watcher::split(name).0))
}

/// Every cycle that a walk along the edges closes, as (user, number of its source)
/// in order. Iterative: a chain of users may be as long as there are users.
fn cycles(edges: &[Vec<(usize, usize)>]) -> Vec<Vec<(usize, usize)>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; edges.len()];
    let mut found = Vec::new();
    for start in 0..edges.len() {
        if marks[start] != Mark::New {
            continue;
        }
        // The walk: each user with the number of the next edge to follow.
        let mut walk = vec![(start, 0)];
        marks[start] = Mark::Open;
        while let Some(last) = walk.last_mut() {
            let (user, next) = *last;
            let Some(&(target, _)) = edges[user].get(next) else {
                marks[user] = Mark::Done;
                walk.pop();
                continue;
            };
            last.1 += 1;
            match marks[target] {
                Mark::New => {
                    marks[target] = Mark::Open;
                    walk.push((target, 0));
                }
                Mark::Open => {
                    let from = walk
                        .iter()
                        .position(|(user, _)| *user == target)
                        .unwrap_or(0);
                    let round = walk[from..].iter();
                    found.push(round.map(|(u, next)| (*u, edges[*u][next - 1].1)).collect());
                }
                Mark::Done => {}
            }
        }
    }
    found
}
