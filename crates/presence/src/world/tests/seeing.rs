//! Who may see whom, and what changes it.

use super::*;
use crate::account::{Event, ListQuery, Record};
use crate::model::own_settings::SettingsPatch;
use crate::model::principal::{Principal, Role};
use crate::model::visibility::{Viewer, VisibilityOrigin};

const TEAM: &str = "[general]\nown_settings=visibility\n\
    [alice]\ntype=user\nextension=1\ngroup=Sales,Berlin\nvisibility=groups\nname=Alice Adams\n\
    title=Head of Sales\nemail=alice@example.com\n\
    [bob]\ntype=user\nextension=2\ngroup=sales\n\
    [carol]\ntype=user\nextension=3\ngroup=Support\nvisibility=nobody\n\
    [dave]\ntype=user\nextension=4\nown_settings=\n\
    [erin]\ntype=user\naccount=east\ngroup=Sales\n";

fn viewer(world: &World, user: Option<&str>) -> Viewer {
    world.viewer(&Principal {
        name: "panel".into(),
        account: None,
        role: Role::Read,
        user: user.map(Into::into),
        sees_all: false,
        configure: false,
    })
}

/// The users that the viewer sees.
fn seen(world: &World, user: Option<&str>) -> Vec<String> {
    let viewer = viewer(world, user);
    let users = world.directory().users();
    let users = users.filter(|(id, _)| world.may_see(&viewer, *id));
    users.map(|(_, user)| user.name.to_string()).collect()
}

fn patch(world: &mut World, user: &str, json: &str, at: u64) -> Result<Vec<Effect>, SettingsError> {
    let user = world.directory().user(user).unwrap();
    let patch = SettingsPatch::parse(json).unwrap();
    let settings = world.with_settings(user, &patch)?;
    let settings = settings.as_ref();
    Ok(world.apply(&Change::Settings { user, settings }, Time::from_millis(at)))
}

fn event(effects: &[Effect]) -> Event {
    match &effects[0] {
        Effect::Transition(transition) => Event::new(transition, Time::NEVER),
        other => panic!("{other:?}"),
    }
}

fn origin(world: &World, user: &str) -> (&'static str, VisibilityOrigin) {
    let user = world.directory().user(user).unwrap();
    let (visibility, origin) = world.visibility_origin(user);
    assert_eq!(world.visibility(user), visibility);
    (visibility.name(), origin)
}

#[test]
fn groups_own_setting_and_flag_decide_who_sees_a_user() {
    let mut world = world(TEAM);
    assert_eq!(seen(&world, None), ["bob", "dave", "erin"]);
    assert_eq!(seen(&world, Some("BOB")), ["alice", "bob", "dave", "erin"]);
    assert_eq!(
        seen(&world, Some("carol")),
        ["bob", "carol", "dave", "erin"]
    );
    assert_eq!(seen(&world, Some("erin")), ["bob", "dave", "erin"]);
    assert_eq!(seen(&world, Some("gone")), ["bob", "dave", "erin"]);
    assert_eq!(
        origin(&world, "alice"),
        ("groups", VisibilityOrigin::Administrator)
    );

    let effects = patch(&mut world, "alice", r#"{"visibility":"NOBODY"}"#, 10).unwrap();
    assert_eq!(effects.len(), 2);
    let hides = event(&effects);
    let (bob, carol) = (viewer(&world, Some("bob")), viewer(&world, Some("carol")));
    assert_eq!(hides.was_seen_by(&bob), [true, false]);
    assert_eq!(hides.was_seen_by(&carol), [false, false]);
    assert!(hides.is_hidden() && hides.changed.has_visibility());
    assert_eq!(origin(&world, "alice"), ("nobody", VisibilityOrigin::Own));
    assert_eq!(seen(&world, Some("bob")), ["bob", "dave", "erin"]);
    // Setting the same again is no event.
    assert_eq!(
        patch(&mut world, "alice", r#"{"visibility":"nobody"}"#, 11),
        Ok(vec![])
    );

    let alice = world.directory().user("alice").unwrap();
    patch(&mut world, "alice", r#"{"visibility":"everyone"}"#, 12).unwrap();
    let flag = Change::Flag(alice, Flag::AllowSeeMyPresence, false);
    let effects = world.apply(&flag, Time::from_millis(13));
    assert_eq!(event(&effects).was_seen_by(&carol), [true, false]);
    assert_eq!(origin(&world, "alice"), ("nobody", VisibilityOrigin::Flag));
    // Under the flag, the setting changes nothing that others see.
    let effects = patch(&mut world, "alice", r#"{"visibility":null}"#, 14).unwrap();
    assert!(transitions(&effects).is_empty(), "{effects:?}");
    let flag = Change::Flag(alice, Flag::AllowSeeMyPresence, true);
    let effects = world.apply(&flag, Time::from_millis(15));
    assert_eq!(event(&effects).was_seen_by(&bob), [false, true]);
    assert_eq!(event(&effects).was_seen_by(&carol), [false, false]);
    assert_eq!(
        origin(&world, "alice"),
        ("groups", VisibilityOrigin::Administrator)
    );
}

#[test]
fn a_setting_that_is_not_allowed_is_refused_and_one_that_was_allowed_has_no_effect() {
    let mut world = world(TEAM);
    let refused = patch(&mut world, "dave", r#"{"visibility":"nobody"}"#, 10);
    assert_eq!(
        refused,
        Err(SettingsError::NotAllowed(
            "visibility: own_settings of 'dave' does not include visibility".into()
        ))
    );
    for (json, expected) in [
        (
            r#"{"visibility":"friends"}"#,
            "visibility: unknown visibility 'friends', expected everyone, groups or nobody",
        ),
        (
            r#"{"visibility":1}"#,
            "visibility: a number, expected a text or null",
        ),
    ] {
        let refused = patch(&mut world, "bob", json, 10);
        assert_eq!(refused, Err(SettingsError::Invalid(expected.into())));
    }
    patch(&mut world, "bob", r#"{"visibility":"nobody"}"#, 11).unwrap();
    assert_eq!(seen(&world, None), ["dave", "erin"]);
    let mut reload = |text: &str, at: u64| {
        let plan = Plan::new(world.directory(), directory(text));
        let now = Time::from_millis(at);
        let read = ProviderValues::default();
        let (effects, _) = world.reconfigure(&plan, &Stored::default(), read, now);
        (
            plan.counts().changed,
            transitions(&effects),
            seen(&world, None),
        )
    };
    // The same configuration: the setting stays, and nothing happens.
    let stays = ["dave", "erin"].map(str::to_owned).to_vec();
    assert_eq!(reload(TEAM, 12), (0, vec![], stays));
    let without = TEAM.replace("own_settings=visibility\n", "own_settings=mobile\n");
    let (_, shown, all) = reload(&without, 13);
    assert_eq!(shown, [("bob".into(), State::NotSet, State::NotSet, 2)]);
    assert_eq!(all, ["bob", "dave", "erin"]);
    let (_, shown, all) = reload(&without.replace("visibility=groups\n", ""), 14);
    assert_eq!(shown, [("alice".into(), State::NotSet, State::NotSet, 3)]);
    assert_eq!(all, ["alice", "bob", "dave", "erin"]);
}

#[test]
fn a_reload_of_the_directory_changes_records_and_makes_no_noise() {
    let mut world = world(TEAM);
    let record = |world: &World| Record::of(world, world.directory().user("alice").unwrap());
    let before = record(&world);
    assert_eq!(
        (&*before.name, &*before.title, &*before.email),
        ("Alice Adams", "Head of Sales", "alice@example.com")
    );
    let json = before.json();
    assert!(json.contains(r#""groups":["Sales","Berlin"]"#), "{json}");
    let running = world.directory().clone();
    let text = TEAM
        .replace("Alice Adams", "Alice Ångström")
        .replace("title=Head of Sales\n", "")
        .replace("group=sales\n", "group=Support\n");
    let plan = Plan::new(&running, directory(&text));
    assert_eq!(plan.counts().changed, 2);
    let read = ProviderValues::default();
    let (effects, _) = world.reconfigure(&plan, &Stored::default(), read, Time::from_millis(9));
    assert_eq!(effects, []);
    let after = record(&world);
    assert_eq!((&*after.name, &*after.title), ("Alice Ångström", ""));
    // Readers of the account begin anew, those of the other one do not.
    let changed = world.directory().changed_accounts(&running);
    assert_eq!(changed, [Arc::from("default")]);
    assert_eq!(seen(&world, Some("bob")), ["bob", "dave", "erin"]);

    let list = |pairs: &[(&str, &str)]| {
        let query = ListQuery::parse(pairs).unwrap();
        let users = world.directory().users().map(|(id, _)| id);
        let users = users.filter(|id| query.wants(&world, *id));
        let records = users.map(|id| Record::of(&world, id));
        let records = records.filter(|record| query.wants_text(record));
        records.map(|record| record.user).collect::<Vec<_>>()
    };
    assert_eq!(list(&[("group", "SUPPORT, x")]), ["bob", "carol"]);
    assert_eq!(list(&[("group", "nothing")]), Vec::<String>::new());
    assert_eq!(list(&[("text", "ÅNGSTRÖM")]), ["alice"]);
    assert_eq!(list(&[("text", "@example")]), ["alice"]);
    assert_eq!(
        list(&[("text", "supp"), ("group", "support")]),
        ["bob", "carol"]
    );
    let unnamed = Record::of(&world, world.directory().user("bob").unwrap());
    assert_eq!((&*unnamed.name, &*unnamed.email), ("bob", ""));
}
