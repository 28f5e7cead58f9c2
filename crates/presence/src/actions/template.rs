//! Assignments in the configuration: `FUNCTION(args)=value`, with this module's variables
//! and no others.
//!
//! Only this module substitutes variables. Asterisk receives the result as data, so user
//! input such as a message `${SHELL(id)}` stays text.

use std::fmt;

use super::{Person, StatusChange, StatusKind, StatusValue};
use crate::model::state::State;
use crate::model::status::Statuses;
use crate::model::text::quoted;
use crate::model::words::{self, words};

words! {
    /// A variable of an assignment.
    enum Placeholder: "variable", compared by words::exactly {
        User = "USER",
        Id = "ID",
        Account = "ACCOUNT",
        Extension = "EXTENSION",
        State = "STATE",
        Subtype = "SUBTYPE",
        Message = "MESSAGE",
        Status = "STATUS",
        OldState = "OLD_STATE",
        OldSubtype = "OLD_SUBTYPE",
        OldMessage = "OLD_MESSAGE",
        OldStatus = "OLD_STATUS",
    }
}

impl Placeholder {
    /// Whether the value may be user input and not come from the administrator.
    fn is_user_input(self) -> bool {
        matches!(
            self,
            Placeholder::Subtype
                | Placeholder::Message
                | Placeholder::OldSubtype
                | Placeholder::OldMessage
        )
    }

    fn value<'a>(self, person: &'a Person, when: StatusKind, extension: &'a str) -> &'a str {
        // An unknown previous status counts as not set.
        const NOTHING: &str = State::NotSet.name();
        let StatusChange { new, old, .. } = person.change(when);
        let old = old.as_ref();
        match self {
            Placeholder::User => &person.user,
            Placeholder::Id => &person.id,
            Placeholder::Account => &person.account,
            Placeholder::Extension => extension,
            Placeholder::State => new.presence.state().name(),
            Placeholder::Subtype => new.presence.subtype(),
            Placeholder::Message => new.presence.message(),
            Placeholder::Status => new.name(),
            Placeholder::OldState => old.map_or(NOTHING, |old| old.presence.state().name()),
            Placeholder::OldSubtype => old.map_or("", |old| old.presence.subtype()),
            Placeholder::OldMessage => old.map_or("", |old| old.presence.message()),
            Placeholder::OldStatus => old.map_or(NOTHING, StatusValue::name),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Piece {
    Text(Box<str>),
    Placeholder(Placeholder),
}

/// One assignment in a valid form.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Assignment {
    target: Box<[Piece]>,
    value: Box<[Piece]>,
}

/// The assignment as written in the configuration.
impl fmt::Display for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.iter().try_for_each(|piece| piece.fmt(f))?;
        f.write_str("=")?;
        self.value.iter().try_for_each(|piece| piece.fmt(f))
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Piece::Text(text) => f.write_str(text),
            Piece::Placeholder(variable) => write!(f, "${{{}}}", variable.name()),
        }
    }
}

const EXPECTED: &str = "expected an assignment such as DB(presence/${USER})=${STATE}";

impl Assignment {
    /// The name of the assigned dialplan function.
    pub fn function(&self) -> &str {
        // The name precedes the parenthesis and contains no variable, see [`Self::parse`].
        match self.target.first() {
            Some(Piece::Text(text)) => text.split('(').next().unwrap_or_default(),
            _ => "",
        }
    }

    /// Parses `FUNCTION(args)=value`.
    ///
    /// # Errors
    /// A message that names the mistake and the expected form.
    pub fn parse(given: &str) -> Result<Self, String> {
        let open = given.find('(');
        let (name, rest) = open.map(|at| given.split_at(at)).unwrap_or((given, ""));
        let name = name.trim();
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(good) || rest.is_empty() {
            return Err(format!("'{}', {EXPECTED}", quoted(given)));
        }
        let Some(end) = closing(rest) else {
            return Err(format!(
                "'{}' has a parenthesis that is not closed, {EXPECTED}",
                quoted(given)
            ));
        };
        let (args, rest) = rest.split_at(end + 1);
        let Some(value) = rest.trim_start().strip_prefix('=') else {
            return Err(format!(
                "'{}' assigns nothing to {name}(), {EXPECTED}",
                quoted(given)
            ));
        };
        if name.eq_ignore_ascii_case("DB_DELETE") {
            return Err(
                "DB_DELETE() cannot be undone, expected DB(family/key)= with an empty \
                 value, which deletes the key and can be undone"
                    .into(),
            );
        }
        let target = pieces(&format!("{name}{args}"))?;
        for piece in &target {
            if let Piece::Placeholder(variable) = piece {
                if variable.is_user_input() {
                    let name = variable.name();
                    return Err(format!(
                        "${{{name}}} is user input, expected it in the value only: within the \
                         parentheses it could add arguments"
                    ));
                }
            }
        }
        Ok(Assignment {
            target: target.into(),
            value: pieces(value.trim())?.into(),
        })
    }

    fn uses_extension(&self) -> bool {
        let extension = Piece::Placeholder(Placeholder::Extension);
        self.target.contains(&extension) || self.value.contains(&extension)
    }

    /// Target and value for a person, by the status that `when` selects: one pair, or one pair
    /// for each extension if the assignment uses the variable `EXTENSION`.
    pub fn substitute<'a>(
        &'a self,
        person: &'a Person,
        when: StatusKind,
    ) -> impl Iterator<Item = (String, String)> + 'a {
        let once: &[Box<str>] = &[];
        let extensions = match self.uses_extension() {
            true => &person.extensions[..],
            false => once,
        };
        let once = (!self.uses_extension()).then_some("");
        let each = extensions.iter().map(|extension| &**extension).chain(once);
        each.map(move |extension| {
            let text = |pieces: &[Piece]| {
                let pieces = pieces.iter().map(|piece| match piece {
                    Piece::Text(text) => text,
                    Piece::Placeholder(variable) => variable.value(person, when, extension),
                });
                pieces.collect::<String>()
            };
            (text(&self.target), text(&self.value))
        })
    }
}

impl Assignment {
    /// Whether the assignment can write the target for a person in any status.
    pub fn names(&self, target: &str, person: &Person, statuses: &Statuses) -> bool {
        let once: &[Box<str>] = &[];
        let extensions = match self.uses_extension() {
            true => &person.extensions[..],
            false => once,
        };
        let once = (!self.uses_extension()).then_some("");
        let mut each = extensions.iter().map(|extension| &**extension).chain(once);
        each.any(|extension| matches(&self.target, target, person, extension, statuses))
    }
}

/// Whether some values of the variables turn the pieces into the text.
fn matches(
    pieces: &[Piece],
    text: &str,
    person: &Person,
    extension: &str,
    statuses: &Statuses,
) -> bool {
    let Some((first, rest)) = pieces.split_first() else {
        return text.is_empty();
    };
    let goes_on = |begin: &str| {
        let text = text.strip_prefix(begin);
        text.is_some_and(|text| matches(rest, text, person, extension, statuses))
    };
    match first {
        Piece::Text(begin) => goes_on(begin),
        Piece::Placeholder(Placeholder::State | Placeholder::OldState) => {
            State::ALL.iter().any(|state| goes_on(state.name()))
        }
        Piece::Placeholder(Placeholder::Status | Placeholder::OldStatus) => {
            statuses.iter().any(|status| goes_on(&status.name))
        }
        // A target contains no user input.
        Piece::Placeholder(variable) if variable.is_user_input() => false,
        // The value does not depend on the status.
        Piece::Placeholder(variable) => {
            goes_on(variable.value(person, StatusKind::default(), extension))
        }
    }
}

/// The index of the parenthesis that closes the one at the beginning of the text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Splits a text into literal text and variables.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    if text.contains("$[") {
        return Err(format!(
            "'{}': an expression $[...] is not evaluated here, expected text and variables",
            quoted(text)
        ));
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, variable) = rest.split_at(at);
        if !before.is_empty() {
            pieces.push(Piece::Text(before.into()));
        }
        let variable = &variable[2..];
        let Some((name, after)) = variable.split_once('}') else {
            return Err(format!(
                "'{}': the variable has no closing brace",
                quoted(text)
            ));
        };
        let Ok(variable) = Placeholder::parse(name) else {
            return Err(format!(
                "unknown variable '${{{}}}', expected one of {} (nothing else is evaluated)",
                quoted(name),
                Placeholder::NAMES.join(", ")
            ));
        };
        pieces.push(Piece::Placeholder(variable));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.into()));
    }
    Ok(pieces)
}
