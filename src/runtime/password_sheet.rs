//! Passwords for many users at once, in a file that Asterisk's own user alone can read.
//!
//! A hash takes some milliseconds, so that a whole company takes minutes: a thread of its own
//! makes them, and nothing waits for it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::{NOT_RUNNING, Runtime};
use crate::runtime::sessions::secret;
use crate::sync::Mutex;
use presence::Time;
use presence::config::Origin;
use presence::directory::{Directory, User};
use presence::model::text::quoted;

/// Makes a password; returns it and its hash.
pub type MakePassword = fn() -> Result<(String, String), String>;

/// The users who get passwords.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whose {
    /// Those of an account.
    Account(String),
    /// Those of a group, in every account.
    Group(String),
}

impl Whose {
    /// In words: `account 'main'`.
    pub fn words(&self) -> String {
        match self {
            Whose::Account(name) => format!("account '{}'", quoted(name)),
            Whose::Group(name) => format!("group '{}'", quoted(name)),
        }
    }

    fn has(&self, directory: &Directory, user: &User) -> bool {
        match self {
            Whose::Account(name) => **directory.account(user.account) == **name,
            Whose::Group(name) => user.is_in_group(name),
        }
    }
}

/// The thread that makes passwords, if one does.
#[derive(Default)]
pub struct PasswordSheets {
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Whether passwords are being made: until the outcome is known, a moment before the thread
    /// ends.
    busy: AtomicBool,
    stop: AtomicBool,
}

impl PasswordSheets {
    /// Ends the thread, after the hash that it makes.
    pub fn close(&self) {
        self.stop.store(true, Ordering::Relaxed);
        // A panic in it was logged when it happened.
        let thread = self.thread.lock().take();
        let _ = thread.map(JoinHandle::join);
    }
}

/// A file that is being written.
#[derive(Debug)]
pub struct PasswordSheet {
    /// The file.
    pub path: PathBuf,
    /// How many users get a password.
    pub count: usize,
    /// Gets the outcome.
    pub done: Receiver<Result<(), String>>,
}

impl Runtime {
    /// Begins to make passwords for these users, as far as they have none.
    ///
    /// # Errors
    /// Says why none are made.
    pub fn make_passwords(
        self: &Arc<Self>,
        whose: &Whose,
        make: MakePassword,
    ) -> Result<PasswordSheet, String> {
        let mut thread = self.password_sheets.thread.lock();
        let runs = thread.as_ref().is_some_and(|thread| !thread.is_finished());
        if runs && self.password_sheets.busy.load(Ordering::Acquire) {
            return Err(
                "other passwords are being made, wait until the log names their file".into(),
            );
        }
        // It has told its outcome, and ends at once.
        let _ = thread.take().map(JoinHandle::join);
        let users = self.without_password(whose)?;
        let now = Time::now().millis();
        let name = format!("userpresence-passwords-{now}.txt");
        let path = self.key_folder().join(name);
        let cannot = |why: io::Error| format!("'{}' cannot be created: {why}", path.display());
        let file = secret::create(&path).map_err(cannot)?;
        let (tell, done) = sync_channel(1);
        let work = SheetWork {
            runtime: self.clone(),
            title: whose.words(),
            users,
            path: path.clone(),
            tell,
        };
        let count = work.users.len();
        let builder = std::thread::Builder::new().name("userpresence-pw".into());
        self.password_sheets.busy.store(true, Ordering::Release);
        let begun = builder.spawn(move || work.carry_out(file, make));
        *thread = Some(begun.map_err(|why| format!("there is no thread for it: {why}"))?);
        Ok(PasswordSheet { path, count, done })
    }

    fn without_password(&self, whose: &Whose) -> Result<Vec<(Arc<str>, Origin)>, String> {
        let directory = self.read(|world| world.directory().clone());
        let directory = directory.ok_or(NOT_RUNNING)?;
        let users = directory.users().map(|(_, user)| user);
        let meant: Vec<&User> = users.filter(|user| whose.has(&directory, user)).collect();
        if meant.is_empty() {
            return Err(format!("there is no user of {}", whose.words()));
        }
        // Where an API user has the name, a person's password is not used.
        let http = &directory.settings.http;
        let lacks = |user: &&&User| user.password.is_none() && http.user(&user.name).is_none();
        let lacking = meant.iter().filter(lacks);
        let lacking: Vec<_> = lacking
            .map(|user| (user.name.clone(), user.origin))
            .collect();
        match lacking.is_empty() {
            true => Err(format!("every user of {} has a password", whose.words())),
            false => Ok(lacking),
        }
    }
}

struct SheetWork {
    runtime: Arc<Runtime>,
    title: String,
    users: Vec<(Arc<str>, Origin)>,
    path: PathBuf,
    tell: SyncSender<Result<(), String>>,
}

impl SheetWork {
    fn carry_out(self, file: File, make: MakePassword) {
        let (path, count) = (self.path.display(), self.users.len());
        let outcome = self.write(file, make).map_err(|why| {
            // A part of it helps nobody, and would stay about.
            let _ = fs::remove_file(&self.path);
            format!("the passwords for {} could not be made: {why}", self.title)
        });
        let sheets = &self.runtime.password_sheets;
        sheets.busy.store(false, Ordering::Release);
        match &outcome {
            Ok(()) => log::info!("{count} passwords for {} are in '{path}'", self.title),
            Err(why) => log::warn!("{why}"),
        }
        // Nobody may wait for it any more.
        let _ = self.tell.try_send(outcome);
    }

    fn write(&self, file: File, make: MakePassword) -> Result<(), String> {
        let text = |why: io::Error| why.to_string();
        let mut file = BufWriter::new(file);
        writeln!(
            file,
            "; Passwords for {}. Give each user theirs, put the second part into the\n\
             ; configuration, and delete this file.\n;",
            self.title
        )
        .map_err(text)?;
        let (mut sections, mut columns) = (String::new(), String::new());
        for (name, origin) in &self.users {
            if self.runtime.password_sheets.stop.load(Ordering::Relaxed) {
                return Err("the module is being unloaded".into());
            }
            let (password, hash) = make()?;
            writeln!(file, "; {name}: {password}").map_err(text)?;
            match origin {
                Origin::File => sections += &format!("[{name}](+)\npassword = {hash}\n"),
                Origin::Realtime => columns += &format!("; {name}: {hash}\n"),
            }
        }
        if !sections.is_empty() {
            let head = "\n; For userpresence.conf, below the users:";
            writeln!(file, "{head}\n{sections}").map_err(text)?;
        }
        if !columns.is_empty() {
            let head = "\n; For users from realtime, the column password:";
            writeln!(file, "{head}\n{columns}").map_err(text)?;
        }
        let file = file.into_inner().map_err(|why| text(why.into_error()))?;
        file.sync_all().map_err(text)
    }
}
