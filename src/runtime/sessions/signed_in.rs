//! HTTP sessions that count as panels: those of persons, and of API users that belong to a user.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::logins::{Logins, SeenLogins};
use presence::Time;
use presence::config::ApiUser;

/// The number of sessions of one API user that count at the same time.
pub const MOST: usize = 100;

/// A session: its end, and what distinguishes it from others with the same end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SessionKey {
    /// Unix time in seconds.
    pub end: u64,
    /// The random part of the token.
    pub random: Box<str>,
}

/// A panel of a user begins or ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PanelStep {
    /// The user logs in.
    In(Arc<str>),
    /// The user logs out.
    Out(Arc<str>),
}

/// The sessions that count.
#[derive(Default, Debug)]
pub struct SignedIn {
    /// The first to end comes first.
    sessions: BTreeMap<SessionKey, PanelSession>,
    /// The logins that the sessions were last compared with.
    seen: SeenLogins,
}

#[derive(Debug)]
struct PanelSession {
    /// The API user, with the password at the begin of the session.
    who: Arc<ApiUser>,
    /// The user that the session logs in.
    user: Arc<str>,
}

impl SignedIn {
    /// Whether the session counts.
    pub fn has(&self, key: &SessionKey) -> bool {
        self.sessions.contains_key(key)
    }

    /// Counts a session of an API user, once. If the API user has more than [`MOST`], the
    /// session that ends first stops counting.
    pub fn add(&mut self, key: &SessionKey, who: &Arc<ApiUser>) -> Vec<PanelStep> {
        let Some(user) = who.caller.user.clone().filter(|_| !self.has(key)) else {
            return Vec::new();
        };
        let mut steps = vec![PanelStep::In(user.clone())];
        let own = self.sessions.iter();
        let own = own.filter(|(_, session)| same(&session.who, who));
        let own: Vec<_> = own.map(|(key, _)| key.clone()).take(MOST).collect();
        if let Some(first) = own.first().filter(|_| own.len() == MOST) {
            steps.extend(self.remove(first));
        }
        let who = who.clone();
        self.sessions
            .insert(key.clone(), PanelSession { who, user });
        steps
    }

    /// Stops counting the session.
    pub fn remove(&mut self, key: &SessionKey) -> Option<PanelStep> {
        let session = self.sessions.remove(key)?;
        Some(PanelStep::Out(session.user))
    }

    /// Removes the sessions that are over: their time has passed, or the configuration or the
    /// password has changed.
    pub fn over(&mut self, logins: &Logins, now: Time) -> Vec<PanelStep> {
        let mut steps = Vec::new();
        let rest = self.sessions.split_off(&SessionKey {
            end: seconds(now) + 1,
            random: "".into(),
        });
        let over = std::mem::replace(&mut self.sessions, rest);
        steps.extend(
            over.into_values()
                .map(|session| PanelStep::Out(session.user)),
        );
        if logins.are(&self.seen) {
            return steps;
        }
        self.seen = logins.seen();
        self.sessions.retain(|_, session| {
            let holds = |who: &Arc<ApiUser>| {
                let is_same = same(who, &session.who) && who.password == session.who.password;
                logins.http().enabled && is_same
            };
            let who = logins.find(&session.who.caller.name).filter(holds);
            let user = who.as_ref().and_then(|who| who.caller.user.clone());
            let (Some(who), Some(user)) = (who, user) else {
                steps.push(PanelStep::Out(session.user.clone()));
                return false;
            };
            session.who = who;
            if user != session.user {
                steps.push(PanelStep::In(user.clone()));
                steps.push(PanelStep::Out(std::mem::replace(&mut session.user, user)));
            }
            true
        });
        steps
    }

    /// When the first session ends.
    pub fn next(&self) -> Option<Time> {
        let (key, _) = self.sessions.first_key_value()?;
        Some(Time::from_millis(key.end.saturating_mul(1000)))
    }
}

fn same(one: &ApiUser, other: &ApiUser) -> bool {
    one.caller.name == other.caller.name
}

fn seconds(time: Time) -> u64 {
    time.millis() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::sessions::own_passwords::OwnPasswords;
    use presence::config::testing::directory;
    use std::time::Duration;

    const NOW: Time = Time::from_micros(1_800_000_000_000_000);
    /// How long a session lasts, in seconds.
    const LASTS: u64 = 12 * 60 * 60;

    fn logins(panels: &str) -> Logins {
        let users = "[bob]\ntype = user\n[alice]\ntype = user\n";
        let directory = directory(&format!("{users}{panels}"));
        Logins::new(directory, Arc::new(OwnPasswords::default()))
    }

    fn panel(password: &str, user: &str) -> String {
        format!(
            "[panel]\ntype = api_user\npassword = $6$a${password}\nrole = self\nuser = {user}\n"
        )
    }

    fn key(random: u64, now: Time) -> SessionKey {
        SessionKey {
            end: seconds(now) + LASTS,
            random: random.to_string().into(),
        }
    }

    fn later(seconds: u64) -> Time {
        NOW.after(Duration::from_secs(seconds))
    }

    fn logged_in(user: &str) -> PanelStep {
        PanelStep::In(user.into())
    }

    fn logged_out(user: &str) -> PanelStep {
        PanelStep::Out(user.into())
    }

    #[test]
    fn a_session_counts_once_until_it_is_over() {
        let logins = logins(&panel("x", "alice"));
        let who = &logins.find("panel").unwrap();
        let [one, two, three] = [key(1, NOW), key(2, later(10)), key(3, later(20))];
        let mut sessions = SignedIn::default();
        for key in [&one, &two, &three] {
            assert_eq!(sessions.add(key, who), [logged_in("alice")]);
            assert_eq!(sessions.add(key, who), []);
        }
        assert_eq!(sessions.remove(&two), Some(logged_out("alice")));
        assert_eq!(sessions.remove(&two), None);
        let end = later(LASTS);
        assert_eq!(sessions.next(), Some(end));
        assert_eq!(sessions.over(&logins, later(LASTS - 1)), []);
        assert_eq!(sessions.over(&logins, end), [logged_out("alice")]);
        assert!(!sessions.has(&one) && sessions.has(&three));
        assert_eq!(sessions.next(), Some(later(LASTS + 20)));
    }

    #[test]
    fn a_session_without_a_user_does_not_count() {
        let reader = "[panel]\ntype = api_user\npassword = $6$a$x\n";
        let logins = logins(reader);
        let mut sessions = SignedIn::default();
        assert_eq!(
            sessions.add(&key(1, NOW), &logins.find("panel").unwrap()),
            []
        );
        assert_eq!(sessions.next(), None);
    }

    #[test]
    fn a_change_of_the_configuration_may_end_a_session() {
        let key = key(1, NOW);
        let first = logins(&panel("x", "alice"));
        let off = |on: &str| logins(&format!("[general]\nhttp = {on}\n{}", panel("x", "alice")));
        for (other, steps) in [
            (off("yes"), vec![]),
            (
                logins(&panel("x", "bob")),
                vec![logged_in("bob"), logged_out("alice")],
            ),
            (logins(&panel("y", "alice")), vec![logged_out("alice")]),
            (off("no"), vec![logged_out("alice")]),
            (logins(""), vec![logged_out("alice")]),
        ] {
            let mut sessions = SignedIn::default();
            sessions.add(&key, &first.find("panel").unwrap());
            assert_eq!(sessions.over(&first, NOW), []);
            assert_eq!(sessions.over(&other, NOW), steps);
            assert_eq!(sessions.over(&other, NOW), []);
        }
    }

    #[test]
    fn one_api_user_has_a_limit() {
        let logins = logins(&panel("x", "alice"));
        let who = &logins.find("panel").unwrap();
        let mut sessions = SignedIn::default();
        for at in 0..MOST as u64 {
            assert_eq!(sessions.add(&key(at, later(at)), who).len(), 1);
        }
        let steps = sessions.add(&key(1000, later(1000)), who);
        assert_eq!(steps, [logged_in("alice"), logged_out("alice")]);
        assert_eq!(sessions.sessions.len(), MOST);
        assert_eq!(sessions.next(), Some(later(LASTS + 1)));
    }
}
