//! Status types, timed statuses and logins.

use super::*;

const TYPES: &str = "[lunch]\ntype=status\nstate=away\nsubtype=lunch\nmessage=At lunch\n\
                     [focus]\ntype=status\nstate=\n[xa]\ntype=status\nstate=\n";

pub fn status(world: &World, user: &str) -> String {
    let user = world.directory().user(user).unwrap();
    world
        .status(user)
        .map_or_else(String::new, |status| status.name.to_string())
}

pub fn shown(world: &World, user: &str) -> String {
    let id = world.directory().user(user).unwrap();
    format!("{} as {}", world.outcome(id).presence, status(world, user))
}

fn extension(world: &World, extension: &str) -> (State, u64) {
    let address = format!("CustomPresence:{extension}");
    let source = world.source(world.directory().source(&address).unwrap());
    (source.presence.state(), source.since.millis())
}

pub fn end(world: &mut World, at: u64) -> (Vec<Effect>, Option<u64>) {
    let (effects, next) = world.end_due_statuses(Time::from_millis(at));
    (effects, next.map(Time::millis))
}

#[test]
fn a_type_writes_what_it_maps_to() {
    let mut world = world(&format!("{TYPES}{ALICE}"));
    assert_eq!(shown(&world, "alice"), "not_set as not_set");
    set(&mut world, "alice", "lunch", 10);
    assert_eq!(shown(&world, "alice"), "away (lunch) \"At lunch\" as lunch");
    assert_eq!(world.take_write().unwrap().presence.message(), "At lunch");
    write_all(&mut world, 11);
    report(&mut world, "2", "away,lunch,Other", 12);
    report(&mut world, "1", "not_set", 13);
    assert_eq!(shown(&world, "alice"), "away (lunch) \"Other\" as lunch");
    report(&mut world, "2", "dnd", 14);
    assert_eq!(status(&world, "alice"), "dnd");
}

#[test]
fn a_presence_that_no_type_means_leaves_the_status_type() {
    let mut world = world(&format!("{TYPES}{ALICE}"));
    set(&mut world, "alice", "lunch", 10);
    write_all(&mut world, 10);
    report(&mut world, "1", "xa", 11);
    assert_eq!(shown(&world, "alice"), "xa as lunch");
}

#[test]
fn a_type_mapped_to_no_state_is_recorded_and_goes_nowhere() {
    let mut world = world(&format!("{TYPES}{ALICE}"));
    report(&mut world, "1", "chat", 10);
    let effects = set(&mut world, "alice", "focus", 11);
    let [Effect::Transition(transition)] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert!(!transition.publish);
    assert_eq!(transition.old, transition.new);
    assert_eq!(world.take_write(), None);
    assert_eq!(shown(&world, "alice"), "chat as focus");
    report(&mut world, "1", "dnd", 12);
    assert_eq!(shown(&world, "alice"), "dnd as dnd");
}

#[test]
fn a_timed_status_returns_to_the_one_before() {
    let mut world = world(&format!("{TYPES}{ALICE}"));
    report(&mut world, "1", "chat", 1_000);
    report(&mut world, "2", "available", 2_000);
    set(&mut world, "alice", "lunch,,,t(10)", 3_000);
    write_all(&mut world, 3_000);
    let alice = world.directory().user("alice").unwrap();
    assert_eq!(world.outcome(alice).until.millis(), 13_000);
    assert_eq!(end(&mut world, 12_999), (vec![], Some(13_000)));
    let (effects, next) = end(&mut world, 13_000);
    assert_eq!(
        transitions(&effects),
        [("alice".into(), State::Away, State::Chat, 3)]
    );
    assert_eq!(next, None);
    write_all(&mut world, 13_000);
    assert_eq!(extension(&world, "1"), (State::Chat, 1_000));
    assert_eq!(extension(&world, "2"), (State::Available, 2_000));
    assert_eq!(shown(&world, "alice"), "chat as chat");
    assert_eq!(world.own(alice), None);
    assert_eq!(world.outcome(alice).until, Time::NEVER);
}

#[test]
fn a_change_from_outside_outlives_a_timed_status() {
    let mut world = world(ALICE);
    report(&mut world, "1", "chat", 1_000);
    set(&mut world, "alice", "available", 1_500);
    write_all(&mut world, 1_500);
    set(&mut world, "alice", "away,,,t(10)", 2_000);
    write_all(&mut world, 2_000);
    report(&mut world, "2", "dnd", 3_000);
    end(&mut world, 12_000);
    write_all(&mut world, 12_000);
    assert_eq!(extension(&world, "1").0, State::Available);
    assert_eq!(extension(&world, "2"), (State::Dnd, 3_000));
    assert_eq!(shown(&world, "alice"), "dnd as dnd");
    let alice = world.directory().user("alice").unwrap();
    assert_eq!(world.own(alice).unwrap().presence.state(), State::Available);
}

#[test]
fn a_timed_status_over_a_timed_one_returns_to_the_last_untimed() {
    let mut world = world(ALICE);
    set(&mut world, "alice", "chat", 1_000);
    write_all(&mut world, 1_000);
    set(&mut world, "alice", "away,,,t(10)", 2_000);
    write_all(&mut world, 2_000);
    report(&mut world, "2", "xa", 2_500);
    set(&mut world, "alice", "dnd,,,t(20)", 3_000);
    write_all(&mut world, 3_000);
    assert_eq!(end(&mut world, 12_000), (vec![], Some(23_000)));
    end(&mut world, 23_000);
    write_all(&mut world, 23_000);
    assert_eq!(extension(&world, "1"), (State::Chat, 1_000));
    assert_eq!(extension(&world, "2"), (State::Xa, 2_500));
    let alice = world.directory().user("alice").unwrap();
    assert_eq!(world.own(alice).unwrap().presence.state(), State::Chat);
}

/// This holds whichever of the two statuses ends first at the shared extension.
#[test]
fn timed_statuses_of_two_users_return_to_what_was_before_both() {
    let text = "[a]\ntype=user\nextension=1\nextension=2\n\
                [b]\ntype=user\nextension=2\nextension=3\n";
    for (first, second) in [(10, 20), (20, 10)] {
        let mut world = world(text);
        report(&mut world, "2", "chat", 1_000);
        set(&mut world, "a", &format!("away,,,t({first})"), 2_000);
        write_all(&mut world, 2_000);
        set(&mut world, "b", &format!("dnd,,,t({second})"), 3_000);
        write_all(&mut world, 3_000);
        end(&mut world, 15_000);
        write_all(&mut world, 15_000);
        assert_ne!(extension(&world, "2"), (State::Chat, 1_000));
        end(&mut world, 30_000);
        write_all(&mut world, 30_000);
        assert_eq!(extension(&world, "2"), (State::Chat, 1_000), "{first}");
    }
}

#[test]
fn a_type_mapped_to_no_state_takes_over_the_end_of_a_timed_one() {
    let mut world = world(&format!("{TYPES}{ALICE}"));
    report(&mut world, "1", "chat", 1_000);
    set(&mut world, "alice", "lunch,,,t(10)", 2_000);
    write_all(&mut world, 2_000);
    set(&mut world, "alice", "focus,,,t(20)", 3_000);
    end(&mut world, 12_000);
    assert_eq!(shown(&world, "alice"), "away (lunch) \"At lunch\" as focus");
    end(&mut world, 23_000);
    write_all(&mut world, 23_000);
    assert_eq!(extension(&world, "1"), (State::Chat, 1_000));
    assert_eq!(shown(&world, "alice"), "chat as chat");
    set(&mut world, "alice", "lunch,,,t(10)", 24_000);
    set(&mut world, "alice", "focus", 25_000);
    let alice = world.directory().user("alice").unwrap();
    assert_eq!(world.outcome(alice).until, Time::NEVER);
}

#[test]
fn a_new_status_cancels_the_timer() {
    let mut world = world(ALICE);
    set(&mut world, "alice", "away,,,t(10)", 1_000);
    set(&mut world, "alice", "dnd", 2_000);
    assert_eq!(end(&mut world, 99_000), (vec![], None));
    assert_eq!(state(&world, "alice"), State::Dnd);
}

#[test]
fn a_timed_status_ends_with_its_user() {
    let bob = "[bob]\ntype=user\nextension=1\n";
    let mut world = world(&format!("{bob}{ALICE}"));
    report(&mut world, "1", "chat", 1_000);
    set(&mut world, "alice", "dnd,,,t(600)", 2_000);
    write_all(&mut world, 2_000);
    assert_eq!(state(&world, "bob"), State::Dnd);
    let plan = Plan::new(world.directory(), directory(bob));
    let at = Time::from_millis(3_000);
    let (effects, _) = world.reconfigure(&plan, &Stored::default(), ProviderValues::default(), at);
    let sent = transitions(&effects);
    // The removed user's last transition has a number and reaches readers but not hints.
    let sent: Vec<_> = sent.iter().map(|t| (&*t.0, t.2, t.3)).collect();
    let first = sent[0].2;
    assert_eq!(
        sent,
        [
            ("bob", State::Chat, first),
            ("alice", State::Chat, first + 1)
        ]
    );
    let published = |effect: &&Effect| matches!(effect, Effect::Transition(t) if t.publish);
    assert_eq!(effects.iter().filter(published).count(), 1);
    // The extension that only alice has is written, too.
    let writes = std::iter::from_fn(|| world.take_write());
    let writes = writes.map(|write| (write.address.to_string(), write.presence.state()));
    assert_eq!(
        writes.collect::<Vec<_>>(),
        [
            ("CustomPresence:2".to_owned(), State::NotSet),
            ("CustomPresence:1".to_owned(), State::Chat)
        ]
    );
    assert_eq!(extension(&world, "1"), (State::Chat, 1_000));
}

#[test]
fn a_timed_status_outlives_a_restart_and_ends_after_it() {
    let text = format!("{TYPES}{ALICE}");
    let mut before = world(&text);
    report(&mut before, "1", "chat", 1_000);
    set(&mut before, "alice", "available", 1_500);
    set(&mut before, "alice", "lunch,,,t(10)", 2_000);
    let rows = before.take_rows(usize::MAX).into_iter();
    let rows = rows.map(|row| (row.key, row.value.unwrap()));
    let stored = Stored::read(rows);
    let mut world = World::restore(directory(&text), &stored, Time::from_millis(50_000));
    assert_eq!(shown(&world, "alice"), "away (lunch) \"At lunch\" as lunch");
    let (effects, _) = end(&mut world, 50_000);
    assert_eq!(transitions(&effects).len(), 1);
    assert_eq!(shown(&world, "alice"), "available as available");
    assert_eq!(
        world.take_write().unwrap().presence.state(),
        State::Available
    );
}

#[test]
fn logins_set_a_status_unless_it_was_chosen_by_hand() {
    let conf = "[alice]\ntype=user\nextension=1\nlogin_status=available\n\
                logout_status=unavailable\n";
    let mut world = world(conf);
    let alice = world.directory().user("alice").unwrap();
    let mut at = 10;
    let mut apply = |world: &mut World, change: &Change| {
        at += 10;
        world.apply(change, Time::from_millis(at));
        write_all(world, at);
        state(world, "alice")
    };
    let (login, logout) = (Change::LoggedIn(alice), Change::LoggedOut("ALICE"));
    assert_eq!(apply(&mut world, &login), State::Available);
    assert_eq!(apply(&mut world, &login), State::Available);
    assert_eq!(apply(&mut world, &logout), State::Available);
    assert_eq!(apply(&mut world, &logout), State::Unavailable);
    // A logout without a login has no effect.
    assert_eq!(apply(&mut world, &logout), State::Unavailable);
    assert_eq!(apply(&mut world, &login), State::Available);
    set(&mut world, "alice", "dnd", 500);
    write_all(&mut world, 500);
    assert_eq!(apply(&mut world, &logout), State::Dnd);
    assert_eq!(apply(&mut world, &login), State::Dnd);
    // A status that a login sets, chosen by hand, leaves the user to the logout.
    set(&mut world, "alice", "available", 600);
    write_all(&mut world, 600);
    assert_eq!(apply(&mut world, &logout), State::Unavailable);
    // This status is chosen on a phone.
    report(&mut world, "1", "xa", 700);
    assert_eq!(apply(&mut world, &login), State::Xa);
}

/// Applies a merge patch to alice's own settings.
fn settle(world: &mut World, patch: &str) {
    let alice = world.directory().user("alice").unwrap();
    let patch = crate::model::own_settings::SettingsPatch::parse(patch).unwrap();
    let settings = world.with_settings(alice, &patch).unwrap();
    let settings = settings.as_ref();
    world.apply(
        &Change::Settings {
            user: alice,
            settings,
        },
        Time::from_millis(5),
    );
}

#[test]
fn own_settings_decide_logins_and_notes() {
    let conf = format!("{TYPES}[alice]\ntype=user\nextension=1\nlogin_status=available\n");
    let mut world = world(&conf);
    let alice = world.directory().user("alice").unwrap();
    settle(
        &mut world,
        r#"{"loginStatus":"lunch","logoutStatus":"away",
            "statuses":{"away":{"note":"Back soon"}}}"#,
    );
    world.apply(&Change::LoggedIn(alice), Time::from_millis(10));
    write_all(&mut world, 10);
    // The type is a kind of away, and has a message of its own, which gives way.
    assert_eq!(
        shown(&world, "alice"),
        "away (lunch) \"Back soon\" as lunch"
    );
    world.apply(&Change::LoggedOut("alice"), Time::from_millis(20));
    write_all(&mut world, 20);
    assert_eq!(shown(&world, "alice"), "away \"Back soon\" as away");
    set(&mut world, "alice", "away,,Back late", 30);
    assert_eq!(shown(&world, "alice"), "away \"Back late\" as away");
    let choice = world
        .with_message(alice, "", Time::from_millis(40))
        .unwrap();
    let choice = &choice;
    world.apply(
        &Change::Chosen {
            user: alice,
            choice,
        },
        Time::from_millis(40),
    );
    assert_eq!(shown(&world, "alice"), "away as away");
    // None of their own: no status at all.
    settle(&mut world, r#"{"loginStatus":"none","logoutStatus":null}"#);
    set(&mut world, "alice", "not_set", 50);
    write_all(&mut world, 50);
    world.apply(&Change::LoggedIn(alice), Time::from_millis(60));
    assert_eq!(state(&world, "alice"), State::NotSet);
}

#[test]
fn own_actions_are_those_of_the_chosen_status() {
    let mut world = world("[alice]\ntype=user\nextension=1\noutgoing=none\n");
    let alice = world.directory().user("alice").unwrap();
    let queue = |world: &World| {
        let person = crate::actions::Person::of(world, alice);
        person.map(|person| (person.own.queue, person.may_act))
    };
    set(&mut world, "alice", "away", 10);
    assert_eq!(queue(&world), None, "a user without actions costs nothing");
    settle(
        &mut world,
        r#"{"statuses":{"away":{"queue":"pause"},"default":{"queue":"none"}}}"#,
    );
    use crate::actions::QueueAction;
    assert_eq!(queue(&world), Some((Some(QueueAction::Pause), true)));
    set(&mut world, "alice", "chat", 20);
    assert_eq!(queue(&world), Some((Some(QueueAction::None), true)));
    settle(&mut world, r#"{"statuses":null}"#);
    assert_eq!(queue(&world), None);
}

#[test]
fn a_default_extension_of_ones_own_decides_and_is_written() {
    let conf = "[alice]\ntype=user\nextension=1\nextension=2\nmethod=default\noutgoing=default\n";
    let mut world = world(conf);
    report(&mut world, "1", "away", 10);
    report(&mut world, "2", "dnd", 20);
    assert_eq!(state(&world, "alice"), State::Away);
    settle(&mut world, r#"{"default":"2"}"#);
    assert_eq!(state(&world, "alice"), State::Dnd);
    set(&mut world, "alice", "chat", 30);
    let written = world.take_write().map(|write| write.address.to_string());
    assert_eq!(written.as_deref(), Some("CustomPresence:2"));
    assert_eq!(world.take_write(), None);
    write_all(&mut world, 30);
    settle(&mut world, r#"{"default":null}"#);
    assert_eq!(state(&world, "alice"), State::Away);
}
