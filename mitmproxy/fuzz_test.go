package mitmproxy_test

import (
	"bytes"
	"errors"
	"testing"

	"telltale/flow"
	"telltale/mitmproxy"
)

// FuzzRead holds for any input: no panic, every flow that is delivered has a kind, an
// outcome and a place, contents keep to the limit, and a file that reads without error
// reads twice when it stands there twice.
func FuzzRead(f *testing.F) {
	f.Add(sample(f, "regular"))
	f.Add(sample(f, "socks5"))
	f.Add(file(exchange))
	f.Add(file(version010, version011))
	f.Add(file(version018, version7, version11))
	f.Add(file(exchange.with("websocket", dict{"messages", list{list{1, true, []byte("hi"), when}}})))
	f.Add(file(dict{"type", "tcp", "messages", list{list{true, []byte("hi"), when}}, "server_conn", serverConn}))
	f.Add(file(dict{"type", "dns", "request", dict{"questions", list{dict{"name", "a.example", "type", 1}}}, "server_conn", serverConn}))
	f.Add([]byte("999999999999:4:type;"))
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 10
		read := func(data []byte) (n int, info mitmproxy.Info, err error) {
			info, err = mitmproxy.Read(bytes.NewReader(data), mitmproxy.Options{Name: "f", Bodies: true, BodyLimit: limit}, func(f *flow.Flow) error {
				n++
				check(t, f, limit)
				return nil
			})
			return n, info, err
		}
		n, info, err := read(data)
		var damage *mitmproxy.Error
		if err != nil && (!errors.As(err, &damage) || damage.Offset > int64(len(data)) || damage.Entry > info.Entries) {
			t.Fatalf("error of type %T: %v", err, err)
		}
		if n > info.Entries {
			t.Fatalf("%d flows of %d", n, info.Entries)
		}
		if err != nil {
			return
		}
		if _, again, err := read(append(bytes.Clone(data), data...)); err != nil || again.Entries != 2*info.Entries {
			t.Fatalf("twice: %d flows, not twice %d, error %v", again.Entries, info.Entries, err)
		}
	})
}

func check(t *testing.T, f *flow.Flow, limit int) {
	if f.Kind == "" || f.Outcome == "" || f.Mode != "mitmproxy" || f.Origin.Entry == 0 || f.Method() == "" || f.Times.End.Before(f.Times.Start) {
		t.Fatalf("flow %+v", f)
	}
	if f.Kind != flow.DNS && f.Host() == "" {
		t.Fatalf("a flow without a host: %+v", f.Server)
	}
	if f.Request != nil && len(f.Request.Body.Content) > limit || f.Response != nil && len(f.Response.Body.Content) > limit {
		t.Fatal("more content than the limit allows")
	}
	for _, frame := range f.Frames {
		if len(frame.Data) > limit || frame.Opcode < 0 || frame.Opcode > 15 {
			t.Fatalf("frame %+v", frame)
		}
	}
}
