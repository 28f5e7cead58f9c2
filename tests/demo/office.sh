# For run.sh: what goes on in the office of configs/office while it runs. Phones are played by
# sipp, and calls, callers in queues and statuses come and go, a few at a time.
#
# In:  dir, repository, next_port, sip_port, ami_port (see private.sh)
# Out: office_phones, office_life, office_end

# The processes that were started here.
office_pids=()

# The people who take calls at once, and the one phone that nobody ever answers.
first=101 last=130 absent=118

# Starts sipp with the manner `answer` or `ring` and prints nothing. Its port is $2.
office_phone() {
    local manner=$1 port=$2 scenario=$dir/log/phone-$1.xml
    awk -v talk="$(<"$repository/tests/sip/talk.xml")" \
        '/<!-- talk.xml -->/ { print talk; next } { gsub(/\[refusal\]/, "486 Busy Here"); print }' \
        "$repository/tests/sip/answer.xml" >"$scenario"
    sipp "127.0.0.1:$sip_port" -sf "$scenario" -i 127.0.0.1 -p "$port" \
        -key endpoint phone -key manner "$manner" -default_behaviors all,-abortunexp \
        -nostdin >/dev/null 2>&1 9>&- &
    office_pids+=($!)
}

# Starts the phones, and writes pjsip_phones.conf, which knows where they are.
office_phones() {
    local extension port answering ringing
    next_port answering 15180
    next_port ringing 15190
    for ((extension = first; extension <= last; extension++)); do
        port=$answering
        [ "$extension" != "$absent" ] || port=$ringing
        printf '%s\n' "[$extension]" 'type = endpoint' 'transport = transport' \
            'context = default' 'disallow = all' 'allow = ulaw' 'allow_subscribe = yes' \
            "aors = $extension" "[$extension]" 'type = aor' \
            "contact = sip:$extension@127.0.0.1:$port"
    done >"$dir/etc/pjsip_phones.conf"
    office_phone answer "$answering"
    office_phone ring "$ringing"
}

# The name in the directory of the person with that extension, and the section's name.
office_person() {
    awk -v extension="$1" '
        /^\[/ { split($0, parts, /[][]/); section = parts[2] }
        /^name = / { name = substr($0, 8) }
        $0 ~ "^extension = " extension "," { print section "|" name; exit }
    ' "$repository/configs/office/userpresence.conf"
}

# action HEADERS...: sends an AMI action.
office_action() {
    printf '%s\r\n' "$@" '' >&8
}

office_set() {
    local user=$1 status=$2 options=$3 message=$4
    office_action 'Action: UserPresenceSet' "User: $user" "Status: $status" \
        "Options: $options" "Message: $message"
}

# One random status of one random person.
office_status() {
    local statuses=('lunch|t(45m)|' 'meeting|t(30m)|Quarterly figures' 'meeting|t(60m)|With a customer'
        'home|t(4h)|' 'focus|t(25m)|' 'away|t(10m)|Back in ten minutes' 'available||'
        'available||' 'available||' 'available||At the front desk')
    local status options message
    IFS='|' read -r status options message <<<"${statuses[RANDOM % ${#statuses[@]}]}"
    office_set "$1" "$status" "$options" "$message"
}

# call CHANNEL EXTENSION NAME NUMBER SECONDS: a call that ends after that time.
office_call() {
    office_action 'Action: Originate' "Channel: $1" 'Context: life' "Exten: $2" 'Priority: 1' \
        "CallerID: \"$3\" <$4>" "Variable: LASTS=$5" 'Timeout: 20000' 'Async: true'
}

# Goes on until Asterisk ends. At most six people call a colleague at a time, and at most
# fourteen callers from outside are in the queues: each call has its end.
office_live() {
    local people=() busy=() outside=('Maria Silva|+351210001122' 'Tom Baker|+442071838750'
        'Ines Keller|+41445556677' 'Jean Martin|+33142685300' 'Greta Holm|+46850001200'
        'Luca Bianchi|+39066982000' 'Sam Carter|+12125550142')
    local extension person name number caller called lasts turn=0 reader
    for ((extension = first; extension <= last; extension++)); do
        people+=("$(office_person "$extension")")
    done
    until rx 'core waitfullybooted' 2>/dev/null | grep -q 'fully booted'; do sleep 0.5; done
    exec 8<>"/dev/tcp/127.0.0.1/$ami_port"
    cat <&8 >/dev/null &
    reader=$!
    trap 'kill "$reader" 2>/dev/null; exit 0' TERM INT HUP EXIT
    office_action 'Action: Login' 'Username: demo' 'Secret: demo' 'Events: off'
    # A morning in the office.
    for person in "${people[@]}"; do
        # Support picks up for each other.
        office_action 'Action: UserPresenceSet' "User: ${person%%|*}" 'PickUpCallsOnHold: true'
        case $((RANDOM % 3)) in
            0) office_status "${person%%|*}" ;;
            *) office_set "${person%%|*}" available '' '' ;;
        esac
    done
    office_set yuki vacation 't(5d)' 'Back next week'
    office_set carl vacation 't(2d)' ''
    while kill -0 "$reader" 2>/dev/null; do
        lasts=$((30 + RANDOM % 120))
        case $((turn++ % 4)) in
            0 | 2)
                caller=$((RANDOM % ${#people[@]})) called=$((RANDOM % ${#people[@]}))
                # Nobody calls Alice, whose second phone is perhaps not there.
                if ((caller != called && called && first + caller != absent)) &&
                    ((${busy[caller]:-0} < SECONDS && ${busy[called]:-0} < SECONDS)) &&
                    office_takes people 6; then
                    busy[caller]=$((SECONDS + lasts)) busy[called]=$((SECONDS + lasts))
                    office_call "PJSIP/$((first + caller))" $((first + called)) \
                        "${people[caller]#*|}" $((first + caller)) "$lasts"
                fi
                ;;
            1)
                if office_takes outside 14; then
                    IFS='|' read -r name number <<<"${outside[turn / 4 % ${#outside[@]}]}"
                    office_call Local/caller@outside/n $((600 + RANDOM % 3 / 2)) "$name" "$number" \
                        $((lasts + 60))
                fi
                ;;
            3) office_status "${people[RANDOM % ${#people[@]}]%%|*}" ;;
        esac
        sleep $((1 + RANDOM % 4)) &
        wait $!
    done
}

# takes KIND MOST: whether one more call of that kind may begin; its end is noted.
declare -A office_ends
office_takes() {
    local kind=$1 most=$2 now=() end
    for end in ${office_ends[$kind]:-}; do
        ((end < SECONDS)) || now+=("$end")
    done
    ((${#now[@]} < most)) || return 1
    office_ends[$kind]="${now[*]} $((SECONDS + lasts + 60))"
}

# Starts what goes on, in the background.
office_life() {
    office_live 9>&- >/dev/null 2>&1 &
    office_pids+=($!)
}

# Ends what was started here.
office_end() {
    local pid
    for pid in "${office_pids[@]}"; do end "$pid"; done
    office_pids=()
}
