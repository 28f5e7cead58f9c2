//! Queues, and the members that they ring for a caller.

use super::ami::Ami;
use super::instance::Instance;
use super::message::Message;
use super::wait::wait_until;

/// A caller waiting in a queue. Dropping it does not end the call, [`Caller::hang_up`] does.
pub struct Caller<'a> {
    ast: &'a Instance,
    /// Its unique id.
    channel: String,
    ami: Ami,
}

impl Instance {
    /// A member in `QueueStatus`, found by its interface or, if it has one, its name.
    #[track_caller]
    pub fn queue_member(&self, queue: &str, member: &str) -> Message {
        let all = self
            .control()
            .list(&[("Action", "QueueStatus"), ("Queue", queue)]);
        let is = |event: &&Message| {
            event.is_event("QueueMember")
                && [event.get("Location"), event.get("Name")].contains(&Some(member))
        };
        let found = all.iter().find(is).cloned();
        found.unwrap_or_else(|| panic!("no member {member} of {queue}: {all:#?}"))
    }

    /// Waits until a field of a member, for example `Status` or `Paused`, has this value.
    #[track_caller]
    pub fn wait_queue_member(&self, queue: &str, member: &str, field: &str, value: &str) {
        wait_until(&format!("{field} {value} of {member} in {queue}"), || {
            (self.queue_member(queue, member).get(field) == Some(value)).then_some(())
        });
    }

    /// Puts a caller into a queue and returns at once.
    #[track_caller]
    pub fn call_queue(&self, queue: &str) -> Caller<'_> {
        let ami = self.ami();
        Caller {
            ast: self,
            channel: self.run("Queue", queue),
            ami,
        }
    }
}

impl Caller<'_> {
    /// Waits until a member answers. Returns the members that have rung so far in their
    /// order, the one that answered last.
    ///
    /// The queue rings a member before it looks for an answer, and AMI reports both in their
    /// order: a member that is not listed did not ring.
    #[track_caller]
    pub fn wait_answer(&self) -> Vec<String> {
        let mut rung = Vec::new();
        let mut answered = None;
        while answered.is_none() {
            let event = self.wait("an answer", &["AgentCalled", "AgentConnect"]);
            let member = event.get("Interface").unwrap_or_default().to_owned();
            rung.retain(|it| *it != member);
            rung.push(member);
            answered = event.is_event("AgentConnect").then_some(());
        }
        rung
    }

    /// Waits until the next member rings, and returns its interface.
    #[track_caller]
    pub fn wait_rung(&self) -> String {
        let event = self.wait("a member rung", &["AgentCalled"]);
        event.get("Interface").unwrap_or_default().to_owned()
    }

    /// Waits until the caller is in the queue.
    #[track_caller]
    pub fn wait_joined(&self) {
        self.wait("the caller", &["QueueCallerJoin"]);
    }

    /// Leaves the queue or ends the call.
    #[track_caller]
    pub fn hang_up(&self) {
        self.ast.hang_up(&self.channel);
    }

    #[track_caller]
    fn wait(&self, what: &str, names: &[&str]) -> Message {
        self.ami.wait_event(what, |event| {
            event.get("Uniqueid") == Some(self.channel.as_str())
                && names.iter().any(|name| event.is_event(name))
        })
    }
}
