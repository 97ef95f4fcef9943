package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"telltale/flow"
	"telltale/guard/raced"
)

// TestStreamsAreNotHeldBack: each piece must have arrived before the server sends
// the next, whatever the type and whether the length is known.
func TestStreamsAreNotHeldBack(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		for _, x := range []struct{ contentType, length string }{
			{"text/event-stream", ""}, {"application/x-ndjson", ""}, {"text/plain", "24"},
		} {
			r := newRig(t)
			next := make(chan bool)
			u := r.origin(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", x.contentType)
				if x.length != "" {
					w.Header().Set("Content-Length", x.length)
				}
				w.(http.Flusher).Flush()
				for i := range 3 {
					<-next // the head, or the piece before, is there
					fmt.Fprintf(w, "data: %d\n", i)
					w.(http.Flusher).Flush()
				}
			})
			resp, err := r.client(proto).Get(u.String())
			must(t, err)
			lines := bufio.NewReader(resp.Body)
			for i := range 3 {
				next <- true
				line, err := lines.ReadString('\n')
				if i < 2 || x.length == "" {
					must(t, err)
				}
				equal(t, x.contentType, line, fmt.Sprintf("data: %d\n", i))
			}
			resp.Body.Close()
			r.wait("the end", func(f []*flow.Flow) bool { return len(f) == 1 && f[0].Ended() })
		}
	})
}

// grpcService has one call that answers and one that echoes a stream, without
// generated code.
var grpcService = grpc.ServiceDesc{
	ServiceName: "test.S", HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Unary", Handler: func(_ any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := new(wrapperspb.StringValue)
		if err := dec(in); err != nil {
			return nil, err
		}
		if in.Value == "fail" {
			return nil, status.Error(codes.PermissionDenied, "nope é")
		}
		grpc.SetTrailer(ctx, metadata.Pairs("x-tr", "1"))
		return wrapperspb.String("re:" + in.Value), nil
	}}},
	Streams: []grpc.StreamDesc{{StreamName: "Echo", ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
		for {
			in := new(wrapperspb.StringValue)
			if err := s.RecvMsg(in); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			if err := s.SendMsg(in); err != nil {
				return err
			}
		}
	}}},
}

func TestGRPC(t *testing.T) {
	r := newRig(t)
	leaf, err := r.ca.Leaf("127.0.0.1")
	must(t, err)
	server := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(leaf)))
	server.RegisterService(&grpcService, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: r.ca.pool()})),
		grpc.WithContextDialer(func(_ context.Context, addr string) (net.Conn, error) { return r.tunnel(addr), nil }))
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	out, trailer := new(wrapperspb.StringValue), metadata.MD{}
	must(t, conn.Invoke(ctx, "/test.S/Unary", wrapperspb.String("a"), out, grpc.Trailer(&trailer)))
	equal(t, "answer", out.Value, "re:a")
	equal(t, "trailer", trailer["x-tr"], []string{"1"})

	err = conn.Invoke(ctx, "/test.S/Unary", wrapperspb.String("fail"), out)
	equal(t, "trailers only", err, status.Error(codes.PermissionDenied, "nope é"))

	stream, err := conn.NewStream(ctx, &grpcService.Streams[0], "/test.S/Echo")
	must(t, err)
	for i := range 3 { // each echo before the next message
		must(t, stream.SendMsg(wrapperspb.String(fmt.Sprint(i))))
		must(t, stream.RecvMsg(out))
		equal(t, "echo", out.Value, fmt.Sprint(i))
	}
	must(t, stream.CloseSend())
	if err := stream.RecvMsg(out); err != io.EOF {
		t.Errorf("the stream ended with %v", err)
	}

	flows := r.ending(3)
	for i, want := range []struct{ url, status string }{{"Unary", "0"}, {"Unary", "7"}, {"Echo", "0"}} {
		f := flows[i]
		equal(t, "url", f.URL(), "https://"+l.Addr().String()+"/test.S/"+want.url)
		equal(t, "outcome", f.Outcome, flow.Completed)
		got := append(values(f.Response.Trailer, "grpc-status"), values(f.Response.Header, "grpc-status")...)
		equal(t, "grpc-status", got, []string{want.status})
		equal(t, "te", values(f.Request.Header, "te"), []string{"trailers"})
	}
	equal(t, "bytes of the echo", flows[2].Response.Body.Size, flows[2].Request.Body.Size)
}

// zeros is an endless source.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestLargeBodiesTakeNoMemory moves a body each way that is larger than the heap
// may ever become, with client, proxy and server in this process.
func TestLargeBodiesTakeNoMemory(t *testing.T) {
	const ceiling = 48 << 20
	size := int64(raced.Size(256<<20, 16<<20))
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		r := newRig(t)
		u := r.origin(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				n, _ := io.Copy(io.Discard, r.Body)
				fmt.Fprint(w, n)
				return
			}
			w.Header().Set("Content-Length", fmt.Sprint(size))
			io.CopyN(w, zeros{}, size)
		})
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		peak, stop := watchHeap()
		c := r.client(proto)
		c.Timeout = 0
		resp, err := c.Get(u.String())
		must(t, err)
		n, err := io.Copy(io.Discard, resp.Body)
		must(t, err)
		resp.Body.Close()
		equal(t, "down", n, size)
		req := request(t, "POST", u.String(), io.LimitReader(zeros{}, size))
		req.ContentLength = size
		_, got := fetch(t, c, req)
		equal(t, "up", got, fmt.Sprint(size))
		stop()
		if grown := peak.Load() - int64(before.HeapInuse); grown > ceiling {
			t.Errorf("the heap grew by %d MiB for bodies of %d MiB", grown>>20, size>>20)
		} else {
			t.Logf("the heap grew by %d MiB at most", grown>>20)
		}
		flows := r.ending(2)
		equal(t, "recorded", fmt.Sprint(flows[0].BytesReceived(), flows[1].BytesSent()), fmt.Sprint(size, size))
		equal(t, "kept", len(flows[0].Response.Body.Content), 1<<20)
	})
}

// watchHeap notes the largest heap until stop is called.
func watchHeap() (peak *atomic.Int64, stop func()) {
	peak = new(atomic.Int64)
	tick, done := time.NewTicker(20*time.Millisecond), make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var m runtime.MemStats
		for {
			select {
			case <-tick.C:
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), int64(m.HeapInuse)))
			case <-done:
				return
			}
		}
	}()
	return peak, func() { tick.Stop(); close(done); <-ended }
}

// flushes counts what reaches http.Server.
type flushes struct {
	*httptest.ResponseRecorder
	writes, flushed int
}

func (f *flushes) Write(p []byte) (int, error) { f.writes++; return f.ResponseRecorder.Write(p) }
func (f *flushes) Flush()                      { f.flushed++ }

// pieces is a body that comes in pieces, the last one together with the end.
type pieces []string

func (p *pieces) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*p)[0])
	if (*p)[0] = (*p)[0][n:]; (*p)[0] == "" {
		*p = (*p)[1:]
	}
	if len(*p) == 0 {
		return n, io.EOF
	}
	return n, nil
}

// TestFlushes: a short answer is one write, a stream one for each piece.
func TestFlushes(t *testing.T) {
	for _, x := range []struct {
		name    string
		length  int64
		body    pieces
		flushed int
	}{
		{"known length", 4, pieces{"abcd"}, 0},
		{"known length in pieces", 4, pieces{"ab", "cd"}, 0},
		{"stream in one piece", -1, pieces{"abcd"}, 0},
		{"stream", -1, pieces{"a", "b", "cd"}, 2},
		{"nothing", 0, pieces{}, 0},
	} {
		synctest.Test(t, func(t *testing.T) { // whose clock stands while the body comes
			w := &flushes{ResponseRecorder: httptest.NewRecorder()}
			s := &shim{w: w}
			d := &download{src: io.NopCloser(&x.body), to: s, body: body{limit: 100, expect: x.length}}
			s.WriteHeader(200)
			if _, err := io.Copy(s, d); err != nil {
				t.Error(x.name, err)
			}
			s.seal()
			equal(t, x.name, w.flushed, x.flushed)
		})
	}
}

// TestHeadDoesNotWaitForABodyThatIsLate.
func TestHeadDoesNotWaitForABodyThatIsLate(t *testing.T) {
	for _, length := range []int64{4, -1} {
		synctest.Test(t, func(t *testing.T) {
			w := &flushes{ResponseRecorder: httptest.NewRecorder()}
			s := &shim{w: w}
			pr, pw := io.Pipe()
			d := &download{src: pr, to: s, body: body{limit: 100, expect: length}}
			s.WriteHeader(200)
			copied := make(chan error)
			go func() { _, err := io.Copy(s, d); copied <- err }()
			<-time.After(2 * flushDelay) // of the bubble's clock
			synctest.Wait()
			s.mu.Lock()
			equal(t, "flushed", w.flushed, 1)
			s.mu.Unlock()
			io.WriteString(pw, "abcd")
			pw.Close()
			must(t, <-copied)
			s.seal()
		})
	}
}

// TestSealedShimIsDumb: what comes late must not touch the next answer.
func TestSealedShimIsDumb(t *testing.T) {
	w := &flushes{ResponseRecorder: httptest.NewRecorder()}
	s := &shim{w: w}
	s.WriteHeader(200)
	s.seal()
	s.Flush()
	s.interim(103, http.Header{"X": {"1"}})
	s.WriteHeader(500)
	equal(t, "flushed", w.flushed, 0)
	equal(t, "status", w.Code, 200)
	equal(t, "header", w.Header(), http.Header{})
}
