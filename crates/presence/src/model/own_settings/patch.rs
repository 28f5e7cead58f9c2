//! Changes of a user's own settings.

use serde_json::{Map, Value};

use super::restore::too_long;
use super::{
    DEFAULT_STATUS, MAX_BYTES, NONE, OwnItems, OwnTarget, STATUSES, StatusSetting, UserItems,
    UserSetting, forward_member, kind,
};
use crate::model::handling::{CallOrigin, ForwardWhen};
use crate::model::status::Statuses;
use crate::model::suggest::expected;
use crate::model::text::quoted;
use crate::model::words;

/// A change of a user's own settings: a merge patch of RFC 7396, in which `null` gives an item
/// back to the administrator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingsPatch(Map<String, Value>);

impl From<Map<String, Value>> for SettingsPatch {
    fn from(members: Map<String, Value>) -> Self {
        SettingsPatch(members)
    }
}

impl SettingsPatch {
    /// Parses a patch. Its members are checked when it is applied.
    ///
    /// # Errors
    /// A message, if the text is too long or not a JSON object.
    pub fn parse(json: &str) -> Result<Self, String> {
        if json.len() > MAX_BYTES {
            return Err(too_long(json.len()));
        }
        match serde_json::from_str::<Value>(json) {
            Ok(Value::Object(object)) => Ok(SettingsPatch(object)),
            Ok(other) => Err(format!(
                "the settings are {}, expected an object",
                kind(&other)
            )),
            Err(why) => Err(format!("the settings are not JSON: {why}")),
        }
    }

    /// The patch that sets one forward, or gives it back if there is no target.
    pub fn forward(
        status: &str,
        origins: &[CallOrigin],
        when: ForwardWhen,
        target: Option<&str>,
    ) -> Self {
        let target = target.map_or(Value::Null, Value::from);
        let forwards = origins.iter().map(|origin| {
            let item = Map::from_iter([(when.name().to_owned(), target.clone())]);
            (forward_member(*origin).to_owned(), Value::Object(item))
        });
        let status = (status.to_owned(), Value::Object(forwards.collect()));
        let statuses = Value::Object(Map::from_iter([status]));
        SettingsPatch(Map::from_iter([(STATUSES.to_owned(), statuses)]))
    }

    /// The patch that sets the member at the end of a path.
    pub(super) fn member(path: &[&str], value: Value) -> Self {
        let nested = path.iter().rev().fold(value, |inner, name| {
            Value::Object(Map::from_iter([((*name).to_owned(), inner)]))
        });
        SettingsPatch(match nested {
            Value::Object(object) => object,
            _ => Map::new(),
        })
    }

    /// Checks the members of the patch, and applies it to the stored object.
    ///
    /// # Errors
    /// A message that names the member and what was expected.
    pub(super) fn apply(
        &self,
        object: &mut Map<String, Value>,
        statuses: &Statuses,
    ) -> Result<(), String> {
        let patch = checked(&self.0, object, statuses)?;
        merge(object, patch);
        Ok(())
    }
}

/// The patch with its members checked, and the names of statuses in their known spelling.
fn checked(
    patch: &Map<String, Value>,
    object: &Map<String, Value>,
    statuses: &Statuses,
) -> Result<Map<String, Value>, String> {
    let mut checked = Map::new();
    for (name, value) in patch {
        let item = UserSetting::parse(name).ok();
        let value = match (name.as_str(), value) {
            (STATUSES, Value::Object(given)) => {
                let known = object.get(STATUSES).and_then(Value::as_object);
                Value::Object(checked_statuses(given, known, statuses)?)
            }
            (STATUSES, Value::Null) => Value::Null,
            (STATUSES, other) => return Err(wrong(&[STATUSES], other, "an object")),
            // A member that a later release has written can be given back.
            (name, Value::Null) if item.is_some() || object.contains_key(name) => Value::Null,
            (name, value) => match item {
                Some(item) => {
                    checked_user_item(item, value, statuses).map_err(|why| at(&[name], &why))?
                }
                None => {
                    let names: Vec<_> = [STATUSES].into_iter().chain(UserSetting::NAMES).collect();
                    return Err(unknown(&[name], &names));
                }
            },
        };
        checked.insert(name.clone(), value);
    }
    Ok(checked)
}

fn checked_user_item(
    item: UserSetting,
    value: &Value,
    statuses: &Statuses,
) -> Result<Value, String> {
    let mut read = UserItems::default();
    read.read(item, value)?;
    let text = read.get(item).unwrap_or_default();
    if !item.is_status() || text == NONE {
        return Ok(text.into());
    }
    match statuses.find(text) {
        Some(status) => Ok(Value::from(&*status.name)),
        None => {
            let known = format!("none, {}", statuses.expected());
            Err(format!(
                "unknown status '{}'{}",
                quoted(text),
                expected(text, &known)
            ))
        }
    }
}

fn checked_statuses(
    given: &Map<String, Value>,
    known: Option<&Map<String, Value>>,
    statuses: &Statuses,
) -> Result<Map<String, Value>, String> {
    let mut checked = Map::new();
    for (name, value) in given {
        let status = statuses.find(name).map(|status| &*status.name);
        let is_default = name.eq_ignore_ascii_case(DEFAULT_STATUS);
        let mut named = known.into_iter().flat_map(Map::keys);
        // Settings of a status that the configuration has no more may stay as they are.
        let named = named.find(|known| known.eq_ignore_ascii_case(name));
        let status = status.or(is_default.then_some(DEFAULT_STATUS));
        let Some(status) = named.map(String::as_str).or(status) else {
            let known = format!("default, {}", statuses.expected());
            return Err(format!(
                "statuses.{0}: unknown status '{0}'{1}",
                quoted(name),
                expected(name, &known)
            ));
        };
        let before = known.and_then(|known| known.get(status));
        let value = match value {
            Value::Null => Value::Null,
            Value::Object(settings) => {
                check_status(status, settings, before)?;
                Value::Object(settings.clone())
            }
            other => return Err(wrong(&[STATUSES, status], other, "an object or null")),
        };
        if checked.insert(status.to_owned(), value).is_some() {
            return Err(format!(
                "statuses.{}: the status is there twice, expected it once",
                quoted(name)
            ));
        }
    }
    Ok(checked)
}

fn check_status(
    status: &str,
    settings: &Map<String, Value>,
    before: Option<&Value>,
) -> Result<(), String> {
    const FORWARDS: [&str; 2] = [
        forward_member(CallOrigin::Internal),
        forward_member(CallOrigin::External),
    ];
    for (name, value) in settings {
        let path = [STATUSES, status, name];
        let before = before.and_then(|before| before.get(name));
        let item = StatusSetting::parse(name).ok();
        let is_forward = FORWARDS.contains(&name.as_str());
        match (value, item) {
            (Value::Null, item) if before.is_some() || is_forward || item.is_some() => {}
            (value, Some(item)) => {
                let read = OwnItems::default().read(item, value);
                read.map_err(|why| at(&path, &why))?;
            }
            (Value::Object(items), None) if is_forward => {
                check_forwards(&path, items, before)?;
            }
            (other, None) if is_forward => {
                return Err(wrong(&path, other, "an object or null"));
            }
            _ => {
                let names: Vec<_> = FORWARDS.into_iter().chain(StatusSetting::NAMES).collect();
                return Err(unknown(&path, &names));
            }
        }
    }
    Ok(())
}

fn check_forwards(
    path: &[&str],
    items: &Map<String, Value>,
    before: Option<&Value>,
) -> Result<(), String> {
    for (when, target) in items {
        let path = [path, &[when]].concat();
        let is_stored = before.is_some_and(|before| before.get(when).is_some());
        let is_given_back = target.is_null() && is_stored;
        if !is_given_back && !ForwardWhen::NAMES.contains(&when.as_str()) {
            return Err(unknown(&path, &ForwardWhen::NAMES));
        }
        match target {
            Value::Null => {}
            Value::String(target) => {
                OwnTarget::parse(target).map_err(|why| at(&path, &why))?;
            }
            other => return Err(wrong(&path, other, "a text or null")),
        }
    }
    Ok(())
}

/// Applies a merge patch, and drops objects that it leaves empty.
fn merge(object: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        let Value::Object(patch) = value else {
            match value {
                Value::Null => object.remove(&name),
                value => object.insert(name, value),
            };
            continue;
        };
        let mut inner = match object.remove(&name) {
            Some(Value::Object(inner)) => inner,
            _ => Map::new(),
        };
        merge(&mut inner, patch);
        if !inner.is_empty() {
            object.insert(name, Value::Object(inner));
        }
    }
}

/// A message with the path of the member before it.
fn at(path: &[&str], why: &str) -> String {
    let path: Vec<_> = path.iter().map(|name| quoted(name).to_string()).collect();
    format!("{}: {why}", path.join("."))
}

fn wrong(path: &[&str], given: &Value, expected: &str) -> String {
    at(path, &format!("{}, expected {expected}", kind(given)))
}

fn unknown(path: &[&str], names: &[&str]) -> String {
    at(
        path,
        &format!("unknown member, expected {}", words::list(names)),
    )
}
