//! Tests in a real Asterisk: each starts its own, in a private directory and on
//! loopback ports, so any number run side by side.
//!
//! `make test` runs them after building what they need. By hand:
//! `cargo test --no-default-features --features in-asterisk --test asterisk`.

mod harness;

mod combine;
mod combining;
mod panics;
mod people;
mod selftest;
mod stock;
mod stock_sip;
