//! The DND and forward keys of desk phones.

use crate::runtime;
use asterisk::log;
use asterisk::pjsip::feature_events::{BAD_EVENT, FeatureEvents, SipStatus};
use asterisk::pjsip::request::RequestBody;
use presence::model::feature_keys::FeatureRequest;
use presence::model::text::quoted;

const BAD_REQUEST: SipStatus = 400;
const BAD_TYPE: SipStatus = 415;

/// The keys of users' phones.
pub struct UserFeatureKeys;

impl FeatureEvents for UserFeatureKeys {
    fn is_wanted() -> bool {
        runtime::with(runtime::Runtime::has_feature_keys) == Some(true)
    }

    fn subscribe(endpoint: &str) -> Result<(), SipStatus> {
        crate::trip("feature keys");
        let runtime = runtime::current().ok_or(BAD_EVENT)?;
        if !runtime.has_feature_keys() {
            return Err(BAD_EVENT);
        }
        if runtime.is_phone_of_user(endpoint) {
            return Ok(());
        }
        runtime.warn_once("feature keys", endpoint, || {
            let endpoint = quoted(endpoint);
            format!(
                "The phone '{endpoint}' asks for its feature keys, and is refused with 404: no \
                 user has the device PJSIP/{endpoint}, expected it as the device of an extension, \
                 as a device or as an endpoint"
            )
        });
        Err(404)
    }

    fn request(endpoint: &str, body: &RequestBody<'_>) -> Result<(), SipStatus> {
        let Some(runtime) = runtime::current().filter(|it| it.has_feature_keys()) else {
            return Err(BAD_EVENT);
        };
        let kind = ("application", "x-as-feature-event+xml");
        let request = match body.is(kind.0, kind.1) {
            true => FeatureRequest::parse(body.data).map_err(|why| (BAD_REQUEST, why)),
            false => {
                let (main, subtype) = (body.main.to_vec(), body.subtype.to_vec());
                let name = [&*main, b"/", &subtype].concat();
                let name = String::from_utf8_lossy(&name).into_owned();
                let (name, expected) = (quoted(&name), format!("{}/{}", kind.0, kind.1));
                Err((BAD_TYPE, format!("its type is {name}, expected {expected}")))
            }
        };
        let request = request.map_err(|(status, why)| {
            runtime.warn_once("feature key body", endpoint, || {
                let endpoint = quoted(endpoint);
                format!(
                    "The phone '{endpoint}' sent a body for its feature keys that is refused: {why}"
                )
            });
            status
        })?;
        if let Err(why) = runtime.press_key(endpoint, &request) {
            let endpoint = quoted(endpoint);
            log::notice(format_args!(
                "A key of the phone '{endpoint}' is refused: {}",
                quoted(&why)
            ));
        }
        Ok(())
    }

    fn bodies(endpoint: &str, resource: &str) -> Option<Vec<String>> {
        let runtime = runtime::current().filter(|it| it.has_feature_keys())?;
        runtime.feature_documents(endpoint, resource)
    }
}
