//! The sizes of the structures that the module uses, for the module and for
//! `asterisk-headers/known-good.txt`.

use std::fs;
use std::path::Path;

use super::fail;
use super::releases::{self, Known, Release};

/// The file with the rows, below the workspace.
const FILE: &str = "asterisk-headers/known-good.txt";

/// Every structure of Asterisk's that the module fills, or whose fields it reads. C and Rust
/// use them; a release may lack some.
pub const STRUCTURES: &[&str] = &[
    "ast_ari_response",
    "ast_bridge_features",
    "ast_channel_blob",
    "ast_channel_snapshot",
    "ast_channel_snapshot_base",
    "ast_channel_snapshot_caller",
    "ast_channel_snapshot_connected",
    "ast_channel_snapshot_dialplan",
    "ast_channel_snapshot_peer",
    "ast_channel_snapshot_update",
    "ast_cli_args",
    "ast_cli_entry",
    "ast_custom_function",
    "ast_datastore",
    "ast_datastore_info",
    "ast_db_entry",
    "ast_device_state_message",
    "ast_flags",
    "ast_http_uri",
    "ast_module_info",
    "ast_mwi_state",
    "ast_parked_call_payload",
    "ast_party_caller",
    "ast_party_redirecting",
    "ast_presence_state_message",
    "ast_security_event_common",
    "ast_security_event_failed_acl",
    "ast_security_event_inval_acct_id",
    "ast_security_event_inval_password",
    "ast_security_event_successful_auth",
    "ast_set_party_redirecting",
    "ast_sip_body_data",
    "ast_sip_exten_state_data",
    "ast_sip_notifier",
    "ast_sip_publish_handler",
    "ast_sip_pubsub_body_generator",
    "ast_sip_pubsub_body_supplement",
    "ast_sip_subscription_handler",
    "ast_sockaddr",
    "ast_sorcery_wizard",
    "ast_tcptls_session_args",
    "ast_tcptls_session_instance",
    "ast_timing",
    "ast_tm",
    "ast_variable",
    "manager_custom_hook",
    "message",
    "prometheus_callback",
    "prometheus_metrics_provider",
    "stasis_app_event_source",
    "stasis_rest_handlers",
];

/// The build option sum of the headers in that folder.
pub fn build_option_sum(host: &Path) -> String {
    let file = host.join("asterisk/buildopts.h");
    println!("cargo::rerun-if-changed={}", file.display());
    let text = fs::read_to_string(&file).unwrap_or_default();
    let rest = text.split_once("#define AST_BUILDOPT_SUM \"");
    let sum = rest.and_then(|(_, rest)| rest.split_once('"'));
    match sum {
        Some((sum, _)) => sum.to_owned(),
        None => fail(&format!(
            "{} holds no AST_BUILDOPT_SUM: Asterisk would refuse the module",
            file.display()
        )),
    }
}

/// Writes `release.rs` for the module and `known-good-row.txt` for people, and warns if the
/// module was never run in this release, or its structures are not those of the known rows.
pub fn write(workspace: &Path, out: &Path, bindings: &str, version: &str, sum: &str) {
    println!("cargo::rerun-if-changed=../../{FILE}");
    let sizes: Vec<(&str, usize)> = STRUCTURES
        .iter()
        .filter_map(|name| Some((*name, size_of(bindings, name)?)))
        .collect();
    let row: Vec<String> = sizes
        .iter()
        .map(|(name, size)| format!("{name}={size}"))
        .collect();
    let row = format!("compiled {version} {sum} {}\n", row.join(" "));
    let source = format!(
        "pub const BUILT_FOR: &str = {version:?};\n\
         pub const BUILD_OPTION_SUM: &str = {sum:?};\n\
         pub const SIZES: &[(&str, usize)] = &{sizes:?};\n"
    );
    for (name, text) in [("release.rs", &source), ("known-good-row.txt", &row)] {
        if let Err(error) = fs::write(out.join(name), text) {
            fail(&format!("{name} could not be written: {error}"));
        }
    }

    let known = fs::read_to_string(workspace.join(FILE)).unwrap_or_default();
    let rows = releases::rows(&known).unwrap_or_else(|why| fail(&format!("{FILE}: {why}")));
    let release = Release::of(version);
    let mut same = rows
        .iter()
        .filter(|row| Release::of(row.version) == release);
    let add = out.join("known-good-row.txt");
    if !same.any(|row| row.ran) {
        println!(
            "cargo::warning=the module was never run in Asterisk {release}, says {FILE}; once it \
             was, add the row in {}",
            add.display()
        );
    }
    let is_64 = std::env::var("CARGO_CFG_TARGET_POINTER_WIDTH").as_deref() == Ok("64");
    if let (
        Known::Different {
            structure,
            here,
            there,
        },
        true,
    ) = (releases::compare(&release, &sizes, &rows), is_64)
    {
        println!(
            "cargo::warning=the structure {structure} has {here} bytes, and {there} in the row \
             of Asterisk {release} in {FILE}"
        );
    }
}

/// The size of a structure, from bindgen's assertion about it.
fn size_of(bindings: &str, name: &str) -> Option<usize> {
    let (_, rest) = bindings.split_once(&format!("\"Size of {name}\""))?;
    let (_, size) = rest.split_once(';')?.0.rsplit_once("- ")?;
    size.split_once("usize")?.0.trim().parse().ok()
}
