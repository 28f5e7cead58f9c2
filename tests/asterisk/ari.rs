//! As little of Asterisk's REST interface as the tests need.

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::harness::{Builder, Instance, PATIENCE, wait_until};

/// ARI, and an extension `wait` for [`Channel::call`].
pub fn with_ari(builder: Builder) -> Builder {
    builder
        .ari()
        .dialplan("exten = wait,1,Answer()\n same = n,Wait(600)")
}

/// An answer: status and body.
pub struct Answer {
    pub status: u16,
    pub body: serde_json::Value,
}

/// Sends a request to `/ari/<path>` with these parameters.
#[track_caller]
pub fn ari(ast: &Instance, method: &str, path: &str, parameters: &[(&str, &str)]) -> Answer {
    let parameters = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)));
    let query = parameters.collect::<Vec<_>>().join("&");
    let request = format!(
        "{method} /ari/{path}?{query} HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Basic {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        BASE64.encode("admin:secret")
    );
    let mut stream = connect(ast);
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8(answer).expect("UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an empty line");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("no status in {head}")),
        body: serde_json::from_str(body).unwrap_or_default(),
    }
}

/// Sets a global variable, which may be a function; the answer says whether that worked.
#[track_caller]
pub fn set(ast: &Instance, function: &str, value: &str) -> Answer {
    let parameters = [("variable", function), ("value", value)];
    ari(ast, "POST", "asterisk/variable", &parameters)
}

/// A channel in an application of ours: only through one does ARI read functions.
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
        let id = made.body["id"].as_str();
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
        answer.body["value"].as_str().expect("a text").to_owned()
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
