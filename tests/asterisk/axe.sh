#!/bin/bash
# Fetches axe-core, which checks pages for accessibility, as axe.min.js into the directory
# named by the only argument. A package of PyPI contains it.
set -euo pipefail

dir=$1
package=axe-playwright-python
# This version contains axe-core 4.12.1. It is fixed because other versions have other rules.
version=0.1.8

if [ -s "$dir/axe.min.js" ]; then
    exit 0
fi

mkdir -p "$(dirname "$dir")"
part=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT TERM HUP

echo "axe: fetching axe-core into $dir"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --dest "$part" "$package==$version"
python3 -m zipfile -e "$part"/*.whl "$part"
mkdir -p "$dir"
mv "$part/${package//-/_}/axe.min.js" "$dir/axe.min.js"
