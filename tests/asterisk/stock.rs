//! Stock Asterisk without the module: the defect that the module exists for.

use crate::harness::{Instance, root};

/// Before 20.21, 22.11 and 23.5 a hint on two presence addresses reports the one that changed
/// last: a change on another phone shows a user in dnd as available. From then on it reports the
/// one that comes last in a fixed order, whatever the person has set last.
#[test]
fn a_hint_on_two_presences_has_no_rule_of_its_own() {
    let ast = Instance::stock()
        .hint("2000", ",CustomPresence:A&CustomPresence:B")
        .hint("2001", ",CustomPresence:B")
        .start();
    ast.set_custom("A", "dnd");
    ast.wait_hint_presence("2000", "dnd");

    ast.set_custom("B", "available");
    ast.wait_hint_presence("2001", "available");
    assert_eq!(ast.getvar("PRESENCE_STATE(CustomPresence:A,value)"), "dnd");
    match root().keeps_extension_states() {
        false => ast.wait_hint_presence("2000", "available"),
        true => {
            // Each change is handled before the next one.
            ast.set_custom("B", "away");
            ast.wait_hint_presence("2001", "away");
            assert_eq!(ast.hint("2000").presence, "dnd");
            // The order is the same the other way round.
            ast.set_custom("A", "available");
            ast.wait_hint_presence("2000", "away");
            ast.set_custom("B", "available");
            ast.wait_hint_presence("2000", "available");
        }
    }
}
