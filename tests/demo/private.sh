# For run.sh and demo.sh: a private Asterisk with the module and the demo configuration,
# below one directory and on loopback ports.
#
# In:  root (the unpacked Asterisk), module (our .so), dir (for its files), and if it is not
#      demo, configs (the folder in configs) and log (what is logged)
# Out: lock, layout, rx COMMAND, end PID; the command line asterisk; ami_port,
#      sip_port, http_port, socket_dir

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

source "$repository/tests/asterisk/root.sh"

die() {
    echo "$(basename "$0" .sh): $*" >&2
    exit 1
}

# The ports used so far: no port is used twice.
taken=" "

# next_port VARIABLE FIRST: sets the variable to the first port from FIRST on that no TCP
# or UDP socket of this machine uses. The kernel lists ports in hexadecimal.
next_port() {
    local candidate=$2
    while [[ $taken == *" $candidate "* ]] ||
        grep -qis "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$candidate") " \
            /proc/net/{tcp,udp,tcp6,udp6}; do
        candidate=$((candidate + 1))
    done
    taken+="$candidate "
    printf -v "$1" %s "$candidate"
}

# Two runs of the same kind at once would share one directory.
lock() {
    mkdir -p "$dir"
    exec 9>"$dir/.lock"
    flock --nonblock 9 || die "another one is already running in $dir"
}

# Sets the command line of the Asterisk in $dir. An array and not a function, which would make a
# shell in the background whose id is not Asterisk's.
at_home() {
    asterisk=("$loader" --library-path "$libraries" "$program" -C "$dir/etc/asterisk.conf")
}

# Writes every file that Asterisk needs. The configuration is linked, so an edit in its folder
# takes effect at the next reload.
layout() {
    local name
    find_asterisk "$root" || die "there is no Asterisk in $root: run 'make asterisk'"
    at_home
    [ -f "$module" ] || die "there is no module $module: run 'make build'"

    next_port ami_port "${AMI_PORT:-15038}"
    next_port sip_port "${SIP_PORT:-15060}"
    next_port http_port "${HTTP_PORT:-18088}"
    # The path of the control socket may have at most about 100 bytes.
    socket_dir=$(mktemp -d "${TMPDIR:-/tmp}/userpresence.XXXXXX")

    rm -rf "$dir"/{etc,modules,data,log}
    mkdir -p "$dir"/{etc,modules,data/documentation/thirdparty,lib,cache,spool,log}
    # The module itself is a copy: AMI's ModuleLoad refuses a link, and a build must not
    # change a file that a running Asterisk has mapped.
    ln -s "$modules"/*.so "$dir/modules"
    rm -f "$dir/modules/res_userpresence.so"
    cp "$module" "$dir/modules/res_userpresence.so"
    for name in "$data"/*; do
        [ "${name##*/}" = documentation ] || ln -s "$name" "$dir/data"
    done
    find "$data/documentation" -maxdepth 1 -type f \
        -exec ln -s {} "$dir/data/documentation" \;
    for name in "$repository"/doc/*-en_US.xml; do
        [ ! -f "$name" ] || cp "$name" "$dir/data/documentation/thirdparty"
    done

    ln -s "$repository/configs/${configs:-demo}"/*.conf "$dir/etc"
    write_plumbing
}

write_plumbing() {
    local etc=$dir/etc log=${log:-notice,warning,error,verbose}
    cat >"$etc/asterisk.conf" <<END
[directories]
astetcdir => $etc
astmoddir => $dir/modules
astvarlibdir => $dir/lib
astdbdir => $dir/lib
astkeydir => $dir/lib
astcachedir => $dir/cache
astdatadir => $dir/data
astagidir => $dir/data/agi-bin
astspooldir => $dir/spool
astrundir => $socket_dir
astlogdir => $dir/log
astsbindir => $socket_dir

[options]
verbose = 3
END
    printf '%s\n' '[general]' '[logfiles]' \
        "console => $log" "full.log => $log" >"$etc/logger.conf"
    printf '%s\n' '[general]' 'enabled = yes' 'webenabled = yes' 'displayconnects = no' \
        'bindaddr = 127.0.0.1' "port = $ami_port" \
        '[demo]' 'secret = demo' 'read = all' 'write = all' >"$etc/manager.conf"
    printf '%s\n' '[general]' 'enabled = yes' \
        'bindaddr = 127.0.0.1' "bindport = $http_port" >"$etc/http.conf"
    printf '%s\n' '[transport]' 'type = transport' 'protocol = udp' \
        "bind = 127.0.0.1:$sip_port" >"$etc/pjsip_transport.conf"
    # Files without which Asterisk complains.
    printf '%s\n' '[general]' 'country = us' '[us]' 'description = minimal' \
        'dial = 350+440' >"$etc/indications.conf"
    printf '%s\n' '[general]' 'enable = no' | tee "$etc/cdr.conf" >"$etc/cel.conf"
    printf '%s\n' '[general]' | tee "$etc"/{ccss,features,udptl}.conf >/dev/null
    : | tee "$etc"/{acl,pjproject}.conf >/dev/null
}

# rx COMMAND: prints the answer of a CLI command without colours.
rx() {
    "${asterisk[@]}" -rx "$1" | sed $'s/\e\\[[0-9;]*m//g'
}

# end PID: asks that process to end, and kills it if it does not.
end() {
    local pid=$1 tries
    kill -TERM "$pid" 2>/dev/null || return 0
    for ((tries = 0; tries < 200; tries++)); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
}
