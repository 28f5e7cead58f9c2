//! What phones publish, as a source.

use super::devices::device;
use super::*;
use crate::model::device::DeviceState::*;
use crate::model::publication::Publication;
use crate::views::explain::explain;
use crate::views::fields::View;

fn latest(words: &str, at: u64) -> Latest {
    let mut words = words.split(',');
    let activities = words.next().unwrap().split_whitespace();
    Latest {
        publication: Arc::new(Publication {
            open: Some(true),
            activities: activities.map(Box::from).collect(),
            note: words.next().unwrap_or_default().into(),
            ..Publication::default()
        }),
        at: Time::from_millis(at),
    }
}

fn publish(world: &mut World, device: &str, words: &str, at: u64) -> Vec<Effect> {
    let latest = Some(&latest(words, at));
    world.apply(&Change::Published { device, latest }, Time::from_millis(at))
}

fn end(world: &mut World, device: &str, at: u64) -> Vec<Effect> {
    let latest = None;
    world.apply(&Change::Published { device, latest }, Time::from_millis(at))
}

fn shown(world: &World, user: &str) -> String {
    let user = world.directory().user(user).unwrap();
    world.outcome(user).presence.to_string()
}

fn explained(world: &World, user: &str) -> String {
    let view = View::of(world, world.directory().user(user).unwrap());
    explain(&view, Time::from_millis(9_000))
}

#[test]
fn a_phone_that_publishes_is_a_source_until_it_ends() {
    let mut world = world(ALICE);
    report(&mut world, "1", "available", 1);
    let effects = publish(&mut world, "PJSIP/1", "away,Back at one", 2);
    assert_eq!(transitions(&effects).len(), 1);
    assert_eq!(shown(&world, "alice"), "away \"Back at one\"");
    assert_eq!(
        reason(&world, "alice"),
        ("publish:PJSIP/1".into(), Reason::Highest)
    );
    let text = explained(&world, "alice");
    let why = "It comes from what PJSIP/1 publishes: its state ranks highest.";
    assert!(text.contains(why), "{text}");
    let line = "- The phone PJSIP/1 publishes away \"Back at one\", set 8s ago: it wins.";
    assert!(text.contains(line), "{text}");
    let alice = world.directory().user("alice").unwrap();
    assert_eq!(
        world.status(alice).unwrap().name.as_ref(),
        "away",
        "it is chosen"
    );
    assert_eq!(world.chosen(alice).presence, world.outcome(alice).presence);
    // The other phone of the same user.
    publish(&mut world, "PJSIP/2", "busy meeting", 3);
    assert_eq!(shown(&world, "alice"), "dnd (meeting)");
    assert!(publish(&mut world, "PJSIP/2", "busy meeting", 4).is_empty());
    assert_eq!(world.outcome(alice).since, Time::from_millis(3));
    end(&mut world, "PJSIP/2", 5);
    assert_eq!(shown(&world, "alice"), "away \"Back at one\"");
    end(&mut world, "PJSIP/1", 6);
    assert_eq!(shown(&world, "alice"), "available");
    assert!(end(&mut world, "PJSIP/1", 7).is_empty());
    assert_eq!(
        (
            world.published_count(),
            View::of(&world, alice).sources.len()
        ),
        (0, 2)
    );
}

#[test]
fn the_latest_wins_by_when_it_was_published() {
    let mut world = world(&format!("{ALICE}method=latest\n"));
    publish(&mut world, "PJSIP/1", "away", 2);
    report(&mut world, "1", "available", 3);
    assert_eq!(state(&world, "alice"), State::Available);
    publish(&mut world, "PJSIP/2", "busy", 4);
    assert_eq!(
        reason(&world, "alice"),
        ("publish:PJSIP/2".into(), Reason::Latest)
    );
    end(&mut world, "PJSIP/2", 5);
    assert_eq!(state(&world, "alice"), State::Available);
}

#[test]
fn only_methods_that_combine_read_publications() {
    for method in ["default", "none"] {
        let mut world = world(&format!("{ALICE}method={method}\n"));
        assert!(publish(&mut world, "PJSIP/1", "away", 2).is_empty());
        let text = explained(&world, "alice");
        assert!(
            text.contains("set 8s ago: not used by this method"),
            "{text}"
        );
    }
    // The phone's own presence is no extension, which is neither read nor written.
    let mut world = world(&format!("{ALICE}enabled=no\n"));
    report(&mut world, "1", "dnd", 1);
    publish(&mut world, "PJSIP/1", "away", 2);
    assert_eq!(state(&world, "alice"), State::Away);
}

#[test]
fn an_unreachable_phone_takes_no_part_while_another_can_be_reached() {
    let mut world = world(ALICE);
    device(&mut world, "PJSIP/1", Unavailable, 1);
    publish(&mut world, "PJSIP/1", "away", 2);
    assert_eq!(
        state(&world, "alice"),
        State::Away,
        "no phone can be reached"
    );
    device(&mut world, "PJSIP/2", NotInUse, 3);
    assert_eq!(state(&world, "alice"), State::NotSet);
    let text = explained(&world, "alice");
    assert!(
        text.contains("ignored, it cannot be reached and another can"),
        "{text}"
    );
    device(&mut world, "PJSIP/1", NotInUse, 4);
    assert_eq!(state(&world, "alice"), State::Away);
}

#[test]
fn one_phone_of_two_users_means_what_each_ones_table_says() {
    let mut world = world(
        "[a]\ntype=user\nextension=1\n[b]\ntype=user\npublish=PJSIP/1,other\n\
         [c]\ntype=user\nsource=UserPresence:b\n\
         [other]\ntype=publish_table\naway=xa,gone\nopen=\n",
    );
    publish(&mut world, "PJSIP/1", "away", 1);
    assert_eq!(
        (shown(&world, "a"), shown(&world, "b")),
        ("away".into(), "xa (gone)".into())
    );
    assert_eq!(shown(&world, "c"), "xa (gone)");
    publish(&mut world, "PJSIP/1", "", 2);
    assert_eq!(
        (shown(&world, "a"), shown(&world, "b")),
        ("available".into(), "not_set".into())
    );
    assert!(
        publish(&mut world, "PJSIP/9", "away", 3).is_empty(),
        "nobody's phone"
    );
}

#[test]
fn a_reload_changes_who_publishes_at_once() {
    let mut world = world("[a]\ntype=user\nextension=1\n[b]\ntype=user\nextension=2\n");
    publish(&mut world, "PJSIP/1", "away", 5);
    let read = || ProviderValues {
        published: vec![
            ("PJSIP/1".into(), latest("away", 6)),
            ("PJSIP/7".into(), latest("busy", 7)),
        ],
        ..ProviderValues::default()
    };
    let reload = |world: &mut World, text: &str| {
        let plan = Plan::new(world.directory(), directory(text));
        world
            .reconfigure(&plan, &Stored::default(), read(), Time::from_millis(10))
            .0
    };
    let effects = reload(
        &mut world,
        "[a]\ntype=user\nextension=1\npublish=no\n[b]\ntype=user\nextension=2\npublish=PJSIP/7\n",
    );
    assert_eq!(transitions(&effects).len(), 2);
    assert_eq!(
        (state(&world, "a"), state(&world, "b")),
        (State::NotSet, State::Dnd)
    );
    reload(
        &mut world,
        "[a]\ntype=user\nextension=1\n[b]\ntype=user\nextension=2\n",
    );
    assert_eq!(
        (state(&world, "a"), state(&world, "b")),
        (State::Away, State::NotSet)
    );
    // The table may be another one.
    let effects = reload(
        &mut world,
        "[a]\ntype=user\nextension=1\n[b]\ntype=user\nextension=2\n\
         [publish]\ntype=publish_table\naway=xa\n",
    );
    assert_eq!(transitions(&effects).len(), 1);
    assert_eq!(state(&world, "a"), State::Xa);
    assert!(publish(&mut world, "PJSIP/1", "away", 20).is_empty());
}
