//! The bodies of requests that change the configuration.

use serde::{Deserialize, Deserializer};

use crate::web::site::{Reply, error, password};
use presence::config::file::{OptionsChange, SectionChange, WantedOption};

/// The most new passwords of a request: each hash takes a processor for a while.
const MOST_PASSWORDS: usize = 20;

/// Takes the place of a new password's hash until the change has been checked.
const NO_HASH: &str = "$6$new$hash";

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

/// Changes, with the new passwords in them, which are not hashed yet.
pub struct AskedChanges {
    changes: Vec<SectionChange>,
    /// Each with the index of its change, and of its option there.
    passwords: Vec<(usize, usize, String)>,
}

impl AskedChanges {
    fn new(asked: Vec<(String, SectionRequest)>) -> Result<Self, Reply> {
        let mut passwords = Vec::new();
        let mut changes = Vec::with_capacity(asked.len());
        for (at, (section, request)) in asked.into_iter().enumerate() {
            let mut found = Vec::new();
            changes.push(request.change(section, &mut found)?);
            passwords.extend(found.into_iter().map(|(option, plain)| (at, option, plain)));
        }
        if passwords.len() > MOST_PASSWORDS {
            let why = format!("Expected at most {MOST_PASSWORDS} new passwords in a request.");
            return Err(error(400, "password", &why));
        }
        Ok(AskedChanges { changes, passwords })
    }

    /// A change of one section.
    ///
    /// # Errors
    /// Answers 400 for a password that is not accepted.
    pub fn of_section(section: String, request: SectionRequest) -> Result<Self, Reply> {
        Self::new(vec![(section, request)])
    }

    /// The changes, for a check: a new password has some hash.
    pub fn unhashed(&self) -> &[SectionChange] {
        &self.changes
    }

    /// Whether there are new passwords.
    pub fn has_passwords(&self) -> bool {
        !self.passwords.is_empty()
    }

    /// The changes with the hashes of new passwords, each in its turn.
    ///
    /// # Errors
    /// Answers 503 for a password that cannot be hashed now.
    pub fn hashed(mut self) -> Result<Vec<SectionChange>, Reply> {
        for (change, option, plain) in &self.passwords {
            if let OptionsChange::Set(options) = &mut self.changes[*change].options {
                options[*option].value = Some(password::hash(plain)?);
            }
        }
        Ok(self.changes)
    }
}

impl ChangesRequest {
    /// The changes.
    ///
    /// # Errors
    /// Answers 400 for a password that is not accepted.
    pub fn changes(self) -> Result<AskedChanges, Reply> {
        let changes = self.changes.into_iter();
        AskedChanges::new(changes.map(|named| (named.section, named.change)).collect())
    }
}

impl SectionRequest {
    /// The change of the section of that name; `passwords` gets the new ones, each with the index
    /// of its option.
    fn change(
        self,
        section: String,
        passwords: &mut Vec<(usize, String)>,
    ) -> Result<SectionChange, Reply> {
        let options = match self.options {
            None => OptionsChange::Keep,
            Some(None) => OptionsChange::Delete,
            Some(Some(options)) => {
                let own = options.into_iter().filter(|option| !option.inherited);
                let own = own.enumerate().map(|(at, option)| {
                    let (wanted, plain) = option.wanted()?;
                    passwords.extend(plain.map(|plain| (at, plain)));
                    Ok(wanted)
                });
                OptionsChange::Set(own.collect::<Result<_, Reply>>()?)
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
    fn wanted(self) -> Result<(WantedOption, Option<String>), Reply> {
        let value = match &self.plain {
            None => self.value,
            Some(_) if !self.name.eq_ignore_ascii_case("password") || self.value.is_some() => {
                let why = "'plain' is for the option 'password', in place of 'value'.";
                return Err(error(400, "body", why));
            }
            Some(plain) => {
                password::check_letters(plain).map_err(|why| error(400, "password", why))?;
                Some(NO_HASH.to_owned())
            }
        };
        let name = self.name;
        Ok((WantedOption { name, value }, self.plain))
    }
}
