//! `userpresence.conf` and the realtime families, as typed settings.
//!
//! Asterisk's own parser has read the text. Here its sections become [`Settings`] and
//! [`UserSpec`]s, or problems that name the location and what was expected. Every section is
//! read the same way: see `reader.rs`.

mod action;
mod api_user;
mod changes;
mod cluster;
mod definitions;
mod dialplan;
mod directory_rows;
mod feedback;
pub mod file;
mod form;
mod general;
mod graph;
mod group_lists;
mod handling;
mod ids;
mod inputs;
mod logins;
mod node;
mod password;
mod people;
mod publish;
mod reach;
mod reader;
mod rule;
mod section;
mod settings;
mod show;
mod sorted;
mod status;
mod tables;
mod url;
mod user;
mod users;
mod value;
pub mod webhook;

use std::sync::Arc;

pub use api_user::{ApiUser, Http, ShownCalls};
pub use changes::{parse_changes, parse_row};
pub use cluster::{Cluster, is_node_name};
pub use definitions::Definitions;
pub use directory_rows::DirectoryRows;
pub use form::{Form, FormKind, SectionForm};
pub use node::{Node, NodeDial};
pub use password::PasswordKinds;
pub use section::{Location, Origin, Problem, Section, Variable};
pub use settings::{Lists, LoginStatuses, Outgoing, Rule, Schedule, Settings, Sip};
use sorted::Sorted;
pub use sorted::{section_forms, section_options};
pub use user::{InputKind, InputSpec, Publish, UserSpec};
use users::Users;
pub use webhook::Webhook;

/// Whether the system knows a time zone of that name, such as `Europe/Berlin`.
pub type IsTimezone<'a> = &'a dyn Fn(&str) -> bool;

/// A parsed configuration.
#[derive(Default, Debug)]
pub struct Parsed {
    /// The settings of `[general]`, with the definitions of other sections.
    pub settings: Settings,
    /// The users whose sections have no error.
    pub users: Vec<UserSpec>,
    /// Errors in `[general]`: a load declines.
    pub general_errors: Vec<Problem>,
    /// Errors in other sections: a load leaves these sections out.
    pub errors: Vec<Problem>,
    /// Oddities that do not prevent a load.
    pub warnings: Vec<Problem>,
}

impl Parsed {
    /// Every error, those of `[general]` first.
    pub fn all_errors(&self) -> impl Iterator<Item = &Problem> {
        self.general_errors.iter().chain(&self.errors)
    }
}

/// Parses the file's sections and then the realtime rows. `host_name` is the name of this server.
pub fn parse(
    file: &[Section],
    realtime: &[Section],
    host_name: &str,
    is_timezone: IsTimezone<'_>,
) -> Parsed {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    let sorted = Sorted::new(file, &mut errors);
    let definitions = Arc::new(Definitions::parse(&sorted, &mut errors, &mut warnings));
    let mut general_errors = Vec::new();
    let mut settings = general::parse(
        &sorted.general,
        definitions,
        is_timezone,
        &mut general_errors,
        &mut warnings,
    );
    let mut users = Users::new(&settings, is_timezone);
    for (index, section) in sorted.users {
        users.add(Origin::File, index, section);
    }
    for (index, row) in realtime.iter().enumerate() {
        users.add(Origin::Realtime, index as u32, row);
    }
    let (specs, mut of_users, warnings_of_users) = users.finish();
    errors.append(&mut of_users);
    let specs = ids::check(specs, file, realtime, &mut errors);
    let users = graph::check(specs, file, realtime, &mut errors, &mut warnings);
    reach::check(&users, file, realtime, &mut warnings);
    group_lists::check(&users, &settings.lists, file, realtime, &mut warnings);
    let http = Arc::make_mut(&mut settings.http);
    http.add_users(&sorted.api_users, &users, &mut errors, &mut warnings);
    logins::check(&users, http, file, realtime, &mut warnings);
    for account in http.accounts_without_users(&users) {
        let section = sorted.general.first();
        let mut variables = section.iter().flat_map(|section| &section.variables);
        let variable = variables.find(|it| it.name.eq_ignore_ascii_case("show_calls"));
        warnings.extend(section.map(|section| Problem {
            location: section::location(Origin::File, section, variable),
            message: format!("no user belongs to the account '{account}'"),
        }));
    }
    let journal = http.journal;
    settings.webhooks = webhook::parse(
        &sorted.webhooks,
        &users,
        journal,
        &mut errors,
        &mut warnings,
    );
    let cluster = &sorted.clusters;
    settings.cluster = cluster::parse(cluster, host_name, &mut errors, &mut warnings);
    let has_cluster = !sorted.clusters.is_empty();
    settings.nodes = node::parse(&sorted.nodes, has_cluster, &mut errors, &mut warnings);
    warnings.extend(warnings_of_users);
    Parsed {
        settings,
        users,
        general_errors,
        errors,
        warnings,
    }
}

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
