//! What is done in one queue.
//!
//! What we did lies over what was there before. So what was there is worked out from
//! what is there now, what is wanted is laid over that, and the one step that leads
//! from now to there is done: from a pause to a logout no call slips in between.

use serde::{Deserialize, Serialize};

use super::QueueAction;

/// The reason of a pause of ours, by which it is told from a hand's.
pub const REASON: &str = "UserPresence";

/// The reason with which `app_queue` pauses a member that did not answer.
const AUTOMATIC: &str = "Auto-Pause";

/// A member of a queue.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Where its device state comes from.
    pub state_interface: String,
    /// Whether it is no static one, so that it can be removed.
    #[serde(skip)]
    pub fixed: bool,
    /// Its penalty.
    #[serde(default)]
    pub penalty: u32,
    /// Its own time between calls.
    #[serde(default)]
    pub wrapuptime: u32,
    /// Whether it is paused.
    #[serde(default)]
    pub paused: bool,
    /// And why.
    #[serde(default)]
    pub reason: String,
}

impl Member {
    /// The one that a login of ours adds.
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

    fn paused_by_us(&self) -> bool {
        self.paused && self.reason == REASON
    }
}

/// A queue, and one interface in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueMembership {
    /// Its name.
    pub name: String,
    /// The interface's member, where it is one.
    pub member: Option<Member>,
}

/// One thing to do in a queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum QueueStep {
    /// Adds the member.
    Add(Member),
    /// Removes it.
    Remove,
    /// Pauses it for this reason, or ends the pause.
    Pause(Option<String>),
}

/// What we did in a queue.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Applied {
    /// Added this member.
    Login(Member),
    /// Removed this member.
    Logout(Member),
    /// Paused a member that was not paused.
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

    /// What was there before, where what is there now is still what we did.
    pub(super) fn before(&self, now: Option<&Member>) -> Option<Option<Member>> {
        match (self, now) {
            (Applied::Login(ours), Some(now)) => {
                let by_itself = now.paused && now.reason == AUTOMATIC;
                let same = now == ours || (by_itself && now.unpaused() == *ours);
                same.then_some(None)
            }
            (Applied::Logout(member), None) => Some(Some(member.clone())),
            (Applied::Pause, Some(now)) => now.paused_by_us().then(|| Some(now.unpaused())),
            _ => None,
        }
    }
}

/// What is to be done in a queue, and what is then noted of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QueuePlan {
    /// What to do now.
    pub step: Option<QueueStep>,
    /// What is then ours there.
    pub did: Option<Applied>,
    /// Why it cannot be done.
    pub refused: Option<&'static str>,
}

/// Leads to what is wanted; `did` is what may be ours there, more than one thing
/// where a crash came between.
pub fn plan(user: &str, did: &[Applied], now: Option<&Member>, wanted: QueueAction) -> QueuePlan {
    let before = did.iter().find_map(|did| did.before(now));
    let before = before.unwrap_or_else(|| now.cloned());
    let (then, did, refused) = over(user, before, wanted);
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

/// What is wanted, laid over what was there.
fn over(
    user: &str,
    before: Option<Member>,
    wanted: QueueAction,
) -> (Option<Member>, Option<Applied>, Option<&'static str>) {
    match (wanted, before) {
        (QueueAction::Login, None) => {
            let ours = Member::of(user);
            (Some(ours.clone()), Some(Applied::Login(ours)), None)
        }
        (QueueAction::Logout, Some(member)) if member.fixed => {
            let why =
                "a static member, which stands in the queue's configuration, cannot be removed";
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

    /// A queue that does what it is told.
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

    fn theirs() -> Member {
        Member {
            name: "Alice at work".into(),
            state_interface: "PJSIP/200".into(),
            penalty: 3,
            wrapuptime: 5,
            ..Member::default()
        }
    }

    #[test]
    fn any_two_after_each_other_end_with_what_was_there() {
        for before in [None, Some(theirs()), Some(theirs().paused("Lunch"))] {
            for first in QueueAction::ALL {
                for second in QueueAction::ALL {
                    let mut now = before.clone();
                    let mut did: Vec<Applied> = Vec::new();
                    for wanted in [first, second, QueueAction::None] {
                        let plan = plan("alice", &did, now.as_ref(), wanted);
                        assert_eq!(plan.refused, None);
                        // A crash before the step, or after it, leaves both noted.
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
    fn a_pause_by_hand_is_never_cleared() {
        let by_hand = theirs().paused("Lunch");
        let plan = plan("alice", &[], Some(&by_hand), QueueAction::Pause);
        assert_eq!(plan, QueuePlan::default());
        // Also where it came over ours, and on a member that we added.
        let mine = [Applied::Pause];
        let plan = super::plan("alice", &mine, Some(&by_hand), QueueAction::None);
        assert_eq!(plan, QueuePlan::default());
        let added = [Applied::Login(Member::of("alice"))];
        let now = Member::of("alice").paused("Lunch");
        let plan = super::plan("alice", &added, Some(&now), QueueAction::None);
        assert_eq!(plan, QueuePlan::default());
        // No hand, but the queue itself did this.
        let now = Member::of("alice").paused(AUTOMATIC);
        let plan = super::plan("alice", &added, Some(&now), QueueAction::None);
        assert_eq!(plan.step, Some(QueueStep::Remove));
    }

    #[test]
    fn a_static_member_is_not_removed_but_paused() {
        let fixed = Member {
            fixed: true,
            ..theirs()
        };
        let plan = plan("alice", &[], Some(&fixed), QueueAction::Logout);
        assert!(plan.refused.is_some() && plan.step.is_none() && plan.did.is_none());
        let plan = super::plan("alice", &[], Some(&fixed), QueueAction::Pause);
        assert_eq!(plan.step, Some(QueueStep::Pause(Some(REASON.into()))));
    }

    #[test]
    fn from_pause_to_logout_is_one_step() {
        let now = theirs().paused(REASON);
        let plan = plan("alice", &[Applied::Pause], Some(&now), QueueAction::Logout);
        assert_eq!(plan.step, Some(QueueStep::Remove));
        assert_eq!(plan.did, Some(Applied::Logout(theirs())));
        let plan = super::plan(
            "alice",
            &[Applied::Logout(theirs())],
            None,
            QueueAction::Pause,
        );
        assert_eq!(plan.step, Some(QueueStep::Add(theirs().paused(REASON))));
    }
}
