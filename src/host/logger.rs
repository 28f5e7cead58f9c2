//! Asterisk's log as the logger of the crate `log`, by which the runtime logs: `info` is
//! Asterisk's NOTICE, `debug` its VERBOSE at level 2.

use asterisk::log::{Level, at, verbose_at};

/// The verbosity at which `debug` is shown.
const VERBOSITY: i32 = 2;

struct Logger;

static LOGGER: Logger = Logger;

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with(env!("CARGO_PKG_NAME"))
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (file, line) = (record.file().unwrap_or("?"), record.line().unwrap_or(0));
        let level = match record.level() {
            log::Level::Error => Level::Error,
            log::Level::Warn => Level::Warning,
            log::Level::Info => Level::Notice,
            log::Level::Debug => return verbose_at(VERBOSITY, file, line, record.args()),
            log::Level::Trace => return,
        };
        at(level, file, line, record.args());
    }

    fn flush(&self) {}
}

/// Makes Asterisk's log the logger. The module stays mapped after an unload, so the next
/// load finds it in place.
pub fn install() {
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(log::LevelFilter::Debug);
    }
}
