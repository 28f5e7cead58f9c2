//! What other versions have put into rows: this version cannot use it, and keeps it.
//!
//! A newer version may store fields that this one does not know, or values in them that it cannot
//! read. When the row is written again, it holds them as they were found, so that nothing is lost
//! when the newer version comes back. A field that both versions know, and that has changed
//! meanwhile, is written as this version has it.
//!
//! Therefore a new field must be true whatever becomes of the older fields beside it. What belongs
//! to one of them is put inside it: it stays as long as that does not change.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A row in the form of a JSON object.
pub(crate) trait JsonRow: Serialize + DeserializeOwned {
    /// The fields without which nothing can be read.
    const REQUIRED: &'static [&'static str];
    /// The field whose members are kept one by one, as the fields of the row are.
    const SET: Option<&'static str> = None;

    /// Leaves out values that can be read and mean nothing to this version.
    fn leave_out_unknown(&mut self) {}
}

/// The fields of one row that are kept.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct KeptFields {
    fields: Vec<KeptField>,
    /// Unknown members of [`JsonRow::SET`], and its name.
    members: Map<String, Value>,
    set: &'static str,
}

/// A field as it was found, and what this version would have written instead.
#[derive(Clone, PartialEq, Debug)]
struct KeptField {
    name: String,
    found: Value,
    understood: Option<Value>,
}

/// A row that was read.
pub(crate) struct ReadRow<T> {
    pub(crate) row: T,
    /// What the row has besides; mostly nothing.
    pub(crate) kept: Option<KeptFields>,
    /// The known fields that cannot be read.
    pub(crate) unreadable: Vec<String>,
}

/// Reads a row; `None` if it is no JSON object, or if a required field cannot be read.
pub(crate) fn read<T: JsonRow>(text: &str) -> Option<ReadRow<T>> {
    if let Ok(mut row) = serde_json::from_str::<T>(text) {
        row.leave_out_unknown();
        // What this version has written itself, which is almost every row.
        if serde_json::to_string(&row).is_ok_and(|again| again == text) {
            return Some(ReadRow {
                row,
                kept: None,
                unreadable: Vec::new(),
            });
        }
    }
    let found: Map<String, Value> = serde_json::from_str(text).ok()?;
    let (mut row, unreadable) = read_fields::<T>(&found)?;
    row.leave_out_unknown();
    let kept = KeptFields::between(&found, &object(&row)?, T::SET);
    Some(ReadRow {
        row,
        kept,
        unreadable,
    })
}

/// Reads every field that can be read, and returns the names of the others.
fn read_fields<T: JsonRow>(found: &Map<String, Value>) -> Option<(T, Vec<String>)> {
    let parse = |fields: &Map<String, Value>| {
        let fields = Value::Object(fields.clone());
        serde_json::from_value::<T>(fields).ok()
    };
    if let Some(row) = parse(found) {
        return Some((row, Vec::new()));
    }
    let is_required = |name: &str| T::REQUIRED.contains(&name);
    let (mut good, others): (Map<_, _>, Map<_, _>) = found
        .clone()
        .into_iter()
        .partition(|(name, _)| is_required(name));
    parse(&good)?;
    // Each beside the required ones alone: a row may have any number of fields.
    let required = good.clone();
    let mut unreadable = Vec::new();
    for (name, value) in others {
        let mut alone = required.clone();
        alone.insert(name.clone(), value.clone());
        match parse(&alone) {
            Some(_) => drop(good.insert(name, value)),
            None => unreadable.push(name),
        }
    }
    Some((parse(&good)?, unreadable))
}

fn object(row: &impl Serialize) -> Option<Map<String, Value>> {
    match serde_json::to_value(row) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}

impl KeptFields {
    /// What `found` has and `understood` has not.
    fn between(
        found: &Map<String, Value>,
        understood: &Map<String, Value>,
        set: Option<&'static str>,
    ) -> Option<Self> {
        let mut kept = KeptFields::default();
        for (name, value) in found {
            let known = understood.get(name);
            if known == Some(value) || is_default(value) {
                continue;
            }
            match (set.filter(|set| set == name), value) {
                (Some(set), Value::Object(members)) => {
                    let is_known =
                        |member: &String| known.is_some_and(|it| it.get(member).is_some());
                    let unknown = members.iter().filter(|(member, _)| !is_known(member));
                    kept.members = unknown.map(|(m, v)| (m.clone(), v.clone())).collect();
                    kept.set = set;
                }
                _ => kept.fields.push(KeptField {
                    name: name.clone(),
                    found: value.clone(),
                    understood: known.cloned(),
                }),
            }
        }
        (!kept.is_empty()).then_some(kept)
    }

    fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.members.is_empty()
    }

    /// The names of what is kept.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        let fields = self.fields.iter().map(|field| field.name.clone());
        let members = self.members.keys();
        fields.chain(members.map(|member| format!("{}.{member}", self.set)))
    }

    /// Puts what is kept into a row that is written. A field that has changed is kept no more.
    pub(crate) fn put_into(&mut self, row: &mut Map<String, Value>) {
        self.fields
            .retain(|field| row.get(&field.name) == field.understood.as_ref());
        for field in &self.fields {
            row.insert(field.name.clone(), field.found.clone());
        }
        if self.members.is_empty() {
            return;
        }
        let set = row.entry(self.set).or_insert_with(|| Map::new().into());
        if let Value::Object(set) = set {
            for (member, value) in &self.members {
                set.entry(member).or_insert_with(|| value.clone());
            }
        }
    }
}

/// Whether a field says no more than its absence does.
fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::world::stored::{SourceRow, UserRow};

    /// Reads a row and writes it again after a change.
    fn again(text: &Value, change: impl FnOnce(&mut Map<String, Value>)) -> Value {
        let read = read::<UserRow>(&text.to_string()).unwrap();
        let mut row = object(&read.row).unwrap();
        change(&mut row);
        if let Some(mut kept) = read.kept {
            kept.put_into(&mut row);
        }
        row.into()
    }

    #[test]
    fn what_this_version_writes_itself_keeps_nothing() {
        for text in [
            r#"{"sequence":7}"#,
            r#"{"status":"away","flags":{"pickUpCallsOnHold":true},"sequence":7}"#,
            // An older one, and another order.
            "{}",
            r#"{"sequence":7,"panel":false,"status":"away"}"#,
        ] {
            assert_eq!(read::<UserRow>(text).unwrap().kept, None, "{text}");
        }
        let source = r#"{"state":"away","since":5,"timed":[]}"#;
        assert_eq!(read::<SourceRow>(source).unwrap().kept, None);
    }

    #[test]
    fn unknown_fields_stay_and_changed_ones_are_this_versions() {
        let found = json!({
            "format": 2, "mood": {"colour": "red"}, "sequence": 7, "dnd_status": "AcceptHalf",
            "own": {"state": "away", "since": 5, "mood": "fine"},
            "flags": {"pickUpCallsOnHold": true, "dances": true},
        });
        assert_eq!(again(&found, |_| {}), found);
        // Another flag and another number: everything else is as it was.
        let mut expected = found.clone();
        expected["sequence"] = 8.into();
        expected["flags"] = json!({"ringOnMonitoredCall": true, "dances": true});
        let changed = again(&found, |row| {
            row.insert("sequence".into(), 8.into());
            row.insert("flags".into(), json!({"ringOnMonitoredCall": true}));
        });
        assert_eq!(changed, expected);
        // Another status: what belongs to the old one goes with it.
        let own = json!({"state": "dnd", "since": 9});
        let changed = again(&found, |row| drop(row.insert("own".into(), own.clone())));
        assert_eq!(changed["own"], own);
        assert_eq!(changed["mood"], found["mood"]);
    }

    #[test]
    fn a_field_that_cannot_be_read_leaves_the_others() {
        let found =
            json!({"own": {"state": "asleep", "since": 5}, "status": "away", "sequence": 7});
        let read_row = read::<UserRow>(&found.to_string()).unwrap();
        assert_eq!(read_row.unreadable, ["own"]);
        assert_eq!(read_row.row.status.as_deref(), Some("away"));
        assert_eq!(read_row.row.sequence, 7);
        assert_eq!(again(&found, |_| {}), found);
        // Once replaced, it does not come back.
        let mut kept = read_row.kept.unwrap();
        let mut row = object(&read_row.row).unwrap();
        row.insert("own".into(), json!({"state": "dnd", "since": 9}));
        kept.put_into(&mut row);
        row.remove("own");
        kept.put_into(&mut row);
        assert_eq!(row.get("own"), None);

        assert!(read::<UserRow>("[]").is_none() && read::<UserRow>("nonsense").is_none());
        let source = json!({"state": "asleep", "since": 5, "timed": []});
        assert!(read::<SourceRow>(&source.to_string()).is_none());
        let source =
            json!({"state": "away", "since": 5, "timed": [{"user": "x", "state": "asleep"}]});
        let source = read::<SourceRow>(&source.to_string()).unwrap();
        assert_eq!(source.unreadable, ["timed"]);
    }
}
