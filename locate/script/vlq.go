package script

// base64Digits are the values of the digits of base64; 64 is none.
var base64Digits = func() (table [256]byte) {
	for i := range table {
		table[i] = 64
	}
	for i, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		table[c] = byte(i)
	}
	return table
}()

// vlq reads a number of variable length from the start of s (ECMA-426, "Base64 VLQ"), and returns
// how many bytes it has: 0 where there is none. What has no room in 32 bits is cut.
func vlq(s []byte) (value, n int) {
	shift := 0
	for n < len(s) {
		digit := base64Digits[s[n]]
		if digit == 64 {
			return 0, 0
		}
		n++
		if shift < 32 {
			value |= int(digit&31) << shift
		}
		shift += 5
		if digit&32 == 0 {
			if value&1 != 0 {
				return -(value >> 1), n
			}
			return value >> 1, n
		}
	}
	return 0, 0
}

// vlqs reads the numbers of a segment into out, and returns how many there are and how many bytes
// they take. It ends at a comma, a semicolon, or at what is none.
func vlqs(s []byte, out *[5]int) (count, n int) {
	for n < len(s) && count < len(out) {
		v, m := vlq(s[n:])
		if m == 0 {
			break
		}
		out[count] = v
		count++
		n += m
	}
	// A segment has no more numbers; what else there is, is skipped.
	for n < len(s) && s[n] != ',' && s[n] != ';' {
		n++
	}
	return count, n
}
