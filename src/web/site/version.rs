//! `v1/version`: what runs.

use serde::Serialize;

use super::{HttpCaller, Reply, Request, error, json};
use crate::version::{COMMIT, ModuleFile, Releases, VERSION};
use presence::model::principal::Role;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunningVersion {
    version: &'static str,
    commit: &'static str,
    built_for: &'static str,
    runs_in: String,
    other_release: bool,
    /// `None` if it is not known.
    file_replaced: Option<bool>,
}

/// `GET`: for administrators, and for sessions of AMI, which may ask AMI for the same.
pub fn show(_: &Request<'_>, caller: &HttpCaller) -> Reply {
    if caller.role != Role::Admin && caller.login.is_some() {
        return error(403, "role", "Only an administrator may see the version.");
    }
    let releases = Releases::now();
    json(&RunningVersion {
        version: VERSION,
        commit: COMMIT,
        built_for: releases.built_for,
        other_release: releases.differ(),
        runs_in: releases.runs_in,
        file_replaced: ModuleFile::now().is_replaced(),
    })
}
