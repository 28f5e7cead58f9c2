//! What a user's own settings come to, as the configuration allows it now: the mobile, the
//! default extension, the endpoints that ring.

use super::{Directory, UserId};
use crate::model::dialable::without_hyphens;
use crate::model::handling::MOBILE;
use crate::model::own_rights::OwnArea;
use crate::model::own_settings::{
    NONE, OwnItems, OwnSettings, OwnSwitch, OwnTarget, SettingsError, StatusItem, UserItem,
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
        let own = settings.and_then(|own| own.user().get(UserItem::Mobile));
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
        self.number(user, &dialled, None)
            .map(drop)
            .map_err(not_allowed)
    }

    /// The input of the default extension: the user's own choice, if it is one of the user's
    /// extensions, else the configured one.
    pub fn default_of(&self, user: UserId, settings: Option<&OwnSettings>) -> Option<u16> {
        let own = settings.and_then(|own| own.user().get(UserItem::Default));
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
        item: StatusItem,
    ) -> Result<(), SettingsError> {
        let may_set = self.may_set(user, item.area());
        may_set.map_err(SettingsError::NotAllowed)?;
        let settings = Some(settings);
        match item {
            StatusItem::RingFirst => self.own_endpoints(user, settings, &items.ring_first),
            StatusItem::RingSecond => self.own_endpoints(user, settings, &items.ring_second),
            StatusItem::RingMobile if items.ring_mobile == Some(true) => {
                self.rings_mobile(user, settings)
            }
            StatusItem::Queue if items.queue == Some(QueueAction::Login) => {
                match self.named_queues(user).next() {
                    Some(_) => Ok(()),
                    None => Err(SettingsError::NotAllowed(format!(
                        "no action of '{}' names a queue, expected logout, pause or none",
                        self.get(user).name
                    ))),
                }
            }
            StatusItem::Dnd => self.own_switch(user, items.dnd, "dnd"),
            StatusItem::FollowMe => self.own_switch(user, items.follow_me, "followme"),
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
