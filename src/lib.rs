//! One presence for a person: an Asterisk module.
//!
//! How a change flows:
//!
//! ```text
//!  Asterisk's topic ─┐                          ┌─ hints, NOTIFY, PRESENCE_STATE()
//!  USER_PRESENCE()= ─┤   store::update           ├─ AMI UserPresenceChange
//!  CLI, AMI, HTTP ───┼─> World::apply ─> Outbox ┼─ feed ── streams, webhooks, AMI
//!  reload ───────────┘   (combine)   │          └─ actor ── actions on a status
//!                                    └─> keeper ── AstDB, addresses of extensions
//! ```
//!
//! Where to read on:
//! - [`presence`] is what a presence means: pure, no Asterisk in it.
//! - `door` holds the one world; `outbox` gives its effects their order; `keeper` is
//!   the one thread that may wait for a disk.
//! - `surfaces` are the interfaces; `module` and `reload` bring everything up, over
//!   and down.
//! - `asterisk` is the thin safe layer over the C interfaces, and the only place with
//!   `unsafe`.
#![forbid(unsafe_code)]

#[cfg(all(feature = "asterisk", not(test)))]
mod module;
pub mod runtime;
#[cfg(all(feature = "selftest", not(test)))]
mod selftest;
#[cfg(all(feature = "asterisk", not(test)))]
mod surfaces;
pub mod web;
#[cfg(all(feature = "asterisk", not(test)))]
mod webhooks;

/// Where a test build can be made to panic; nothing in others.
#[cfg(all(feature = "asterisk", not(test)))]
fn trip(_place: &str) {
    #[cfg(feature = "selftest")]
    selftest::trip(_place);
}
