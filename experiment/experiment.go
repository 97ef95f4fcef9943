// Package experiment alters the traffic of a device on purpose, to see what an app does
// then: it refuses what the policy forbids (enforcement), plays a network that is not as
// it should be (simulations), and applies rules of a file (package rules).
//
// It knows which experiments there are ([Simulations] is the only list), how they are
// written on a command line, which of them are in force, and what is therefore done with
// one contact ([Set.Decide]). A [Set] may be switched at any time, by any goroutine.
//
// It promises that an altered contact names its experiments, that the same seed decides the same
// contacts of a host alike, and that a set in which nothing is in force costs a contact one
// look at a pointer. It sends nothing, opens no socket and records nothing: package proxy
// does what it decides, and whoever wires the program records switches ([Config.Changed]).
package experiment
