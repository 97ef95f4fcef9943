#!/usr/bin/env bash
# Builds telltale from the repository that the action lives in.
#
#   build.sh name     says which build it would be: the outputs folder, key and go
#   build.sh build    builds it into TELLTALE_FOLDER
#
# The key is made of the content of what is built, so that a cached build is used
# for the same source alone.
set -euo pipefail

repository=$(cd "$GITHUB_ACTION_PATH/../../.." && pwd)

# sources lists the files that the build reads: modules, and folders with Go source
# and what is embedded. Captures and reports of a job are not among them.
sources() {
  printf '%s\n' go.mod go.sum
  local folder
  for folder in */; do
    if [ -n "$(find "$folder" -name '*.go' -print)" ]; then
      find "$folder" -type f -print
    fi
  done | LC_ALL=C sort
}

# digest hashes names and content. It runs outside the repository, where neither its
# settings nor its owner matter to git.
digest() { (cd "$RUNNER_TEMP" && git hash-object --stdin); }

name() {
  cd "$repository"
  {
    echo "folder=$RUNNER_TEMP/telltale-bin"
    echo "key=telltale-$RUNNER_OS-$RUNNER_ARCH-$({ sources && sources | tr '\n' '\0' | xargs -0 cat; } | digest)"
    echo "go=$(sed -n 's/^go \([0-9]*\.[0-9]*\).*/\1/p' go.mod)"
  } >>"$GITHUB_OUTPUT"
}

build() {
  mkdir -p "$TELLTALE_FOLDER"
  cd "$repository"
  CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$TELLTALE_FOLDER/" ./cmd/telltale
}

case "${1:-}" in
  name | build) "$1" ;;
  *)
    echo "usage: build.sh name|build" >&2
    exit 2
    ;;
esac
