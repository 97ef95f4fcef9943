// Package token makes and checks short-lived permissions: a signed text that lets whoever
// has it do one thing, until a time. Nothing is stored for a token; what makes it good is
// the key, a file that its owner alone can read.
//
// A token is a JSON Web Token (RFC 7519) signed with HMAC-SHA-256 ([Key.Sign]). It knows
// its scope (aud), what it is for (sub) and when it ends (exp). [Key.Check] takes one
// algorithm and one audience, wants an end, and answers with one of three errors that hold
// nothing of the token. Whoever reads the key file can make tokens, and a token is good
// for whoever has it: it belongs into no log. A token cannot be taken back before its end,
// but by deleting the key file ([KeyFile]), which ends them all.
//
// To debug it: the part of a token between its two dots is its claim, in base64url.
package token

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A Scope is the one thing that a token permits.
type Scope string

// The scopes.
const (
	Acknowledge Scope = "ack"  // the subject is the audit, a slash, and the violation
	Feed        Scope = "feed" // the subject is the audit
)

var scopes = []Scope{Acknowledge, Feed}

// A Claim is what a token says.
type Claim struct {
	Scope   Scope
	Subject string
	Expires time.Time // to the second
}

// Why a token is refused. In a browser or a chat these are read by people.
var (
	ErrExpired = errors.New("the token has expired")
	ErrScope   = errors.New("the token is for something else")
	ErrForged  = errors.New("the token was not made here, or is damaged")
)

const (
	// maxLength is the longest text that is looked at, in bytes; ours have about 300.
	maxLength = 4 << 10
	// leeway is how far the clocks of two machines may be apart.
	leeway = 5 * time.Second
)

// Sign returns the token that says the claim. A claim without a known scope, a subject or
// an end makes none.
func (k *Key) Sign(c Claim) (string, error) {
	switch {
	case !slices.Contains(scopes, c.Scope):
		return "", fmt.Errorf("cannot make a token: no scope %q", c.Scope)
	case c.Subject == "":
		return "", errors.New("cannot make a token: it is for nothing")
	case c.Expires.IsZero():
		return "", errors.New("cannot make a token: it has no end")
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Audience: jwt.ClaimStrings{string(c.Scope)}, Subject: c.Subject, ExpiresAt: jwt.NewNumericDate(c.Expires),
	})
	t.Header["kid"] = k.id
	text, err := t.SignedString(k.secret)
	if err != nil {
		return "", fmt.Errorf("cannot make a token: %w", err)
	}
	if len(text) > maxLength {
		return "", fmt.Errorf("cannot make a token: its subject is too long (%d bytes)", len(c.Subject))
	}
	return text, nil
}

// Check returns what a token says, if this key made it, for this scope, and it has not
// ended. The error is ErrExpired, ErrScope or ErrForged, and no more: a library's words
// could repeat parts of the token.
func (k *Key) Check(text string, scope Scope, now time.Time) (Claim, error) {
	if len(text) > maxLength {
		return Claim{}, ErrForged
	}
	// The scope is compared below, since the parser would take a token of several audiences.
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(func() time.Time { return now }))
	var claims jwt.RegisteredClaims
	_, err := parser.ParseWithClaims(text, &claims, func(t *jwt.Token) (any, error) {
		if t.Header["kid"] != k.id {
			return nil, ErrForged
		}
		return k.secret, nil
	})
	// The signature is checked before the claims: an error of theirs means that we made it.
	expired := errors.Is(err, jwt.ErrTokenExpired)
	switch {
	case err != nil && !expired, claims.Subject == "", len(claims.Audience) != 1:
		return Claim{}, ErrForged
	case claims.Audience[0] != string(scope):
		return Claim{}, ErrScope
	case expired:
		return Claim{}, ErrExpired
	}
	return Claim{Scope: scope, Subject: claims.Subject, Expires: claims.ExpiresAt.Time}, nil
}
