//! The account presence event.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;
use uuid::Builder;

use super::record::Record;
use crate::model::details::{Detail, Details};
use crate::model::flags::{Flag, Flags};
use crate::model::time::Time;
use crate::world::Transition;

/// The body, as others know it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    extension_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    telephony_status: Option<&'static str>,
    sequence: u64,
    presence_status: &'static str,
    user_status: &'static str,
    meeting_status: &'static str,
    dnd_status: &'static str,
    #[serde(flatten)]
    flags: Flags,
}

/// The body for a user who is not to be seen any more.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HiddenBody<'a> {
    extension_id: &'a str,
    sequence: u64,
    allow_see_my_presence: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    uuid: &'a str,
    event: &'a str,
    timestamp: String,
    subscription_id: &'a str,
    owner_id: &'a str,
}

/// What an event is sent for.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The path that was subscribed.
    pub event: String,
    /// Its id.
    pub id: String,
}

impl Subscription {
    /// A new one, with an id that no other has.
    pub fn new(event: String) -> Self {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let id = uuid("", number);
        Subscription { event, id }
    }

    /// The path of an account's presence.
    pub fn path(account: &str) -> String {
        format!("/userpresence/v1/account/{account}/presence")
    }
}

/// One transition as the account's readers are told of it.
#[derive(Clone, Debug)]
pub struct Event {
    /// The account.
    pub account: Arc<str>,
    /// The account's number for it.
    pub sequence: u64,
    /// Whose.
    pub user: Arc<str>,
    /// The user's id.
    pub id: Arc<str>,
    /// Whether the user is to be seen by nobody else.
    pub hidden: bool,
    /// What changed.
    pub changed: Details,
    uuid: Box<str>,
    at: Time,
    body: Box<str>,
    transition: Option<Arc<Transition>>,
    record: OnceLock<Box<str>>,
}

impl Event {
    /// Of a transition.
    pub fn new(transition: &Arc<Transition>, at: Time) -> Self {
        let changed = transition.changed;
        let activity = transition.activity;
        let body = Body {
            extension_id: &transition.id,
            telephony_status: changed
                .has(Detail::Telephony)
                .then(|| activity.telephony.name()),
            sequence: transition.sequence,
            presence_status: activity.presence.name(),
            user_status: activity.user.name(),
            meeting_status: activity.meeting.name(),
            dnd_status: transition.dnd_status.name(),
            flags: transition.flags,
        };
        // Plain texts and numbers always serialise.
        let body = serde_json::to_string(&body).unwrap_or_default();
        let (account, sequence) = (transition.account.clone(), transition.sequence);
        Event {
            uuid: uuid(&account, sequence).into(),
            sequence,
            user: transition.user.clone(),
            id: transition.id.clone(),
            hidden: !transition.flags.get(Flag::AllowSeeMyPresence),
            changed,
            at,
            body: body.into(),
            transition: Some(transition.clone()),
            record: OnceLock::new(),
            account,
        }
    }

    /// The JSON object that is sent.
    pub fn json(&self, subscription: &Subscription) -> String {
        self.enveloped(subscription, &self.body) + "}"
    }

    /// The same with the user's record after the transition, which `look` finds: it is made
    /// for the first one who asks.
    pub fn json_with_record(
        &self,
        subscription: &Subscription,
        look: impl FnOnce(&Transition) -> Option<Record>,
    ) -> String {
        let record = self.record.get_or_init(|| {
            let record = self.transition.as_deref().and_then(look);
            record.as_ref().map(Record::json).unwrap_or_default().into()
        });
        let mut json = self.enveloped(subscription, &self.body);
        if !record.is_empty() {
            json.push_str(",\"record\":");
            json.push_str(record);
        }
        json.push('}');
        json
    }

    /// The same for others than the user: that the user is not to be seen, nothing else.
    pub fn hidden_json(&self, subscription: &Subscription) -> String {
        let body = HiddenBody {
            extension_id: &self.id,
            sequence: self.sequence,
            allow_see_my_presence: false,
        };
        let body = serde_json::to_string(&body).unwrap_or_default();
        self.enveloped(subscription, &body) + "}"
    }

    /// Without its last brace.
    fn enveloped(&self, subscription: &Subscription, body: &str) -> String {
        let head = Head {
            uuid: &self.uuid,
            event: &subscription.event,
            timestamp: timestamp(self.at),
            subscription_id: &subscription.id,
            owner_id: &self.id,
        };
        let mut json = serde_json::to_string(&head).unwrap_or_default();
        json.pop();
        json.push_str(",\"body\":");
        json.push_str(body);
        json
    }
}

/// ISO 8601 in UTC, with milliseconds.
pub fn timestamp(time: Time) -> String {
    let time = UNIX_EPOCH + Duration::from_micros(time.micros());
    humantime::format_rfc3339_millis(time).to_string()
}

/// A UUID (version 8) that names one event: the same whoever is sent it, and different
/// after each start.
fn uuid(account: &str, sequence: u64) -> String {
    static KEYS: LazyLock<[RandomState; 2]> =
        LazyLock::new(|| [RandomState::new(), RandomState::new()]);
    let [high, low] = KEYS.each_ref().map(|key| key.hash_one((account, sequence)));
    uuid_of((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
}

/// These bytes as a UUID (version 8): all but six bits of them.
pub fn uuid_of(bytes: [u8; 16]) -> String {
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// Events for tests.
#[cfg(any(test, feature = "testing"))]
pub mod testing {
    use super::*;

    /// An event of no content.
    pub fn event(account: &str, sequence: u64) -> Event {
        Event {
            account: account.into(),
            sequence,
            user: "alice".into(),
            id: "4711".into(),
            hidden: false,
            changed: Details::NONE,
            uuid: uuid(account, sequence).into(),
            at: Time::NEVER,
            body: "{}".into(),
            transition: None,
            record: OnceLock::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uuid_is_one() {
        let one = uuid("main", 1);
        assert_eq!(one.len(), 36);
        assert_eq!(one.as_bytes()[14], b'8');
        assert!(matches!(one.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        assert_eq!(one, uuid("main", 1));
        assert_ne!(one, uuid("main", 2));
        assert_ne!(one, uuid("other", 1));
    }

    #[test]
    fn times_are_iso_8601() {
        let time = Time::from_millis(1_763_800_000_123);
        assert_eq!(timestamp(time), "2025-11-22T08:26:40.123Z");
    }

    #[test]
    fn of_a_hidden_user_nothing_else_is_told() {
        let subscription = Subscription {
            event: Subscription::path("main"),
            id: "1".into(),
        };
        let event = testing::event("main", 7);
        let uuid = uuid("main", 7);
        assert_eq!(
            event.hidden_json(&subscription),
            format!(
                "{{\"uuid\":\"{uuid}\",\"event\":\"/userpresence/v1/account/main/presence\",\
                 \"timestamp\":\"{}\",\"subscriptionId\":\"1\",\"ownerId\":\"4711\",\
                 \"body\":{{\"extensionId\":\"4711\",\"sequence\":7,\
                 \"allowSeeMyPresence\":false}}}}",
                timestamp(Time::NEVER)
            )
        );
        let told = event.json_with_record(&subscription, |_| None);
        assert!(
            told.ends_with("\"ownerId\":\"4711\",\"body\":{}}"),
            "{told}"
        );
    }

    #[test]
    fn details_are_a_set() {
        let set: Details = [Detail::Telephony, Detail::Status].into_iter().collect();
        assert!(set.has(Detail::Status) && !set.has(Detail::Dnd));
        assert!(set.meets(Details::NONE.with(Detail::Telephony, true)));
        assert!(!set.meets(Details::NONE.with(Detail::Telephony, false)));
        assert!(
            Detail::ALL
                .iter()
                .all(|it| Detail::parse(it.name()) == Ok(*it))
        );
    }
}
