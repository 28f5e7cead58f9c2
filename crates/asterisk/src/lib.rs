//! A thin safe layer over Asterisk's C interfaces: one file for each.
//!
//! This crate is the only one with `unsafe`, and knows nothing of the module that uses it.
//! Names keep Asterisk's word without its prefix: `ast_presence_state` is
//! [`presencestate::read`]. Each file names the C header that it wraps.
//!
//! # The pattern
//! An interface that Asterisk calls has three parts:
//! * a safe trait, or a table of functions, which the module implements,
//! * a thunk, `unsafe extern "C"`, which Asterisk calls and which calls the trait,
//! * a registration: its constructor registers, its `Drop` unregisters, once.
//!
//! The registrations are types of their own, because what Asterisk needs for an
//! unregistration, and what has to be waited for, differs from one interface to the next.
//! Applications and functions are the exception: they stay registered, see [`gate`].
//!
//! # The rules
//! * A thunk's body is one `guard`: a panic is logged and answered with a fallback, and
//!   never unwinds into C.
//! * Text from a person is never a format: C variadics get a constant `"%s"`.
//! * Code and statics stay mapped after an unload (`-z nodelete` in the module's `build.rs`).
//!   What Asterisk may use after an unregistration lives as long as the process.
//! * Each structure that Asterisk is given has zeros behind it, see `slack`.
//! * No caller may hold a lock that a callback takes while it calls Asterisk.
//! * `SAFETY.md` states the behaviour of Asterisk that the layer relies on. Each `SAFETY`
//!   comment begins with the names of the rules in it that make the block sound.

#![deny(clippy::missing_errors_doc)]

pub mod ami;
pub mod application;
pub mod ari;
pub mod astdb;
pub mod channels;
pub mod cli;
pub mod config;
pub mod config_writer;
pub mod crypt;
pub mod custom;
pub mod devicestate;
pub mod entry;
mod error;
mod ffi;
pub mod function;
pub mod gate;
mod guard;
pub mod hints;
pub mod http;
pub mod image;
mod json;
pub mod log;
pub mod mailbox;
pub mod manager;
pub mod parking;
pub mod peer;
pub mod pjproject;
pub mod pjsip;
pub mod presencestate;
pub mod prometheus;
pub mod realtime;
pub mod release;
pub mod security;
#[cfg(feature = "selftest")]
pub mod selftest;
mod session;
mod slack;
pub mod snapshots;
pub mod sorcery;
pub mod stasis;
pub mod stasis_app;
pub mod system;
mod text;
pub mod timing;

pub use entry::{AsteriskModule, Decline};
pub use error::Error;
