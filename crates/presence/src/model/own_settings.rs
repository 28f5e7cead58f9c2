//! The settings that users make for themselves. They lie over those of the administrator, item
//! by item.
//!
//! They are one JSON object, which a merge patch (RFC 7396) changes:
//!
//! ```text
//! {"statuses": {"away": {"forwardExternal": {"always": "+491701234567", "busy": "voicemail"}}}}
//! ```
//!
//! What an item says is read once, when the object is restored or changed. The object itself is
//! kept as text, which takes little memory and keeps members that a later release has written.

use std::fmt;

use serde_json::{Map, Value};

use super::dialable::{MAX_NAME, is_name, without_hyphens};
use super::handling::{CallOrigin, ForwardWhen};
use super::status::Statuses;
use super::suggest::expected;
use super::text::quoted;
use super::visibility::Visibility;
use super::words;

/// The longest settings of a user, in bytes of JSON.
pub const MAX_BYTES: usize = 16 * 1024;

/// The most statuses that the settings of a user name.
pub const MAX_STATUSES: usize = 100;

/// The name of the settings that apply in every status.
pub const DEFAULT_STATUS: &str = "default";

/// The member that holds the settings of each status.
const STATUSES: &str = "statuses";

/// The member that says who may see the presence.
const VISIBILITY: &str = "visibility";

/// The member with the forwards of calls from inside or outside.
const fn member(origin: CallOrigin) -> &'static str {
    match origin {
        CallOrigin::Internal => "forwardInternal",
        CallOrigin::External => "forwardExternal",
    }
}

/// The target of a user's own forward.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OwnTarget {
    /// No forward, even if the administrator has set one.
    None,
    /// The user's own mailbox.
    Voicemail,
    /// The user's own mobile.
    Mobile,
    /// An extension or number; without a context it is dialled in the user's `forward_context`.
    Number(Box<str>, Option<Box<str>>),
}

impl OwnTarget {
    /// Parses a target.
    ///
    /// # Errors
    /// A message that says what was expected, if the text is none of the words and cannot be
    /// dialled.
    pub fn parse(given: &str) -> Result<Self, String> {
        let words = [
            ("none", OwnTarget::None),
            ("voicemail", OwnTarget::Voicemail),
            ("mobile", OwnTarget::Mobile),
        ];
        let is_word = |(word, _): &(&str, OwnTarget)| word.eq_ignore_ascii_case(given);
        if let Some((_, target)) = words.into_iter().find(is_word) {
            return Ok(target);
        }
        let (number, context) = match given.split_once('@') {
            Some((number, context)) => (number, Some(context)),
            None => (given, None),
        };
        // A text that begins with `_` would be a pattern in the dialplan.
        let fits = |text: &str| is_name(text) && text.len() <= MAX_NAME && !text.starts_with('_');
        let plain = without_hyphens(number);
        match fits(number) && fits(&plain) && context.is_none_or(fits) {
            true => Ok(OwnTarget::Number(number.into(), context.map(Into::into))),
            false => Err(format!(
                "'{}' cannot be dialled, expected an extension such as 210, a number such as \
                 +491701234567, voicemail, mobile or none",
                quoted(given)
            )),
        }
    }
}

impl fmt::Display for OwnTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OwnTarget::None => f.write_str("none"),
            OwnTarget::Voicemail => f.write_str("voicemail"),
            OwnTarget::Mobile => f.write_str("mobile"),
            OwnTarget::Number(number, None) => f.write_str(number),
            OwnTarget::Number(number, Some(context)) => write!(f, "{number}@{context}"),
        }
    }
}

/// One of a user's own forwards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnForward {
    /// The callers that it applies to.
    pub origin: CallOrigin,
    /// When it applies.
    pub when: ForwardWhen,
    /// Where the call goes.
    pub target: OwnTarget,
}

/// A user's own settings in one status.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnStatusSettings {
    /// The status type or state, or [`DEFAULT_STATUS`].
    pub status: Box<str>,
    /// The forwards, each at most once.
    pub forwards: Box<[OwnForward]>,
}

/// A user's own settings.
///
/// # Invariants
/// The other fields are what `json` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnSettings {
    json: Box<str>,
    statuses: Box<[OwnStatusSettings]>,
    visibility: Option<Visibility>,
}

impl OwnSettings {
    /// The settings of a stored text. Members that this release does not know are kept, and so
    /// are items that it cannot read, which have no effect. `None` if the text is not an object,
    /// is empty or is too long.
    pub fn restore(json: &str) -> Option<Self> {
        let object: Map<String, Value> = match json.len() <= MAX_BYTES {
            true => serde_json::from_str(json).ok()?,
            false => return None,
        };
        OwnSettings::of(object).ok().flatten()
    }

    /// The settings as JSON.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The settings of each status.
    pub fn statuses(&self) -> &[OwnStatusSettings] {
        &self.statuses
    }

    /// Who may see the presence, if the user has set it.
    pub fn visibility(&self) -> Option<Visibility> {
        self.visibility
    }

    /// The target of a forward in a status that is named exactly so, without regard to case.
    pub fn forward(
        &self,
        status: &str,
        origin: CallOrigin,
        when: ForwardWhen,
    ) -> Option<&OwnTarget> {
        let mut statuses = self.statuses.iter();
        let found = statuses.find(|known| known.status.eq_ignore_ascii_case(status))?;
        let mut forwards = found.forwards.iter();
        let forward = forwards.find(|it| it.origin == origin && it.when == when)?;
        Some(&forward.target)
    }

    /// The settings after a patch; `None` if nothing is left.
    ///
    /// # Errors
    /// A message that names the member and what was expected.
    pub fn patched(
        before: Option<&Self>,
        patch: &SettingsPatch,
        statuses: &Statuses,
    ) -> Result<Option<Self>, String> {
        let mut object = before.map_or_else(Map::new, OwnSettings::object);
        let patch = checked(&patch.0, &object, statuses)?;
        merge(&mut object, patch);
        OwnSettings::of(object)
    }

    /// The object, as it was stored.
    pub fn object(&self) -> Map<String, Value> {
        // By the invariant it is one.
        serde_json::from_str(&self.json).unwrap_or_default()
    }

    fn of(object: Map<String, Value>) -> Result<Option<Self>, String> {
        if object.is_empty() {
            return Ok(None);
        }
        let named = object.get(STATUSES).and_then(Value::as_object);
        let named = named.into_iter().flatten();
        let statuses: Box<[OwnStatusSettings]> = named
            .map(|(status, settings)| OwnStatusSettings {
                status: status.as_str().into(),
                forwards: forwards(settings),
            })
            .collect();
        if statuses.len() > MAX_STATUSES {
            return Err(format!(
                "statuses: {} statuses, expected at most {MAX_STATUSES}",
                statuses.len()
            ));
        }
        let visibility = object.get(VISIBILITY).and_then(Value::as_str);
        let visibility = visibility.and_then(|word| Visibility::parse(word).ok());
        // An object of texts always serialises.
        let json = serde_json::to_string(&object).unwrap_or_default();
        match json.len() <= MAX_BYTES {
            true => Ok(Some(OwnSettings {
                json: json.into(),
                statuses,
                visibility,
            })),
            false => Err(too_long(json.len())),
        }
    }
}

fn too_long(bytes: usize) -> String {
    format!("the settings have {bytes} bytes, expected at most {MAX_BYTES}")
}

/// Every forward of a status; an item that cannot be read is left out.
fn forwards(settings: &Value) -> Box<[OwnForward]> {
    let mut found = Vec::new();
    for origin in CallOrigin::ALL {
        for when in ForwardWhen::ALL {
            let item = settings
                .get(member(origin))
                .and_then(|of| of.get(when.name()));
            let target = item.and_then(Value::as_str).map(OwnTarget::parse);
            found.extend(target.and_then(Result::ok).map(|target| OwnForward {
                origin,
                when,
                target,
            }));
        }
    }
    found.into()
}

/// A change of a user's own settings: a merge patch of RFC 7396, in which `null` gives an item
/// back to the administrator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingsPatch(Map<String, Value>);

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
            (member(*origin).to_owned(), Value::Object(item))
        });
        let status = (status.to_owned(), Value::Object(forwards.collect()));
        let statuses = Value::Object(Map::from_iter([status]));
        SettingsPatch(Map::from_iter([(STATUSES.to_owned(), statuses)]))
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
        let value = match (name.as_str(), value) {
            (STATUSES, Value::Object(given)) => {
                let known = object.get(STATUSES).and_then(Value::as_object);
                Value::Object(checked_statuses(given, known, statuses)?)
            }
            (STATUSES, Value::Null) => Value::Null,
            (STATUSES, other) => return Err(wrong(&[STATUSES], other, "an object")),
            (VISIBILITY, Value::Null) => Value::Null,
            (VISIBILITY, Value::String(word)) => {
                let known = Visibility::parse(word);
                known
                    .map_err(|why| at(&[VISIBILITY], &why.to_string()))?
                    .name()
                    .into()
            }
            (VISIBILITY, other) => return Err(wrong(&[VISIBILITY], other, "a text or null")),
            // A member that a later release has written can be given back.
            (name, Value::Null) if object.contains_key(name) => Value::Null,
            (name, _) => return Err(unknown(&[name], &[STATUSES, VISIBILITY])),
        };
        checked.insert(name.clone(), value);
    }
    Ok(checked)
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
            Value::Object(settings) => Value::Object(checked_status(status, settings, before)?),
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

fn checked_status(
    status: &str,
    settings: &Map<String, Value>,
    before: Option<&Value>,
) -> Result<Map<String, Value>, String> {
    const NAMES: [&str; 2] = [member(CallOrigin::Internal), member(CallOrigin::External)];
    for (name, value) in settings {
        let path = [STATUSES, status, name];
        let before = before.and_then(|before| before.get(name));
        match value {
            Value::Null if before.is_some() || NAMES.contains(&name.as_str()) => {}
            _ if !NAMES.contains(&name.as_str()) => return Err(unknown(&path, &NAMES)),
            Value::Object(items) => {
                for (when, target) in items {
                    let path = [STATUSES, status, name, when];
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
            }
            other => return Err(wrong(&path, other, "an object or null")),
        }
    }
    Ok(settings.clone())
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

/// What a value is, in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(before: Option<&OwnSettings>, json: &str) -> Result<Option<OwnSettings>, String> {
        OwnSettings::patched(before, &SettingsPatch::parse(json)?, &Statuses::default())
    }

    fn settings(json: &str) -> OwnSettings {
        patch(None, json).unwrap().unwrap()
    }

    #[test]
    fn a_patch_merges_and_null_gives_back() {
        let first = settings(
            r#"{"statuses":{"AWAY":{"forwardExternal":{"always":"+491","busy":"voicemail"}}}}"#,
        );
        let (external, always) = (CallOrigin::External, ForwardWhen::Always);
        let forward = first.forward("Away", external, always).unwrap();
        assert_eq!(forward.to_string(), "+491");
        assert!(
            first
                .forward("away", CallOrigin::Internal, always)
                .is_none()
        );
        let more = r#"{"statuses":{"away":{"forwardExternal":{"always":null},
                       "forwardInternal":{"noAnswer":"210@default"}},"default":{}}}"#;
        let second = patch(Some(&first), more).unwrap().unwrap();
        assert_eq!(
            second.json(),
            r#"{"statuses":{"away":{"forwardExternal":{"busy":"voicemail"},"forwardInternal":{"noAnswer":"210@default"}}}}"#
        );
        assert_eq!(OwnSettings::restore(second.json()).unwrap(), second);
        assert_eq!(patch(Some(&second), "{}"), Ok(Some(second.clone())));
        for nothing in [
            r#"{"statuses":null}"#,
            r#"{"statuses":{"away":null}}"#,
            r#"{"statuses":{"away":{"forwardExternal":null,"forwardInternal":{"noAnswer":null}}}}"#,
        ] {
            assert_eq!(patch(Some(&second), nothing), Ok(None), "{nothing}");
        }
    }

    #[test]
    fn each_mistake_names_the_member() {
        for (json, expected) in [
            ("[1]", "the settings are a list, expected an object"),
            ("{", "the settings are not JSON: EOF"),
            (
                r#"{"shoe":1}"#,
                "shoe: unknown member, expected statuses or visibility",
            ),
            (r#"{"shoe":null}"#, "shoe: unknown member"),
            (
                r#"{"statuses":1}"#,
                "statuses: a number, expected an object",
            ),
            (
                r#"{"statuses":{"awya":{}}}"#,
                "statuses.awya: unknown status 'awya', did you mean 'away'?",
            ),
            (
                r#"{"statuses":{"away":[]}}"#,
                "statuses.away: a list, expected an object or null",
            ),
            (
                r#"{"statuses":{"away":{"ringFirst":[]}}}"#,
                "statuses.away.ringFirst: unknown member, expected forwardInternal or forwardExternal",
            ),
            (
                r#"{"statuses":{"away":{"forwardExternal":"210"}}}"#,
                "statuses.away.forwardExternal: a text, expected an object or null",
            ),
            (
                r#"{"statuses":{"away":{"forwardExternal":{"never":"210"}}}}"#,
                "forwardExternal.never: unknown member, expected always, noAnswer or busy",
            ),
            (
                r#"{"statuses":{"away":{"forwardExternal":{"busy":210}}}}"#,
                "forwardExternal.busy: a number, expected a text or null",
            ),
            (
                r#"{"statuses":{"away":{},"Away":{}}}"#,
                "the status is there twice",
            ),
        ] {
            let why = patch(None, json).unwrap_err();
            assert!(why.contains(expected), "{json}: {why}");
        }
        for target in [
            "",
            "2 0",
            "200&300",
            "200/300",
            "200@d,1",
            "@d",
            "200@",
            "${X}",
            "_X.",
            "-_X.",
            "--",
            "-@d",
            "a@b@c",
            "voicemail:2",
            "ü",
            "200\n",
        ] {
            let why = OwnTarget::parse(target).unwrap_err();
            assert!(
                why.contains("cannot be dialled, expected an extension"),
                "{target}: {why}"
            );
        }
        assert!(OwnTarget::parse(&"1".repeat(80)).is_err());
        for target in ["none", "voicemail", "mobile", "+491", "*72", "210@default"] {
            assert_eq!(OwnTarget::parse(target).unwrap().to_string(), target);
        }
    }

    #[test]
    fn what_comes_in_is_bounded() {
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_BYTES));
        assert!(
            SettingsPatch::parse(&long)
                .unwrap_err()
                .contains("expected at most 16384")
        );
        assert!(OwnSettings::restore(&long).is_none());
        assert!(SettingsPatch::parse(&"[".repeat(10_000)).is_err());
        let many = (0..=MAX_STATUSES).map(|at| format!(r#""s{at}":{{"x":1}}"#));
        let many: Vec<_> = many.collect();
        assert!(
            OwnSettings::restore(&format!(r#"{{"statuses":{{{}}}}}"#, many.join(","))).is_none()
        );
    }

    #[test]
    fn members_of_a_later_release_are_kept_and_can_be_given_back() {
        let stored = r#"{"statuses":{"gone":{"ringFirst":["desk"]},"away":{"forwardExternal":{"busy":7,"later":"1"}}},"visibility":"everyone"}"#;
        let stored = OwnSettings::restore(stored).unwrap();
        assert!(
            stored
                .statuses()
                .iter()
                .all(|status| status.forwards.is_empty())
        );
        let changed = r#"{"statuses":{"away":{"forwardExternal":{"always":"mobile"}}}}"#;
        let changed = patch(Some(&stored), changed).unwrap().unwrap();
        for kept in [
            r#""ringFirst":["desk"]"#,
            r#""busy":7"#,
            r#""later":"1""#,
            "visibility",
        ] {
            assert!(changed.json().contains(kept), "{kept}");
        }
        let back = r#"{"visibility":null,"statuses":{"gone":null,"away":{"forwardExternal":{"later":null,"busy":null,"always":null}}}}"#;
        assert_eq!(patch(Some(&changed), back), Ok(None));
    }

    #[test]
    fn one_forward_is_a_patch() {
        let of =
            |target| SettingsPatch::forward("away", &CallOrigin::ALL, ForwardWhen::Busy, target);
        let set = OwnSettings::patched(None, &of(Some("210")), &Statuses::default());
        let set = set.unwrap().unwrap();
        let item = r#"{"busy":"210"}"#;
        let json = format!(
            r#"{{"statuses":{{"away":{{"forwardExternal":{item},"forwardInternal":{item}}}}}}}"#
        );
        assert_eq!(set.json(), json);
        let back = OwnSettings::patched(Some(&set), &of(None), &Statuses::default());
        assert_eq!(back, Ok(None));
    }
}
