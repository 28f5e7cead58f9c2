//! The body of an outbound PUBLISH has half the room of a NOTIFY's.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::UdpSocket;
use std::time::Duration;

use super::{activities, assert_valid, texts, watched};
use crate::harness::users::set;

/// A server that takes publications.
struct Server(UdpSocket);

impl Server {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let patience = Some(Duration::from_secs(60));
        socket.set_read_timeout(patience).expect("a timeout");
        Server(socket)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().expect("a bound socket").port()
    }

    /// Accepts publications until one has a body that `wanted` accepts.
    #[track_caller]
    fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let mut room = vec![0; 65536];
        loop {
            let (size, from) = match self.0.recv_from(&mut room) {
                Ok(received) => received,
                Err(why) => panic!("no PUBLISH of {what}: {why}"),
            };
            let text = String::from_utf8_lossy(&room[..size]).replace("\r\n", "\n");
            let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
            let kept = ["Via:", "From:", "Call-ID:", "CSeq:", "To:"];
            let lines = head
                .lines()
                .filter(|line| kept.iter().any(|name| line.starts_with(name)));
            let mut answer = "SIP/2.0 200 OK\r\n".to_owned();
            for line in lines {
                let tag = if line.starts_with("To:") {
                    ";tag=server"
                } else {
                    ""
                };
                answer.push_str(&format!("{line}{tag}\r\n"));
            }
            answer.push_str("SIP-ETag: one\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n");
            self.0.send_to(answer.as_bytes(), from).expect("an answer");
            if wanted(body) {
                return body.to_owned();
            }
        }
    }
}

#[test]
fn a_publication_is_completed_and_always_fits() {
    let ast = watched().start();
    let server = Server::new();
    let port = server.port();
    let mut pjsip = OpenOptions::new()
        .append(true)
        .open(ast.config_path("pjsip.conf"))
        .expect("the instance's own file");
    let server_uri = format!("sip:server@127.0.0.1:{port}");
    write!(
        pjsip,
        "\n[publisher]\ntype = outbound-publish\nserver_uri = {server_uri}\n\
         from_uri = sip:asterisk@127.0.0.1\nto_uri = {server_uri}\nevent = presence\n\
         multi_user = yes\n@body = application/pidf+xml\n@context = ^default$\n@exten = ^2000$\n"
    )
    .expect("a written file");
    ast.cli("module reload res_pjsip_outbound_publish.so");
    set(&ast, "alice", "meeting,,Room 1");
    let body = server.wait("a meeting", |body| body.contains("Room 1"));
    assert_valid(&ast, &body);
    assert_eq!(
        activities(&body),
        ["rpid:busy", "rpid:meeting", "rpid:travel"]
    );
    for (number, character) in ["x", "\"", "é", "中", "🍜", "&", "<"]
        .into_iter()
        .enumerate()
    {
        let message = character.repeat(255 / character.len());
        let activity = ["rpid:away", "rpid:busy"][number % 2];
        let state = ["away", "dnd"][number % 2];
        set(&ast, "alice", &format!("{state},,{message}"));
        let begin = match character {
            "&" => "&amp;",
            "<" => "&lt;",
            other => other,
        };
        let wanted = format!("<dm:note>{begin}{begin}");
        let body = server.wait(character, |body| body.contains(&wanted));
        assert_valid(&ast, &body);
        assert_eq!(activities(&body), [activity]);
        assert_eq!(texts(&body, "dm:note"), [texts(&body, "note")[1]]);
        assert!(body.len() <= 1023);
    }
    assert_eq!(ast.complaints(), Vec::<String>::new());
}
