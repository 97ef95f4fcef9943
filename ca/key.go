package ca

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/youmark/pkcs8"
)

// Errors of keys that a passphrase protects.
var (
	ErrPassphrase = errors.New("the passphrase is wrong")
	ErrProtected  = errors.New("it is protected by a passphrase, and none was given")
)

// passphraseAdvice goes with a key that was not opened.
const passphraseAdvice = "give the passphrase with --ca-passphrase-file FILE or in TELLTALE_CA_PASSPHRASE; if it is lost, make a new authority with `telltale ca rotate`"

// sealing is how a key is encrypted: scrypt, then AES-256-CBC, as PKCS#8 (RFC 5958,
// RFC 8018, RFC 7914). The cost is that of OWASP's Password Storage Cheat Sheet for
// 16 MiB; half as much again is more than `openssl pkey` takes. It is some 0.2 s.
var sealing = &pkcs8.Opts{
	Cipher:  pkcs8.AES256CBC,
	KDFOpts: pkcs8.ScryptOpts{SaltSize: 16, CostParameter: 1 << 14, BlockSize: 8, ParallelizationParameter: 5},
}

// importedMark begins the line before the PEM block of a key that was imported. Such
// text is no part of the key (RFC 7468, section 2), and every reader skips it.
const (
	importedMark = "imported "
	maxOrigin    = 200 // bytes of that line
)

// keyFile is what the file of a key holds.
type keyFile struct {
	origin string // see [Root.Imported]
	block  *pem.Block
}

// parseKeyFile takes a key file apart and leaves the key itself closed.
func parseKeyFile(data []byte) (keyFile, error) {
	block, err := onlyBlock(data, pemKey, pemEncryptedKey)
	if err != nil {
		return keyFile{}, err
	}
	first, _, _ := bytes.Cut(data, []byte("\n"))
	line := strings.TrimSpace(string(first))
	origin, marked := strings.CutPrefix(line, importedMark)
	if !marked || len(line) > maxOrigin || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
		origin = ""
	}
	return keyFile{origin, block}, nil
}

// bytes returns the key in DER, as it is in the file.
func (f keyFile) bytes() []byte {
	if f.block == nil {
		return nil
	}
	return f.block.Bytes
}

func (f keyFile) protected() bool { return f.block.Type == pemEncryptedKey }

// open returns the private key of root. The passphrase is asked for where it is needed.
func (f keyFile) open(root *x509.Certificate, s *settings) (crypto.Signer, error) {
	der := f.block.Bytes
	defer clear(der)
	var key crypto.Signer
	var err error
	if f.protected() {
		key, err = unseal(der, s.passphrase)
	} else {
		key, err = parseSigner(der)
	}
	if err != nil {
		return nil, err
	}
	if !isKeyOf(key, root) {
		return nil, errors.New("it is not the key of " + CertificateFile)
	}
	return key, nil
}

// encodeKey returns the file of a key, encrypted unless the passphrase is empty.
func encodeKey(key crypto.Signer, passphrase []byte, origin string) ([]byte, error) {
	blockType := pemKey
	if len(passphrase) > 0 {
		blockType = pemEncryptedKey
	}
	der, err := pkcs8.MarshalPrivateKey(key, passphrase, sealing)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	var file []byte
	if origin != "" {
		file = append(file, importedMark+origin+"\n"...)
	}
	return append(file, pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der})...), nil
}

// parseSigner reads a private key in PKCS#8.
func parseSigner(der []byte) (crypto.Signer, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T cannot sign", parsed)
	}
	return key, nil
}

func isKeyOf(key crypto.Signer, certificate *x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(certificate.PublicKey)
}

// Limits on what opening a foreign key may cost: some seconds, 1 GiB.
const (
	maxIterations = 10_000_000 // of PBKDF2 and of PKCS#12
	maxScryptN    = 1 << 20
	maxScryptRP   = 32
	maxScryptCost = 1 << 24 // product of N, r and p
)

// sealed is EncryptedPrivateKeyInfo (RFC 5958, section 3) with PBES2 (RFC 8018, A.4).
type sealed struct {
	Algorithm struct {
		ID     asn1.ObjectIdentifier
		Params struct {
			KDF    pkix.AlgorithmIdentifier
			Cipher struct {
				ID asn1.ObjectIdentifier
				IV []byte
			}
		}
	}
	Data []byte
}

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidScrypt = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	// HMAC with SHA-1, which is the default, and with SHA-256.
	knownPRFs = []string{"", "1.2.840.113549.2.7", "1.2.840.113549.2.9"}
	// AES-128, -192 and -256 in CBC mode, and triple DES.
	cipherBlocks = map[string]int{"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 16, "2.16.840.1.101.3.4.1.42": 16, "1.2.840.113549.3.7": 8}
)

var errSealing = errors.New("it is encrypted in a way that is not read here (PBES2 with scrypt or PBKDF2 is)")

// checkSealed holds a key that may come from anywhere to what the library reads
// without panic and in bounded time.
func checkSealed(der []byte) error {
	var key sealed
	if rest, err := asn1.Unmarshal(der, &key); err != nil || len(rest) > 0 || !key.Algorithm.ID.Equal(oidPBES2) {
		return errSealing
	}
	params := key.Algorithm.Params
	size := cipherBlocks[params.Cipher.ID.String()]
	if size == 0 || len(params.Cipher.IV) != size || len(key.Data) == 0 || len(key.Data)%size != 0 {
		return errSealing
	}
	switch kdf := params.KDF.Parameters.FullBytes; {
	case params.KDF.Algorithm.Equal(oidPBKDF2):
		var p struct {
			Salt       []byte
			Iterations int
			KeyLength  int                      `asn1:"optional"`
			PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
		}
		if _, err := asn1.Unmarshal(kdf, &p); err != nil || p.Iterations < 1 || p.KeyLength != 0 || !slices.Contains(knownPRFs, p.PRF.Algorithm.String()) {
			return errSealing
		} else if p.Iterations > maxIterations {
			return fmt.Errorf("opening it would take %d iterations, which is no sensible number", p.Iterations)
		}
	case params.KDF.Algorithm.Equal(oidScrypt):
		var p struct {
			Salt    []byte
			N, R, P int
		}
		if _, err := asn1.Unmarshal(kdf, &p); err != nil || min(p.N, p.R, p.P) < 1 {
			return errSealing
		} else if p.N > maxScryptN || max(p.R, p.P) > maxScryptRP || p.N*p.R*p.P > maxScryptCost {
			return fmt.Errorf("opening it would take too much memory or time (scrypt with N=%d, r=%d, p=%d)", p.N, p.R, p.P)
		}
	default:
		return errSealing
	}
	return nil
}

// unseal opens a key in encrypted PKCS#8 with what ask returns.
func unseal(der []byte, ask func() ([]byte, error)) (crypto.Signer, error) {
	if err := checkSealed(der); err != nil {
		return nil, err
	}
	passphrase, err := ask()
	if err != nil {
		return nil, sealedError{err}
	}
	if len(passphrase) == 0 {
		return nil, sealedError{ErrPassphrase}
	}
	parsed, _, err := pkcs8.ParsePrivateKey(der, passphrase)
	if err != nil {
		return nil, sealedError{ErrPassphrase}
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T cannot sign", parsed)
	}
	return key, nil
}

// sealedError is why a key stayed closed although nothing is wrong with its file, so
// that nobody looks there again.
type sealedError struct{ error }

func (e sealedError) Unwrap() error { return e.error }

// advice returns ours, unless who was asked for the passphrase has some.
func (e sealedError) advice(ours string) string {
	var hinted interface{ Hint() string }
	if errors.As(e.error, &hinted) {
		return hinted.Hint()
	}
	return ours
}

// SetPassphrase encrypts the key of the authority in dir with another passphrase, or,
// with an empty one, keeps it without. The certificate stays as it is, and devices
// notice nothing. A key that is protected already is opened by what [Unlock] asks.
//
// The file is replaced in one step. The former one is unlinked and not overwritten,
// which on SSDs and on file systems that copy on write would not reach it: where that
// matters, [Rotate] with [Protect] makes a key that was never written in clear.
func SetPassphrase(dir string, passphrase []byte, options ...Option) error {
	if !exists(dir) {
		return &Error{File: dir, Problem: "holds no authority", Err: errNone}
	}
	s := apply(options)
	defer s.wipe()
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := settle(dir); err != nil {
		return err
	}
	a, err := read(dir, s)
	if err != nil {
		return err
	}
	file, err := encodeKey(a.key, passphrase, a.origin)
	if err != nil {
		return &Error{File: a.KeyPath(), Problem: "cannot be encrypted", Err: err}
	}
	defer clear(file)
	sweep(dir)
	return writeFile(a.KeyPath(), file, 0o600)
}

// onlyBlock returns the block of a PEM file that has to be one, of one of the types.
func onlyBlock(data []byte, types ...string) (*pem.Block, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("it is empty")
	}
	block, rest := pem.Decode(data)
	switch {
	case block == nil:
		return nil, errors.New("it is not PEM, or was cut short")
	case !slices.Contains(types, block.Type):
		return nil, fmt.Errorf("it holds a PEM block %q where %q was expected", block.Type, types[0])
	case len(bytes.TrimSpace(rest)) != 0:
		return nil, errors.New("something follows its PEM block")
	}
	return block, nil
}
