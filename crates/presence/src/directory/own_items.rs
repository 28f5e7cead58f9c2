//! What a user's own settings come to, as the configuration allows it now: the mobile, the
//! default extension, the endpoints that ring.

use super::{Directory, UserId};
use crate::model::dialable::without_hyphens;
use crate::model::handling::MOBILE;
use crate::model::own_rights::OwnArea;
use crate::model::own_settings::{
    NONE, OwnItems, OwnSettings, OwnSwitch, OwnTarget, SettingsError, StatusSetting, UserSetting,
};
use crate::model::queue_action::QueueAction;
use crate::model::text::quoted;

impl Directory {
    /// The user's mobile number: their own, if it is allowed, else the configured one. `None` for
    /// none.
    pub fn mobile<'a>(
        &'a self,
        user: UserId,
        settings: Option<&'a OwnSettings>,
    ) -> Option<&'a str> {
        let own = settings.and_then(|own| own.user().get(UserSetting::Mobile));
        let number = match own.filter(|own| self.own_mobile(user, own).is_ok()) {
            Some(own) => Some(own).filter(|own| *own != NONE),
            None => self.configured_mobile(user),
        };
        number.filter(|number| !number.is_empty())
    }

    /// The mobile that the configuration names; `None` for none.
    fn configured_mobile(&self, user: UserId) -> Option<&str> {
        let reach = self.get(user).reach.as_deref();
        let mobile = reach.map(|reach| &*reach.mobile);
        mobile.filter(|mobile| !mobile.is_empty())
    }

    /// Whether the user may have this mobile number: the configured one, or one that is allowed
    /// as the target of a forward in the form in which it is dialled.
    ///
    /// # Errors
    /// The reason why not.
    pub fn own_mobile(&self, user: UserId, number: &str) -> Result<(), SettingsError> {
        let not_allowed = SettingsError::NotAllowed;
        self.may_set(user, OwnArea::Mobile).map_err(not_allowed)?;
        if number == NONE || self.configured_mobile(user) == Some(number) {
            return Ok(());
        }
        let prefix = &self.get(user).rule.calls.mobile_prefix;
        let dialled = format!("{prefix}{number}");
        let found = self.allowed_number(user, &dialled, None);
        match found.map_err(not_allowed)? {
            Some(_) => Ok(()),
            None => Err(not_allowed(
                "own_forward has no pattern that allows this number".into(),
            )),
        }
    }

    /// The input of the default extension: the user's own choice, if it is one of the user's
    /// extensions, else the configured one.
    pub fn default_of(&self, user: UserId, settings: Option<&OwnSettings>) -> Option<u16> {
        let own = settings.and_then(|own| own.user().get(UserSetting::Default));
        let own = own.and_then(|own| self.own_default(user, own).ok());
        own.or(self.get(user).default)
    }

    /// The input of a default extension that the user has chosen.
    ///
    /// # Errors
    /// The reason why it is not the default extension.
    pub fn own_default(&self, user: UserId, name: &str) -> Result<u16, SettingsError> {
        let may_set = self.may_set(user, OwnArea::Handling);
        may_set.map_err(SettingsError::NotAllowed)?;
        let spec = self.get(user);
        let mut inputs = spec.inputs.iter();
        let at = inputs.position(|input| self.extension(input) == Some(name));
        at.map(|at| at as u16).ok_or_else(|| {
            let extensions = spec.inputs.iter().filter_map(|it| self.extension(it));
            let extensions: Vec<&str> = extensions.collect();
            SettingsError::Invalid(format!(
                "'{}' is no extension of '{}', expected {}",
                quoted(name),
                spec.name,
                match extensions.is_empty() {
                    true => "null".to_owned(),
                    false => extensions.join(", "),
                }
            ))
        })
    }

    /// Whether an item of a status is carried out now. `settings` are all settings of the user.
    ///
    /// # Errors
    /// The reason why not.
    pub fn own_item(
        &self,
        user: UserId,
        settings: &OwnSettings,
        items: &OwnItems,
        item: StatusSetting,
    ) -> Result<(), SettingsError> {
        let may_set = self.may_set(user, item.area());
        may_set.map_err(SettingsError::NotAllowed)?;
        let settings = Some(settings);
        match item {
            StatusSetting::RingFirst => self.own_endpoints(user, settings, &items.ring_first),
            StatusSetting::RingSecond => self.own_endpoints(user, settings, &items.ring_second),
            StatusSetting::RingMobile if items.ring_mobile == Some(true) => {
                self.rings_mobile(user, settings)
            }
            StatusSetting::Queue if items.queue == Some(QueueAction::Login) => {
                match self.named_queues(user).next() {
                    Some(_) => Ok(()),
                    None => Err(SettingsError::NotAllowed(format!(
                        "no action of '{}' names a queue, expected logout, pause or none",
                        self.get(user).name
                    ))),
                }
            }
            StatusSetting::Dnd if items.dnd.is_some() && self.get(user).rule.follow_dnd => {
                Err(SettingsError::NotAllowed(format!(
                    "do not disturb of '{}' follows the status (follow_dnd = yes), expected no \
                     setting for it",
                    self.get(user).name
                )))
            }
            StatusSetting::Dnd => self.own_switch(user, items.dnd, "dnd"),
            StatusSetting::FollowMe => self.own_switch(user, items.follow_me, "followme"),
            _ => Ok(()),
        }
    }

    /// Whether a switch leaves presences alone. One that sets a presence could change the very
    /// status that it follows from.
    fn own_switch(
        &self,
        user: UserId,
        switch: Option<OwnSwitch>,
        option: &str,
    ) -> Result<(), SettingsError> {
        const PRESENCE: [&str; 2] = ["PRESENCE_STATE", "USER_PRESENCE"];
        let spec = self.get(user);
        let functions = &spec.rule.functions;
        let lists = match option {
            "dnd" => [&functions.dnd_on, &functions.dnd_off],
            _ => [&functions.followme_on, &functions.followme_off],
        };
        let mut all = lists.into_iter().flatten();
        let sets = all.any(|it| PRESENCE.contains(&it.function()));
        match sets && switch.is_some_and(|switch| switch != OwnSwitch::None) {
            true => Err(SettingsError::NotAllowed(format!(
                "{option}_on or {option}_off of '{}' sets a presence, expected none",
                spec.name
            ))),
            false => Ok(()),
        }
    }

    /// Whether the user may let the mobile ring.
    fn rings_mobile(
        &self,
        user: UserId,
        settings: Option<&OwnSettings>,
    ) -> Result<(), SettingsError> {
        self.own_target(user, settings, &OwnTarget::Mobile)
            .map(drop)
            .map_err(SettingsError::NotAllowed)
    }

    /// Whether one of the endpoints exists. The ones that do not exist are skipped when a call
    /// rings.
    fn own_endpoints(
        &self,
        user: UserId,
        settings: Option<&OwnSettings>,
        names: &Option<Box<[Box<str>]>>,
    ) -> Result<(), SettingsError> {
        let names = names.as_deref().unwrap_or_default();
        let mut first = None;
        for name in names {
            match self.own_endpoint(user, settings, name) {
                Ok(()) => return Ok(()),
                Err(why) => first = first.or(Some(why)),
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// Whether a name in a stage of ringing means something that can ring.
    ///
    /// # Errors
    /// The reason why not.
    pub fn own_endpoint(
        &self,
        user: UserId,
        settings: Option<&OwnSettings>,
        name: &str,
    ) -> Result<(), SettingsError> {
        let spec = self.get(user);
        let reach = spec.reach.as_deref();
        let endpoints = reach.map_or(&[][..], |reach| &reach.endpoints);
        let mut known = endpoints.iter();
        if known.any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        if endpoints.is_empty() {
            return Err(SettingsError::Invalid(format!(
                "'{}' has no endpoints, so all phones ring at once",
                spec.name
            )));
        }
        if name.eq_ignore_ascii_case(MOBILE) {
            return self.rings_mobile(user, settings);
        }
        let endpoints: Vec<&str> = endpoints.iter().map(|(name, _)| &**name).collect();
        Err(SettingsError::Invalid(format!(
            "'{}' is no endpoint of '{}', expected {} or {MOBILE}",
            quoted(name),
            spec.name,
            endpoints.join(", ")
        )))
    }

    /// The queues that the user's actions name.
    pub fn named_queues(&self, user: UserId) -> impl Iterator<Item = &str> {
        let blocks = self.get(user).rule.actions.iter();
        let queues = blocks.flat_map(|block| &block.queues);
        queues.filter_map(|(queue, _)| queue.as_deref())
    }

    /// Whether a number without hyphens is the user's mobile.
    pub fn is_own_mobile(&self, user: UserId, settings: Option<&OwnSettings>, plain: &str) -> bool {
        let mobile = self.mobile(user, settings);
        mobile.is_some_and(|mobile| *without_hyphens(mobile) == *plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::directory;
    use crate::model::own_settings::SettingsPatch;
    use crate::model::status::Statuses;

    fn settings(json: &str) -> OwnSettings {
        let patch = SettingsPatch::parse(json).unwrap();
        let settings = OwnSettings::patched(None, &patch, &Statuses::default());
        settings.unwrap().unwrap()
    }

    const CONF: &str = "[general]\nmobile_prefix=0\n\
        [off]\ntype=action\nstatus=xa\nqueue=600,pause\n\
        [alice]\ntype=user\nextension=200\nextension=201\nmobile=+491\nmailbox=200@default\n\
        endpoint=desk,PJSIP/desk\nown_forward=mobile,_0+49X.,_0XXX\naction=off\n\
        [bob]\ntype=user\nextension=210\nown_forward=internal\nmobile=+492\n\
        [carol]\ntype=user\nextension=220\nown_settings=note\n\
        [dora]\ntype=user\nextension=230\ndnd_on=USER_PRESENCE(${USER})=dnd\n";

    #[test]
    fn a_mobile_is_the_configured_one_or_what_may_be_dialled() {
        let directory = directory(CONF);
        let of = |user: &str, number: &str| {
            let user = directory.user(user).unwrap();
            let own = settings(&format!(r#"{{"mobile":"{number}"}}"#));
            let mobile = directory.mobile(user, Some(&own)).unwrap_or("-").to_owned();
            (directory.own_mobile(user, number).is_ok(), mobile)
        };
        let is = |allowed: bool, mobile: &str| (allowed, mobile.to_owned());
        assert_eq!(of("alice", "+4917"), is(true, "+4917"));
        assert_eq!(of("alice", "+491"), is(true, "+491"));
        assert_eq!(of("alice", "none"), is(true, "-"));
        // The patterns are of numbers as they are dialled, with the prefix.
        assert_eq!(of("alice", "+3317"), is(false, "+491"));
        assert_eq!(of("alice", "112"), is(true, "112"));
        assert_eq!(of("alice", "0112"), is(false, "+491"));
        assert_eq!(of("bob", "+4917"), is(false, "+492"));
        assert_eq!(of("bob", "+492"), is(true, "+492"));
        assert_eq!(of("carol", "+491"), is(false, "-"));
    }

    #[test]
    fn a_default_extension_is_one_of_the_users_own() {
        let directory = directory(CONF);
        let of = |user: &str, name: &str| {
            let user = directory.user(user).unwrap();
            let own = settings(&format!(r#"{{"default":"{name}"}}"#));
            directory.default_of(user, Some(&own))
        };
        assert_eq!(of("alice", "201"), Some(1));
        assert_eq!(of("alice", "210"), Some(0));
        assert_eq!(of("carol", "220"), Some(0), "not allowed, but the same");
        let alice = directory.user("alice").unwrap();
        let why = directory.own_default(alice, "210").unwrap_err().reason();
        assert_eq!(why, "'210' is no extension of 'alice', expected 200, 201");
    }

    #[test]
    fn each_item_of_a_status_has_its_reason() {
        let directory = directory(CONF);
        for (user, item, expected) in [
            ("alice", r#""ringFirst":["desk","mobile"]"#, ""),
            ("alice", r#""ringFirst":["attic","desk"]"#, ""),
            (
                "alice",
                r#""ringFirst":["attic"]"#,
                "no endpoint of 'alice', expected desk or mobile",
            ),
            ("alice", r#""ringFirst":[]"#, ""),
            ("alice", r#""ringMobile":true"#, ""),
            ("alice", r#""queue":"login""#, ""),
            ("alice", r#""dnd":"on""#, ""),
            (
                "bob",
                r#""ringFirst":["desk"]"#,
                "'bob' has no endpoints, so all phones ring at once",
            ),
            (
                "bob",
                r#""ringMobile":true"#,
                "mobile is not allowed; own_forward of 'bob' allows",
            ),
            ("bob", r#""ringMobile":false"#, ""),
            (
                "bob",
                r#""queue":"login""#,
                "no action of 'bob' names a queue",
            ),
            ("bob", r#""queue":"pause""#, ""),
            ("carol", r#""note":"x""#, ""),
            (
                "carol",
                r#""push":true"#,
                "own_settings of 'carol' does not include handling",
            ),
            (
                "carol",
                r#""dnd":"on""#,
                "own_settings of 'carol' does not include actions",
            ),
            (
                "dora",
                r#""dnd":"on""#,
                "dnd_on or dnd_off of 'dora' sets a presence",
            ),
            ("dora", r#""dnd":"none""#, ""),
            ("dora", r#""followMe":"on""#, ""),
            ("dora", r#""ringMobile":true"#, "'dora' has no mobile"),
        ] {
            let user = directory.user(user).unwrap();
            let own = settings(&format!(r#"{{"statuses":{{"away":{{{item}}}}}}}"#));
            let items = &own.status("away").unwrap().items;
            let set = StatusSetting::ALL.into_iter();
            let mut set = set.filter(|item| items.value(*item).is_some());
            let why = directory.own_item(user, &own, items, set.next().unwrap());
            let why = why.err().map_or_else(String::new, SettingsError::reason);
            match expected {
                "" => assert_eq!(why, "", "{item}"),
                expected => assert!(why.contains(expected), "{item}: {why}"),
            }
        }
    }
}
