package exposure

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// The least lengths of tokens, in bytes.
const (
	minFCM    = 100 // "APA91b" and at least 94 characters
	minJWT    = 36
	minToken  = 16
	minAPNs   = 64 // 32 bytes in hexadecimal; Apple says that they may become longer
	maxTokens = 8
)

// fcmTokens adds the registration tokens of Firebase Cloud Messaging in a text: an
// installation ID, a colon, and what begins with APA91b. Those of GCM lack the first.
func (s *search) fcmTokens(l leaf) {
	text := l.text
	for at, n := 0, 0; n < maxTokens; n++ {
		i := bytes.Index(text[at:], []byte("APA91b"))
		if i < 0 {
			return
		}
		start, end := at+i, at+i
		for end < len(text) && isBase64URL(text[end]) {
			end++
		}
		if start > 0 && text[start-1] == ':' {
			for start--; start > 0 && isBase64URL(text[start-1]); {
				start--
			}
		}
		at = end
		if end-start >= minFCM {
			one := l
			one.text = text[start:end]
			s.add(PushToken, one, string(one.text), maskID(one.text))
		}
	}
}

// pushToken looks for a token under a name that says so.
func (s *search) pushToken(l leaf) bool {
	t := l.text
	switch {
	case bytes.Contains(t, []byte("APA91b")), strings.EqualFold(l.name, "identifier") && !strings.Contains(s.host, "onesignal"):
		return false // its form tells, or the name is too general
	case len(t) >= minAPNs && len(t) <= 200 && len(t)%2 == 0 && all(t, isHex) && distinct(t) >= 8:
		return s.add(PushToken, l, strings.ToLower(string(t)), maskID(t))
	case strings.EqualFold(l.name, "identifier") || strings.EqualFold(l.name, "token"):
		return false // too general for the other forms
	case bytes.HasPrefix(t, []byte("ExponentPushToken[")), isToken(t) && len(t) >= 32 && !isUUID(t):
		return s.add(PushToken, l, string(t), maskID(t))
	}
	return false
}

// endpoints are where browsers and systems push to, each with a token as its path (RFC
// 8030, and the vendors' services).
var endpoints = []string{"https://fcm.googleapis.com/fcm/send/", "https://fcm.googleapis.com/wp/", "https://updates.push.services.mozilla.com/wpush/", "https://web.push.apple.com/"}

// pushEndpoint looks for the address at which a device can be reached.
func (s *search) pushEndpoint(l leaf) {
	if bytes.HasPrefix(l.text, []byte("ExponentPushToken[")) {
		s.add(PushToken, l, string(l.text), "Expo…")
		return
	}
	for _, e := range endpoints {
		if rest, ok := bytes.CutPrefix(l.text, []byte(e)); ok && len(rest) >= minToken {
			s.add(PushToken, l, string(l.text), e+"…")
		}
	}
}

// isToken reports whether a text can be a secret that a machine made.
func isToken(t []byte) bool {
	if len(t) < minToken || len(t) > 4096 {
		return false
	}
	digits, letters, ok := mixture(t, "-_.~+/=:|")
	return ok && digits >= 2 && letters >= 2 && distinct(t) >= 8
}

// isJWT reports whether a text is a JSON Web Token (RFC 7519, 3): three parts in base64
// for URLs, of which the first is an object of JSON.
func isJWT(t []byte) bool {
	if len(t) < minJWT || !bytes.HasPrefix(t, []byte("eyJ")) || bytes.Count(t, []byte(".")) != 2 {
		return false
	}
	head, _, _ := bytes.Cut(t, []byte("."))
	for _, c := range t {
		if !isBase64URL(c) && c != '.' {
			return false
		}
	}
	header, err := base64.RawURLEncoding.DecodeString(string(head[:min(len(head), 400)]))
	return err == nil && bytes.Contains(header, []byte(`"alg"`))
}

// public are the beginnings of keys that name an app and no person, and that vendors
// tell developers to ship: Google's API keys, Mapbox' and Stripe's public ones, PostHog's,
// Datadog's, LaunchDarkly's, RevenueCat's, Segment's; and the identifiers of Amazon's keys,
// which signed URLs name beside a signature.
var public = []string{"AIza", "pk.", "pk_", "phc_", "pub", "mob-", "appl_", "goog_", "GTM-", "G-", "UA-", "ca-app-pub-", "AKIA", "ASIA"}

// secretInURL looks for what lets its holder act as somebody, in the URL.
func (s *search) secretInURL(m meaning, l leaf) bool {
	where, _ := s.where(l)
	if !inURL(where) {
		if m == aToken && strings.EqualFold(l.name, "token") {
			return s.tokenInBody(l, where)
		}
		return false
	}
	if isJWT(l.text) {
		return s.addSecret(l)
	}
	for _, p := range public {
		if bytes.HasPrefix(l.text, []byte(p)) {
			return false
		}
	}
	switch m {
	case aPassword:
		return len(l.text) >= 4 && s.add(AccessToken, l, string(l.text), "…")
	case aSecret:
		if (isToken(l.text) || isUUID(l.text)) && !isAppToken(l.text) {
			return s.addSecret(l)
		}
	case aSession: // a UUID and a digest are how analytics number visits
		if isToken(l.text) && !isUUID(l.text) && !isHash(l.text) {
			return s.addSecret(l)
		}
	case aToken:
		// A key says which app asks, and so does the token of Mixpanel's /track: 32 hex digits.
		if isKnownSecret(l.text) || strings.EqualFold(bareName(l.name), "token") && isToken(l.text) && len(l.text) >= 20 && !isHash(l.text) && !isAppToken(l.text) {
			return s.addSecret(l)
		}
	}
	return false
}

func (s *search) addSecret(l leaf) bool {
	return s.add(AccessToken, l, string(l.text), maskID(l.text))
}

// tokenInBody looks for a push token that is only called a token, where what it stands in
// says more.
func (s *search) tokenInBody(l leaf, where string) bool {
	parent, _ := parentOf(where)
	switch strings.ToLower(lastName(parent)) {
	case "subscription", "subscriptions", "push", "push_subscriptions", "fcm", "apns", "notifications", "notification", "device":
		l.name = "push_token"
		return s.pushToken(l)
	}
	return false
}

// isAppToken reports whether a text is an access token of Meta for an app: its number,
// a bar, and its client token (Graph API, access tokens).
func isAppToken(t []byte) bool {
	number, _, ok := bytes.Cut(t, []byte("|"))
	return ok && len(number) >= 10 && allDigits(number)
}

// secrets are the beginnings of tokens that their makers have marked.
var secrets = []string{"ghp_", "gho_", "ghu_", "github_pat_", "glpat-", "xoxp-", "xoxb-", "xoxa-", "sk_live_", "rk_live_", "ya29.", "EAAG", "EAAB", "AQED", "shpat_", "SG."}

func isKnownSecret(t []byte) bool {
	for _, p := range secrets {
		if bytes.HasPrefix(t, []byte(p)) && len(t) >= 20 {
			return true
		}
	}
	return false
}

// bareName returns a name without what stands before its last word.
func bareName(name string) string {
	name = strings.TrimRight(name, "]")
	return name[strings.LastIndexAny(name, ".[/")+1:]
}
