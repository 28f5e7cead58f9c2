//! Several Asterisks share their users through etcd.

pub mod etcd;
