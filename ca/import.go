package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"software.sslmate.com/src/go-pkcs12"
)

// maxImport bounds a file that is imported; an authority is some kilobytes.
const maxImport = 1 << 20

// Foreign is an authority that another program made, or this one elsewhere, read
// from files and found fit to sign for devices.
type Foreign struct {
	certificate *x509.Certificate
	key         crypto.Signer
	source      string
	keyFile     string
}

// ReadForeign reads a certificate and its key from files, in any order and form:
// PEM, also both in one file, DER, or PKCS#12. The passphrase of a file that is
// encrypted comes from what [Unlock] asks. It refuses, with an [*Error], what
// devices would not trust whatever the person does.
func ReadForeign(paths []string, options ...Option) (*Foreign, error) {
	s := apply(options)
	defer s.wipe()
	var found parts
	var keyFile string
	for _, path := range paths {
		content, err := readForeignFile(path)
		if err == nil {
			err = found.add(content, s)
			clear(content)
		}
		if err != nil {
			return nil, importError(path, err)
		}
		if keyFile == "" && len(found.keys) > 0 {
			keyFile = path
		}
	}
	f, err := found.pair()
	if err == nil {
		err = fit(f, s.now())
	}
	if err != nil {
		return nil, importError(paths[0], err)
	}
	f.source, f.keyFile = filepath.Base(paths[0]), keyFile
	return f, nil
}

// Certificate returns the root. It is shared: do not change it.
func (f *Foreign) Certificate() *x509.Certificate { return f.certificate }

// KeyFile returns which of the files that were read holds the private key.
func (f *Foreign) KeyFile() string { return f.keyFile }

// Import makes f the authority in dir. One that is there already, usable or not, is
// kept, and the error says so, unless [Replace] is given. [Protect] encrypts the key.
func Import(dir string, f *Foreign, options ...Option) (*Authority, error) {
	s := apply(options)
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if exists(dir) && !s.replace {
		return nil, &Error{File: dir, Problem: "holds an authority already", Advice: "add --force to replace it; its key is deleted, and devices trust its certificate until it is removed there"}
	}
	origin := s.now().UTC().Format(time.DateOnly) + " from " + quoted(f.source)
	root, err := newPair(f.certificate.Raw, f.key, s.protect, origin)
	if err != nil {
		return nil, &Error{File: dir, Problem: "cannot take over the authority", Err: err}
	}
	return put(dir, root, s)
}

// quoted spells the name of a file in printable ASCII, in quotes where it has to.
func quoted(name string) string {
	const most = maxOrigin - 40 // leaves room for what stands before it
	ascii := strconv.QuoteToASCII(name)
	if ascii == `"`+name+`"` {
		ascii = name
	}
	return ascii[:min(len(ascii), most)]
}

// importError says what is wrong with a file, and what to do about it.
func importError(path string, err error) error {
	var whole *Error
	if errors.As(err, &whole) {
		return err
	}
	var advised advice
	e := &Error{File: path, Problem: "cannot be imported", Err: err}
	if closed := (sealedError{}); errors.As(err, &closed) {
		e.Advice = closed.advice("give the passphrase of the file with --passphrase-file FILE or in TELLTALE_FILE_PASSPHRASE")
	}
	if errors.As(err, &advised) {
		e.Advice = advised.text
	}
	return e
}

// advice is an error with what to do about it, for [Error.Advice].
type advice struct {
	error
	text string
}

func (a advice) Unwrap() error { return a.error }

func readForeignFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxImport+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(content) > maxImport {
		return nil, errors.New("it is too long for a certificate and a key")
	}
	return content, nil
}

// parts are the certificates and keys of all files.
type parts struct {
	certificates []*x509.Certificate
	keys         []crypto.Signer
}

// add reads one file.
func (p *parts) add(content []byte, s *settings) error {
	switch {
	case len(bytes.TrimSpace(content)) == 0:
		return errors.New("it is empty")
	case bytes.Contains(content, []byte("-----BEGIN ")):
		return p.addPEM(content, s)
	}
	return p.addDER(content, s)
}

// addPEM reads a file of PEM blocks, with any text around them.
func (p *parts) addPEM(content []byte, s *settings) error {
	blocks := 0
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			break
		}
		blocks++
		if err := p.addBlock(block, s); err != nil {
			return err
		}
	}
	if blocks == 0 || bytes.Contains(content, []byte("-----BEGIN ")) {
		return errors.New("its PEM was cut short")
	}
	return nil
}

func (p *parts) addBlock(block *pem.Block, s *settings) error {
	if block.Headers["DEK-Info"] != "" { // RFC 1423; MD5 once, and no integrity
		return advice{errors.New("its key is encrypted in the old form of OpenSSL, which protects little"),
			"convert it with `openssl pkcs8 -topk8 -scrypt -in OLD -out NEW`, then import NEW"}
	}
	switch block.Type {
	case pemCertificate, "X509 CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return err
		}
		p.certificates = append(p.certificates, certificate)
		return nil
	case pemKey, "RSA PRIVATE KEY", "EC PRIVATE KEY":
		key, err := parseAnyKey(block.Bytes)
		if err != nil {
			return err
		}
		p.keys = append(p.keys, key)
	case pemEncryptedKey:
		key, err := unseal(block.Bytes, s.passphrase)
		if err != nil {
			return err
		}
		p.keys = append(p.keys, key)
	}
	return nil // parameters, requests, public keys: nothing that is needed
}

// addDER reads a file that is one certificate, one key, or PKCS#12.
func (p *parts) addDER(content []byte, s *settings) error {
	if certificate, err := x509.ParseCertificate(bytes.Clone(content)); err == nil { // it keeps what it is given
		p.certificates = append(p.certificates, certificate)
		return nil
	}
	key, err := parseAnyKey(content)
	if err != nil && checkSealed(content) == nil {
		if key, err = unseal(content, s.passphrase); err != nil {
			return err
		}
	}
	if err == nil {
		p.keys = append(p.keys, key)
		return nil
	}
	return p.addPKCS12(content, s)
}

// parseAnyKey reads a key in PKCS#8 (RFC 5958), PKCS#1 (RFC 8017) or SEC 1 (RFC 5915).
func parseAnyKey(der []byte) (crypto.Signer, error) {
	key, err := parseSigner(der)
	if err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return nil, fmt.Errorf("its key cannot be read: %w", err)
}

// addPKCS12 reads what Charles, Proxyman, Burp and `openssl pkcs12` export (RFC 7292),
// the old encryptions with RC2 and triple DES too.
func (p *parts) addPKCS12(content []byte, s *settings) error {
	if err := checkPKCS12(content); err != nil {
		return err
	}
	key, first, others, err := pkcs12.DecodeChain(content, "")
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		passphrase, askErr := s.passphrase()
		if askErr != nil {
			return sealedError{askErr}
		}
		if key, first, others, err = pkcs12.DecodeChain(content, string(passphrase)); errors.Is(err, pkcs12.ErrIncorrectPassword) {
			return sealedError{ErrPassphrase}
		}
	}
	if err != nil {
		return advice{err, "if openssl reads it, convert it with `openssl pkcs12 -in FILE -noenc -out ca.pem` and import ca.pem"}
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return fmt.Errorf("a %T cannot sign", key)
	}
	p.keys = append(p.keys, signer)
	p.certificates = append(append(p.certificates, first), others...)
	return nil
}

// checkPKCS12 holds a file that may come from anywhere to the outline of PKCS#12 and
// to bounded work: a salt is followed by the number of iterations everywhere in it.
func checkPKCS12(content []byte) error {
	var outline struct {
		Version int
		Rest    asn1.RawValue
		MAC     asn1.RawValue `asn1:"optional"`
	}
	if len(content) > 1 && content[0] == 0x30 && content[1] == 0x80 {
		return advice{errors.New("it is PKCS#12 in BER, of which only DER is read"), "convert it with `openssl pkcs12 -in FILE -noenc -out ca.pem` and import ca.pem"}
	}
	if rest, err := asn1.Unmarshal(content, &outline); err != nil || len(rest) > 0 || outline.Version != 3 {
		return advice{errors.New("it is neither PEM, nor a certificate or key in DER, nor PKCS#12"), "export the authority again, with its private key, as .pem or .p12"}
	}
	return checkIterations(content, maxIterations, 0)
}

// checkIterations walks through DER, and through octet strings that hold a sequence.
func checkIterations(der []byte, most, depth int) error {
	const deepest = 24
	afterSalt := false
	for len(der) > 0 && depth < deepest {
		value, rest, ok := element(der)
		if !ok {
			return nil // a string that holds something else
		}
		der = rest
		if afterSalt && value.Class == asn1.ClassUniversal && value.Tag == asn1.TagInteger {
			var n int
			if _, err := asn1.Unmarshal(value.FullBytes, &n); err != nil || n > most || n < 1 {
				return errors.New("opening it would take a number of iterations that makes no sense")
			}
		}
		afterSalt = value.Class == asn1.ClassUniversal && value.Tag == asn1.TagOctetString
		if value.IsCompound || afterSalt && isSequence(value.Bytes) {
			if err := checkIterations(value.Bytes, most, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// element returns the first element of DER, and what follows it.
func element(der []byte) (value asn1.RawValue, rest []byte, ok bool) {
	rest, err := asn1.Unmarshal(der, &value)
	return value, rest, err == nil
}

// isSequence reports whether bytes are one sequence in DER, and not what is encrypted.
func isSequence(b []byte) bool {
	value, rest, ok := element(b)
	return ok && len(rest) == 0 && value.Tag == asn1.TagSequence && value.IsCompound
}

// pair finds the one key and its certificate.
func (p *parts) pair() (*Foreign, error) {
	switch {
	case len(p.keys) == 0 && len(p.certificates) == 0:
		return nil, errors.New("it holds neither a certificate nor a private key")
	case len(p.keys) == 0:
		return nil, advice{errors.New("it holds no private key"), "name the file with the key too: `telltale ca import CERTIFICATE KEY`; mitmproxy keeps both in mitmproxy-ca.pem"}
	case len(p.certificates) == 0:
		return nil, advice{errors.New("it holds no certificate"), "name the file with the certificate too: `telltale ca import CERTIFICATE KEY`"}
	case len(p.keys) > 1:
		return nil, fmt.Errorf("there are %d private keys, and one is expected", len(p.keys))
	}
	for _, certificate := range p.certificates {
		if isKeyOf(p.keys[0], certificate) {
			return &Foreign{certificate: certificate, key: p.keys[0]}, nil
		}
	}
	return nil, errors.New("the private key is not the key of the certificate")
}

// Bounds of RSA keys: Apple refuses shorter ones (support.apple.com/103769), and
// crypto/tls, as other clients do, longer ones.
const (
	minRSA = 2048
	maxRSA = 8192
)

// fit says why devices would trust nothing that f signs; nil when they can be made to.
func fit(f *Foreign, now time.Time) error {
	if err := checkRoot(f.certificate); err != nil {
		if issuer := f.certificate.Issuer.String(); f.certificate.IsCA && issuer != f.certificate.Subject.String() {
			return advice{fmt.Errorf("it was signed by %q and not by itself, and phones trust roots alone", issuer), "import the root above it, or make an authority with `telltale ca rotate`"}
		}
		return err
	}
	if err := checkTime(f.certificate, now); err != nil {
		return err
	}
	if nameOf(f.certificate) == "" { // RFC 5280, 4.1.2.4 and 4.1.2.6
		return errors.New("it has no name at all, by which devices could list it and find it as the issuer")
	}
	if !isPlainName(nameOf(f.certificate)) {
		return fmt.Errorf("its name %q has characters that do not belong into lists and commands", nameOf(f.certificate))
	}
	switch public := f.certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minRSA || bits > maxRSA {
			return fmt.Errorf("its RSA key of %d bits is refused by devices, which take %d to %d", bits, minRSA, maxRSA)
		}
	case *ecdsa.PublicKey:
		if bits := public.Curve.Params().BitSize; bits != 256 && bits != 384 {
			return fmt.Errorf("its key is %s, and not all devices take other curves than P-256 and P-384", keyKind(public))
		}
	default:
		return fmt.Errorf("its key is %s, and devices take RSA and ECDSA alone", keyKind(public))
	}
	if len(f.certificate.UnhandledCriticalExtensions) > 0 {
		return fmt.Errorf("devices have to refuse it, since they do not know its critical extension %v", f.certificate.UnhandledCriticalExtensions[0])
	}
	if !servesTLS(f.certificate) {
		return errors.New("its extended key usage leaves out TLS servers")
	}
	return nil
}

// isPlainName reports whether the name of a root can stand, in double quotes, in the
// commands that install and remove it, and shows as what it is.
func isPlainName(name string) bool {
	const most = 200 // bytes; RFC 5280, appendix A.1, has 64 characters for a common name
	return len(name) <= most && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsPrint(r) || strings.ContainsRune("\"$`\\%!", r)
	})
}

// servesTLS reports whether a root may sign for TLS servers by its extended key usage,
// which counts for everything below it in the eyes of Chromium, Android and Windows.
func servesTLS(root *x509.Certificate) bool {
	for _, usage := range root.ExtKeyUsage {
		if usage == x509.ExtKeyUsageServerAuth || usage == x509.ExtKeyUsageAny {
			return true
		}
	}
	return len(root.ExtKeyUsage)+len(root.UnknownExtKeyUsage) == 0
}
