//! Asterisk's HTTP server: pages, AMI over HTTP, and ARI.

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::config::{ADMIN, SECRET};
use super::instance::Instance;
use super::wait::PATIENCE;

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200, 404, ...
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A header's value; empty if the answer lacks the header.
    pub fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().skip(1);
        let mut headers = lines.filter_map(|line| line.split_once(": "));
        let found = headers.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// The body as JSON. Panics if it is not JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_str(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{error}: {self:?}"),
        }
    }
}

impl Instance {
    /// Sends one request to the HTTP server ([`super::Builder::http`]), with these further
    /// header lines. `target` is path and query, percent-encoded.
    #[track_caller]
    pub fn http(&self, method: &str, target: &str, headers: &[&str], body: &str) -> Answer {
        let mut lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        if !body.is_empty() {
            lines.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n{body}"
        );
        let answer = self.exchange(&request);
        parse(&answer).unwrap_or_else(|| panic!("{method} {target}: {answer:?}"))
    }

    /// Sends one ARI request ([`super::Builder::ari`]) with a JSON body or none, for example
    /// `GET` of `/asterisk/variable?variable=CHANNEL`.
    #[track_caller]
    pub fn ari(&self, method: &str, target: &str, body: &str) -> Answer {
        let login = BASE64.encode(format!("{ADMIN}:{SECRET}"));
        let login = format!("Authorization: Basic {login}");
        let headers = [login.as_str(), "Content-Type: application/json"];
        self.http(method, &format!("/ari{target}"), &headers, body)
    }

    #[track_caller]
    fn exchange(&self, request: &str) -> String {
        let exchange = || -> std::io::Result<Vec<u8>> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.http_port()))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(answer)
        };
        match exchange() {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => panic!("HTTP: {error}"),
        }
    }
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}
