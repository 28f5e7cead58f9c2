//! The part of Asterisk's REST interface that the tests need.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

use serde_json::{Value, json};

use super::builder::Builder;
use super::http::Answer;
use super::instance::Instance;
use super::wait::{PATIENCE, wait_until};

/// ARI, and an extension `wait` for [`Channel::call`].
pub fn with_ari(builder: Builder) -> Builder {
    builder
        .ari()
        .dialplan("exten = wait,1,Answer()\n same = n,Wait(600)")
}

/// Sends a request to `/ari/<path>` with these parameters.
#[track_caller]
pub fn ari(ast: &Instance, method: &str, path: &str, parameters: &[(&str, &str)]) -> Answer {
    let parameters = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)));
    let query = parameters.collect::<Vec<_>>().join("&");
    ast.ari(method, &format!("/{path}?{query}"), "")
}

/// Sets a global variable, which may be a function; the answer says whether that worked.
#[track_caller]
pub fn set(ast: &Instance, function: &str, value: &str) -> Answer {
    let parameters = [("variable", function), ("value", value)];
    ari(ast, "POST", "asterisk/variable", &parameters)
}

/// A channel in the test's own application: ARI reads functions only through a channel.
pub struct Channel<'a> {
    ast: &'a Instance,
    path: String,
    /// The application lives as long as its connection.
    _application: TcpStream,
}

impl<'a> Channel<'a> {
    /// Calls the extension in context `default`, which answers and waits.
    #[track_caller]
    pub fn call(ast: &'a Instance, extension: &str) -> Self {
        let request = "GET /ari/events?app=tests&api_key=admin:secret HTTP/1.1\r\n\
                       Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ari\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let mut application = connect(ast);
        application
            .write_all(request.as_bytes())
            .expect("a request");
        let mut status = [0; 12];
        application.read_exact(&mut status).expect("an answer");
        assert_eq!(&status, b"HTTP/1.1 101");
        let endpoint = format!("Local/{extension}@default/n");
        let parameters = [("endpoint", endpoint.as_str()), ("app", "tests")];
        let made = ari(ast, "POST", "channels", &parameters);
        let id = made.json()["id"].as_str().map(str::to_owned);
        let id = id.unwrap_or_else(|| panic!("{} {}", made.status, made.body));
        let channel = Self {
            ast,
            path: format!("channels/{id}/variable"),
            _application: application,
        };
        wait_until("a channel in the application", || {
            let set = [("variable", "READY"), ("value", "yes")];
            (ari(ast, "POST", &channel.path, &set).status == 204).then_some(())
        });
        channel
    }

    /// A function's value.
    #[track_caller]
    pub fn get(&self, function: &str) -> String {
        let answer = ari(self.ast, "GET", &self.path, &[("variable", function)]);
        assert_eq!(answer.status, 200, "{function}: {}", answer.body);
        answer.json()["value"].as_str().expect("a text").to_owned()
    }

    /// Sets a function.
    #[track_caller]
    pub fn set(&self, function: &str, value: &str) {
        let parameters = [("variable", function), ("value", value)];
        let answer = ari(self.ast, "POST", &self.path, &parameters);
        assert_eq!(answer.status, 204, "{function}: {}", answer.body);
    }
}

fn connect(ast: &Instance) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", ast.http_port())).expect("HTTP listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

fn escape(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// An application's websocket. It reads only when it is asked to.
pub struct Socket {
    stream: TcpStream,
    requests: usize,
    /// Events that came before an answer.
    waiting: VecDeque<Value>,
}

impl Socket {
    /// Connects the application, with further parameters such as `&subscribeAll=true`.
    #[track_caller]
    pub fn open(ast: &Instance, application: &str, parameters: &str) -> Self {
        let mut stream = connect(ast);
        let request = format!(
            "GET /ari/events?app={application}&api_key=admin:secret{parameters} HTTP/1.1\r\n\
             Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ari\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("text");
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        let socket = Self {
            stream,
            requests: 0,
            waiting: VecDeque::new(),
        };
        wait_until("the application", || {
            let path = format!("applications/{application}");
            (ari(ast, "GET", &path, &[]).status == 200).then_some(())
        });
        socket
    }

    /// Has the system keep as little as possible of what is not read.
    pub fn narrow(&self) {
        let least: libc::c_int = 1;
        // SAFETY: an open socket, and an integer of that size.
        let set = unsafe {
            libc::setsockopt(
                self.stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVBUF,
                (&raw const least).cast(),
                size_of_val(&least) as libc::socklen_t,
            )
        };
        assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    }

    fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode, 0xFE];
        frame.extend(u16::try_from(payload.len()).expect("short").to_be_bytes());
        // A mask of zeros leaves the payload as it is.
        frame.extend([0; 4]);
        frame.extend(payload);
        self.stream.write_all(&frame).expect("an open websocket");
    }

    /// The next text; `None` at the end of the websocket.
    fn read(&mut self) -> Option<String> {
        loop {
            let mut head = [0; 2];
            self.stream.read_exact(&mut head).ok()?;
            assert_eq!(head[0] & 0x80, 0x80, "a whole message");
            let length = match head[1] {
                126 => {
                    let mut length = [0; 2];
                    self.stream.read_exact(&mut length).ok()?;
                    u16::from_be_bytes(length).into()
                }
                127 => {
                    let mut length = [0; 8];
                    self.stream.read_exact(&mut length).ok()?;
                    u64::from_be_bytes(length)
                }
                length => length.into(),
            };
            let mut payload = vec![0; usize::try_from(length).expect("a length")];
            self.stream.read_exact(&mut payload).ok()?;
            match head[0] & 0xF {
                1 => return Some(String::from_utf8(payload).expect("UTF-8")),
                8 => return None,
                9 => self.send(10, &payload),
                _ => {}
            }
        }
    }

    /// The next event or answer. Panics at the end of the websocket.
    #[track_caller]
    pub fn next(&mut self) -> Value {
        if let Some(event) = self.waiting.pop_front() {
            return event;
        }
        let text = self.read().expect("an open websocket");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The next event of that type; the ones before it are skipped.
    #[track_caller]
    pub fn expect(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next();
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// Reads until the server ends the websocket, and returns what came.
    pub fn drain(&mut self) -> Vec<Value> {
        let mut events: Vec<Value> = self.waiting.drain(..).collect();
        while let Some(text) = self.read() {
            events.push(serde_json::from_str(&text).expect("JSON"));
        }
        events
    }

    /// Sends a request over the websocket: its status and its body.
    #[track_caller]
    pub fn request(&mut self, method: &str, uri: &str, body: &str) -> (u64, String) {
        self.requests += 1;
        let id = self.requests.to_string();
        let mut request = json!({
            "type": "RESTRequest", "request_id": id, "method": method, "uri": uri,
        });
        if !body.is_empty() {
            request["content_type"] = "application/json".into();
            request["message_body"] = body.into();
        }
        self.send(1, request.to_string().as_bytes());
        loop {
            let text = self.read().expect("an open websocket");
            let answer: Value = serde_json::from_str(&text).expect("JSON");
            if answer["type"] == "RESTResponse" && answer["request_id"] == id.as_str() {
                let body = answer["message_body"].as_str().unwrap_or_default();
                let status = answer["status_code"].as_u64().expect("a status");
                return (status, body.to_owned());
            }
            self.waiting.push_back(answer);
        }
    }
}
