//! Metrics: what Prometheus reads from a real `res_prometheus`, and the console's list.

use crate::harness::api::{api_user, login};
use crate::harness::{Builder, Instance, MODULE, root, skip, skipped_without_sip, wait_until};

const USERS: &str = "[general]\n\
    [alice]\ntype = user\n[bob]\ntype = user\n[carol]\ntype = user\n";

const PROMETHEUS: &str = "res_prometheus.so";

const PREFIX: &str = "asterisk_userpresence_";

/// With `res_prometheus`, which serves `/metrics`. Where there is none, the test is skipped.
pub fn with_prometheus(builder: Builder) -> Option<Builder> {
    if !root().has_module("res_prometheus") {
        skip("it has no res_prometheus");
        return None;
    }
    if skipped_without_sip() {
        return None;
    }
    let builder = builder
        .userpresence(&format!("{USERS}{}", api_user("panel", "role = read")))
        // res_prometheus needs res_pjsip.
        .sip(&[])
        .modules(&["res_prometheus"])
        .file(
            "prometheus.conf",
            "[general]\nenabled = yes\nuri = metrics\n",
        )
        .http();
    Some(builder)
}

/// The text of a scrape, after a check that it is well formed.
#[track_caller]
fn scrape(ast: &Instance) -> String {
    let answer = ast.http("GET", "/metrics", &[], "");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("asterisk_core_scrape_time_ms"));
    for line in answer.body.lines().filter(|line| line.contains(PREFIX)) {
        let words = line.split(' ').count();
        let good = match line.starts_with('#') {
            true => words > 3,
            false => {
                words == 2
                    && line
                        .rsplit(' ')
                        .next()
                        .is_some_and(|v| v.parse::<f64>().is_ok())
            }
        };
        assert!(good, "{line:?}");
    }
    answer.body
}

/// The value of one of the module's metrics.
#[track_caller]
fn metric(text: &str, name: &str) -> f64 {
    let begin = format!("{PREFIX}{name} ");
    let mut values = text.lines().filter_map(|line| line.strip_prefix(&begin));
    let value = values
        .next()
        .unwrap_or_else(|| panic!("no {name} in\n{text}"));
    assert_eq!(values.next(), None, "{name} appears twice");
    value.parse().expect("a number")
}

fn is_ours(text: &str) -> bool {
    text.contains(PREFIX)
}

#[test]
fn values_follow_changes() {
    let Some(builder) = with_prometheus(Instance::builder()) else {
        return;
    };
    let ast = builder.start();
    // res_prometheus loads after the module, which finds it when Asterisk has booted.
    let before = wait_until("the module's metrics", || {
        Some(scrape(&ast)).filter(|text| is_ours(text))
    });
    assert_eq!(metric(&before, "users{state=\"not_set\"}"), 3.0);
    assert_eq!(metric(&before, "users{state=\"dnd\"}"), 0.0);
    for name in [
        "feed_readers",
        "events_lost_total",
        "action_failures_total",
        "webhook_posts_total",
        "webhook_failures_total",
    ] {
        assert_eq!(metric(&before, name), 0.0, "{name}");
    }

    ast.setvar("USER_PRESENCE(alice)", "dnd");
    ast.setvar("USER_PRESENCE(bob)", "away,lunch");
    ast.setvar("USER_PRESENCE(bob)", "dnd");
    // A new spelling each time makes Asterisk ask the provider.
    for spelling in ["ALICE", "Alice", "aLICE"] {
        let read = format!("PRESENCE_STATE(UserPresence:{spelling},value)");
        assert_eq!(ast.getvar(&read), "dnd");
    }
    let after = scrape(&ast);
    assert_eq!(metric(&after, "users{state=\"not_set\"}"), 1.0);
    assert_eq!(metric(&after, "users{state=\"dnd\"}"), 2.0);
    assert_eq!(metric(&after, "users{state=\"away\"}"), 0.0);
    let rose = |name| metric(&after, name) - metric(&before, name);
    assert_eq!(rose("changes_total"), 3.0);
    assert_eq!(rose("journal_events"), 3.0);
    assert!(rose("publishes_total") >= 3.0);
    assert!(metric(&after, "callback_seconds_count") >= 1.0);
    assert!(metric(&after, "callback_seconds_sum") > 0.0);
    assert!(metric(&after, "callback_seconds_sum") < 1.0);

    // The console shows the same.
    let stats = ast.cli("userpresence show stats");
    let shown = |name: &str| {
        let line = stats
            .lines()
            .find(|line| line.split(' ').next() == Some(name));
        let value = line.and_then(|line| line.rsplit(' ').next());
        value.and_then(|value| value.parse::<f64>().ok())
    };
    for name in [
        "users{state=\"dnd\"}",
        "changes_total",
        "publishes_total",
        "journal_events",
    ] {
        assert_eq!(
            shown(name),
            Some(metric(&after, name)),
            "{name} in\n{stats}"
        );
    }

    let events = "/userpresence/v1/account/~/events";
    let mut stream = ast.stream(events, &[&login("panel")]);
    wait_until("the reader", || {
        (metric(&scrape(&ast), "feed_readers") == 1.0).then_some(())
    });
    ast.setvar("USER_PRESENCE(carol)", "xa");
    stream.expect("presence");
    drop(stream);
    wait_until("the reader's end", || {
        (metric(&scrape(&ast), "feed_readers") == 0.0).then_some(())
    });

    // A reload of either module changes nothing.
    assert!(ast.reload().ok());
    assert_eq!(metric(&scrape(&ast), "users{state=\"dnd\"}"), 2.0);
    ast.cli("module reload res_prometheus.so");
    assert_eq!(metric(&scrape(&ast), "users{state=\"dnd\"}"), 2.0);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn either_module_may_be_unloaded_and_loaded() {
    let Some(builder) = with_prometheus(Instance::builder()) else {
        return;
    };
    let ast = builder.start();
    let wait_ours = || {
        wait_until("the module's metrics", || {
            is_ours(&scrape(&ast)).then_some(())
        });
        metric(&scrape(&ast), "changes_total");
    };
    let load = |name| assert!(ast.load_module(name).ok(), "load {name}");
    let unload = |name| assert!(ast.unload_module(name).ok(), "unload {name}");
    wait_ours();

    // res_prometheus is unloaded first and returns: a reload of this module finds it.
    unload(PROMETHEUS);
    ast.setvar("USER_PRESENCE(alice)", "dnd");
    assert_eq!(ast.http("GET", "/metrics", &[], "").status, 404);
    load(PROMETHEUS);
    assert!(!is_ours(&scrape(&ast)));
    assert!(ast.reload().ok());
    wait_ours();

    // This module is unloaded first and returns.
    unload(MODULE);
    assert!(!is_ours(&scrape(&ast)));
    load(MODULE);
    wait_ours();

    // Both are unloaded, res_prometheus first.
    unload(PROMETHEUS);
    unload(MODULE);
    load(PROMETHEUS);
    assert!(!is_ours(&scrape(&ast)));
    load(MODULE);
    wait_ours();

    // Both are unloaded, this module first.
    unload(MODULE);
    unload(PROMETHEUS);
    load(MODULE);
    load(PROMETHEUS);
    assert!(!is_ours(&scrape(&ast)));
    assert!(ast.reload().ok());
    wait_ours();
    assert!(ast.running());
    assert!(ast.stop_gracefully().success());
}

#[test]
fn the_console_shows_metrics_without_prometheus() {
    let ast = Instance::builder().userpresence(USERS).start();
    let stats = ast.cli("userpresence show stats");
    assert!(stats.contains("users{state=\"not_set\"}"), "{stats}");
    assert!(ast.cli("userpresence show stats more").contains("Usage:"));
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_panic_during_a_scrape_leaves_the_other_metrics() {
    let Some(builder) = with_prometheus(Instance::selftest()) else {
        return;
    };
    let ast = builder.start();
    wait_until("the module's metrics", || {
        is_ours(&scrape(&ast)).then_some(())
    });
    ast.cli("userpresence selftest panic metrics");
    assert!(!is_ours(&scrape(&ast)));
    ast.wait_log("please report it: forced by a test in metrics");
    assert!(is_ours(&scrape(&ast)));
}
