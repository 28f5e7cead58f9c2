//! Users, and what a directory says of them, from a real OpenLDAP.

use super::*;
use crate::harness::MODULE;

const TREE: &str = "dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\n\
    o: Example\ndc: example\n\n\
    dn: ou=people,dc=example,dc=com\nobjectClass: organizationalUnit\nou: people\n\n";

fn person(uid: &str, attributes: &str) -> String {
    format!(
        "dn: uid={uid},ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: {uid}\n\
         sn: {uid}\ncn: {uid}\nuserPassword: secret\n{attributes}\n"
    )
}

fn directory() -> Database {
    let database = Database::start(Engine::Ldap);
    database.sql(&format!(
        "{TREE}{}{}{}",
        person(
            "alice",
            "displayName:: WsO2ZSDCq+S9oOWlvcK7\ntitle: Head of Sales\nmail: alice@example.com\n\
             mail: sales@example.com\ndepartmentNumber: Sales\ndepartmentNumber: Berlin\n\
             telephoneNumber: 200\ntelephoneNumber: 201\n"
        ),
        person(
            "bob",
            "displayName: Bob\ntitle: Agent\nmail: not an address\ntelephoneNumber: 202\n"
        ),
        person("nobody", "displayName: Nobody\n"),
    ));
    database
}

fn fields(ast: &Instance, user: &str) -> [String; 4] {
    ["name", "title", "email", "groups"].map(|field| read(ast, &format!("{user},{field}")))
}

/// A whole user of realtime may be an entry of a directory.
#[test]
fn users_come_from_a_directory() {
    let database = directory();
    let page = repository_file("doc/databases.md");
    let map = crate::harness::database::snippet(&page, "extconfig.conf, users from LDAP");
    let builder = Instance::builder()
        .userpresence(FILE)
        .file("extconfig.conf", &map);
    database.sql("dn: uid=bob,ou=people,dc=example,dc=com\nchangetype: modify\ndelete: mail\n\n");
    database.sql("dn: uid=nobody,ou=people,dc=example,dc=com\nchangetype: delete\n\n");
    let ast = database.configure(builder).start();
    assert_eq!(names(&ast), ["alice", "bob"]);
    assert_eq!(
        fields(&ast, "alice"),
        [
            "Zöe «你好»",
            "Head of Sales",
            "alice@example.com",
            "Sales,Berlin"
        ]
    );
    assert_eq!(read(&ast, "alice,extensions"), "200,201");
    assert_eq!(read(&ast, "bob,extensions"), "202");
    assert_eq!(ast.complaints(), Vec::<String>::new());

    let reload = |user: &str| ast.cli(&format!("userpresence reload user {user}"));
    database.sql("dn: uid=bob,ou=people,dc=example,dc=com\nchangetype: modify\nreplace: telephoneNumber\ntelephoneNumber: 203\n\n");
    assert!(reload("bob").contains("is read anew"));
    assert_eq!(read(&ast, "bob,extensions"), "203");
    assert!(reload("carol").contains("ealtime has no user 'carol'"));
    database.sql("dn: uid=bob,ou=people,dc=example,dc=com\nchangetype: delete\n\n");
    assert!(reload("bob").contains("User 'bob' is gone."));
    database.kill();
    assert!(reload("alice").contains("its table cannot be read"));
    assert!(!ast.reload().ok());
    assert_eq!(names(&ast), ["alice"]);
    database.start_again();
    assert!(ast.reload().ok());
    assert_eq!(names(&ast), ["alice"]);
}

/// Users of the file and of a database get what the directory says of them, as far as their own
/// section or row does not say it.
#[test]
fn a_directory_gives_names_to_users_from_elsewhere() {
    let ldap = directory();
    let sqlite = database(Engine::Sqlite);
    sqlite.sql(&insert(
        Engine::Sqlite,
        &[("name", "Bob"), ("title", "Own title"), ("group", "Own")],
    ));
    let file = "[general]\nrealtime_refresh = 5\n[alice]\ntype = user\nextension = 200\n\
                [zoe]\ntype = user\nname = Zoe\n";
    let page = repository_file("doc/databases.md");
    let builder = ldap.configure(sqlite.configure(Instance::builder().userpresence(file)));
    let users = crate::harness::database::snippet(&page, "extconfig.conf, SQLite");
    let fields_map = crate::harness::database::snippet(&page, "extconfig.conf, fields from LDAP");
    let fields_map = fields_map.replace("[settings]\n", "");
    let ast = builder
        .file("extconfig.conf", &format!("{users}{fields_map}"))
        .start();
    assert_eq!(names(&ast), ["alice", "Bob", "zoe"]);
    let alice = [
        "Zöe «你好»",
        "Head of Sales",
        "alice@example.com",
        "Sales,Berlin",
    ];
    assert_eq!(fields(&ast, "alice"), alice);
    assert_eq!(fields(&ast, "bob"), ["Bob", "Own title", "", "Own"]);
    assert_eq!(fields(&ast, "zoe"), ["Zoe", "", "", ""]);
    // The user's extension is not the directory's.
    assert_eq!(read(&ast, "alice,extensions"), "200");
    let said = ast.complaints();
    let left_out = "realtime family 'userpresence_directory', user 'bob', column 'email': 'not an address' is not a mail address";
    assert!(said.len() == 1 && said[0].contains(left_out), "{said:#?}");

    // Changes come with one user's reload, and with the periodic look.
    ldap.sql(
        "dn: uid=bob,ou=people,dc=example,dc=com\nchangetype: modify\nreplace: mail\n\
         mail: bob@example.com\n\n",
    );
    assert!(
        ast.cli("userpresence reload user bob")
            .contains("is read anew")
    );
    assert_eq!(
        fields(&ast, "bob"),
        ["Bob", "Own title", "bob@example.com", "Own"]
    );
    ldap.sql(
        "dn: uid=alice,ou=people,dc=example,dc=com\nchangetype: modify\nreplace: title\n\
         title: Director\n\n",
    );
    wait_until("the new title", || {
        (read(&ast, "alice,title") == "Director").then_some(())
    });

    // A directory that is down changes nothing, and is no error at a reload.
    ldap.kill();
    assert!(ast.reload().ok());
    ast.wait_log("Realtime family 'userpresence_directory' gave no row, and its table cannot be read or has no column 'name'; what it gave before is used");
    assert_eq!(read(&ast, "alice,title"), "Director");
    assert!(ast.unload_module(MODULE).ok());
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(fields(&ast, "alice"), ["alice", "", "", ""]);
    ldap.start_again();
    wait_until("the title", || {
        (read(&ast, "alice,title") == "Director").then_some(())
    });
}
