//! A thin safe layer over Asterisk's C interfaces: one file for each.
//!
//! This is the only place with `unsafe`. Names keep Asterisk's word without its
//! prefix: `ast_presence_state` is [`presencestate::read`]. The pattern is always the
//! same: a safe trait or function that a feature writes, a thunk that Asterisk
//! calls, and a registration whose `Drop` takes it back.
//!
//! What holds for every file:
//! * A thunk's body is one `guard`: a panic is logged and answered with a
//!   fallback, and never unwinds into C.
//! * Text from a person is never a format: C variadics get a fixed `"%s"`.
//! * Applications and functions stay registered after an unload, see [`gate`].
//! * The module stays mapped after an unload (`-z nodelete` in `build.rs`), so a
//!   thunk that C calls late still finds its code. Whatever C may hold on to for
//!   longer than a registration lives for as long as the process.
//! * Never call Asterisk while holding a lock that one of the callbacks takes.

pub mod ami;
pub mod application;
pub mod astdb;
pub mod channels;
pub mod cli;
pub mod config;
pub mod crypt;
pub mod custom;
pub mod devicestate;
mod elf;
pub mod entry;
mod error;
mod ffi;
pub mod function;
pub mod gate;
mod guard;
pub mod hints;
pub mod http;
pub mod image;
pub mod log;
pub mod mailbox;
pub mod manager;
pub mod parking;
pub mod presencestate;
pub mod prometheus;
pub mod realtime;
pub mod security;
#[cfg(feature = "selftest")]
pub mod selftest;
mod session;
pub mod stasis;
pub mod system;
mod text;
pub mod timing;

pub use entry::{Decline, Module};
pub use error::Error;
