//! Places for readers of the feed, of which there are few: each is a thread and a connection.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Who has how many places. The sum is all that are taken.
#[derive(Debug)]
pub struct Places(Mutex<Option<HashMap<Arc<str>, u32>>>);

/// Why there is no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    /// All are taken.
    All,
    /// The caller has its share.
    Share,
}

/// One caller's place; dropping it gives it back.
#[derive(Debug)]
#[must_use = "dropping it gives it back"]
pub struct Place {
    of: &'static Places,
    caller: Arc<str>,
}

impl Places {
    /// None is taken.
    pub const fn empty() -> Self {
        Places(Mutex::new(None))
    }

    /// Takes one of `most` places, of which a caller may have half: one who takes all that
    /// it gets leaves some to the others.
    ///
    /// # Errors
    /// Says what is full.
    pub fn take(&'static self, caller: &Arc<str>, most: u32) -> Result<Place, Full> {
        let mut taken = self.0.lock();
        let taken = taken.get_or_insert_default();
        if taken.values().sum::<u32>() >= most {
            return Err(Full::All);
        }
        if taken
            .get(caller)
            .is_some_and(|own| *own >= most.div_ceil(2))
        {
            return Err(Full::Share);
        }
        *taken.entry(caller.clone()).or_default() += 1;
        Ok(Place {
            of: self,
            caller: caller.clone(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.of.0.lock();
        let taken = taken.get_or_insert_default();
        if let Some(own) = taken.get_mut(&self.caller) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many places as there are for one caller.
    fn all_of(places: &'static Places, caller: &str, most: u32) -> (Vec<Place>, Full) {
        let (caller, mut taken) = (Arc::from(caller), Vec::new());
        loop {
            match places.take(&caller, most) {
                Ok(place) => taken.push(place),
                Err(full) => return (taken, full),
            }
        }
    }

    #[test]
    fn one_caller_has_half_and_leaves_the_rest_to_others() {
        static PLACES: Places = Places::empty();
        let (first, full) = all_of(&PLACES, "first", 5);
        assert_eq!((first.len(), full), (3, Full::Share));
        let (second, full) = all_of(&PLACES, "second", 5);
        assert_eq!((second.len(), full), (2, Full::All));
        drop(first);
        assert_eq!(all_of(&PLACES, "third", 5).0.len(), 3);
        drop(second);
        assert!(PLACES.0.lock().as_ref().unwrap().is_empty());
        assert_eq!(all_of(&PLACES, "first", 1).0.len(), 1);
        assert_eq!(all_of(&PLACES, "first", 0).0.len(), 0);
    }

    #[test]
    fn many_at_a_time_get_no_more_than_there_are() {
        static PLACES: Places = Places::empty();
        let got = std::thread::scope(|scope| {
            let take = |caller: usize| all_of(&PLACES, &caller.to_string(), 20).0;
            let takers: Vec<_> = (0..8)
                .map(|caller| scope.spawn(move || take(caller)))
                .collect();
            let places = takers.into_iter().map(|taker| taker.join().unwrap());
            places.collect::<Vec<_>>()
        });
        assert_eq!(got.iter().map(Vec::len).sum::<usize>(), 20);
    }
}
