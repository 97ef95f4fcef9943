package wireguard

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// endpoint is the link as the stack sees it: a [stack.LinkEndpoint] and
// [stack.GSOEndpoint]. Checksums are verified as packets come (parsePacket) and made as
// they leave (segments), so the stack does neither.
type endpoint struct{ *link }

var _ stack.GSOEndpoint = endpoint{}

// WritePackets implements [stack.LinkWriter]. It waits while the queue is full: to the
// stack that is a slow link, where dropping would be a lossy one.
func (e endpoint) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	for n, pkt := range list.AsSlice() {
		select {
		case e.out <- outgoing{pkt: pkt.IncRef()}:
		case <-e.closed:
			pkt.DecRef()
			return n, &tcpip.ErrClosedForSend{}
		}
	}
	return list.Len(), nil
}

// Attach implements [stack.NetworkLinkEndpoint].
func (e endpoint) Attach(d stack.NetworkDispatcher) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dispatcher = d
}

// IsAttached implements [stack.NetworkLinkEndpoint].
func (e endpoint) IsAttached() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.dispatcher != nil
}

// deliver hands a packet to the stack, while it is attached.
func (l *link) deliver(protocol tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	l.mu.RLock()
	d := l.dispatcher
	l.mu.RUnlock()
	if d != nil {
		d.DeliverNetworkPacket(protocol, pkt)
	}
}

// Capabilities implements [stack.NetworkLinkEndpoint].
func (endpoint) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityRXChecksumOffload | stack.CapabilityTXChecksumOffload
}

// MTU implements [stack.NetworkLinkEndpoint].
func (endpoint) MTU() uint32 { return MTU }

// GSOMaxSize implements [stack.GSOEndpoint].
func (endpoint) GSOMaxSize() uint32 { return superSize }

// SupportedGSO implements [stack.GSOEndpoint].
func (endpoint) SupportedGSO() stack.SupportedGSO { return stack.HostGSOSupported }

// ARPHardwareType implements [stack.NetworkLinkEndpoint].
func (endpoint) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }

// The rest is of links with addresses and headers, which this one has not.

// SetMTU implements [stack.NetworkLinkEndpoint].
func (endpoint) SetMTU(uint32) {}

// MaxHeaderLength implements [stack.NetworkLinkEndpoint].
func (endpoint) MaxHeaderLength() uint16 { return 0 }

// LinkAddress implements [stack.NetworkLinkEndpoint].
func (endpoint) LinkAddress() tcpip.LinkAddress { return "" }

// SetLinkAddress implements [stack.NetworkLinkEndpoint].
func (endpoint) SetLinkAddress(tcpip.LinkAddress) {}

// Wait implements [stack.NetworkLinkEndpoint].
func (endpoint) Wait() {}

// AddHeader implements [stack.NetworkLinkEndpoint].
func (endpoint) AddHeader(*stack.PacketBuffer) {}

// ParseHeader implements [stack.NetworkLinkEndpoint].
func (endpoint) ParseHeader(*stack.PacketBuffer) bool { return true }

// Close implements [stack.NetworkLinkEndpoint].
func (e endpoint) Close() { e.link.Close() }

// SetOnCloseAction implements [stack.NetworkLinkEndpoint].
func (endpoint) SetOnCloseAction(func()) {}
