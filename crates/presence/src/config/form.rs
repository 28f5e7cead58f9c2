//! What the values of options are, for the forms of an administrator.

use crate::model::words::words;

/// An option for a form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Form {
    /// The option's name.
    pub name: &'static str,
    /// What the value is.
    pub kind: FormKind,
    /// The words among which the value is, or is a list; empty where any text may be.
    pub words: &'static [&'static str],
    /// Whether the option may be given several times, each time with a further value.
    pub repeated: bool,
}

impl Form {
    /// An option with any text.
    pub const fn text(name: &'static str) -> Self {
        Form {
            name,
            kind: FormKind::Text,
            words: &[],
            repeated: false,
        }
    }

    /// An option with one of these words.
    pub const fn word(name: &'static str, words: &'static [&'static str]) -> Self {
        Form {
            name,
            kind: FormKind::Word,
            words,
            repeated: false,
        }
    }

    /// The name of the kind.
    pub fn kind_name(&self) -> &'static str {
        let name = match self.kind {
            FormKind::Text => FormKindName::Text,
            FormKind::Boolean => FormKindName::Boolean,
            FormKind::Number { .. } => FormKindName::Number,
            FormKind::Word => FormKindName::Word,
            FormKind::List => FormKindName::List,
            FormKind::Status => FormKindName::Status,
        };
        name.name()
    }
}

/// What a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FormKind {
    /// Any text.
    #[default]
    Text,
    /// Yes or no.
    Boolean,
    /// A whole number.
    Number {
        /// The smallest.
        low: u32,
        /// The largest.
        high: u32,
        /// What is counted.
        unit: &'static str,
    },
    /// One of a list of words.
    Word,
    /// Several words, with commas between them.
    List,
    /// The name of a status.
    Status,
}

words! {
    /// The name of a [`FormKind`].
    enum FormKindName: "kind of value" {
        Text = "text",
        Boolean = "boolean",
        Number = "number",
        Word = "word",
        List = "list",
        Status = "status",
    }
}

/// The options of a type of section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SectionForm {
    /// The type; `general` for that section.
    pub kind: &'static str,
    /// The options, each with its default value where it has one.
    pub options: Vec<(Form, Option<String>)>,
}
