//! The configuration as a text that can be changed: sections with their places, changes of
//! them, and the text with these changes.
//!
//! Lines that nothing changes stay byte for byte, so comments, order, templates, directives
//! and the ends of lines are kept. What Asterisk's parser reads afterwards is worked out
//! beforehand, and has to be what it then reads.

mod change;
mod document;
mod expected;
mod guard;
mod merge;
mod options;
mod parts;
mod pieces;
mod render;
mod rows;
mod scan;

pub use change::{
    ChangePlan, FileProblem, OptionsChange, PlannedSection, SectionChange, WantedOption, plan,
};
pub use document::{
    ConfigDocument, ConfigEntry, ConfigFile, ConfigOption, PlacedSection, SectionLines,
};
pub use guard::{fixed, is_secret};
pub use merge::Merged;
pub use render::{SectionText, WriteSection, render};
pub use rows::{PlannedRow, join_columns, plan_row, row_columns};
pub use scan::{Directive, FileLine, ScannedLine, scan};

#[cfg(test)]
mod tests;
