#!/usr/bin/env bash
# Checks reports with validators that are not ours:
#
#   reports/validate/run.sh [FOLDER] [CHECK]...
#
# FOLDER holds reports in any formats, by default those of the tests. CHECK
# names scripts of this folder ("sarif"), by default all. Needs Go, Node.js 20.11 with
# npm, xmllint (Debian: libxml2-utils) and Chromium (CHROMIUM names it). Packages
# are installed outside of the tree, in VALIDATE_DIR.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
folder=${1:-}
shift || true
reports=$(cd "${folder:-$root/reports/testdata}" && pwd)
work=${VALIDATE_DIR:-${TMPDIR:-/tmp}/telltale-validate}
mkdir -p "$work/pages"

rm -f "$work"/*.mjs "$work"/pages/*.html
cp "$here"/package.json "$here"/*.js "$here"/*.mjs "$work"
(cd "$work" && npm install --no-audit --no-fund --no-package-lock --loglevel=error)

checks=("$@")
if [ ${#checks[@]} -eq 0 ]; then
  for script in "$work"/*.mjs; do checks+=("$(basename "$script" .mjs)"); done
fi

status=0
for check in "${checks[@]}"; do
  if [ "$check" = html ]; then
    # The tests hold pages without what is the same in each, so they are made anew.
    (cd "$root" && go test ./reports -count 1 -run '^(TestGoldens|TestPageStaysUsable)$' -pages "$work/pages")
    [ -z "$folder" ] || find "$reports" -maxdepth 1 -name '*.html' -exec cp {} "$work/pages" \;
  fi
  node "$work/$check.mjs" "$reports" "$work/pages" || status=1
done
exit $status
