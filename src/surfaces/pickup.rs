//! The dialplan application `UserPresencePickup()`: takes over a call that a user has on
//! hold.
//!
//! [`presence::calls::pickup`] decides who may do so. The caller's channel replaces the
//! user's channel in the call's bridge, as in a transfer.

use crate::runtime;
use std::ffi::CStr;

use crate::runtime::store;
use crate::surfaces::caller::ChannelCaller;
use asterisk::application::{Application, Channel, DialplanNext};
use asterisk::channels::{self, ChannelRef};
use asterisk::log;
use presence::calls::pickup::{Refusal, find_picker};
use presence::directory::UserId;
use presence::model::text::quoted;
use presence::views::fields::Query;
use presence::world::World;

/// `UserPresencePickup(user[,options])`
pub struct UserPresencePickup;

/// The result.
const STATUS: &CStr = c"USERPRESENCEPICKUP";
/// Why the pickup is not allowed, in one word.
const REASON: &CStr = c"USERPRESENCEPICKUP_REASON";

impl Application for UserPresencePickup {
    const NAME: &'static CStr = c"UserPresencePickup";

    fn run(channel: &Channel<'_>, args: &str) -> Result<DialplanNext, String> {
        crate::trip("pickup");
        channel.unset(STATUS);
        channel.unset(REASON);
        let (user, options) = args.split_once(',').unwrap_or((args, ""));
        let named = named(options);
        let caller = ChannelCaller::of(channel);
        let Some(asked) = store::read(|world| ask(world, user.trim(), &caller, named)) else {
            return Err(UserPresencePickup::closed(channel));
        };
        match asked.inspect_err(|_| channel.set(STATUS, "NOUSER"))? {
            PickupDecision::Refused(user, why) => {
                log::notice(format_args!(
                    "{}: a call held by '{user}' may not be picked up: {why}",
                    channel.name()
                ));
                channel.set(STATUS, "NOTALLOWED");
                channel.set(REASON, why.name());
                Ok(DialplanNext::Continue)
            }
            PickupDecision::Allowed(pickup) => Ok(pickup.carry_out(channel)),
        }
    }

    fn closed(channel: &Channel<'_>) -> String {
        channel.unset(REASON);
        channel.set(STATUS, "NOTRUNNING");
        runtime::NOT_RUNNING.into()
    }
}

/// The user who picks up, where the dialplan names one: `u(name)`.
fn named(options: &str) -> Option<&str> {
    let options = options.trim();
    if options.is_empty() {
        return None;
    }
    let inside = options.strip_prefix("u(");
    let name = inside.and_then(|rest| rest.strip_suffix(')'));
    if name.is_none() {
        log::warning(format_args!(
            "UserPresencePickup: unknown options '{}' are ignored, expected u(user)",
            quoted(options)
        ));
    }
    name.map(str::trim)
}

/// Whether the caller may pick up.
enum PickupDecision {
    Refused(String, Refusal),
    Allowed(Pickup),
}

/// An allowed pickup.
struct Pickup {
    user: String,
    picker: String,
    /// The user's phones.
    phones: Vec<String>,
}

fn ask(
    world: &World,
    user: &str,
    caller: &ChannelCaller,
    named: Option<&str>,
) -> Result<PickupDecision, String> {
    let directory = world.directory();
    let user = Query::find(world, user)?;
    let name = |user: UserId| directory.get(user).name.to_string();
    let callers = match named {
        Some(name) => Query::find(world, name).into_iter().collect(),
        None => caller.users(directory, user),
    };
    Ok(match find_picker(world, &callers, user) {
        Err(why) => PickupDecision::Refused(name(user), why),
        Ok(picker) => PickupDecision::Allowed(Pickup {
            user: name(user),
            picker: name(picker),
            phones: directory.phones(user).map(str::to_owned).collect(),
        }),
    })
}

impl Pickup {
    fn carry_out(&self, channel: &Channel<'_>) -> DialplanNext {
        let calls = self.held();
        if calls.is_empty() {
            return self.end(channel, "NOTHING");
        }
        if let Err(why) = channel.answer() {
            log::verbose(3, format_args!("{}: {why}", channel.name()));
            return self.end(channel, "FAILED");
        }
        let mut status = "NOTHING";
        for call in calls {
            // Checked again now that no other pickup can take the call: it may be over, or
            // the user may have resumed it.
            let claim = runtime::with(|runtime| runtime.pickups.claim(call.id()));
            let Some(claim) = claim.flatten() else {
                continue;
            };
            let Some(held) = call.held() else {
                continue;
            };
            log::verbose(
                3,
                format_args!(
                    "{}: '{}' picks up {held}, held by '{}' on {}",
                    channel.name(),
                    self.picker,
                    self.user,
                    call.name()
                ),
            );
            // Set before the call, so that it can be read during the call too.
            channel.set(STATUS, "SUCCESS");
            let result = channel.replace(call);
            drop(claim);
            match result {
                Ok(next) => return next,
                Err(why) => {
                    log::verbose(3, format_args!("{}: {why}", channel.name()));
                    status = "FAILED";
                }
            }
        }
        self.end(channel, status)
    }

    /// The calls that the user has on hold, the newest first.
    fn held(&self) -> Vec<ChannelRef> {
        let is_phone = |device: &str| self.phones.iter().any(|phone| phone == device);
        let mut calls = channels::of_devices(is_phone);
        calls.retain(|call| call.held().is_some());
        calls.sort_by_key(|call| std::cmp::Reverse(call.created()));
        calls
    }

    fn end(&self, channel: &Channel<'_>, status: &str) -> DialplanNext {
        log::verbose(
            3,
            format_args!(
                "{}: '{}' picked up no call of '{}': {status}",
                channel.name(),
                self.picker,
                self.user
            ),
        );
        channel.set(STATUS, status);
        match channel.hung_up() {
            true => DialplanNext::HangUp,
            false => DialplanNext::Continue,
        }
    }
}
