//! The documentation names what the module has, and nothing else. Each list is compared as a
//! set, with what the running module itself answers wherever it can answer.

mod cluster;
mod exchange;
mod module;
pub mod pages;
mod prose;
mod texts;
