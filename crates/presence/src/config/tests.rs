use super::testing::{parsed, sections};
use super::*;
use crate::combine::Method;

fn errors(text: &str) -> Vec<String> {
    parsed(text).all_errors().map(ToString::to_string).collect()
}

#[test]
fn an_example_sets_every_part_of_a_user() {
    let parsed = parsed(
        "[general]\nenabled = yes\nmethod = latest\noutgoing = all\nsettle = 0\n\
         [alice]\ntype = user\nid = 4711\naccount = main\nextension = 200\n\
         extension = 201\ndefault = 201\nsource = UserPresence:team\nmethod = priority\n\
         [team]\ntype = user",
    );
    assert_eq!(parsed.all_errors().count(), 0);
    let alice = &parsed.users[0];
    assert_eq!(
        (alice.id.as_deref(), &*alice.account),
        (Some("4711"), "main")
    );
    assert_eq!(alice.rule.method, Method::Priority);
    assert_eq!(parsed.users[1].rule.method, Method::Latest);
    let addresses: Vec<_> = alice.inputs.iter().map(|input| &*input.address).collect();
    assert_eq!(
        addresses,
        [
            "CustomPresence:200",
            "CustomPresence:201",
            "UserPresence:team"
        ]
    );
    assert_eq!(alice.inputs[1].extension(), Some("201"));
    assert_eq!(alice.default, Some(1));
}

#[test]
fn a_prefix_applies_to_extensions_before_it() {
    let parsed = parsed("[a]\ntype=user\nextension=200\npresence_prefix=CustomPresence:t1-");
    assert_eq!(&*parsed.users[0].inputs[0].address, "CustomPresence:t1-200");
    assert_eq!(parsed.users[0].inputs[0].extension(), Some("200"));
}

#[test]
fn every_error_names_file_line_section_option_and_what_was_expected() {
    let cases = [
        (
            "[a]\nextension=1",
            "userpresence.conf:2, section [a]: the option 'type' is missing",
        ),
        (
            "[a]\ntype=shoe",
            "userpresence.conf:2, section [a], option 'type': unknown type 'shoe', expected user",
        ),
        (
            "[a]\ntype=user\nmethod=best",
            ":3, section [a], option 'method': unknown method 'best', expected priority, latest, default or none",
        ),
        (
            "[a]\ntype=user\noutgoing=some",
            "'some', expected all, default or none",
        ),
        (
            "[a]\ntype=user\nenabled=maybe",
            "'maybe', expected yes or no",
        ),
        (
            "[a]\ntype=user\npriority=dnd,gone",
            "unknown state 'gone', expected not_set, ",
        ),
        (
            "[a]\ntype=user\npriority=dnd,dnd",
            "the state 'dnd' appears twice, expected it once",
        ),
        (
            "[a]\ntype=user\nextensoin=2",
            "option 'extensoin': unknown option, did you mean 'extension'? Expected type, id, ",
        ),
        (
            "[a]\ntype=user\nextension=1\ndefault=2",
            "option 'default': '2', expected one of the user's extensions",
        ),
        (
            "[a]\ntype=user\nextension=1\nextension=1",
            "the user has '1' twice, expected it once",
        ),
        (
            "[a]\ntype=user\nextension=",
            "empty, expected an extension such as 200 or",
        ),
        (
            "[a]\ntype=user\nsource=200",
            "'200' is not an address, expected a presence provider's",
        ),
        (
            "[a b]\ntype=user",
            "'a b' is not a user's name, expected 1 to 60 letters",
        ),
        (
            "[a]\ntype=user\n[A]\ntype=user",
            ":4, section [A]: user 'A' is defined twice (first at userpresence.conf:2, section [a])",
        ),
        (
            "[a]\ntype=user\nid=a b",
            "option 'id': 'a b', expected 1 to 60 characters",
        ),
        (
            "[general]\nsettle=-1",
            "option 'settle': '-1', expected a whole number of milliseconds from 0 to 60000",
        ),
        (
            "[general]\nfoo=1",
            "section [general], option 'foo': unknown option, expected enabled, ",
        ),
        (
            "[general]\n[general]",
            "the section [general] appears twice",
        ),
        (
            "[general]\npresence_prefix=x",
            "expected the prefix of an extension, such as CustomPresence:",
        ),
    ];
    for (text, expected) in cases {
        let errors = errors(text);
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
        assert!(errors[0].contains(expected), "{text}: {}", errors[0]);
    }
}

#[test]
fn an_action_that_returns_by_a_shared_extension_is_a_cycle() {
    let conf = |extension: &str| {
        format!(
            "[other]\ntype=action\nstatus=away\nset=USER_PRESENCE(bob)=dnd\n\
             [alice]\ntype=user\nextension=200\naction=other\n\
             [bob]\ntype=user\nextension={extension}\n"
        )
    };
    let errors = parsed(&conf("200")).errors;
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0]
            .to_string()
            .contains("section [alice]: the action 'other' would write")
    );
    assert!(parsed(&conf("201")).errors.is_empty());
}

#[test]
fn an_action_for_a_remapped_state_is_also_for_its_status_type() {
    let types = |conf: &str| {
        let parsed = parsed(&format!("{conf}[x]\ntype=action\nstatus=dnd\n"));
        parsed.settings.definitions.actions["x"].types.len()
    };
    assert_eq!(types(""), 0);
    assert_eq!(types("[dnd]\ntype=status\nstate=\n"), 1);
}

#[test]
fn a_bad_section_is_left_out_and_the_rest_stays() {
    let parsed = parsed("[a]\ntype=user\nmethod=x\n[b]\ntype=user\n[c]\ntype=usr\n[d]\ntype=user");
    let names: Vec<_> = parsed.users.iter().map(|user| &*user.name).collect();
    assert_eq!(names, ["b", "d"]);
    assert_eq!((parsed.general_errors.len(), parsed.errors.len()), (0, 2));
}

#[test]
fn a_short_order_is_completed_with_a_warning() {
    let parsed = parsed("[general]\npriority=available,dnd");
    assert_eq!(parsed.all_errors().count(), 0);
    let warning = parsed.warnings[0].to_string();
    assert!(warning.contains(
        "option 'priority': the states not_set, unavailable, away, xa, chat are missing"
    ));
}

#[test]
fn the_error_of_a_cycle_names_its_users() {
    let text = "[a]\ntype=user\nsource=UserPresence:B\n[b]\ntype=user\nextension=1\n\
                source=userpresence:c\n[c]\ntype=user\nsource=UserPresence:a\n\
                [d]\ntype=user\nsource=UserPresence:a\n[e]\ntype=user\nsource=UserPresence:e";
    let parsed = parsed(text);
    let names: Vec<_> = parsed.users.iter().map(|user| &*user.name).collect();
    assert_eq!(names, ["d"]);
    let errors: Vec<_> = parsed.errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 4);
    assert!(errors[1].starts_with("userpresence.conf:7, section [b], option 'source': a cycle"));
    assert!(errors[0].contains("(a -> b -> c -> a)"), "{}", errors[0]);
}

#[test]
fn a_source_that_names_no_user_is_a_warning() {
    let parsed = parsed("[a]\ntype=user\nsource=UserPresence:nobody");
    assert_eq!(parsed.users.len(), 1);
    assert!(
        parsed.warnings[0]
            .message
            .contains("there is no user 'nobody'")
    );
}

#[test]
fn a_long_chain_of_users_is_accepted() {
    let mut text = String::from("[u0]\ntype=user\n");
    for user in 1..50_000 {
        text += &format!("[u{user}]\ntype=user\nsource=UserPresence:u{}\n", user - 1);
    }
    assert_eq!(parsed(&text).users.len(), 50_000);
}

#[test]
fn a_realtime_row_may_hold_several_values_and_unknown_columns() {
    let mut rows =
        sections("[alice]\nextension=200;201\nsource=\nmethod=latest\nphone=1\n[bob]\nmethod=x");
    for variable in rows.iter_mut().flat_map(|row| &mut row.variables) {
        variable.line = 0;
    }
    let parsed = parse(&[], &rows, "", &|_| true);
    assert_eq!(parsed.users[0].inputs.len(), 2);
    assert!(
        parsed.warnings[0]
            .to_string()
            .contains("user 'alice', column 'phone': unknown column")
    );
    let error = parsed.errors[0].to_string();
    assert!(error.starts_with(
        "realtime family 'userpresence', user 'bob', column 'method': unknown method 'x'"
    ));
}

#[test]
fn a_device_given_as_an_extension_is_a_warning() {
    let parsed = parsed("[alice]\ntype=user\nextension=PJSIP/200\nextension=201,PJSIP/201\n");
    let warnings: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
    let expected = "userpresence.conf:3, section [alice], option 'extension': 'PJSIP/200' is a \
                    device, expected an extension: extension = 200, or extension = 200,PJSIP/200 \
                    to name its device";
    assert_eq!(warnings, [expected]);
    assert!(parsed.errors.is_empty() && parsed.users.len() == 1);
}

#[test]
fn a_typing_error_is_answered_with_the_known_word() {
    for (text, meant) in [
        (
            "[alice]\ntype=user\nextention=200\n",
            "unknown option, did you mean 'extension'? Expected type",
        ),
        (
            "[general]\nmethd=latest\n",
            "unknown option, did you mean 'method'? Expected enabled",
        ),
        (
            "[alice]\ntype=usr\n",
            "unknown type 'usr', did you mean 'user'? Expected user",
        ),
        (
            "[lunch]\ntype=status\nstate=awya\n",
            "unknown state 'awya', did you mean 'away'?",
        ),
        (
            "[lunch]\ntype=status\nlable=x\nstate=away\n",
            "did you mean 'label'?",
        ),
        (
            "[a]\ntype=action\nstatus=dnt\n",
            "unknown status 'dnt', did you mean 'dnd'?",
        ),
        (
            "[a]\ntype=action\nstatus=dnd\nqueu=pause\n",
            "did you mean 'queue'?",
        ),
        (
            "[h]\ntype=handling\nring_timout=5\n",
            "did you mean 'ring_timeout'?",
        ),
        (
            "[a]\ntype=api_user\npasword=x\n",
            "did you mean 'password'?",
        ),
        (
            "[w]\ntype=webhook\nur=x\nsecrte=y\n",
            "did you mean 'secret'?",
        ),
        (
            "[a]\ntype=user\nlogin_status=avialable\n",
            "did you mean 'available'?",
        ),
        (
            "[t]\ntype=device_table\nin_usr=dnd\n",
            "did you mean 'in_use'?",
        ),
    ] {
        let errors = errors(text).join("; ");
        assert!(errors.contains(meant), "{text}: {errors}");
    }
}

#[test]
fn the_first_value_of_a_list_replaces_general_and_further_values_are_added() {
    let parsed = parsed(
        "[x]\ntype=action\nstatus=xa\n[y]\ntype=action\nstatus=dnd\n\
         [general]\ndnd_on=DB(g/1)=1\nschedule=8:00-9:00,*,*,*\naction=x\n\
         [alice]\ntype=user\nDND_on=DB(d/${EXTENSION})=1\ndnd_on=DB(e/${EXTENSION})=1\n\
         schedule=9:00-17:00,mon-fri,*,*\nschedule=10:00-12:00,sat,*,*\naction=y\naction=x,y\n",
    );
    assert_eq!(parsed.all_errors().count(), 0, "{:?}", parsed.errors);
    let rule = &parsed.users[0].rule;
    let functions = &rule.functions;
    let written: Vec<_> = functions.dnd_on.iter().map(ToString::to_string).collect();
    assert_eq!(written, ["DB(d/${EXTENSION})=1", "DB(e/${EXTENSION})=1"]);
    assert_eq!(
        functions.dnd_off,
        crate::actions::Functions::default().dnd_off
    );
    assert_eq!(rule.schedule.ranges.len(), 2);
    let actions: Vec<_> = rule.actions.iter().map(|block| &*block.name).collect();
    assert_eq!(actions, ["y", "x", "y"]);
}

/// What a message lists is read: every option of every type of section.
#[test]
fn every_listed_option_is_known() {
    let all = section_options();
    assert_eq!(all.len(), 12);
    for (kind, options) in all {
        let section = match kind {
            "general" => "[general]\n".to_owned(),
            kind => format!("[x]\ntype={kind}\n"),
        };
        for option in options.iter().filter(|option| **option != "type") {
            let errors = errors(&format!("{section}{option}=\n"));
            let unknown = errors.iter().any(|error| error.contains("unknown option"));
            assert!(!unknown, "{kind} {option}: {errors:?}");
        }
        let errors = errors(&format!("{section}no_such_option=\n")).join("\n");
        for option in options {
            assert!(errors.contains(option), "{kind} {option}: {errors}");
        }
    }
}

#[test]
fn groups_are_texts_and_each_counts_once() {
    let conf = "[t]\ntype=user\ngroup=Sales, Berlin\ngroup=SALES\n[u]\ntype=user\n\
                group=Sales,Berlin\n[v]\ntype=user\n";
    let parsed = parsed(conf);
    assert_eq!(parsed.all_errors().count(), 0);
    let groups = |at: usize| parsed.users[at].groups.clone();
    let first = groups(0).expect("two groups");
    assert_eq!(*first, [Box::from("Sales"), Box::from("Berlin")]);
    let second = groups(1).expect("two groups");
    assert!(Arc::ptr_eq(&first, &second), "equal groups are shared");
    assert_eq!(groups(2), None);
    let row = Section {
        name: "w".into(),
        variables: vec![Variable {
            name: "group".into(),
            value: "Sales;Berlin".into(),
            utf8: true,
            file: "".into(),
            line: 0,
        }],
    };
    let parsed = parse(&[], &[row], "", &|_| true);
    assert_eq!(parsed.users[0].groups.as_deref().map(<[_]>::len), Some(2));
    let known = "[a]\ntype=user\ngroup=Customer Care,Führung\n[b]\ntype=user\n\
                 group=customer_care,FÜHRUNG\n";
    let warnings = super::testing::parsed(known).warnings;
    let messages: Vec<_> = warnings.iter().map(|it| &*it.message).collect();
    assert_eq!(
        messages,
        [
            "the groups 'Customer Care' and 'customer_care' would have one list, 'customer_care': \
             only the first has it"
        ]
    );
    for (value, message) in [
        ("", "'' is not a group's name"),
        ("a,,b", "'' is not a group's name"),
        ("a;b", "'a;b' is not a group's name"),
        ("a\tb", "is not a group's name"),
    ] {
        let errors = errors(&format!("[a]\ntype=user\ngroup={value}\n"));
        assert!(errors[0].contains(message), "{errors:?}");
    }
}

#[test]
fn the_directory_has_name_title_and_mail_address() {
    let conf = "[u]\ntype=user\ntitle=Agent\n\
                name=Zoë Müller\nemail=zoe@example.com\n[v]\ntype=user\ntitle=Agent\ntitle=\n\
                name=V. W.\n[w]\ntype=user\ntitle=x\ntitle=\n";
    let parsed = parsed(conf);
    assert_eq!(parsed.all_errors().count(), 0);
    let of = |name: &str| {
        let user = parsed.users.iter().find(|user| *user.name == *name);
        let contact = user.unwrap().contact.as_deref();
        contact.map(|it| format!("{}|{}|{}", it.name, it.title, it.email))
    };
    assert_eq!(of("u").as_deref(), Some("Zoë Müller|Agent|zoe@example.com"));
    assert_eq!(of("v").as_deref(), Some("V. W.||"));
    assert_eq!(of("w"), None, "nothing takes no memory");
    let column = |name: &str, value: &str| Variable {
        name: name.into(),
        value: value.into(),
        utf8: true,
        file: "".into(),
        line: 0,
    };
    let row = Section {
        name: "w".into(),
        variables: vec![
            column("name", "w"),
            column("display_name", "Will O'Brien; jr."),
        ],
    };
    let rows = parse(&[], &[row], "", &|_| true);
    let contact = rows.users[0].contact.as_deref().unwrap();
    assert_eq!(&*contact.name, "Will O'Brien; jr.");
    let long = "x".repeat(256);
    for (option, message) in [
        ("name=a\u{7}b", "the name holds a control character"),
        (&*format!("title={long}"), "the title is 256 bytes long"),
        ("email=alice", "'alice' is not a mail address, expected"),
        (&*format!("email={long}@b"), "the mail address is 258 bytes"),
        ("visibility=friends", "unknown visibility 'friends'"),
    ] {
        let errors = errors(&format!("[a]\ntype=user\n{option}\n"));
        assert_eq!(errors.len(), 1, "{option}: {errors:?}");
        assert!(errors[0].contains(message), "{errors:?}");
    }
}

#[test]
fn options_of_lists_are_checked() {
    for (option, message) in [
        ("lists=perhaps", "'perhaps', expected yes or no"),
        ("list_prefix=", "'' is not the beginning of lists' names"),
        ("list_prefix=a b", "'a b' is not the beginning"),
        ("list_batch=60001", "from 0 to 60000"),
        ("list_limit=0", "from 1 to 500"),
        ("list_limit=501", "from 1 to 500"),
    ] {
        let errors = errors(&format!("[general]\n{option}\n"));
        assert_eq!(errors.len(), 1, "{option}: {errors:?}");
        assert!(errors[0].contains(message), "{option}: {}", errors[0]);
    }
}

#[test]
fn activities_of_a_status_are_words_of_the_rfc() {
    let parsed = parsed(
        "[a]\ntype = status\nstate = away\nactivity = meetin\n\
         [b]\ntype = status\nstate =\nactivity = meal\n\
         [c]\ntype = status\nstate = dnd\nactivity = Meal, travel\n",
    );
    let errors: Vec<String> = parsed.all_errors().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    let wrong = "unknown activity 'meetin', did you mean 'meeting'?";
    assert!(errors[0].contains(wrong), "{errors:?}");
    assert!(errors[1].contains("needs a state"), "{errors:?}");
    let statuses = parsed.settings.statuses();
    let of_c = statuses.find("c").map(|status| &status.activities[..]);
    use crate::model::rpid::PersonActivity::{Meal, Travel};
    assert_eq!(of_c, Some(&[Meal, Travel][..]));
}
