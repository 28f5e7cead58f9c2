//! The calls of users, while any account shows them.
//!
//! Where both locks are taken, that of the world comes first.

use std::sync::Arc;

use super::{Runtime, store};
use crate::sync::{Mutex, MutexGuard};
use presence::calls::live::{ChannelReport, LiveCalls, SeenCall};
use presence::config::ShownCalls;
use presence::directory::{AccountId, Directory, UserId};
use presence::world::World;

/// The table of calls; empty while no account shows its calls.
#[derive(Default)]
pub struct CallTable(Mutex<LiveCalls>);

impl CallTable {
    fn lock(&self) -> MutexGuard<'_, LiveCalls> {
        self.0.lock()
    }
}

/// The users whose calls are read.
#[derive(Clone, Copy, Debug)]
pub enum CallsOf<'a> {
    /// Everybody who has calls.
    Everybody,
    /// Those whose calls have changed since that version of the table, and those in whose calls
    /// these users take part.
    ChangedSince(u64, &'a [Arc<str>]),
}

/// The calls of some users at one moment.
#[derive(Debug, Default)]
pub struct CallsRead {
    /// Each user with the calls.
    pub users: Vec<(UserId, Vec<SeenCall>)>,
    /// The version of the table.
    pub version: u64,
}

/// Whether calls of the device are kept: those of the phones of all users, while any account
/// shows its calls. A user of another account who hides is known as the other side by their phone.
fn is_kept(directory: &Directory, device: &str) -> bool {
    directory.settings.http.show_calls != ShownCalls::No && directory.is_phone(device)
}

impl Runtime {
    /// Whether any account shows its calls.
    pub fn shows_calls(&self) -> bool {
        let shows = self.read(|world| {
            let http = &world.directory().settings.http;
            http.enabled && http.show_calls != ShownCalls::No
        });
        shows.unwrap_or(false)
    }

    /// Whether the calls of the device are kept.
    pub fn keeps_calls_of(&self, device: &str) -> bool {
        let kept = self.read(|world| is_kept(world.directory(), device));
        kept.unwrap_or(false)
    }

    /// A channel of a user's phone has changed.
    pub fn on_call(&self, report: &ChannelReport<'_>) {
        crate::trip("call");
        let mut table = self.calls.lock();
        let is_full = table.left_out();
        let changed = table.report(report);
        let is_full = table.left_out() > is_full;
        drop(table);
        if is_full {
            self.warn_once("calls", "full", || {
                "There are more calls than can be shown; further ones are left out".into()
            });
        }
        self.calls_changed(changed);
    }

    /// A channel is not, or no longer, that of a user's phone.
    pub fn on_call_end(&self, id: &str) {
        let changed = self.calls.lock().end(id);
        self.calls_changed(changed);
    }

    /// A user has put the other side on hold, or resumes the call.
    pub fn on_call_held(&self, id: &str, on_hold: bool) {
        let changed = self.calls.lock().hold(id, on_hold);
        self.calls_changed(changed);
    }

    fn calls_changed(&self, changed: bool) {
        if changed {
            self.feed.calls_changed();
        }
    }

    /// Reads the channels that there are already; the subscription brings what changes.
    pub fn read_calls(&self) {
        let Some(directory) = self.read(|world| world.directory().clone()) else {
            return;
        };
        let is_wanted = |device: &str| is_kept(&directory, device);
        self.calls.lock().retain(is_wanted);
        let mut read = Vec::new();
        self.host()
            .each_channel(&is_wanted, &mut |report, on_hold| {
                if self.calls.lock().report_older(report, on_hold) {
                    read.push(report.id.to_owned());
                }
            });
        // One that ended before it was read is reported no more.
        for id in read {
            if !self.host().channel_exists(&id) {
                self.calls.lock().end(&id);
            }
        }
        self.feed.calls_changed();
    }

    /// Forgets all calls: none is shown any more.
    pub fn forget_calls(&self) {
        self.calls.lock().clear();
        self.feed.calls_changed();
    }

    /// How many calls there are in the table.
    pub fn call_count(&self) -> usize {
        self.calls.lock().len()
    }
}

/// The calls of users of an account, as someone sees them who sees the users for which `sees`
/// holds; `None` if the account does not show them, or the module is not running.
pub fn seen(
    account: &str,
    of: CallsOf<'_>,
    sees: impl Fn(&World, UserId) -> bool,
) -> Option<CallsRead> {
    store::read(|world| {
        let directory = world.directory();
        let account = directory.account_named(account)?;
        shows(directory, account).then_some(())?;
        super::with(|runtime| {
            let table = runtime.calls.lock();
            let users = match of {
                CallsOf::Everybody => table.users(directory),
                CallsOf::ChangedSince(version, others) => {
                    let mut users = table.changed_since(directory, version);
                    let others = others.iter().filter_map(|name| directory.user(name));
                    let others: Vec<UserId> = others.collect();
                    if !others.is_empty() {
                        users.extend(table.involved(directory, &others));
                        users.sort_unstable();
                        users.dedup();
                    }
                    users
                }
            };
            let sees = |user| sees(world, user);
            let users = users.into_iter();
            let users = users.filter(|id| directory.get(*id).account == account && sees(*id));
            CallsRead {
                users: users.map(|id| (id, table.seen(world, id, sees))).collect(),
                version: table.version(),
            }
        })
    })
    .flatten()
}

/// Whether the account shows its calls.
pub fn shows(directory: &Directory, account: AccountId) -> bool {
    let http = &directory.settings.http;
    http.show_calls.includes(directory.account(account))
}
