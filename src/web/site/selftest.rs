//! Test builds only: a stream, `v1/selftest`, which writes until the reader goes: with the
//! query `line` a short line every 10 ms, with `flood` as much as the reader accepts.

use std::time::Duration;

use asterisk::http::{Reply, ReplyBody, Request};

/// Begins a stream.
pub fn stream(request: &Request<'_>) -> Reply {
    let flood = request.query().flatten().any(|(name, _)| name == "flood");
    let piece = match flood {
        true => "all that is taken\n".repeat(10_000),
        false => "line\n".to_owned(),
    };
    Reply {
        status: 200,
        headers: vec![("Content-Type", "text/event-stream".into())],
        body: ReplyBody::Stream(Box::new(move |stream| {
            while stream.write(piece.as_bytes()).is_ok() && !stream.gone() {
                std::thread::sleep(Duration::from_millis(10));
            }
        })),
    }
}
