//! `userpresence ...` on Asterisk's console.

mod change;
mod cluster;
mod complete;
mod configuration;
mod own_settings;
mod password;
mod publications;
mod routes;
mod show;
mod table;
mod webhooks;

use crate::runtime;
use std::fmt::Write;

use crate::runtime::store;
use asterisk::cli::{CliResult, Command};
use presence::calls::CallOrigin;
use presence::config::Origin;
use presence::model::dnd::DndStatus;
use presence::views::fields::{Query, View};

/// All commands.
pub static COMMANDS: &[Command] = &[
    Command {
        words: c"userpresence show users",
        summary: c"Show users and their combined presence",
        usage: c"Usage: userpresence show users [group <group>] [like <regex>]
       Shows every user with the combined presence, the winning source and how
       long ago that source was set. With 'group', only the users of this
       group, or of several that commas separate. With 'like', only the users
       whose name in userpresence.conf matches the regular expression.
",
        run: show::show_users,
        complete: Some(|at| match at.before.len() {
            count if count % 2 == 0 => vec!["group".to_owned(), "like".to_owned()],
            _ if at.before.last().is_some_and(|last| *last == "group") => complete::groups(),
            _ => Vec::new(),
        }),
    },
    Command {
        words: c"userpresence show groups",
        summary: c"Show the groups of users",
        usage: c"Usage: userpresence show groups
       Shows every group with its account and the number of its users.
",
        run: show::show_groups,
        complete: None,
    },
    Command {
        words: c"userpresence show user",
        summary: c"Show a user's presence and all sources",
        usage: c"Usage: userpresence show user <name>
       Shows the combined presence of a user, the reason for it, and every
       source with its state and age.
",
        run: show::show_user,
        complete: Some(complete::user),
    },
    Command {
        words: c"userpresence explain",
        summary: c"Explain why a user's presence is what it is",
        usage: c"Usage: userpresence explain <name> [internal|external|from <caller>]
       Explains in sentences which rule applies, which source wins and what
       would change the result. With 'internal' or 'external', explains where
       such a call would go now, and why. <caller> is a user, an extension or a
       number; the explanation then includes whether a call from there is
       internal. A forward to an extension of a user is followed as
       UserPresenceDial() follows it.
",
        run: show::explain_user,
        complete: Some(|at| match at.before.len() {
            0 => complete::user(at),
            1 => {
                let origins = CallOrigin::ALL.into_iter().map(CallOrigin::name);
                origins.chain(["from"]).map(str::to_owned).collect()
            }
            2 if at.before[1].eq_ignore_ascii_case("from") => {
                complete::users_like(at.word, |_| true)
            }
            _ => Vec::new(),
        }),
    },
    Command {
        words: c"userpresence show routes",
        summary: c"Show where calls to a user go in each status",
        usage: c"Usage: userpresence show routes <name>
       Shows where internal and external calls to a user go: one row for each
       status that makes a difference, and one for all others. '*' marks the
       current status.
",
        run: routes::show_routes,
        complete: Some(complete::user),
    },
    Command {
        words: c"userpresence set",
        summary: c"Set a user's status",
        usage: c"Usage: userpresence set <name> <status> [<subtype>] [<message>] [<end>]
       Sets a user's status, as USER_PRESENCE(name)= does in the dialplan.
       Quote a subtype or message that contains spaces; write an empty one as
       \"\". The status is a state (not_set, unavailable, available, away, xa,
       chat, dnd) or a status type from 'userpresence show statuses'.
       <end> ends the status and restores the previous one: 'for 30m' (or '2h',
       '1h30m'), 'until 14:30' (the next one, in the user's time zone),
       t(<seconds>), t(30m), u(<Unix time>) or u(14:30).
",
        run: change::set,
        complete: Some(|at| match at.before.len() {
            0 => complete::user(at),
            1 => complete::statuses(),
            _ => Vec::new(),
        }),
    },
    Command {
        words: c"userpresence message",
        summary: c"Set the message of a user's chosen status",
        usage: c"Usage: userpresence message <name> [<message>]
       Sets the message of the status that the user has chosen, and nothing
       else: the status, its subtype and its end stay the same, even during a
       call. Without <message>, removes the message.
",
        run: change::message,
        complete: Some(complete::user),
    },
    Command {
        words: c"userpresence dndstatus",
        summary: c"Set which calls a user takes",
        usage: c"Usage: userpresence dndstatus <name> <value>
       Sets which calls a user takes, independently of the status: TakeAllCalls,
       DoNotAcceptAnyCalls or DoNotAcceptDepartmentCalls (no calls from queues).
",
        run: change::dnd_status,
        complete: Some(|at| match at.before.len() {
            0 => complete::user(at),
            1 => DndStatus::ALL.map(|dnd| dnd.name().to_owned()).into(),
            _ => Vec::new(),
        }),
    },
    Command {
        words: c"userpresence show publications",
        summary: c"Show what phones publish of themselves",
        usage: c"Usage: userpresence show publications
       Shows what each phone has published last (SIP PUBLISH), how long ago that
       changed, and the users whose source it is, with what it means for each.
",
        run: publications::show_publications,
        complete: None,
    },
    Command {
        words: c"userpresence show statuses",
        summary: c"Show the status types",
        usage: c"Usage: userpresence show statuses
       Shows every status type with its label, and the state, subtype and
       message that it writes to the extensions.
",
        run: show::show_statuses,
        complete: None,
    },
    Command {
        words: c"userpresence show actions",
        summary: c"Show what status actions have changed",
        usage: c"Usage: userpresence show actions [<name>]
       Shows what status actions have set, for all users or for one, with the
       current value and the value before. The changes are undone when the
       status ends.
",
        run: show::show_actions,
        complete: Some(complete::user),
    },
    Command {
        words: c"userpresence show webhooks",
        summary: c"Show the webhooks and their delivery state",
        usage: c"Usage: userpresence show webhooks
       Shows every webhook: the number of events delivered since the module was
       loaded, the sequence number of the last one, how long deliveries have
       been failing and why, and the URL without credentials and query. In a
       cluster one node posts: the last line names it.
",
        run: webhooks::show_webhooks,
        complete: None,
    },
    Command {
        words: c"userpresence show cluster",
        summary: c"Show the nodes that share their users, and how that is going",
        usage: c"Usage: userpresence show cluster
       Shows how this server stands in its cluster: joined, alone or refused,
       since when and why; the node that posts webhooks (the keeper), the keys
       that wait to be written, and how long a change takes from here through
       etcd and back. Then every node: since when it is here or gone, its host
       and version, the number of its users, by how much its clock is ahead of
       this server's, and whether its configuration differs.
",
        run: cluster::show_cluster,
        complete: None,
    },
    Command {
        words: c"userpresence show stats",
        summary: c"Show counters and measurements",
        usage: c"Usage: userpresence show stats
       Shows the metrics that Prometheus reads when res_prometheus is loaded.
       Names that end in _total count since Asterisk was started.
",
        run: show::show_stats,
        complete: None,
    },
    Command {
        words: c"userpresence show version",
        summary: c"Show the module's version and the Asterisk it was built for",
        usage: c"Usage: userpresence show version
       Shows the version and the commit of the running module, the Asterisk that
       it was built for and the one that it runs in, and whether the module's
       file is still the build that runs.
",
        run: show::show_version,
        complete: None,
    },
    Command {
        words: c"userpresence show settings",
        summary: c"Show the settings, or those that a user has made",
        usage: c"Usage: userpresence show settings [<name>]
       Shows the general settings, and the number of users, sources and
       devices. With <name>, shows the settings that this user has made, the
       forwards and other settings that follow from them and from the
       administrator's in the status that the user has chosen, what is not
       carried out, and what the user may set.
",
        run: show::show_settings,
        complete: Some(complete::user),
    },
    Command {
        words: c"userpresence set settings",
        summary: c"Change the settings that a user has made",
        usage: c"Usage: userpresence set settings <name> <json>
       userpresence set settings <name> <item> <value>
       Changes settings of a user's own: one item, such as
       statuses.away.ringMobile yes, or several by a JSON merge patch. The
       value null gives an item back to the administrator. The console
       removes quotes, so write the patch in quotes and a backslash before
       each quote inside:
       userpresence set settings alice \"{\\\"statuses\\\":{\\\"away\\\":
       {\\\"forwardExternal\\\":{\\\"always\\\":\\\"mobile\\\"}}}}\"
       A target is an extension, a number, voicemail, mobile or none.
",
        run: own_settings::set,
        complete: Some(complete::user),
    },
    Command {
        words: c"userpresence password",
        summary: c"Create a password for HTTP, hashed",
        usage: c"Usage: userpresence password <name> [<password>]
       Shows the lines of userpresence.conf that let the user of this name log
       in over HTTP or, if there is no such user, create an API user with this
       name. Without <password>, generates a random password and shows it. A
       password on the command line stays in the history of the console or,
       with 'asterisk -rx', of the shell.
",
        run: password::password,
        complete: Some(complete::user),
    },
    Command {
        words: c"userpresence password for",
        summary: c"Create passwords for many users at once",
        usage: c"Usage: userpresence password for account|group <name>
       Generates a password for each user of an account or group who has none.
       Writes the passwords, and the lines of userpresence.conf with their
       hashes, to a new file in Asterisk's directory for keys, which only
       Asterisk's own user can read. The console and the log show its name and
       no password. A hash takes some milliseconds: many passwords are created
       in the background.
",
        run: password::password_for,
        complete: Some(password::complete_for),
    },
    Command {
        words: c"userpresence check",
        summary: c"Check the configuration without applying it",
        usage: c"Usage: userpresence check
       Reads userpresence.conf and the realtime users as a reload does. Shows
       every error and warning, and how many users a reload would add, remove
       and change. Nothing changes.
",
        run: configuration::check,
        complete: None,
    },
    Command {
        words: c"userpresence forget",
        summary: c"Delete the stored data of removed users",
        usage: c"Usage: userpresence forget <name>|all
       The data of a user that was removed from the configuration (status,
       flags, sequence numbers) is kept for 30 days, and is used again if the
       user is configured again. This command deletes the data at once, for one
       removed user or for all. The data of configured users is kept.
",
        run: configuration::forget,
        complete: Some(|at| match at.before.is_empty() {
            true => configuration::forgettable(),
            false => Vec::new(),
        }),
    },
    Command {
        words: c"userpresence reload",
        summary: c"Reload the configuration",
        usage: c"Usage: userpresence reload [--really]
       Reads userpresence.conf and the realtime users again, as 'module reload
       res_userpresence.so' does. Shows how many users were added, removed and
       changed, or why the reload was refused. A reload that would remove all
       users, if there are more than ten, or all users from realtime, is refused
       without '--really'.
",
        run: configuration::reload,
        complete: Some(|at| match at.before.is_empty() {
            true => vec!["--really".to_owned()],
            false => Vec::new(),
        }),
    },
    Command {
        words: c"userpresence reload user",
        summary: c"Reload one user from realtime",
        usage: c"Usage: userpresence reload user <name>
       Reads one user again from the realtime family 'userpresence'.
       'userpresence reload' reads everything again.
",
        run: change::reload_user,
        complete: Some(|at| complete::users(at, |user| user.origin == Origin::Realtime)),
    },
];

/// The view of the user that `name` means; without one, writes why.
fn view(name: &str, out: &mut String) -> Option<View> {
    match store::read(|world| Query::find(world, name).map(|id| View::of(world, id))) {
        Some(Ok(view)) => Some(view),
        Some(Err(why)) => fail(out, &why),
        None => fail(out, runtime::NOT_RUNNING),
    }
}

/// Writes a message as a sentence. One that begins with the path of a setting or the name of an
/// option keeps its spelling.
fn fail<T>(out: &mut String, why: &str) -> Option<T> {
    // Writing to a String cannot fail, here and in the files of this folder.
    let mut letters = why.chars();
    let word = why.split_whitespace().next().unwrap_or_default();
    let is_name = word.ends_with(':') || word.contains('_');
    let first = letters.next().map(|c| match is_name {
        true => c.to_string(),
        false => c.to_uppercase().collect::<String>(),
    });
    let _ = writeln!(out, "{}{}.", first.unwrap_or_default(), letters.as_str());
    None
}

fn outcome(done: Option<()>) -> CliResult {
    match done {
        Some(()) => CliResult::Success,
        None => CliResult::Failure,
    }
}
