//! Decides which user may pick up a call that another user holds.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use crate::directory::UserId;
use crate::model::flags::Flag;
use crate::world::World;

/// Why a caller may not pick up the held call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The caller is not a user.
    Unknown,
    /// The caller, given by name, does not monitor the user who holds the call.
    NotMonitoring(Arc<str>),
    /// The caller, given by name, monitors the user, but the caller's flag
    /// [`Flag::PickUpCallsOnHold`] is off.
    FlagOff(Arc<str>),
}

impl Refusal {
    /// The refusal as one word for the dialplan.
    pub const fn name(&self) -> &'static str {
        match self {
            Refusal::Unknown => "UNKNOWN",
            Refusal::NotMonitoring(_) => "NOTMONITORING",
            Refusal::FlagOff(_) => "FLAGOFF",
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Unknown => write!(f, "the caller is not a user"),
            Refusal::NotMonitoring(caller) => write!(f, "'{caller}' does not monitor that user"),
            Refusal::FlagOff(caller) => {
                let flag = Flag::PickUpCallsOnHold.name();
                write!(f, "{flag} of '{caller}' is off")
            }
        }
    }
}

/// Finds the user who picks up a call that `user` holds: the first of `callers` (several
/// users can share the calling phone) who is allowed to.
///
/// # Errors
/// The closest refusal, if none of the callers is allowed to pick up.
pub fn find_picker(world: &World, callers: &[UserId], user: UserId) -> Result<UserId, Refusal> {
    let directory = world.directory();
    let monitors = directory.monitors(user);
    let mut refusal = Refusal::Unknown;
    for &caller in callers {
        let name = || directory.get(caller).name.clone();
        if !monitors.contains(&caller) {
            if refusal == Refusal::Unknown {
                refusal = Refusal::NotMonitoring(name());
            }
        } else if world.flags(caller).get(Flag::PickUpCallsOnHold) {
            return Ok(caller);
        } else {
            refusal = Refusal::FlagOff(name());
        }
    }
    Err(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::directory;
    use crate::model::time::Time;
    use crate::world::Change;
    use crate::world::stored::Stored;

    const USERS: &str = "[alice]\ntype=user\nextension=200\n\
        [bob]\ntype=user\nextension=201\n\
        [carol]\ntype=user\nextension=202,PJSIP/202\nendpoint=web,PJSIP/205\nmonitor=alice\n\
        [dave]\ntype=user\nextension=201\nmonitor=alice\n";

    fn world() -> World {
        World::restore(directory(USERS), &Stored::default(), Time::NEVER)
    }

    fn picks_up(world: &mut World, user: &str) {
        let user = world.directory().user(user).unwrap();
        let change = Change::Flag(user, Flag::PickUpCallsOnHold, true);
        world.apply(&change, Time::from_millis(1));
    }

    /// The name of the user who picks up alice's call, or the refusal.
    fn answer(world: &World, callers: &[&str]) -> String {
        let directory = world.directory();
        let callers: Vec<_> = callers
            .iter()
            .map(|it| directory.user(it).unwrap())
            .collect();
        match find_picker(world, &callers, directory.user("alice").unwrap()) {
            Ok(user) => directory.get(user).name.to_string(),
            Err(why) => format!("{}: {why}", why.name()),
        }
    }

    #[test]
    fn a_user_who_monitors_and_has_the_flag_picks_up() {
        let mut world = world();
        picks_up(&mut world, "bob");
        assert_eq!(answer(&world, &[]), "UNKNOWN: the caller is not a user");
        let not_monitoring = "NOTMONITORING: 'bob' does not monitor that user";
        assert_eq!(answer(&world, &["bob"]), not_monitoring);
        assert_eq!(
            answer(&world, &["alice"]),
            "NOTMONITORING: 'alice' does not monitor that user"
        );
        let off = "FLAGOFF: pickUpCallsOnHold of 'dave' is off";
        assert_eq!(answer(&world, &["dave"]), off);
        // If users share a phone, the refusal is that of the user who meets more conditions.
        assert_eq!(answer(&world, &["bob", "dave"]), off);
        assert_eq!(answer(&world, &["dave", "bob"]), off);
        picks_up(&mut world, "dave");
        assert_eq!(answer(&world, &["bob", "dave"]), "dave");
    }

    #[test]
    fn a_phone_has_users_and_a_user_has_phones() {
        let world = world();
        let directory = world.directory();
        let users = |device: &str| {
            let users = directory.users_of_phone(device).into_iter();
            let names = users.map(|user| directory.get(user).name.to_string());
            names.collect::<Vec<_>>()
        };
        assert_eq!(users("PJSIP/201"), ["bob", "dave"]);
        assert_eq!(users("PJSIP/202"), ["carol"]);
        assert_eq!(users("PJSIP/205"), ["carol"]);
        assert_eq!(users("PJSIP/299"), [""; 0]);
        let carol = directory.user("carol").unwrap();
        let phones: Vec<_> = directory.phones(carol).collect();
        assert_eq!(phones, ["PJSIP/205", "PJSIP/202"]);
    }
}
