//! The actions in one queue.
//!
//! The record of earlier actions and the present member give the original member. The wanted
//! action applied to the original member gives the target, and a single step leads from the
//! present member to the target: from a pause to a logout, no call rings the member in between.

use serde::{Deserialize, Serialize};

use super::QueueAction;

/// The reason of a pause by this module, which distinguishes it from other pauses.
pub const REASON: &str = "UserPresence";

/// The reason of a pause by `app_queue` after the member has not answered.
const AUTOMATIC: &str = "Auto-Pause";

/// A member of a queue.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Member {
    /// The member's name.
    pub name: String,
    /// The device whose state is the member's state.
    pub state_interface: String,
    /// Whether the member is static, so that it cannot be removed.
    #[serde(skip)]
    pub fixed: bool,
    /// The member's penalty, zero or more.
    #[serde(default)]
    pub penalty: u32,
    /// The member's own wrap-up time after a call, in seconds; zero for the queue's.
    #[serde(default)]
    pub wrapuptime: u32,
    /// Whether the member is paused.
    #[serde(default)]
    pub paused: bool,
    /// The reason of the pause; empty for none.
    #[serde(default)]
    pub reason: String,
}

impl Member {
    /// The member that a login by this module adds.
    pub fn of(user: &str) -> Self {
        Member {
            name: user.to_owned(),
            state_interface: format!("UserPresence:{user}@queue"),
            ..Member::default()
        }
    }

    fn paused(&self, reason: &str) -> Self {
        Member {
            paused: true,
            reason: reason.to_owned(),
            ..self.clone()
        }
    }

    fn unpaused(&self) -> Self {
        Member {
            paused: false,
            reason: String::new(),
            ..self.clone()
        }
    }

    fn is_paused_by_module(&self) -> bool {
        self.paused && self.reason == REASON
    }
}

/// A queue, and its member with a given interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueMembership {
    /// The queue's name.
    pub name: String,
    /// The member with the interface; `None` if the queue has no such member.
    pub member: Option<Member>,
}

/// One step in a queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum QueueStep {
    /// Adds the member.
    Add(Member),
    /// Removes the member.
    Remove,
    /// Pauses the member with this reason, or with `None` ends the pause.
    Pause(Option<String>),
}

/// A recorded action of this module in a queue.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Applied {
    /// A login, which added this member.
    Login(Member),
    /// A logout, which removed this member.
    Logout(Member),
    /// A pause of a member that was not paused.
    Pause,
}

impl Applied {
    pub(super) fn action(&self) -> QueueAction {
        match self {
            Applied::Login(_) => QueueAction::Login,
            Applied::Logout(_) => QueueAction::Logout,
            Applied::Pause => QueueAction::Pause,
        }
    }

    /// The member before this action; `None` if the present member is not the result of the
    /// action.
    pub(super) fn before(&self, now: Option<&Member>) -> Option<Option<Member>> {
        match (self, now) {
            (Applied::Login(added), Some(now)) => {
                let auto_paused = now.paused && now.reason == AUTOMATIC;
                let same = now == added || (auto_paused && now.unpaused() == *added);
                same.then_some(None)
            }
            (Applied::Logout(member), None) => Some(Some(member.clone())),
            (Applied::Pause, Some(now)) => now.is_paused_by_module().then(|| Some(now.unpaused())),
            _ => None,
        }
    }
}

/// A step in a queue, and its record.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QueuePlan {
    /// The step; `None` if nothing is to be done.
    pub step: Option<QueueStep>,
    /// The action that is in force after the step; `None` for none.
    pub did: Option<Applied>,
    /// Why the wanted action is impossible, as a noun phrase about the member.
    pub refused: Option<&'static str>,
}

/// Plans the step that carries out the wanted action. `did` are the recorded actions, more
/// than one if a crash interrupted a step.
pub fn plan(user: &str, did: &[Applied], now: Option<&Member>, wanted: QueueAction) -> QueuePlan {
    let before = did.iter().find_map(|did| did.before(now));
    let before = before.unwrap_or_else(|| now.cloned());
    let (then, did, refused) = target(user, before, wanted);
    let step = match (now, then) {
        (None, Some(then)) => Some(QueueStep::Add(then)),
        (Some(_), None) => Some(QueueStep::Remove),
        (Some(now), Some(then)) if now.paused != then.paused => {
            Some(QueueStep::Pause(then.paused.then_some(then.reason)))
        }
        _ => None,
    };
    QueuePlan { step, did, refused }
}

/// The member after the wanted action on the original member, the record of the action, and
/// the reason if the action is impossible.
fn target(
    user: &str,
    before: Option<Member>,
    wanted: QueueAction,
) -> (Option<Member>, Option<Applied>, Option<&'static str>) {
    match (wanted, before) {
        (QueueAction::Login, None) => {
            let added = Member::of(user);
            (Some(added.clone()), Some(Applied::Login(added)), None)
        }
        (QueueAction::Logout, Some(member)) if member.fixed => {
            let why = "a static member from the queue's configuration, which cannot be removed";
            (Some(member), None, Some(why))
        }
        (QueueAction::Logout, Some(member)) => (None, Some(Applied::Logout(member)), None),
        (QueueAction::Pause, Some(member)) if !member.paused => {
            (Some(member.paused(REASON)), Some(Applied::Pause), None)
        }
        (_, before) => (before, None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The member after a step.
    fn done(now: Option<Member>, step: Option<QueueStep>) -> Option<Member> {
        match (now, step) {
            (None, Some(QueueStep::Add(member))) => Some(member),
            (Some(_), Some(QueueStep::Remove)) => None,
            (Some(now), Some(QueueStep::Pause(Some(reason)))) => Some(now.paused(&reason)),
            (Some(now), Some(QueueStep::Pause(None))) => Some(now.unpaused()),
            (now, None) => now,
            other => panic!("{other:?}"),
        }
    }

    fn existing() -> Member {
        Member {
            name: "Alice at work".into(),
            state_interface: "PJSIP/200".into(),
            penalty: 3,
            wrapuptime: 5,
            ..Member::default()
        }
    }

    #[test]
    fn any_two_actions_are_undone_to_the_original_member() {
        for before in [None, Some(existing()), Some(existing().paused("Lunch"))] {
            for first in QueueAction::ALL {
                for second in QueueAction::ALL {
                    let mut now = before.clone();
                    let mut did: Vec<Applied> = Vec::new();
                    for wanted in [first, second, QueueAction::None] {
                        let plan = plan("alice", &did, now.as_ref(), wanted);
                        assert_eq!(plan.refused, None);
                        // After a crash before or after the step, both actions are recorded.
                        let both: Vec<Applied> = did.iter().chain(&plan.did).cloned().collect();
                        for crashed in [now.clone(), done(now.clone(), plan.step.clone())] {
                            let back =
                                super::plan("alice", &both, crashed.as_ref(), QueueAction::None);
                            assert_eq!(done(crashed, back.step), before, "{first:?} {second:?}");
                        }
                        now = done(now, plan.step);
                        did = plan.did.into_iter().collect();
                    }
                    assert_eq!(now, before, "{first:?} {second:?}");
                    assert_eq!(did, []);
                }
            }
        }
    }

    #[test]
    fn a_pause_by_another_reason_is_never_ended() {
        let other_pause = existing().paused("Lunch");
        let plan = plan("alice", &[], Some(&other_pause), QueueAction::Pause);
        assert_eq!(plan, QueuePlan::default());
        // This holds for a pause that replaced the module's, and for an added member.
        let paused = [Applied::Pause];
        let plan = super::plan("alice", &paused, Some(&other_pause), QueueAction::None);
        assert_eq!(plan, QueuePlan::default());
        let added = [Applied::Login(Member::of("alice"))];
        let now = Member::of("alice").paused("Lunch");
        let plan = super::plan("alice", &added, Some(&now), QueueAction::None);
        assert_eq!(plan, QueuePlan::default());
        // An automatic pause by the queue does not keep the member.
        let now = Member::of("alice").paused(AUTOMATIC);
        let plan = super::plan("alice", &added, Some(&now), QueueAction::None);
        assert_eq!(plan.step, Some(QueueStep::Remove));
    }

    #[test]
    fn a_static_member_is_not_removed_but_paused() {
        let fixed = Member {
            fixed: true,
            ..existing()
        };
        let plan = plan("alice", &[], Some(&fixed), QueueAction::Logout);
        assert!(plan.refused.is_some() && plan.step.is_none() && plan.did.is_none());
        let plan = super::plan("alice", &[], Some(&fixed), QueueAction::Pause);
        assert_eq!(plan.step, Some(QueueStep::Pause(Some(REASON.into()))));
    }

    #[test]
    fn a_pause_becomes_a_logout_in_one_step() {
        let now = existing().paused(REASON);
        let plan = plan("alice", &[Applied::Pause], Some(&now), QueueAction::Logout);
        assert_eq!(plan.step, Some(QueueStep::Remove));
        assert_eq!(plan.did, Some(Applied::Logout(existing())));
        let plan = super::plan(
            "alice",
            &[Applied::Logout(existing())],
            None,
            QueueAction::Pause,
        );
        assert_eq!(plan.step, Some(QueueStep::Add(existing().paused(REASON))));
    }
}
