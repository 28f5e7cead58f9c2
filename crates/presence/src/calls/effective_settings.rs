//! All settings of a user as they apply: the user's own ones, filled from the configuration.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::own::{CallSettings, ignored, state_of};
use super::{Callee, MOBILE, RingSettings, SetBy};
use crate::actions::ActionBlock;
use crate::config::Rule;
use crate::directory::UserId;
use crate::model::handling::{CallOrigin, ForwardWhen};
use crate::model::own_rights::{OwnArea, OwnTargetKind};
use crate::model::own_settings::{
    DEFAULT_STATUS, NONE, STATUSES, SettingsPath, StatusSetting, UserSetting, forward_member,
    text_of,
};
use crate::model::state::State;
use crate::model::text::quoted;
use crate::world::World;

/// What a user may set.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Allowed {
    /// The parts of the own settings.
    pub items: Vec<&'static str>,
    /// The targets of forwards, in the form of the option `own_forward`.
    pub forward: Vec<String>,
    /// The words of `forward` that cannot work now, each with the reason.
    pub unavailable: BTreeMap<&'static str, &'static str>,
    /// Whether `own_forward` has a pattern that may allow a mobile number of the user's own.
    pub mobile_number: bool,
    /// The names for stages of ringing; without any, all phones ring at once.
    pub endpoints: Vec<String>,
    /// The extensions that can be the default one.
    pub extensions: Vec<String>,
    /// Whether a status may do something in queues.
    pub queues: bool,
}

/// What the user may set.
pub fn allowed(world: &World, user: UserId) -> Allowed {
    let directory = world.directory();
    let spec = directory.get(user);
    let rights = &spec.rule.own_rights;
    let handling = rights.may_set(OwnArea::Handling);
    let reach = spec.reach.as_deref();
    let endpoints = reach.map_or(&[][..], |reach| &reach.endpoints);
    let names = endpoints.iter().map(|(name, _)| name.to_string());
    let is_endpoint = |known: &str| {
        let mut all = endpoints.iter();
        all.any(|(name, _)| name.eq_ignore_ascii_case(known))
    };
    let has_mobile = world.mobile(user).is_some();
    let rings_mobile = !endpoints.is_empty()
        && !is_endpoint(MOBILE)
        && rights.allows(OwnTargetKind::Mobile)
        && (has_mobile || rights.may_set(OwnArea::Mobile));
    let names = names.chain(rings_mobile.then(|| MOBILE.to_owned()));
    let extensions = spec.inputs.iter().filter_map(|it| directory.extension(it));
    let has_mailbox = reach.is_some_and(|reach| !reach.mailbox.is_empty());
    let missing = [
        (OwnTargetKind::Voicemail, has_mailbox, "you have no mailbox"),
        (
            OwnTargetKind::Mobile,
            has_mobile,
            "you have no mobile number",
        ),
    ];
    let missing = missing
        .into_iter()
        .filter(|(kind, has, _)| handling && rights.allows(*kind) && !has);
    let if_handling = |list: Vec<String>| match handling {
        true => list,
        false => Vec::new(),
    };
    Allowed {
        items: rights.areas.iter().map(|area| area.name()).collect(),
        forward: if_handling(rights.targets()),
        unavailable: missing.map(|(kind, _, why)| (kind.name(), why)).collect(),
        mobile_number: rights.may_set(OwnArea::Mobile) && !rights.patterns.is_empty(),
        endpoints: if_handling(names.collect()),
        extensions: if_handling(extensions.map(str::to_owned).collect()),
        queues: rights.may_set(OwnArea::Actions),
    }
}

/// The settings as they apply.
#[derive(Serialize, Clone, PartialEq, Debug, Default)]
pub struct EffectiveSettings {
    /// The values, in the shape of the own settings. An item that nobody has set is absent.
    pub effective: Map<String, Value>,
    /// Who has set each value, in the same shape: `own <status>` or `own` for the user,
    /// `section <name>` for a section of the configuration, `built-in` for a default.
    pub set_by: Map<String, Value>,
}

/// A setting that is not carried out, for JSON.
#[derive(Serialize)]
struct IgnoredItem {
    item: String,
    value: String,
    reason: String,
}

/// A user's settings with everything that a page for them needs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SettingsPage<'a> {
    #[serde(flatten)]
    own: Map<String, Value>,
    effective: &'a Map<String, Value>,
    set_by: &'a Map<String, Value>,
    ignored: Vec<IgnoredItem>,
    allowed: Allowed,
}

impl EffectiveSettings {
    /// The settings of a user: for every status that a section or the user names, and the
    /// default.
    pub fn of(world: &World, user: UserId) -> Self {
        let mut found = EffectiveSettings::default();
        found.put(&[STATUSES, DEFAULT_STATUS], Value::Object(Map::new()), "");
        let spec = world.directory().get(user);
        found.status(world, user, None);
        let statuses = world.directory().settings.statuses();
        let mut names: Vec<&str> = Vec::new();
        let mut add = |name: &'_ str| {
            if let Some(status) = statuses.find(name)
                && !names.contains(&&*status.name)
            {
                names.push(&status.name);
            }
        };
        let own = world.own_settings(user);
        let own = own.into_iter().flat_map(|own| own.statuses());
        own.for_each(|it| add(&it.status));
        let blocks = spec.rule.calls.handling.iter().flat_map(|it| &it.blocks);
        let blocks = blocks.map(|block| (&block.states, &block.types));
        let actions = spec.rule.actions.iter();
        let actions = actions.map(|block| (&block.states, &block.types));
        for (states, types) in blocks.chain(actions) {
            states.iter().for_each(|state| add(state.name()));
            types.iter().for_each(|name| add(name));
        }
        for name in names {
            found.status(world, user, Some(name));
        }
        found.user_items(world, user);
        found
    }

    /// The value of one item in one status as a text; empty for an item that nobody has set.
    ///
    /// # Errors
    /// There is no such status.
    pub fn item(world: &World, user: UserId, path: &SettingsPath<'_>) -> Result<String, String> {
        let mut found = EffectiveSettings::default();
        let value = match path {
            SettingsPath::User(item) => {
                found.user_items(world, user);
                found.effective.get(item.name())
            }
            SettingsPath::Status(status, _) | SettingsPath::Forward(status, ..) => {
                let name = status.unwrap_or(world.settings_status(user));
                let known = world.directory().settings.statuses().find(name);
                let name = match known {
                    Some(known) => Some(&*known.name),
                    None if name.eq_ignore_ascii_case(DEFAULT_STATUS) => None,
                    None => return Err(format!("unknown status '{}'", quoted(name))),
                };
                found.status(world, user, name);
                let status = found.effective.get(STATUSES);
                let status = status.and_then(|it| it.get(name.unwrap_or(DEFAULT_STATUS)));
                match path {
                    SettingsPath::Forward(_, origin, when) => status
                        .and_then(|it| it.get(forward_member(*origin)))
                        .and_then(|it| it.get(when.name())),
                    SettingsPath::Status(_, item) => status.and_then(|it| it.get(item.name())),
                    SettingsPath::User(_) => None,
                }
            }
        };
        Ok(value.map_or_else(String::new, text_of))
    }

    /// The items besides forwards that somebody has set, in one status and in none: name, value
    /// and what has set it.
    pub fn rows(world: &World, user: UserId, status: &str) -> Vec<[String; 3]> {
        let mut found = EffectiveSettings::default();
        found.status(world, user, Some(status));
        found.user_items(world, user);
        let of = |object: &'_ Map<String, Value>, name: &str, path: Option<&str>| {
            let object = match path {
                None => Some(object),
                Some(path) => object
                    .get(STATUSES)
                    .and_then(|it| it.get(path)?.as_object()),
            };
            object.and_then(|object| object.get(name)).map(text_of)
        };
        let row = |name: &'static str, path: Option<&str>| {
            let value = of(&found.effective, name, path)?;
            let by = of(&found.set_by, name, path).unwrap_or_default();
            Some([name.to_owned(), value, by])
        };
        let items = StatusSetting::ALL.into_iter();
        let items = items.filter_map(|item| row(item.name(), Some(status)));
        let user = UserSetting::ALL.into_iter();
        items
            .chain(user.filter_map(|item| row(item.name(), None)))
            .collect()
    }

    /// The values as one JSON object.
    pub fn json(&self) -> String {
        // Texts and numbers always serialise.
        serde_json::to_string(&self.effective).unwrap_or_default()
    }

    fn put(&mut self, path: &[&str], value: Value, by: &str) {
        fn set(object: &mut Map<String, Value>, path: &[&str], value: Value) {
            let Some((first, rest)) = path.split_first() else {
                return;
            };
            if rest.is_empty() {
                object.entry((*first).to_owned()).or_insert(value);
                return;
            }
            let inner = object.entry((*first).to_owned());
            let inner = inner.or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                set(inner, rest, value);
            }
        }
        if !by.is_empty() {
            set(&mut self.set_by, path, by.into());
        }
        set(&mut self.effective, path, value);
    }

    /// The items of one status; `None` for those of every status.
    fn status(&mut self, world: &World, user: UserId, name: Option<&str>) {
        let state = name.map_or(State::NotSet, |name| state_of(world, user, name));
        let callee = Callee {
            status: name,
            ..Callee::new(world, user, state, DEFAULT_STATUS)
        };
        let mut settings = CallSettings::of(world, &callee);
        let status = name.unwrap_or(DEFAULT_STATUS);
        for origin in CallOrigin::ALL {
            for when in ForwardWhen::ALL {
                let planned = settings.forward(origin, when);
                if let (Some(text), Some(by)) = (planned.text(), &planned.set_by) {
                    let path = [STATUSES, status, forward_member(origin), when.name()];
                    self.put(&path, text.into(), &by.to_string());
                }
            }
        }
        let ring = RingSettings::of(&mut settings);
        let list = |names: &[Box<str>]| {
            let names = names.iter().map(|name| Value::from(&**name));
            Value::Array(names.collect())
        };
        let push = settings.item(StatusSetting::Push, |own| own.push, |block| block.push);
        let note = settings.item(
            StatusSetting::Note,
            |own| own.note.as_deref(),
            |block| block.note.as_deref(),
        );
        let greeting = settings.item(
            StatusSetting::Greeting,
            |own| own.greeting.as_ref(),
            |_| None,
        );
        let own = |of: &'_ crate::model::own_settings::OwnItems| of.queue;
        let queue = settings.item(StatusSetting::Queue, own, |_| None);
        let dnd = settings.item(StatusSetting::Dnd, |own| own.dnd, |_| None);
        let follow_me = settings.item(StatusSetting::FollowMe, |own| own.follow_me, |_| None);
        let action = |of: &dyn Fn(&ActionBlock) -> Option<Value>| {
            let name = name?;
            let blocks = world.directory().get(user).rule.actions.iter();
            let applies = |block: &ActionBlock| {
                let by_type = block.types.iter().any(|it| it.eq_ignore_ascii_case(name));
                (by_type || block.states.contains(&state)).then_some(by_type)
            };
            let found = blocks.filter_map(|block| Some((applies(block)?, of(block)?, block)));
            let best = found.max_by_key(|(by_type, ..)| *by_type);
            best.map(|(_, value, block)| (value, SetBy::Section((&*block.name).into())))
        };
        let switch = |on: bool| Value::from(if on { "on" } else { "off" });
        let in_queues = |block: &ActionBlock| {
            let mut of_all = block.queues.iter().filter(|(queue, _)| queue.is_none());
            let found = of_all.next_back().or(block.queues.last());
            found.map(|(_, action)| Value::from(action.name()))
        };
        let items = [
            (
                StatusSetting::RingFirst,
                ring.first.map(|(it, by)| (list(it), by)),
            ),
            (
                StatusSetting::RingSecond,
                ring.second.map(|(it, by)| (list(it), by)),
            ),
            (
                StatusSetting::RingTimeout,
                ring.timeout.map(|(it, by)| (it.into(), by)),
            ),
            (
                StatusSetting::RingMobile,
                ring.mobile.map(|(it, by)| (it.into(), by)),
            ),
            (StatusSetting::Push, push.map(|(it, by)| (it.into(), by))),
            (StatusSetting::Note, note.map(|(it, by)| (it.into(), by))),
            (
                StatusSetting::Queue,
                queue
                    .map(|(it, by)| (it.name().into(), by))
                    .or_else(|| action(&in_queues)),
            ),
            (
                StatusSetting::Dnd,
                dnd.map(|(it, by)| (it.name().into(), by))
                    .or_else(|| action(&|block| block.dnd.map(switch))),
            ),
            (
                StatusSetting::FollowMe,
                follow_me
                    .map(|(it, by)| (it.name().into(), by))
                    .or_else(|| action(&|block| block.followme.map(switch))),
            ),
            (
                StatusSetting::Greeting,
                greeting.map(|(it, by)| (it.to_string().into(), by)),
            ),
        ];
        for (item, found) in items {
            if let Some((value, by)) = found {
                self.put(&[STATUSES, status, item.name()], value, &by.to_string());
            }
        }
    }

    /// The items that belong to no status.
    fn user_items(&mut self, world: &World, user: UserId) {
        for item in UserSetting::ALL {
            let own = world
                .own_settings(user)
                .and_then(|own| own.user().get(item));
            let is_own = own.is_some_and(|own| world.own_user_item(user, item, own).is_ok());
            let value = match item {
                UserSetting::Mobile => world.mobile(user).map(str::to_owned),
                UserSetting::Default => world.default_extension(user).map(str::to_owned),
                UserSetting::Visibility => {
                    Some(world.configured_visibility(user).name().to_owned())
                }
                _ => {
                    let status = world.login_status(user, item);
                    status.map(|status| status.name.to_string())
                }
            };
            let value = value.or_else(|| is_own.then(|| NONE.to_owned()));
            if let Some(value) = value {
                let by = match is_own {
                    true => "own".to_owned(),
                    false => configured_by(world, user, item),
                };
                self.put(&[item.name()], value.into(), &by);
            }
        }
    }
}

/// Where the configuration sets an item that belongs to no status: in the user's section, in
/// `[general]`, or nowhere.
fn configured_by(world: &World, user: UserId, item: UserSetting) -> String {
    let directory = world.directory();
    let spec = directory.get(user);
    let (own, general) = (&spec.rule, &directory.settings.rule);
    let login = |rule: &Rule| {
        let login = &rule.login;
        let status = match item {
            UserSetting::LoginStatus => &login.login,
            UserSetting::LogoutStatus => &login.logout,
            UserSetting::RegisterStatus => &login.register,
            UserSetting::UnregisterStatus => &login.unregister,
            UserSetting::Mobile | UserSetting::Default | UserSetting::Visibility => &None,
        };
        status.as_ref().map(|status| status.name.clone())
    };
    let (is_general, is_built_in) = match item {
        UserSetting::Mobile | UserSetting::Default => (false, false),
        UserSetting::Visibility => (
            own.visibility == general.visibility,
            own.visibility == Rule::default().visibility,
        ),
        _ => (login(own) == login(general), login(own).is_none()),
    };
    match (is_general, is_built_in) {
        (true, true) => "built-in".to_owned(),
        (true, false) => "section general".to_owned(),
        (false, _) => format!("section {}", spec.name),
    }
}

/// A user's own settings as JSON, with `effective`, `setBy`, `ignored` and `allowed`.
pub fn page(world: &World, user: UserId) -> Value {
    let found = EffectiveSettings::of(world, user);
    let ignored = ignored(world, user).into_iter();
    let own = world.own_settings(user);
    let page = SettingsPage {
        own: own.map_or_else(Map::new, |own| own.object()),
        effective: &found.effective,
        set_by: &found.set_by,
        ignored: ignored
            .map(|it| IgnoredItem {
                item: it.path,
                value: it.value,
                reason: it.why,
            })
            .collect(),
        allowed: allowed(world, user),
    };
    // Texts and numbers always serialise.
    serde_json::to_value(&page).unwrap_or_default()
}
