//! Sections of `type = handling`: the blocks of handling sets.

use std::sync::Arc;

use super::reader::{Given, OptionSpec, OptionTable, SectionReader};
use super::{Definitions, dialplan, value};
use crate::model::handling::{CallOrigin, ForwardWhen, Handling, HandlingBlock};
use crate::model::status::Statuses;

/// A section while it is read.
#[derive(Default)]
pub(super) struct HandlingDraft {
    block: HandlingBlock,
    /// The set that the block belongs to; the section's own name by default.
    set: String,
    statuses: Arc<Statuses>,
}

impl HandlingDraft {
    fn forward(
        &mut self,
        origin: CallOrigin,
        when: ForwardWhen,
        given: &Given<'_>,
    ) -> Result<(), String> {
        let forward = dialplan::forward(given.value)?;
        self.block.forwards[HandlingBlock::slot(origin, when)] = Some(forward);
        Ok(())
    }
}

impl OptionTable for HandlingDraft {
    fn options() -> impl Iterator<Item = &'static OptionSpec<Self>> {
        use CallOrigin::{External, Internal};
        use ForwardWhen::{Always, Busy, NoAnswer};
        const OPTIONS: &[OptionSpec<HandlingDraft>] = &[
            OptionSpec::TYPE,
            OptionSpec::new("set", |it, given| {
                value::name(given.value, "a set's name").map(|()| it.set = given.value.into())
            }),
            OptionSpec::new("status", |it, given| {
                let (states, types) = value::statuses(given.value, &it.statuses)?;
                (it.block.states, it.block.types) = (states, types);
                Ok(())
            }),
            OptionSpec::new("forward_internal_always", |it, given| {
                it.forward(Internal, Always, given)
            }),
            OptionSpec::new("forward_internal_noanswer", |it, given| {
                it.forward(Internal, NoAnswer, given)
            }),
            OptionSpec::new("forward_internal_busy", |it, given| {
                it.forward(Internal, Busy, given)
            }),
            OptionSpec::new("forward_external_always", |it, given| {
                it.forward(External, Always, given)
            }),
            OptionSpec::new("forward_external_noanswer", |it, given| {
                it.forward(External, NoAnswer, given)
            }),
            OptionSpec::new("forward_external_busy", |it, given| {
                it.forward(External, Busy, given)
            }),
            OptionSpec::new("ring_first", |it, given| {
                endpoints(given.value).map(|names| it.block.ring_first = Some(names))
            }),
            OptionSpec::new("ring_second", |it, given| {
                endpoints(given.value).map(|names| it.block.ring_second = Some(names))
            }),
            OptionSpec::new("ring_timeout", |it, given| {
                given
                    .number(5, 300, "seconds")
                    .map(|time| it.block.ring_timeout = Some(time))
            }),
            OptionSpec::new("ring_mobile", |it, given| {
                given.boolean().map(|on| it.block.ring_mobile = Some(on))
            }),
            OptionSpec::new("push", |it, given| {
                given.boolean().map(|on| it.block.push = Some(on))
            }),
            OptionSpec::new("note", |it, given| {
                value::text(given.value, "note").map(|note| it.block.note = Some(note.into()))
            }),
        ];
        OPTIONS.iter()
    }
}

/// Reads one section into its set.
pub(super) fn read(definitions: &mut Definitions, reader: &mut SectionReader<'_>) {
    let name = reader.section().name.as_str();
    reader.check_name("a handling's name");
    let mut draft = HandlingDraft {
        block: HandlingBlock {
            name: name.into(),
            ..HandlingBlock::default()
        },
        set: name.to_owned(),
        statuses: definitions.statuses.clone(),
    };
    reader.read(&mut draft);
    let HandlingDraft { block, set, .. } = draft;
    let known = definitions.handlings.get(&set.to_ascii_lowercase());
    if let Some(other) = known.and_then(|known| rival(known, &block)) {
        let message = match block.is_default() {
            true => format!(
                "the set '{set}' has the default block '{}' already, expected one section \
                 without a status",
                other.name
            ),
            false => format!(
                "in the set '{set}' the block '{}' already has one of these statuses, expected \
                 each status once",
                other.name
            ),
        };
        reader.error_at("status", message);
    }
    if !reader.is_clean() {
        return;
    }
    let sets = &mut definitions.handlings;
    let known = sets.entry(set.to_ascii_lowercase()).or_insert_with(|| {
        Arc::new(Handling {
            name: set.into(),
            ..Handling::default()
        })
    });
    let known = Arc::make_mut(known);
    match block.is_default() {
        true => known.default = Some(block),
        false => known.blocks.push(block),
    }
}

/// A block of the set for the same status as `block`.
fn rival<'a>(set: &'a Handling, block: &HandlingBlock) -> Option<&'a HandlingBlock> {
    if block.is_default() {
        return set.default.as_ref();
    }
    let same = |other: &&HandlingBlock| {
        let mut states = block.states.iter();
        let mut types = block.types.iter();
        states.any(|state| other.states.contains(state))
            || types.any(|name| other.types.iter().any(|t| t.eq_ignore_ascii_case(name)))
    };
    set.blocks.iter().find(same)
}

/// The names of endpoints; empty for an empty value or `none`, which rings nobody.
fn endpoints(given: &str) -> Result<Vec<Box<str>>, String> {
    if given.is_empty() || given.eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    let names = given.split(',').map(str::trim);
    let names = names.map(|name| value::name(name, "an endpoint's name").map(|()| name.into()));
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::parsed;

    fn errors(text: &str) -> Vec<String> {
        parsed(text).all_errors().map(ToString::to_string).collect()
    }

    #[test]
    fn each_mistake_has_its_message_and_location() {
        for (text, expected) in [
            (
                "shoe=1",
                "option 'shoe': unknown option, expected type, set",
            ),
            (
                "status=supper",
                "option 'status': unknown status 'supper', expected a status",
            ),
            ("forward_internal_always=200", ""),
            ("forward_internal_always=200@default", ""),
            (
                "forward_internal_always=20 0@default",
                "'20 0@default' is not a destination, expected",
            ),
            ("forward_internal_always=200@d,1", "is not a destination"),
            ("forward_internal_always=@default", "is not a destination"),
            ("forward_internal_always=fax:1", "is not a destination"),
            (
                "forward_internal_always=voicemail:",
                "'' is not a mailbox, expected one such",
            ),
            (
                "forward_internal_always=voicemail:1@a@b",
                "is not a mailbox",
            ),
            (
                "forward_internal_always=${MESSAGE}@d",
                "unknown variable 'MESSAGE', expected",
            ),
            (
                "forward_internal_always=${EXTENSION@d",
                "the variable has no closing brace",
            ),
            ("forward_internal_always=${STATUS}-${USER}@x${STATE}", ""),
            ("forward_sideways=200", "unknown option"),
            (
                "ring_timeout=4",
                "'4', expected a whole number of seconds from 5 to 300",
            ),
            ("ring_timeout=301", "from 5 to 300"),
            ("ring_first=de sk", "'de sk' is not an endpoint's name"),
            ("ring_mobile=perhaps", "'perhaps', expected yes or no"),
            ("push=perhaps", "'perhaps', expected yes or no"),
            ("set=a b", "'a b' is not a set's name"),
        ] {
            let errors = errors(&format!("[h]\ntype=handling\n{text}\n"));
            match expected {
                "" => assert!(errors.is_empty(), "{text}: {errors:?}"),
                expected => {
                    assert_eq!(errors.len(), 1, "{text}: {errors:?}");
                    assert!(errors[0].contains(expected), "{text}: {}", errors[0]);
                    assert!(errors[0].starts_with("userpresence.conf:3, section [h]"));
                }
            }
        }
    }

    #[test]
    fn a_set_has_each_block_once() {
        let twice = "[a]\ntype=handling\n[b]\ntype=handling\nset=A\n";
        assert!(errors(twice)[0].contains("the set 'A' has the default block 'a' already"));
        let twice = "[a]\ntype=handling\nstatus=away,xa\n\
                     [b]\ntype=handling\nset=a\nstatus=dnd,xa\n";
        assert!(
            errors(twice)[0]
                .contains("in the set 'a' the block 'a' already has one of these statuses")
        );
    }
}
