package contacts

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"telltale/flow"
)

// The blocks of pcapng that are read (draft-ietf-opsawg-pcapng, 4); others are passed.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockOldPacket = 2
	blockSimple    = 3
	blockPacket    = 6
	blockCustom    = 0xbad
)

// blocks reads pcapng.
type blocks struct {
	w          *window
	order      binary.ByteOrder
	interfaces []captureInterface // of the section
	program    string             // that wrote the section
	apps       appNames
}

// captureInterface is what a block says of an interface.
type captureInterface struct {
	link    uint32
	snap    uint32
	ticks   uint64 // of a time in a second
	seconds int64  // to add to a time
}

// maxInterfaces bounds how many interfaces a section may have.
const maxInterfaces = 4096

// sectionOrder reads the byte-order magic of a section; nil when it is none.
func sectionOrder(b []byte) binary.ByteOrder {
	for _, order := range [...]binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if order.Uint32(b) == 0x1a2b3c4d {
			return order
		}
	}
	return nil
}

func (s *blocks) producer() string { return s.program }

func (s *blocks) next(f *frame) error {
	for {
		kind, body, err := s.block()
		if err != nil {
			return err
		}
		found := false
		switch kind {
		case blockSection:
			s.section(body)
		case blockInterface:
			err = s.newInterface(body)
		case blockPacket:
			found, err = s.packet(body, f)
		case blockOldPacket:
			found, err = s.oldPacket(body, f)
		case blockSimple:
			found, err = s.simplePacket(body, f)
		case blockCustom:
			s.custom(body)
		}
		if found || err != nil {
			return err
		}
	}
}

// block reads the next block of a kind that is needed; of others the body is empty.
func (s *blocks) block() (kind uint32, body []byte, err error) {
	head, err := s.w.r.Peek(s.w.passed + 12)
	if len(head) == s.w.passed && err == io.EOF {
		return 0, nil, io.EOF
	}
	if err != nil {
		return 0, nil, cut("this block", err)
	}
	head = head[s.w.passed:]
	if binary.BigEndian.Uint32(head) == blockSection { // the same in both orders
		if s.order = sectionOrder(head[8:12]); s.order == nil {
			return 0, nil, damaged("expected the byte order of a section, found neither")
		}
	}
	if s.order == nil {
		return 0, nil, damaged("expected a section of pcapng, found none")
	}
	kind, length := s.order.Uint32(head), s.order.Uint32(head[4:])
	switch {
	case length < 12 || length%4 != 0 || length > math.MaxInt32:
		return 0, nil, damaged("expected the length of a block, found %d", length)
	case length > maxBlock && (kind == blockPacket || kind == blockOldPacket || kind == blockSimple || kind == blockSection || kind == blockInterface):
		return 0, nil, damaged("expected a block of at most %d bytes, found one of %d", maxBlock, length)
	case length > maxBlock:
		if err := s.w.skip(int(length)); err != nil {
			return 0, nil, cut("this block", err)
		}
		return 0, nil, nil
	}
	whole, err := s.w.take(int(length))
	if err != nil {
		return 0, nil, cut("this block", err)
	}
	if again := s.order.Uint32(whole[length-4:]); again != length {
		return 0, nil, damaged("a block says at its end that it has %d bytes, and at its start %d", again, length)
	}
	return kind, whole[8 : length-4], nil
}

func damaged(format string, args ...any) error {
	return &Error{Message: fmt.Sprintf(format, args...) + ": the file is damaged"}
}

// section begins a section, which has interfaces of its own.
func (s *blocks) section(body []byte) {
	s.interfaces = s.interfaces[:0]
	if len(body) < 16 {
		return
	}
	s.options(body[16:], func(code uint16, value []byte) {
		if code == 4 && s.program == "" { // shb_userappl
			s.program = strings.ToValidUTF8(string(value[:min(len(value), maxText)]), "")
		}
	})
}

// options calls visit for each option (3.5).
func (s *blocks) options(b []byte, visit func(code uint16, value []byte)) {
	for len(b) >= 4 {
		code, length := s.order.Uint16(b), int(s.order.Uint16(b[2:]))
		b = b[4:]
		if code == 0 || length > len(b) {
			return
		}
		visit(code, b[:length])
		b = b[min(len(b), (length+3)&^3):]
	}
}

// newInterface reads an interface (4.2).
func (s *blocks) newInterface(body []byte) error {
	if len(body) < 8 || len(s.interfaces) >= maxInterfaces {
		return damaged("expected an interface, found %d bytes after %d of them", len(body), len(s.interfaces))
	}
	i := captureInterface{link: uint32(s.order.Uint16(body)), snap: s.order.Uint32(body[4:]), ticks: 1e6}
	s.options(body[8:], func(code uint16, value []byte) {
		switch {
		case code == 9 && len(value) == 1: // if_tsresol
			i.ticks = ticks(value[0])
		case code == 14 && len(value) == 8: // if_tsoffset
			i.seconds = int64(s.order.Uint64(value))
		}
	})
	s.interfaces = append(s.interfaces, i)
	return nil
}

// ticks returns how many units a second has, by powers of ten or of two; what is finer
// than a time can tell counts as microseconds.
func ticks(resolution byte) uint64 {
	power := uint64(resolution & 0x7f)
	switch {
	case resolution&0x80 != 0 && power < 63:
		return 1 << power
	case resolution&0x80 == 0 && power <= 18:
		return uint64(math.Pow10(int(power)))
	}
	return 1e6
}

// nanoseconds makes a time of an interface's units.
func (i *captureInterface) nanoseconds(t uint64) int64 {
	whole, part := t/i.ticks, t%i.ticks
	return (int64(whole)+i.seconds)*1e9 + int64(float64(part)*(1e9/float64(i.ticks)))
}

// packet reads an Enhanced Packet Block (4.3). PCAPdroid puts the app's UID into a
// comment, "u-10123".
func (s *blocks) packet(body []byte, f *frame) (bool, error) {
	if len(body) < 20 {
		return false, damaged("expected a packet, found a block of %d bytes", len(body))
	}
	n := s.order.Uint32(body)
	found, err := s.found(f, n, s.order.Uint32(body[4:]), s.order.Uint32(body[8:]), s.order.Uint32(body[12:]), body[20:])
	if !found {
		return found, err
	}
	if rest := body[20:]; len(rest) > len(f.data) && len(s.apps.byUID) > 0 {
		s.options(rest[min(len(rest), (len(f.data)+3)&^3):], func(code uint16, value []byte) {
			digits, ok := bytes.CutPrefix(value, []byte("u-"))
			if code != 1 || !ok || len(digits) > 10 {
				return
			}
			if uid, err := strconv.ParseUint(string(bytes.TrimRight(digits, "\x00")), 10, 32); err == nil {
				f.app = s.apps.byUID[uint32(uid)]
			}
		})
	}
	return true, nil
}

// oldPacket reads the Packet Block that came before (A.1).
func (s *blocks) oldPacket(body []byte, f *frame) (bool, error) {
	if len(body) < 20 {
		return false, damaged("expected a packet, found a block of %d bytes", len(body))
	}
	return s.found(f, uint32(s.order.Uint16(body)), s.order.Uint32(body[4:]), s.order.Uint32(body[8:]), s.order.Uint32(body[12:]), body[20:])
}

// simplePacket reads a Simple Packet Block (4.4), which has no time.
func (s *blocks) simplePacket(body []byte, f *frame) (bool, error) {
	if len(body) < 4 || len(s.interfaces) == 0 {
		return false, damaged("expected a packet of a known interface, found none")
	}
	size := s.order.Uint32(body)
	if snap := s.interfaces[0].snap; snap > 0 {
		size = min(size, snap)
	}
	found, err := s.found(f, 0, 0, 0, min(size, uint32(len(body)-4)), body[4:])
	f.time = 0
	return found, err
}

// found fills in a frame.
func (s *blocks) found(f *frame, n, high, low, size uint32, data []byte) (bool, error) {
	if int64(n) >= int64(len(s.interfaces)) {
		return false, damaged("a packet is of interface %d, of %d", n, len(s.interfaces))
	}
	if int64(size) > int64(len(data)) {
		return false, damaged("a packet of %d bytes stands in a block that has %d", size, len(data))
	}
	i := &s.interfaces[n]
	*f = frame{data: data[:size], link: i.link, time: i.nanoseconds(uint64(high)<<32 | uint64(low))}
	return true, nil
}

// PCAPdroid's own block says which app has a UID: its private enterprise number, a
// version, the kind 1, and behind the UID the lengths of the package's name and of the
// app's name, and both.
const pcapdroidNumber = 62652

// custom reads a block of PCAPdroid's (4.8 for the form).
func (s *blocks) custom(body []byte) {
	if len(body) < 14 || s.order.Uint32(body) != pcapdroidNumber || body[6] != 1 {
		return
	}
	uid, names := s.order.Uint32(body[8:]), body[14:]
	id, name := int(body[12]), int(body[13])
	if id+name > len(names) || len(s.apps.byUID) >= maxInterned {
		return
	}
	if s.apps.byUID == nil {
		s.apps.byUID = map[uint32]flow.App{}
	}
	s.apps.byUID[uid] = flow.App{
		ID:   strings.ToValidUTF8(string(names[:id]), ""),
		Name: strings.ToValidUTF8(string(names[id:id+name]), ""),
	}
	if s.program == "" {
		s.program = "PCAPdroid"
	}
}
