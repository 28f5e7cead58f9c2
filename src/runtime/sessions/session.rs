//! Sessions that need no table: who has logged in carries a token that we have signed.
//!
//! A token is `<signature>.<end>.<random>.<name>`. The signature is over all the rest and
//! the stored password, so that a new password ends what the old one began.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use presence::Time;

/// What tokens are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Of bytes that nobody can guess.
    pub fn new(bytes: [u8; 32]) -> Self {
        Secret(bytes)
    }

    /// As it is stored.
    pub fn stored(&self) -> String {
        BASE64.encode(self.0)
    }

    /// As it was stored.
    pub fn restore(stored: &str) -> Option<Self> {
        let bytes = BASE64.decode(stored).ok()?;
        bytes.try_into().ok().map(Secret)
    }

    fn signed(&self, parts: &[&str]) -> Hmac<Sha256> {
        // A key of any length will do.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any key");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }

    /// What stands for these texts: nobody finds out others that are the same.
    pub fn digest(&self, parts: &[&str]) -> [u8; 32] {
        self.signed(parts).finalize().into_bytes().into()
    }
}

/// How long a session lasts, in seconds.
pub const LASTS: u64 = 12 * 60 * 60;

fn seconds(time: Time) -> u64 {
    time.millis() / 1000
}

/// Begins a session: the token. `random` tells it from others of the same second.
pub fn issue(secret: &Secret, name: &str, password: &str, random: u64, now: Time) -> String {
    let (end, random) = (seconds(now) + LASTS, format!("{random:016x}"));
    let signature = signature(secret, &end.to_string(), &random, name, password);
    let signature = BASE64.encode(signature.finalize().into_bytes());
    format!("{signature}.{end}.{random}.{name}")
}

fn signature(secret: &Secret, end: &str, random: &str, name: &str, password: &str) -> Hmac<Sha256> {
    secret.signed(&["session", end, random, name, password])
}

/// A token, taken apart; nothing is known of it yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token<'a> {
    signature: &'a str,
    end: &'a str,
    /// What tells it from others of the same second.
    pub random: &'a str,
    /// Whose it says it is.
    pub name: &'a str,
}

impl<'a> Token<'a> {
    /// Takes it apart.
    pub fn parse(token: &'a str) -> Option<Self> {
        let mut parts = token.splitn(4, '.');
        Some(Token {
            signature: parts.next()?,
            end: parts.next()?,
            random: parts.next()?,
            name: parts.next()?,
        })
    }

    /// Whether it is ours, of the one who has that password, and has not ended.
    pub fn holds(&self, secret: &Secret, password: &str, now: Time) -> bool {
        let Ok(given) = BASE64.decode(self.signature) else {
            return false;
        };
        let expected = signature(secret, self.end, self.random, self.name, password);
        // Compares in the same time whatever differs.
        expected.verify_slice(&given).is_ok() && self.end() > seconds(now)
    }

    /// When it ends, in seconds of Unix time.
    pub fn end(&self) -> u64 {
        self.end.parse().unwrap_or(0)
    }

    /// What stands for the session: nobody makes a token of it.
    pub fn id(&self, secret: &Secret) -> Id {
        let digest = secret.digest(&["id", self.end, self.random, self.name]);
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        Id {
            end: self.end(),
            hash,
        }
    }
}

/// What stands for a session. It may be kept and shown: no token can be made of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Id {
    /// Unix time in seconds.
    end: u64,
    hash: [u8; 16],
}

impl Id {
    /// Whether its time is over.
    pub fn is_over(&self, now: Time) -> bool {
        self.end <= seconds(now)
    }

    /// As it is stored.
    pub fn stored(&self) -> String {
        format!("{} {}", self.end, BASE64.encode(self.hash))
    }

    /// As it was stored.
    pub fn restore(stored: &str) -> Option<Self> {
        let (end, hash) = stored.split_once(' ')?;
        Some(Id {
            end: end.parse().ok()?,
            hash: BASE64.decode(hash).ok()?.try_into().ok()?,
        })
    }
}

/// Sessions that have ended before their time.
#[derive(Default, Debug)]
pub struct Ended(BTreeSet<Id>);

/// How many are remembered; beyond that, those that would end first are forgotten.
pub const MOST: usize = 10_000;

impl Ended {
    /// Ends a session.
    pub fn end(&mut self, session: Id, now: Time) {
        self.0.retain(|ended| !ended.is_over(now));
        self.0.insert(session);
        if self.0.len() > MOST {
            self.0.pop_first();
        }
    }

    /// Whether it was ended.
    pub fn has(&self, session: &Id) -> bool {
        self.0.contains(session)
    }

    /// All that are remembered, the first to end first.
    pub fn iter(&self) -> impl Iterator<Item = &Id> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_800_000_000_000_000);

    fn secret() -> Secret {
        Secret::new([7; 32])
    }

    #[test]
    fn a_token_holds_for_its_time_its_password_and_its_secret() {
        let issued = issue(&secret(), "panel.1", "$6$a$b", 42, NOW);
        let token = Token::parse(&issued).unwrap();
        assert_eq!(token.name, "panel.1");
        let later = |seconds| NOW.after(std::time::Duration::from_secs(seconds));
        assert!(token.holds(&secret(), "$6$a$b", NOW));
        assert!(token.holds(&secret(), "$6$a$b", later(LASTS - 1)));
        assert!(!token.holds(&secret(), "$6$a$b", later(LASTS)));
        assert!(!token.holds(&secret(), "$6$a$c", NOW));
        assert!(!token.holds(&Secret::new([8; 32]), "$6$a$b", NOW));
    }

    #[test]
    fn a_changed_token_is_none() {
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
    fn a_secret_is_stored() {
        let stored = secret().stored();
        assert_eq!(Secret::restore(&stored), Some(secret()));
        assert_eq!(Secret::restore("short"), None);
        assert!(!format!("{:?}", secret()).contains('7'));
        assert_ne!(secret().digest(&["ab", "c"]), secret().digest(&["a", "bc"]));
    }

    #[test]
    fn what_was_ended_is_remembered_until_its_time() {
        let mut ended = Ended::default();
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
    fn what_stands_for_a_session_is_stored_and_tells_nothing() {
        let issued = issue(&secret(), "panel", "p", 42, NOW);
        let token = Token::parse(&issued).unwrap();
        let id = token.id(&secret());
        assert_eq!(Id::restore(&id.stored()), Some(id));
        for part in [token.signature, token.random, token.name] {
            assert!(!id.stored().contains(part), "{part}");
        }
        assert_ne!(token.id(&Secret::new([8; 32])), id);
        for bad in [
            "",
            "1",
            "1 ",
            "x AAAA",
            "1 AAAA",
            "1  AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(Id::restore(bad), None, "{bad}");
        }
    }
}
