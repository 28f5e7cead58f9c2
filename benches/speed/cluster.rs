//! Several nodes: the cost of a local change with a cluster and without, how long many users
//! take to join, their memory, and many changes a second.

use std::fmt::Write;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::harness::cluster::{Cluster, NODES};
use super::harness::readers::SETTER;
use super::harness::{Instance, Link, wait_until};
use super::{USERS, time};

/// Changes a second, for a minute.
const RATE: u64 = 1000;
const CHANGES: usize = 60_000;
/// So many are asked for at once.
const EACH: usize = 20;
/// Users who change in turn.
const CHANGERS: usize = 1000;

/// Prints the rows.
pub fn measure() {
    local();
    join();
    sustained();
}

/// Users with nothing but their own status.
fn users(count: usize) -> String {
    let mut text = String::from(
        "[general]\njournal = 0\n[own](!)\ntype = user\noutgoing = none\nmethod = none\n",
    );
    for user in 0..count {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "[u{user}](own)");
    }
    text
}

/// A local change up to the end of its publish, in turn with a cluster and without.
fn local() {
    let users = "[u]\ntype = user\nextension = u\n";
    let alone = Instance::selftest().userpresence(users).start();
    let cluster = Cluster::of(users).selftest().nodes(2).start();
    let shared = &cluster.all()[0];
    for what in ["change", "published"] {
        let best = (0..7).fold((f64::MAX, f64::MAX), |best, _| {
            let without = time(&alone, what, "CustomPresence:u", 5_000);
            let with = time(shared, what, "CustomPresence:u", 5_000);
            (best.0.min(with), best.1.min(without))
        });
        println!(
            "| a local change with a cluster (`{what}`) | {:.0} ns | without one {:.0} ns | {:.2} | \
             at most 1.1 |",
            best.0,
            best.1,
            best.0 / best.1
        );
    }
}

/// Seconds of processor time that Asterisk has used, ended threads among them.
fn cpu(ast: &Instance) -> f64 {
    let text = fs::read_to_string(format!("/proc/{}/stat", ast.pid())).expect("Asterisk runs");
    // The fields after the name, in hundredths of a second: user's and system's.
    let fields = text.rsplit(')').next().unwrap_or_default();
    let fields = fields.split_whitespace().skip(11).take(2);
    let ticks = fields.map(|field| field.parse::<f64>().expect("a number"));
    ticks.sum::<f64>() / 100.0
}

/// Bytes that the module holds.
fn held(ast: &Instance) -> f64 {
    let held = ast.cli("userpresence selftest memory");
    let held = held.split_whitespace().next().unwrap_or_default();
    held.parse().expect("a number")
}

/// Sets the status of every user, as fast as it goes.
fn set_all(ast: &Instance, count: usize) {
    let ami = ast.ami_as(SETTER).expect("the setter");
    for from in (0..count).step_by(500) {
        let users = from..(from + 500).min(count);
        let text: String = users.map(|user| set(user, user)).collect();
        ami.send_raw(text).expect("an open connection");
        ami.take_events();
    }
    let last = count - 1;
    ast.wait_value(
        &format!("USER_PRESENCE(u{last},message)"),
        &format!("set {last}"),
    );
}

/// Many users whose status is set: the memory with a cluster and without, and how long their
/// node takes to write all to an empty store, and another one to read all.
fn join() {
    let text = users(USERS);
    let without = {
        let ast = Instance::selftest()
            .userpresence(&text)
            .ami_user(SETTER, "", "call")
            .start();
        set_all(&ast, USERS);
        held(&ast)
    };
    let cluster = Cluster::of(&text)
        .selftest()
        .nodes(1)
        .each(|_, builder| builder.ami_user(SETTER, "", "call"))
        .start();
    let node = &cluster.all()[0];
    cluster.link(0, Link::Refused);
    set_all(node, USERS);
    let (begin, before) = (Instant::now(), cpu(node));
    cluster.link(0, Link::Open);
    wait_until("all users in etcd", || {
        (keys_waiting(node) == 0).then_some(())
    });
    let took = begin.elapsed();
    assert!(cluster.etcd.keys("/userpresence/person/").len() >= USERS);
    println!(
        "| {USERS} users with a status are written to an empty store | {:.1} s | of which the \
         node's processor time {:.1} s | | under 10 s |",
        took.as_secs_f64(),
        cpu(node) - before
    );
    let with = held(node);
    println!(
        "| memory per user that a cluster takes | {:.0} bytes | without one {:.0} bytes | | at most \
         300 more |",
        (with - without) / USERS as f64,
        without / USERS as f64
    );
    let conf = cluster.conf(0).replace("\nnode = a\n", "\nnode = b\n");
    let other = Instance::selftest()
        .userpresence(&conf)
        .not_loaded()
        .start();
    let begin = Instant::now();
    assert!(other.load_module(super::harness::MODULE).ok());
    let (loaded, before) = (begin.elapsed(), cpu(&other));
    other.wait_log("Joined the cluster");
    let joined = begin.elapsed();
    let last = USERS - 1;
    other.wait_value(
        &format!("USER_PRESENCE(u{last},message)"),
        &format!("set {last}"),
    );
    println!(
        "| a node with {USERS} users joins and has the status of each | {:.1} s | of which its load \
         {:.1} s; {:.1} s of processor time after it | | under 10 s |",
        joined.as_secs_f64(),
        loaded.as_secs_f64(),
        cpu(&other) - before
    );
}

/// Changes at one node for a minute: what waits there, how late another node is, and the
/// transactions of etcd.
fn sustained() {
    let cluster = Cluster::of(&users(CHANGERS))
        .nodes(2)
        .members(3)
        .each(|_, builder| builder.ami_user(SETTER, "", "call"))
        .start();
    let [here, there] = cluster.two();
    let over = AtomicBool::new(false);
    let revision = cluster.etcd.revision();
    let (mut late, mut waiting) = (Vec::new(), Vec::new());
    let took = thread::scope(|scope| {
        let changing = scope.spawn(|| {
            let ami = here.ami_as(SETTER).expect("the setter");
            let begin = Instant::now();
            for change in (0..CHANGES).step_by(EACH) {
                let due = begin + Duration::from_micros(change as u64 * 1_000_000 / RATE);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let changes = change..change + EACH;
                let text: String = changes.map(|it| set(it % CHANGERS, it)).collect();
                ami.send_raw(text).expect("an open connection");
                ami.take_events();
            }
            here.wait_value(
                &format!("USER_PRESENCE(u{},message)", (CHANGES - 1) % CHANGERS),
                &format!("set {}", CHANGES - 1),
            );
            over.store(true, Ordering::Release);
            begin.elapsed()
        });
        // One change more, and when the other node has it.
        while !over.load(Ordering::Acquire) {
            let mark = format!("mark {}", late.len());
            here.set_custom("barrier-a", &format!("away,,{mark}"));
            let begin = Instant::now();
            there.wait_value("USER_PRESENCE(barrier-a,message)", &mark);
            late.push(begin.elapsed());
            waiting.push(keys_waiting(here));
            thread::sleep(Duration::from_millis(500));
        }
        changing.join().expect("the changes")
    });
    let begin = Instant::now();
    cluster.same();
    let same = begin.elapsed();
    let marks = late.len();
    let halves = waiting.split_at(marks / 2);
    let most = |waiting: &[usize]| waiting.iter().max().copied().unwrap_or_default();
    late.sort();
    let part = |part: f64| late[((marks - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    println!(
        "| {CHANGES} changes, {RATE} a second, took {:.1} s: a change at one node until it is at {} | \
         median {:.1} ms, 99 % {:.1} ms, most {:.1} ms | | | |",
        took.as_secs_f64(),
        NODES[1],
        part(0.5),
        part(0.99),
        part(1.0)
    );
    println!(
        "| keys that waited at most | {} in the first half, {} in the second | all the same {:.2} s after \
         the last change | | no growing queue |",
        most(halves.0),
        most(halves.1),
        same.as_secs_f64()
    );
    println!(
        "| transactions of etcd for each change | {:.2} | {CHANGES} changes and {marks} marks | | at most \
         1 |",
        (cluster.etcd.revision() - revision) as f64 / (CHANGES + marks) as f64
    );
}

/// The action that makes a change.
fn set(user: usize, change: usize) -> String {
    format!(
        "Action: UserPresenceSet\r\nUser: u{user}\r\nStatus: away\r\nMessage: set {change}\r\n\r\n"
    )
}

/// Keys that wait at a node.
fn keys_waiting(ast: &Instance) -> usize {
    let shown = ast.cli("userpresence show cluster");
    let line = shown.lines().find_map(|line| line.strip_prefix("Waiting:"));
    let line = line.unwrap_or_else(|| panic!("{shown}"));
    let number = line.split_whitespace().next().unwrap_or_default();
    number.parse().unwrap_or(0)
}
