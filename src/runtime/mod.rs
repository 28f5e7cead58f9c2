//! The running module.

#[cfg(all(feature = "asterisk", not(test)))]
pub mod actions;
#[cfg(all(feature = "asterisk", not(test)))]
pub mod announced;
#[cfg(all(feature = "asterisk", not(test)))]
pub mod configuration;
#[cfg(all(feature = "asterisk", not(test)))]
pub mod feed;
#[cfg(all(feature = "asterisk", not(test)))]
pub mod functions;
#[cfg(any(feature = "asterisk", test))]
pub mod outbox;
#[cfg(all(feature = "asterisk", not(test)))]
pub mod panels;
#[cfg(all(feature = "asterisk", not(test)))]
pub mod persister;
#[cfg(all(feature = "asterisk", not(test)))]
pub mod push;
#[cfg(all(feature = "asterisk", not(test)))]
pub mod reload;
#[cfg(all(feature = "asterisk", not(test)))]
pub mod schedules;
#[cfg(all(feature = "asterisk", not(test)))]
pub mod sequences;
#[cfg(all(feature = "asterisk", not(test)))]
pub mod stats;
#[cfg(all(feature = "asterisk", not(test)))]
pub mod store;
