//! Dialplan run by real channels.

use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::instance::Instance;

impl Instance {
    /// Runs `lines` (`Application(data)`, one priority each) on a real channel and returns
    /// the value of `expression` afterwards, for example of `${RESULT}`.
    ///
    /// The lines go over AMI instead of `extensions.conf`, so the dialplan gets every comma,
    /// semicolon and quote unchanged.
    #[track_caller]
    pub fn run_dialplan(&self, lines: &[&str], expression: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
        let context = format!("harness-{id}");

        // UserEvent splits its argument at commas, so the value travels as
        // base64. The letter before it keeps it from being empty.
        let report = format!("UserEvent(Harness,Id:{id},Value:${{BASE64_ENCODE(v{expression})}})");
        let lines = lines.iter().copied().chain([report.as_str(), "Hangup()"]);
        for (index, line) in lines.enumerate() {
            self.add_priority(&context, index + 1, line);
        }

        let ami = self.ami();
        let answer = ami.action(&[
            ("Action", "Originate"),
            ("Channel", &format!("Local/run@{context}/n")),
            ("Application", "Wait"),
            ("Data", "600"),
            ("Async", "true"),
        ]);
        assert!(answer.ok(), "Originate: {answer:?}");
        let event = ami.wait_event("the end of the dialplan", |event| {
            event.get("UserEvent") == Some("Harness") && event.get("Id") == Some(id.as_str())
        });
        let value = event.get("Value").unwrap_or_default();
        let value = BASE64.decode(value).expect("what BASE64_ENCODE made");
        let value = String::from_utf8_lossy(&value);
        value.strip_prefix('v').unwrap_or(&value).to_owned()
    }

    /// The result of a text with `${...}` on a channel, up to 3000 bytes (a function's value
    /// in the dialplan has at most 4096 bytes, and travels as base64).
    /// [`Instance::getvar`] is simpler, but AMI and ARI read functions into 1024 bytes.
    #[track_caller]
    pub fn evaluate(&self, text: &str) -> String {
        self.run_dialplan(&[], text)
    }

    #[track_caller]
    fn add_priority(&self, context: &str, priority: usize, line: &str) {
        let (application, data) = line
            .strip_suffix(')')
            .and_then(|line| line.split_once('('))
            .unwrap_or((line, ""));
        let answer = self.control().action(&[
            ("Action", "DialplanExtensionAdd"),
            ("Context", context),
            ("Extension", "run"),
            ("Priority", &priority.to_string()),
            ("Application", application),
            ("ApplicationData", data),
        ]);
        assert!(answer.ok(), "{line}: {}", answer.text());
    }
}
