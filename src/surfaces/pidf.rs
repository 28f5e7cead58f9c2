//! The presence of users in the bodies that SIP phones get.

use crate::convert;
use crate::runtime;
use asterisk::pjproject::XmlNode;
use asterisk::pjsip::body_supplement::{NotifiedHint, PidfSupplement};
use presence::Presence;
use presence::model::rpid::PersonActivity;
use presence::model::text::mended;
use presence::views::pidf::{self, Element, ToldPresence};

/// Completes the bodies of hints with users.
pub struct UserPresencePidf;

/// The longest body that Asterisk sends in a NOTIFY, in bytes: it gives the text 128 bytes, and
/// doubles them four times.
const NOTIFY_LIMIT: usize = 2047;
/// The same in a PUBLISH, which begins with 64 bytes, and never has a User-Agent.
const PUBLISH_LIMIT: usize = 1023;

impl PidfSupplement for UserPresencePidf {
    fn content(body: XmlNode<'_>, hint: NotifiedHint<'_>) -> Option<Vec<u8>> {
        crate::trip("pidf");
        let runtime = runtime::current()?;
        let settings = runtime.read(|world| {
            let settings = &world.directory().settings;
            settings.sip.presence.then(|| settings.statuses().clone())
        });
        let statuses = settings.flatten()?;
        let extension = std::str::from_utf8(hint.extension).ok()?;
        let [(subtype, _), (message, _)] = [hint.subtype, hint.message].map(mended);
        let presence = Presence::new(convert::state(hint.state), &subtype, &message);
        let watched = runtime.watched_hint(extension, &presence)?;
        let meaning = statuses.meaning(&presence);
        let of_type = meaning.map_or(&[][..], |status| &status.activities);
        let of_subtype = PersonActivity::parse(&subtype).ok();
        let told = ToldPresence {
            presence: &presence,
            label: meaning.map_or("", |status| &status.label),
            activities: match of_type {
                [] => of_subtype.as_slice(),
                words => words,
            },
            has_device: watched.has_device,
            limit: match hint.agent.is_empty() {
                true => PUBLISH_LIMIT,
                false => NOTIFY_LIMIT,
            },
        };
        pidf::content(element(body), &told)
    }
}

fn element(node: XmlNode<'_>) -> Element<'_> {
    let attributes = node.attributes.into_iter();
    Element {
        name: node.name.into(),
        attributes: attributes
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        content: node.content.into(),
        children: node.children.into_iter().map(element).collect(),
    }
}
