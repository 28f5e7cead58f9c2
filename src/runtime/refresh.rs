//! The periodic look at realtime: `realtime_refresh` in `[general]`.
//!
//! A thread of its own reads the families, so that neither a thread of Asterisk's nor one of the
//! other workers waits for a database. Of each row it keeps a digest; rows whose digest is new
//! are parsed, and users change as with `userpresence reload user`. A database that is down or
//! without rows removes nobody.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::configuration::{DIRECTORY_FAMILY, FAMILY, warn_of_fields};
use super::{NOT_RUNNING, Runtime};
use crate::sync::{Condvar, Mutex};
use presence::config::{Origin, Problem, Section, parse_changes};
use presence::directory::Directory;
use presence::world::{Counts, Plan};

/// How long an unload waits for a look that is under way.
const GIVE_UP: Duration = Duration::from_secs(2);

#[derive(Default)]
struct RefreshState {
    /// Whether the thread runs.
    running: bool,
    stop: bool,
    /// Rises with each configuration.
    round: u64,
    /// How often to look; `None` for never.
    every: Option<Duration>,
    /// The users of the file, as far as a directory may give them fields.
    file: Arc<Vec<Section>>,
}

/// What the periodic look shares with others.
#[derive(Default)]
pub struct Refresh {
    state: Mutex<RefreshState>,
    news: Condvar,
}

/// The periodic look, on or off; dropping it ends it.
#[must_use = "dropping it ends the periodic look"]
pub struct RunningRefresh(Arc<Runtime>);

impl RunningRefresh {
    /// Begins with the configuration that runs; `file` are the users of the file.
    pub fn start(runtime: Arc<Runtime>, file: Vec<Section>) -> Self {
        runtime.refresh.state.lock().stop = false;
        runtime.reconfigure_refresh(file);
        RunningRefresh(runtime)
    }
}

impl Drop for RunningRefresh {
    fn drop(&mut self) {
        let refresh = &self.0.refresh;
        let mut state = refresh.state.lock();
        state.stop = true;
        state.file = Arc::default();
        refresh.news.notify_all();
        let until = Instant::now() + GIVE_UP;
        while state.running {
            if refresh.news.wait_until(&mut state, until).timed_out() {
                log::warn!("The database does not answer, the look at realtime is given up");
                return;
            }
        }
    }
}

/// What is known from one look to the next.
#[derive(Default)]
struct Look {
    /// The digests of the rows that were taken over, sorted; nothing before the first look.
    seen: Option<Box<[u64]>>,
    users: Outage,
    fields: Outage,
    removals: Outage,
    /// The warnings about fields at the last look: each is logged once.
    warnings: HashSet<String>,
}

/// Something that does not work now: one warning when it begins, one notice when it ends.
#[derive(Default)]
struct Outage(bool);

impl Outage {
    fn begins(&mut self, why: &str) {
        if !std::mem::replace(&mut self.0, true) {
            log::warn!("{why}");
        }
    }

    fn ends(&mut self, what: &str) {
        if std::mem::take(&mut self.0) {
            log::info!("{what}");
        }
    }
}

/// What a look has read.
struct FreshRows {
    file: Vec<Section>,
    realtime: Vec<Section>,
    warnings: Vec<Problem>,
}

impl Runtime {
    /// Another configuration runs: each row is compared with it at the next look.
    pub(super) fn reconfigure_refresh(self: &Arc<Self>, file: Vec<Section>) {
        let every = self.refresh_every();
        let on = every.is_some();
        let mut state = self.refresh.state.lock();
        state.round += 1;
        state.every = every;
        state.file = Arc::new(if on { file } else { Vec::new() });
        self.refresh.news.notify_all();
        if !on || state.running || state.stop {
            return;
        }
        let runtime = self.clone();
        let thread = std::thread::Builder::new().name("userpresence-rt".into());
        match thread.spawn(move || runtime.look_again_and_again()) {
            Ok(_) => state.running = true,
            Err(why) => log::error!("Realtime is not looked at periodically: {why}"),
        }
    }

    fn refresh_every(&self) -> Option<Duration> {
        let seconds = self.read(|world| world.directory().settings.realtime_refresh);
        let seconds = seconds.filter(|seconds| *seconds > 0)?;
        Some(Duration::from_secs(seconds.into()))
    }

    /// The thread. It ends when the look is turned off.
    fn look_again_and_again(self: Arc<Self>) {
        let mut look = Look::default();
        loop {
            let mut state = self.refresh.state.lock();
            let round = state.round;
            let Some(every) = state.every.filter(|_| !state.stop) else {
                state.running = false;
                self.refresh.news.notify_all();
                return;
            };
            let until = Instant::now() + every;
            let mut is_due = false;
            while !is_due && !state.stop && state.round == round {
                is_due = self.refresh.news.wait_until(&mut state, until).timed_out();
            }
            let file = state.file.clone();
            if state.round != round {
                look.seen = None;
            }
            let goes_on = is_due && !state.stop && state.round == round;
            drop(state);
            if goes_on {
                // A panic was logged; the next look begins anew.
                let one = std::panic::AssertUnwindSafe(|| self.look(&mut look, &file));
                if std::panic::catch_unwind(one).is_err() {
                    look = Look::default();
                }
            }
        }
    }

    /// One look: takes over what has changed.
    fn look(&self, look: &mut Look, file: &[Section]) {
        let Some(running) = self.read(|world| world.directory().clone()) else {
            return;
        };
        let users = running.users();
        let from_realtime = users.filter(|(_, user)| user.origin == Origin::Realtime);
        let known: HashSet<String> = from_realtime
            .map(|(_, user)| user.name.to_ascii_lowercase())
            .collect();
        let mut rows = match self.read_rows(look, file, known.len()) {
            Ok(rows) => rows,
            Err(why) => return look.users.begins(&why),
        };
        look.users
            .ends("Realtime family 'userpresence' can be read again");

        let names = rows.realtime.iter();
        let names: HashSet<String> = names.map(|row| row.name.to_ascii_lowercase()).collect();
        let mut gone: HashSet<&String> = known.difference(&names).collect();
        let counts = Counts {
            before: known.len(),
            removed: gone.len(),
            ..Counts::default()
        };
        if counts.loses_most() {
            look.removals.begins(&format!(
                "Realtime family '{FAMILY}' lacks {} of {} users, which looks like a mistake: \
                 they stay until a reload",
                gone.len(),
                known.len()
            ));
            gone.clear();
        } else {
            look.removals
                .ends("Realtime family 'userpresence' has most of its users again");
        }

        let all = rows.file.iter().chain(&rows.realtime);
        let mut seen: Box<[u64]> = all.map(digest).collect();
        seen.sort_unstable();
        if let Some(before) = &look.seen {
            let is_new = |row: &Section| before.binary_search(&digest(row)).is_err();
            rows.file.retain(is_new);
            rows.realtime.retain(is_new);
        }
        let warnings: HashSet<String> = rows.warnings.drain(..).map(|it| it.to_string()).collect();
        let new = warnings.difference(&look.warnings).cloned().collect();
        // The load or reload before the first look has given the same warnings.
        let is_first = look.seen.is_none();
        if !is_first {
            warn_of_fields(new);
        }
        look.warnings = warnings;
        if !gone.is_empty() || !rows.file.is_empty() || !rows.realtime.is_empty() {
            match self.take_over_rows(&running, rows, &gone, is_first) {
                Ok(()) => {}
                // The next look does it.
                Err(why) => return log::warn!("Realtime is not taken over now: {why}"),
            }
        }
        look.seen = Some(seen);
    }

    /// Reads the families; `known` is how many users come from realtime.
    fn read_rows(
        &self,
        look: &mut Look,
        file: &[Section],
        known: usize,
    ) -> Result<FreshRows, String> {
        let host = self.host();
        let mut rows = FreshRows {
            file: Vec::new(),
            realtime: Vec::new(),
            warnings: Vec::new(),
        };
        if known > 0 || host.realtime_is_mapped(FAMILY) {
            rows.realtime = host.realtime_rows(FAMILY).map_err(stay)?;
        }
        if rows.realtime.is_empty() && known > 0 {
            return Err(no_row(known));
        }
        let (directory, why) = self.read_directory();
        match why {
            Some(why) => look.fields.begins(&why),
            None => look.fields.ends(&format!(
                "Realtime family '{DIRECTORY_FAMILY}' can be read again"
            )),
        }
        if let Some(directory) = directory {
            rows.file = file.to_vec();
            directory.fill(Origin::File, &mut rows.file, &mut rows.warnings);
            directory.fill(Origin::Realtime, &mut rows.realtime, &mut rows.warnings);
        }
        Ok(rows)
    }

    /// Changes the users of these rows, and removes those that are gone.
    fn take_over_rows(
        &self,
        running: &Arc<Directory>,
        rows: FreshRows,
        gone: &HashSet<&String>,
        is_first: bool,
    ) -> Result<(), String> {
        let mut specs = running.specs();
        specs.retain(|spec| !gone.contains(&spec.name.to_ascii_lowercase()));
        let settings = &running.settings;
        let parsed = parse_changes(settings, rows.file, rows.realtime, specs, &|name| {
            self.host().is_timezone(name)
        });
        let directory = Directory::new(settings.clone(), parsed.users);
        let directory = {
            let plan = Plan::new(running, Arc::new(directory));
            let counts = plan.counts();
            let changes = counts.added + counts.removed + counts.changed;
            (changes > 0).then(|| plan.directory().specs())
        };
        if let Some(specs) = directory {
            let _busy = self.reload.begin()?;
            let now = self.read(|world| world.directory().clone());
            if !Arc::ptr_eq(&now.ok_or(NOT_RUNNING)?, running) {
                return Err("the configuration has changed meanwhile".into());
            }
            let counts = self.switch(Directory::new(settings.clone(), specs), true, false)?;
            log::info!("Taken over from realtime: {counts}");
        }
        for warning in parsed.warnings.iter().filter(|_| !is_first) {
            log::warn!("{warning}");
        }
        for error in &parsed.errors {
            log::error!("{error}; the row is not taken over");
        }
        Ok(())
    }
}

fn stay(why: String) -> String {
    format!("{why}; the users from realtime stay as they are")
}

/// Why nobody goes where there is no row at all: a driver cannot always tell that from a table
/// that cannot be read.
pub(super) fn no_row(users: usize) -> String {
    let users = match users {
        1 => "the user from it stays".to_owned(),
        users => format!("the {users} users from it stay"),
    };
    format!(
        "Realtime family '{FAMILY}' gave no row at all: {users}; \
         'userpresence reload --really' removes users without a row"
    )
}

fn digest(row: &Section) -> u64 {
    let mut hasher = DefaultHasher::new();
    row.name.hash(&mut hasher);
    for variable in &row.variables {
        (&variable.name, &variable.value).hash(&mut hasher);
    }
    hasher.finish()
}
