//! What stays, byte for byte, what Asterisk sends without the module.

use super::{SNOM, comparable};
use crate::harness::users::{ALICE, set};
use crate::harness::{Builder, Instance, Subscriber};

/// Every kind of body, and the User-Agent of its phone.
const KINDS: [(&str, &str, &str); 5] = [
    ("presence", "application/cpim-pidf+xml", SNOM),
    ("presence", "application/xpidf+xml", SNOM),
    ("dialog", "application/dialog-info+xml", SNOM),
    ("presence", "application/pidf+xml", SNOM),
    ("presence", "application/pidf+xml", "digium D65"),
];

/// The bodies of each kind while presence and device change.
fn bodies(builder: Builder, provider: &str) -> Vec<Vec<String>> {
    let ast = builder
        .sip(&["2000"])
        .hint("2000", &format!("Custom:desk,{provider}"))
        .hint("3000", &format!(",{provider}"))
        .hint("4000", "Custom:desk,CustomPresence:other")
        .start();
    let phones: Vec<Subscriber> = ["2000", "3000", "4000"]
        .into_iter()
        .flat_map(|extension| KINDS.map(|kind| (extension, kind)))
        .map(|(extension, (event, accept, agent))| {
            Subscriber::subscribe(&ast, extension, agent, (event, accept))
        })
        .collect();
    let mut count = [1; 3];
    let wait = |count: &[usize; 3]| {
        for (number, phone) in phones.iter().enumerate() {
            let expected = count[number / KINDS.len()];
            crate::harness::wait_until("each NOTIFY", || {
                (phone.notifies().len() >= expected).then_some(())
            });
        }
    };
    wait(&count);
    for (number, state) in ["away", "dnd", "available", "unavailable"]
        .into_iter()
        .enumerate()
    {
        let value = format!("{state},sub<{number}>,A \"message\" & more of {state}");
        match provider.starts_with("User") {
            true => set(&ast, "alice", &value),
            false => ast.set_custom("200", &value),
        }
        count[0] += 1;
        count[1] += 1;
        wait(&count);
        ast.set_custom("other", &value);
        count[2] += 1;
        wait(&count);
    }
    for state in ["INUSE", "RINGING", "UNAVAILABLE", "NOT_INUSE"] {
        ast.set_device("desk", state);
        count[0] += 1;
        count[2] += 1;
        wait(&count);
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
    let all = phones.iter().map(Subscriber::bodies);
    all.map(|bodies| bodies.iter().map(|it| comparable(it)).collect())
        .collect()
}

/// The element in a Digium phone's body.
fn digium(body: &str) -> String {
    let (_, rest) = body
        .split_once(" <tuple id=\"digium-presence\">")
        .unwrap_or_default();
    rest.split(" </tuple>")
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn bodies_of_other_kinds_and_digium_s_tuple_stay() {
    let stock = bodies(Instance::stock(), "CustomPresence:200");
    let users = "[alice]\ntype = user\nextension = 200\n";
    let off = format!("[general]\nsip_presence = no\n{users}");
    let off = bodies(Instance::builder().userpresence(&off), "UserPresence:alice");
    for (number, (stock, off)) in stock.iter().zip(&off).enumerate() {
        assert_eq!(stock, off, "turned off: {:?}", KINDS[number % KINDS.len()]);
    }
    let ours = bodies(
        Instance::builder().userpresence(users),
        "UserPresence:alice",
    );
    assert!(ALICE.starts_with(users));
    for (number, (stock, ours)) in stock.iter().zip(&ours).enumerate() {
        let (hint, kind) = (number / KINDS.len(), number % KINDS.len());
        assert_eq!(stock.len(), ours.len());
        match (hint, kind) {
            (0 | 1, 3) => assert_ne!(stock, ours),
            (0 | 1, 4) => {
                for (stock, ours) in stock.iter().zip(ours) {
                    assert!(digium(stock).contains("digium_presence"), "{stock}");
                    assert_eq!(digium(stock), digium(ours));
                    assert!(ours.contains("<dm:person id="), "{ours}");
                }
            }
            // Other kinds, and the hint of another module.
            _ => assert_eq!(stock, ours, "{:?}", KINDS[kind]),
        }
    }
}
