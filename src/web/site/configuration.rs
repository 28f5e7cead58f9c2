//! `v1/configuration`: administrators read and change `userpresence.conf`.

mod catalogue;
mod request;
mod view;

use super::answer::{LONGEST_OF_SERVER, error, json, read_long_body};
use super::{HttpCaller, Reply, Request, segment};
use crate::runtime::administration::{ChangeRefused, ReadDocument};
use crate::runtime::{self, Runtime};
use crate::web::wire;
use presence::config::file::{ConfigEntry, FileProblem, OptionsChange, SectionChange, plan};
use presence::model::principal::Role;
use request::{AskedChanges, ChangesRequest, SectionRequest};
use std::sync::Arc;

/// `GET v1/configuration`
pub fn show(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    answer(caller, |runtime| {
        let read = read(runtime)?;
        Ok(tagged(request, &read, &whole(runtime, &read)))
    })
}

/// `PUT v1/configuration`
pub fn change(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    answer(caller, |runtime| {
        let changes: ChangesRequest = read_long_body(request, LONGEST_OF_SERVER)?;
        make(request, caller, runtime, changes.changes()?)?;
        let read = read(runtime)?;
        Ok(changed(&read, &whole(runtime, &read)))
    })
}

/// `POST v1/configuration/check`
pub fn check(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    answer(caller, |runtime| {
        let changes: ChangesRequest = read_long_body(request, LONGEST_OF_SERVER)?;
        let changes = changes.changes()?;
        let read = read(runtime)?;
        let problems = match runtime.check_changes(&read, changes.unhashed()) {
            Ok(_) => own_login_lost(caller, &read, changes.unhashed()),
            Err(ChangeRefused::Problems(problems)) => problems,
            Err(refused) => return Err(refusal(refused)),
        };
        Ok(changed(
            &read,
            &serde_json::json!({"problems": view::problems(&problems)}),
        ))
    })
}

/// `GET v1/configuration/sections/{name}`
pub fn show_section(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    answer(caller, |runtime| {
        let read = read(runtime)?;
        let section = section(request, &read, None)?;
        Ok(tagged(request, &read, &section))
    })
}

/// `PUT v1/configuration/sections/{name}`
pub fn change_section(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    answer(caller, |runtime| {
        let body: SectionRequest = read_long_body(request, LONGEST_OF_SERVER)?;
        let change = AskedChanges::of_section(segment(request, 3), body)?;
        let name = change.unhashed()[0].rename.clone();
        make(request, caller, runtime, change)?;
        let read = read(runtime)?;
        let section = section(request, &read, name)?;
        Ok(changed(&read, &section))
    })
}

/// `DELETE v1/configuration/sections/{name}`
pub fn delete_section(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    answer(caller, |runtime| {
        let change = SectionChange {
            section: segment(request, 3),
            options: OptionsChange::Delete,
            ..SectionChange::default()
        };
        section(request, &read(runtime)?, None)?;
        carry_out(request, caller, runtime, &[change])?;
        let mut reply = super::answer::no_content();
        reply.headers.push(("ETag", read(runtime)?.tag.into()));
        Ok(reply)
    })
}

/// `GET v1/configuration/backups`
pub fn backups(_: &Request<'_>, caller: &HttpCaller) -> Reply {
    answer(caller, |runtime| {
        let backups = runtime.backups().map_err(|why| failed(&why))?;
        let backups = backups
            .iter()
            .map(|it| serde_json::json!({"name": it.name, "file": it.file, "time": it.time}));
        Ok(json(
            &serde_json::json!({"backups": backups.collect::<Vec<_>>()}),
        ))
    })
}

/// `POST v1/configuration/backups/{name}`
pub fn restore(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    answer(caller, |runtime| {
        let name = segment(request, 3);
        let backups = runtime.backups().map_err(|why| failed(&why))?;
        if !backups.iter().any(|backup| backup.name == name) {
            return Err(error(404, "not_found", "There is no such backup."));
        }
        let is_current = if_match(request)?;
        let done = runtime.restore_backup(&is_current, &name, &caller.name);
        done.map_err(refusal)?;
        let read = read(runtime)?;
        Ok(changed(&read, &whole(runtime, &read)))
    })
}

fn answer(
    caller: &HttpCaller,
    answer: impl FnOnce(&Arc<Runtime>) -> Result<Reply, Reply>,
) -> Reply {
    if caller.role != Role::Admin || !caller.configure {
        let why = "Only an administrator with 'configure = yes' may see or change the \
                   configuration.";
        return error(403, "configure", why);
    }
    let runtime = runtime::current().ok_or_else(super::not_running);
    runtime
        .and_then(|runtime| answer(&runtime))
        .unwrap_or_else(|refusal| refusal)
}

fn read(runtime: &Runtime) -> Result<ReadDocument, Reply> {
    let read = runtime.read_document();
    read.map_err(|why| {
        error(
            500,
            "failed",
            &format!("The configuration cannot be read: {why}."),
        )
    })
}

fn whole(runtime: &Runtime, read: &ReadDocument) -> serde_json::Value {
    view::whole(read, &runtime.document_problems(read))
}

fn section(
    request: &Request<'_>,
    read: &ReadDocument,
    name: Option<String>,
) -> Result<serde_json::Value, Reply> {
    let name = name.unwrap_or_else(|| segment(request, 3));
    let mut sections = read.document.sections.iter();
    match sections.find(|section| section.entry.name == name) {
        Some(section) => Ok(view::section(&read.document, section)),
        None => {
            let mut rows = read.rows.iter().flatten();
            let row = rows.find(|row| row.name == name).map(view::row);
            row.ok_or_else(|| error(404, "not_found", "There is no such section."))
        }
    }
}

/// Makes changes whose new passwords are not hashed yet.
fn make(
    request: &Request<'_>,
    caller: &HttpCaller,
    runtime: &Arc<Runtime>,
    changes: AskedChanges,
) -> Result<(), Reply> {
    let is_current = if_match(request)?;
    // A hash takes time: it is made only for a change that would be made.
    if changes.has_passwords() {
        let read = read(runtime)?;
        if !is_current(&read.tag) {
            return Err(refusal(ChangeRefused::Changed));
        }
        let checked = runtime.check_changes(&read, changes.unhashed());
        checked.map_err(refusal)?;
    }
    carry_out(request, caller, runtime, &changes.hashed()?)
}

fn carry_out(
    request: &Request<'_>,
    caller: &HttpCaller,
    runtime: &Arc<Runtime>,
    changes: &[SectionChange],
) -> Result<(), Reply> {
    let is_current = if_match(request)?;
    let lost = own_login_lost(caller, &read(runtime)?, changes);
    if !lost.is_empty() {
        return Err(problems_reply(&lost));
    }
    let done = runtime.change_configuration(&is_current, changes, &caller.name);
    done.map_err(refusal)
}

/// The problem of changes that would take the right to administer from the caller's own login. An
/// AMI session has no section here. Changes that cannot be made have problems of their own.
fn own_login_lost(
    caller: &HttpCaller,
    read: &ReadDocument,
    changes: &[SectionChange],
) -> Vec<FileProblem> {
    let Some(login) = &caller.login else {
        return Vec::new();
    };
    let name = &*login.caller.name;
    let may_administer = |entries: &[ConfigEntry]| {
        let mut own = entries.iter();
        own.any(|it| it.name.eq_ignore_ascii_case(name) && it.is_administrator())
    };
    let before = read.document.sections.iter();
    let before: Vec<ConfigEntry> = before.map(|section| section.entry.clone()).collect();
    match plan(&read.document, changes) {
        Ok(plan) if may_administer(&before) && !may_administer(&plan.entries) => {
            vec![FileProblem {
                section: name.to_owned(),
                message: "this is your own login: you could not come back".to_owned(),
                ..FileProblem::default()
            }]
        }
        _ => Vec::new(),
    }
}

/// Whether an entity tag is one of those of the header `If-Match`.
///
/// # Errors
/// Answers 428 without the header.
fn if_match<'a>(request: &Request<'a>) -> Result<impl Fn(&str) -> bool + use<'a>, Reply> {
    let Some(known) = request.header("If-Match") else {
        let why = "Expected the header If-Match with the ETag of the configuration that is to be \
                   changed.";
        return Err(error(428, "if_match", why));
    };
    Ok(move |tag: &str| wire::names_tag(known, tag))
}

fn refusal(refused: ChangeRefused) -> Reply {
    match refused {
        ChangeRefused::Changed => error(
            412,
            "changed",
            "The configuration was changed meanwhile; read it again.",
        ),
        ChangeRefused::Problems(problems) => problems_reply(&problems),
        ChangeRefused::Failed(why) => failed(&why),
    }
}

fn problems_reply(problems: &[FileProblem]) -> Reply {
    let message = match problems {
        [only] => format!("Nothing has changed: {}.", only.message),
        several => format!("Nothing has changed: there are {} problems.", several.len()),
    };
    let mut body = serde_json::json!({"error": {"code": "problems", "message": message}});
    body["error"]["problems"] = view::problems(problems);
    let mut reply = json(&body);
    reply.status = 422;
    reply
}

fn failed(why: &str) -> Reply {
    error(500, "failed", &format!("Nothing has changed: {why}."))
}

fn changed(read: &ReadDocument, value: &serde_json::Value) -> Reply {
    let mut reply = json(value);
    reply.headers.push(("ETag", read.tag.clone().into()));
    reply
}

fn tagged(request: &Request<'_>, read: &ReadDocument, value: &serde_json::Value) -> Reply {
    let mut reply = changed(read, value);
    let known = request.header("If-None-Match");
    if known.is_some_and(|known| wire::names_tag(known, &read.tag)) {
        reply.status = 304;
    }
    reply
}
