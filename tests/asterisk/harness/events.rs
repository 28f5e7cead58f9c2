//! Reading server-sent events.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::instance::Instance;
use super::wait::PATIENCE;

/// One message of a stream.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number, if it has one; in a cluster, without the node's name before it.
    pub id: Option<u64>,
    /// `presence`, `snapshot`, ...
    pub kind: String,
    /// Its JSON.
    pub data: Value,
}

/// An open stream.
#[derive(Debug)]
pub struct EventStream {
    lines: BufReader<TcpStream>,
    /// The status line and the headers.
    pub head: String,
}

impl Instance {
    /// Opens a stream. `target` is path and query.
    #[track_caller]
    pub fn stream(&self, target: &str, headers: &[&str]) -> EventStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http_port())).expect("connecting");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
        stream.write_all(request.as_bytes()).expect("asking");
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = lines.read_line(&mut head).expect("an answer");
            assert!(read > 0, "{head:?}");
        }
        EventStream { lines, head }
    }
}

impl EventStream {
    /// The next message; `None` at the end of the stream.
    #[track_caller]
    pub fn next(&mut self) -> Option<Event> {
        let (mut id, mut kind, mut data) = (None, String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).expect("a line in time") == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("id", given)) => {
                    let number = given.rsplit(':').next().unwrap_or_default();
                    id = Some(number.parse().expect("a number"));
                }
                Some(("event", given)) => given.clone_into(&mut kind),
                Some(("data", given)) => given.clone_into(&mut data),
                // The time before a reconnect, or an empty message.
                _ if data.is_empty() => {}
                _ => {
                    let data = serde_json::from_str(&data).expect("JSON");
                    return Some(Event { id, kind, data });
                }
            }
        }
    }

    /// The next message, which has to be one of this kind.
    #[track_caller]
    pub fn expect(&mut self, kind: &str) -> Event {
        let event = self
            .next()
            .unwrap_or_else(|| panic!("the end instead of {kind}"));
        assert_eq!(event.kind, kind, "{event:?}");
        event
    }

    /// The connection, if no message has been read yet, and the head of the answer.
    pub fn into_parts(self) -> (TcpStream, String) {
        assert!(
            self.lines.buffer().len() < 64,
            "data that was read would be lost"
        );
        (self.lines.into_inner(), self.head)
    }

    /// Whether nothing arrives within this time.
    pub fn is_silent(&mut self, time: Duration) -> bool {
        let stream = self.lines.get_ref();
        stream.set_read_timeout(Some(time)).expect("a timeout");
        let silent = self.lines.fill_buf().is_err();
        let stream = self.lines.get_ref();
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        silent
    }
}
