//! `userpresence show webhooks`.

use std::fmt::Write;

use super::show::ago;
use super::table::Table;
use crate::runtime;
use asterisk::cli::{Args, Outcome};
use presence::Time;

/// `userpresence show webhooks`
pub fn show_webhooks(args: &Args<'_>, out: &mut String) -> Outcome {
    if !args.0.is_empty() {
        return Outcome::ShowUsage;
    }
    let now = Time::now();
    let mut table = Table::new([
        "Webhook",
        "Account",
        "Delivered",
        "Last",
        "Failing",
        "Error",
        "Url",
    ]);
    for (spec, shown) in runtime::current()
        .map(|it| it.show_webhooks())
        .into_iter()
        .flatten()
    {
        let failing = shown.failing.map(|since| ago(Some(since.millis()), now));
        let last = match shown.last {
            0 => "none".to_owned(),
            last => last.to_string(),
        };
        // The error may contain text from the receiver.
        let error = shown.error.replace(char::is_control, "?");
        table.rows.push([
            spec.name.to_string(),
            spec.account.to_string(),
            shown.delivered.to_string(),
            last,
            failing.unwrap_or_else(|| "no".into()),
            error,
            spec.url.to_string(),
        ]);
    }
    let count = table.rows.len();
    if count > 0 {
        table.show(out);
    }
    let _ = writeln!(out, "{count} webhook{}", if count == 1 { "" } else { "s" });
    Outcome::Success
}
