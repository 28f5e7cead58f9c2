//! The dialplan application `UserPresenceDial()`: carries out the plan of a call.
//!
//! [`presence::calls`] decides which phones ring and where a call is forwarded; this
//! module does it with Asterisk's own `Dial` and `VoiceMail`. No lock is held while those
//! applications run.

mod call;
mod forward;
mod origin;
mod path;

use crate::runtime;
use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::runtime::store;
use asterisk::application::{Application, Channel, DialplanNext};
use asterisk::log;
use call::DialCall;
use path::Path;
use presence::calls::{CallOrigin, CallPlan};
use presence::views::fields::Query;
use presence::world::World;

/// `UserPresenceDial(user[,options[,dial_options]])`
pub struct UserPresenceDial;

/// The result of a call, in `USERPRESENCESTATUS`.
const STATUS: &CStr = c"USERPRESENCESTATUS";
const DIALSTATUS: &CStr = c"DIALSTATUS";

impl Application for UserPresenceDial {
    const NAME: &'static CStr = c"UserPresenceDial";

    fn run(channel: &Channel<'_>, args: &str) -> Result<DialplanNext, String> {
        channel.unset(STATUS);
        let path = Path::of(channel);
        let call = || UserPresenceDial::call(channel, args, &path);
        let called = catch_unwind(AssertUnwindSafe(call));
        // The dialplan may call the same user again.
        path.leave(channel);
        // The panic is in the log already; it ends neither the dialplan nor the call.
        called.unwrap_or_else(|_| {
            busy(channel, "FAILED");
            Ok(DialplanNext::Continue)
        })
    }

    fn closed(channel: &Channel<'_>) -> String {
        busy(channel, "NOTRUNNING");
        runtime::NOT_RUNNING.into()
    }
}

impl UserPresenceDial {
    fn call(channel: &Channel<'_>, args: &str, path: &Path) -> Result<DialplanNext, String> {
        crate::trip("application");
        let mut args = args.splitn(3, ',');
        let user = args.next().unwrap_or_default().trim();
        let options = DialOptions::parse(args.next().unwrap_or_default());
        let dial_options = args.next().unwrap_or_default().trim();

        // Each user may have a different variable.
        let variable = store::read(|world| {
            let user = Query::find(world, user).ok()?;
            let rule = &world.directory().get(user).rule;
            Some(rule.calls.origin_variable.clone())
        });
        let variable = variable.flatten();
        let given = options.origin.or(path.origin);
        let facts = origin::OriginFacts::new(channel, given, variable.as_deref());
        let device = channel.device();
        let is_from_node = |world: &World| {
            let settings = &world.directory().settings;
            let through = device.as_deref();
            options.from_node || through.is_some_and(|device| settings.leads_to_node(device))
        };
        let call = store::read(|world| prepare(world, user, &facts, is_from_node(world)));
        let Some(call) = call else {
            return Err(UserPresenceDial::closed(channel));
        };
        let (plan, called) = call.inspect_err(|_| busy(channel, "NOUSER"))?;
        log::verbose(
            3,
            format_args!(
                "{}: the call to '{}' is {}{}",
                channel.name(),
                plan.user,
                plan.origin.name(),
                match plan.block.as_str() {
                    "" => String::new(),
                    block => format!(", handled by '{block}'"),
                }
            ),
        );
        for ignored in &plan.ignored {
            log::notice(format_args!("For '{}', {ignored}", plan.user));
        }
        if let Some(why) = path.forbids(&plan.user) {
            busy(channel, "LOOP");
            return Err(why);
        }
        let call = DialCall {
            channel,
            caller_decides: called.is_from_node || channel.is_from_queue(),
            together: options.together,
            dial_options,
            device,
            plan,
            called,
        };
        path.enter(channel, &call.plan.user, call.plan.origin);
        Ok(call.carry_out())
    }
}

/// The second argument.
#[derive(Default)]
struct DialOptions {
    origin: Option<CallOrigin>,
    together: bool,
    from_node: bool,
}

impl DialOptions {
    fn parse(given: &str) -> Self {
        let mut options = DialOptions::default();
        for option in given.chars().filter(|option| !option.is_whitespace()) {
            match option {
                'i' => options.origin = Some(CallOrigin::Internal),
                'e' => options.origin = Some(CallOrigin::External),
                'g' => options.together = true,
                'n' => options.from_node = true,
                other => log::warning(format_args!(
                    "UserPresenceDial: unknown option '{other}' is ignored, expected i, e, g or n; \
                     the options of Dial go into the third argument"
                )),
            }
        }
        options
    }
}

/// The facts about the user that a call needs beside the plan.
struct CalledUser {
    /// Whether `always_accept` names the caller, so that the call gets through although the
    /// user takes no calls.
    accepts_caller: bool,
    /// Whether another node makes the call.
    is_from_node: bool,
    /// The user's own number, which a forwarded call carries as the redirecting number.
    number: String,
}

fn prepare(
    world: &World,
    user: &str,
    facts: &origin::OriginFacts,
    is_from_node: bool,
) -> Result<(CallPlan, CalledUser), String> {
    let (id, called) = (Query::find(world, user)?, user);
    let directory = world.directory();
    let user = directory.get(id);
    let mut plan = CallPlan::of(world, id, facts.origin(directory, id));
    if is_from_node {
        plan = plan.from_node(directory, id, called);
    }
    let always_accept = &user.rule.calls.always_accept;
    let is_caller = |number: &&str| always_accept.iter().any(|known| **known == **number);
    let default = world.default_of(id);
    let default = default.and_then(|at| user.inputs.get(usize::from(at)));
    let mut inputs = default.into_iter().chain(user.inputs.iter());
    let number = inputs.find_map(|input| directory.extension(input));
    let called = CalledUser {
        accepts_caller: facts.number().filter(is_caller).is_some(),
        is_from_node,
        number: number.unwrap_or(&user.name).to_owned(),
    };
    Ok((plan, called))
}

/// The caller hears busy, whatever the dialplan does next.
fn busy(channel: &Channel<'_>, status: &str) {
    channel.mark_busy();
    channel.set(DIALSTATUS, "BUSY");
    channel.set(STATUS, status);
}
