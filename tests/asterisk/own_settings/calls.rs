//! Own settings for calls: what rings, what is said, where statuses are written.

use super::went;
use crate::harness::users::{extension, read, set, wait_extension};
use crate::harness::{Builder, Instance, wait_until};

/// Endpoints are channels that note that they have rung, and are busy.
const DIALPLAN: &str = "\
exten = _[a-z0+].,1,Set(GLOBAL(RANG)=${GLOBAL(RANG)} ${EXTEN})
 same = n,Set(GLOBAL(RANG_${EXTEN})=yes)
 same = n,Busy(1)
";

const CONF: &str = "[general]\nhandling = standard\nmobile_prefix = 0\n\
    [standard]\ntype = handling\nring_first = desk\nring_timeout = 5\npush = no\n\
    [alice]\ntype = user\nextension = 200\nextension = 201\noutgoing = none\n\
    endpoint = desk,Local/desk@default/n\nendpoint = soft,Local/soft@default/n\n\
    mobile = +491701\nmailbox = 200@default\n\
    own_forward = internal,voicemail,mobile,_0+49170X\n";

fn builder(conf: &str) -> Builder {
    Instance::builder()
        .userpresence(conf)
        .modules(&["app_dial", "pbx_config"])
        .dialplan(DIALPLAN)
}

#[track_caller]
fn item(ast: &Instance, path: &str, value: &str) {
    ast.setvar(&format!("USER_PRESENCE(alice,settings,{path})"), value);
}

#[track_caller]
fn refused(ast: &Instance, path: &str, value: &str, expected: &str) {
    let answer = ast.ami().action(&[
        ("Action", "UserPresenceSetSettings"),
        ("User", "alice"),
        ("Item", path),
        ("Value", value),
    ]);
    let why = answer.get("Message").unwrap_or_default();
    assert!(
        !answer.ok() && why.contains(expected),
        "{path}={value}: {why}"
    );
}

#[track_caller]
fn route(ast: &Instance, field: &str) -> String {
    ast.getvar(&format!("USER_PRESENCE_ROUTE(alice,external,{field})"))
}

/// What a call rings, stage by stage where a stage rings one endpoint.
#[track_caller]
fn rang(ast: &Instance) -> String {
    let lines = ["Set(GLOBAL(RANG)=)", "UserPresenceDial(alice,e)"];
    let rang = ast.run_dialplan(&lines, "${GLOBAL(RANG)}");
    rang.trim().to_owned()
}

/// Whether a call rings the phone and the mobile, which ring at the same time.
#[track_caller]
fn rang_both(ast: &Instance, phone: &str, mobile: &str) -> bool {
    let names = [phone, mobile].map(|name| format!("GLOBAL(RANG_{name})"));
    let reset = names.each_ref().map(|name| format!("Set({name}=no)"));
    let lines = [&*reset[0], &reset[1], "UserPresenceDial(alice,e)"];
    let rang = format!("${{{}}} ${{{}}}", names[0], names[1]);
    ast.run_dialplan(&lines, &rang) == "yes yes"
}

#[test]
fn a_person_decides_what_rings_in_each_status() {
    let ast = builder(CONF).start();
    set(&ast, "alice", "away");
    assert_eq!(rang(&ast), "desk");
    item(&ast, "statuses.away.ringFirst", "soft");
    item(&ast, "statuses.~.ringSecond", "desk");
    assert_eq!(rang(&ast), "soft desk");
    let own = ["own", "set_by", "first_timeout"].map(|field| route(&ast, field));
    let by = "first=own away,second=own away,timeout=section standard,push=section standard";
    assert_eq!(own, ["first,second", by, "5"]);
    let said = ast.cli("userpresence explain alice external");
    for line in [
        "Set by alice: ringFirst (for away), ringSecond (for away).",
        "Set by section [standard]: ringTimeout, push.",
    ] {
        assert!(said.contains(line), "{said}");
    }
    let shown = ast.cli("userpresence show routes alice");
    assert!(shown.contains("Local/soft@default/n 5s (own)"), "{shown}");
    // The mobile beside them, and in a stage of its own, but never in dnd.
    item(&ast, "statuses.default.ringMobile", "yes");
    item(&ast, "statuses.away.ringSecond", "none");
    assert!(rang_both(&ast, "soft", "0+491701"));
    item(&ast, "statuses.away.ringMobile", "no");
    item(&ast, "statuses.away.ringSecond", "mobile");
    assert_eq!(rang(&ast), "soft 0+491701");
    item(&ast, "statuses.dnd.ringFirst", "mobile,soft");
    set(&ast, "alice", "dnd");
    assert_eq!(rang(&ast), "soft");
    set(&ast, "alice", "away");
    // Another mobile: only one that may be dialled.
    item(&ast, "mobile", "+491702");
    assert_eq!(rang(&ast), "soft 0+491702");
    refused(
        &ast,
        "mobile",
        "+33170",
        "mobile: own_forward has no pattern that allows this number",
    );
    item(&ast, "mobile", "none");
    assert_eq!(rang(&ast), "soft");
    item(&ast, "mobile", "");
    assert_eq!(rang(&ast), "soft 0+491701");
    // How long, and push messages.
    item(&ast, "statuses.away.ringTimeout", "17");
    item(&ast, "statuses.chat.push", "yes");
    assert_eq!(route(&ast, "first_timeout"), "17");
    assert_eq!(route(&ast, "push"), "no");
    set(&ast, "alice", "chat");
    assert_eq!(route(&ast, "push"), "yes");
    for (path, value, expected) in [
        (
            "statuses.chat.ringTimeout",
            "301",
            "statuses.chat.ringTimeout: 301, expected 5 to 300",
        ),
        (
            "statuses.chat.ringFirst",
            "attic",
            "'attic' is no endpoint of 'alice'",
        ),
        (
            "statuses.chat.push",
            "perhaps",
            "statuses.chat.push: 'perhaps', expected yes, no or nothing",
        ),
        (
            "statuses.tea.push",
            "yes",
            "statuses.tea: unknown status 'tea'",
        ),
        (
            "statuses.chat.pull",
            "yes",
            "'statuses.chat.pull' is no setting, expected one such as",
        ),
        ("shoe", "43", "'shoe' is no setting"),
    ] {
        refused(&ast, path, value, expected);
    }
    // Everything is there after a crash, and is given back item by item.
    let own = ast.getvar("USER_PRESENCE(alice,settings)");
    ast.wait_astdb_on_disk("/UserPresence/settings/alice", &own);
    ast.kill9();
    ast.start_again();
    assert_eq!(ast.getvar("USER_PRESENCE(alice,settings)"), own);
    set(&ast, "alice", "away");
    assert_eq!(rang(&ast), "soft 0+491701");
    for path in ["ringFirst", "ringSecond", "ringTimeout", "ringMobile"] {
        item(&ast, &format!("statuses.away.{path}"), "");
    }
    ast.setvar(
        "USER_PRESENCE(alice,settings)",
        r#"{"statuses":{"default":null}}"#,
    );
    assert_eq!(rang(&ast), "desk");
}

#[test]
fn what_no_longer_exists_or_is_no_longer_allowed_is_passed_over_and_said() {
    let ast = builder(CONF).start();
    set(&ast, "alice", "away");
    for (path, value) in [
        ("statuses.away.ringFirst", "soft"),
        ("statuses.away.ringMobile", "yes"),
        ("statuses.away.ringTimeout", "9"),
        ("mobile", "+491702"),
        ("default", "201"),
        ("loginStatus", "chat"),
    ] {
        item(&ast, path, value);
    }
    let kept = ast.getvar("USER_PRESENCE(alice,settings)");
    // The endpoint, the extension and the right to a mobile go.
    let less = CONF
        .replace("endpoint = soft,Local/soft@default/n\n", "")
        .replace("extension = 201\n", "own_settings = handling\n")
        .replace("mobile,_0+49170X", "_0+49170X");
    ast.write_config("userpresence.conf", &less);
    assert!(ast.reload().ok());
    assert_eq!(rang(&ast), "desk");
    assert_eq!(route(&ast, "first_timeout"), "9");
    assert_eq!(ast.getvar("USER_PRESENCE(alice,settings)"), kept);
    for line in [
        "the own setting away ringFirst (soft) is not carried out: 'soft' is no endpoint of \
         'alice', expected desk or mobile",
        "the own setting away ringMobile (yes) is not carried out: mobile is not allowed; \
         own_forward of 'alice' allows internal (an extension of a colleague), voicemail and \
         _0+49170X",
    ] {
        for command in [
            "explain alice external",
            "show routes alice",
            "show settings alice",
        ] {
            let said = ast.cli(&format!("userpresence {command}"));
            assert!(said.contains(line), "{command}: {said}");
        }
        assert!(route(&ast, "ignored").contains(line));
    }
    let said = ast.cli("userpresence show settings alice");
    for line in [
        "the own setting mobile (+491702) is not carried out: own_settings of 'alice' does not \
         include mobile",
        "the own setting default (201) is not carried out: '201' is no extension of 'alice', \
         expected 200",
        "the own setting loginStatus (chat) is not carried out: own_settings of 'alice' does not \
         include login",
    ] {
        assert!(said.contains(line), "{said}");
    }
    let answer = ast
        .ami()
        .action(&[("Action", "UserPresenceSettings"), ("User", "alice")]);
    let ignored = answer.get("Ignored").unwrap_or_default();
    assert!(
        ignored.contains(r#""item":"statuses.away.ringFirst""#),
        "{ignored}"
    );
    let effective = answer.get("Effective").unwrap_or_default();
    assert!(effective.contains(r#""mobile":"+491701""#), "{effective}");
    // What comes back is carried out again.
    ast.write_config("userpresence.conf", CONF);
    assert!(ast.reload().ok());
    assert!(rang_both(&ast, "soft", "0+491702"));
}

#[test]
fn a_note_is_the_message_of_a_status_that_is_set_without_one() {
    let conf = format!(
        "{CONF}[lunch]\ntype = status\nstate = away\nsubtype = lunch\nmessage = At lunch\n"
    );
    let ast = builder(&conf).start();
    item(&ast, "statuses.lunch.note", "Back at one, \"surely\"");
    item(&ast, "statuses.away.note", "Away");
    let message = || read(&ast, "alice,message");
    set(&ast, "alice", "lunch");
    assert_eq!(message(), "Back at one, \"surely\"");
    assert_eq!(route(&ast, "note"), "Back at one, \"surely\"");
    set(&ast, "alice", "lunch,,Back at two");
    assert_eq!(message(), "Back at two");
    set(&ast, "alice", "away");
    assert_eq!(message(), "Away");
    // A message that is taken away stays away.
    ast.setvar("USER_PRESENCE(alice,chosen_message)", "");
    assert_eq!(message(), "");
    set(&ast, "alice", "chat");
    assert_eq!(message(), "");
    item(&ast, "statuses.default.note", "Here");
    set(&ast, "alice", "chat");
    assert_eq!(message(), "Here");
    item(&ast, "statuses.lunch.note", "");
    item(&ast, "statuses.away.note", "");
    item(&ast, "statuses.default.note", "");
    set(&ast, "alice", "lunch");
    assert_eq!(message(), "At lunch");
}

#[test]
fn a_default_extension_of_ones_own_counts_everywhere() {
    let conf = CONF
        .replace("outgoing = none", "outgoing = default\nmethod = default")
        .replace(
            "ring_first = desk\n",
            "forward_external_always = ${EXTENSION}@default\n",
        );
    let ast = builder(&conf)
        .dialplan("exten = _20X,1,Set(GLOBAL(WENT)=${EXTEN})\n same = n,Busy(1)")
        .start();
    set(&ast, "alice", "away");
    wait_extension(&ast, "200", ["away", "", ""]);
    assert_eq!(read(&ast, "alice,state"), "away");
    assert_eq!(went(&ast, "e"), "200 FORWARDED");
    let ami = ast.ami();
    item(&ast, "default", "201");
    // The other extension decides at once, and is written from now on.
    let event = ami.wait_event("a change", |event| event.is_event("UserPresenceChange"));
    assert_eq!(event.get("State"), Some("not_set"));
    assert_eq!(read(&ast, "alice,state"), "not_set");
    set(&ast, "alice", "xa");
    wait_extension(&ast, "201", ["xa", "", ""]);
    assert_eq!(extension(&ast, "200"), ["away", "", ""]);
    assert_eq!(read(&ast, "alice,state"), "xa");
    assert_eq!(went(&ast, "e"), "201 FORWARDED");
    ast.set_custom("200", "dnd");
    ast.set_custom("201", "chat");
    ast.wait_value("USER_PRESENCE(alice,state)", "chat");
    assert!(ast.reload().ok());
    assert_eq!(read(&ast, "alice,state"), "chat");
    item(&ast, "default", "");
    assert_eq!(read(&ast, "alice,state"), "dnd");
}

/// Writes a recording of a mailbox: silence of so many tenths of a second.
fn record(ast: &Instance, mailbox: &str, name: &str, tenths: u32) {
    let folder = ast.path(&format!("spool/voicemail/default/{mailbox}"));
    std::fs::create_dir_all(&folder).expect("the test's own directory");
    let samples = vec![0; 1_600 * tenths as usize];
    let size = |bytes: u32| bytes.to_le_bytes();
    let length = samples.len() as u32;
    let sound = [
        b"RIFF",
        &size(length + 36)[..],
        b"WAVEfmt ",
        &size(16),
        &[1, 0, 1, 0],
        &size(8000),
        &size(16_000),
        &[2, 0, 16, 0],
        b"data",
        &size(length),
        &samples,
    ];
    let file = folder.join(format!("{name}.wav"));
    std::fs::write(file, sound.concat()).expect("the test's own file");
}

#[test]
fn a_mailbox_greets_as_the_person_likes() {
    let conf = CONF.replace(
        "ring_first = desk\n",
        "forward_external_always = voicemail\nforward_internal_always = voicemail:300@default\n",
    );
    let ast = builder(&conf)
        .modules(&["app_voicemail", "app_playback", "format_wav"])
        .file(
            "voicemail.conf",
            "[general]\nformat = wav\n[default]\n200 => 1234,Alice\n300 => 1234,Bob\n",
        )
        .start();
    // Tenths of a second; the long ones can be seen while they are played.
    for (name, tenths) in [("unavail", 100), ("busy", 100), ("tour", 100), ("short", 1)] {
        record(&ast, "200", name, tenths);
    }
    record(&ast, "300", "unavail", 100);
    let shows = |origin: &str, expected: &str| {
        ast.run("UserPresenceDial", &format!("alice,{origin}"));
        wait_until(expected, || {
            let channels = ast.cli("core show channels concise");
            channels.contains(expected).then_some(())
        });
        ast.hang_up_all();
        ast.wait_no_channels();
    };
    set(&ast, "alice", "away");
    shows("e", "!VoiceMail!200@default,u!");
    item(&ast, "statuses.away.greeting", "busy");
    assert_eq!(route(&ast, "greeting"), "busy");
    shows("e", "!VoiceMail!200@default,b!");
    item(&ast, "statuses.away.greeting", "tour");
    shows("e", "/voicemail/default/200/tour!");
    item(&ast, "statuses.away.greeting", "short");
    shows("e", "!VoiceMail!200@default,s!");
    // In the mailbox of another person the name would mean a recording of that person.
    shows("i", "!VoiceMail!300@default,u!");
    item(&ast, "statuses.away.greeting", "gone");
    shows("e", "!VoiceMail!200@default,u!");
    ast.wait_log("The own greeting of 'alice' is not played: there is no recording 'gone'");
    let said = ast.cli("userpresence explain alice external");
    assert!(said.contains("The mailbox greets with: gone."), "{said}");
}
