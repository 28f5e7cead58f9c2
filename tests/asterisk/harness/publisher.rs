//! A phone that publishes its presence: PUBLISH requests, byte by byte (RFC 3903).
//!
//! `sipp` cannot send what no phone sends: bodies that are huge or no UTF-8.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::instance::Instance;
use super::wait::{PATIENCE, poll};

/// PIDF.
pub const PIDF: &str = "application/pidf+xml";

/// The response to a PUBLISH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The status.
    pub status: u16,
    /// The `SIP-ETag`, empty without one.
    pub etag: String,
}

/// An endpoint without a password that publishes under the name of a resource.
pub struct Publisher {
    socket: UdpSocket,
    endpoint: String,
    resource: String,
    /// The entity tag of the publication; `None` without one.
    pub etag: Option<String>,
    /// The `Expires` of the next request, in seconds.
    pub expires: u32,
}

impl Publisher {
    /// `endpoint` publishes under its own name.
    #[track_caller]
    pub fn new(instance: &Instance, endpoint: &str) -> Self {
        Self::for_resource(instance, endpoint, endpoint)
    }

    /// `endpoint` publishes for `resource`.
    #[track_caller]
    pub fn for_resource(instance: &Instance, endpoint: &str, resource: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let target = ("127.0.0.1", instance.sip_port());
        socket.connect(target).expect("a loopback address");
        let wait = Some(Duration::from_millis(200));
        socket.set_read_timeout(wait).expect("a timeout");
        Self {
            socket,
            endpoint: endpoint.to_owned(),
            resource: resource.to_owned(),
            etag: None,
            expires: 3600,
        }
    }

    /// Publishes a PIDF document, as a new publication or as the new state of the last one.
    #[track_caller]
    pub fn publish(&mut self, body: &str) -> Published {
        self.send(PIDF, body.as_bytes())
    }

    /// Prolongs the publication.
    #[track_caller]
    pub fn refresh(&mut self) -> Published {
        self.send("", b"")
    }

    /// Removes the publication.
    #[track_caller]
    pub fn remove(&mut self) -> Published {
        let expires = std::mem::replace(&mut self.expires, 0);
        let removed = self.send("", b"");
        (self.expires, self.etag) = (expires, None);
        removed
    }

    /// Sends a request with any body, and returns the final response.
    #[track_caller]
    pub fn send(&mut self, content_type: &str, body: &[u8]) -> Published {
        let answer = self.exchange("presence", content_type, body);
        if answer.status == 200 {
            self.etag = Some(answer.etag.clone());
        }
        answer
    }

    /// Sends a PUBLISH of an event, and returns the final response.
    #[track_caller]
    pub fn exchange(&self, event: &str, content_type: &str, body: &[u8]) -> Published {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{number}", std::process::id());
        let at = self.socket.local_addr().expect("a bound socket");
        let (endpoint, resource) = (&self.endpoint, &self.resource);
        let mut request = format!(
            "PUBLISH sip:{resource}@127.0.0.1 SIP/2.0\r\n\
             Via: SIP/2.0/UDP {at};branch=z9hG4bK-{id};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{endpoint}@127.0.0.1>;tag={id}\r\n\
             To: <sip:{resource}@127.0.0.1>\r\n\
             Call-ID: publish-{id}\r\n\
             CSeq: 1 PUBLISH\r\n\
             Event: {event}\r\n\
             Expires: {}\r\n",
            self.expires
        );
        if let Some(etag) = &self.etag {
            request.push_str(&format!("SIP-If-Match: {etag}\r\n"));
        }
        if !content_type.is_empty() {
            request.push_str(&format!("Content-Type: {content_type}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        let request = [request.as_bytes(), body].concat();
        let answer = poll(PATIENCE, || {
            // Sent again while there is no answer, as a phone does.
            self.socket.send(&request).ok()?;
            let mut buffer = vec![0; 65_536];
            while let Ok(size) = self.socket.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..size]).into_owned();
                if text.contains(&format!("publish-{id}\r\n")) && !text.starts_with("SIP/2.0 1") {
                    return Some(text);
                }
            }
            None
        });
        let answer = answer.unwrap_or_else(|| panic!("no answer to a PUBLISH of {endpoint}"));
        let status = answer.get(8..11).and_then(|digits| digits.parse().ok());
        let etag = answer
            .lines()
            .find_map(|line| line.strip_prefix("SIP-ETag: "));
        Published {
            status: status.unwrap_or_else(|| panic!("no status: {answer}")),
            etag: etag.unwrap_or_default().trim().to_owned(),
        }
    }
}

/// A PIDF document with RPID: `open` or `closed`, activities and a note of the person.
pub fn pidf(basic: &str, activities: &str, note: &str) -> String {
    let activities: String = activities
        .split_whitespace()
        .map(|activity| format!("<rpid:{activity}/>"))
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
         xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"sip:someone@example.com\">\
         <dm:person id=\"p1\"><rpid:activities>{activities}</rpid:activities>\
         <dm:note>{note}</dm:note></dm:person>\
         <tuple id=\"t1\"><status><basic>{basic}</basic></status></tuple></presence>"
    )
}
