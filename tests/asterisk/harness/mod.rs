//! A real Asterisk for a test: private, on loopback, gone when the test ends.
//!
//! ```ignore
//! let ast = Instance::builder()
//!     .userpresence("[alice]\ntype = user\nextension = 200\n")
//!     .hint("2000", "PJSIP/2000,UserPresence:alice")
//!     .start();
//! ast.set_custom("200", "away,lunch,Back at one");
//! assert_eq!(ast.getvar("USER_PRESENCE(alice)"), "away");
//! ```
//!
//! The harness never sleeps for a fixed time: it waits for the effect itself, with a
//! timeout so generous that only a real failure reaches it.
#![allow(
    dead_code,
    reason = "a toolbox: not every test run uses every tool in it"
)]

mod ami;
pub mod api;
pub mod ari;
mod ask;
pub mod barrier;
mod browser;
mod builder;
mod calendar;
mod calls;
pub mod changes;
pub mod client;
pub mod cluster;
mod config;
mod cut;
pub mod database;
mod dialplan;
mod disk;
pub mod etcd;
mod events;
pub mod feature_phone;
mod firefox;
mod hints;
mod http;
mod instance;
mod layout;
mod list;
mod log;
mod message;
mod modules;
mod namespace;
pub mod network;
mod paths;
mod phone;
mod ports;
mod process;
pub mod publisher;
mod queue;
pub mod readers;
mod receiver;
mod root;
mod sip;
mod sipp;
pub mod statuses;
pub mod users;
mod view;
mod wait;
pub mod watchers;

#[allow(unused_imports, reason = "as above")]
pub use self::{
    ami::Ami,
    browser::{Browser, key},
    builder::Builder,
    calls::Channel,
    cut::{Cut, Link},
    disk::Lock,
    etcd::{EtcdCluster, Links},
    events::{Event, EventStream},
    firefox::Firefox,
    hints::Hint,
    http::Answer,
    instance::{Instance, MODULE},
    list::{ListNotify, ListSubscriber},
    message::Message,
    modules::sets,
    paths::{built_module, has_test_commands, repository_file},
    phone::Phone,
    publisher::{Published, Publisher},
    queue::Caller,
    receiver::{Answering, Post, Receiver, TlsReceiver, certificate},
    root::{root, skip, skipped_without_sip},
    sip::{Notify, Presence, Subscriber},
    sipp::Sipp,
    view::View,
    wait::{PATIENCE, now, poll, wait_until},
};
