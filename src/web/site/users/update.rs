//! `PUT v1/account/{id}/extension/{ext}/presence`: a caller sets a user's presence.

use super::{going, may_see, record, sees, user};
use crate::runtime::update::{PresenceUpdate, sentence};
use crate::web::access::HttpCaller;
use crate::web::site::answer::no_content;
use crate::web::site::{Reply, Request, error, json, read_body};
use presence::model::flags::Flag;

/// `PUT v1/account/{id}/extension/{ext}/presence`
///
/// A hidden user can be set too; otherwise only the user could end the hiding. The answer is
/// then 204, without the record.
pub fn put(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    let answer = || {
        let may_know = |name: &str| caller.may_set(name) || sees(caller, name);
        let name = user(request, caller, may_know)?;
        if !caller.may_set(&name) {
            let why = "You may only set your own presence.";
            return Err(error(403, "role", why));
        }
        let update: PresenceUpdate = read_body(request)?;
        update
            .carry_out(&name)
            .map_err(|why| error(400, "body", &sentence(&why)))?;
        // The record contains the flag that decides: a user who hides at this moment is not
        // shown.
        let record = record(&name).ok_or_else(going)?;
        Ok(
            match may_see(caller, &name, record.flags.get(Flag::AllowSeeMyPresence)) {
                true => json(&record),
                false => no_content(),
            },
        )
    };
    answer().unwrap_or_else(|refusal| refusal)
}
