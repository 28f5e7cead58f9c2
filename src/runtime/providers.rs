//! Asking the providers of sources.

use std::collections::{HashMap, HashSet};

use rustc_hash::FxBuildHasher;

use super::host::{Host, RawPresence};
use presence::State;
use presence::model::address::{self, CUSTOM_LABEL, USER_LABEL};

/// The answers of CustomPresence by its rows in AstDB: `not_set` for every address without a
/// row, so that 300,000 addresses need not be asked for.
pub struct CustomPresences {
    /// `None` where there is no such provider.
    rows: Option<HashSet<String, FxBuildHasher>>,
}

impl CustomPresences {
    /// Reads the rows.
    pub fn find(host: &dyn Host) -> Self {
        // The module with the provider brings this function too. Asked for an address without
        // it, the core would log a warning.
        let answers = host.function_exists("PRESENCE_STATE");
        let rows = answers.then(|| host.tree(CUSTOM_LABEL, "").into_iter());
        CustomPresences {
            rows: rows.map(|rows| rows.map(|(key, _)| key).collect()),
        }
    }

    /// Whether it is an address for which CustomPresence answers `not_set`.
    pub fn is_silent(&self, address: &str) -> bool {
        let custom = address::below(address, CUSTOM_LABEL);
        let known = custom.zip(self.rows.as_ref());
        known.is_some_and(|(name, rows)| !rows.contains(name))
    }
}

/// Asks providers, but not again and again one that is not loaded: for each address of such
/// a label Asterisk's core would log a warning.
pub struct ProviderProbe<'a> {
    host: &'a dyn Host,
    /// Whether a label has answered, and how often it did not.
    asked: HashMap<String, (bool, u32)>,
    customs: Option<CustomPresences>,
}

/// A label that has not answered so often is not asked any more.
const ENOUGH: u32 = 3;

impl<'a> ProviderProbe<'a> {
    /// Asks that Asterisk, and CustomPresence's rows where they are given.
    pub fn new(host: &'a dyn Host, customs: Option<CustomPresences>) -> Self {
        ProviderProbe {
            host,
            asked: HashMap::new(),
            customs,
        }
    }

    /// The answer of the address's provider. `None` where it has none, and for a user of this
    /// module: one that exists is no address to ask for, another takes no part.
    pub fn ask(&mut self, address: &str) -> Option<RawPresence> {
        if address::below(address, USER_LABEL).is_some() {
            return None;
        }
        let label = address::split(address).map_or("", |(label, _)| label);
        let (good, failures) = self.asked.entry(label.to_ascii_lowercase()).or_default();
        if !*good && *failures >= ENOUGH {
            return None;
        }
        let is_silent = |customs: &CustomPresences| customs.is_silent(address);
        if self.customs.as_ref().is_some_and(is_silent) {
            return Some(RawPresence {
                state: State::NotSet,
                subtype: Vec::new(),
                message: Vec::new(),
            });
        }
        let answer = self.host.ask_presence(address);
        match answer {
            Some(_) => *good = true,
            None => *failures += 1,
        }
        answer
    }
}
