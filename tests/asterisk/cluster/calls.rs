//! A call reaches a phone that is registered at another node.

use super::{conf, wait_phones};
use crate::harness::cluster::Cluster;
use crate::harness::users::complaints;
use crate::harness::{Phone, wait_until};

#[test]
fn a_call_goes_to_the_node_where_the_phone_is() {
    let nodes = "[a]\ntype = node\ndial = PJSIP/${EXTENSION}@a\n\
                 [b]\ntype = node\ndial = PJSIP/${EXTENSION}@b\n";
    let cluster = Cluster::of(&format!("{}{nodes}", conf()))
        .nodes(2)
        .each(|_, builder| {
            builder
                .sip(&["204", "205"])
                .dialplan("exten = 300,1,UserPresenceDial(dave)\nexten = 204,1,Dial(PJSIP/204)")
        })
        .start();
    cluster.trunks();
    let [a, b] = cluster.two();
    let there = Phone::ringing(b, "204");
    wait_phones(a, "not_in_use");
    let caller = Phone::ringing(a, "205");
    caller.call("300");
    b.wait_device("PJSIP/204", "RINGING");
    wait_phones(a, "ringing");
    there.answer();
    a.wait_value("USER_PRESENCE(dave)", "dnd");
    cluster.same();
    caller.hang_up();
    for node in [a, b] {
        node.wait_no_channels();
    }
    a.wait_value("USER_PRESENCE(dave)", "available");
    // Registered here, it is called here.
    let here = Phone::ringing(a, "204");
    there.unregister();
    b.wait_device("PJSIP/204", "UNAVAILABLE");
    cluster.same();
    caller.call("300");
    a.wait_device("PJSIP/204", "RINGING");
    caller.hang_up();
    for node in [a, b] {
        node.wait_no_channels();
        assert_eq!(complaints(node, "userpresence"), Vec::<String>::new());
    }
    wait_until("one INVITE each", || {
        (there.invites().len() == 1 && here.invites().len() == 1).then_some(())
    });
}
