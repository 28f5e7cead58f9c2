//! The file that reserves the accounts' numbers, beside AstDB's.
//!
//! It is a file of its own because AstDB commits up to a second later, and a number must
//! not be given out before its reservation is on disk. It is written at the load, at an
//! orderly stop, at a reload with new accounts, and when half a block is used up: never
//! on a thread of a channel or of a topic.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Runtime;
use super::sync::Mutex;

use presence::Time;
use presence::account::Reservation;

/// The file's name.
const NAME: &str = "userpresence-sequence.json";

/// The reservations and their file.
#[derive(Default)]
pub struct Sequences(Mutex<Option<Reservation>>);

impl Runtime {
    fn sequence_file(&self) -> PathBuf {
        let mut path = self.host().database_file();
        path.set_file_name(NAME);
        path
    }

    /// Reads the file and reserves numbers for these accounts; `last` gets the last number
    /// of each. A file that cannot be read is kept aside, and numbers go on at the time.
    ///
    /// `given` are numbers that the accounts have given out as far as AstDB knows: without a
    /// file, numbers go on a block behind them, or at the time where that is later.
    pub fn open_sequences(
        &self,
        accounts: &[Arc<str>],
        given: &HashMap<String, u64>,
        last: &mut HashMap<String, u64>,
    ) {
        let (path, now) = (self.sequence_file(), Time::now());
        let read = match fs::read_to_string(&path) {
            Ok(text) => Reservation::parse(&text),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Reservation::after(given, now)),
            Err(why) => Err(why.to_string()),
        };
        let reservation = read.unwrap_or_else(|why| {
            let aside = path.with_extension("damaged");
            let kept = match fs::rename(&path, &aside) {
                Ok(()) => format!("; the file is kept as {}", aside.display()),
                Err(_) => String::new(),
            };
            log::warn!(
                "{} cannot be read: {why}. Sequence numbers go on at the present time{kept}",
                path.display()
            );
            Reservation::after(given, now)
        });
        *self.sequences.0.lock() = Some(reservation);
        self.reserve_sequences(accounts.iter(), last);
    }

    /// Reserves numbers for accounts that begin now; `last` gets the last number of each.
    pub(super) fn reserve_sequences<'a>(
        &self,
        accounts: impl Iterator<Item = &'a Arc<str>>,
        last: &mut HashMap<String, u64>,
    ) {
        let now = Time::now();
        self.change_reservation(|reservation| {
            let begin = accounts.map(|name| (&**name, reservation.last(name, now)));
            let begin: Vec<_> = begin.collect();
            reservation.reserve(begin.iter().copied());
            let names = begin.iter().map(|(name, last)| ((*name).to_owned(), *last));
            last.extend(names);
            !begin.is_empty()
        });
    }

    /// Reserves more for accounts that have used up most of their block.
    pub(super) fn keep_sequences_ahead<'a>(&self, last: impl Iterator<Item = (&'a str, u64)>) {
        self.change_reservation(|reservation| {
            let short = last.filter(|(account, last)| reservation.is_short(account, *last));
            let short: Vec<_> = short.collect();
            reservation.reserve(short.iter().copied());
            !short.is_empty()
        });
    }

    /// Notes the last numbers, at an orderly end. Afterwards no number is given out.
    pub fn close_sequences(&self) {
        self.stop_listening();
        let last = self.read(|world| {
            let last = world.account_sequences();
            last.map(|(name, last)| (name.to_owned(), last))
                .collect::<Vec<_>>()
        });
        self.change_reservation(|reservation| {
            let last = last.iter().flatten();
            reservation.close(last.map(|(name, last)| (name.as_str(), *last)));
            true
        });
        *self.sequences.0.lock() = None;
    }

    /// Changes the reservations, and writes the file where `make` says so. The lock is held
    /// meanwhile, so that the file is never older than an earlier one.
    fn change_reservation(&self, make: impl FnOnce(&mut Reservation) -> bool) {
        let path = self.sequence_file();
        let mut guard = self.sequences.0.lock();
        let changed = guard.as_mut().map(|it| (make(it), it));
        let written = match changed {
            Some((true, reservation)) => replace(&path, &reservation.text()),
            _ => Ok(()),
        };
        drop(guard);
        if let Err(why) = written {
            log::warn!(
                "{} cannot be written: {why}. After an unclean stop sequence numbers may repeat",
                path.display()
            );
        }
    }
}

/// Replaces a file so that it is whole on disk whenever the machine stops.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
