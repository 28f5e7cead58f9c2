//! Test builds only (feature `selftest`): `userpresence selftest ...` forces panics, and
//! times this module's calls beside Asterisk's own in one process.

use std::ffi::CString;
use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::convert;
use crate::runtime::{self, store};
use crate::surfaces::pidf::UserPresencePidf;
use crate::trip;
use crate::web::site::UserPresenceSite;
use asterisk::cli::{Args, CliResult, Command};
use asterisk::http::Site;
use asterisk::pjproject::XmlNode;
use asterisk::pjsip::body_supplement::{NotifiedHint, PidfSupplement};
use asterisk::presencestate::PresenceState;
use asterisk::{presencestate, selftest as layer};
use presence::Presence;
use presence::State;

#[global_allocator]
static ALLOCATOR: layer::CountingAllocator = layer::CountingAllocator;

/// The commands.
pub static COMMANDS: &[Command] = &[
    Command {
        words: c"userpresence selftest panic",
        summary: c"Panic at the next call of a location",
        usage: c"Usage: userpresence selftest panic <location>\n",
        run: |args, _| match args.0.as_slice() {
            [location] => {
                trip::arm(location);
                CliResult::Success
            }
            _ => CliResult::ShowUsage,
        },
        complete: None,
    },
    Command {
        words: c"userpresence selftest streams",
        summary: c"Number of open HTTP streams",
        usage: c"Usage: userpresence selftest streams\n",
        run: |_, out| {
            let _ = writeln!(out, "{}", UserPresenceSite::state().streams());
            CliResult::Success
        },
        complete: None,
    },
    Command {
        words: c"userpresence selftest passwords",
        summary: c"Use all password checks until they are freed",
        usage: c"Usage: userpresence selftest passwords {hold|free}\n",
        run: |args, _| match args.0.as_slice() {
            ["hold"] => {
                crate::web::site::hold_looks(true);
                CliResult::Success
            }
            ["free"] => {
                crate::web::site::hold_looks(false);
                CliResult::Success
            }
            _ => CliResult::ShowUsage,
        },
        complete: None,
    },
    Command {
        words: c"userpresence selftest memory",
        summary: c"Bytes allocated by the module and by the process",
        usage: c"Usage: userpresence selftest memory\n",
        run: |_, out| {
            let _ = writeln!(out, "{} {}", layer::held(), layer::held_by_all());
            CliResult::Success
        },
        complete: None,
    },
    Command {
        words: c"userpresence selftest slack",
        summary: c"Register a structure of an older release",
        usage: c"Usage: userpresence selftest slack\n",
        run: |_, out| match layer::register_short_function() {
            Ok((slack, beyond)) => {
                let _ = writeln!(
                    out,
                    "{slack} bytes of the slack written, {beyond} beyond it"
                );
                CliResult::Success
            }
            Err(why) => {
                let _ = writeln!(out, "{why}");
                CliResult::Failure
            }
        },
        complete: None,
    },
    Command {
        words: c"userpresence selftest time",
        summary: c"Time calls: nanoseconds each, the best of several rounds",
        usage: c"Usage: userpresence selftest time <what> <argument> <calls>
       substitute <expression>: evaluation by the dialplan
       ask <address>: an answer of the provider
       publish <address>: one publish by Asterisk
       publish_new <prefix>: one publish by Asterisk for each of <calls> new addresses
       published <address>: from a source's event to the end of the combined publish
       event <address>: the same, including the AMI event
       change <address>: a change up to its effects, which are not delivered
       combine <user>: combining the sources again
       pidf <extension>: completing the body of a NOTIFY of that extension, away with a message
       hint <extension>: finding out whether the extension's hint names a user
",
        run: time,
        complete: None,
    },
];

fn time(args: &Args<'_>, out: &mut String) -> CliResult {
    let [what, argument, calls] = args.0.as_slice() else {
        return CliResult::ShowUsage;
    };
    let (Ok(calls), Ok(text)) = (calls.parse::<u32>(), CString::new(*argument)) else {
        return CliResult::ShowUsage;
    };
    let each = match *what {
        "substitute" => best(calls, |_| {
            black_box(layer::substitute(&text));
        }),
        "ask" => best(calls, |_| {
            black_box(layer::ask(&text));
        }),
        "publish" => {
            let (label, name) = argument.split_once(':').unwrap_or((argument, ""));
            best(calls, |call| {
                publish(label, name, call);
            })
        }
        "event" => best(calls, |call| publish_source(argument, call)),
        "publish_new" => {
            let begin = Instant::now();
            for call in 0..calls {
                let (label, name) = argument.split_once(':').unwrap_or((argument, ""));
                publish(label, &format!("{name}{call}"), call);
            }
            begin.elapsed() / calls.max(1)
        }
        "published" => best_of(calls, |call| {
            let begin = Instant::now();
            publish_source(argument, call);
            let end = trip::take_published().unwrap_or(begin);
            end.saturating_duration_since(begin)
        }),
        "change" => best(calls, |call| store::discard_change(argument, &sample(call))),
        "combine" => {
            let combined = |calls| {
                store::read(|world| {
                    let user = world.directory().user(argument)?;
                    Some(best(calls, |_| drop(black_box(world.combine(user)))))
                })
            };
            combined(calls).flatten().unwrap_or_default()
        }
        "pidf" => best(calls, |_| {
            black_box(complete_body(argument));
        }),
        "hint" => best(calls, |call| {
            runtime::with(|runtime| black_box(runtime.watched_hint(argument, &sample(call))));
        }),
        _ => return CliResult::ShowUsage,
    };
    let _ = writeln!(out, "{}", each.as_nanos());
    CliResult::Success
}

/// Completes a body as Asterisk makes it.
fn complete_body(extension: &str) -> Option<Vec<u8>> {
    const NAMESPACES: [(&[u8], &[u8]); 4] = [
        (b"entity", b"sip:2000@192.0.2.1:5060"),
        (b"xmlns", b"urn:ietf:params:xml:ns:pidf"),
        (b"xmlns:dm", b"urn:ietf:params:xml:ns:pidf:data-model"),
        (b"xmlns:rpid", b"urn:ietf:params:xml:ns:pidf:rpid"),
    ];
    let leaf = |name, content| XmlNode {
        name,
        attributes: Vec::new(),
        content,
        children: Vec::new(),
    };
    let node = |name, attributes: &[_], children| XmlNode {
        name,
        attributes: attributes.to_vec(),
        content: b"",
        children,
    };
    let status = node(b"status", &[], vec![leaf(b"basic", b"open")]);
    let contact = leaf(b"contact", b"sip:watcher@192.0.2.2");
    let id: (&[u8], &[u8]) = (b"id", extension.as_bytes());
    let children = vec![
        leaf(b"note", b"Ready"),
        node(b"tuple", &[id], vec![status, contact]),
        leaf(b"dm:person", b""),
    ];
    let hint = NotifiedHint {
        extension: extension.as_bytes(),
        state: PresenceState::Away,
        subtype: b"lunch",
        message: b"Back at one",
        agent: b"a phone/1.0",
    };
    UserPresencePidf::content(node(b"presence", &NAMESPACES, children), hint)
}

fn publish_source(address: &str, call: u32) {
    let presence = sample(call);
    let (subtype, message) = (presence.subtype().as_bytes(), presence.message().as_bytes());
    runtime::with(|runtime| {
        runtime.on_presence_state(address.as_bytes(), presence.state(), subtype, message);
    });
}

fn publish(label: &str, name: &str, call: u32) {
    let sample = sample(call);
    let (state, subtype, message) = sample.parts();
    let state = convert::presence_state(state);
    drop(presencestate::publish(label, name, state, subtype, message));
}

/// Alternates between two presences, so that each call is a change.
fn sample(call: u32) -> Presence {
    let state = if call % 2 == 0 {
        State::Away
    } else {
        State::Dnd
    };
    Presence::new(state, "lunch", "Back at one")
}

/// The time of one call in the best of many short rounds: other processes on the same cores
/// can only make a round longer.
fn best(calls: u32, mut call: impl FnMut(u32)) -> Duration {
    let calls = (calls / ROUNDS).max(1);
    let mut round = || {
        let begin = Instant::now();
        (0..calls).for_each(&mut call);
        begin.elapsed() / calls
    };
    (0..ROUNDS).map(|_| round()).min().unwrap_or_default()
}

/// As [`best`], for calls that measure themselves.
fn best_of(calls: u32, mut call: impl FnMut(u32) -> Duration) -> Duration {
    let calls = (calls / ROUNDS).max(1);
    let mut round = || (0..calls).map(&mut call).sum::<Duration>() / calls;
    (0..ROUNDS).map(|_| round()).min().unwrap_or_default()
}

const ROUNDS: u32 = 100;
