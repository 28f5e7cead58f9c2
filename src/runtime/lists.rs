//! The resource lists for phones (RFC 4662), made from the directory and the dialplan's hints
//! when a phone subscribes.
//!
//! To walk the dialplan holds up every call, so the hints are those of the index, which may be
//! some seconds old.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use super::Runtime;
use super::hint_index::{KnownHints, MISSED};
use crate::sync::Mutex;
use presence::directory::lists::ListId;
use presence::directory::watching::WatchedExtensions;
use presence::directory::{Directory, UserId};
use presence::model::text::quoted;
use presence::model::visibility::Viewer;

/// The most lists that are shown at once.
const MOST_SHOWN: usize = 1000;

/// A list as a phone gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourceList {
    /// The name.
    pub name: String,
    /// The extensions, each once; at least one.
    pub extensions: Vec<String>,
    /// For how many milliseconds changes are gathered into one NOTIFY.
    pub batch: u32,
    /// Whether each NOTIFY has all members.
    pub full_state: bool,
}

/// The extensions of all users, for as long as the directory and the hints stay the same.
#[derive(Default)]
pub struct ListExtensions(Mutex<Option<Made>>);

struct Made {
    directory: Weak<Directory>,
    hints: Weak<KnownHints>,
    watched: Arc<WatchedExtensions>,
}

impl ListExtensions {
    /// Those of that directory and those hints. Other threads that ask wait for the one that
    /// collects them.
    fn of(&self, directory: &Arc<Directory>, hints: &Arc<KnownHints>) -> Arc<WatchedExtensions> {
        let mut made = self.0.lock();
        let same = made.as_ref().filter(|made| {
            let is_directory = Weak::as_ptr(&made.directory) == Arc::as_ptr(directory);
            is_directory && Weak::as_ptr(&made.hints) == Arc::as_ptr(hints)
        });
        if let Some(same) = same {
            return same.watched.clone();
        }
        let all = hints.all().into_iter();
        let watched = Arc::new(WatchedExtensions::new(directory, all));
        *made = Some(Made {
            directory: Arc::downgrade(directory),
            hints: Arc::downgrade(hints),
            watched: watched.clone(),
        });
        watched
    }
}

impl Runtime {
    /// The list of this name for an endpoint of `res_pjsip`, which must be the phone of a user
    /// of the list's account; `None` is a subscription that was accepted before.
    pub fn resource_list(&self, name: &str, endpoint: Option<&str>) -> Option<ResourceList> {
        let directory = self.read(|world| world.directory().clone())?;
        let list = directory.list(name)?;
        if let Some(endpoint) = endpoint
            && !may_watch(&directory, endpoint, list)
        {
            self.warn_once("list for", endpoint, || {
                let (endpoint, name) = (quoted(endpoint), quoted(name));
                format!(
                    "The endpoint '{endpoint}' gets no list '{name}': \
                     it is the phone of no user of that account"
                )
            });
            return None;
        }
        self.contents(&directory, list, &self.watched(&directory))
    }

    /// The lists with a wanted name; no more than a thousand.
    pub fn resource_lists(&self, wanted: &dyn Fn(&str) -> bool) -> Vec<ResourceList> {
        let Some(directory) = self.read(|world| world.directory().clone()) else {
            return Vec::new();
        };
        let lists = directory.lists();
        let lists = lists.filter(|list| wanted(&directory.list_name(*list)));
        let lists: Vec<ListId> = lists.take(MOST_SHOWN).collect();
        if lists.is_empty() {
            return Vec::new();
        }
        let watched = self.watched(&directory);
        let contents = lists.iter();
        contents
            .filter_map(|list| self.contents(&directory, *list, &watched))
            .collect()
    }

    /// The extensions that show users. No lock may be held.
    fn watched(&self, directory: &Arc<Directory>) -> Arc<WatchedExtensions> {
        let hints = self.hints.known(self.host(), MISSED);
        self.lists.of(directory, &hints)
    }

    /// A list, without users who are hidden from anybody: Asterisk asks for a list anew without
    /// saying for which phone; `None` if nothing is left.
    fn contents(
        &self,
        directory: &Arc<Directory>,
        list: ListId,
        watched: &WatchedExtensions,
    ) -> Option<ResourceList> {
        let settings = &directory.settings.lists;
        let members = directory.list_members(list);
        let visible = self.read(|world| {
            // After a reload the numbers are those of other users.
            let same = Arc::ptr_eq(world.directory(), directory);
            let shown = |user: &UserId| world.may_see(&Viewer::ANYONE, *user);
            let shown = members.iter().copied().filter(shown);
            same.then(|| shown.collect::<Vec<UserId>>())
        });
        let host = self.host();
        let matches = |pattern: &str, name: &str| host.extension_matches(pattern, name);
        let mut extensions: Vec<String> = Vec::new();
        let mut known: HashSet<String> = HashSet::new();
        let name = directory.list_name(list);
        'members: for user in visible.flatten()? {
            for extension in watched.of(directory, user, &matches) {
                if !known.insert(extension.to_owned()) {
                    continue;
                }
                if extensions.len() == settings.limit as usize {
                    self.warn_once("list", &name, || {
                        let (name, limit) = (quoted(&name), settings.limit);
                        format!(
                            "The list '{name}' has more than {limit} members, \
                             and phones get the first {limit} of them: see list_limit"
                        )
                    });
                    break 'members;
                }
                extensions.push(extension.to_owned());
            }
        }
        (!extensions.is_empty()).then_some(ResourceList {
            name,
            extensions,
            batch: settings.batch,
            full_state: settings.full_state,
        })
    }
}

/// Whether an endpoint is the phone of a user of the list's account.
fn may_watch(directory: &Directory, endpoint: &str, list: ListId) -> bool {
    let account = directory.list_account(list);
    let users = directory.users_of_phone(&format!("PJSIP/{endpoint}"));
    let mut accounts = users.iter().map(|user| directory.get(*user).account);
    accounts.any(|own| own == account)
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::super::testing::runtime;
    use super::*;
    use std::sync::atomic::Ordering;

    const LIST: &str = "userpresence-default";

    #[test]
    fn lists_are_made_without_a_walk_through_the_dialplan_for_each() {
        let (runtime, fake) =
            runtime("[alice]\ntype = user\nextension = 200\n[bob]\ntype = user\nextension = 201\n");
        let hints = [
            ("b", "200", "X/200"),
            ("a", "8200", "X/200,UserPresence:alice"),
            ("a", "201", "X/201,CustomPresence:201"),
            ("a", "_9X", "X/${EXTEN},UserPresence:${EXTEN}"),
        ];
        let hints = hints.map(|(context, extension, names)| {
            (context.to_owned(), extension.to_owned(), names.to_owned())
        });
        fake.hints.lock().unwrap().extend(hints);
        let extensions = || runtime.resource_list(LIST, None).unwrap().extensions;
        for _ in 0..5 {
            assert_eq!(extensions(), ["8200", "200", "201"]);
            assert_eq!(runtime.resource_lists(&|name| name == LIST).len(), 1);
        }
        // On a slow machine they may be too old once.
        assert!(fake.hints_read.load(Ordering::Relaxed) < 5);
        let directory = runtime.read(|world| world.directory().clone()).unwrap();
        let hints = runtime.hints.known(runtime.host(), MISSED);
        let watched = || runtime.lists.of(&directory, &hints);
        assert!(Arc::ptr_eq(&watched(), &watched()));
        // Hints that are read anew are believed.
        fake.hints.lock().unwrap().pop();
        fake.hints.lock().unwrap().pop();
        runtime.hints.read(runtime.host(), &mut |_| ());
        assert_eq!(extensions(), ["8200", "200"]);
    }
}
