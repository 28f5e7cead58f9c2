//! Push messages: what a user who is not at the phone wants to be told of. Each is an AMI
//! event, raised for those whose present status takes push messages.

use parking_lot::Mutex;

use crate::asterisk::mailbox::Mailbox;
use crate::asterisk::manager::{self, Class};
use crate::door;
use crate::feed::{self, Note};
use crate::presence::fields::Query;
use crate::presence::mailbox::Mailboxes;
use crate::presence::route::{CallOrigin, Plan};

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
    let owners = door::read(|world| {
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
    let about = door::read(|world| {
        let id = Query::find(world, user).ok()?;
        let plan = Plan::of(world, id, CallOrigin::External);
        let directory = world.directory();
        let user = directory.get(id);
        let other = user.id.as_deref().unwrap_or(&user.name).to_owned();
        plan.push
            .then(|| (plan, other, directory.account(user.account).clone()))
    });
    let Some((plan, id, account)) = about.flatten() else {
        return;
    };
    let number = |number: u32| number.to_string();
    let (kind, mut fields) = match push {
        Push::MissedCall { caller, status } => (
            "MissedCall",
            vec![
                ("CallerIDNum", caller.to_owned()),
                ("CallStatus", status.to_owned()),
            ],
        ),
        Push::Message(mailbox) => (
            // Another program, such as an external voicemail, tells of messages too.
            if mailbox.by_call {
                "Voicemail"
            } else {
                "Message"
            },
            vec![
                (
                    "Mailbox",
                    String::from_utf8_lossy(mailbox.name).into_owned(),
                ),
                ("NewMessages", number(mailbox.new)),
                ("OldMessages", number(mailbox.old)),
            ],
        ),
    };
    let mut headers = vec![
        ("User", plan.user.to_string()),
        ("Id", id),
        ("Account", account.to_string()),
        ("Type", kind.to_owned()),
        ("Status", plan.state.name().to_owned()),
        ("StatusType", plan.status.clone()),
    ];
    headers.append(&mut fields);
    feed::note(Note {
        account: account.clone(),
        user: plan.user.clone(),
        json: json(&headers),
    });
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    manager::event(Class::Call, c"UserPresencePush", &headers);
}

/// The same for readers of the account's feed: names begin with small letters there.
fn json(headers: &[(&str, String)]) -> String {
    let object = headers.iter().map(|(name, value)| {
        let mut name = (*name).to_owned();
        name[..1].make_ascii_lowercase();
        (name, value.as_str().into())
    });
    serde_json::Value::Object(object.collect()).to_string()
}
