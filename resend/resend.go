// Package resend sends the requests of a recording again, to a server that its user names.
package resend
