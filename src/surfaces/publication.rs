//! The presence that phones publish of themselves (SIP PUBLISH, RFC 3903), and the
//! `inbound-publication` objects that `res_pjsip_pubsub` wants for it.

use std::ffi::CStr;

use crate::runtime;
use crate::runtime::{publications, store};
use asterisk::pjsip::publication::{LivePublication, PublishRequest, Publishing, SipStatus};
use asterisk::pjsip::request::RequestBody;
use asterisk::sorcery::{ObjectField, SorceryObject, SorceryObjects};
use presence::directory::MayPublish;
use presence::model::publication::{BodyRefused, Publication};

/// The handler of the event `presence`.
pub struct PhonePresence;

/// The value of `event_presence` in the objects of [`PublicationObjects`]. An administrator's
/// object has another one.
const OURS: &str = "userpresence";

const FORBIDDEN: SipStatus = SipStatus(403);
const NOT_FOUND: SipStatus = SipStatus(404);
const UNAVAILABLE: SipStatus = SipStatus(503);

fn parse(body: RequestBody<'_>) -> Result<Publication, BodyRefused> {
    let [main, subtype] = [body.main, body.subtype].map(String::from_utf8_lossy);
    Publication::parse(&format!("{main}/{subtype}"), body.data)
}

impl Publishing for PhonePresence {
    const EVENT: &'static CStr = c"presence";

    fn check(request: PublishRequest<'_>) -> Result<(), SipStatus> {
        crate::trip("publish");
        // A phone tries again after 503, but mostly gives up after 404.
        if request.is_initial && runtime::current().is_none() {
            return Err(UNAVAILABLE);
        }
        let Some(why) = request.body.and_then(|body| parse(body).err()) else {
            return Ok(());
        };
        if let Some(runtime) = runtime::current() {
            runtime.warn_of_body(request.endpoint, &why);
        }
        Err(SipStatus(why.sip_status()))
    }

    fn begins(endpoint: &str, resource: &str, configuration: &str) -> Result<(), SipStatus> {
        if configuration == OURS {
            let may = store::read(|world| world.directory().may_publish(resource, endpoint));
            match may.ok_or(UNAVAILABLE)? {
                MayPublish::Yes => {}
                MayPublish::No => return Err(FORBIDDEN),
                MayPublish::Unknown => return Err(NOT_FOUND),
            }
        }
        match publications::has_room(endpoint) {
            true => Ok(()),
            false => Err(UNAVAILABLE),
        }
    }

    fn changed(publication: LivePublication<'_>, body: RequestBody<'_>) -> bool {
        let LivePublication {
            number, endpoint, ..
        } = publication;
        match parse(body) {
            Ok(said) => {
                publications::changed(endpoint, number, said);
                true
            }
            // `check` has refused it already.
            Err(_) => {
                publications::ended(endpoint, number);
                false
            }
        }
    }

    /// One that is not known has expired in the same moment: the phone publishes anew.
    fn refreshed(publication: LivePublication<'_>) -> bool {
        publications::contains(publication.endpoint, publication.number)
    }

    fn ended(publication: LivePublication<'_>) {
        publications::ended(publication.endpoint, publication.number);
    }
}

/// Answers for objects of `type = inbound-publication`.
pub struct PublicationObjects;

impl SorceryObjects for PublicationObjects {
    const WIZARD: &'static CStr = c"userpresence_publications";
    const TYPE: &'static CStr = c"inbound-publication";
    const FILE: &'static CStr = c"res_pjsip_pubsub.so";
    const WHAT: &'static str = "objects for presence from phones";

    /// There is an object for each name under which a phone may publish; which phone it is,
    /// [`PhonePresence`] looks at.
    fn find(id: &str) -> Option<Vec<ObjectField>> {
        let known = store::read(|world| world.directory().is_resource(id));
        known.unwrap_or_default().then(fields)
    }

    /// None: no command shows them, and nothing else asks for all of them.
    fn all(_: &dyn Fn(&str) -> bool) -> Vec<SorceryObject> {
        Vec::new()
    }
}

fn fields() -> Vec<ObjectField> {
    vec![ObjectField {
        name: c"event_presence",
        value: OURS.to_owned(),
    }]
}
