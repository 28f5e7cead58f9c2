//! `userpresence show publications`.

use std::fmt::Write;

use super::show::ago;
use super::table::Table;
use crate::runtime;
use crate::runtime::store;
use asterisk::cli::{Args, CliResult};
use presence::model::publication::Publication;
use presence::world::World;

/// `userpresence show publications`
pub fn show_publications(args: &Args<'_>, out: &mut String) -> CliResult {
    if !args.0.is_empty() {
        return CliResult::ShowUsage;
    }
    let Some(runtime) = runtime::current() else {
        out.push_str(runtime::NOT_RUNNING);
        return CliResult::Failure;
    };
    let mut all = runtime.publications().all();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let now = store::now();
    let mut table = Table::new(["Phone", "Publishes", "Note", "Changed", "Users"]);
    for (device, latest) in all {
        // One lock for each phone: a long list never delays a change.
        let users = store::read(|world| users_of(world, &device)).unwrap_or_default();
        table.rows.push([
            device,
            words(&latest.publication),
            latest.publication.note.to_string(),
            ago(Some(latest.at.millis()), now),
            users,
        ]);
    }
    let count = table.rows.len();
    table.show(out);
    let _ = writeln!(out, "{count} phone{}", if count == 1 { "" } else { "s" });
    CliResult::Success
}

/// `open, away, meeting`
fn words(publication: &Publication) -> String {
    let open = publication
        .open
        .map(|open| if open { "open" } else { "closed" });
    let activities = publication.activities.iter().map(|word| &**word);
    let im = Some(&*publication.im).filter(|text| !text.is_empty());
    let all: Vec<&str> = open.into_iter().chain(activities).chain(im).collect();
    all.join(", ")
}

/// `alice: away (lunch), bob: xa`
fn users_of(world: &World, device: &str) -> String {
    let directory = world.directory();
    let device = directory.device(device);
    let users = device.map(|device| directory.users_of_publisher(device));
    let users = users.unwrap_or_default().into_iter().filter_map(|id| {
        let user = directory.get(id);
        let mut all = world.publications(user);
        let source = all.find(|source| Some(source.device) == device)?;
        Some(format!("{}: {}", user.name, source.presence))
    });
    users.collect::<Vec<_>>().join(", ")
}
