package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// serveTunnel forwards what comes behind each CONNECT unread. Go moves the bytes
// inside the kernel (splice), so this is what being in between costs at least.
func serveTunnel(listener net.Listener) error {
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		go tunnel(client)
	}
}

func tunnel(client net.Conn) {
	defer client.Close()
	target, err := acceptConnect(client)
	if err != nil {
		return
	}
	server, err := net.Dial("tcp", loopback(target))
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		io.Copy(server, client)
		server.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(client, server)
}

// acceptConnect reads a CONNECT request, answers it and returns its target.
func acceptConnect(client net.Conn) (target string, err error) {
	request, err := http.ReadRequest(bufio.NewReader(client))
	if err != nil {
		return "", err
	}
	_, err = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	return request.Host, err
}

// loopback is where every name leads here: this machine, at the asked port.
func loopback(target string) string {
	_, port, err := net.SplitHostPort(target)
	if err != nil {
		port = "443"
	}
	return net.JoinHostPort("127.0.0.1", port)
}
