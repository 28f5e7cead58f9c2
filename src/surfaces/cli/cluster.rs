//! `userpresence show cluster`.

use std::fmt::Write;
use std::time::Duration;

use super::show::ago;
use super::table::Table;
use crate::cluster::{ClusterView, NodeView, Standing};
use crate::runtime;
use asterisk::cli::{Args, CliResult};
use presence::Time;

/// `userpresence show cluster`
pub fn show_cluster(args: &Args<'_>, out: &mut String) -> CliResult {
    if !args.0.is_empty() {
        return CliResult::ShowUsage;
    }
    let Some(view) = runtime::current().and_then(|it| it.cluster().view()) else {
        let _ = writeln!(
            out,
            "This server shares its users with no other: the configuration has no section of \
             type = cluster."
        );
        return CliResult::Success;
    };
    show(&view, out);
    CliResult::Success
}

fn show(view: &ClusterView, out: &mut String) {
    let now = Time::now();
    let since = ago(Some(view.since.millis()), now);
    let standing = match &view.standing {
        Standing::Joining => "joining".to_owned(),
        Standing::Joined(server) => format!("joined through {server}, {since}"),
        Standing::Alone(why) => format!("alone, {since}: {why}"),
        Standing::Refused(why) => format!("refused, {since}: {why}"),
    };
    let (last, worst) = view.lag;
    let lag = match (last, worst) {
        (Some(last), Some(worst)) => {
            format!("{}, at most {} in the last minute", millis(last), millis(worst))
        }
        (Some(last), None) => millis(last),
        _ => "not measured".to_owned(),
    };
    let clock = match view.offset {
        0 => "the system's".to_owned(),
        offset => format!("corrected by {} s to agree with the other nodes", seconds(offset)),
    };
    let counts = &view.counts;
    let lines = [
        ("Node", view.node.to_string()),
        ("Standing", standing),
        ("Prefix", view.prefix.to_string()),
        (
            "Keeper",
            view.keeper.as_deref().unwrap_or("none").to_owned(),
        ),
        ("Waiting", keys(view.waiting)),
        ("Lag", lag),
        ("Clock", clock),
        ("Revision", view.revision.to_string()),
        (
            "Counts",
            format!(
                "{} transactions, {} keys written, {} of them merged with another node's, {} \
                 changes received, {} failures",
                counts.transactions,
                counts.written,
                counts.conflicts,
                counts.received,
                counts.failures
            ),
        ),
    ];
    for (label, value) in lines {
        // A reason may contain text from etcd.
        let value = value.replace(char::is_control, "?");
        let _ = writeln!(out, "{:<10}{value}", format!("{label}:"));
    }
    let _ = writeln!(out);
    let mut table = Table::new([
        "Node", "State", "Since", "Host", "Version", "Users", "Clock", "Configuration",
    ]);
    for node in &view.nodes {
        table.rows.push(row(view, node, now));
    }
    let here = view.nodes.iter().filter(|node| node.is_here).count();
    if !view.nodes.is_empty() {
        table.show(out);
    }
    let _ = writeln!(out, "{here} node{}", if here == 1 { "" } else { "s" });
}

fn row(view: &ClusterView, node: &NodeView, now: Time) -> [String; 8] {
    let state = match (node.is_here, node.is_self) {
        (true, true) => "here (this one)",
        (true, false) => "here",
        (false, _) => "gone",
    };
    // What a node has written of itself is that node's.
    let text = |text: &str| text.replace(char::is_control, "?");
    let clock = match node.ahead {
        _ if node.is_self => String::new(),
        Some(ahead) => format!("{} s", seconds(ahead)),
        None => "unknown".to_owned(),
    };
    let configuration = match node.differs {
        true => format!("differs from {}", view.node),
        false => "the same".to_owned(),
    };
    [
        node.name.to_string(),
        state.to_owned(),
        ago(Some(node.since.millis()), now),
        text(&node.record.host),
        text(&node.record.version),
        node.record.users.to_string(),
        clock,
        configuration,
    ]
}

fn keys(count: usize) -> String {
    match count {
        0 => "nothing".to_owned(),
        1 => "1 key".to_owned(),
        many => format!("{many} keys"),
    }
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// Seconds with their sign: `+0.004`.
fn seconds(micros: i64) -> String {
    format!("{:+.3}", micros as f64 / 1e6)
}
