//! Push messages: what a user who is not at the phone wants to be told of. Each is an AMI
//! event, raised for those whose present status takes push messages.

use parking_lot::Mutex;

use crate::runtime::feed::{self, Note};
use crate::runtime::store;
use asterisk::mailbox::Mailbox;
use asterisk::manager::{self, Class};
use presence::calls::{CallOrigin, Plan};
use presence::model::mailbox::Mailboxes;
use presence::views::fields::Query;

/// What a user is told of.
#[derive(Clone, Copy, Debug)]
pub enum Push<'a> {
    /// A call that rang and that nobody took.
    MissedCall {
        /// The caller's number; empty where it is not known.
        caller: &'a str,
        /// What became of the call, as in `USERPRESENCESTATUS`.
        status: &'a str,
    },
    /// New messages in the mailbox.
    Message(Mailbox<'a>),
}

impl Push<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Push::MissedCall { .. } => "MissedCall",
            Push::Message(mailbox) if mailbox.by_call => "Voicemail",
            // Another program, such as an external voicemail, tells of messages too.
            Push::Message(_) => "Message",
        }
    }

    /// What is told beside whom it concerns.
    fn fields(&self) -> Vec<(&'static str, String)> {
        match self {
            Push::MissedCall { caller, status } => vec![
                ("CallerIDNum", (*caller).to_owned()),
                ("CallStatus", (*status).to_owned()),
            ],
            Push::Message(Mailbox { name, new, old, .. }) => vec![
                ("Mailbox", String::from_utf8_lossy(name).into_owned()),
                ("NewMessages", new.to_string()),
                ("OldMessages", old.to_string()),
            ],
        }
    }
}

/// What was told of mailboxes; forgotten with the module.
static MAILBOXES: Mutex<Option<Mailboxes>> = Mutex::new(None);

/// Forgets what was told of mailboxes.
pub fn forget() {
    *MAILBOXES.lock() = None;
}

/// A mailbox changed: from Asterisk's topic.
pub fn hear(mailbox: Mailbox<'_>) {
    crate::trip("mailbox");
    let Ok(name) = std::str::from_utf8(mailbox.name) else {
        return;
    };
    let owners = store::read(|world| {
        let directory = world.directory();
        let owners = directory.owners_of_mailbox(name).iter();
        let names = owners.map(|user| directory.get(*user).name.clone());
        names.collect::<Vec<_>>()
    });
    // Most mailboxes may be nobody's: those are not even counted.
    let owners = owners.unwrap_or_default();
    if owners.is_empty() {
        return;
    }
    let come = {
        let mut boxes = MAILBOXES.lock();
        let boxes = boxes.get_or_insert_default();
        boxes.note(name, mailbox.new, mailbox.by_call)
    };
    if come > 0 {
        for user in owners {
            tell(&user, Push::Message(mailbox));
        }
    }
}

/// Tells a user, where the present status takes push messages. Hold no lock.
pub fn tell(user: &str, push: Push<'_>) {
    let about = store::read(|world| {
        let id = Query::find(world, user).ok()?;
        let plan = Plan::of(world, id, CallOrigin::External);
        let directory = world.directory();
        let user = directory.get(id);
        let account = directory.account(user.account).clone();
        plan.push.then(|| {
            let headers = [
                ("User", user.name.to_string()),
                ("Id", user.id().to_owned()),
                ("Account", account.to_string()),
                ("Type", push.kind().to_owned()),
                ("Status", plan.state.name().to_owned()),
                ("StatusType", plan.status),
            ];
            (account, user.name.clone(), headers)
        })
    });
    let Some((account, user, headers)) = about.flatten() else {
        return;
    };
    let fields = push.fields();
    let all = headers.iter().chain(&fields);
    let all: Vec<(&str, &str)> = all.map(|(name, value)| (*name, value.as_str())).collect();
    manager::event(Class::Call, c"UserPresencePush", &all);
    feed::note(Note {
        account,
        user,
        json: json(&all),
    });
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
