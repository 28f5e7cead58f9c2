//! The types that all other folders share: states, statuses, times, texts.

pub mod activity;
pub mod address;
pub mod assignment;
pub mod details;
pub mod device;
pub mod dnd;
pub mod ending;
pub mod feature_keys;
pub mod flags;
pub mod handling;
pub mod inferred;
pub mod input;
pub mod mailbox;
pub mod mask;
pub mod principal;
pub mod schedule;
pub mod state;
pub mod status;
pub mod stored_presence;
pub mod suggest;
pub mod text;
pub mod time;
pub mod watched;
pub mod words;
