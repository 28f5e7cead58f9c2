//! The presence that a phone publishes (SIP PUBLISH, RFC 3903): a PIDF document (RFC 3863)
//! with activities (RFC 4480) and notes, read from a request's body.
//!
//! Phones write these documents in many ways: with any prefix, with the namespaces of drafts,
//! with activities as elements (`<rpid:away/>`), as texts (`<ep:activity>away</ep:activity>`)
//! or in extensions of a vendor (`<ce:dnd/>`). So elements are found by their local names.
//!
//! The body comes from outside. Its size, the number of its nodes and their depth are limited,
//! and a document type declaration is refused, so that no entity is ever expanded.

use std::fmt;

use serde::{Deserialize, Serialize};

use roxmltree::{Document, Node, ParsingOptions};

use super::text::{self, quoted};

/// The largest body, in bytes. It is less than a packet holds in pjproject, which drops larger
/// ones itself: so a phone with a body that is too large gets an answer.
pub const MAX_BODY: usize = 16_384;

/// The most nodes (elements, texts, comments, instructions) of a document.
const MAX_NODES: u32 = 2_000;
/// The deepest element; that of the root is 1.
const MAX_DEPTH: usize = 32;
/// The most activities that are kept of a document.
const MAX_ACTIVITIES: usize = 16;
/// The longest activity that is kept, in bytes.
const MAX_ACTIVITY: usize = 60;

/// The content types that are read.
pub const CONTENT_TYPES: [&str; 2] = ["application/pidf+xml", "application/cpim-pidf+xml"];

/// What a phone says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Publication {
    /// Whether the phone can be reached; `None` if it does not say so.
    pub open: Option<bool>,
    /// The activities as the phone writes them, in their order: `away`, `on-the-phone`.
    pub activities: Vec<Box<str>>,
    /// The text that some phones write instead of an activity: `<im:im>Lunch</im:im>`.
    pub im: Box<str>,
    /// The note: of the person, else of the activities, of a tuple, of the document.
    pub note: Box<str>,
}

/// Why a body is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BodyRefused {
    /// The body is larger than [`MAX_BODY`]; its size is in bytes.
    TooLarge(usize),
    /// The body is of another type or encoding.
    Type(String),
    /// The body is not a presence document. The text says what is wrong with it.
    Malformed(String),
}

impl BodyRefused {
    /// The status of the SIP response.
    pub const fn sip_status(&self) -> u16 {
        match self {
            BodyRefused::TooLarge(_) => 413,
            BodyRefused::Type(_) => 415,
            BodyRefused::Malformed(_) => 400,
        }
    }
}

impl fmt::Display for BodyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyRefused::TooLarge(size) => {
                write!(f, "the body has {size} bytes, expected at most {MAX_BODY}")
            }
            BodyRefused::Type(given) => {
                let [pidf, cpim] = CONTENT_TYPES;
                write!(f, "{given}, expected {pidf} or {cpim} in UTF-8")
            }
            BodyRefused::Malformed(why) => {
                write!(f, "the body {why}, expected a presence document (RFC 3863)")
            }
        }
    }
}

fn malformed(why: impl Into<String>) -> BodyRefused {
    BodyRefused::Malformed(why.into())
}

impl Publication {
    /// The same with texts as a document may have them: another program may have written it.
    pub(crate) fn mended(mut self) -> Self {
        for text in [&mut self.im, &mut self.note] {
            *text = text::mended(text.as_bytes()).0.as_ref().into();
        }
        self.activities.retain(|activity| {
            let fits = !activity.is_empty() && activity.len() <= MAX_ACTIVITY;
            fits && text::check(activity).is_ok()
        });
        self.activities.truncate(MAX_ACTIVITIES);
        self
    }

    /// Reads a body. `content_type` is type and subtype, as in `application/pidf+xml`.
    ///
    /// # Errors
    /// The body is too large, of another type, or not a presence document.
    pub fn parse(content_type: &str, body: &[u8]) -> Result<Self, BodyRefused> {
        if body.len() > MAX_BODY {
            return Err(BodyRefused::TooLarge(body.len()));
        }
        let mut types = CONTENT_TYPES.iter();
        if !types.any(|known| known.eq_ignore_ascii_case(content_type)) {
            let given = format!("the content type is '{}'", quoted(content_type));
            return Err(BodyRefused::Type(given));
        }
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: MAX_NODES,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(decoded(body)?, options)
            .map_err(|why| malformed(format!("cannot be read ({})", quoted(&why.to_string()))))?;
        let root = document.root_element();
        if name(root) != "presence" {
            let name = quoted(root.tag_name().name());
            return Err(malformed(format!("begins with the element '{name}'")));
        }
        if depth(root) > MAX_DEPTH {
            return Err(malformed(format!(
                "has elements below more than {MAX_DEPTH} others"
            )));
        }
        Ok(Publication {
            open: open(root),
            activities: activities(root),
            im: elements(root, "im")
                .map(text_of)
                .find(is_text)
                .unwrap_or_default(),
            note: note(root),
        })
    }
}

/// The text of a body in UTF-8, without a byte order mark.
fn decoded(body: &[u8]) -> Result<&str, BodyRefused> {
    if body.starts_with(&[0xfe, 0xff]) || body.starts_with(&[0xff, 0xfe]) {
        return Err(BodyRefused::Type("the encoding is UTF-16".into()));
    }
    let body = body.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(body);
    let Ok(text) = std::str::from_utf8(body) else {
        return Err(malformed("is not UTF-8"));
    };
    match declared_encoding(text) {
        Some(other) if !is_utf8(other) && !text.is_ascii() => {
            let given = format!("the encoding is '{}'", quoted(other));
            Err(BodyRefused::Type(given))
        }
        // Most phones that declare another encoding write plain ASCII, which is the same in it.
        Some(other) if is_wide(other) => {
            let given = format!("the encoding is '{}'", quoted(other));
            Err(BodyRefused::Type(given))
        }
        _ => Ok(text.trim_matches(|c: char| c == '\0' || c.is_ascii_whitespace())),
    }
}

/// The encoding in the XML declaration.
fn declared_encoding(text: &str) -> Option<&str> {
    let declaration = text.trim_ascii_start().strip_prefix("<?xml")?;
    let (declaration, _) = declaration.split_once("?>")?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_ascii_start().strip_prefix('=')?;
    let value = value.trim_ascii_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value[1..].split_once(quote).map(|(value, _)| value)
}

fn is_utf8(encoding: &str) -> bool {
    ["utf-8", "utf8"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(encoding))
}

/// Whether ASCII is something else in the encoding.
fn is_wide(encoding: &str) -> bool {
    let encoding = encoding.to_ascii_lowercase();
    [
        "utf-16",
        "utf16",
        "utf-32",
        "utf-7",
        "ucs",
        "iso-10646",
        "ebcdic",
    ]
    .iter()
    .any(|wide| encoding.starts_with(wide))
}

/// How many elements are nested, the given one included.
fn depth(root: Node<'_, '_>) -> usize {
    let (mut depth, mut deepest) = (1, 1);
    let mut node = root;
    // Without recursion: the depth is what is to be found out.
    loop {
        if let Some(child) = node.first_element_child() {
            node = child;
            depth += 1;
            deepest = deepest.max(depth);
            continue;
        }
        loop {
            if node == root {
                return deepest;
            }
            if let Some(next) = node.next_sibling_element() {
                node = next;
                break;
            }
            let Some(parent) = node.parent_element() else {
                return deepest;
            };
            node = parent;
            depth -= 1;
        }
    }
}

fn name<'a>(node: Node<'a, '_>) -> &'a str {
    node.tag_name().name()
}

/// The elements of that name below the root.
fn elements<'a, 'i: 'a>(
    root: Node<'a, 'i>,
    wanted: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    let all = root.descendants().filter(Node::is_element);
    all.filter(move |node| name(*node) == wanted)
}

/// The text directly in an element, repaired as the texts of other sources are.
fn text_of(node: Node<'_, '_>) -> Box<str> {
    let texts = node.children().filter(Node::is_text);
    let text: String = texts.filter_map(|text| text.text()).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    text::mended(text.as_bytes()).0.trim().into()
}

#[expect(clippy::borrowed_box, reason = "it is the argument of `find`")]
fn is_text(text: &Box<str>) -> bool {
    !text.is_empty()
}

/// Whether any tuple is open; `None` without a tuple that says so.
fn open(root: Node<'_, '_>) -> Option<bool> {
    let mut open = None;
    for basic in elements(root, "basic") {
        match &*text_of(basic) {
            word if word.eq_ignore_ascii_case("open") => return Some(true),
            word if word.eq_ignore_ascii_case("closed") => open = Some(false),
            _ => {}
        }
    }
    open
}

fn activities(root: Node<'_, '_>) -> Vec<Box<str>> {
    let mut found: Vec<Box<str>> = Vec::new();
    let mut add = |word: &str| {
        let word = word.trim();
        let fits = !word.is_empty() && word.len() <= MAX_ACTIVITY && found.len() < MAX_ACTIVITIES;
        if fits && !found.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            found.push(word.into());
        }
    };
    for node in root.descendants().filter(Node::is_element) {
        let in_activities = node
            .parent_element()
            .is_some_and(|parent| name(parent) == "activities");
        match name(node) {
            // A text, as in the drafts before RFC 4480.
            "activity" => add(&text_of(node)),
            "note" => {}
            "other" if in_activities => match &*text_of(node) {
                "" => add("other"),
                text => add(text),
            },
            word if in_activities => add(word),
            _ => {}
        }
    }
    found
}

fn note(root: Node<'_, '_>) -> Box<str> {
    let rank = |node: &Node<'_, '_>| match node.parent_element().map(name) {
        Some("person") => 0,
        Some("activities") => 1,
        Some("tuple") => 2,
        Some("presence") => 3,
        _ => 4,
    };
    let notes = elements(root, "note").map(|node| (rank(&node), text_of(node)));
    let notes = notes.filter(|(_, text)| is_text(text));
    notes
        .min_by_key(|(rank, _)| *rank)
        .map_or_else(Default::default, |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIDF: &str = CONTENT_TYPES[0];

    fn parsed(body: &str) -> Publication {
        Publication::parse(PIDF, body.as_bytes()).unwrap()
    }

    fn status(content_type: &str, body: &[u8]) -> u16 {
        Publication::parse(content_type, body)
            .unwrap_err()
            .sip_status()
    }

    fn words(publication: &Publication) -> Vec<&str> {
        publication.activities.iter().map(|it| &**it).collect()
    }

    const CLOSED: &str = "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:a@b'>\
        <tuple id='t'><status><basic>closed</basic></status></tuple></presence>";

    #[test]
    fn baresip_says_open_or_closed_with_empty_activities() {
        let open = parsed(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<presence \
             xmlns=\"urn:ietf:params:xml:ns:pidf\"\r\n \
             xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\"\r\n \
             xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\"\r\n entity=\"sip:201@pbx\">\r\n \
             <dm:person id=\"p4159\"><rpid:activities/></dm:person>\r\n <tuple id=\"t4109\">\r\n \
             <status>\r\n <basic>open</basic>\r\n </status>\r\n \
             <contact>sip:201@pbx</contact>\r\n </tuple>\r\n</presence>\r\n",
        );
        assert_eq!(open.open, Some(true));
        assert!(open.activities.is_empty());
        assert_eq!(parsed(CLOSED).open, Some(false));
    }

    #[test]
    fn activities_come_in_every_form() {
        let body = |activities: &str| {
            format!(
                "<presence xmlns='urn:ietf:params:xml:ns:pidf' \
                 xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' \
                 xmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid' \
                 xmlns:ep='urn:ietf:params:xml:ns:pidf:rpid-person' \
                 xmlns:ce='urn:cisco:params:xml:ns:pidf:rpid'>{activities}</presence>"
            )
        };
        let of = |activities: &str| {
            let publication = parsed(&body(activities));
            publication.activities.join(",")
        };
        let person = |activities: &str| format!("<dm:person id='p'>{activities}</dm:person>");
        let rpid = "<rpid:activities><rpid:busy/><rpid:meeting/></rpid:activities>";
        assert_eq!(of(&person(rpid)), "busy,meeting");
        let texts = "<ep:activities><ep:activity>on-the-phone</ep:activity></ep:activities>";
        assert_eq!(of(&person(texts)), "on-the-phone");
        assert_eq!(
            of("<tuple id='t'><ep:activity>away</ep:activity></tuple>"),
            "away"
        );
        let vendor = "<rpid:activities><ce:dnd/></rpid:activities>";
        assert_eq!(of(&person(vendor)), "dnd");
        let other = "<rpid:activities><rpid:note>n</rpid:note><rpid:other>golf</rpid:other>\
                     <rpid:unknown/></rpid:activities>";
        assert_eq!(of(&person(other)), "golf,unknown");
    }

    #[test]
    fn the_note_of_the_person_comes_first() {
        let snom = parsed(
            "<presence xmlns='urn:ietf:params:xml:ns:pidf' \
             xmlns:im='urn:ietf:params:xml:ns:pidf:im'><note>of the document</note>\
             <tuple id='t'><status><basic>open</basic><im:im>Lunch</im:im></status>\
             <note xml:lang='en'> Back \r\n at <!-- c -->one </note></tuple></presence>",
        );
        assert_eq!((&*snom.im, &*snom.note), ("Lunch", "Back at one"));
        let person = parsed(
            "<presence xmlns='urn:ietf:params:xml:ns:pidf'><note>a</note><tuple id='t'>\
             <note>b</note></tuple><person><note/><note>c &amp; d</note></person></presence>",
        );
        assert_eq!(&*person.note, "c & d");
    }

    #[test]
    fn texts_are_repaired_as_those_of_other_sources() {
        let long = "é".repeat(200);
        let body = CLOSED.replace("</presence>", &format!("<note>{long}</note></presence>"));
        assert_eq!(&*parsed(&body).note, "é".repeat(127));
        let body = CLOSED.replace("</presence>", "<note>a&#x85;b&#x1F600;</note></presence>");
        assert_eq!(&*parsed(&body).note, "a b\u{1f600}");
    }

    #[test]
    fn other_types_and_encodings_are_refused_with_415() {
        assert_eq!(status("application/xpidf+xml", CLOSED.as_bytes()), 415);
        assert_eq!(status("", CLOSED.as_bytes()), 415);
        assert!(Publication::parse("Application/CPIM-PIDF+XML", CLOSED.as_bytes()).is_ok());
        let declared = |encoding: &str, text: &str| {
            format!("<?xml version='1.0' encoding='{encoding}'?>{text}")
        };
        let latin = declared("ISO-8859-1", CLOSED);
        assert_eq!(parsed(&latin).open, Some(false), "plain ASCII is the same");
        let text = CLOSED.replace("sip:a", "sip:é");
        assert_eq!(status(PIDF, declared("ISO-8859-1", &text).as_bytes()), 415);
        assert_eq!(parsed(&declared("utf-8", &text)).open, Some(false));
        assert_eq!(status(PIDF, declared("UTF-16", CLOSED).as_bytes()), 415);
        let wide: Vec<u8> = CLOSED.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [&[0xff, 0xfe][..], &wide].concat();
        assert_eq!(status(PIDF, &marked), 415);
        assert_eq!(status(PIDF, &wide), 400);
        let marked = [b"\xef\xbb\xbf", CLOSED.as_bytes()].concat();
        assert!(Publication::parse(PIDF, &marked).is_ok());
    }

    #[test]
    fn hostile_bodies_are_refused() {
        let huge = CLOSED.replace("</presence>", &"<a/>".repeat(MAX_BODY));
        assert_eq!(status(PIDF, huge.as_bytes()), 413);
        let deep = |levels: usize| {
            let (open, close) = ("<a>".repeat(levels), "</a>".repeat(levels));
            CLOSED.replace("</presence>", &format!("{open}{close}</presence>"))
        };
        assert_eq!(parsed(&deep(MAX_DEPTH - 1)).open, Some(false));
        for levels in [MAX_DEPTH, 1_000, 2_200] {
            assert_eq!(status(PIDF, deep(levels).as_bytes()), 400);
        }
        let many = CLOSED.replace(
            "</presence>",
            &format!("{}</presence>", "<a/>".repeat(3_500)),
        );
        assert_eq!(status(PIDF, many.as_bytes()), 400);
        let bomb = format!(
            "<?xml version='1.0'?><!DOCTYPE presence [<!ENTITY a 'aaaa'>\
             <!ENTITY b '&a;&a;&a;'>]>{}",
            CLOSED.replace("</presence>", "<note>&b;</note></presence>")
        );
        assert_eq!(status(PIDF, bomb.as_bytes()), 400);
        let external = format!("<!DOCTYPE presence SYSTEM 'file:///etc/passwd'>{CLOSED}");
        assert_eq!(status(PIDF, external.as_bytes()), 400);
        let unknown = CLOSED.replace("</presence>", "<note>&xxe;</note></presence>");
        assert_eq!(status(PIDF, unknown.as_bytes()), 400);
        for body in [
            "",
            " ",
            "hello",
            "<presence>",
            "<dialog-info/>",
            "{}",
            "<presence/><presence/>",
        ] {
            assert_eq!(status(PIDF, body.as_bytes()), 400, "{body}");
        }
        assert_eq!(status(PIDF, b"<presence>\xff</presence>"), 400);
        assert_eq!(status(PIDF, b"<presence>\0</presence>"), 400);
    }

    #[test]
    fn a_document_that_says_nothing_is_read_as_such() {
        assert_eq!(parsed("<presence/>"), Publication::default());
        let odd =
            parsed("<presence><tuple><status><basic>ajar</basic></status></tuple></presence>");
        assert_eq!(odd, Publication::default());
        let many: String = (0..100).map(|i| format!("<x{i}/>")).collect();
        let many = parsed(&format!(
            "<presence><activities>{many}</activities></presence>"
        ));
        assert_eq!(many.activities.len(), MAX_ACTIVITIES);
        assert_eq!(words(&many)[0], "x0");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Publication::parse(PIDF, &body);
        }

        /// Documents that were damaged at a few places.
        #[test]
        fn no_damage_makes_it_panic(
            cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            remove: bool,
        ) {
            let mut body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>{}",
                CLOSED.replace("</presence>", "<person><activities><away/>é</activities>\
                    <note>x &#38; <![CDATA[y]]></note></person></presence>")
            ).into_bytes();
            for (at, byte) in cuts {
                let at = at.index(body.len());
                match remove {
                    true => { body.remove(at); }
                    false => body[at] = byte,
                }
            }
            if let Ok(publication) = Publication::parse(PIDF, &body) {
                prop_assert!(text::check(&publication.note).is_ok());
                prop_assert!(text::check(&publication.im).is_ok());
            }
        }
    }
}
