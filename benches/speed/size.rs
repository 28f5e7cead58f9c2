//! Many users: the time of a load and of an unload, and the memory.

use std::fs;
use std::time::Instant;

use super::harness::api::api_user;
use super::harness::{Instance, MODULE};
use super::{page, users};

/// The numbers of users if the environment names none.
const COUNTS: &str = "10000,100000";

/// For each number of users in `BENCH_USERS`: a load at Asterisk's start, a load and an
/// unload in a running Asterisk, and the memory.
pub fn measure() {
    let counts = std::env::var("BENCH_USERS").unwrap_or_else(|_| COUNTS.to_owned());
    let counts = counts.split(',').map(|count| count.trim().parse::<usize>());
    let mut first: Option<[f64; 3]> = None;
    for count in counts {
        let count = count.expect("BENCH_USERS is a list of numbers");
        let text = users(count);
        let rounds = if count > 200_000 { 1 } else { 3 };
        let seconds: Vec<[f64; 3]> = (0..rounds).map(|_| times(&text)).collect();
        let best = [0, 1, 2].map(|what| {
            let all = seconds.iter().map(|each| each[what]);
            all.fold(f64::MAX, f64::min)
        });
        let what = [
            "load at Asterisk's start",
            "`module load` in a running Asterisk",
            "unload",
        ];
        let first = first.get_or_insert(best.map(|seconds| seconds / count as f64));
        for ((what, best), first) in what.iter().zip(best).zip(first) {
            let each = best / count as f64;
            println!(
                "| {what}, {count} users with three extensions | {best:.2} s | | {:.2} µs per user, \
                 {:.2} times the first count's | |",
                each * 1e6,
                each / *first
            );
        }
        println!(
            "| memory per user above Asterisk alone, {count} users | {:.0} bytes | | | under 900 |",
            resident(&text, count)
        );
    }
}

/// Seconds of a load at Asterisk's start, and of a load and an unload while it runs.
fn times(text: &str) -> [f64; 3] {
    let at_start = {
        let ast = Instance::builder().userpresence(text).start();
        loaded(&ast, 0)
    };
    let ast = Instance::builder().userpresence(text).not_loaded().start();
    let before = ast.log().len();
    assert!(ast.load_module(MODULE).ok());
    let running = loaded(&ast, before);
    let begin = Instant::now();
    assert!(ast.unload_module(MODULE).ok());
    [at_start, running, begin.elapsed().as_secs_f64()]
}

/// Seconds of the load, from the module's own log message.
fn loaded(ast: &Instance, before: usize) -> f64 {
    let line = ast.wait_log_from(before, "sources loaded in ");
    let took = line.split("sources loaded in ").nth(1);
    let took = took.and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
    took.expect("milliseconds") / 1000.0
}

/// Bytes of resident memory per user, compared with the same Asterisk without users.
fn resident(text: &str, count: usize) -> f64 {
    let [without, with] = ["[general]\n", text].map(|text| {
        let ast = Instance::builder().userpresence(text).start();
        loaded(&ast, 0);
        let status = fs::read_to_string(format!("/proc/{}/status", ast.pid()));
        let status = status.expect("Asterisk runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        kib.expect("a number") * 1024.0
    });
    (with - without) / count as f64
}

/// This number of users, and an API user who may send many requests.
fn listed(count: usize) -> String {
    let general = "[general]\n";
    let often = format!("{general}http_rate = 1000\n");
    users(count).replacen(general, &often, 1) + &api_user("panel", "")
}

/// Pages of a list over HTTP in an account of 20,000 users: the first one, one in the
/// middle, and the last.
pub fn pages() {
    const USERS: usize = 20_000;
    let ast = Instance::builder()
        .userpresence(&listed(USERS))
        .http()
        .start();
    let small = Instance::builder()
        .userpresence(&listed(100))
        .http()
        .start();
    let nothing = page(&small, "v1/nothing");
    for (what, query) in [
        ("the first page of 20", "page=1&perPage=20"),
        ("page 500 of 20", "page=500&perPage=20"),
        ("page 1000 of 20", "page=1000&perPage=20"),
        (
            "the first page of 20 matches for a text",
            "text=u1&perPage=20",
        ),
        ("no match for a text", "text=nobody&perPage=20"),
    ] {
        let target = format!("v1/account/default/presence?{query}");
        let (many, few) = (page(&ast, &target), page(&small, &target));
        println!(
            "| list over HTTP, {USERS} users: {what} | {many:.2} ms | 100 users {few:.2} ms, a \
             404 {nothing:.2} ms | {:.2} | |",
            many / few
        );
    }
}
