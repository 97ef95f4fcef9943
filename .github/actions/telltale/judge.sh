#!/usr/bin/env bash
# Judges captures by `telltale check` and tells GitHub: annotations, the job's
# summary, outputs, and a step that fails with a sentence.
#
# Everything comes in by the environment (see action.yml) and is used as data: what
# an input holds is never read as a flag, a command or a workflow command. Runs in
# bash 3.2 (macOS) and later. Exit codes are telltale's: 0, 1 violations, 2 not judged.
set -euo pipefail

# say prints a workflow command: say LEVEL TEXT.
# docs.github.com/actions, "Workflow commands for GitHub Actions"
say() {
  local text=$2
  text=${text//'%'/%25}
  text=${text//$'\r'/%0D}
  text=${text//$'\n'/%0A}
  echo "::$1 title=telltale::$text"
}

# refuse ends the step for an input that makes no sense.
refuse() {
  say error "$1"
  exit 2
}

# one_line refuses a value that is more than one line: it could forge outputs.
one_line() {
  case "$2" in
    *[$'\r\n']*) refuse "the input $1 has to be one line" ;;
  esac
}

# lines prints the lines of a text without blanks around them, and no empty ones.
lines() { sed -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' -e '/^$/d' <<<"$1"; }

flags=()
one_line policy "$TELLTALE_POLICY"
one_line baseline "$TELLTALE_BASELINE"
one_line report-dir "$TELLTALE_REPORT_DIR"
case "$TELLTALE_FAIL_ON" in
  violations | never) ;;
  *) refuse "fail-on is violations or never, not '$TELLTALE_FAIL_ON'" ;;
esac
case "$TELLTALE_STRICT" in
  true) flags+=(--strict) ;;
  false | '') ;;
  *) refuse "strict is true or false, not '$TELLTALE_STRICT'" ;;
esac
[ -z "$TELLTALE_POLICY" ] || flags+=("--policy=$TELLTALE_POLICY")
[ -z "$TELLTALE_BASELINE" ] || flags+=("--baseline=$TELLTALE_BASELINE")
[ -z "$TELLTALE_MIN_FLOWS" ] || flags+=("--min-flows=$TELLTALE_MIN_FLOWS")
while IFS= read -r pattern; do
  flags+=("--allow=$pattern")
done < <(lines "$TELLTALE_ALLOW")

# A line is a file or folder of that name, else a glob. What matches nothing stays
# as it is, and telltale says that it is not there. bash 3.2 takes ** for *, which would
# pass over deeper captures in silence.
captures=()
while IFS= read -r line; do
  if [ -e "$line" ]; then
    captures+=("$line")
  elif [[ $line == *'**'* ]]; then
    refuse "captures: '$line' has **: name the folder; it is searched below"
  else
    IFS='' # a name with spaces is one word
    # shellcheck disable=SC2206 # the glob is to be expanded
    captures+=($line)
    unset IFS
  fi
done < <(lines "$TELLTALE_CAPTURES")
[ ${#captures[@]} -gt 0 ] || refuse "the input captures names nothing"
[ -n "$TELLTALE_REPORT_DIR" ] || refuse "the input report-dir is empty"

telltale=${TELLTALE_BINARY:-$TELLTALE_FOLDER/telltale}
dir=$TELLTALE_REPORT_DIR
case $dir in -*) dir=./$dir ;; esac # not a flag of the programs below
mkdir -p -- "$dir"

# What an earlier run left there is not to pass for this one's.
json=$dir/telltale.json sarif=$dir/telltale.sarif markdown=$dir/telltale.md
rm -f -- "$json" "$sarif" "$markdown" "$dir/telltale.html" "$dir/junit.xml"
flags+=(--format=github "--report=$json" "--report=$sarif" "--report=$markdown"
  "--report=$dir/telltale.html" "--report=$dir/junit.xml")

code=0
"$telltale" check "${flags[@]}" -- "${captures[@]}" </dev/null || code=$?

# The JSON report is indented and its texts have no line breaks, so what stands at
# the beginning of a line is a key.
verdict='' violations=''
if [ -f "$json" ]; then
  verdict=$(sed -n 's/^  "verdict": "\([a-z]*\)",*$/\1/p' "$json")
  violations=$(sed -n '/^  "summary": {$/,/^  }/s/^    "violations": \([0-9]*\),*$/\1/p' "$json")
fi
{
  echo "verdict=${verdict:-inconclusive}"
  echo "violations=$violations"
  echo "report-dir=$dir"
  # Code scanning closes every alert that an upload lacks, so what proves nothing is none.
  case $verdict in
    clean | violations) if [ -f "$sarif" ]; then echo "sarif=$sarif"; fi ;;
  esac
} >>"$GITHUB_OUTPUT"

# A summary over 1 MiB is refused whole, so a long one is cut at the end of a line.
limit=1000000
if [ -f "$markdown" ]; then
  if [ "$(wc -c <"$markdown")" -le $limit ]; then
    cat "$markdown"
  else
    head -c $limit "$markdown" | sed '$d'
    printf '\n\n*The report is longer than a summary may be. The whole of it is %s.*\n' "telltale.md, among the reports"
  fi >>"$GITHUB_STEP_SUMMARY"
fi

case $code in
  0) ;;
  1)
    if [ "$violations" = 1 ]; then text="1 violation of the policy"; else text="$violations violations of the policy"; fi
    if [ "$TELLTALE_FAIL_ON" = never ]; then
      say warning "$text (fail-on is never, so this does not fail)"
      code=0
    else
      say error "$text; the job's summary says what, why and how to fix it"
    fi
    ;;
  2)
    text="inconclusive: the lines above say what could not be judged, or why it proves little"
    [ "${violations:-0}" = 0 ] || text="$text; violations in what was judged: $violations"
    say error "$text"
    ;;
  *)
    say error "telltale could not be run (exit code $code), so nothing was judged"
    code=2
    ;;
esac
exit $code
