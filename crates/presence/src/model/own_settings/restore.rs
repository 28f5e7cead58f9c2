//! From a JSON object to settings. An item that cannot be read is left out, and stays in the
//! object.

use serde_json::{Map, Value};

use super::{
    MAX_BYTES, MAX_STATUSES, OwnForward, OwnItems, OwnSettings, OwnStatusSettings, OwnTarget,
    STATUSES, StatusSetting, UserItems, UserSetting, forward_member,
};
use crate::model::handling::{CallOrigin, ForwardWhen};

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

    /// The settings of an object; `None` for an empty one.
    ///
    /// # Errors
    /// A message, if the object is too large.
    pub(crate) fn of(object: Map<String, Value>) -> Result<Option<Self>, String> {
        if object.is_empty() {
            return Ok(None);
        }
        let named = object.get(STATUSES).and_then(Value::as_object);
        let named = named.into_iter().flatten();
        let statuses: Box<[OwnStatusSettings]> = named
            .map(|(status, settings)| OwnStatusSettings {
                status: status.as_str().into(),
                forwards: forwards(settings),
                items: items(settings),
            })
            .collect();
        if statuses.len() > MAX_STATUSES {
            return Err(format!(
                "statuses: {} statuses, expected at most {MAX_STATUSES}",
                statuses.len()
            ));
        }
        let mut user = UserItems::default();
        for item in UserSetting::ALL {
            if let Some(value) = object.get(item.name()) {
                // What cannot be read is left to the administrator.
                let _ = user.read(item, value);
            }
        }
        // An object of texts always serialises.
        let json = serde_json::to_string(&object).unwrap_or_default();
        match json.len() <= MAX_BYTES {
            true => Ok(Some(OwnSettings {
                json: json.into(),
                statuses,
                user,
            })),
            false => Err(too_long(json.len())),
        }
    }
}

pub(super) fn too_long(bytes: usize) -> String {
    format!("the settings have {bytes} bytes, expected at most {MAX_BYTES}")
}

/// Every forward of a status.
fn forwards(settings: &Value) -> Box<[OwnForward]> {
    let mut found = Vec::new();
    for origin in CallOrigin::ALL {
        for when in ForwardWhen::ALL {
            let item = settings
                .get(forward_member(origin))
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

/// Every other item of a status.
fn items(settings: &Value) -> OwnItems {
    let mut items = OwnItems::default();
    for item in StatusSetting::ALL {
        if let Some(value) = settings.get(item.name()) {
            // What cannot be read is left to the administrator.
            let _ = items.read(item, value);
        }
    }
    items
}
