package capture

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"time"

	"telltale/flow"
	"telltale/flow/plain"
	"telltale/policy"
)

// Limits of the names that a person gives.
const (
	MaxDeviceName  = 60   // columns of a terminal that a name takes
	MaxDeviceNames = 1000 // addresses of one capture that are named
)

// ErrReadOnly is what errors.Is finds when a capture that was opened for reading is to
// be changed.
var ErrReadOnly = errors.New("the capture is open for reading only")

// deviceNames are the names that a person gave. An empty one takes away the name that
// flows carry. They are never changed in place.
type deviceNames map[netip.Addr]string

// of returns the name of the client of a flow: what the person said, or else what the
// flow carries.
func (n deviceNames) of(client netip.Addr, carried string) string {
	if name, said := n[clientAddr(client)]; said {
		return name
	}
	return carried
}

// NameDevice gives the device at an address the name by which a person calls it, "" to
// take it away. The capture keeps it; flows that are read back carry it. A name is
// brought onto one line of at most [MaxDeviceName] columns. Several addresses may have one
// name, as the addresses have that a phone had one after the other.
//
// The error is [ErrReadOnly] for a capture that was opened for reading. Where the file
// cannot be written, the name lasts until Close all the same.
func (s *Store) NameDevice(addr netip.Addr, name string) error {
	clean := plain.Name(name, MaxDeviceName)
	addr = clientAddr(addr)
	switch {
	case s.worker == nil:
		return fmt.Errorf("name the device %s: %w", addr, ErrReadOnly)
	case !addr.IsValid():
		return errors.New("name a device: it has no address")
	case clean == "" && name != "":
		return fmt.Errorf("name the device %s: the name %q has no character that shows", addr, name)
	}
	s.naming.Lock()
	defer s.naming.Unlock()
	before := *s.names.Load()
	if _, known := before[addr]; !known && len(before) >= MaxDeviceNames {
		return fmt.Errorf("name the device %s: %d devices have names already", addr, len(before))
	}
	names := maps.Clone(before)
	names[addr] = clean
	s.names.Store(&names)
	s.mu.Lock()
	s.changedLocked()
	s.mu.Unlock()
	if s.path == "" {
		return nil
	}
	err := s.worker.doWriting(func(w *writer) error { return w.nameDevice(s.opts.Now(), addr, clean) })
	if err != nil {
		return fmt.Errorf("name the device %s: %w", addr, err)
	}
	return nil
}

func (w *writer) nameDevice(now time.Time, addr netip.Addr, name string) error {
	return w.once("INSERT OR REPLACE INTO device_names(address, name, named) VALUES (?,?,?)", addr.String(), name, now.UnixMicro())
}

// DeviceName returns the name of the device at an address and whose name it is, as the
// summary does; "" when nothing names it. What a device says of itself counts from the end
// of a flow.
func (s *Store) DeviceName(addr netip.Addr) (string, NameSource) {
	addr = clientAddr(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.totals.devices.rows[addr]
	if d == nil {
		d = &deviceTotal{addr: addr}
	}
	return s.nameOf(d)
}

// nameOf says what a device is called: by a person, by the policy, or by itself.
func (s *Store) nameOf(d *deviceTotal) (string, NameSource) {
	if name := s.names.Load().of(d.addr, d.name); name != "" {
		return name, NamedByPerson
	}
	if name := policy.DeviceName(s.verdict.judging(), d.addr); name != "" {
		return name, NamedByPolicy
	}
	if name := d.agents.Name(); name != "" {
		return name, NamedByAgent
	}
	return "", ""
}

// loadNames reads the names that a file holds. Files of version 1 have none.
func (s *Store) loadNames(ctx context.Context) error {
	names := deviceNames{}
	err := s.read(ctx, func(c *conn) error {
		if version, err := checkHeader(c, s.path); err != nil || version < 2 {
			return err
		}
		st, err := c.prepare("SELECT address, name FROM device_names LIMIT ?")
		if err != nil {
			return err
		}
		defer st.Close()
		return st.each(func(r []driver.Value) error {
			row := columns(r)
			addr, err := netip.ParseAddr(row.str(0))
			if err != nil {
				return damaged(s.path, fmt.Errorf("device_names: %w", err))
			}
			names[clientAddr(addr)] = plain.Name(row.str(1), MaxDeviceName)
			return nil
		}, int64(MaxDeviceNames))
	})
	if err == nil {
		s.names.Store(&names)
	}
	return err
}

// DeviceOf returns the name of the device that a flow is of, "" when nothing names it:
// for the filter of package capture/filter.
func (s *Store) DeviceOf(f *flow.Flow) string {
	name, _ := s.DeviceName(f.Client.Addr.Addr())
	return cmp.Or(name, f.Client.Device)
}
