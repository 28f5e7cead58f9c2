-- Users of res_userpresence from a database: the table of the realtime family
-- 'userpresence', for SQLite (res_config_sqlite3). See databases.md.
--
-- Load it with:   sqlite3 /var/lib/asterisk/userpresence.sqlite3 < userpresence-sqlite.sql
--
-- Each column except the first is an option of the same name in userpresence.conf; the
-- option 'name', a person's name, is the column display_name.
-- NULL or an empty text: not given; the setting of [general] or the default applies.
-- Columns that are not used may be left out of the table. Status types, tables,
-- actions and handlings are in userpresence.conf.

CREATE TABLE userpresence (
    name               TEXT NOT NULL PRIMARY KEY COLLATE NOCASE, -- letters, digits, '-', '_', '.'
    id                 TEXT,    -- how other programs know the user
    account            TEXT,    -- the tenant
    extension          TEXT,    -- one or more, separated by ';'
    "default"          TEXT,    -- the default extension
    source             TEXT,    -- addresses, separated by ';'
    device             TEXT,    -- devices, separated by ';': confbridge:100
    publish            TEXT,    -- phones that publish, separated by ';': PJSIP/201
    method             TEXT,    -- priority, latest, default, none
    priority           TEXT,    -- states, highest first, separated by ','
    outgoing           TEXT,    -- all, default, none
    enabled            TEXT,    -- yes, no
    presence_prefix    TEXT,    -- CustomPresence:
    device_prefix      TEXT,    -- PJSIP/
    use_devices        TEXT,    -- yes, no
    ignore_unreachable TEXT,    -- yes (the default), no
    lamp_table         TEXT,    -- a section of type presence_table
    queue_table        TEXT,    -- the same
    schedule           TEXT,    -- time ranges, separated by ';'
    schedule_status    TEXT,    -- a status: unavailable
    timezone           TEXT,    -- Europe/Berlin
    login_status       TEXT,    -- a status
    logout_status      TEXT,    -- a status
    register_status    TEXT,    -- a status
    unregister_status  TEXT,    -- a status
    login_overrides    TEXT,    -- yes, no
    action             TEXT,    -- sections of type action, separated by ','
    member             TEXT,    -- the member in queues: Local/200@from-queue/n
    "group"            TEXT,    -- groups, separated by ';'
    password           TEXT,    -- the hash of the password for HTTP: $6$salt$hash
    display_name       TEXT,    -- the person's name: Alice Adams; the option is 'name'
    title              TEXT,    -- Head of Sales
    email              TEXT,    -- alice@example.com
    visibility         TEXT,    -- everyone (the default), groups, nobody
    dnd_on             TEXT,    -- assignments, separated by ';'
    dnd_off            TEXT,    -- the same
    followme_on        TEXT,    -- the same
    followme_off       TEXT,    -- the same
    handling           TEXT,    -- a set of sections of type handling
    endpoint           TEXT,    -- separated by ';': desk,PJSIP/desk-201
    mobile             TEXT,    -- +491701234567
    mailbox            TEXT,    -- 200@default
    monitor            TEXT,    -- users, separated by ';'
    mobile_prefix      TEXT,    -- put before the mobile's number: 0
    forward_context    TEXT,    -- where numbers are dialled: default
    internal_context   TEXT,    -- contexts, separated by ';'
    trust_caller_id    TEXT,    -- yes, no
    always_accept      TEXT,    -- callers, separated by ';'
    origin_variable    TEXT,    -- USERPRESENCE_ORIGIN
    own_settings       TEXT,    -- what people may set, separated by ';': handling
    own_forward        TEXT,    -- separated by ';': internal;voicemail;mobile;_+49X.
    dnd_key            TEXT,    -- status, dnd_status, no
    follow_dnd         TEXT     -- yes, no
);

-- An example:
-- INSERT INTO userpresence (name, extension, method) VALUES ('carol', '220;221', 'latest');
