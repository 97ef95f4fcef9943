package evidence_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/evidence"
)

var update = flag.Bool("update", false, "write the goldens anew")

// fixedKey is a key of tests alone.
func fixedKey(t testing.TB) *evidence.Key {
	t.Helper()
	key, err := evidence.LoadKey(fixedFolder(t))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// fixedFolder has the file of that key.
func fixedFolder(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, evidence.KeyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

func exampleManifest() evidence.Manifest {
	m := describe()
	m.Audit, m.Session, m.Flows, m.Clock = "1b4e28ba", 2, 3, "system clock of linux, by tsc"
	m.Devices[0].Name = "Ann's <phone>"
	zone := time.FixedZone("CET", 3600)
	m.Started, m.Ended = evidence.At(time.Date(2026, 11, 20, 12, 0, 0, 5000, time.UTC), zone), evidence.At(time.Date(2026, 11, 20, 13, 0, 0, 0, time.UTC), zone)
	m.Chain = evidence.Chain{First: 3, Last: 9, Head: strings.Repeat("0f", 32)}
	return m
}

func TestManifestGolden(t *testing.T) {
	got := fixedKey(t).Sign(exampleManifest())
	golden := filepath.Join("testdata", "manifest.txt")
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	checked, err := evidence.Check(want)
	if err != nil || checked.Manifest.Audit != "1b4e28ba" || checked.Trusted {
		t.Errorf("%+v, error %v", checked, err)
	}
}

func TestEveryChangeBreaksTheSignature(t *testing.T) {
	document := fixedKey(t).Sign(exampleManifest())
	for i := range document {
		changed := bytes.Clone(document)
		changed[i] ^= 1
		if _, err := evidence.Check(changed); err == nil {
			t.Fatalf("byte %d can be changed", i)
		}
	}
	for i := 0; i < len(document); i += 11 {
		if _, err := evidence.Check(document[:i]); err == nil {
			t.Fatalf("it can be cut at %d", i)
		}
	}
	for _, more := range []string{"\n", " ", "{}", string(document)} {
		if _, err := evidence.Check(append(bytes.Clone(document), more...)); err == nil {
			t.Errorf("%.10q can be added behind", more)
		}
		if _, err := evidence.Check(append([]byte(more), document...)); err == nil {
			t.Errorf("%.10q can be added before", more)
		}
	}
}

func TestForeignDocumentsAreNoManifests(t *testing.T) {
	key := fixedKey(t)
	signed := string(key.Sign(exampleManifest()))
	for name, c := range map[string]struct {
		document string
		want     error
	}{
		"nothing":     {"", evidence.ErrManifest},
		"JSON":        {"{}", evidence.ErrManifest},
		"other key":   {strings.Replace(signed, "MCowBQYDK2VwAyEA", "MCowBQYDK2VuAyEA", 1), evidence.ErrManifest},
		"no base64":   {strings.Replace(signed, "MCowBQYDK2VwAyEA", "MCowBQYDK2VwAyE!", 1), evidence.ErrManifest},
		"next schema": {strings.Replace(signed, "manifest/1", "manifest/2", 1), evidence.ErrManifest},
		"long":        {strings.Repeat(" ", 5<<20) + signed, evidence.ErrManifest},
		"policy":      {strings.Replace(signed, "covid-alert", "covid-alarm", 1), evidence.ErrSignature},
	} {
		if _, err := evidence.Check([]byte(c.document)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Openssl checks a manifest by the commands of docs/evidence.md.
func TestManifestByHand(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed: the commands of the document cannot be tried")
	}
	doc, err := os.ReadFile("../docs/evidence.md")
	if err != nil {
		t.Fatal(err)
	}
	script := regexp.MustCompile("(?s)<!-- by hand -->\n```sh\n(.*?)```").FindSubmatch(doc)
	if script == nil {
		t.Fatal("the document has no commands")
	}
	dir := t.TempDir()
	document := fixedKey(t).Sign(exampleManifest())
	run := func() (string, error) {
		if err := os.WriteFile(filepath.Join(dir, "manifest.txt"), document, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", "-ec", string(script[1]))
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+filepath.Dir(openssl)+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run()
	sum := strings.ReplaceAll(strings.ToLower(fixedKey(t).Fingerprint().String()), ":", "")
	if err != nil || !strings.Contains(out, "Signature Verified Successfully") || !strings.Contains(out, sum) {
		t.Errorf("%v\n%s", err, out)
	}
	document = bytes.Replace(document, []byte("covid-alert"), []byte("covid-alarm"), 1)
	if out, err := run(); err == nil {
		t.Errorf("a changed manifest passes:\n%s", out)
	}
}

func TestMomentsHaveTheLocalOffset(t *testing.T) {
	b, err := json.Marshal(evidence.At(time.Date(2026, 7, 1, 0, 30, 0, 0, time.UTC), time.FixedZone("x", -(3*3600+1800))))
	if err != nil || string(b) != `{"utc":"2026-07-01T00:30:00Z","local_offset":"-03:30"}` {
		t.Errorf("%s, error %v", b, err)
	}
}

func TestSealSaysWhatTheChainIs(t *testing.T) {
	seal := fixedKey(t).Seal(describe)
	c := capture.Chain{Session: 4, Started: time.Unix(10, 0), Ended: time.Unix(20, 0), First: 7, Last: 9, Flows: 11, Head: [32]byte{1}}
	checked, err := evidence.Check(seal(c))
	m := checked.Manifest
	if err != nil || m.Session != 4 || m.Flows != 11 || m.Chain.Last != 9 || m.Chain.Head != "01"+strings.Repeat("00", 31) ||
		!m.Started.UTC.Equal(c.Started) || m.Clock == "" || m.Policy.Name != "covid-alert" {
		t.Errorf("%+v, error %v", m, err)
	}
}

// FuzzCheck holds that nothing passes but what the key has signed.
func FuzzCheck(f *testing.F) {
	key := fixedKey(f)
	signed := key.Sign(exampleManifest())
	f.Add(signed)
	f.Add(append([]byte(nil), signed[:len(signed)-10]...))
	f.Add([]byte("{}\n-----BEGIN ED25519 SIGNATURE-----\nAAAA\n-----END ED25519 SIGNATURE-----\n"))
	f.Fuzz(func(t *testing.T, document []byte) {
		checked, err := evidence.Check(document, key.Fingerprint())
		if err != nil {
			if !errors.Is(err, evidence.ErrManifest) && !errors.Is(err, evidence.ErrSignature) {
				t.Errorf("error %v", err)
			}
			return
		}
		if checked.Trusted && !bytes.Equal(document, signed) {
			t.Errorf("passes: %q", document)
		}
	})
}
