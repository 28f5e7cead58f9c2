//! A desk phone with a DND key and forward keys: it subscribes to `as-feature-event`, answers
//! each NOTIFY, and presses keys, in the bytes that such phones send.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::instance::Instance;
use super::wait::wait_until;

/// The type of the bodies.
pub const TYPE: &str = "application/x-as-feature-event+xml";

/// A phone. Dropping it ends it without a word.
pub struct FeaturePhone {
    socket: UdpSocket,
    server: u16,
    endpoint: String,
    call: String,
    sequence: AtomicU32,
    received: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl FeaturePhone {
    /// A phone that has not subscribed yet.
    pub fn new(ast: &Instance, endpoint: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let received = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let listener = {
            let socket = socket.try_clone().expect("the same socket");
            let timeout = Some(Duration::from_millis(20));
            socket.set_read_timeout(timeout).expect("a timeout");
            let (received, ended) = (received.clone(), ended.clone());
            std::thread::spawn(move || listen(&socket, &received, &ended))
        };
        FeaturePhone {
            socket,
            server: ast.sip_port(),
            endpoint: endpoint.to_owned(),
            call: format!("keys-{}", COUNT.fetch_add(1, Ordering::Relaxed)),
            sequence: AtomicU32::new(0),
            received,
            ended,
            listener: Some(listener),
        }
    }

    /// A phone that has subscribed, and has the first state of each key.
    #[track_caller]
    pub fn subscribed(ast: &Instance, endpoint: &str) -> Self {
        let phone = Self::new(ast, endpoint);
        assert_eq!(phone.subscribe(3600, None), 200, "{endpoint}");
        wait_until("the state of each key", || {
            (phone.notifies().len() >= 4).then_some(())
        });
        phone
    }

    /// Subscribes, or refreshes the subscription, or ends it with `expires` 0; with a content
    /// type and a body, it presses a key. Returns the status of the answer.
    #[track_caller]
    pub fn subscribe(&self, expires: u32, body: Option<(&str, &[u8])>) -> u16 {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let (endpoint, call) = (&self.endpoint, &self.call);
        let port = self.socket.local_addr().expect("an address").port();
        let server = self.server;
        let tag = self.remote_tag();
        let mut message = format!(
            "SUBSCRIBE sip:{endpoint}@127.0.0.1:{server} SIP/2.0\r\n\
             Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{call}-{sequence}\r\n\
             From: <sip:{endpoint}@127.0.0.1>;tag={call}\r\n\
             To: <sip:{endpoint}@127.0.0.1>{tag}\r\n\
             Call-ID: {call}\r\n\
             CSeq: {sequence} SUBSCRIBE\r\n\
             Contact: <sip:{endpoint}@127.0.0.1:{port}>\r\n\
             Max-Forwards: 70\r\n\
             User-Agent: Yealink SIP-T46U 108.86.0.20\r\n\
             Event: as-feature-event\r\n\
             Accept: {TYPE}\r\n\
             Expires: {expires}\r\n"
        );
        let (kind, body) = body.unwrap_or(("", b""));
        if !kind.is_empty() {
            message.push_str(&format!("Content-Type: {kind}\r\n"));
        }
        message.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        let packet = [message.as_bytes(), body].concat();
        let head = format!("CSeq: {sequence} SUBSCRIBE\r\n");
        self.socket
            .send_to(&packet, ("127.0.0.1", server))
            .expect("a packet");
        wait_until("an answer to SUBSCRIBE", || {
            let received = self.received();
            let mut answers = received.iter().filter(|it| it.starts_with("SIP/2.0 "));
            let answer = answers.find(|it| it.contains(&head))?;
            answer.get(8..11)?.parse().ok()
        })
    }

    /// Presses a key within the subscription.
    #[track_caller]
    pub fn press(&self, body: &str) {
        let status = self.subscribe(3600, Some((TYPE, body.as_bytes())));
        assert_eq!(status, 200, "{body}");
    }

    /// Presses the DND key.
    #[track_caller]
    pub fn press_dnd(&self, on: bool) {
        self.press(&dnd(on));
    }

    /// Presses a forward key: `forwardImmediate`, `forwardBusy` or `forwardNoAns`.
    #[track_caller]
    pub fn press_forward(&self, kind: &str, to: &str, on: bool) {
        self.press(&format!(
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\
             <SetForwarding xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\">\
             <device/><forwardingType>{kind}</forwardingType><forwardDN>{to}</forwardDN>\
             <ringCount>3</ringCount><activateForward>{on}</activateForward></SetForwarding>"
        ));
    }

    /// All messages so far, each once.
    pub fn received(&self) -> Vec<String> {
        self.received.lock().expect("no panic").clone()
    }

    /// The NOTIFYs so far.
    pub fn notifies(&self) -> Vec<String> {
        let mut all = self.received();
        all.retain(|it| it.starts_with("NOTIFY "));
        all
    }

    /// What the DND key shows; `None` before the first NOTIFY.
    pub fn dnd(&self) -> Option<bool> {
        let all = self.notifies();
        let mut all = all.iter().rev();
        let on = all.find_map(|it| between(it, "<doNotDisturbOn>", "<"))?;
        Some(on == "true")
    }

    /// What a forward key shows: the number, or `None` if it is dark.
    pub fn forward(&self, kind: &str) -> Option<String> {
        let all = self.notifies();
        let kind = format!("<forwardingType>{kind}<");
        let last = all.iter().rev().find(|it| it.contains(&kind));
        let last = last.unwrap_or_else(|| panic!("no NOTIFY of {kind}: {all:#?}"));
        let on = between(last, "<forwardStatus>", "<").expect("a state") == "true";
        let to = between(last, "<forwardTo>", "<");
        assert_eq!(on, to.is_some(), "{last}");
        to
    }

    /// Waits until the DND key shows this.
    #[track_caller]
    pub fn wait_dnd(&self, on: bool) {
        wait_until(&format!("a DND key that is {on}"), || {
            (self.dnd() == Some(on)).then_some(())
        });
    }

    /// Waits until a forward key shows this.
    #[track_caller]
    pub fn wait_forward(&self, kind: &str, to: Option<&str>) {
        wait_until(&format!("{kind} to {to:?}"), || {
            (self.forward(kind).as_deref() == to).then_some(())
        });
    }

    /// The tag that Asterisk has given to the subscription, as a parameter.
    fn remote_tag(&self) -> String {
        let received = self.received();
        let answers = received.iter().filter(|it| it.starts_with("SIP/2.0 200"));
        let mut lines = answers.flat_map(|it| it.lines());
        let to = lines.find(|line| line.starts_with("To:"));
        let tag = to.and_then(|to| to.split_once(";tag="));
        tag.map_or_else(String::new, |(_, tag)| format!(";tag={tag}"))
    }
}

/// The body of a press of the DND key.
pub fn dnd(on: bool) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\r\n\
         <SetDoNotDisturb xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\">\r\n\
         <device/><doNotDisturbOn>{on}</doNotDisturbOn></SetDoNotDisturb>\r\n"
    )
}

fn between(text: &str, begin: &str, end: &str) -> Option<String> {
    let (_, rest) = text.split_once(begin)?;
    Some(rest.split_once(end)?.0.to_owned())
}

/// Answers NOTIFYs, and keeps what comes.
fn listen(socket: &UdpSocket, received: &Mutex<Vec<String>>, ended: &AtomicBool) {
    let mut buffer = vec![0; 65536];
    while !ended.load(Ordering::Acquire) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.starts_with("NOTIFY ") {
            let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
            let head = text.lines().take_while(|line| !line.is_empty());
            let lines = head.filter(|line| kept.iter().any(|name| line.starts_with(name)));
            let lines: Vec<&str> = lines.collect();
            let lines = lines.join("\r\n");
            let answer = format!("SIP/2.0 200 OK\r\n{lines}\r\nContent-Length: 0\r\n\r\n");
            let _ = socket.send_to(answer.as_bytes(), from);
        }
        let mut received = received.lock().expect("no panic");
        if !received.contains(&text) {
            received.push(text);
        }
    }
}

impl Drop for FeaturePhone {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if std::thread::panicking() {
            eprintln!(
                "--- received by {} ---\n{}",
                self.call,
                self.received().join("\n")
            );
        }
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}
