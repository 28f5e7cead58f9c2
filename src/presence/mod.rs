//! The presence of people: pure code that knows nothing of Asterisk's interfaces.
//!
//! A reader meets, from the outside in:
//! [`config`] parses sections into a [`directory::Directory`] of users and their
//! sources; [`world::World`] keeps what is known of them and has the one door,
//! [`world::World::apply`]; [`combine`] is the rule; [`fields`] and [`explain`]
//! answer questions about the result.
#![forbid(unsafe_code)]

pub mod access;
pub mod account;
pub mod action;
pub mod address;
pub mod assignment;
pub mod combine;
pub mod config;
pub mod device;
pub mod directory;
pub mod dnd;
pub mod ending;
pub mod explain;
pub mod fields;
pub mod flags;
pub mod gone;
pub mod inferred;
pub mod mailbox;
pub mod pickup;
pub mod route;
pub mod row;
pub mod schedule;
pub mod state;
pub mod status;
pub mod suggest;
pub mod text;
pub mod time;
pub mod watched;
pub mod world;

pub use state::{Presence, State};
pub use time::Time;
