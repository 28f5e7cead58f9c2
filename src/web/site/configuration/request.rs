//! The bodies of requests that change the configuration.

use serde::{Deserialize, Deserializer};

use crate::runtime::Runtime;
use crate::web::site::{Reply, error};
use presence::config::file::{OptionsChange, SectionChange, WantedOption};

/// Changes of several sections.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangesRequest {
    changes: Vec<NamedSectionRequest>,
}

#[derive(Deserialize)]
struct NamedSectionRequest {
    section: String,
    #[serde(flatten)]
    change: SectionRequest,
}

/// A change of one section.
#[derive(Deserialize)]
pub struct SectionRequest {
    r#type: Option<String>,
    #[serde(default)]
    template: bool,
    templates: Option<Vec<String>>,
    /// `None` if they stay, and `null` if the section goes.
    #[serde(default, deserialize_with = "given")]
    options: Option<Option<Vec<OptionRequest>>>,
    rename: Option<String>,
    after: Option<String>,
    /// `realtime` for a new user of the database.
    origin: Option<String>,
}

/// An option, in the form in which it is read; `inherited` ones are left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OptionRequest {
    name: String,
    value: Option<String>,
    /// A new password, of which the hash is stored.
    plain: Option<String>,
    #[serde(default)]
    inherited: bool,
    #[serde(default, rename = "secret")]
    _secret: bool,
    #[serde(default, rename = "file")]
    _file: String,
    #[serde(default, rename = "line")]
    _line: u32,
    #[serde(default, rename = "editable")]
    _editable: bool,
    #[serde(default, rename = "reason")]
    _reason: String,
}

fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl ChangesRequest {
    /// The changes.
    ///
    /// # Errors
    /// Answers 400 for a password that cannot be hashed.
    pub fn changes(self, runtime: &Runtime) -> Result<Vec<SectionChange>, Reply> {
        let changes = self.changes.into_iter();
        changes
            .map(|named| named.change.change(named.section, runtime))
            .collect()
    }
}

impl SectionRequest {
    /// The change of the section of that name.
    ///
    /// # Errors
    /// Answers 400 for a password that cannot be hashed.
    pub fn change(self, section: String, runtime: &Runtime) -> Result<SectionChange, Reply> {
        let options = match self.options {
            None => OptionsChange::Keep,
            Some(None) => OptionsChange::Delete,
            Some(Some(options)) => {
                let own = options.into_iter().filter(|option| !option.inherited);
                let own = own.map(|option| option.wanted(runtime));
                OptionsChange::Set(own.collect::<Result<_, _>>()?)
            }
        };
        Ok(SectionChange {
            section,
            kind: self.r#type,
            template: self.template,
            templates: self.templates,
            options,
            rename: self.rename,
            after: self.after,
            realtime: self.origin.is_some_and(|origin| origin == "realtime"),
        })
    }
}

impl OptionRequest {
    fn wanted(self, runtime: &Runtime) -> Result<WantedOption, Reply> {
        let value = match self.plain {
            None => self.value,
            Some(_) if !self.name.eq_ignore_ascii_case("password") || self.value.is_some() => {
                let why = "'plain' is for the option 'password', in place of 'value'.";
                return Err(error(400, "body", why));
            }
            Some(plain) if plain.is_empty() => {
                return Err(error(400, "body", "The password is empty."));
            }
            Some(plain) => {
                let hash = runtime.host().hash_password(&plain);
                Some(hash.map_err(|why| error(400, "body", &format!("The password: {why}.")))?)
            }
        };
        Ok(WantedOption {
            name: self.name,
            value,
        })
    }
}
