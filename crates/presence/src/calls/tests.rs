use super::*;
use crate::config::testing::directory;
use crate::model::assignment;
use crate::model::dnd::DndStatus;
use crate::model::flags::Flag;
use crate::model::time::Time;
use crate::world::Change;
use crate::world::stored::Stored;

const SETS: &str = "[lunch]\ntype=status\nstate=away\nsubtype=lunch\n\
    [office]\ntype=handling\nring_timeout=15\nforward_internal_noanswer=voicemail\n\
    forward_external_noanswer=210@default\nforward_external_busy=voicemail:55@other\nnote=usual\n\
    [office-away]\ntype=handling\nset=office\nstatus=away\nforward_internal_always=210@default\n\
    forward_external_always=+49170\nforward_external_busy=none\nring_timeout=30\n\
    [office-lunch]\ntype=handling\nset=OFFICE\nstatus=lunch\nforward_internal_busy=200@b\n\
    forward_internal_noanswer=x-${EXTENSION}@at-${STATUS}-${STATE}-${USER}\npush=no\n";

fn world(text: &str) -> World {
    World::restore(directory(text), &Stored::default(), Time::NEVER)
}

fn office(more: &str) -> World {
    world(&format!(
        "{SETS}[alice]\ntype=user\nextension=200\nextension=201,PJSIP/desk\nhandling=office\n\
         mailbox=200@default\noutgoing=none\n{more}\n[bob]\ntype=user\nextension=210\n"
    ))
}

fn set(world: &mut World, user: &str, value: &str) {
    let user = world.directory().user(user).unwrap();
    let statuses = world.directory().settings.statuses().clone();
    let choice = &assignment::parse(
        value,
        &statuses,
        &crate::model::ending::Clock::utc(Time::NEVER),
    )
    .unwrap();
    world.apply(&Change::Chosen { user, choice }, Time::from_millis(1));
}

fn plan(world: &World, origin: CallOrigin) -> CallPlan {
    CallPlan::of(world, world.directory().user("alice").unwrap(), origin)
}

fn internal(world: &World) -> CallPlan {
    plan(world, CallOrigin::Internal)
}

fn external(world: &World) -> CallPlan {
    plan(world, CallOrigin::External)
}

fn target_text(target: &Option<Destination>) -> String {
    target
        .as_ref()
        .map_or_else(String::new, Destination::to_string)
}

/// The targets for always, no answer and busy.
fn forwards(plan: &CallPlan) -> [String; 3] {
    [&plan.always, &plan.no_answer, &plan.busy].map(target_text)
}

fn stages(plan: &CallPlan) -> Vec<String> {
    let stage = |step: &RingStep| format!("{} {}", step.devices.join("&"), step.timeout);
    plan.steps.iter().map(stage).collect()
}

#[test]
fn the_default_block_applies_if_no_other_does() {
    let mut world = office("");
    set(&mut world, "alice", "available");
    let (inside, outside) = (internal(&world), external(&world));
    assert_eq!(forwards(&inside), ["", "voicemail:200@default", ""]);
    assert_eq!(
        forwards(&outside),
        ["", "210@default", "voicemail:55@other"]
    );
    assert_eq!(stages(&inside), ["PJSIP/200&PJSIP/desk 15"]);
    assert_eq!((&*inside.block, &*inside.note), ("office", "usual"));
    assert!(inside.push);
    assert_eq!(inside.state, State::Available);
}

#[test]
fn a_status_block_overrides_the_default_and_a_type_precedes_a_state() {
    let mut world = office("");
    set(&mut world, "alice", "away");
    let (inside, outside) = (internal(&world), external(&world));
    assert_eq!(
        forwards(&inside),
        ["210@default", "voicemail:200@default", ""]
    );
    // The block cancels the forward on busy; the one on no answer is the default block's.
    assert_eq!(forwards(&outside), ["+49170@default", "210@default", ""]);
    assert_eq!((&*inside.block, &*inside.note), ("office-away", "usual"));
    assert_eq!(inside.steps[0].timeout, 30);

    set(&mut world, "alice", "lunch");
    let inside = internal(&world);
    assert_eq!(&*inside.block, "office-lunch");
    // The state's block has no effect.
    assert_eq!(
        forwards(&inside),
        ["", "x-200@at-lunch-away-alice", "200@b"]
    );
    assert_eq!((inside.steps[0].timeout, inside.push), (15, false));
    assert_eq!(&*inside.status, "lunch");
    assert_eq!(inside.state, State::Away);
}

#[test]
fn a_target_names_the_user_of_its_extension() {
    let mut world = office("");
    set(&mut world, "alice", "away");
    let user = |target: Option<Destination>| match target {
        Some(Destination::Extension { user, .. }) => user.map(|user| user.to_string()),
        _ => None,
    };
    assert_eq!(user(internal(&world).always).as_deref(), Some("bob"));
    assert_eq!(user(external(&world).always), None);
    set(&mut world, "alice", "lunch");
    assert_eq!(user(internal(&world).busy).as_deref(), Some("alice"));
}

#[test]
fn without_handling_the_devices_ring_and_no_forward_applies() {
    let world = world("[alice]\ntype=user\nextension=200\nextension=201,Custom:x\n");
    let plan = external(&world);
    assert_eq!(stages(&plan), ["PJSIP/200 20"]);
    assert_eq!(forwards(&plan), ["", "", ""]);
    assert_eq!((&*plan.block, &*plan.status), ("", "not_set"));
    assert_eq!(plan.together, ["PJSIP/200"]);
    let world = self::world("[alice]\ntype=user\n");
    assert!(internal(&world).steps.is_empty());
    assert_eq!(internal(&world).summary(), "nothing rings");
}

const ENDPOINTS: &str = "endpoint=desk,PJSIP/d\nendpoint=soft,PJSIP/s\nendpoint=web,PJSIP/w\n";

fn ringing(block: &str, user: &str) -> World {
    world(&format!(
        "[office]\ntype=handling\n{block}\n[alice]\ntype=user\nextension=200\noutgoing=none\n\
         handling=office\n{user}\n"
    ))
}

#[test]
fn endpoints_ring_in_stages() {
    for (block, expected) in [
        ("", &["PJSIP/d&PJSIP/s&PJSIP/w 20"][..]),
        ("ring_first=desk", &["PJSIP/d 20"]),
        (
            "ring_first=desk\nring_second=Soft, web\nring_timeout=5",
            &["PJSIP/d 5", "PJSIP/s&PJSIP/w 5"],
        ),
        (
            "ring_second=web",
            &["PJSIP/d&PJSIP/s&PJSIP/w 20", "PJSIP/w 20"],
        ),
        ("ring_first=none\nring_second=web", &["PJSIP/w 20"]),
        ("ring_first=none", &[]),
        ("ring_first=nowhere", &["PJSIP/d&PJSIP/s&PJSIP/w 20"]),
        ("ring_first=nowhere\nring_second=web", &["PJSIP/w 20"]),
    ] {
        let world = ringing(block, ENDPOINTS);
        let plan = internal(&world);
        assert_eq!(stages(&plan), expected, "{block}");
        assert_eq!(plan.together, ["PJSIP/d", "PJSIP/s", "PJSIP/w"]);
    }
    // Without endpoints, names in a list of endpoints are ignored.
    let world = ringing("ring_first=desk\nring_second=soft", "");
    assert_eq!(stages(&internal(&world)), ["PJSIP/200 20"]);
}

#[test]
fn the_mobile_rings_with_the_endpoints_but_never_in_dnd() {
    let user = format!("{ENDPOINTS}mobile=+49170\nmobile_prefix=0\nforward_context=out\n");
    let block = "ring_first=desk\nring_second=soft\nring_mobile=yes";
    let mut world = ringing(block, &user);
    let mobile = "Local/0+49170@out/n";
    let plan = internal(&world);
    assert_eq!(
        stages(&plan),
        [
            format!("PJSIP/d&{mobile} 20"),
            format!("PJSIP/s&{mobile} 20")
        ]
    );
    assert_eq!(plan.together.last().unwrap(), mobile);
    set(&mut world, "alice", "dnd");
    let plan = internal(&world);
    assert_eq!(stages(&plan), ["PJSIP/d 20", "PJSIP/s 20"]);
    assert_eq!(plan.together.len(), 3);

    let mut world = ringing("ring_first=desk\nring_second=mobile", &user);
    assert_eq!(
        stages(&internal(&world)),
        ["PJSIP/d 20".to_owned(), format!("{mobile} 20")]
    );
    set(&mut world, "alice", "dnd");
    assert_eq!(stages(&internal(&world)), ["PJSIP/d 20"]);
    let world = ringing("ring_first=none\nring_mobile=yes", &user);
    assert_eq!(stages(&internal(&world)), [format!("{mobile} 20")]);
}

#[test]
fn a_user_who_refuses_calls_refuses_before_every_forward() {
    let mut world = office("");
    set(&mut world, "alice", "away");
    let alice = world.directory().user("alice").unwrap();
    world.apply(
        &Change::DndStatus(alice, DndStatus::DoNotAcceptAnyCalls),
        Time::NEVER,
    );
    let plan = internal(&world);
    assert_eq!(plan.refused, Some("DoNotAcceptAnyCalls"));
    assert_eq!(plan.summary(), "refused DoNotAcceptAnyCalls");
    // The forward is kept for callers in always_accept.
    assert_eq!(target_text(&plan.always), "210@default");
    world.apply(
        &Change::DndStatus(alice, DndStatus::DoNotAcceptDepartmentCalls),
        Time::NEVER,
    );
    assert_eq!(internal(&world).refused, None);
}

#[test]
fn phones_of_monitoring_users_ring_too_if_the_flag_is_on() {
    let mut world = world(
        "[alice]\ntype=user\nextension=200\n[bob]\ntype=user\nextension=210\n\
         extension=200\nmonitor=ALICE,bob\n[carol]\ntype=user\nextension=220\n\
         endpoint=web,PJSIP/web\nmonitor=alice\noutgoing=none\n",
    );
    assert!(internal(&world).monitors.is_empty());
    for user in ["bob", "carol"] {
        let user = world.directory().user(user).unwrap();
        let flag = Change::Flag(user, Flag::RingOnMonitoredCall, true);
        assert_eq!(world.apply(&flag, Time::NEVER).len(), 1);
        assert_eq!(world.apply(&flag, Time::NEVER).len(), 0);
    }
    assert_eq!(internal(&world).monitors, ["PJSIP/210", "PJSIP/web"]);
    set(&mut world, "carol", "dnd");
    let bob = world.directory().user("bob").unwrap();
    world.apply(
        &Change::DndStatus(bob, DndStatus::DoNotAcceptAnyCalls),
        Time::NEVER,
    );
    assert!(internal(&world).monitors.is_empty());
}

#[test]
fn a_wrong_query_is_answered_with_the_expected_form() {
    let world = office("");
    let answer = |query: &str| RouteQuery::parse(query).and_then(|query| query.answer(&world));
    assert_eq!(
        answer("alice,INTERNAL,first").unwrap(),
        "PJSIP/200&PJSIP/desk"
    );
    assert_eq!(answer("alice, external ,first_timeout").unwrap(), "15");
    assert_eq!(answer("alice,external,second").unwrap(), "");
    assert_eq!(
        answer("alice,external").unwrap(),
        "PJSIP/200&PJSIP/desk 15s, then 210@default, busy voicemail:55@other"
    );
    let json = answer("alice,internal,json").unwrap();
    assert!(json.contains(r#""steps":[{"devices":["PJSIP/200","PJSIP/desk"],"timeout":15}]"#));
    for (bad, why) in [
        ("", "the user is missing"),
        ("alice", "the origin is missing"),
        (
            "alice,inside",
            "unknown origin 'inside', expected internal or external",
        ),
        (
            "alice,internal,x",
            "unknown field 'x', expected state, status,",
        ),
        ("nobody,internal", "there is no user 'nobody'"),
    ] {
        let message = answer(bad).unwrap_err();
        assert!(message.starts_with(why), "{bad}: {message}");
    }
}

#[test]
fn the_table_has_a_row_for_each_status_that_differs() {
    let mut world = office("");
    set(&mut world, "alice", "lunch");
    let alice = world.directory().user("alice").unwrap();
    let rows = table(&world, alice);
    let begin: Vec<_> = rows.iter().map(|row| row[..3].join(" ")).collect();
    assert_eq!(
        begin,
        [
            " away internal",
            " away external",
            "* lunch internal",
            "* lunch external",
            " any other internal",
            " any other external"
        ]
    );
    assert_eq!(rows[0][3], "210@default");
    let world = self::world("[alice]\ntype=user\nextension=200\n");
    let rows = table(&world, world.directory().user("alice").unwrap());
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0][..3], ["*", "any", "internal"]);
}

#[test]
fn the_explanation_gives_target_and_reason() {
    let mut world = office("");
    set(&mut world, "alice", "away");
    let explain = |world: &World, origin: CallOrigin| {
        let alice = world.directory().user("alice").unwrap();
        super::explain(world, alice, &origin.into())
    };
    let text = explain(&world, CallOrigin::Internal);
    assert!(text.starts_with(
        "An internal call to alice, whose status is away: section [office-away] applies.\n\
         The call goes at once to 210@default, an extension of bob.\n"
    ));
    set(&mut world, "alice", "lunch");
    let text = explain(&world, CallOrigin::External);
    assert!(text.contains("whose status is lunch (away): section [office-lunch] applies.\n"));
    assert!(text.contains("The call rings PJSIP/200 and PJSIP/desk for 15 seconds.\n"));
    assert!(text.contains("If alice is busy, the call goes to voicemail:55@other.\n"));
    assert!(text.contains("alice gets no push messages.\n"));
}

const LOOP: &str = "[to_bob]\ntype=handling\nforward_internal_always=210@default\n\
    forward_external_noanswer=210\n\
    [to_alice]\ntype=handling\nforward_internal_always=200@default\n\
    forward_external_busy=200@default\n\
    [alice]\ntype=user\nextension=200\nextension=201\nhandling=to_bob\noutgoing=none\n\
    always_accept=211,555\n\
    [bob]\ntype=user\nextension=210\nextension=211\nhandling=to_alice\n";

#[track_caller]
fn explained(world: &World, caller: &str) -> Vec<String> {
    let alice = world.directory().user("alice").unwrap();
    let text = explain(world, alice, &Caller::find(world, alice, caller));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_caller_is_a_user_an_extension_or_a_number() {
    let world = world(LOOP);
    for (caller, why, call) in [
        (
            "BOB",
            "bob is a user: a call from bob's phone is internal.",
            "An internal call to alice, whose status is not_set: section [to_bob] applies.",
        ),
        (
            "211",
            "211 is an extension of bob: a call from that extension is internal.",
            "An internal call to alice, whose status is not_set: section [to_bob] applies.",
        ),
        (
            "+49170",
            "+49170 is neither a user nor a user's extension: the call is external.",
            "An external call to alice, whose status is not_set: section [to_bob] applies.",
        ),
    ] {
        assert_eq!(explained(&world, caller)[..2], [why, call]);
    }
    let world = self::world(&LOOP.replace("type=user", "type=user\ninternal_context=a,b"));
    assert_eq!(
        explained(&world, "+49170")[1],
        "A call from context a or b would still be internal."
    );
}

#[test]
fn accepted_callers_and_loops_are_explained() {
    let mut world = world(LOOP);
    let looping = [
        "The call goes at once to 210@default, an extension of bob.",
        "From there the call goes at once to 200@default, an extension of alice.",
        "The call loops: alice -> bob -> alice. The caller hears busy.",
    ];
    assert_eq!(explained(&world, "210")[2..5], looping);
    // An external call has one forward only, if nobody answers.
    let outside = explained(&world, "+49170");
    let at = outside.iter().position(|line| line.contains("210@default"));
    let at = at.expect("a forward");
    assert_eq!(
        outside[at..=at + 1],
        [
            "If nobody answers, the call goes to 210@default, an extension of bob.",
            "If alice is busy, the caller hears busy."
        ]
    );
    let [alice, bob] = ["alice", "bob"].map(|user| world.directory().user(user).unwrap());
    world.apply(
        &Change::DndStatus(alice, DndStatus::DoNotAcceptAnyCalls),
        Time::NEVER,
    );
    let through = |number: &str| {
        format!("alice refuses calls (DoNotAcceptAnyCalls), but {number} is in always_accept.")
    };
    let refused = "The call is refused: DoNotAcceptAnyCalls. The rest is for callers in \
                   always_accept.";
    for (caller, line) in [
        ("bob", through("211")),
        ("211", through("211")),
        ("555", through("555")),
        ("210", refused.to_owned()),
        ("+49170", refused.to_owned()),
    ] {
        assert_eq!(explained(&world, caller)[2], line, "{caller}");
    }
    world.apply(
        &Change::DndStatus(bob, DndStatus::DoNotAcceptAnyCalls),
        Time::NEVER,
    );
    assert_eq!(
        explained(&world, "211")[4],
        "bob refuses the forwarded call: DoNotAcceptAnyCalls."
    );
    let own = explained(&self::world("[alice]\ntype=user\nextension=200\n"), "200");
    assert!(own.contains(&"The calling phone does not ring.".to_owned()));
}

/// Applies a merge patch to alice's own settings.
fn own(world: &mut World, patch: &str) -> Vec<crate::world::Effect> {
    let user = world.directory().user("alice").unwrap();
    let patch = crate::model::own_settings::SettingsPatch::parse(patch).unwrap();
    let settings = world.with_settings(user, &patch).unwrap();
    let settings = settings.as_ref();
    world.apply(&Change::Settings { user, settings }, Time::from_millis(2))
}

#[test]
fn own_forwards_lie_over_the_section_item_by_item() {
    let mut world = office("own_forward=internal,voicemail,_+49X.");
    set(&mut world, "alice", "lunch");
    let before = external(&world);
    let patch = r#"{"statuses":{
        "lunch":{"forwardExternal":{"always":"+4930"}},
        "away":{"forwardExternal":{"always":"voicemail","noAnswer":"210"}},
        "default":{"forwardExternal":{"always":"none","noAnswer":"none","busy":"none"},
                   "forwardInternal":{"busy":"none"}}}}"#;
    assert_eq!(own(&mut world, patch).len(), 1);
    assert_eq!(own(&mut world, patch), []);
    // The status type, then the state, then every status; then the section.
    let plan = external(&world);
    assert_eq!(forwards(&plan), ["+4930@default", "210@default", ""]);
    let forwards_of = [PlanItem::Always, PlanItem::NoAnswer, PlanItem::Busy];
    let sources = forwards_of.map(|item| plan.own(item));
    assert_eq!(sources, [Some("lunch"), Some("away"), Some("default")]);
    assert_eq!(plan.block, "office-lunch");
    let plan = internal(&world);
    assert_eq!(
        forwards_of.map(|item| plan.own(item).is_some()),
        [false, false, true]
    );
    assert_eq!(plan.busy, None);
    set(&mut world, "alice", "away");
    assert_eq!(forwards(&external(&world))[0], "voicemail:200@default");
    set(&mut world, "alice", "chat");
    assert_eq!(forwards(&external(&world)), ["", "", ""]);
    let text = explain(
        &world,
        world.directory().user("alice").unwrap(),
        &CallOrigin::External.into(),
    );
    for expected in [
        "The call is not forwarded at once, by alice's own setting for default.",
        "If nobody answers, the call ends, by alice's own setting for default.",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    let user = world.directory().user("alice").unwrap();
    let effective = effective(&world, user, State::Away, "lunch");
    let told = effective.map(|it| (it.target, it.set_by.is_some_and(|by| by.is_own())));
    let told = told
        .each_ref()
        .map(|(target, own)| (target.as_deref(), *own));
    assert_eq!(
        told,
        [
            (None, false),
            (Some("x-200@at-lunch-away-alice"), false),
            (Some("none"), true),
            (Some("+4930"), true),
            (Some("210"), true),
            (Some("none"), true),
        ]
    );
    own(&mut world, r#"{"statuses":null}"#);
    assert!(world.own_settings(user).is_none());
    set(&mut world, "alice", "lunch");
    assert_eq!(external(&world), before);
}

#[test]
fn a_target_that_is_not_allowed_is_refused_and_later_passed_over() {
    let mut before = office("own_forward=internal,_+49X.");
    let user = before.directory().user("alice").unwrap();
    let patch = |target: &str| {
        let always = ForwardWhen::Always;
        crate::model::own_settings::SettingsPatch::forward(
            "default",
            &[CallOrigin::External],
            always,
            Some(target),
        )
    };
    let why = before.with_settings(user, &patch("+1555")).unwrap_err();
    let crate::world::SettingsError::NotAllowed(why) = why else {
        panic!("{why:?}");
    };
    assert!(
        why.contains("this number is not allowed; own_forward of 'alice' allows internal"),
        "{why}"
    );
    own(
        &mut before,
        r#"{"statuses":{"default":{"forwardExternal":{"always":"+4930"}}}}"#,
    );
    // The rows are restored under a configuration that does not allow the number any more.
    let rows = before.take_rows(100).into_iter();
    let rows: Vec<_> = rows.filter_map(|row| Some((row.key, row.value?))).collect();
    assert!(rows.iter().any(|(key, _)| key == "settings/alice"));
    let stored = Stored::read(rows.into_iter());
    let text = format!(
        "{SETS}[alice]\ntype=user\nextension=200\nhandling=office\noutgoing=none\n\
         own_forward=internal\n[bob]\ntype=user\nextension=210\n"
    );
    let mut world = World::restore(directory(&text), &stored, Time::NEVER);
    set(&mut world, "alice", "away");
    let plan = external(&world);
    assert_eq!(target_text(&plan.always), "+49170@default");
    assert_eq!(plan.own(PlanItem::Always), None);
    assert_eq!(plan.ignored.len(), 1);
    let said = plan.ignored[0].to_string();
    assert!(
        said.contains(
            "default external always to +4930 is not carried out: this number is not allowed"
        ),
        "{said}"
    );
    assert_eq!(ignored(&world, user), plan.ignored);
    assert!(plan.json().contains("ignored"));
    // Setting something else leaves the item as it is.
    let effects = own(
        &mut world,
        r#"{"statuses":{"away":{"forwardInternal":{"busy":"none"}}}}"#,
    );
    assert_eq!(effects.len(), 1);
}

#[test]
fn own_items_decide_what_rings_and_say_whose_they_are() {
    let mut world = world(
        "[general]\nhandling=office\n\
         [office]\ntype=handling\nring_first=desk\nring_timeout=10\npush=no\n\
         [office-away]\ntype=handling\nset=office\nstatus=away\nring_mobile=yes\nnote=Away\n\
         [alice]\ntype=user\nextension=200\noutgoing=none\nmobile=+491\n\
         endpoint=desk,PJSIP/desk\nendpoint=soft,PJSIP/soft\n",
    );
    set(&mut world, "alice", "away");
    let stages = |world: &World| -> Vec<String> {
        let steps = external(world).steps;
        steps
            .iter()
            .map(|it| format!("{} {}", it.devices.join("&"), it.timeout))
            .collect()
    };
    let mobile = "Local/+491@default/n";
    assert_eq!(stages(&world), [format!("PJSIP/desk&{mobile} 10")]);
    own(
        &mut world,
        r#"{"statuses":{"away":{"ringFirst":["soft"],"ringSecond":["desk"],"ringMobile":false,
            "note":"Mine","greeting":"tour"},"default":{"ringTimeout":30,"push":true}}}"#,
    );
    assert_eq!(stages(&world), ["PJSIP/soft 30", "PJSIP/desk 30"]);
    let plan = external(&world);
    assert!(plan.push && plan.note == "Mine");
    let by: Vec<String> = plan
        .set_by
        .iter()
        .map(|(item, by)| format!("{item} {by}"))
        .collect();
    assert_eq!(
        by,
        [
            "first own away",
            "second own away",
            "timeout own default",
            "mobile own away",
            "push own default",
            "note own away",
            "greeting own away",
        ]
    );
    assert!(
        plan.json().contains(r#""greeting":"tour","own":["first","#),
        "{}",
        plan.json()
    );
    own(
        &mut world,
        r#"{"statuses":{"away":{"ringMobile":null,"note":null},"dnd":{"ringMobile":true,
            "ringFirst":["mobile"]}}}"#,
    );
    assert_eq!(external(&world).note, "Away");
    let by = external(&world).set_by;
    assert!(by.contains(&(PlanItem::Mobile, SetBy::Section("office-away".into()))));
    // Never in dnd, even if the user has set it; and all phones ring rather than none.
    set(&mut world, "alice", "dnd");
    assert_eq!(stages(&world), ["PJSIP/desk&PJSIP/soft 30"]);
}

#[test]
fn effective_settings_have_the_shape_of_the_own_ones() {
    use crate::calls::effective_settings::{EffectiveSettings, page};
    use crate::model::own_settings::SettingsPath;
    let mut world = office("login_status=chat");
    let user = world.directory().user("alice").unwrap();
    own(
        &mut world,
        r#"{"statuses":{"xa":{"push":false,"queue":"pause"}},"logoutStatus":"none"}"#,
    );
    let found = page(&world, user);
    let xa = &found["effective"]["statuses"]["xa"];
    assert_eq!(
        (&xa["push"], &xa["queue"]),
        (&false.into(), &"pause".into())
    );
    assert_eq!(found["setBy"]["statuses"]["xa"]["push"], "own xa");
    assert_eq!(found["effective"]["loginStatus"], "chat");
    assert_eq!(found["setBy"]["loginStatus"], "section alice");
    assert_eq!(found["effective"]["logoutStatus"], "none");
    assert_eq!(found["setBy"]["logoutStatus"], "own");
    assert_eq!(found["effective"].get("registerStatus"), None);
    // What is read can be written: the shape is that of a patch.
    let all = EffectiveSettings::of(&world, user);
    assert_eq!(all.json(), found["effective"].to_string());
    let item = |path: &str| {
        let path = SettingsPath::parse(path).unwrap();
        EffectiveSettings::item(&world, user, &path)
    };
    assert_eq!(item("statuses.xa.push").as_deref(), Ok("no"));
    assert_eq!(item("statuses.chat.push").as_deref(), Ok(""));
    assert_eq!(item("logoutStatus").as_deref(), Ok("none"));
    assert!(item("statuses.tea.push").is_err());
}
