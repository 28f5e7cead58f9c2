-- Users of res_userpresence from a database: the table of the realtime family
-- 'userpresence', for SQLite and PostgreSQL. MariaDB wants `default` in backticks.
--
-- In extconfig.conf, under [settings]:   userpresence => sqlite3,asterisk
--
-- Each column but the first is an option of the same name in userpresence.conf.
-- NULL or an empty text: not given, the setting of [general] or the default applies.
-- Columns that are not used may be left out of the table.

CREATE TABLE userpresence (
    name            VARCHAR(60) NOT NULL PRIMARY KEY, -- letters, digits, '-', '_', '.'
    id              VARCHAR(60),    -- how other programs know the user
    account         VARCHAR(60),    -- the tenant
    extension       VARCHAR(1000),  -- one or more, separated by ';'
    "default"       VARCHAR(200),   -- the default extension
    source          VARCHAR(1000),  -- addresses, separated by ';'
    method          VARCHAR(10),    -- priority, latest, default, none
    priority        VARCHAR(80),    -- states, highest first, separated by ','
    outgoing        VARCHAR(10),    -- all, default, none
    enabled         VARCHAR(5),     -- yes, no
    presence_prefix VARCHAR(100)    -- CustomPresence:
);

-- An example:
-- INSERT INTO userpresence (name, extension, method) VALUES ('carol', '220;221', 'latest');
