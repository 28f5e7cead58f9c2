//! An account's events as server-sent events.
//!
//! A reader has a thread of the HTTP server's and keeps the number of its last event; the
//! `runtime::feed` gives it what came since. One that is slow is behind by itself; when the
//! journal has moved on past it, it is told so and begins anew with a snapshot.

use crate::runtime;
use std::collections::{HashSet, VecDeque};
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json as object;

use super::access::Pass;
use super::users::{Members, Reloaded, may_see, pairs, records};
use super::{HttpCaller, Reply, Request, account, error, reader_slots, session};
use crate::runtime::feed::{Next, Note, Reader};
use crate::runtime::store;
use asterisk::http::{Body, Gone, Stream};
use presence::account::{Event, EventsQuery, Record, Subscription};
use presence::model::flags::Flag;

/// A line that says nothing, so that both sides and all between know that the other is
/// there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often it is looked whether a silent reader is still there.
const LOOK: Duration = Duration::from_secs(1);
/// What comes within this time goes out together: a reader is not woken for each event of
/// a storm.
const GATHER: Duration = Duration::from_millis(5);
/// So long a stream lasts. Whoever comes back has missed nothing, and is asked again who it
/// is: a session may have ended.
const LASTS: Duration = Duration::from_secs(60 * 60);
/// Events written at a time.
const BATCH: usize = 256;
/// Users in one message of a snapshot.
const SNAPSHOT: usize = 200;

/// `GET v1/account/{id}/events`
pub fn stream(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    let answer = || {
        // First: a reload that comes in between ends this stream at once.
        let runtime = runtime::current().ok_or_else(super::not_running)?;
        let round = runtime.feed.round();
        let account = account(request, caller)?;
        let last = request.header("Last-Event-ID");
        let query = EventsQuery::parse(&pairs(request)?, last);
        let query = query.map_err(|why| error(400, "query", &why))?;
        if store::read(|world| world.directory().settings.http.journal) == Some(0) {
            let why = "There is no feed here: journal = 0 in userpresence.conf.";
            return Err(error(503, "off", why));
        }
        let members = Members::of(&account, &query.extensions, caller)?;
        let slot = reader_slots::take(&account, caller)?;
        let name = account.as_str().into();
        let reader = Reader::new(&runtime.feed, name, query.last, members.sequence, round);
        let (reader, goes_on) =
            reader.ok_or_else(|| error(503, "not_running", runtime::NOT_RUNNING))?;
        session::goes_on(request);
        let wanted = (!query.extensions.is_empty()).then(|| {
            let users = members.users.iter();
            users
                .map(|id| members.directory.get(*id).name.clone())
                .collect()
        });
        let begin = match (query.last, goes_on) {
            (Some(_), false) => Begin::Reset,
            (None, _) if query.snapshot => Begin::Snapshot,
            _ => Begin::Live,
        };
        let mut feed = FeedStream {
            subscription: Subscription::new(Subscription::path(&account)),
            account,
            caller: caller.clone(),
            query,
            wanted,
            reader,
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
            body: Body::Stream(Box::new(move |stream| {
                let _slot = slot;
                // Whoever is gone need not be told.
                let _ = feed.run(stream, begin);
                if stream.was_dropped() {
                    feed.count_lost(stream);
                }
            })),
        })
    };
    answer().unwrap_or_else(|refusal| refusal)
}

/// What a reader is told first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// Nothing: it knows all that was before.
    Live,
    /// Everyone.
    Snapshot,
    /// That it has missed something, and everyone.
    Reset,
}

struct FeedStream {
    subscription: Subscription,
    account: String,
    caller: HttpCaller,
    query: EventsQuery,
    /// The names of those who are wanted; `None` for everyone.
    wanted: Option<HashSet<Arc<str>>>,
    reader: Reader,
    pass: Pass,
    sent: Sent,
}

/// What was written and perhaps has not come yet.
#[derive(Default)]
struct Sent {
    /// Bytes, since the stream began.
    total: u64,
    /// Where each piece ends, and the number of the last event before it.
    pieces: VecDeque<(u64, u64)>,
}

impl Sent {
    /// Forgets what has come.
    fn settle(&mut self, stream: &Stream<'_>) {
        let come = self.total.saturating_sub(stream.unacknowledged());
        while self.pieces.front().is_some_and(|(end, _)| *end <= come) {
            self.pieces.pop_front();
        }
    }
}

#[derive(Serialize)]
struct Snapshot<'a> {
    records: &'a [Record],
    sequence: u64,
    more: bool,
}

impl FeedStream {
    fn run(&mut self, stream: &mut Stream<'_>, begin: Begin) -> Result<(), Gone> {
        // A browser that loses the stream comes back after this time, in milliseconds.
        stream.write(b"retry: 2000\n\n")?;
        match begin {
            Begin::Live => {}
            begin => self.snapshot(stream, begin)?,
        }
        let end = Instant::now() + LASTS;
        let mut beat = Instant::now() + HEARTBEAT;
        let mut text = String::new();
        loop {
            let deadline = beat.min(Instant::now() + LOOK);
            let before = self.reader.sequence;
            match self.reader.next(BATCH, deadline) {
                Next::Over => return Ok(()),
                Next::Missed(_) => self.snapshot(stream, Begin::Reset)?,
                Next::News(events, notes) => {
                    text.clear();
                    events.iter().for_each(|event| self.event(&mut text, event));
                    notes.iter().for_each(|note| self.note(&mut text, note));
                }
            }
            // Also whoever has logged out meanwhile is told nothing more.
            if stream.gone() || Instant::now() >= end || !self.pass.holds() {
                return Err(Gone);
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

    /// Writes what comes after the event of that number.
    fn write(&mut self, stream: &mut Stream<'_>, text: &str, before: u64) -> Result<(), Gone> {
        let written = stream.write(text.as_bytes());
        self.sent.total += text.len() as u64;
        let end = match written {
            Ok(()) => self.sent.total,
            // However much of it has come: it has not come whole.
            Err(Gone) => u64::MAX,
        };
        self.sent.pieces.push_back((end, before));
        self.sent.settle(stream);
        written
    }

    /// Counts the events that a reader who was dropped has not been given.
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
        // Who hides takes back what was told before, too: it is told again to nobody.
        let seen = !event.hidden && allows(&event.user);
        let shows_or_hides = event.changed.has_visibility();
        if !may_see(&self.caller, &event.user, seen) {
            if !event.hidden || shows_or_hides {
                let gone = object!({"extensionId": *event.id, "sequence": event.sequence});
                message(text, Some(event.sequence), "hidden", &gone.to_string());
            }
            return;
        }
        // Who is to be seen again is news, whatever else is wanted.
        let wanted = self.query.details;
        if shows_or_hides || wanted.is_none_or(|wanted| wanted.meets(event.changed)) {
            let json = match self.query.with_record {
                true => {
                    runtime::with(|runtime| runtime.json_with_record(event, &self.subscription))
                }
                false => None,
            };
            let json = json.unwrap_or_else(|| event.json(&self.subscription));
            message(text, Some(event.sequence), "presence", &json);
        }
    }

    /// A push message is its user's own.
    fn note(&self, text: &mut String, note: &Note) {
        if may_see(&self.caller, &note.user, false) {
            message(text, None, "push", &note.json);
        }
    }

    /// Everyone as they are; what changes meanwhile is told afterwards.
    fn snapshot(&mut self, stream: &mut Stream<'_>, begin: Begin) -> Result<(), Gone> {
        // One who was wanted may be gone since: the stream ends with the reload.
        let Ok(members) = Members::of(&self.account, &[], &self.caller) else {
            return Err(Gone);
        };
        let mut users = members.users;
        if let Some(wanted) = &self.wanted {
            users.retain(|id| wanted.contains(&members.directory.get(*id).name));
        }
        self.reader.sequence = members.sequence;
        // What was missed before is counted where it was noticed.
        self.sent.pieces.clear();
        let mut text = String::new();
        if begin == Begin::Reset {
            let reason = "The journal does not reach back to what was missed.";
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
            // A reload ends the stream, before it says that this was everyone.
            whole.map_err(|Reloaded| Gone)?;
            let more = chunks.peek().is_some();
            let snapshot = Snapshot {
                records: &found,
                sequence: members.sequence,
                more,
            };
            // Plain texts and numbers always serialise.
            let json = serde_json::to_string(&snapshot).unwrap_or_default();
            message(
                &mut text,
                (!more).then_some(members.sequence),
                "snapshot",
                &json,
            );
            self.write(stream, &text, members.sequence)?;
            text.clear();
        }
        Ok(())
    }
}

/// Whether the user may be seen by others now.
fn allows(user: &str) -> bool {
    let allows = store::read(|world| {
        let id = world.directory().user(user)?;
        Some(world.flags(id).get(Flag::AllowSeeMyPresence))
    });
    allows.flatten().unwrap_or(false)
}

/// One message. JSON has no line ends of its own.
fn message(text: &mut String, id: Option<u64>, event: &str, json: &str) {
    if let Some(id) = id {
        let _ = writeln!(text, "id: {id}");
    }
    let _ = write!(text, "event: {event}\ndata: {json}\n\n");
}
