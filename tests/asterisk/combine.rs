//! The main job: many addresses, one presence.

use crate::harness::users::ALICE;
use crate::harness::{Instance, wait_until};

/// Stock Asterisk forgets the first address (see [`crate::stock`]); the module keeps the
/// one that ranks higher in the administrator's order.
#[test]
fn a_hint_on_a_user_keeps_the_higher_state() {
    let ast = Instance::builder()
        .userpresence(ALICE)
        .hint("2000", ",UserPresence:alice")
        .start();
    ast.set_custom("200", "dnd");
    ast.wait_hint_presence("2000", "dnd");

    ast.set_custom("201", "available");
    wait_until("the second extension's event", || {
        let seen = ast.getvar("USER_PRESENCE(alice,reason)");
        (seen == "highest").then_some(())
    });
    assert_eq!(ast.getvar("USER_PRESENCE(alice)"), "dnd");
    assert_eq!(ast.hint("2000").presence, "dnd");
    ast.set_custom("200", "not_set");
    ast.wait_hint_presence("2000", "available");
}
