package wireguard

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
)

// A Key is a key of WireGuard, a private or public one of Curve25519. The zero Key is
// none.
type Key [32]byte

// newPrivateKey returns a private key, clamped as wg-genkey(8) does.
func newPrivateKey() (Key, error) {
	var k Key
	_, err := rand.Read(k[:])
	k[0] &= 248
	k[31] = k[31]&127 | 64
	return k, err
}

// public returns the public key of a private one.
func (k Key) public() (public Key, err error) {
	private, err := ecdh.X25519().NewPrivateKey(k[:])
	if err != nil {
		return Key{}, err
	}
	copy(public[:], private.PublicKey().Bytes())
	return public, nil
}

// String returns the key as wg(8) shows it: in base64 (RFC 4648, section 4).
func (k Key) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// hex returns the key as the cross-platform interface of WireGuard wants it.
func (k Key) hex() string { return hex.EncodeToString(k[:]) }

func (k Key) isZero() bool { return k == Key{} }

// MarshalText returns the text of String.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText takes the text of String.
func (k *Key) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(string(text))
	switch {
	case err != nil:
		return errors.New("a key is not in base64")
	case len(raw) != len(k):
		return fmt.Errorf("a key has %d bytes, not %d", len(raw), len(k))
	}
	copy(k[:], raw)
	return nil
}
