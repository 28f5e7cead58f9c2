//! The presence that phones publish of themselves (SIP PUBLISH, RFC 3903).

use crate::harness::publisher::{PIDF, pidf};
use crate::harness::users::{json, read, set, wait_state, wait_verdict};
use crate::harness::{Builder, Instance, MODULE, Publisher, Sipp, wait_until};

const ALICE: &str = "[alice]\ntype = user\nid = 4711\nextension = 200\n\
                     extension = 201,PJSIP/soft\n";

fn builder(text: &str) -> Builder {
    Instance::builder()
        .userpresence(text)
        .sip(&["200", "soft", "other"])
}

/// An instance in which phones may publish.
fn start(text: &str) -> Instance {
    let ast = builder(text).start();
    wait_ready(&ast);
    ast
}

const READY: &str = "Phones may publish their presence now";

fn wait_ready(ast: &Instance) {
    ast.wait_log(READY);
}

/// State, subtype and message of alice.
fn alice(ast: &Instance) -> [String; 3] {
    ["state", "subtype", "message"].map(|field| read(ast, &format!("alice,{field}")))
}

#[track_caller]
fn assert_alice(ast: &Instance, state: &str, subtype: &str, message: &str) {
    assert_eq!(alice(ast), [state, subtype, message]);
}

#[test]
fn a_phone_publishes_changes_prolongs_and_removes() {
    let ast = start(ALICE);
    let mut phone = Publisher::new(&ast, "200");
    assert_eq!(
        phone.publish(&pidf("open", "away", "Back at one")).status,
        200
    );
    assert_alice(&ast, "away", "", "Back at one");
    assert_eq!(read(&ast, "alice,source"), "publish:PJSIP/200");
    assert_eq!(read(&ast, "alice,chosen_state"), "away");
    assert_eq!(read(&ast, "alice,status"), "away");
    let first = phone.etag.clone();
    let since = read(&ast, "alice,since");
    let refreshed = phone.refresh();
    assert_eq!(refreshed.status, 200);
    assert_ne!(Some(refreshed.etag), first);
    assert_eq!(
        phone.publish(&pidf("open", "away", "Back at one")).status,
        200
    );
    assert_eq!(read(&ast, "alice,since"), since, "it says what it said");
    assert_eq!(phone.publish(&pidf("open", "busy meeting", "")).status, 200);
    assert_alice(&ast, "dnd", "meeting", "");
    let shown = ast.cli("userpresence show user alice");
    assert!(shown.contains("publish:PJSIP/200"), "{shown}");
    let explained = ast.cli("userpresence explain alice");
    let line = "The phone PJSIP/200 publishes dnd (meeting)";
    assert!(explained.contains(line), "{explained}");
    let sources = json(&ast, "alice");
    let source = sources["sources"]
        .as_array()
        .expect("sources")
        .last()
        .cloned();
    let source = source.expect("three sources");
    assert_eq!(source["address"], "publish:PJSIP/200");
    assert_eq!(
        (&source["device"], &source["winner"]),
        (&"PJSIP/200".into(), &true.into())
    );
    assert_eq!(phone.remove().status, 200);
    assert_alice(&ast, "not_set", "", "");
    assert_eq!(
        json(&ast, "alice")["sources"].as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// What real phones send.
#[test]
fn the_forms_of_phones_are_read() {
    let text =
        format!("{ALICE}[lunch]\ntype = status\nlabel = At lunch\nstate = away\nsubtype = lunch\n");
    let ast = start(&text);
    let mut phone = Publisher::new(&ast, "200");
    let root = "<?xml version=\"1.0\"?><presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
                xmlns:im=\"urn:ietf:params:xml:ns:pidf:im\" \
                xmlns:ep=\"urn:ietf:params:xml:ns:pidf:rpid-person\" \
                xmlns:r=\"urn:ietf:params:xml:ns:pidf:rpid\" \
                xmlns:p=\"urn:ietf:params:xml:ns:pidf:data-model\" \
                xmlns:ce=\"urn:cisco:params:xml:ns:pidf:rpid\" entity=\"pres:x@y\">";
    let tuple = |basic: &str, more: &str| {
        format!("<tuple id=\"a1\"><status><basic>{basic}</basic>{more}</status></tuple>")
    };
    let cpim = "application/cpim-pidf+xml";
    let forms = [
        // baresip
        (
            PIDF,
            tuple("open", "") + "<p:person id=\"p\"><r:activities/></p:person>",
            ["available", "", ""],
        ),
        (PIDF, tuple("closed", ""), ["unavailable", "", ""]),
        // Linphone, Jitsi, MicroSIP, pjsua
        (
            PIDF,
            tuple("open", "")
                + "<p:person id=\"p\"><r:activities><r:away/></r:activities>\
                                 <p:note>Away</p:note></p:person>",
            ["away", "", ""],
        ),
        (
            PIDF,
            tuple("closed", "")
                + "<p:person id=\"p\"><r:activities><r:vacation/></r:activities></p:person>\
                   <note>Until <![CDATA[<Monday>]]></note>",
            ["xa", "vacation", "Until <Monday>"],
        ),
        // Snom
        (
            PIDF,
            tuple("open", "<im:im>Lunch</im:im>"),
            ["away", "lunch", ""],
        ),
        (
            PIDF,
            tuple("open", "") + "<note xml:lang=\"en\">At the desk</note>",
            ["available", "", "At the desk"],
        ),
        // AudioCodes
        (
            PIDF,
            tuple("open", "")
                + "<p:person id=\"p\"><ep:activities><ep:activity>meeting\
                                 </ep:activity></ep:activities></p:person>",
            ["dnd", "meeting", ""],
        ),
        // Cisco
        (
            cpim,
            "<p:person id=\"1\"><r:activities><ce:dnd/></r:activities></p:person>".to_owned()
                + &tuple("open", ""),
            ["dnd", "", ""],
        ),
        (
            cpim,
            "<p:person id=\"1\"><r:activities><r:on-the-phone/></r:activities></p:person>"
                .to_owned()
                + &tuple("open", ""),
            ["available", "on-the-phone", ""],
        ),
    ];
    for (content_type, inner, expected) in forms {
        let body = format!("{root}{inner}</presence>");
        assert_eq!(
            phone.send(content_type, body.as_bytes()).status,
            200,
            "{body}"
        );
        assert_eq!(alice(&ast), expected, "{body}");
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_publication_ends_when_it_expires() {
    let ast = start(ALICE);
    ast.set_custom("200", "available");
    wait_state(&ast, "alice", "available");
    let mut phone = Publisher::new(&ast, "soft");
    phone.expires = 1;
    assert_eq!(phone.publish(&pidf("open", "away", "")).status, 200);
    assert_eq!(read(&ast, "alice,source"), "publish:PJSIP/soft");
    wait_verdict(&ast, "alice", "available CustomPresence:200 only");
    // The phone is told that it has to begin anew.
    phone.expires = 3600;
    assert_eq!(phone.refresh().status, 412);
    phone.etag = None;
    assert_eq!(phone.publish(&pidf("open", "away", "")).status, 200);
    wait_state(&ast, "alice", "away");
}

#[test]
fn two_phones_and_a_phone_that_was_switched_off() {
    let ast = start(&format!("{ALICE}method = latest\n"));
    let (mut desk, mut soft) = (Publisher::new(&ast, "200"), Publisher::new(&ast, "soft"));
    desk.publish(&pidf("open", "away", ""));
    soft.publish(&pidf("open", "busy", ""));
    wait_verdict(&ast, "alice", "dnd publish:PJSIP/soft latest");
    desk.publish(&pidf("open", "vacation", ""));
    wait_verdict(&ast, "alice", "xa publish:PJSIP/200 latest");
    // Switched off and on, it has another publication before the first one has expired.
    let mut again = Publisher::new(&ast, "200");
    again.publish(&pidf("open", "", ""));
    wait_verdict(&ast, "alice", "available publish:PJSIP/200 latest");
    assert_eq!(desk.refresh().status, 200);
    wait_verdict(&ast, "alice", "available publish:PJSIP/200 latest");
    desk.remove();
    wait_verdict(&ast, "alice", "available publish:PJSIP/200 latest");
    again.remove();
    wait_verdict(&ast, "alice", "dnd publish:PJSIP/soft only");
    // The number of publications of one endpoint is limited.
    let mut many: Vec<Publisher> = (0..10).map(|_| Publisher::new(&ast, "200")).collect();
    for phone in &mut many {
        assert_eq!(phone.publish(&pidf("open", "", "")).status, 200);
    }
    assert_eq!(
        Publisher::new(&ast, "200")
            .publish(&pidf("open", "", ""))
            .status,
        503
    );
    assert_eq!(soft.publish(&pidf("open", "away", "")).status, 200);
    assert_eq!(many[3].remove().status, 200);
    assert_eq!(
        Publisher::new(&ast, "200")
            .publish(&pidf("open", "", ""))
            .status,
        200
    );
}

#[test]
fn an_endpoint_publishes_for_its_users_only() {
    let ast = start(ALICE);
    let body = pidf("open", "away", "");
    let status = |endpoint: &str, resource: &str| {
        let mut phone = Publisher::for_resource(&ast, endpoint, resource);
        let status = phone.publish(&body).status;
        if status == 200 {
            assert_eq!(
                read(&ast, "alice,source"),
                format!("publish:PJSIP/{endpoint}")
            );
            assert_eq!(phone.remove().status, 200);
        }
        assert_eq!(read(&ast, "alice,state"), "not_set");
        status
    };
    for resource in ["200", "soft", "201", "alice", "ALICE", "4711"] {
        assert_eq!(status("other", resource), 403, "{resource}");
        if resource != "200" {
            assert_eq!(status("soft", resource), 200, "{resource}");
        }
    }
    assert_eq!(status("200", "soft"), 403);
    assert_eq!(status("200", "201"), 200, "an extension of the same user");
    assert_eq!(status("other", "other"), 404);
    assert_eq!(status("200", "nobody"), 404);
    assert_eq!(
        Publisher::new(&ast, "200")
            .exchange("dialog", PIDF, body.as_bytes())
            .status,
        489
    );
}

#[test]
fn an_administrators_own_objects_go_on_working() {
    let ast = builder(ALICE).start();
    let own = "\n[room]\ntype = inbound-publication\nevent_presence = mine\n\
               \n[200]\ntype = inbound-publication\nendpoint = other\nevent_presence = mine\n\
               \n[dialogs]\ntype = inbound-publication\nevent_dialog = x\n";
    add_to_pjsip(&ast, own);
    wait_ready(&ast);
    let body = pidf("open", "away", "");
    let status = |endpoint: &str, resource: &str| {
        Publisher::for_resource(&ast, endpoint, resource)
            .publish(&body)
            .status
    };
    // The file's object comes first.
    wait_until("the reload", || (status("200", "200") == 403).then_some(()));
    assert_eq!(read(&ast, "alice,state"), "not_set");
    assert_eq!(
        status("other", "room"),
        200,
        "accepted, although nobody's source"
    );
    assert_eq!(status("200", "dialogs"), 404);
    assert_eq!(read(&ast, "alice,state"), "not_set");
    assert_eq!(status("200", "room"), 200, "under another name");
    assert_eq!(read(&ast, "alice,source"), "publish:PJSIP/200");
}

fn add_to_pjsip(ast: &Instance, text: &str) {
    let pjsip = std::fs::read_to_string(ast.path("etc/pjsip.conf")).expect("a file");
    ast.write_config("pjsip.conf", &format!("{pjsip}{text}"));
    ast.cli("module reload res_pjsip.so");
    ast.cli("module reload res_pjsip_pubsub.so");
}

#[test]
fn an_endpoint_with_a_password_has_to_know_it() {
    let ast = start("[alice]\ntype = user\npublish = PJSIP/desk\n");
    add_to_pjsip(
        &ast,
        "\n[desk]\ntype = endpoint\ntransport = transport\ncontext = default\n\
         disallow = all\nallow = ulaw\nauth = desk-auth\naors = desk\n\
         \n[desk]\ntype = aor\n\
         \n[desk-auth]\ntype = auth\nauth_type = userpass\nusername = desk\npassword = secret\n",
    );
    wait_until("the endpoint", || {
        let shown = ast.cli("pjsip show endpoint desk");
        shown.contains("desk-auth").then_some(())
    });
    Sipp::publish(&ast, "desk", "wrong", "401");
    assert_eq!(read(&ast, "alice"), "not_set");
    Sipp::publish(&ast, "desk", "secret", "200");
    assert_alice(&ast, "away", "", "Back at one");
    let shown = ast.cli("userpresence show publications");
    assert!(shown.contains("PJSIP/desk"), "{shown}");
    assert!(shown.contains("alice: away \"Back at one\""), "{shown}");
    assert!(shown.ends_with("1 phone"), "{shown}");
    assert!(ast.cli("userpresence show stats").contains("publications"));
}

#[test]
fn hostile_bodies_are_refused_and_change_nothing() {
    let ast = start(ALICE);
    let mut phone = Publisher::new(&ast, "200");
    assert_eq!(
        phone.publish(&pidf("open", "away", "Back at one")).status,
        200
    );
    let sequence = read(&ast, "alice,sequence");
    let good = pidf("open", "busy", "");
    let with = |inner: &str| good.replace("</presence>", &format!("{inner}</presence>"));
    let bomb = good.replace(
        "\r\n",
        "<!DOCTYPE presence [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">]>",
    );
    let wide: Vec<u8> = std::iter::once(0xfeff_u16)
        .chain(good.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let deep = with(&format!("{}{}", "<a>".repeat(1_500), "</a>".repeat(1_500)));
    let huge = with(&"<tuple/>".repeat(2_500));
    // As long as a datagram may be.
    let longest = with(&"<tuple/>".repeat(7_950));
    let latin = good.replace("UTF-8", "ISO-8859-1").replace("p1", "p\u{fc}");
    let refused: &[(&str, &[u8], u16)] = &[
        (PIDF, b"hello", 400),
        (PIDF, b"<presence>", 400),
        (PIDF, b"<presence>\xff\xfe</presence>", 400),
        (PIDF, b"\0\0\0\0", 400),
        (PIDF, &good.as_bytes()[..good.len() - 5], 400),
        (PIDF, bomb.as_bytes(), 400),
        (PIDF, deep.as_bytes(), 400),
        (PIDF, huge.as_bytes(), 413),
        (PIDF, longest.as_bytes(), 413),
        (PIDF, &wide, 415),
        (PIDF, latin.as_bytes(), 415),
        ("application/xpidf+xml", good.as_bytes(), 415),
        ("text/plain", good.as_bytes(), 415),
        (
            "multipart/mixed;boundary=x",
            b"--x\r\n\r\nhello\r\n--x--\r\n",
            415,
        ),
    ];
    for (content_type, body, status) in refused {
        let tag = phone.etag.clone();
        let answer = phone.send(content_type, body);
        assert_eq!(answer.status, *status, "{}", String::from_utf8_lossy(body));
        // Also as a new publication.
        phone.etag = None;
        let answer = phone.send(content_type, body);
        assert_eq!(answer.status, *status, "{}", String::from_utf8_lossy(body));
        phone.etag = tag;
    }
    assert_alice(&ast, "away", "", "Back at one");
    assert_eq!(read(&ast, "alice,sequence"), sequence);
    assert_eq!(
        phone.refresh().status,
        200,
        "the publication is what it was"
    );
    let warnings = ast.complaints();
    assert_eq!(warnings.len(), 3, "one for each reason: {warnings:#?}");
    for status in ["400", "413", "415"] {
        let one = format!("A PUBLISH of endpoint '200' is refused with {status}: the ");
        assert!(warnings.iter().any(|it| it.contains(&one)), "{warnings:#?}");
    }
    assert_eq!(phone.publish(&good).status, 200);
    assert_alice(&ast, "dnd", "", "");
}

#[test]
fn after_a_restart_the_phone_publishes_anew() {
    let ast = start(ALICE);
    let mut phone = Publisher::new(&ast, "200");
    assert_eq!(phone.publish(&pidf("open", "away", "")).status, 200);
    assert_alice(&ast, "away", "", "");
    let before = ast.log().len();
    ast.restart(true);
    ast.wait_log_from(before, READY);
    assert_alice(&ast, "not_set", "", "");
    let mut phone = Publisher::new(&ast, "200");
    phone.etag = Some("77".to_owned());
    assert_eq!(phone.refresh().status, 412);
    phone.etag = None;
    assert_eq!(phone.publish(&pidf("open", "away", "")).status, 200);
    assert_alice(&ast, "away", "", "");
}

#[test]
fn publications_outlive_an_unload_and_change_meanwhile() {
    let ast = start(ALICE);
    let (mut desk, mut soft) = (Publisher::new(&ast, "200"), Publisher::new(&ast, "soft"));
    assert_eq!(desk.publish(&pidf("open", "away", "one")).status, 200);
    assert_eq!(soft.publish(&pidf("open", "busy", "")).status, 200);
    let since = read(&ast, "alice,since");
    assert!(ast.unload_module(MODULE).ok());
    assert_eq!(desk.refresh().status, 200);
    assert_eq!(soft.refresh().status, 200);
    let mut new = Publisher::new(&ast, "200");
    assert_eq!(new.publish(&pidf("open", "", "")).status, 503, "not now");
    assert_eq!(desk.send(PIDF, b"hello").status, 400);
    assert!(ast.load_module(MODULE).ok());
    assert_alice(&ast, "dnd", "", "");
    assert_eq!(read(&ast, "alice,since"), since);
    assert!(ast.unload_module(MODULE).ok());
    assert_eq!(soft.remove().status, 200);
    assert_eq!(desk.publish(&pidf("open", "away", "two")).status, 200);
    assert!(ast.load_module(MODULE).ok());
    assert_alice(&ast, "away", "", "two");
    wait_until("the objects", || {
        (new.publish(&pidf("open", "busy", "")).status == 200).then_some(())
    });
    assert_alice(&ast, "dnd", "", "");
    assert_eq!(new.remove().status, 200);
    assert_eq!(desk.remove().status, 200);
    assert_alice(&ast, "not_set", "", "");
}

/// Phones publish while the module is loaded and unloaded.
#[test]
fn loads_and_unloads_lose_nothing() {
    const ROUNDS: usize = 25;
    let ast = builder(ALICE).perturbed().start();
    wait_ready(&ast);
    let mut desk = Publisher::new(&ast, "200");
    assert_eq!(desk.publish(&pidf("open", "away", "0")).status, 200);
    for round in 1..=ROUNDS {
        let note = round.to_string();
        std::thread::scope(|scope| {
            let phone = scope.spawn(|| {
                let mut soft = Publisher::new(&ast, "soft");
                let status = soft.publish(&pidf("open", "busy", &note)).status;
                assert!([200, 404, 503].contains(&status), "{status}");
                assert_eq!(desk.publish(&pidf("open", "away", &note)).status, 200);
                if status == 200 {
                    assert_eq!(soft.remove().status, 200);
                }
            });
            assert!(ast.unload_module(MODULE).ok());
            assert!(ast.load_module(MODULE).ok());
            phone.join().expect("a phone");
        });
        wait_state(&ast, "alice", "away");
        assert_eq!(read(&ast, "alice,message"), note);
    }
    assert!(ast.running());
}

#[test]
fn a_reload_changes_whose_source_a_phone_is() {
    let users = |alice: &str, bob: &str| {
        format!(
            "[alice]\ntype = user\nextension = 200\n{alice}\n\
             [bob]\ntype = user\nextension = 300\n{bob}\n\
             [mine]\ntype = publish_table\naway = xa,gone\nopen =\n"
        )
    };
    let ast = start(&users("", ""));
    let mut phone = Publisher::new(&ast, "200");
    assert_eq!(phone.publish(&pidf("open", "away", "")).status, 200);
    assert_eq!(read(&ast, "alice"), "away");
    let reload = |alice: &str, bob: &str| {
        ast.write_config("userpresence.conf", &users(alice, bob));
        assert!(ast.reload().ok());
        [read(&ast, "alice"), read(&ast, "bob")]
    };
    assert_eq!(
        reload("publish = no", "publish = PJSIP/200"),
        ["not_set", "away"]
    );
    assert_eq!(reload("publish = yes,mine", ""), ["xa", "not_set"]);
    assert_eq!(read(&ast, "alice,subtype"), "gone");
    assert_eq!(phone.publish(&pidf("open", "", "")).status, 200);
    assert_eq!(
        read(&ast, "alice"),
        "not_set",
        "'open' is ignored by the table"
    );
    assert_eq!(reload("", ""), ["available", "not_set"]);
    // Nobody's phone any more: the publication goes on, and counts again later.
    assert_eq!(reload("publish = no", ""), ["not_set", "not_set"]);
    assert_eq!(phone.publish(&pidf("open", "away", "")).status, 200);
    assert_eq!(
        Publisher::new(&ast, "200")
            .publish(&pidf("open", "", ""))
            .status,
        404
    );
    assert_eq!(reload("", ""), ["away", "not_set"]);
}

/// What a phone publishes is chosen: actions act on it, and watchers see it.
#[test]
fn a_publication_is_chosen() {
    let ast = Instance::builder()
        .userpresence(&format!(
            "{ALICE}action = quiet\n\
             [quiet]\ntype = action\nstatus = dnd\nset = DB(test/quiet)=yes\n"
        ))
        .sip(&["200", "soft", "2000"])
        .hint("2000", "PJSIP/2000,UserPresence:alice")
        .start();
    wait_ready(&ast);
    let watcher = crate::harness::Subscriber::start(&ast, "2000");
    watcher.wait_presence("not_set");
    let mut phone = Publisher::new(&ast, "200");
    phone.publish(&pidf("open", "busy", "Not now"));
    let seen = watcher.wait_presence("dnd");
    assert_eq!(seen.message, "Not now");
    wait_until("the action", || {
        (ast.astdb("test/quiet")? == "yes").then_some(())
    });
    // A status set elsewhere takes part as it always does.
    set(&ast, "alice", "available");
    assert_eq!(read(&ast, "alice"), "dnd");
    phone.remove();
    wait_state(&ast, "alice", "available");
}

/// Asterisk finds a publication by its tag alone, and tags are numbers that count up.
#[test]
fn a_publication_is_its_own_phone_s() {
    let ast = start(ALICE);
    let mut phone = Publisher::new(&ast, "200");
    assert_eq!(phone.publish(&pidf("open", "away", "Mine")).status, 200);
    let mut thief = Publisher::new(&ast, "other");
    for tag in [
        phone.etag.clone(),
        phone.etag.as_ref().map(|tag| format!("+{tag}")),
        phone.etag.as_ref().map(|tag| format!("0{tag}")),
        phone.etag.as_ref().map(|tag| format!("{tag}x")),
    ] {
        thief.etag = tag;
        assert_eq!(thief.publish(&pidf("open", "busy", "Stolen")).status, 412);
        assert_eq!(thief.refresh().status, 412);
        let tag = thief.etag.clone();
        assert_eq!(thief.remove().status, 412);
        thief.etag = tag;
    }
    assert_alice(&ast, "away", "", "Mine");
    assert_eq!(phone.refresh().status, 200);
    assert_eq!(phone.publish(&pidf("open", "busy", "Mine")).status, 200);
    assert_alice(&ast, "dnd", "", "Mine");
    assert_eq!(ast.complaints(), Vec::<String>::new());
}
