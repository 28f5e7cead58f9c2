//! What Asterisk and its administrators see: one file for each interface. They read
//! and set; what a presence means is decided behind the door.

pub mod caller;
pub mod cli;
pub mod device;
pub mod dial;
pub mod function;
pub mod manager;
pub mod metrics;
pub mod pickup;
pub mod provider;
pub mod route;
