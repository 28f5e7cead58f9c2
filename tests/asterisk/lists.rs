//! Resource lists (RFC 4662): a phone subscribes once for an account or a group.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::barrier::configured;
use crate::harness::users::set;
use crate::harness::{Builder, Instance, ListNotify, ListSubscriber, MODULE, wait_until};

const USERS: &str = "[alice]\ntype = user\nextension = 200\ngroup = Sales, Berlin, Geschäftsführung\n\
                     endpoint = desk,PJSIP/watcher\n\
                     [bob]\ntype = user\nextension = 201\ngroup = sales\n\
                     [carol]\ntype = user\nextension = 202\n\
                     [dave]\ntype = user\nextension = 300\naccount = east\ngroup = sales\n\
                     endpoint = desk,PJSIP/dave\n";

const ACCOUNT: &str = "userpresence-default";

fn hints(builder: Builder) -> Builder {
    builder
        .sip(&["200", "201", "dave", "stranger"])
        .hint("200", "PJSIP/200,UserPresence:alice")
        .hint("8201", "PJSIP/201,UserPresence:bob")
        .hint("202", "Custom:202")
        .hint("300", "Custom:300,UserPresence:dave")
}

fn office() -> Instance {
    hints(configured(USERS)).start()
}

/// What a new subscription gets first.
#[track_caller]
fn first(ast: &Instance, endpoint: &str, list: &str) -> (ListSubscriber, ListNotify) {
    let phone = ListSubscriber::start(ast, endpoint, list);
    let first = phone.wait("the first NOTIFY", |_| true);
    assert!(first.full);
    (phone, first)
}

fn hide(ast: &Instance, user: &str, hidden: bool) {
    let name = format!("USER_PRESENCE({user},allowSeeMyPresence)");
    ast.setvar(&name, if hidden { "false" } else { "true" });
}

/// Replaces a text in `userpresence.conf` and reloads.
#[track_caller]
fn rewrite(ast: &Instance, from: &str, to: &str) {
    let file = ast.path("etc/userpresence.conf");
    let text = fs::read_to_string(file).expect("the configuration");
    assert!(text.contains(from), "{text}");
    ast.write_config("userpresence.conf", &text.replacen(from, to, 1));
    let answer = ast.reload();
    assert!(answer.ok(), "{answer:?}");
}

#[test]
fn an_account_has_a_list() {
    let ast = office();
    let (phone, first) = first(&ast, "watcher", ACCOUNT);
    assert_eq!(first.version, 0);
    // Bob by the extension that shows Bob, carol by her own.
    assert_eq!(first.extensions(), ["200", "202", "8201"]);
    assert_eq!(first.state("200").as_deref(), Some("not_set"));
    for state in ["away", "dnd", "xa", "chat", "unavailable", "available"] {
        set(&ast, "bob", &format!("{state},lunch,Back at one"));
        let next = phone.wait(state, |it| it.state("8201").as_deref() == Some(state));
        assert_eq!((next.extensions(), next.full), (vec!["8201"], false));
        let told = next.members["8201"].presence().expect("a presence");
        assert_eq!(
            (told.subtype, told.message),
            ("lunch".into(), "Back at one".into())
        );
    }
    // A device alone is told too.
    ast.set_device("202", "INUSE");
    phone.wait("carol's device", |it| it.extensions() == ["202"]);
    ast.wait_watchers("8201", 1);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_group_has_a_list() {
    let ast = office();
    let members = |list: &str| {
        let (_, first) = first(&ast, "watcher", list);
        first.members.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(members("userpresence-default+sales"), ["200", "8201"]);
    assert_eq!(members("userpresence-default+SALES"), ["200", "8201"]);
    assert_eq!(members("userpresence-default+Berlin"), ["200"]);
    let german = "userpresence-default+Gesch_ftsf_hrung";
    assert_eq!(members(german), ["200"]);
    let (_, east) = first(&ast, "dave", "userpresence-east+sales");
    assert_eq!(east.extensions(), ["300"]);
    assert_eq!(ast.complaints(), Vec::<String>::new());
    rewrite(&ast, "Geschäftsführung", "Front Desk,front:desk");
    ast.wait_log(
        "the groups 'Front Desk' and 'front:desk' would have one list, 'front_desk': only the \
         first has it",
    );
    assert_eq!(members("userpresence-default+front_desk"), ["200"]);
}

#[test]
fn members_follow_the_configuration_at_the_next_refresh() {
    let ast = office();
    let (phone, first) = first(&ast, "watcher", "userpresence-default+sales");
    assert_eq!(first.extensions(), ["200", "8201"]);
    rewrite(
        &ast,
        "extension = 202\n",
        "extension = 202\ngroup = SALES\n",
    );
    ast.wait_log("0 new, 0 removed, 1 changed");
    phone.refresh();
    let all = phone.wait("carol", |it| it.full && it.members.contains_key("202"));
    assert_eq!(all.extensions(), ["200", "202", "8201"]);
    rewrite(&ast, "group = sales\n", "");
    phone.refresh();
    let all = phone.wait("bob's end", |it| {
        it.full && !it.members.contains_key("8201")
    });
    assert_eq!(all.extensions(), ["200", "202"]);
    // The list no longer reports a member that was left out, and reports a new one.
    set(&ast, "bob", "away");
    set(&ast, "carol", "away");
    ast.set_device("202", "INUSE");
    let next = phone.wait("carol's device", |it| !it.full);
    assert_eq!(next.extensions(), ["202"]);
    ast.wait_watchers("8201", 0);
}

#[test]
fn a_hint_that_comes_is_followed_at_the_next_refresh() {
    let ast = hints(configured(&format!(
        "{USERS}[erin]\ntype = user\nextension = 203\n"
    )))
    .start();
    let (phone, first) = first(&ast, "watcher", ACCOUNT);
    assert_eq!(first.extensions(), ["200", "202", "8201"]);
    let file = ast.path("etc/extensions.conf");
    let text = fs::read_to_string(file).expect("the dialplan");
    let hint = "exten = 200,hint";
    let pattern = format!("exten = _20[13],hint,Custom:${{EXTEN}}\n{hint}");
    ast.write_config("extensions.conf", &text.replace(hint, &pattern));
    ast.cli("dialplan reload");
    // The hints that the module has may be a second old.
    let all = wait_until("erin", || {
        phone.refresh();
        let all = phone.wait("a refresh", |it| it.full);
        all.members.contains_key("203").then_some(all)
    });
    // A hint names Bob: the pattern is not for Bob.
    assert_eq!(all.extensions(), ["200", "202", "203", "8201"]);
    ast.set_device("203", "INUSE");
    phone.wait("erin's device", |it| it.extensions() == ["203"]);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// Asterisk itself: after the end of a hint on a list, the subscription reports nothing more,
/// and refreshes are answered and ignored.
#[test]
fn a_hint_that_goes_stops_the_subscription() {
    let ast = office();
    let (phone, _) = first(&ast, "watcher", ACCOUNT);
    let file = ast.path("etc/extensions.conf");
    let text = fs::read_to_string(file).expect("the dialplan");
    let kept = text
        .lines()
        .filter(|line| !line.starts_with("exten = 8201,"));
    ast.write_config("extensions.conf", &kept.collect::<Vec<_>>().join("\n"));
    ast.cli("dialplan reload");
    phone.wait("the end", |it| it.ended == ["8201"]);
    set(&ast, "alice", "away");
    phone.refresh();
    let (_, again) = first(&ast, "watcher", ACCOUNT);
    assert_eq!(again.extensions(), ["200", "202"]);
    assert_eq!(again.state("200").as_deref(), Some("away"));
    assert_eq!(phone.notifies().len(), 2);
}

#[test]
fn quick_changes_are_one_notify() {
    let states = ["away", "dnd", "chat", "xa", "available"];
    let changes = |batch: u32| {
        let users = format!("{USERS}[general]\nlist_batch = {batch}\n");
        let ast = hints(configured(&users)).start();
        let (phone, _) = first(&ast, "watcher", ACCOUNT);
        for state in states {
            set(&ast, "alice", state);
            set(&ast, "bob", state);
        }
        let mut latest = (None, None);
        for notify in std::iter::repeat_with(|| phone.wait("a change", |_| true)) {
            latest.0 = notify.state("200").or(latest.0);
            latest.1 = notify.state("8201").or(latest.1);
            if latest == (Some("available".into()), Some("available".into())) {
                break;
            }
        }
        phone.notifies().len() - 1
    };
    // Asterisk itself may pass over a state that is replaced at once.
    let each = changes(0);
    let gathered = changes(3000);
    assert!(each > 2 * states.len() / 2, "{each}");
    assert!(gathered < each, "{gathered} of {each}");
}

#[test]
fn each_notify_has_all_members_where_that_is_configured() {
    let users = format!("{USERS}[general]\nlist_full_state = yes\n");
    let ast = hints(configured(&users)).start();
    let (phone, _) = first(&ast, "watcher", ACCOUNT);
    set(&ast, "bob", "away");
    let next = phone.wait("bob", |it| it.state("8201").as_deref() == Some("away"));
    assert_eq!(
        (next.extensions(), next.full),
        (vec!["200", "202", "8201"], true)
    );
}

#[test]
fn a_user_who_hides_is_on_no_list() {
    let ast = office();
    hide(&ast, "bob", true);
    let (phone, first) = first(&ast, "watcher", ACCOUNT);
    assert_eq!(first.extensions(), ["200", "202"]);
    hide(&ast, "bob", false);
    phone.refresh();
    phone.wait("bob", |it| it.full && it.members.contains_key("8201"));
    hide(&ast, "bob", true);
    phone.refresh();
    phone.wait("bob's end", |it| {
        it.full && !it.members.contains_key("8201")
    });
    // The administrator is shown what phones get.
    assert_eq!(shown(&ast, ACCOUNT), Some("200,202".to_owned()));
    for user in ["alice", "carol"] {
        hide(&ast, user, true);
    }
    let nobody = ListSubscriber::try_start(&ast, "watcher", ACCOUNT);
    assert!(nobody.wait_answer().starts_with("SIP/2.0 404"));
    phone.refresh();
    phone.wait_terminated();
}

#[test]
fn a_list_has_whom_everyone_may_see() {
    let users = USERS
        .replace(
            "group = sales\n[carol]",
            "group = sales\nvisibility = groups\n[carol]",
        )
        .replace(
            "extension = 202\n",
            "extension = 202\nvisibility = nobody\n",
        );
    let ast = hints(configured(&users)).start();
    let (phone, first) = first(&ast, "watcher", ACCOUNT);
    assert_eq!(first.extensions(), ["200"]);
    for (user, extension) in [("bob", "8201"), ("carol", "202")] {
        let settings = format!("USER_PRESENCE({user},settings)");
        ast.setvar(&settings, r#"{"visibility":"everyone"}"#);
        phone.refresh();
        phone.wait(user, |it| it.full && it.members.contains_key(extension));
    }
    ast.setvar("USER_PRESENCE(bob,settings)", r#"{"visibility":null}"#);
    phone.refresh();
    phone.wait("bob's end", |it| {
        it.full && it.extensions() == ["200", "202"]
    });
    assert_eq!(shown(&ast, ACCOUNT), Some("200,202".to_owned()));
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_list_is_for_the_phones_of_its_account() {
    let ast = office();
    let mut warned = Vec::new();
    for (endpoint, list) in [
        ("dave", ACCOUNT),
        ("dave", "userpresence-default+sales"),
        ("stranger", ACCOUNT),
        ("stranger", "userpresence-east"),
        ("watcher", "userpresence-east"),
        ("watcher", "userpresence-east+sales"),
    ] {
        let before = ast.log().len();
        let refused = ListSubscriber::try_start(&ast, endpoint, list);
        assert!(refused.wait_answer().starts_with("SIP/2.0 404"), "{list}");
        if !warned.contains(&endpoint) {
            warned.push(endpoint);
            let warning = format!("The endpoint '{endpoint}' gets no list '{list}'");
            ast.wait_log_from(before, &warning);
        }
    }
    for unknown in ["userpresence-nobody", "userpresence-default+none"] {
        let refused = ListSubscriber::try_start(&ast, "watcher", unknown);
        assert!(refused.wait_answer().starts_with("SIP/2.0 404"));
    }
    assert_eq!(ast.log().matches("gets no list").count(), warned.len());
    // An extension's own device is a phone of the user too.
    let (_, first) = first(&ast, "201", ACCOUNT);
    assert_eq!(first.members.len(), 3);
}

#[test]
fn a_phone_that_leaves_the_account_loses_the_list() {
    let ast = office();
    let (phone, _) = first(&ast, "watcher", ACCOUNT);
    rewrite(
        &ast,
        "[alice]\ntype = user\n",
        "[alice]\ntype = user\naccount = east\n",
    );
    phone.refresh();
    phone.wait_terminated();
}

/// The members of a list as `PJSIPShowResourceLists` shows them.
fn shown(ast: &Instance, name: &str) -> Option<String> {
    let answer = ast.ami().action(&[("Action", "PJSIPShowResourceLists")]);
    if !answer.ok() {
        // Asterisk has no list.
        return None;
    }
    let lists = ast.ami().list(&[("Action", "PJSIPShowResourceLists")]);
    let list = lists
        .into_iter()
        .find(|list| list.header("ObjectName") == name)?;
    Some(list.header("ListItem").to_owned())
}

#[test]
fn an_administrators_own_list_comes_first() {
    let ast = office();
    assert_eq!(shown(&ast, ACCOUNT), Some("200,8201,202".to_owned()));
    let own = format!(
        "[{ACCOUNT}]\ntype = resource_list\nevent = presence\nlist_item = 202\nfull_state = no\n"
    );
    let file = ast.path("etc/pjsip.conf");
    let text = fs::read_to_string(file).expect("pjsip.conf");
    ast.write_config("pjsip.conf", &format!("{text}\n{own}"));
    ast.cli("module reload res_pjsip.so");
    wait_until("the administrator's list", || {
        (shown(&ast, ACCOUNT)? == "202").then_some(())
    });
    let (_, own) = first(&ast, "stranger", ACCOUNT);
    assert_eq!(own.extensions(), ["202"]);
    // The others are still the module's.
    let group = "userpresence-default+Sales";
    assert_eq!(shown(&ast, group), Some("200,8201".to_owned()));
    let (_, ours) = first(&ast, "watcher", group);
    assert_eq!(ours.extensions(), ["200", "8201"]);
    ast.write_config("pjsip.conf", &text);
    ast.cli("module reload res_pjsip.so");
    wait_until("the module's list", || {
        (shown(&ast, ACCOUNT)? == "200,8201,202").then_some(())
    });
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_subscription_outlives_the_module() {
    let ast = office();
    let (phone, _) = first(&ast, "watcher", ACCOUNT);
    set(&ast, "bob", "away");
    phone.wait("away", |it| it.state("8201").as_deref() == Some("away"));
    assert!(ast.unload_module(MODULE).ok());
    phone.wait("not_set", |it| {
        it.state("8201").as_deref() == Some("not_set")
    });
    assert_eq!(shown(&ast, ACCOUNT), None);
    let refused = ListSubscriber::try_start(&ast, "watcher", ACCOUNT);
    assert!(refused.wait_answer().starts_with("SIP/2.0 404"));
    assert!(ast.load_module(MODULE).ok());
    phone.wait("away again", |it| {
        it.state("8201").as_deref() == Some("away")
    });
    phone.refresh();
    phone.wait("a refresh", |it| it.full && it.members.len() == 3);
    // A refresh while the module is away ends the subscription.
    assert!(ast.unload_module(MODULE).ok());
    phone.refresh();
    phone.wait_terminated();
    assert!(ast.load_module(MODULE).ok());
    let (_, again) = first(&ast, "watcher", ACCOUNT);
    assert_eq!(again.members.len(), 3);
}

/// Subscriptions begin, are refreshed and change while the module comes and goes.
#[test]
fn lists_are_asked_for_while_the_module_comes_and_goes() {
    const ROUNDS: usize = 10;
    let ast = office();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let phone = ListSubscriber::try_start(&ast, "watcher", ACCOUNT);
                let answer = phone.wait_answer();
                assert!(
                    answer.contains(" 200 ") || answer.contains(" 404 "),
                    "{answer}"
                );
                phone.refresh();
                ast.set_device("202", "INUSE");
                ast.set_device("202", "NOT_INUSE");
                // An error while there is no list.
                let _ = ast.ami().action(&[("Action", "PJSIPShowResourceLists")]);
            }
        });
        let mut rounds = 0..ROUNDS;
        let all = rounds.all(|_| ast.unload_module(MODULE).ok() && ast.load_module(MODULE).ok());
        // The other thread ends in any case.
        done.store(true, Ordering::Release);
        assert!(all);
    });
    let (_, first) = first(&ast, "watcher", ACCOUNT);
    assert_eq!(first.members.len(), 3);
    assert_eq!(shown(&ast, ACCOUNT), Some("200,8201,202".to_owned()));
}

#[test]
fn the_module_may_be_loaded_first() {
    let later = [
        "res_pjsip_pubsub",
        "res_pjsip_dialog_info_body_generator",
        "res_pjsip_exten_state",
        "res_pjsip_pidf_body_generator",
        "res_pjsip_pidf_digium_body_supplement",
        "res_pjsip_pidf_eyebeam_body_supplement",
        "res_pjsip_xpidf_body_generator",
    ];
    let ast = hints(configured(USERS)).leave_out(&later);
    // It needs them.
    let ast = ast.leave_out(&["chan_pjsip"]).start();
    for name in later {
        let answer = ast.load_module(&format!("{name}.so"));
        assert!(answer.ok(), "{name}: {answer:?}");
    }
    wait_until("the lists", || shown(&ast, ACCOUNT));
    let (_, first) = first(&ast, "watcher", ACCOUNT);
    assert_eq!(first.members.len(), 3);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_subscription_comes_back_with_asterisk() {
    let ast = office();
    hide(&ast, "carol", true);
    let (phone, _) = first(&ast, "watcher", ACCOUNT);
    ast.restart(false);
    let all = phone.wait("the list after the restart", |it| it.full);
    assert_eq!(all.extensions(), ["200", "8201"]);
    set(&ast, "bob", "dnd");
    phone.wait("bob", |it| it.state("8201").as_deref() == Some("dnd"));
    phone.refresh();
    phone.wait("a refresh", |it| it.full && it.members.len() == 2);
}

#[test]
fn a_list_ends_at_its_limit_with_one_warning() {
    let users = format!("{USERS}[general]\nlist_limit = 2\n");
    let ast = hints(configured(&users)).start();
    for _ in 0..2 {
        let (_, first) = first(&ast, "watcher", ACCOUNT);
        assert_eq!(first.extensions(), ["200", "8201"]);
    }
    let complaints = ast.complaints();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains("The list 'userpresence-default' has more than 2 members"));
}

#[test]
fn lists_can_be_renamed_and_turned_off() {
    let users = format!("{USERS}[general]\nlist_prefix = team.\n");
    let ast = hints(configured(&users)).start();
    let (_, renamed) = first(&ast, "watcher", "team.default");
    assert_eq!(renamed.members.len(), 3);
    assert_eq!(shown(&ast, ACCOUNT), None);
    rewrite(&ast, "list_prefix = team.\n", "lists = no\n");
    for name in [ACCOUNT, "team.default"] {
        let refused = ListSubscriber::try_start(&ast, "watcher", name);
        assert!(refused.wait_answer().starts_with("SIP/2.0 404"));
        assert_eq!(shown(&ast, name), None);
    }
}

#[test]
fn a_cache_of_lists_turns_them_off() {
    let sorcery = "[res_pjsip_pubsub]\nresource_list/cache = memory_cache,object_lifetime_maximum=600\n\
                   resource_list = config,pjsip.conf,criteria=type=resource_list\n";
    let ast = hints(configured(USERS))
        .modules(&["res_sorcery_memory_cache"])
        .file("sorcery.conf", sorcery)
        .start();
    ast.wait_log("No resource lists: sorcery.conf has a memory_cache for \"resource_list\"");
    let refused = ListSubscriber::try_start(&ast, "watcher", ACCOUNT);
    assert!(refused.wait_answer().starts_with("SIP/2.0 404"));
}

#[test]
fn a_panic_refuses_the_one_list() {
    let ast = hints(Instance::selftest().userpresence(USERS)).start();
    ast.cli("userpresence selftest panic lists");
    let refused = ListSubscriber::try_start(&ast, "watcher", ACCOUNT);
    assert!(refused.wait_answer().starts_with("SIP/2.0 404"));
    ast.wait_log("please report it: forced by a test in lists");
    let (_, first) = first(&ast, "watcher", ACCOUNT);
    assert_eq!(first.members.len(), 3);
}

/// Asterisk itself: a NOTIFY of more than 65,535 bytes is not sent, over no transport.
#[test]
fn the_default_limit_keeps_a_list_within_the_largest_message() {
    let mut users = "[general]\nlist_limit = 500\n[alice]\ntype = user\n\
                     endpoint = desk,PJSIP/watcher\n"
        .to_owned();
    let mut builder = Instance::builder().sip(&[]);
    for number in 1000..1120 {
        users.push_str(&format!("[u{number}]\ntype = user\nextension = {number}\n"));
        let (extension, hint) = (number.to_string(), format!(",UserPresence:u{number}"));
        builder = builder.hint(&extension, &hint);
    }
    let ast = builder.userpresence(&users).start();
    let before = ast.log().len();
    let _too_many = ListSubscriber::start(&ast, "watcher", ACCOUNT);
    ast.wait_log_from(before, "is too large to send");
    rewrite(&ast, "list_limit = 500\n", "");
    for number in 1000..1040 {
        let message = "\u{fc}".repeat(50);
        set(
            &ast,
            &format!("u{number}"),
            &format!("away,lunch,{message}"),
        );
    }
    let (_, first) = first(&ast, "watcher", ACCOUNT);
    assert_eq!(first.members.len(), 40);
    assert!(first.size > 40_000, "{}", first.size);
}
