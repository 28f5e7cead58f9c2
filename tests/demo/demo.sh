#!/bin/bash
# Shows what the module does, in a real Asterisk with a real SIP client. Stops everything
# that it started at the end, after an error and at Ctrl-C.
#
# Arguments: the unpacked Asterisk, the module.
set -euo pipefail
root=$(realpath "$1")
module=$(realpath "$2")
source "$(dirname "$0")/private.sh"

dir=$repository/target/demo
asterisk_pid='' client_pids=() reader_pid='' socket_dir=''

stop_all() {
    local status=$? pid
    trap '' INT TERM HUP
    for pid in "${client_pids[@]}"; do end "$pid"; done
    [ -z "$reader_pid" ] || end "$reader_pid"
    [ -z "$asterisk_pid" ] || end "$asterisk_pid"
    wait 2>/dev/null || true
    [ -z "$socket_dir" ] || rm -rf "$socket_dir"
    if [ "$status" != 0 ] && [ "$status" != 130 ]; then
        echo "demo: failed with status $status; Asterisk's log is $dir/log/full.log" >&2
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

# cli COMMAND [EXPECTED]: types the command and shows its answer. Ends the demo if the
# answer lacks the expected text.
cli() {
    local answer
    printf '\n%s*CLI> %s%s\n' "$bold" "$1" "$plain"
    answer=$(rx "$1" | sed '/^$/d')
    # The columns of hints are wider than most terminals.
    [ -z "$answer" ] || sed '/@default/s/   */  /g; s/^/  /; s/  *$//' <<<"$answer"
    expect "$answer" "${2:-}"
}

expect() {
    if ! grep -qiE -- "$2" <<<"$1"; then
        echo "demo: expected '$2' in this answer" >&2
        exit 1
    fi
}

# until_true WHAT COMMAND...: repeats the command until it succeeds, for up to a minute.
until_true() {
    local what=$1 tries
    shift
    for ((tries = 0; tries < 600; tries++)); do
        ! "$@" || return 0
        kill -0 "$asterisk_pid" 2>/dev/null || die "Asterisk ended"
        sleep 0.1
    done
    die "waited in vain for $what"
}

ready() { grep -qs 'Asterisk Ready' "$dir/log/full.log"; }

start_asterisk() {
    "${asterisk[@]}" -f >"$dir/log/output.txt" 2>&1 9>&- &
    asterisk_pid=$!
    until_true "Asterisk" ready
}

# start_client NAME SCENARIO ARGUMENTS...: starts a real SIP client with that scenario. Its
# messages are in log/NAME.trace.
start_client() {
    local name=$1 scenario=$2 port
    shift 2
    next_port port 15160
    sipp "127.0.0.1:$sip_port" -sf "$scenario" -s 2000 -i 127.0.0.1 -p "$port" \
        -m 1 -nostdin -trace_msg -message_file "$dir/log/$name.trace" "$@" \
        >"$dir/log/$name.txt" 2>&1 9>&- &
    client_pids+=($!)
}

# start_watcher NAME AGENT: starts a client that watches 2000 and answers each NOTIFY.
start_watcher() {
    start_client "$1" "$repository/tests/sip/subscribe.xml" -key endpoint watcher \
        -key agent "$2" -key event presence -key accept application/pidf+xml
    until_true "the subscription" notified "$1" '<presence'
}

# Prints the body of a client's last NOTIFY.
last_body() {
    cat "$dir/log/$1.trace" 2>/dev/null | tr -d '\r' |
        awk '/^<\?xml/ { body = ""; inside = 1 } inside { body = body $0 "\n" }
             /^<\/presence>/ { inside = 0 } END { printf "%s", body }'
}

# Whether a client's last NOTIFY contains a text.
notified() {
    last_body "$1" | grep -qF -- "$2"
}

# publish FORM: sends the PUBLISH of a file in tests/sip/forms as Alice's desk phone and
# shows it.
publish() {
    local scenario=$dir/log/publish.xml form
    form=$(<"$repository/tests/sip/forms/$1.sip")
    awk -v form="$form" '$0 == "[form]" { print form; print ""; next } { print }' \
        "$repository/tests/sip/form.xml" >"$scenario"
    start_client publish "$scenario" -key endpoint 2000
    until_true "an answer to the PUBLISH" grep -qs '^SIP/2.0 200' "$dir/log/publish.trace"
    echo
    tr -d '\r' <"$dir/log/publish.trace" |
        sed -n '/^PUBLISH/,/^<\/presence>/p; /^SIP\/2.0/p; /^SIP-ETag/p' | sed 's/^/  /'
}

# Registers a real SIP client as Alice's desk phone.
register_phone() {
    local port
    next_port port 15170
    sipp "127.0.0.1:$sip_port" -sf "$repository/tests/sip/register.xml" \
        -key endpoint 2000 -key contact "$port" -key expires 3600 -i 127.0.0.1 -p "$port" \
        -m 1 -nostdin >"$dir/log/register.txt" 2>&1 9>&- || die "the desk phone could not register"
}

# Whether Asterisk's log contains a text.
logged() { grep -qF -- "$1" "$dir/log/full.log"; }

# Whether the answer of a command has a line that matches this pattern.
shows() { rx "$1" | grep -qE -- "$2"; }

# show_phone NAME TEXT: waits for a NOTIFY with the text and shows its body.
show_phone() {
    until_true "a NOTIFY with $2" notified "$1" "$2"
    printf '\n%sNOTIFY to the %s phone that watches 2000:%s\n' "$bold" "$1" "$plain"
    last_body "$1" | sed 's/^/  /'
}

lock
rm -rf "$dir/lib"
layout

heading "A private Asterisk with res_userpresence, and two phones that watch Alice"
start_asterisk
cli "core show version" "Asterisk "
cli "module show like userpresence" "Running"
register_phone
start_watcher Digium 'digium D65'
start_watcher Snom snomD785/10.1.90.0
echo
echo "  REGISTER  sip:2000@127.0.0.1:$sip_port  ->  200 OK"
echo "  SUBSCRIBE sip:2000@127.0.0.1:$sip_port  ->  200 OK   User-Agent: digium D65"
echo "  SUBSCRIBE sip:2000@127.0.0.1:$sip_port  ->  200 OK   User-Agent: snomD785/10.1.90.0"

heading "Alice has two phones: 200 is set to dnd, then 201 to available"
cli 'presencestate change CustomPresence:200 "dnd,meeting,Board meeting until 3"' "Changing"
cli "presencestate change CustomPresence:201 available" "Changing"

heading "The combined presence: Alice is still dnd. 2900 is the same hint without the module"
hint() { rx "core show hints" | grep -qE "^$1@.*Presence:$2 "; }
until_true "the hint 2000" hint 2000 dnd
until_true "the hint 2900" hint 2900 available
cli "core show hints" "2000@default.*Presence:dnd"
cli "dialplan eval function PRESENCE_STATE(UserPresence:alice,value)" "Result: *dnd"
cli "dialplan eval function USER_PRESENCE(alice)" "Result: *dnd"
cli "dialplan eval function USER_PRESENCE(alice,message)" "Board meeting"
cli "userpresence show user alice" "dnd"
cli "userpresence explain alice" "alice"
show_phone Digium 'type="dnd"'

heading "Alice goes to lunch, a status type, for 5 seconds and on both phones"
cli "userpresence show statuses" "lunch.*At lunch.*away"
cli 'userpresence set alice lunch "" "" t(5)' "away"
cli "userpresence show user alice" "Ends: in "
written="dialplan eval function PRESENCE_STATE(CustomPresence:200,value)"
until_true "extension 200" shows "$written" "Result: *away"
cli "$written" "Result: *away"
cli "dialplan eval function PRESENCE_STATE(CustomPresence:201,message)" "Back at one"
show_phone Digium 'type="away"'
show_phone Snom 'Back at one'
expect "$(last_body Snom)" '<rpid:away'


heading "Lunch ends by itself: Alice is dnd again, as before"
until_true "the end of lunch" hint 2000 dnd
cli "userpresence show users" "alice.*dnd"
until_true "extension 200" shows "$written" "Result: *dnd"
cli "$written" "Result: *dnd"
show_phone Digium 'type="dnd"'

heading "An action while Alice is dnd: FreePBX's do not disturb, and an AstDB entry of your own"
until_true "the action" shows "userpresence show actions" "DB\(DND/200\) *YES"
cli "userpresence show actions" "DB\(presence/alice\) *dnd Board meeting until 3"
cli "database get DND 200" "YES"

heading "A lamp and a queue follow Alice: dnd counts as busy, so the queue does not ring her"
until_true "the lamp 2001" shows "core show hints" "^2001@.*State:Busy "
cli "core show hints" "2001@default.*State:Busy"
cli "channel originate Local/caller@line/n application Queue support" ""
# By then the queue has looked for an agent every second.
until_true "a waiting caller" shows "queue show support" "\(wait: 0:0[3-9]"
cli "queue show support" "Alice.*UserPresence:alice@queue.*\(Busy\)"
logged "Called Local/alice@line" && die "the queue rang Alice while she was dnd"

heading "Alice is available: the queue rings her at once"
cli "userpresence set alice available" "available"
until_true "a call to Alice" logged "Called Local/alice@line"
until_true "her answer" shows "queue show support" "has taken|No Callers"
cli "queue show support" "No Callers"
rx "channel request hangup all" >/dev/null
until_true "the end of the action" shows "userpresence show actions" "^0 in force"
cli "userpresence show actions" "0 in force"
cli "database get DND 200" "not found"

heading "The same over HTTP, as a panel reads it, and the numbered events as they arrive"
api=http://127.0.0.1:$http_port/userpresence/v1/account/~
# ask ARGUMENTS...: sends a request as an administrator and shows the answer.
ask() {
    printf '\n%s$ curl -u boss:demo %s%s\n' "$bold" "$*" "$plain"
    curl -sS -u boss:demo "$@" | fold -s -w 96 | sed 's/^/  /'
    echo
}
answer=$(ask "$api/extension/alice/presence")
echo "$answer"
expect "$answer" '"state":"available"'
curl -sSN -u boss:demo "$api/events?extension=alice" >"$dir/log/events.txt" 9>&- &
reader_pid=$!
has_event() { grep -q "$1" "$dir/log/events.txt"; }
until_true "the stream" has_event '^retry: '
answer=$(ask -X PUT -H 'Content-Type: application/json' \
    -d '{"status":"lunch","message":"Soup"}' "$api/extension/alice/presence")
echo "$answer"
expect "$answer" '"message":"Soup"'
until_true "her event" has_event '"presenceStatus":"Busy"'
end "$reader_pid"
reader_pid=''
printf '\n%s$ curl -N -u boss:demo %s%s\n' "$bold" "$api/events?extension=alice" "$plain"
grep -v '^retry: \|^$' "$dir/log/events.txt" | fold -s -w 96 | sed 's/^/  /'

heading "Alice chooses Lunch on her own phone, a Snom: its PUBLISH moves her presence"
cli "userpresence set alice available" "available"
until_true "the hint 2000" hint 2000 available
publish snom-publish
until_true "the hint 2000" hint 2000 away
cli "userpresence show user alice" "away"
cli "userpresence explain alice" "away"
show_phone Digium 'type="away"'

heading "The board: a live page of all users"
page=$(curl -sS "http://127.0.0.1:$http_port/userpresence/")
expect "$page" '<html'
cat <<END

  make run keeps this Asterisk running. Its board is at

      http://127.0.0.1:${HTTP_PORT:-18088}/userpresence/

  Log in as alice-web (sets Alice's own status) or boss (every user's); the password is demo.
END

heading "Done: stopping everything. To try it yourself: make run"
