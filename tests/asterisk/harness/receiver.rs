//! The receiver of a webhook's posts: a small HTTP server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::ports;
use super::wait::wait_until;

/// How a [`Receiver`] answers.
#[derive(Clone, Debug)]
pub enum Answering {
    /// With this status and the header lines after it, without the last line end.
    Status(String),
    /// Not at all: the connection stays open.
    Never,
    /// With 200 and an endless body.
    TooMuch,
}

/// One request that was received.
#[derive(Clone, Debug)]
pub struct Post {
    /// Request line and headers.
    pub head: String,
    /// The body.
    pub body: String,
    /// Whether the answer was 200.
    pub taken: bool,
    /// When it arrived.
    pub at: Instant,
}

impl Post {
    /// A header's value.
    pub fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().skip(1);
        let mut headers = lines.filter_map(|line| line.split_once(": "));
        let found = headers.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.trim_end())
    }

    /// The event's number.
    pub fn sequence(&self) -> u64 {
        self.header("X-UserPresence-Sequence").parse().unwrap_or(0)
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

struct Shared {
    answering: Mutex<Answering>,
    posts: Mutex<Vec<Post>>,
    /// The connections still without an answer.
    hanging: Mutex<Vec<TcpStream>>,
    over: AtomicBool,
}

/// An HTTP server on loopback.
pub struct Receiver {
    port: u16,
    shared: Arc<Shared>,
}

impl Receiver {
    /// Starts a receiver that accepts everything.
    pub fn start() -> Self {
        let port = ports::free();
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        let shared = Arc::new(Shared {
            answering: Mutex::new(Answering::Status("200 OK".into())),
            posts: Mutex::default(),
            hanging: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let mine = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if mine.over.load(Ordering::Relaxed) {
                    return;
                }
                let mine = mine.clone();
                // A closed connection does no harm.
                std::thread::spawn(move || drop(serve(stream, &mine)));
            }
        });
        Receiver { port, shared }
    }

    /// The URL of this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }

    /// Its address and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sets the answer from now on.
    pub fn answer(&self, how: Answering) {
        *self.shared.answering.lock().expect("no panic") = how;
    }

    /// Sets the status of the answers from now on.
    pub fn answer_status(&self, status: &str) {
        self.answer(Answering::Status(status.into()));
    }

    /// Closes the connections that wait for an answer.
    pub fn hang_up(&self) {
        for stream in self.shared.hanging.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Every post so far.
    pub fn posts(&self) -> Vec<Post> {
        self.shared.posts.lock().expect("no panic").clone()
    }

    /// Waits for this number of accepted posts and returns them.
    #[track_caller]
    pub fn wait_taken(&self, count: usize) -> Vec<Post> {
        wait_until(&format!("{count} posts to be taken"), || {
            let mut posts = self.posts();
            posts.retain(|post| post.taken);
            (posts.len() >= count).then_some(posts)
        })
    }

    /// Waits for this number of posts and returns them.
    #[track_caller]
    pub fn wait_posts(&self, count: usize) -> Vec<Post> {
        wait_until(&format!("{count} posts"), || {
            let posts = self.posts();
            (posts.len() >= count).then_some(posts)
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some((head, body)) = request(&mut reader)? {
        let how = shared.answering.lock().expect("no panic").clone();
        let ok = matches!(&how, Answering::Status(line) if line.starts_with("200"));
        let post = Post {
            head,
            body,
            taken: ok || matches!(how, Answering::TooMuch),
            at: Instant::now(),
        };
        shared.posts.lock().expect("no panic").push(post);
        match how {
            Answering::Status(line) => {
                write!(out, "HTTP/1.1 {line}\r\nContent-Length: 2\r\n\r\nno")?;
            }
            Answering::TooMuch => {
                write!(out, "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n")?;
                while out.write(&[b'x'; 4096])? > 0 {}
            }
            Answering::Never => {
                shared
                    .hanging
                    .lock()
                    .expect("no panic")
                    .push(out.try_clone()?);
                let _ = reader.read(&mut [0])?;
            }
        }
    }
    Ok(())
}

/// Head and body of the next request.
fn request(reader: &mut impl BufRead) -> std::io::Result<Option<(String, String)>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("Content-Length"));
    let length = lengths.next().and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok(Some((head, String::from_utf8_lossy(&body).into_owned())))
}

/// Makes a self-signed certificate `NAME.pem` and its key `NAME.key` for a host of this
/// machine, and returns their paths.
#[track_caller]
pub fn certificate(dir: &Path, name: &str, host: &str) -> (PathBuf, PathBuf) {
    let certificate = dir.join(format!("{name}.pem"));
    let key = dir.join(format!("{name}.key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes"])
        .args(["-days", "2", "-subj", &format!("/CN={host}")])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("the program openssl");
    assert!(made.status.success(), "{made:?}");
    (certificate, key)
}

/// The same over TLS, for one connection at a time. The program `openssl` decrypts.
pub struct TlsReceiver {
    port: u16,
    program: Child,
}

impl TlsReceiver {
    /// Makes a certificate `NAME.pem` in that directory and accepts posts.
    pub fn start(dir: &Path, name: &str) -> Self {
        let (certificate, key) = certificate(dir, name, "receiver");
        let port = ports::free();
        let mut program = Command::new("openssl")
            .args([
                "s_server",
                "-quiet",
                "-accept",
                &format!("127.0.0.1:{port}"),
            ])
            .arg("-cert")
            .arg(&certificate)
            .arg("-key")
            .arg(&key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program openssl");
        let mut input = program.stdin.take().expect("a pipe");
        let mut output = BufReader::new(program.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            while let Ok(Some(_)) = request(&mut output) {
                let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
                if input
                    .write_all(answer)
                    .and_then(|()| input.flush())
                    .is_err()
                {
                    return;
                }
            }
        });
        wait_until("the TLS server", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        TlsReceiver { port, program }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}/", self.port)
    }
}

impl Drop for TlsReceiver {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
