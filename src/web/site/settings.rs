//! `v1/account/{id}/extension/{ext}/settings`: the settings that a person makes for themselves.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::users::{going, may_see, user};
use super::{HttpCaller, Reply, Request, answer, error};
use crate::runtime::own_settings::{self, SettingsRefusal};
use crate::runtime::update::sentence;
use crate::web::wire;
use presence::calls::effective_settings;
use presence::model::own_settings::{MAX_BYTES, SettingsPatch};

/// The name of the user in the path, whose settings the caller may read and change.
///
/// # Errors
/// Answers 404 if the caller sees no such user, 403 if the caller is someone else.
fn own_user(request: &Request<'_>, caller: &HttpCaller) -> Result<Arc<str>, Reply> {
    let may_know = |name: &str| caller.may_set(name) || may_see(caller, name);
    let name = user(request, caller, may_know)?;
    match caller.may_set(&name) {
        true => Ok(name),
        false => Err(error(
            403,
            "role",
            "You may only see and change your own settings.",
        )),
    }
}

/// `GET v1/account/{id}/extension/{ext}/settings`
pub fn get(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    let page = own_user(request, caller).and_then(|name| page(&name));
    page.map_or_else(|refusal| refusal, |page| answer::read_json(request, &page))
}

/// `PUT v1/account/{id}/extension/{ext}/settings`: a merge patch, carried out as a whole or not
/// at all. With `If-Match` only if nobody has changed the settings since they were read.
pub fn put(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    let answer = || {
        let name = own_user(request, caller)?;
        let patch: Map<String, Value> = answer::read_long_body(request, MAX_BYTES)?;
        let patch = SettingsPatch::from(patch);
        let changed = match request.header("If-Match") {
            None => own_settings::patch_current(&name, &patch, |_, _| true),
            Some(tags) => own_settings::patch_current(&name, &patch, |world, user| {
                let page = effective_settings::page(world, user).to_string();
                wire::names_tag(tags, &wire::entity_tag(&page))
            }),
        };
        changed.map_err(refusal)?;
        let page = page(&name)?;
        let mut reply = answer::json(&page);
        let tag = wire::entity_tag(&page.to_string());
        reply.headers.push(("ETag", tag.into()));
        Ok(reply)
    };
    answer().unwrap_or_else(|refusal| refusal)
}

fn page(name: &str) -> Result<Value, Reply> {
    own_settings::page(name).map_err(refusal)
}

fn refusal(why: SettingsRefusal) -> Reply {
    match why {
        SettingsRefusal::NotRunning => going(),
        // A reload has removed the user meanwhile.
        SettingsRefusal::NoUser(_) => error(404, "not_found", "There is no such extension."),
        // These messages begin with the path of the member, in its spelling.
        SettingsRefusal::Invalid(why) => error(400, "body", &format!("{why}.")),
        SettingsRefusal::NotAllowed(why) => error(403, "not_allowed", &format!("{why}.")),
        SettingsRefusal::Changed => error(412, "changed", &sentence(&why.to_string())),
    }
}
