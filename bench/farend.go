package main

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"telltale/proxy/wireguard/phone"
)

// The addresses of an empty pair.
const (
	nearAddress = "10.99.0.2"
	farAddress  = "10.99.0.1"
	farPort     = 80
)

// emptyPair measures two network stacks with WireGuard between them and nothing else:
// no TLS, nothing recorded, one process for each end as with telltale.
func (b *bench) emptyPair() (s speeds, err error) {
	near, far, err := pairOfConfigurations()
	if err != nil {
		return s, err
	}
	file := filepath.Join(b.dir, "far.conf")
	if err := os.WriteFile(file, []byte(far), 0o600); err != nil {
		return s, err
	}
	p, err := start(b.self, roleCommand, farEndRole, file)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	end, err := phone.Open(near)
	if err != nil {
		return s, err
	}
	defer end.Close()
	var down, up []float64
	for range b.rounds {
		for _, way := range []struct {
			speeds *[]float64
			wish   byte
		}{{&down, 'd'}, {&up, 'u'}} {
			begin := time.Now()
			if err := transfer(end, way.wish, b.pairMiB); err != nil {
				return s, err
			}
			*way.speeds = append(*way.speeds, float64(b.pairMiB)/time.Since(begin).Seconds())
		}
	}
	return speeds{median(down), median(up)}, nil
}

// transfer wishes for bytes, or sends them, and waits until all have come.
func transfer(end *phone.Phone, wish, mib byte) error {
	c, err := end.Net.DialContext(context.Background(), "tcp", net.JoinHostPort(farAddress, fmt.Sprint(farPort)))
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte{wish, mib}); err != nil {
		return err
	}
	size := int64(mib) << 20
	if wish == 'd' {
		_, err = io.CopyN(io.Discard, c, size)
		return err
	}
	if _, err := io.CopyN(c, zeros{}, size); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 1))
	return err
}

// zeros never end.
type zeros struct{}

// Read leaves b as it is.
func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// serveFarEnd is the other end of an empty pair.
func serveFarEnd(file string, stderr io.Writer) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	end, err := phone.Open(string(text))
	if err != nil {
		return err
	}
	l, err := end.Net.ListenTCP(&net.TCPAddr{IP: net.ParseIP(farAddress), Port: farPort})
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%s%s\n", ready, l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go serveTransfer(c)
	}
}

func serveTransfer(c net.Conn) {
	defer c.Close()
	var wish [2]byte // which way, and how many MiB
	if _, err := io.ReadFull(c, wish[:]); err != nil {
		return
	}
	size := int64(wish[1]) << 20
	if wish[0] == 'd' {
		io.CopyN(c, zeros{}, size)
		return
	}
	if _, err := io.CopyN(io.Discard, c, size); err == nil {
		c.Write(wish[:1])
	}
}

// pairOfConfigurations makes the keys of two ends, and finds a port for one.
func pairOfConfigurations() (near, far string, err error) {
	var private, public [2]string
	for i := range private {
		key, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			return "", "", err
		}
		private[i] = base64.StdEncoding.EncodeToString(key.Bytes())
		public[i] = base64.StdEncoding.EncodeToString(key.PublicKey().Bytes())
	}
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	_, port, _ := net.SplitHostPort(free.LocalAddr().String())
	free.Close()
	near = fmt.Sprintf("PrivateKey = %s\nAddress = %s/32\nPublicKey = %s\nAllowedIPs = 0.0.0.0/0\nEndpoint = 127.0.0.1:%s\n", private[0], nearAddress, public[1], port)
	far = fmt.Sprintf("PrivateKey = %s\nAddress = %s/32\nListenPort = %s\nPublicKey = %s\nAllowedIPs = %s/32\n", private[1], farAddress, port, public[0], nearAddress)
	return near, far, nil
}
