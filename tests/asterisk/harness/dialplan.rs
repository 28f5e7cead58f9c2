//! Dialplan run by real channels.

use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::instance::Instance;

impl Instance {
    /// Runs `lines` (`Application(data)`, one priority each) on a real channel
    /// and returns what `expression` is afterwards, for example `${RESULT}`.
    ///
    /// The text is given over AMI, not through `extensions.conf`: no comma,
    /// semicolon or quote is touched before the dialplan sees it.
    #[track_caller]
    pub fn run_dialplan(&self, lines: &[&str], expression: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
        let context = format!("harness-{id}");

        // UserEvent splits its argument at commas, so the value travels as
        // base64; the letter in front keeps it from being empty.
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

    /// What a text with `${...}` becomes on a channel, up to 3000 bytes
    /// (a function's value in dialplan ends at 4096, and it travels as base64).
    /// [`Instance::getvar`] is simpler, but AMI and ARI read a function into
    /// 1024 bytes.
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
