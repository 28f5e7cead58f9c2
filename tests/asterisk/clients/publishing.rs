//! Clients that publish a presence of their own, and what clients of other makes then see.

use super::{LUNCH, builder, line, watching};
use crate::harness::client::{Baresip, Linphone, Pjsua, Watcher};
use crate::harness::users::{ALICE, set, wait_state};
use crate::harness::{Instance, Phone, Subscriber};

fn wait_ready(ast: &Instance) {
    ast.wait_log("Phones may publish their presence now");
}

/// baresip has two states of its own; the second one is away by Alice's table.
#[test]
fn baresip_goes_away_and_clients_of_other_makes_see_it() {
    let conf = "[alice]\ntype = user\nextension = 200,PJSIP/200\n\
                [publish]\ntype = publish_table\nclosed = away\n";
    let ast = watching(conf, &["200", "pjsua", "linphone"]);
    wait_ready(&ast);
    let linphone = Linphone::start(&ast, line("linphone"));
    let pjsua = Pjsua::start(&ast, line("pjsua"));
    let baresip = Baresip::publishing(&ast, line("200"));
    baresip.publish("online");
    wait_state(&ast, "alice", "available");
    linphone.wait_to_see("Online");
    pjsua.wait_to_see("online, “Ready”");
    baresip.publish("offline");
    pjsua.wait_to_see("online, away, “Away”");
    linphone.wait_to_see("Away");
    baresip.publish("online");
    pjsua.wait_to_see("online, “Ready”");
    linphone.wait_to_see("Online");
    baresip.publish("offline");
    pjsua.wait_to_see("online, away, “Away”");
    // It withdraws what it published.
    baresip.quit();
    wait_state(&ast, "alice", "not_set");
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// pjsip publishes an activity and a note.
#[test]
fn pjsip_goes_away_and_clients_of_other_makes_see_it() {
    let conf = "[alice]\ntype = user\nextension = 200\nextension = 201,PJSIP/201\n";
    let ast = watching(conf, &["201", "baresip", "linphone"]);
    wait_ready(&ast);
    let linphone = Linphone::start(&ast, line("linphone"));
    let baresip = Baresip::start(&ast, line("baresip"));
    let pjsua = Pjsua::start(&ast, line("201"));
    set(&ast, "alice", "available");
    linphone.wait_to_see("Online");
    baresip.wait_to_see("Online");
    pjsua.publish("away", "Back at one");
    baresip.wait_to_see("Offline");
    linphone.wait_to_see("Away");
    pjsua.wait_to_see("online, away, “Back at one”");
    pjsua.publish("busy", "");
    baresip.wait_to_see("Busy");
    linphone.wait_to_see("Busy");
    pjsua.publish("none", "");
    baresip.wait_to_see("Online");
    linphone.wait_to_see("Online");
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// A user for each phone, whose PUBLISH is in that phone's form.
#[test]
fn the_publications_of_each_make_are_understood() {
    let phones = [
        ("snom", "snom-publish", ["away", "lunch", "Back at one"]),
        ("snom-d", "snom-xml-publish", ["away", "", "Forwarded"]),
        ("cisco", "cisco-publish", ["dnd", "", ""]),
        (
            "audiocodes",
            "audiocodes-publish",
            ["available", "on-the-phone", ""],
        ),
    ];
    let users = phones
        .map(|(name, ..)| format!("[{name}]\ntype = user\nextension = {name},PJSIP/{name}\n"));
    let ast = builder(
        &format!("{ALICE}{LUNCH}{}", users.concat()),
        &phones.map(|it| it.0),
    )
    .start();
    wait_ready(&ast);
    // Who cannot be reached is not available.
    let _registered = phones.map(|(name, ..)| Phone::ringing(&ast, name));
    for (name, form, _) in phones {
        Subscriber::form(&ast, form, name, "nobody");
    }
    for (name, form, [state, subtype, message]) in phones {
        wait_state(&ast, name, state);
        let field = |field: &str| ast.getvar(&format!("USER_PRESENCE({name},{field})"));
        let found = [field("subtype"), field("message")];
        assert_eq!(found, [subtype, message], "{form}");
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}
