#!/bin/bash
# Shows three Asterisks that share their users through three members of etcd. Stops everything
# that it started at the end, after an error and at Ctrl-C.
#
# Arguments: the unpacked Asterisk, the unpacked etcd, the module.
set -euo pipefail
root=$(realpath "$1")
etcd_root=$(realpath "$2")
module=$(realpath "$3")
source "$(dirname "$0")/private.sh"

base=$repository/target/demo-cluster
configs=cluster
nodes=(berlin paris rome)
# By node: its process, socket directory and SIP port.
declare -A node_pid=() node_socket=() node_sip=()
# By member of etcd: its process, and its ports for clients and for other members.
member_pid=() member_client=() member_peer=()
client_pids=() client_port=''

stop_all() {
    local status=$? pid name
    trap '' INT TERM HUP
    for pid in "${client_pids[@]}" "${node_pid[@]}"; do end "$pid"; done
    for pid in "${member_pid[@]}"; do [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    for name in "${!node_socket[@]}"; do rm -rf "${node_socket[$name]}"; done
    if [ "$status" != 0 ] && [ "$status" != 130 ]; then
        echo "cluster: failed with status $status; the logs are in $base" >&2
    fi
    exit "$status"
}
trap stop_all EXIT
trap 'exit 130' INT TERM HUP

if [ -t 1 ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
    bold='' plain=''
fi

heading() {
    printf '\n%s== %s ==%s\n' "$bold" "$*" "$plain"
}

# at NODE: the commands that follow are those of this node.
at() {
    node=$1
    dir=$base/$node
    at_home
}

# cli NODE COMMAND [EXPECTED]: types the command there and shows its answer. Ends the demo if
# the answer lacks the expected text.
cli() {
    local answer
    at "$1"
    printf '\n%s%s*CLI> %s%s\n' "$bold" "$1" "$2" "$plain"
    answer=$(rx "$2" | sed '/^$/d')
    [ -z "$answer" ] || sed '/^Return Value: Success/d; /@default/s/   */  /g; s/^/  /; s/  *$//' <<<"$answer"
    if ! grep -qiE -- "${3:-}" <<<"$answer"; then
        echo "cluster: expected '$3' in this answer" >&2
        exit 1
    fi
}

# until_true WHAT COMMAND...: repeats the command until it succeeds, for up to a minute.
until_true() {
    local what=$1 tries
    shift
    for ((tries = 0; tries < 600; tries++)); do
        ! "$@" || return 0
        sleep 0.1
    done
    die "waited in vain for $what"
}

# Whether the answer of a command at a node has a line that matches this pattern.
shows() {
    at "$1"
    rx "$2" | grep -qE -- "$3"
}

ready() { grep -qs 'Asterisk Ready' "$base/$1/log/full.log"; }
alice() { shows "$1" 'userpresence show users' "^alice +$2 "; }
everywhere() {
    local name
    for name in "${nodes[@]}"; do until_true "Alice to be $1 at $name" alice "$name" "$1"; done
}

# Shows Alice at every node.
show_alice() {
    local name
    everywhere "$1"
    for name in "${nodes[@]}"; do cli "$name" 'dialplan eval function USER_PRESENCE(alice)' "$1"; done
}

# start_member NUMBER: starts a member of etcd with the data that it has.
start_member() {
    local number=$1 peers='' other
    for other in 0 1 2; do peers+=",m$other=http://127.0.0.1:${member_peer[other]}"; done
    "$etcd_root/usr/bin/etcd" --name "m$number" --log-level warn \
        --data-dir "$base/etcd/m$number" \
        --listen-client-urls "http://127.0.0.1:${member_client[number]}" \
        --advertise-client-urls "http://127.0.0.1:${member_client[number]}" \
        --listen-peer-urls "http://127.0.0.1:${member_peer[number]}" \
        --initial-advertise-peer-urls "http://127.0.0.1:${member_peer[number]}" \
        --initial-cluster "${peers#,}" >>"$base/etcd/m$number.txt" 2>&1 9>&- &
    member_pid[number]=$!
}

# kill_member NUMBER: as if its machine had died.
kill_member() {
    kill -KILL "${member_pid[$1]}"
    wait "${member_pid[$1]}" 2>/dev/null || true
    member_pid[$1]=''
}

etcd_works() {
    local client
    for client in "${member_client[@]}"; do
        ! curl -sf --max-time 1 -d '{"key":"L3VzZXJwcmVzZW5jZS8="}' \
            "http://127.0.0.1:$client/v3/kv/range" >/dev/null || return 0
    done
    return 1
}

# lay_out NODE: writes the files of a node.
lay_out() {
    node=$1
    dir=$base/$node
    mkdir -p "$dir"
    rm -rf "$dir/lib"
    layout
    ln -s "$repository/configs/demo/modules.conf" "$dir/etc"
    node_socket[$node]=$socket_dir
    node_sip[$node]=$sip_port
    cat >"$dir/etc/userpresence_cluster.conf" <<END
[etcd]
type = cluster
servers = http://127.0.0.1:${member_client[0]}
servers = http://127.0.0.1:${member_client[1]}
servers = http://127.0.0.1:${member_client[2]}
node = $node
node_timeout = 3
END
}

# connect NODE: writes where the other nodes are.
connect() {
    local other
    for other in "${nodes[@]}"; do
        [ "$other" = "$1" ] || printf '%s\n' "[$other](phone)" "aors = $other" \
            "from_user = $1" "[$other]" 'type = aor' \
            "contact = sip:$other@127.0.0.1:${node_sip[$other]}"
    done >"$base/$1/etc/pjsip_nodes.conf"
}

start_node() {
    at "$1"
    : >"$dir/log/full.log"
    "${asterisk[@]}" -f >>"$dir/log/output.txt" 2>&1 9>&- &
    node_pid[$1]=$!
}

# start_client NODE NAME SCENARIO ARGUMENTS...: starts a real SIP client at a node, on the port
# client_port. Its messages are in NAME.trace.
start_client() {
    local name=$1 client=$2 scenario=$3
    shift 3
    next_port client_port 15260
    sipp "127.0.0.1:${node_sip[$name]}" -sf "$scenario" -s 2000 -i 127.0.0.1 -p "$client_port" \
        -nostdin -trace_msg -message_file "$base/$client.trace" "$@" \
        >"$base/$client.txt" 2>&1 9>&- &
    client_pids+=($!)
}

# Prints the body of a client's last NOTIFY.
last_body() {
    cat "$base/$1.trace" 2>/dev/null | tr -d '\r' |
        awk '/^<\?xml/ { body = ""; inside = 1 } inside { body = body $0 "\n" }
             /^<\/presence>/ { inside = 0 } END { printf "%s", body }'
}

notified() { last_body "$1" | grep -qF -- "$2"; }

dir=$base
lock
rm -rf "$base"/{etcd,*.trace,*.txt}
mkdir -p "$base/etcd"
for number in 0 1 2; do
    next_port "member_client[$number]" 15379
    next_port "member_peer[$number]" 15479
done
for name in "${nodes[@]}"; do lay_out "$name"; done
for name in "${nodes[@]}"; do connect "$name"; done

heading "Three members of etcd, and three Asterisks with the same users"
for number in 0 1 2; do start_member "$number"; done
until_true "etcd" etcd_works
for name in "${nodes[@]}"; do start_node "$name"; done
for name in "${nodes[@]}"; do until_true "Asterisk in $name" ready "$name"; done
for name in "${nodes[@]}"; do
    until_true "node $name" shows "$name" 'userpresence show cluster' "$name"
done
cat "$base/berlin/etc/userpresence_cluster.conf" | sed 's/^/  /'
start_client rome watcher "$repository/tests/sip/subscribe.xml" -m 1 -key endpoint watcher \
    -key agent 'digium D65' -key event presence -key accept application/pidf+xml
until_true "a subscription in rome" notified watcher '<presence'
cli berlin 'userpresence show cluster' rome

heading "Alice sets her desk phone in Berlin to dnd: every node shows it"
cli berlin 'presencestate change CustomPresence:200 "dnd,meeting,Board meeting"' Changing
show_alice dnd
cli paris 'core show hints' '2000@default.*Presence:dnd'
cli rome 'queue show support' 'Alice.*Busy'
printf '\n%sNOTIFY to a phone in Rome that watches her:%s\n' "$bold" "$plain"
until_true "a NOTIFY in rome" notified watcher 'type="dnd"'
last_body watcher | sed 's/^/  /'
# What a stock Asterisk shows agrees, too.
cli rome 'presencestate list' "State: 'dnd'"

heading "She chooses lunch for 5 seconds in Paris; it ends everywhere by itself"
cli paris 'userpresence set alice lunch "" "" t(5)' away
show_alice away
everywhere dnd
cli rome 'userpresence show users' 'alice.*dnd'
cli rome 'userpresence set alice available' available
everywhere available

heading "Her phone registers in Paris: its calls and lamp are seen in Berlin"
awk '{ gsub(/\[refusal\]/, "486 Busy Here"); print }' "$repository/tests/sip/answer.xml" |
    awk -v talk="$(<"$repository/tests/sip/talk.xml")" '/<!-- talk.xml -->/ { print talk; next } { print }' \
    >"$base/answer.xml"
start_client paris phone "$base/answer.xml" -key endpoint 2000 -key manner ring
phone_port=$client_port
next_port port 15290
sipp "127.0.0.1:${node_sip[paris]}" -sf "$repository/tests/sip/register.xml" -key endpoint 2000 \
    -key contact "$phone_port" -key expires 3600 -i 127.0.0.1 -p "$port" -m 1 -nostdin \
    >"$base/register.txt" 2>&1 9>&- || die "the phone could not register"
until_true "her lamp in berlin" shows berlin 'core show hints' '^2000@.*State:Idle '
cli berlin 'core show hints' '2000@default.*State:Idle'
cli berlin 'channel originate Local/caller@line extension 300@default' ''
until_true "her phone to ring" shows berlin 'core show hints' '^2000@.*State:Ringing '
cli berlin 'core show channels concise' 'PJSIP/paris'
cli rome 'core show hints' '2000@default.*State:Ringing'
at berlin
rx 'channel request hangup all' >/dev/null
until_true "the end of the call" shows rome 'core show hints' '^2000@.*State:Idle '

heading "One of three members of etcd dies: nothing to be seen"
kill_member 0
cli berlin 'userpresence set alice dnd "" "Without m0"' dnd
show_alice dnd

heading "Two of three members are gone: each node goes on alone, and says so"
kill_member 1
cli rome 'userpresence set alice available "" "Set in Rome alone"' available
until_true "rome to say so" shows rome 'userpresence show cluster' 'alone'
cli rome 'userpresence show cluster' 'alone'
cli berlin 'dialplan eval function USER_PRESENCE(alice)' dnd

heading "They are back: what was set meanwhile is set everywhere"
start_member 0
start_member 1
until_true "etcd" etcd_works
show_alice available

heading "Paris dies: her phone is gone with it, what she chose is not"
kill -KILL "${node_pid[paris]}"
wait "${node_pid[paris]}" 2>/dev/null || true
until_true "her lamp in berlin" shows berlin 'core show hints' '^2000@.*State:Unavailable '
cli berlin 'core show hints' '2000@default.*State:Unavailable'
cli berlin 'userpresence show cluster' paris
cli berlin 'userpresence set alice lunch' away

heading "Paris is back under its name, and knows what she chose meanwhile"
start_node paris
until_true "Asterisk in paris" ready paris
show_alice away
cli paris 'userpresence show cluster' berlin

heading "Done: stopping everything"
