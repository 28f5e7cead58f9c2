//! The settings as they are shown: every option of `[general]` with its value.

use std::fmt::Display;
use std::sync::Arc;

use super::{Rule, Settings};
use crate::model::device::PresenceTable;
use crate::model::status::{StatusType, Statuses};

impl Settings {
    /// Every option that `[general]` understands, with its value as it is written there.
    pub fn shown(&self) -> Vec<(&'static str, String)> {
        let mut lines = self.rule.shown(self.statuses());
        let http = &self.http;
        lines.extend([
            ("settle", format!("{} ms", self.settle)),
            ("http", yes_no(http.enabled)),
            ("http_rate", http.rate.to_string()),
            ("http_readers", http.readers.to_string()),
            ("http_readers_each", http.readers_each.to_string()),
            ("http_ami_sessions", yes_no(http.ami_sessions)),
            ("trusted_proxy", list(http.trusted_proxies.iter(), ",")),
            ("journal", http.journal.to_string()),
        ]);
        lines
    }
}

impl Rule {
    fn shown(&self, statuses: &Statuses) -> Vec<(&'static str, String)> {
        // The status of a schedule is known by what it writes.
        let outside = &self.schedule.outside;
        let mut statuses = statuses.iter();
        let of_schedule = statuses.find(|status| status.maps_to.as_ref() == Some(outside));
        let of_schedule = of_schedule.map_or_else(|| outside.to_string(), |it| it.name.to_string());
        let status = |status: &Option<Arc<StatusType>>| {
            let status = status.as_ref();
            status.map_or_else(|| NONE.to_owned(), |status| status.name.to_string())
        };
        let (login, calls, functions) = (&self.login, &self.calls, &self.functions);
        let handling = calls.handling.as_ref();
        let order = self.order.states().iter().map(|state| state.name());
        vec![
            ("enabled", yes_no(self.enabled)),
            ("method", self.method.name().to_owned()),
            ("priority", list(order, ",")),
            ("outgoing", self.outgoing.name().to_owned()),
            ("presence_prefix", text(&self.presence_prefix)),
            ("device_prefix", text(&self.device_prefix)),
            ("use_devices", yes_no(self.use_devices)),
            ("ignore_unreachable", yes_no(self.ignore_unreachable)),
            ("lamp_table", table(&self.lamp_table)),
            ("queue_table", table(&self.queue_table)),
            ("schedule", list(self.schedule.ranges.iter(), "; ")),
            ("schedule_status", of_schedule),
            ("timezone", text(&self.schedule.timezone)),
            ("login_status", status(&login.login)),
            ("logout_status", status(&login.logout)),
            ("register_status", status(&login.register)),
            ("unregister_status", status(&login.unregister)),
            ("login_overrides", yes_no(login.overrides)),
            (
                "action",
                list(self.actions.iter().map(|block| &*block.name), ","),
            ),
            ("dnd_on", list(functions.dnd_on.iter(), "; ")),
            ("dnd_off", list(functions.dnd_off.iter(), "; ")),
            ("followme_on", list(functions.followme_on.iter(), "; ")),
            ("followme_off", list(functions.followme_off.iter(), "; ")),
            (
                "handling",
                text(handling.map_or("", |handling| &handling.name)),
            ),
            ("mobile_prefix", text(&calls.mobile_prefix)),
            ("forward_context", text(&calls.forward_context)),
            (
                "internal_context",
                list(calls.internal_contexts.iter(), ","),
            ),
            ("trust_caller_id", yes_no(calls.trust_caller_id)),
            ("always_accept", list(calls.always_accept.iter(), ",")),
            ("origin_variable", text(&calls.origin_variable)),
        ]
    }
}

/// What stands for an empty value.
const NONE: &str = "-";

fn yes_no(on: bool) -> String {
    if on { "yes" } else { "no" }.to_owned()
}

fn text(text: &str) -> String {
    if text.is_empty() { NONE } else { text }.to_owned()
}

fn table(table: &PresenceTable) -> String {
    match &*table.name {
        "" => "built-in".to_owned(),
        name => name.to_owned(),
    }
}

fn list(parts: impl Iterator<Item = impl Display>, separator: &str) -> String {
    let parts: Vec<String> = parts.map(|part| part.to_string()).collect();
    text(&parts.join(separator))
}

#[cfg(test)]
mod tests {
    use super::super::api_user::Http;
    use super::super::settings::Editing;
    use super::super::testing::parsed;
    use super::*;

    /// An option that is added is shown, too.
    #[test]
    fn every_option_is_shown_in_the_order_of_the_list() {
        let shown = Settings::default().shown();
        let names: Vec<&str> = shown.iter().map(|(name, _)| *name).collect();
        let options = format!("{}, settle, {}", Editing::OPTIONS, Http::OPTIONS);
        assert_eq!(names.join(", "), options);
        assert!(shown.iter().all(|(_, value)| !value.is_empty()));
    }

    #[test]
    fn values_are_shown_as_they_are_written() {
        // Those that have no value of their own by default, and others.
        let options = [
            ("enabled", "no"),
            ("method", "latest"),
            ("priority", "chat,dnd,xa,away,unavailable,available,not_set"),
            ("outgoing", "default"),
            ("presence_prefix", "CustomPresence:t-"),
            ("device_prefix", "SIP/"),
            ("use_devices", "yes"),
            ("ignore_unreachable", "no"),
            ("lamp_table", "mine"),
            ("queue_table", "mine"),
            ("schedule", "9:00-17:00,mon-fri,*,*"),
            ("schedule_status", "lunch"),
            ("timezone", "Europe/Berlin"),
            ("login_status", "available"),
            ("logout_status", "lunch"),
            ("register_status", "chat"),
            ("unregister_status", "away"),
            ("login_overrides", "yes"),
            ("action", "quiet"),
            ("dnd_on", "DB(a/${EXTENSION})=$x-${STATE}"),
            ("dnd_off", "DB(a/${EXTENSION})="),
            ("followme_on", "DB(f/${USER})=1"),
            ("followme_off", "DB(f/${USER})=0"),
            ("handling", "office"),
            ("mobile_prefix", "9"),
            ("forward_context", "out"),
            ("internal_context", "inside,beside"),
            ("trust_caller_id", "yes"),
            ("always_accept", "200,+49170"),
            ("origin_variable", "WHENCE"),
        ];
        let mut conf = "[lunch]\ntype=status\nstate=away\nsubtype=lunch\n\
                        [mine]\ntype=presence_table\nchat=busy\n\
                        [quiet]\ntype=action\nstatus=dnd\nset=DB(q/1)=1\n\
                        [office]\ntype=handling\n[general]\n"
            .to_owned();
        for (name, value) in options {
            conf.push_str(&format!("{name}={value}\n"));
        }
        let more = "settle=20\nhttp=no\nhttp_rate=7\nhttp_readers=8\nhttp_readers_each=4\n\
                    http_ami_sessions=yes\ntrusted_proxy=10.1.2.3/8,::1\njournal=900\n";
        let parsed = parsed(&format!("{conf}{more}"));
        let errors: Vec<_> = parsed.all_errors().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let shown = parsed.settings.shown();
        let shown: Vec<_> = shown.iter().map(|(name, said)| (*name, &**said)).collect();
        assert_eq!(shown[..options.len()], options);
        let others = [
            ("settle", "20 ms"),
            ("http", "no"),
            ("http_rate", "7"),
            ("http_readers", "8"),
            ("http_readers_each", "4"),
            ("http_ami_sessions", "yes"),
            ("trusted_proxy", "10.0.0.0/8,::1"),
            ("journal", "900"),
        ];
        assert_eq!(shown[options.len()..], others);
        let default = Settings::default().shown();
        for (name, value) in options {
            assert!(!default.contains(&(name, value.to_owned())), "{name}");
        }
    }
}
