//! Phones: what a NOTIFY with the module's presence costs, one list against many
//! subscriptions, and the time from a phone's PUBLISH to another phone's NOTIFY.

use std::fs;
use std::time::{Duration, Instant};

use super::harness::publisher::pidf;
use super::harness::watchers::Watchers;
use super::harness::{Instance, Publisher};

/// Subscribers to one hint.
const SUBSCRIBERS: usize = 1000;
/// Users in lists, and in each: Asterisk sends no NOTIFY of more than 64 kB.
const USERS: usize = 100;
const LISTED: usize = 34;
/// Milliseconds for which a list gathers changes.
const BATCH: u32 = 200;
/// A phone that gets no element of Digium's.
const PHONE: &str = "Phone/1.0";
const DIGIUM: &str = "digium D65";

/// Prints the rows.
pub fn measure() {
    notifies();
    list();
    publish();
}

fn hints(users: usize) -> (String, String) {
    let mut text = format!("[general]\nlist_batch = {BATCH}\n");
    let mut hints = String::new();
    for user in 0..users {
        let extension = 2000 + user;
        text += &format!(
            "[u{user}]\ntype = user\nextension = {extension}\ngroup = g{}\n",
            user / LISTED
        );
        hints += &format!("exten => {extension},hint,Custom:d{user},UserPresence:u{user}\n");
    }
    // Only the phone of a user may watch a list.
    text += "[reception]\ntype = user\nendpoint = desk,PJSIP/watcher\n";
    hints += "exten => stock,hint,Custom:stock,CustomPresence:stock\n";
    (text, hints)
}

fn start(users: usize) -> Instance {
    let (text, hints) = hints(users);
    let ast = Instance::builder()
        .userpresence(&text)
        .sip(&["2000"])
        .dialplan(&hints)
        .start();
    ast.wait_log("Phones may publish their presence now");
    ast
}

/// Nanoseconds of processor time that Asterisk's threads have used.
pub(super) fn cpu(ast: &Instance) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", ast.pid())).expect("Asterisk runs");
    let used = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    used.sum()
}

/// What a change cost: processor time, and the time until the last NOTIFY.
#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    wall: f64,
}

/// The best of several rounds: a change of `address`, and `count` NOTIFYs.
fn change(ast: &Instance, watchers: &Watchers, address: &str, count: usize, round: usize) -> Cost {
    let state = ["away", "dnd"][round % 2];
    let (begin, before) = (Instant::now(), cpu(ast));
    ast.set_custom(address, &format!("{state},lunch,round {round}"));
    let heard = watchers.wait_heard(count, |_| true);
    let last = heard.iter().map(|it| it.at).max().unwrap_or(begin);
    // The answers of the last ones are still on their way.
    std::thread::sleep(Duration::from_millis(100));
    Cost {
        cpu: (cpu(ast) - before) as f64 / 1e3 / count as f64,
        wall: (last - begin).as_secs_f64() * 1e3,
    }
}

fn least(costs: impl Iterator<Item = Cost>) -> Cost {
    costs.fold(
        Cost {
            cpu: f64::MAX,
            wall: f64::MAX,
        },
        |best, cost| Cost {
            cpu: best.cpu.min(cost.cpu),
            wall: best.wall.min(cost.wall),
        },
    )
}

/// A change of one hint with many subscribers, in turn for our hint and stock's.
fn notifies() {
    let ast = start(1);
    let ours = Watchers::subscribe(&ast, &["2000".into()], SUBSCRIBERS, PHONE, false);
    let stock = Watchers::subscribe(&ast, &["stock".into()], SUBSCRIBERS, PHONE, false);
    let costs: Vec<(Cost, Cost)> = (0..12)
        .map(|round| {
            let theirs = change(&ast, &stock, "stock", SUBSCRIBERS, round);
            (change(&ast, &ours, "2000", SUBSCRIBERS, round), theirs)
        })
        .collect();
    let (ours, stock) = (
        least(costs.iter().map(|it| it.0)),
        least(costs.iter().map(|it| it.1)),
    );
    println!(
        "| a NOTIFY with the presence of a user, {SUBSCRIBERS} subscribers, processor time | \
         {:.1} µs | a NOTIFY of stock {:.1} µs | {:.2} | at most 1.1 |",
        ours.cpu,
        stock.cpu,
        ours.cpu / stock.cpu
    );
    println!(
        "| one change until the last of {SUBSCRIBERS} subscribers has its NOTIFY | {:.0} ms | \
         stock {:.0} ms | {:.2} | |",
        ours.wall,
        stock.wall,
        ours.wall / stock.wall
    );
}

/// A change of every user of a list: to one subscriber of the list, and to a subscriber of
/// each user.
fn list() {
    let ast = start(USERS);
    let ami = ast.ami();
    let extensions: Vec<String> = (0..USERS).map(|user| (2000 + user).to_string()).collect();
    let change_all = |round: usize| {
        let state = ["away", "dnd"][round % 2];
        for extension in &extensions {
            let variable = format!("PRESENCE_STATE(CustomPresence:{extension})");
            let headers = [
                ("Action", "Setvar"),
                ("Variable", variable.as_str()),
                ("Value", &format!("{state},all,round {round}")),
            ];
            assert!(ami.action(&headers).ok());
        }
    };
    let run = |watchers: &Watchers, round: usize, parts: &dyn Fn(&str) -> usize| {
        let (begin, before) = (Instant::now(), cpu(&ast));
        change_all(round);
        let (mut seen, mut messages, mut bytes) = (0, 0, 0);
        let mut last = begin;
        while seen < USERS {
            for heard in watchers.wait_heard(1, |_| true) {
                seen += parts(&heard.text);
                messages += 1;
                bytes += heard.text.len();
                last = last.max(heard.at);
            }
        }
        std::thread::sleep(Duration::from_millis(100));
        let used = (cpu(&ast) - before) as f64 / 1e6;
        (used, (last - begin).as_secs_f64() * 1e3, messages, bytes)
    };
    let singles = Watchers::subscribe(&ast, &extensions, 1, PHONE, false);
    let mut single: Vec<_> = (0..5).map(|round| run(&singles, round, &|_| 1)).collect();
    drop(singles);
    let lists: Vec<String> = (0..USERS.div_ceil(LISTED))
        .map(|group| format!("userpresence-default+g{group}"))
        .collect();
    let list = Watchers::subscribe(&ast, &lists, 1, PHONE, true);
    let changed = |text: &str| text.matches("<presence ").count();
    let mut listed: Vec<_> = (5..10).map(|round| run(&list, round, &changed)).collect();
    single.sort_by(|a, b| a.0.total_cmp(&b.0));
    listed.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (one, many) = (listed[0], single[0]);
    println!(
        "| {USERS} changes to one phone that watches {USERS} users in {} lists, {BATCH} ms each \
         batch, processor time | {:.1} ms, {} NOTIFYs, {} kB, the last after {:.0} ms | a \
         subscription to each user {:.1} ms, {} NOTIFYs, {} kB, {:.0} ms | {:.2} | |",
        lists.len(),
        one.0,
        one.2,
        one.3 / 1000,
        one.1,
        many.0,
        many.2,
        many.3 / 1000,
        many.1,
        one.0 / many.0
    );
}

/// A PUBLISH to the NOTIFY of the combined presence, in turn with a Setvar to stock's NOTIFY.
fn publish() {
    const ROUNDS: usize = 500;
    let ast = start(1);
    let ours = Watchers::subscribe(&ast, &["2000".into()], 1, DIGIUM, false);
    let stock = Watchers::subscribe(&ast, &["stock".into()], 1, DIGIUM, false);
    let ami = ast.ami();
    let mut phone = Publisher::new(&ast, "2000");
    let (mut by_phone, mut by_stock) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let token = format!("round {round}");
        let state = ["away", "busy"][round % 2];
        let begin = Instant::now();
        assert_eq!(phone.publish(&pidf("open", state, &token)).status, 200);
        let heard = ours.wait_heard(1, |it| it.text.contains(&token));
        by_phone.extend(heard.last().map(|it| it.at - begin));
        let begin = Instant::now();
        let state = ["away", "dnd"][round % 2];
        let headers = [
            ("Action", "Setvar"),
            ("Variable", "PRESENCE_STATE(CustomPresence:stock)"),
            ("Value", &format!("{state},,{token}")),
        ];
        assert!(ami.action(&headers).ok());
        let heard = stock.wait_heard(1, |it| it.text.contains(&token));
        by_stock.extend(heard.last().map(|it| it.at - begin));
    }
    let part = |all: &mut Vec<Duration>, part: f64| {
        all.sort();
        all[((all.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3
    };
    let [ours, stock] = [&mut by_phone, &mut by_stock].map(|all| (part(all, 0.5), part(all, 0.99)));
    println!(
        "| a PUBLISH of a phone to the NOTIFY of the combined presence: median, 99 % | \
         {:.2} ms, {:.2} ms | `Setvar` to the NOTIFY of stock {:.2} ms, {:.2} ms | {:.2} | |",
        ours.0,
        ours.1,
        stock.0,
        stock.1,
        ours.0 / stock.0
    );
}
