//! Finds Asterisk's headers, generates the bindings and compiles the C shim.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::exit;

#[path = "build/known.rs"]
mod known;
#[path = "build/probes.rs"]
mod probes;
#[allow(dead_code, reason = "the module uses the rest")]
#[path = "src/release/known.rs"]
mod releases;
#[path = "build/sysroot.rs"]
mod sysroot;
#[path = "build/version.rs"]
mod version;

/// The functions and variables that `src` uses.
const NAMES: &[&str] = &[
    "__ao2_alloc",
    "__ao2_callback",
    "__ao2_cleanup",
    "__ao2_find",
    "__ao2_ref",
    "__ao2_link",
    "__ast_cli_register",
    "__ast_custom_function_register",
    "__ast_datastore_alloc",
    "__ast_free",
    "__ast_manager_event_multichan",
    "__ast_module_user_add",
    "__ast_module_user_remove",
    "__ast_sorcery_insert_wizard_mapping",
    "__ast_sorcery_remove_wizard_mapping",
    "__ast_sorcery_wizard_register",
    "__ast_strndup",
    "__ast_verbose",
    "__stasis_subscribe",
    "_ast_variable_new",
    "ast_build_timing",
    "ast_category_browse_filtered",
    "ast_category_detach_variables",
    "ast_category_first",
    "ast_category_get_name",
    "ast_channel_answertime",
    "ast_channel_cache_all",
    "ast_category_is_template",
    "ast_channel_creationtime",
    "ast_channel_hold_type",
    "ast_channel_iterator_all_new",
    "ast_channel_iterator_destroy",
    "ast_channel_iterator_next",
    "ast_channel_snapshot_get_latest",
    "ast_channel_snapshot_type",
    "ast_channel_topic_all",
    "ast_channel_unhold_type",
    "ast_check_hangup",
    "ast_check_realtime",
    "ast_check_timing2",
    "ast_cli",
    "ast_cli_completion_add",
    "ast_cli_unregister",
    "ast_config_AST_CONFIG_DIR",
    "ast_config_AST_DB",
    "ast_config_AST_KEY_DIR",
    "ast_config_AST_SPOOL_DIR",
    "ast_config_destroy",
    "ast_config_load2",
    "ast_config_text_file_save2",
    "ast_crypt",
    "ast_crypt_encrypt",
    "ast_custom_function_find",
    "ast_custom_function_unregister",
    "ast_datastore_free",
    "ast_db_del",
    "ast_db_freetree",
    "ast_db_get_allocated",
    "ast_db_gettree_by_prefix",
    "ast_db_put",
    "ast_destroy_realtime_fields",
    "ast_destroy_timing",
    "ast_device_state",
    "ast_device_state_cache",
    "ast_device_state_clear_cache",
    "ast_device_state_message_type",
    "ast_device_state_topic_all",
    "ast_devstate_changed_literal",
    "ast_devstate_prov_add",
    "ast_devstate_prov_del",
    "ast_eid_default",
    "ast_exists_extension",
    "ast_extension_match",
    "ast_func_write",
    "ast_get_context_name",
    "ast_get_extension_app",
    "ast_get_extension_name",
    "ast_get_extension_priority",
    "ast_get_hint",
    "ast_get_version",
    "ast_hook_send_action",
    "ast_http_manid_from_vars",
    "ast_http_prefix",
    "ast_http_request_close_on_completion",
    "ast_http_uri_link",
    "ast_http_uri_unlink",
    "ast_iostream_get_fd",
    "ast_iostream_get_ssl",
    "ast_iostream_set_timeout_inactivity",
    "ast_iostream_write",
    "ast_json_array_append",
    "ast_json_dump_string_format",
    "ast_json_free",
    "ast_json_is_null",
    "ast_json_load_string",
    "ast_json_null",
    "ast_json_object_set",
    "ast_json_ref",
    "ast_json_string_create",
    "ast_json_timeval",
    "ast_json_unref",
    "ast_localtime",
    "ast_log",
    "ast_manager_check_enabled",
    "ast_manager_register2",
    "ast_manager_unregister",
    "ast_mwi_state_type",
    "ast_mwi_topic_all",
    "ast_parked_call_type",
    "ast_parking_topic",
    "ast_presence_state",
    "ast_presence_state_cache",
    "ast_presence_state_changed_literal",
    "ast_presence_state_message_type",
    "ast_presence_state_nocache",
    "ast_presence_state_prov_add",
    "ast_presence_state_prov_del",
    "ast_presence_state_topic_all",
    "ast_publish_device_state_full",
    "ast_raw_answer",
    "ast_rdlock_context",
    "ast_rdlock_contexts",
    "ast_register_application2",
    "ast_register_atexit",
    "ast_shutting_down",
    "ast_sorcery_alloc",
    "ast_sorcery_get_wizard_mapping",
    "ast_sorcery_get_wizard_mapping_count",
    "ast_sorcery_object_get_id",
    "ast_sorcery_objectset_apply",
    "ast_sorcery_wizard_unregister",
    "ast_store_realtime_fields",
    "ast_thread_inhibit_escalations_swap",
    "ast_true",
    "ast_unlock_context",
    "ast_unlock_contexts",
    "ast_unregister_atexit",
    "ast_update_module_list_data",
    "ast_update_realtime_fields",
    "ast_variable_append",
    "ast_variable_retrieve",
    "ast_variables_destroy",
    "ast_verb_sys_level",
    "ast_walk_context_extensions",
    "ast_walk_contexts",
    "ast_walk_extension_priorities",
    "astman_append",
    "astman_datastore_add",
    "astman_datastore_find",
    "astman_datastore_remove",
    "astman_is_authed",
    "astman_send_ack",
    "astman_send_error",
    "astman_send_list_complete_end",
    "astman_send_list_complete_start",
    "astman_send_listack",
    "astman_verify_session_readpermissions",
    "astman_verify_session_writepermissions",
    "pbx_builtin_setvar_helper",
    "pbx_exec",
    "pbx_findapp",
    "pbx_substitute_variables_helper",
    "shim_.*",
    "stasis_cache_clear_create",
    "stasis_cache_dump_by_eid",
    "stasis_cache_get",
    "stasis_message_create",
    "stasis_message_data",
    "stasis_message_timestamp",
    "stasis_message_type",
    "stasis_message_type_create",
    "stasis_publish",
    "stasis_subscription_accept_message_type",
    "stasis_subscription_set_congestion_limits",
    "stasis_subscription_set_filter",
    "stasis_unsubscribe_and_join",
    "ast_sorcery_object_get_id",
    "ast_taskprocessor_unreference",
];

/// The types that are in no signature of the functions above.
const TYPES: &[&str] = &[
    "ast_ari_response",
    "ast_channel_snapshot_update",
    "ast_device_state_message",
    "ast_mwi_state",
    "ast_parked_call_payload",
    "ast_presence_state_message",
    "ast_sip_body_data",
    "ast_sip_exten_state_data",
    "ast_sip_publish_handler",
    "ast_sip_pubsub_body_generator",
    "ast_sip_pubsub_body_supplement",
    "ast_sip_subscription_handler",
    "ast_sorcery_wizard",
    "ast_taskprocessor",
    "manager_custom_hook",
    "message",
    "pj_xml_node",
    "pjsip_msg",
    "pjsip_module",
    "pjsip_msg_body",
    "prometheus_callback",
    "prometheus_metrics_provider",
    "stasis_app_event_source",
    "stasis_rest_handlers",
];

/// The constants; `__LOG_` and `EVENT_FLAG_` are macros, the others are enumerators.
const CONSTANTS: &[&str] = &[
    "AST_CAUSE_USER_BUSY",
    "AST_DEVICE_.*",
    "AST_PRESENCE_.*",
    "AST_SORCERY_.*",
    "CONFIG_FLAG_.*",
    "EVENT_FLAG_.*",
    "PRIORITY_HINT",
    "__LOG_.*",
];

/// Enums that are used for their constants only.
const ENUMS: &[&str] = &[
    "AST_REDIRECTING_REASON",
    "ast_cli_command",
    "ast_devstate_cache",
    "ast_http_method",
    "ast_json_encoding_format",
    "ast_parked_call_event_type",
    "ast_security_event_type",
    "ast_sorcery_wizard_position",
    "config_save_flags",
    "search_flags",
    "stasis_subscription_message_filter",
];

/// Asterisk's headers insist on the name of the function that returns the module's handle.
/// Here it is declared only: the layer has the handle from the loader.
const SELF: &str = "asterisk_layer_has_no_self";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(variable("OUT_DIR"));
    // The workspace's root: paths of headers are relative to it.
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("../..");
    let host = find_headers(&manifest);
    let include = expose(&host, &out);

    let sysroot = sysroot::find(&manifest, &out);
    let bindings = bind(&include, sysroot.as_deref(), &out);
    let found = probes::found(&bindings);
    probes::set_cfgs(&found);
    compile(&include, sysroot.as_deref(), &found, &out);
    let version = version::of_headers(&host);
    let sum = known::build_option_sum(&host);
    known::write(&manifest, &out, &bindings, &version, &sum);
    // For the module's build script, as DEP_ASTERISK_VERSION and DEP_ASTERISK_SUM.
    println!("cargo::metadata=VERSION={version}");
    println!("cargo::metadata=SUM={sum}");
}

fn variable(name: &str) -> OsString {
    std::env::var_os(name).unwrap_or_else(|| fail(&format!("{name} is not set")))
}

/// Fails the build with this message. Cargo ends with an error because of it; if the
/// script itself failed, Cargo would repeat all of its output.
fn fail(message: &str) -> ! {
    for line in message.lines() {
        println!("cargo::error={line}");
    }
    exit(0)
}

/// The folder that holds `asterisk.h`.
fn find_headers(manifest: &Path) -> PathBuf {
    println!("cargo::rerun-if-env-changed=ASTERISK_INCLUDE");
    let named = std::env::var_os("ASTERISK_INCLUDE").filter(|folder| !folder.is_empty());
    let candidates = match &named {
        Some(folder) => vec![manifest.join(folder)],
        None => vec![
            PathBuf::from("/usr/include"),
            manifest.join("target/asterisk/22/usr/include"),
        ],
    };
    let found = candidates
        .iter()
        .find(|folder| folder.join("asterisk.h").is_file());
    if let Some(folder) = found {
        return folder.clone();
    }
    let looked_in: Vec<_> = candidates
        .iter()
        .map(|folder| format!("  {}", folder.display()))
        .collect();
    fail(&format!(
        "Asterisk's headers are missing: no asterisk.h in\n{}\n\
         Get them in one of these ways:\n\
         \x20 make asterisk                        unpacks a private Asterisk under target/\n\
         \x20 apt install asterisk-dev             the headers of the Asterisk installed here\n\
         \x20 ASTERISK_INCLUDE=DIR cargo build     DIR holds asterisk.h and asterisk/\n\
         The pure presence code needs none: cargo test --package presence",
        looked_in.join("\n")
    ))
}

/// Makes a folder with Asterisk's headers alone: the C library's headers beside them may be
/// another distribution's, and must not be compiled against.
fn expose(host: &Path, out: &Path) -> PathBuf {
    let include = out.join("include");
    let linked = fs::create_dir_all(&include).and_then(|()| {
        for name in ["asterisk.h", "asterisk"] {
            let link = include.join(name);
            if link.symlink_metadata().is_ok() {
                fs::remove_file(&link)?;
            }
            symlink(fs::canonicalize(host.join(name))?, link)?;
        }
        Ok(())
    });
    if let Err(error) = linked {
        fail(&format!(
            "Asterisk's headers in {} cannot be used: {error}",
            host.display()
        ));
    }
    include
}

/// Writes `bindings.rs` and returns its text.
fn bind(include: &Path, sysroot: Option<&Path>, out: &Path) -> String {
    let mut builder = bindgen::Builder::default()
        .header("include/wrapper.h")
        .clang_arg("-D_GNU_SOURCE")
        .clang_arg(format!("-DAST_MODULE_SELF_SYM={SELF}"))
        .clang_arg("-std=gnu99")
        // With clang, Asterisk's scoped variables are blocks.
        .clang_arg("-fblocks")
        .clang_arg(format!("-I{}", include.display()))
        .use_core()
        .wrap_unsafe_ops(true)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .prepend_enum_name(false)
        .generate_comments(false)
        // One form on every machine, for what is looked up in the text: rustfmt is not part of
        // every distribution's Rust.
        .formatter(bindgen::Formatter::None)
        .allowlist_recursively(true)
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()));
    if let Some(sysroot) = sysroot {
        builder = builder.clang_arg(format!("--sysroot={}", sysroot.display()));
    }
    for name in NAMES {
        builder = builder.allowlist_function(name).allowlist_var(name);
    }
    for name in TYPES.iter().chain(ENUMS).chain(known::STRUCTURES) {
        builder = builder.allowlist_type(name);
    }
    for name in CONSTANTS {
        builder = builder.allowlist_var(name);
    }
    let bindings = match builder.generate() {
        Ok(bindings) => bindings.to_string(),
        Err(error) => fail(&format!("Asterisk's headers could not be read: {error}")),
    };
    if let Err(error) = fs::write(out.join("bindings.rs"), &bindings) {
        fail(&format!("bindings.rs could not be written: {error}"));
    }
    bindings
}

/// Compiles the shim. The module links it, because its symbols are only in Asterisk.
fn compile(include: &Path, sysroot: Option<&Path>, found: &[&str], out: &Path) {
    println!("cargo::rerun-if-changed=include");
    let mut build = cc::Build::new();
    for name in found {
        build.define(&probes::macro_name(name), None);
    }
    if let Some(sysroot) = sysroot {
        build.flag(format!("--sysroot={}", sysroot.display()));
    }
    build
        .define("_GNU_SOURCE", None)
        .define("AST_MODULE_SELF_SYM", SELF)
        .file("include/shim.c")
        .include(include)
        .flag("-std=gnu99")
        .flag_if_supported("-fblocks")
        // Asterisk's own headers do not pass them.
        .extra_warnings(false)
        .cargo_metadata(false)
        .compile("shim");
    // For the module's build script, as DEP_ASTERISK_SHIM, and so on.
    println!("cargo::metadata=SHIM={}", out.join("libshim.a").display());
    println!("cargo::metadata=INCLUDE={}", include.display());
    if let Some(sysroot) = sysroot {
        println!("cargo::metadata=SYSROOT={}", sysroot.display());
    }
}
