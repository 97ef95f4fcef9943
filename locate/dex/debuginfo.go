package dex

// The opcodes of debug_info_item; from dbgSpecial on, one byte moves both line and address.
const (
	dbgEnd           = 0x00
	dbgAdvancePC     = 0x01
	dbgAdvanceLine   = 0x02
	dbgStartLocal    = 0x03
	dbgStartExtended = 0x04
	dbgEndLocal      = 0x05
	dbgRestartLocal  = 0x06
	dbgSetFile       = 0x09
	dbgSpecial       = 0x0a
)

// line is the line of the source that an instruction at a unit of a method's code comes from; 0
// where the debug information does not tell.
func (p *part) line(item int, unit uint32) int {
	off := int(u32(p.data, item+8))
	if off == 0 || off >= len(p.data) {
		return 0
	}
	c := cursor{data: p.data, at: off}
	line := int64(c.uleb())
	for range c.uleb() {
		if c.uleb(); c.bad {
			return 0
		}
	}
	var address uint32
	found := int64(0)
	for !c.bad {
		switch op := c.byte(); op {
		case dbgEnd:
			return lineNumber(found)
		case dbgAdvancePC:
			address += c.uleb()
		case dbgAdvanceLine:
			line += int64(c.sleb())
		case dbgStartLocal, dbgStartExtended:
			for range op { // as many numbers as the opcode says, by chance
				c.uleb()
			}
		case dbgEndLocal, dbgRestartLocal, dbgSetFile:
			c.uleb()
		default:
			if op < dbgSpecial {
				continue // where a prologue or epilogue is
			}
			address += uint32(op-dbgSpecial) / 15
			line += int64(op-dbgSpecial)%15 - 4
			if address > unit {
				return lineNumber(found)
			}
			found = line
		}
	}
	return 0
}

// lineNumber is a line if it can be one.
func lineNumber(n int64) int {
	if n < 1 || n > 1<<24 {
		return 0
	}
	return int(n)
}
