//! Many readers of one stream in one thread, and the delays of their events.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::instance::Instance;
use super::wait::PATIENCE;

/// The AMI user that [`Readers::follow`] needs; it receives no events.
pub const SETTER: &str = "setter";

/// Open streams.
#[derive(Debug)]
pub struct Readers(Vec<Reader>);

#[derive(Debug)]
struct Reader {
    stream: TcpStream,
    unread: Vec<u8>,
    /// The number of the last event.
    last: u64,
    events: usize,
    disordered: usize,
}

/// The events that readers received.
#[derive(Debug, Default)]
pub struct Seen {
    /// The number of readers that received every event.
    pub complete: usize,
    /// The number of events that did not follow the previous one directly.
    pub disordered: usize,
    /// The delays from a change to each reader, sorted.
    pub delays: Vec<Duration>,
}

impl Seen {
    /// The delay that this part (0 to 1) of all delays does not exceed.
    pub fn delay(&self, part: f64) -> Duration {
        let at = (self.delays.len() as f64 * part) as usize;
        self.delays[at.min(self.delays.len() - 1)]
    }
}

fn micros() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a clock after 1970").as_micros() as u64
}

impl Reader {
    /// Reads everything available.
    fn take(&mut self, delays: &mut Vec<Duration>) {
        let mut buffer = [0; 65536];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => panic!("the stream ended after {} events", self.events),
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error} after {} events", self.events),
            }
        }
        let now = micros();
        let mut from = 0;
        while let Some(end) = find(&self.unread[from..], b"\n\n") {
            let message = &self.unread[from..from + end];
            from += end + 2;
            let Some(id) = number(message, b"id: ") else {
                continue;
            };
            let sent = number(message, b"\"message\":\"").expect("when it was sent");
            delays.push(Duration::from_micros(now.saturating_sub(sent)));
            let follows = self.events == 0 || id == self.last + 1;
            self.disordered += usize::from(!follows);
            (self.last, self.events) = (id, self.events + 1);
        }
        self.unread.drain(..from);
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn number(text: &[u8], after: &[u8]) -> Option<u64> {
    let digits = text[find(text, after)? + after.len()..].iter();
    let digits = digits.take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |sum, byte| sum * 10 + u64::from(byte - b'0')))
}

impl Readers {
    /// Opens this number of streams of the caller's account.
    #[track_caller]
    pub fn open(ast: &Instance, count: usize, login: &str) -> Self {
        let target = "/userpresence/v1/account/~/events?expand=record";
        let open = (0..count).map(|_| {
            let (stream, head) = ast.stream(target, &[login]).into_parts();
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            stream.set_nonblocking(true).expect("not to wait");
            Reader {
                stream,
                unread: Vec::new(),
                last: 0,
                events: 0,
                disordered: 0,
            }
        });
        Readers(open.collect())
    }

    /// Changes the users `u0`, `u1`, ... in turn, `rate` times per second (0: as fast as
    /// possible), and reads until every reader has all changes.
    #[track_caller]
    pub fn follow(&mut self, ast: &Instance, users: usize, changes: usize, rate: u64) -> Seen {
        let ami = ast.ami_as(SETTER).expect("the setter");
        let set = move || {
            let begin = Instant::now();
            for change in 0..changes {
                if let Some(due) = (change as u64 * 1_000_000).checked_div(rate) {
                    let due = begin + Duration::from_micros(due);
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                }
                let (user, now) = (format!("u{}", change % users), micros().to_string());
                let answer = ami.action(&[
                    ("Action", "UserPresenceSet"),
                    ("User", &user),
                    ("Status", "away"),
                    ("Message", &now),
                ]);
                assert!(answer.ok(), "{}", answer.text());
            }
        };
        let setter = thread::spawn(set);
        let mut seen = Seen::default();
        let mut progress = Instant::now();
        while self.0.iter().any(|reader| reader.events < changes) {
            let before = seen.delays.len();
            self.take(&mut seen.delays);
            if seen.delays.len() > before {
                progress = Instant::now();
            }
            assert!(progress.elapsed() < PATIENCE, "no more events arrive");
        }
        setter.join().expect("the changes");
        seen.complete = self
            .0
            .iter()
            .filter(|reader| reader.events == changes)
            .count();
        seen.disordered = self.0.iter().map(|reader| reader.disordered).sum();
        seen.delays.sort_unstable();
        seen
    }

    /// Waits for the next event and reads everything available.
    fn take(&mut self, delays: &mut Vec<Duration>) {
        let of = |reader: &Reader| libc::pollfd {
            fd: reader.stream.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let mut all: Vec<libc::pollfd> = self.0.iter().map(of).collect();
        // SAFETY: the pointer and the length are those of one vector.
        unsafe { libc::poll(all.as_mut_ptr(), all.len() as libc::nfds_t, 1000) };
        for (reader, poll) in self.0.iter_mut().zip(all) {
            if poll.revents != 0 {
                reader.take(delays);
            }
        }
    }
}
