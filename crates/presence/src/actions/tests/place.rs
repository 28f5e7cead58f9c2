//! Blocks that act on one server of a cluster.

use super::*;

/// Alice with a block that acts everywhere and one that acts at the origin, in this status.
fn person(new: State, message: &str, old: Option<State>, is_origin: bool) -> Person {
    let mut everywhere = block("everywhere", &[State::Away, State::Dnd], &[]);
    everywhere.set = assignments(&["DB(every/where)=${STATE}"]);
    let mut one = block("one", &[State::Away, State::Dnd], &[]);
    one.acts_at = ActsAt::Origin;
    one.set = assignments(&["DB(one/server)=${STATE} ${MESSAGE}"]);
    one.queues = vec![(None, QueueAction::Pause)];
    let mut person = alice(&[everywhere, one], status(new, "", message));
    person.chosen.old = old.map(|old| status(old, "", "before"));
    person.chosen.made(is_origin);
    person
}

fn server() -> FakeBackend {
    let mut server = FakeBackend::default();
    server.queues.insert("600".into(), Some(Member::default()));
    server
}

impl FakeBackend {
    /// What was set everywhere, what on one server, and whether the queue is paused.
    fn state(&self) -> (Option<&str>, Option<&str>, bool) {
        let member = self.queues["600"].as_ref();
        let is_paused = member.is_some_and(|member| member.paused);
        let values = [self.is("DB(every/where)"), self.is("DB(one/server)")];
        (values[0], values[1], is_paused)
    }
}

#[test]
fn a_block_acts_where_the_status_came_about_until_it_ends_anywhere() {
    use State::{Available, Away, Dnd};
    let (mut berlin, mut paris) = (server(), server());
    let mut change = |new, message: &str, old, at_berlin| {
        berlin.act(Some(&person(new, message, old, at_berlin)), false);
        paris.act(Some(&person(new, message, old, !at_berlin)), false);
        let state = |server: &FakeBackend| {
            let (every, one, paused) = server.state();
            assert_eq!(one.is_some(), paused);
            (every.map(str::to_owned), one.map(str::to_owned))
        };
        (state(&berlin), state(&paris))
    };
    let some = |text: &str| Some(text.to_owned());
    let away = some("away");
    let both = change(Away, "x", Some(Available), true);
    assert_eq!(both, ((away.clone(), some("away x")), (away.clone(), None)));
    // Another message of the same status: its server stays.
    let both = change(Away, "y", Some(Away), false);
    assert_eq!(both, ((away.clone(), some("away y")), (away.clone(), None)));
    // Something else of the user changes.
    let both = change(Away, "y", None, false);
    assert_eq!(both, ((away.clone(), some("away y")), (away, None)));
    // Another status on the other server.
    let both = change(Dnd, "", Some(Away), false);
    let dnd = some("dnd");
    assert_eq!(both, ((dnd.clone(), None), (dnd, some("dnd "))));
    let both = change(Available, "", Some(Dnd), true);
    assert_eq!(both, ((None, None), (None, None)));
}

#[test]
fn a_load_goes_on_with_the_blocks_that_act_here() {
    use State::{Available, Away, Dnd};
    let mut berlin = server();
    berlin.act(Some(&person(Away, "", Some(Available), true)), false);
    berlin.act(Some(&person(Away, "", None, false)), true);
    assert_eq!(berlin.state(), (Some("away"), Some("away "), true));
    // While the server was away, the user came into a status elsewhere.
    berlin.act(Some(&person(Dnd, "", None, false)), true);
    assert_eq!(berlin.state(), (Some("dnd"), None, false));
    // A server on which nothing is in force begins nothing.
    let mut paris = server();
    paris.act(Some(&person(Away, "", None, false)), true);
    assert_eq!(paris.state(), (Some("away"), None, false));
}

#[test]
fn a_change_that_waits_keeps_its_server() {
    use State::{Available, Away, Dnd};
    let waits = person(Away, "", Some(Available), true);
    let mut later = person(Away, "", None, false);
    later.begin_with(&waits);
    assert_eq!(later.chosen.entered, Entered::Here);
    let mut later = person(Dnd, "", Some(Away), false);
    later.begin_with(&waits);
    assert_eq!(later.chosen.entered, Entered::Elsewhere);
}
