//! Tests in a real Asterisk. Each test starts its own, in a private directory and on
//! loopback ports, so any number of tests run side by side.
//!
//! `make test` runs them after building what they need. By hand:
//! `cargo test --no-default-features --features in-asterisk --test asterisk`.

mod harness;

mod account;
mod actions;
mod administration;
mod announced;
mod ari;
mod board;
mod board_administration;
mod board_settings;
mod calls;
mod clients;
mod cluster;
mod combine;
mod combining;
mod comebacks;
mod console;
mod databases;
mod devices;
mod dial;
mod dial_load;
mod dialplan;
mod documentation;
mod endurance;
mod extension_state;
mod feature_keys;
mod feed;
mod freepbx;
mod function;
mod help;
mod http;
mod inferred;
mod install;
mod lamps;
mod lists;
mod loading;
mod login;
mod manager;
mod metrics;
mod nodes;
mod openapi;
mod own_settings;
mod panics;
mod people;
mod persistence;
mod phones_alive;
mod pickup;
mod provider;
mod publications;
mod push;
mod queue_view;
mod queues;
mod readers;
mod realtime;
mod reload;
mod route;
mod sample;
mod schedule;
mod selftest;
mod settle;
mod sip;
mod sip_presence;
mod statuses;
mod stock;
mod stock_calls;
mod stock_sip;
mod storm;
mod timed;
mod unload;
mod visibility;
mod webhooks;
mod who_may_what;
