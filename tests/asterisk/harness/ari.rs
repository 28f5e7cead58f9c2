//! The part of Asterisk's REST interface that the tests need.

use std::io::{Read, Write};
use std::net::TcpStream;

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
