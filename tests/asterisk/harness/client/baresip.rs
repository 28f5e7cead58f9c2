//! baresip, by its commands and its trace of SIP.

use std::process::Command;

use super::{Home, Line, Program, Watcher};
use crate::harness::instance::Instance;

/// What precedes baresip's list of contacts.
const LIST: &str = "--- Contacts (";

/// A running baresip. It ends on drop, without a word to Asterisk.
pub struct Baresip {
    program: Program,
    /// The name of the only contact, as in its list.
    contact: String,
}

impl Baresip {
    /// Starts baresip, which subscribes a second later.
    #[track_caller]
    pub fn start(instance: &Instance, line: Line<'_>) -> Self {
        Self::launch(instance, line, "regint=0")
    }

    /// Starts baresip, which registers, subscribes, and publishes its own presence: at first
    /// that it is online.
    #[track_caller]
    pub fn publishing(instance: &Instance, line: Line<'_>) -> Self {
        Self::launch(instance, line, "regint=600;pubint=600")
    }

    #[track_caller]
    fn launch(instance: &Instance, line: Line<'_>, options: &str) -> Self {
        let home = Home::new(instance);
        let (endpoint, watches, server) = (line.endpoint, line.watches, &home.server);
        home.write(
            "config",
            &format!(
                "sip_listen 127.0.0.1:{}\n\
                 net_interface 127.0.0.1\n\
                 module_path /usr/lib/baresip/modules\n\
                 module stdio.so\n\
                 module g711.so\n\
                 module_tmp account.so\n\
                 module_app contact.so\n\
                 module_app presence.so\n\
                 module_app menu.so\n",
                home.port
            ),
        );
        home.write(
            "accounts",
            &format!("<sip:{endpoint}@{server}>;{options}\n"),
        );
        home.write(
            "contacts",
            &format!("\"{watches}\" <sip:{watches}@{server}>;presence=p2p\n"),
        );
        let mut command = Command::new("baresip");
        command.args(["-4", "-s", "-f"]).arg(&home.path);
        Self {
            program: home.start("baresip", &mut command),
            contact: format!("{watches} <sip:{watches}@{server}>"),
        }
    }

    /// Sets its own presence: baresip has `online` and `offline`.
    pub fn publish(&self, presence: &str) {
        self.command(&format!("presence_{presence}"));
    }

    /// Ends it as its user does: it withdraws what it published.
    #[track_caller]
    pub fn quit(&self) {
        self.command("quit");
        let status = self.program.wait_end();
        assert!(status.success(), "{status}\n{}", self.program.printed());
    }

    fn command(&self, command: &str) {
        self.program.type_line(&format!("/{command}"));
    }

    /// What its list of contacts says now.
    #[track_caller]
    fn ask(&self) -> String {
        let lists = |text: &str| text.matches(LIST).count();
        let before = lists(&self.program.printed());
        self.command("contacts");
        self.program.wait("list of contacts", |text| {
            let (_, list) = text.rsplit_once(LIST)?;
            if lists(text) == before {
                return None;
            }
            // A mark of the current contact, the presence in colour, the contact.
            let line = list.lines().find(|line| line.ends_with(&self.contact))?;
            let plain = line.split('\x1b').nth(1)?;
            let (_, presence) = plain.split_once('m')?;
            Some(presence.to_owned())
        })
    }
}

impl Watcher for Baresip {
    fn wait_seen(&self, notify: usize) -> String {
        // Its answer comes before the contact's new presence but in the same step, and a
        // command is read in a later one. Asterisk may send a NOTIFY twice.
        self.program.wait(&format!("NOTIFY {notify}"), |text| {
            let answers = text.split("SIP/2.0 200 OK").skip(1);
            let mut answered: Vec<_> = answers
                .filter_map(|answer| {
                    let headers = answer.lines().skip(1);
                    let mut lines = headers.take_while(|line| !line.is_empty());
                    lines.find(|line| line.starts_with("CSeq: ") && line.ends_with(" NOTIFY"))
                })
                .collect();
            answered.sort_unstable();
            answered.dedup();
            (answered.len() >= notify).then_some(())
        });
        self.ask()
    }

    fn wait_to_see(&self, expected: &str) {
        let mut seen = String::new();
        let found = crate::harness::wait::poll(crate::harness::PATIENCE, || {
            seen = self.ask();
            (seen == expected).then_some(())
        });
        assert!(found.is_some(), "baresip sees {seen}, not {expected}");
    }
}
