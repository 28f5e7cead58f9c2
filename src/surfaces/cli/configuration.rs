//! `userpresence check`, `reload` and `forget`.

use std::fmt::Write;

use super::{fail, outcome};
use crate::runtime;
use crate::runtime::check::{self, Severity};
use crate::runtime::forget;
use crate::runtime::reload;
use asterisk::cli::{Args, CliResult};

/// `userpresence reload`
pub fn reload(args: &Args<'_>, out: &mut String) -> CliResult {
    let really = match args.0.as_slice() {
        [] => false,
        [word] if word.eq_ignore_ascii_case("--really") => true,
        _ => return CliResult::ShowUsage,
    };
    match reload::everything(really) {
        Ok(counts) => {
            let _ = writeln!(out, "Reloaded: {counts}.");
            if counts.removed > 0 {
                out.push_str("The data of removed users is kept for 30 days.\n");
            }
            CliResult::Success
        }
        Err(refused) => {
            for problem in &refused.problems {
                let _ = writeln!(out, "ERROR: {problem}");
            }
            let _ = writeln!(out, "Not reloaded: {}.", refused.why);
            CliResult::Failure
        }
    }
}

/// `userpresence check`
pub fn check(args: &Args<'_>, out: &mut String) -> CliResult {
    if !args.0.is_empty() {
        return CliResult::ShowUsage;
    }
    let Some(check) = check::check() else {
        return outcome(fail(out, runtime::NOT_RUNNING));
    };
    for (severity, problem) in &check.findings {
        let _ = writeln!(out, "{}: {problem}", severity.word());
    }
    let count = |wanted: Severity| {
        check
            .findings
            .iter()
            .filter(|(it, _)| *it == wanted)
            .count()
    };
    let number = |count: usize, what: &str| {
        let end = if count == 1 { "" } else { "s" };
        format!("{count} {what}{end}")
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let (errors, warnings) = (number(errors, "error"), number(warnings, "warning"));
    let _ = write!(out, "{errors}, {warnings}. ");
    match check.counts {
        Some(counts) => {
            let _ = writeln!(out, "After a reload: {counts}.");
            CliResult::Success
        }
        None => {
            out.push_str("A reload would be refused.\n");
            CliResult::Failure
        }
    }
}

/// `userpresence forget`
pub fn forget(args: &Args<'_>, out: &mut String) -> CliResult {
    let name = match args.0.as_slice() {
        [all] if all.eq_ignore_ascii_case("all") => None,
        [name] => Some(*name),
        _ => return CliResult::ShowUsage,
    };
    match forget::forget(name) {
        Ok(1) => out.push_str("The data of 1 user was deleted.\n"),
        Ok(users) => {
            let _ = writeln!(out, "The data of {users} users was deleted.");
        }
        Err(why) => return outcome(fail(out, &why)),
    }
    CliResult::Success
}

/// The names of removed users whose data is still stored, and `all`.
pub fn forgettable() -> Vec<String> {
    let gone = forget::forgettable();
    std::iter::once("all".to_owned()).chain(gone).collect()
}
