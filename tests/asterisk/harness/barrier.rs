//! Waiting until the module has handled everything that happened so far.

use std::sync::atomic::{AtomicU32, Ordering};

use super::ami::Ami;
use super::builder::Builder;
use super::instance::Instance;
use super::message::Message;
use super::wait::wait_until;

/// One more user, for [`catch_up`].
pub const BARRIER: &str = "[barrier]\ntype = user\naccount = barrier\nextension = barrier\n";

/// An Asterisk with this `userpresence.conf` and the user [`BARRIER`].
pub fn configured(conf: &str) -> Builder {
    Instance::builder().userpresence(&format!("{conf}\n{BARRIER}"))
}

/// Returns once the module has handled every event published so far. Events are handled
/// in their order, so the function publishes one more and waits for its effect.
#[track_caller]
pub fn catch_up(ast: &Instance) {
    let mark = send_mark(ast);
    wait_until("the barrier", || {
        (ast.getvar("USER_PRESENCE(barrier,message)") == mark).then_some(())
    });
}

/// Does [`catch_up`] and takes every event that this AMI client has received by then.
/// Asterisk sends the events of presences and the module those of users, each in order.
#[track_caller]
pub fn all_events(ast: &Instance, ami: &Ami) -> Vec<Message> {
    let mark = send_mark(ast);
    let mut all = Vec::new();
    wait_until("the barrier's events", || {
        all.extend(ami.take_events());
        let came = |name: &str| {
            let mut of_it = all.iter().filter(|event| event.is_event(name));
            of_it.any(|event| {
                let of = [event.get("User"), event.get("Presentity")];
                let barrier = [Some("barrier"), Some("UserPresence:barrier")];
                event.text() == mark && of.iter().any(|of| barrier.contains(of))
            })
        };
        (came("PresenceStateChange") && came("UserPresenceChange")).then_some(())
    });
    all
}

fn send_mark(ast: &Instance) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mark = format!("mark-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    ast.set_custom("barrier", &format!("away,,{mark}"));
    mark
}

/// Sets an extension's presence by a real event and returns once the module has handled it.
#[track_caller]
pub fn set_extension(ast: &Instance, extension: &str, value: &str) {
    ast.set_custom(extension, value);
    catch_up(ast);
}
