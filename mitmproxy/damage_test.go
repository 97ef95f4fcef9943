package mitmproxy_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"telltale/flow"
	"telltale/guard/raced"
	"telltale/mitmproxy"
)

// damageOf returns the error of a damaged file.
func damageOf(t *testing.T, err error) *mitmproxy.Error {
	t.Helper()
	var damage *mitmproxy.Error
	if !errors.As(err, &damage) {
		t.Fatalf("got %T %v, want damage", err, err)
	}
	return damage
}

func TestNotAFlowFile(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		"":                    "a.mitm: the file is empty, expected a flow of mitmproxy (byte 0)",
		`{"log":{}}`:          "a.mitm: expected the length of a value, found '{': this is no file of mitmproxy's flows (byte 0)",
		"\x1f\x8b\x08":        `a.mitm: expected the length of a value, found '\x1f': this is no file of mitmproxy's flows (byte 0)`,
		":":                   "a.mitm: expected the length of a value, found ':': this is no file of mitmproxy's flows (byte 0)",
		"2026-11-21 lunch":    "a.mitm: expected the length of a value, found '-': this is no file of mitmproxy's flows (byte 4)",
		"1234567890123:":      "a.mitm: expected the length of a value, found '3': this is no file of mitmproxy's flows (byte 12)",
		"12":                  "a.mitm: flow 1: the file ends in the middle of this flow (byte 2)",
		"5:ab":                "a.mitm: flow 1: the file ends in the middle of this flow (byte 4)",
		"0:}":                 "a.mitm: flow 1: expected a flow with a type or a request, found neither (byte 2)",
		"5:hello,":            "a.mitm: flow 1: expected a dict, found a value of type ',' (byte 2)",
		"2:{}X":               "a.mitm: expected the type of a value, one of , ; # ^ ! ~ ] }, found 'X': this is no file of mitmproxy's flows (byte 4)",
		"0:~0:~0:~":           "a.mitm: flow 1: expected a dict, found a value of type '~' (byte 2); 2 more flows are damaged",
		"999999999999:4:type": "a.mitm: flow 1: the file ends in the middle of this flow (byte 19)",
	} {
		flows, _, err := read([]byte(data))
		damage := damageOf(t, err)
		equal(t, fmt.Sprintf("%q", data), damage.Error(), want)
		equal(t, fmt.Sprintf("flows of %q", data), len(flows), 0)
	}
}

// A file that was cut anywhere but between two flows never ends clean, and what
// stands before the cut is delivered.
func TestTruncated(t *testing.T) {
	t.Parallel()
	first, second := file(exchange), file(version011)
	data := append(bytes.Clone(first), second...)
	for n := 1; n < len(data); n++ {
		flows, info, err := read(data[:n])
		if n == len(first) {
			equal(t, "between two flows", fmt.Sprint(err, len(flows)), "<nil> 1")
			continue
		}
		damage := damageOf(t, err)
		whole := 0
		if n > len(first) {
			whole = 1
		}
		if len(flows) != whole || damage.Entry != whole+1 || info.Entries != whole+1 || damage.Offset != int64(n) || damage.Hint() == "" || damage.File != "a.mitm" {
			t.Fatalf("cut at %d: %d flows, info %+v, error %v", n, len(flows), info, err)
		}
	}
}

// A flow whose inside is broken costs that flow; those around it count.
func TestBrokenInside(t *testing.T) {
	t.Parallel()
	whole := string(file(exchange))
	for name, broken := range map[string]string{
		"length":        strings.Replace(whole, "7:version;", "x:version;", 1),
		"too long":      strings.Replace(whole, "2:21#", "9999:", 1),
		"type":          strings.Replace(whole, "2:21#", "2:21?", 1),
		"deep inside":   strings.Replace(whole, "10:user-agent,", "99:user-agent,", 1),
		"name":          strings.Replace(whole, "7:version;", "7:version#", 1),
		"without value": netstringOf("4:type;3:tcp;6:values;"),
	} {
		flows, info, err := read([]byte(whole + broken + broken + whole))
		damage := damageOf(t, err)
		if len(flows) != 2 || info.Entries != 4 || damage.Entry != 2 || damage.More != 1 {
			t.Errorf("%s: %d flows, info %+v, error %v", name, len(flows), info, err)
		}
		if damage.Offset <= int64(len(whole)) || damage.Offset >= int64(len(whole)+len(broken)) {
			t.Errorf("%s: the place is outside of the flow: %v", name, err)
		}
	}
}

func netstringOf(inside string) string { return fmt.Sprintf("%d:%s}", len(inside), inside) }

// Damage before the end of a broken file is counted with it.
func TestBrokenAndTruncated(t *testing.T) {
	t.Parallel()
	data := append(file(exchange), "0:}0:}5:abc"...)
	flows, _, err := read(data)
	damage := damageOf(t, err)
	equal(t, "error", fmt.Sprint(len(flows), damage.Entry, damage.More), fmt.Sprint(1, 4, 2))
}

// Whatever type a value has, the flow is read for the rest.
func TestWrongTypes(t *testing.T) {
	t.Parallel()
	wrong := []any{nil, true, 7, 1e300, []byte("4:type;"), "text", list{}, list{1, list{"a", nil}}, dict{}, dict{"a", dict{"b", 1}}}
	walk(exchange, func(change func(any) dict) {
		for _, v := range wrong {
			flows, _, err := read(file(change(v), exchange))
			if len(flows) < 1 || flows[len(flows)-1].Host() != "api.example" {
				t.Fatalf("%v: %d flows, error %v", v, len(flows), err)
			}
			if len(flows) == 1 { // it names no server, or no type and no request
				continue
			}
			if f := flows[0]; f.Kind == "" || f.Outcome == "" || f.Times.End.Before(f.Times.Start) {
				t.Fatalf("%v: %+v", v, f)
			}
		}
	})
}

// walk calls visit for each value of a dict and of those inside it, with a function
// that changes that value.
func walk(d dict, visit func(change func(any) dict)) {
	for i := 0; i < len(d); i += 2 {
		name := d[i]
		visit(func(v any) dict { return d.with(name, v) })
		if inner, ok := d[i+1].(dict); ok {
			walk(inner, func(change func(any) dict) {
				visit(func(v any) dict { return d.with(name, change(v)) })
			})
		}
	}
}

func TestFailingDisk(t *testing.T) {
	t.Parallel()
	disk := errors.New("the disk is on fire")
	for _, data := range [][]byte{nil, file(exchange), file(exchange)[:100]} {
		_, err := mitmproxy.Read(io.MultiReader(bytes.NewReader(data), iotest.ErrReader(disk)), mitmproxy.Options{}, func(*flow.Flow) error { return nil })
		if damage := damageOf(t, err); !errors.Is(err, disk) || damage.Hint() != "" {
			t.Errorf("%d bytes: %v", len(data), err)
		}
	}
}

// zeros is an endless row of bytes that costs no memory.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Neither a claimed length nor a real one costs more memory than the limits allow.
// It measures the whole process, so it runs alone.
func TestBoundedMemory(t *testing.T) {
	const huge = 200 << 20
	head := file(exchange.with("response", response.with("content", []byte("MARK"))))
	before, behind, _ := bytes.Cut(head, []byte("4:MARK,"))
	outer := bytes.IndexByte(before, ':')
	_, inner, _ := bytes.Cut(before[outer+1:], []byte("8:response;"))
	responseHead := inner[:bytes.IndexByte(inner, ':')]
	grown := func(was []byte) string {
		var n int
		fmt.Sscan(string(was), &n)
		return fmt.Sprint(n + huge + len(fmt.Sprint(huge)) + 2 - len("4:MARK,"))
	}
	inside := strings.Replace(string(before[outer:]), "8:response;"+string(responseHead), "8:response;"+grown(responseHead), 1)
	var total int
	fmt.Sscan(grown(before[:outer]), &total)
	total += len(grown(responseHead)) - len(responseHead)
	files := map[string]io.Reader{
		"content": io.MultiReader(strings.NewReader(fmt.Sprint(total)+inside+fmt.Sprint(huge)+":"), io.LimitReader(zeros{}, huge), strings.NewReader(","), bytes.NewReader(behind)),
		"claimed": strings.NewReader("999999999999:7:request;999999999900:7:content;999999999800:abc"),
		"name":    io.MultiReader(strings.NewReader(fmt.Sprintf("%d:%d:", huge+20, huge)), io.LimitReader(zeros{}, huge)),
	}
	for name, r := range files {
		var was, is runtime.MemStats
		runtime.ReadMemStats(&was)
		flows := 0
		_, err := mitmproxy.Read(r, mitmproxy.Options{Bodies: true, BodyLimit: 1 << 20}, func(f *flow.Flow) error {
			flows++
			equal(t, "size", f.Response.Body.Size, int64(huge))
			equal(t, "kept", len(f.Response.Body.Content), 1<<20)
			return nil
		})
		runtime.ReadMemStats(&is)
		if (err == nil) != (name == "content") || flows == 1 != (name == "content") {
			t.Errorf("%s: %d flows, error %v", name, flows, err)
		}
		if used := is.TotalAlloc - was.TotalAlloc; used > 8<<20 {
			t.Errorf("%s: %d bytes of memory", name, used)
		}
	}
}

func TestManyOfEverything(t *testing.T) {
	raced.SkipMeasure(t)
	t.Parallel()
	field := list{[]byte("a"), bytes.Repeat([]byte("v"), 1<<20)}
	many := func(v any, n int) list {
		out := make(list, n)
		for i := range out {
			out[i] = v
		}
		return out
	}
	dns := dict{"questions", many(dict{"name", "a.example", "type", 1}, 1500), "timestamp", when}
	flows, info, err := read(file(
		exchange.with("request", request.with("headers", many(field, 20), "path", bytes.Repeat([]byte("p"), 1<<20+1))),
		exchange.with("websocket", dict{"messages", many(list{1, true, bytes.Repeat([]byte("m"), 1<<20), when}, 70)}),
		dict{"type", "dns", "version", 21, "client_conn", clientConn, "server_conn", serverConn, "request", dns},
	))
	if err != nil || len(flows) != 3 {
		t.Fatalf("%d flows, error %v", len(flows), err)
	}
	equal(t, "fields", len(flows[0].Request.Header), 15)
	equal(t, "frames", len(flows[1].Frames), 63)
	equal(t, "counted all the same", flows[1].Sent, 70<<20)
	equal(t, "notes", strings.Join(info.Notes, " "), "Texts longer than 1 MiB, cut: 1. Messages with more than 16 MiB of header fields, the rest dropped: 1. "+
		"Flows with more WebSocket messages than fit in 64 MiB, the rest dropped: 1. DNS messages with more than 1000 records, the rest dropped: 1.")
}

// Flows wait for others in bounded memory: those for which there is no room come at
// once.
func TestManyWait(t *testing.T) {
	raced.SkipMeasure(t)
	t.Parallel()
	var flows []dict
	for i := range 70 {
		flows = append(flows, version7.with("id", fmt.Sprint(i), "metadata", dict{"websocket", true},
			"response", response.with("content", bytes.Repeat([]byte("c"), 1<<20))))
	}
	got, _, err := read(file(flows...))
	if err != nil || len(got) != 70 {
		t.Fatalf("%d flows, error %v", len(got), err)
	}
	equal(t, "the first to come", got[0].Origin.Entry, 64)
	equal(t, "the first that waited", got[7].Origin.Entry, 1)
}
