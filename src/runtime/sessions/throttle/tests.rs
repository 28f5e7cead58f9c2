use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn named(name: &str) -> Means<'_> {
    Means::Password { name, known: true }
}

fn made_up(name: &str) -> Means<'_> {
    Means::Password { name, known: false }
}

impl Throttle {
    fn wait(&self, remote: IpAddr, means: Means<'_>, now: Instant) -> Option<Duration> {
        match self.turn(remote, means, now) {
            Admission::Wait(wait) => Some(wait),
            _ => None,
        }
    }
}

fn at(seconds: u64) -> Instant {
    static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *BEGIN.get_or_init(Instant::now) + Duration::from_secs(seconds)
}

#[test]
fn five_failures_are_free_and_then_the_wait_grows() {
    let mut throttle = Throttle::default();
    for _ in 0..4 {
        throttle.failed(HERE, named("panel"), at(0));
        assert_eq!(throttle.wait(HERE, named("panel"), at(0)), None);
    }
    let mut waits = Vec::new();
    for _ in 0..8 {
        throttle.failed(HERE, named("Panel"), at(0));
        waits.push(
            throttle
                .wait(HERE, named("panel"), at(0))
                .unwrap()
                .as_secs(),
        );
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(throttle.wait(HERE, named("panel"), at(60)), None);
    assert_eq!(throttle.wait(HERE, named("other"), at(0)), None);
    let elsewhere = "10.0.0.1".parse().unwrap();
    assert_eq!(throttle.wait(elsewhere, named("panel"), at(0)), None);
}

#[test]
fn the_right_password_and_time_reset_the_failures() {
    let mut throttle = Throttle::default();
    (0..6).for_each(|_| throttle.failed(HERE, named("panel"), at(0)));
    throttle.succeeded(HERE, named("panel"));
    assert_eq!(throttle.wait(HERE, named("panel"), at(0)), None);
    (0..6).for_each(|_| throttle.failed(HERE, named("panel"), at(0)));
    throttle.failed(HERE, named("panel"), at(2000));
    assert_eq!(throttle.wait(HERE, named("panel"), at(2000)), None);
}

#[test]
fn many_names_from_one_address_are_slowed_down_too() {
    let mut throttle = Throttle::default();
    for name in 0..60 {
        throttle.failed(HERE, made_up(&name.to_string()), at(0));
    }
    assert!(throttle.is_crowded(HERE, at(0)));
    // A name that has failed waits for the address too; a name that has not does not wait.
    assert!(throttle.wait(HERE, made_up("7"), at(0)).is_some());
    assert!(throttle.wait(HERE, Means::Cookie, at(0)).is_some());
    assert_eq!(throttle.wait(HERE, named("new"), at(0)), None);
    assert_eq!(throttle.begin(HERE, named("new"), at(0)), Admission::Now);
    assert_eq!(throttle.begin(HERE, named("new"), at(0)), Admission::Busy);
    throttle.failed(HERE, named("new"), at(0));
    assert!(throttle.wait(HERE, named("new"), at(0)).is_some());
    // After ten minutes all failures are forgotten.
    assert_eq!(throttle.wait(HERE, named("new"), at(601)), None);
    assert!(!throttle.is_crowded(HERE, at(601)));
    let net = |host: &str| format!("fd00::1:0:0:{host}").parse::<IpAddr>().unwrap();
    (0..6).for_each(|_| throttle.failed(net("1"), named("panel"), at(0)));
    assert!(throttle.wait(net("2"), named("panel"), at(0)).is_some());
}

#[test]
fn attempts_at_the_same_time_count_like_attempts_in_sequence() {
    let mut throttle = Throttle::default();
    let began = |throttle: &mut Throttle, now| {
        let turns = (0..100).map(|_| throttle.begin(HERE, named("panel"), now));
        turns.take_while(|turn| *turn == Admission::Now).count()
    };
    assert_eq!(began(&mut throttle, at(0)), 5);
    assert_eq!(throttle.begin(HERE, named("Panel"), at(0)), Admission::Busy);
    assert_eq!(throttle.begin(HERE, named("other"), at(0)), Admission::Now);
    (0..4).for_each(|_| throttle.failed(HERE, named("panel"), at(0)));
    assert_eq!(throttle.begin(HERE, named("panel"), at(0)), Admission::Busy);
    throttle.failed(HERE, named("panel"), at(0));
    let second = Duration::from_secs(1);
    assert_eq!(
        throttle.begin(HERE, named("panel"), at(0)),
        Admission::Wait(second),
        "the failures count"
    );
    // After the wait one attempt is allowed, not all of them.
    assert_eq!(began(&mut throttle, at(1)), 1);
    throttle.succeeded(HERE, named("panel"));
    assert_eq!(began(&mut throttle, at(1)), 5);
}

#[test]
fn a_success_leaves_nothing_behind() {
    let mut throttle = Throttle::default();
    for _ in 0..100 {
        assert_eq!(throttle.begin(HERE, named("panel"), at(0)), Admission::Now);
        throttle.succeeded(HERE, named("panel"));
    }
    assert!(throttle.0.is_empty());
    // The failures of other names at the address stay, with their time.
    for name in 0..50 {
        throttle.failed(HERE, made_up(&name.to_string()), at(0));
    }
    assert_eq!(throttle.begin(HERE, named("panel"), at(1)), Admission::Now);
    throttle.succeeded(HERE, named("panel"));
    assert_eq!(throttle.begin(HERE, named("panel"), at(1)), Admission::Now);
}

#[test]
fn the_memory_is_bounded() {
    let mut throttle = Throttle::default();
    for host in 0..20_000_u32 {
        let remote = std::net::Ipv4Addr::from_bits(host).into();
        throttle.failed(remote, named("panel"), at(0));
        assert!(throttle.0.len() <= MOST + 1);
    }
}

#[test]
fn a_valid_cookie_does_not_reset_the_failures_of_others() {
    let mut throttle = Throttle::default();
    (0..5).for_each(|_| throttle.failed(HERE, Means::Cookie, at(0)));
    assert_eq!(throttle.begin(HERE, Means::Cookie, at(1)), Admission::Now);
    throttle.withdrawn(HERE, Means::Cookie);
    throttle.failed(HERE, Means::Cookie, at(1));
    let two = Duration::from_secs(2);
    assert_eq!(throttle.wait(HERE, Means::Cookie, at(1)), Some(two));
    assert_eq!(throttle.wait(HERE, named("cookie"), at(1)), None);
}

#[test]
fn made_up_names_do_not_push_out_the_failures_of_others() {
    let mut throttle = Throttle::default();
    (0..6).for_each(|_| throttle.failed(HERE, named("panel"), at(0)));
    for name in 0..20_000_u64 {
        throttle.failed(HERE, made_up(&name.to_string()), at(1 + name / 1000));
        assert!(throttle.0.len() <= MOST + 1);
    }
    assert!(throttle.wait(HERE, named("panel"), at(20)).is_some());
}
