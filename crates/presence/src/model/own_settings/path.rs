//! Paths that name one item, for the dialplan: `statuses.away.ringMobile` or `mobile`.

use serde_json::Value;

use super::{OwnSettings, STATUSES, SettingsPatch, StatusSetting, UserSetting, forward_member};
use crate::model::handling::{CallOrigin, ForwardWhen};
use crate::model::text::quoted;

/// The word for the status that the user has chosen.
const CHOSEN: &str = "~";

/// One item of a user's own settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SettingsPath<'a> {
    /// An item that belongs to no status.
    User(UserSetting),
    /// An item of a status; `None` for the status that the user has chosen.
    Status(Option<&'a str>, StatusSetting),
    /// A forward of a status; `None` for the status that the user has chosen.
    Forward(Option<&'a str>, CallOrigin, ForwardWhen),
}

impl<'a> SettingsPath<'a> {
    /// Parses a path.
    ///
    /// # Errors
    /// A message that gives the expected form.
    pub fn parse(given: &'a str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "'{}' is no setting, expected one such as mobile, statuses.away.ringMobile, \
                 statuses.default.forwardExternal.always, or statuses.~.ringMobile for the \
                 present status",
                quoted(given)
            )
        };
        let given = given.trim();
        if let Ok(item) = UserSetting::parse(given) {
            return Ok(SettingsPath::User(item));
        }
        let rest = given
            .strip_prefix(STATUSES)
            .and_then(|it| it.strip_prefix('.'));
        // A status may have dots in its name.
        let (rest, last) = rest.and_then(|it| it.rsplit_once('.')).ok_or_else(wrong)?;
        let status = |name: &'a str| match name {
            "" => Err(wrong()),
            CHOSEN => Ok(None),
            name => Ok(Some(name)),
        };
        if let Ok(item) = StatusSetting::parse(last) {
            return Ok(SettingsPath::Status(status(rest)?, item));
        }
        let mut all = ForwardWhen::ALL.into_iter();
        let when = all.find(|when| when.name() == last).ok_or_else(wrong)?;
        let (rest, member) = rest.rsplit_once('.').ok_or_else(wrong)?;
        let mut origins = CallOrigin::ALL.into_iter();
        let origin = origins.find(|origin| forward_member(*origin) == member);
        let origin = origin.ok_or_else(wrong)?;
        Ok(SettingsPath::Forward(status(rest)?, origin, when))
    }

    /// Checks a text for an item whose value is no text, before [`SettingsPath::patch`] takes it.
    ///
    /// # Errors
    /// A message with the path and what was expected.
    pub fn check(self, text: &str) -> Result<(), String> {
        let text = text.trim();
        let SettingsPath::Status(status, item) = self else {
            return Ok(());
        };
        let why = match (item, value_of(item, text)) {
            _ if matches!(text, "" | "null") => return Ok(()),
            (StatusSetting::RingMobile | StatusSetting::Push, Value::String(_)) => {
                "expected yes, no or nothing"
            }
            (StatusSetting::RingTimeout, Value::String(_)) => "is no number, expected 5 to 300",
            _ => return Ok(()),
        };
        let status = status.unwrap_or(CHOSEN);
        let comma = if why.starts_with("is") { "" } else { "," };
        Err(format!(
            "{STATUSES}.{status}.{item}: '{}'{comma} {why}",
            quoted(text)
        ))
    }

    /// The change that sets the item to a text: a number, `yes` or `no`, or names separated by
    /// commas where the item is of that kind. An empty text, or `null`, gives the item back. `chosen` is the
    /// status that the user has chosen.
    pub fn patch(self, text: &str, chosen: &str) -> SettingsPatch {
        let text = text.trim();
        let value = match (text, self) {
            ("" | "null", _) => Value::Null,
            (text, SettingsPath::Status(_, item)) => value_of(item, text),
            (text, _) => text.into(),
        };
        let of = |status: Option<&'a str>| status.unwrap_or(chosen).to_owned();
        match self {
            SettingsPath::User(item) => SettingsPatch::member(&[item.name()], value),
            SettingsPath::Status(status, item) => {
                SettingsPatch::member(&[STATUSES, &of(status), item.name()], value)
            }
            SettingsPath::Forward(status, origin, when) => SettingsPatch::member(
                &[STATUSES, &of(status), forward_member(origin), when.name()],
                value,
            ),
        }
    }

    /// The user's own value as a text, as [`SettingsPath::patch`] reads it; empty for an item
    /// that is left to the administrator.
    pub fn read(self, settings: Option<&OwnSettings>, chosen: &str) -> String {
        let Some(settings) = settings else {
            return String::new();
        };
        let of = |status: Option<&'a str>| settings.status(status.unwrap_or(chosen));
        let found = match self {
            SettingsPath::User(item) => settings.user().get(item).map(str::to_owned),
            SettingsPath::Status(status, item) => of(status)
                .and_then(|it| it.items.value(item))
                .map(|value| text_of(&value)),
            SettingsPath::Forward(status, origin, when) => of(status)
                .and_then(|it| it.forward(origin, when))
                .map(ToString::to_string),
        };
        found.unwrap_or_default()
    }
}

/// The JSON that a text means. One that means nothing stays a text, which is refused when the
/// change is applied.
fn value_of(item: StatusSetting, text: &str) -> Value {
    match item {
        StatusSetting::RingFirst | StatusSetting::RingSecond => match text {
            text if text.eq_ignore_ascii_case(super::NONE) => Value::Array(Vec::new()),
            text => text
                .split(',')
                .map(|name| Value::from(name.trim()))
                .collect(),
        },
        StatusSetting::RingTimeout => text.parse::<i64>().map_or(text.into(), Value::from),
        StatusSetting::RingMobile | StatusSetting::Push => match text.to_ascii_lowercase().as_str()
        {
            "yes" | "true" | "on" | "1" => true.into(),
            "no" | "false" | "off" | "0" => false.into(),
            _ => text.into(),
        },
        _ => text.into(),
    }
}

/// A value as the text that means it.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(names) if names.is_empty() => super::NONE.to_owned(),
        Value::Array(names) => {
            let names = names.iter().filter_map(Value::as_str);
            names.collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}
