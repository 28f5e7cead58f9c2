//! The bodies of the SIP event `as-feature-event`: requests by a press of a phone's DND or forward
//! key, and the states of its lamps. The form is that of ECMA-323 (CSTA), as BroadSoft
//! uses it.

use std::fmt::Write;

use roxmltree::{Document, Node, ParsingOptions};

use super::handling::ForwardWhen;
use super::text::quoted;
use super::words::words;

words! {
    /// What the DND key of a phone sets.
    #[derive(Default)]
    pub enum DndKey: "value" {
        /// The status: `dnd`, and `available` when the key is switched off.
        #[default]
        Status = "status",
        /// The dndStatus.
        DndStatus = "dnd_status",
        /// Nothing.
        No = "no",
    }
}

/// The most bytes that a body may have: real ones have some 300.
pub const MAX_BODY: usize = 4096;

/// The namespace that the phones expect; some do not accept a document without it.
const NAMESPACE: &str = "http://www.ecma-international.org/standards/ecma-323/csta/ed3";

/// What a press of a key asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FeatureRequest {
    /// The DND key.
    DoNotDisturb(bool),
    /// A forward key.
    Forwarding {
        /// Which forward.
        when: ForwardWhen,
        /// The number to which calls are forwarded; `None` switches the forward off. Empty if
        /// the phone names no number.
        to: Option<String>,
    },
}

impl FeatureRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        if body.len() > MAX_BODY {
            return Err(format!(
                "it has {} bytes, expected at most {MAX_BODY}",
                body.len()
            ));
        }
        let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8".to_owned())?;
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: 64,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(text.trim(), options);
        let document = document.map_err(|why| format!("it is not XML: {why}"))?;
        let root = document.root_element();
        match root.tag_name().name() {
            "SetDoNotDisturb" => {
                let on = required(root, &["doNotDisturbOn"])?;
                Ok(FeatureRequest::DoNotDisturb(boolean(&on)?))
            }
            "SetForwarding" => forwarding(root),
            other => Err(format!(
                "the element '{}' is not known, expected SetDoNotDisturb or SetForwarding",
                quoted(other)
            )),
        }
    }
}

fn forwarding(root: Node<'_, '_>) -> Result<FeatureRequest, String> {
    let kind = required(root, &["forwardingType"])?;
    let when = WIRE
        .iter()
        .find(|(_, word)| kind.eq_ignore_ascii_case(word));
    let Some((when, _)) = when else {
        let expected = WIRE.map(|(_, word)| word).join(", ");
        return Err(format!(
            "the forwardingType '{}' is not known, expected one of {expected}",
            quoted(&kind)
        ));
    };
    // Phones write activateForward, the standard's event forwardStatus.
    let on = boolean(&required(root, &["activateForward", "forwardStatus"])?)?;
    let to = child(root, &["forwardDN", "forwardTo"]).unwrap_or_default();
    Ok(FeatureRequest::Forwarding {
        when: *when,
        to: on.then(|| number(&to).to_owned()),
    })
}

/// The forwards by their words in the bodies.
const WIRE: [(ForwardWhen, &str); 3] = [
    (ForwardWhen::Always, "forwardImmediate"),
    (ForwardWhen::Busy, "forwardBusy"),
    (ForwardWhen::NoAnswer, "forwardNoAns"),
];

/// The number of a target such as `sip:201@example.org;user=phone`, `tel:201` or `201`.
fn number(target: &str) -> &str {
    let target = target.trim();
    let scheme = ["sip:", "sips:", "tel:"].into_iter().find(|scheme| {
        let begin = target.get(..scheme.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
    });
    let Some(scheme) = scheme else {
        return target;
    };
    let rest = &target[scheme.len()..];
    let end = rest.find(['@', ';', '?']);
    &rest[..end.unwrap_or(rest.len())]
}

/// The text of the first child of one of these names.
fn child(root: Node<'_, '_>, names: &[&str]) -> Option<String> {
    let mut children = root.children().filter(Node::is_element);
    let found = children.find(|child| names.contains(&child.tag_name().name()))?;
    Some(found.text().unwrap_or_default().trim().to_owned())
}

fn required(root: Node<'_, '_>, names: &[&str]) -> Result<String, String> {
    let missing = || format!("{} is missing in {}", names[0], root.tag_name().name());
    let found = child(root, names).filter(|text| !text.is_empty());
    found.ok_or_else(missing)
}

fn boolean(given: &str) -> Result<bool, String> {
    match given {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(format!(
            "'{}' is no boolean value, expected true or false",
            quoted(other)
        )),
    }
}

/// What a phone's keys show.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FeatureState {
    /// Whether the DND key is lit.
    pub dnd: bool,
    /// The target of the forward of all calls; `None` if its key is dark.
    pub always: Option<String>,
    /// The target of the forward when the user is busy.
    pub busy: Option<String>,
    /// The target of the forward when nobody answers.
    pub no_answer: Option<String>,
}

impl FeatureState {
    /// The target of a forward.
    pub fn forward(&self, when: ForwardWhen) -> Option<&str> {
        match when {
            ForwardWhen::Always => self.always.as_deref(),
            ForwardWhen::Busy => self.busy.as_deref(),
            ForwardWhen::NoAnswer => self.no_answer.as_deref(),
        }
    }

    /// A document for each key: DND first, then the forwards. `device` is the name under which
    /// the phone has subscribed.
    pub fn documents(&self, device: &str) -> Vec<String> {
        let mut all = Vec::with_capacity(1 + WIRE.len());
        let on = format!("<doNotDisturbOn>{}</doNotDisturbOn>", self.dnd);
        all.push(document("DoNotDisturbEvent", device, &on));
        for (when, word) in WIRE {
            let to = self.forward(when);
            let mut rest = format!("<forwardingType>{word}</forwardingType>");
            let _ = write!(rest, "<forwardStatus>{}</forwardStatus>", to.is_some());
            if let Some(to) = to {
                let _ = write!(rest, "<forwardTo>{}</forwardTo>", escaped(to));
            }
            all.push(document("ForwardingEvent", device, &rest));
        }
        all
    }
}

fn document(root: &str, device: &str, rest: &str) -> String {
    let device = escaped(device);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <{root} xmlns=\"{NAMESPACE}\"><device>{device}</device>{rest}</{root}>\n"
    )
}

/// The text as the content of an element; characters that XML does not have are left out.
fn escaped(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => all.push_str("&lt;"),
            '>' => all.push_str("&gt;"),
            '&' => all.push_str("&amp;"),
            c if c.is_control() => {}
            c => all.push(c),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dnd(on: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\r\n\
             <SetDoNotDisturb xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\">\
             <device/><doNotDisturbOn>{on}</doNotDisturbOn></SetDoNotDisturb>\r\n"
        )
    }

    fn forward(kind: &str, to: &str, on: &str) -> String {
        format!(
            "<SetForwarding xmlns=\"{NAMESPACE}\"><device>200</device>\
             <forwardingType>{kind}</forwardingType><forwardDN>{to}</forwardDN>\
             <activateForward>{on}</activateForward></SetForwarding>"
        )
    }

    #[test]
    fn presses_of_keys_are_read() {
        let parsed = |text: &str| FeatureRequest::parse(text.as_bytes());
        for (text, on) in [("true", true), ("false", false), ("1", true), ("0", false)] {
            let expected = FeatureRequest::DoNotDisturb(on);
            assert_eq!(parsed(&dnd(text)), Ok(expected));
        }
        let forwards = [
            ("forwardImmediate", ForwardWhen::Always),
            ("forwardBusy", ForwardWhen::Busy),
            ("forwardNoAns", ForwardWhen::NoAnswer),
        ];
        for (word, when) in forwards {
            for to in ["201", " 201 ", "tel:201", "sip:201@example.org;user=phone"] {
                let to_201 = FeatureRequest::Forwarding {
                    when,
                    to: Some("201".into()),
                };
                assert_eq!(parsed(&forward(word, to, "true")), Ok(to_201), "{to}");
            }
            let off = FeatureRequest::Forwarding { when, to: None };
            assert_eq!(parsed(&forward(word, "201", "false")), Ok(off));
        }
        let with_prefix = "<c:SetDoNotDisturb xmlns:c=\"x\"><c:doNotDisturbOn>true\
                           </c:doNotDisturbOn></c:SetDoNotDisturb>";
        let expected = FeatureRequest::DoNotDisturb(true);
        assert_eq!(parsed(with_prefix), Ok(expected));
    }

    #[test]
    fn other_bodies_are_refused_with_the_reason() {
        let deep = format!("{}{}", "<a>".repeat(900), "</a>".repeat(900));
        let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\">]>\
                    <SetDoNotDisturb><doNotDisturbOn>&b;</doNotDisturbOn></SetDoNotDisturb>";
        for (body, reason) in [
            ("", "not XML"),
            ("<", "not XML"),
            (bomb, "not XML"),
            (&*deep, "bytes"),
            (&deep[..400], "not XML"),
            ("<SetDoNotDisturb/>", "doNotDisturbOn is missing"),
            (&*dnd("maybe"), "'maybe' is no boolean"),
            (&*forward("forwardAll", "2", "true"), "'forwardAll' is not"),
            (&*forward("forwardBusy", "2", ""), "activateForward"),
            ("<Presence/>", "'Presence' is not known"),
            (&*"x".repeat(MAX_BODY + 1), "bytes"),
        ] {
            let error = FeatureRequest::parse(body.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{body:.60}: {error}");
        }
        let error = FeatureRequest::parse(b"<a>\xff</a>").unwrap_err();
        assert_eq!(error, "it is not UTF-8");
    }

    #[test]
    fn each_key_has_a_document() {
        let state = FeatureState {
            dnd: true,
            always: None,
            busy: Some("2<>&01".into()),
            no_answer: None,
        };
        let documents = state.documents("a&b");
        assert_eq!(documents.len(), 4);
        for document in &documents {
            assert!(Document::parse(document).is_ok(), "{document}");
            assert!(document.contains("<device>a&amp;b</device>"), "{document}");
            assert!(document.contains(NAMESPACE), "{document}");
        }
        assert!(documents[0].contains("<doNotDisturbOn>true</doNotDisturbOn>"));
        assert!(documents[1].contains("forwardImmediate"));
        assert!(documents[1].contains("<forwardStatus>false</forwardStatus></Forw"));
        assert!(documents[2].contains("<forwardTo>2&lt;&gt;&amp;01</forwardTo>"));
    }
}
