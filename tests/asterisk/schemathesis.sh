#!/bin/bash
# Installs schemathesis, which checks a server against its description, into the directory
# named by the only argument.
set -euo pipefail

version=4.32.5
folder=$1
[ -e "$folder/$version" ] && exit 0

echo "schemathesis: installing $version into $folder (half a minute)"
rm -rf "$folder"
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
touch "$folder/$version"
