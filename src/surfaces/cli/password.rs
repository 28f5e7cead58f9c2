//! `userpresence password`.

use std::fmt::Write;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use super::{fail, outcome};
use crate::runtime;
use crate::runtime::password_sheet::Whose;
use crate::runtime::store;
use asterisk::cli::{Args, CliResult, Completion};
use asterisk::crypt;
use presence::config::Origin;

/// How long the console waits for passwords, which take a few milliseconds each.
const PATIENCE: Duration = Duration::from_secs(1);

/// `userpresence password`
pub fn password(args: &Args<'_>, out: &mut String) -> CliResult {
    crate::trip("command");
    let (name, given) = match args.0.as_slice() {
        [name] => (*name, None),
        [name, password] => (*name, Some((*password).to_owned())),
        _ => return CliResult::ShowUsage,
    };
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 60 || !name.chars().all(good) {
        out.push_str("Expected a name of 1 to 60 letters, digits, '-', '_' or '.'.\n");
        return CliResult::Failure;
    }
    let made = given.is_none();
    let both = match given {
        None => make(),
        Some(password) => hashed(password),
    };
    let (password, hash) = match both {
        Ok(both) => both,
        Err(why) => {
            let _ = writeln!(out, "The password could not be created: {why}");
            return CliResult::Failure;
        }
    };
    if made {
        let _ = writeln!(out, "; The password, shown only once: {password}");
    }
    let user = store::read(|world| {
        let directory = world.directory();
        let user = directory.get(directory.user(name)?);
        Some((user.name.clone(), user.origin))
    });
    let _ = match user.flatten() {
        Some((user, Origin::File)) => writeln!(out, "[{user}](+)\npassword = {hash}"),
        Some((user, Origin::Realtime)) => {
            writeln!(out, "; The column password of '{user}' in realtime: {hash}")
        }
        None => writeln!(
            out,
            "[{name}]\ntype = api_user\npassword = {hash}\naccount = default\nrole = read"
        ),
    };
    CliResult::Success
}

/// `userpresence password for`
pub fn password_for(args: &Args<'_>, out: &mut String) -> CliResult {
    crate::trip("command");
    let whose = match args.0.as_slice() {
        ["account", name] => Whose::Account((*name).to_owned()),
        ["group", name] => Whose::Group((*name).to_owned()),
        _ => return CliResult::ShowUsage,
    };
    outcome(make_for(&whose, out))
}

fn make_for(whose: &Whose, out: &mut String) -> Option<()> {
    let Some(runtime) = runtime::current() else {
        return fail(out, runtime::NOT_RUNNING);
    };
    let sheet = match runtime.make_passwords(whose, make) {
        Ok(sheet) => sheet,
        Err(why) => return fail(out, &why),
    };
    let (path, count, words) = (sheet.path.display(), sheet.count, whose.words());
    match sheet.done.recv_timeout(PATIENCE) {
        Ok(Ok(())) => {
            let _ = writeln!(out, "{count} passwords for {words} are in '{path}'.");
        }
        Ok(Err(why)) => return fail(out, &why),
        Err(RecvTimeoutError::Timeout) => {
            let _ = writeln!(
                out,
                "{count} passwords for {words} are being made; the log says when they are in \
                 '{path}'."
            );
        }
        Err(RecvTimeoutError::Disconnected) => return fail(out, "the passwords were not made"),
    }
    Some(())
}

/// Completes `account` or `group`, and then the accounts.
pub fn complete_for(at: &Completion<'_>) -> Vec<String> {
    match at.before.as_slice() {
        [] => ["account", "group"].map(str::to_owned).into(),
        ["account"] => {
            let accounts = store::read(|world| {
                let accounts = world.directory().accounts().iter();
                accounts.map(ToString::to_string).collect()
            });
            accounts.unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// A password that is easy to type: 80 random bits in four parts.
fn make() -> Result<(String, String), String> {
    /// Without letters and digits that look alike.
    const SIGNS: &[u8; 32] = b"23456789abcdefghijkmnpqrstuvwxyz";
    let random = crypt::random::<16>().map_err(|why| why.to_string())?;
    let mut password = String::with_capacity(19);
    for (at, byte) in random.iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            password.push('-');
        }
        password.push(char::from(SIGNS[usize::from(byte % 32)]));
    }
    hashed(password)
}

fn hashed(password: String) -> Result<(String, String), String> {
    let hash = crypt::hash(&password).map_err(|why| why.to_string())?;
    Ok((password, hash))
}
