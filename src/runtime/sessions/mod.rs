//! The logins over HTTP: sessions, the secret that signs them, the limits of attempts, and
//! the slots of readers. All of it is gone after an unload.

mod key_folder;
pub mod logins;
pub mod own_passwords;
mod panels;
pub mod password_checks;
pub mod rate;
pub mod reader_slots;
pub mod secret;
pub mod session;
pub mod signed_in;
pub mod throttle;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::{NOT_RUNNING, Runtime};
use crate::sync::{Condvar, Mutex, MutexGuard};
use own_passwords::OwnPasswordFile;
use password_checks::PasswordChecks;
use presence::Time;
use rate::Rate;
use reader_slots::ReaderSlots;
use secret::EndedLog;
use session::{EndedSessions, SessionId, SessionSecret};
use signed_in::SignedIn;
use throttle::Throttle;

/// What is remembered of callers. Locked for moments only, never while a password is
/// verified.
pub struct Access {
    /// The key that signs sessions.
    pub secret: SessionSecret,
    /// Failed attempts.
    pub throttle: Throttle,
    /// The requests of each caller.
    pub rate: Rate,
    /// The calls that each user has had made.
    pub calls: Rate,
    /// Sessions that were logged out.
    pub ended: EndedSessions,
    /// Digests of credentials that were verified, so that not each request costs a hash;
    /// the credentials cannot be read from them.
    pub verified: HashSet<[u8; 32]>,
}

/// The logins over HTTP.
#[derive(Default)]
pub struct Sessions {
    /// `None` while the module is not running, and without a secret.
    access: Mutex<Option<Access>>,
    /// An attempt has ended.
    attempt_ended: Condvar,
    /// The turns to verify a password.
    pub checks: Arc<PasswordChecks>,
    /// The passwords that people have chosen themselves.
    pub own_passwords: OwnPasswordFile,
    /// Rises when a session ends, a password changes, or the configuration does.
    logouts: AtomicU64,
    /// The slots of readers of events.
    pub slots: Arc<ReaderSlots>,
    signed_in: Mutex<SignedIn>,
    log: Mutex<Option<EndedLog>>,
    /// The folder of the secret and the passwords; `None` until it is chosen.
    keys: Mutex<Option<PathBuf>>,
}

impl Sessions {
    /// What is remembered of callers; `None` while nobody can log in.
    pub fn access(&self) -> MutexGuard<'_, Option<Access>> {
        self.access.lock()
    }

    /// Waits until an attempt ends, at most until the deadline.
    pub fn wait_for_attempt(&self, access: &mut MutexGuard<'_, Option<Access>>, until: Instant) {
        self.attempt_ended.wait_until(access, until);
    }

    /// An attempt has ended: the next one may begin.
    pub fn attempt_ended(&self) {
        self.attempt_ended.notify_all();
    }

    /// A number that rises when a session ends, a password changes, or the configuration does.
    pub fn logouts(&self) -> u64 {
        self.logouts.load(Ordering::Acquire)
    }

    /// Open streams look whether their callers may still log in.
    pub(super) fn logins_changed(&self) {
        self.logouts.fetch_add(1, Ordering::Release);
    }

    /// Forgets all: the secret, digests, attempts.
    pub(super) fn close(&self) {
        *self.access.lock() = None;
        *self.signed_in.lock() = SignedIn::default();
        *self.log.lock() = None;
        *self.keys.lock() = None;
        self.own_passwords.close();
        self.attempt_ended();
    }
}

impl Runtime {
    /// Begins with no caller, and with the secret that sessions of earlier runs are signed
    /// with.
    pub fn open_sessions(&self) {
        self.open_own_passwords();
        // Without a secret nobody can log in.
        let opened = self.open_secret();
        let (access, log) = match opened {
            None => (None, None),
            Some((secret, ended, log)) => {
                let access = Access {
                    secret,
                    throttle: Throttle::default(),
                    rate: Rate::default(),
                    calls: Rate::default(),
                    ended,
                    verified: HashSet::new(),
                };
                (Some(access), log)
            }
        };
        *self.sessions.log.lock() = log;
        *self.sessions.access.lock() = access;
    }

    /// Ends a session before its time, and its streams. It waits for the disk: no lock may
    /// be held.
    ///
    /// # Errors
    /// [`NOT_RUNNING`], also while nobody can log in.
    pub fn end_session(&self, id: SessionId) -> Result<(), &'static str> {
        match self.sessions.access().as_mut() {
            Some(access) => access.ended.end(id, Time::now()),
            None => return Err(NOT_RUNNING),
        }
        self.sessions.logins_changed();
        let all = || {
            let access = self.sessions.access();
            let ended = access.as_ref().map(|access| access.ended.iter().copied());
            ended.map(Iterator::collect).unwrap_or_default()
        };
        let mut log = self.sessions.log.lock();
        // Without a log the secret does not outlive this run either.
        let written = log
            .as_mut()
            .map(|log| (log.append(&id, all), log.path().to_owned()));
        drop(log);
        if let Some((written, path)) = written {
            self.warn_of_ended_log(&path, written);
        }
        Ok(())
    }
}
