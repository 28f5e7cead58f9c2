//! The snapshot of a user for actions, made from the configuration.

use super::UserSpec;
use crate::actions::{OwnActions, Person, StatusChange};

impl Person {
    /// The user as configured, without a status: for finding out which targets their actions
    /// can write.
    pub fn configured(spec: &UserSpec) -> Self {
        let device = spec.default.map(|at| &spec.inputs[usize::from(at)]);
        let device = device.and_then(|input| input.device.clone());
        let extensions = spec.inputs.iter().filter_map(|input| input.extension());
        Person {
            user: spec.name.clone(),
            id: spec.id.clone().unwrap_or_else(|| (&*spec.name).into()),
            account: spec.account.clone(),
            extensions: extensions.map(Into::into).collect(),
            member: spec.member.clone().or(device),
            functions: spec.rule.functions.clone(),
            blocks: spec.rule.actions.clone(),
            own: OwnActions::default(),
            may_act: false,
            follows_dnd: spec.rule.follow_dnd,
            chosen: StatusChange::default(),
            combined: StatusChange::default(),
        }
    }
}
