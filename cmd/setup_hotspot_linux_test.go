package cmd

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// hotspotStory runs in a network namespace of its own: the rules come into force, and go
// when telltale ends, by whatever signal.
const hotspotStory = `
await() { n=0; until "$@"; do n=$((n+1)); test $n -lt 200 || { echo "never: $*"; cat said; exit 1; }; sleep 0.05; done; }
led() { grep -q 'are led to telltale' said; }
ip link add tlnone0 type veth peer name tlnone1 && ip link set tlnone0 up || exit 1
gone() { test -z "$(nft list ruleset)"; }
for signal in INT TERM KILL; do
	: >said
	telltale setup hotspot --interface tlnone0 --apply >said 2>&1 &
	await led
	echo "$signal: $(nft list table inet telltale | grep -c 'redirect to :8081\|flags owner') of 3"
	telltale setup hotspot --interface tlnone0 --apply 2>&1 | grep '^error'
	kill -$signal $!
	wait $!
	echo "exit code $?"
	await gone
done
`

func TestHotspotRulesGoWithTelltale(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"nft", "unshare", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("only root loads rules into a kernel")
	}
	if out, err := exec.Command("unshare", "--net", "nft", "list", "ruleset").CombinedOutput(); err != nil {
		t.Skipf("nft does not work in a network namespace here: %s", out)
	}
	c := exec.CommandContext(t.Context(), "unshare", "--net", "sh", "-c", hotspotStory)
	c.Dir = t.TempDir()
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const busy = "error: there is a table inet telltale already: of another telltale setup hotspot, or loaded by hand\n"
	want := "INT: 3 of 3\n" + busy + "exit code 0\nTERM: 3 of 3\n" + busy + "exit code 0\nKILL: 3 of 3\n" + busy + "exit code 137\n"
	if got := string(out); strings.ReplaceAll(got, "Killed\n", "") != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
