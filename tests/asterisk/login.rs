//! Statuses set by logins and logouts: of panels on AMI, and of real phones.

use crate::harness::api::{HASH, SESSION, api_user, sign_in};
use crate::harness::barrier::{all_events, configured, set_extension};
use crate::harness::changes::{assert_headers, matching};
use crate::harness::statuses::{TYPES, assert_status};
use crate::harness::users::{complaints, json, read, set, wait_extension};
use crate::harness::{Ami, Builder, Instance, MODULE, Message, Phone, wait_until};

/// Alice's login sets `home-office`, her logout `lunch`.
const ALICE: &str = "[alice]\ntype = user\nextension = 200\n\
    login_status = home-office\nlogout_status = lunch\n";

const IN: [&str; 4] = ["available", "home", "", "home-office"];
const OUT: [&str; 4] = ["away", "lunch", "Back soon", "lunch"];

fn panels(users: &str) -> Builder {
    configured(&format!("{TYPES}{users}"))
}

fn ask(ami: &Ami, action: &str, user: &str) -> Message {
    ami.action(&[("Action", action), ("User", user)])
}

#[track_caller]
fn log_in(ami: &Ami, user: &str) {
    let answer = ask(ami, "UserPresenceLogin", user);
    assert!(answer.ok() && answer.text() == "Logged in", "{answer:?}");
}

#[track_caller]
fn log_out(ami: &Ami, user: &str) {
    let answer = ask(ami, "UserPresenceLogout", user);
    assert!(answer.ok() && answer.text() == "Logged out", "{answer:?}");
}

#[track_caller]
fn refused(answer: &Message, why: &str) {
    assert_eq!(
        (answer.get("Response"), answer.text()),
        (Some("Error"), why)
    );
}

/// Waits until the user is logged in on this number of panels: the module notices the end
/// of a session a moment later.
#[track_caller]
fn wait_panels(ast: &Instance, user: &str, count: u32) {
    wait_until(&format!("{count} panels of {user}"), || {
        (json(ast, user)["panels"] == count).then_some(())
    });
}

/// Waits until the user has this status.
#[track_caller]
fn wait_status(ast: &Instance, user: &str, status: &str) {
    wait_until(&format!("{user} {status}"), || {
        (read(ast, &format!("{user},status")) == status).then_some(())
    });
}

#[test]
fn a_login_and_a_logout_set_a_status() {
    let ast = panels(ALICE).hint("2000", ",UserPresence:alice").start();
    let (panel, ami) = (ast.ami(), ast.ami());
    log_in(&panel, "alice");
    assert_status(&ast, "alice", IN);
    wait_extension(&ast, "200", ["available", "home", ""]);
    ast.wait_hint_presence("2000", "available");
    let seen = ask(&ami, "UserPresenceGet", "alice");
    assert_headers(&seen, &[("Panels", "1"), ("Status", "home-office")]);
    log_out(&panel, "alice");
    assert_status(&ast, "alice", OUT);
    wait_extension(&ast, "200", ["away", "lunch", "Back soon"]);
    assert_headers(&ask(&ami, "UserPresenceGet", "alice"), &[("Panels", "0")]);
    log_in(&panel, "ALICE");
    assert_status(&ast, "alice", IN);

    // Each of them is one transition.
    let events = all_events(&ast, &ami);
    let changes = matching(&events, "UserPresenceChange", "User", "alice");
    let statuses: Vec<_> = changes.iter().map(|event| event.get("Status")).collect();
    let [come, go] = [Some("home-office"), Some("lunch")];
    assert_eq!(statuses, [come, go, come]);
    assert_eq!(complaints(&ast, ""), Vec::<String>::new());
}

#[test]
fn the_end_of_a_session_is_a_logout() {
    let bob = ALICE.replace("alice", "bob").replace("200", "201");
    let ast = panels(&format!("{ALICE}{bob}")).start();
    let panel = ast.ami();
    log_in(&panel, "alice");
    log_in(&panel, "bob");
    // The panel closes the socket; a panel that logs off first is no different.
    drop(panel);
    for user in ["alice", "bob"] {
        wait_panels(&ast, user, 0);
        wait_status(&ast, user, "lunch");
    }
    let panel = ast.ami();
    log_in(&panel, "alice");
    assert_status(&ast, "alice", IN);
    assert!(panel.action(&[("Action", "Logoff")]).ok());
    wait_status(&ast, "alice", "lunch");
    assert_status(&ast, "alice", OUT);
    wait_panels(&ast, "alice", 0);

    // A user who has logged out is not logged out again.
    let panel = ast.ami();
    log_in(&panel, "alice");
    log_out(&panel, "alice");
    log_in(&panel, "bob");
    let number = read(&ast, "alice,sequence");
    drop(panel);
    wait_panels(&ast, "bob", 0);
    assert_eq!(read(&ast, "alice,sequence"), number);
}

#[test]
fn the_first_panel_logs_in_and_the_last_one_out() {
    let ast = panels(ALICE).start();
    let (one, two, ami) = (ast.ami(), ast.ami(), ast.ami());
    log_in(&one, "alice");
    log_in(&two, "alice");
    let again = ask(&two, "UserPresenceLogin", "Alice");
    assert!(
        again.ok() && again.text() == "Already logged in",
        "{again:?}"
    );
    wait_panels(&ast, "alice", 2);
    log_out(&one, "alice");
    assert_status(&ast, "alice", IN);
    log_in(&one, "alice");
    drop(two);
    wait_panels(&ast, "alice", 1);
    assert_status(&ast, "alice", IN);
    drop(one);
    wait_status(&ast, "alice", "lunch");
    let events = all_events(&ast, &ami);
    assert_eq!(
        matching(&events, "UserPresenceChange", "User", "alice").len(),
        2,
        "{events:#?}"
    );
}

#[test]
fn a_choice_made_by_hand_is_not_overridden() {
    let bob = ALICE.replace("alice", "bob").replace("200", "201");
    let ast = panels(&format!("{ALICE}{bob}login_overrides = yes\n")).start();
    let panel = ast.ami();
    let meeting = ["dnd", "meeting", "", "meeting"];
    for user in ["alice", "bob"] {
        set(&ast, user, "meeting");
    }
    // For bob a login overrides the choice.
    for user in ["alice", "bob"] {
        log_in(&panel, user);
    }
    assert_status(&ast, "alice", meeting);
    assert_status(&ast, "bob", IN);
    set(&ast, "bob", "meeting");
    for user in ["alice", "bob"] {
        log_out(&panel, user);
    }
    assert_status(&ast, "alice", meeting);
    assert_status(&ast, "bob", OUT);

    // Clearing the status lets logins set it again.
    set(&ast, "alice", "not_set");
    log_in(&panel, "alice");
    assert_status(&ast, "alice", IN);
    log_out(&panel, "alice");
    assert_status(&ast, "alice", OUT);
    // So does choosing the status that a login sets.
    set(&ast, "alice", "home-office");
    log_in(&panel, "alice");
    log_out(&panel, "alice");
    assert_status(&ast, "alice", OUT);
    // A status that is recorded only is a choice too.
    set(&ast, "alice", "thinking");
    log_in(&panel, "alice");
    assert_eq!(read(&ast, "alice,status"), "thinking");
    log_out(&panel, "alice");
    assert_eq!(read(&ast, "alice,status"), "thinking");
}

#[test]
fn a_choice_made_on_a_phone_is_not_overridden() {
    let ast = panels(ALICE).start();
    let panel = ast.ami();
    set_extension(&ast, "200", "dnd,,By phone");
    log_in(&panel, "alice");
    assert_status(&ast, "alice", ["dnd", "", "By phone", "dnd"]);
    set_extension(&ast, "200", "not_set");
    log_out(&panel, "alice");
    assert_status(&ast, "alice", OUT);
    log_in(&panel, "alice");
    assert_status(&ast, "alice", IN);
    // The status of the login has to be written first, or it would be written later.
    wait_extension(&ast, "200", [IN[0], IN[1], IN[2]]);
    set_extension(&ast, "200", "dnd,,By phone");
    drop(panel);
    wait_panels(&ast, "alice", 0);
    assert_status(&ast, "alice", ["dnd", "", "By phone", "dnd"]);
}

#[test]
fn statuses_can_be_recorded_only_or_left_out() {
    let ast = panels(
        "[alice]\ntype = user\nextension = 200\nlogin_status = thinking\nlogout_status = not_set\n\
         [bob]\ntype = user\nextension = 201\nlogin_status = chat\n\
         [carol]\ntype = user\nextension = 202\nlogout_status = away\n\
         [dave]\ntype = user\nextension = 203\n",
    )
    .start();
    let panel = ast.ami();
    for (user, before, after) in [
        ("alice", ["not_set", "thinking"], ["not_set", "not_set"]),
        ("bob", ["chat", "chat"], ["chat", "chat"]),
        ("carol", ["not_set", "not_set"], ["away", "away"]),
        ("dave", ["not_set", "not_set"], ["not_set", "not_set"]),
    ] {
        let seen = || [read(&ast, user), read(&ast, &format!("{user},status"))];
        log_in(&panel, user);
        assert_eq!(seen(), before, "{user} in");
        log_out(&panel, user);
        assert_eq!(seen(), after, "{user} out");
    }
    // [general] has one for all users, and one user has none.
    let ast = panels(
        "[general]\nlogin_status = chat\nlogout_status = away\n\
         [alice]\ntype = user\n[bob]\ntype = user\nlogout_status =\n",
    )
    .start();
    let panel = ast.ami();
    for (user, state) in [("alice", "away"), ("bob", "chat")] {
        log_in(&panel, user);
        assert_eq!(read(&ast, user), "chat");
        log_out(&panel, user);
        assert_eq!(read(&ast, user), state);
    }
}

#[test]
fn each_mistake_has_its_message() {
    let ast = panels(ALICE).ami_user("reader", "all", "reporting").start();
    let panel = ast.ami();
    let nobody = "there is no user 'nobody', expected one of userpresence.conf or realtime";
    refused(&ask(&panel, "UserPresenceLogin", "nobody"), nobody);
    let without = |user: &str| {
        format!("'{user}' is not logged in by this session, expected UserPresenceLogin first")
    };
    refused(
        &ask(&panel, "UserPresenceLogout", "alice"),
        &without("alice"),
    );
    refused(
        &ask(&panel, "UserPresenceLogout", "nobody"),
        &without("nobody"),
    );
    for action in ["UserPresenceLogin", "UserPresenceLogout"] {
        refused(&ask(&panel, action, ""), "the header User is missing");
        refused(
            &panel.action(&[("Action", action)]),
            "the header User is missing",
        );
    }
    // A session logs out only its own panel.
    let other = ast.ami();
    log_in(&other, "alice");
    refused(
        &ask(&panel, "UserPresenceLogout", "alice"),
        &without("alice"),
    );
    assert_status(&ast, "alice", IN);
    log_out(&other, "alice");
    refused(
        &ask(&other, "UserPresenceLogout", "alice"),
        &without("alice"),
    );

    let reader = ast.ami_as("reader").expect("a login");
    for action in ["UserPresenceLogin", "UserPresenceLogout"] {
        refused(&ask(&reader, action, "alice"), "Permission denied");
    }
}

#[test]
fn a_reload_keeps_panels_logged_in() {
    let ast = panels(ALICE).start();
    let (one, two) = (ast.ami(), ast.ami());
    log_in(&one, "alice");
    let reload = |users: &str| {
        let barrier = "[barrier]\ntype = user\naccount = barrier\nextension = barrier\n";
        ast.write_config("userpresence.conf", &format!("{TYPES}{users}{barrier}"));
        assert!(ast.reload().ok());
    };
    reload(&ALICE.replace("logout_status = lunch", "logout_status = meeting"));
    wait_panels(&ast, "alice", 1);
    log_in(&two, "alice");
    log_out(&one, "alice");
    assert_status(&ast, "alice", IN);
    drop(two);
    wait_status(&ast, "alice", "meeting");

    // A user is removed and returns while a panel is logged in.
    let (one, two) = (ast.ami(), ast.ami());
    log_in(&one, "alice");
    log_in(&two, "alice");
    reload("");
    refused(
        &ask(&two, "UserPresenceLogin", "alice"),
        "there is no user 'alice', expected one of userpresence.conf or realtime",
    );
    log_out(&one, "alice");
    reload(ALICE);
    wait_panels(&ast, "alice", 1);
    set(&ast, "alice", "home-office");
    drop(two);
    wait_panels(&ast, "alice", 0);
    wait_status(&ast, "alice", "lunch");
}

#[test]
fn an_unload_forgets_the_logged_in_panels() {
    let ast = panels(ALICE).start();
    let (one, two) = (ast.ami(), ast.ami());
    log_in(&one, "alice");
    log_in(&two, "alice");
    assert!(ast.unload_module(MODULE).ok());
    assert!(ast.load_module(MODULE).ok());
    wait_panels(&ast, "alice", 0);
    // Every user is logged out until a panel logs in again.
    assert_status(&ast, "alice", OUT);
    refused(
        &ask(&one, "UserPresenceLogout", "alice"),
        "'alice' is not logged in by this session, expected UserPresenceLogin first",
    );
    // The end of an earlier session has no effect.
    log_in(&one, "alice");
    drop(two);
    let three = ast.ami();
    log_in(&three, "alice");
    wait_panels(&ast, "alice", 2);
    log_out(&three, "alice");
    assert_status(&ast, "alice", IN);
    // The status still counts as set by a login, not by hand.
    drop(one);
    wait_status(&ast, "alice", "lunch");

    // The same after a restart, which ends every session.
    let one = ast.ami();
    log_in(&one, "alice");
    ast.restart(false);
    wait_panels(&ast, "alice", 0);
    assert_status(&ast, "alice", OUT);
    let one = ast.ami();
    log_in(&one, "alice");
    assert_status(&ast, "alice", IN);
    log_out(&one, "alice");
    assert_status(&ast, "alice", OUT);
}

#[test]
fn a_phone_logs_in_when_it_registers() {
    let users = "[alice]\ntype = user\nextension = 200\nextension = 201\n\
                 register_status = home-office\nunregister_status = lunch\n\
                 [bob]\ntype = user\nextension = 9,PJSIP/202\n\
                 register_status = chat\nunregister_status = away\nlogin_overrides = yes\n";
    let ast = panels(users).sip(&["200", "201", "202"]).start();
    let ami = ast.ami();
    assert_status(&ast, "alice", ["not_set", "", "", "not_set"]);
    let desk = Phone::ringing(&ast, "200");
    wait_status(&ast, "alice", "home-office");
    assert_status(&ast, "alice", IN);
    let soft = Phone::ringing(&ast, "201");
    desk.unregister();
    ast.wait_device("PJSIP/200", "UNAVAILABLE");
    // One of two phones is still registered.
    assert_status(&ast, "alice", IN);
    desk.register();
    soft.unregister();
    ast.wait_device("PJSIP/201", "UNAVAILABLE");
    assert_status(&ast, "alice", IN);
    desk.unregister();
    wait_status(&ast, "alice", "lunch");
    assert_status(&ast, "alice", OUT);
    for extension in ["200", "201"] {
        wait_extension(&ast, extension, ["away", "lunch", "Back soon"]);
    }
    let events = all_events(&ast, &ami);
    let mut changes = matching(&events, "UserPresenceChange", "User", "alice");
    // A phone that becomes reachable or unreachable is a change of its own.
    changes.retain(|event| event.get("OldStatus") != event.get("Status"));
    assert_eq!(changes.len(), 2, "{changes:#?}");

    // A choice made by hand stays, unless login_overrides is set.
    for user in ["alice", "bob"] {
        set(&ast, user, "meeting");
    }
    let other = Phone::ringing(&ast, "202");
    wait_status(&ast, "bob", "chat");
    desk.register();
    set(&ast, "bob", "meeting");
    desk.unregister();
    ast.wait_device("PJSIP/200", "UNAVAILABLE");
    other.unregister();
    wait_status(&ast, "bob", "away");
    assert_status(&ast, "alice", ["dnd", "meeting", "", "meeting"]);
}

#[test]
fn each_mistake_in_the_configuration_leaves_out_its_user() {
    let mistakes = [
        (
            "login_status = busy",
            "option 'login_status': unknown status 'busy', expected not_set, ",
        ),
        (
            "logout_status = busy",
            "option 'logout_status': unknown status 'busy', expected ",
        ),
        (
            "register_status = 200",
            "option 'register_status': unknown status '200', expected ",
        ),
        (
            "unregister_status = gone",
            "option 'unregister_status': unknown status 'gone', expected ",
        ),
        (
            "login_overrides = sometimes",
            "option 'login_overrides': 'sometimes', expected yes or no",
        ),
    ];
    let bad = mistakes.iter().enumerate();
    let bad = bad.map(|(number, (line, _))| format!("[bad{number}]\ntype = user\n{line}\n"));
    let ast = panels(&format!("{ALICE}{}", bad.collect::<String>())).start();
    let said = complaints(&ast, "");
    assert_eq!(said.len(), mistakes.len(), "{said:#?}");
    for ((number, (_, expected)), line) in mistakes.iter().enumerate().zip(&said) {
        let expected = format!("section [bad{number}], {expected}");
        assert!(line.contains(&expected), "{line}\nexpected {expected}");
        assert!(line.ends_with("; the section is left out"), "{line}");
    }
    let panel = ast.ami();
    log_in(&panel, "alice");
    assert_status(&ast, "alice", IN);
}

/// A panel in a browser uses AMI over HTTP, where a session outlives its requests.
#[test]
fn a_session_over_http_logs_in_and_out() {
    let ast = panels(ALICE).http().start();
    let cookie = |answer: &str| {
        let cookies = answer
            .lines()
            .filter_map(|line| line.strip_prefix("Set-Cookie: "));
        let mut session = cookies.filter_map(|cookie| cookie.split(';').next());
        session
            .find(|cookie| cookie.starts_with("mansession_id"))
            .map(str::to_owned)
    };
    let first = ast.http(
        "GET",
        "/rawman?action=Login&username=admin&secret=secret",
        &[],
        "",
    );
    let session = cookie(&first.head).unwrap_or_else(|| panic!("{first:?}"));
    let ask = |query: &str| {
        let session = format!("Cookie: {session}");
        ast.http("GET", &format!("/rawman?action={query}"), &[&session], "")
            .body
    };
    let body = ask("UserPresenceLogin&User=alice");
    assert!(body.contains("Message: Logged in"), "{body}");
    assert_status(&ast, "alice", IN);
    // The same session over another connection.
    let body = ask("UserPresenceLogin&User=alice");
    assert!(body.contains("Message: Already logged in"), "{body}");
    wait_panels(&ast, "alice", 1);
    let body = ask("UserPresenceLogout&User=alice");
    assert!(body.contains("Message: Logged out"), "{body}");
    assert_status(&ast, "alice", OUT);
    ask("UserPresenceLogin&User=alice");
    assert_status(&ast, "alice", IN);
    ask("Logoff");
    wait_status(&ast, "alice", "lunch");
    wait_panels(&ast, "alice", 0);
}

/// A phone that was registered all the time does not log in because of a load or a reload.
#[test]
fn a_phone_that_a_load_finds_registered_is_no_login() {
    let users = "[alice]\ntype = user\nextension = 200\nregister_status = home-office\n";
    let ast = panels(users).sip(&["200"]).start();
    let phone = Phone::ringing(&ast, "200");
    wait_status(&ast, "alice", "home-office");
    set(&ast, "alice", "not_set");
    assert!(ast.unload_module(MODULE).ok());
    assert!(ast.load_module(MODULE).ok());
    assert_status(&ast, "alice", ["not_set", "", "", "not_set"]);
    let barrier = "[barrier]\ntype = user\naccount = barrier\nextension = barrier\n";
    let bob = users
        .replace("alice", "bob")
        .replace("extension = 200", "extension = 9,PJSIP/200");
    ast.write_config(
        "userpresence.conf",
        &format!("{TYPES}{users}{bob}{barrier}"),
    );
    assert!(ast.reload().ok());
    // The module has handled every earlier event.
    set_extension(&ast, "201", "away");
    for user in ["alice", "bob"] {
        assert_status(&ast, user, ["not_set", "", "", "not_set"]);
    }
    // The next registration is a login.
    phone.unregister();
    ast.wait_device("PJSIP/200", "UNAVAILABLE");
    phone.register();
    for user in ["alice", "bob"] {
        wait_status(&ast, user, "home-office");
    }
}

/// Alice, bob, and the API user `hers` with these options.
fn over_http(hers: &str) -> String {
    let bob = ALICE.replace("alice", "bob").replace("200", "201");
    format!("{TYPES}{ALICE}{bob}{}", api_user("hers", hers))
}

#[track_caller]
fn sign_out(ast: &Instance, cookie: &str) {
    assert_eq!(ast.http("DELETE", SESSION, &[cookie], "").status, 204);
}

/// Opens the feed of a session and closes it.
#[track_caller]
fn look_at_the_feed(ast: &Instance, cookie: &str) {
    let feed = "/userpresence/v1/account/~/events?snapshot=true";
    let stream = ast.stream(feed, &[cookie]);
    drop(stream);
}

#[test]
fn a_session_over_http_counts_as_a_panel() {
    let ast = configured(&over_http("role = self\nuser = alice"))
        .http()
        .start();
    let one = sign_in(&ast, "hers", &[]);
    assert_status(&ast, "alice", IN);
    wait_panels(&ast, "alice", 1);
    let number = read(&ast, "alice,sequence");
    // Another session and its feed, however often opened, change nothing.
    let two = sign_in(&ast, "hers", &[]);
    for cookie in [&one, &two, &two] {
        look_at_the_feed(&ast, cookie);
    }
    wait_panels(&ast, "alice", 2);
    // The same browser logs in again: the new session replaces its previous one.
    let two = sign_in(&ast, "hers", &[&two]);
    wait_panels(&ast, "alice", 2);
    // A panel on AMI counts too.
    let panel = ast.ami();
    log_in(&panel, "alice");
    wait_panels(&ast, "alice", 3);
    sign_out(&ast, &one);
    sign_out(&ast, &two);
    wait_panels(&ast, "alice", 1);
    assert_eq!(read(&ast, "alice,sequence"), number);
    assert_status(&ast, "alice", IN);
    log_out(&panel, "alice");
    assert_status(&ast, "alice", OUT);

    // The last session logs out; it cannot do so twice.
    let one = sign_in(&ast, "hers", &[]);
    assert_status(&ast, "alice", IN);
    sign_out(&ast, &one);
    assert_status(&ast, "alice", OUT);
    let answer = ast.http("DELETE", SESSION, &[&one], "");
    assert_eq!(answer.status, 401, "{answer:?}");
    wait_panels(&ast, "alice", 0);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_session_that_loses_its_user_is_logged_out() {
    let hers = "role = self\nuser = alice";
    let ast = configured(&over_http(hers)).http().start();
    let reload = |conf: &str| {
        ast.write_config("userpresence.conf", conf);
        assert!(ast.reload().ok());
    };
    let cookie = sign_in(&ast, "hers", &[]);
    assert_status(&ast, "alice", IN);
    // The session now belongs to bob.
    reload(&over_http("role = self\nuser = bob"));
    wait_panels(&ast, "bob", 1);
    wait_panels(&ast, "alice", 0);
    wait_status(&ast, "bob", "home-office");
    wait_status(&ast, "alice", "lunch");
    look_at_the_feed(&ast, &cookie);
    wait_panels(&ast, "bob", 1);
    // With another password the session belongs to nobody.
    reload(&over_http(hers).replace(HASH, &HASH.replace("TVL", "TVM")));
    wait_panels(&ast, "bob", 0);
    wait_status(&ast, "bob", "lunch");
    wait_panels(&ast, "alice", 0);
}

/// As with other panels, a load logs out the panels of the last run. A session that
/// outlives the load is logged in when its feed is opened again.
#[test]
fn a_session_outlives_a_load() {
    let ast = configured(&over_http("role = self\nuser = alice"))
        .http()
        .start();
    let cookie = sign_in(&ast, "hers", &[]);
    assert_status(&ast, "alice", IN);
    assert!(ast.unload_module(MODULE).ok() && ast.load_module(MODULE).ok());
    wait_status(&ast, "alice", "lunch");
    wait_panels(&ast, "alice", 0);
    look_at_the_feed(&ast, &cookie);
    wait_panels(&ast, "alice", 1);
    assert_status(&ast, "alice", IN);
    sign_out(&ast, &cookie);
    assert_status(&ast, "alice", OUT);
}
