// Package experiment alters the traffic of a device on purpose, to see what an app does
// then: it refuses what the policy forbids (enforcement) or a person names, plays a network
// that is not as it should be (simulations), and applies rules of a file (package rules).
//
// It knows which experiments there are ([Simulations] is the only list), how they are
// written on a command line, which of them are in force, in which order they decide, and
// what is therefore done with one contact ([Set.Decide]). A [Set] may be switched at any
// time, by any goroutine. It also serves the sign-in page of captive-portal.
//
// It promises that an altered contact names its experiments, that the same seed decides the
// same contacts of a host alike, in whatever order hosts are contacted, that telltale's own
// pages are never touched, and that a set in which nothing is in force costs a contact one
// look at a pointer. An answer in the place of a server looks like a plain server's.
//
// It sends nothing, opens no socket and records nothing: package proxy does what it
// decides, and whoever wires the program records switches ([Config.Changed]). Its decisions
// are about connections, requests, questions of DNS and UDP; echo requests are not asked
// about.
//
// To debug it: [Set.Active] says what is in force; a decision's By names who made it, and
// Why or What says what was meant. The tables of decisions in decide_test.go have each
// experiment at each stage of a contact.
package experiment
