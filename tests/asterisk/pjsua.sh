#!/bin/bash
# Installs pjsua2, the Python interface of pjsip's SIP client, into the directory named by
# the only argument.
set -euo pipefail

version=2.15.1.post1
folder=$1
[ -e "$folder/$version" ] && exit 0

echo "pjsua: installing $version into $folder (some seconds)"
rm -rf "$folder"
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    "pjsua2-python==$version"
"$folder/bin/python" -c 'import pjsua2'
touch "$folder/$version"
