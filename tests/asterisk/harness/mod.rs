//! A real Asterisk for a test: private, on loopback, gone when the test ends.
//!
//! ```ignore
//! let ast = Instance::builder()
//!     .userpresence("[alice]\ntype = user\nextension = 200\n")
//!     .hint("2000", "PJSIP/2000,UserPresence:alice")
//!     .start();
//! ast.set_custom("200", "away,lunch,Back at one");
//! assert_eq!(ast.getvar("USER_PRESENCE(alice)"), "away");
//! ```
//!
//! Nothing here sleeps and hopes: whatever takes time is waited for, with a
//! timeout so generous that only a real failure reaches it.
#![allow(
    dead_code,
    unused_imports,
    reason = "a toolbox: not every test run uses every tool in it"
)]

mod ami;
mod builder;
mod config;
mod dialplan;
mod hints;
mod instance;
mod message;
mod modules;
mod paths;
mod ports;
mod process;
mod sip;
mod wait;

pub use ami::Ami;
pub use builder::Builder;
pub use hints::Hint;
pub use instance::{Instance, MODULE};
pub use message::Message;
pub use modules::sets;
pub use sip::{Notify, Presence, Subscriber};
pub use wait::{PATIENCE, wait_until};
