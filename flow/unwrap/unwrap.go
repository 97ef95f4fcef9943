// Package unwrap takes apart what a device sent, so that a value can be found in it
// however it was wrapped.
package unwrap

import "telltale/flow"

// A Value is one text that the device sent, at its place.
type Value struct {
	// Name is the nearest name: of the member, parameter, field, part or header; "" for none.
	Name string
	// Text is the value without the encodings in Layers. It must not be kept or changed.
	Text []byte
	// Layers are the encodings that were undone, the outermost first.
	Layers []string
}

// Where returns the place: "query email", "header X-User", "cookie sid", "URL path",
// "body.json $.user.mail", "body.form mail", "body.multipart mail", "body.protobuf 2.1",
// "WebSocket message 3 $.mail", "gRPC message 1 2.1", "DNS name".
func (v *Value) Where() string { return "" }

// Values visits every value that the device sent in a flow whose content is loaded,
// until visit returns false.
func Values(f *flow.Flow, visit func(*Value) bool) {}

// Texts visits what there is to search in a flow: each part as it stands, and each text
// that appears when an encoding is undone. What Values visits stands in one of them.
func Texts(f *flow.Flow, visit func(text []byte) bool) {}
