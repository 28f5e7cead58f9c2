//! The runtime's own behaviour under several threads, on a fake host.

mod turns;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::feed::{Next, Reader};
use super::own_settings::{ForwardCallers, ForwardsChanged, SettingsRefusal};
use super::persister::Persister;
use super::testing::{Fake, runtime};
use super::{NOT_RUNNING, Running, Runtime};
use presence::calls::{ForwardWhen, SetBy};
use presence::model::assignment::Parts;

const USERS: &str = "[alice]\ntype = user\nextension = 200\n\
                     [bob]\ntype = user\nextension = 201\nextension = 200\n";

/// Sets a status with a message.
fn try_set(runtime: &Runtime, user: &str, status: &str, message: &str) -> Result<(), String> {
    let parts = Parts {
        status,
        subtype: "",
        message,
        options: "",
    };
    runtime.set_status(user, |statuses, clock| parts.choice(statuses, clock))
}

fn set(runtime: &Runtime, user: &str, status: &str, message: &str) {
    assert_eq!(try_set(runtime, user, status, message), Ok(()));
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "{what} does not come");
        thread::sleep(Duration::from_millis(2));
    }
}

fn header<'a>(event: &'a [(String, String)], name: &str) -> &'a str {
    let found = event.iter().find(|(known, _)| known == name);
    found.map_or("", |(_, value)| value)
}

/// Four threads set statuses.
fn storm(runtime: &Arc<Runtime>, each: usize) {
    thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || {
                let user = ["alice", "bob"][number % 2];
                for turn in 0..each {
                    let status = ["away", "dnd", "available"][turn % 3];
                    set(runtime, user, status, &format!("{number}-{turn}"));
                }
            });
        }
    });
}

#[test]
fn effects_of_many_threads_are_delivered_once_and_in_order() {
    let (runtime, fake) = runtime(USERS);
    storm(&runtime, 100);
    let changes = fake.events("UserPresenceChange");
    let numbers = changes
        .iter()
        .map(|event| header(event, "Sequence").parse());
    let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().unwrap();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    for user in ["alice", "bob"] {
        let of_user = changes.iter().filter(|event| header(event, "User") == user);
        let of_user: Vec<_> = of_user.collect();
        assert!(
            of_user
                .windows(2)
                .all(|pair| { header(pair[1], "OldMessage") == header(pair[0], "Message") })
        );
        let last = fake.published(user).pop().unwrap();
        let known = runtime.read(|world| {
            let id = world.directory().user(user).unwrap();
            let presence = &world.outcome(id).presence;
            (presence.state().name(), presence.message().to_owned())
        });
        assert_eq!(Some(last), known);
    }
}

#[test]
fn no_lock_is_held_while_the_host_is_called() {
    let (runtime, fake) = runtime(USERS);
    let weak = Arc::downgrade(&runtime);
    let look = move || {
        let runtime = weak.upgrade().unwrap();
        // It would wait for ever for a lock that this thread holds.
        runtime.update_always(|_, _| ((), Vec::new())).unwrap();
        assert!(runtime.feed.journal_length() < 1000);
    };
    *fake.at_publish.lock().unwrap() = Some(Box::new(look));
    storm(&runtime, 30);
    assert!(!fake.published("alice").is_empty());
}

#[test]
fn a_change_after_the_end_of_listening_is_refused_and_loses_nothing() {
    let (runtime, fake) = runtime(USERS);
    set(&runtime, "alice", "away", "before");
    runtime.stop_listening();
    let late = try_set(&runtime, "alice", "dnd", "late");
    assert_eq!(late, Err(NOT_RUNNING.to_owned()));
    assert_eq!(fake.published("alice"), [("away", "before".to_owned())]);
}

/// Stops the persister and returns the rows in AstDB.
fn stopped(persister: Persister, fake: &Fake) -> String {
    drop(persister);
    format!("{:?}", fake.rows())
}

#[test]
fn rows_gather_and_the_latest_value_is_stored() {
    let (runtime, fake) = runtime(USERS);
    let persister = Persister::start(runtime.clone()).unwrap();
    storm(&runtime, 50);
    set(&runtime, "alice", "dnd", "the last");
    let rows = stopped(persister, &fake);
    assert!(rows.contains("the last"), "{rows}");
}

#[test]
fn rows_that_astdb_refuses_are_stored_later() {
    let (runtime, fake) = runtime(USERS);
    fake.locked.store(true, Ordering::Relaxed);
    let persister = Persister::start(runtime.clone()).unwrap();
    set(&runtime, "alice", "away", "kept");
    thread::sleep(Duration::from_millis(50));
    assert!(fake.rows().is_empty());
    fake.locked.store(false, Ordering::Relaxed);
    wait_for("the row", || format!("{:?}", fake.rows()).contains("kept"));
    drop(persister);
}

#[test]
fn rows_that_astdb_loses_are_stored_again() {
    let (runtime, fake) = runtime(USERS);
    let persister = Persister::start(runtime.clone()).unwrap();
    fake.losses.store(1000, Ordering::Relaxed);
    set(&runtime, "alice", "away", "kept");
    wait_for("the loss", || fake.losses.load(Ordering::Relaxed) < 1000);
    fake.losses.store(0, Ordering::Relaxed);
    let rows = stopped(persister, &fake);
    assert!(rows.contains("kept"), "{rows}");
}

#[test]
fn a_settle_time_publishes_the_first_and_the_last_of_a_storm() {
    let (runtime, fake) = runtime(
        "[general]\nsettle = 200\n[alice]\ntype = user\nextension = 200\n\
         [bob]\ntype = user\nextension = 201\n",
    );
    let persister = Persister::start(runtime.clone()).unwrap();
    storm(&runtime, 20);
    set(&runtime, "alice", "dnd", "the last");
    wait_for("the last presence", || {
        let published = fake.published("alice");
        published.last() == Some(&("dnd", "the last".to_owned()))
    });
    drop(persister);
    let published = fake.published("alice").len();
    let changes = fake.events("UserPresenceChange").len();
    assert!(published < changes, "{published} of {changes}");
}

#[test]
fn a_reader_that_comes_back_misses_nothing() {
    let (runtime, _) = runtime(USERS);
    let round = runtime.feed.round();
    let begin = runtime.read(|world| {
        let account = world.directory().account_named("default");
        account.map_or(0, |account| world.account_sequence(account))
    });
    let account: Arc<str> = runtime
        .read(|world| world.directory().accounts()[0].clone())
        .unwrap();
    let (mut reader, _) = Reader::new(
        &runtime.feed,
        account.clone(),
        None,
        begin.unwrap_or_default(),
        round,
    )
    .unwrap();
    let mut numbers = Vec::new();
    let collect = |reader: &mut Reader, numbers: &mut Vec<u64>| {
        while let Next::News(events, _) = reader.next(7, Instant::now()) {
            if events.is_empty() {
                return;
            }
            numbers.extend(events.iter().map(|event| event.sequence));
        }
    };
    set(&runtime, "alice", "away", "");
    collect(&mut reader, &mut numbers);
    let last = reader.sequence;
    drop(reader);
    storm(&runtime, 20);
    let (mut reader, resumes) =
        Reader::new(&runtime.feed, account, Some(last), 0, runtime.feed.round()).unwrap();
    assert!(resumes);
    collect(&mut reader, &mut numbers);
    assert!(numbers.len() > 20);
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    runtime.feed.end_streams();
    assert!(matches!(reader.next(1, Instant::now()), Next::Over));
}

#[test]
fn nothing_of_a_run_outlives_it() {
    let (runtime, _) = runtime(USERS);
    runtime.open_sessions();
    assert!(runtime.sessions.access().is_some());
    let weak = Arc::downgrade(&runtime);
    let running = Running::begin(runtime.clone());
    assert!(super::current().is_some());
    drop(running);
    // A thread that was given up may hold the runtime: the secrets are gone all the same.
    assert!(runtime.sessions.access().is_none());
    assert!(runtime.read(|_| ()).is_none());
    assert!(super::current().is_none());
    drop(runtime);
    assert!(weak.upgrade().is_none());
}

#[test]
fn own_forwards_are_stored_and_their_watchers_hear_of_them() {
    let (runtime, fake) = runtime(USERS);
    let persister = Persister::start(runtime.clone()).unwrap();
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    let into = heard.clone();
    runtime.watch_forwards(Arc::new(move |changed| {
        let user = match changed {
            ForwardsChanged::Of(user) => user.to_owned(),
            ForwardsChanged::All => "all".to_owned(),
        };
        into.lock().unwrap().push(user);
    }));
    set(&runtime, "alice", "away", "");
    let forward = |target, status| {
        let (callers, when) = (ForwardCallers::Both, ForwardWhen::Always);
        runtime.set_own_forward("alice", callers, when, target, status)
    };
    assert_eq!(forward(Some("201"), None), Ok(()));
    // The status is written to an extension that both have; the forward is alice's alone.
    assert_eq!(*heard.lock().unwrap(), ["alice", "bob", "alice"]);
    let effective = runtime.effective_forwards("alice", None).unwrap();
    assert_eq!(effective[0].target.as_deref(), Some("201"));
    assert_eq!(effective[3].set_by, Some(SetBy::Own("away".into())));
    let other = runtime.effective_forwards("alice", Some("dnd")).unwrap();
    assert!(other.iter().all(|it| it.set_by.is_none()));
    assert_eq!(runtime.own_forwards("alice").unwrap().len(), 2);
    let refused = [
        forward(Some("+49"), None),
        forward(Some("2 0"), None),
        forward(Some("201"), Some("asleep")),
        runtime.set_own_forward("x", ForwardCallers::Internal, ForwardWhen::Busy, None, None),
    ];
    assert!(matches!(refused[0], Err(SettingsRefusal::NotAllowed(_))));
    assert!(matches!(refused[1], Err(SettingsRefusal::Invalid(_))));
    assert!(matches!(refused[2], Err(SettingsRefusal::Invalid(_))));
    assert!(matches!(refused[3], Err(SettingsRefusal::NoUser(_))));
    let row = || {
        let key = ("UserPresence".to_owned(), "settings/alice".to_owned());
        fake.database.lock().unwrap().get(&key).cloned()
    };
    wait_for("the row", || row().is_some());
    assert_eq!(row(), runtime.own_settings("alice").ok());
    assert_eq!(forward(None, Some("away")), Ok(()));
    wait_for("the end of the row", || row().is_none());
    drop(persister);
}
