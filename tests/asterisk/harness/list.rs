//! A real SIP client that subscribes to a resource list (RFC 4662): `sipp` with
//! `tests/sip/list.xml`. Each NOTIFY is taken apart, and every part is checked.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::instance::Instance;
use super::sip::Notify;
use super::sipp::Sipp;

/// A phone with a subscription to a list. Dropping it ends the phone.
pub struct ListSubscriber {
    sipp: Sipp,
    /// The number of NOTIFYs that earlier waits have used up.
    seen: Mutex<usize>,
}

/// A NOTIFY of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListNotify {
    /// The list's version.
    pub version: u32,
    /// Whether it has every member.
    pub full: bool,
    /// The document of each member that it has, by the member's extension.
    pub members: BTreeMap<String, Notify>,
    /// The members that Asterisk watches no more, by their extension.
    pub ended: Vec<String>,
    /// The bytes of the body.
    pub size: usize,
}

impl ListSubscriber {
    /// Subscribes to a list's presence, and waits until Asterisk has accepted that.
    #[track_caller]
    pub fn start(instance: &Instance, endpoint: &str, list: &str) -> Self {
        let phone = Self::try_start(instance, endpoint, list);
        assert_eq!(phone.wait_answer(), "SIP/2.0 200 OK");
        phone
    }

    /// Subscribes to a list's presence.
    #[track_caller]
    pub fn try_start(instance: &Instance, endpoint: &str, list: &str) -> Self {
        let keys = [
            ("endpoint", endpoint),
            ("agent", "digium D65"),
            ("event", "presence"),
            ("accept", "application/pidf+xml"),
        ];
        let arguments = ["-s", list, "-m", "1"];
        ListSubscriber {
            sipp: Sipp::start(instance, "list", &keys, &arguments),
            seen: Mutex::new(0),
        }
    }

    /// The first line of the last answer to a SUBSCRIBE.
    #[track_caller]
    pub fn wait_answer(&self) -> String {
        self.sipp.wait("an answer", |received| {
            let first = received.iter().filter_map(|message| message.lines().next());
            let mut answers = first.filter(|line| line.starts_with("SIP/2.0 "));
            answers.next_back().map(str::to_owned)
        })
    }

    /// Waits for a NOTIFY that `wanted` accepts, and uses up that one and all before it.
    #[track_caller]
    pub fn wait(&self, what: &str, wanted: impl Fn(&ListNotify) -> bool) -> ListNotify {
        let mut seen = self.seen.lock().expect("no wait panics with this held");
        let found = self.sipp.wait_quietly(what, |received| {
            let all = notifies(received);
            let at = all.iter().skip(*seen).position(&wanted)?;
            Some((*seen + at + 1, all[*seen + at].clone()))
        });
        match found {
            Ok((next, notify)) => {
                *seen = next;
                notify
            }
            Err(problem) => {
                drop(seen);
                panic!("{problem}");
            }
        }
    }

    /// Waits until the subscription has ended.
    #[track_caller]
    pub fn wait_terminated(&self) {
        self.sipp.wait("the end of the subscription", |received| {
            let mut notifies = received.iter().filter(|it| it.starts_with("NOTIFY "));
            let ended = |text: &String| text.contains("Subscription-State: terminated");
            notifies.any(ended).then_some(())
        });
    }

    /// Every NOTIFY with a body so far, without repetitions.
    pub fn notifies(&self) -> Vec<ListNotify> {
        notifies(&self.sipp.received())
    }

    /// Subscribes again within the dialog.
    #[track_caller]
    pub fn refresh(&self) {
        let call = self.sipp.wait("a Call-ID", |received| {
            let mut lines = received.iter().flat_map(|message| message.lines());
            lines.find_map(|line| line.strip_prefix("Call-ID: ").map(str::to_owned))
        });
        // sipp would take a message that it knows for a repetition.
        static ORDERS: AtomicU32 = AtomicU32::new(1);
        let number = ORDERS.fetch_add(1, Ordering::Relaxed);
        let order = format!(
            "MESSAGE sip:phone@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK{number}\r\n\
             From: <sip:order@127.0.0.1>;tag=order\r\nTo: <sip:phone@127.0.0.1>\r\nCall-ID: {call}\r\n\
             CSeq: {number} MESSAGE\r\nContent-Length: 0\r\n\r\n"
        );
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let to = ("127.0.0.1", self.sipp.port());
        socket.send_to(order.as_bytes(), to).expect("an order");
    }
}

/// Every NOTIFY with a body; sent again, it counts once.
fn notifies(received: &[String]) -> Vec<ListNotify> {
    let mut numbers: Vec<String> = Vec::new();
    let mut all = Vec::new();
    for text in received.iter().filter(|it| it.starts_with("NOTIFY ")) {
        let notify = Notify { text: text.clone() };
        let number = header(text, "CSeq");
        if !notify.body().trim().is_empty() && !numbers.contains(&number) {
            numbers.push(number);
            all.push(ListNotify::parse(text));
        }
    }
    all
}

impl ListNotify {
    /// Takes a message apart; panics where it breaks RFC 4662 or RFC 2387.
    #[track_caller]
    fn parse(text: &str) -> Self {
        assert_eq!(header(text, "Require"), "eventlist", "{text}");
        let kind = header(text, "Content-Type");
        assert!(kind.starts_with("multipart/related;"), "{kind}");
        let parameters = parameters(&kind);
        assert_eq!(parameters["type"], "application/rlmi+xml");
        let body = text.split_once("\n\n").expect("a body").1;
        let parts = parts(body, &parameters["boundary"]);
        let by_id: BTreeMap<&str, &String> = parts.iter().map(|(id, part)| (&**id, part)).collect();
        assert_eq!(by_id.len(), parts.len(), "two parts of one Content-ID");
        // RFC 4662 has the list first, which `start` may name.
        let list = match parameters.get("start") {
            Some(start) => by_id[start.trim_matches(['<', '>'])],
            None => &parts[0].1,
        };
        assert_eq!(header(list, "Content-Type"), "application/rlmi+xml");
        let list = document(list);
        let root = tag(&list, "list");
        assert_eq!(root["xmlns"], "urn:ietf:params:xml:ns:rlmi");
        assert!(root["uri"].starts_with("sip:"), "{root:?}");
        let (mut members, mut gone) = (BTreeMap::new(), Vec::new());
        for resource in list.split("<resource ").skip(1) {
            let resource = format!("<resource {resource}");
            let uri = tag(&resource, "resource")["uri"].clone();
            let instance = tag(&resource, "instance");
            let ended = instance["state"] == "terminated";
            assert!(ended || instance["state"] == "active", "{resource}");
            assert!(!instance["id"].is_empty());
            let part = by_id[&*instance["cid"]];
            let kind = header(part, "Content-Type");
            assert!(kind.starts_with("application/pidf+xml"), "{kind}");
            check_xml(&document(part));
            let name = uri.strip_prefix("sip:").unwrap_or(&uri);
            let name = name.split('@').next().unwrap_or_default().to_owned();
            let notify = Notify { text: part.clone() };
            if ended {
                gone.push(name);
            } else {
                assert!(members.insert(name, notify).is_none(), "{uri} twice");
            }
        }
        assert_eq!(
            members.len() + gone.len() + 1,
            parts.len(),
            "parts that no one names"
        );
        ListNotify {
            version: root["version"].parse().expect("a version"),
            full: root["fullState"] == "true",
            members,
            ended: gone,
            size: header(text, "Content-Length").parse().expect("a length"),
        }
    }

    /// The extensions of the members that it has.
    pub fn extensions(&self) -> Vec<&str> {
        self.members.keys().map(String::as_str).collect()
    }

    /// The state of a member, as a Digium phone reads it.
    pub fn state(&self, extension: &str) -> Option<String> {
        let presence = self.members.get(extension)?.presence();
        presence.map(|presence| presence.state)
    }
}

/// A header's value; empty without one.
fn header(text: &str, name: &str) -> String {
    let head = text.split_once("\n\n").map_or(text, |(head, _)| head);
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(key, _)| key.trim().eq_ignore_ascii_case(name));
    found.map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

/// The parameters behind the first semicolon.
fn parameters(value: &str) -> BTreeMap<String, String> {
    let parts = value.split(';').skip(1);
    let pairs = parts.filter_map(|part| part.split_once('='));
    let pairs = pairs.map(|(key, value)| {
        let value = value.trim().trim_matches('"');
        (key.trim().to_owned(), value.to_owned())
    });
    pairs.collect()
}

/// The parts of a body with their Content-ID.
#[track_caller]
fn parts(body: &str, boundary: &str) -> Vec<(String, String)> {
    let line = format!("--{boundary}");
    let mut pieces = body.split(&*line).skip(1).collect::<Vec<_>>();
    let end = pieces.pop().unwrap_or_default();
    assert!(end.starts_with("--"), "no end of the body: {body}");
    let part = |piece: &&str| {
        let text = piece.trim_start_matches('\n').to_owned();
        let id = header(&text, "Content-ID");
        (id.trim_matches(['<', '>']).to_owned(), text)
    };
    pieces.iter().map(part).collect()
}

fn document(part: &str) -> String {
    let document = part.split_once("\n\n").map_or("", |(_, document)| document);
    document.trim().to_owned()
}

/// The attributes of the first element of this name, in a document that is well-formed.
#[track_caller]
fn tag(text: &str, name: &str) -> BTreeMap<String, String> {
    let begin = text.find(&format!("<{name} "));
    let rest = &text[begin.unwrap_or_else(|| panic!("no <{name}> in {text}"))..];
    let inside = rest.split('>').next().unwrap_or_default();
    let mut words = inside[1..].split('"');
    let mut all = BTreeMap::new();
    while let (Some(key), Some(value)) = (words.next(), words.next()) {
        let key = key.trim().trim_end_matches('=');
        let key = key.rsplit(' ').next().unwrap_or(key);
        all.insert(key.to_owned(), value.to_owned());
    }
    all
}

/// Panics unless the text is a well-formed document.
#[track_caller]
fn check_xml(text: &str) {
    let mut checked = Command::new("xmllint")
        .args(["--noout", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program xmllint");
    let mut input = checked.stdin.take().expect("a pipe");
    // A program that has ended already says why below.
    let _ = input.write_all(text.as_bytes());
    drop(input);
    let output = checked.wait_with_output().expect("its end");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}\n{text}");
}
