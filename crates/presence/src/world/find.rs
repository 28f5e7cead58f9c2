//! Finding a user by what people and programs call them.

use super::World;
use crate::directory::{Unclear, UserId};
use crate::model::text::quoted;

impl World {
    /// The user with this name, or else the only one with this id or extension.
    ///
    /// # Errors
    /// Returns a message if no user matches, or one that names the users if several match.
    pub fn find(&self, name: &str) -> Result<UserId, String> {
        /// How many of several users the message names.
        const FEW: usize = 5;
        self.directory.find(name).map_err(|why| match why {
            Unclear::Unknown => World::unknown_user(name),
            Unclear::Several(users) => {
                let names: Vec<&str> = users.iter().take(FEW).map(|name| &**name).collect();
                let names = names.join(", ");
                let more = if users.len() > FEW { ", ..." } else { "" };
                format!(
                    "'{}' is the id or an extension of several users ({names}{more}), expected \
                     the name of one",
                    quoted(name)
                )
            }
        })
    }

    /// The message for a name that is no user's.
    pub fn unknown_user(name: &str) -> String {
        format!(
            "there is no user '{}', expected one of userpresence.conf or realtime",
            quoted(name)
        )
    }
}
