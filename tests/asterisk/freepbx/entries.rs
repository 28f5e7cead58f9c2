//! FreePBX without "Enable Custom Device States": its codes write the entries in AstDB alone.

use super::follow_dnd::{USERS, press, started, wait_dnd};
use crate::harness::users::{read, set, wait_state};

#[test]
fn an_entry_without_its_device_counts_at_a_reload() {
    let ast = started(USERS);
    set(&ast, "alice", "lunch");
    ast.set_astdb("DND/200", "YES");
    assert!(ast.reload().ok());
    wait_state(&ast, "alice", "dnd");
    wait_dnd(&ast, "200", &["200"], true);
    wait_dnd(&ast, "201", &["201", "9201"], true);
    ast.cli("database del DND 201");
    assert!(ast.reload().ok());
    wait_state(&ast, "alice", "away");
    assert_eq!(read(&ast, "alice,status"), "lunch");
    wait_dnd(&ast, "200", &["200"], false);
    wait_dnd(&ast, "201", &["201", "9201"], false);
    // It follows the codes as before.
    press(&ast, "200", "*78");
    wait_state(&ast, "alice", "dnd");
}
