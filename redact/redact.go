// Package redact makes copies of flows, and of whole captures, that are safe to hand over.
//
// A value is replaced by "[redacted:…]", where the letters come from an HMAC of the value
// under a key that a [Redactor] draws when it is made, keeps in memory and never shows.
// Equal values have equal masks, in whatever place and encoding they stood, so that one can
// still see which requests belong together; nobody can test a guess, and two copies cannot
// be joined by their masks.
//
// It knows where credentials stand (header fields, cookies, members called like one, users
// and tokens in URLs), what identifies people and devices (package exposure), which values
// the policy lists under never-send, and how to replace text in place in JSON, forms, XML,
// HTML, scripts, multipart, protobuf, gRPC and WebSocket messages. A value that was taken
// out of one place is taken out of all others where it stands as a word of its own.
//
// It promises that what is left passes the searches that look for identifiers and for
// values under never-send: a part in which they still find something is left out as a whole,
// and so is content that cannot be looked into: pictures, archives, what is encrypted,
// damaged or cut while compressed. Hosts, methods, statuses, sizes, times, the User-Agent
// and what TLS said stay, so that the same policy has the same verdicts.
//
// It does not know a secret that neither looks like one nor is called like one: an unusual
// name in prose, a number that only its owner can read. Nor does it hide who was contacted
// when. To see why something was masked or left, redact a flow that has it alone.
package redact

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"telltale/exposure"
	"telltale/flow"
	"telltale/policy"
)

// A Redactor makes copies in which equal values have equal masks. Its methods may be
// called from any goroutine.
type Redactor struct {
	policy *policy.Policy
	key    []byte

	mu        sync.RWMutex
	values    map[string]value // that were taken out of flows before, by their text
	addresses map[netip.Addr]netip.Addr
	taken     map[netip.Addr]bool
	devices   map[string]string
	masked    map[string]int
	leftOut   map[string]int
}

// A value is something that is masked wherever it stands.
type value struct {
	kind   string
	digest string // of its normal form
}

// The kinds of [Report.Masked] beside those of package exposure.
const (
	Credential = "credential"
	Cookie     = "cookie"
	NeverSend  = "never-send value"
	Token      = "token"        // looks like a secret that a machine made
	Identifier = "identifier"   // called like one
	Opaque     = "opaque value" // within a content, and not readable
	Device     = "device name"
	Client     = "client address"
)

// New returns a Redactor with a key of its own. The policy says which values must not leave
// the device, and names devices by addresses that then stay; nil stands for one without.
// It fails where the system has no randomness.
func New(pol *policy.Policy) (*Redactor, error) {
	if pol == nil {
		none, err := policy.New(nil)
		if err != nil {
			return nil, fmt.Errorf("redact: %w", err)
		}
		pol = none
	}
	key := make([]byte, sha256.Size)
	if _, err := rand.Read(key); err != nil {
		return nil, errors.New("redact: the system has no randomness for the key")
	}
	return &Redactor{
		policy: pol, key: key, values: map[string]value{},
		addresses: map[netip.Addr]netip.Addr{}, taken: map[netip.Addr]bool{}, devices: map[string]string{},
		masked: map[string]int{}, leftOut: map[string]int{},
	}, nil
}

// Flow returns a copy of a flow, whose content is loaded, that is safe to hand over. The
// flow itself is not changed; the copy shares with it what needs no mask.
//
// Values that were taken out of flows before are looked for, too: who can read all flows
// twice calls [Redactor.Learn] with each of them first.
func (r *Redactor) Flow(f *flow.Flow) *flow.Flow {
	m := r.masker(f)
	out := m.flow(f)
	r.mu.Lock()
	defer r.mu.Unlock()
	for kind, n := range m.counts {
		r.masked[kind] += n
	}
	for why, n := range m.leftOut {
		r.leftOut[why] += n
	}
	return out
}

// Learn takes in the values of a flow, so that [Redactor.Flow] finds them also where nothing
// but their equality tells what they are.
func (r *Redactor) Learn(f *flow.Flow) {
	m := r.masker(f)
	for _, side := range m.sides(f) {
		m.learn(exposure.Finds(side(f)))
	}
	m.pass(f)
}

// Text returns a sentence, a URL or a name with its values masked as in flows: for what a
// report says beside them.
func (r *Redactor) Text(s string) string { return r.masker(&flow.Flow{}).words(s) }

// A Report says what was done, by kind; it names no value.
type Report struct {
	Flows int
	// Masked counts the places at which values were replaced, by kind: one of package
	// exposure, or one of the constants here.
	Masked map[string]int
	// LeftOut counts the contents that the copy lacks, by the reason in words.
	LeftOut map[string]int
}

// Report returns what was done since the Redactor was made.
func (r *Redactor) Report() Report {
	r.mu.RLock()
	defer r.mu.RUnlock()
	report := Report{Masked: map[string]int{}, LeftOut: map[string]int{}}
	for kind, n := range r.masked {
		report.Masked[kind] = n
	}
	for why, n := range r.leftOut {
		report.LeftOut[why] = n
	}
	return report
}

// maskLetters has no digit, no vowel and none of the letters of hexadecimal but five: a mask
// is no number, no word, and nothing that the searches could take for a value.
const maskLetters = "bcdfghjkmnpqrtvx"

// maskLength is how many letters a mask has, of four bits each: of 100 000 values, two have
// the same mask once in 200 copies.
const maskLength = 10

// maskStart begins every mask.
const maskStart = "[redacted:"

// letters returns what tells the mask of a value from others.
func (r *Redactor) letters(digest string) string {
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(digest))
	sum := mac.Sum(nil)
	var out [maskLength]byte
	for i := range out {
		out[i] = maskLetters[sum[i]&15]
	}
	return string(out[:])
}

// mask returns what stands for the value with a digest.
func (r *Redactor) mask(digest string) string { return maskStart + r.letters(digest) + "]" }

// digest returns the digest of an identifier as a copy may have it: values can be compared
// by it, and not guessed.
func (r *Redactor) digest(of string) string {
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte("digest " + of))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// isMask reports whether a text is nothing but what stands for a value.
func isMask(text string) bool {
	if text == flow.Redacted {
		return true
	}
	rest, ok := strings.CutPrefix(text, maskStart)
	return ok && len(rest) == maskLength+1 && rest[maskLength] == ']' && strings.Trim(rest[:maskLength], maskLetters) == ""
}

// digestOf returns the digest of a value that has one spelling, as package exposure makes
// it: the same value has the same mask whoever finds it.
func digestOf(text string) string {
	if isUUID(text) { // in either case, with hyphens or without
		text = strings.ToLower(strings.ReplaceAll(text, "-", ""))
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// isUUID reports whether a text is a UUID (RFC 9562, 4) with its hyphens.
func isUUID(s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	_, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	return err == nil
}

// Bounds of the values that a Redactor remembers.
const (
	maxValues     = 1 << 17
	minRemembered = 8
	maxRemembered = 1 << 10
)

// remember keeps a value that is long and mixed enough to be recognised elsewhere.
func (r *Redactor) remember(text string, v value) {
	if !memorable(text) {
		return
	}
	r.mu.RLock()
	_, known := r.values[text]
	r.mu.RUnlock()
	if known {
		return
	}
	r.mu.Lock()
	if len(r.values) < maxValues {
		r.values[text] = v
	}
	r.mu.Unlock()
}

// recall returns what a text is that was taken out before.
func (r *Redactor) recall(text string) (value, bool) {
	if !memorable(text) {
		return value{}, false
	}
	r.mu.RLock()
	v, ok := r.values[text]
	r.mu.RUnlock()
	return v, ok
}

// memorable reports whether a text is unlikely to mean something else elsewhere.
func memorable(text string) bool {
	if len(text) < minRemembered || len(text) > maxRemembered {
		return false
	}
	return len(text) >= 20 || strings.ContainsAny(text, "0123456789@")
}
