package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"telltale/token"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func open(t testing.TB) (*token.Key, []byte) {
	t.Helper()
	folder := t.TempDir()
	key, err := token.OpenKey(folder)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := os.ReadFile(filepath.Join(folder, token.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	return key, secret
}

func sign(t testing.TB, key *token.Key, c token.Claim) string {
	t.Helper()
	text, err := key.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTokenSaysWhatWasSigned(t *testing.T) {
	t.Parallel()
	key, _ := open(t)
	want := token.Claim{Scope: token.Acknowledge, Subject: "audit/violation", Expires: now.Add(time.Hour)}
	got, err := key.Check(sign(t, key, want), token.Acknowledge, now)
	if err != nil || got.Scope != want.Scope || got.Subject != want.Subject || !got.Expires.Equal(want.Expires) {
		t.Fatalf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestTokenEnds(t *testing.T) {
	t.Parallel()
	key, _ := open(t)
	text := sign(t, key, token.Claim{Scope: token.Feed, Subject: "audit", Expires: now})
	for at, want := range map[time.Duration]error{
		-time.Hour: nil, 0: nil, 4 * time.Second: nil, // another machine's clock
		6 * time.Second: token.ErrExpired, 1000 * time.Hour: token.ErrExpired,
	} {
		if _, err := key.Check(text, token.Feed, now.Add(at)); !errors.Is(err, want) {
			t.Errorf("%v after the end: %v; want %v", at, err, want)
		}
	}
}

// The scope comes before the end: who has a token of another scope learns nothing more.
func TestTokenOfOtherScope(t *testing.T) {
	t.Parallel()
	key, _ := open(t)
	text := sign(t, key, token.Claim{Scope: token.Feed, Subject: "audit", Expires: now})
	for _, at := range []time.Time{now, now.Add(time.Hour)} {
		if _, err := key.Check(text, token.Acknowledge, at); !errors.Is(err, token.ErrScope) {
			t.Errorf("at %v: %v; want %v", at, err, token.ErrScope)
		}
	}
}

// signed makes a token by hand, so that the library is not its own judge.
func signed(secret []byte, header, claims map[string]any) string {
	part := func(v any) string {
		encoded, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(encoded)
	}
	text := part(header) + "." + part(claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestForgedTokens(t *testing.T) {
	t.Parallel()
	key, secret := open(t)
	_, other := open(t)
	good := sign(t, key, token.Claim{Scope: token.Feed, Subject: "audit", Expires: now.Add(time.Hour)})
	sum := sha256.Sum256(secret)
	header := func(alg any) map[string]any {
		return map[string]any{"alg": alg, "typ": "JWT", "kid": fmt.Sprintf("%x", sum[:4])}
	}
	claims := func(change string, to any) map[string]any {
		c := map[string]any{"aud": []string{"feed"}, "sub": "audit", "exp": now.Add(time.Hour).Unix()}
		if c[change] = to; to == nil {
			delete(c, change)
		}
		return c
	}
	whole := claims("sub", "audit")
	if _, err := key.Check(signed(secret, header("HS256"), whole), token.Feed, now); err != nil {
		t.Fatalf("a good token made by hand: %v; the others prove nothing", err)
	}
	none := signed(secret, header("none"), whole)
	parts := strings.Split(good, ".")
	for name, text := range map[string]string{
		"empty":                  "",
		"words":                  "let me in",
		"dots":                   "..",
		"truncated":              good[:len(good)-1],
		"without signature":      parts[0] + "." + parts[1] + ".",
		"without third part":     parts[0] + "." + parts[1],
		"four parts":             good + ".x",
		"space":                  good + " ",
		"padded":                 good + "=",
		"other claims":           parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"aud":"feed","sub":"x","exp":9999999999}`)) + "." + parts[2],
		"alg none":               none,
		"alg none, no signature": none[:strings.LastIndexByte(none, '.')+1],
		"alg RS256":              signed(secret, header("RS256"), whole),
		"alg HS384":              signed(secret, header("HS384"), whole),
		"alg hs256":              signed(secret, header("hs256"), whole),
		"alg a number":           signed(secret, header(256), whole),
		"other key":              signed(other, header("HS256"), whole),
		"empty key":              signed(nil, header("HS256"), whole),
		"other key ID":           signed(secret, map[string]any{"alg": "HS256", "kid": "00000000"}, whole),
		"no key ID":              signed(secret, map[string]any{"alg": "HS256"}, whole),
		"no end":                 signed(secret, header("HS256"), claims("exp", nil)),
		"end is a word":          signed(secret, header("HS256"), claims("exp", "never")),
		"no subject":             signed(secret, header("HS256"), claims("sub", nil)),
		"no audience":            signed(secret, header("HS256"), claims("aud", nil)),
		"two audiences":          signed(secret, header("HS256"), claims("aud", []string{"feed", "ack"})),
		"not yet":                signed(secret, header("HS256"), claims("nbf", now.Add(time.Hour).Unix())),
		"huge":                   signed(secret, header("HS256"), claims("sub", strings.Repeat("x", 1<<20))),
		"many dots":              strings.Repeat(".", 1<<20),
		"null bytes":             "\x00" + good,
	} {
		if _, err := key.Check(text, token.Feed, now); err != token.ErrForged { //nolint:errorlint // it is to hold nothing more
			t.Errorf("%s: %v; want %v", name, err, token.ErrForged)
		}
	}
}

func TestNoTokenWithoutLimits(t *testing.T) {
	t.Parallel()
	key, _ := open(t)
	for name, c := range map[string]token.Claim{
		"scope":   {Scope: "everything", Subject: "audit", Expires: now},
		"subject": {Scope: token.Feed, Expires: now},
		"end":     {Scope: token.Feed, Subject: "audit"},
		"long":    {Scope: token.Feed, Subject: strings.Repeat("x", 1<<20), Expires: now},
	} {
		if text, err := key.Sign(c); err == nil {
			t.Errorf("%s: made %q", name, text)
		}
	}
}

func FuzzCheck(f *testing.F) {
	key, _ := open(f)
	good := sign(f, key, token.Claim{Scope: token.Feed, Subject: "audit", Expires: now})
	f.Add(good)
	f.Add(good[:40])
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, text string) {
		if claim, err := key.Check(text, token.Feed, now); err == nil && text != good {
			t.Errorf("took %q for %+v", text, claim)
		} else if err != nil && !errors.Is(err, token.ErrForged) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
