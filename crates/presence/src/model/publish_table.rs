//! The presence that a phone's publication means: a section of `type = publish_table`.

use std::sync::Arc;

use super::publication::Publication;
use super::state::{Presence, State};
use super::status::{StatusType, Statuses};
use super::words::words;

words! {
    /// What a phone can say of itself: an activity of RFC 4480, a word that phones use beside
    /// these, or whether it is open. Words are compared without regard to case, hyphens or
    /// underscores.
    #[repr(u8)]
    pub enum PhoneWord: "activity", compared by same_word {
        /// No activity, and the phone can be reached.
        Open = "open",
        /// No activity, and the phone cannot be reached.
        Closed = "closed",
        /// Available, in words that RFC 4480 does not have.
        Available = "available" | "online" | "idle",
        /// Free to chat.
        Chat = "chat",
        /// Away.
        Away = "away",
        /// Away for longer.
        ExtendedAway = "extended_away" | "xa",
        /// Busy.
        Busy = "busy",
        /// Do not disturb, in words that RFC 4480 does not have.
        Dnd = "dnd" | "do_not_disturb",
        /// In a call.
        OnThePhone = "on_the_phone",
        /// Called, in a word of one vendor.
        Alerting = "alerting",
        /// At an appointment.
        Appointment = "appointment",
        /// At a meeting.
        Meeting = "meeting",
        /// Gives or attends a presentation.
        Presentation = "presentation",
        /// At a performance.
        Performance = "performance",
        /// Worships.
        Worship = "worship",
        /// Steers a vehicle.
        Steering = "steering",
        /// Has breakfast.
        Breakfast = "breakfast",
        /// Has lunch.
        Lunch = "lunch",
        /// Has dinner.
        Dinner = "dinner",
        /// Has a meal.
        Meal = "meal",
        /// On the way.
        InTransit = "in_transit",
        /// Plays.
        Playing = "playing",
        /// Shops.
        Shopping = "shopping",
        /// Watches an event.
        Spectator = "spectator",
        /// Watches television.
        Tv = "tv",
        /// Sleeps.
        Sleeping = "sleeping",
        /// On a holiday.
        Holiday = "holiday",
        /// On vacation.
        Vacation = "vacation",
        /// On a journey.
        Travel = "travel",
        /// Will not return.
        PermanentAbsence = "permanent_absence",
        /// Works.
        Working = "working",
        /// Looks for work.
        LookingForWork = "looking_for_work",
    }
}

fn same_word(a: &str, b: &str) -> bool {
    let letters = |word: &str| -> String {
        let letters = word.chars().filter(|c| !matches!(c, '-' | '_' | ' '));
        letters.map(|c| c.to_ascii_lowercase()).collect()
    };
    letters(a) == letters(b)
}

impl PhoneWord {
    /// Whether another activity says more: `busy` beside `meeting`.
    const fn is_general(self) -> bool {
        matches!(
            self,
            PhoneWord::Open
                | PhoneWord::Closed
                | PhoneWord::Available
                | PhoneWord::Away
                | PhoneWord::Busy
        )
    }

    /// The presence in the built-in table.
    fn built_in(self) -> Presence {
        // The subtype is the word as RFC 4480 writes it.
        let detailed = |state| Presence::new(state, &self.name().replace('_', "-"), "");
        match self {
            PhoneWord::Open | PhoneWord::Available | PhoneWord::Alerting => State::Available.into(),
            PhoneWord::Closed => State::Unavailable.into(),
            PhoneWord::Chat => State::Chat.into(),
            PhoneWord::Away => State::Away.into(),
            PhoneWord::ExtendedAway => State::Xa.into(),
            PhoneWord::Busy | PhoneWord::Dnd => State::Dnd.into(),
            // Nobody who merely talks is shown as 'Do not disturb': the device's state tells
            // of the call.
            PhoneWord::OnThePhone | PhoneWord::Working | PhoneWord::LookingForWork => {
                detailed(State::Available)
            }
            PhoneWord::Appointment
            | PhoneWord::Meeting
            | PhoneWord::Presentation
            | PhoneWord::Performance
            | PhoneWord::Worship
            | PhoneWord::Steering => detailed(State::Dnd),
            PhoneWord::Breakfast
            | PhoneWord::Lunch
            | PhoneWord::Dinner
            | PhoneWord::Meal
            | PhoneWord::InTransit
            | PhoneWord::Playing
            | PhoneWord::Shopping
            | PhoneWord::Spectator
            | PhoneWord::Tv => detailed(State::Away),
            PhoneWord::Sleeping
            | PhoneWord::Holiday
            | PhoneWord::Vacation
            | PhoneWord::Travel
            | PhoneWord::PermanentAbsence => detailed(State::Xa),
        }
    }
}

/// The presence that each word of a phone means: a section of `type = publish_table`.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct PublishTable {
    /// The section's name.
    pub name: Box<str>,
    /// The presences, indexed by [`PhoneWord`]; one that is `not_set` is not used.
    presences: Box<[Presence]>,
}

impl Default for PublishTable {
    fn default() -> Self {
        PublishTable {
            name: Self::PUBLISH.into(),
            presences: PhoneWord::ALL.map(PhoneWord::built_in).into(),
        }
    }
}

impl PublishTable {
    /// The name of the table that is used where no other is named.
    pub const PUBLISH: &'static str = "publish";

    /// The presence that a word means; `not_set` for a word that is ignored.
    pub fn get(&self, word: PhoneWord) -> &Presence {
        &self.presences[word as usize]
    }

    /// Sets the presence that a word means; `not_set` for a word that is to be ignored.
    pub fn set(&mut self, word: PhoneWord, presence: Presence) {
        self.presences[word as usize] = presence;
    }

    /// The presence that a publication means; `not_set` if it means none.
    ///
    /// 1. The text of an `im` element or the note, if it is the name or label of a configured
    ///    status type: the person has chosen it.
    /// 2. The first activity in the table that says more than `away` or `busy`, else the first
    ///    one in the table.
    /// 3. Whether the phone is open.
    ///
    /// The note is the message, unless it only repeats the status; without a note, the table's
    /// entry may have a message.
    pub fn presence_of(&self, publication: &Publication, statuses: &Statuses) -> Presence {
        let note = &*publication.note;
        let named = [&*publication.im, note];
        let named = named.iter().find_map(|text| named_status(text, statuses));
        let meant = named.or_else(|| self.of_activities(publication).cloned());
        let meant = meant.or_else(|| {
            let word = match publication.open? {
                true => PhoneWord::Open,
                false => PhoneWord::Closed,
            };
            Some(self.get(word).clone())
        });
        let Some(meant) = meant.filter(Presence::is_set) else {
            return Presence::NOT_SET;
        };
        let text = if note.is_empty() {
            &*publication.im
        } else {
            note
        };
        let repeats = statuses.iter().any(|status| {
            is_called(status, text)
                && status.maps_to.as_ref().map(Presence::state) == Some(meant.state())
        });
        match text.is_empty() || repeats {
            true => meant,
            false => Presence::new(meant.state(), meant.subtype(), text),
        }
    }

    fn of_activities(&self, publication: &Publication) -> Option<&Presence> {
        let words = publication.activities.iter();
        let words = words.filter_map(|word| PhoneWord::parse(word).ok());
        let known = words.filter(|word| self.get(*word).is_set());
        let detailed = known.clone().find(|word| !word.is_general());
        let word = detailed.or_else(|| known.clone().next())?;
        Some(self.get(word))
    }
}

fn is_called(status: &StatusType, text: &str) -> bool {
    status.name.eq_ignore_ascii_case(text) || status.label.to_lowercase() == text.to_lowercase()
}

/// The presence of the configured status type that is called so. The states are no answer: a
/// phone may write 'Available' into a note beside any activity.
fn named_status(text: &str, statuses: &Statuses) -> Option<Presence> {
    if text.is_empty() {
        return None;
    }
    let mut configured = statuses.iter().filter(|status| !status.is_built_in());
    let found: Option<&Arc<StatusType>> = configured.find(|status| is_called(status, text));
    found?.maps_to.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publication(open: Option<bool>, activities: &[&str], im: &str, note: &str) -> Publication {
        Publication {
            open,
            activities: activities.iter().map(|it| (*it).into()).collect(),
            im: im.into(),
            note: note.into(),
        }
    }

    fn statuses() -> Statuses {
        let mut statuses = Statuses::default();
        statuses.put(StatusType {
            name: "lunch".into(),
            label: "At lunch".into(),
            maps_to: Some(Presence::new(State::Away, "lunch", "")),
            ..StatusType::built_in(State::Away)
        });
        statuses.put(StatusType {
            name: "nothing".into(),
            label: "Nothing".into(),
            maps_to: None,
            ..StatusType::built_in(State::Away)
        });
        statuses
    }

    fn meant(open: Option<bool>, activities: &[&str], im: &str, note: &str) -> String {
        let publication = publication(open, activities, im, note);
        let presence = PublishTable::default().presence_of(&publication, &statuses());
        presence.to_string()
    }

    #[test]
    fn the_most_specific_known_activity_comes_before_open_and_closed() {
        assert_eq!(meant(Some(true), &[], "", ""), "available");
        assert_eq!(meant(Some(false), &[], "", ""), "unavailable");
        assert_eq!(meant(None, &[], "", "note"), "not_set");
        assert_eq!(meant(Some(true), &["away"], "", ""), "away");
        assert_eq!(
            meant(Some(true), &["busy", "Meeting"], "", ""),
            "dnd (meeting)"
        );
        assert_eq!(
            meant(Some(false), &["on_the_phone"], "", ""),
            "available (on-the-phone)"
        );
        assert_eq!(
            meant(Some(true), &["knitting", "unknown"], "", ""),
            "available"
        );
        assert_eq!(
            meant(None, &["knitting", "vacation"], "", ""),
            "xa (vacation)"
        );
    }

    #[test]
    fn a_note_is_the_message_unless_it_repeats_the_status() {
        assert_eq!(
            meant(Some(true), &["away"], "", "Back at one"),
            "away \"Back at one\""
        );
        assert_eq!(meant(Some(true), &["away"], "", "Away"), "away");
        assert_eq!(
            meant(Some(true), &["busy"], "", "Available"),
            "dnd \"Available\""
        );
        assert_eq!(meant(Some(false), &[], "Gone", ""), "unavailable \"Gone\"");
    }

    #[test]
    fn the_name_or_label_of_a_status_type_chooses_it() {
        assert_eq!(meant(Some(true), &[], "LUNCH", ""), "away (lunch)");
        assert_eq!(meant(Some(true), &["busy"], "", "at lunch"), "away (lunch)");
        let both = meant(Some(true), &[], "Lunch", "Back at one");
        assert_eq!(both, "away (lunch) \"Back at one\"");
        assert_eq!(
            meant(Some(true), &[], "nothing", ""),
            "available \"nothing\""
        );
    }

    #[test]
    fn a_word_that_is_not_set_in_the_table_is_ignored() {
        let mut table = PublishTable::default();
        table.set(PhoneWord::Open, Presence::NOT_SET);
        table.set(PhoneWord::Busy, Presence::NOT_SET);
        let of = |publication| table.presence_of(&publication, &statuses()).to_string();
        assert_eq!(of(publication(Some(true), &[], "", "note")), "not_set");
        assert_eq!(
            of(publication(Some(false), &["busy"], "", "")),
            "unavailable"
        );
    }
}
