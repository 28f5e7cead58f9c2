//! Elements of XML, printed as pjproject prints them.

use std::borrow::Cow;

/// A name, or a text with special characters escaped.
pub type XmlText<'a> = Cow<'a, [u8]>;

/// An element. Names and texts are bytes, with special characters escaped: what another module
/// put into a body need not be UTF-8.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Element<'a> {
    /// The name, with its prefix.
    pub name: XmlText<'a>,
    /// The attributes: names and values.
    pub attributes: Vec<(XmlText<'a>, XmlText<'a>)>,
    /// The text, which is printed after the children.
    pub content: XmlText<'a>,
    /// The elements in it.
    pub children: Vec<Element<'a>>,
}

impl<'a> Element<'a> {
    /// An element without anything in it.
    pub fn new(name: &'a [u8]) -> Self {
        Element {
            name: Cow::Borrowed(name),
            attributes: Vec::new(),
            content: Cow::Borrowed(b""),
            children: Vec::new(),
        }
    }

    /// As [`Element::new`].
    pub(super) fn owned(name: Vec<u8>) -> Self {
        Element {
            name: Cow::Owned(name),
            ..Element::new(b"")
        }
    }

    /// Whether it has that name.
    pub(super) fn is(&self, name: &[u8]) -> bool {
        *self.name == *name
    }

    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &[u8]) -> Option<&[u8]> {
        let mut all = self.attributes.iter();
        let found = all.find(|(known, _)| **known == *name);
        found.map(|(_, value)| &**value)
    }

    /// Adds an attribute.
    pub(super) fn set_attribute(&mut self, name: &'static [u8], value: &'static [u8]) {
        let new = (Cow::Borrowed(name), Cow::Borrowed(value));
        self.attributes.push(new);
    }

    /// Changes the value of an attribute that is there.
    pub(super) fn map_attribute(&mut self, name: &[u8], map: impl Fn(&[u8]) -> Vec<u8>) {
        let all = self.attributes.iter_mut();
        for (_, value) in all.filter(|(known, _)| **known == *name) {
            *value = Cow::Owned(map(value));
        }
    }

    /// Prints it on a line of its own, as a child of the root.
    pub(super) fn print(&self, out: &mut Vec<u8>) {
        self.print_indented(out, 1);
    }

    fn print_indented(&self, out: &mut Vec<u8>, indent: usize) {
        out.push(b'\n');
        out.resize(out.len() + indent, b' ');
        self.print_begin(out);
        if self.content.is_empty() && self.children.is_empty() {
            out.extend_from_slice(b" />");
            return;
        }
        out.push(b'>');
        for child in &self.children {
            child.print_indented(out, indent + 1);
        }
        out.extend_from_slice(&self.content);
        if !self.children.is_empty() {
            out.push(b'\n');
            out.resize(out.len() + indent, b' ');
        }
        out.extend_from_slice(b"</");
        out.extend_from_slice(&self.name);
        out.push(b'>');
    }

    fn print_begin(&self, out: &mut Vec<u8>) {
        out.push(b'<');
        out.extend_from_slice(&self.name);
        for (name, value) in &self.attributes {
            out.push(b' ');
            out.extend_from_slice(name);
            if !value.is_empty() {
                out.extend_from_slice(b"=\"");
                out.extend_from_slice(value);
                out.push(b'"');
            }
        }
    }
}

/// The size of what is printed before and after the content of a root, in bytes: the XML
/// declaration, its tags, and the bytes that pjproject wants to have left.
pub(super) fn outside(root: &Element<'_>) -> usize {
    const DECLARATION: usize = 39;
    const LEFT: usize = 16;
    let mut begin = Vec::with_capacity(256);
    root.print_begin(&mut begin);
    DECLARATION + begin.len() + ">".len() + "</>".len() + root.name.len() + LEFT
}

/// An id made of `text`, as XML allows it: a letter or an underscore, then letters, digits,
/// points, hyphens and underscores. A text that is one already stays as it is.
pub(super) fn id(text: &[u8]) -> Vec<u8> {
    let mut id = Vec::with_capacity(text.len() + 1);
    let begins = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    if !text.first().is_some_and(begins) || text == super::PERSON_ID {
        id.push(b'_');
    }
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => id.push(*byte),
            _ => id.extend_from_slice(format!("_{byte:02x}").as_bytes()),
        }
    }
    id
}

/// The text as the content of an element. Characters that XML does not know are replaced.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !matches!(c, '&' | '<' | '>') && is_allowed(c);
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            _ if is_allowed(c) => out.push(c),
            _ if c.is_control() => out.push(' '),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
    Cow::Owned(out)
}

fn is_allowed(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// As much of an escaped text as fits into that many bytes, in whole characters and entities.
pub(super) fn cut_escaped(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let cut = &text[..end];
    // An entity that is not ended before the cut.
    match cut.rfind('&') {
        Some(at) if !cut[at..].contains(';') => &cut[..at],
        _ => cut,
    }
}
