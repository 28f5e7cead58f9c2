//! An account's events as server-sent events.
//!
//! A reader has a thread of the HTTP server and keeps the number of its last event;
//! `runtime::feed` returns the events after that. A slow reader delays no other reader. If the
//! journal no longer holds the events that a reader needs, the reader gets a `reset` and a
//! new snapshot.

use crate::runtime;
use std::collections::{HashSet, VecDeque};
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json as object;

use super::access::Pass;
use super::calls;
use super::users::{Members, Reloaded, pairs, records};
use super::{HttpCaller, Reply, Request, account, error, reader_slots, session};
use crate::runtime::feed::{Next, Note, Reader};
use crate::runtime::live_calls::CallsOf;
use crate::runtime::store;
use asterisk::http::{ReaderGone, ReplyBody, Stream};
use presence::account::{Event, EventId, EventsQuery, Record, Subscription, wants_group};
use presence::model::visibility::Viewer;

/// The interval of comment lines, which keep the connection open and show both sides that the
/// other is still there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The interval of checks whether the reader is still connected.
const LOOK: Duration = Duration::from_secs(1);
/// Events within this time are written together, so that a reader does not wake up for each
/// event of a storm.
const GATHER: Duration = Duration::from_millis(5);
/// The duration of a stream. A client that reconnects resumes without a gap, and is
/// authenticated again.
const LASTS: Duration = Duration::from_secs(60 * 60);
/// The number of events in one write.
const BATCH: usize = 256;
/// The number of users in one message of a snapshot.
const SNAPSHOT: usize = 200;

/// `GET v1/account/{id}/events`
pub fn stream(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    let answer = || {
        // Read first: a reload in between ends this stream at once.
        let runtime = runtime::current().ok_or_else(super::not_running)?;
        let round = runtime.feed.round();
        let account = account(request, caller)?;
        let last = request.header("Last-Event-ID");
        let query = EventsQuery::parse(&pairs(request)?, last);
        let query = query.map_err(|why| error(400, "query", &why))?;
        if store::read(|world| world.directory().settings.http.journal) == Some(0) {
            let why = "The feed is off: journal = 0 in userpresence.conf.";
            return Err(error(503, "off", why));
        }
        let members = Members::of(&account, &query.extensions, caller)?;
        let slot = reader_slots::take(&account, caller)?;
        let name = account.as_str().into();
        let settings = &members.directory.settings;
        let last = query.last.as_ref().map(|last| last.sequence_on(settings));
        let reader = Reader::new(&runtime.feed, name, last.flatten(), members.sequence, round);
        let (reader, resumes) =
            reader.ok_or_else(|| error(503, "not_running", runtime::NOT_RUNNING))?;
        session::count_as_panel(request);
        let every = query.extensions.is_empty() && query.groups.is_empty();
        let wanted = (!every).then(|| {
            let users = members.users.iter();
            let users = users.map(|id| members.directory.get(*id));
            let users = users.filter(|user| wants_group(&query.groups, user));
            users.map(|user| user.name.clone()).collect()
        });
        let viewer = store::read(|world| world.viewer(caller));
        let begin = match (last, resumes) {
            (Some(None), _) => Begin::Reset(OTHER_NODE),
            (Some(_), false) => Begin::Reset(MISSED),
            (None, _) if query.snapshot => Begin::Snapshot,
            _ => Begin::Live,
        };
        let mut feed = FeedStream {
            subscription: Subscription::new(Subscription::path(&account)),
            account,
            caller: caller.clone(),
            viewer: viewer.ok_or_else(super::not_running)?,
            node: settings
                .cluster
                .as_ref()
                .map(|cluster| cluster.node.clone()),
            query,
            wanted,
            reader: reader.with_calls(),
            calls: None,
            pass: Pass::new(caller),
            sent: Sent::default(),
        };
        Ok(Reply {
            status: 200,
            headers: vec![
                ("Content-Type", "text/event-stream".into()),
                ("Cache-Control", "no-store".into()),
                ("X-Accel-Buffering", "no".into()),
            ],
            body: ReplyBody::Stream(Box::new(move |stream| {
                let _slot = slot;
                // An error means that the reader has gone.
                let _ = feed.run(stream, begin);
                if stream.was_dropped() {
                    feed.count_lost(stream);
                }
            })),
        })
    };
    answer().unwrap_or_else(|refusal| refusal)
}

/// The beginning of a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// Only events: the reader knows everything before.
    Live,
    /// A snapshot of all users.
    Snapshot,
    /// A `reset` with the reason why the reader cannot resume, and a snapshot.
    Reset(&'static str),
}

const MISSED: &str = "The journal no longer holds the events that were missed.";
const OTHER_NODE: &str = "The last event was one of another server, which has its own numbers.";

struct FeedStream {
    subscription: Subscription,
    account: String,
    caller: HttpCaller,
    /// The caller as a reader; a reload, which may change it, ends the stream.
    viewer: Viewer,
    /// The name of this node in the cluster; a reload, which may change it, ends the stream.
    node: Option<Arc<str>>,
    query: EventsQuery,
    /// The names of the requested users; `None` for all.
    wanted: Option<HashSet<Arc<str>>>,
    reader: Reader,
    /// The version of the table of calls that the reader knows; `None` if the account does not
    /// show its calls.
    calls: Option<u64>,
    pass: Pass,
    sent: Sent,
}

/// The data that was written but possibly not received yet.
#[derive(Default)]
struct Sent {
    /// In bytes, since the stream began.
    total: u64,
    /// The end of each write, in bytes, and the number of the last event before it.
    pieces: VecDeque<(u64, u64)>,
}

impl Sent {
    /// Removes the writes that the reader has received.
    fn settle(&mut self, stream: &Stream<'_>) {
        let come = self.total.saturating_sub(stream.unacknowledged());
        while self.pieces.front().is_some_and(|(end, _)| *end <= come) {
            self.pieces.pop_front();
        }
    }
}

#[derive(Serialize)]
struct SnapshotMessage<'a> {
    records: &'a [Record],
    sequence: u64,
    more: bool,
}

impl FeedStream {
    fn run(&mut self, stream: &mut Stream<'_>, begin: Begin) -> Result<(), ReaderGone> {
        // A browser that loses the stream reconnects after this time, in milliseconds.
        stream.write(b"retry: 2000\n\n")?;
        match begin {
            Begin::Live => {}
            begin => self.snapshot(stream, begin)?,
        }
        let mut text = String::new();
        self.calls(&mut text, &[]);
        if !text.is_empty() {
            let before = self.reader.sequence;
            self.write(stream, &text, before)?;
        }
        let end = Instant::now() + LASTS;
        let mut beat = Instant::now() + HEARTBEAT;
        loop {
            let deadline = beat.min(Instant::now() + LOOK);
            let before = self.reader.sequence;
            match self.reader.next(BATCH, deadline) {
                Next::Over => return Ok(()),
                Next::Missed(_) => {
                    self.snapshot(stream, Begin::Reset(MISSED))?;
                    self.calls = None;
                    self.calls(&mut text, &[]);
                }
                Next::News(events, notes) => {
                    text.clear();
                    events.iter().for_each(|event| self.event(&mut text, event));
                    notes.iter().for_each(|note| self.push(&mut text, note));
                    let seen = events.iter().filter(|event| event.changed.has_visibility());
                    let seen: Vec<Arc<str>> = seen.map(|event| event.user.clone()).collect();
                    self.calls(&mut text, &seen);
                }
            }
            // Checked before writing: a caller that has logged out gets nothing more.
            if stream.gone() || Instant::now() >= end || !self.pass.holds() {
                return Err(ReaderGone);
            }
            if text.is_empty() && Instant::now() >= beat {
                text.push_str(":\n\n");
            }
            if !text.is_empty() {
                self.write(stream, &text, before)?;
                beat = Instant::now() + HEARTBEAT;
                text.clear();
                std::thread::sleep(GATHER);
            }
        }
    }

    /// Writes `text`, which follows the event with the number `before`.
    fn write(
        &mut self,
        stream: &mut Stream<'_>,
        text: &str,
        before: u64,
    ) -> Result<(), ReaderGone> {
        let written = stream.write(text.as_bytes());
        self.sent.total += text.len() as u64;
        let end = match written {
            Ok(()) => self.sent.total,
            // The reader may have received a part, but not all of it.
            Err(ReaderGone) => u64::MAX,
        };
        self.sent.pieces.push_back((end, before));
        self.sent.settle(stream);
        written
    }

    /// Counts the events that a dropped reader has not received.
    fn count_lost(&mut self, stream: &Stream<'_>) {
        self.sent.settle(stream);
        let come = self.sent.pieces.front().map(|(_, before)| *before);
        let come = come.unwrap_or(self.reader.sequence);
        let last = store::read(|world| {
            let account = world.directory().account_named(&self.account)?;
            Some(world.account_sequence(account))
        });
        if let Some(last) = last.flatten() {
            let lost = last.saturating_sub(come);
            runtime::with(|runtime| runtime.stats().events_lost.add(lost));
        }
    }

    fn event(&self, text: &mut String, event: &Event) {
        if self
            .wanted
            .as_ref()
            .is_some_and(|wanted| !wanted.contains(&event.user))
        {
            return;
        }
        // A user who hides is hidden for events from before, too.
        let [before, after] = event.was_seen_by(&self.viewer);
        if !(after && sees(&self.viewer, &event.user)) {
            if before || after {
                let gone = object!({"extensionId": *event.id, "sequence": event.sequence});
                message(text, self.id(event.sequence), "hidden", &gone.to_string());
            }
            return;
        }
        // A user who becomes visible again is always reported, whatever details are requested.
        let wanted = self.query.details;
        if event.changed.has_visibility()
            || wanted.is_none_or(|wanted| wanted.intersects(event.changed))
        {
            let json = match self.query.with_record {
                true => {
                    runtime::with(|runtime| runtime.json_with_record(event, &self.subscription))
                }
                false => None,
            };
            let json = json.unwrap_or_else(|| event.json(&self.subscription));
            message(text, self.id(event.sequence), "presence", &json);
        }
    }

    /// Writes the calls of users that have changed, and those in which users take part whose
    /// visibility has; those of everybody if the reader knows none yet.
    fn calls(&mut self, text: &mut String, seen_otherwise: &[Arc<str>]) {
        let of = match self.calls {
            Some(version) => CallsOf::ChangedSince(version, seen_otherwise),
            None => CallsOf::Everybody,
        };
        let wanted = &self.wanted;
        let wants = |user: &str| wanted.as_ref().is_none_or(|wanted| wanted.contains(user));
        let read = calls::messages(&self.account, &self.caller, of, wants);
        self.calls = read.map(|(messages, version)| {
            for json in messages {
                message(text, None, "calls", &json);
            }
            version
        });
    }

    /// The id of the event with this number.
    fn id(&self, sequence: u64) -> Option<EventId<'_>> {
        Some(EventId::new(self.node.as_deref(), sequence))
    }

    /// Only the user's own callers receive a push message.
    fn push(&self, text: &mut String, note: &Note) {
        if self.viewer.is(&note.user) {
            message(text, None, "push", &note.json);
        }
    }

    /// Writes all users as they are now; changes in the meantime follow as events.
    fn snapshot(&mut self, stream: &mut Stream<'_>, begin: Begin) -> Result<(), ReaderGone> {
        // A reload may have removed a requested user; it ends the stream anyway.
        let Ok(members) = Members::of(&self.account, &[], &self.caller) else {
            return Err(ReaderGone);
        };
        let mut users = members.users;
        if let Some(wanted) = &self.wanted {
            users.retain(|id| wanted.contains(&members.directory.get(*id).name));
        }
        self.reader.sequence = members.sequence;
        // Events missed before were counted when the gap was found.
        self.sent.pieces.clear();
        let mut text = String::new();
        if let Begin::Reset(reason) = begin {
            let reset = object!({"reason": reason, "sequence": members.sequence});
            message(&mut text, None, "reset", &reset.to_string());
        }
        let mut chunks = users.chunks(SNAPSHOT).peekable();
        let mut first = true;
        while first || chunks.peek().is_some() {
            first = false;
            let mut found = Vec::new();
            let chunk = chunks.next().unwrap_or_default();
            let whole = records(&members.directory, chunk, &self.caller, |record| {
                found.push(record);
            });
            // A reload ends the stream before the snapshot is complete.
            whole.map_err(|Reloaded| ReaderGone)?;
            let more = chunks.peek().is_some();
            let snapshot = SnapshotMessage {
                records: &found,
                sequence: members.sequence,
                more,
            };
            // Strings and numbers always serialise.
            let json = serde_json::to_string(&snapshot).unwrap_or_default();
            let id = self.id(members.sequence).filter(|_| !more);
            message(&mut text, id, "snapshot", &json);
            self.write(stream, &text, members.sequence)?;
            text.clear();
        }
        Ok(())
    }
}

/// Whether the reader may see the user now.
fn sees(viewer: &Viewer, user: &str) -> bool {
    let sees = store::read(|world| {
        let id = world.directory().user(user)?;
        Some(world.may_see(viewer, id))
    });
    sees.flatten().unwrap_or(false)
}

/// Appends one message. The JSON contains no line breaks.
fn message(text: &mut String, id: Option<EventId<'_>>, event: &str, json: &str) {
    if let Some(id) = id {
        let _ = writeln!(text, "id: {id}");
    }
    let _ = write!(text, "event: {event}\ndata: {json}\n\n");
}
