package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"telltale/feed"
	"telltale/reports"
	"telltale/token"
)

// keysFolder holds the key that signs tokens, of the feed and of links that acknowledge.
func keysFolder() string { return filepath.Join(dataHome(), "telltale", "tokens") }

// feedFolder holds, for each feed that is served, the header that lets a reader in.
func feedFolder() string { return filepath.Join(dataHome(), "telltale", "feed") }

// audience is the live feed of an audit: whoever has its token follows along.
type audience struct {
	server   *feed.Server
	listener net.Listener
	header   string // file with the header that carries the token
	log      *eventLog
	ended    chan error // what became of its last lines; nil before the end
}

// listenForReaders takes the port of --feed.
func (l *liveFlags) listenForReaders(s *streams) (*audience, error) {
	if l.feed == "" {
		return nil, nil
	}
	address, exposed, err := feed.ListenAddress(l.feed)
	if err != nil {
		return nil, fmt.Errorf("--feed: %w", err)
	}
	if l.feedLifetime <= 0 {
		return nil, fmt.Errorf("--feed-lifetime: %s is no time for which a token could be good", l.feedLifetime)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, withHint(fmt.Errorf("--feed: cannot listen on %s: %w", address, err), "choose another port, or let the system choose with --feed 0")
	}
	if exposed {
		s.say("warning: --feed: %s can be reached by others, and the feed does not encrypt: its token and the events can be read on the way", address)
	}
	return &audience{listener: listener}, nil
}

// abandon gives the port of a feed back that was never served.
func (f *audience) abandon() {
	if f != nil {
		f.listener.Close()
	}
}

// url is where the feed is read.
func (f *audience) url() string { return "http://" + reachable(f.listener.Addr()) + "/events" }

// startFeed serves the feed, where there is one. Until it is called, nobody is let in.
func (a *audit) startFeed(s *streams) error {
	f := a.feed
	if f == nil {
		return nil
	}
	key, err := token.OpenKey(keysFolder())
	if err != nil {
		return err
	}
	sweepHeaders(key)
	id := a.store.AuditID()
	pass, err := key.Sign(token.Claim{Scope: token.Feed, Subject: id, Expires: time.Now().Add(a.flags.feedLifetime)})
	if err != nil {
		return fmt.Errorf("--feed: %w", err)
	}
	if f.header, err = writeHeader(id, pass); err != nil {
		return err
	}
	f.server = feed.New(feed.Config{
		Check: func(text string) (time.Time, error) {
			claim, err := key.Check(text, token.Feed, time.Now())
			if err == nil && claim.Subject != id {
				err = token.ErrScope
			}
			return claim.Expires, err
		},
		Hello: a.present,
		Refused: func(address string, err error) {
			a.store.Note(fmt.Sprintf("a reader of the feed at %s was refused: %v", hostOf(address), err))
		},
		Dropped: func(address string) {
			s.say("warning: a reader of the feed at %s did not keep up, and was dropped", address)
		},
	})
	f.log = newEventLog(publisher{f.server}, a)
	f.log.wanted = func() bool { return f.server.Readers() > 0 }
	f.log.stop = follow(a.store, f.log.tell)
	go func() {
		if err := f.server.Serve(f.listener); err != nil && !errors.Is(err, net.ErrClosed) {
			s.complain(fmt.Errorf("the feed stopped: %w", err))
		}
	}()
	return nil
}

// bearer is what stands before the token in a header (RFC 6750 section 2.1).
const bearer = "Authorization: Bearer "

// writeHeader puts the header with the token into a file that its owner alone can read: a
// token on a command line, or in the log of a CI job, would be read by others.
func writeHeader(id, pass string) (path string, err error) {
	if err := os.MkdirAll(feedFolder(), 0o700); err != nil {
		return "", fmt.Errorf("--feed: cannot make the folder for the token: %w", err)
	}
	path = filepath.Join(feedFolder(), id)
	_ = os.Remove(path) // of an earlier session: its mode may have been changed
	if err := os.WriteFile(path, []byte(bearer+pass+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("--feed: cannot write the token: %w", err)
	}
	return path, nil
}

// sweepHeaders removes what feeds have left whose process was killed, once the token in it is
// of no use any more.
func sweepHeaders(key *token.Key) {
	entries, err := os.ReadDir(feedFolder())
	if err != nil {
		return // there is none yet
	}
	for _, e := range entries {
		path := filepath.Join(feedFolder(), e.Name())
		header, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		pass, _ := strings.CutPrefix(strings.TrimSpace(string(header)), bearer)
		if _, err := key.Check(pass, token.Feed, time.Now()); err != nil {
			_ = os.Remove(path) // what cannot be removed is tried again at the next start
		}
	}
}

// hostOf returns the host of HOST:PORT: a note for each port of a host that knocks would
// fill the record.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// present is what a reader gets first: how the audit stands.
func (a *audit) present() [][]byte {
	a.feed.log.join()
	var lines lineList
	l := newEventLog(&lines, a)
	l.print(a.listening())
	sum := a.store.Summary()
	l.tellDevices(sum)
	l.tellViolations(sum)
	return lines
}

// publisher gives each line that is written to the readers of a feed.
type publisher struct{ server *feed.Server }

// Write takes one line.
func (p publisher) Write(line []byte) (int, error) {
	p.server.Publish(line)
	return len(line), nil
}

// lineList keeps each line that is written.
type lineList [][]byte

// Write takes one line.
func (l *lineList) Write(line []byte) (int, error) {
	*l = append(*l, append([]byte(nil), line...))
	return len(line), nil
}

// announceFeed says where the feed is, and what lets a reader in.
func (a *audit) announceFeed(s *streams) {
	if a.feed != nil {
		s.say("  feed: curl -N -H @%s %s", quote(a.feed.header), a.feed.url())
	}
}

// conclude tells readers the rest and the summary, and goes on to wait for those that are
// slow: await says what became of it.
func (f *audience) conclude(s *streams, doc *reports.Report) {
	if f == nil || f.server == nil {
		return
	}
	if err := f.log.finish(doc); err != nil {
		s.complain(err)
	}
	f.ended = make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), sendingEnd)
		defer cancel()
		f.ended <- f.server.Close(ctx)
	}()
}

// await returns when the feed has ended.
func (f *audience) await(s *streams) (trouble bool) {
	if f == nil || f.ended == nil {
		return false
	}
	err := <-f.ended
	_ = os.Remove(f.header) // its token is of no use any more
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		s.complain(fmt.Errorf("cannot stop the feed: %w", err))
		return true
	}
	return false
}
