//! The DND and forward keys of desk phones: their presses, and which phones follow.

use super::{NOT_RUNNING, Runtime};
use presence::calls::feature_keys::{endpoints, state, user_of};
use presence::calls::key_press::press;
use presence::model::feature_keys::FeatureRequest;

impl Runtime {
    /// Whether phones get their feature keys.
    pub fn has_feature_keys(&self) -> bool {
        self.is_listening()
            && self.read(|world| world.directory().settings.sip.feature_keys) == Some(true)
    }

    /// Whether the endpoint is a phone of a user.
    pub fn is_phone_of_user(&self, endpoint: &str) -> bool {
        self.read(|world| user_of(world.directory(), endpoint).is_some()) == Some(true)
    }

    /// The documents for a phone, see [`presence::model::feature_keys`]; `None` for an endpoint
    /// of no user.
    pub fn feature_documents(&self, endpoint: &str, device: &str) -> Option<Vec<String>> {
        let documents = self.read(|world| {
            let user = user_of(world.directory(), endpoint)?;
            Some(state(world, user).documents(device))
        });
        documents.flatten()
    }

    /// Does what a key of the endpoint asks for, see [`press`].
    ///
    /// # Errors
    /// Why it is refused.
    pub fn press_key(&self, endpoint: &str, request: &FeatureRequest) -> Result<(), String> {
        let done = self.update(|world, now| match user_of(world.directory(), endpoint) {
            None => (Err("the phone belongs to no user".into()), Vec::new()),
            Some(user) => press(world, user, request, now),
        });
        done.ok_or(NOT_RUNNING)?
    }

    /// Has the phones of the user follow, if something that they show has changed.
    pub fn update_phones(&self, user: &str) {
        self.host().notify_phones(&mut || {
            let found = self.read(|world| {
                let directory = world.directory();
                let user = directory.user(user)?;
                let found = endpoints(directory, user).into_iter();
                Some(found.map(str::to_owned).collect())
            });
            found.flatten().unwrap_or_default()
        });
    }
}
