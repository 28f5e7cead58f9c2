//! A reload applies only differences, and nothing at all after an error.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::harness::changes::{pairs, published_states};
use crate::harness::users::{read, user_names, wait_state};
use crate::harness::{Instance, wait_until};

/// The keys of the module's rows in AstDB, as `database show` shows them.
pub fn rows(ast: &Instance) -> String {
    ast.cli("database show UserPresence")
}

const THREE: &str = "[general]\n\
    [alice]\ntype = user\nextension = 200\nextension = 201\n\
    [bob]\ntype = user\nextension = 202\n\
    [carol]\ntype = user\noutgoing = none\nextension = 203\n";

fn three() -> Instance {
    let ast = Instance::builder().userpresence(THREE).start();
    ast.set_custom("200", "dnd");
    ast.set_custom("201", "available");
    ast.set_custom("202", "chat");
    ast.setvar("USER_PRESENCE(carol)", "away");
    wait_state(&ast, "alice", "dnd");
    wait_state(&ast, "bob", "chat");
    ast
}

#[test]
fn a_reload_without_a_difference_is_silent() {
    let ast = three();
    let ami = ast.ami();
    published_states(&ast, &ami);
    let before = ast.getvar("USER_PRESENCE(alice,json)");
    assert!(ast.reload().ok());
    assert_eq!(published_states(&ast, &ami), pairs(&[]));
    assert_eq!(ast.getvar("USER_PRESENCE(alice,json)"), before);
}

#[test]
fn a_new_method_is_one_transition_of_the_user() {
    let ast = three();
    let (ami, feed) = (ast.ami(), ast.ami());
    published_states(&ast, &ami);
    let sequence = |user: &str| ast.getvar(&format!("USER_PRESENCE({user},sequence)"));
    let number: u64 = [sequence("alice"), sequence("bob"), sequence("carol")]
        .iter()
        .map(|number| number.parse::<u64>().expect("a number"))
        .max()
        .expect("three");
    ast.write_config(
        "userpresence.conf",
        &THREE.replacen("extension = 200", "method = latest\nextension = 200", 1),
    );
    assert!(ast.reload().ok());
    let change = feed.wait_event("the transition", |event| {
        event.is_event("UserPresenceChange")
    });
    let expected = [
        ("User", "alice"),
        ("OldState", "dnd"),
        ("State", "available"),
        ("Method", "latest"),
        ("Source", "CustomPresence:201"),
    ];
    for (header, expected) in expected {
        assert_eq!(change.get(header), Some(expected), "{change:?}");
    }
    assert_eq!(
        change.get("Sequence"),
        Some((number + 1).to_string().as_str())
    );
    assert_eq!(
        published_states(&ast, &ami),
        pairs(&[("alice", "available")])
    );
}

/// A reload publishes a new user who has a presence, and not_set of a removed one. The rows
/// of a removed user stay, and apply when the user returns.
#[test]
fn a_reload_adds_and_removes_users() {
    let ast = three();
    wait_until("the rows", || {
        let rows = rows(&ast);
        (rows.contains("user/carol") && rows.contains("source/CustomPresence:202")).then_some(())
    });
    let ami = ast.ami();
    published_states(&ast, &ami);
    let before = ast.getvar("USER_PRESENCE(alice,json)");
    let since = ast.getvar("USER_PRESENCE(carol,since)");
    ast.set_custom("204", "xa");
    ast.write_config(
        "userpresence.conf",
        "[general]\n[alice]\ntype = user\nextension = 200\nextension = 201\n\
         [dave]\ntype = user\nextension = 204\n[erin]\ntype = user\n",
    );
    assert!(ast.reload().ok());
    let mut told = published_states(&ast, &ami);
    told.sort();
    let expected = [("bob", "not_set"), ("carol", "not_set"), ("dave", "xa")];
    assert_eq!(told, pairs(&expected));
    assert_eq!(user_names(&ast), ["alice", "dave", "erin"]);
    assert_eq!(ast.getvar("USER_PRESENCE(alice,json)"), before);
    ast.wait_log("Reloaded: 3 users: 2 new, 2 removed, 0 changed");
    wait_until("what is stored of the removed", || {
        let rows = rows(&ast);
        let kept = ["/user/bob", "/user/carol", "/source/CustomPresence:202"];
        let kept = kept
            .iter()
            .all(|key| rows.contains(key) && rows.contains(&format!("/gone{key}")));
        kept.then_some(())
    });
    assert!(rows(&ast).contains("user/alice"));
    // Returning users have their earlier status.
    ast.write_config("userpresence.conf", THREE);
    assert!(ast.reload().ok());
    assert_eq!(read(&ast, "carol"), "away");
    assert_eq!(ast.getvar("USER_PRESENCE(carol,since)"), since);
    assert_eq!(read(&ast, "bob"), "chat");
    wait_until("nobody but the two others to be gone", || {
        let rows = rows(&ast);
        let back = ["bob", "carol"].iter();
        let back = back
            .clone()
            .all(|user| !rows.contains(&format!("/gone/user/{user}")));
        (back && rows.contains("/gone/user/dave")).then_some(())
    });
}

/// Users removed by a mistake in the file have everything back once it is repaired, even
/// after a restart. Their state is deleted after 30 days, or by command.
#[test]
fn a_mistake_in_the_file_loses_no_state() {
    let ast = three();
    ast.setvar("USER_PRESENCE(carol,dndStatus)", "DoNotAcceptAnyCalls");
    ast.setvar("USER_PRESENCE(carol,pickUpCallsOnHold)", "yes");
    let told = |ast: &Instance| {
        ["", ",since", ",dndStatus", ",pickUpCallsOnHold", ",status"]
            .map(|field| ast.getvar(&format!("USER_PRESENCE(carol{field})")))
    };
    let before = told(&ast);
    let alice = "[general]\n[alice]\ntype = user\nextension = 200\nextension = 201\n";
    for restart in [false, true] {
        ast.write_config("userpresence.conf", alice);
        let said = ast.cli("userpresence reload");
        assert!(
            said.starts_with("Reloaded: 1 user: 0 new, 2 removed, 0 changed."),
            "{said}"
        );
        assert!(said.contains("kept for 30 days"), "{said}");
        if restart {
            ast.restart(true);
        }
        ast.write_config("userpresence.conf", THREE);
        let said = ast.cli("userpresence reload");
        assert_eq!(
            said.trim_end(),
            "Reloaded: 3 users: 2 new, 0 removed, 0 changed."
        );
        assert_eq!(told(&ast), before, "restart: {restart}");
    }

    // Thirty days later.
    ast.write_config("userpresence.conf", alice);
    ast.cli("userpresence reload");
    let wait_rows = |what: &str, wanted: &dyn Fn(&str) -> bool| {
        wait_until(what, || wanted(&rows(&ast)).then_some(()));
    };
    wait_rows("what is stored of who is gone", &|rows| {
        rows.contains("/gone/user/carol")
    });
    ast.cli("database put UserPresence gone/user/carol {\\\"at\\\":1000}");
    ast.cli("userpresence reload");
    wait_rows("carol's rows to go", &|rows| !rows.contains("/user/carol"));
    assert!(rows(&ast).contains("/user/bob"));

    // By command, at once.
    let said = ast.cli("userpresence forget alice");
    assert!(
        said.starts_with("'alice' is configured, expected a removed user"),
        "{said}"
    );
    let said = ast.cli("userpresence forget nobody");
    assert!(
        said.starts_with("Nothing is stored for a removed user 'nobody'"),
        "{said}"
    );
    assert_eq!(ast.complete("userpresence forget "), ["all", "bob"]);
    assert_eq!(
        ast.cli("userpresence forget bob").trim_end(),
        "The data of 1 user was deleted."
    );
    wait_rows("bob's rows to go", &|rows| {
        !rows.contains("bob") && !rows.contains("CustomPresence:202")
    });
    assert_eq!(
        ast.cli("userpresence forget all").trim_end(),
        "The data of 0 users was deleted."
    );
    wait_rows("all rows of the gone to go", &|rows| {
        !rows.contains("/gone/")
    });
    assert!(rows(&ast).contains("/user/alice") || rows(&ast).contains("CustomPresence:200"));
    ast.write_config("userpresence.conf", THREE);
    ast.cli("userpresence reload");
    assert_eq!(read(&ast, "carol"), "not_set");
}

/// A returning user may be spelled with other capitals; leftover rows of an existing user
/// are not used.
#[test]
fn a_returning_user_is_the_same_whatever_the_spelling() {
    let ast = three();
    let since = ast.getvar("USER_PRESENCE(carol,since)");
    wait_until("carol's row", || {
        rows(&ast).contains("/user/carol").then_some(())
    });
    ast.write_config("userpresence.conf", &THREE.replace("[carol]", "[dave]"));
    assert!(ast.reload().ok());
    ast.cli("database put UserPresence user/bob {\\\"sequence\\\":7}");
    ast.cli("database put UserPresence gone/user/bob {\\\"at\\\":1000}");
    ast.setvar("USER_PRESENCE(bob)", "xa");
    ast.write_config("userpresence.conf", &THREE.replace("[carol]", "[Carol]"));
    assert!(ast.reload().ok());
    assert_eq!(read(&ast, "carol"), "away");
    assert_eq!(ast.getvar("USER_PRESENCE(carol,since)"), since);
    wait_until("carol to be here", || {
        let rows = rows(&ast);
        let moved = rows.contains("/user/Carol") && !rows.contains("/user/carol");
        (moved && !rows.contains("/gone/user/bob")).then_some(())
    });
    assert_eq!(read(&ast, "bob"), "xa");
    let bob = ast.getvar("USER_PRESENCE(bob,sequence)");
    assert!(
        rows(&ast).contains(&format!("\"sequence\":{bob}")),
        "{}",
        rows(&ast)
    );
}

/// A reload of a file without its users is refused, with a hint how to force it. A file
/// without most of them is accepted with a warning.
#[test]
fn a_file_that_removes_every_user_is_refused() {
    let many = |users: usize| -> String {
        (0..users)
            .map(|at| format!("[u{at}]\ntype = user\n"))
            .collect()
    };
    let ast = Instance::builder().userpresence(&many(12)).start();
    ast.setvar("USER_PRESENCE(u3)", "dnd");
    ast.write_config("userpresence.conf", "[general]\n");
    let why = "all of the 12 users would go, which looks like a mistake; 'userpresence reload \
               --really' does it all the same; the running configuration stays";
    assert!(!ast.reload().ok());
    ast.wait_log(&format!("Not reloaded: {why}"));
    let said = ast.cli("userpresence reload");
    assert!(said.starts_with(&format!("Not reloaded: {why}.")), "{said}");
    let said = ast.cli("userpresence check");
    assert!(
        said.contains("ERROR: all of the 12 users would go"),
        "{said}"
    );
    assert!(
        said.contains("1 error, 0 warnings. A reload would be refused."),
        "{said}"
    );
    assert_eq!(read(&ast, "u3"), "dnd");
    // Other users in their place make no difference.
    ast.write_config("userpresence.conf", &many(12).replace("[u", "[v"));
    assert!(!ast.reload().ok());

    ast.write_config("userpresence.conf", &many(5));
    let from = ast.log().len();
    assert!(ast.reload().ok());
    let line = ast.wait_log_from(
        from,
        "most users are gone: 5 users: 0 new, 7 removed, 0 changed",
    );
    assert!(line.contains("WARNING["), "{line}");
    ast.write_config("userpresence.conf", "[general]\n");
    assert!(ast.reload().ok());
    ast.write_config("userpresence.conf", &many(12));
    assert!(ast.reload().ok());
    assert_eq!(read(&ast, "u3"), "dnd");
    ast.write_config("userpresence.conf", "[general]\n");
    let said = ast.cli("userpresence reload --really");
    assert!(
        said.starts_with("Reloaded: 0 users: 0 new, 12 removed, 0 changed."),
        "{said}"
    );
    assert_eq!(user_names(&ast), Vec::<String>::new());
}

/// The console shows why a reload is refused, and `userpresence check` shows the same
/// without a reload.
#[test]
fn a_refused_reload_shows_its_reason_on_the_console() {
    let ast = three();
    ast.write_config("userpresence.conf", &THREE.replace("outgoing", "outgong"));
    let said = ast.cli("userpresence reload");
    let place = "Not reloaded: userpresence.conf:11, section [carol], option 'outgong': unknown option, did \
                 you mean 'outgoing'? Expected type";
    assert!(
        said.contains(place) && said.contains("the running configuration stays"),
        "{said}"
    );

    let wrong = "[general]\nmethod = best\n\
        [alice]\ntype = user\nextension = PJSIP/200\nextension = 201\naction = act\n\
        [bob]\ntype = user\nextension = 201\n\
        [act]\ntype = action\nstatus = dnd\nset = NO_SUCH(x)=1\nset = DB(x/y)=1\n";
    ast.write_config("userpresence.conf", wrong);
    let before = ast.complaints().len();
    let said = ast.cli("userpresence check");
    for expected in [
        "ERROR: userpresence.conf:2, section [general], option 'method': unknown method 'best', expected",
        "WARNING: userpresence.conf:5, section [alice], option 'extension': 'PJSIP/200' is a device",
        "WARNING: section [act], option 'set': there is no dialplan function 'NO_SUCH'",
        "NOTICE: Extension '201' is alice's and bob's: they share its presence",
        "1 error, 2 warnings. A reload would be refused.",
    ] {
        assert!(said.contains(expected), "{expected:?} in {said}");
    }
    assert!(!said.contains("function 'DB'"), "{said}");
    assert_eq!(
        ast.complaints().len(),
        before,
        "a check is silent in the log"
    );
    assert_eq!(user_names(&ast), ["alice", "bob", "carol"]);

    let right = wrong.replace("method = best", "method = latest");
    ast.write_config(
        "userpresence.conf",
        &right.replace("[act]", "[erin]\ntype = usr\n[act]"),
    );
    let said = ast.cli("userpresence reload");
    assert!(
        said.contains("unknown type 'usr', did you mean 'user'?"),
        "{said}"
    );
    ast.write_config("userpresence.conf", &right);
    let said = ast.cli("userpresence check");
    let end = "0 errors, 2 warnings. After a reload: 2 users: 0 new, 1 removed, 2 changed.";
    assert!(said.trim_end().ends_with(end), "{said}");
    let from = ast.log().len();
    assert!(ast.reload().ok());
    ast.wait_log_from(
        from,
        "section [act], option 'set': there is no dialplan function 'NO_SUCH'",
    );
    let line = ast.wait_log_from(from, "Extension '201' is alice's and bob's");
    assert!(line.contains("NOTICE["), "{line}");
    // Each mistake is reported once.
    let from = ast.log().len();
    assert!(ast.reload().ok());
    ast.complaints();
    assert!(!ast.log()[from..].contains("Extension '201'"));
}

/// Hints ignore case, Asterisk's cache does not. So the new spelling is published, the old
/// one is taken back, and the user's own status stays, even over a restart.
#[test]
fn another_spelling_is_the_same_user() {
    let ast = three();
    let ami = ast.ami();
    let since = ast.getvar("USER_PRESENCE(carol,since)");
    published_states(&ast, &ami);
    ast.write_config("userpresence.conf", &THREE.replace("[carol]", "[Carol]"));
    assert!(ast.reload().ok());
    let mut told = published_states(&ast, &ami);
    told.sort();
    assert_eq!(told, pairs(&[("Carol", "away"), ("carol", "not_set")]));
    assert_eq!(ast.getvar("USER_PRESENCE(carol,since)"), since);
    ast.restart(true);
    assert_eq!(read(&ast, "carol"), "away");
    assert_eq!(ast.getvar("USER_PRESENCE(carol,since)"), since);
    let shown = rows(&ast);
    assert!(
        shown.contains("user/Carol") && !shown.contains("user/carol"),
        "{shown}"
    );

    // The same if the spelling changes while Asterisk is stopped.
    assert!(ast.stop_gracefully().success());
    ast.write_config("userpresence.conf", &THREE.replace("[carol]", "[CAROL]"));
    ast.start_again();
    assert_eq!(read(&ast, "carol"), "away");
    wait_until("one row of carol's", || {
        let shown = rows(&ast);
        (shown.contains("user/CAROL") && !shown.contains("user/Carol")).then_some(())
    });
}

/// After one error anywhere nothing changes, neither users nor settings.
#[test]
fn any_error_keeps_the_running_configuration() {
    let ast = three();
    let ami = ast.ami();
    published_states(&ast, &ami);
    let before = ast.getvar("USER_PRESENCE(alice,json)");
    let settings = ast.cli("userpresence show settings");
    let more = |text: &str| format!("[general]\nmethod = latest\n[new]\ntype = user\n{text}");
    let cases = [
        (
            more("[bob]\ntype = user\nmethod = best\n"),
            "userpresence.conf:7, section [bob], option 'method': unknown method 'best', expected priority, latest, default or none",
        ),
        (
            more("[bob]\ntype = user\ncolour = red\n"),
            "section [bob], option 'colour': unknown option, expected ",
        ),
        (
            more("[bob]\nextension = 1\n"),
            "userpresence.conf:6, section [bob]: the option 'type' is missing",
        ),
        (
            more("[bob]\ntype = user\nextension =\n"),
            "option 'extension': empty, expected an extension such as 200",
        ),
        (
            more("[bob]\ntype = user\nsource = 200\n"),
            "option 'source': '200' is not an address",
        ),
        (
            more("[New]\ntype = user\n"),
            "userpresence.conf:6, section [New]: user 'New' is defined twice (first at userpresence.conf:4, section [new]), expected each name once",
        ),
        (
            "[general]\nsettle = soon\n".into(),
            "userpresence.conf:2, section [general], option 'settle': 'soon', expected a whole number",
        ),
        (
            "[general]\n[bob](missing)\ntype = user\n".into(),
            "refused by Asterisk's parser",
        ),
        (
            "[general]\n#include \"no-such-file.conf\"\n".into(),
            "refused by Asterisk's parser",
        ),
    ];
    for (text, expected) in cases {
        ast.write_config("userpresence.conf", &text);
        let complaints = ast.new_complaints(0).len();
        assert!(!ast.reload().ok(), "{expected}");
        let said = ast.new_complaints(complaints);
        let ours: Vec<_> = said
            .iter()
            .filter(|line| line.contains("userpresence/"))
            .collect();
        assert_eq!(ours.len(), 1, "{said:#?}");
        assert!(
            ours[0].contains("ERROR[") && ours[0].contains(expected),
            "{}",
            ours[0]
        );
        assert!(
            ours[0].contains("the running configuration stays"),
            "{}",
            ours[0]
        );
        assert_eq!(user_names(&ast), ["alice", "bob", "carol"]);
        assert_eq!(ast.getvar("USER_PRESENCE(alice,json)"), before);
        assert_eq!(ast.cli("userpresence show settings"), settings);
    }
    fs::remove_file(ast.config_path("userpresence.conf")).expect("our own file");
    assert!(!ast.reload().ok());
    ast.wait_log("Not reloaded: userpresence.conf cannot be read");

    // Several errors are all reported.
    ast.write_config(
        "userpresence.conf",
        "[general]\nsettle = x\n[bob]\ntype = usr\n[carol]\ntype = user\nid = a b\n",
    );
    assert!(!ast.reload().ok());
    for expected in [
        "option 'settle': 'x', expected",
        "section [bob], option 'type': unknown type 'usr'",
        "option 'id': 'a b', expected",
        "3 errors",
    ] {
        ast.wait_log(expected);
    }
    assert_eq!(published_states(&ast, &ami), pairs(&[]));
    ast.set_custom("202", "xa");
    wait_state(&ast, "bob", "xa");
}

/// The features of Asterisk's own parser: templates, `(+)`, includes, escapes, `#exec`.
#[test]
fn asterisks_own_syntax_works() {
    let ast = Instance::builder().not_loaded().start();
    let general = "[general]\n";
    ast.write_config("userpresence.conf", general);
    assert!(ast.stop().success());
    let path = ast.config_path("asterisk.conf");
    let text = fs::read_to_string(&path).expect("asterisk.conf");
    ast.write_config("asterisk.conf", &format!("{text}execincludes = yes\n"));
    ast.start_again();
    assert!(ast.load_module("res_userpresence.so").ok());

    ast.write_config("more.conf", "[bob](office)\nextension = 202\n");
    ast.write_config("dave.txt", "[dave](office)\n");
    let text = format!(
        "[general]\n\
         [office](!)\ntype = user\nmethod = latest\noutgoing = none\n\
         [alice](office)\nextension = 200\n\
         [carol](office)\nmethod = priority\nextension = 203\\;a ; a comment\n\
         #include \"more.conf\"\n\
         #exec /bin/cat {}\n\
         [alice](+)\nextension = 201\n\
         [bob](+)\nid = böb\n",
        ast.config_path("dave.txt").display()
    );
    ast.write_config("userpresence.conf", &text);
    assert!(ast.reload().ok(), "{:?}", ast.new_complaints(0));
    assert_eq!(user_names(&ast), ["alice", "carol", "bob", "dave"]);
    let asked = |what: &str| ast.getvar(&format!("USER_PRESENCE({what})"));
    assert_eq!(
        (asked("alice,method"), asked("alice,extensions")),
        ("latest".into(), "200,201".into())
    );
    assert_eq!(
        (asked("carol,method"), asked("carol,extensions")),
        ("priority".into(), "203;a".into())
    );
    assert_eq!(
        (asked("bob,method"), asked("bob,extensions")),
        ("latest".into(), "202".into())
    );
    assert!(asked("bob,json").contains("\"id\":\"böb\""));
    assert_eq!(asked("dave,method"), "latest");
    assert_eq!(ast.new_complaints(0), Vec::<String>::new());

    // An error in an included file names that file and its line.
    ast.write_config(
        "more.conf",
        "; a comment\n[bob](office)\nextension = 202\nmethod = best\n",
    );
    assert!(!ast.reload().ok());
    ast.wait_log("more.conf:4, section [bob], option 'method': unknown method 'best', expected ");
}

#[test]
fn a_value_that_is_not_utf8_is_refused() {
    let ast = three();
    fs::write(
        ast.config_path("userpresence.conf"),
        b"[general]\n[alice]\ntype = user\nextension = 2\xff00\n",
    )
    .expect("our own file");
    assert!(!ast.reload().ok());
    ast.wait_log(
        "userpresence.conf:4, section [alice], option 'extension': the value is not UTF-8",
    );
    fs::write(
        ast.config_path("userpresence.conf"),
        b"[general]\n[al\xefce]\ntype = user\n",
    )
    .expect("our own file");
    assert!(!ast.reload().ok());
    ast.wait_log("is not a user's name, expected 1 to 60 letters, digits, '-', '_' or '.'");
    assert_eq!(user_names(&ast), ["alice", "bob", "carol"]);
}

/// A user may be a source of another user, but not in a cycle.
#[test]
fn a_cycle_is_refused_with_the_place_of_each_user() {
    let ast = three();
    let reads =
        |user: &str, other: &str| format!("[{user}]\ntype = user\nsource = UserPresence:{other}\n");
    let round = |users: &[(&str, &str)]| {
        let sections = users.iter().map(|(user, other)| reads(user, other));
        format!("[general]\n{}", sections.collect::<String>())
    };
    ast.write_config(
        "userpresence.conf",
        &round(&[("alice", "bob"), ("bob", "Alice")]),
    );
    assert!(!ast.reload().ok());
    let cycle =
        "a cycle of users (alice -> bob -> alice), expected a source that does not lead back";
    ast.wait_log(&format!(
        "userpresence.conf:4, section [alice], option 'source': {cycle}"
    ));
    ast.wait_log(&format!(
        "userpresence.conf:7, section [bob], option 'source': {cycle}"
    ));

    ast.write_config(
        "userpresence.conf",
        &round(&[("x", "y"), ("y", "z"), ("z", "x"), ("me", "me")]),
    );
    assert!(!ast.reload().ok());
    for place in [":4, section [x]", ":7, section [y]", ":10, section [z]"] {
        ast.wait_log(&format!(
            "{place}, option 'source': a cycle of users (x -> y -> z -> x)"
        ));
    }
    ast.wait_log(":13, section [me], option 'source': a cycle of users (me -> me)");
    assert_eq!(user_names(&ast), ["alice", "bob", "carol"]);

    // A load leaves out only the users of the cycle.
    ast.unload_module("res_userpresence.so");
    let config = round(&[("x", "y"), ("y", "x"), ("watcher", "x"), ("team", "dave")]);
    ast.write_config(
        "userpresence.conf",
        &format!("{config}[dave]\ntype = user\nextension = 200\n"),
    );
    assert!(ast.load_module("res_userpresence.so").ok());
    assert_eq!(user_names(&ast), ["watcher", "team", "dave"]);
    assert_eq!(read(&ast, "team"), "dnd");
}

/// Four clients read and write while the configuration changes under them.
#[test]
fn a_reload_disturbs_no_client() {
    let ast = three();
    let (stop, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    let fewer = "[general]\n[carol]\ntype = user\noutgoing = none\nextension = 203\n";
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| ast.ami()).collect();
        let clients = clients.into_iter().enumerate().map(|(number, ami)| {
            let (stop, rounds) = (&stop, &rounds);
            scope.spawn(move || {
                let mut asked = 0;
                while !stop.load(Ordering::Relaxed) {
                    let state = ["away", "dnd", "xa", "chat"][(number + asked) % 4];
                    let set = |user: &str| {
                        ami.action(&[
                            ("Action", "UserPresenceSet"),
                            ("User", user),
                            ("Status", state),
                        ])
                    };
                    assert!(set("carol").ok());
                    // The user may be absent at this moment.
                    let alice = set("alice");
                    assert!(alice.ok() || alice.text().contains("there is no user 'alice'"));
                    assert!(
                        ami.action(&[("Action", "UserPresenceGet"), ("User", "carol")])
                            .ok()
                    );
                    let listed = ami.list(&[("Action", "UserPresenceList")]);
                    assert!(
                        listed.iter().any(|user| user.get("User") == Some("carol")),
                        "{listed:?}"
                    );
                    asked += 1;
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        let clients: Vec<_> = clients.collect();
        // At least 100 reloads, and as many as 100 rounds of the clients take.
        let mut round = 0;
        while round < 100 || rounds.load(Ordering::Relaxed) < 100 {
            assert!(clients.iter().all(|client| !client.is_finished()));
            round += 1;
            let text = if round % 2 == 0 { fewer } else { THREE };
            ast.write_config("userpresence.conf", text);
            assert!(ast.reload().ok());
        }
        stop.store(true, Ordering::Relaxed);
    });
    ast.write_config("userpresence.conf", THREE);
    assert!(ast.reload().ok());
    assert_eq!(ast.new_complaints(0), Vec::<String>::new());
    ast.setvar("USER_PRESENCE(alice)", "dnd");
    assert_eq!(read(&ast, "alice"), "dnd");
    let custom = ast.getvar("PRESENCE_STATE(CustomPresence:200,value)");
    assert_eq!(custom, "dnd");
}
