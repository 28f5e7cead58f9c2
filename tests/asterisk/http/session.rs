//! Sessions by a cookie.

use super::{CHANGED, SECRET, basic, code, header, json, session, start, users};
use crate::harness::{Answer, Instance, MODULE};

const SESSION: &str = "/userpresence/v1/session";
const JSON: &str = "Content-Type: application/json";
const LOGIN: &str = r#"{"name": "hers", "password": "secret"}"#;

/// The `Cookie` header of who has logged in.
#[track_caller]
fn log_in(ast: &Instance) -> String {
    let answer = ast.http("POST", SESSION, &[JSON], LOGIN);
    assert_eq!(answer.status, 200, "{answer:?}");
    cookie(&answer)
}

fn cookie(answer: &Answer) -> String {
    let cookie = header(answer, "Set-Cookie").split(';').next();
    format!("Cookie: {}", cookie.unwrap_or_default())
}

#[test]
fn a_login_gives_a_cookie_and_a_logout_ends_it() {
    let ast = start("");
    let answer = ast.http("POST", SESSION, &[JSON], LOGIN);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(json(&answer)["user"], "alice");
    let set = header(&answer, "Set-Cookie");
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
    assert_eq!((known.status, json(&known)), (200, json(&answer)));

    let other = log_in(&ast);
    let out = ast.http("DELETE", SESSION, &[&cookie], "");
    assert_eq!((out.status, out.body.as_str()), (204, ""));
    // That would be the length of something.
    assert_eq!(header(&out, "Content-Length"), "");
    assert_ne!(header(&out, "Date"), "");
    assert!(header(&out, "Set-Cookie").contains("Max-Age=0"));
    assert_eq!(session(&ast, &cookie).status, 401);
    assert_eq!(session(&ast, &other).status, 200);
    // One that holds still does after the module was loaded anew; a changed one never did.
    assert!(ast.unload_module(MODULE).ok() && ast.load_module(MODULE).ok());
    assert_eq!(session(&ast, &other).status, 200);
    for (from, to) in [(".hers", ".boss"), ("userpresence=", "userpresence=A")] {
        assert_eq!(session(&ast, &other.replace(from, to)).status, 401);
    }
    assert_eq!(session(&ast, "Cookie: userpresence=a.b.c").status, 401);
}

#[test]
fn who_one_is_is_not_sent_again() {
    let ast = start("");
    let basic = basic("panel", "secret");
    let known = session(&ast, &basic);
    let tag = header(&known, "ETag");
    assert!(!tag.is_empty(), "{known:?}");
    let condition = format!("If-None-Match: {tag}");
    let again = ast.http("GET", SESSION, &[&basic, &condition], "");
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(header(&again, "ETag"), tag);
    // The length of what is not sent, or it would be said to be empty.
    assert_eq!(
        header(&again, "Content-Length"),
        known.body.len().to_string()
    );
}

#[test]
fn a_session_outlives_asterisk_but_not_the_password() {
    let ast = start("");
    let cookie = log_in(&ast);
    // What is put into AstDB is in the file with the next stop.
    ast.stop();
    ast.start_again();
    assert_eq!(session(&ast, &cookie).status, 200);
    ast.write_config("userpresence.conf", &users("").replace(SECRET, CHANGED));
    assert!(ast.reload().ok());
    assert_eq!(session(&ast, &cookie).status, 401);
    assert_eq!(session(&ast, &basic("hers", "secret")).status, 401);
    assert_eq!(session(&ast, &basic("hers", "changed")).status, 200);
}

#[test]
fn a_wrong_login_is_refused_as_by_basic() {
    let ast = start("");
    let wrong = LOGIN.replace("secret", "guess");
    for _ in 0..5 {
        let answer = ast.http("POST", SESSION, &[JSON], &wrong);
        assert_eq!(
            (answer.status, code(&answer).as_str()),
            (401, "unauthorized")
        );
        assert_eq!(header(&answer, "Set-Cookie"), "");
    }
    let answer = ast.http("POST", SESSION, &[JSON], &wrong);
    assert_eq!((answer.status, code(&answer).as_str()), (429, "too_many"));
}

#[test]
fn pages_of_other_sites_change_nothing() {
    let ast = start("");
    let cookie = log_in(&ast);
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
fn what_a_session_is_not_asked_for() {
    let ast = start("");
    let basic = basic("boss", "secret");
    let put = ast.http("PUT", SESSION, &[&basic], "");
    assert_eq!((put.status, code(&put).as_str()), (405, "method"));
    assert_eq!(header(&put, "Allow"), "POST, GET, HEAD, DELETE");
    let nothing = ast.http("GET", "/userpresence/v1/nothing", &[&basic], "");
    assert_eq!(
        (nothing.status, code(&nothing).as_str()),
        (404, "not_found")
    );
    // Without credentials, both are the same.
    assert_eq!(ast.http("PUT", SESSION, &[], "").status, 401);
}
