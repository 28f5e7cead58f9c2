//! Posts one event with libcurl.
//!
//! The crate `curl` calls `curl_global_init` once, when the module is mapped; libcurl
//! counts these calls and, since 7.84, accepts them from any thread. `curl_global_cleanup` is
//! never called: the module stays mapped, and `res_curl` makes its own call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use curl::easy::{Easy2, Handler, List, WriteError};
use curl::multi::{Easy2Handle, Multi};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{Post, PostOutcome, PostedEvent};
use presence::config::Webhook;

/// The most that is read of an answer's body, in bytes. The content is ignored.
const ANSWER: usize = 64 * 1024;

/// The interval of checks whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Posts events, and keeps the connection for the next one.
struct Poster(Option<Multi>);

/// A poster without a connection.
pub fn poster() -> Box<dyn Post> {
    Box::new(Poster(None))
}

impl Post for Poster {
    fn post(&mut self, spec: &Webhook, event: &PostedEvent<'_>, stop: &AtomicBool) -> PostOutcome {
        let multi = self.0.get_or_insert_with(Multi::new);
        let done = prepare(spec, event)
            .map_err(|why| why.to_string())
            .and_then(|easy| perform(multi, easy, stop));
        match done {
            Ok(None) => PostOutcome::Stopped,
            Ok(Some((status, after))) => match status {
                200..300 => PostOutcome::Delivered,
                410 => PostOutcome::Gone,
                other => PostOutcome::Failed(format!("the answer was HTTP status {other}"), after),
            },
            Err(why) => PostOutcome::Failed(why, None),
        }
    }

    fn reset(&mut self) {
        self.0 = None;
    }
}

fn prepare(spec: &Webhook, event: &PostedEvent<'_>) -> Result<Easy2<Answer>, curl::Error> {
    let PostedEvent {
        sequence,
        node,
        json,
    } = *event;
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    let time = time.unwrap_or_default().as_secs();
    let mut headers = List::new();
    headers.append("Content-Type: application/json")?;
    headers.append(&format!("X-UserPresence-Timestamp: {time}"))?;
    let signature = sign(spec.secret.text(), time, json);
    headers.append(&format!("X-UserPresence-Signature: sha256={signature}"))?;
    headers.append(&format!("X-UserPresence-Sequence: {sequence}"))?;
    if let Some(node) = node {
        headers.append(&format!("X-UserPresence-Node: {node}"))?;
    }
    // Without `Expect: 100-continue`: the body is short.
    headers.append("Expect:")?;
    let mut easy = Easy2::new(Answer::default());
    easy.url(spec.url.whole())?;
    easy.post(true)?;
    easy.post_fields_copy(json.as_bytes())?;
    easy.http_headers(headers)?;
    easy.useragent(concat!("res_userpresence/", env!("CARGO_PKG_VERSION")))?;
    easy.timeout(spec.timeout)?;
    easy.connect_timeout(spec.timeout)?;
    easy.follow_location(false)?;
    // Only the configuration decides where events go: proxies in the environment are meant
    // for other programs.
    easy.proxy("")?;
    easy.ssl_verify_peer(true)?;
    easy.ssl_verify_host(true)?;
    if let Some(file) = &spec.ca_file {
        easy.cainfo(&**file)?;
    }
    Ok(easy)
}

/// The HTTP status and `Retry-After`; `None` if `stop` was set.
fn perform(
    multi: &Multi,
    easy: Easy2<Answer>,
    stop: &AtomicBool,
) -> Result<Option<(u32, Option<Duration>)>, String> {
    let mut handle = multi.add2(easy).map_err(|why| why.to_string())?;
    loop {
        let left = multi.perform().map_err(|why| why.to_string())?;
        if stop.load(Ordering::Acquire) {
            return Ok(None);
        }
        if left == 0 {
            break;
        }
        multi.poll(&mut [], LOOK).map_err(|why| why.to_string())?;
    }
    let mut result = Err("the transfer ended without a result".to_owned());
    multi.messages(|message| {
        if let Some(found) = message.result_for2(&handle) {
            result = found.map_err(|why| explain(&why));
        }
    });
    let status = status(&mut handle);
    // An answer that is too long had a status before.
    if result.is_ok() || handle.get_ref().too_long() {
        return Ok(Some((status, handle.get_ref().after)));
    }
    result.map(|()| None)
}

fn status(handle: &mut Easy2Handle<Answer>) -> u32 {
    handle.response_code().unwrap_or(0)
}

/// libcurl's description of the failure: the specific one if there is one.
fn explain(why: &curl::Error) -> String {
    let extra = why.extra_description().map(str::trim);
    extra
        .filter(|extra| !extra.is_empty())
        .unwrap_or(why.description())
        .to_owned()
}

/// The hexadecimal HMAC-SHA256 of time and body.
fn sign(secret: &str, time: u64, json: &str) -> String {
    // HMAC accepts keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{time}.{json}").as_bytes());
    format!("{:x}", mac.finalize().into_bytes())
}

/// The parts of an answer that matter.
#[derive(Default)]
struct Answer {
    taken: usize,
    after: Option<Duration>,
}

impl Answer {
    fn too_long(&self) -> bool {
        self.taken > ANSWER
    }
}

impl Handler for Answer {
    fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        self.taken = self.taken.saturating_add(data.len());
        // Accepting less than was offered ends the transfer.
        Ok(if self.too_long() { 0 } else { data.len() })
    }

    fn header(&mut self, line: &[u8]) -> bool {
        let line = std::str::from_utf8(line).unwrap_or_default();
        if let Some((name, value)) = line.split_once(':') {
            if name.eq_ignore_ascii_case("Retry-After") {
                // The form with a date is ignored.
                self.after = value.trim().parse().ok().map(Duration::from_secs);
            }
        }
        true
    }
}
