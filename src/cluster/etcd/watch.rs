//! The stream of changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use curl::easy::{Handler, WriteError};
use curl::multi::{Easy2Handle, Multi};
use presence::config::Cluster;

use super::error::Failure;
use super::http::{EtcdRequest, LONGEST, LOOK, explain, transfer};
use super::wire::{StreamAnswer, WatchAnswer, encoded, range_end};
use super::{Entry, Etcd, EtcdError, WatchNews, answer, reading_time};

/// A stream of the changes of all keys that begin with a prefix.
pub struct Watch {
    settings: Arc<Cluster>,
    stop: Arc<AtomicBool>,
    server: String,
    handle: Easy2Handle<Lines>,
    multi: Multi,
    /// When the server last sent something.
    heard: Instant,
    /// What arrived and was not handed over.
    events: Vec<Entry>,
    /// Every change up to here is in `events` or was handed over.
    revision: i64,
    has_begun: bool,
}

impl Watch {
    /// Watches every key that begins with `prefix`, from a revision on. Returns when a server
    /// has accepted it.
    ///
    /// # Errors
    /// When no server accepts it. [`EtcdError::Compacted`] if etcd has fewer revisions than
    /// that: it was wiped or restored.
    pub fn open(
        settings: Arc<Cluster>,
        prefix: &str,
        from_revision: i64,
        stop: Arc<AtomicBool>,
    ) -> Result<Watch, EtcdError> {
        let from = from_revision.max(1);
        let request = format!(
            r#"{{"create_request":{{"key":"{}","range_end":"{}","start_revision":"{from}","fragment":true}}}}"#,
            encoded(prefix),
            encoded(range_end(prefix)),
        );
        let mut client = Etcd::new(settings, stop);
        client.on_a_server(|client| {
            client.with_token(|client| Watch::begin(client, &request, from)?.accepted())
        })
    }

    fn begin(client: &Etcd, request: &str, from: i64) -> Result<Watch, Failure> {
        let settings = client.settings();
        let server = client.server().to_owned();
        let request = EtcdRequest {
            server: &server,
            path: "/v3/watch",
            body: Some(request),
            token: client.token(),
            time: reading_time(settings.node_timeout),
        };
        let easy = transfer(settings, &request, Lines::default())
            .map_err(|why| explain(settings, &server, &why))?;
        let multi = Multi::new();
        let handle = multi.add2(easy).map_err(|why| broken(&server, &why))?;
        Ok(Watch {
            settings: Arc::clone(settings),
            stop: Arc::clone(client.stop()),
            server,
            handle,
            multi,
            heard: Instant::now(),
            events: Vec::new(),
            revision: from - 1,
            has_begun: false,
        })
    }

    /// Waits for the server's first message.
    fn accepted(mut self) -> Result<Watch, Failure> {
        let deadline = Instant::now() + reading_time(self.settings.node_timeout);
        while !self.has_begun {
            if Instant::now() >= deadline {
                let why = format!("etcd at {} does not answer a watch", self.server);
                return Err(Failure::Next(EtcdError::Unreachable(why)));
            }
            self.advance(deadline)?;
        }
        Ok(self)
    }

    /// Waits for changes until the deadline.
    ///
    /// # Errors
    /// The watch has ended: with [`EtcdError::Compacted`] if its first revision is too old,
    /// and with [`EtcdError::Unreachable`] if the server sent nothing for two thirds of
    /// `node_timeout`. The keys below the prefix have to change more often than that.
    pub fn next(&mut self, deadline: Instant) -> Result<WatchNews, EtcdError> {
        let silence = reading_time(self.settings.node_timeout) * 2;
        while self.events.is_empty() && Instant::now() < deadline {
            match self.advance(deadline) {
                Ok(()) => {}
                Err(Failure::Next(why) | Failure::Final(why)) => return Err(why),
                // A new watch gets a new token.
                Err(Failure::Token(why)) => return Err(EtcdError::Unreachable(why)),
            }
            if self.heard.elapsed() > silence {
                return Err(EtcdError::Unreachable(format!(
                    "etcd at {} has sent nothing for {} seconds",
                    self.server,
                    silence.as_secs()
                )));
            }
        }
        Ok(WatchNews {
            events: std::mem::take(&mut self.events),
            revision: self.revision,
        })
    }

    /// The server that sends the changes.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Takes what has arrived, or waits for something to arrive.
    fn advance(&mut self, deadline: Instant) -> Result<(), Failure> {
        let left = match self.multi.perform() {
            Ok(left) => left,
            Err(why) => return Err(broken(&self.server, &why)),
        };
        if self.stop.load(Ordering::Acquire) {
            return Err(Failure::Final(EtcdError::Stopped));
        }
        if self.read()? {
            return Ok(());
        }
        if left == 0 {
            return Err(self.end());
        }
        let wait = deadline.saturating_duration_since(Instant::now()).min(LOOK);
        // Less than a millisecond would be none.
        let wait = wait.max(Duration::from_millis(1));
        match self.multi.poll(&mut [], wait) {
            Ok(_) => Ok(()),
            Err(why) => Err(broken(&self.server, &why)),
        }
    }

    /// Reads the complete messages that have arrived. Returns whether there was one.
    fn read(&mut self) -> Result<bool, Failure> {
        if !matches!(self.handle.response_code(), Ok(200)) {
            return Ok(false);
        }
        let bytes = std::mem::take(&mut self.handle.get_mut().bytes);
        let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
            self.handle.get_mut().bytes = bytes;
            return Ok(false);
        };
        self.heard = Instant::now();
        let mut done = Ok(());
        for line in bytes[..end].split(|byte| *byte == b'\n') {
            if !line.is_empty() && done.is_ok() {
                done = self.message(line);
            }
        }
        self.handle.get_mut().bytes = bytes[end + 1..].to_vec();
        done.map(|()| true)
    }

    fn message(&mut self, line: &[u8]) -> Result<(), Failure> {
        let no_etcd = || answer::no_etcd(&self.server);
        let message: Result<StreamAnswer<WatchAnswer<'_>>, _> = serde_json::from_slice(line);
        let Some(news) = message.map_err(|_| no_etcd())?.result else {
            return Err(self.failure(line));
        };
        if news.compact_revision.0 > 0 {
            return Err(Failure::Final(EtcdError::Compacted(self.revision + 1)));
        }
        if news.canceled {
            let first = self.revision + 1;
            let reason = &news.cancel_reason;
            return Err(answer::canceled(
                &self.settings,
                &self.server,
                reason,
                first,
            ));
        }
        if news.created {
            self.has_begun = true;
            // A watch of revisions to come would wait for all of them in silence.
            if news.header.revision.0 < self.revision {
                return Err(Failure::Final(EtcdError::Compacted(self.revision + 1)));
            }
        }
        let mut last = None;
        for entry in news.entries() {
            let entry = entry.ok_or_else(no_etcd)?;
            last = Some(entry.revision);
            self.events.push(entry);
        }
        if let Some(last) = last {
            // The header's revision may be ahead of the events.
            self.revision = self.revision.max(last - i64::from(news.fragment));
        }
        Ok(())
    }

    /// Why the stream has ended.
    fn end(&mut self) -> Failure {
        let mut result = None;
        self.multi.messages(|message| {
            if let Some(found) = message.result_for2(&self.handle) {
                result = Some(found);
            }
        });
        let lines = self.handle.get_ref();
        if lines.is_too_long {
            let why = format!("a message of {} is too long", self.server);
            return Failure::Next(EtcdError::Refused(why));
        }
        match result {
            Some(Err(why)) => explain(&self.settings, &self.server, &why),
            _ if !lines.bytes.is_empty() => self.failure(&lines.bytes),
            _ => Failure::Next(EtcdError::Unreachable(format!(
                "etcd at {} ended the watch",
                self.server
            ))),
        }
    }

    fn failure(&self, body: &[u8]) -> Failure {
        let status = self.handle.response_code().unwrap_or(0);
        let first = self.revision + 1;
        answer::failure(&self.settings, &self.server, status, body, first)
    }
}

fn broken(server: &str, why: &curl::MultiError) -> Failure {
    Failure::Next(EtcdError::Unreachable(format!(
        "no watch with etcd at {server}: {why}"
    )))
}

/// What has arrived of the stream.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    is_too_long: bool,
}

impl Handler for Lines {
    fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        self.is_too_long = self.bytes.len() + data.len() > LONGEST;
        if self.is_too_long {
            // Accepting less than was offered ends the transfer.
            return Ok(0);
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }
}
