//! Users from realtime, changed in their database.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use presence::config::Section;
use presence::config::file::{FileProblem, PlannedRow, SectionChange, plan_row};

use super::{ChangeRefused, PATIENCE, ReadDocument};
use crate::runtime::Runtime;
use crate::runtime::configuration::FAMILY;
use crate::runtime::host::RealtimeChange;

/// Whether a change is one of a row.
pub(super) fn is_of_row(read: &ReadDocument, change: &SectionChange) -> bool {
    let mut sections = read.document.sections.iter();
    let in_file = sections.any(|section| section.entry.name == change.section);
    let is_row = |rows: &Vec<Section>| rows.iter().any(|row| row.name == change.section);
    change.realtime || (!in_file && read.rows.as_ref().is_some_and(is_row))
}

impl Runtime {
    /// Works out a change of a row; `None` if the changes are about the file.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub(super) fn planned_row(
        &self,
        read: &ReadDocument,
        changes: &[SectionChange],
    ) -> Result<Option<PlannedRow>, ChangeRefused> {
        let Some(change) = changes.iter().find(|change| is_of_row(read, change)) else {
            return Ok(None);
        };
        let refused = |message: &str| {
            ChangeRefused::Problems(vec![FileProblem {
                section: change.section.clone(),
                message: message.to_owned(),
                ..FileProblem::default()
            }])
        };
        if changes.len() > 1 {
            let why = "a user of the database is changed alone, expected one change";
            return Err(refused(why));
        }
        let Some(rows) = &read.rows else {
            let why = "realtime family 'userpresence' is not mapped in extconfig.conf";
            return Err(refused(read.rows_problem.as_deref().unwrap_or(why)));
        };
        let planned = plan_row(rows, change).map_err(ChangeRefused::Problems)?;
        let entries = read.document.sections.iter().map(|section| &section.entry);
        let problems = self.problems(entries, &planned.rows);
        match problems.is_empty() {
            true => Ok(Some(planned)),
            false => Err(ChangeRefused::Problems(problems)),
        }
    }

    /// Changes a row and reads its user anew, or leaves both as they were.
    pub(super) fn change_row(
        self: &Arc<Self>,
        planned: &PlannedRow,
        by: &str,
    ) -> Result<(), ChangeRefused> {
        let name = &*planned.name;
        let (change, back) = match (&planned.columns, &planned.before) {
            (Some(columns), Some(_)) if columns.is_empty() => return Ok(()),
            (Some(columns), Some(before)) => (
                RealtimeChange::Update(columns.clone()),
                RealtimeChange::Update(before.clone()),
            ),
            (Some(columns), None) => (
                RealtimeChange::Store(columns.clone()),
                RealtimeChange::Destroy,
            ),
            (None, before) => (
                RealtimeChange::Destroy,
                RealtimeChange::Store(before.clone().unwrap_or_default()),
            ),
        };
        let host = self.host();
        host.change_row(FAMILY, name, &change)?;
        let done = self
            .expect_row(planned)
            .and_then(|()| self.reload_row(name));
        let Err(why) = done else {
            log::info!("{by} has changed the user '{name}' of the database");
            return Ok(());
        };
        let again = host.change_row(FAMILY, name, &back);
        let again = again.and_then(|()| self.reload_row(name)).err();
        log::warn!("A change of the user '{name}' of the database by {by} was taken back: {why}");
        Err(ChangeRefused::Failed(match again {
            None => why,
            Some(again) => format!("{why}; {again}"),
        }))
    }

    /// The database has to have what was written: some drivers report nothing of a failure.
    fn expect_row(&self, planned: &PlannedRow) -> Result<(), String> {
        let row = self.host().realtime_row(FAMILY, &planned.name)?;
        match planned.difference(row.as_ref()) {
            None => Ok(()),
            Some("") => Err("the database does not have what was to be written".into()),
            Some(column) => Err(format!(
                "the database does not have what was to be written to the column '{column}'; \
                 expected a table with this column, and a value that it can hold"
            )),
        }
    }

    fn reload_row(self: &Arc<Self>, name: &str) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.reload_user(name) {
                Err(why) if why.contains("under way") && Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(20));
                }
                done => return done.map(drop),
            }
        }
    }
}
