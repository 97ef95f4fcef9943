package transport

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/policy"
)

// A receiver is a server over loopback that answers each request as its script says. It
// speaks HTTP by hand, so that it can speak it badly.
type receiver struct {
	url string
	got chan struct{} // has room for each request

	mutex       sync.Mutex
	connections int
	bodies      map[string][]byte // by idempotency key
	received    int               // requests that were read whole
	requests    []*http.Request
}

// An act is how a receiver treats one request, which it has read whole. It returns false
// when the connection is at its end.
type act func(r *receiver, conn net.Conn) bool

// script starts a receiver: the acts are played in order, and the last one again and again.
func script(t *testing.T, acts ...act) *receiver {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, listener, "http", acts...)
}

func serve(t *testing.T, listener net.Listener, scheme string, acts ...act) *receiver {
	t.Helper()
	r := &receiver{url: scheme + "://" + listener.Addr().String(), got: make(chan struct{}, 10000), bodies: map[string][]byte{}}
	var running sync.WaitGroup
	open := map[net.Conn]bool{}
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r.mutex.Lock()
			r.connections++
			open[conn] = true
			r.mutex.Unlock()
			running.Go(func() {
				defer conn.Close()
				r.play(conn, acts)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		r.mutex.Lock()
		for conn := range open {
			conn.Close()
		}
		r.mutex.Unlock()
		running.Wait()
	})
	return r
}

func (r *receiver) play(conn net.Conn, acts []act) {
	reader := bufio.NewReader(conn)
	for {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		r.mutex.Lock()
		next := acts[min(r.received, len(acts)-1)]
		r.received++
		r.requests = append(r.requests, request)
		r.bodies[request.Header.Get("Idempotency-Key")] = body
		r.mutex.Unlock()
		r.got <- struct{}{}
		if !next(r, conn) {
			return
		}
	}
}

// count returns how many requests came, and how many different messages.
func (r *receiver) count() (requests, messages int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.received, len(r.bodies)
}

// say answers with a status, a body and headers ("Name: value").
func say(status int, body string, headers ...string) act {
	return func(_ *receiver, conn net.Conn) bool {
		var b strings.Builder
		b.WriteString("HTTP/1.1 " + strconv.Itoa(status) + " X\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n")
		for _, header := range headers {
			b.WriteString(header + "\r\n")
		}
		_, err := io.WriteString(conn, b.String()+"\r\n"+body)
		return err == nil
	}
}

// raw sends bytes and closes.
func raw(text string) act {
	return func(_ *receiver, conn net.Conn) bool {
		io.WriteString(conn, text)
		return false
	}
}

// hang never answers.
func hang(_ *receiver, conn net.Conn) bool {
	io.Copy(io.Discard, conn)
	return false
}

// reset breaks the connection off after some bytes.
func reset(text string) act {
	return func(_ *receiver, conn net.Conn) bool {
		io.WriteString(conn, text)
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		return false
	}
}

// endless sends the head and then the text for ever.
func endless(head, text string) act {
	return func(_ *receiver, conn net.Conn) bool {
		io.WriteString(conn, head)
		block := bytes.Repeat([]byte(text), 1000)
		for {
			if _, err := conn.Write(block); err != nil {
				return false
			}
		}
	}
}

var echo = "no such hook: http://h/services/" + hookSecret + " key " + keySecret

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind   policy.DestinationKind
		act    act
		status Status
		reason string
	}{
		"ok":                   {policy.Slack, say(200, "ok"), Delivered, ""},
		"no content":           {policy.Discord, say(204, ""), Delivered, ""},
		"accepted":             {policy.Teams, say(202, ""), Delivered, ""},
		"teams says 429":       {policy.Teams, say(200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=0"), Again, "429"},
		"teams says 400":       {policy.Teams, say(200, "Microsoft Teams endpoint returned HTTP error 400"), Rejected, "400"},
		"slack says no":        {policy.Slack, say(200, `{"ok":false,"error":"invalid_trigger"}`), Rejected, "invalid_trigger"},
		"sign-in page":         {policy.Mattermost, say(200, "<html>sign in", "Content-Type: text/html"), Again, "sign-in page"},
		"page of a program":    {policy.Webhook, say(200, "<html>thanks", "Content-Type: text/html"), Delivered, ""},
		"redirect private":     {policy.Webhook, say(301, "", "Location: http://127.0.0.1:1/"), Rejected, "the receiver redirects (301), which is not followed"},
		"redirect 307":         {policy.Slack, say(307, "", "Location: http://169.254.169.254/latest"), Rejected, "(307)"},
		"redirect, echoed":     {policy.Webhook, say(302, "", "Location: http://h/"+hookSecret), Rejected, "(302)"},
		"304":                  {policy.Webhook, say(304, ""), Rejected, "(304)"},
		"bad request":          {policy.Slack, say(400, "invalid_payload"), Rejected, "answered 400 Bad Request: invalid_payload"},
		"gone":                 {policy.Slack, say(404, "no_service"), Rejected, "no_service, the webhook was removed"},
		"discord unknown":      {policy.Discord, say(404, `{"message": "Unknown Webhook", "code": 10015}`), Rejected, "404 Not Found: Unknown Webhook"},
		"problem details":      {policy.Webhook, say(422, `{"title":"not valid","detail":"field kind"}`), Rejected, "not valid, field kind"},
		"html 403":             {policy.Webhook, say(403, "<!DOCTYPE html><p>go away", "Content-Type: text/html; charset=utf-8"), Rejected, "answered 403 Forbidden"},
		"echo":                 {policy.Webhook, say(404, echo), Rejected, "no such hook"},
		"echo in JSON":         {policy.Webhook, say(404, `{"error":{"message":"bad `+strings.ReplaceAll(hookSecret, "/", `\/`)+`"}}`), Rejected, "bad"},
		"echo in part":         {policy.Webhook, say(404, "token x8KsecretPart24 is unknown"), Rejected, "is unknown"},
		"echo with zero width": {policy.Webhook, say(404, "x8Ksecret\u200bPart24Chars"), Rejected, "[redacted]"},
		"controls":             {policy.Webhook, say(404, "\x1b[31mred\u202e\r\nX: y\x00"), Rejected, "red X: y"},
		"408":                  {policy.Webhook, say(408, ""), Again, "408"},
		"425":                  {policy.Webhook, say(425, ""), Again, "425 Too Early"},
		"429":                  {policy.Webhook, say(429, ""), Again, "429"},
		"500":                  {policy.Slack, say(500, "rollup_error"), Again, "rollup_error"},
		"502":                  {policy.Webhook, say(502, ""), Again, "502"},
		"503":                  {policy.Webhook, say(503, echo), Again, "503"},
		"504":                  {policy.Webhook, say(504, ""), Again, "504"},
		"599":                  {policy.Webhook, say(599, ""), Again, "599"},
		"999":                  {policy.Webhook, say(999, ""), Again, "999"},
		"401":                  {policy.Webhook, say(401, ""), Rejected, "401"},
		"410":                  {policy.Slack, say(410, "channel_is_archived"), Rejected, "archived"},
		"100 for ever":         {policy.Webhook, endless("", "HTTP/1.1 100 Continue\r\n\r\n"), Again, ""},
		"hang":                 {policy.Webhook, hang, Again, "did not answer in time"},
		"closed":               {policy.Webhook, raw(""), Again, "closed the connection"},
		"half an answer":       {policy.Webhook, raw("HTTP/1.1 200 OK\r\nConte"), Again, "broken"},
		"reset":                {policy.Webhook, reset(""), Again, "the connection"},
		"reset in the head":    {policy.Webhook, reset("HTTP/1.1 200 OK\r\nX: "), Again, "the connection"},
		"reset in the body":    {policy.Webhook, reset("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), Delivered, ""},
		"garbage":              {policy.Webhook, raw("\x00\x01\x02 SSH-2.0 " + echo + "\r\n\r\n"), Again, "no answer"},
		"negative length":      {policy.Webhook, raw("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), Again, "no answer"},
		"endless body":         {policy.Webhook, endless("HTTP/1.1 200 OK\r\n\r\n", "x"), Delivered, ""},
		"endless refusal":      {policy.Webhook, endless("HTTP/1.1 400 X\r\n\r\n", hookSecret), Rejected, "400"},
		"endless headers":      {policy.Webhook, endless("HTTP/1.1 200 OK\r\n", "X-A: b\r\n"), Again, ""},
		"endless header":       {policy.Webhook, endless("HTTP/1.1 200 OK\r\nX-A: ", "b"), Again, ""},
		"slow body":            {policy.Webhook, rest("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok"), Delivered, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := script(t, test.act)
			timeout, began := patient, time.Now()
			if name == "hang" || name == "slow body" {
				timeout = impatient
			}
			o := send(t, newClient(t, timeout), hook(t, test.kind, r.url), violation("m1"))
			expect(t, o, test.status, test.reason)
			if took := time.Since(began); strings.HasPrefix(name, "endless") && took > patient/2 {
				t.Errorf("it was listened to for %v", took)
			}
			if requests, _ := r.count(); requests != 1 {
				t.Errorf("%d requests were made in one attempt", requests)
			}
		})
	}
}

// rest sends bytes and then nothing more.
func rest(text string) act {
	return func(r *receiver, conn net.Conn) bool {
		io.WriteString(conn, text)
		return hang(r, conn)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	c := newClient(t, patient)
	expect(t, send(t, c, hook(t, policy.Webhook, "http://"+address), violation("m1")), Again, "refused the connection")
	// RFC 6761, section 6.4: this name never resolves.
	expect(t, send(t, c, hook(t, policy.Webhook, "http://hooks.invalid"), violation("m1")), Again, "name")
}

func TestConnectionIsKept(t *testing.T) {
	t.Parallel()
	r := script(t, say(200, "ok"))
	c, target := newClient(t, patient), hook(t, policy.Slack, r.url)
	for i := range 20 {
		expect(t, send(t, c, target, violation(strconv.Itoa(i))), Delivered, "")
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.connections != 1 {
		t.Errorf("%d connections were opened for 20 messages", r.connections)
	}
}

// A receiver may close a kept connection at the moment that it is used again. net/http would
// send a request with an idempotency key again by itself; an attempt is one request.
func TestKeptConnectionThatBreaksIsNotUsedTwice(t *testing.T) {
	t.Parallel()
	r := script(t, say(200, "ok"), reset(""), say(200, "ok"))
	c, target := newClient(t, patient), hook(t, policy.Slack, r.url)
	expect(t, send(t, c, target, violation("m1")), Delivered, "")
	expect(t, send(t, c, target, violation("m2")), Again, "the connection")
	if requests, _ := r.count(); requests != 2 {
		t.Errorf("%d requests after two attempts", requests)
	}
}

// A receiver that accepts, hangs, breaks off, answers too late and says 408 at random gets
// each message, and can tell repetitions by the key.
func TestUnreliableReceiverGetsEachMessageOnce(t *testing.T) {
	t.Parallel()
	seed := rand.NewPCG(7, 8)
	var mutex sync.Mutex
	acts := []act{say(200, "ok"), hang, reset(""), say(408, ""), say(503, "", "Retry-After: 0"), raw("HTTP/1.1"), say(200, "ok"), say(429, "")}
	any := func(r *receiver, conn net.Conn) bool {
		mutex.Lock()
		n := seed.Uint64() % uint64(len(acts))
		mutex.Unlock()
		return acts[n](r, conn)
	}
	r := script(t, any)
	c, target := newClient(t, impatient/4), hook(t, policy.Webhook, r.url)
	for i := range 30 {
		o, _ := eventually(t, c, target, violation("m"+strconv.Itoa(i)))
		expect(t, o, Delivered, "")
	}
	requests, messages := r.count()
	if messages != 30 || requests <= 30 {
		t.Errorf("%d requests with %d messages", requests, messages)
	}
}

func TestRedirectReachesNobody(t *testing.T) {
	t.Parallel()
	inside := script(t, say(200, "ok"))
	outside := script(t, say(301, "", "Location: "+inside.url+"/admin"))
	expect(t, send(t, newClient(t, patient), hook(t, policy.Webhook, outside.url), violation("m1")), Rejected, "not followed")
	if requests, _ := inside.count(); requests != 0 {
		t.Error("the redirect was followed")
	}
}
