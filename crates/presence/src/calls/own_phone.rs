//! The phone that a user dials and picks up with, and as whom.

use crate::directory::UserId;
use crate::model::dialable::{is_name, is_number};
use crate::model::handling::is_phone;
use crate::world::World;

/// The phone of a user: the endpoint of that name, or else the phone of the default extension,
/// or else the first phone. `None` without such a phone.
pub fn own_phone<'a>(world: &'a World, user: UserId, endpoint: Option<&str>) -> Option<&'a str> {
    let directory = world.directory();
    let of = directory.get(user);
    if let Some(wanted) = endpoint {
        let mut endpoints = of.reach.iter().flat_map(|reach| &reach.endpoints);
        let found = endpoints.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        return found.map(|(_, device)| &**device);
    }
    let default = world
        .default_of(user)
        .and_then(|at| of.inputs.get(usize::from(at)));
    let default = default.and_then(|input| input.phone());
    let default = default.map(|device| directory.device_name(device));
    let all = default.into_iter().chain(directory.phones(user));
    all.into_iter().find(|device| is_phone(device))
}

/// The number under which a user calls: the default extension, or else the first; empty for a
/// user without one.
pub fn own_number(world: &World, user: UserId) -> &str {
    let (directory, default) = (world.directory(), world.default_of(user));
    let user = directory.get(user);
    let default = default.and_then(|at| user.inputs.get(usize::from(at)));
    let all = default.into_iter().chain(&user.inputs);
    let mut numbers = all.filter_map(|input| directory.extension(input));
    numbers.find(|number| is_name(number)).unwrap_or_default()
}

/// The caller id of a user's call, in Asterisk's form: `"Name" <200>`.
pub fn caller_id(name: &str, number: &str) -> String {
    let name = name
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '"' | '\\' | '<' | '>'));
    let name: String = name.take(80).collect();
    format!("\"{}\" <{number}>", name.trim())
}

/// Whether a person may have the text dialled: a number or an extension, and no word of the
/// dialplan's own such as `h`.
pub fn is_dialable(to: &str) -> bool {
    let is_letter = to.len() == 1 && to.starts_with(|c: char| c.is_ascii_alphabetic());
    to.len() <= 40 && (is_number(to) || is_name(to)) && !is_letter && !to.starts_with('_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::directory;
    use crate::model::time::Time;
    use crate::world::stored::Stored;

    #[test]
    fn a_user_calls_with_the_default_extension() {
        let world = World::restore(
            directory(
                "[alice]\ntype=user\nextension=200\nextension=201,PJSIP/a\n\
             endpoint=soft,PJSIP/soft\nendpoint=home,Local/5@out\ndefault=201\n\
             [bob]\ntype=user\nextension=202\nendpoint=soft,PJSIP/bob\n\
             [carol]\ntype=user\ndevice=Custom:carol\n",
            ),
            &Stored::default(),
            Time::NEVER,
        );
        let directory = world.directory();
        let phone = |name: &str, endpoint: Option<&str>| {
            own_phone(&world, directory.user(name).unwrap(), endpoint)
        };
        assert_eq!(phone("alice", None), Some("PJSIP/a"));
        assert_eq!(phone("alice", Some("HOME")), Some("Local/5@out"));
        assert_eq!(phone("alice", Some("PJSIP/a")), None);
        assert_eq!(phone("bob", None), Some("PJSIP/202"));
        assert_eq!(phone("carol", None), None);
        let number = |name: &str| own_number(&world, directory.user(name).unwrap());
        assert_eq!(["alice", "bob", "carol"].map(number), ["201", "202", ""]);
    }

    #[test]
    fn nothing_of_the_dialplan_can_be_dialled() {
        for to in ["200", "+491701234567", "*98", "conf-1", "112"] {
            assert!(is_dialable(to), "{to}");
        }
        let long = "1".repeat(41);
        for to in [
            "",
            "h",
            "s",
            "_X.",
            "20 0",
            "${EXTEN}",
            "200@other",
            "200,1",
            "200&201",
            "2\r\n",
            "ü",
            &long,
        ] {
            assert!(!is_dialable(to), "{to}");
        }
    }

    #[test]
    fn a_caller_id_is_one_name_and_one_number() {
        assert_eq!(caller_id("Alice", "200"), "\"Alice\" <200>");
        assert_eq!(caller_id("A\"<1>\\\r\nX: y", "200"), "\"A1X: y\" <200>");
    }
}
