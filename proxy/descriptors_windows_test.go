package proxy

// descriptors returns how many sockets this process may open: Windows sets no
// limit of note.
func descriptors() int { return 1 << 20 }
