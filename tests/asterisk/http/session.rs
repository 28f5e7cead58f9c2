//! Sessions with a cookie.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{CHANGED, builder, code, session, start, users};
use crate::harness::api::{HASH, JSON, SESSION, basic, cookie, sign_in};
use crate::harness::{Instance, MODULE};

const LOGIN: &str = r#"{"name": "hers", "password": "secret"}"#;

#[test]
fn a_login_gives_a_cookie_and_a_logout_ends_it() {
    let ast = start("");
    let answer = ast.http("POST", SESSION, &[JSON], LOGIN);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["user"], "alice");
    let set = answer.header("Set-Cookie");
    assert!(set.starts_with("userpresence="), "{set}");
    for part in [
        "Path=/userpresence",
        "HttpOnly",
        "SameSite=Strict",
        "Max-Age=43200",
    ] {
        assert!(
            set.split("; ").any(|found| found == part),
            "{part} in {set}"
        );
    }
    assert!(!set.contains("Secure"), "{set}");
    let cookie = cookie(&answer);
    let known = session(&ast, &cookie);
    assert_eq!((known.status, known.json()), (200, answer.json()));

    let other = sign_in(&ast, "hers", &[]);
    let out = ast.http("DELETE", SESSION, &[&cookie], "");
    assert_eq!((out.status, out.body.as_str()), (204, ""));
    // Content-Length would announce a body.
    assert_eq!(out.header("Content-Length"), "");
    assert_ne!(out.header("Date"), "");
    assert!(out.header("Set-Cookie").contains("Max-Age=0"));
    assert_eq!(session(&ast, &cookie).status, 401);
    assert_eq!(session(&ast, &other).status, 200);
    // A valid cookie still works after the module is loaded again; a changed one never does.
    assert!(ast.unload_module(MODULE).ok() && ast.load_module(MODULE).ok());
    assert_eq!(session(&ast, &other).status, 200);
    for (from, to) in [(".hers", ".boss"), ("userpresence=", "userpresence=A")] {
        assert_eq!(session(&ast, &other.replace(from, to)).status, 401);
    }
    assert_eq!(session(&ast, "Cookie: userpresence=a.b.c").status, 401);
}

#[test]
fn an_unchanged_session_is_not_sent_again() {
    let ast = start("");
    let basic = basic("panel", "secret");
    let known = session(&ast, &basic);
    let tag = known.header("ETag");
    assert!(!tag.is_empty(), "{known:?}");
    let condition = format!("If-None-Match: {tag}");
    let again = ast.http("GET", SESSION, &[&basic, &condition], "");
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(again.header("ETag"), tag);
    // The length of the body that is not sent; 0 would mean that it is empty.
    assert_eq!(again.header("Content-Length"), known.body.len().to_string());
}

#[test]
fn a_session_outlives_asterisk_but_not_the_password() {
    let ast = start("");
    let cookie = sign_in(&ast, "hers", &[]);
    ast.stop();
    ast.start_again();
    assert_eq!(session(&ast, &cookie).status, 200);
    ast.write_config("userpresence.conf", &users("").replace(HASH, CHANGED));
    assert!(ast.reload().ok());
    assert_eq!(session(&ast, &cookie).status, 401);
    assert_eq!(session(&ast, &basic("hers", "secret")).status, 401);
    assert_eq!(session(&ast, &basic("hers", "changed")).status, 200);
}

#[test]
fn a_wrong_login_is_refused_as_with_basic() {
    let ast = start("");
    let wrong = LOGIN.replace("secret", "guess");
    for _ in 0..5 {
        let answer = ast.http("POST", SESSION, &[JSON], &wrong);
        assert_eq!(
            (answer.status, code(&answer).as_str()),
            (401, "unauthorized")
        );
        assert_eq!(answer.header("Set-Cookie"), "");
    }
    let answer = ast.http("POST", SESSION, &[JSON], &wrong);
    assert_eq!((answer.status, code(&answer).as_str()), (429, "too_many"));
}

#[test]
fn requests_from_other_sites_change_nothing() {
    let ast = start("");
    let cookie = sign_in(&ast, "hers", &[]);
    for foreign in [
        "Origin: http://elsewhere",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ] {
        let login = ast.http("POST", SESSION, &[JSON, foreign], LOGIN);
        assert_eq!((login.status, code(&login).as_str()), (403, "origin"));
        let logout = ast.http("DELETE", SESSION, &[&cookie, foreign], "");
        assert_eq!((logout.status, code(&logout).as_str()), (403, "origin"));
    }
    assert_eq!(session(&ast, &cookie).status, 200);
    for own in ["Origin: http://localhost", "Sec-Fetch-Site: same-origin"] {
        let login = ast.http("POST", SESSION, &[JSON, own], LOGIN);
        assert_eq!(login.status, 200, "{own}");
    }
}

#[test]
fn only_authenticated_callers_learn_about_wrong_methods_and_addresses() {
    let ast = start("");
    let basic = basic("boss", "secret");
    let put = ast.http("PUT", SESSION, &[&basic], "");
    assert_eq!((put.status, code(&put).as_str()), (405, "method"));
    assert_eq!(put.header("Allow"), "POST, GET, HEAD, DELETE");
    let nothing = ast.http("GET", "/userpresence/v1/nothing", &[&basic], "");
    assert_eq!(
        (nothing.status, code(&nothing).as_str()),
        (404, "not_found")
    );
    // Without credentials, both get the same answer.
    assert_eq!(ast.http("PUT", SESSION, &[], "").status, 401);
}

/// The files below `astkeydir` with their modes.
fn key_files(ast: &Instance) -> Vec<(String, u32)> {
    let entries = fs::read_dir(ast.path("lib/keys"))
        .expect("the directory")
        .flatten();
    let mut files: Vec<_> = entries
        .map(|entry| {
            let mode = entry.metadata().expect("its mode").permissions().mode() & 0o777;
            (entry.file_name().to_string_lossy().into_owned(), mode)
        })
        .filter(|(name, _)| name.starts_with("userpresence"))
        .collect();
    files.sort();
    files
}

#[test]
fn the_secret_is_in_a_file_that_only_asterisk_reads() {
    let ast = start("");
    let cookie = sign_in(&ast, "hers", &[]);
    assert_eq!(key_files(&ast), [("userpresence.secret".to_owned(), 0o600)]);
    let secret = fs::read_to_string(ast.path("lib/keys/userpresence.secret")).expect("a text");
    let secret = secret.trim();
    assert_eq!(secret.len(), 43);
    ast.http("DELETE", SESSION, &[&cookie], "");
    let both = ["userpresence.ended", "userpresence.secret"].map(|name| (name.to_owned(), 0o600));
    assert_eq!(key_files(&ast), both);
    // AstDB, which other modules may read and change, has neither of the two.
    let database = ast.cli("database show");
    assert!(!database.contains("http/"), "{database}");
    assert!(!database.contains(secret), "{database}");
    assert_eq!(ast.complaints(), Vec::<String>::new());
    // Without the file, or with another one, all sessions end.
    let cookie = sign_in(&ast, "hers", &[]);
    assert!(ast.unload_module(MODULE).ok());
    fs::write(ast.path("lib/keys/userpresence.secret"), "broken").expect("written");
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(session(&ast, &cookie).status, 401);
    let new = fs::read_to_string(ast.path("lib/keys/userpresence.secret")).expect("a text");
    assert!(new.trim() != secret && new.trim().len() == 43, "{new}");
    // A file that others could read is closed to them.
    assert!(ast.unload_module(MODULE).ok());
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(ast.path("lib/keys/userpresence.secret"), open).expect("the mode");
    assert!(ast.load_module(MODULE).ok());
    ast.wait_log("had the mode 644");
    assert!(key_files(&ast).iter().all(|(_, mode)| *mode == 0o600));
}

#[test]
fn an_old_secret_in_astdb_is_removed() {
    let ast = builder(&users("")).not_loaded().start();
    ast.cli("database put UserPresence http/secret AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert!(ast.load_module(MODULE).ok());
    assert!(!ast.cli("database show").contains("http/secret"));
    let secret = fs::read_to_string(ast.path("lib/keys/userpresence.secret")).expect("a text");
    assert!(!secret.starts_with("AAAA"), "the old secret may be known");
}

#[test]
fn without_a_writable_place_for_the_secret_sessions_end_with_the_run() {
    let ast = builder(&users("")).not_loaded().start();
    // Not even root can write the file while a directory is in its place.
    fs::create_dir_all(ast.path("lib/keys/userpresence.secret")).expect("a directory");
    assert!(ast.load_module(MODULE).ok());
    ast.wait_log("Sessions over HTTP end with this run");
    let (cookie, other) = (sign_in(&ast, "hers", &[]), sign_in(&ast, "hers", &[]));
    ast.http("DELETE", SESSION, &[&cookie], "");
    assert_eq!(session(&ast, &cookie).status, 401);
    assert_eq!(session(&ast, &other).status, 200);
    assert_eq!(ast.complaints().len(), 1, "{:?}", ast.complaints());
    assert!(ast.unload_module(MODULE).ok() && ast.load_module(MODULE).ok());
    assert_eq!(session(&ast, &other).status, 401);
}

#[test]
fn a_logout_survives_loads_and_kills() {
    let ast = start("");
    let (cookie, other) = (sign_in(&ast, "hers", &[]), sign_in(&ast, "hers", &[]));
    let out = ast.http("DELETE", SESSION, &[&cookie], "");
    assert_eq!(out.status, 204);
    let kept = fs::read_to_string(ast.path("lib/keys/userpresence.ended")).expect("a text");
    let token = cookie.split('=').nth(1).unwrap_or_default();
    assert!(
        token
            .split('.')
            .all(|part| part.len() == 10 || !kept.contains(part)),
        "{kept}"
    );
    assert!(ast.unload_module(MODULE).ok() && ast.load_module(MODULE).ok());
    assert_eq!(session(&ast, &cookie).status, 401);
    assert_eq!(session(&ast, &other).status, 200);
    // Stored at once: not even a kill loses a logout. Expired and broken entries are left out.
    assert_eq!(ast.http("DELETE", SESSION, &[&other], "").status, 204);
    ast.kill9();
    let path = ast.path("lib/keys/userpresence.ended");
    let kept = fs::read_to_string(&path).expect("a text");
    fs::write(&path, format!("1000 AAAAAAAAAAAAAAAAAAAAAA\n{kept}18000")).expect("written");
    ast.start_again();
    assert_eq!(session(&ast, &cookie).status, 401);
    assert_eq!(session(&ast, &other).status, 401);
    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let now = fs::read_to_string(&path).expect("a text");
    assert_eq!(lines(&now), lines(&kept));
    sign_in(&ast, "hers", &[]);
}

#[test]
fn a_logout_ends_the_streams_of_its_session_alone() {
    let ast = start("");
    let (cookie, other) = (sign_in(&ast, "hers", &[]), sign_in(&ast, "hers", &[]));
    let target = "/userpresence/v1/account/~/events";
    let by_password = basic("hers", "secret");
    let [mut own, mut others, mut passwords] = [&cookie, &other, &by_password]
        .map(|credentials| ast.stream(target, &[credentials.as_str()]));
    assert_eq!(ast.http("DELETE", SESSION, &[&cookie], "").status, 204);
    // Only the other sessions get events after the logout.
    ast.setvar("USER_PRESENCE(bob)", "dnd");
    for stream in [&mut others, &mut passwords] {
        assert_eq!(stream.expect("presence").data["ownerId"], "bob");
    }
    assert!(own.next().is_none());
    ast.setvar("USER_PRESENCE(bob)", "away");
    for stream in [&mut others, &mut passwords] {
        assert_eq!(stream.expect("presence").data["ownerId"], "bob");
    }
}
