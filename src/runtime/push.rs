//! Push messages: news for a user that is away from the phone. Each is an AMI event, sent for
//! users whose present status accepts push messages.

use super::Runtime;
use super::feed::Note;
use super::host::EventClass;
use crate::sync::Mutex;
use presence::calls::{CallOrigin, CallPlan};
use presence::model::mailbox::Mailboxes;
use presence::views::fields::Query;

/// The numbers of messages known of each mailbox.
#[derive(Default)]
pub struct PushState(Mutex<Mailboxes>);

/// A mailbox as Asterisk reports it.
#[derive(Clone, Copy, Debug)]
pub struct MailboxState<'a> {
    /// The mailbox, such as `200@default`.
    pub name: &'a [u8],
    /// How many new messages there are.
    pub new: u32,
    /// How many old ones.
    pub old: u32,
    /// Whether a call has changed it, not another program.
    pub by_call: bool,
}

/// A push message.
#[derive(Clone, Copy, Debug)]
pub enum Push<'a> {
    /// A call that rang and was not answered.
    MissedCall {
        /// The caller's number; empty where it is not known.
        caller: &'a str,
        /// What became of the call, as in `USERPRESENCESTATUS`.
        status: &'a str,
    },
    /// New messages in the mailbox.
    Message(MailboxState<'a>),
}

impl Push<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Push::MissedCall { .. } => "MissedCall",
            Push::Message(mailbox) if mailbox.by_call => "Voicemail",
            // Another program, such as an external voicemail, reports messages too.
            Push::Message(_) => "Message",
        }
    }

    /// The headers of this kind.
    fn headers(&self) -> Vec<(&'static str, String)> {
        match self {
            Push::MissedCall { caller, status } => vec![
                ("CallerIDNum", (*caller).to_owned()),
                ("CallStatus", (*status).to_owned()),
            ],
            Push::Message(MailboxState { name, new, old, .. }) => vec![
                ("Mailbox", String::from_utf8_lossy(name).into_owned()),
                ("NewMessages", new.to_string()),
                ("OldMessages", old.to_string()),
            ],
        }
    }
}

impl Runtime {
    /// A mailbox changed.
    pub fn on_mailbox(&self, mailbox: MailboxState<'_>) {
        crate::trip("mailbox");
        let Ok(name) = std::str::from_utf8(mailbox.name) else {
            return;
        };
        let owners = self.read(|world| {
            let directory = world.directory();
            let owners = directory.owners_of_mailbox(name).iter();
            let names = owners.map(|user| directory.get(*user).name.clone());
            names.collect::<Vec<_>>()
        });
        // Most mailboxes may belong to no user: those are not even counted.
        let owners = owners.unwrap_or_default();
        if owners.is_empty() {
            return;
        }
        let mut known = self.push.0.lock();
        let come = known.note(name, mailbox.new, mailbox.by_call);
        drop(known);
        if come > 0 {
            for user in owners {
                self.push(&user, Push::Message(mailbox));
            }
        }
    }

    /// Sends a user a push message, where the present status accepts them. No lock may be
    /// held.
    pub fn push(&self, user: &str, push: Push<'_>) {
        let about = self.read(|world| {
            let id = Query::find(world, user).ok()?;
            let plan = CallPlan::of(world, id, CallOrigin::External);
            let directory = world.directory();
            let user = directory.get(id);
            let account = directory.account(user.account).clone();
            plan.push.then(|| {
                let headers = [
                    ("User", user.name.to_string()),
                    ("Id", user.id().to_owned()),
                    ("Account", account.to_string()),
                    ("Name", user.display_name().to_owned()),
                    ("Type", push.kind().to_owned()),
                    ("State", plan.state.name().to_owned()),
                    ("Status", plan.status.clone()),
                    // The former name of Status, for one release.
                    ("StatusType", plan.status),
                ];
                (account, user.name.clone(), headers)
            })
        });
        let Some((account, user, headers)) = about.flatten() else {
            return;
        };
        let own = push.headers();
        let all = headers.iter().chain(&own);
        let all: Vec<(&str, &str)> = all.map(|(name, value)| (*name, value.as_str())).collect();
        self.host()
            .send_event(EventClass::Call, c"UserPresencePush", &all);
        self.feed.publish_note(Note {
            account,
            user,
            json: json(&all),
        });
    }
}

/// Sends a user a push message, see [`Runtime::push`].
pub fn send(user: &str, push: Push<'_>) {
    if let Some(runtime) = super::current() {
        runtime.push(user, push);
    }
}

/// The same for readers of the account's feed: names begin with small letters there.
fn json(headers: &[(&str, &str)]) -> String {
    let object = headers.iter().map(|(name, value)| {
        let mut name = (*name).to_owned();
        name[..1].make_ascii_lowercase();
        (name, (*value).into())
    });
    serde_json::Value::Object(object.collect()).to_string()
}
