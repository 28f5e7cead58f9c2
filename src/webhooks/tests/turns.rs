//! A webhook of a cluster: one node posts at a time.

use super::*;

fn elsewhere() -> Option<Posting> {
    Some(Posting::Elsewhere(Some("paris".into())))
}

impl Started {
    /// A webhook on a node of a cluster.
    fn on_a_node(posting: Option<Posting>, answers: impl IntoIterator<Item = PostOutcome>) -> Self {
        let account = Account {
            posting: Mutex::new(posting),
            ..Account::default()
        };
        Self::start_with(account, &specs("60"), answers)
    }

    fn now_posts(&self, posting: Option<Posting>, resumed: Option<Resumed>) {
        *self.account.resumed.lock().unwrap() = resumed;
        *self.account.posting.lock().unwrap() = posting;
        self.webhooks.posting_changed();
    }

    fn acknowledged(&self) -> Vec<(Option<u64>, Time)> {
        let all = self.webhooks.acknowledged(&*self.source);
        let all = all.iter();
        all.map(|(_, far)| (far.sequence_of("berlin"), far.until()))
            .collect()
    }

    fn wait_for_posts(&self, expected: &[u64]) {
        let end = Instant::now() + Duration::from_secs(60);
        while *POSTED.lock().unwrap() != expected {
            let posted = POSTED.lock().unwrap().clone();
            assert!(Instant::now() < end, "{posted:?}, expected {expected:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn one_at_a_time() -> std::sync::MutexGuard<'static, ()> {
    let one = ONE_AT_A_TIME.lock();
    one.unwrap_or_else(|held| held.into_inner())
}

#[test]
fn a_node_without_a_turn_posts_nothing_and_tells_nothing() {
    let _one = one_at_a_time();
    let running = Started::on_a_node(elsewhere(), []);
    running.account.add(1);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(running.acknowledged(), []);
    running.webhooks.stop(&*running.source);
    assert_eq!(*POSTED.lock().unwrap(), [0; 0]);
    assert!(running.account.failures.lock().unwrap().is_empty());
    assert_eq!(running.account.lost.load(Ordering::Relaxed), 0);
}

#[test]
fn a_turn_begins_where_the_receiver_is() {
    let _one = one_at_a_time();
    let running = Started::on_a_node(elsewhere(), []);
    (1..=5).for_each(|sequence| running.account.add(sequence));
    let resumed = Resumed {
        sequence: 3,
        ..Resumed::default()
    };
    running.now_posts(Some(Posting::Here(7)), Some(resumed));
    running.wait_for_posts(&[4, 5]);
    running.wait_for("both", |shown| shown.delivered == 2);
    // Nothing waits: the receiver knows all that has happened until now.
    running.wait_for_acknowledged((Some(5), NOW));
    running.webhooks.stop(&*running.source);
    assert_eq!(running.acknowledged(), [(Some(5), NOW)], "after the stop");
}

#[test]
fn a_first_turn_without_a_known_receiver_begins_with_the_next_event() {
    let _one = one_at_a_time();
    let running = Started::on_a_node(Some(Posting::Here(1)), []);
    running.account.add(1);
    running.wait_for_posts(&[1]);
    running.webhooks.stop(&*running.source);
}

#[test]
fn users_are_posted_as_they_are_where_the_journal_does_not_reach_back() {
    let _one = one_at_a_time();
    let running = Started::on_a_node(elsewhere(), [failed()]);
    (1..=9).for_each(|sequence| running.account.add(sequence));
    let until = Time::from_millis(5);
    let resumed = Resumed {
        sequence: 8,
        // The test's users have their number as their name; one has left the account.
        changed: [(3, "3".into()), (4, "gone".into()), (6, "6".into())].into(),
        until,
        ..Resumed::default()
    };
    running.now_posts(Some(Posting::Here(7)), Some(resumed));
    running.wait_for("a failure", |shown| shown.failing.is_some());
    running.wait_for_acknowledged((Some(2), until));
    running.wait_for_posts(&[3, 3, 6, 9]);
    running.webhooks.stop(&*running.source);
}

#[test]
fn a_turn_that_goes_on_loses_nothing_and_one_that_ends_stops_the_post() {
    let _one = one_at_a_time();
    let running = Started::on_a_node(Some(Posting::Here(1)), [failed()]);
    running.account.add(1);
    running.wait_for("a failure", |shown| shown.failing.is_some());
    running.now_posts(elsewhere(), None);
    running.account.add(2);
    assert_eq!(running.acknowledged(), []);
    running.wait_for("its end", |shown| shown.failing.is_none());
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(*POSTED.lock().unwrap(), [1]);
    // The same turn: no other node has posted in between.
    running.now_posts(Some(Posting::Here(1)), None);
    running.wait_for_posts(&[1, 1, 2]);
    // Another turn: another node has posted the next event.
    running.now_posts(elsewhere(), None);
    running.account.add(3);
    running.account.add(4);
    let resumed = Resumed {
        sequence: 3,
        ..Resumed::default()
    };
    running.now_posts(Some(Posting::Here(9)), Some(resumed));
    running.wait_for_posts(&[1, 1, 2, 4]);
    running.webhooks.stop(&*running.source);
}

#[test]
fn a_slow_receiver_of_a_cluster_gets_the_users_instead_of_lost_events() {
    let _one = one_at_a_time();
    let running = Started::on_a_node(elsewhere(), []);
    running.account.add(9);
    let resumed = Resumed {
        sequence: 8,
        changed: [(2, "2".into())].into(),
        ..Resumed::default()
    };
    running.account.before.store(5, Ordering::Relaxed);
    *running.account.after.lock().unwrap() = Some(resumed);
    running.now_posts(Some(Posting::Here(1)), None);
    running.wait_for_posts(&[2, 9]);
    assert_eq!(running.account.lost.load(Ordering::Relaxed), 0);
    running.webhooks.stop(&*running.source);
}

impl Started {
    fn wait_for_acknowledged(&self, expected: (Option<u64>, Time)) {
        let end = Instant::now() + Duration::from_secs(60);
        while self.acknowledged() != [expected] {
            let far = self.acknowledged();
            assert!(Instant::now() < end, "{far:?}, expected {expected:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[test]
fn what_nodes_tell_each_other_is_of_one_account() {
    let spec = &specs("60")[0];
    let far = Acknowledged::new(spec, "berlin", NOW, 42);
    let json = far.json();
    assert_eq!(
        json,
        r#"{"until":1800000000000000,"account":"main","node":"berlin","sequence":42}"#
    );
    assert_eq!(Acknowledged::of(spec, &json), Some(far));
    let other = json.replace("main", "other");
    assert_eq!(Acknowledged::of(spec, &other), None);
    assert_eq!(Acknowledged::of(spec, "{}"), None);
}
