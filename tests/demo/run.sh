#!/bin/bash
# Runs a private Asterisk with the module in the foreground until Ctrl-C (or `core stop
# now`), with its console if there is a terminal.
#
# Arguments: the unpacked Asterisk, the module. target/run keeps the state.
set -euo pipefail
root=$(realpath "$1")
module=$(realpath "$2")
source "$(dirname "$0")/private.sh"

dir=$repository/target/run
lock
layout
trap 'rm -rf "$socket_dir"' EXIT

cat <<END
A private Asterisk with res_userpresence. Its files are in target/run, and all its ports
are on 127.0.0.1 only.

  AMI    $ami_port   user demo, secret demo
  SIP    $sip_port   endpoints 2000 and 2010, no password; watch 2000 or 2010
  HTTP   $http_port
  board  http://127.0.0.1:$http_port/userpresence/
         log in as alice-web (sets Alice's own status) or boss (every user's), password demo

  configuration   configs/demo/*.conf, after an edit: module reload res_userpresence.so
  first commands  userpresence show users
                  presencestate change CustomPresence:200 away,lunch
                  userpresence explain alice
                  core show hints

END
if [ -t 0 ] && [ -t 1 ]; then
    echo "Stop with: core stop now"
    "${asterisk[@]}" -c 9>&-
else
    # Without a terminal there is no console: -f stays in the foreground until a signal.
    echo "Stop with: Ctrl-C, or kill $$"
    "${asterisk[@]}" -f 9>&- &
    pid=$!
    trap 'end "$pid"; exit 130' INT TERM HUP
    wait "$pid"
fi
