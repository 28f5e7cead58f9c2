//! The extensions by which users are watched, from the hints of the dialplan.

use std::collections::HashMap;

use super::{Directory, UserId};
use crate::model::address::{USER_LABEL, below};

/// A hint of the dialplan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatchableExtension<'a> {
    /// The context.
    pub context: &'a str,
    /// The extension, or a pattern that begins with `_`.
    pub extension: &'a str,
    /// Everything that the hint names, such as `PJSIP/200,UserPresence:alice`.
    pub names: &'a str,
}

/// Why an extension shows a user, the best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fit {
    /// The hint names the user, and the extension is the user's default.
    NamedDefault,
    /// The hint names the user.
    Named,
    /// The extension is the user's default.
    Default,
}

/// An extension that shows a user.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct ShownBy {
    user: UserId,
    context: u32,
    fit: Fit,
    extension: Box<str>,
}

/// The extensions of all users.
#[derive(Default, Debug)]
pub struct WatchedExtensions {
    contexts: HashMap<Box<str>, u32>,
    found: Vec<ShownBy>,
    /// The patterns with a hint.
    patterns: Vec<(u32, Box<str>)>,
}

impl WatchedExtensions {
    /// Collects them from the hints of the dialplan. Of a user's extensions, those in the
    /// context that comes first are first.
    pub fn new<'a>(
        directory: &Directory,
        hints: impl Iterator<Item = WatchableExtension<'a>>,
    ) -> Self {
        let mut watched = WatchedExtensions::default();
        hints.for_each(|hint| watched.add(directory, hint));
        watched.found.sort_unstable();
        watched
    }

    fn add(&mut self, directory: &Directory, hint: WatchableExtension<'_>) {
        let extension = hint.extension;
        // Commas separate the members of a list.
        if extension.is_empty() || extension.contains(',') {
            return;
        }
        if extension.starts_with('_') {
            let context = self.context(hint.context);
            self.patterns.push((context, extension.into()));
            return;
        }
        let presences = hint.names.split_once(',').map_or("", |(_, rest)| rest);
        let addresses = presences.split(['&', ',']).map(str::trim);
        let names = addresses.filter_map(|address| below(address, USER_LABEL));
        let mut named = false;
        for user in names.filter_map(|name| directory.user(name)) {
            named = true;
            let fit = match directory.default_extension(user) == Some(extension) {
                true => Fit::NamedDefault,
                false => Fit::Named,
            };
            self.push(user, hint, fit);
        }
        // A hint that shows somebody else shows nobody by the extension alone.
        if !named {
            for user in directory.users_by_default(extension) {
                self.push(user, hint, Fit::Default);
            }
        }
    }

    fn push(&mut self, user: UserId, hint: WatchableExtension<'_>, fit: Fit) {
        let context = self.context(hint.context);
        self.found.push(ShownBy {
            user,
            context,
            fit,
            extension: hint.extension.into(),
        });
    }

    fn context(&mut self, name: &str) -> u32 {
        if let Some(known) = self.contexts.get(name) {
            return *known;
        }
        let next = self.contexts.len() as u32;
        self.contexts.insert(name.into(), next);
        next
    }

    /// The extensions that show a user, one for each context in which there is any: the one
    /// whose hint names the user, else the default extension, which may be one of a pattern.
    /// `matches` says whether an extension matches a pattern.
    pub fn of<'a>(
        &'a self,
        directory: &'a Directory,
        user: UserId,
        matches: &dyn Fn(&str, &str) -> bool,
    ) -> Vec<&'a str> {
        let begin = self.found.partition_point(|found| found.user < user);
        let found = self.found[begin..].iter();
        let found: Vec<&ShownBy> = found.take_while(|found| found.user == user).collect();
        let mut contexts: Vec<u32> = Vec::new();
        let mut extensions: Vec<&str> = Vec::new();
        let mut add = |context: u32, extension: &'a str| {
            if !contexts.contains(&context) {
                contexts.push(context);
                if !extensions.contains(&extension) {
                    extensions.push(extension);
                }
            }
        };
        for found in found {
            add(found.context, &found.extension);
        }
        if let Some(default) = directory.default_extension(user) {
            for (context, pattern) in &self.patterns {
                if matches(pattern, default) {
                    add(*context, default);
                }
            }
        }
        extensions
    }
}

impl Directory {
    /// A user's default extension.
    pub fn default_extension(&self, user: UserId) -> Option<&str> {
        let user = self.get(user);
        let default = user.default.map(|at| &user.inputs[usize::from(at)]);
        default.and_then(|input| self.extension(input))
    }

    /// The users whose default extension this is, in the order of the configuration.
    fn users_by_default(&self, extension: &str) -> Vec<UserId> {
        let mut found: Vec<UserId> = self.called(extension);
        found.retain(|user| self.default_extension(*user) == Some(extension));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::directory;

    const USERS: &str = "[alice]\ntype=user\nextension=200\nextension=300\n\
                         [bob]\ntype=user\nextension=201\n[carol]\ntype=user\nid=201\n\
                         [dave]\ntype=user\nextension=204\n";

    fn extensions(hints: &[(&str, &str, &str)], user: &str) -> Vec<String> {
        let directory = directory(USERS);
        let hints = hints.iter();
        let hints = hints.map(|(context, extension, names)| WatchableExtension {
            context,
            extension,
            names,
        });
        let watched = WatchedExtensions::new(&directory, hints);
        let user = directory.user(user).unwrap();
        // `X` matches any character, which is enough here.
        let matches = |pattern: &str, extension: &str| {
            let mut pairs = pattern[1..].chars().zip(extension.chars());
            pattern.len() == extension.len() + 1 && pairs.all(|(p, e)| p == 'X' || p == e)
        };
        let found = watched.of(&directory, user, &matches);
        found.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_hint_that_names_the_user_comes_first() {
        let hints = [
            ("a", "200", "PJSIP/200"),
            ("a", "8200", "PJSIP/200,userpresence:ALICE"),
            ("b", "300", "PJSIP/200,CustomPresence:1&UserPresence:alice"),
            ("b", "200", "PJSIP/200,UserPresence:alice"),
            ("c", "200", "PJSIP/200,CustomPresence:200"),
            ("c", "300", "PJSIP/300,CustomPresence:300"),
        ];
        assert_eq!(extensions(&hints, "alice"), ["8200", "200"]);
        assert_eq!(extensions(&hints[4..], "alice"), ["200"]);
        assert_eq!(extensions(&hints[5..], "alice"), [""; 0]);
    }

    #[test]
    fn the_extension_of_somebody_else_shows_nobody() {
        let hints = [("a", "201", "PJSIP/201,UserPresence:carol")];
        assert_eq!(extensions(&hints, "carol"), ["201"]);
        assert_eq!(extensions(&hints, "bob"), [""; 0]);
        let device = [("a", "201", "UserPresence:carol")];
        assert_eq!(extensions(&device, "carol"), [""; 0], "a device only");
        assert_eq!(extensions(&device, "bob"), ["201"]);
    }

    #[test]
    fn a_pattern_shows_the_default_extension() {
        let hints = [
            ("a", "_20X", "PJSIP/${EXTEN},UserPresence:${EXTEN}"),
            ("a", "204", "PJSIP/204,UserPresence:dave"),
            ("b", "_9X", "PJSIP/${EXTEN}"),
        ];
        assert_eq!(extensions(&hints, "alice"), ["200"]);
        assert_eq!(extensions(&hints, "dave"), ["204"]);
        assert_eq!(extensions(&hints, "carol"), [""; 0]);
    }
}
