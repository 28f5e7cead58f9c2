//! `PUT v1/account/{id}/extension/{ext}/presence`: a caller sets a user's presence.

use super::{going, may_see, user};
use crate::runtime::store;
use crate::runtime::update::{PresenceUpdate, sentence};
use crate::web::access::HttpCaller;
use crate::web::site::answer::no_content;
use crate::web::site::{Reply, Request, error, json, read_body};
use presence::account::Record;

/// `PUT v1/account/{id}/extension/{ext}/presence`
///
/// A hidden user can be set too; otherwise only the user could end the hiding. The answer is
/// then 204, without the record.
pub fn put(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    let answer = || {
        let may_know = |name: &str| caller.may_set(name) || may_see(caller, name);
        let name = user(request, caller, may_know)?;
        if !caller.may_set(&name) {
            let why = "You may only set your own presence.";
            return Err(error(403, "role", why));
        }
        let update: PresenceUpdate = read_body(request)?;
        update
            .carry_out(&name)
            .map_err(|why| error(400, "body", &sentence(&why)))?;
        // At one moment: a user who hides now is not shown.
        let record = store::read(|world| {
            let id = world.directory().user(&name)?;
            let sees = world.may_see(&world.viewer(caller), id);
            Some(sees.then(|| Record::of(world, id)))
        });
        Ok(match record.flatten().ok_or_else(going)? {
            Some(record) => json(&record),
            None => no_content(),
        })
    };
    answer().unwrap_or_else(|refusal| refusal)
}
