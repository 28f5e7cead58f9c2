//! The items of a user's own settings besides forwards.

use serde_json::Value;

use super::{NONE, kind};
use crate::model::dialable::{is_name, is_number};
use crate::model::own_rights::OwnArea;
use crate::model::queue_action::QueueAction;
use crate::model::text::{self, quoted};
use crate::model::visibility::Visibility;
use crate::model::words::{self, words};

/// The most endpoints in a stage of ringing.
const MAX_ENDPOINTS: usize = 50;

/// The longest name of an endpoint or recording, in bytes.
const MAX_ITEM_NAME: usize = 60;

words! {
    /// An item of the settings in one status.
    pub enum StatusSetting: "item", compared by words::exactly {
        /// The endpoints that ring first.
        RingFirst = "ringFirst",
        /// The endpoints that ring second.
        RingSecond = "ringSecond",
        /// How long each stage rings, in seconds.
        RingTimeout = "ringTimeout",
        /// Whether the mobile rings beside the endpoints.
        RingMobile = "ringMobile",
        /// Whether the user gets push messages.
        Push = "push",
        /// The message of the status if it is set without one.
        Note = "note",
        /// What is done in the user's queues.
        Queue = "queue",
        /// Do not disturb.
        Dnd = "dnd",
        /// Follow me.
        FollowMe = "followMe",
        /// The greeting of the mailbox.
        Greeting = "greeting",
    }
}

impl StatusSetting {
    /// The part of the settings that the item belongs to.
    pub const fn area(self) -> OwnArea {
        match self {
            StatusSetting::Note => OwnArea::Note,
            StatusSetting::Queue | StatusSetting::Dnd | StatusSetting::FollowMe => OwnArea::Actions,
            _ => OwnArea::Handling,
        }
    }
}

words! {
    /// An item that belongs to no status.
    pub enum UserSetting: "item", compared by words::exactly {
        /// The status that the login of a panel sets.
        LoginStatus = "loginStatus",
        /// The status that the logout of the last panel sets.
        LogoutStatus = "logoutStatus",
        /// The status that a phone sets when it registers.
        RegisterStatus = "registerStatus",
        /// The status that the last phone sets when its registration ends.
        UnregisterStatus = "unregisterStatus",
        /// The mobile number.
        Mobile = "mobile",
        /// The default extension.
        Default = "default",
        /// Who may see the presence.
        Visibility = "visibility",
    }
}

impl UserSetting {
    /// The part of the settings that the item belongs to.
    pub const fn area(self) -> OwnArea {
        match self {
            UserSetting::Mobile => OwnArea::Mobile,
            UserSetting::Default => OwnArea::Handling,
            UserSetting::Visibility => OwnArea::Visibility,
            _ => OwnArea::Login,
        }
    }

    /// Whether the item names a status.
    pub const fn is_status(self) -> bool {
        !matches!(
            self,
            UserSetting::Mobile | UserSetting::Default | UserSetting::Visibility
        )
    }
}

words! {
    /// A switch that a status sets, or leaves as it is.
    pub enum OwnSwitch: "value" {
        /// It is switched on.
        On = "on",
        /// It is switched off.
        Off = "off",
        /// It stays as it is, whatever the administrator's actions want.
        None = "none",
    }
}

/// The greeting that callers hear before they leave a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Greeting {
    /// That the user is unavailable.
    Unavailable,
    /// That the user is busy.
    Busy,
    /// A recording in the folder of the user's own mailbox, by the name of its file without the
    /// ending.
    Recording(Box<str>),
}

impl Greeting {
    /// Parses a greeting.
    ///
    /// # Errors
    /// A message that says what was expected, if it is neither word nor the name of a file.
    pub fn parse(given: &str) -> Result<Self, String> {
        let words = [
            ("unavailable", Greeting::Unavailable),
            ("busy", Greeting::Busy),
        ];
        let mut words = words.into_iter();
        if let Some((_, greeting)) = words.find(|(word, _)| word.eq_ignore_ascii_case(given)) {
            return Ok(greeting);
        }
        // Nothing that leads out of the folder, and no pattern.
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        match !given.is_empty() && given.len() <= MAX_ITEM_NAME && given.chars().all(good) {
            true => Ok(Greeting::Recording(given.into())),
            false => Err(format!(
                "'{}', expected unavailable, busy, or the name of a recording of 1 to \
                 {MAX_ITEM_NAME} letters, digits, '-' or '_'",
                quoted(given)
            )),
        }
    }
}

impl std::fmt::Display for Greeting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Greeting::Unavailable => "unavailable",
            Greeting::Busy => "busy",
            Greeting::Recording(name) => name,
        })
    }
}

/// The items of the settings in one status; `None` for those that are left to the
/// administrator.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OwnItems {
    /// The endpoints that ring first, by name; an empty list rings none of them.
    pub ring_first: Option<Box<[Box<str>]>>,
    /// The endpoints that ring second, by name.
    pub ring_second: Option<Box<[Box<str>]>>,
    /// How long each stage rings, from 5 to 300 seconds.
    pub ring_timeout: Option<u32>,
    /// Whether the mobile rings beside the endpoints.
    pub ring_mobile: Option<bool>,
    /// Whether the user gets push messages.
    pub push: Option<bool>,
    /// The message of the status if it is set without one.
    pub note: Option<Box<str>>,
    /// What is done in the user's queues.
    pub queue: Option<QueueAction>,
    /// Do not disturb.
    pub dnd: Option<OwnSwitch>,
    /// Follow me.
    pub follow_me: Option<OwnSwitch>,
    /// The greeting of the mailbox.
    pub greeting: Option<Greeting>,
}

impl OwnItems {
    /// Reads one item.
    ///
    /// # Errors
    /// A message that says what was expected; the item stays as it was.
    pub(super) fn read(&mut self, item: StatusSetting, value: &Value) -> Result<(), String> {
        match item {
            StatusSetting::RingFirst => self.ring_first = Some(names(value)?),
            StatusSetting::RingSecond => self.ring_second = Some(names(value)?),
            StatusSetting::RingTimeout => self.ring_timeout = Some(seconds(value)?),
            StatusSetting::RingMobile => self.ring_mobile = Some(boolean(value)?),
            StatusSetting::Push => self.push = Some(boolean(value)?),
            StatusSetting::Note => {
                let note = word(value)?;
                text::check(note).map_err(|why| format!("the text {why}"))?;
                self.note = Some(note.into());
            }
            StatusSetting::Queue => self.queue = Some(QueueAction::parse(word(value)?)?),
            StatusSetting::Dnd => self.dnd = Some(OwnSwitch::parse(word(value)?)?),
            StatusSetting::FollowMe => self.follow_me = Some(OwnSwitch::parse(word(value)?)?),
            StatusSetting::Greeting => self.greeting = Some(Greeting::parse(word(value)?)?),
        }
        Ok(())
    }

    /// The value of an item as JSON.
    pub fn value(&self, item: StatusSetting) -> Option<Value> {
        let list = |names: &[Box<str>]| {
            let names = names.iter().map(|name| Value::from(&**name));
            Value::Array(names.collect())
        };
        match item {
            StatusSetting::RingFirst => self.ring_first.as_deref().map(list),
            StatusSetting::RingSecond => self.ring_second.as_deref().map(list),
            StatusSetting::RingTimeout => self.ring_timeout.map(Value::from),
            StatusSetting::RingMobile => self.ring_mobile.map(Value::from),
            StatusSetting::Push => self.push.map(Value::from),
            StatusSetting::Note => self.note.as_deref().map(Value::from),
            StatusSetting::Queue => self.queue.map(|it| Value::from(it.name())),
            StatusSetting::Dnd => self.dnd.map(|it| Value::from(it.name())),
            StatusSetting::FollowMe => self.follow_me.map(|it| Value::from(it.name())),
            StatusSetting::Greeting => self.greeting.as_ref().map(|it| it.to_string().into()),
        }
    }
}

/// The items that belong to no status; `None` for those that are left to the administrator.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UserItems([Option<Box<str>>; UserSetting::ALL.len()]);

impl UserItems {
    /// The text of an item; [`NONE`] for nothing although the administrator has set something.
    pub fn get(&self, item: UserSetting) -> Option<&str> {
        self.0[item as usize].as_deref()
    }

    /// Reads one item.
    ///
    /// # Errors
    /// A message that says what was expected; the item stays as it was.
    pub(super) fn read(&mut self, item: UserSetting, value: &Value) -> Result<(), String> {
        let text = word(value)?;
        let is_none = text.eq_ignore_ascii_case(NONE);
        let checked = match item {
            UserSetting::Visibility => {
                let visibility = Visibility::parse(text)?;
                self.0[item as usize] = Some(visibility.name().into());
                return Ok(());
            }
            UserSetting::Default if !is_name(text) => Err(format!(
                "'{}' is no extension, expected one of the user's",
                quoted(text)
            )),
            UserSetting::Mobile if !is_none && !is_number(text) => Err(format!(
                "'{}' is no number, expected one such as +491701234567, or none",
                quoted(text)
            )),
            _ => text::check(text).map_err(|why| format!("the text {why}")),
        };
        checked?;
        self.0[item as usize] = Some(match is_none && item != UserSetting::Default {
            true => NONE.into(),
            false => text.into(),
        });
        Ok(())
    }
}

fn word(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("{}, expected a text or null", kind(value)))
}

fn boolean(value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| format!("{}, expected true, false or null", kind(value)))
}

fn seconds(value: &Value) -> Result<u32, String> {
    let seconds = value.as_u64().filter(|seconds| (5..=300).contains(seconds));
    match (seconds, value) {
        (Some(seconds), _) => Ok(seconds as u32),
        (None, Value::Number(given)) => Err(format!("{given}, expected 5 to 300")),
        (None, other) => Err(format!("{}, expected 5 to 300 or null", kind(other))),
    }
}

fn names(value: &Value) -> Result<Box<[Box<str>]>, String> {
    let wrong = |what: &Value| format!("{}, expected a list of endpoints' names", kind(what));
    let list = value.as_array().ok_or_else(|| wrong(value))?;
    if list.len() > MAX_ENDPOINTS {
        return Err(format!(
            "{} endpoints, expected at most {MAX_ENDPOINTS}",
            list.len()
        ));
    }
    let name = |value: &Value| {
        let name = value
            .as_str()
            .ok_or_else(|| format!("the list has {}", wrong(value)))?;
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match !name.is_empty() && name.len() <= MAX_ITEM_NAME && name.chars().all(good) {
            true => Ok(name.into()),
            false => Err(format!("'{}' is not an endpoint's name", quoted(name))),
        }
    };
    list.iter().map(name).collect()
}
