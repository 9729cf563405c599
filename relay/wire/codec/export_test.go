package codec

// Valid reports whether the scanner takes data for one JSON value.
func Valid(data []byte) bool {
	s := scanner{data: data, max: 1 << 20}
	return s.value() == nil && s.peek() == 0 && s.pos == len(data)
}
