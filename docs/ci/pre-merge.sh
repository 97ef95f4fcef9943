#!/usr/bin/env bash
# Judges the newest captures before a merge: as a git hook, or as a step of Jenkins,
# Buildkite, TeamCity or any CI that runs a script. docs/ci.md says how.
#
#   pre-merge.sh [FOLDER]     the captures to judge (default: captures)
#
# Settings come by the environment:
#
#   TELLTALE             the program                      (telltale)
#   TELLTALE_POLICY      the policy file                  (telltale.yaml)
#   TELLTALE_BASELINE    an earlier JSON report           (telltale-baseline.json, if it is there)
#   TELLTALE_NEWEST      how many captures, newest first  (1; all: every one)
#   TELLTALE_REPORTS     folder for the reports           (telltale-report)
#
# Exit codes: 0 clean, 1 violations, 2 not judged, so not to be merged either.
set -euo pipefail

folder=${1:-captures}
telltale=${TELLTALE:-telltale}
policy=${TELLTALE_POLICY:-telltale.yaml}
baseline=${TELLTALE_BASELINE-telltale-baseline.json}
newest=${TELLTALE_NEWEST:-1}
reports=${TELLTALE_REPORTS:-telltale-report}

say() { printf 'pre-merge: %s\n' "$*" >&2; }

command -v "$telltale" >/dev/null || {
  say "$telltale is not there; build it, and name it by TELLTALE"
  exit 2
}

# No sort by time that all systems have takes every file name, so the newest are
# chosen by comparing (bash: -nt).
captures=()
while IFS= read -r -d '' file; do
  place=${#captures[@]}
  while [ "$place" -gt 0 ] && [ "$file" -nt "${captures[place - 1]}" ]; do
    captures[place]=${captures[place - 1]}
    place=$((place - 1))
  done
  captures[place]=$file
done < <(find "$folder" -type f \( -iname '*.har' -o -iname '*.har.gz' -o -iname '*.zip' -o -iname '*.telltale' \
  -o -iname '*.mitm' -o -iname '*.flow' -o -iname '*.flows' \) -print0)

if [ ${#captures[@]} -eq 0 ]; then
  say "no capture in $folder; record one first: telltale record --save $folder/run.telltale -- YOUR-TESTS"
  exit 2
fi
[ "$newest" = all ] || captures=("${captures[@]:0:newest}")
say "judging ${captures[*]}"

flags=("--policy=$policy" --strict)
if [ -n "$baseline" ] && { [ -e "$baseline" ] || [ -n "${TELLTALE_BASELINE-}" ]; }; then
  flags+=("--baseline=$baseline")
fi
mkdir -p "$reports"

code=0
"$telltale" check "${flags[@]}" \
  --report="$reports/telltale.html" --report="$reports/telltale.json" --report="$reports/junit.xml" \
  -- "${captures[@]}" </dev/null || code=$?

case $code in
  0) say "clean" ;;
  1) say "violations: fix them, allow them in $policy, or waive them there with a reason and an end; see $reports/telltale.html" ;;
  2) say "not judged (see above), so this is no pass" ;;
  *)
    say "$telltale failed (exit code $code), so nothing was judged"
    code=2
    ;;
esac
exit $code
