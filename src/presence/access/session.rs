//! Sessions that need no table: who has logged in carries a token that we have signed.
//!
//! A token is `<signature>.<end>.<random>.<name>`. The signature is over all the rest and
//! the stored password, so that a new password ends what the old one began.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::presence::Time;

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
}

/// Sessions that have ended before their time.
#[derive(Default, Debug)]
pub struct Ended(BTreeSet<(u64, Box<str>)>);

/// How many are remembered; beyond that, those that would end first are forgotten.
const MOST: usize = 10_000;

impl Ended {
    /// Ends the session of a token that holds.
    pub fn end(&mut self, token: &Token<'_>, now: Time) {
        let (passed, now) = (Box::<str>::default(), seconds(now));
        self.0 = self.0.split_off(&(now, passed));
        self.0.insert((token.end(), token.random.into()));
        if self.0.len() > MOST {
            self.0.pop_first();
        }
    }

    /// Whether it was ended.
    pub fn has(&self, token: &Token<'_>) -> bool {
        self.0.contains(&(token.end(), token.random.into()))
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
        let issued = [1, 2].map(|random| issue(&secret(), "panel", "p", random, NOW));
        let [first, second] = issued.each_ref().map(|token| Token::parse(token).unwrap());
        ended.end(&first, NOW);
        assert!(ended.has(&first) && !ended.has(&second));
        let later = NOW.after(std::time::Duration::from_secs(LASTS + 1));
        ended.end(&second, later);
        assert!(!ended.has(&first));
        for random in 0..MOST as u64 + 10 {
            let token = issue(&secret(), "panel", "p", random, NOW);
            ended.end(&Token::parse(&token).unwrap(), NOW);
        }
        assert_eq!(ended.0.len(), MOST);
    }
}
