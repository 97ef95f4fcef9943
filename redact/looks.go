package redact

import (
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// This file tells values by their look.

// decoded undoes hexadecimal or base64: ok says that a text can be one of them, which is ""
// where what it stands for is no text.
func decoded(run string) (text string, ok bool) {
	body := strings.TrimRight(run, "=")
	digits, upper, lower, isHex := 0, 0, 0, true
	for i := range len(body) {
		c := body[i]
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'A' && c <= 'Z':
			upper++
			isHex = isHex && c <= 'F'
		case c >= 'a' && c <= 'z':
			lower++
			isHex = isHex && c <= 'f'
		case c == '+' || c == '/' || c == '-' || c == '_':
			isHex = false
		default:
			return "", false
		}
	}
	if isHex && len(body)%2 == 0 && digits > 0 {
		b, err := hex.DecodeString(body)
		if err == nil && isText(b) {
			return string(b), true
		}
		if len(body) >= 2*minOpaque {
			return "", true
		}
	}
	if len(body)%4 == 1 || digits == 0 && (upper == 0 || lower == 0) {
		return "", false
	}
	alphabet := base64.RawStdEncoding
	if strings.ContainsAny(body, "-_") {
		alphabet = base64.RawURLEncoding
	}
	b, err := alphabet.DecodeString(body)
	if err != nil {
		return "", false
	}
	if !isText(b) {
		return "", digits > 0 && upper > 0 && lower > 0
	}
	return string(b), true
}

// isText reports whether bytes are UTF-8 without control characters other than white space.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

// isJWT reports whether a word is a JSON Web Token, signed (RFC 7519, 3) or encrypted.
func isJWT(w string) bool {
	if !strings.HasPrefix(w, "eyJ") || len(w) < 20 {
		return false
	}
	dots := strings.Count(w, ".")
	return dots == 2 || dots == 4
}

// marks begin secrets that their makers have marked: GitHub, GitLab, Slack, Stripe, Google's
// OAuth, Meta, LinkedIn, Shopify, SendGrid, AWS, npm, PyPI, Docker Hub, OpenAI and Anthropic.
var marks = []string{
	"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xoxp-", "xoxb-", "xoxa-", "xoxs-", "xapp-", "sk_live_", "sk_test_", "rk_live_",
	"ya29.", "EAAG", "EAAB", "AQED", "shpat_", "SG.", "AKIA", "ASIA", "npm_", "pypi-", "dckr_pat_", "sk-", "whsec_", "AIza",
}

func isMarked(w string) bool {
	if len(w) < 20 {
		return false
	}
	for _, p := range marks {
		if strings.HasPrefix(w, p) {
			return true
		}
	}
	return false
}

// isEmail reports whether a word has the form of an e-mail address, whoever it belongs to.
func isEmail(w string) bool {
	local, domain, ok := strings.Cut(w, "@")
	dot := strings.LastIndexByte(domain, '.')
	if !ok || local == "" || dot <= 0 || dot > len(domain)-3 || strings.IndexByte(domain, '@') >= 0 {
		return false
	}
	for _, c := range []byte(domain[dot+1:]) {
		if !isAlphanumeric(c) || c <= '9' {
			return false
		}
	}
	return true
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// looksRandom reports whether a segment of a path is a value that a machine made: long
// hexadecimal, a UUID, or letters of both cases with digits.
func looksRandom(s string) bool {
	if len(s) < 20 {
		return false
	}
	digits, upper, lower, hexadecimal := 0, 0, 0, 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			digits++
			hexadecimal++
		case c >= 'a' && c <= 'z':
			lower++
		case c >= 'A' && c <= 'Z':
			upper++
		case c == '-' || c == '_' || c == '~' || c == '=' || c == '+':
			continue
		default:
			return false
		}
		if c|0x20 >= 'a' && c|0x20 <= 'f' {
			hexadecimal++
		}
	}
	letters := digits + upper + lower
	return digits >= 2 && (hexadecimal == letters && letters >= 20 || upper > 0 && lower > 0 && digits*20 >= letters || digits*6 >= letters && letters >= 24)
}
