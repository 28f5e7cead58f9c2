//! `make bench`: speed and memory, compared with stock in the same Asterisk.
//!
//! Prints the documented table. Every figure is the best of several rounds in one process.
//! The ratios matter, because machines are noisy.

#[path = "speed/cluster.rs"]
mod cluster;
#[path = "../tests/asterisk/harness/mod.rs"]
mod harness;
#[path = "speed/phones.rs"]
mod phones;
#[path = "speed/size.rs"]
mod size;

use std::fmt::Write;
use std::time::Instant;

use harness::Instance;
use harness::api::{api_user, login};
use harness::readers::{Readers, SETTER};

const USERS: usize = 100_000;
/// The handling of calls to all users.
const HANDLING: &str = "[general]\nhandling = all\nmobile_prefix = 0\n\
    [all]\ntype = handling\nforward_external_noanswer = ${EXTENSION}@later\nring_mobile = yes\n\
    [all-away]\ntype = handling\nset = all\nstatus = away\n\
    forward_external_busy = u5-0@default\n";
const TEXT: &str = "away,lunch,Back at one";

/// Runs every measurement, or those that the arguments name:
/// `cargo bench ... -- size pages`.
fn main() {
    println!("| measurement | result | compared with | ratio | goal |\n|---|---|---|---|---|");
    let named: Vec<String> = std::env::args().skip(1).collect();
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let wanted = |what: &str| {
        let mut named = named.iter().filter(|name| !name.starts_with('-'));
        named.clone().next().is_none() || named.any(|name| *name == what)
    };
    if wanted("speed") {
        speed();
    }
    if wanted("feed") {
        feed();
    }
    if wanted("pages") {
        size::pages();
    }
    if wanted("phones") {
        phones::measure();
    }
    if wanted("size") {
        size::measure();
    }
    if wanted("cluster") {
        cluster::measure();
    }
}

/// Milliseconds of one request, the best of several.
fn page(ast: &Instance, target: &str) -> f64 {
    let login = login("panel");
    let once = || {
        let begin = Instant::now();
        let answer = ast.http("GET", &format!("/userpresence/{target}"), &[&login], "");
        let took = begin.elapsed().as_secs_f64() * 1e3;
        let expected = if target == "v1/nothing" { 404 } else { 200 };
        assert_eq!(answer.status, expected, "{target}: {}", answer.body);
        took
    };
    (0..100).map(|_| once()).fold(f64::MAX, f64::min)
}

fn speed() {
    let small = start(100);
    small.set_custom("u0-0", TEXT);
    small.set_custom("stock", TEXT);
    reads(&small);
    events(&small, "");
    let (combine, change) = alone(&small);
    println!("| combining eight sources | {combine:.0} ns | | | under 200 ns |");
    let publishes = time(&small, "publish_new", "CustomPresence:new-", USERS as u32);
    drop(small);
    large(change, publishes * USERS as f64 / 1e9);
}

/// Two hundred readers of the account's events and two hundred changes per second, for a
/// minute: the delay of each change to each reader.
fn feed() {
    const READERS: usize = 200;
    const CHANGERS: usize = 50;
    let users = (0..CHANGERS).map(|user| format!("[u{user}]\ntype = user\nmethod = none\n"));
    let users: String = users.collect();
    let general = format!(
        "[general]\nhttp_readers = {READERS}\nhttp_readers_each = {READERS}\nhttp_rate = 1000\n"
    );
    let ast = Instance::builder()
        .userpresence(&format!("{general}{users}{}", api_user("panel", "")))
        .http()
        .http_sessions(READERS + 10)
        .ami_user(SETTER, "", "call")
        .start();
    let mut readers = Readers::open(&ast, READERS, &login("panel"));
    let seen = readers.follow(&ast, CHANGERS, 12_000, 200);
    let millis = |part: f64| seen.delay(part).as_secs_f64() * 1e3;
    println!(
        "| delay of a change to each of {READERS} readers, 200 per second for a minute: median, 99 %, \
         maximum | \
         {:.1} ms, {:.1} ms, {:.1} ms | | {} of {READERS} readers complete, {} events out of order | 99 % \
         under 50 ms |",
        millis(0.5),
        millis(0.99),
        millis(1.0),
        seen.complete,
        seen.disordered,
    );
}

fn users(count: usize) -> String {
    let mut text = String::from(HANDLING);
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

/// The best time of each, taken in turn several times, so that a slow moment of the
/// machine does not hit only one of the two.
fn pair(ast: &Instance, ours: (&str, &str), stock: (&str, &str), calls: u32) -> (f64, f64) {
    (0..7).fold((f64::MAX, f64::MAX), |best, _| {
        let stock = time(ast, stock.0, stock.1, calls);
        let ours = time(ast, ours.0, ours.1, calls);
        (best.0.min(ours), best.1.min(stock))
    })
}

const STOCK_READ: (&str, &str) = (
    "substitute",
    "${PRESENCE_STATE(CustomPresence:stock,value)}",
);

fn read(ast: &Instance, ours: &str, what: &str) {
    let (nanos, stock) = pair(ast, ("substitute", ours), STOCK_READ, 20_000);
    let against = "`${PRESENCE_STATE(CustomPresence:…,value)}`";
    row(what, nanos, against, stock, "");
}

fn reads(ast: &Instance) {
    for ours in [
        "${USER_PRESENCE(u0)}",
        "${PRESENCE_STATE(UserPresence:u0,value)}",
    ] {
        read(ast, ours, &format!("`{ours}`"));
    }
    let stock = ("ask", "CustomPresence:stock");
    let (nanos, stock) = pair(ast, ("ask", "UserPresence:u0"), stock, 20_000);
    let wanted = "at most 0.167 (6 times faster)";
    row(
        "an answer of the provider",
        nanos,
        "an answer of CustomPresence",
        stock,
        wanted,
    );
}

fn events(ast: &Instance, with: &str) {
    let stock = ("publish", "CustomPresence:stock");
    let ours = ("published", "CustomPresence:u0-0");
    let (nanos, publish) = pair(ast, ours, stock, 5_000);
    let what = format!("from a source's event to the end of the user's publish{with}");
    row(&what, nanos, "one stock publish", publish, "at most 1.6");
    let ours = ("event", "CustomPresence:u0-0");
    let (nanos, publish) = pair(ast, ours, stock, 5_000);
    let what = format!("the same, with an AMI event for one client{with}");
    row(&what, nanos, "one stock publish", publish, "at most 4");
}

/// Nanoseconds to combine eight sources, and to make a change without publishing it.
fn alone(ast: &Instance) -> (f64, f64) {
    let change = ("change", "CustomPresence:u1-0");
    pair(ast, ("combine", "eight"), change, 20_000)
}

/// Starts with 100,000 users with three extensions each, and returns the seconds of the
/// load.
fn load() -> (Instance, f64) {
    let ast = Instance::selftest().userpresence(&users(USERS)).start();
    let log = ast.wait_log("sources loaded in ");
    let took = log.split("sources loaded in ").nth(1);
    let took = took.and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
    (ast, took.expect("milliseconds") / 1000.0)
}

fn large(change: f64, publishes: f64) {
    let (_, first) = load();
    let (_, second) = load();
    let (ast, third) = load();
    let took = first.min(second).min(third);
    println!(
        "| load of 100,000 users with three extensions | {took:.2} s | 100,000 new addresses \
         published by stock {publishes:.2} s | {:.2} | under 3 s |",
        took / publishes
    );
    let held = ast.cli("userpresence selftest memory");
    // The module's bytes come first, then those of the whole process.
    let held = held.split_whitespace().next().unwrap_or_default();
    let held: f64 = held.parse().expect("a number");
    println!(
        "| memory per user | {:.0} bytes | | | under 1 kB |",
        held / USERS as f64
    );
    events(&ast, ", 100,000 users");
    let (_, nanos) = alone(&ast);
    let what = "a change without its publish, 100,000 users";
    row(what, nanos, "with 100 users", change, "at most 1.3");
    let ours = "${USER_PRESENCE(u77777)}";
    read(&ast, ours, &format!("`{ours}`, 100,000 users"));
    let ours = "${USER_PRESENCE_ROUTE(u77777,external)}";
    let (nanos, stock) = pair(&ast, ("substitute", ours), STOCK_READ, 20_000);
    let against = "`${PRESENCE_STATE(CustomPresence:…,value)}`";
    let what = format!("`{ours}`, 100,000 users");
    row(&what, nanos, against, stock, "under 5000 ns");
}
