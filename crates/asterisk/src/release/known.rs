//! Which release a version of Asterisk belongs to, and what is known of the structures of the
//! releases. Nothing here needs Asterisk: the build script and tests use this file too.

use std::fmt;

/// What decides whether two versions have the same structures: the major and the minor number,
/// because Asterisk's patch levels mend faults only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Release(String);

impl Release {
    /// The release of a version, as `ast_get_version` or a package spells it: `22.10` of
    /// `22.10.1~dfsg-1`, and `certified/20.7` of `certified-20.7-cert1`. A build from git, or
    /// any other text, is a release of its own.
    pub fn of(version: &str) -> Self {
        let version = version.trim();
        let certified = version.strip_prefix("certified");
        let number = certified.map_or(version, |rest| rest.trim_start_matches(['/', '-']));
        let Some((major, rest)) = number.split_once('.') else {
            return Release(version.to_owned());
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (minor, suffix) = rest.split_at(digits);
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(major) || minor.is_empty() {
            return Release(version.to_owned());
        }
        let is_certified = certified.is_some() || suffix.starts_with("-cert");
        let prefix = if is_certified { "certified/" } else { "" };
        Release(format!("{prefix}{major}.{minor}"))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A row of `asterisk-headers/known-good.txt`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row<'a> {
    /// Whether the module was run in this Asterisk, and not only compiled for it.
    pub ran: bool,
    /// The version.
    pub version: &'a str,
    /// The build option sum.
    pub sum: &'a str,
    /// Structures and their sizes in bytes, on 64-bit systems.
    pub sizes: Vec<(&'a str, usize)>,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let ran = match words.next()? {
            "ran" => true,
            "compiled" => false,
            _ => return None,
        };
        let (version, sum) = (words.next()?, words.next()?);
        let size = |word: &'a str| {
            let (name, size) = word.split_once('=')?;
            Some((name, size.parse().ok()?))
        };
        Some(Row {
            ran,
            version,
            sum,
            sizes: words.map(size).collect::<Option<_>>()?,
        })
    }
}

/// The rows of the file.
///
/// # Errors
/// The first line that is neither a row nor a comment.
pub fn rows(file: &str) -> Result<Vec<Row<'_>>, String> {
    let lines = file.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let row = |line| {
        Row::parse(line).ok_or_else(|| {
            format!("'{line}' is no row, expected: ran|compiled VERSION SUM STRUCTURE=SIZE ...")
        })
    };
    lines.map(row).collect()
}

/// What is known of the structures of a release.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Known {
    /// Each has the size that the module has been compiled with.
    Same,
    /// This one has another.
    Different {
        /// The name.
        structure: String,
        /// Its size in bytes in the module.
        here: usize,
        /// Its size in bytes in that release.
        there: usize,
    },
    /// Nobody has compared all of them.
    Nothing,
}

/// Compares the structures of the module with those of a release.
pub fn compare(release: &Release, sizes: &[(&str, usize)], rows: &[Row<'_>]) -> Known {
    let mut known = Known::Nothing;
    for row in rows
        .iter()
        .filter(|row| Release::of(row.version) == *release)
    {
        let of_row = |name: &str| row.sizes.iter().find(|(other, _)| *other == name);
        let mut complete = true;
        let mut different = None;
        for (name, here) in sizes {
            match of_row(name) {
                None => complete = false,
                Some((_, there)) if there != here => {
                    different.get_or_insert(Known::Different {
                        structure: (*name).to_owned(),
                        here: *here,
                        there: *there,
                    });
                }
                Some(_) => {}
            }
        }
        match different {
            // Builds of one release may differ.
            None if complete => return Known::Same,
            None => {}
            Some(different) => known = different,
        }
    }
    known
}

/// What becomes of a load.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The module runs in the release that it was built for.
    Loads,
    /// It loads with this warning.
    Risky(String),
    /// It does not load, for this reason.
    Declined(String),
}

/// How the administrator gets a module that fits.
#[derive(Clone, Copy, Debug)]
pub struct Remedy<'a> {
    /// What builds the module for the Asterisk that runs.
    pub rebuild: &'a str,
    /// The option that takes the risk.
    pub option: &'a str,
}

/// Decides whether a module that was built for one version of Asterisk loads in another;
/// `allowed` says whether the administrator takes the risk, and is asked only if that matters.
pub fn verdict(
    built: &str,
    running: &str,
    known: impl FnOnce(&Release) -> Known,
    allowed: impl FnOnce() -> bool,
    remedy: Remedy<'_>,
) -> Verdict {
    let release = Release::of(running);
    if Release::of(built) == release {
        return Verdict::Loads;
    }
    let Remedy { rebuild, option } = remedy;
    let known = known(&release);
    if let Known::Different {
        structure,
        here,
        there,
    } = known
    {
        return Verdict::Declined(format!(
            "built for Asterisk {built}, and this is Asterisk {running}, whose structure \
             {structure} has {there} bytes instead of {here}: {rebuild}"
        ));
    }
    if !allowed() {
        return Verdict::Declined(format!(
            "built for Asterisk {built}, and this is Asterisk {running}, whose structures may \
             differ: {rebuild}; {option} takes the risk"
        ));
    }
    let compared = match known {
        Known::Same => "the structures that the module uses have the same sizes in both",
        _ => "nobody has compared the structures of the two",
    };
    Verdict::Risky(format!(
        "Built for Asterisk {built} and loaded in Asterisk {running}: {compared}"
    ))
}
