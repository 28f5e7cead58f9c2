//! Linphone's console program, which prints each presence that it is notified of.

use std::fs;
use std::process::Command;

use super::{Home, Line, Program, Watcher};
use crate::harness::instance::Instance;

/// A running `linphonec`, which subscribes some two seconds after its start. It ends on drop.
pub struct Linphone {
    program: Program,
    /// What precedes a presence in its output.
    prefix: String,
}

impl Linphone {
    /// Starts linphonec.
    #[track_caller]
    pub fn start(instance: &Instance, line: Line<'_>) -> Self {
        let home = Home::new(instance);
        let (endpoint, watches, server) = (line.endpoint, line.watches, &home.server);
        fs::create_dir_all(home.path.join(".local/share/linphone")).expect("our own directory");
        home.write(
            "linphonerc",
            &format!(
                "[sip]\n\
                 bind_address=127.0.0.1\n\
                 sip_port={}\n\
                 sip_tcp_port=0\n\
                 sip_tls_port=0\n\
                 use_ipv6=0\n\
                 guess_hostname=0\n\
                 contact=sip:{endpoint}@127.0.0.1\n\
                 subscribe_presence_only_when_registered=0\n\
                 \n\
                 [friend_0]\n\
                 url=<sip:{watches}@{server}>\n\
                 pol=accept\n\
                 subscribe=1\n",
                home.port
            ),
        );
        // Its output would otherwise stay in its buffer.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "linphonec", "-c", "linphonerc"]);
        Self {
            program: home.start("linphonec", &mut command),
            prefix: format!("Friend \"{watches}\" <sip:{watches}@{server}> is "),
        }
    }

    fn all_seen(&self, text: &str) -> Vec<String> {
        // A prompt may come first in the line.
        let lines = text.lines();
        lines
            .filter_map(|line| Some(line.split_once(&self.prefix)?.1.to_owned()))
            .collect()
    }
}

impl Watcher for Linphone {
    fn wait_seen(&self, notify: usize) -> String {
        self.program.wait(&format!("NOTIFY {notify}"), |text| {
            self.all_seen(text).into_iter().nth(notify - 1)
        })
    }

    fn wait_to_see(&self, expected: &str) {
        self.program.wait(&format!("{expected} at last"), |text| {
            (self.all_seen(text).last()? == expected).then_some(())
        });
    }
}
