//! Stock Asterisk without the module: the defect that the module exists for.

use crate::harness::{Instance, root};

/// A hint on two presence addresses reports the one that changed last: a change on another phone
/// shows a user in dnd as available. The newer core for extension states combines them, in one
/// order that nobody can change.
#[test]
fn a_hint_on_two_presences_forgets_the_first() {
    let ast = Instance::stock()
        .hint("2000", ",CustomPresence:A&CustomPresence:B")
        .start();
    ast.set_custom("A", "dnd");
    ast.wait_hint_presence("2000", "dnd");

    if root().exports("ast_extension_state_topic_all") {
        ast.set_custom("A", "away");
        ast.set_custom("B", "dnd");
        ast.wait_hint_presence("2000", "dnd");
        ast.set_custom("B", "available");
        ast.wait_hint_presence("2000", "away");
        return;
    }
    ast.set_custom("B", "available");
    ast.wait_hint_presence("2000", "available");
    assert_eq!(ast.getvar("PRESENCE_STATE(CustomPresence:A,value)"), "dnd");
}
