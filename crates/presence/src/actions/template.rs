//! Assignments as the administrator writes them: `FUNCTION(args)=value`, with
//! variables of ours and no others.
//!
//! The substitution is ours alone. Its result is handed to Asterisk as data, so what
//! a person wrote, such as a message `${SHELL(id)}`, stays that text.

use std::fmt;

use super::{Person, Status, Turn, When};
use crate::model::state::State;
use crate::model::status::Statuses;
use crate::model::text::quoted;

/// What a variable stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Variable {
    User,
    Id,
    Account,
    Extension,
    State,
    Subtype,
    Message,
    Status,
    OldState,
    OldSubtype,
    OldMessage,
    OldStatus,
}

impl Variable {
    const ALL: [(&'static str, Variable); 12] = [
        ("USER", Variable::User),
        ("ID", Variable::Id),
        ("ACCOUNT", Variable::Account),
        ("EXTENSION", Variable::Extension),
        ("STATE", Variable::State),
        ("SUBTYPE", Variable::Subtype),
        ("MESSAGE", Variable::Message),
        ("STATUS", Variable::Status),
        ("OLD_STATE", Variable::OldState),
        ("OLD_SUBTYPE", Variable::OldSubtype),
        ("OLD_MESSAGE", Variable::OldMessage),
        ("OLD_STATUS", Variable::OldStatus),
    ];

    fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|(known, _)| *known == name)
            .map(|(_, variable)| variable)
    }

    fn name(self) -> &'static str {
        let mut all = Self::ALL.into_iter();
        let known = all.find(|(_, known)| *known == self);
        known.map_or("", |(name, _)| name)
    }

    /// Whether a person may have written it, and not the administrator.
    fn written_by_a_person(self) -> bool {
        matches!(
            self,
            Variable::Subtype | Variable::Message | Variable::OldSubtype | Variable::OldMessage
        )
    }

    fn value<'a>(self, person: &'a Person, when: When, extension: &'a str) -> &'a str {
        // Where it is not known, nothing was set.
        const NOTHING: &str = State::NotSet.name();
        let Turn { new, old } = person.turn(when);
        let old = old.as_ref();
        match self {
            Variable::User => &person.user,
            Variable::Id => &person.id,
            Variable::Account => &person.account,
            Variable::Extension => extension,
            Variable::State => new.presence.state().name(),
            Variable::Subtype => new.presence.subtype(),
            Variable::Message => new.presence.message(),
            Variable::Status => new.name(),
            Variable::OldState => old.map_or(NOTHING, |old| old.presence.state().name()),
            Variable::OldSubtype => old.map_or("", |old| old.presence.subtype()),
            Variable::OldMessage => old.map_or("", |old| old.presence.message()),
            Variable::OldStatus => old.map_or(NOTHING, Status::name),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Piece {
    Text(Box<str>),
    Variable(Variable),
}

/// One assignment, checked.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Assignment {
    target: Box<[Piece]>,
    value: Box<[Piece]>,
}

/// As it is written.
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
            Piece::Variable(variable) => write!(f, "${{{}}}", variable.name()),
        }
    }
}

const EXPECTED: &str = "expected an assignment such as DB(presence/${USER})=${STATE}";

impl Assignment {
    /// The name of the dialplan function that is assigned to.
    pub fn function(&self) -> &str {
        // It stands before the parenthesis and holds no variable, see [`Self::parse`].
        match self.target.first() {
            Some(Piece::Text(text)) => text.split('(').next().unwrap_or_default(),
            _ => "",
        }
    }

    /// Parses `FUNCTION(args)=value`.
    ///
    /// # Errors
    /// Says what is wrong and what was expected.
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
                "DB_DELETE() cannot be undone, expected DB(family/key)= with nothing \
                        behind it, which deletes the key and puts it back"
                    .into(),
            );
        }
        let target = pieces(&format!("{name}{args}"))?;
        for piece in &target {
            if let Piece::Variable(variable) = piece {
                if variable.written_by_a_person() {
                    let name = variable.name();
                    return Err(format!(
                        "${{{name}}} is what a person wrote, it may stand in the value only: \
                         within the parentheses it could take the arguments apart"
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
        let extension = Piece::Variable(Variable::Extension);
        self.target.contains(&extension) || self.value.contains(&extension)
    }

    /// Target and value for this person, by the status that `when` says: one pair, or
    /// where it uses the extension one for each of them.
    pub fn substitute<'a>(
        &'a self,
        person: &'a Person,
        when: When,
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
                    Piece::Variable(variable) => variable.value(person, when, extension),
                });
                pieces.collect::<String>()
            };
            (text(&self.target), text(&self.value))
        })
    }
}

impl Assignment {
    /// Whether this may ever write to the target for this person, in one status or another.
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

/// Whether the pieces can become this text.
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
        Piece::Variable(Variable::State | Variable::OldState) => {
            State::ALL.iter().any(|state| goes_on(state.name()))
        }
        Piece::Variable(Variable::Status | Variable::OldStatus) => {
            statuses.iter().any(|status| goes_on(&status.name))
        }
        // What a person wrote is in no target.
        Piece::Variable(variable) if variable.written_by_a_person() => false,
        // The same whichever status the block looks at.
        Piece::Variable(variable) => goes_on(variable.value(person, When::default(), extension)),
    }
}

/// Where the parenthesis with which the text begins is closed.
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
        let Some(variable) = Variable::parse(name) else {
            let known: Vec<_> = Variable::ALL.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "unknown variable '${{{}}}', expected one of {} (nothing else is evaluated)",
                quoted(name),
                known.join(", ")
            ));
        };
        pieces.push(Piece::Variable(variable));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.into()));
    }
    Ok(pieces)
}
