package quic

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"telltale/wire/clienthello"
)

func clientSecret(tb testing.TB, s *scheme, dcid []byte) []byte {
	tb.Helper()
	initial, err := hkdf.Extract(sha256.New, dcid, []byte(s.salt))
	must(tb, err)
	return expand(initial, "client in", sha256.Size)
}

// sealer makes Initial packets that no library would send.
type sealer struct {
	version    Version
	dcid, scid []byte
	number     uint64
}

// long writes a long header up to the packet number, for a payload of size bytes.
func (s *sealer) long(kind byte, token []byte, size int) []byte {
	b := binary.BigEndian.AppendUint32([]byte{longHeader | fixedBit | kind<<4 | 3}, uint32(s.version))
	b = append(append(b, byte(len(s.dcid))), s.dcid...)
	b = append(append(b, byte(len(s.scid))), s.scid...)
	if kind == s.version.scheme().initial {
		b = append(append(b, byte(len(token))), token...)
	}
	return append(b, 0x40|byte(size>>8), byte(size))
}

// initial seals a packet of frames.
func (s *sealer) initial(tb testing.TB, frames ...[]byte) []byte {
	tb.Helper()
	scheme := s.version.scheme()
	k := scheme.clientKeys(s.dcid)
	payload := bytes.Join(frames, nil)
	for len(payload) < 4 {
		payload = append(payload, framePadding)
	}
	b := s.long(scheme.initial, []byte("token"), 4+len(payload)+k.aead.Overhead())
	at := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(s.number))
	nonce := k.iv
	for i := range 4 {
		nonce[8+i] ^= b[at+i]
	}
	b = k.aead.Seal(b, nonce[:], payload, b)
	var mask [sampleSize]byte
	k.block.Encrypt(mask[:], b[at+4:at+4+sampleSize])
	b[0] ^= mask[0] & 0x0f
	for i := range 4 {
		b[at+i] ^= mask[1+i]
	}
	s.number++
	return b
}

// crypto is a CRYPTO frame with the stretch [from, to) of a stream.
func crypto(stream []byte, from, to int) []byte {
	b := []byte{frameCrypto, 0x40 | byte(from>>8), byte(from), 0x40 | byte((to-from)>>8), byte(to - from)}
	return append(b, stream[from:to]...)
}

// message is a ClientHello of crypto/tls as QUIC carries it.
func message(tb testing.TB, cfg *tls.Config) []byte {
	tb.Helper()
	cfg.MinVersion = tls.VersionTLS13
	q := tls.QUICClient(&tls.QUICConfig{TLSConfig: cfg})
	q.SetTransportParameters([]byte{1, 2, 0x67, 0xd0})
	must(tb, q.Start(context.Background()))
	defer q.Close()
	for {
		if e := q.NextEvent(); e.Kind == tls.QUICWriteData {
			return bytes.Clone(e.Data)
		} else if e.Kind == tls.QUICNoEvent {
			tb.Fatal("no ClientHello")
		}
	}
}

var (
	ping = []byte{framePing}
	pad  = make([]byte, 7)
	ack  = []byte{frameACKECN, 5, 0, 1, 1, 0, 2, 1, 1, 1}
)

func newSealer(v Version) *sealer {
	return &sealer{version: v, dcid: []byte("destined"), scid: []byte("from")}
}

// A ClientHello with ML-KEM, cut into pieces that come in any order, some twice, with
// other frames between them, over several packets, coalesced and not, is read.
func TestShuffledHello(t *testing.T) {
	hello := message(t, &tls.Config{ServerName: "shuffled.test", NextProtos: []string{"h3"}})
	if len(hello) < 1200 {
		t.Fatalf("%d bytes would fit into one datagram", len(hello))
	}
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := newSealer([]Version{V1, V2, draft + 29, draft + 34}[seed%4])
		var frames [][]byte
		for from := 0; from < len(hello); {
			to := min(from+1+r.IntN(300), len(hello))
			frames = append(frames, crypto(hello, max(0, from-r.IntN(20)), to))
			from = to
		}
		frames = append(frames, ping, pad, ack, frames[0], []byte{framePing, framePadding})
		r.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
		var o Opening
		var state clienthello.State
		for part := range slices.Chunk(frames, 6) {
			datagram := s.initial(t, part[:len(part)/2]...)
			// A packet of another kind goes with them, to be skipped.
			datagram = append(datagram, s.long((s.version.scheme().initial+1)%4, nil, 30)...)
			datagram = append(datagram, make([]byte, 30)...)
			datagram = append(datagram, s.initial(t, part[len(part)/2:]...)...)
			state = o.Add(datagram)
		}
		if state != clienthello.Whole || o.Hello.ServerName != "shuffled.test" || !slices.Equal(o.Hello.ALPN, []string{"h3"}) {
			t.Fatalf("seed %d: state %d, %+v", seed, state, o.Hello)
		}
		if string(o.DCID) != "destined" || string(o.SCID) != "from" || o.buf != nil || o.stream.data != nil {
			t.Errorf("seed %d: %s to %s, and what is left: %d, %d", seed, o.SCID, o.DCID, len(o.buf), len(o.stream.data))
		}
	}
}

// After a Retry the client begins anew, with keys of the server's ID.
func TestOpeningAfterRetry(t *testing.T) {
	hello := message(t, &tls.Config{ServerName: "again.test"})
	s := newSealer(V1)
	var o Opening
	o.Add(s.initial(t, crypto(hello, 0, 100)))
	s.dcid = []byte("chosen by the server")
	o.Add(s.initial(t, crypto(hello, 500, len(hello))))
	if state := o.Add(s.initial(t, crypto(hello, 0, 500))); state != clienthello.Whole || o.Hello.ServerName != "again.test" {
		t.Errorf("state %d, %+v", state, o.Hello)
	}
}

func TestOpeningRefuses(t *testing.T) {
	hello := message(t, &tls.Config{ServerName: "refused.test"})
	for name, frames := range map[string][][]byte{
		"a frame of another kind":   {{0x08, 0, 0}},
		"a cut frame":               {crypto(hello, 0, 100)[:50]},
		"a frame without a length":  {{framePing, framePing, frameCrypto, 0}},
		"a stream of 16 KiB":        {{frameCrypto, 0x7f, 0xff, 4, 1, 2, 3, 4}},
		"an offset of 2^62":         {{frameCrypto, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1}},
		"a cut ACK":                 {{frameACK, 5, 0}},
		"an ACK of 2^62 ranges":     {{frameACK, 5, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}},
		"an ACK of too many ranges": {{frameACK, 5, 0, 4, 1, 1, 1, 1, 1}},
		"no ClientHello":            {crypto([]byte("hello, this is not TLS"), 0, 20)},
	} {
		var o Opening
		if state := o.Add(newSealer(V1).initial(t, frames...)); state != clienthello.Broken || o.Hello != nil {
			t.Errorf("%s: state %d, %+v", name, state, o.Hello)
		}
	}
	for name, datagram := range map[string][]byte{
		"nothing":            nil,
		"another protocol":   []byte("GET / HTTP/1.1\r\n\r\n"),
		"an unknown version": append(header(0xc0, 0x12345678, 8, 0), make([]byte, 1200)...),
		"gQUIC":              append([]byte{0xc3}, "Q046\x50........"...),
	} {
		var o Opening
		if state := o.Add(datagram); state != clienthello.Broken {
			t.Errorf("%s: state %d", name, state)
		}
	}
}

// What a client may have in hand is bounded, and there is an end to waiting.
func TestOpeningIsBounded(t *testing.T) {
	hello := make([]byte, maxStream)
	t.Run("pieces", func(t *testing.T) {
		var frames [][]byte
		for i := range maxPieces + 1 {
			frames = append(frames, crypto(hello, 2*i+1, 2*i+2))
		}
		var o Opening
		if state := o.Add(newSealer(V1).initial(t, frames...)); state != clienthello.Broken {
			t.Errorf("state %d", state)
		}
	})
	t.Run("datagrams", func(t *testing.T) {
		var o Opening
		s := newSealer(V1)
		for n := 1; o.Add(s.initial(t, ping)) == clienthello.Partial; n++ {
			if n > maxDatagrams {
				t.Fatal("waits for ever")
			}
		}
		if o.state != clienthello.Broken {
			t.Errorf("state %d", o.state)
		}
	})
	t.Run("packets that do not decrypt", func(t *testing.T) {
		good := newSealer(V1).initial(t, ping, pad)
		good[len(good)-1] ^= 1
		var o Opening
		if state := o.Add(good); state != clienthello.Partial {
			t.Errorf("state %d", state)
		}
	})
	t.Run("memory", func(t *testing.T) {
		s := newSealer(V1)
		datagram := s.initial(t, crypto(hello, maxStream-1, maxStream), make([]byte, 1100))
		if n := testing.AllocsPerRun(20, func() { new(Opening).Add(datagram) }); n > 200 {
			t.Errorf("%v allocations", n)
		}
	})
}

// wire is a net.PacketConn that keeps what is sent and delivers nothing.
type wire struct {
	sent chan []byte
	done chan struct{}
	once sync.Once
}

func (w *wire) ReadFrom([]byte) (int, net.Addr, error) {
	<-w.done
	return 0, nil, net.ErrClosed
}

func (w *wire) WriteTo(b []byte, _ net.Addr) (int, error) {
	select {
	case w.sent <- bytes.Clone(b):
	default:
	}
	return len(b), nil
}

func (w *wire) Close() error                     { w.once.Do(func() { close(w.done) }); return nil }
func (w *wire) LocalAddr() net.Addr              { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return os.ErrInvalid }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// initials returns what quic-go sends first, until no more is needed.
func initials(tb testing.TB, v quicgo.Version, cfg *tls.Config, enough func([]byte) bool) {
	tb.Helper()
	w := &wire{sent: make(chan []byte, 64), done: make(chan struct{})}
	tr := &quicgo.Transport{Conn: w}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := tr.Dial(ctx, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443}, cfg, &quicgo.Config{Versions: []quicgo.Version{v}})
		if !errors.Is(err, context.Canceled) {
			tb.Errorf("dial: %v", err)
		}
	})
	for !enough(<-w.sent) {
	}
	cancel()
	wg.Wait()
	w.Close()
	tr.Close()
}

// What quic-go sends, with ML-KEM over two datagrams and scrambled, is read.
func TestInitialsOfALibrary(t *testing.T) {
	for _, v := range []quicgo.Version{quicgo.Version1, quicgo.Version2} {
		cfg := &tls.Config{ServerName: "library.test", NextProtos: []string{"h3", "doq"}, MinVersion: tls.VersionTLS13}
		var o Opening
		datagrams := 0
		initials(t, v, cfg, func(b []byte) bool {
			datagrams++
			return o.Add(b) != clienthello.Partial
		})
		if o.Hello == nil || o.Hello.ServerName != "library.test" || !slices.Equal(o.Hello.ALPN, []string{"h3", "doq"}) || o.Hello.JA4[:1] != "q" || Version(v) != o.Version {
			t.Errorf("%v: %s %+v", v, o.Version, o.Hello)
		}
		if datagrams < 2 {
			t.Errorf("%v: all in one datagram: the test shows less than it says", v)
		}
	}
}

func FuzzRecognise(f *testing.F) {
	f.Add(fromFile(f, "rfc9001-a2.hex"))
	f.Add(header(0xc0, 0x1a2a3a4a, 8, 0, 0))
	f.Add(append([]byte{0x0d, 1, 2, 3, 4, 5, 6, 7, 8}, "Q043\x01"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := Recognise(b)
		if !ok {
			return
		}
		if r := h.Refusal(); r != nil {
			if len(r) > len(b)+4 {
				t.Fatalf("an answer of %d bytes to %d", len(r), len(b))
			}
			back, _, ok := parseHeader(r)
			if !ok || !bytes.Equal(back.DCID, h.SCID) || !bytes.Equal(back.SCID, h.DCID) {
				t.Fatalf("%x answered with %x", b, r)
			}
		}
	})
}

// FuzzOpening cuts its input into datagrams as it comes.
func FuzzOpening(f *testing.F) {
	f.Add(fromFile(f, "rfc9001-a2.hex"), uint16(1200))
	f.Add(fromFile(f, "rfc9369-a2.hex"), uint16(300))
	f.Fuzz(func(t *testing.T, b []byte, size uint16) {
		var o Opening
		for datagram := range slices.Chunk(b, int(size)+1) {
			o.Add(datagram)
		}
		checkOpening(t, &o)
	})
}

// FuzzFrames is about what stands inside the encryption, which a fuzzer cannot make.
func FuzzFrames(f *testing.F) {
	hello := message(f, &tls.Config{ServerName: "fuzz.test"})
	f.Add(slices.Concat(ping, pad, ack, crypto(hello, 10, 20), crypto(hello, 0, 10)), []byte{frameCrypto, 0, 1, 1})
	f.Add(crypto(hello, 0, 900), crypto(hello, 900, len(hello)))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if len(a) > 1<<13 || len(b) > 1<<13 {
			return
		}
		var o Opening
		s := newSealer(V2)
		o.Add(s.initial(t, a))
		o.Add(s.initial(t, b))
		checkOpening(t, &o)
	})
}

func checkOpening(t *testing.T, o *Opening) {
	t.Helper()
	if (o.Hello != nil) != (o.State() == clienthello.Whole) {
		t.Fatalf("state %d with %+v", o.State(), o.Hello)
	}
	if len(o.stream.data) > maxStream || len(o.stream.pieces) > maxPieces {
		t.Fatalf("%d bytes in %d pieces are held", len(o.stream.data), len(o.stream.pieces))
	}
	end := -1
	for _, p := range o.stream.pieces {
		if p.from <= end || p.to <= p.from || p.to > len(o.stream.data) {
			t.Fatalf("pieces %v", o.stream.pieces)
		}
		end = p.to
	}
}

func BenchmarkOpening(b *testing.B) {
	datagram := fromFile(b, "rfc9001-a2.hex")
	b.ReportAllocs()
	for b.Loop() {
		if new(Opening).Add(datagram) != clienthello.Whole {
			b.Fatal("not read")
		}
	}
}
