//! How soon a change at one node is seen at the others, and what a local change costs.

use std::time::{Duration, Instant};

use crate::harness::cluster::Cluster;
use crate::harness::watchers::Watchers;
use crate::harness::{Ami, Instance};

const ROUNDS: usize = 100;

/// Far above what is measured: only a defect reaches it.
const BOUND: Duration = Duration::from_secs(2);

const DIGIUM: &str = "digium D65";

/// Sets an extension's presence.
fn change(ami: &Ami, extension: &str, round: usize) -> String {
    let token = format!("round {round} of {extension}");
    let state = ["away", "dnd"][round % 2];
    let variable = format!("PRESENCE_STATE(CustomPresence:{extension})");
    let headers = [
        ("Action", "Setvar"),
        ("Variable", variable.as_str()),
        ("Value", &format!("{state},,{token}")),
    ];
    assert!(ami.action(&headers).ok());
    token
}

fn watch(node: &Instance, hint: &str) -> Watchers {
    Watchers::subscribe(node, &[hint.to_owned()], 1, DIGIUM, false)
}

/// When the NOTIFY with this text arrived.
fn seen(watchers: &Watchers, token: &str, begin: Instant) -> Duration {
    let heard = watchers.wait_heard(1, |it| it.text.contains(token));
    let heard = heard.iter().find(|it| it.text.contains(token));
    heard.expect("just waited for").at - begin
}

/// Median and 99 %.
fn parts(mut all: Vec<Duration>) -> [Duration; 2] {
    all.sort();
    [0.5, 0.99].map(|part| all[((all.len() - 1) as f64 * part) as usize])
}

/// A change at A to the NOTIFY of a hint at B and C, in turn with stock's presence at A to the
/// NOTIFY of its hint there.
#[test]
fn a_change_is_soon_seen_at_the_other_nodes() {
    let users = "[alice]\ntype = user\nextension = 200\nextension = 201\n";
    let cluster = Cluster::of(users)
        .members(3)
        .each(|_, builder| {
            builder
                .sip(&[])
                .hint("2000", ",UserPresence:alice")
                .hint("2900", ",CustomPresence:200")
                .hint("stock", ",CustomPresence:stock")
        })
        .start();
    let [a, b, c] = cluster.three();
    let ami = a.ami();
    let stock = watch(a, "stock");
    let local = watch(a, "2000");
    let far = [b, c].map(|node| [watch(node, "2000"), watch(node, "2900")]);
    let (mut by_stock, mut by_local, mut by_far, mut by_written) = Default::default();
    let note = |all: &mut Vec<Duration>, took: Duration| all.push(took);
    for round in 0..ROUNDS {
        let begin = Instant::now();
        let token = change(&ami, "stock", round);
        note(&mut by_stock, seen(&stock, &token, begin));
        let begin = Instant::now();
        let token = change(&ami, "200", round);
        note(&mut by_local, seen(&local, &token, begin));
        for [user, written] in &far {
            note(&mut by_far, seen(user, &token, begin));
            note(&mut by_written, seen(written, &token, begin));
        }
        ami.take_events();
    }
    let all = [
        ("stock's presence to its own NOTIFY", by_stock),
        ("a user's presence to the NOTIFY at its own node", by_local),
        ("a user's presence to the NOTIFY at another node", by_far),
        ("the same, of the extension there", by_written),
    ];
    for (what, took) in all {
        let [median, most] = parts(took);
        println!("{what}: median {median:?}, 99 % {most:?}");
        assert!(most < BOUND, "{what}: {most:?}");
    }
}
