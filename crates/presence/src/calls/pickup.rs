//! Who may take a call that a user holds.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use crate::directory::UserId;
use crate::model::flags::Flag;
use crate::world::World;

/// Why somebody may not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The caller is none of our users.
    Unknown,
    /// The caller does not monitor the user.
    NotMonitoring(Arc<str>),
    /// The caller monitors the user, but has not chosen to pick up.
    FlagOff(Arc<str>),
}

impl Refusal {
    /// One word for it, for the dialplan.
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
            Refusal::Unknown => write!(f, "the caller is no user"),
            Refusal::NotMonitoring(caller) => write!(f, "'{caller}' does not monitor that user"),
            Refusal::FlagOff(caller) => {
                let flag = Flag::PickUpCallsOnHold.name();
                write!(f, "{flag} of '{caller}' is off")
            }
        }
    }
}

/// Which of the users who the caller may be takes a call that `user` holds.
///
/// # Errors
/// Says why none of them may.
pub fn picker(world: &World, callers: &[UserId], user: UserId) -> Result<UserId, Refusal> {
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

    /// The name of who takes alice's call, or why nobody does.
    fn asked(world: &World, callers: &[&str]) -> String {
        let directory = world.directory();
        let callers: Vec<_> = callers
            .iter()
            .map(|it| directory.user(it).unwrap())
            .collect();
        match picker(world, &callers, directory.user("alice").unwrap()) {
            Ok(user) => directory.get(user).name.to_string(),
            Err(why) => format!("{}: {why}", why.name()),
        }
    }

    #[test]
    fn one_who_monitors_and_has_the_flag_picks_up() {
        let mut world = world();
        picks_up(&mut world, "bob");
        assert_eq!(asked(&world, &[]), "UNKNOWN: the caller is no user");
        let stranger = "NOTMONITORING: 'bob' does not monitor that user";
        assert_eq!(asked(&world, &["bob"]), stranger);
        assert_eq!(
            asked(&world, &["alice"]),
            "NOTMONITORING: 'alice' does not monitor that user"
        );
        let off = "FLAGOFF: pickUpCallsOnHold of 'dave' is off";
        assert_eq!(asked(&world, &["dave"]), off);
        // Of those who share a phone the one who comes closest is told of.
        assert_eq!(asked(&world, &["bob", "dave"]), off);
        assert_eq!(asked(&world, &["dave", "bob"]), off);
        picks_up(&mut world, "dave");
        assert_eq!(asked(&world, &["bob", "dave"]), "dave");
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
