use super::xml::{cut_escaped, escaped, id};
use super::*;

fn element<'a>(name: &'a str, content: &'a str, children: Vec<Element<'a>>) -> Element<'a> {
    let mut parts = name.split(' ');
    let mut element = Element::new(parts.next().unwrap().as_bytes());
    for part in parts {
        let (name, value) = part.split_once('=').unwrap();
        let pair = (name.as_bytes(), value.as_bytes());
        element.attributes.push((pair.0.into(), pair.1.into()));
    }
    element.content = content.as_bytes().into();
    element.children = children;
    element
}

/// The body as Asterisk makes it: with the supplement for eyebeam, and for Digium where asked.
fn stock(basic: &'static str, note: &'static str, more: Vec<Element<'static>>) -> Element<'static> {
    let status = element("status", "", vec![element("basic", basic, vec![])]);
    let contact = element("contact priority=1", "sip:subscriber@192.0.2.1", vec![]);
    let mut children = vec![
        element("note", note, vec![]),
        element("tuple id=2000", "", vec![status, contact]),
    ];
    children.extend(more);
    element(
        "presence entity=sip:2000@192.0.2.9 xmlns=urn:ietf:params:xml:ns:pidf \
         xmlns:dm=urn:ietf:params:xml:ns:pidf:data-model \
         xmlns:rpid=urn:ietf:params:xml:ns:pidf:rpid",
        "",
        children,
    )
}

fn person(activities: Vec<Element<'static>>) -> Element<'static> {
    let inner = match activities.is_empty() {
        true => vec![],
        false => vec![element("rpid:activities", "", activities)],
    };
    element("dm:person", "", inner)
}

fn digium(message: String) -> Element<'static> {
    let mut told = element("digium_presence type=away", "", vec![]);
    told.content = message.into_bytes().into();
    element(
        "tuple id=digium-presence",
        "",
        vec![element("status", "", vec![told])],
    )
}

const LIMIT: usize = 2047;

fn printed(root: Element<'_>, presence: &Presence, has_device: bool) -> String {
    let told = ToldPresence {
        presence,
        label: "At <lunch>",
        activities: &[],
        has_device,
        limit: LIMIT,
    };
    String::from_utf8(content(root, &told).expect("a body of Asterisk's")).unwrap()
}

#[test]
fn a_body_is_completed_and_put_in_order() {
    let presence = Presence::new(State::Away, "lunch", "Back at <one>");
    let told = ToldPresence {
        presence: &presence,
        label: "At <lunch>",
        activities: &[PersonActivity::Meal],
        has_device: true,
        limit: LIMIT,
    };
    let phone = vec![person(vec![element("rpid:on-the-phone", "", vec![])])];
    let body = content(stock("open", "On the phone", phone), &told).unwrap();
    let expected = r#"
 <tuple id="_2000">
  <status>
   <basic>open</basic>
  </status>
  <contact priority="1">sip:2000@192.0.2.9</contact>
 </tuple>
 <note>On the phone</note>
 <note>Back at &lt;one&gt;</note>
 <dm:person id="person">
  <rpid:activities>
   <rpid:away />
   <rpid:meal />
   <rpid:on-the-phone />
  </rpid:activities>
  <dm:note>Back at &lt;one&gt;</dm:note>
 </dm:person>
"#;
    assert_eq!(String::from_utf8(body).unwrap(), expected);
}

#[test]
fn each_state_has_its_activity() {
    for (state, activity) in [
        (State::NotSet, None),
        (State::Available, None),
        (State::Chat, None),
        (State::Dnd, Some("<rpid:busy />")),
        (State::Away, Some("<rpid:away />")),
        (State::Xa, Some("<rpid:away />")),
        (State::Unavailable, Some("<rpid:away />")),
    ] {
        let root = stock("open", "Ready", vec![person(vec![])]);
        let body = printed(root, &state.into(), true);
        match activity {
            Some(activity) => assert!(body.contains(activity), "{state}: {body}"),
            None => assert!(!body.contains("activities"), "{state}: {body}"),
        }
        // Nobody who is away is ready.
        let note = activity.map_or("<note>Ready</note>", |_| "<note>At &lt;lunch&gt;</note>");
        assert!(
            body.contains("<basic>open</basic>") && body.contains(note),
            "{body}"
        );
    }
    let root = stock("open", "On the phone", vec![person(vec![])]);
    let body = printed(root, &State::Away.into(), true);
    assert!(body.contains("<note>On the phone</note>"), "{body}");
}

#[test]
fn a_hint_without_a_device_says_what_the_presence_says() {
    for state in State::ALL {
        let closed = matches!(state, State::Unavailable | State::Xa);
        let expected = match closed {
            true => ["<basic>closed</basic>", "<note>Unavailable</note>"],
            false if matches!(state, State::Away | State::Dnd) => {
                ["<basic>open</basic>", "<note>At &lt;lunch&gt;</note>"]
            }
            false => ["<basic>open</basic>", "<note>Ready</note>"],
        };
        let root = stock("closed", "Unavailable", vec![]);
        let body = printed(root, &state.into(), false);
        assert!(expected.iter().all(|part| body.contains(part)), "{body}");
    }
}

#[test]
fn without_the_supplement_for_eyebeam_the_person_declares_the_prefixes() {
    let mut root = stock("open", "Ready", vec![]);
    root.attributes.truncate(2);
    let body = printed(root, &State::Dnd.into(), true);
    let expected = "<dm:person xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
                    xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" id=\"person\">";
    assert!(body.contains(expected), "{body}");
}

#[test]
fn the_tuple_for_digium_and_strange_elements_stay() {
    let strange = element("x:y", "z", vec![]);
    let more = vec![person(vec![]), digium("&quo".into()), strange];
    let body = printed(stock("open", "Ready", more), &State::Away.into(), true);
    let tuple = " <tuple id=\"digium-presence\">\n  <status>\n   \
                 <digium_presence type=\"away\">&quo</digium_presence>\n  </status>\n </tuple>\n";
    assert!(body.contains(tuple), "{body}");
    assert!(body.contains("<tuple id=\"2000\">"), "{body}");
    assert!(body.ends_with(" <x:y>z</x:y>\n"), "{body}");
}

#[test]
fn every_message_fits() {
    let characters = [
        "x",
        "\"",
        "&",
        "<",
        "é",
        "\u{4e2d}",
        "\u{1f35c}",
        "'",
        "&<>",
    ];
    for limit in [1023, LIMIT] {
        for character in characters {
            for digium_size in [None, Some(10), Some(600), Some(1023)] {
                let message = character.repeat(255 / character.len());
                let presence = Presence::new(State::Away, "", &message);
                let more = digium_size.map(|size| digium("m".repeat(size)));
                let root = stock("open", "Ready", more.into_iter().collect());
                let outside = xml::outside(&root);
                let told = ToldPresence {
                    presence: &presence,
                    label: "At <lunch>",
                    activities: &[PersonActivity::Meeting],
                    has_device: true,
                    limit,
                };
                let Some(body) = content(root, &told) else {
                    assert!(limit == 1023 && digium_size >= Some(600));
                    continue;
                };
                assert!(body.len() + outside <= limit, "{}", body.len());
                let body = String::from_utf8(body).unwrap();
                // Each `&` begins a whole entity, and both messages are the same.
                let note = |begin, end| {
                    let (_, rest) = body.rsplit_once(begin)?;
                    Some(rest.split_once(end)?.0.to_owned())
                };
                let told = note("<dm:note>", "</dm:note>");
                assert_eq!(
                    told,
                    note("<note>", "</note>").filter(|it| !it.starts_with("At &lt;"))
                );
                let told = told.unwrap_or_default();
                let plain = ["&amp;", "&lt;", "&gt;"]
                    .into_iter()
                    .zip(["&", "<", ">"])
                    .rev()
                    .fold(told.clone(), |text, (entity, c)| text.replace(entity, c));
                assert!(message.starts_with(&plain), "{told}");
                if limit == LIMIT && digium_size.is_none() && !message.contains(['&', '<']) {
                    assert_eq!(plain, message, "it has room");
                }
            }
        }
    }
}

#[test]
fn a_body_that_is_another_s_is_left_alone() {
    let told = ToldPresence {
        presence: &Presence::NOT_SET,
        label: "At <lunch>",
        activities: &[],
        has_device: true,
        limit: LIMIT,
    };
    assert_eq!(content(element("presence", "", vec![]), &told), None);
    let other = element(
        "resource entity=x",
        "",
        vec![element("tuple id=1", "", vec![])],
    );
    assert_eq!(content(other, &told), None);
    let narrow = ToldPresence { limit: 300, ..told };
    assert_eq!(content(stock("open", "Ready", vec![]), &narrow), None);
}

#[test]
fn texts_become_xml() {
    assert_eq!(escaped("plain \"'é"), "plain \"'é");
    assert_eq!(
        escaped("a\u{1b}\n&<>\u{ffff}\u{85}"),
        "a  &amp;&lt;&gt;\u{fffd} "
    );
    assert_eq!(cut_escaped("ab&amp;c", 99), "ab&amp;c");
    assert_eq!(cut_escaped("ab&amp;c", 7), "ab&amp;");
    assert_eq!(cut_escaped("ab&amp;c", 6), "ab");
    assert_eq!(cut_escaped("aéb", 2), "a");
    assert_eq!(cut_escaped("a", 0), "");
    assert_eq!(id(b"alice"), b"alice");
    assert_eq!(id(b"2000"), b"_2000");
    assert_eq!(id(b"*72"), b"__2a72");
    assert_eq!(id(b"person"), b"_person");
    let address = |text: &str| String::from_utf8(escaped_address(text.as_bytes())).unwrap();
    assert_eq!(address("sip:2000@h;a=b&c"), "sip:2000@h;a=b&amp;c");
    assert_eq!(address("\"A\" <sip:2000@h>;x"), "sip:2000@h");
}
