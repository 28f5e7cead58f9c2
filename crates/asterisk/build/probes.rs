//! What the headers have and what they lack: releases of Asterisk differ in more than their
//! number says, because packages leave headers out and distributions take changes over early.

/// What a release of Asterisk may lack: a type or a function, or a member of a structure.
/// Rust sees each as `cfg(asterisk_has = "<name>")`, C as a macro `HAS_<NAME>`.
pub const OPTIONAL: &[&str] = &[
    // Snapshots of channels in segments, and messages that carry two of them.
    "ast_channel_snapshot.base",
    "ast_channel_snapshot_update",
    // A subscription handler that gets the SUBSCRIBE itself.
    "ast_sip_notifier.new_subscribe_with_rdata",
];

/// The names of [`OPTIONAL`] that the bindings hold.
pub fn found(bindings: &str) -> Vec<&'static str> {
    let found = |name: &&&str| match name.split_once('.') {
        Some((structure, member)) => has_member(bindings, structure, member),
        None => has_name(bindings, name),
    };
    OPTIONAL.iter().filter(found).copied().collect()
}

/// Lets `cfg(asterisk_has = "...")` be used, and sets it for each name that was found.
pub fn set_cfgs(found: &[&str]) {
    let quoted: Vec<_> = OPTIONAL.iter().map(|name| format!("{name:?}")).collect();
    println!(
        "cargo::rustc-check-cfg=cfg(asterisk_has, values({}))",
        quoted.join(", ")
    );
    for name in found {
        println!("cargo::rustc-cfg=asterisk_has={name:?}");
    }
}

/// The macro by which C asks for that name.
pub fn macro_name(name: &str) -> String {
    format!("HAS_{}", name.replace('.', "_").to_uppercase())
}

fn has_name(bindings: &str, name: &str) -> bool {
    ["fn", "struct", "type", "union"].iter().any(|word| {
        bindings
            .split(&format!("pub {word} {name}"))
            .skip(1)
            .any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

fn has_member(bindings: &str, structure: &str, member: &str) -> bool {
    let body = bindings.split_once(&format!("pub struct {structure} {{"));
    let body = body.and_then(|(_, rest)| rest.split_once('}'));
    body.is_some_and(|(body, _)| {
        body.split("pub ")
            .filter_map(|field| field.split_once(':'))
            .any(|(name, _)| name.trim() == member)
    })
}
