//! The snapshot of a user for actions, made from the world.

use super::{Decision, Transition, World};
use crate::actions::{Entered, Person, StatusChange, StatusValue};
use crate::directory::UserId;
use crate::model::own_rights::OwnArea;

impl Person {
    /// The user as the world has them now; `None` for a user without blocks.
    pub fn of(world: &World, id: UserId) -> Option<Self> {
        let directory = world.directory();
        let user = directory.get(id);
        let decisions = world.decisions(id)?;
        let default = world.default_of(id).map(|at| &user.inputs[usize::from(at)]);
        let device = default.and_then(|input| input.device());
        let device = device.map(|device| directory.device_name(device).into());
        let inputs = user.inputs.iter();
        let extensions = inputs.filter_map(|input| directory.extension(input));
        let mut changes = [&decisions.chosen, &decisions.combined].map(StatusChange::to);
        if directory.settings.cluster.is_some() {
            changes.iter_mut().for_each(|change| change.made(false));
        }
        let [chosen, combined] = changes;
        Some(Person {
            user: user.name.clone(),
            id: user.id.clone().unwrap_or_else(|| (&*user.name).into()),
            account: directory.account(user.account).clone(),
            extensions: extensions.map(Into::into).collect(),
            member: user.member.clone().or(device),
            functions: user.rule.functions.clone(),
            blocks: user.rule.actions.clone(),
            own: world.own_actions(id, &decisions.chosen),
            may_act: directory.may_set(id, OwnArea::Actions).is_ok(),
            follows_dnd: user.rule.follow_dnd,
            chosen,
            combined,
        })
    }

    /// The user after a transition, with the previous status.
    pub fn after(world: &World, transition: &Transition) -> Option<Self> {
        let user = world.directory().user(&transition.user)?;
        let mut person = Person::of(world, user)?;
        let [old, new] = transition.decisions.as_deref()?;
        person.own = world.own_actions(user, &new.chosen);
        person.chosen = StatusChange::between(&old.chosen, &new.chosen);
        person.combined = StatusChange::between(&old.combined, &new.combined);
        if world.directory().settings.cluster.is_some() {
            person.chosen.made(transition.origin);
            person.combined.made(transition.origin);
        }
        Some(person)
    }
}

impl StatusValue {
    fn of(decision: &Decision) -> Self {
        let status = decision.status.as_ref();
        StatusValue {
            presence: decision.presence.clone(),
            kind: status.map_or_else(|| "".into(), |status| (&*status.name).into()),
        }
    }
}

impl StatusChange {
    /// A status without a known change.
    fn to(decision: &Decision) -> Self {
        StatusChange {
            new: StatusValue::of(decision),
            old: None,
            entered: Entered::Here,
        }
    }

    fn between(old: &Decision, new: &Decision) -> Self {
        StatusChange {
            new: StatusValue::of(new),
            old: (old != new).then(|| StatusValue::of(old)),
            entered: Entered::Here,
        }
    }
}
