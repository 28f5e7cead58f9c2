//! Calendars: `Calendar:NAME` is a device, busy during an event.
//!
//! `res_calendar_icalendar` only fetches over HTTP, so Asterisk's own HTTP server serves
//! the file.

use std::fs;
use std::path::Path;

use super::builder::Builder;
use super::config::Ports;
use super::instance::Instance;

/// The text of `calendar.conf`.
pub(super) fn config(ports: Ports, builder: &Builder) -> String {
    let mut text = "[general]\n".to_owned();
    for name in &builder.calendars {
        text.push_str(&format!(
            "\n[{name}]\n\
             type = ical\n\
             url = http://127.0.0.1:{}/static/{name}.ics\n\
             refresh = 60\n\
             timeframe = 1440\n\
             fetch_again_at_reload = yes\n",
            ports.http
        ));
    }
    text
}

/// Writes a calendar with one event or none: its start and end in seconds from now.
pub(super) fn write(data: &Path, name: &str, event: Option<(i64, i64)>) {
    let mut text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//tests//EN\r\n".to_owned();
    if let Some((begin, end)) = event {
        text.push_str(&format!(
            "BEGIN:VEVENT\r\n\
             UID:{name}-{begin}\r\n\
             DTSTAMP:{stamp}\r\n\
             DTSTART:{begin}\r\n\
             DTEND:{end}\r\n\
             SUMMARY:Meeting\r\n\
             END:VEVENT\r\n",
            stamp = utc(0),
            begin = utc(begin),
            end = utc(end),
        ));
    }
    text.push_str("END:VCALENDAR\r\n");
    let path = data.join("static-http").join(format!("{name}.ics"));
    fs::write(path, text).expect("a file below our own directory");
}

/// The moment `seconds` from now in iCalendar's format.
fn utc(seconds: i64) -> String {
    let output = std::process::Command::new("date")
        .args(["-u", "+%Y%m%dT%H%M%SZ", "-d"])
        .arg(format!("{seconds} seconds"))
        .output()
        .expect("the program date");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Instance {
    /// Gives a calendar ([`Builder::calendar`]) one event, from `begin` to `end` in
    /// seconds from now, and makes Asterisk fetch it.
    ///
    /// Only once per calendar: if a fetched event disappears before its end, Asterisk leaves
    /// the device busy.
    #[track_caller]
    pub fn set_calendar(&self, name: &str, begin: i64, end: i64) {
        write(&self.path("data"), name, Some((begin, end)));
        let answer = self.module_action("reload", "res_calendar.so");
        assert!(answer.ok(), "reload of calendars: {}", answer.text());
    }
}
