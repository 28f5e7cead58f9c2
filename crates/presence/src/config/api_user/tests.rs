use crate::config::password::kind;
use crate::config::testing::parsed;
use crate::model::principal::Role;

const USERS: &str = "[general]\n[alice]\ntype = user\naccount = main\n\
                     [bob]\ntype = user\naccount = other\n";

/// The errors of a section of an API user.
fn errors(options: &str) -> Vec<String> {
    let text = format!("{USERS}[panel]\ntype = api_user\n{options}");
    let parsed = parsed(&text);
    parsed.all_errors().map(ToString::to_string).collect()
}

#[track_caller]
fn refused(options: &str, expected: &str) {
    let errors = errors(options);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("userpresence.conf:"), "{errors:?}");
    assert!(errors[0].contains("section [panel]"), "{errors:?}");
    assert!(errors[0].contains(expected), "{errors:?}");
}

const GOOD: &str = "password = $6$salt$hash\naccount = main\n";

#[test]
fn an_api_user_has_every_option() {
    let general = "[general]\nhttp_readers = 5\njournal = 0\nhttp = no\nhttp_rate = 7\n";
    let users = USERS.replace("[general]\n", general);
    let text = format!(
        "{users}[Panel]\ntype = api_user\n{GOOD}role = self\nuser = ALICE\n\
         permit = 127.0.0.1,10.0.0.0/8\npermit = ::1\n"
    );
    let parsed = parsed(&text);
    assert!(parsed.all_errors().next().is_none(), "{parsed:?}");
    let http = &parsed.settings.http;
    assert_eq!((http.enabled, http.readers, http.journal), (false, 5, 0));
    assert_eq!((http.rate, http.user_count()), (7, 1));
    let user = http.user("panel").unwrap();
    assert_eq!(&*user.password, "$6$salt$hash");
    let caller = &user.caller;
    assert_eq!((&*caller.name, caller.role), ("Panel", Role::SelfOnly));
    assert_eq!(caller.account.as_deref(), Some("main"));
    assert_eq!(caller.user.as_deref(), Some("alice"));
    for (remote, may) in [("10.1.1.1", true), ("::1", true), ("11.0.0.1", false)] {
        assert_eq!(user.permits(remote.parse().unwrap()), may, "{remote}");
    }
    assert!(http.user("other").is_none());
}

#[test]
fn a_plain_api_user_may_read_from_anywhere() {
    let parsed = parsed("[general]\n[panel]\ntype = api_user\npassword = $y$j9T$s$h\n");
    assert!(parsed.all_errors().next().is_none(), "{parsed:?}");
    let user = parsed.settings.http.user("panel").unwrap();
    assert_eq!(user.caller.role, Role::Read);
    assert_eq!(user.caller.account.as_deref(), Some("default"));
    assert!(user.permits("8.8.8.8".parse().unwrap()));
}

#[test]
fn a_failed_login_costs_the_same_for_every_name() {
    let hashes = [
        ("a", "$6$salt$b"),
        ("b", "$6$rounds=9000$salt$c"),
        ("c", "$6$other$a"),
        ("d", "$y$j9T$salt$d"),
        ("e", "$5$salt$e"),
    ];
    let users =
        hashes.map(|(name, hash)| format!("[{name}]\ntype = api_user\npassword = {hash}\n"));
    let parsed = parsed(&format!("[general]\n{}", users.concat()));
    assert!(parsed.all_errors().next().is_none(), "{parsed:?}");
    let all = parsed.settings.http.password_kinds();
    // Salt and digest are left out.
    let kinds = |own: Option<&str>| {
        let all = all.others(own).chain(own);
        let mut all: Vec<_> = all.map(|hash| kind(hash).to_owned()).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(kinds(None), ["$5", "$6", "$6$rounds=9000", "$y$j9T"]);
    for (name, hash) in hashes {
        assert_eq!(kinds(Some(hash)), kinds(None), "{name}");
    }
    // The sample of a kind is always the same one.
    assert!(all.others(None).any(|hash| hash == "$6$other$a"));
}

#[test]
fn each_mistake_has_its_message() {
    refused("account = main\n", "'password' is missing");
    refused(
        "password = secret\naccount = main\n",
        "not the hash of a password",
    );
    refused(
        "password = $6$$x\naccount = main\n",
        "not the hash of a password",
    );
    assert!(!errors("password = topsecret\n")[0].contains("topsecret"));
    refused(
        "password = $6$salt$hash\n",
        "unknown account 'default', expected that of a user: main, other",
    );
    refused(
        &format!("{GOOD}role = root\n"),
        "unknown role 'root', expected read, self or admin",
    );
    refused(
        &format!("{GOOD}role = self\n"),
        "expected the option 'user'",
    );
    refused(&format!("{GOOD}user = carol\n"), "unknown user 'carol'");
    refused(
        &format!("{GOOD}user = bob\n"),
        "the user 'bob' belongs to account 'other', expected a user of account 'main'",
    );
    refused(
        &format!("{GOOD}permit = 10.0.0.0/40\n"),
        "'10.0.0.0/40', expected an address or a network",
    );
    refused(
        &format!("{GOOD}deny = all\n"),
        "unknown option, expected type, password",
    );
    let twice = format!("{GOOD}[PANEL]\ntype = api_user\n{GOOD}");
    assert!(
        errors(&twice)[0].contains("is defined twice"),
        "{:?}",
        errors(&twice)
    );
}

#[test]
fn the_options_have_bounds() {
    for bad in [
        "http = maybe",
        "http_rate = 0",
        "http_readers = -1",
        "journal = many",
    ] {
        let parsed = parsed(&format!("[general]\n{bad}\n"));
        assert_eq!(parsed.general_errors.len(), 1, "{bad}");
    }
}

#[test]
fn proxies_are_addresses_or_networks() {
    let general = |options: &str| parsed(&format!("[general]\n{options}"));
    let good = general("trusted_proxy = 127.0.0.1, 10.0.0.0/8\ntrusted_proxy = ::1\n");
    assert!(good.all_errors().next().is_none(), "{good:?}");
    assert_eq!(good.settings.http.trusted_proxies.len(), 3);
    assert!(general("trusted_proxy =\n").all_errors().next().is_none());
    for (bad, expected) in [
        (
            "http_frame = crm.example.com",
            "'crm.example.com' is no origin, expected scheme, host and port alone, such as \
             https://crm.example.com",
        ),
        (
            "http_frame = https://crm.example.com,https://desk.example.com/board",
            "'https://desk.example.com/board' is no origin, expected scheme, host and port alone, \
             such as https://crm.example.com",
        ),
        (
            "http_frame = https://crm.example.com; script-src *",
            "'https://crm.example.com; script-src *' is no origin, expected scheme, host and port \
             alone, such as https://crm.example.com",
        ),
        (
            "trusted_proxy = proxy.example",
            "expected an address or a network",
        ),
        (
            "trusted_proxy = 10.0.0.0/33",
            "expected an address or a network",
        ),
        ("http_ami_sessions = perhaps", "yes or no"),
        ("http_readers_each = 0", "1 to 10000"),
    ] {
        let errors: Vec<_> = general(bad).all_errors().map(ToString::to_string).collect();
        assert!(
            errors.len() == 1 && errors[0].contains(expected),
            "{errors:?}"
        );
    }
}
