//! etcd's JSON: requests are written as text, answers are read without copies.

use std::borrow::Cow;
use std::fmt::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::{Committed, Compare, Entry, Op, OpResult};

/// A key or value as the text of a JSON string.
pub(super) fn encoded(text: impl AsRef<[u8]>) -> String {
    STANDARD.encode(text)
}

/// The end of the range of keys that begin so.
pub(super) fn range_end(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    // No byte of UTF-8 is 255, so one more stays a byte.
    match end.last_mut() {
        Some(last) => *last += 1,
        // All keys.
        None => end.push(0),
    }
    end
}

/// A transaction: the guard's keys are read if it does not hold.
pub(super) fn transaction(guard: &[Compare], ops: &[Op]) -> String {
    let comparisons = joined(guard.iter().map(comparison));
    let ops = joined(ops.iter().map(operation));
    let reads = joined(guard.iter().map(|compare| read(compare.key())));
    format!(r#"{{"compare":[{comparisons}],"success":[{ops}],"failure":[{reads}]}}"#)
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    let mut all = String::new();
    for part in parts {
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(&part);
    }
    all
}

fn comparison(compare: &Compare) -> String {
    let key = encoded(compare.key());
    match compare {
        Compare::Absent { .. } => {
            format!(r#"{{"key":"{key}","target":"CREATE","create_revision":"0"}}"#)
        }
        Compare::Revision { revision, .. } => {
            format!(r#"{{"key":"{key}","target":"MOD","mod_revision":"{revision}"}}"#)
        }
        Compare::Created { revision, .. } => {
            format!(r#"{{"key":"{key}","target":"CREATE","create_revision":"{revision}"}}"#)
        }
        Compare::Value { value, .. } => {
            let value = encoded(value);
            format!(r#"{{"key":"{key}","target":"VALUE","value":"{value}"}}"#)
        }
        Compare::Lease { lease, .. } => {
            format!(r#"{{"key":"{key}","target":"LEASE","lease":"{lease}"}}"#)
        }
    }
}

fn read(key: &str) -> String {
    format!(r#"{{"request_range":{{"key":"{}"}}}}"#, encoded(key))
}

fn operation(op: &Op) -> String {
    let (key, seen, request) = match op {
        Op::Put {
            key,
            value,
            lease,
            seen,
        } => {
            let mut request = format!(
                r#"{{"request_put":{{"key":"{}","value":"{}""#,
                encoded(key),
                encoded(value)
            );
            if *lease != 0 {
                let _ = write!(request, r#","lease":"{lease}""#);
            }
            request.push_str("}}");
            (key, seen, request)
        }
        Op::Delete { key, seen } => {
            let request = format!(r#"{{"request_delete_range":{{"key":"{}"}}}}"#, encoded(key));
            (key, seen, request)
        }
        Op::DeleteAll { prefix } => {
            return format!(
                r#"{{"request_delete_range":{{"key":"{}","range_end":"{}"}}}}"#,
                encoded(prefix),
                encoded(range_end(prefix))
            );
        }
    };
    let Some(seen) = seen else {
        return request;
    };
    let compare = comparison(&Compare::Revision {
        key: key.clone(),
        revision: *seen,
    });
    let read = read(key);
    format!(
        r#"{{"request_txn":{{"compare":[{compare}],"success":[{request}],"failure":[{read}]}}}}"#
    )
}

/// A number of 64 bits, which JSON carries as text.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Number(pub i64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl Visitor<'_> for NumberVisitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
                text.parse().map(Number).map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Number, E> {
                number.try_into().map(Number).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

/// The part of an answer that says when it was.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AnswerHeader {
    pub revision: Number,
}

/// A key with its value.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Kv<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
    create_revision: Number,
    mod_revision: Number,
    lease: Number,
}

impl Kv<'_> {
    fn entry(&self, deleted: bool) -> Option<Entry> {
        let value = match deleted {
            true => None,
            false => Some(decoded(&self.value)?),
        };
        Some(Entry {
            key: decoded(&self.key)?,
            value,
            revision: self.mod_revision.0,
            created: self.create_revision.0,
            lease: self.lease.0,
        })
    }
}

/// The text; other bytes than UTF-8, which this module never writes, are replaced.
fn decoded(text: &str) -> Option<String> {
    let bytes = STANDARD.decode(text).ok()?;
    Some(
        String::from_utf8(bytes)
            .unwrap_or_else(|wrong| String::from_utf8_lossy(wrong.as_bytes()).into_owned()),
    )
}

/// The answer to a range.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RangeAnswer<'a> {
    pub header: AnswerHeader,
    #[serde(borrow)]
    kvs: Vec<Kv<'a>>,
    pub more: bool,
}

impl RangeAnswer<'_> {
    /// The entries; `None` for one that cannot be read.
    pub(super) fn entries(&self) -> impl Iterator<Item = Option<Entry>> {
        self.kvs.iter().map(|kv| kv.entry(false))
    }

    fn first(&self) -> Option<Option<Entry>> {
        match self.kvs.first() {
            Some(kv) => Some(Some(kv.entry(false)?)),
            None => Some(None),
        }
    }
}

/// The answer to a transaction.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TxnAnswer<'a> {
    header: AnswerHeader,
    succeeded: bool,
    #[serde(borrow)]
    responses: Vec<OpAnswer<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OpAnswer<'a> {
    #[serde(borrow)]
    response_range: Option<RangeAnswer<'a>>,
    #[serde(borrow)]
    response_txn: Option<Box<TxnAnswer<'a>>>,
}

impl TxnAnswer<'_> {
    /// What it means, if there is one response for each operation.
    pub(super) fn committed(&self, guard: usize, ops: usize) -> Option<Committed> {
        let expected = if self.succeeded { ops } else { guard };
        if self.responses.len() != expected {
            return None;
        }
        let responses = self.responses.iter();
        Some(match self.succeeded {
            true => Committed::Done {
                revision: self.header.revision.0,
                results: responses.map(OpAnswer::result).collect::<Option<_>>()?,
            },
            false => Committed::Guarded {
                entries: responses
                    .map(|answer| answer.response_range.as_ref()?.first())
                    .collect::<Option<_>>()?,
            },
        })
    }
}

impl OpAnswer<'_> {
    fn result(&self) -> Option<OpResult> {
        Some(match &self.response_txn {
            Some(inner) if !inner.succeeded => {
                let read = inner.responses.first()?.response_range.as_ref()?;
                OpResult::Differs(read.first()?)
            }
            _ => OpResult::Written,
        })
    }
}

/// A message of a stream: a result or an error.
#[derive(Deserialize)]
pub(super) struct StreamAnswer<R> {
    pub result: Option<R>,
}

/// A message of a watch.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WatchAnswer<'a> {
    pub header: AnswerHeader,
    pub created: bool,
    pub canceled: bool,
    pub compact_revision: Number,
    #[serde(borrow)]
    pub cancel_reason: Cow<'a, str>,
    /// More events of the last revision follow.
    pub fragment: bool,
    #[serde(borrow)]
    events: Vec<EventAnswer<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EventAnswer<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    kv: Kv<'a>,
}

impl WatchAnswer<'_> {
    /// The changes; `None` for one that cannot be read.
    pub(super) fn entries(&self) -> impl Iterator<Item = Option<Entry>> {
        let events = self.events.iter();
        events.map(|event| event.kv.entry(event.kind == "DELETE"))
    }
}

/// The answer to a lease's grant or renewal. A lease that has ended has no time left.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct LeaseAnswer {
    #[serde(rename = "ID")]
    pub id: Number,
    #[serde(rename = "TTL")]
    pub ttl: Number,
}

/// The answer to a user's name and password.
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    pub token: String,
}

/// The answer to `GET /version`.
#[derive(Deserialize)]
pub(super) struct VersionAnswer {
    /// The server's own release. That of all members together is 3.0 until they have agreed,
    /// seconds after a start.
    pub etcdserver: String,
}

/// An answer that reports an error, in the forms of several releases.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorAnswer {
    #[serde(alias = "grpc_code")]
    code: i64,
    message: String,
    error: Option<ErrorPart>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ErrorPart {
    Inner(Box<ErrorAnswer>),
    Text(String),
}

impl ErrorAnswer {
    /// gRPC's code and the message.
    pub(super) fn parts(self) -> (i64, String) {
        match self.error {
            Some(ErrorPart::Inner(inner)) => inner.parts(),
            Some(ErrorPart::Text(text)) if self.message.is_empty() => (self.code, text),
            _ => (self.code, self.message),
        }
    }
}
