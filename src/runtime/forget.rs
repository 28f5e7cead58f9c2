//! Forgetting the stored data of removed users before its time.

use super::{NOT_RUNNING, Runtime};
use presence::model::text::quoted;
use presence::world::gone_users::{self, Gone};

impl Runtime {
    /// Forgets at once the stored data of the removed user of that name, or of all removed
    /// users. Returns how many users that were.
    ///
    /// # Errors
    /// Says that the user is not gone, or unknown.
    pub fn forget(&self, name: Option<&str>) -> Result<usize, String> {
        let _busy = self.reload.begin()?;
        let known =
            self.read(|world| name.is_some_and(|name| world.directory().user(name).is_some()));
        if known.ok_or(NOT_RUNNING)? {
            let name = quoted(name.unwrap_or_default());
            return Err(format!("'{name}' is configured, expected a removed user"));
        }
        let forgotten = self.while_rows_rest(|| {
            let mut gone = self.gone_rows();
            self.update_always(|world, _| {
                // What has not reached AstDB yet.
                let waiting = world.orphaned_rows().iter();
                let waiting = waiting.filter_map(|(key, value)| {
                    let key = key.strip_prefix(gone_users::PREFIX)?.to_owned();
                    Some((key, Gone::parse(value.as_ref()?)))
                });
                let waiting: Vec<_> = waiting.collect();
                gone.retain(|(key, _)| !waiting.iter().any(|(other, _)| other == key));
                gone.extend(waiting);
                (world.forget(name, &gone), Vec::new())
            })
        });
        self.forget_own_passwords(name);
        self.wake_persister(true);
        match (forgotten.ok_or(NOT_RUNNING)?, name) {
            (0, Some(name)) => Err(format!(
                "nothing is stored for a removed user '{}'",
                quoted(name)
            )),
            (forgotten, _) => Ok(forgotten),
        }
    }
}

/// See [`Runtime::forget`].
///
/// # Errors
/// As there, and [`NOT_RUNNING`].
pub fn forget(name: Option<&str>) -> Result<usize, String> {
    super::current().ok_or(NOT_RUNNING)?.forget(name)
}

/// The removed users with stored data.
pub fn forgettable() -> Vec<String> {
    let gone = super::current().map(|runtime| runtime.gone_rows());
    let keys = gone.into_iter().flatten().map(|(key, _)| key);
    let names = keys.filter_map(|key| key.strip_prefix("user/").map(str::to_owned));
    names.collect()
}
