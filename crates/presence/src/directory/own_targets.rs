//! Whether a user may forward calls to a target of their own, and where that leads.

use super::{Directory, UserId};
use crate::model::dialable::without_hyphens;
use crate::model::own_rights::{OwnArea, OwnTargetKind};
use crate::model::own_settings::{OwnSettings, OwnTarget};
use crate::model::text::quoted;

/// Where a user's own forward leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OwnDestination {
    /// Nowhere: there is no forward.
    Nowhere,
    /// A mailbox, such as `200@default`.
    Voicemail(Box<str>),
    /// An extension in the dialplan, its context and the user to whom it belongs.
    Extension(String, String, Option<UserId>),
}

impl Directory {
    /// Where a target of the user's own leads, as the configuration allows it now. `settings` are
    /// the user's own, which may have another mobile.
    ///
    /// A forward leads to an extension of another user of the same account (`internal`), to what
    /// a pattern allows, to the user's own mailbox or mobile. An extension that only the dialplan
    /// knows needs a pattern: a dialplan may well have an extension for every number outside.
    ///
    /// # Errors
    /// The reason why the target is not allowed, as a clause for messages.
    pub fn own_target(
        &self,
        user: UserId,
        settings: Option<&OwnSettings>,
        target: &OwnTarget,
    ) -> Result<OwnDestination, String> {
        let spec = self.get(user);
        let (rights, name) = (&spec.rule.own_rights, &spec.name);
        self.may_set(user, OwnArea::Handling)?;
        let refused = |what: &str| Err(self.refused_target(user, what));
        let reach = spec.reach.as_deref();
        match target {
            OwnTarget::None => Ok(OwnDestination::Nowhere),
            OwnTarget::Voicemail if !rights.allows(OwnTargetKind::Voicemail) => {
                refused("voicemail")
            }
            OwnTarget::Voicemail => match reach.map(|reach| &reach.mailbox) {
                Some(mailbox) if !mailbox.is_empty() => {
                    Ok(OwnDestination::Voicemail(mailbox.clone()))
                }
                _ => Err(format!("'{name}' has no mailbox")),
            },
            OwnTarget::Mobile if !rights.allows(OwnTargetKind::Mobile) => refused("mobile"),
            OwnTarget::Mobile => match self.mobile(user, settings) {
                Some(mobile) => {
                    let calls = &spec.rule.calls;
                    let extension = format!("{}{mobile}", calls.mobile_prefix);
                    let context = calls.forward_context.to_string();
                    Ok(OwnDestination::Extension(extension, context, None))
                }
                _ => Err(format!("'{name}' has no mobile")),
            },
            OwnTarget::Number(number, context) => self.number(user, number, context.as_deref()),
        }
    }

    /// An error if the user may not set this part.
    ///
    /// # Errors
    /// The reason, as a clause for messages.
    pub fn may_set(&self, user: UserId, area: OwnArea) -> Result<(), String> {
        let spec = self.get(user);
        match spec.rule.own_rights.may_set(area) {
            true => Ok(()),
            false => Err(format!(
                "own_settings of '{}' does not include {area}",
                spec.name
            )),
        }
    }

    fn refused_target(&self, user: UserId, what: &str) -> String {
        let spec = self.get(user);
        let allowed = match spec.rule.own_rights.targets().as_slice() {
            [] => "nothing".to_owned(),
            [all @ .., last] => {
                let explained = |word: &String| match OwnTargetKind::parse(word) {
                    Ok(OwnTargetKind::Internal) => format!("{word} (an extension of a colleague)"),
                    _ => word.clone(),
                };
                let all: Vec<_> = all.iter().map(explained).collect();
                match all.is_empty() {
                    true => explained(last),
                    false => format!("{} and {}", all.join(", "), explained(last)),
                }
            }
        };
        format!(
            "{what} is not allowed; own_forward of '{}' allows {allowed}",
            spec.name
        )
    }

    /// Where an extension or number leads.
    fn number(
        &self,
        user: UserId,
        number: &str,
        context: Option<&str>,
    ) -> Result<OwnDestination, String> {
        let found = self.allowed_number(user, number, context)?;
        found.ok_or_else(|| self.refused_target(user, "this number"))
    }

    /// Where an extension or number leads; `None` if `own_forward` does not allow it.
    ///
    /// # Errors
    /// The reason why it is no target, whatever `own_forward` allows.
    pub(super) fn allowed_number(
        &self,
        user: UserId,
        number: &str,
        context: Option<&str>,
    ) -> Result<Option<OwnDestination>, String> {
        let spec = self.get(user);
        let (rights, name) = (&spec.rule.own_rights, &spec.name);
        let calls = &spec.rule.calls;
        let context = context.unwrap_or(&calls.forward_context);
        let mut contexts = calls.internal_contexts.iter();
        if *context != *calls.forward_context && !contexts.any(|known| **known == *context) {
            return Err(format!(
                "'{}' is neither the forward_context nor an internal_context of '{name}', \
                 expected {}",
                quoted(context),
                calls.forward_context
            ));
        }
        // The dialplan ignores hyphens, so `2-00` is the extension 200.
        let plain = without_hyphens(number);
        let as_given = self.owner_of_extension(number, user);
        let owner = as_given.or_else(|| self.owner_of_extension(&plain, user));
        let owner = owner.filter(|owner| self.get(*owner).account == spec.account);
        let mut own = spec.inputs.iter().filter_map(|it| self.extension(it));
        let own = own.find(|extension| without_hyphens(extension) == plain);
        if owner == Some(user) || own.is_some() {
            return Err(format!(
                "'{}' is an extension of '{name}', expected one of another user",
                own.unwrap_or(number)
            ));
        }
        let is_internal = owner.is_some() && rights.allows(OwnTargetKind::Internal);
        let is_allowed = is_internal || rights.allows_number(number);
        Ok(is_allowed.then(|| {
            let number = match as_given {
                Some(_) => number.to_owned(),
                None => plain.into_owned(),
            };
            OwnDestination::Extension(number, context.to_owned(), owner)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::directory;

    #[test]
    fn only_what_is_allowed_is_a_target() {
        let directory = directory(
            "[general]\nmobile_prefix=0\nforward_context=phones\ninternal_context=office\n\
             [alice]\ntype=user\nextension=200\nmobile=+491\nmailbox=200@default\n\
             [bob]\ntype=user\nextension=210\nown_forward=_+49X.,_2XX\n\
             [carol]\ntype=user\nextension=220\nown_settings=note\n\
             [dora]\ntype=user\nextension=230\nown_forward=\n\
             [eve]\ntype=user\naccount=other\nextension=300\n\
             [frank]\ntype=user\nextension=front-desk\nown_forward=_X.\n\
             [gina]\ntype=user\nextension=12-100\n",
        );
        for (user, target, expected) in [
            ("alice", "none", "Nowhere"),
            ("alice", "voicemail", "Voicemail(\"200@default\")"),
            ("alice", "mobile", "Extension(\"0+491\", \"phones\", None)"),
            (
                "alice",
                "210",
                "Extension(\"210\", \"phones\", Some(UserId(1)))",
            ),
            (
                "alice",
                "210@office",
                "Extension(\"210\", \"office\", Some(UserId(1)))",
            ),
            (
                "alice",
                "210@outside",
                "'outside' is neither the forward_context nor an internal_context of 'alice', expected phones",
            ),
            (
                "alice",
                "200",
                "'200' is an extension of 'alice', expected one of another user",
            ),
            (
                "alice",
                "+4917",
                "this number is not allowed; own_forward of 'alice' allows internal (an extension of a colleague), voicemail and mobile",
            ),
            // Asterisk ignores hyphens.
            ("alice", "2-00", "'200' is an extension of 'alice'"),
            ("alice", "200-@office", "'200' is an extension of 'alice'"),
            ("bob", "-210", "'210' is an extension of 'bob'"),
            (
                "alice",
                "2-10",
                "Extension(\"210\", \"phones\", Some(UserId(1)))",
            ),
            ("bob", "+49-17", "Extension(\"+4917\", \"phones\", None)"),
            (
                "frank",
                "frontdesk",
                "'front-desk' is an extension of 'frank'",
            ),
            (
                "alice",
                "12-100",
                "Extension(\"12-100\", \"phones\", Some(UserId(6)))",
            ),
            // The extension of another account, and one that no user has.
            ("alice", "300", "this number is not allowed"),
            ("alice", "999", "this number is not allowed"),
            ("bob", "+4917", "Extension(\"+4917\", \"phones\", None)"),
            (
                "bob",
                "220",
                "Extension(\"220\", \"phones\", Some(UserId(2)))",
            ),
            (
                "bob",
                "voicemail",
                "voicemail is not allowed; own_forward of 'bob' allows _+49X. and _2XX",
            ),
            ("bob", "mobile", "mobile is not allowed"),
            (
                "carol",
                "none",
                "own_settings of 'carol' does not include handling",
            ),
            (
                "carol",
                "210",
                "own_settings of 'carol' does not include handling",
            ),
            ("dora", "none", "Nowhere"),
            (
                "dora",
                "210",
                "this number is not allowed; own_forward of 'dora' allows nothing",
            ),
            ("eve", "voicemail", "'eve' has no mailbox"),
            ("eve", "mobile", "'eve' has no mobile"),
        ] {
            let target_of = OwnTarget::parse(target).unwrap();
            let found = directory.own_target(directory.user(user).unwrap(), None, &target_of);
            let found = found.map_or_else(|why| why, |found| format!("{found:?}"));
            assert!(found.contains(expected), "{user} {target}: {found}");
        }
    }
}
