//! The id of an event, with which a reader resumes.

use std::fmt;

use crate::config::Settings;

/// The position of a reader in the events of an account.
///
/// A server of its own writes the number alone: `42`. Numbers are each node's own, so in a
/// cluster the node's name is part of the id: `berlin:42`. Clients pass the text back as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventId<'a> {
    node: Option<&'a str>,
    sequence: u64,
}

impl<'a> EventId<'a> {
    /// The id of the event with this number on that node; `None` for a server of its own.
    pub fn new(node: Option<&'a str>, sequence: u64) -> Self {
        EventId { node, sequence }
    }

    /// The id of the event with this number on the server of these settings.
    pub fn here(settings: &'a Settings, sequence: u64) -> Self {
        let node = settings.cluster.as_deref().map(|cluster| &*cluster.node);
        EventId { node, sequence }
    }
}

impl fmt::Display for EventId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.node {
            Some(node) => write!(f, "{node}:{}", self.sequence),
            None => write!(f, "{}", self.sequence),
        }
    }
}

/// The id that a reader gives when it comes back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LastEventId {
    node: Option<Box<str>>,
    sequence: u64,
}

impl LastEventId {
    /// Parses an id of any node; `None` if it has no number.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let (node, number) = match id.split_once(':') {
            Some((node, number)) => (Some(node), number),
            None => (None, id),
        };
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if node.is_some_and(|node| node.is_empty() || !node.chars().all(good)) {
            return None;
        }
        // A sign would parse, but is refused.
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let sequence = number.parse().ok().filter(|_| digits)?;
        let node = node.map(Box::from);
        Some(LastEventId { node, sequence })
    }

    /// The number, if the server of these settings has given the id. The number of another node,
    /// or one from before the server belonged to a cluster, means nothing here.
    pub fn sequence_on(&self, settings: &Settings) -> Option<u64> {
        let here = EventId::here(settings, self.sequence);
        (here.node == self.node.as_deref()).then_some(self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::parsed;

    fn settings(node: &str) -> Settings {
        let cluster = match node {
            "" => String::new(),
            node => {
                format!("[c]\ntype = cluster\nservers = http://127.0.0.1:2379\nnode = {node}\n")
            }
        };
        let settings = parsed(&cluster).settings;
        Settings::clone(&settings)
    }

    #[test]
    fn an_id_is_valid_on_the_node_that_has_given_it() {
        let [alone, berlin, paris] = ["", "berlin", "paris"].map(settings);
        let all = [&alone, &berlin, &paris];
        let given = all.map(|settings| EventId::here(settings, 42).to_string());
        assert_eq!(given, ["42", "berlin:42", "paris:42"]);
        for (at, id) in given.iter().enumerate() {
            let last = LastEventId::parse(id).unwrap();
            for (other, settings) in all.iter().enumerate() {
                let expected = (at == other).then_some(42);
                assert_eq!(last.sequence_on(settings), expected, "{id} at {other}");
            }
        }
    }

    #[test]
    fn an_id_has_a_number() {
        for bad in [
            "",
            "x",
            "+1",
            "berlin",
            "berlin:",
            "berlin:x",
            ":1",
            "berlin:-1",
            "a b:1",
            "a:b:1",
        ] {
            assert_eq!(LastEventId::parse(bad), None, "{bad}");
        }
        assert!(LastEventId::parse("18446744073709551615").is_some());
        assert!(LastEventId::parse("18446744073709551616").is_none());
    }
}
