//! Status types: the names by which a status is set and read.
//!
//! Each of the seven states is a type. The administrator adds other types, each mapped to a
//! state, subtype and message, or to nothing: such a status is recorded but writes no
//! presence.

use std::sync::Arc;

use crate::model::rpid::PersonActivity;
use crate::model::state::{Presence, State};

/// One status type.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct StatusType {
    /// The name, such as `lunch` or `away`.
    pub name: Box<str>,
    /// The label that interfaces show to people, such as `At lunch`.
    pub label: Box<str>,
    /// The presence that the type sets; `None` for a type that is recorded only.
    pub maps_to: Option<Presence>,
    /// What SIP phones are told that the person is doing, beside the state.
    pub activities: Box<[PersonActivity]>,
}

impl StatusType {
    /// The built-in type of a state.
    pub fn built_in(state: State) -> Self {
        let label = match state {
            State::NotSet => "Not set",
            State::Unavailable => "Unavailable",
            State::Available => "Available",
            State::Away => "Away",
            State::Xa => "Extended away",
            State::Chat => "Free to chat",
            State::Dnd => "Do not disturb",
        };
        StatusType {
            name: state.name().into(),
            label: label.into(),
            maps_to: Some(state.into()),
            activities: Box::default(),
        }
    }

    /// Whether the type has the name of a state.
    pub fn is_built_in(&self) -> bool {
        State::parse(&self.name).is_ok()
    }
}

/// All status types: the states in the order of [`State`], then the configured types in the
/// order of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statuses(Vec<Arc<StatusType>>);

impl Default for Statuses {
    fn default() -> Self {
        let built_in = State::ALL.map(|state| Arc::new(StatusType::built_in(state)));
        Statuses(built_in.into())
    }
}

impl Statuses {
    /// Adds a type; it replaces a type of the same name, without regard to case.
    pub fn put(&mut self, status: StatusType) {
        let known = self.0.iter_mut();
        let mut same = known.filter(|known| known.name.eq_ignore_ascii_case(&status.name));
        match same.next() {
            Some(known) => *known = Arc::new(status),
            None => self.0.push(Arc::new(status)),
        }
    }

    /// The type with the given name, without regard to case.
    pub fn find(&self, name: &str) -> Option<&Arc<StatusType>> {
        let mut all = self.0.iter();
        all.find(|status| status.name.eq_ignore_ascii_case(name))
    }

    /// All types, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<StatusType>> {
        self.0.iter()
    }

    /// The names of the types as a list for messages.
    pub fn expected(&self) -> String {
        const MOST: usize = 20;
        let names: Vec<&str> = self.iter().map(|status| &*status.name).collect();
        match names.as_slice() {
            [first @ .., last] if names.len() <= MOST => {
                format!("{} or {last}", first.join(", "))
            }
            _ => format!(
                "{} or another of 'userpresence show statuses'",
                names[..MOST.min(names.len())].join(", ")
            ),
        }
    }

    /// The type of a presence: the type with its state and subtype, otherwise the type of the
    /// state's name, otherwise the first configured type with that state. `None` if no type
    /// maps to the state.
    pub fn meaning(&self, presence: &Presence) -> Option<&Arc<StatusType>> {
        let of_state = |status: &Arc<StatusType>| {
            let maps_to = status.maps_to.as_ref();
            maps_to.is_some_and(|mapped| mapped.state() == presence.state())
        };
        let exact = |status: &&Arc<StatusType>| {
            let maps_to = status.maps_to.as_ref();
            of_state(status) && maps_to.is_some_and(|mapped| mapped.subtype() == presence.subtype())
        };
        let own = &self.0[presence.state() as usize];
        let found = self.0.iter().find(exact);
        found
            .or_else(|| of_state(own).then_some(own))
            .or_else(|| self.0.iter().find(|status| of_state(status)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(name: &str, maps_to: Option<Presence>) -> StatusType {
        StatusType {
            name: name.into(),
            label: name.into(),
            maps_to,
            activities: Box::default(),
        }
    }

    fn meaning(statuses: &Statuses, state: State, subtype: &str) -> Option<String> {
        let found = statuses.meaning(&Presence::new(state, subtype, "x"));
        found.map(|status| status.name.to_string())
    }

    #[test]
    fn a_presence_has_the_closest_type() {
        let mut statuses = Statuses::default();
        statuses.put(status(
            "lunch",
            Some(Presence::new(State::Away, "lunch", "")),
        ));
        statuses.put(status("home", Some(State::Available.into())));
        assert_eq!(meaning(&statuses, State::Away, "lunch").unwrap(), "lunch");
        assert_eq!(meaning(&statuses, State::Away, "other").unwrap(), "away");
        assert_eq!(
            meaning(&statuses, State::Available, "").unwrap(),
            "available"
        );
        // Without a type of the state's name, the first configured type with the state
        // applies, or none.
        statuses.put(status("AWAY", None));
        assert_eq!(meaning(&statuses, State::Away, "other").unwrap(), "lunch");
        statuses.put(status("dnd", None));
        assert_eq!(meaning(&statuses, State::Dnd, ""), None);
        assert_eq!(statuses.find("Lunch").unwrap().label.as_ref(), "lunch");
    }
}
