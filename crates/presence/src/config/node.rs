//! Sections of `type = node`: how phones that are registered at another node are dialled.

use std::sync::Arc;

use super::cluster::node_name;
use super::reader::{OptionSpec, OptionTable, SectionReader, TakenNames};
use super::section::{Origin, Problem};
use super::sorted::Sections;
use crate::model::text::quoted;

/// The variable that is replaced in [`NodeDial`].
const EXTENSION: &str = "${EXTENSION}";

/// The most bytes of a template.
const LONGEST: usize = 200;

/// What a template looks like.
const EXPECTED: &str = "expected what Dial takes, with ${EXTENSION} for the extension, such as \
                        PJSIP/${EXTENSION}@berlin";

/// Another server of the cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Its name in the cluster, in small letters.
    pub name: Arc<str>,
    /// How a phone that is registered there is dialled; `None` where it is not.
    pub dial: Option<NodeDial>,
}

/// What `Dial` is given for a phone that is registered at another node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeDial(Box<str>);

impl NodeDial {
    /// Parses a template such as `PJSIP/${EXTENSION}@berlin`.
    ///
    /// # Errors
    /// When it is not one endpoint of `Dial`, lacks the extension, or has another variable.
    pub fn parse(given: &str) -> Result<Self, String> {
        let bad = |why: &str| format!("'{}' {why}, {EXPECTED}", quoted(given));
        let others = given.replace(EXTENSION, "");
        if others.contains(['$', '{', '}']) {
            return Err(bad("has another variable than ${EXTENSION}"));
        }
        let is_plain = |c: char| c.is_ascii_graphic() && !"&,|^\"'\\();".contains(c);
        let has_kind = given.split_once('/').is_some_and(|(kind, rest)| {
            let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
            !kind.is_empty() && kind.chars().all(is_letter) && !rest.is_empty()
        });
        if !has_kind || !others.chars().all(is_plain) || given.len() > LONGEST {
            return Err(bad("is not one endpoint of Dial"));
        }
        if others.len() == given.len() {
            return Err(bad("has no ${EXTENSION}"));
        }
        Ok(NodeDial(given.into()))
    }

    /// The template as it is configured.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The device through which the call goes, such as `PJSIP/berlin`; `None` where the template
    /// names none.
    pub fn device(&self) -> Option<String> {
        let (kind, rest) = self.0.split_once('/')?;
        let name = match rest
            .strip_prefix(EXTENSION)
            .and_then(|rest| rest.strip_prefix('@'))
        {
            Some(after) => after,
            // As in IAX2/user:password@berlin/200.
            None => {
                let first = rest.split('/').next()?;
                first.rsplit_once('@').map_or(first, |(_, host)| host)
            }
        };
        let name = name.split(['/', ':']).next()?;
        let is_local = kind.eq_ignore_ascii_case("Local");
        let is_named = !is_local && !name.is_empty() && !name.contains(EXTENSION);
        is_named.then(|| format!("{kind}/{name}"))
    }

    /// The endpoint to dial for an extension.
    pub fn of(&self, extension: &str) -> String {
        self.0.replace(EXTENSION, extension)
    }
}

/// A section while it is read.
#[derive(Default)]
pub(super) struct NodeDraft {
    dial: Option<NodeDial>,
}

impl OptionTable for NodeDraft {
    fn options() -> impl Iterator<Item = &'static OptionSpec<Self>> {
        const OPTIONS: &[OptionSpec<NodeDraft>] = &[
            OptionSpec::TYPE,
            OptionSpec::new("dial", |it, given| {
                it.dial = match given.value {
                    "" => None,
                    template => Some(NodeDial::parse(template)?),
                };
                Ok(())
            }),
        ];
        OPTIONS.iter()
    }
}

/// Reads the sections; those with an error are left out. `has_cluster` says whether there is a
/// section of `type = cluster`, without which no node is ever dialled.
pub(super) fn parse(
    sections: &Sections<'_>,
    has_cluster: bool,
    errors: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> Vec<Arc<Node>> {
    let mut found = Vec::new();
    let mut names = TakenNames::default();
    for (_, section) in sections {
        let mut reader = SectionReader::new(Origin::File, section);
        let mut draft = NodeDraft::default();
        let is_free = names.take("node", &mut reader);
        reader.read(&mut draft);
        match node_name(&section.name) {
            Ok(name) if is_free && reader.is_clean() => {
                let dial = draft.dial;
                found.push(Arc::new(Node { name, dial }));
            }
            Ok(_) => {}
            Err(why) => reader.error(why),
        }
        if !has_cluster {
            reader.warn(
                "there is no section of type = cluster, without which no other node is known",
            );
        }
        reader.finish(errors, warnings);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::testing::parsed;
    use super::*;

    const CLUSTER: &str = "[etcd]\ntype=cluster\nservers=http://127.0.0.1:2379\n";

    #[test]
    fn the_extension_takes_its_place_in_what_is_dialled() {
        let dial = NodeDial::parse("PJSIP/berlin/sip:${EXTENSION}@10.0.0.2:5060").unwrap();
        assert_eq!(dial.of("200"), "PJSIP/berlin/sip:200@10.0.0.2:5060");
        assert_eq!(dial.text(), "PJSIP/berlin/sip:${EXTENSION}@10.0.0.2:5060");
    }

    #[test]
    fn a_call_goes_through_a_device() {
        for (template, device) in [
            ("PJSIP/${EXTENSION}@berlin", Some("PJSIP/berlin")),
            (
                "PJSIP/berlin/sip:${EXTENSION}@10.0.0.2:5060",
                Some("PJSIP/berlin"),
            ),
            ("IAX2/me@berlin/${EXTENSION}", Some("IAX2/berlin")),
            ("SIP/berlin/${EXTENSION}", Some("SIP/berlin")),
            ("Local/${EXTENSION}@to-berlin", None),
            ("PJSIP/9${EXTENSION}", None),
        ] {
            let dial = NodeDial::parse(template).unwrap();
            assert_eq!(dial.device().as_deref(), device, "{template}");
        }
    }

    #[test]
    fn a_section_is_a_node_with_or_without_a_way_to_it() {
        let text = format!(
            "{CLUSTER}[Berlin]\ntype=node\ndial=PJSIP/${{EXTENSION}}@berlin\n\
             [paris]\ntype=node\n[rome]\ntype=node\ndial=\n"
        );
        let parsed = parsed(&text);
        assert_eq!(parsed.all_errors().count(), 0);
        let nodes = parsed.settings.nodes.iter();
        let nodes: Vec<_> = nodes
            .map(|node| (&*node.name, node.dial.as_ref().map(NodeDial::text)))
            .collect();
        let berlin = Some("PJSIP/${EXTENSION}@berlin");
        assert_eq!(nodes, [("berlin", berlin), ("paris", None), ("rome", None)]);
    }

    #[test]
    fn every_error_names_what_was_expected() {
        let cases = [
            (
                "dial=PJSIP/${EXTEN}@berlin",
                "has another variable than ${EXTENSION}, expected",
            ),
            ("dial=PJSIP/${EXTENSION}@${X}", "has another variable"),
            ("dial=PJSIP/$[1]${EXTENSION}", "has another variable"),
            (
                "dial=PJSIP/200@berlin",
                "has no ${EXTENSION}, expected what Dial takes",
            ),
            ("dial=${EXTENSION}", "is not one endpoint of Dial"),
            (
                "dial=PJSIP/${EXTENSION}&PJSIP/1",
                "is not one endpoint of Dial",
            ),
            ("dial=PJSIP/${EXTENSION},30", "is not one endpoint of Dial"),
            ("dial=PJSIP/ ${EXTENSION}", "is not one endpoint of Dial"),
            ("host=1", "unknown option, expected type, dial"),
        ];
        for (wrong, expected) in cases {
            let parsed = parsed(&format!("{CLUSTER}[berlin]\ntype=node\n{wrong}\n"));
            let errors: Vec<_> = parsed.all_errors().map(ToString::to_string).collect();
            assert_eq!(errors.len(), 1, "{wrong}: {errors:?}");
            assert!(errors[0].contains("section [berlin]"), "{}", errors[0]);
            assert!(errors[0].contains(expected), "{wrong}: {}", errors[0]);
            assert!(parsed.settings.nodes.is_empty());
        }
    }

    #[test]
    fn a_name_is_taken_once_and_without_a_cluster_there_is_a_warning() {
        let parsed = parsed("[a]\ntype=node\n[A]\ntype=node\n[b c]\ntype=node\n");
        let errors: Vec<_> = parsed.all_errors().map(ToString::to_string).collect();
        assert!(
            errors[0].contains("node 'A' is defined twice"),
            "{errors:?}"
        );
        assert!(
            errors[1].contains("'b c' is not a node's name"),
            "{errors:?}"
        );
        let warning = parsed.warnings[0].to_string();
        assert!(
            warning.contains("there is no section of type = cluster"),
            "{warning}"
        );
    }
}
