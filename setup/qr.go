package setup

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// Code is a QR code (ISO/IEC 18004) of a text.
type Code struct{ code *qr.Code }

// QR returns the QR code of a text of at most 2,953 bytes, in the smallest
// version that holds it, and there with the better of the error correction
// levels L and M: a screen has no scratches, and big modules read best.
func QR(text string) (Code, error) {
	small, err := qr.Encode(text, qr.L)
	if err != nil {
		return Code{}, fmt.Errorf("QR code of %d bytes: %w", len(text), err)
	}
	if better, err := qr.Encode(text, qr.M); err == nil && better.Size == small.Size {
		return Code{better}, nil
	}
	return Code{small}, nil
}

// Size returns the number of modules on a side, the quiet zone not counted; 0
// for the zero Code.
func (c Code) Size() int {
	if c.code == nil {
		return 0
	}
	return c.code.Size
}

// Blocks draws the code with half blocks, two modules to a character, with quiet
// modules of margin on each side: four by the standard (ISO/IEC 18004, 6.3.8),
// two are enough for phones. Each row has one column per module, Size+2*quiet;
// there are half as many rows, rounded up.
//
// What is drawn are the dark modules, for dark text on a light ground. With
// inverse it is the light ones and the margin, for light text on a dark ground.
// Either way a camera sees dark on light.
func (c Code) Blocks(quiet int, inverse bool) []string {
	if c.code == nil {
		return nil
	}
	side := c.code.Size + 2*quiet
	ink := func(x, y int) int {
		if c.code.Black(x-quiet, y-quiet) != inverse {
			return 1
		}
		return 0
	}
	glyphs := [2][2]string{{" ", "▄"}, {"▀", "█"}} // by the ink above and below
	rows := make([]string, 0, (side+1)/2)
	for y := 0; y < side; y += 2 {
		var row strings.Builder
		for x := range side {
			row.WriteString(glyphs[ink(x, y)][ink(x, y+1)])
		}
		rows = append(rows, row.String())
	}
	return rows
}
