//! Users as their account sees them: activity, records, and numbered events for each change.

mod event;
mod event_id;
mod journal;
mod query;
mod record;
mod reservation;
mod timeline;

pub use crate::model::activity::{
    Activity, MeetingStatus, PresenceStatus, Telephony, TelephonyStatus, status_of,
};
pub use crate::model::details::{Detail, Details};
#[cfg(any(test, feature = "testing"))]
pub use event::testing;
pub use event::{Event, Subscription, timestamp, uuid_of};
pub use event_id::{EventId, LastEventId};
pub use journal::{Journal, Missed};
pub use query::{EventsQuery, ListQuery, wants_group};
pub use record::{FullRecord, Record};
pub use reservation::Reservation;
pub use timeline::Timeline;
