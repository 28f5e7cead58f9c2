//! The presence of a person for SIP phones: the body of a NOTIFY in the terms of RFC 3863 (PIDF),
//! RFC 4479 (person) and RFC 4480 (activities).
//!
//! Asterisk makes the body, and its own supplements add to it. Here it is completed: tuples,
//! then notes, then one person, in the order that the RFC's schema has. Everything else of the
//! body is kept as it is, byte for byte.

mod xml;

use std::borrow::Cow;

use crate::model::rpid::PersonActivity;
use crate::model::state::{Presence, State};
pub use xml::Element;
use xml::{cut_escaped, escaped};

/// The id of the tuple that Asterisk adds for Digium's phones.
const DIGIUM_ID: &[u8] = b"digium-presence";
/// The id of the person. No tuple has it: a tuple's id is an extension, and those that begin
/// with an underscore are patterns, or ids made by [`xml::id`].
const PERSON_ID: &[u8] = b"person";
/// Asterisk's note for a device that can be called.
const READY: &[u8] = b"Ready";
/// The longest label in a note, in bytes, escaped: it must leave room for the message.
const LABEL_LIMIT: usize = 64;
const PERSON: &[u8] = b"dm:person";
const ACTIVITIES: &[u8] = b"rpid:activities";

/// What the prefixes mean that the person uses.
const NAMESPACES: [(&[u8], &[u8]); 2] = [
    (b"xmlns:dm", b"urn:ietf:params:xml:ns:pidf:data-model"),
    (b"xmlns:rpid", b"urn:ietf:params:xml:ns:pidf:rpid"),
];

/// The presence of a person, as a body has it.
#[derive(Clone, Copy, Debug)]
pub struct ToldPresence<'a> {
    /// The presence that the phone is told.
    pub presence: &'a Presence,
    /// The label of the status type that it means; empty for none.
    pub label: &'a str,
    /// The activities of that status type.
    pub activities: &'a [PersonActivity],
    /// Whether the hint has a device. Without one, Asterisk says `Unavailable`, and the
    /// presence is told in its place.
    pub has_device: bool,
    /// The longest body, in bytes, from the XML declaration to the last element's end.
    pub limit: usize,
}

/// The content of the body's root, as text with the elements in it, to be printed in place of
/// the root's own elements. `None` if the body is not the one that Asterisk makes, or has no
/// room for more: then it is to be left as it is.
pub fn content(root: Element<'_>, told: &ToldPresence<'_>) -> Option<Vec<u8>> {
    let outside = xml::outside(&root);
    let body = CompletedBody::new(root, told)?;
    let message = escaped(told.presence.message());
    let whole = body.print(&message);
    let Some(over) = (outside + whole.len()).checked_sub(told.limit) else {
        return Some(whole);
    };
    if over == 0 {
        return Some(whole);
    }
    // The message is there twice.
    let room = message.len().checked_sub(over.div_ceil(2));
    let cut = room.map_or("", |room| cut_escaped(&message, room));
    let cut = body.print(cut);
    (outside + cut.len() <= told.limit).then_some(cut)
}

/// A completed body, but for the message.
struct CompletedBody<'a> {
    tuples: Vec<Element<'a>>,
    notes: Vec<Element<'a>>,
    person: Element<'a>,
    others: Vec<Element<'a>>,
}

impl<'a> CompletedBody<'a> {
    fn new(root: Element<'a>, told: &ToldPresence<'_>) -> Option<Self> {
        if !root.is(b"presence") {
            return None;
        }
        let watched = escaped_address(root.attribute(b"entity")?);
        let missing: Vec<_> = NAMESPACES
            .into_iter()
            .filter(|(name, _)| root.attribute(name).is_none())
            .collect();
        let (mut tuples, rest) = split(root.children, |it| it.is(b"tuple"));
        let (mut notes, rest) = split(rest, |it| it.is(b"note"));
        let (mut persons, mut others) = split(rest, |it| it.is(PERSON));

        let is_digium = |it: &Element<'_>| it.attribute(b"id") == Some(DIGIUM_ID);
        let digium = tuples.iter().any(is_digium);
        let tuple = tuples.iter_mut().find(|it| !is_digium(it))?;
        complete_tuple(tuple, watched, told);
        if !digium {
            tuple.map_attribute(b"id", xml::id);
        }
        if let Some(note) = notes.first_mut() {
            complete_note(note, told);
        }
        let mut person = match persons.is_empty() {
            true => Element::new(PERSON),
            false => persons.remove(0),
        };
        others.splice(0..0, persons);
        for (name, value) in missing {
            person.set_attribute(name, value);
        }
        complete_person(&mut person, told);
        Some(CompletedBody {
            tuples,
            notes,
            person,
            others,
        })
    }

    /// The elements with that message, which is escaped, at two places; without one for an
    /// empty message.
    fn print(&self, message: &str) -> Vec<u8> {
        let note = |name: &'static [u8]| {
            let mut note = Element::new(name);
            note.content = Cow::Owned(message.as_bytes().to_vec());
            note
        };
        let mut out = Vec::with_capacity(2048);
        let mut put = |element: &Element<'_>| element.print(&mut out);
        self.tuples.iter().chain(&self.notes).for_each(&mut put);
        if message.is_empty() {
            put(&self.person);
        } else {
            put(&note(b"note"));
            let mut person = self.person.clone();
            person.children.push(note(b"dm:note"));
            put(&person);
        }
        self.others.iter().for_each(put);
        out.push(b'\n');
        out
    }
}

fn split<'a>(
    all: Vec<Element<'a>>,
    is: impl Fn(&Element<'a>) -> bool,
) -> (Vec<Element<'a>>, Vec<Element<'a>>) {
    all.into_iter().partition(is)
}

/// Whether the person can be reached, as far as the presence alone tells.
fn is_open(state: State) -> bool {
    !matches!(state, State::Unavailable | State::Xa)
}

fn complete_tuple(tuple: &mut Element<'_>, watched: Vec<u8>, told: &ToldPresence<'_>) {
    for child in &mut tuple.children {
        match &*child.name {
            b"contact" => child.content = Cow::Owned(watched.clone()),
            b"status" if !told.has_device => {
                let basics = child.children.iter_mut();
                for basic in basics.filter(|it| it.is(b"basic")) {
                    let open = is_open(told.presence.state());
                    basic.content = Cow::Borrowed(if open { b"open" } else { b"closed" });
                }
            }
            _ => {}
        }
    }
}

/// Asterisk's note tells of the device alone. Some phones show it as the person's status, so
/// nobody who is away or busy is `Ready`.
fn complete_note(note: &mut Element<'_>, told: &ToldPresence<'_>) {
    if !told.has_device {
        let ready = is_open(told.presence.state());
        note.content = Cow::Borrowed(if ready { READY } else { b"Unavailable" });
    }
    let away = of_state(told.presence.state()).is_some();
    if away && *note.content == *READY && !told.label.is_empty() {
        let label = escaped(told.label);
        note.content = Cow::Owned(cut_escaped(&label, LABEL_LIMIT).as_bytes().to_vec());
    }
}

/// The activity that a state has.
fn of_state(state: State) -> Option<PersonActivity> {
    match state {
        State::Dnd => Some(PersonActivity::Busy),
        State::Away | State::Xa | State::Unavailable => Some(PersonActivity::Away),
        State::Available | State::Chat | State::NotSet => None,
    }
}

fn complete_person(person: &mut Element<'_>, told: &ToldPresence<'_>) {
    if person.attribute(b"id").is_none() {
        person.set_attribute(b"id", PERSON_ID);
    }
    let of_state = of_state(told.presence.state());
    // The state first: some phones read the first activity only.
    let words = of_state.iter().chain(told.activities);
    let mut activities: Vec<Element<'_>> = Vec::new();
    for word in words {
        let name = format!("rpid:{word}").into_bytes();
        if !activities.iter().any(|known| *known.name == name) {
            activities.push(Element::owned(name));
        }
    }
    if activities.is_empty() {
        return;
    }
    let mut children = person.children.iter_mut();
    match children.find(|it| it.is(ACTIVITIES)) {
        Some(stock) => {
            stock
                .children
                .retain(|it| !activities.iter().any(|new| new.name == it.name));
            // Its notes come before all activities.
            let notes = stock.children.iter();
            let at = notes.take_while(|it| it.is(b"rpid:note")).count();
            stock.children.splice(at..at, activities);
        }
        None => {
            let mut element = Element::new(ACTIVITIES);
            element.children = activities;
            person.children.insert(0, element);
        }
    }
}

/// The watched address, as the content of an element.
fn escaped_address(entity: &[u8]) -> Vec<u8> {
    let entity = String::from_utf8_lossy(entity);
    let address = entity.rsplit_once('<').map_or(&*entity, |(_, rest)| rest);
    let address = address.split('>').next().unwrap_or_default();
    escaped(address).into_owned().into_bytes()
}

#[cfg(test)]
mod tests;
