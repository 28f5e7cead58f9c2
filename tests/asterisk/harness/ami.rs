//! A small client of Asterisk's manager interface.
//!
//! A thread reads messages into a shared list. `ActionID` matches a response to its
//! action, so several threads may use one client.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::message::Message;
use super::wait::PATIENCE;

/// A logged-in AMI connection. Dropping it closes the connection.
pub struct Ami {
    stream: Mutex<TcpStream>,
    inbox: Arc<Inbox>,
    next_id: AtomicU64,
}

#[derive(Default)]
struct Inbox {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    /// Responses, and events that belong to a list action.
    replies: Vec<Message>,
    /// Every other event, oldest first, until a wait consumes it.
    events: VecDeque<Message>,
    closed: bool,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the reader does not panic")
    }

    fn read_all(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut message = Message::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            match reader.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\r', '\n']);
            if !text.is_empty() {
                message.push_line(text);
            } else if !message.is_empty() {
                self.deliver(std::mem::take(&mut message));
            }
        }
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    fn deliver(&self, message: Message) {
        let mut state = self.lock();
        // Only answers to actions carry an ActionID. OriginateResponse does too, but it is
        // an event that a test may wait for.
        if message.get("ActionID").is_some() && !message.is_event("OriginateResponse") {
            state.replies.push(message);
        } else {
            state.events.push_back(message);
        }
        self.arrived.notify_all();
    }

    /// Waits until `take` returns something from the state. `None` after `timeout`, or if
    /// the connection closes.
    fn wait<T>(
        &self,
        timeout: Duration,
        mut take: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + timeout;
        let mut state = self.lock();
        loop {
            if let Some(found) = take(&mut state) {
                return Some(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || state.closed {
                return None;
            }
            state = self
                .arrived
                .wait_timeout(state, left)
                .expect("the reader does not panic")
                .0;
        }
    }
}

impl Ami {
    /// Connects and logs in. The error says what went wrong.
    pub(super) fn connect(port: u16, user: &str, secret: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())?;
        Self::log_in(stream, user, secret)
    }

    /// Logs in on a connection that exists.
    pub(super) fn log_in(stream: TcpStream, user: &str, secret: &str) -> Result<Self, String> {
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        let mut reader = stream.try_clone().map_err(|e| e.to_string())?;
        skip_banner(&mut reader).map_err(|e| e.to_string())?;

        let inbox = Arc::new(Inbox::default());
        let shared = Arc::clone(&inbox);
        std::thread::spawn(move || shared.read_all(reader));

        let ami = Self {
            stream: Mutex::new(stream),
            inbox,
            next_id: AtomicU64::new(1),
        };
        let answer =
            ami.try_action(&[("Action", "Login"), ("Username", user), ("Secret", secret)])?;
        if answer.ok() {
            Ok(ami)
        } else {
            Err(answer.text().to_owned())
        }
    }

    /// Sends an action and returns its response, which may be an error response.
    #[track_caller]
    pub fn action(&self, headers: &[(&str, &str)]) -> Message {
        self.try_action(headers)
            .unwrap_or_else(|error| panic!("AMI {:?}: {error}", headers[0].1))
    }

    /// As [`Ami::action`], with an error if Asterisk is gone.
    pub fn try_action(&self, headers: &[(&str, &str)]) -> Result<Message, String> {
        let id = self.send(headers)?;
        self.reply(&id)
    }

    /// Sends a list action and returns its items, without the response and the
    /// closing `...Complete` event. Panics if the response is an error.
    #[track_caller]
    pub fn list(&self, headers: &[(&str, &str)]) -> Vec<Message> {
        self.list_to_its_end(headers).0
    }

    /// As [`Ami::list`], with the closing event.
    #[track_caller]
    pub fn list_to_its_end(&self, headers: &[(&str, &str)]) -> (Vec<Message>, Message) {
        let name = headers[0].1;
        let id = self.send(headers).expect("the connection is open");
        let response = self.reply(&id).expect("a response");
        assert!(response.ok(), "AMI {name:?}: {response:?}");
        let mut items = Vec::new();
        loop {
            let item = self
                .reply(&id)
                .unwrap_or_else(|error| panic!("AMI {name:?} after {items:?}: {error}"));
            if item.get("EventList") == Some("Complete") {
                return (items, item);
            }
            items.push(item);
        }
    }

    /// Waits for an event that `wanted` accepts, and uses up that event and all before it:
    /// successive waits see the events in their order.
    #[track_caller]
    pub fn wait_event(&self, what: &str, wanted: impl Fn(&Message) -> bool) -> Message {
        match self.wait_event_for(PATIENCE, &wanted) {
            Some(event) => event,
            None => panic!("no event for {what}; unused events: {:#?}", self.events()),
        }
    }

    /// As [`Ami::wait_event`], with a timeout of its own, after which it returns `None`.
    pub fn wait_event_for(
        &self,
        timeout: Duration,
        wanted: impl Fn(&Message) -> bool,
    ) -> Option<Message> {
        self.inbox.wait(timeout, |state| {
            let at = state.events.iter().position(&wanted)?;
            state.events.drain(..=at).next_back()
        })
    }

    /// The events that have arrived and are not used up.
    pub fn events(&self) -> Vec<Message> {
        self.inbox.lock().events.iter().cloned().collect()
    }

    /// Takes the events that have arrived so far.
    pub fn take_events(&self) -> Vec<Message> {
        self.inbox.lock().events.drain(..).collect()
    }

    /// Waits for Asterisk to close the connection; false if it does not.
    pub fn wait_closed(&self) -> bool {
        let closed = |state: &mut State| state.closed.then_some(());
        self.inbox.wait(PATIENCE, closed).is_some() || self.inbox.lock().closed
    }

    fn send(&self, headers: &[(&str, &str)]) -> Result<String, String> {
        let id = format!("id-{}", self.next_id.fetch_add(1, Ordering::Relaxed));
        let mut text = String::new();
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("ActionID: {id}\r\n\r\n"));
        self.send_raw(&text)?;
        Ok(id)
    }

    /// Sends text unchanged, for tests of malformed input.
    pub fn send_raw(&self, text: impl AsRef<[u8]>) -> Result<(), String> {
        let mut stream = self.stream.lock().expect("no writer panics");
        stream
            .write_all(text.as_ref())
            .map_err(|error| error.to_string())
    }

    /// The next message that carries this `ActionID`.
    pub fn reply(&self, id: &str) -> Result<Message, String> {
        self.inbox
            .wait(PATIENCE, |state| {
                let at = state
                    .replies
                    .iter()
                    .position(|reply| reply.get("ActionID") == Some(id))?;
                Some(state.replies.remove(at))
            })
            .ok_or_else(|| "no answer (timeout, or the connection is closed)".to_owned())
    }
}

impl Drop for Ami {
    fn drop(&mut self) {
        // Ends the reader thread, which holds a clone of the stream.
        let stream = self.stream.get_mut().expect("no writer panics");
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
}

/// Reads the greeting line byte by byte, so that nothing after it is lost.
fn skip_banner(stream: &mut TcpStream) -> std::io::Result<()> {
    use std::io::Read;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut byte = [0];
    while byte != *b"\n" {
        stream.read_exact(&mut byte)?;
    }
    stream.set_read_timeout(None)
}
