//! What a status does in queues.

use super::words::words;

words! {
    /// An action in a queue.
    pub enum QueueAction: "action" {
        /// The member is added.
        Login = "login",
        /// The member is removed.
        Logout = "logout",
        /// The member is paused.
        Pause = "pause",
        /// No action, whatever other blocks want.
        None = "none",
    }
}
