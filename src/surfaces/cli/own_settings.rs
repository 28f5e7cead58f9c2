//! The settings that users make for themselves.

use std::fmt::Write;

use super::table::Table;
use super::{change, fail, outcome};
use crate::runtime::own_settings::SettingsRefusal;
use crate::runtime::{self, own_settings, store};
use asterisk::cli::{Args, CliResult};
use presence::calls::effective_settings::EffectiveSettings;
use presence::calls::{self, EffectiveForward};
use presence::model::own_settings::{SettingsPatch, SettingsPath};
use presence::views::fields::Query;

/// `userpresence set settings`
pub fn set(args: &Args<'_>, out: &mut String) -> CliResult {
    let (name, changed) = match args.0.as_slice() {
        [name, json @ ..]
            if json
                .first()
                .is_some_and(|it| it.trim_start().starts_with('{')) =>
        {
            (name, patch(name, &json.join(" ")))
        }
        [name, item, value @ ..] if SettingsPath::parse(item).is_ok() && !value.is_empty() => {
            let changed = SettingsPath::parse(item)
                .map_err(SettingsRefusal::Invalid)
                .and_then(|item| own_settings::set_item(name, item, &value.join(" ")));
            (name, changed)
        }
        [] => return CliResult::ShowUsage,
        // A status for a user whose name is `settings`.
        _ if is_user("settings") => {
            let words = std::iter::once("settings").chain(args.0.iter().copied());
            return change::set(&Args(words.collect()), out);
        }
        [_, item, ..] => match SettingsPath::parse(item) {
            Err(why) => return outcome(fail(out, &why)),
            Ok(_) => return CliResult::ShowUsage,
        },
        [_] => return CliResult::ShowUsage,
    };
    match changed {
        Ok(()) => {
            let _ = writeln!(out, "Settings of '{name}' changed.");
            CliResult::Success
        }
        Err(why) => outcome(fail(out, &why.to_string())),
    }
}

fn is_user(name: &str) -> bool {
    store::read(|world| Query::find(world, name).is_ok()).unwrap_or(false)
}

/// Applies a patch, as the console has left it.
fn patch(name: &str, json: &str) -> Result<(), SettingsRefusal> {
    if let Err(why) = SettingsPatch::parse(json) {
        let why = format!("{why}; the console removes quotes: write \\\" inside quotes");
        return Err(SettingsRefusal::Invalid(why));
    }
    own_settings::patch(name, json)
}

/// `userpresence show settings <name>`
pub fn show(name: &str, out: &mut String) -> CliResult {
    let found = store::read(|world| {
        let user = Query::find(world, name)?;
        let status = world.settings_status(user).to_owned();
        let state = world.chosen(user).presence.state();
        let forwards = calls::effective(world, user, state, &status);
        let settings = world.own_settings(user);
        let json = settings.map_or_else(|| "{}".to_owned(), |it| it.json().to_owned());
        let (ignored, allowed) = (calls::ignored(world, user), calls::allowed(world, user));
        let items = EffectiveSettings::rows(world, user, &status);
        Ok::<_, String>((status, forwards, json, ignored, allowed, items))
    });
    let (status, forwards, json, ignored, allowed, items) = match found {
        Some(Ok(found)) => found,
        Some(Err(why)) => return outcome(fail(out, &why)),
        None => return outcome(fail(out, runtime::NOT_RUNNING)),
    };
    let _ = writeln!(out, "Own settings: {json}");
    let areas = allowed.items.iter().map(|item| (*item).to_owned());
    for (what, words) in [
        ("set", areas.collect()),
        ("forward to", allowed.forward),
        ("ring", allowed.endpoints),
        ("have as default", allowed.extensions),
    ] {
        let words = match words.is_empty() {
            true => "none".to_owned(),
            false => words.join(","),
        };
        let _ = writeln!(out, "May {what}: {words}");
    }
    let _ = writeln!(out, "Forwards in status {status}:");
    let mut table = Table::new(["Call", "When", "Target", "Goes to", "Set by"]);
    table.rows = forwards.iter().map(row).collect();
    table.show(out);
    let _ = writeln!(out, "Other settings in status {status}:");
    let mut table = Table::new(["Item", "Value", "Set by"]);
    table.rows = items;
    table.show(out);
    for ignored in ignored {
        let _ = writeln!(out, "Not carried out: {ignored}");
    }
    CliResult::Success
}

fn row(forward: &EffectiveForward) -> [String; 5] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        forward.origin.name().to_owned(),
        forward.when.name().to_owned(),
        or_dash(forward.target.clone()),
        or_dash(forward.destination.as_ref().map(ToString::to_string)),
        or_dash(forward.set_by.as_ref().map(ToString::to_string)),
    ]
}
