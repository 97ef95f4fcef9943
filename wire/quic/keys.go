package quic

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
)

// scheme is how a version makes the keys of Initial packets, and numbers its packets.
type scheme struct {
	salt    string
	prefix  string // of the labels
	initial byte   // type of Initial packets
	retry   byte   // type of Retry packets
}

var (
	schemeV1 = scheme{ // RFC 9001, 5.2; RFC 9000, 17.2
		salt:   "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a",
		prefix: "quic", initial: 0, retry: 3,
	}
	schemeV2 = scheme{ // RFC 9369, 3.2 and 3.3
		salt:   "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9",
		prefix: "quicv2", initial: 1, retry: 0,
	}
	schemeDraft29 = scheme{ // draft-ietf-quic-tls-29, 5.2
		salt:   "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99",
		prefix: "quic", initial: 0, retry: 3,
	}
)

// scheme returns how the version makes its keys, nil if that is not known.
func (v Version) scheme() *scheme {
	switch {
	case v == V1, v > draft+32 && v <= draftNewest:
		return &schemeV1
	case v == V2:
		return &schemeV2
	case v >= firstDraft && v <= draft+32:
		return &schemeDraft29
	}
	return nil
}

// keys open the Initial packets of a client.
type keys struct {
	aead  cipher.AEAD
	iv    [12]byte
	block cipher.Block // for header protection
}

// clientKeys makes the keys of a client whose first packet went to dcid (RFC 9001, 5.2).
func (s *scheme) clientKeys(dcid []byte) *keys {
	initial, err := hkdf.Extract(sha256.New, dcid, []byte(s.salt))
	if err != nil {
		return nil
	}
	client := expand(initial, "client in", sha256.Size)
	block, err := aes.NewCipher(expand(client, s.prefix+" key", 16))
	if err != nil {
		return nil
	}
	k := new(keys)
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return nil
	}
	copy(k.iv[:], expand(client, s.prefix+" iv", 12))
	if k.block, err = aes.NewCipher(expand(client, s.prefix+" hp", 16)); err != nil {
		return nil
	}
	return k
}

// expand is HKDF-Expand-Label without a context (RFC 8446, 7.1).
func expand(secret []byte, label string, size int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(size))
	info = append(append(info, byte(len("tls13 ")+len(label))), "tls13 "+label...)
	key, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), size)
	if err != nil {
		return make([]byte, size) // the sizes are constants that HKDF has room for
	}
	return key
}

// sampleSize is what header protection is made of (RFC 9001, 5.4.2).
const sampleSize = 16

// open decrypts a packet, whose number begins at numberAt (RFC 9001, 5.3 and 5.4). The
// payload is written behind buf[:0], and so is a copy of the header: the packet is left
// as it is.
func (k *keys) open(buf, packet []byte, numberAt int) (payload []byte, ok bool) {
	if len(packet) < numberAt+4+sampleSize {
		return nil, false
	}
	var mask [sampleSize]byte
	k.block.Encrypt(mask[:], packet[numberAt+4:numberAt+4+sampleSize])
	first := packet[0] ^ mask[0]&0x0f
	size := int(first&3) + 1
	header := buf[:0]
	header = append(header, packet[:numberAt+size]...)
	header[0] = first
	nonce := k.iv
	for i := range size {
		header[numberAt+i] ^= mask[1+i]
		// The first packets of a connection have numbers so low that the field
		// holds all of them (RFC 9000, 17.1).
		nonce[12-size+i] ^= header[numberAt+i]
	}
	payload, err := k.aead.Open(header[len(header):], nonce[:], packet[numberAt+size:], header)
	return payload, err == nil
}
