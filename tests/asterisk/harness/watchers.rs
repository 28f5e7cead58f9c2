//! Subscribers for measurements: many subscriptions on a few sockets, each NOTIFY answered at
//! once. The tests use real phones; a thousand of those would measure the machine.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::instance::Instance;
use super::wait::PATIENCE;

/// The subscriptions on one socket. More at once could overflow its buffer.
const EACH: usize = 50;

/// A NOTIFY.
pub struct Heard {
    pub at: Instant,
    pub text: String,
}

#[derive(Default)]
struct Shared {
    heard: Mutex<Vec<Heard>>,
    accepted: Mutex<usize>,
    changed: Condvar,
    stop: AtomicBool,
}

/// Subscriptions of the endpoint `watcher`. Dropping it closes the sockets.
pub struct Watchers {
    shared: Arc<Shared>,
    sockets: Vec<Arc<UdpSocket>>,
    threads: Vec<JoinHandle<()>>,
}

impl Watchers {
    /// Subscribes this number of times to the presence of each extension, and waits for the
    /// first NOTIFY of each subscription. `list` says whether it supports lists.
    pub fn subscribe(
        ast: &Instance,
        extensions: &[String],
        times: usize,
        agent: &str,
        list: bool,
    ) -> Self {
        let subscriptions: Vec<&String> = extensions
            .iter()
            .flat_map(|extension| std::iter::repeat_n(extension, times))
            .collect();
        let mut all = Watchers {
            shared: Arc::default(),
            sockets: Vec::new(),
            threads: Vec::new(),
        };
        for (number, chunk) in subscriptions.chunks(EACH).enumerate() {
            let socket = Arc::new(open(ast));
            let (shared, reader) = (all.shared.clone(), socket.clone());
            all.threads
                .push(std::thread::spawn(move || read(&reader, &shared)));
            for (index, extension) in chunk.iter().enumerate() {
                let text = request(ast, &socket, extension, agent, (number, index), list);
                socket.send(text.as_bytes()).expect("a SUBSCRIBE");
                // In turn: Asterisk's own queue of requests is bounded.
                all.wait_accepted(number * EACH + index + 1);
            }
            all.sockets.push(socket);
        }
        all.wait_heard(subscriptions.len(), |_| true);
        all
    }

    fn wait_accepted(&self, count: usize) {
        let accepted = self.shared.accepted.lock().expect("no panic");
        let waited = self
            .shared
            .changed
            .wait_timeout_while(accepted, PATIENCE, |accepted| *accepted < count);
        assert!(
            !waited.expect("no panic").1.timed_out(),
            "no 200 for {count}"
        );
    }

    /// Waits for this number of NOTIFYs that `wanted` accepts, and takes all of them.
    pub fn wait_heard(&self, count: usize, wanted: impl Fn(&Heard) -> bool) -> Vec<Heard> {
        let heard = self.shared.heard.lock().expect("no panic");
        let (mut heard, waited) = self
            .shared
            .changed
            .wait_timeout_while(heard, PATIENCE, |heard| {
                heard.iter().filter(|it| wanted(it)).count() < count
            })
            .expect("no panic");
        assert!(!waited.timed_out(), "{} of {count} NOTIFYs", heard.len());
        std::mem::take(&mut *heard)
    }
}

impl Drop for Watchers {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic in it has failed the measurement already.
            let _ = thread.join();
        }
    }
}

/// A socket that is connected to Asterisk's SIP port, with a large buffer.
fn open(ast: &Instance) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let server = format!("127.0.0.1:{}", ast.sip_port());
    socket.connect(server).expect("an address");
    socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .expect("a timeout");
    let size: libc::c_int = 8 << 20;
    // SAFETY: an open socket, and an integer of the size that is given. The kernel may grant
    // less.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUF,
            (&raw const size).cast(),
            size_of_val(&size) as libc::socklen_t,
        )
    };
    socket
}

fn read(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = vec![0; 1 << 16];
    while !shared.stop.load(Ordering::Relaxed) {
        let size = match socket.recv(&mut buffer) {
            Ok(size) => size,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                continue;
            }
            Err(_) => return,
        };
        let at = Instant::now();
        let text = String::from_utf8_lossy(&buffer[..size]).into_owned();
        if text.starts_with("NOTIFY ") {
            // A message that is not answered is sent again, and counted again.
            let _ = socket.send(answer(&text).as_bytes());
            shared
                .heard
                .lock()
                .expect("no panic")
                .push(Heard { at, text });
        } else if text.starts_with("SIP/2.0 200") {
            *shared.accepted.lock().expect("no panic") += 1;
        } else {
            panic!("an unexpected answer: {text}");
        }
        shared.changed.notify_all();
    }
}

/// 200 OK for a request.
fn answer(request: &str) -> String {
    let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let lines = request.lines().take_while(|line| !line.is_empty());
    let kept: Vec<&str> = lines
        .filter(|line| kept.iter().any(|name| line.starts_with(name)))
        .collect();
    format!(
        "SIP/2.0 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n",
        kept.join("\r\n")
    )
}

fn request(
    ast: &Instance,
    socket: &UdpSocket,
    extension: &str,
    agent: &str,
    (socket_number, index): (usize, usize),
    list: bool,
) -> String {
    let own = socket.local_addr().expect("a bound socket");
    let server = format!("127.0.0.1:{}", ast.sip_port());
    let id = format!("{}-{socket_number}-{index}", own.port());
    let accept = if list {
        "Supported: eventlist\r\nAccept: application/pidf+xml, multipart/related, application/rlmi+xml"
    } else {
        "Accept: application/pidf+xml"
    };
    format!(
        "SUBSCRIBE sip:{extension}@{server} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {own};branch=z9hG4bK{id};rport\r\n\
         From: <sip:watcher@{own}>;tag={id}\r\n\
         To: <sip:{extension}@{server}>\r\n\
         Call-ID: {id}\r\nCSeq: 1 SUBSCRIBE\r\n\
         Contact: <sip:watcher@{own}>\r\nMax-Forwards: 70\r\n\
         User-Agent: {agent}\r\nEvent: presence\r\n{accept}\r\n\
         Expires: 3600\r\nContent-Length: 0\r\n\r\n"
    )
}
