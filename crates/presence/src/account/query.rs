//! What readers of an account ask for, as the query of a request says it.

use super::record::Record;
use crate::directory::UserId;
use crate::model::details::{Detail, Details};
use crate::model::inferred::Inferred;
use crate::model::text::quoted;
use crate::world::World;

/// What is wrong with a query, in one sentence.
pub type Wrong = String;

/// Names and values, in their order.
type Pairs<'a> = &'a [(&'a str, &'a str)];

fn unknown(name: &str, expected: &str) -> Wrong {
    format!("Unknown parameter '{}', expected {expected}.", quoted(name))
}

/// Each parameter stands there once.
fn twice(pairs: Pairs<'_>) -> Result<(), Wrong> {
    for (at, (name, _)) in pairs.iter().enumerate() {
        if pairs[..at].iter().any(|(other, _)| other == name) {
            return Err(format!(
                "The parameter '{}' stands there twice.",
                quoted(name)
            ));
        }
    }
    Ok(())
}

fn number(name: &str, value: &str, least: u64, most: u64) -> Result<u64, Wrong> {
    let wrong = || {
        let value = quoted(value);
        format!("'{value}' is no {name}, expected a number from {least} to {most}.")
    };
    // A sign is no digit of a number.
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|_| digits);
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(wrong)
}

fn truth(name: &str, value: &str) -> Result<bool, Wrong> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(format!(
            "'{}' is no value of {name}, expected true or false.",
            quoted(other)
        )),
    }
}

fn list(value: &str) -> Vec<String> {
    let parts = value.split(',').map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// `GET account/{id}/presence`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListQuery {
    /// From 1.
    pub page: u64,
    /// 1 to [`ListQuery::MOST`].
    pub per_page: u64,
    /// Who is wanted, by id, name or extension; empty for everyone.
    pub extensions: Vec<String>,
    /// The states, status types and presence statuses that are wanted; empty for all.
    pub statuses: Vec<String>,
    /// What the user's names or texts hold, in small letters.
    pub text: String,
}

impl ListQuery {
    /// The most users of a page.
    pub const MOST: u64 = 1000;
    /// How many a page has where it is not said.
    pub const USUAL: u64 = 100;
    /// The number of the last page that can be asked for.
    pub const LAST_PAGE: u64 = 1_000_000_000;

    /// Reads the parameters.
    ///
    /// # Errors
    /// Names the parameter and what was expected.
    pub fn parse(pairs: Pairs<'_>) -> Result<Self, Wrong> {
        twice(pairs)?;
        let mut query = ListQuery {
            page: 1,
            per_page: Self::USUAL,
            extensions: Vec::new(),
            statuses: Vec::new(),
            text: String::new(),
        };
        for (name, value) in pairs {
            match *name {
                "page" => query.page = number("page", value, 1, Self::LAST_PAGE)?,
                "perPage" => query.per_page = number("perPage", value, 1, Self::MOST)?,
                "extension" => query.extensions = list(value),
                "status" => query.statuses = list(value),
                "text" => query.text = value.to_lowercase(),
                other => {
                    let expected = "page, perPage, extension, status or text";
                    return Err(unknown(other, expected));
                }
            }
        }
        Ok(query)
    }

    /// Whether a user is wanted by the status.
    pub fn wants_status(&self, world: &World, user: UserId) -> bool {
        if self.statuses.is_empty() {
            return true;
        }
        let activity = world.activity(user);
        let status = world.status(user).map_or("", |status| &*status.name);
        let known = [
            world.outcome(user).presence.state().name(),
            status,
            activity.presence.name(),
            activity.telephony.name(),
        ];
        let is_one = |wanted: &String| known.iter().any(|it| it.eq_ignore_ascii_case(wanted));
        self.statuses.iter().any(is_one)
    }

    /// Whether a user is wanted by the text.
    pub fn wants_text(&self, record: &Record) -> bool {
        let texts = [
            &record.user,
            &record.extension_id,
            &record.message,
            &record.subtype,
            &record.status,
            &record.label,
            &record.chosen.message,
        ];
        let texts = texts.into_iter().chain(&record.extensions);
        let inferred = record.inferred.iter().map(Inferred::label);
        let mut texts = texts.map(String::as_str).chain(inferred);
        texts.any(|text| text.to_lowercase().contains(&self.text))
    }
}

/// `GET account/{id}/events`
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EventsQuery {
    /// Who is wanted, by id, name or extension; empty for everyone.
    pub extensions: Vec<String>,
    /// What has to have changed; `None` for anything.
    pub details: Option<Details>,
    /// Whether the user's record stands beside the body.
    pub with_record: bool,
    /// Whether a snapshot comes first, where the reader cannot go on.
    pub snapshot: bool,
    /// The number of the last event that the reader has had.
    pub last: Option<u64>,
}

impl EventsQuery {
    /// Reads the parameters, and the header `Last-Event-ID`, which comes before the
    /// parameter: a browser goes on with it by itself.
    ///
    /// # Errors
    /// Names the parameter and what was expected.
    pub fn parse(pairs: Pairs<'_>, last: Option<&str>) -> Result<Self, Wrong> {
        twice(pairs)?;
        let mut query = EventsQuery::default();
        let id = |value: &str| number("number of an event", value, 0, u64::MAX);
        for (name, value) in pairs {
            match *name {
                "extension" => query.extensions = list(value),
                "detail" => query.details = Some(details(value)?),
                "expand" if *value == "record" => query.with_record = true,
                "expand" => {
                    let value = quoted(value);
                    return Err(format!("'{value}' cannot be expanded, expected record."));
                }
                "snapshot" => query.snapshot = truth("snapshot", value)?,
                "lastEventId" => query.last = Some(id(value)?),
                other => {
                    let expected = "extension, detail, expand, snapshot or lastEventId";
                    return Err(unknown(other, expected));
                }
            }
        }
        if let Some(last) = last.filter(|last| !last.is_empty()) {
            query.last = Some(id(last)?);
        }
        Ok(query)
    }
}

fn details(value: &str) -> Result<Details, Wrong> {
    let wrong = |name: &str| {
        let expected = Detail::expected();
        format!("Unknown detail '{}', expected {expected}.", quoted(name))
    };
    let named = list(value);
    if named.is_empty() {
        return Err(wrong(""));
    }
    let named = named.iter();
    named
        .map(|name| Detail::parse(name).map_err(|_| wrong(name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_asked_for_by_pages_and_filters() {
        let query = ListQuery::parse(&[]).unwrap();
        assert_eq!((query.page, query.per_page), (1, 100));
        let query = ListQuery::parse(&[("perPage", "7"), ("extension", "1, b,,"), ("text", "Ü")]);
        let query = query.unwrap();
        assert_eq!((query.per_page, &*query.text), (7, "ü"));
        assert_eq!(query.extensions, ["1", "b"]);
        let wrong = |pairs: &[(&str, &str)]| ListQuery::parse(pairs).unwrap_err();
        let why = "'0' is no page, expected a number from 1 to 1000000000.";
        assert_eq!(wrong(&[("page", "0")]), why);
        assert!(wrong(&[("perPage", "+5")]).contains("1 to 1000"));
        assert!(wrong(&[("perPage", "5"), ("perPage", "5")]).contains("twice"));
        assert!(wrong(&[("order", "x")]).contains("expected page, perPage"));
    }

    #[test]
    fn events_are_asked_for_by_what_changed() {
        let pairs = [
            ("detail", "telephony,dnd"),
            ("expand", "record"),
            ("lastEventId", "4"),
        ];
        let query = EventsQuery::parse(&pairs, Some("5")).unwrap();
        assert_eq!(query.last, Some(5));
        assert!(query.with_record && !query.snapshot);
        assert!(query.details.is_some_and(|set| set.has(Detail::Dnd)));
        let wrong = |pairs: &[(&str, &str)]| EventsQuery::parse(pairs, None).unwrap_err();
        assert!(wrong(&[("detail", "calls")]).contains("expected telephony,"));
        assert!(wrong(&[("detail", "")]).contains("Unknown detail ''"));
        assert!(wrong(&[("snapshot", "1")]).contains("true or false"));
        assert!(EventsQuery::parse(&[], Some("x")).is_err());
        assert_eq!(EventsQuery::parse(&[], Some("")).unwrap().last, None);
    }
}
