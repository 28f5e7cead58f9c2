#!/bin/bash
# Unpacks database servers for the tests into the directory named by the only argument:
# PostgreSQL, MariaDB and OpenLDAP, of the same Debian release as the private Asterisk. It
# needs no root rights, installs nothing and leaves nothing running: each test starts its own
# server from here.
#
# DEBIAN_MIRROR replaces mmdebstrap's own choice of a mirror.
set -euo pipefail

root=$1
suite=forky

[ -d "$root/templates/mariadb" ] && exit 0

mkdir -p "$(dirname "$root")"
# Unpacked beside its final place and then renamed: an interrupted run leaves nothing partial.
part=$(realpath "$(mktemp -d "$root.XXXXXX")")
chmod 755 "$part"
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT TERM HUP

echo "databases: unpacking Debian's PostgreSQL, MariaDB and OpenLDAP into $root"
mmdebstrap --quiet --mode=chrootless --variant=extract \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    --include=postgresql,mariadb-server-core,mariadb-client-core,slapd,ldap-utils \
    "$suite" "$part/root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}

# The programs start each other by name, on a machine whose glibc may be too old for them: a
# script in each one's place runs it with the loader that comes with it.
wrap() {
    local program
    program=$(echo "$part"/root/$1)
    mv "$program" "$program.real"
    cat >"$program" <<'SCRIPT'
#!/bin/bash
here=$(cd "$(dirname "$0")" && pwd)
root=$here
while [ ! -d "$root/usr" ]; do root=$(dirname "$root"); done
libraries=$(echo "$root"/usr/lib/*-linux-gnu)
name=$here/$(basename "$0")
exec "$libraries"/ld-linux-*.so.? --library-path "$libraries" --argv0 "$name" "$name.real" "$@"
SCRIPT
    chmod 755 "$program"
}
wrap 'usr/lib/postgresql/*/bin/postgres'
wrap 'usr/lib/postgresql/*/bin/initdb'
wrap 'usr/lib/postgresql/*/bin/psql'
wrap usr/sbin/mariadbd
wrap usr/bin/mariadb
wrap usr/sbin/slapd
wrap usr/bin/ldapadd
wrap usr/bin/ldapmodify

# Making a server's first data takes seconds: each test gets a copy of these.
mkdir "$part/root/templates"
pgbin=$(echo "$part"/root/usr/lib/postgresql/*/bin)
# PostgreSQL refuses to run as root: then its data belongs to nobody.
as_user=()
mkdir "$part/root/templates/postgresql"
if [ "$(id -u)" = 0 ]; then
    chown 65534:65534 "$part/root/templates/postgresql"
    as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups
        --inh-caps=+dac_override --ambient-caps=+dac_override)
fi
"${as_user[@]}" "$pgbin/initdb" --pgdata="$part/root/templates/postgresql" --no-sync \
    --username=asterisk --auth=trust --encoding=UTF8 --locale=C >/dev/null
echo 'CREATE DATABASE asterisk;' |
    "${as_user[@]}" "$pgbin/postgres" --single -F -c log_checkpoints=off \
        -D "$part/root/templates/postgresql" postgres >/dev/null
mkdir "$part/root/templates/mariadb"
{
    # One statement a line.
    echo 'CREATE DATABASE mysql;'
    echo 'USE mysql;'
    cat "$part"/root/usr/share/mariadb/mariadb_system_tables.sql \
        "$part"/root/usr/share/mariadb/mariadb_performance_tables.sql \
        "$part"/root/usr/share/mariadb/mariadb_system_tables_data.sql
    echo 'CREATE DATABASE asterisk CHARACTER SET utf8mb4;'
    echo 'FLUSH PRIVILEGES;'
    echo "CREATE USER asterisk@'127.0.0.1' IDENTIFIED BY 'secret';"
    echo "GRANT ALL ON *.* TO asterisk@'127.0.0.1';"
} | "$part/root/usr/sbin/mariadbd" --no-defaults --bootstrap --user="$(id -un)" \
    --basedir="$part/root/usr" --datadir="$part/root/templates/mariadb" \
    --lc-messages-dir="$part/root/usr/share/mariadb" --innodb-log-file-size=4M \
    --innodb-buffer-pool-size=16M --log-warnings=0 --silent-startup
rm -rf "$root"
mv -T "$part/root" "$root"
