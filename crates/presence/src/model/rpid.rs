//! Activities of a person in the words of RFC 4480 (RPID), as phones understand them.

use crate::model::words::words;

words! {
    /// What a person is doing. `other` and `unknown` of the RFC are left out: the first needs a
    /// text, the second forbids any other activity.
    pub enum PersonActivity: "activity" {
        /// At an appointment.
        Appointment = "appointment",
        /// Away from the phone.
        Away = "away",
        /// Eating breakfast.
        Breakfast = "breakfast",
        /// Busy, for no reason that is told.
        Busy = "busy",
        /// Eating dinner.
        Dinner = "dinner",
        /// On a public holiday.
        Holiday = "holiday",
        /// On the way.
        InTransit = "in-transit",
        /// Looking for work.
        LookingForWork = "looking-for-work",
        /// Eating; lunch too.
        Meal = "meal" | "lunch",
        /// In a meeting.
        Meeting = "meeting",
        /// In a call.
        OnThePhone = "on-the-phone",
        /// At a performance, such as a play or a concert.
        Performance = "performance",
        /// Gone for good.
        PermanentAbsence = "permanent-absence",
        /// At play.
        Playing = "playing",
        /// Giving or hearing a presentation.
        Presentation = "presentation",
        /// Shopping.
        Shopping = "shopping",
        /// Asleep.
        Sleeping = "sleeping",
        /// Watching a sports event.
        Spectator = "spectator",
        /// Driving.
        Steering = "steering",
        /// On a journey.
        Travel = "travel",
        /// Watching television.
        Tv = "tv",
        /// On vacation.
        Vacation = "vacation",
        /// At work.
        Working = "working",
        /// At worship.
        Worship = "worship",
    }
}

/// Parses activities that are separated by commas; none for an empty value.
///
/// # Errors
/// The unknown word, as a message that lists the expected words.
pub fn parse_list(value: &str) -> Result<Box<[PersonActivity]>, String> {
    let mut activities = Vec::new();
    if value.trim().is_empty() {
        return Ok(activities.into());
    }
    for word in value.split(',').map(str::trim) {
        let activity = PersonActivity::parse(word)?;
        if !activities.contains(&activity) {
            activities.push(activity);
        }
    }
    Ok(activities.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activities_are_separated_by_commas() {
        use PersonActivity::{Meal, Meeting, Travel};
        let parsed = |value| parse_list(value).map(|list| list.to_vec());
        assert_eq!(parsed(" "), Ok(vec![]));
        assert_eq!(parsed("Meeting"), Ok(vec![Meeting]));
        assert_eq!(
            parsed("travel, lunch ,meal"),
            Ok(vec![Travel, Meal]),
            "each once"
        );
        for wrong in ["meetin", "meeting,", ",", "other"] {
            let why = parsed(wrong).unwrap_err();
            assert!(why.starts_with("unknown activity"), "{why}");
        }
    }
}
