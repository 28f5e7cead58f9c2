#!/bin/bash
# Runs a private Asterisk with the module and the office of configs/office in the foreground
# until Ctrl-C (or `core stop now`), with its console if there is a terminal.
#
# Arguments: the unpacked Asterisk, the module. target/run keeps the state.
set -euo pipefail
root=$(realpath "$1")
module=$(realpath "$2")
source "$(dirname "$0")/private.sh"

source "$repository/tests/demo/office.sh"

dir=$repository/target/run
configs=office
log=notice,warning,error
lock
layout
trap 'office_end; rm -rf "$socket_dir"' EXIT
# A copy: what is set on the board's pages for administrators stays out of the repository.
cp --remove-destination "$repository/configs/office/userpresence.conf" "$dir/etc"
office_phones
office_life

cat <<END
A private Asterisk with res_userpresence: an office of thirty people in five groups, with two
queues. They call each other and go to lunch; callers wait. Its files are in target/run, and all
its ports are on 127.0.0.1 only.

  AMI    $ami_port   user demo, secret demo
  SIP    $sip_port   a phone of your own: endpoint 2000, no password; it is Alice's second phone
  HTTP   $http_port
  board  http://127.0.0.1:$http_port/userpresence/
         log in as boss (sets everything), or as any of the people, such as alice, nora or
         omar (sets one's own); the password is demo

  configuration   target/run/etc, after an edit: module reload res_userpresence.so
                  userpresence.conf there is a copy, made at each start of configs/office
  first commands  userpresence show users
                  userpresence set nora meeting "" "" t(30)
                  userpresence explain nora
                  queue show

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
