//! The modules of Asterisk's own that an instance loads.
//!
//! `autoload = no` and a short list make a start take one second, and keep the log free
//! of anything that a test did not ask for.

/// Modules of the sets below that older releases lack. Nothing in them is tested: newer
/// releases of other modules of the same set do not load without them.
pub(super) const IF_PRESENT: &[&str] = &["res_websocket_client"];

/// Named lists, for [`super::Builder::modules`].
pub mod sets {
    /// Always loaded: hints, presence, device states, dialplan, AMI.
    pub const BASE: &[&str] = &[
        "app_dial",
        "app_exec",
        "app_stack",
        "app_userevent",
        "app_verbose",
        "bridge_simple",
        "func_base64",
        "func_channel",
        "func_db",
        "func_devstate",
        "func_extstate",
        "func_global",
        "func_logic",
        "func_module",
        "func_presencestate",
        "func_strings",
        "func_timeout",
        "pbx_config",
        "res_manager_devicestate",
        "res_manager_presencestate",
        "res_timing_timerfd",
    ];

    /// SIP: calls, subscriptions, and all bodies of these.
    pub const SIP: &[&str] = &[
        "chan_pjsip",
        "codec_ulaw",
        "res_pjproject",
        "res_pjsip",
        "res_pjsip_authenticator_digest",
        "res_pjsip_dialog_info_body_generator",
        "res_pjsip_endpoint_identifier_ip",
        "res_pjsip_endpoint_identifier_user",
        "res_pjsip_exten_state",
        "res_pjsip_outbound_publish",
        "res_pjsip_pidf_body_generator",
        "res_pjsip_pidf_digium_body_supplement",
        "res_pjsip_pidf_eyebeam_body_supplement",
        "res_pjsip_pubsub",
        "res_pjsip_registrar",
        "res_pjsip_sdp_rtp",
        "res_pjsip_session",
        "res_pjsip_xpidf_body_generator",
        "res_rtp_asterisk",
        "res_sorcery_astdb",
        "res_sorcery_config",
        "res_sorcery_memory",
    ];

    /// Asterisk's REST interface (needs HTTP, which the core has).
    pub const ARI: &[&str] = &[
        "app_stasis",
        "res_ari",
        "res_ari_applications",
        "res_ari_asterisk",
        "res_ari_channels",
        "res_ari_events",
        "res_ari_model",
        "res_http_websocket",
        "res_sorcery_config",
        "res_stasis",
        "res_stasis_answer",
        "res_stasis_playback",
        "res_stasis_recording",
        "res_stasis_snoop",
        "res_websocket_client",
    ];

    /// Queues.
    pub const QUEUE: &[&str] = &["app_queue", "bridge_builtin_features"];

    /// Parked calls.
    pub const PARKING: &[&str] = &["bridge_holding", "res_parking"];

    /// Calendars, fetched as iCalendar files.
    pub const CALENDAR: &[&str] = &["res_calendar", "res_calendar_icalendar"];

    /// Conference rooms.
    pub const CONFBRIDGE: &[&str] = &[
        "app_confbridge",
        "bridge_builtin_features",
        "bridge_holding",
        "bridge_softmix",
    ];

    /// Realtime on a SQLite database.
    pub const SQLITE: &[&str] = &["res_config_sqlite3"];

    /// Realtime on PostgreSQL.
    pub const POSTGRESQL: &[&str] = &["res_config_pgsql"];

    /// Realtime over ODBC.
    pub const ODBC: &[&str] = &["res_config_odbc", "res_odbc", "res_odbc_transaction"];

    /// Realtime on an LDAP directory.
    pub const LDAP: &[&str] = &["res_config_ldap"];
}
