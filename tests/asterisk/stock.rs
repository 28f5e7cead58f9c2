//! Stock Asterisk without the module: the defect that the module exists for.

use crate::harness::Instance;

/// In Asterisk up to 22.10 a hint on two presence addresses reports the one that changed
/// last: a change on another phone shows a user in dnd as available.
#[test]
fn a_hint_on_two_presences_forgets_the_first() {
    let ast = Instance::stock()
        .hint("2000", ",CustomPresence:A&CustomPresence:B")
        .start();
    ast.set_custom("A", "dnd");
    ast.wait_hint_presence("2000", "dnd");

    ast.set_custom("B", "available");
    ast.wait_hint_presence("2000", "available");
    assert_eq!(ast.getvar("PRESENCE_STATE(CustomPresence:A,value)"), "dnd");
}
