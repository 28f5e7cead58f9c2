//! The account presence event.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;
use uuid::Builder;

use super::record::Record;
use crate::model::details::{Detail, Details};
use crate::model::flags::Flags;
use crate::model::time::Time;
use crate::model::visibility::{Seen, UserGroups, Viewer, Visibility};
use crate::world::Transition;

/// The body of an event, in the established format.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    extension_id: &'a str,
    /// The name in the directory; left out without one.
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
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

/// The body for readers from whom the user is now hidden.
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

/// The subscription for which an event is sent.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The path of the subscription.
    pub event: String,
    /// The id of the subscription.
    pub id: String,
}

impl Subscription {
    /// A new subscription with a unique id.
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

/// A transition in the form that the account's readers receive.
#[derive(Clone, Debug)]
pub struct Event {
    /// The name of the account.
    pub account: Arc<str>,
    /// The sequence number in the account.
    pub sequence: u64,
    /// The user's name.
    pub user: Arc<str>,
    /// The user's id.
    pub id: Arc<str>,
    /// Who may see the user after the change.
    visibility: Visibility,
    /// Who could see the user before the change.
    old_visibility: Visibility,
    /// The user's groups at that time.
    groups: UserGroups,
    /// The details that changed.
    pub changed: Details,
    uuid: Box<str>,
    at: Time,
    body: Box<str>,
    transition: Option<Arc<Transition>>,
    record: OnceLock<Box<str>>,
}

impl Event {
    /// The event of a transition at the time `at`.
    pub fn new(transition: &Arc<Transition>, at: Time) -> Self {
        let changed = transition.changed;
        let activity = transition.activity;
        let body = Body {
            extension_id: &transition.id,
            name: transition.contact.as_deref().map_or("", |it| &it.name),
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
        // Plain strings and numbers always serialise.
        let body = serde_json::to_string(&body).unwrap_or_default();
        let (account, sequence) = (transition.account.clone(), transition.sequence);
        Event {
            uuid: uuid(&account, sequence).into(),
            sequence,
            user: transition.user.clone(),
            id: transition.id.clone(),
            visibility: transition.visibility,
            old_visibility: transition.old_visibility,
            groups: transition.groups.clone(),
            changed,
            at,
            body: body.into(),
            transition: Some(transition.clone()),
            record: OnceLock::new(),
            account,
        }
    }

    /// When it happened, as this server's clock says.
    pub fn at(&self) -> Time {
        self.at
    }

    /// Whether the user was hidden from readers that nothing is known of, such as webhooks.
    pub fn is_hidden(&self) -> bool {
        self.visibility != Visibility::Everyone
    }

    /// Whether the reader could see the user right before the change and right after it.
    pub fn was_seen_by(&self, viewer: &Viewer) -> [bool; 2] {
        let seen = |visibility| {
            viewer.may_see(Seen {
                user: &self.user,
                account: &self.account,
                visibility,
                groups: &self.groups,
            })
        };
        let now = seen(self.visibility);
        match self.changed.has_visibility() {
            true => [seen(self.old_visibility), now],
            false => [now, now],
        }
    }

    /// The event as a JSON object.
    pub fn json(&self, subscription: &Subscription) -> String {
        self.enveloped(subscription, &self.body) + "}"
    }

    /// The event as a JSON object with the user's record after the transition. `look` makes the
    /// record; only the first call needs it.
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

    /// The event as a JSON object for other users: it only tells that the user is hidden.
    pub fn hidden_json(&self, subscription: &Subscription) -> String {
        let body = HiddenBody {
            extension_id: &self.id,
            sequence: self.sequence,
            allow_see_my_presence: false,
        };
        let body = serde_json::to_string(&body).unwrap_or_default();
        self.enveloped(subscription, &body) + "}"
    }

    /// The JSON object without its closing brace.
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

/// The time in ISO 8601, in UTC with milliseconds.
pub fn timestamp(time: Time) -> String {
    let time = UNIX_EPOCH + Duration::from_micros(time.micros());
    humantime::format_rfc3339_millis(time).to_string()
}

/// The UUID (version 8) of an event: the same for all readers, and different after each
/// start of the module.
fn uuid(account: &str, sequence: u64) -> String {
    static KEYS: LazyLock<[RandomState; 2]> =
        LazyLock::new(|| [RandomState::new(), RandomState::new()]);
    let [high, low] = KEYS.each_ref().map(|key| key.hash_one((account, sequence)));
    uuid_of((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
}

/// A UUID (version 8) from these bytes; six of their bits are replaced.
pub fn uuid_of(bytes: [u8; 16]) -> String {
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// Events for tests.
#[cfg(any(test, feature = "testing"))]
pub mod testing {
    use super::*;

    /// An event without content.
    pub fn event(account: &str, sequence: u64) -> Event {
        Event {
            account: account.into(),
            sequence,
            user: "alice".into(),
            id: "4711".into(),
            visibility: Visibility::Everyone,
            old_visibility: Visibility::Everyone,
            groups: None,
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
    fn a_uuid_is_valid_and_unique() {
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
    fn the_event_of_a_hidden_user_tells_nothing_else() {
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
        assert!(set.intersects(Details::NONE.with(Detail::Telephony, true)));
        assert!(!set.intersects(Details::NONE.with(Detail::Telephony, false)));
        assert!(
            Detail::ALL
                .iter()
                .all(|it| Detail::parse(it.name()) == Ok(*it))
        );
    }
}
