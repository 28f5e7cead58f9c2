//! The interfaces of Asterisk and its administrators, one file each. They read and set;
//! the meaning of a presence is decided in [`presence`], behind the store.

pub mod ari;
pub mod caller;
pub mod cli;
pub mod device;
pub mod dial;
pub mod feature_keys;
pub mod function;
pub mod lists;
pub mod manager;
pub mod metrics;
pub mod pickup;
pub mod pidf;
pub mod provider;
pub mod publication;
pub mod route;
