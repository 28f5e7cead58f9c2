//! Calls over HTTP: who talks to whom, dialling from one's own phone, picking up.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::access;
use super::answer::{accepted, later};
use super::users;
use super::{HttpCaller, Reply, Request, account, error, not_running, read_body, read_json};
use crate::runtime::live_calls::{self, CallsOf, CallsRead};
use crate::runtime::{self, Runtime, store};
use presence::calls::elsewhere::elsewhere;
use presence::calls::live::SeenCall;
use presence::calls::own_phone::{caller_id, is_dialable, own_number, own_phone};
use presence::calls::pickup::find_picker;
use presence::directory::UserId;
use presence::model::device::DeviceState;
use presence::model::dialable::without_hyphens;
use presence::model::principal::Principal;
use presence::model::text::quoted;
use presence::world::World;

/// The most calls that one person has made at a time; one more is allowed every six seconds.
const BURST: f64 = 10.0;
/// Calls per second: ten a minute.
const RATE: f64 = 10.0 / 60.0;
/// How long one's own phone rings, in milliseconds.
const RINGS: &str = "30000";

/// Whether the user is visible to the caller.
pub fn sees(caller: &HttpCaller, world: &World, user: UserId) -> bool {
    world.may_see(&world.viewer(caller), user)
}

/// Whether the caller may dial and pick up.
pub fn may_call(caller: &Principal) -> bool {
    let http = access::settings();
    caller.user.is_some() && http.is_some_and(|http| http.calls.contains(&caller.role))
}

#[derive(Serialize)]
struct CallList {
    calls: Vec<SeenCall>,
}

/// `GET v1/account/{id}/calls`
pub fn list(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    let answer = || {
        let account = account(request, caller)?;
        let sees = |world: &World, user| sees(caller, world, user);
        let read = live_calls::seen(&account, CallsOf::Everybody, sees);
        let CallsRead { users, .. } = read.ok_or_else(|| {
            let why = "The calls of this account are not shown: see show_calls.";
            error(403, "off", why)
        })?;
        let calls = users.into_iter().flat_map(|(_, calls)| calls).collect();
        Ok(read_json(request, &CallList { calls }))
    };
    answer().unwrap_or_else(|refusal| refusal)
}

/// The data of a `calls` message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallsMessage<'a> {
    extension_id: &'a str,
    calls: &'a [SeenCall],
}

/// The `calls` messages for users of an account, in the order of the configuration, and the
/// version of the table; `None` if the account does not show its calls. `wants` are the names of
/// the users that the reader asks for.
pub fn messages(
    account: &str,
    caller: &HttpCaller,
    of: CallsOf<'_>,
    wants: impl Fn(&str) -> bool,
) -> Option<(Vec<String>, u64)> {
    let sees = |world: &World, user| sees(caller, world, user);
    let CallsRead { users, version } = live_calls::seen(account, of, sees)?;
    let named: BTreeMap<UserId, (String, Vec<SeenCall>)> = store::read(|world| {
        let directory = world.directory();
        let named = users.into_iter().filter_map(|(id, calls)| {
            let user = directory.try_get(id).filter(|user| wants(&user.name))?;
            Some((id, (user.id().to_owned(), calls)))
        });
        named.collect()
    })?;
    let messages = named.values().map(|(extension_id, calls)| {
        let message = CallsMessage {
            extension_id,
            calls,
        };
        // Strings and numbers always serialise.
        serde_json::to_string(&message).unwrap_or_default()
    });
    Some((messages.collect(), version))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DialRequest {
    to: String,
    #[serde(default)]
    endpoint: Option<String>,
}

/// The caller's own phone.
struct OwnPhone {
    runtime: std::sync::Arc<Runtime>,
    user: UserId,
    /// What is called: the phone, or what leads to the node at which it is registered.
    device: String,
    number: String,
    name: std::sync::Arc<str>,
    /// The name in the directory.
    display_name: String,
    /// Where the administrator says that calls begin, if Asterisk does not.
    forward_context: String,
}

impl OwnPhone {
    /// The phone of the user behind the request.
    ///
    /// # Errors
    /// Answers 403 where the caller may not call, 409 without a phone that can be reached.
    fn of(
        request: &Request<'_>,
        caller: &HttpCaller,
        endpoint: Option<&str>,
    ) -> Result<Self, Reply> {
        let http = access::settings().ok_or_else(not_running)?;
        if http.calls.is_empty() {
            let why = "Calls over HTTP are off: see http_calls.";
            return Err(error(403, "off", why));
        }
        if !http.calls.contains(&caller.role) {
            return Err(error(403, "role", "Your role may make no calls."));
        }
        let account = account(request, caller)?;
        let runtime = runtime::current().ok_or_else(not_running)?;
        let found = runtime.read(|world| {
            let directory = world.directory();
            let user = directory.user(caller.user.as_deref()?)?;
            let of = directory.get(user);
            let is_here = **directory.account(of.account) == *account;
            let device = own_phone(world, user, endpoint).map(str::to_owned);
            let number = own_number(world, user).to_owned();
            let context = of.rule.calls.forward_context.to_string();
            let name = of.display_name().to_owned();
            let elsewhere = device.as_ref().map(|it| elsewhere(world, user, it));
            let names = (of.name.clone(), name);
            is_here.then_some((user, names, device, elsewhere, number, context))
        });
        let Some((user, names, device, elsewhere, number, forward_context)) = found.flatten()
        else {
            let why = "You have no phone in this account: the login names no user of it.";
            return Err(error(403, "role", why));
        };
        let device = device.ok_or_else(|| match endpoint {
            Some(name) => {
                let why = format!("You have no endpoint '{}'.", quoted(name));
                error(409, "phone", &why)
            }
            None => error(409, "phone", "You have no phone that could be called."),
        })?;
        let state = runtime.host().device(&device);
        let mut elsewhere = elsewhere.unwrap_or_default().into_iter();
        let device = match elsewhere.find_map(|phone| phone.dial) {
            Some(dial) => dial,
            None if matches!(state, DeviceState::Unavailable | DeviceState::Invalid) => {
                let why = format!("Your phone {device} cannot be reached.");
                return Err(error(409, "phone", &why));
            }
            None => device,
        };
        let (name, display_name) = names;
        Ok(OwnPhone {
            runtime,
            user,
            device,
            number,
            name,
            display_name,
            forward_context,
        })
    }

    /// Whether the number is an extension of the caller's own, as the dialplan reads it.
    fn is_own_extension(&self, number: &str) -> bool {
        let number = without_hyphens(number);
        let own = self.runtime.read(|world| {
            let directory = world.directory();
            let user = directory.get(self.user);
            let mut own = user.inputs.iter().filter_map(|it| directory.extension(it));
            own.any(|own| without_hyphens(own) == number)
        });
        own.unwrap_or(false)
    }

    /// Calls the phone; once it answers, Asterisk goes on as these headers say.
    ///
    /// # Errors
    /// Answers 429 after too many calls, 409 with Asterisk's refusal.
    fn call(&self, then: &[(&str, &str)]) -> Result<Reply, Reply> {
        let taken = self.runtime.sessions.access().as_mut().map(|access| {
            let calls = &mut access.calls;
            calls.take_of(&self.name, RATE, BURST, Instant::now())
        });
        taken.ok_or_else(not_running)?.map_err(|wait| {
            let why = "Too many calls; ten a minute are possible.";
            later(error(429, "too_many", why), wait)
        })?;
        let caller_id = caller_id(&self.display_name, &self.number);
        let phone = [
            ("Channel", &*self.device),
            ("CallerID", &caller_id),
            ("Timeout", RINGS),
            ("Async", "true"),
        ];
        let headers = [&phone[..], then].concat();
        match self.runtime.host().manager_action("Originate", &headers) {
            Ok(_) => Ok(accepted()),
            Err(why) => Err(error(409, "refused", &format!("Asterisk refuses: {why}."))),
        }
    }
}

/// `POST v1/account/{id}/extension/~/calls`
pub fn dial(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    let answer = || {
        let user = users::user(request, caller, |name| may_know(caller, name))?;
        let is_own = caller.user.as_deref() == Some(&*user);
        if !is_own {
            let why = "You may only dial from your own phone.";
            return Err(error(403, "role", why));
        }
        let DialRequest { to, endpoint } = read_body(request)?;
        if !is_dialable(&to) {
            let why = format!("'{}' is not a number or an extension.", quoted(&to));
            return Err(error(400, "body", &why));
        }
        let phone = OwnPhone::of(request, caller, endpoint.as_deref())?;
        if phone.is_own_extension(&to) {
            let why = format!("'{to}' is your own extension.");
            return Err(error(400, "body", &why));
        }
        let host = phone.runtime.host();
        let context = host.context_of(&phone.device);
        let context = context.unwrap_or_else(|| phone.forward_context.clone());
        if context.is_empty() {
            let why = "Asterisk does not say in which context your phone dials: load \
                       func_pjsip_endpoint.so, or set forward_context.";
            return Err(error(409, "context", why));
        }
        if !host.has_extension(&context, &to, &phone.number) {
            let why = format!("There is no extension '{to}' in your phone's context.");
            return Err(error(404, "extension", &why));
        }
        phone.call(&[("Context", &context), ("Exten", &to), ("Priority", "1")])
    };
    answer().unwrap_or_else(|refusal| refusal)
}

fn may_know(caller: &HttpCaller, name: &str) -> bool {
    let seen = store::read(|world| {
        let user = world.directory().user(name)?;
        Some(sees(caller, world, user))
    });
    seen.flatten().unwrap_or(false)
}

/// `POST v1/account/{id}/extension/{ext}/pickup`
pub fn pick_up(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    let answer = || {
        let user = users::user(request, caller, |name| may_know(caller, name))?;
        let phone = OwnPhone::of(request, caller, None)?;
        let allowed = phone.runtime.read(|world| {
            let directory = world.directory();
            let user = directory.user(&user)?;
            let allowed = find_picker(world, &[phone.user], user);
            let phones = directory.phones(user).map(str::to_owned);
            Some(allowed.map(|_| phones.collect::<Vec<_>>()))
        });
        let phones = allowed.flatten().ok_or_else(not_running)?;
        let phones = phones.map_err(|why| {
            let why = format!("You may not pick up calls of '{user}': {why}.");
            error(403, "rule", &why)
        })?;
        let host = phone.runtime.host();
        // A name with a separator of the application's would be several.
        let mut ringing = host.ringing(&phones).into_iter();
        let ringing = ringing.find(|name| !name.contains([',', '&']));
        let own = &phone.name;
        let (application, data) = match ringing {
            Some(channel) => ("PickupChan", channel),
            None if host.has_held(&phones) => ("UserPresencePickup", format!("{user},u({own})")),
            None => {
                let why = format!("No call rings at '{user}', and none is on hold.");
                return Err(error(409, "nothing", &why));
            }
        };
        if !host.application_exists(application) {
            let why = format!("Asterisk has no {application}(): load app_directed_pickup.so.");
            return Err(error(409, "application", &why));
        }
        phone.call(&[("Application", application), ("Data", &data)])
    };
    answer().unwrap_or_else(|refusal| refusal)
}
