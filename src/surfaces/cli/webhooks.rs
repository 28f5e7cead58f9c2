//! `userpresence show webhooks`.

use std::fmt::Write;

use super::show::ago;
use super::table::Table;
use crate::runtime;
use crate::webhooks::Posting;
use asterisk::cli::{Args, CliResult};
use presence::Time;

/// `userpresence show webhooks`
pub fn show_webhooks(args: &Args<'_>, out: &mut String) -> CliResult {
    if !args.0.is_empty() {
        return CliResult::ShowUsage;
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
    let posting = runtime::current().map(|it| it.posting());
    let _ = match posting.filter(|_| count > 0) {
        None | Some(Posting::Here(0)) => Ok(()),
        Some(Posting::Here(_)) => writeln!(out, "This node posts"),
        Some(Posting::Elsewhere(Some(node))) => writeln!(out, "Node '{node}' posts, not this one"),
        Some(Posting::Elsewhere(None)) => {
            writeln!(out, "No node posts: see 'userpresence show cluster'")
        }
    };
    CliResult::Success
}
