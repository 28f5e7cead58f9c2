//! Asterisk's log.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use super::instance::Instance;
use super::wait::wait_until;

impl Instance {
    /// The whole log so far, restarts included.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.path("log/full.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until a line of the log contains `text`, and returns that line.
    #[track_caller]
    pub fn wait_log(&self, text: &str) -> String {
        self.wait_log_from(0, text)
    }

    /// As [`Instance::wait_log`], after the first `bytes` of the log: take `log().len()`
    /// before you act.
    #[track_caller]
    pub fn wait_log_from(&self, bytes: usize, text: &str) -> String {
        wait_until(&format!("{text:?} in the log"), || {
            let log = self.log();
            log.get(bytes..)?
                .lines()
                .find(|line| line.contains(text))
                .map(str::to_owned)
        })
    }

    /// The WARNING and ERROR lines of the log, up to this moment.
    ///
    /// A thread of Asterisk's writes the log, so this first sends a mark behind everything in
    /// its queue: a query for a function that does not exist.
    #[track_caller]
    pub fn complaints(&self) -> Vec<String> {
        const MARK: &str = "HARNESS_MARK_";
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{MARK}{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.getvar(&format!("{mark}()"));
        self.wait_log(&format!("{mark} not registered"));
        self.log()
            .lines()
            .filter(|line| line.contains("WARNING[") || line.contains("ERROR["))
            // The second one is caused by a slow machine, not by a defect.
            .filter(|line| !line.contains(MARK) && !line.contains("high water mark"))
            // pjproject remarks on a service that comes while SIP runs already.
            .filter(|line| !line.contains("registered during operation"))
            .map(str::to_owned)
            .collect()
    }
}
