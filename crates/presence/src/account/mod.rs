//! Users as their account sees them: activity, records, and numbered events for each change.

mod activity;
mod event;
mod journal;
mod query;
mod record;
mod reservation;

pub use activity::{
    Activity, MeetingStatus, PresenceStatus, Telephony, TelephonyStatus, status_of,
};
#[cfg(any(test, feature = "testing"))]
pub use event::testing;
pub use event::{Detail, Details, Event, Subscription, uuid_of};
pub use journal::{Journal, Missed};
pub use query::{EventsQuery, ListQuery};
pub use record::Record;
pub use reservation::Reservation;
