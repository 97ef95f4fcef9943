package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"telltale/capture"
)

// Schema is the format of a manifest, its first member.
const Schema = "telltale.manifest/1"

// A Manifest says what a session of a recorder has made. Who records fills in what it
// knows; [Key.Seal] adds the rest.
type Manifest struct {
	Schema  string   `json:"schema"`
	Audit   string   `json:"audit,omitempty"` // of the capture, the same in all of its sessions
	Session int64    `json:"session"`
	Tool    Tool     `json:"tool"`
	Policy  *Source  `json:"policy,omitempty"` // nil: nothing was judged
	Lists   []Source `json:"lists,omitempty"`  // catalogues and lists that the policy was read with
	Devices []Device `json:"devices,omitempty"`
	WaysIn  []string `json:"ways_in,omitempty"` // "http", "wireguard", …
	Started Moment   `json:"started"`
	Ended   Moment   `json:"ended"`
	Clock   string   `json:"clock"` // that the times are by; nobody vouches for it
	Flows   int64    `json:"flows"`
	Chain   Chain    `json:"chain"`
	Key     string   `json:"public_key"` // SubjectPublicKeyInfo (RFC 8410) in base64
}

// Tool is the program that recorded.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256,omitempty"` // of the program's file, hexadecimal
}

// Source is a file that what was recorded is judged by.
type Source struct {
	Name   string `json:"name"`
	File   string `json:"file,omitempty"`
	SHA256 string `json:"sha256"` // of its bytes, hexadecimal
}

// Device is a client that was seen.
type Device struct {
	Address string `json:"address"`
	Name    string `json:"name,omitempty"`
}

// Chain is the part of the capture's chain that the session added.
type Chain struct {
	First int64  `json:"first_link"`
	Last  int64  `json:"last_link"`
	Head  string `json:"head"` // digest of the last link, hexadecimal
}

// Moment is a time, and what the clocks on the wall showed.
type Moment struct {
	UTC         time.Time `json:"utc"`
	LocalOffset string    `json:"local_offset"` // of local time from UTC at that moment: "+01:00"
}

// At returns a moment with the offset of a time zone.
func At(t time.Time, zone *time.Location) Moment {
	return Moment{UTC: t.UTC(), LocalOffset: t.In(zone).Format("-07:00")}
}

// Clock names the clock of this machine. Linux says which hardware it goes by
// (Documentation/ABI/testing/sysfs-devices-clocksource); that says nothing of whether it
// is right.
func Clock() string {
	source, err := os.ReadFile("/sys/devices/system/clocksource/clocksource0/current_clocksource")
	name := strings.TrimSpace(string(source))
	if err != nil || name == "" || len(name) > 64 {
		return "system clock of " + runtime.GOOS
	}
	return "system clock of " + runtime.GOOS + ", by " + name
}

// Seal returns what [capture.Options.Seal] is to be: it has describe fill in what the
// recorder knows when a session ends, adds what the chain says, and signs.
func (k *Key) Seal(describe func() Manifest) func(capture.Chain) []byte {
	return func(c capture.Chain) []byte {
		m := describe()
		m.Audit, m.Session, m.Flows = c.Audit, c.Session, c.Flows
		m.Started, m.Ended, m.Clock = At(c.Started, time.Local), At(c.Ended, time.Local), Clock()
		m.Chain = Chain{First: c.First, Last: c.Last, Head: hex.EncodeToString(c.Head[:])}
		return k.Sign(m)
	}
}

// signatureType is the PEM type of a signature.
const signatureType = "ED25519 SIGNATURE"

// signatureMark starts the signature: a line that JSON cannot have.
const signatureMark = "\n-----BEGIN " + signatureType + "-----\n"

// maxDocument bounds what is read as a manifest.
const maxDocument = 4 << 20

// Sign returns the document of a manifest: JSON, and behind it an Ed25519 signature
// (RFC 8032) over the bytes of that JSON and its line feed, in the textual encoding of
// RFC 7468.
func (k *Key) Sign(m Manifest) []byte {
	m.Schema, m.Key = Schema, base64.StdEncoding.EncodeToString(encodePublic(k.Public()))
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		panic(err) // texts, numbers and times always encode
	}
	text = append(text, '\n')
	return append(text, encodeSignature(ed25519.Sign(k.private, text))...)
}

func encodeSignature(signature []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: signatureType, Bytes: signature})
}

// A Checked is a manifest whose signature is that of the key it names.
type Checked struct {
	Manifest Manifest
	Signer   Fingerprint
	Trusted  bool // the signer is one of those that were given
}

// Errors of [Check].
var (
	ErrManifest  = errors.New("it is no manifest of telltale")
	ErrSignature = errors.New("its signature is not that of its content")
)

// Check reads a manifest and checks its signature with the key that it names. Whether that
// key is to be believed is another question: trusted are those that are. The error matches
// [ErrManifest] or [ErrSignature].
func Check(document []byte, trusted ...Fingerprint) (Checked, error) {
	text, signature, err := split(document)
	if err != nil {
		return Checked{}, err
	}
	var m Manifest
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&m); err != nil {
		return Checked{}, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Checked{}, fmt.Errorf("%w: something stands behind its JSON", ErrManifest)
	}
	if m.Schema != Schema {
		return Checked{}, fmt.Errorf("%w: its schema is %q, expected %q", ErrManifest, m.Schema, Schema)
	}
	der, err := base64.StdEncoding.Strict().DecodeString(m.Key)
	if err != nil {
		return Checked{}, fmt.Errorf("%w: its public key is not in base64", ErrManifest)
	}
	public, err := parsePublic(der)
	if err != nil {
		return Checked{}, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if !ed25519.Verify(public, text, signature) {
		return Checked{}, ErrSignature
	}
	c := Checked{Manifest: m, Signer: fingerprintOf(public)}
	for _, f := range trusted {
		c.Trusted = c.Trusted || f == c.Signer
	}
	return c, nil
}

// ReadManifest is Check of a file: a regular one, of at most 4 MiB.
func ReadManifest(path string) (Checked, error) {
	document, err := readFile(path, maxDocument)
	if err != nil {
		return Checked{}, fmt.Errorf("read manifest %s: %w", path, cause(err))
	}
	checked, err := Check(document)
	if err != nil {
		return Checked{}, fmt.Errorf("read manifest %s: %w", path, err)
	}
	return checked, nil
}

// split parts a document into what was signed and its signature.
func split(document []byte) (text, signature []byte, err error) {
	if len(document) > maxDocument {
		return nil, nil, fmt.Errorf("%w: it has more than %d bytes", ErrManifest, maxDocument)
	}
	at := bytes.Index(document, []byte(signatureMark))
	if at < 0 {
		return nil, nil, fmt.Errorf("%w: it has no signature", ErrManifest)
	}
	text = document[:at+1]
	block, _ := pem.Decode(document[at+1:])
	if block == nil || !bytes.Equal(encodeSignature(block.Bytes), document[at+1:]) {
		return nil, nil, fmt.Errorf("%w: its signature cannot be read", ErrManifest)
	}
	return text, block.Bytes, nil
}

func encodePublic(public ed25519.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(err) // keys of this type always encode
	}
	return der
}

func parsePublic(der []byte) (ed25519.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("its public key cannot be read: %w", err)
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("its public key is a %T, not one of Ed25519", key)
	}
	return public, nil
}
