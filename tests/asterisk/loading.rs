//! Loading, declining to load, unloading.

use std::fs;

use crate::harness::changes::published_states;
use crate::harness::{Instance, MODULE, Message, root, skip, wait_until};

const ALICE: &str = "[general]\n[alice]\ntype = user\nextension = 200\nextension = 201\n";

/// The module's commands, actions and provider that Asterisk knows now. Functions and
/// applications stay registered, see `unload.rs`.
pub fn registered(ast: &Instance) -> Vec<String> {
    let asked = [
        ("core show help userpresence", "userpresence "),
        ("manager show commands", "UserPresence"),
    ];
    let mut found = Vec::new();
    for (command, name) in asked {
        let shown = ast.cli(command);
        let lines = shown.lines().filter(|line| line.contains(name));
        let lines = lines.filter(|line| !line.contains("No such") && !line.contains("failed."));
        found.extend(lines.map(str::to_owned));
    }
    // Without a provider the address has no presence at all.
    let provider = ast.control_presence("UserPresence:nobody");
    if provider.ok() {
        found.push("the provider".into());
    }
    found
}

impl Instance {
    fn control_presence(&self, address: &str) -> Message {
        let ami = self.ami();
        ami.action(&[("Action", "PresenceState"), ("Provider", address)])
    }

    /// The complaints after the first `before` ones, without those of missing documentation.
    #[track_caller]
    pub fn new_complaints(&self, before: usize) -> Vec<String> {
        let all = self.complaints();
        let ours = all.into_iter().filter(|line| !line.contains("xmldoc.c"));
        ours.skip(before).collect()
    }
}

#[test]
fn module_show_describes_the_module() {
    let ast = Instance::builder().userpresence(ALICE).start();
    let shown = ast.cli("module show like userpresence");
    let line = shown.lines().find(|line| line.starts_with(MODULE));
    let line = line.unwrap_or_else(|| panic!("{shown}"));
    for word in [
        "User presence: one combined presence",
        " Running ",
        "extended",
    ] {
        assert!(line.contains(word), "{line}");
    }
    assert!(shown.contains("1 modules loaded"), "{shown}");
    assert_eq!(ast.new_complaints(0), Vec::<String>::new());
    // The tests below check that all of these are gone.
    let found = registered(&ast);
    let expected = [
        "userpresence show users",
        "userpresence set",
        "UserPresenceList",
        "UserPresenceSet",
        "the provider",
    ];
    for name in expected {
        assert!(
            found.iter().any(|line| line.contains(name)),
            "{name}: {found:?}"
        );
    }
}

/// Asterisk's load priorities decide, not the order in `modules.conf`: the module knows
/// CustomPresence's stored states at once, and a hint finds its provider.
#[test]
fn it_loads_after_custom_presence_and_before_hints() {
    let reversed = |ours: &str| {
        format!(
            "[modules]\nautoload = no\nload = pbx_config.so\n{ours}\
             load = res_manager_presencestate.so\nload = func_presencestate.so\n"
        )
    };
    let with_ours = reversed("load = res_userpresence.so\n");
    let ast = Instance::builder()
        .userpresence(ALICE)
        .file("modules.conf", &with_ours)
        .hint("2000", ",UserPresence:alice")
        .start();
    ast.set_custom("200", "dnd,busy,In a call");
    ast.wait_hint_presence("2000", "dnd");
    let answer = ast.getvar("USER_PRESENCE(alice,json)");
    ast.restart(true);
    assert_eq!(ast.hint("2000").presence, "dnd");
    // If the provider came later, the first answer would cause a transition.
    assert_eq!(ast.getvar("USER_PRESENCE(alice,json)"), answer);
    assert_eq!(ast.new_complaints(0), Vec::<String>::new());

    // Without the module the log has the sign of a wrong order.
    assert!(ast.stop_gracefully().success());
    ast.write_config("modules.conf", &reversed(""));
    ast.start_again();
    ast.wait_log("No provider found for label: UserPresence");
}

/// A load that fails logs one message and leaves nothing behind, whatever the cause.
#[test]
fn a_failed_load_declines_with_one_message_and_leaves_nothing() {
    let ast = Instance::builder().not_loaded().start();
    let general = |line: &str| format!("[general]\n{line}\n[alice]\ntype = user\n");
    let line2 = "userpresence.conf:2, section [general]";
    let cases = [
        (
            None,
            "userpresence.conf cannot be read, expected it in".to_owned(),
        ),
        (
            Some("[general\nx = 1\n".into()),
            "refused by Asterisk's parser".into(),
        ),
        (
            Some(general("method = best")),
            format!("{line2}, option 'method': unknown method 'best', expected "),
        ),
        (
            Some(general("priority = dnd,asleep")),
            format!("{line2}, option 'priority': unknown state 'asleep', expected "),
        ),
        (
            Some(general("priority = dnd,dnd")),
            format!("{line2}, option 'priority': the state 'dnd' appears twice"),
        ),
        (
            Some(general("outgoing = some")),
            format!(
                "{line2}, option 'outgoing': unknown value 'some', expected all, default or none"
            ),
        ),
        (
            Some(general("enabled = perhaps")),
            format!("{line2}, option 'enabled': 'perhaps', expected yes or no"),
        ),
        (
            Some(general("settle = -1")),
            format!("{line2}, option 'settle': '-1', expected a whole number"),
        ),
        (
            Some(general("settle = 60001")),
            "'60001', expected a whole number of milliseconds from 0 to 60000".into(),
        ),
        (
            Some(general("presence_prefix = x")),
            format!("{line2}, option 'presence_prefix': "),
        ),
        (
            Some(general("colour = red")),
            format!("{line2}, option 'colour': unknown option, expected "),
        ),
        (
            Some("[general]\nsettle=1\n[general]\nsettle=2\n".into()),
            "the section [general] appears twice, expected it once".into(),
        ),
    ];
    let mut complaints = 0;
    for (config, expected) in cases {
        if let Some(config) = &config {
            ast.write_config("userpresence.conf", config);
        }
        assert!(!ast.load_module(MODULE).ok(), "{expected}");
        let said = ast.new_complaints(complaints);
        let ours: Vec<_> = said
            .iter()
            .filter(|line| line.contains("userpresence/"))
            .collect();
        assert_eq!(ours.len(), 1, "{said:#?}");
        assert!(
            ours[0].contains("ERROR[") && ours[0].contains("Not loaded: "),
            "{}",
            ours[0]
        );
        assert!(ours[0].contains(&expected), "{} lacks {expected}", ours[0]);
        assert_eq!(registered(&ast), Vec::<String>::new());
        // The module stays in the list because its code stays mapped.
        let shown = ast.cli("module show like userpresence");
        assert!(shown.contains("Not Running"), "{shown}");
        complaints = ast.new_complaints(0).len();
    }

    // Every error of [general] is reported, not only the first.
    ast.write_config(
        "userpresence.conf",
        "[general]\nmethod = best\nsettle = x\n",
    );
    assert!(!ast.load_module(MODULE).ok());
    let said = ast.new_complaints(complaints).join("\n");
    assert!(
        said.contains("'best', expected") && said.contains("'x', expected"),
        "{said}"
    );

    ast.write_config("userpresence.conf", ALICE);
    assert!(ast.load_module(MODULE).ok());
    ast.set_custom("200", "away");
    wait_until("alice to be away", || {
        (ast.getvar("USER_PRESENCE(alice)") == "away").then_some(())
    });
}

/// The loader compares the build options before any code of the module runs.
#[test]
fn a_module_built_for_another_asterisk_is_refused() {
    let ast = Instance::builder().userpresence(ALICE).not_loaded().start();
    let file = ast.path("modules").join(MODULE);
    let mut bytes = fs::read(&file).expect("the module");
    let sums: Vec<usize> = bytes
        .windows(34)
        .enumerate()
        .filter(|(_, w)| w[0] == 0 && w[33] == 0)
        .filter(|(_, w)| {
            w[1..33]
                .iter()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        })
        .map(|(at, _)| at + 1)
        .collect();
    assert!(!sums.is_empty(), "no build option sum in the module");
    for at in sums {
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    }
    fs::remove_file(&file).expect("our own copy");
    fs::write(&file, bytes).expect("our own copy");

    assert!(!ast.load_module(MODULE).ok());
    let said = ast.new_complaints(0).join("\n");
    assert!(
        said.contains("not compiled with the same compile-time options"),
        "{said}"
    );
    assert_eq!(registered(&ast), Vec::<String>::new());
}

/// Asterisk loads a copy of the module's file as another module. The copy finds its names
/// taken and leaves the first one alone.
#[test]
fn a_second_copy_declines_and_leaves_the_first_alone() {
    let ast = Instance::builder().userpresence(ALICE).start();
    let before = registered(&ast);
    ast.set_custom("200", "dnd");
    let copy = ast.path("modules/res_copy.so");
    fs::copy(ast.path("modules").join(MODULE), copy).expect("a copy");
    let complaints = ast.new_complaints(0).len();
    assert!(!ast.load_module("res_copy.so").ok());
    let said = ast.new_complaints(complaints);
    let ours = said.iter().filter(|line| line.contains("userpresence/"));
    let ours: Vec<_> = ours.collect();
    assert_eq!(ours.len(), 1, "{said:#?}");
    let expected = "Not loaded: Device state provider \"UserPresence\" could not be registered";
    assert!(ours[0].contains(expected), "{}", ours[0]);
    assert_eq!(registered(&ast), before);
    ast.set_custom("201", "xa");
    ast.set_custom("200", "not_set");
    let asked = "PRESENCE_STATE(UserPresence:alice,value)";
    wait_until("alice xa", || (ast.getvar(asked) == "xa").then_some(()));
}

/// A command alias may already use the name of one of the module's commands.
#[test]
fn a_taken_command_name_makes_the_load_decline() {
    let ast = Instance::builder()
        .userpresence(ALICE)
        .modules(&["res_clialiases"])
        .file(
            "cli_aliases.conf",
            "[general]\ntemplate = mine\n[mine]\nuserpresence show settings = core show version\n",
        )
        .not_loaded()
        .start();
    let before = registered(&ast);
    let complaints = ast.new_complaints(0).len();
    assert!(!ast.load_module(MODULE).ok());
    let said = ast.new_complaints(complaints);
    let ours: Vec<_> = said
        .iter()
        .filter(|line| line.contains("userpresence/"))
        .collect();
    assert_eq!(ours.len(), 1, "{said:#?}");
    let expected = "Not loaded: CLI command 'userpresence show settings' could not be registered";
    assert!(ours[0].contains(expected), "{}", ours[0]);
    assert_eq!(registered(&ast), before);
    assert!(
        ast.cli("userpresence show settings")
            .contains(&format!("Asterisk {}", root().version()))
    );

    assert!(ast.unload_module("res_clialiases.so").ok());
    assert!(ast.load_module(MODULE).ok());
    assert!(ast.cli("userpresence show settings").contains("Users: 1"));
}

/// A function of `func_odbc.conf` may already use the name of the module's function.
#[test]
fn a_taken_function_name_makes_the_load_decline() {
    if !root().has_module("func_odbc") {
        return skip("it has no func_odbc, which lends the function's name to another");
    }
    let ast = Instance::builder()
        .userpresence(ALICE)
        .modules(&["res_odbc", "res_odbc_transaction", "func_odbc"])
        .file("res_odbc.conf", "[none]\nenabled = no\ndsn = none\n")
        .file(
            "func_odbc.conf",
            "[PRESENCE]\nprefix = USER\ndsn = none\nreadsql = SELECT 1\n",
        )
        .not_loaded()
        .start();
    let function = || ast.cli("core show function USER_PRESENCE");
    let before = function();
    assert!(before.contains("USER_PRESENCE"), "{before}");
    assert!(!ast.load_module(MODULE).ok());
    ast.wait_log("Not loaded: Function USER_PRESENCE could not be registered");
    assert_eq!(function(), before);
    assert_eq!(registered(&ast), Vec::<String>::new());
}

#[test]
fn a_loaded_module_is_not_loaded_twice() {
    let ast = Instance::builder().userpresence(ALICE).start();
    assert!(!ast.load_module(MODULE).ok());
    assert_eq!(ast.getvar("USER_PRESENCE(alice)"), "not_set");
}

/// A load leaves out a section with an error; the rest works.
#[test]
fn a_section_with_an_error_is_left_out_and_reported() {
    let ast = Instance::builder()
        .userpresence(
            "[general]\n[alice]\ntype = user\nextension = 200\n\
             [bob]\ntype = user\nextension = 201\nmethod = best\n\
             [carol]\nextension = 202\n\
             [dave]\ntype = usr\n\
             [erin]\ntype = user\nextension = 203\ndefault = 204\ntwenty = 20\n\
             [f rank]\ntype = user\n[Alice]\ntype = user\n[zoe]\ntype = user\n",
        )
        .start();
    let said = ast.new_complaints(0);
    let expected = [
        "userpresence.conf:8, section [bob], option 'method': unknown method 'best', expected priority, latest, default or none",
        "userpresence.conf:10, section [carol]: the option 'type' is missing, expected user, status, device_table",
        "userpresence.conf:12, section [dave], option 'type': unknown type 'usr', did you mean 'user'? Expected user, status, device_table",
        "userpresence.conf:17, section [erin], option 'twenty': unknown option, expected ",
        "userpresence.conf:16, section [erin], option 'default': '204', expected one of the user's extensions",
        "section [f rank]: 'f rank' is not a user's name, expected 1 to 60 letters",
        "section [Alice]: user 'Alice' is defined twice (first at userpresence.conf:3, section [alice])",
    ];
    for expected in expected {
        let lines = said.iter().filter(|line| line.contains(expected));
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines.len(), 1, "{expected}: {said:#?}");
        assert!(lines[0].contains("ERROR["), "{}", lines[0]);
    }
    assert_eq!(said.len(), expected.len(), "{said:#?}");

    let ami = ast.ami();
    let users = ami.list(&[("Action", "UserPresenceList")]);
    let users: Vec<_> = users.iter().filter_map(|user| user.get("User")).collect();
    assert_eq!(users, ["alice", "zoe"]);
    ast.set_custom("200", "xa");
    wait_until("alice", || {
        (ast.getvar("USER_PRESENCE(alice)") == "xa").then_some(())
    });
}

/// An unload leaves no stale hint, and the next load restores everything.
#[test]
fn an_unload_publishes_not_set_and_the_next_load_restores_all() {
    let ast = Instance::builder()
        .userpresence(&format!("{ALICE}[bob]\ntype = user\n"))
        .hint("2000", ",UserPresence:alice")
        .start();
    ast.set_custom("200", "dnd,busy,In a call");
    ast.setvar("USER_PRESENCE(bob)", "away,lunch,Back at one");
    ast.wait_hint_presence("2000", "dnd");
    let before = ["alice", "bob"].map(|user| ast.getvar(&format!("USER_PRESENCE({user},json)")));

    for _ in 0..3 {
        let ami = ast.ami();
        assert!(ast.unload_module(MODULE).ok());
        let told = published_states(&ast, &ami);
        assert_eq!(
            told,
            [
                ("alice".into(), "not_set".into()),
                ("bob".into(), "not_set".into())
            ]
        );
        ast.wait_hint_presence("2000", "not_set");
        assert_eq!(registered(&ast), Vec::<String>::new());

        assert!(ast.load_module(MODULE).ok());
        let told = published_states(&ast, &ami);
        assert_eq!(
            told,
            [
                ("alice".into(), "dnd".into()),
                ("bob".into(), "away".into())
            ]
        );
        ast.wait_hint_presence("2000", "dnd");
        let again = ["alice", "bob"].map(|user| ast.getvar(&format!("USER_PRESENCE({user},json)")));
        assert_eq!(again, before);
    }
    ast.set_custom("200", "not_set");
    ast.wait_hint_presence("2000", "not_set");
    ast.set_custom("201", "chat");
    ast.wait_hint_presence("2000", "chat");
}

/// When Asterisk stops, phones keep their display.
#[test]
fn a_stop_of_asterisk_publishes_nothing() {
    let ast = Instance::builder().userpresence(ALICE).start();
    for graceful in [false, true] {
        ast.set_custom("200", "dnd");
        wait_until("dnd", || {
            (ast.getvar("USER_PRESENCE(alice)") == "dnd").then_some(())
        });
        let ami = ast.ami();
        published_states(&ast, &ami);
        let status = if graceful {
            ast.stop_gracefully()
        } else {
            ast.stop()
        };
        assert!(status.success());
        assert!(ami.wait_closed());
        let told = ami.take_events();
        let told = told
            .iter()
            .filter(|event| event.is_event("PresenceStateChange"));
        assert_eq!(told.count(), 0);
        ast.start_again();
    }
}

/// The module looks for an action's function only once every module is loaded.
#[test]
fn a_function_whose_module_loads_later_causes_no_warning() {
    let conf = "[act]\ntype = action\nstatus = dnd\nset = CUT(x)=1\nset = VOLUME(TX)=1\n\
                set = NO_SUCH(x)=1\n[alice]\ntype = user\naction = act\n";
    // The module of the first function is loaded after this one.
    let ast = Instance::builder()
        .userpresence(conf)
        .modules(&["func_volume"])
        .start();
    let warned = ast.wait_log("there is no dialplan function 'NO_SUCH'");
    assert!(warned.contains("WARNING[") && warned.contains("section [act], option 'set'"));
    let told = ast.complaints();
    assert!(
        !told.iter().any(|line| line.contains("'VOLUME'")),
        "{told:#?}"
    );
    // The module of the other function is never loaded.
    assert!(told.iter().any(|line| line.contains("'CUT'")), "{told:#?}");
}
