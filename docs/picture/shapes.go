package main

// A rect is a part of a cell: left, top, width and height, in cells.
type rect [4]float64

// thin is how thick a line is: a pixel and a half.
const (
	thinAcross = 1.5 / cellHeight // of a line from left to right
	thinDown   = 1.5 / cellWidth  // of one from top to bottom
)

// shapes are the glyphs that must meet their neighbours, which no font does at
// every scale: block elements and the lines of boxes.
var shapes = blocksAndLines()

func blocksAndLines() map[string][]rect {
	m := map[string][]rect{
		"█": {{0, 0, 1, 1}},
		"▀": {{0, 0, 1, 0.5}},
		"▌": {{0, 0, 0.5, 1}},
		"▐": {{0.5, 0, 0.5, 1}},
		"▔": {{0, 0, 1, 1.0 / 8}},
	}
	// ▁ to ▇ are eighths from below; ▄ is half of the cell.
	for i, glyph := range []string{"▁", "▂", "▃", "▄", "▅", "▆", "▇"} {
		part := float64(i+1) / 8
		m[glyph] = []rect{{0, 1 - part, 1, part}}
	}
	var (
		left  = rect{0, 0.5 - thinAcross/2, 0.5 + thinDown/2, thinAcross}
		right = rect{0.5 - thinDown/2, 0.5 - thinAcross/2, 0.5 + thinDown/2, thinAcross}
		up    = rect{0.5 - thinDown/2, 0, thinDown, 0.5 + thinAcross/2}
		down  = rect{0.5 - thinDown/2, 0.5 - thinAcross/2, thinDown, 0.5 + thinAcross/2}
	)
	for glyph, arms := range map[string][]rect{
		"─": {{0, left[1], 1, thinAcross}}, "│": {{up[0], 0, thinDown, 1}},
		"┌": {right, down}, "┐": {left, down}, "└": {right, up}, "┘": {left, up},
		"├": {up, down, right}, "┤": {up, down, left}, "┬": {left, right, down}, "┴": {left, right, up},
		"┼": {left, right, up, down},
	} {
		m[glyph] = arms
	}
	return m
}
