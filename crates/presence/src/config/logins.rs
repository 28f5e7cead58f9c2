//! Names with which two could log in.

use super::section::{Origin, Problem, Section, location};
use super::{Http, UserSpec};

/// Warns of users with a password whose name is that of an API user, who comes first: a row of
/// a database must not take over an administrator's login.
pub(super) fn check(
    specs: &[UserSpec],
    http: &Http,
    file: &[Section],
    realtime: &[Section],
    warnings: &mut Vec<Problem>,
) {
    for spec in specs.iter().filter(|spec| spec.password.is_some()) {
        if http.user(&spec.name).is_none() {
            continue;
        }
        let section = match spec.origin {
            Origin::File => file.get(spec.section as usize),
            Origin::Realtime => realtime.get(spec.section as usize),
        };
        // A user who was known before has had the warning.
        let Some(section) = section else {
            continue;
        };
        let message = format!(
            "there is an API user of the same name: '{}' logs in as that one, and this password \
             is not used",
            spec.name
        );
        let location = location(spec.origin, section, section.option("password"));
        warnings.push(Problem { location, message });
    }
}
