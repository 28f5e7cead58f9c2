//! One presence for a person: an Asterisk module.
//!
//! ```text
//!  src/surfaces, src/web    what people and programs use
//!  src/runtime              the running module: store, persister, actions, feed, sessions
//!  src/cluster              shares users with other servers through etcd
//!  src/webhooks             posts an account's events
//!  crates/presence          what a presence is: pure
//!  crates/asterisk          the layer over Asterisk's C interfaces, the only unsafe code
//! ```
//!
//! `src/module.rs` registers everything with Asterisk, and `src/host.rs` hands Asterisk to
//! the runtime. Each line uses the ones below it and never one above.
//!
//! # One change, in ten steps
//!
//! A phone's presence changes, and a lamp on another phone follows:
//!
//! 1. [`asterisk::stasis::TopicSubscription::presence`] (`crates/asterisk/src/stasis.rs`):
//!    Asterisk's topic reports the address.
//! 2. [`runtime::Runtime::on_presence_state`] (`src/runtime/listening.rs`) finds the source
//!    with that address, and mends its texts.
//! 3. [`runtime::Runtime::update`] (`src/runtime/store.rs`) takes the world's lock.
//! 4. [`presence::world::World::apply`] (`crates/presence/src/world/mod.rs`) takes the
//!    change over: the source's presence, the users that share it, the status type.
//! 5. [`presence::combine::winner`] (`crates/presence/src/combine.rs`) is the rule: which
//!    source wins for a user, and why.
//! 6. [`presence::world::Effect`] (`crates/presence/src/world/mod.rs`): what changed for a
//!    user becomes effects, with the account's next number.
//! 7. [`runtime::outbox::Outbox::put`] and, once the lock is released,
//!    [`runtime::outbox::Outbox::deliver`] (`src/runtime/outbox.rs`) keep their order.
//! 8. [`runtime::host::Publisher::publish_presence`] (`src/host.rs`): Asterisk publishes
//!    `UserPresence:<user>`, so hints change and phones get their NOTIFY; AMI gets its event.
//! 9. [`runtime::feed::Feed::append`] (`src/runtime/feed.rs`): streams and webhooks get the
//!    event of the account.
//! 10. [`runtime::Runtime::status_changed`] (`src/runtime/actions.rs`) has actions carried
//!     out, and [`runtime::Runtime::wake_persister`] (`src/runtime/persister.rs`) has rows
//!     stored in AstDB.
#![forbid(unsafe_code)]

pub mod cluster;
pub mod runtime;
mod sync;
mod trip;
pub mod web;
pub mod webhooks;

#[cfg(all(feature = "asterisk", not(test)))]
mod convert;
#[cfg(any(feature = "asterisk", test))]
mod elf;
#[cfg(all(feature = "asterisk", not(test)))]
mod host;
#[cfg(all(feature = "asterisk", not(test)))]
mod module;
#[cfg(all(feature = "selftest", not(test)))]
mod selftest;
#[cfg(all(feature = "asterisk", not(test)))]
mod surfaces;
#[cfg(all(feature = "asterisk", not(test)))]
mod version;

use trip::trip;
