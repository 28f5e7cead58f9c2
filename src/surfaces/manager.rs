//! AMI actions. Reads belong to class `reporting`, writes to `call`; the store raises the
//! event `UserPresenceChange`.

use crate::cluster::{ClusterView, NodeView, Standing};
use crate::runtime;
use crate::runtime::{own_settings, persister, store};
use crate::version::{COMMIT, ModuleFile, Releases, VERSION};
use asterisk::manager::{Action, AmiReply, AmiRequest, Class, Fields};
use presence::account::wants_group;
use presence::calls::effective_settings;
use presence::model::assignment::Parts;
use presence::model::dnd::DndStatus;
use presence::model::flags::Flag;
use presence::model::own_settings::{OwnSettings, SettingsPath};
use presence::views::fields::{Query, View};
use presence::world::Change;

/// All actions.
pub static ACTIONS: &[Action] = &[
    Action {
        name: c"UserPresenceList",
        classes: &[Class::Reporting],
        run: list,
    },
    Action {
        name: c"UserPresenceCluster",
        classes: &[Class::Reporting],
        run: cluster,
    },
    Action {
        name: c"UserPresenceVersion",
        classes: &[Class::Reporting],
        run: version,
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
    Action {
        name: c"UserPresenceSettings",
        classes: &[Class::Reporting],
        run: settings,
    },
    Action {
        name: c"UserPresenceSetSettings",
        classes: &[Class::Call],
        run: set_settings,
    },
    Action {
        name: c"UserPresenceLogin",
        classes: &[Class::Call],
        run: login,
    },
    Action {
        name: c"UserPresenceLogout",
        classes: &[Class::Call],
        run: logout,
    },
];

fn list(request: &AmiRequest<'_>) -> AmiReply {
    let account = request
        .header("Account")
        .filter(|account| !account.is_empty());
    let group = request.header("Group").unwrap_or_default();
    let groups = group.split(',').map(str::trim);
    let groups: Vec<String> = groups
        .filter(|group| !group.is_empty())
        .map(str::to_owned)
        .collect();
    let views = store::read(|world| {
        let users = world.directory().users();
        let wanted = users.filter(|(_, user)| {
            account.is_none_or(|account| **world.directory().account(user.account) == *account)
                && wants_group(&groups, user)
        });
        wanted
            .map(|(_, user)| user.name.clone())
            .collect::<Vec<_>>()
    });
    let Some(users) = views else {
        return not_running();
    };
    // Each user is read when its entry is sent: no lock is held while the list is sent,
    // and a user who was removed in the meantime is left out. By name, because a reload
    // assigns new numbers.
    let names = users.into_iter().filter_map(|name| {
        let fields = store::read(|world| {
            world
                .directory()
                .user(&name)
                .map(|id| fields(&View::of(world, id)))
        });
        fields.flatten()
    });
    AmiReply::List {
        message: "User presences will follow",
        item: "UserPresenceEntry",
        items: Box::new(names),
        complete: "UserPresenceListComplete",
    }
}

fn cluster(_: &AmiRequest<'_>) -> AmiReply {
    let Some(runtime) = runtime::current() else {
        return not_running();
    };
    let Some(view) = runtime.cluster().view() else {
        return AmiReply::Error("the configuration has no section of type = cluster".into());
    };
    AmiReply::List {
        message: "Nodes will follow",
        item: "UserPresenceNode",
        items: Box::new((0..view.nodes.len()).map(move |at| node_fields(&view, &view.nodes[at]))),
        complete: "UserPresenceClusterComplete",
    }
}

/// What runs. `FileReplaced` is empty if it is not known.
fn version(_: &AmiRequest<'_>) -> AmiReply {
    let (releases, file) = (Releases::now(), ModuleFile::now());
    let path = file.path().map(|path| path.display().to_string());
    AmiReply::Fields(vec![
        ("Version", VERSION.to_owned()),
        ("Commit", COMMIT.to_owned()),
        ("BuiltFor", releases.built_for.to_owned()),
        ("OtherRelease", yes_no(releases.differ())),
        ("RunsIn", releases.runs_in),
        ("File", path.unwrap_or_default()),
        (
            "FileReplaced",
            file.is_replaced().map(yes_no).unwrap_or_default(),
        ),
    ])
}

fn yes_no(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

/// A node; of this one also how it stands.
fn node_fields(view: &ClusterView, node: &NodeView) -> Fields {
    let mut fields = vec![
        ("Node", node.name.to_string()),
        ("Self", yes_no(node.is_self)),
        ("Here", yes_no(node.is_here)),
        ("Since", node.since.millis().to_string()),
        ("Host", node.record.host.clone()),
        ("Version", node.record.version.clone()),
        ("Users", node.record.users.to_string()),
        (
            "ClockAhead",
            node.ahead
                .map_or_else(String::new, |ahead| (ahead / 1000).to_string()),
        ),
        ("Differs", yes_no(node.differs)),
        ("Keeper", yes_no(view.keeper.as_ref() == Some(&node.name))),
    ];
    if node.is_self {
        let why = match &view.standing {
            Standing::Alone(why) | Standing::Refused(why) => why.as_str(),
            Standing::Joining | Standing::Joined(_) => "",
        };
        let lag = view.lag.0.map(|lag| lag.as_micros().to_string());
        fields.extend([
            ("Standing", view.standing.word().to_owned()),
            ("StandingSince", view.since.millis().to_string()),
            ("Why", why.to_owned()),
            ("Waiting", view.waiting.to_string()),
            ("LagMicroseconds", lag.unwrap_or_default()),
            ("Revision", view.revision.to_string()),
        ]);
    }
    fields
}

fn get(request: &AmiRequest<'_>) -> AmiReply {
    crate::trip("action");
    let user = match required(request, "User") {
        Ok(user) => user,
        Err(reply) => return reply,
    };
    let view = store::read(|world| Query::find(world, user).map(|id| View::of(world, id)));
    match view {
        Some(Ok(view)) => {
            let mut fields = fields(&view);
            fields.push(("Json", view.json()));
            AmiReply::Fields(fields)
        }
        Some(Err(why)) => AmiReply::Error(why),
        None => not_running(),
    }
}

fn set(request: &AmiRequest<'_>) -> AmiReply {
    let user = match required(request, "User") {
        Ok(user) => user,
        Err(reply) => return reply,
    };
    let part = |name| request.header(name).unwrap_or_default();
    let parts = Parts {
        status: part("Status"),
        subtype: part("Subtype"),
        message: part("Message"),
        options: part("Options"),
    };
    let dnd = request.header("DndStatus").filter(|dnd| !dnd.is_empty());
    let set = || {
        let dnd = dnd.map(DndStatus::parse).transpose()?;
        let flags = flags(request)?;
        // The user's other choices can be set without a status.
        let given = [parts.status, parts.subtype, parts.message, parts.options];
        let others = dnd.is_some() || !flags.is_empty();
        if let ["", "", message, ""] = given
            && !message.is_empty()
        {
            store::set_message(user, message)?;
        } else if !others || given.iter().any(|part| !part.is_empty()) {
            store::set_status(user, |statuses, clock| parts.choice(statuses, clock))?;
        }
        if let Some(dnd) = dnd {
            store::change_user(user, |user| Change::DndStatus(user, dnd))?;
        }
        for (flag, on) in flags {
            store::change_user(user, |user| Change::Flag(user, flag, on))?;
        }
        Ok(())
    };
    match set() {
        Ok(()) => AmiReply::Ack("Presence set".into()),
        Err(why) => AmiReply::Error(why),
    }
}

fn settings(request: &AmiRequest<'_>) -> AmiReply {
    let user = match required(request, "User") {
        Ok(user) => user,
        Err(reply) => return reply,
    };
    let found = store::read(|world| {
        let user = Query::find(world, user)?;
        let settings = world.own_settings(user);
        let page = effective_settings::page(world, user);
        let member = |name: &str| page[name].to_string();
        Ok(vec![
            ("User", world.directory().get(user).name.to_string()),
            (
                "Settings",
                settings.map_or("{}", OwnSettings::json).to_owned(),
            ),
            ("Effective", member("effective")),
            ("SetBy", member("setBy")),
            ("Ignored", member("ignored")),
            ("Allowed", member("allowed")),
        ])
    });
    match found {
        Some(Ok(fields)) => AmiReply::Fields(fields),
        Some(Err(why)) => AmiReply::Error(why),
        None => not_running(),
    }
}

fn set_settings(request: &AmiRequest<'_>) -> AmiReply {
    let user = match required(request, "User") {
        Ok(user) => user,
        Err(reply) => return reply,
    };
    let given = |name| request.header(name).filter(|it: &&str| !it.is_empty());
    let refused = |why: &str| AmiReply::Error(why.to_owned());
    let changed = match (given("Item"), given("Settings")) {
        (Some(_), Some(_)) => {
            return refused("the headers Settings and Item are both given, expected one of them");
        }
        (None, None) => return refused("the header Settings or Item is missing"),
        (None, Some(json)) => own_settings::patch(user, json),
        (Some(item), None) => match SettingsPath::parse(item) {
            Ok(item) => {
                let value = request.header("Value").unwrap_or_default();
                own_settings::set_item(user, item, value)
            }
            Err(why) => return AmiReply::Error(why),
        },
    };
    match changed {
        Ok(()) => AmiReply::Ack("Settings changed".into()),
        Err(why) => AmiReply::Error(why.to_string()),
    }
}

/// The flags that the request sets.
fn flags(request: &AmiRequest<'_>) -> Result<Vec<(Flag, bool)>, String> {
    let given = Flag::ALL.into_iter().filter_map(|flag| {
        let value = request.header(flag.header());
        Some((flag, value.filter(|value| !value.is_empty())?))
    });
    given
        .map(|(flag, value)| flag.parse_value(value).map(|on| (flag, on)))
        .collect()
}

fn login(request: &AmiRequest<'_>) -> AmiReply {
    let user = match required(request, "User") {
        Ok(user) => user,
        Err(reply) => return reply,
    };
    if !request.has_session() {
        return AmiReply::Error(
            "a login needs an AMI session, and this action came without one".into(),
        );
    }
    // Looked up first, so that a session holds the names of existing users only.
    let name = match store::name_of(user) {
        Ok(name) => name,
        Err(why) => return AmiReply::Error(why),
    };
    let user = &*name;
    // Counted before the session holds it: a logout in between finds nothing to release.
    if let Err(why) = store::change_user(user, Change::LoggedIn) {
        return AmiReply::Error(why);
    }
    if !request.hold(user, persister::panel_gone) {
        store::update(|world, now| ((), world.apply(&Change::LoggedOut(user), now)));
        return AmiReply::Ack("Already logged in".into());
    }
    AmiReply::Ack("Logged in".into())
}

fn logout(request: &AmiRequest<'_>) -> AmiReply {
    let user = match required(request, "User") {
        Ok(user) => user,
        Err(reply) => return reply,
    };
    // By the name that the session holds; for a user who was removed in the meantime, by
    // the given name.
    let name = store::name_of(user).unwrap_or_else(|_| user.into());
    let user = &*name;
    if !request.release(user) {
        return AmiReply::Error(format!(
            "'{}' is not logged in by this session, expected UserPresenceLogin first",
            presence::model::text::quoted(user)
        ));
    }
    store::update(|world, now| ((), world.apply(&Change::LoggedOut(user), now)));
    AmiReply::Ack("Logged out".into())
}

fn required<'a>(request: &AmiRequest<'a>, name: &str) -> Result<&'a str, AmiReply> {
    let value = request.header(name).filter(|value| !value.is_empty());
    value.ok_or_else(|| AmiReply::Error(format!("the header {name} is missing")))
}

fn not_running() -> AmiReply {
    AmiReply::Error(runtime::NOT_RUNNING.into())
}

fn fields(view: &View) -> Fields {
    let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
    let flag = |flag: Flag| (flag.header(), view.flags.word(flag).to_owned());
    let presence = &view.presence;
    let mut fields = vec![
        ("User", view.user.clone()),
        ("Id", view.id.clone()),
        ("Account", view.account.clone()),
        ("Name", view.display_name().to_owned()),
        ("Title", view.title.to_string()),
        ("Email", view.email.to_string()),
        ("Groups", view.groups.join(",")),
        ("State", presence.state.to_string()),
        ("Subtype", presence.subtype.clone()),
        ("Message", presence.message.clone()),
        ("Status", view.status.clone()),
        // The former name of Status, for one release.
        ("StatusType", view.status.clone()),
        ("Label", view.label.clone()),
        ("Inferred", view.inferred_label().to_owned()),
        ("ChosenState", view.chosen.state.to_string()),
        ("ChosenStatus", view.status.clone()),
        ("ChosenSubtype", view.chosen.subtype.clone()),
        ("ChosenMessage", view.chosen.message.clone()),
        ("ChosenSince", number(view.chosen.since)),
        ("ChosenUntil", number(view.chosen.until)),
        ("DndStatus", view.dnd_status.to_string()),
        ("Visibility", view.visibility.to_string()),
    ];
    fields.extend(Flag::ALL.map(flag));
    fields.extend([
        ("TelephonyStatus", view.activity.telephony.name().into()),
        ("MeetingStatus", view.activity.meeting.name().into()),
        ("PresenceStatus", view.activity.presence.name().into()),
        ("UserStatus", view.activity.user.name().into()),
        ("DeviceState", view.device_state.to_string()),
        ("QueueState", view.queue_state.to_string()),
        ("Panels", view.panels.to_string()),
        ("Since", number(presence.since)),
        ("Until", number(presence.until)),
        ("Source", view.source.clone()),
        ("Reason", view.reason.to_string()),
        ("Method", view.method.to_string()),
        ("Sequence", view.sequence.to_string()),
        (
            "Extensions",
            view.extensions().collect::<Vec<_>>().join(","),
        ),
    ]);
    fields
}
