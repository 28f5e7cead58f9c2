//! Sessions over HTTP that count as panels: those whose API user stands for a user.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::session::Token;
use presence::Time;
use presence::config::{ApiUser, Http};

/// The most sessions of one API user that count at a time.
pub const MOST: usize = 100;

/// A user who is on one panel more or less.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Logged in.
    In(Arc<str>),
    /// Logged out.
    Out(Arc<str>),
}

/// The sessions that count.
#[derive(Default, Debug)]
pub struct SignedIn {
    /// By their end, in seconds of Unix time, and what tells them apart.
    sessions: BTreeMap<(u64, Box<str>), Session>,
    /// What they were last compared with.
    http: Option<Arc<Http>>,
}

#[derive(Debug)]
struct Session {
    /// The API user, with the password that the session began with.
    who: Arc<ApiUser>,
    /// The user who is logged in by it.
    user: Arc<str>,
}

impl SignedIn {
    /// Whether the session of that token counts.
    pub fn has(&self, token: &Token<'_>) -> bool {
        self.sessions.contains_key(&key(token))
    }

    /// Counts a session of that API user's, once. Where it has too many, the one that ends
    /// first counts no more.
    pub fn add(&mut self, token: &Token<'_>, who: &Arc<ApiUser>) -> Vec<Step> {
        let Some(user) = who.caller.user.clone().filter(|_| !self.has(token)) else {
            return Vec::new();
        };
        let mut steps = vec![Step::In(user.clone())];
        let own = self.sessions.iter();
        let own = own.filter(|(_, session)| same(&session.who, who));
        let own: Vec<_> = own.map(|(key, _)| key.clone()).take(MOST).collect();
        if let Some(first) = own.first().filter(|_| own.len() == MOST) {
            steps.extend(self.take(first));
        }
        let who = who.clone();
        self.sessions.insert(key(token), Session { who, user });
        steps
    }

    /// Counts the session of that token no more.
    pub fn remove(&mut self, token: &Token<'_>) -> Option<Step> {
        self.take(&key(token))
    }

    fn take(&mut self, key: &(u64, Box<str>)) -> Option<Step> {
        let session = self.sessions.remove(key)?;
        Some(Step::Out(session.user))
    }

    /// Takes out those that are over: by time, or because of another configuration.
    pub fn over(&mut self, http: &Arc<Http>, now: Time) -> Vec<Step> {
        let mut steps = Vec::new();
        let rest = self.sessions.split_off(&(seconds(now) + 1, "".into()));
        let over = std::mem::replace(&mut self.sessions, rest);
        steps.extend(over.into_values().map(|session| Step::Out(session.user)));
        let is_known = |known: &Arc<Http>| Arc::ptr_eq(known, http);
        if self.http.as_ref().is_some_and(is_known) {
            return steps;
        }
        self.http = Some(http.clone());
        self.sessions.retain(|_, session| {
            let holds = |who: &&Arc<ApiUser>| {
                http.enabled && same(who, &session.who) && who.password == session.who.password
            };
            let who = http.user(&session.who.caller.name).filter(holds);
            let user = who.and_then(|who| who.caller.user.clone());
            let (Some(who), Some(user)) = (who, user) else {
                steps.push(Step::Out(session.user.clone()));
                return false;
            };
            session.who = who.clone();
            if user != session.user {
                steps.push(Step::In(user.clone()));
                steps.push(Step::Out(std::mem::replace(&mut session.user, user)));
            }
            true
        });
        steps
    }

    /// When the first of them ends.
    pub fn next(&self) -> Option<Time> {
        let ((end, _), _) = self.sessions.first_key_value()?;
        Some(Time::from_millis(end.saturating_mul(1000)))
    }
}

fn key(token: &Token<'_>) -> (u64, Box<str>) {
    (token.end(), token.random.into())
}

fn same(one: &ApiUser, other: &ApiUser) -> bool {
    one.caller.name == other.caller.name
}

fn seconds(time: Time) -> u64 {
    time.millis() / 1000
}

#[cfg(test)]
mod tests {
    use super::super::session::{self, Secret};
    use super::*;
    use presence::config::testing::parsed;
    use std::time::Duration;

    const NOW: Time = Time::from_micros(1_800_000_000_000_000);

    fn http(panels: &str) -> Arc<Http> {
        let users = "[alice]\ntype = user\n[bob]\ntype = user\n";
        let parsed = parsed(&format!("{users}{panels}"));
        assert_eq!(parsed.all_errors().count(), 0, "{:?}", parsed.errors);
        parsed.settings.http
    }

    fn panel(password: &str, user: &str) -> String {
        format!(
            "[panel]\ntype = api_user\npassword = $6$a${password}\nrole = self\nuser = {user}\n"
        )
    }

    fn token(random: u64, now: Time) -> String {
        session::issue(&Secret::new([7; 32]), "panel", "p", random, now)
    }

    fn later(seconds: u64) -> Time {
        NOW.after(Duration::from_secs(seconds))
    }

    fn logged_in(user: &str) -> Step {
        Step::In(user.into())
    }

    fn logged_out(user: &str) -> Step {
        Step::Out(user.into())
    }

    #[test]
    fn a_session_counts_once_until_it_is_over() {
        let http = http(&panel("x", "alice"));
        let who = http.user("panel").unwrap();
        let texts = [token(1, NOW), token(2, later(10)), token(3, later(20))];
        let [one, two, three] = texts.each_ref().map(|text| Token::parse(text).unwrap());
        let mut sessions = SignedIn::default();
        for token in [one, two, three] {
            assert_eq!(sessions.add(&token, who), [logged_in("alice")]);
            assert_eq!(sessions.add(&token, who), []);
        }
        assert_eq!(sessions.remove(&two), Some(logged_out("alice")));
        assert_eq!(sessions.remove(&two), None);
        let end = later(session::LASTS);
        assert_eq!(sessions.next(), Some(end));
        assert_eq!(sessions.over(&http, later(session::LASTS - 1)), []);
        assert_eq!(sessions.over(&http, end), [logged_out("alice")]);
        assert!(!sessions.has(&one) && sessions.has(&three));
        assert_eq!(sessions.next(), Some(later(session::LASTS + 20)));
    }

    #[test]
    fn who_stands_for_nobody_counts_not() {
        let reader = "[panel]\ntype = api_user\npassword = $6$a$x\n";
        let http = http(reader);
        let text = token(1, NOW);
        let token = Token::parse(&text).unwrap();
        let mut sessions = SignedIn::default();
        assert_eq!(sessions.add(&token, http.user("panel").unwrap()), []);
        assert_eq!(sessions.next(), None);
    }

    #[test]
    fn another_configuration_may_end_it() {
        let text = token(1, NOW);
        let token = Token::parse(&text).unwrap();
        let first = http(&panel("x", "alice"));
        let off = |on: &str| http(&format!("[general]\nhttp = {on}\n{}", panel("x", "alice")));
        for (other, steps) in [
            (off("yes"), vec![]),
            (
                http(&panel("x", "bob")),
                vec![logged_in("bob"), logged_out("alice")],
            ),
            (http(&panel("y", "alice")), vec![logged_out("alice")]),
            (off("no"), vec![logged_out("alice")]),
            (http(""), vec![logged_out("alice")]),
        ] {
            let mut sessions = SignedIn::default();
            sessions.add(&token, first.user("panel").unwrap());
            assert_eq!(sessions.over(&first, NOW), []);
            assert_eq!(sessions.over(&other, NOW), steps);
            assert_eq!(sessions.over(&other, NOW), []);
        }
    }

    #[test]
    fn there_are_never_too_many() {
        let http = http(&panel("x", "alice"));
        let who = http.user("panel").unwrap();
        let mut sessions = SignedIn::default();
        for at in 0..MOST as u64 {
            let text = token(at, later(at));
            assert_eq!(sessions.add(&Token::parse(&text).unwrap(), who).len(), 1);
        }
        let text = token(1000, later(1000));
        let steps = sessions.add(&Token::parse(&text).unwrap(), who);
        assert_eq!(steps, [logged_in("alice"), logged_out("alice")]);
        assert_eq!(sessions.sessions.len(), MOST);
        assert_eq!(sessions.next(), Some(later(session::LASTS + 1)));
    }
}
