-- Users of res_userpresence from a database: the table of the realtime family
-- 'userpresence', for PostgreSQL (res_config_pgsql). See databases.md.
--
-- Load it with:   psql --dbname asterisk --file userpresence-postgresql.sql
--
-- Each column except the first is an option of the same name in userpresence.conf; the
-- option 'name', a person's name, is the column display_name.
-- NULL or an empty text: not given; the setting of [general] or the default applies.
-- Columns that are not used may be left out of the table. Status types, tables,
-- actions and handlings are in userpresence.conf.

CREATE TABLE userpresence (
    name               VARCHAR(60) NOT NULL PRIMARY KEY, -- letters, digits, '-', '_', '.'
    id                 VARCHAR(60),     -- how other programs know the user
    account            VARCHAR(60),     -- the tenant
    extension          TEXT,            -- one or more, separated by ';'
    "default"          VARCHAR(200),    -- the default extension
    source             TEXT,            -- addresses, separated by ';'
    device             TEXT,            -- devices, separated by ';': confbridge:100
    publish            TEXT,            -- phones that publish, separated by ';': PJSIP/201
    method             VARCHAR(10),     -- priority, latest, default, none
    priority           VARCHAR(80),     -- states, highest first, separated by ','
    outgoing           VARCHAR(10),     -- all, default, none
    enabled            VARCHAR(5),      -- yes, no
    presence_prefix    VARCHAR(100),    -- CustomPresence:
    device_prefix      VARCHAR(100),    -- PJSIP/
    use_devices        VARCHAR(5),      -- yes, no
    ignore_unreachable VARCHAR(5),      -- yes (the default), no
    lamp_table         VARCHAR(60),     -- a section of type presence_table
    queue_table        VARCHAR(60),     -- the same
    schedule           TEXT,            -- time ranges, separated by ';'
    schedule_status    VARCHAR(60),     -- a status: unavailable
    timezone           VARCHAR(60),     -- Europe/Berlin
    login_status       VARCHAR(60),     -- a status
    logout_status      VARCHAR(60),     -- a status
    register_status    VARCHAR(60),     -- a status
    unregister_status  VARCHAR(60),     -- a status
    login_overrides    VARCHAR(5),      -- yes, no
    action             TEXT,            -- sections of type action, separated by ','
    member             VARCHAR(79),     -- the member in queues: Local/200@from-queue/n
    "group"            TEXT,            -- groups, separated by ';'
    password           VARCHAR(384),    -- the hash of the password for HTTP: $6$salt$hash
    display_name       VARCHAR(255),    -- the person's name: Alice Adams; the option is 'name'
    title              VARCHAR(255),    -- Head of Sales
    email              VARCHAR(255),    -- alice@example.com
    visibility         VARCHAR(10),     -- everyone (the default), groups, nobody
    dnd_on             TEXT,            -- assignments, separated by ';'
    dnd_off            TEXT,            -- the same
    followme_on        TEXT,            -- the same
    followme_off       TEXT,            -- the same
    handling           VARCHAR(60),     -- a set of sections of type handling
    endpoint           TEXT,            -- separated by ';': desk,PJSIP/desk-201
    mobile             VARCHAR(40),     -- +491701234567
    mailbox            VARCHAR(79),     -- 200@default
    monitor            TEXT,            -- users, separated by ';'
    mobile_prefix      VARCHAR(40),     -- put before the mobile's number: 0
    forward_context    VARCHAR(79),     -- where numbers are dialled: default
    internal_context   TEXT,            -- contexts, separated by ';'
    trust_caller_id    VARCHAR(5),      -- yes, no
    always_accept      TEXT,            -- callers, separated by ';'
    origin_variable    VARCHAR(79),     -- USERPRESENCE_ORIGIN
    own_settings       VARCHAR(255),    -- what people may set, separated by ';': handling
    own_forward        TEXT,            -- separated by ';': internal;voicemail;mobile;_+49X.
    dnd_key            VARCHAR(10),     -- status, dnd_status, no
    follow_dnd         VARCHAR(3)       -- yes, no
);
-- Upper and lower case of a name are the same.
CREATE UNIQUE INDEX userpresence_name ON userpresence (lower(name));

-- An example:
-- INSERT INTO userpresence (name, extension, method) VALUES ('carol', '220;221', 'latest');
