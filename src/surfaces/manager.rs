//! AMI actions. Reads belong to class `reporting`, writes to `call`; the event
//! `UserPresenceChange` is raised behind the door.

use crate::asterisk::manager::{Action, Class, Fields, Reply, Request};
use crate::door;
use crate::presence::assignment;
use crate::presence::fields::{Query, View};

/// All actions.
pub static ACTIONS: &[Action] = &[
    Action {
        name: c"UserPresenceList",
        classes: &[Class::Reporting],
        run: list,
    },
    Action {
        name: c"UserPresenceGet",
        classes: &[Class::Reporting],
        run: get,
    },
    Action {
        name: c"UserPresenceSet",
        classes: &[Class::Call],
        run: set,
    },
];

fn list(request: &Request<'_>) -> Reply {
    let account = request
        .header("Account")
        .filter(|account| !account.is_empty());
    let views = door::read(|world| {
        let users = world.directory().users();
        let wanted = users.filter(|(_, user)| {
            account.is_none_or(|account| **world.directory().account(user.account) == *account)
        });
        wanted
            .map(|(_, user)| user.name.clone())
            .collect::<Vec<_>>()
    });
    let Some(users) = views else {
        return not_running();
    };
    // Each user is looked at when its turn comes: no lock while the list is sent, and
    // one who is removed meanwhile is left out. By name, because a reload gives new
    // numbers.
    let names = users.into_iter().filter_map(|name| {
        let fields = door::read(|world| {
            world
                .directory()
                .user(&name)
                .map(|id| fields(&View::of(world, id)))
        });
        fields.flatten()
    });
    Reply::List {
        message: "User presences will follow",
        item: "UserPresenceEntry",
        items: Box::new(names),
        complete: "UserPresenceListComplete",
    }
}

fn get(request: &Request<'_>) -> Reply {
    crate::trip("action");
    let user = match required(request, "User") {
        Ok(user) => user,
        Err(reply) => return reply,
    };
    let view = door::read(|world| Query::find(world, user).map(|id| View::of(world, id)));
    match view {
        Some(Ok(view)) => {
            let mut fields = fields(&view);
            fields.push(("Json", view.json()));
            Reply::Fields(fields)
        }
        Some(Err(why)) => Reply::Error(why),
        None => not_running(),
    }
}

fn set(request: &Request<'_>) -> Reply {
    let user = match required(request, "User") {
        Ok(user) => user,
        Err(reply) => return reply,
    };
    let part = |name| request.header(name).unwrap_or_default();
    let presence = assignment::new(
        part("Status"),
        part("Subtype"),
        part("Message"),
        part("Options"),
    );
    match presence.and_then(|presence| door::choose(user, &presence)) {
        Ok(()) => Reply::Ack("Presence set".into()),
        Err(why) => Reply::Error(why),
    }
}

fn required<'a>(request: &Request<'a>, name: &str) -> Result<&'a str, Reply> {
    let value = request.header(name).filter(|value| !value.is_empty());
    value.ok_or_else(|| Reply::Error(format!("the header {name} is missing")))
}

fn not_running() -> Reply {
    Reply::Error("the module is not running".into())
}

fn fields(view: &View) -> Fields {
    let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
    let said = &view.presence;
    vec![
        ("User", view.user.clone()),
        ("Id", view.id.clone()),
        ("Account", view.account.clone()),
        ("Status", said.state.into()),
        ("Subtype", said.subtype.clone()),
        ("Message", said.message.clone()),
        ("Since", number(said.since)),
        ("Until", number(view.until)),
        ("Source", view.source.clone()),
        ("Reason", view.reason.into()),
        ("Method", view.method.into()),
        ("Sequence", view.sequence.to_string()),
        (
            "Extensions",
            view.extensions().collect::<Vec<_>>().join(","),
        ),
    ]
}
