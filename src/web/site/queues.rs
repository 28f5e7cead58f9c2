//! Queues over HTTP: who waits, who takes calls, and one's own pause.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::calls::sees;
use super::{
    HttpCaller, Reply, Request, account, error, json, not_running, read_body, read_json, segment,
};
use crate::runtime::queues::{QueueAgent, QueueNow, WaitingCaller, is_reason_of_actions};
use crate::runtime::{self, live_calls};
use presence::directory::{AccountId, Directory, UserId};
use presence::model::address::{USER_LABEL, below};
use presence::model::text::quoted;
use presence::world::World;

/// The longest reason of a pause, in characters.
const LONGEST: usize = 80;

#[derive(Serialize)]
struct QueueList {
    queues: Vec<SeenQueue>,
}

/// A queue as a caller sees it.
#[derive(Serialize)]
struct SeenQueue {
    name: String,
    waiting: Vec<SeenWaiting>,
    members: Vec<SeenMember>,
    /// How many members are not listed, because the caller may not see them.
    hidden: usize,
    own: Option<OwnMember>,
}

/// Someone who waits; name and number are `None` unless the account shows its calls.
#[derive(Serialize)]
struct SeenWaiting {
    name: Option<String>,
    number: Option<String>,
    since: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SeenMember {
    /// `None` for a member who is no user.
    extension_id: Option<String>,
    name: String,
    paused: bool,
    reason: String,
    state: &'static str,
    calls: u64,
}

#[derive(Serialize)]
struct OwnMember {
    paused: bool,
    reason: String,
    dynamic: bool,
}

/// Whose a queue's member is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// A user of the account.
    User(UserId),
    /// A user of another account.
    Foreign,
    /// No user.
    Nobody,
}

/// The users of an account by what queues call them.
struct Interfaces<'a> {
    directory: &'a Directory,
    account: AccountId,
    by_interface: HashMap<&'a str, UserId>,
}

impl<'a> Interfaces<'a> {
    fn new(directory: &'a Directory, account: AccountId) -> Self {
        // Of other accounts too: their members are nobody's business here.
        let users = directory.users();
        let interfaces = users.filter_map(|(id, user)| Some((user.member.as_deref()?, id)));
        Interfaces {
            directory,
            account,
            by_interface: interfaces.collect(),
        }
    }

    fn owner(&self, agent: &QueueAgent) -> Owner {
        let directory = self.directory;
        let here = |user: &UserId| directory.get(*user).account == self.account;
        let named = below(&agent.state_interface, USER_LABEL).and_then(|name| {
            let name = name.split('@').next().unwrap_or_default();
            directory.user(name)
        });
        let by_interface = || self.by_interface.get(&*agent.interface).copied();
        if let Some(user) = named.or_else(by_interface) {
            return if here(&user) {
                Owner::User(user)
            } else {
                Owner::Foreign
            };
        }
        let devices = [&*agent.state_interface, &*agent.interface];
        let mut users = Vec::new();
        for device in devices {
            let bare = device.strip_suffix("/n").unwrap_or(device);
            users.extend(directory.users_of_phone(bare));
        }
        match users.iter().find(|user| here(user)) {
            Some(user) => Owner::User(*user),
            None if users.is_empty() => Owner::Nobody,
            None => Owner::Foreign,
        }
    }
}

/// What a caller sees of the account's queues.
struct QueueView<'a> {
    world: &'a World,
    caller: &'a HttpCaller,
    interfaces: Interfaces<'a>,
    own: Option<UserId>,
    /// Whether names and numbers of those who wait are shown.
    shows_callers: bool,
}

impl<'a> QueueView<'a> {
    fn new(world: &'a World, account: &str, caller: &'a HttpCaller) -> Option<Self> {
        let directory = world.directory();
        let account = directory.account_named(account)?;
        let own = caller.user.as_deref().and_then(|name| directory.user(name));
        Some(QueueView {
            world,
            caller,
            interfaces: Interfaces::new(directory, account),
            own,
            shows_callers: live_calls::shows(directory, account),
        })
    }

    /// The queue; `None` if no user of the account is one of its members.
    fn queue(&self, queue: &QueueNow) -> Option<SeenQueue> {
        let owners = queue.members.iter();
        let owners: Vec<(&QueueAgent, Owner)> = owners
            .map(|agent| (agent, self.interfaces.owner(agent)))
            .collect();
        let is_user = |(_, owner): &(&QueueAgent, Owner)| matches!(owner, Owner::User(_));
        owners.iter().any(is_user).then_some(())?;
        let mut members: Vec<SeenMember> = owners
            .iter()
            .filter_map(|(agent, owner)| self.member(agent, *owner))
            .collect();
        // app_queue keeps them in no order.
        members.sort_by_cached_key(|member| member.name.to_lowercase());
        let own = owners.iter().find(|(_, owner)| self.is_own(*owner));
        Some(SeenQueue {
            name: queue.name.clone(),
            waiting: queue.waiting.iter().map(|it| self.waiting(it)).collect(),
            hidden: owners.len() - members.len(),
            members,
            own: own.map(|(agent, _)| OwnMember {
                paused: agent.paused,
                reason: agent.reason.clone(),
                dynamic: agent.dynamic,
            }),
        })
    }

    fn is_own(&self, owner: Owner) -> bool {
        self.own.is_some_and(|own| owner == Owner::User(own))
    }

    fn member(&self, agent: &QueueAgent, owner: Owner) -> Option<SeenMember> {
        let (extension_id, name) = match owner {
            Owner::Foreign => return None,
            Owner::Nobody => (None, agent.name.clone()),
            Owner::User(user) => {
                sees(self.caller, self.world, user).then_some(())?;
                let user = self.world.directory().get(user);
                (Some(user.id().to_owned()), user.display_name().to_owned())
            }
        };
        Some(SeenMember {
            extension_id,
            name,
            paused: agent.paused,
            reason: agent.reason.clone(),
            state: agent.state.name(),
            calls: agent.calls,
        })
    }

    fn waiting(&self, waiting: &WaitingCaller) -> SeenWaiting {
        let directory = self.world.directory();
        let by_number = directory.member(self.interfaces.account, &waiting.number);
        // A colleague's call may have a number that is nobody's here, or of another account.
        let devices = waiting.devices.iter();
        let by_phone = devices.flat_map(|device| directory.users_of_phone(device));
        let mut colleagues = by_number.into_iter().chain(by_phone);
        let hidden = colleagues.any(|user| !sees(self.caller, self.world, user));
        let shown = |text: &String| {
            let shown = self.shows_callers && !hidden && !text.is_empty();
            shown.then(|| text.clone())
        };
        SeenWaiting {
            name: shown(&waiting.name),
            number: shown(&waiting.number),
            since: waiting.since.millis(),
        }
    }
}

/// `GET v1/account/{id}/queues`
pub fn list(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    let answer = || {
        let account = account(request, caller)?;
        let runtime = runtime::current().ok_or_else(not_running)?;
        let queues = runtime.queues();
        let seen = runtime.read(|world| {
            let view = QueueView::new(world, &account, caller)?;
            Some(
                queues
                    .iter()
                    .filter_map(|queue| view.queue(queue))
                    .collect(),
            )
        });
        let queues = seen.flatten().ok_or_else(not_running)?;
        Ok(read_json(request, &QueueList { queues }))
    };
    answer().unwrap_or_else(|refusal| refusal)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseRequest {
    paused: bool,
    #[serde(default)]
    reason: String,
}

/// `PUT v1/account/{id}/queues/{queue}/own`
pub fn pause(request: &Request<'_>, caller: &HttpCaller) -> Reply {
    let answer = || {
        let account = account(request, caller)?;
        let name = segment(request, 4);
        let PauseRequest { paused, reason } = read_body(request)?;
        check_reason(&reason).map_err(|why| error(400, "body", &why))?;
        if !caller
            .user
            .as_deref()
            .is_some_and(|own| caller.may_set(own))
        {
            return Err(error(403, "role", "You may not pause yourself."));
        }
        let runtime = runtime::current().ok_or_else(not_running)?;
        let own = |queues: &[QueueNow]| {
            let found = runtime.read(|world| {
                let view = QueueView::new(world, &account, caller)?;
                let queue = queues.iter().find(|queue| queue.name == name)?;
                let mut agents = queue.members.iter();
                let is_own = |agent: &&QueueAgent| view.is_own(view.interfaces.owner(agent));
                Some((agents.find(is_own)?.interface.clone(), view.queue(queue)?))
            });
            found.flatten()
        };
        let nobody = || {
            let why = format!("You are not a member of a queue '{}'.", quoted(&name));
            error(404, "not_found", &why)
        };
        let (interface, _) = own(&runtime.queues()).ok_or_else(nobody)?;
        runtime
            .pause_member(&name, &interface, paused.then_some(&reason))
            .map_err(|why| error(409, "refused", &format!("Asterisk refuses: {why}.")))?;
        let (_, queue) = own(&runtime.queues()).ok_or_else(nobody)?;
        Ok(json(&queue.own))
    };
    answer().unwrap_or_else(|refusal| refusal)
}

fn check_reason(reason: &str) -> Result<(), String> {
    if reason.chars().count() > LONGEST || reason.contains(char::is_control) {
        return Err(format!(
            "The reason is too long or has line ends, expected up to {LONGEST} characters."
        ));
    }
    match is_reason_of_actions(reason) {
        true => Err(format!(
            "The reason '{reason}' is that of pauses by actions."
        )),
        false => Ok(()),
    }
}
