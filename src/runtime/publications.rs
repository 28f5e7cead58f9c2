//! What phones publish of themselves (SIP PUBLISH).
//!
//! A publication belongs to Asterisk: it goes on while the module is not loaded, and a refresh
//! of it has no body. So what is alive is kept for as long as the process lives, and the world
//! is told anew at each load and reload.

use std::collections::HashMap;
use std::sync::Arc;

use super::Runtime;
use crate::sync::Mutex;
use presence::Time;
use presence::model::publication::{BodyRefused, Publication};
use presence::world::{Change, Latest, World};

/// The most publications of an endpoint at a time. A phone has one; it leaves another behind
/// when it is switched off and on before that has expired.
pub const MOST_PER_ENDPOINT: usize = 10;

/// One publication.
struct KeptPublication {
    number: usize,
    latest: Latest,
}

/// Every publication that is alive in Asterisk, by the endpoint's name.
#[derive(Default)]
pub struct Publications(Mutex<HashMap<Box<str>, Vec<KeptPublication>>>);

impl Publications {
    /// Whether the endpoint may have another publication.
    pub fn has_room(&self, endpoint: &str) -> bool {
        let all = self.0.lock();
        all.get(endpoint)
            .is_none_or(|of| of.len() < MOST_PER_ENDPOINT)
    }

    /// Whether the endpoint has that publication.
    pub fn contains(&self, endpoint: &str, number: usize) -> bool {
        let all = self.0.lock();
        let mut of = all.get(endpoint).into_iter().flatten();
        of.any(|entry| entry.number == number)
    }

    /// The number of publications that are alive.
    pub fn count(&self) -> usize {
        self.0.lock().values().map(Vec::len).sum()
    }

    /// Puts in what a publication says now; `at` is taken where that is news.
    fn put(&self, endpoint: &str, number: usize, publication: Publication, at: Time) {
        let mut all = self.0.lock();
        let of = all.entry(endpoint.into()).or_default();
        match of.iter_mut().find(|entry| entry.number == number) {
            Some(entry) if *entry.latest.publication == publication => {}
            Some(entry) => entry.latest = latest(publication, at),
            None => of.push(KeptPublication {
                number,
                latest: latest(publication, at),
            }),
        }
    }

    fn remove(&self, endpoint: &str, number: usize) {
        let mut all = self.0.lock();
        if let Some(of) = all.get_mut(endpoint) {
            of.retain(|entry| entry.number != number);
            if of.is_empty() {
                all.remove(endpoint);
            }
        }
    }

    /// What the endpoint has published last.
    fn latest(&self, endpoint: &str) -> Option<Latest> {
        let all = self.0.lock();
        newest(all.get(endpoint)?).cloned()
    }

    /// The endpoints that publish.
    fn endpoints(&self) -> Vec<Box<str>> {
        self.0.lock().keys().cloned().collect()
    }

    /// What each device has published last.
    pub fn all(&self) -> Vec<(String, Latest)> {
        let all = self.0.lock();
        let newest = all.iter().filter_map(|(endpoint, of)| {
            let latest = newest(of)?.clone();
            Some((device_of(endpoint), latest))
        });
        newest.collect()
    }
}

fn latest(publication: Publication, at: Time) -> Latest {
    Latest {
        publication: Arc::new(publication),
        at,
    }
}

fn newest(of: &[KeptPublication]) -> Option<&Latest> {
    of.iter()
        .map(|entry| &entry.latest)
        .max_by_key(|latest| latest.at)
}

/// The device of an endpoint.
fn device_of(endpoint: &str) -> String {
    format!("PJSIP/{endpoint}")
}

impl Runtime {
    /// What is alive of publications.
    pub fn publications(&self) -> &Publications {
        &self.kept.publications
    }

    /// A publication of an endpoint was created, or says something else.
    fn on_published(&self, endpoint: &str, number: usize, publication: Publication) {
        let mut new = Some(publication);
        let publications = self.publications();
        self.update(|world, now| {
            // Under the lock of the world, which gives the changes their order.
            let at = world.stamp(now);
            if let Some(new) = new.take() {
                publications.put(endpoint, number, new, at);
            }
            ((), self.take_over(world, endpoint, now))
        });
        // The module stops: the next load takes it over.
        if let Some(new) = new {
            publications.put(endpoint, number, new, self.now());
        }
    }

    /// Tells the world what the endpoint publishes now.
    fn take_over(
        &self,
        world: &mut World,
        endpoint: &str,
        now: Time,
    ) -> Vec<presence::world::Effect> {
        let latest = self.publications().latest(endpoint);
        let change = Change::Published {
            device: &device_of(endpoint),
            latest: latest.as_ref(),
        };
        world.apply(&change, now)
    }

    /// A publication of an endpoint has ended.
    fn on_publication_ended(&self, endpoint: &str, number: usize) {
        self.publications().remove(endpoint, number);
        self.update(|world, now| ((), self.take_over(world, endpoint, now)));
    }

    /// A load: takes over what is alive.
    pub fn read_publications(&self) {
        for endpoint in self.publications().endpoints() {
            self.update(|world, now| ((), self.take_over(world, &endpoint, now)));
        }
    }

    /// A PUBLISH was refused because of its body: one warning for each endpoint and reason.
    pub fn warn_of_body(&self, endpoint: &str, why: &BodyRefused) {
        let kind = format!("publication {}", why.sip_status());
        self.warn_once(&kind, endpoint, || {
            let (endpoint, status) = (presence::model::text::quoted(endpoint), why.sip_status());
            format!(
                "A PUBLISH of endpoint '{endpoint}' is refused with {status}: {why}. Further ones \
                 like it are not reported"
            )
        });
    }
}

// The same in a process where the module may not be loaded.

/// See [`Publications::has_room`].
pub fn has_room(endpoint: &str) -> bool {
    super::kept().publications.has_room(endpoint)
}

/// See [`Publications::contains`].
pub fn contains(endpoint: &str, number: usize) -> bool {
    super::kept().publications.contains(endpoint, number)
}

/// A publication of an endpoint was created, or says something else.
pub fn changed(endpoint: &str, number: usize, publication: Publication) {
    match super::current() {
        Some(runtime) => runtime.on_published(endpoint, number, publication),
        None => {
            let kept = super::kept();
            kept.publications
                .put(endpoint, number, publication, Time::now());
        }
    }
}

/// A publication of an endpoint has ended.
pub fn ended(endpoint: &str, number: usize) {
    match super::current() {
        Some(runtime) => runtime.on_publication_ended(endpoint, number),
        None => super::kept().publications.remove(endpoint, number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(note: &str) -> Publication {
        Publication {
            note: note.into(),
            ..Publication::default()
        }
    }

    fn note(publications: &Publications) -> Option<String> {
        let latest = publications.latest("201")?;
        Some(latest.publication.note.to_string())
    }

    #[test]
    fn the_publication_that_changed_last_counts() {
        let publications = Publications::default();
        let put = |number, text, at| {
            publications.put("201", number, says(text), Time::from_millis(at));
            note(&publications)
        };
        assert_eq!(put(1, "a", 1).as_deref(), Some("a"));
        assert_eq!(put(2, "b", 2).as_deref(), Some("b"));
        assert_eq!(put(1, "a", 3).as_deref(), Some("b"), "nothing new");
        assert_eq!(put(1, "c", 4).as_deref(), Some("c"));
        publications.remove("201", 1);
        publications.remove("201", 1);
        assert_eq!(note(&publications).as_deref(), Some("b"));
        assert!(publications.contains("201", 2) && !publications.contains("202", 2));
        publications.remove("201", 2);
        assert_eq!((note(&publications), publications.count()), (None, 0));
        assert!(publications.all().is_empty());
    }

    #[test]
    fn the_publications_of_an_endpoint_are_limited() {
        let publications = Publications::default();
        for number in 0..MOST_PER_ENDPOINT {
            assert!(publications.has_room("201"));
            publications.put("201", number, says(""), Time::NEVER);
        }
        assert!(!publications.has_room("201") && publications.has_room("202"));
    }
}
