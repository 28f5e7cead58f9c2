//! Values that cannot be right.

use super::*;

/// A version of a time in milliseconds.
fn version(millis: u64) -> u64 {
    (millis * 1000) << 12 | 1
}

const FAR: u64 = 1_000_000 + 10 * 24 * 3600 * 1000;

/// Puts values into the store as another program.
fn store(cluster: &mut Cluster, path: &str, value: String) {
    cluster.put(path, value);
    cluster.settle();
}

#[test]
fn times_far_in_the_future_win_over_nothing_and_the_next_change_replaces_them() {
    let mut cluster = Cluster::new(USERS);
    let now = cluster.now;
    cluster.at(0).choose("carol", "away", now + 1);
    cluster.settle();
    for version in [version(FAR), u64::MAX] {
        let value = format!(
            r#"{{"own":{{"value":{{"state":"dnd","since":1}},"version":{version}}},
                "dnd":{{"value":"refuse","version":{version}}},
                "flags":{{"pickUpCallsOnHold":{{"value":true,"version":{version}}}}}}}"#
        );
        store(&mut cluster, "person/carol", value);
        let value = format!(r#"{{"state":"dnd","since":2,"version":{version}}}"#);
        store(&mut cluster, "extension/CustomPresence:1", value);
        let value = format!(r#"{{"/mobile":{{"value":"1","version":{version}}}}}"#);
        store(&mut cluster, "settings/carol", value);
        let value = format!(r#"{{"boot":"b-1","state":"inuse","at":{version}}}"#);
        store(&mut cluster, "heard/b/device/PJSIP/1", value);
    }
    for member in &mut cluster.members {
        assert_eq!(state(&member.world, "carol"), State::Away);
        assert_eq!(state(&member.world, "alice"), State::NotSet);
        assert!(
            member
                .world
                .own_settings(id(&member.world, "carol"))
                .is_none()
        );
        assert_eq!(member.world.last.millis() / 1000, now / 1000);
        let doubtful = member.world.take_doubtful();
        assert_eq!(doubtful.as_deref(), Some("person/carol"));
        assert!(!member.world.is_in_doubt());
    }
    let now = cluster.now;
    cluster.at(1).choose("carol", "dnd", now + 2);
    cluster.at(1).report("1", "away", now + 2);
    cluster.settle();
    for member in &cluster.members {
        assert_eq!(state(&member.world, "carol"), State::Dnd);
        assert_eq!(state(&member.world, "alice"), State::Away);
        assert!(!member.world.is_in_doubt());
    }
    cluster.compare().unwrap();
}

#[test]
fn a_time_far_in_the_future_is_not_written_against_without_end() {
    let mut cluster = Cluster::new(USERS);
    let now = cluster.now;
    cluster.at(0).choose("carol", "away", now + 1);
    cluster.settle();
    let value = format!(
        r#"{{"dnd":{{"value":"refuse","version":{}}}}}"#,
        version(FAR)
    );
    cluster.put("person/carol", value);
    assert_eq!(cluster.settle(), 0);
}

#[test]
fn damaged_values_stop_nobody() {
    let mut cluster = Cluster::new(USERS);
    let deep = format!("/{}", ["a"; 5000].join("/"));
    let many = (0..3000).map(|at| {
        let value = "x".repeat(20);
        format!(
            r#""/m{at}":{{"value":"{value}","version":{}}}"#,
            4096 * (at + 1)
        )
    });
    let many = format!("{{{}}}", many.collect::<Vec<_>>().join(","));
    let values = [
        ("person/carol", "nonsense".to_owned()),
        ("person/carol", "[".repeat(100_000)),
        (
            "person/carol",
            r#"{"own":{"value":{"state":"nobody","since":1},"version":4097}}"#.into(),
        ),
        (
            "settings/carol",
            format!(r#"{{"{deep}":{{"value":1,"version":4097}}}}"#),
        ),
        ("settings/bob", many),
        (
            "settings/alice",
            format!(
                r#"{{"/a":{{"value":"{}","version":4097}}}}"#,
                "x".repeat(300_000)
            ),
        ),
        ("extension/CustomPresence:1", "{}".into()),
        (
            "extension/NotHere:1",
            r#"{"state":"away","since":1,"version":4097}"#.into(),
        ),
        (
            "heard/b/device/PJSIP/1",
            r#"{"boot":"b-1","state":"flying","at":1}"#.into(),
        ),
        (
            "heard/b/parked/701",
            "{\"boot\":\"b-1\",\"device\":\"a\\r\\nb\",\"parker\":\"\"}".into(),
        ),
        (
            "heard/b/published/PJSIP/1",
            "{\"boot\":\"b-1\",\"note\":\"a\\r\\nb\",\"at\":1}".into(),
        ),
        ("heard/b/panel/", r#"{"boot":"b-1"}"#.into()),
        ("heard//device/x", r#"{"boot":""}"#.into()),
        ("heard/b", "x".into()),
    ];
    for (path, value) in values {
        store(&mut cluster, path, value);
    }
    let now = cluster.now;
    cluster.at(0).choose("carol", "away", now + 1);
    cluster.settle();
    for member in &cluster.members {
        assert_eq!(state(&member.world, "carol"), State::Away);
        let bob = member.world.own_settings(id(&member.world, "bob")).unwrap();
        assert!(bob.json().len() <= crate::model::own_settings::MAX_BYTES);
        assert!(bob.json().contains("m2999"));
        assert!(
            member
                .world
                .own_settings(id(&member.world, "carol"))
                .is_none()
        );
    }
}

#[test]
fn texts_of_the_store_are_one_line_and_short() {
    let mut cluster = Cluster::new(USERS);
    let message = format!("a\\r\\nAction: x{}", "ä".repeat(300));
    let value = format!(
        r#"{{"state":"away","since":5,"message":"{message}","version":{}}}"#,
        version(cluster.now)
    );
    store(&mut cluster, "extension/CustomPresence:1", value);
    for member in &cluster.members {
        let outcome = member.world.outcome(id(&member.world, "alice"));
        let message = outcome.presence.message();
        assert!(message.starts_with("a  Action: x"), "{message}");
        assert!(crate::model::text::check(message).is_ok());
    }
}
