//! Sessions without a table: the client keeps a signed token.
//!
//! A token is `<signature>.<end>.<random>.<name>`. The signature covers all the rest and the
//! stored password, so that a new password ends the sessions of the old one.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::runtime::sessions::signed_in::SessionKey;
use presence::Time;

/// The key that signs tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionSecret([u8; 32]);

impl std::fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionSecret")
    }
}

impl SessionSecret {
    /// A key of 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        SessionSecret(bytes)
    }

    /// The stored form.
    pub fn stored(&self) -> String {
        BASE64.encode(self.0)
    }

    /// Reads the stored form; `None` if it is not one.
    pub fn restore(stored: &str) -> Option<Self> {
        let bytes = BASE64.decode(stored).ok()?;
        bytes.try_into().ok().map(SessionSecret)
    }

    fn signed(&self, parts: &[&str]) -> Hmac<Sha256> {
        // HMAC accepts keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }

    /// A digest of these texts that cannot be computed without the secret.
    pub fn digest(&self, parts: &[&str]) -> [u8; 32] {
        self.signed(parts).finalize().into_bytes().into()
    }
}

/// The duration of a session, in seconds.
pub const LASTS: u64 = 12 * 60 * 60;

fn seconds(time: Time) -> u64 {
    time.millis() / 1000
}

/// The token of a new session. `random` distinguishes it from others of the same second.
pub fn issue(secret: &SessionSecret, name: &str, password: &str, random: u64, now: Time) -> String {
    let (end, random) = (seconds(now) + LASTS, format!("{random:016x}"));
    let signature = signature(secret, &end.to_string(), &random, name, password);
    let signature = BASE64.encode(signature.finalize().into_bytes());
    format!("{signature}.{end}.{random}.{name}")
}

fn signature(
    secret: &SessionSecret,
    end: &str,
    random: &str,
    name: &str,
    password: &str,
) -> Hmac<Sha256> {
    secret.signed(&["session", end, random, name, password])
}

/// The parts of a token, not verified yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token<'a> {
    signature: &'a str,
    end: &'a str,
    /// Distinguishes the session from others of the same second.
    pub random: &'a str,
    /// The name of the API user, not verified.
    pub name: &'a str,
}

impl<'a> Token<'a> {
    /// Splits a token into its parts.
    pub fn parse(token: &'a str) -> Option<Self> {
        let mut parts = token.splitn(4, '.');
        Some(Token {
            signature: parts.next()?,
            end: parts.next()?,
            random: parts.next()?,
            name: parts.next()?,
        })
    }

    /// Whether the signature is valid for this password and the session has not expired.
    pub fn holds(&self, secret: &SessionSecret, password: &str, now: Time) -> bool {
        let Ok(given) = BASE64.decode(self.signature) else {
            return false;
        };
        let expected = signature(secret, self.end, self.random, self.name, password);
        // In constant time.
        expected.verify_slice(&given).is_ok() && self.end() > seconds(now)
    }

    /// When the session expires, in seconds of Unix time; 0 if the token is invalid.
    pub fn end(&self) -> u64 {
        self.end.parse().unwrap_or(0)
    }

    /// The key by which the session counts as a panel.
    pub fn key(&self) -> SessionKey {
        SessionKey {
            end: self.end(),
            random: self.random.into(),
        }
    }

    /// The id of the session; no token can be made from it.
    pub fn id(&self, secret: &SessionSecret) -> SessionId {
        let digest = secret.digest(&["id", self.end, self.random, self.name]);
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        SessionId {
            end: self.end(),
            hash,
        }
    }
}

/// The id of a session. It may be stored and shown: no token can be made from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct SessionId {
    /// Unix time in seconds.
    end: u64,
    hash: [u8; 16],
}

impl SessionId {
    /// Whether the session has expired.
    pub fn is_over(&self, now: Time) -> bool {
        self.end <= seconds(now)
    }

    /// The stored form.
    pub fn stored(&self) -> String {
        format!("{} {}", self.end, BASE64.encode(self.hash))
    }

    /// Reads the stored form; `None` if it is not one.
    pub fn restore(stored: &str) -> Option<Self> {
        let (end, hash) = stored.split_once(' ')?;
        Some(SessionId {
            end: end.parse().ok()?,
            hash: BASE64.decode(hash).ok()?.try_into().ok()?,
        })
    }
}

/// Sessions that were ended by a logout before they expired.
#[derive(Default, Debug)]
pub struct EndedSessions(BTreeSet<SessionId>);

/// The number of sessions that are remembered; beyond that, the ones that expire first are
/// forgotten.
pub const MOST: usize = 10_000;

impl EndedSessions {
    /// Ends a session.
    pub fn end(&mut self, session: SessionId, now: Time) {
        self.0.retain(|ended| !ended.is_over(now));
        self.0.insert(session);
        if self.0.len() > MOST {
            self.0.pop_first();
        }
    }

    /// Whether the session was ended.
    pub fn has(&self, session: &SessionId) -> bool {
        self.0.contains(session)
    }

    /// All sessions that are remembered, the first to expire first.
    pub fn iter(&self) -> impl Iterator<Item = &SessionId> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_800_000_000_000_000);

    fn secret() -> SessionSecret {
        SessionSecret::new([7; 32])
    }

    #[test]
    fn a_token_is_valid_for_its_time_password_and_secret() {
        let issued = issue(&secret(), "panel.1", "$6$a$b", 42, NOW);
        let token = Token::parse(&issued).unwrap();
        assert_eq!(token.name, "panel.1");
        let later = |seconds| NOW.after(std::time::Duration::from_secs(seconds));
        assert!(token.holds(&secret(), "$6$a$b", NOW));
        assert!(token.holds(&secret(), "$6$a$b", later(LASTS - 1)));
        assert!(!token.holds(&secret(), "$6$a$b", later(LASTS)));
        assert!(!token.holds(&secret(), "$6$a$c", NOW));
        assert!(!token.holds(&SessionSecret::new([8; 32]), "$6$a$b", NOW));
    }

    #[test]
    fn a_changed_token_is_invalid() {
        let issued = issue(&secret(), "panel", "p", 42, NOW);
        for (from, to) in [("panel", "admin"), (".0000", ".1000"), (".18000", ".19000")] {
            let changed = issued.replace(from, to);
            assert_ne!(changed, issued);
            let token = Token::parse(&changed).unwrap();
            assert!(!token.holds(&secret(), "p", NOW), "{changed}");
        }
        assert_eq!(Token::parse("a.b.c"), None);
        let empty = Token::parse("...").unwrap();
        assert!(!empty.holds(&secret(), "p", NOW));
    }

    #[test]
    fn a_secret_can_be_stored() {
        let stored = secret().stored();
        assert_eq!(SessionSecret::restore(&stored), Some(secret()));
        assert_eq!(SessionSecret::restore("short"), None);
        assert!(!format!("{:?}", secret()).contains('7'));
        assert_ne!(secret().digest(&["ab", "c"]), secret().digest(&["a", "bc"]));
    }

    #[test]
    fn an_ended_session_is_remembered_until_it_expires() {
        let mut ended = EndedSessions::default();
        let id = |random| {
            let issued = issue(&secret(), "panel", "p", random, NOW);
            Token::parse(&issued).unwrap().id(&secret())
        };
        let [first, second] = [1, 2].map(id);
        ended.end(first, NOW);
        assert!(ended.has(&first) && !ended.has(&second));
        assert!(!first.is_over(NOW));
        let later = NOW.after(std::time::Duration::from_secs(LASTS + 1));
        assert!(first.is_over(later));
        ended.end(second, later);
        assert!(!ended.has(&first));
        for random in 0..MOST as u64 + 10 {
            ended.end(id(random), NOW);
        }
        assert_eq!(ended.iter().count(), MOST);
    }

    #[test]
    fn the_id_of_a_session_can_be_stored_and_reveals_nothing() {
        let issued = issue(&secret(), "panel", "p", 42, NOW);
        let token = Token::parse(&issued).unwrap();
        let id = token.id(&secret());
        assert_eq!(SessionId::restore(&id.stored()), Some(id));
        for part in [token.signature, token.random, token.name] {
            assert!(!id.stored().contains(part), "{part}");
        }
        assert_ne!(token.id(&SessionSecret::new([8; 32])), id);
        for bad in [
            "",
            "1",
            "1 ",
            "x AAAA",
            "1 AAAA",
            "1  AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(SessionId::restore(bad), None, "{bad}");
        }
    }
}
