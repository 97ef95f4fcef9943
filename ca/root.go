package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // Windows and phones name a certificate by it; nothing is proven with it
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// A Root is the certificate of an authority, which devices are asked to trust, and
// what is known of its key without opening it. All of it may be shown to anybody.
type Root struct {
	dir         string
	certificate *x509.Certificate
	protected   bool
	origin      string
	warnings    []string
	now         func() time.Time
}

// OpenRoot is like [Open], but needs no passphrase, since it leaves the key alone:
// it returns the certificate of the authority in dir, and makes an authority when
// dir has none.
func OpenRoot(dir string, options ...Option) (*Root, error) {
	return obtain(dir, apply(options), readValidRoot, true)
}

// LoadRoot returns the certificate of the authority in dir, one that has expired too,
// of which [Root.Warnings] then tells. It makes nothing: without an authority in dir
// its error matches [fs.ErrNotExist].
func LoadRoot(dir string, options ...Option) (*Root, error) {
	return obtain(dir, apply(options), readRoot, false)
}

// Certificate returns the root. It is shared: do not change it.
func (r *Root) Certificate() *x509.Certificate { return r.certificate }

// Name returns the common name of the root, under which devices list it; where it
// has none, as an imported one may, the whole subject, which is never empty.
func (r *Root) Name() string { return nameOf(r.certificate) }

func nameOf(certificate *x509.Certificate) string {
	if name := certificate.Subject.CommonName; name != "" {
		return name
	}
	return certificate.Subject.String()
}

// DER returns the root in DER.
func (r *Root) DER() []byte { return bytes.Clone(r.certificate.Raw) }

// PEM returns the root in PEM.
func (r *Root) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: r.certificate.Raw})
}

// Fingerprint returns the SHA-256 of the root in DER, as phones show it:
// "3F:2A:…", 32 bytes.
func (r *Root) Fingerprint() string { return Fingerprint(r.certificate) }

// Fingerprint returns the SHA-256 of a certificate, as phones show it.
func Fingerprint(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	return withColons(sum[:])
}

// FingerprintSHA1 returns the SHA-1 of the root in DER, 20 bytes. Windows shows no
// other one, under the name of thumbprint; iOS, Android and macOS show it beside the
// SHA-256, which is the one to compare.
func (r *Root) FingerprintSHA1() string {
	sum := sha1.Sum(r.certificate.Raw)
	return withColons(sum[:])
}

func withColons(sum []byte) string { return strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":") }

// AndroidName returns the file name that the root must have in the system store
// of Android: what `openssl x509 -subject_hash_old` prints, which is the first
// four bytes of the MD5 of the subject in DER, little-endian, and ".0"
// (source.android.com, "Root certificates"). Where another certificate has that
// name already, the suffix has to be counted up by hand.
func (r *Root) AndroidName() string {
	sum := md5.Sum(r.certificate.RawSubject)
	return fmt.Sprintf("%08x.0", binary.LittleEndian.Uint32(sum[:4]))
}

// KeyKind names the algorithm and the size of the key: "ECDSA P-256", "RSA 2048".
func (r *Root) KeyKind() string { return keyKind(r.certificate.PublicKey) }

func keyKind(public any) string {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + public.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", public.N.BitLen())
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", public), "*")
}

// Protected reports whether a passphrase is needed to use the key.
func (r *Root) Protected() bool { return r.protected }

// Imported says when and from which file the authority was imported, as "2026-11-21
// from ca.p12"; "" for one that was made by this program, in this folder or elsewhere.
func (r *Root) Imported() string { return r.origin }

// Left returns how long the root is still valid; negative when it has expired.
func (r *Root) Left() time.Duration { return r.certificate.NotAfter.Sub(r.now()) }

// ExpiresSoon reports whether the end of the root is so near that a person should
// plan for it: two weeks, or the last fifth of a root that lives for less than ten.
func (r *Root) ExpiresSoon() bool {
	life := r.certificate.NotAfter.Sub(r.certificate.NotBefore)
	return r.Left() < min(expiresSoon, life/5)
}

// Dir returns the folder of the authority, as it was given to [Open].
func (r *Root) Dir() string { return r.dir }

// CertPath returns the path of the root's PEM file.
func (r *Root) CertPath() string { return filepath.Join(r.dir, CertificateFile) }

// KeyPath returns the path of the key's PEM file.
func (r *Root) KeyPath() string { return filepath.Join(r.dir, KeyFile) }

// Warnings returns sentences about what a person should know of the authority
// and that did not keep it from opening: a key that others could read, a root
// that expires soon.
func (r *Root) Warnings() []string { return r.warnings }

// checkTime says why the root may not sign now; nil when it may.
func checkTime(root *x509.Certificate, now time.Time) error {
	switch {
	case now.Before(root.NotBefore):
		return fmt.Errorf("it is valid only from %s on: is this machine's clock right?", root.NotBefore.Format(time.DateOnly))
	case now.After(root.NotAfter):
		return fmt.Errorf("it expired on %s", root.NotAfter.Format(time.DateOnly))
	}
	return nil
}

// expiryWarning returns a sentence about the end of the root, "" when it is far.
func (r *Root) expiryWarning() string {
	end, days := r.certificate.NotAfter.Format(time.DateOnly), int(r.Left()/day)
	switch {
	case r.Left() < 0:
		return fmt.Sprintf("the certificate authority expired on %s; %s", end, rotateAdvice)
	case !r.ExpiresSoon():
		return ""
	case days == 0:
		return fmt.Sprintf("the certificate authority expires within a day, on %s; %s", end, rotateAdvice)
	case days == 1:
		return fmt.Sprintf("the certificate authority expires tomorrow, on %s; %s", end, rotateAdvice)
	}
	return fmt.Sprintf("the certificate authority expires in %d days, on %s; %s", days, end, rotateAdvice)
}
