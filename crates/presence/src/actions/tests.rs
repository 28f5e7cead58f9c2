mod place;

use crate::model::status::StatusType;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A fake of the parts of Asterisk that actions use. `left` counts the operations before a
/// simulated crash: at 0, operations have no effect any more.
#[derive(Default)]
struct FakeBackend {
    values: BTreeMap<String, String>,
    queues: BTreeMap<String, Option<Member>>,
    kept: ActionRecord,
    left: Option<usize>,
    broken: Vec<&'static str>,
    failures: Vec<String>,
}

impl FakeBackend {
    fn alive(&mut self) -> bool {
        match &mut self.left {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }

    fn is(&self, target: &str) -> Option<&str> {
        self.values.get(target).map(String::as_str)
    }

    fn set_externally(&mut self, target: &str, value: &str) {
        self.values.insert(target.to_owned(), value.to_owned());
    }

    /// Carries out the person's actions, starting from the saved record.
    fn act(&mut self, person: Option<&Person>, fresh: bool) -> bool {
        let mut record = self.kept.clone();
        let done = carry_out(&mut record, person, fresh, self);
        // After a crash, only the saved record remains.
        assert!(self.left.is_some() || record == self.kept);
        let json = serde_json::to_string(&self.kept).unwrap();
        self.kept = serde_json::from_str(&json).unwrap();
        done
    }
}

impl Backend for FakeBackend {
    fn read(&mut self, target: &str) -> Result<TargetValue, String> {
        Ok(match self.is(target) {
            _ if target.starts_with("BLIND") => TargetValue::Unreadable,
            Some(text) => TargetValue::Text(text.to_owned()),
            None => TargetValue::Absent,
        })
    }

    fn write(&mut self, target: &str, value: Option<&str>) -> Result<(), String> {
        if self.broken.iter().any(|broken| target.contains(broken)) {
            return Err("it is broken".into());
        }
        if self.alive() {
            match value {
                // As `DB()=` does.
                None | Some("") => self.values.remove(target),
                Some(value) => self.values.insert(target.to_owned(), value.to_owned()),
            };
        }
        Ok(())
    }

    fn restore(&mut self, target: &str, value: Option<&str>) -> Result<(), String> {
        match target.starts_with("DANGEROUS") {
            true => Err("it is dangerous".into()),
            false => self.write(target, value),
        }
    }

    fn queues(&mut self, _: &str) -> Result<Vec<QueueMembership>, String> {
        let queues = self.queues.iter().map(|(name, member)| QueueMembership {
            name: name.clone(),
            member: member.clone(),
        });
        Ok(queues.collect())
    }

    fn queue(&mut self, queue: &str, _: &str, step: &QueueStep) -> Result<(), String> {
        if self.alive() {
            let now = self.queues.get_mut(queue).expect("a queue");
            match step {
                QueueStep::Add(member) => assert!(now.replace(member.clone()).is_none()),
                QueueStep::Remove => assert!(now.take().is_some()),
                QueueStep::Pause(reason) => {
                    let member = now.as_mut().expect("a member");
                    member.paused = reason.is_some();
                    member.reason = reason.clone().unwrap_or_default();
                }
            }
        }
        Ok(())
    }

    fn save(&mut self, record: &ActionRecord) -> Result<(), String> {
        if self.alive() {
            self.kept = record.clone();
        }
        Ok(())
    }

    fn failed(&mut self, action: &str, why: &str) {
        self.failures.push(format!("{action}: {why}"));
    }
}

fn assignments(list: &[&str]) -> Vec<Assignment> {
    list.iter()
        .map(|text| Assignment::parse(text).unwrap())
        .collect()
}

fn block(name: &str, states: &[State], types: &[&str]) -> ActionBlock {
    ActionBlock {
        contradicts_following: false,
        name: name.into(),
        when: StatusKind::Chosen,
        acts_at: ActsAt::Everywhere,
        states: states.to_vec(),
        types: types.iter().map(|name| (*name).into()).collect(),
        dnd: None,
        followme: None,
        queues: Vec::new(),
        set: Vec::new(),
    }
}

fn status(state: State, kind: &str, message: &str) -> StatusValue {
    StatusValue {
        presence: Presence::new(state, "", message),
        kind: kind.into(),
    }
}

fn alice(blocks: &[ActionBlock], new: StatusValue) -> Person {
    Person {
        user: "alice".into(),
        id: "4711".into(),
        account: "main".into(),
        extensions: vec!["200".into(), "201".into()],
        member: Some("Local/200@from-queue/n".into()),
        functions: Arc::default(),
        blocks: blocks.iter().cloned().map(Arc::new).collect(),
        own: OwnActions::default(),
        may_act: false,
        follows_dnd: false,
        combined: StatusChange::default(),
        chosen: StatusChange {
            new,
            old: Some(status(State::Available, "", "before")),
            entered: Entered::Here,
        },
    }
}

#[test]
fn all_default_assignments_parse() {
    let functions = Functions::default();
    let lists = [
        functions.dnd_on,
        functions.dnd_off,
        functions.followme_on,
        functions.followme_off,
    ];
    assert_eq!(lists.map(|list| list.len()), [3, 3, 2, 2]);
}

#[test]
fn do_not_disturb_is_set_and_undone() {
    let mut dnd = block("dnd", &[State::Dnd], &[]);
    (dnd.dnd, dnd.followme) = (Some(true), Some(false));
    let mut fake = FakeBackend::default();
    fake.set_externally("DB(AMPUSER/200/followme/ddial)", "DIRECT");
    let before = fake.values.clone();
    fake.act(
        Some(&alice(
            std::slice::from_ref(&dnd),
            status(State::Dnd, "", ""),
        )),
        false,
    );
    for extension in ["200", "201"] {
        let target = |form: &str| form.replace('#', extension);
        assert_eq!(fake.is(&target("DB(DND/#)")), Some("YES"));
        assert_eq!(fake.is(&target("DEVICE_STATE(Custom:DND#)")), Some("BUSY"));
        let followme = target("DB(AMPUSER/#/followme/ddial)");
        assert_eq!(fake.is(&followme), Some("EXTENSION"));
    }
    assert_eq!(fake.kept.in_force().len(), 10);
    fake.act(Some(&alice(&[dnd], status(State::Away, "", ""))), false);
    assert_eq!(fake.values, before);
    assert_eq!(fake.kept, ActionRecord::default());
}

#[test]
fn user_input_stays_text() {
    let mut any = block("any", &[State::Away], &[]);
    any.set = assignments(&["DB(presence/${USER})=${STATE} ${MESSAGE}|${OLD_MESSAGE}|${STATUS}"]);
    let text = "${SHELL(id)} $[1+1] %s%n ${USER}";
    let person = alice(&[any], status(State::Away, "lunch", text));
    let expected = format!("away {text}|before|lunch");
    let wanted = wanted(&person, &[]).set;
    assert_eq!(wanted, [("DB(presence/alice)".to_owned(), expected)]);
}

#[test]
fn each_mistake_in_an_assignment_has_its_message() {
    let message = |text: &str| Assignment::parse(text).unwrap_err();
    for text in ["", "YES", "X=1", "A B(c)=1", "${USER}(a)=1", "=1"] {
        assert!(
            message(text).contains("expected an assignment such as DB("),
            "{text}"
        );
    }
    assert!(message("DB(a/b").contains("not closed"));
    assert!(message("DB(a/b)").contains("assigns nothing to DB()"));
    assert!(message("DB(a/${MESSAGE})=x").contains("${MESSAGE} is user input"));
    assert!(message("DB(a/${OLD_SUBTYPE})=x").contains("${OLD_SUBTYPE} is user input"));
    assert!(
        message("DB(a/b)=${SHELL(id)}")
            .contains("unknown variable '${SHELL(id)}', expected one of USER")
    );
    assert!(message("DB(a/b)=${USER").contains("no closing brace"));
    assert!(message("DB(a/b)=$[1+1]").contains("is not evaluated"));
    assert!(message("DB_DELETE(a/b)=").contains("expected DB(family/key)="));
    let good = Assignment::parse("DB( a/(b) ) = x=y ").unwrap();
    let person = alice(&[], status(State::Away, "", ""));
    let pairs: Vec<_> = good.substitute(&person, StatusKind::Chosen).collect();
    assert_eq!(pairs, [("DB( a/(b) )".to_owned(), "x=y".to_owned())]);
}

#[test]
fn the_type_wins_over_the_state_and_the_later_over_the_earlier() {
    let mut first = block("first", &[State::Away], &["lunch"]);
    first.dnd = Some(true);
    first.set = assignments(&["GLOBAL(x)=first"]);
    first.queues = vec![(Some("600".into()), QueueAction::Login)];
    let mut second = block("second", &[State::Away], &[]);
    second.dnd = Some(false);
    second.set = assignments(&["GLOBAL(x)=second", "GLOBAL(y)=second"]);
    second.queues = vec![(None, QueueAction::Pause)];
    let mut third = block("third", &[State::Away], &[]);
    third.set = assignments(&["GLOBAL(y)=third"]);
    let blocks = [first, second, third];
    let want = |kind: &str| wanted(&alice(&blocks, status(State::Away, kind, "")), &[]);
    let value = |wanted: &Wanted, target: &str| {
        let mut set = wanted.set.iter();
        let found = set.find(|(known, _)| known == target);
        found.map(|(_, value)| value.clone())
    };
    let by_type = want("Lunch");
    assert_eq!(value(&by_type, "GLOBAL(x)").as_deref(), Some("first"));
    assert_eq!(value(&by_type, "GLOBAL(y)").as_deref(), Some("third"));
    assert_eq!(value(&by_type, "DB(DND/200)").as_deref(), Some("YES"));
    assert_eq!(by_type.in_queue("600", true), QueueAction::Login);
    assert_eq!(by_type.in_queue("601", true), QueueAction::Pause);
    assert_eq!(by_type.in_queue("601", false), QueueAction::None);
    let by_state = want("away");
    assert_eq!(value(&by_state, "GLOBAL(x)").as_deref(), Some("second"));
    assert_eq!(value(&by_state, "DB(DND/200)").as_deref(), Some(""));
    let mut blocks = blocks;
    blocks[0].states = vec![State::Away];
    let by_state = wanted(&alice(&blocks, status(State::Away, "", "")), &[]);
    assert_eq!(value(&by_state, "GLOBAL(x)").as_deref(), Some("second"));
    assert_eq!(value(&by_state, "DB(DND/200)").as_deref(), Some(""));
    assert_eq!(by_state.in_queue("600", true), QueueAction::Pause);
}

#[test]
fn a_failed_action_does_not_stop_the_others() {
    let mut away = block("away", &[State::Away], &[]);
    away.set = assignments(&["GLOBAL(a)=1", "GLOBAL(b)=1", "GLOBAL(c)=1"]);
    away.queues = vec![(Some("9".into()), QueueAction::Login)];
    let person = alice(&[away], status(State::Away, "", ""));
    let mut fake = FakeBackend {
        broken: vec!["(b)"],
        ..FakeBackend::default()
    };
    assert!(!fake.act(Some(&person), false));
    let expected = [
        "queue 9: login: there is no such queue",
        "GLOBAL(b)=1: it is broken",
    ];
    assert_eq!(fake.failures, expected);
    assert_eq!(fake.values.len(), 2);
    assert!(fake.act(None, false));
    assert_eq!(fake.values.len(), 0);
}

#[test]
fn an_undo_that_fails_is_tried_again() {
    let mut away = block("away", &[State::Away], &[]);
    away.set = assignments(&["GLOBAL(a)=1"]);
    let mut fake = FakeBackend::default();
    fake.act(Some(&alice(&[away], status(State::Away, "", ""))), false);
    fake.broken = vec!["(a)"];
    assert!(!fake.act(None, false));
    assert_eq!(fake.failures, ["undo of GLOBAL(a): it is broken"]);
    fake.broken.clear();
    assert!(fake.act(None, false));
    assert_eq!(fake.values.len(), 0);
}

#[test]
fn an_unchanged_wish_is_not_repeated_and_other_values_stay() {
    let mut any = block("any", &[State::Away, State::Xa], &[]);
    any.set = assignments(&["DB(a/b)=1", "DB(a/c)=${STATE}"]);
    let person = |state| alice(std::slice::from_ref(&any), status(state, "", ""));
    let mut fake = FakeBackend::default();
    fake.act(Some(&person(State::Away)), false);
    fake.set_externally("DB(a/b)", "mine");
    fake.set_externally("DB(a/c)", "mine");
    fake.act(Some(&person(State::Xa)), false);
    assert_eq!(fake.is("DB(a/b)"), Some("mine"));
    assert_eq!(fake.is("DB(a/c)"), Some("xa"));
    // A load does not overwrite the value either.
    fake.act(Some(&person(State::Xa)), true);
    assert_eq!(fake.is("DB(a/b)"), Some("mine"));
    fake.act(None, false);
    assert_eq!(fake.is("DB(a/b)"), Some("mine"));
    assert_eq!(fake.is("DB(a/c)"), Some("mine"));
}

#[test]
fn a_load_repeats_lost_assignments_with_the_recorded_old_status() {
    let mut away = block("away", &[State::Away], &[]);
    away.set = assignments(&["GLOBAL(a)=${OLD_STATE} ${OLD_MESSAGE}", "BLIND(a)=1"]);
    let mut person = alice(&[away], status(State::Away, "", ""));
    let mut fake = FakeBackend::default();
    fake.act(Some(&person), false);
    fake.values.clear();
    person.chosen.old = None;
    fake.act(Some(&person), true);
    assert_eq!(fake.is("GLOBAL(a)"), Some("available before"));
    assert_eq!(fake.is("BLIND(a)"), None);
}

const STATES: [State; 4] = [State::Available, State::Away, State::Dnd, State::Xa];
const TARGETS: [&str; 4] = ["DB(a/b)", "GLOBAL(x)", "DB(DND/200)", "GLOBAL(m)"];
const QUEUES: [&str; 3] = ["600", "601", "602"];

/// Records of an earlier run may be forged by another program that can write AstDB.
#[test]
fn actions_in_a_record_count_only_if_the_configuration_names_them() {
    let mut any = block("any", &[State::Away], &[]);
    any.set = assignments(&["DB(was/${OLD_STATUS}/${EXTENSION})=x", "DB(${USER}/a)=x"]);
    any.queues = vec![(Some("600".into()), QueueAction::Login)];
    let mut dnd = block("dnd", &[State::Dnd], &[]);
    dnd.dnd = Some(true);
    let person = alice(&[any, dnd], StatusValue::default());
    let mut statuses = Statuses::default();
    statuses.put(StatusType {
        name: "lunch".into(),
        label: "Lunch".into(),
        maps_to: None,
        activities: Box::default(),
    });
    let set = |target: &str| format!(r#"{{"target":"{target}","found":"theirs","wrote":"x"}}"#);
    let read = |set: &[String], queues: &str, kind: &str| -> ActionRecord {
        let row = format!(
            r#"{{"new":{{"state":"away","since":1,"kind":"{kind}"}},"set":[{}],"queues":[{queues}]}}"#,
            set.join(",")
        );
        serde_json::from_str(&row).unwrap()
    };
    let is_accepted = |target: &str| {
        let mut record = read(&[set(target)], "", "");
        let left = record.keep_named(Some(&person), &statuses);
        assert_eq!(record.is_empty(), left == [target], "{target}");
        assert_eq!(record.is_empty(), !left.is_empty(), "{target}");
        !record.is_empty()
    };
    for target in [
        "DB(DND/200)",
        "DB(DND/201)",
        "DEVICE_STATE(Custom:DND200)",
        "DB(was/lunch/200)",
        "DB(was/dnd/201)",
        "DB(alice/a)",
    ] {
        assert!(is_accepted(target), "{target}");
    }
    for target in [
        "FILE(/etc/asterisk/extensions.conf,0,1)",
        "DB(DND/202)",
        "DB(DND/200)x",
        "DB(DND/)",
        "DB(was/dinner/200)",
        "DB(was/../200)",
        "DB(bob/a)",
        // No block has `dnd = off` or follow me.
        "DB(AMPUSER/200/followme/ddial)",
        "",
    ] {
        assert!(!is_accepted(target), "{target}");
    }
    let interface = "Local/200@from-queue/n";
    let queue = |queue: &str, member: &str, did: &str| {
        let row = format!(r#"{{"queue":"{queue}","member":"{member}","did":[{did}]}}"#);
        let mut record = read(&[], &row, "");
        record.keep_named(Some(&person), &statuses);
        !record.is_empty()
    };
    let login = r#"{"login":{"name":"alice","state_interface":""}}"#;
    assert!(queue("600", interface, login));
    assert!(!queue("601", interface, login));
    assert!(!queue("600", "PJSIP/666", login));
    assert!(!queue("600", interface, r#""pause""#));
    assert!(!queue(
        "600",
        interface,
        r#"{"logout":{"name":"x","state_interface":""}}"#
    ));
    // A removed user keeps no action, and an unknown status type is ignored.
    let mut record = read(&[set("DB(DND/200)")], "", "");
    assert_eq!(record.keep_named(None, &statuses), ["DB(DND/200)"]);
    assert_eq!(record, ActionRecord::default());
    for (kind, old) in [("lunch", "lunch"), ("../../etc", "away")] {
        let mut record = read(&[set("DB(DND/200)")], "", kind);
        record.keep_named(Some(&person), &statuses);
        let mut now = person.clone();
        now.chosen.old = None;
        assert_eq!(record.old_of(&now).name(), old);
    }
}

/// An assignment to a dangerous function is undone only by the run that has read the previous
/// value, never with a value from a record.
#[test]
fn a_recorded_value_is_not_written_to_a_dangerous_function() {
    let mut any = block("any", &[State::Away], &[]);
    any.set = assignments(&["DANGEROUS(x)=ours", "DB(x/y)=ours"]);
    let there = |state| alice(std::slice::from_ref(&any), status(state, "", ""));
    let begin = || {
        let mut fake = FakeBackend::default();
        fake.set_externally("DANGEROUS(x)", "theirs");
        fake.set_externally("DB(x/y)", "theirs");
        fake
    };
    let mut fake = begin();
    let mut record = ActionRecord::default();
    for state in [State::Away, State::Dnd] {
        carry_out(&mut record, Some(&there(state)), false, &mut fake);
    }
    assert_eq!(fake.is("DANGEROUS(x)"), Some("theirs"));
    assert_eq!(fake.failures, Vec::<String>::new());

    // `act` reads the record back between the changes.
    let mut fake = begin();
    for state in [State::Away, State::Dnd] {
        fake.act(Some(&there(state)), false);
    }
    assert_eq!(fake.is("DANGEROUS(x)"), Some("ours"));
    assert_eq!(fake.is("DB(x/y)"), Some("theirs"));
    assert_eq!(fake.failures, ["undo of DANGEROUS(x): it is dangerous"]);
}

fn blocks() -> Vec<ActionBlock> {
    let mut away = block("away", &[State::Away], &[]);
    away.set = assignments(&["DB(a/b)=1", "GLOBAL(x)=${STATE}", "GLOBAL(m)=${MESSAGE}"]);
    away.queues = vec![
        (None, QueueAction::Pause),
        (Some("600".into()), QueueAction::Logout),
    ];
    let mut dnd = block("dnd", &[State::Dnd], &[]);
    dnd.dnd = Some(true);
    dnd.set = assignments(&["GLOBAL(x)=${STATE}", "DB(a/b)="]);
    dnd.queues = vec![
        (None, QueueAction::Logout),
        (Some("601".into()), QueueAction::Pause),
    ];
    let mut xa = block("xa", &[State::Xa], &["lunch"]);
    xa.dnd = Some(false);
    xa.queues = vec![
        (Some("600".into()), QueueAction::Login),
        (Some("602".into()), QueueAction::Login),
    ];
    vec![away, dnd, xa]
}

#[derive(Clone, Debug)]
enum TestEvent {
    Status(usize, bool),
    Crash(usize, bool, usize, bool),
    Load(usize, bool),
    Set(usize, Option<u8>),
    Queue(usize, u8),
}

fn event() -> impl Strategy<Value = TestEvent> {
    prop_oneof![
        3 => (0..4usize, any::<bool>()).prop_map(|(s, m)| TestEvent::Status(s, m)),
        1 => (0..4usize, any::<bool>(), 0..12usize, any::<bool>())
            .prop_map(|(s, m, at, left)| TestEvent::Crash(s, m, at, left)),
        1 => (0..4usize, any::<bool>()).prop_map(|(s, m)| TestEvent::Load(s, m)),
        2 => (0..4usize, proptest::option::of(0..3u8)).prop_map(|(t, v)| TestEvent::Set(t, v)),
        2 => (0..3usize, 0..4u8).prop_map(|(q, what)| TestEvent::Queue(q, what)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// After any events, including crashes at any point: once every action is undone, only the
    /// externally set values remain.
    #[test]
    fn undoing_everything_leaves_only_external_values(events in proptest::collection::vec(event(), 1..20)) {
        let mut fake = FakeBackend::default();
        for queue in QUEUES {
            fake.queues.insert(queue.into(), None);
        }
        let (mut values, mut members) = (fake.values.clone(), fake.queues.clone());
        let blocks = blocks();
        let person = |at: usize, message: bool| {
            alice(&blocks, status(STATES[at], "", if message { "one" } else { "" }))
        };
        for event in events {
            match event {
                TestEvent::Status(at, message) => {
                    fake.act(Some(&person(at, message)), false);
                }
                TestEvent::Load(at, message) => {
                    fake.act(Some(&person(at, message)), true);
                }
                TestEvent::Crash(at, message, left, gone) => {
                    fake.left = Some(left);
                    fake.act(Some(&person(at, message)), false);
                    fake.left = None;
                    fake.act((!gone).then(|| person(at, message)).as_ref(), true);
                }
                TestEvent::Set(target, value) => {
                    let target = TARGETS[target];
                    let value = value.map(|value| format!("hand {value}"));
                    let now = value.clone().map_or(TargetValue::Absent, TargetValue::Text);
                    // An external write of the action's own value is not recognized as external.
                    let stays = fake.kept.found(target, &now).unwrap_or(value.clone());
                    for (values, value) in [(&mut values, stays), (&mut fake.values, value)] {
                        match value {
                            Some(value) => values.insert(target.into(), value),
                            None => values.remove(target),
                        };
                    }
                }
                TestEvent::Queue(queue, what) => {
                    let now = fake.queues.get_mut(QUEUES[queue]).expect("a queue");
                    let before = now.clone();
                    match (what, now.as_mut()) {
                        (0, Some(member)) => {
                            (member.paused, member.reason) = (true, "Lunch".into());
                        }
                        (1, Some(member)) if member.name != "alice" => {
                            (member.paused, member.reason) = (false, String::new());
                        }
                        (2, Some(_)) => *now = None,
                        (3, None) => {
                            *now = Some(Member { name: "Al".into(), penalty: 2, ..Member::default() });
                        }
                        _ => {}
                    }
                    if *now != before {
                        let now = now.clone();
                        let found = fake.kept.found_in_queue(QUEUES[queue], now.as_ref());
                        members.insert(QUEUES[queue].into(), found.unwrap_or(now));
                    }
                }
            }
        }
        prop_assert!(fake.act(None, false));
        prop_assert_eq!(fake.values, values);
        prop_assert_eq!(fake.queues, members);
        prop_assert_eq!(fake.kept, ActionRecord::default());
    }
}

#[test]
fn own_items_take_the_place_of_those_of_the_blocks() {
    let mut dnd = block("dnd", &[State::Dnd], &[]);
    (dnd.dnd, dnd.followme) = (Some(true), Some(false));
    dnd.set = assignments(&["DB(x/${USER})=1"]);
    dnd.queues = vec![
        (None, QueueAction::Pause),
        (Some("601".into()), QueueAction::Logout),
    ];
    let mut person = alice(&[dnd], status(State::Dnd, "", ""));
    let targets = |person: &Person| -> Vec<String> {
        let set = wanted(person, &[]).set.into_iter();
        set.map(|(target, value)| format!("{target}={value}"))
            .collect()
    };
    let queues = |person: &Person| {
        let wanted = wanted(person, &[]);
        [("600", true), ("601", true), ("602", false)]
            .map(|(queue, member)| wanted.in_queue(queue, member))
    };
    use QueueAction::{Login, Logout, None as Nothing, Pause};
    assert_eq!(queues(&person), [Pause, Logout, Nothing]);
    assert_eq!(targets(&person).len(), 6 + 4 + 1);
    person.own.dnd = Some(OwnSwitch::None);
    assert_eq!(
        targets(&person).len(),
        4 + 1,
        "the block's other items stay"
    );
    person.own.follow_me = Some(OwnSwitch::On);
    let set = targets(&person);
    assert!(
        set.contains(&"DB(AMPUSER/200/followme/ddial)=DIRECT".to_owned()),
        "{set:?}"
    );
    assert_eq!(set.len(), 4 + 1);
    person.own.queue = Some(Nothing);
    assert_eq!(queues(&person), [Nothing; 3]);
    person.own.queue = Some(Pause);
    assert_eq!(queues(&person), [Pause, Pause, Nothing]);
    person.own.queue = Some(Login);
    assert_eq!(queues(&person), [Nothing, Login, Nothing]);
    assert_eq!(
        wanted(&person, &[]).named_queues().collect::<Vec<_>>(),
        ["601"]
    );
    // A user without any block.
    person.blocks.clear();
    person.own.queue = Some(Logout);
    assert_eq!(queues(&person), [Logout, Logout, Nothing]);
}

#[test]
fn a_record_of_own_actions_is_believed_while_people_may_have_them() {
    let mut person = alice(&[], status(State::Away, "", ""));
    (person.may_act, person.own.dnd) = (true, Some(OwnSwitch::On));
    let mut fake = FakeBackend::default();
    fake.act(Some(&person), false);
    assert_eq!(fake.is("DB(DND/200)"), Some("YES"));
    let record = fake.kept.clone();
    let statuses = Statuses::default();
    // Also while the settings do not say so any more: they may have changed before a crash.
    person.own.dnd = None;
    let mut believed = record.clone();
    assert_eq!(
        believed.keep_named(Some(&person), &statuses),
        Vec::<String>::new()
    );
    assert_eq!(believed.in_force().len(), record.in_force().len());
    person.may_act = false;
    let mut dropped = record;
    assert!(!dropped.keep_named(Some(&person), &statuses).is_empty());
    assert!(dropped.is_empty());
}
