//! `make bench`: speed and memory, measured against stock in the same Asterisk.
//!
//! Prints the table of the README. Every figure is the best of several rounds in one
//! process; the ratios count, because machines are noisy.

#[path = "../tests/asterisk/harness/mod.rs"]
mod harness;

use std::fmt::Write;

use harness::Instance;

const USERS: usize = 100_000;
const TEXT: &str = "away,lunch,Back at one";

fn main() {
    let small = start(100);
    small.set_custom("u0-0", TEXT);
    small.set_custom("stock", TEXT);
    println!("| what | time | against | ratio | wanted |\n|---|---|---|---|---|");
    reads(&small);
    events(&small);
    combining(&small);
    let change = time(&small, "change", "CustomPresence:u1-0", 20_000);
    let publishes = time(&small, "publish_new", "CustomPresence:new-", USERS as u32);
    drop(small);
    large(change, publishes * USERS as f64 / 1e9);
}

fn users(count: usize) -> String {
    let mut text = String::from("[general]\n");
    for user in 0..count {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "[u{user}]\ntype = user");
        for extension in 0..3 {
            let _ = writeln!(text, "extension = u{user}-{extension}");
        }
    }
    text += "[eight]\ntype = user\n";
    for extension in 0..8 {
        let _ = writeln!(text, "extension = e{extension}");
    }
    text
}

fn start(count: usize) -> Instance {
    Instance::selftest().userpresence(&users(count)).start()
}

/// Nanoseconds of one call.
fn time(ast: &Instance, what: &str, argument: &str, calls: u32) -> f64 {
    let answer = ast.cli(&format!(
        "userpresence selftest time {what} \"{argument}\" {calls}"
    ));
    answer
        .trim()
        .parse()
        .unwrap_or_else(|_| panic!("{what} {argument}: {answer}"))
}

fn row(what: &str, nanos: f64, against: &str, stock: f64, wanted: &str) {
    let ratio = nanos / stock;
    println!("| {what} | {nanos:.0} ns | {against} {stock:.0} ns | {ratio:.2} | {wanted} |");
}

fn reads(ast: &Instance) {
    let stock = "${PRESENCE_STATE(CustomPresence:stock,value)}";
    let stock = time(ast, "substitute", stock, 20_000);
    let against = "`${PRESENCE_STATE(CustomPresence:…,value)}`";
    for ours in [
        "${USER_PRESENCE(u0)}",
        "${PRESENCE_STATE(UserPresence:u0,value)}",
    ] {
        let nanos = time(ast, "substitute", ours, 20_000);
        row(&format!("`{ours}`"), nanos, against, stock, "");
    }
    let stock = time(ast, "ask", "CustomPresence:stock", 20_000);
    let nanos = time(ast, "ask", "UserPresence:u0", 20_000);
    row(
        "the provider's answer",
        nanos,
        "CustomPresence's",
        stock,
        "at most 0.167 (6 times faster)",
    );
}

fn events(ast: &Instance) {
    let stock = time(ast, "publish", "CustomPresence:stock", 5_000);
    let nanos = time(ast, "published", "CustomPresence:u0-0", 5_000);
    let what = "a source's event to the end of the combined publish";
    row(what, nanos, "one stock publish", stock, "at most 2.2");
    let nanos = time(ast, "event", "CustomPresence:u0-0", 5_000);
    row(
        "the same with the AMI event to a listener after it",
        nanos,
        "one stock publish",
        stock,
        "",
    );
}

fn combining(ast: &Instance) {
    let nanos = time(ast, "combine", "eight", 20_000);
    println!("| combining eight sources | {nanos:.0} ns | | | under 200 ns |");
}

/// 100,000 users with three extensions each.
fn large(change: f64, publishes: f64) {
    let ast = Instance::selftest().userpresence(&users(USERS)).start();
    let log = ast.wait_log("sources loaded in ");
    let took = log
        .split("sources loaded in ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let took: f64 = took
        .and_then(|took| took.parse().ok())
        .expect("milliseconds");
    let took = took / 1000.0;
    println!(
        "| load of 100,000 users with three extensions | {took:.2} s | 100,000 new addresses \
         published by stock {publishes:.2} s | {:.2} | under 3 s |",
        took / publishes
    );
    let held: f64 = ast
        .cli("userpresence selftest memory")
        .trim()
        .parse()
        .expect("a number");
    println!(
        "| memory a user | {:.0} bytes | | | under 1 kB |",
        held / USERS as f64
    );
    let stock = time(&ast, "publish", "CustomPresence:stock", 5_000);
    let nanos = time(&ast, "published", "CustomPresence:u0-0", 5_000);
    row(
        "the same event with 100,000 users",
        nanos,
        "one stock publish there",
        stock,
        "at most 2.2",
    );
    let nanos = time(&ast, "change", "CustomPresence:u1-0", 20_000);
    row(
        "a change, without telling Asterisk",
        nanos,
        "with 100 users",
        change,
        "at most 1.3",
    );
    let what = "${USER_PRESENCE(u77777)}";
    let stock = time(
        &ast,
        "substitute",
        "${PRESENCE_STATE(CustomPresence:stock,value)}",
        20_000,
    );
    let nanos = time(&ast, "substitute", what, 20_000);
    row(
        &format!("`{what}` of 100,000"),
        nanos,
        "stock there",
        stock,
        "",
    );
}
