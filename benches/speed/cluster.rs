//! Several nodes: the cost of a local change with a cluster and without, how long many users
//! take to join, their memory, and many changes a second.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::harness::cluster::{Cluster, NODES};
use super::harness::readers::SETTER;
use super::harness::{Ami, Instance, Link, wait_until};
use super::phones::cpu;
use super::{USERS, time};

/// Changes a second, and for how many seconds.
const RATE: u64 = 1000;
const SECONDS: u64 = 60;
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
        let mut text = String::new();
        for user in from..(from + 500).min(count) {
            let _ = write!(
                text,
                "Action: UserPresenceSet\r\nUser: u{user}\r\nStatus: away\r\nMessage: set {user}\r\n\r\n"
            );
        }
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
    let last = format!("/userpresence/person/u{}", USERS - 1);
    wait_until("all users in etcd", || {
        (cluster.etcd.keys("/userpresence/person/").len() >= USERS).then_some(())
    });
    assert!(cluster.etcd.get(&last).is_some());
    println!(
        "| {USERS} users with a status are written to an empty store | {:.1} s | of which the \
         node's processor time {:.1} s | | under 10 s |",
        begin.elapsed().as_secs_f64(),
        (cpu(node) - before) as f64 / 1e9
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
        (cpu(&other) - before) as f64 / 1e9
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
    let (over, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    let revision = cluster.etcd.revision();
    let (mut late, mut waiting) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let (over, made) = (&over, &made);
        scope.spawn(move || {
            let ami = here.ami_as(SETTER).expect("the setter");
            let begin = Instant::now();
            for change in 0..RATE * SECONDS {
                let due = begin + Duration::from_micros(change * 1_000_000 / RATE);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                set_one(&ami, change as usize);
                made.store(change as usize + 1, Ordering::Release);
            }
            over.store(true, Ordering::Release);
        });
        // One change more, and when the other node has it.
        while !over.load(Ordering::Acquire) {
            let mark = format!("mark {}", late.len());
            here.set_custom("barrier-a", &format!("away,,{mark}"));
            let begin = Instant::now();
            there.wait_value("USER_PRESENCE(barrier-a,message)", &mark);
            late.push(begin.elapsed());
            waiting.push(here.cli("userpresence show cluster"));
            thread::sleep(Duration::from_millis(500));
        }
    });
    let made = made.load(Ordering::Acquire);
    let marks = late.len();
    late.sort();
    let part = |part: f64| late[((marks - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    let begin = Instant::now();
    cluster.same();
    println!(
        "| {RATE} changes a second for {SECONDS} s: a change at one node until it is at {} | median \
         {:.1} ms, 99 % {:.1} ms, most {:.1} ms | | | no growing queue |",
        NODES[1],
        part(0.5),
        part(0.99),
        part(1.0)
    );
    println!(
        "| all the same after the last of them | {:.2} s | | | |",
        begin.elapsed().as_secs_f64()
    );
    let transactions = cluster.etcd.revision() - revision;
    println!(
        "| transactions of etcd for each change | {:.2} | {made} changes and {marks} marks | | at \
         most 1 |",
        transactions as f64 / (made + marks) as f64
    );
    println!("{}", waiting.last().map_or("", String::as_str));
}

fn set_one(ami: &Ami, change: usize) {
    let user = format!("u{}", change % CHANGERS);
    let message = change.to_string();
    let answer = ami.action(&[
        ("Action", "UserPresenceSet"),
        ("User", &user),
        ("Status", "away"),
        ("Message", &message),
    ]);
    assert!(answer.ok(), "{}", answer.text());
}
