//! `userpresence password`.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use asterisk::cli::{Args, Outcome};
use asterisk::crypt;

/// `userpresence password`
pub fn password(args: &Args<'_>, out: &mut String) -> Outcome {
    crate::trip("command");
    let (name, given) = match args.0.as_slice() {
        [name] => (*name, None),
        [name, password] => (*name, Some((*password).to_owned())),
        _ => return Outcome::ShowUsage,
    };
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 60 || !name.chars().all(good) {
        out.push_str("Expected a name of 1 to 60 letters, digits, '-', '_' or '.'.\n");
        return Outcome::Failure;
    }
    let made = given.is_none();
    let password = given.map_or_else(|| crypt::random::<18>().map(|made| BASE64.encode(made)), Ok);
    let both = password.and_then(|password| Ok((crypt::hash(&password)?, password)));
    let (hash, password) = match both {
        Ok(both) => both,
        Err(why) => {
            let _ = writeln!(out, "The password could not be created: {why}");
            return Outcome::Failure;
        }
    };
    if made {
        let _ = writeln!(out, "; The password, shown only once: {password}");
    }
    let _ = writeln!(
        out,
        "[{name}]\ntype = api_user\npassword = {hash}\naccount = default\nrole = read"
    );
    Outcome::Success
}
