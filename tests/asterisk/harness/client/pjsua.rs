//! pjsip's client, by its Python interface pjsua2 and the script `tests/sip/pjsua.py`.

use std::path::Path;
use std::process::Command;

use super::{Home, Line, Program, Watcher, lines_after};
use crate::harness::instance::Instance;
use crate::harness::paths;

/// Installed by `make pjsua`.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/pjsua/bin/python");

/// A running client. It ends on drop.
pub struct Pjsua {
    program: Program,
}

impl Pjsua {
    /// Starts the client, which subscribes at once.
    #[track_caller]
    pub fn start(instance: &Instance, line: Line<'_>) -> Self {
        assert!(Path::new(PYTHON).exists(), "no {PYTHON}: make pjsua");
        let home = Home::new(instance);
        let mut command = Command::new(PYTHON);
        command
            .arg(paths::repository().join("tests/sip/pjsua.py"))
            .args([&home.server, line.endpoint, line.watches])
            .arg(home.port.to_string());
        let program = home.start("pjsua", &mut command);
        Self { program }
    }

    /// Publishes that it is online with this activity (`away`, `busy`, `none`) and note.
    pub fn publish(&self, activity: &str, note: &str) {
        self.program
            .type_line(&format!("publish {activity} {note}"));
    }

    fn all_seen(text: &str) -> Vec<String> {
        lines_after(text, "sees: ").map(str::to_owned).collect()
    }
}

impl Watcher for Pjsua {
    fn wait_seen(&self, notify: usize) -> String {
        self.program.wait(&format!("NOTIFY {notify}"), |text| {
            Self::all_seen(text).into_iter().nth(notify - 1)
        })
    }

    fn wait_to_see(&self, expected: &str) {
        self.program.wait(&format!("{expected} at last"), |text| {
            (Self::all_seen(text).last()? == expected).then_some(())
        });
    }
}
