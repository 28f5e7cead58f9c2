//! Sections of `type = cluster` and `type = node` without a cluster: their mistakes, and calls
//! that come from another server.

use std::time::{Duration, Instant};

use crate::harness::barrier::configured;
use crate::harness::{Instance, Phone};

const WRONG: &str = "[general]\n\
    [alice]\ntype = user\nextension = 200\n\
    [etcd]\ntype = cluster\nservers = https://joe:geheim@127.0.0.1:2379\nnode = my node\n\
    node_timeout = 1\nca_file = /no/such/file\nusername = joe\n\
    [second]\ntype = cluster\nservers = http://127.0.0.1:2379\npassword = geheim\n\
    [berlin]\ntype = node\ndial = PJSIP/${EXTEN}@berlin\n";

const EXPECTED: [&str; 7] = [
    "userpresence.conf:7, section [etcd], option 'servers': it has a user or a password, which are \
     options of their own, expected the addresses of etcd's servers such as \
     https://etcd1.example.com:2379",
    "userpresence.conf:8, section [etcd], option 'node': 'my node' is not a node's name, expected 1 \
     to 60 letters, digits, '-', '_' or '.'",
    "userpresence.conf:9, section [etcd], option 'node_timeout': '1', expected a whole number of \
     seconds from 3 to 300",
    "userpresence.conf:10, section [etcd], option 'ca_file': '/no/such/file': No such file or \
     directory",
    "userpresence.conf:11, section [etcd], option 'username': there is no 'password', expected \
     both or neither of them",
    "section [second]: there is another section of type = cluster, [etcd], expected at most one",
    "userpresence.conf:18, section [berlin], option 'dial': 'PJSIP/${EXTEN}@berlin' has another \
     variable than ${EXTENSION}, expected what Dial takes",
];

#[test]
fn each_mistake_in_a_section_is_told_and_the_rest_runs() {
    let ast = Instance::builder().userpresence(WRONG).start();
    for expected in EXPECTED {
        let line = ast.wait_log(expected);
        assert!(line.contains("ERROR["), "{line}");
    }
    ast.setvar("USER_PRESENCE(alice)", "dnd");
    assert_eq!(ast.getvar("USER_PRESENCE(alice)"), "dnd");

    let said = ast.cli("userpresence check");
    for expected in EXPECTED {
        assert!(said.contains(expected), "{expected:?} in {said}");
    }
    let reloaded = ast.cli("userpresence reload");
    assert!(reloaded.contains("Not reloaded: 7 errors"), "{reloaded}");
    for shown in [said, reloaded, ast.log()] {
        assert!(!shown.contains("geheim"), "{shown}");
    }
    ast.complaints();
}

/// Alice's calls are forwarded at once. What comes from another server rings her phone.
const CONF: &str = "[alice]\ntype = user\nextension = 200\nextension = 201\nhandling = away\n\
    [away]\ntype = handling\nforward_internal_always = 300@default\n\
    forward_external_always = 300@default\n\
    [berlin]\ntype = node\ndial = PJSIP/${EXTENSION}@trunk\n\
    [rome]\ntype = node\n";

const DIALPLAN: &str = "\
exten = _20X,1,UserPresenceDial(${EXTEN})
exten = _9X.,1,UserPresenceDial(${EXTEN:1},n)
exten = 300,1,Dial(PJSIP/300)
";

fn is_silent(phones: &[&Phone<'_>]) -> bool {
    phones.iter().all(|phone| phone.invites().is_empty())
}

#[test]
fn a_call_from_another_server_rings_the_phone_here_and_goes_no_further() {
    let ast = configured(CONF)
        .sip(&["200", "201", "300", "trunk", "other"])
        .dialplan(DIALPLAN)
        .start();
    let [desk, second, forwarded] = ["200", "201", "300"].map(|it| Phone::ringing(&ast, it));
    let [trunk, other] = ["trunk", "other"].map(|it| Phone::ringing(&ast, it));

    // A call from the endpoint that leads to a node comes from there.
    trunk.call("200");
    ast.wait_device("PJSIP/200", "RINGING");
    // It rings until the other side gives up, longer than a stage of its own would.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(1) {
        assert_eq!(ast.device("PJSIP/200"), "RINGING");
    }
    trunk.hang_up();
    ast.wait_no_channels();
    assert!(is_silent(&[&second, &forwarded]));

    // The option says it for any other.
    other.call("9201");
    ast.wait_device("PJSIP/201", "RINGING");
    other.hang_up();
    ast.wait_no_channels();
    assert!(is_silent(&[&forwarded]));
    assert_eq!(desk.invites().len(), 1);

    other.call("200");
    ast.wait_device("PJSIP/300", "RINGING");
    other.hang_up();
    ast.wait_no_channels();
    assert_eq!((desk.invites().len(), second.invites().len()), (1, 1));
}

#[test]
fn a_phone_that_is_not_registered_is_not_called_for_another_server() {
    let ast = configured(CONF)
        .sip(&["200", "201", "300", "trunk"])
        .dialplan(DIALPLAN)
        .start();
    let forwarded = Phone::ringing(&ast, "300");
    let trunk = Phone::ringing(&ast, "trunk");
    trunk.call("200");
    trunk.wait_refused();
    ast.wait_no_channels();
    assert!(is_silent(&[&forwarded]));
    assert_eq!(trunk.invites().len(), 0, "the call came back");
}
