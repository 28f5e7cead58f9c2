//! The query parameters of requests for an account.

use super::event_id::LastEventId;
use super::record::Record;
use crate::directory::{User, UserId};
use crate::model::details::{Detail, Details};
use crate::model::inferred::Inferred;
use crate::model::text::quoted;
use crate::world::World;

/// The error in a query, as one sentence.
pub type QueryError = String;

/// Names and values in the order of the query.
type Pairs<'a> = &'a [(&'a str, &'a str)];

fn unknown(name: &str, expected: &str) -> QueryError {
    format!("Unknown parameter '{}', expected {expected}.", quoted(name))
}

/// Refuses a parameter that is given twice.
fn check_unique(pairs: Pairs<'_>) -> Result<(), QueryError> {
    for (at, (name, _)) in pairs.iter().enumerate() {
        if pairs[..at].iter().any(|(other, _)| other == name) {
            return Err(format!("The parameter '{}' is given twice.", quoted(name)));
        }
    }
    Ok(())
}

fn number(name: &str, value: &str, least: u64, most: u64) -> Result<u64, QueryError> {
    let wrong = || {
        let value = quoted(value);
        format!("'{value}' is not a valid {name}, expected a number from {least} to {most}.")
    };
    // A sign would parse, but is refused.
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|_| digits);
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(wrong)
}

fn boolean(name: &str, value: &str) -> Result<bool, QueryError> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(format!(
            "'{}' is not a valid {name}, expected true or false.",
            quoted(other)
        )),
    }
}

fn list(value: &str) -> Vec<String> {
    let parts = value.split(',').map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// The parameters of `GET account/{id}/presence`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListQuery {
    /// The page's number, from 1 to [`ListQuery::LAST_PAGE`].
    pub page: u64,
    /// The users per page, from 1 to [`ListQuery::MOST`].
    pub per_page: u64,
    /// The requested users by id, name or extension; empty for all.
    pub extensions: Vec<String>,
    /// The requested states, status types, presence and telephony statuses; empty for all.
    pub statuses: Vec<String>,
    /// The requested groups; empty for all.
    pub groups: Vec<String>,
    /// The requested part of the user's names or texts, in lower case; empty for all.
    pub text: String,
}

impl ListQuery {
    /// The most users of a page.
    pub const MOST: u64 = 1000;
    /// The users per page if the query does not set `perPage`.
    pub const USUAL: u64 = 100;
    /// The number of the last page that can be requested.
    pub const LAST_PAGE: u64 = 1_000_000_000;

    /// Parses the parameters.
    ///
    /// # Errors
    /// Returns a sentence that names the parameter and the expected value.
    pub fn parse(pairs: Pairs<'_>) -> Result<Self, QueryError> {
        check_unique(pairs)?;
        let mut query = ListQuery {
            page: 1,
            per_page: Self::USUAL,
            extensions: Vec::new(),
            statuses: Vec::new(),
            groups: Vec::new(),
            text: String::new(),
        };
        for (name, value) in pairs {
            match *name {
                "page" => query.page = number("page", value, 1, Self::LAST_PAGE)?,
                "perPage" => query.per_page = number("perPage", value, 1, Self::MOST)?,
                "extension" => query.extensions = list(value),
                "status" => query.statuses = list(value),
                "group" => query.groups = list(value),
                "text" => query.text = value.to_lowercase(),
                other => {
                    let expected = "page, perPage, extension, status, group or text";
                    return Err(unknown(other, expected));
                }
            }
        }
        Ok(query)
    }

    /// Whether a user matches the requested groups and statuses.
    pub fn wants(&self, world: &World, user: UserId) -> bool {
        wants_group(&self.groups, world.directory().get(user)) && self.wants_status(world, user)
    }

    /// Whether a user matches the requested statuses.
    fn wants_status(&self, world: &World, user: UserId) -> bool {
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

    /// Whether a user matches the requested text.
    pub fn wants_text(&self, record: &Record) -> bool {
        let texts = [
            &record.user,
            &record.name,
            &record.title,
            &record.email,
            &record.extension_id,
            &record.message,
            &record.subtype,
            &record.status,
            &record.label,
            &record.chosen.message,
        ];
        let texts = texts.into_iter().chain(&record.extensions);
        let inferred = record.inferred.iter().map(Inferred::label);
        let groups = record.groups.iter().flat_map(|groups| groups.iter());
        let groups = groups.map(|group| &**group);
        let mut texts = texts.map(String::as_str).chain(inferred).chain(groups);
        texts.any(|text| text.to_lowercase().contains(&self.text))
    }
}

/// The parameters of `GET account/{id}/events`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EventsQuery {
    /// The requested users by id, name or extension; empty for all.
    pub extensions: Vec<String>,
    /// The requested groups; empty for all.
    pub groups: Vec<String>,
    /// The details of which one must have changed; `None` for any change.
    pub details: Option<Details>,
    /// Whether each event contains the user's record.
    pub with_record: bool,
    /// Whether a snapshot is sent first if the reader cannot resume.
    pub snapshot: bool,
    /// The id of the last event that the reader received.
    pub last: Option<LastEventId>,
}

impl EventsQuery {
    /// Parses the parameters and the header `Last-Event-ID`. The header takes precedence over
    /// the parameter, because a browser sends it when it reconnects.
    ///
    /// # Errors
    /// Returns a sentence that names the parameter and the expected value.
    pub fn parse(pairs: Pairs<'_>, last: Option<&str>) -> Result<Self, QueryError> {
        check_unique(pairs)?;
        let mut query = EventsQuery::default();
        let id = |value: &str| {
            LastEventId::parse(value).ok_or_else(|| {
                let value = quoted(value);
                let most = u64::MAX;
                format!(
                    "'{value}' is not a valid event number, expected a number from 0 to {most}, \
                     or in a cluster such as berlin:42."
                )
            })
        };
        for (name, value) in pairs {
            match *name {
                "extension" => query.extensions = list(value),
                "group" => query.groups = list(value),
                "detail" => query.details = Some(details(value)?),
                "expand" if *value == "record" => query.with_record = true,
                "expand" => {
                    let value = quoted(value);
                    return Err(format!("'{value}' cannot be expanded, expected record."));
                }
                "snapshot" => query.snapshot = boolean("snapshot", value)?,
                "lastEventId" => query.last = Some(id(value)?),
                other => {
                    let expected = "extension, group, detail, expand, snapshot or lastEventId";
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

/// Whether the user belongs to one of the groups; an empty list wants every user.
pub fn wants_group(groups: &[String], user: &User) -> bool {
    groups.is_empty() || groups.iter().any(|group| user.is_in_group(group))
}

fn details(value: &str) -> Result<Details, QueryError> {
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
    fn a_list_is_requested_by_pages_and_filters() {
        let query = ListQuery::parse(&[]).unwrap();
        assert_eq!((query.page, query.per_page), (1, 100));
        let query = ListQuery::parse(&[("perPage", "7"), ("extension", "1, b,,"), ("text", "Ü")]);
        let query = query.unwrap();
        assert_eq!((query.per_page, &*query.text), (7, "ü"));
        assert_eq!(query.extensions, ["1", "b"]);
        let wrong = |pairs: &[(&str, &str)]| ListQuery::parse(pairs).unwrap_err();
        let why = "'0' is not a valid page, expected a number from 1 to 1000000000.";
        assert_eq!(wrong(&[("page", "0")]), why);
        assert!(wrong(&[("perPage", "+5")]).contains("1 to 1000"));
        assert!(wrong(&[("perPage", "5"), ("perPage", "5")]).contains("twice"));
        assert!(wrong(&[("order", "x")]).contains("expected page, perPage"));
    }

    #[test]
    fn events_are_requested_by_changed_details() {
        let pairs = [
            ("detail", "telephony,dnd"),
            ("expand", "record"),
            ("lastEventId", "4"),
        ];
        let query = EventsQuery::parse(&pairs, Some("5")).unwrap();
        assert_eq!(query.last, LastEventId::parse("5"));
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
