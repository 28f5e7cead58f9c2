//! Test builds only (feature `selftest`): `userpresence selftest ...` forces panics, and
//! times this module's calls beside Asterisk's own in one process.

use std::ffi::CString;
use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::runtime::{self, store};
use crate::trip;
use asterisk::cli::{Args, Command, Outcome};
use asterisk::{http, presencestate, selftest as layer};
use presence::Presence;
use presence::State;

#[global_allocator]
static ALLOCATOR: layer::Counting = layer::Counting;

/// The commands.
pub static COMMANDS: &[Command] = &[
    Command {
        words: c"userpresence selftest panic",
        summary: c"Panic at the next call of a location",
        usage: c"Usage: userpresence selftest panic <location>\n",
        run: |args, _| match args.0.as_slice() {
            [location] => {
                trip::arm(location);
                Outcome::Success
            }
            _ => Outcome::ShowUsage,
        },
        complete: None,
    },
    Command {
        words: c"userpresence selftest streams",
        summary: c"Number of open HTTP streams",
        usage: c"Usage: userpresence selftest streams\n",
        run: |_, out| {
            let _ = writeln!(out, "{}", http::streams());
            Outcome::Success
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
                Outcome::Success
            }
            ["free"] => {
                crate::web::site::hold_looks(false);
                Outcome::Success
            }
            _ => Outcome::ShowUsage,
        },
        complete: None,
    },
    Command {
        words: c"userpresence selftest memory",
        summary: c"Bytes allocated by the module and by the process",
        usage: c"Usage: userpresence selftest memory\n",
        run: |_, out| {
            let _ = writeln!(out, "{} {}", layer::held(), layer::held_by_all());
            Outcome::Success
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
",
        run: time,
        complete: None,
    },
];

fn time(args: &Args<'_>, out: &mut String) -> Outcome {
    let [what, argument, calls] = args.0.as_slice() else {
        return Outcome::ShowUsage;
    };
    let (Ok(calls), Ok(text)) = (calls.parse::<u32>(), CString::new(*argument)) else {
        return Outcome::ShowUsage;
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
                drop(presencestate::publish(label, name, &sample(call)))
            })
        }
        "event" => best(calls, |call| publish_source(argument, call)),
        "publish_new" => {
            let begin = Instant::now();
            for call in 0..calls {
                let (label, name) = argument.split_once(':').unwrap_or((argument, ""));
                drop(presencestate::publish(
                    label,
                    &format!("{name}{call}"),
                    &sample(call),
                ));
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
        _ => return Outcome::ShowUsage,
    };
    let _ = writeln!(out, "{}", each.as_nanos());
    Outcome::Success
}

fn publish_source(address: &str, call: u32) {
    let presence = sample(call);
    let (subtype, message) = (presence.subtype().as_bytes(), presence.message().as_bytes());
    runtime::with(|runtime| {
        runtime.on_presence_state(address.as_bytes(), presence.state(), subtype, message);
    });
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
