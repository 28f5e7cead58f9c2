//! The periodic look at realtime.

use super::*;
use crate::harness::MODULE;
use crate::harness::api::{api_user, login};
use crate::harness::changes::published_states;
use crate::harness::users::wait_state;

/// Changed, new and removed rows are taken over, and nothing else is touched; a database that is
/// down or empty removes nobody, with one warning when that begins and one notice when it ends.
#[test]
fn a_periodic_look_takes_over_what_has_changed() {
    let engine = Engine::Mariadb;
    let database = database(engine);
    for (name, extension) in [("anna", "200"), ("bert", "201"), ("carl", "202")] {
        database.sql(&insert(engine, &[("name", name), ("extension", extension)]));
    }
    let api = api_user("panel", "account = default\nrole = read");
    let file = format!("{FILE}realtime_refresh = 5\n{api}[fred]\ntype = user\nextension = 209\n");
    let builder = Instance::builder().http().userpresence(&file);
    let ast = database.configure(builder).start();
    for extension in ["200", "201", "202"] {
        ast.set_custom(extension, "dnd");
    }
    for user in ["anna", "bert", "carl"] {
        wait_state(&ast, user, "dnd");
    }
    let ami = ast.ami();
    published_states(&ast, &ami);
    let sequence = read(&ast, "carl,sequence");

    ast.set_custom("210", "xa");
    database.sql(&format!(
        "START TRANSACTION; \
         UPDATE userpresence SET extension = '210' WHERE name = 'anna'; \
         DELETE FROM userpresence WHERE name = 'bert'; {}{}{} COMMIT;",
        insert(engine, &[("name", "dora"), ("extension", "203")]),
        insert(engine, &[("name", "emil"), ("method", "best")]),
        insert(engine, &[("name", "FRED"), ("extension", "204")]),
    ));
    ast.wait_log("Taken over from realtime: 4 users: 1 new, 1 removed, 1 changed");
    assert_eq!(names(&ast), ["anna", "carl", "dora", "fred"]);
    wait_state(&ast, "anna", "xa");
    let told = published_states(&ast, &ami);
    let told: Vec<_> = told
        .iter()
        .map(|(user, state)| (&**user, &**state))
        .collect();
    assert_eq!(told, [("bert", "not_set"), ("anna", "xa")]);
    assert_eq!(read(&ast, "carl,sequence"), sequence);
    let said = ast.complaints();
    let errors = [
        "user 'emil', column 'method': unknown method 'best'",
        "user 'FRED' is in userpresence.conf and in realtime, expected in one of them",
    ];
    for error in errors {
        let of_it = said.iter().filter(|line| line.contains(error));
        assert_eq!(of_it.count(), 1, "{said:#?}");
    }

    // The account has other users, so its readers begin anew; from here on they do not.
    let events = "/userpresence/v1/account/default/events";
    let mut stream = ast.stream(events, &[&login("panel")]);

    // The database is down, for more than one look.
    database.kill();
    let down = "its table cannot be read or has no column 'name'; the users from realtime stay as \
                they are";
    ast.wait_log(down);
    let tries = || ast.log().matches("SQL Connect").count() + ast.log().matches("res_odbc").count();
    let first = tries();
    wait_until("another look", || (tries() > first).then_some(()));
    database.start_again();
    database.sql("UPDATE userpresence SET method = 'latest' WHERE name = 'dora';");
    ast.wait_log("Realtime family 'userpresence' can be read again");
    wait_until("the changed row", || {
        (read(&ast, "dora,method") == "latest").then_some(())
    });
    assert_eq!(ast.log().matches(down).count(), 1);
    ast.set_custom("202", "away,,after the look");
    assert_eq!(stream.expect("presence").data["ownerId"], "carl");
    // Rows with an error are named once.
    for error in errors {
        assert_eq!(ast.log().matches(error).count(), 1);
    }

    // Without any row nobody goes.
    database.sql("DELETE FROM userpresence;");
    ast.wait_log("Realtime family 'userpresence' gave no row at all: the 3 users from it stay");
    assert_eq!(names(&ast), ["anna", "carl", "dora", "fred"]);
    // It is turned off, and an unload ends it.
    ast.write_config("userpresence.conf", FILE);
    assert!(
        ast.cli("userpresence reload --really")
            .contains("4 removed")
    );
    assert!(ast.unload_module(MODULE).ok());
}
