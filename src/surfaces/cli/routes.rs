//! Where calls to a user go.

use crate::runtime;
use std::fmt::Write;

use super::table::Table;
use super::{fail, outcome};
use crate::runtime::store;
use asterisk::cli::{Args, CliResult};
use presence::calls::{self, CallOrigin, Caller, HEADS};
use presence::directory::UserId;
use presence::model::text::quoted;
use presence::views::fields::Query;
use presence::world::World;

/// The result of `look` for the user that `name` means; without one, writes why.
fn of_user<T>(name: &str, out: &mut String, look: impl FnOnce(&World, UserId) -> T) -> Option<T> {
    let found = store::read(|world| Query::find(world, name).map(|user| look(world, user)));
    match found {
        Some(Ok(found)) => Some(found),
        Some(Err(why)) => fail(out, &why),
        None => fail(out, runtime::NOT_RUNNING),
    }
}

/// `userpresence show routes`
pub fn show_routes(args: &Args<'_>, out: &mut String) -> CliResult {
    let [name] = args.0.as_slice() else {
        return CliResult::ShowUsage;
    };
    let found = of_user(name, out, |world, user| {
        let name = world.directory().get(user).name.clone();
        let ignored = calls::ignored(world, user);
        let table = calls::table(world, user);
        let elsewhere = calls::elsewhere::of_user(world, user);
        (name, world.dnd_status(user), table, ignored, elsewhere)
    });
    outcome(found.map(|(name, dnd, rows, ignored, elsewhere)| {
        let is_own = |row: &calls::Row| row.iter().any(|cell| cell.ends_with(" (own)"));
        let own = rows.iter().any(is_own);
        let mut table = Table::new(HEADS);
        table.rows = rows;
        table.show(out);
        out.push_str("* marks the current status\n");
        if own {
            let _ = writeln!(out, "(own) marks what {name} has set, over the section");
        }
        for ignored in ignored {
            let _ = writeln!(out, "For {name}, {ignored}");
        }
        for phone in elsewhere {
            let _ = writeln!(out, "{phone}");
        }
        if !dnd.accepts_calls() {
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "{name} refuses all calls ({}) except from always_accept",
                dnd.name()
            );
        }
    }))
}

/// `userpresence explain <name> internal|external`
pub fn explain_route(name: &str, origin: &str, out: &mut String) -> CliResult {
    let Ok(origin) = CallOrigin::parse(origin) else {
        let origin = quoted(origin);
        let why = format!("unknown origin '{origin}', expected internal, external or from");
        return outcome(fail(out, &why));
    };
    explain_call(name, |_, _| origin.into(), out)
}

/// `userpresence explain <name> from <caller>`
pub fn explain_from(name: &str, caller: &str, out: &mut String) -> CliResult {
    explain_call(name, |world, user| Caller::find(world, user, caller), out)
}

fn explain_call(
    name: &str,
    caller: impl FnOnce(&World, UserId) -> Caller,
    out: &mut String,
) -> CliResult {
    let text = of_user(name, out, |world, user| {
        calls::explain(world, user, &caller(world, user))
    });
    outcome(text.map(|text| out.push_str(&text)))
}
