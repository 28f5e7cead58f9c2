//! `[general]`: the options of a rule for all users, and those of the module itself.

use std::sync::Arc;

use super::api_user::{CALLING_WORDS, ShownCalls, calling_roles, masks};
use super::form::Form;
use super::reader::{Draft, Given, OptionSpec, OptionTable, SectionReader, Setting};
use super::rule::{HasRule, RuleDraft, RuleOptions};
use super::section::{Origin, Problem, Section};
use super::show::{list, yes_no};
use super::{Definitions, Http, IsTimezone, Lists, Settings, Sip, url, value};

/// `[general]` while it is read.
#[derive(Default)]
struct General {
    rule: RuleDraft,
    /// In milliseconds.
    settle: u32,
    http: Http,
    sip: Sip,
    lists: Lists,
    /// In seconds.
    realtime_refresh: u32,
    allow_other_release: bool,
}

impl HasRule for General {
    fn draft(&mut self) -> &mut RuleDraft {
        &mut self.rule
    }
}

/// The options that users do not have.
const OPTIONS: &[Setting<General>] = &[
    Setting::new(
        "settle",
        |it, given| {
            given
                .number(0, 60_000, "milliseconds")
                .map(|time| it.settle = time)
        },
        |settings| format!("{} ms", settings.settle),
    ),
    Setting::new(
        "http",
        |it, given| given.boolean().map(|on| it.http.enabled = on),
        |settings| yes_no(settings.http.enabled),
    ),
    Setting::new(
        "http_rate",
        |it, given| {
            given
                .number(1, 10_000, "requests a second")
                .map(|rate| it.http.rate = rate)
        },
        |settings| settings.http.rate.to_string(),
    ),
    Setting::new(
        "http_readers",
        |it, given| {
            given
                .number(0, 10_000, "readers")
                .map(|readers| it.http.readers = readers)
        },
        |settings| settings.http.readers.to_string(),
    ),
    Setting::new(
        "http_readers_each",
        |it, given| {
            given
                .number(1, 10_000, "readers")
                .map(|readers| it.http.readers_each = readers)
        },
        |settings| settings.http.readers_each.to_string(),
    ),
    Setting::new(
        "http_ami_sessions",
        |it, given| given.boolean().map(|on| it.http.ami_sessions = on),
        |settings| yes_no(settings.http.ami_sessions),
    ),
    Setting::new(
        "show_calls",
        |it, given| ShownCalls::parse(given).map(|calls| it.http.show_calls = calls),
        |settings| settings.http.show_calls.to_string(),
    ),
    Setting::new(
        "http_calls",
        |it, given| {
            given.some_of(CALLING_WORDS);
            calling_roles(given).map(|roles| it.http.calls = roles)
        },
        |settings| match &*settings.http.calls {
            [] => "no".into(),
            roles => list(roles.iter().map(|role| role.name()), ","),
        },
    ),
    Setting::new(
        "trusted_proxy",
        |it, given| proxies(&mut it.http, given),
        |settings| list(&settings.http.trusted_proxies, ","),
    ),
    Setting::new(
        "http_frame",
        |it, given| frames(&mut it.http, given),
        |settings| list(&settings.http.frame, ","),
    ),
    Setting::new(
        "journal",
        |it, given| {
            // Either no journal, or one so long that a slow reader does not lose events.
            let least = if given.value.trim() == "0" { 0 } else { 100 };
            given
                .number(least, 1_000_000, "events")
                .map(|events| it.http.journal = events)
        },
        |settings| settings.http.journal.to_string(),
    ),
    Setting::new(
        "realtime_refresh",
        |it, given| {
            // Never, or not so often that the database does nothing else.
            let least = if given.value.trim() == "0" { 0 } else { 5 };
            given
                .number(least, 86_400, "seconds")
                .map(|seconds| it.realtime_refresh = seconds)
        },
        |settings| format!("{} s", settings.realtime_refresh),
    ),
    Setting::new(
        "feature_keys",
        |it, given| given.boolean().map(|on| it.sip.feature_keys = on),
        |settings| yes_no(settings.sip.feature_keys),
    ),
    Setting::new(
        "sip_presence",
        |it, given| given.boolean().map(|on| it.sip.presence = on),
        |settings| yes_no(settings.sip.presence),
    ),
    Setting::new(
        "lists",
        |it, given| given.boolean().map(|on| it.lists.enabled = on),
        |settings| yes_no(settings.lists.enabled),
    ),
    Setting::new(
        "list_prefix",
        |it, given| {
            value::name(given.value, "the beginning of lists' names")
                .map(|()| it.lists.prefix = given.value.into())
        },
        |settings| settings.lists.prefix.to_string(),
    ),
    Setting::new(
        "list_batch",
        |it, given| {
            given
                .number(0, 60_000, "milliseconds")
                .map(|time| it.lists.batch = time)
        },
        |settings| format!("{} ms", settings.lists.batch),
    ),
    Setting::new(
        "list_full_state",
        |it, given| given.boolean().map(|on| it.lists.full_state = on),
        |settings| yes_no(settings.lists.full_state),
    ),
    Setting::new(
        "list_limit",
        |it, given| {
            given
                .number(1, 500, "members")
                .map(|limit| it.lists.limit = limit)
        },
        |settings| settings.lists.limit.to_string(),
    ),
    Setting::new(
        "allow_other_release",
        |it, given| given.boolean().map(|on| it.allow_other_release = on),
        |settings| yes_no(settings.allow_other_release),
    ),
];

/// Every option of `[general]`, in the order in which it is listed.
fn options() -> impl Iterator<Item = &'static Setting<General>> {
    RuleOptions::<General>::ALL.iter().chain(OPTIONS)
}

impl OptionTable for General {
    fn options() -> impl Iterator<Item = &'static OptionSpec<Self>> {
        options().map(|setting| &setting.option)
    }
}

/// Further values are added; an empty value adds none.
fn proxies(http: &mut Http, given: &Given<'_>) -> Result<(), String> {
    given.repeats();
    let value = given.value.trim();
    if !value.is_empty() {
        http.trusted_proxies.append(&mut masks(value)?);
    }
    Ok(())
}

/// What the value of each option is.
pub(super) fn forms() -> Vec<Form> {
    General::forms()
}

/// Further origins are added; an empty value adds none.
fn frames(http: &mut Http, given: &Given<'_>) -> Result<(), String> {
    given.repeats();
    let each = given
        .value
        .split(',')
        .filter(|part| !part.trim().is_empty());
    let origins: Result<Vec<_>, _> = each.map(url::origin).collect();
    http.frame.append(&mut origins?);
    Ok(())
}

/// The names of all options.
pub(super) fn names() -> Vec<&'static str> {
    General::names()
}

/// Reads `[general]`, of which there may be one.
pub(super) fn parse(
    sections: &[&Section],
    definitions: Arc<Definitions>,
    is_timezone: IsTimezone<'_>,
    errors: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> Settings {
    for again in sections.iter().skip(1) {
        let mut reader = SectionReader::new(Origin::File, again);
        reader.error("the section [general] appears twice, expected it once");
        reader.finish(errors, warnings);
    }
    let mut general = General {
        rule: RuleDraft::new(Arc::default(), definitions.clone()),
        settle: 0,
        http: Http::default(),
        sip: Sip::default(),
        lists: Lists::default(),
        realtime_refresh: 0,
        allow_other_release: false,
    };
    let rule = match sections.first() {
        None => Arc::default(),
        Some(section) => {
            let mut reader = SectionReader::new(Origin::File, section);
            reader.read(&mut general);
            let rule = general.rule.finish(is_timezone, &mut reader);
            reader.finish(errors, warnings);
            rule
        }
    };
    Settings {
        rule,
        settle: general.settle,
        definitions,
        webhooks: Vec::new(),
        cluster: None,
        nodes: Vec::new(),
        http: Arc::new(general.http),
        sip: general.sip,
        lists: general.lists,
        realtime_refresh: general.realtime_refresh,
        allow_other_release: general.allow_other_release,
    }
}

impl Settings {
    /// Every option of `[general]` with its value, the way it is written there.
    pub fn list(&self) -> Vec<(&'static str, String)> {
        let options = options().map(|setting| (setting.name(), (setting.show)(self)));
        options.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::parsed;
    use super::*;

    #[test]
    fn every_setting_is_listed_once_and_has_a_value() {
        let list = Settings::default().list();
        let mut names: Vec<&str> = list.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), list.len());
        assert!(list.iter().all(|(_, value)| !value.is_empty()));
    }

    #[test]
    fn values_are_listed_as_they_are_written() {
        // Values other than the defaults.
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
            ("dnd_key", "dnd_status"),
            ("visibility", "groups"),
            ("own_settings", "handling,note"),
            ("own_forward", "voicemail,_+49X.,210"),
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
                    http_ami_sessions=yes\nshow_calls=default,east\n\
                    http_calls=self, admin\ntrusted_proxy=10.1.2.3/8,::1\njournal=900\n\
                    realtime_refresh=60\n\
                    http_frame=https://crm.example.com, http://Desk:8080\n\
                    feature_keys=no\nsip_presence=no\n\
                    lists=no\nlist_prefix=team.\nlist_batch=0\nlist_full_state=yes\n\
                    list_limit=12\nallow_other_release=yes\n";
        let parsed = parsed(&format!("{conf}{more}"));
        let errors: Vec<_> = parsed.all_errors().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let listed = parsed.settings.list();
        let listed: Vec<_> = listed
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        assert_eq!(listed[..options.len()], options);
        let others = [
            ("settle", "20 ms"),
            ("http", "no"),
            ("http_rate", "7"),
            ("http_readers", "8"),
            ("http_readers_each", "4"),
            ("http_ami_sessions", "yes"),
            ("show_calls", "default,east"),
            ("http_calls", "self,admin"),
            ("trusted_proxy", "10.0.0.0/8,::1"),
            ("http_frame", "https://crm.example.com,http://desk:8080"),
            ("journal", "900"),
            ("realtime_refresh", "60 s"),
            ("feature_keys", "no"),
            ("sip_presence", "no"),
            ("lists", "no"),
            ("list_prefix", "team."),
            ("list_batch", "0 ms"),
            ("list_full_state", "yes"),
            ("list_limit", "12"),
            ("allow_other_release", "yes"),
        ];
        assert_eq!(listed[options.len()..], others);
        let default = Settings::default().list();
        for (name, value) in options {
            assert!(!default.contains(&(name, value.to_owned())), "{name}");
        }
    }
}
