//! Resource lists (RFC 4662): a phone subscribes once for an account or a group.

use crate::harness::barrier::configured;
use crate::harness::users::set;
use crate::harness::{Builder, Instance, ListSubscriber, MODULE, wait_until};

const USERS: &str = "[alice]\ntype = user\nextension = 200\ngroup = Sales, Berlin\n\
                     device = PJSIP/watcher\n\
                     [bob]\ntype = user\nextension = 201\ngroup = sales\n\
                     [carol]\ntype = user\nextension = 202\n\
                     [dave]\ntype = user\nextension = 300\naccount = east\ngroup = sales\n\
                     endpoint = desk,PJSIP/dave\n";

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

#[test]
fn an_account_has_a_list() {
    let ast = office();
    let phone = ListSubscriber::start(&ast, "watcher", "userpresence-default");
    let first = phone.wait("the start", |_| true);
    assert!(first.full);
    assert_eq!(first.version, 0);
    assert_eq!(first.extensions(), ["200", "202", "8201"]);
    assert_eq!(first.state("200").as_deref(), Some("not_set"));
    set(&ast, "bob", "away,lunch,Back at one");
    let next = phone.wait("bob", |it| it.state("8201").is_some());
    assert_eq!(next.state("8201").as_deref(), Some("away"));
    assert_eq!((next.extensions(), next.full), (vec!["8201"], false));
    ast.wait_watchers("8201", 1);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}
