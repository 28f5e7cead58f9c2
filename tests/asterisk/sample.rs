//! The files that come with the module work unchanged: the sample configuration, the table
//! for realtime, and the README's examples.

use crate::harness::sets;
use crate::harness::users::wait_custom;
use crate::harness::{EtcdCluster, Instance, Phone, wait_until};
use crate::harness::{now, repository_file};

fn sample() -> String {
    repository_file("configs/samples/userpresence.conf.sample")
}

/// The sample with the lines of its first user made active.
fn sample_with_alice() -> String {
    let mut inside = false;
    let sample = sample();
    let lines = sample.lines().map(|line| {
        inside = line.starts_with(";[alice]") || (inside && line.starts_with(';'));
        line.strip_prefix(';').filter(|_| inside).unwrap_or(line)
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_sample_loads_without_complaint_and_its_user_works() {
    let ast = Instance::builder().userpresence(&sample()).start();
    // Nothing but templates is active in it.
    assert!(ast.cli("userpresence show users").ends_with("0 users"));
    let checked = ast.cli("userpresence check");
    assert!(checked.starts_with("0 errors, 0 warnings."), "{checked}");
    ast.write_config("userpresence.conf", &sample_with_alice());
    assert!(ast.reload().ok());
    assert_eq!(ast.getvar("USER_PRESENCE(alice,extensions)"), "200,201");
    ast.set_custom("201", "away,lunch,Back at one");
    ast.wait_value("USER_PRESENCE(alice,message)", "Back at one");
    assert!(ast.cli("userpresence show users").ends_with("1 user"));
    assert!(ast.reload().ok());
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// The defaults that the sample states are the real ones, and the users in its comments
/// work.
#[test]
fn the_comments_of_the_sample_are_true() {
    let sample = sample_with_alice();
    // One of the sample's actions needs a queue.
    let ast = Instance::builder()
        .userpresence(&sample)
        .queue("600", "", &[])
        .start();
    let settings = ast.cli("userpresence show settings");
    let users = settings
        .find("Users")
        .expect("the settings end with counts");

    // An option or section in a comment has no blank after the semicolon.
    let uncommented: String = sample
        .lines()
        .map(|line| match line.strip_prefix(';') {
            Some(text) if text.starts_with(|c: char| c.is_lowercase() || c == '[') => text,
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect();
    for option in [
        "method",
        "priority",
        "outgoing",
        "enabled",
        "presence_prefix",
        "device_prefix",
        "use_devices",
        "ignore_unreachable",
        "schedule_status",
        "login_overrides",
        "settle",
        "sip_presence",
        "http",
        "http_rate",
        "http_readers",
        "http_readers_each",
        "http_ami_sessions",
        "show_calls",
        "http_calls",
        "journal",
        "forward_context",
        "trust_caller_id",
        "origin_variable",
        "dnd_key",
        "follow_dnd",
        "feature_keys",
        // Options without a default appear in a user.
        "id",
        "account",
        "source",
        "device",
        "schedule",
        "timezone",
        "lamp_table",
        "queue_table",
        "login_status",
        "logout_status",
        "handling",
        "endpoint",
        "mobile",
        "mailbox",
        "monitor",
        // Options of other sections.
        "label",
        "state",
        "subtype",
        "message",
        "activity",
        "forward_internal_always",
        "forward_internal_noanswer",
        "forward_internal_busy",
        "forward_external_always",
        "forward_external_noanswer",
        "forward_external_busy",
        "ring_first",
        "ring_second",
        "ring_timeout",
        "ring_mobile",
        "push",
        "note",
        "password",
        "role",
        "user",
        "permit",
    ] {
        assert!(uncommented.contains(&format!("\n{option} = ")), "{option}");
    }
    for option in [
        "register_status",
        "unregister_status",
        "mobile_prefix",
        "trusted_proxy",
        "http_frame",
    ] {
        assert!(uncommented.contains(&format!("\n{option} =\n")), "{option}");
    }
    let alice = ast.evaluate("${USER_PRESENCE(alice,json)}");
    ast.write_config("userpresence.conf", &uncommented);
    assert!(ast.reload().ok());
    let again = ast.cli("userpresence show settings");
    // One more type has a state, and one is recorded only.
    assert_eq!(again[..users], settings[..users]);
    assert!(again.contains("Statuses: 9\n"), "{again}");
    assert_eq!(ast.evaluate("${USER_PRESENCE(alice,json)}"), alice);
    assert!(ast.cli("userpresence show users").ends_with("3 users"));
    ast.setvar("USER_PRESENCE(team)", "chat");
    assert_eq!(ast.getvar("USER_PRESENCE(bob,source)"), "UserPresence:team");
    ast.setvar("USER_PRESENCE(alice)", "lunch");
    assert_eq!(ast.getvar("USER_PRESENCE(alice,message)"), "Back at one");
    ast.set_device("door", "INUSE");
    ast.wait_value("USER_PRESENCE(bob,subtype)", "meeting");
    let route = |field: &str| ast.getvar(&format!("USER_PRESENCE_ROUTE(bob,external,{field})"));
    for (field, value) in [
        ("first", "PJSIP/desk-210"),
        ("first_timeout", "15"),
        ("second", "PJSIP/soft-210"),
        ("always", "voicemail:210@default"),
        ("busy", "210@busy-dnd"),
        ("push", "no"),
    ] {
        assert_eq!(route(field), value, "{field}");
    }

    // The table in the sample is the built-in one.
    let more = "[shown]\ntype = user\nlamp_table = lamps\nqueue_table = lamps\n";
    ast.write_config("userpresence.conf", &format!("{uncommented}\n{more}"));
    assert!(ast.reload().ok());
    for state in [
        "unavailable",
        "available",
        "away",
        "xa",
        "chat",
        "dnd",
        "not_set",
    ] {
        let shown = ["team", "shown"].map(|user| {
            ast.setvar(&format!("USER_PRESENCE({user})"), state);
            ["", "@queue"].map(|watcher| ast.device(&format!("UserPresence:{user}{watcher}")))
        });
        assert_eq!(shown[0], shown[1], "{state}");
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn the_table_for_realtime_works() {
    let sql = repository_file("doc/userpresence-sqlite.sql");
    let examples: String = sql
        .lines()
        .filter_map(|line| line.strip_prefix("-- INSERT"))
        .map(|line| format!("INSERT{line}\n"))
        .collect();
    let further = "INSERT INTO userpresence VALUES ('dora', '4712', 'east', '230', '230', \
                   'UserPresence:carol', 'Custom:a,meeting;Custom:b,meeting', \
                   'yes;PJSIP/soft-230', 'priority', \
                   'dnd,xa,away,chat,unavailable,available,not_set', 'none', 'yes', \
                   'CustomPresence:', 'Custom:phone', 'no', 'yes', NULL, '', \
                   '00:00-11:59;12:00-23:59', 'xa', 'Europe/Berlin', 'chat', 'xa', 'available', \
                   'unavailable', 'no', NULL, 'Local/230@from-queue/n', 'Sales;Berlin', \
                   '$6$salt$hash', 'Dora Döring', 'Agent', 'dora@example.com', 'everyone', \
                   'DB(a/${EXTENSION})=1;DB(b/${EXTENSION})=1', '', NULL, NULL, \
                   'office', 'desk,PJSIP/230;soft,PJSIP/231', '+491701234567', \
                   '230@default', 'carol;alice', '0', 'default', 'default;phones', 'yes', \
                   '200;+491701234567', 'USERPRESENCE_ORIGIN', 'handling;note', \
                   'internal;_+49X.', 'dnd_status', 'no');\n";
    let ast = Instance::builder()
        .userpresence(&format!(
            "{}[office-calls]\ntype = handling\nset = office\n",
            sample_with_alice()
        ))
        .realtime(&["userpresence"], &format!("\n{sql}{examples}{further}"))
        .start();
    assert_eq!(ast.getvar("USER_PRESENCE(carol,extensions)"), "220,221");
    assert_eq!(ast.getvar("USER_PRESENCE(carol,method)"), "latest");
    ast.set_custom("221", "dnd");
    ast.wait_value("USER_PRESENCE(dora,source)", "UserPresence:carol");
    ast.set_custom("221", "not_set");
    ast.set_device("b", "INUSE");
    ast.wait_value("USER_PRESENCE(dora,source)", "Custom:b");
    assert_eq!(ast.getvar("USER_PRESENCE(dora,subtype)"), "meeting");
    assert_eq!(ast.getvar("USER_PRESENCE(dora,name)"), "Dora Döring");
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// The README's blocks for each file, one after the other.
fn readme_blocks() -> [String; 3] {
    let readme = repository_file("README.md");
    let mut files = <[String; 3]>::default();
    let blocks = readme.split("```ini\n").skip(1);
    for block in blocks.filter_map(|text| text.split("```").next()) {
        let file = match block {
            _ if block.contains("member =>") => 2,
            _ if block.contains(" => ") => 1,
            _ => 0,
        };
        files[file].push_str(block);
        files[file].push('\n');
    }
    // No configuration is outside a fence, where this test would miss it.
    let indented = |line: &str| line.starts_with("    [") || line.starts_with("    type =");
    assert!(!readme.lines().any(indented));
    files
}

/// All of the README's configuration and dialplan, pasted together unchanged, but for the
/// addresses of etcd.
#[test]
fn the_examples_of_the_readme_work() {
    let [users, dialplan, queues] = readme_blocks();
    for part in ["[lunch]", "action = ", "handling = ", "password = "] {
        assert!(users.contains(part), "{part} in\n{users}");
    }
    let etcd = EtcdCluster::start(3);
    let servers = "http://10.0.0.1:2379, http://10.0.0.2:2379, http://10.0.0.3:2379";
    assert!(users.contains(servers), "{users}");
    let ast = Instance::builder()
        .userpresence(&users.replace(servers, &etcd.servers()))
        .dialplan(&dialplan)
        .modules(sets::QUEUE)
        .file("queues.conf", &queues)
        .sip(&["200", "201"])
        .start();
    let checked = ast.cli("userpresence check");
    assert!(checked.starts_with("0 errors, 0 warnings."), "{checked}");
    let phone = Phone::answering(&ast, "200");
    // An unreachable phone would not count.
    let _other = Phone::answering(&ast, "201");
    ast.wait_hint_state("2001", "Idle");
    ast.wait_queue_member("sales", "Alice", "Status", "1");

    let dial = |code: &str| {
        ast.originate(&format!("Local/{code}@default/n"), "NoOp", "");
    };
    dial("*25");
    ast.wait_hint_presence("2000", "dnd");
    // The extensions are written a moment later.
    wait_custom(&ast, "201", "message", "Back at one, or two");
    ast.wait_hint_state("2001", "Busy");
    // Asterisk's number of BUSY.
    ast.wait_queue_member("sales", "Alice", "Status", "3");
    ast.set_custom("200", "available");
    ast.wait_value("USER_PRESENCE(alice,source)", "CustomPresence:201");
    assert_eq!(ast.hint("2000").presence, "dnd");
    ast.set_custom("201", "available");
    ast.wait_hint_presence("2000", "available");
    ast.wait_hint_state("2001", "Idle");

    let before = now();
    dial("*26");
    ast.wait_value("USER_PRESENCE(alice,label)", "At lunch");
    let until: u64 = ast
        .getvar("USER_PRESENCE(alice,until)")
        .parse()
        .expect("a time");
    let half_an_hour = 1_800_000;
    assert!(
        (before..=now()).contains(&(until - half_an_hour)),
        "{until}"
    );
    ast.wait_hint_state("2001", "Unavailable");
    ast.wait_queue_member("sales", "Alice", "Status", "5");

    for next in ["available", "away", "dnd"] {
        dial("*22");
        ast.wait_value("USER_PRESENCE(alice,status)", next);
    }
    let wait_dnd = |answer: &str| {
        wait_until(answer, || {
            let found = ast.cli("database get DND 200");
            found.contains(answer).then_some(())
        });
    };
    wait_dnd("Value: YES");
    dial("*22");
    ast.wait_value("USER_PRESENCE(alice,status)", "available");
    wait_dnd("not found");
    drop(phone);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}
