//! The resource lists for phones (RFC 4662), made from the directory and the dialplan's hints
//! when a phone subscribes.

use std::collections::HashSet;
use std::sync::Arc;

use super::Runtime;
use presence::directory::lists::ListId;
use presence::directory::watching::{WatchableExtension, WatchedExtensions};
use presence::directory::{Directory, UserId};
use presence::model::flags::Flag;
use presence::model::text::quoted;

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
        let mut watched = self.watched(&directory, |user| directory.is_on_list(user, list));
        self.contents(&directory, list, &mut watched)
    }

    /// The lists with a wanted name; no more than a thousand.
    pub fn resource_lists(&self, wanted: &dyn Fn(&str) -> bool) -> Vec<ResourceList> {
        let Some(directory) = self.read(|world| world.directory().clone()) else {
            return Vec::new();
        };
        let lists = directory.lists();
        let lists = lists.filter(|list| wanted(&directory.list_name(*list)));
        let lists: Vec<ListId> = lists.take(MOST_SHOWN).collect();
        let mut watched = self.watched(&directory, |_| !lists.is_empty());
        let contents = lists.iter();
        contents
            .filter_map(|list| self.contents(&directory, *list, &mut watched))
            .collect()
    }

    /// The extensions that show the wanted users.
    fn watched(&self, directory: &Directory, wanted: impl Fn(UserId) -> bool) -> WatchedExtensions {
        let mut watched = WatchedExtensions::default();
        let host = self.host();
        host.each_hint(&mut |hint| {
            let texts = [hint.context, hint.extension, hint.names].map(std::str::from_utf8);
            if let [Ok(context), Ok(extension), Ok(names)] = texts {
                let hint = WatchableExtension {
                    context,
                    extension,
                    names,
                };
                watched.add(directory, hint, &wanted);
            }
        });
        watched
    }

    /// A list, without users who hide; `None` if nothing is left.
    fn contents(
        &self,
        directory: &Arc<Directory>,
        list: ListId,
        watched: &mut WatchedExtensions,
    ) -> Option<ResourceList> {
        let settings = &directory.settings.lists;
        let members = directory.list_members(list);
        let visible = self.read(|world| {
            // After a reload the numbers are those of other users.
            let same = Arc::ptr_eq(world.directory(), directory);
            let shown = |user: &UserId| world.flags(*user).get(Flag::AllowSeeMyPresence);
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
