//! Requests with one answer.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use presence::config::Cluster;
use serde::Deserialize;

use super::error::Failure;
use super::http::{EtcdRequest, HttpAnswer, HttpConnection};
use super::wire::{
    LeaseAnswer, RangeAnswer, StreamAnswer, TokenAnswer, TxnAnswer, VersionAnswer, encoded,
    range_end, transaction,
};
use super::{Committed, Compare, Entry, EtcdError, Op, answer, reading_time, writing_time};

/// The path of reading keys.
const RANGE: &str = "/v3/kv/range";

/// The keys of one page of a range.
const PAGE: u32 = 5000;

/// The oldest release whose requests are these.
const OLDEST: (u32, u32) = (3, 4);

/// A connection to one of the servers.
pub struct Etcd {
    settings: Arc<Cluster>,
    stop: Arc<AtomicBool>,
    http: HttpConnection,
    /// The position of the server in use.
    at: usize,
    token: Option<String>,
    /// etcd said that it has no users, so there is no token.
    is_without_users: bool,
}

impl Etcd {
    /// A client that is not connected yet.
    pub fn new(settings: Arc<Cluster>, stop: Arc<AtomicBool>) -> Self {
        Etcd {
            settings,
            stop,
            http: HttpConnection::new(),
            at: 0,
            token: None,
            is_without_users: false,
        }
    }

    /// The server's release.
    ///
    /// # Errors
    /// [`EtcdError::TooOld`] for one before 3.4.
    pub fn version(&mut self) -> Result<String, EtcdError> {
        self.on_a_server(|this| {
            let body = this.exchange("/version", None, 0)?;
            let version: VersionAnswer = this.parse(&body)?;
            let release = &version.etcdserver;
            if is_too_old(release) {
                let (major, minor) = OLDEST;
                return Err(Failure::Next(EtcdError::TooOld(format!(
                    "etcd at {} is release {release}, and {major}.{minor} or later is needed",
                    this.server()
                ))));
            }
            Ok(version.etcdserver)
        })
    }

    /// Hands over every key that begins with `prefix`, as of one revision, and returns that
    /// revision. 0 means the present one.
    ///
    /// # Errors
    /// [`EtcdError::Compacted`] if the revision is too old, also in the middle of the keys.
    pub fn range(
        &mut self,
        prefix: &str,
        revision: i64,
        each: &mut dyn FnMut(Entry),
    ) -> Result<i64, EtcdError> {
        let end = encoded(range_end(prefix));
        let mut key = prefix.as_bytes().to_vec();
        let mut revision = revision;
        loop {
            let request = format!(
                r#"{{"key":"{}","range_end":"{end}","limit":"{PAGE}","revision":"{revision}"}}"#,
                encoded(&key)
            );
            let body = self.ask(RANGE, &request, revision)?;
            let answer: RangeAnswer<'_> = self.parse(&body).map_err(error)?;
            if revision == 0 {
                revision = answer.header.revision.0;
            }
            let mut last = None;
            for entry in answer.entries() {
                let entry = entry.ok_or_else(|| error(answer::no_etcd(self.server())))?;
                if answer.more {
                    last = Some(entry.key.clone());
                }
                each(entry);
            }
            let Some(last) = last.filter(|_| answer.more) else {
                return Ok(revision);
            };
            // The first key after that one.
            key = last.into_bytes();
            key.push(0);
        }
    }

    /// Carries out the operations in one transaction, if every comparison of the guard holds.
    ///
    /// # Errors
    /// After [`EtcdError::Unreachable`] the commit may have happened, may happen seconds
    /// later, or never: a member that was cut off passes on what it has when it is back.
    /// [`EtcdError::LeaseEnded`] if one of the leases does not exist.
    pub fn commit(&mut self, guard: &[Compare], ops: &[Op]) -> Result<Committed, EtcdError> {
        let body = self.ask("/v3/kv/txn", &transaction(guard, ops), 0)?;
        let answer: TxnAnswer<'_> = self.parse(&body).map_err(error)?;
        let committed = answer.committed(guard.len(), ops.len());
        committed.ok_or_else(|| error(answer::no_etcd(self.server())))
    }

    /// A new lease that ends unless [`Etcd::keep_alive`] renews it. It lasts for at least that
    /// time, in whole seconds.
    ///
    /// # Errors
    /// When etcd does not grant it.
    pub fn grant(&mut self, ttl: Duration) -> Result<i64, EtcdError> {
        let seconds = ttl.as_millis().div_ceil(1000);
        let body = self.ask("/v3/lease/grant", &format!(r#"{{"TTL":"{seconds}"}}"#), 0)?;
        let lease: LeaseAnswer = self.parse(&body).map_err(error)?;
        match lease.id.0 {
            0 => Err(error(answer::no_etcd(self.server()))),
            id => Ok(id),
        }
    }

    /// Renews a lease. `false`: it had ended already.
    ///
    /// # Errors
    /// When etcd does not answer so.
    pub fn keep_alive(&mut self, lease: i64) -> Result<bool, EtcdError> {
        let body = self.ask("/v3/lease/keepalive", &format!(r#"{{"ID":"{lease}"}}"#), 0);
        let body = match body {
            Err(EtcdError::LeaseEnded) => return Ok(false),
            body => body?,
        };
        let answer: StreamAnswer<LeaseAnswer> = self.parse(&body).map_err(error)?;
        match answer.result {
            Some(lease) => Ok(lease.ttl.0 > 0),
            None => Err(error(self.failure(200, &body, 0))),
        }
    }

    /// Ends a lease and deletes its keys. It may have ended already.
    ///
    /// # Errors
    /// When etcd does not answer.
    pub fn revoke(&mut self, lease: i64) -> Result<(), EtcdError> {
        match self.ask("/v3/lease/revoke", &format!(r#"{{"ID":"{lease}"}}"#), 0) {
            Err(EtcdError::LeaseEnded) => Ok(()),
            revoked => revoked.map(drop),
        }
    }

    /// The server that answered last, or the one to be tried next.
    pub fn server(&self) -> &str {
        self.settings.servers.get(self.at).map_or("", |it| it)
    }

    pub(super) fn settings(&self) -> &Arc<Cluster> {
        &self.settings
    }

    pub(super) fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    /// A request to a server that can answer, with the body of its answer.
    fn ask(&mut self, path: &str, request: &str, revision: i64) -> Result<Vec<u8>, EtcdError> {
        self.on_a_server(|this| {
            this.with_token(|this| this.exchange(path, Some(request), revision))
        })
    }

    /// Tries the servers in turn, beginning with the one that answered last.
    pub(super) fn on_a_server<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, EtcdError> {
        let servers = self.settings.servers.len();
        let mut worst: Option<EtcdError> = None;
        for _ in 0..servers {
            match attempt(self) {
                Ok(done) => return Ok(done),
                Err(Failure::Next(why)) => {
                    // What a person has to mend is worth more than what may pass.
                    let is_worse = worst.as_ref().is_none_or(|worst| rank(&why) > rank(worst));
                    if is_worse {
                        worst = Some(why);
                    }
                    self.at = (self.at + 1) % servers;
                }
                Err(failure) => return Err(error(failure)),
            }
        }
        Err(match worst {
            Some(EtcdError::Unreachable(why)) if servers > 1 => {
                EtcdError::Unreachable(format!("none of {servers} servers answers; {why}"))
            }
            Some(why) => why,
            None => EtcdError::Refused("no server of etcd is configured".to_owned()),
        })
    }

    /// Does something with a token, and once more with a new one if that has ended.
    pub(super) fn with_token<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let had_one = self.token.is_some() || self.is_without_users;
        if !had_one {
            self.authenticate()?;
        }
        match attempt(self) {
            Err(Failure::Token(_)) if had_one => {
                self.token = None;
                self.is_without_users = false;
                self.authenticate()?;
                attempt(self)
            }
            done => done,
        }
    }

    /// Gets a token, if a user is configured.
    fn authenticate(&mut self) -> Result<(), Failure> {
        let (Some(name), Some(password)) = (&self.settings.username, &self.settings.password)
        else {
            return Ok(());
        };
        let request = serde_json::json!({ "name": **name, "password": password.text() });
        let (path, request) = ("/v3/auth/authenticate", request.to_string());
        let answer = self.send(path, Some(&request))?;
        if !answer.is_good() && answer::is_without_users(&answer.body) {
            self.is_without_users = true;
            return Ok(());
        }
        if !answer.is_good() {
            return Err(self.failure(answer.status, &answer.body, 0));
        }
        let token: TokenAnswer = self.parse(&answer.body)?;
        // It becomes a header of every request, to any of the servers.
        if !token.token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(answer::no_etcd(self.server()));
        }
        self.token = Some(token.token);
        Ok(())
    }

    /// The body of a good answer of the server in use.
    fn exchange(
        &mut self,
        path: &str,
        request: Option<&str>,
        revision: i64,
    ) -> Result<Vec<u8>, Failure> {
        let answer = self.send(path, request)?;
        match answer.is_good() {
            true => Ok(answer.body),
            false => Err(self.failure(answer.status, &answer.body, revision)),
        }
    }

    fn send(&mut self, path: &str, body: Option<&str>) -> Result<HttpAnswer, Failure> {
        let request = EtcdRequest {
            server: self.settings.servers.get(self.at).map_or("", |it| it),
            path,
            body,
            token: self.token.as_deref(),
            time: match path {
                RANGE => reading_time(self.settings.node_timeout),
                _ => writing_time(self.settings.node_timeout),
            },
        };
        self.http.send(&self.settings, &request, &self.stop)
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    pub(super) fn failure(&self, status: u32, body: &[u8], revision: i64) -> Failure {
        answer::failure(&self.settings, self.server(), status, body, revision)
    }

    fn parse<'a, T: Deserialize<'a>>(&self, body: &'a [u8]) -> Result<T, Failure> {
        serde_json::from_slice(body).map_err(|_| answer::no_etcd(self.server()))
    }
}

fn rank(why: &EtcdError) -> u8 {
    match why {
        EtcdError::Unreachable(_) => 0,
        EtcdError::NoLeader => 1,
        _ => 2,
    }
}

fn error(failure: Failure) -> EtcdError {
    match failure {
        Failure::Next(why) | Failure::Final(why) => why,
        Failure::Token(why) => EtcdError::Refused(why),
    }
}

/// Whether a release such as `3.3.27` is too old.
fn is_too_old(release: &str) -> bool {
    let mut numbers = release.split('.').map_while(|part| part.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor) < OLDEST,
        _ => false,
    }
}
