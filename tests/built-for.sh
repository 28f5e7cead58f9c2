#!/bin/bash
# Prints for which Asterisk the module was built, in a box if that is the private one.
#
#   tests/built-for.sh MODULE PRIVATE_ROOT [INCLUDE]
set -euo pipefail

module=$1 root=$2 include=${3-}

if [ -n "$include" ]; then
    echo "Built $module for the Asterisk whose headers are in $include"
    exit 0
fi
if [ -f /usr/include/asterisk.h ]; then
    version=$(asterisk -V 2>/dev/null ||
        dpkg-query -W -f '${source:Package} ${Version}\n' asterisk-dev 2>/dev/null ||
        rpm -q asterisk-devel 2>/dev/null || echo 'an Asterisk of unknown version')
    echo "Built $module for $version, whose headers are in /usr/include"
    exit 0
fi
# shellcheck source=tests/asterisk/root.sh
. "$(dirname "$0")/asterisk/root.sh"
find_asterisk "$root"
cat <<END

  *******************************************************************************
  Built $module
  for the private Asterisk only: Asterisk $version.

  /usr/include has no headers of an Asterisk, so the headers under $root
  were used. An Asterisk of another version or with other build options refuses
  this module or crashes. For the Asterisk of this machine:

      apt install asterisk-dev           if it is Debian's
      make build ASTERISK_INCLUDE=DIR    if its asterisk.h is in DIR
  *******************************************************************************

END
