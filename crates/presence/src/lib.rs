//! What a presence is: pure code, without Asterisk, input or output.
//!
//! From the outside in:
//! - [`config`] parses sections into a [`directory::Directory`] of users and sources;
//! - [`world::World`] keeps what is known of them, and [`world::World::apply`] is the
//!   only way to change it;
//! - [`combine`] is the rule: which source wins;
//! - [`views`] answers questions about the result;
//! - [`calls`], [`actions`] and [`account`] build on it: where a call goes, what a
//!   status does, which events an account has;
//! - [`model`] holds the words that all of these share.
#![forbid(unsafe_code)]

pub mod account;
pub mod actions;
pub mod calls;
pub mod combine;
pub mod config;
pub mod directory;
pub mod model;
pub mod views;
pub mod world;

pub use model::state::{Presence, State};
pub use model::time::Time;
