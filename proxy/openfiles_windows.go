package proxy

// openFiles returns how many sockets this process may open: Windows sets no
// limit of note.
func openFiles() int { return 1 << 20 }
