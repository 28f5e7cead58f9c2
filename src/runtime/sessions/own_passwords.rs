//! The passwords that people have chosen themselves: a file in the folder for keys,
//! readable by Asterisk's own user only.
//!
//! A line is `<user> <hash> <digest>`. The digest is that of the administrator's hash, which the
//! own password replaces: when the administrator sets another one, the own password is void.
//!
//! Where the file does not say what somebody's own password is, they cannot log in: the
//! administrator's may be one that others know.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest, Sha256};

use super::secret;
use crate::runtime::Runtime;
use crate::sync::Mutex;
use presence::config::{ApiUser, PasswordKinds};
use presence::directory::Directory;
use presence::model::text::quoted;

pub(super) const FILE: &str = "userpresence.passwords";

/// The longest file, in bytes: 200,000 people.
pub(super) const LONGEST: u64 = 64 * 1024 * 1024;

/// A password of somebody's own.
#[derive(Clone, PartialEq, Eq, Debug)]
struct OwnPassword {
    /// The user's name, as spelled when the password was set.
    user: Box<str>,
    hash: Box<str>,
    /// The digest of the administrator's hash at that time.
    instead_of: [u8; 32],
}

impl OwnPassword {
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split(' ');
        let (user, hash, digest) = (parts.next()?, parts.next()?, parts.next()?);
        let instead_of = BASE64.decode(digest).ok()?.try_into().ok()?;
        let is_whole = parts.next().is_none() && hash.starts_with('$');
        is_whole.then(|| OwnPassword {
            user: user.into(),
            hash: hash.into(),
            instead_of,
        })
    }

    fn line(&self) -> String {
        let digest = BASE64.encode(self.instead_of);
        format!("{} {} {digest}\n", self.user, self.hash)
    }
}

fn digest(hash: &str) -> [u8; 32] {
    Sha256::digest(hash).into()
}

/// The passwords of people's own at one moment.
#[derive(Default, Debug)]
pub struct OwnPasswords {
    /// By the user's name in small letters.
    of: HashMap<Box<str>, OwnPassword>,
    /// The lines that are not whole, which stay in the file.
    broken: Vec<Box<str>>,
    /// Whether the file could not be read.
    is_unread: bool,
    kinds: PasswordKinds,
}

/// The own password of a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OwnHash<'a> {
    /// There is none, or the administrator's is another one than when it was set.
    None,
    /// Its hash.
    Hash(&'a str),
    /// The file should say it, but is damaged.
    Unknown,
}

/// The text of the file; none without a file.
fn read(path: &Path) -> io::Result<String> {
    let bytes = secret::read_up_to(path, LONGEST + 1)?.unwrap_or_default();
    if bytes.len() as u64 > LONGEST {
        let why = format!("it is longer than {LONGEST} bytes");
        return Err(io::Error::other(why));
    }
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))?;
    match text.contains(|c: char| c.is_control() && c != '\n') {
        true => Err(io::Error::other("it has control characters")),
        false => Ok(text),
    }
}

/// The user of a line, whole or not.
fn user_of(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

impl OwnPasswords {
    fn new(all: impl IntoIterator<Item = OwnPassword>, broken: Vec<Box<str>>) -> Self {
        let mut own = OwnPasswords {
            broken,
            ..OwnPasswords::default()
        };
        for password in all {
            own.kinds.add(&password.hash);
            let name = password.user.to_ascii_lowercase();
            own.of.insert(name.into(), password);
        }
        own
    }

    /// The own password of the person.
    pub fn of(&self, person: &ApiUser) -> OwnHash<'_> {
        let name = &person.caller.name;
        if !person.is_person {
            return OwnHash::None;
        }
        let mut broken = self.broken.iter().map(|line| user_of(line));
        if self.is_unread || broken.any(|user| user.eq_ignore_ascii_case(name)) {
            return OwnHash::Unknown;
        }
        let own = self.of.get(&*name.to_ascii_lowercase());
        let own = own.filter(|own| own.instead_of == digest(&person.password));
        own.map_or(OwnHash::None, |own| OwnHash::Hash(&own.hash))
    }

    /// The kinds of these passwords.
    pub fn kinds(&self) -> &PasswordKinds {
        &self.kinds
    }

    /// Without those that the administrator has replaced; `None` if there are none of these. The
    /// passwords of users who are not configured stay: a section with an error comes back.
    fn without_replaced(&self, directory: &Directory) -> Option<Self> {
        let stays = |own: &&OwnPassword| {
            let user = directory.user(&own.user);
            let password = user.map(|user| directory.get(user).password.as_deref());
            let is_same = |hash: &str| digest(hash) == own.instead_of;
            password.is_none_or(|password| password.is_some_and(is_same))
        };
        let kept: Vec<OwnPassword> = self.of.values().filter(stays).cloned().collect();
        (kept.len() < self.of.len()).then(|| OwnPasswords::new(kept, self.broken.clone()))
    }

    fn written(&self) -> String {
        let mut all: Vec<&OwnPassword> = self.of.values().collect();
        all.sort_unstable_by(|one, other| one.user.cmp(&other.user));
        let whole = all.into_iter().map(OwnPassword::line);
        let broken = self.broken.iter().map(|line| format!("{line}\n"));
        whole.chain(broken).collect()
    }
}

/// The file, and what it holds.
#[derive(Default)]
pub struct OwnPasswordFile {
    now: Mutex<Arc<OwnPasswords>>,
    /// Held while the file is written; `None` where it could not be read, so that what it holds
    /// is not overwritten.
    path: Mutex<Option<PathBuf>>,
}

impl OwnPasswordFile {
    /// The passwords as they are now.
    pub fn now(&self) -> Arc<OwnPasswords> {
        self.now.lock().clone()
    }

    pub(super) fn close(&self) {
        *self.path.lock() = None;
        *self.now.lock() = Arc::default();
    }
}

/// Why somebody's password stays as it is.
#[derive(Debug)]
pub enum PasswordKept {
    /// It has changed, or the person has gone, since it was verified.
    Changed,
    /// The new one cannot be stored.
    NotStored(io::Error),
}

impl Runtime {
    /// Reads the file. Without it everybody has the administrator's password; where it cannot be
    /// read, no person can log in.
    pub(super) fn open_own_passwords(&self) {
        let file = &self.sessions.own_passwords;
        let path = self.key_folder().join(FILE);
        let text = match read(&path) {
            Ok(text) => text,
            Err(why) => {
                log::error!(
                    "The passwords that people have chosen cannot be read from '{}': {why}. The \
                     file stays as it is, and no person can log in until it is repaired or \
                     removed and the module reloaded; API users can",
                    path.display()
                );
                *file.now.lock() = Arc::new(OwnPasswords {
                    is_unread: true,
                    ..OwnPasswords::default()
                });
                return;
            }
        };
        let (mut all, mut broken) = (Vec::new(), Vec::new());
        for (index, line) in text.lines().enumerate() {
            match OwnPassword::parse(line) {
                Some(own) => all.push(own),
                None => {
                    log::warn!(
                        "line {} of '{}', user '{}': expected a user, a hash and a digest; the \
                         user cannot log in until the line is repaired or removed and the module \
                         loaded anew",
                        index + 1,
                        path.display(),
                        quoted(user_of(line))
                    );
                    broken.push(line.into());
                }
            }
        }
        *file.now.lock() = Arc::new(OwnPasswords::new(all, broken));
        *file.path.lock() = Some(path);
        self.drop_replaced_passwords();
    }

    /// Reads the file again where it could not be read: it may have been repaired.
    pub(in crate::runtime) fn read_own_passwords_again(&self) {
        if self.sessions.own_passwords.now().is_unread {
            self.open_own_passwords();
            self.sessions.logins_changed();
        }
    }

    /// Sets a person's own password; `person` is the login whose password was verified. Other
    /// sessions of the person end; the persister counts them as panels until it is woken. It
    /// waits for the disk: no lock may be held.
    ///
    /// # Errors
    /// Why the password stays as it is.
    pub fn change_password(&self, person: &ApiUser, hash: &str) -> Result<(), PasswordKept> {
        let file = &self.sessions.own_passwords;
        let path = file.path.lock();
        let unread = || io::Error::other("the file could not be read when the module was loaded");
        let path = path.as_deref();
        let path = path.ok_or_else(|| PasswordKept::NotStored(unread()))?;
        // Under the lock: of two changes at the same time, the second has verified the wrong
        // password.
        let logins = self.logins().ok_or(PasswordKept::Changed)?;
        let administrators = logins.configured(&person.caller.name);
        let administrators = administrators.ok_or(PasswordKept::Changed)?;
        let before = logins.find(&person.caller.name);
        if before.is_none_or(|before| before.password != person.password) {
            return Err(PasswordKept::Changed);
        }
        let own = OwnPassword {
            user: (&*person.caller.name).into(),
            hash: hash.into(),
            instead_of: digest(&administrators.password),
        };
        let others = file.now();
        let name = own.user.to_ascii_lowercase();
        let others = others.of.iter().filter(|(other, _)| ***other != *name);
        let all = others.map(|(_, other)| other.clone()).chain([own]);
        let new = OwnPasswords::new(all.collect::<Vec<_>>(), file.now().broken.clone());
        self.write_own_passwords(path, new)
            .map_err(PasswordKept::NotStored)
    }

    fn write_own_passwords(&self, path: &Path, new: OwnPasswords) -> io::Result<()> {
        secret::write(path, &new.written())?;
        *self.sessions.own_passwords.now.lock() = Arc::new(new);
        self.sessions.logins_changed();
        Ok(())
    }

    /// Drops the passwords that the administrator has replaced, so that they do not become valid
    /// again. It waits for the disk.
    pub(in crate::runtime) fn drop_replaced_passwords(&self) {
        let Some(directory) = self.read(|world| world.directory().clone()) else {
            return;
        };
        let file = &self.sessions.own_passwords;
        let path = file.path.lock();
        let (Some(path), Some(left)) = (path.as_deref(), file.now().without_replaced(&directory))
        else {
            return;
        };
        if let Err(why) = self.write_own_passwords(path, left) {
            log::warn!("'{}' cannot be written: {why}", path.display());
        }
    }

    /// Drops the own password of a user who was removed, or of all of them.
    pub(in crate::runtime) fn forget_own_passwords(&self, name: Option<&str>) {
        let Some(directory) = self.read(|world| world.directory().clone()) else {
            return;
        };
        let file = &self.sessions.own_passwords;
        let path = file.path.lock();
        let all = file.now();
        let stays = |user: &str| {
            let is_meant = name.is_none_or(|name| user.eq_ignore_ascii_case(name));
            !is_meant || directory.user(user).is_some()
        };
        let kept = all.of.values().filter(|own| stays(&own.user));
        let kept: Vec<OwnPassword> = kept.cloned().collect();
        let Some(path) = path.as_deref().filter(|_| kept.len() < all.of.len()) else {
            return;
        };
        let new = OwnPasswords::new(kept, all.broken.clone());
        if let Err(why) = self.write_own_passwords(path, new) {
            log::warn!("'{}' cannot be written: {why}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use presence::config::testing::directory;

    fn person(hash: &str) -> ApiUser {
        ApiUser::person(&"Alice".into(), &"main".into(), hash)
    }

    fn own() -> OwnPasswords {
        OwnPasswords::new(
            [OwnPassword {
                user: "alice".into(),
                hash: "$6$own$alice".into(),
                instead_of: digest("$6$a$first"),
            }],
            Vec::new(),
        )
    }

    #[test]
    fn an_own_password_stands_for_the_administrator_s_until_that_is_another_one() {
        let own = own();
        assert_eq!(own.of(&person("$6$a$first")), OwnHash::Hash("$6$own$alice"));
        assert_eq!(own.of(&person("$6$a$second")), OwnHash::None);
        let mut program = person("$6$a$first");
        program.is_person = false;
        assert_eq!(own.of(&program), OwnHash::None);
        let office = |hash: &str| directory(&format!("[ALICE]\ntype = user\n{hash}"));
        for (hash, goes) in [
            ("password = $6$a$first\n", false),
            ("password = $6$a$second\n", true),
            ("", true),
        ] {
            let left = own.without_replaced(&office(hash));
            assert_eq!(left.is_some(), goes, "{hash}");
        }
        // She may come back.
        let others = directory("[bob]\ntype = user\n");
        assert!(own.without_replaced(&others).is_none());
    }

    #[test]
    fn lines_are_read_as_they_are_written() {
        let text = own().written();
        let read = OwnPassword::parse(text.trim_end()).unwrap();
        assert_eq!(Some(&read), own().of.get("alice"));
        for broken in [
            "",
            "alice",
            "alice $6$own$alice",
            "alice $6$own$alice AAAA",
            &text.trim_end()[1..20],
            &format!("{} more", text.trim_end()),
        ] {
            assert_eq!(OwnPassword::parse(broken), None, "{broken}");
        }
    }
}
