//! People who use everything that is stored.

use serde_json::{Map, Value, json};

use crate::harness::api::{HASH, JSON, sign_in};
use crate::harness::barrier::{BARRIER, catch_up, set_extension};
use crate::harness::statuses::TYPES;
use crate::harness::users::{self, set};
use crate::harness::{Builder, Instance, sets, wait_until};

/// The people whose presence the load does not change.
pub const PEOPLE: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "gina"];

const CONF: &str = "[general]\nown_settings = handling,visibility,note\nown_forward = internal\n\
    [busy]\ntype = action\nstatus = lunch\nset = DB(test/busy)=${MESSAGE}\nqueue = pause\n\
    [alice]\ntype = user\nid = 4711\nextension = 200\nextension = 201\nmember = Local/200@default/n\n\
    action = busy\n\
    [bob]\ntype = user\nextension = 210\noutgoing = none\nmethod = latest\n\
    [carol]\ntype = user\nextension = 220\noutgoing = none\n\
    [dave]\ntype = user\nextension = 230\n\
    [erin]\ntype = user\nextension = 240\naccount = second\n\
    [frank]\ntype = user\naccount = second\nextension = 250\noutgoing = none\nlogin_status = home-office\n\
    logout_status = lunch\n";

/// Only in the office until she is removed by a reload, and again when the fixture is read.
const GINA: &str = "[gina]\ntype = user\nextension = 260\noutgoing = none\n";

const CLUSTER: &str = "[etcd]\ntype = cluster\nservers = http://127.0.0.1:9\nnode = berlin\n";

fn conf(is_cluster: bool, gina: &str) -> String {
    let cluster = if is_cluster { CLUSTER } else { "" };
    let conf = CONF.replace(
        "[bob]\ntype = user\n",
        &format!("[bob]\ntype = user\npassword = {HASH}\n"),
    );
    format!("{conf}{TYPES}{BARRIER}{gina}{cluster}")
}

pub fn builder(is_cluster: bool) -> Builder {
    Instance::builder()
        .userpresence(&conf(is_cluster, GINA))
        .file(
            "queues.conf",
            "[general]\n[600]\nmember => Local/200@default/n\n",
        )
        .modules(sets::QUEUE)
        .http()
}

/// Has everything stored that a version stores.
///
/// It ends with Asterisk, while Frank is still logged in.
pub fn use_everything(ast: &Instance) {
    // Alice: a status type that is written to extensions, and its actions.
    ast.set_astdb("test/busy", "before");
    set_extension(ast, "201", "xa,,On the road");
    set(ast, "alice", "lunch,,Soup first");
    wait_until("alice's action", || {
        (ast.astdb("test/busy")?.contains("Soup")).then_some(())
    });

    // Bob: own status, a later extension, and a password of their own.
    set(ast, "bob", "away,garden,With \"quotes\" and ü");
    set_extension(ast, "210", "chat");
    let bob = sign_in(ast, "bob", &[]);
    let body = json!({"old": "secret", "new": "grüner Tee 7"}).to_string();
    let path = "/userpresence/v1/session/password";
    assert_eq!(ast.http("PUT", path, &[&bob, JSON], &body).status, 204);

    // Carol: a timed status above an untimed one, of a type without a state.
    set(ast, "carol", "chat");
    set(ast, "carol", "thinking");
    ast.setvar("USER_PRESENCE(carol)", "meeting,,,t(3000d)");

    // Dave: a timed status above what their extension says.
    set_extension(ast, "230", "available,,At the desk");
    ast.setvar("USER_PRESENCE(dave)", "lunch,,,t(3000d)");

    // Erin: calls, flags and settings, in another account.
    set(ast, "erin", "xa");
    ast.setvar("USER_PRESENCE(erin,dndStatus)", "DoNotAcceptAnyCalls");
    ast.setvar("USER_PRESENCE(erin,pickUpCallsOnHold)", "true");
    ast.setvar("USER_PRESENCE(erin,allowSeeMyPresence)", "false");
    for (item, value) in [
        ("statuses.away.forwardExternal.always", "250"),
        ("statuses.default.ringTimeout", "25"),
        ("visibility", "groups"),
    ] {
        ast.setvar(&format!("USER_PRESENCE(erin,settings,{item})"), value);
    }

    // Gina is removed.
    set(ast, "gina", "dnd,,Kept for her");
    let with = ast.read_config("userpresence.conf");
    ast.write_config("userpresence.conf", &with.replace(GINA, ""));
    assert!(ast.reload().ok());
    ast.write_config("userpresence.conf", &with);
    catch_up(ast);

    // Frank is logged in when Asterisk stops.
    let panel = ast.ami();
    let login = panel.action(&[("Action", "UserPresenceLogin"), ("User", "frank")]);
    assert!(login.ok(), "{login:?}");
    ast.wait_astdb_on_disk("/UserPresence/user/frank", "\"panel\":true");
    wait_until("gina's time of removal", || {
        ast.astdb_on_disk("/UserPresence/gone/user/gina").map(drop)
    });
    assert!(ast.stop().success());
}

/// What is known of each of [`PEOPLE`].
pub fn views(ast: &Instance) -> Map<String, Value> {
    let people = PEOPLE.iter().map(|user| {
        let mut view = users::json(ast, user);
        let settings = ast.getvar(&format!("USER_PRESENCE({user},settings)"));
        view["settings"] = serde_json::from_str(&settings).expect("JSON");
        for field in ["dndStatus", "pickUpCallsOnHold", "allowSeeMyPresence"] {
            view[field] = ast.getvar(&format!("USER_PRESENCE({user},{field})")).into();
        }
        ((*user).to_owned(), view)
    });
    people.collect()
}
