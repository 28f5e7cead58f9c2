//! What Asterisk itself does, without our module: the failure that the module
//! exists for, written down.

use crate::harness::Instance;

/// A hint on two presence addresses reports whichever changed last, in Asterisk
/// up to 22.10: a person who does not want to be disturbed is shown as available
/// because of a change at another phone.
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
