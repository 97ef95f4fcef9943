// Package link makes the sockets of clients as slow as a link of another kind.
package link
