package gen

import (
	"bytes"
	"net/textproto"
	"strconv"
)

// parseAnswer reads the HTTP answer at the beginning of b and returns its status and size, or 0, 0 when it is not complete. Bodies have a length or,
// in chunks, at most one.
func parseAnswer(b []byte) (status, size int) {
	head, rest, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok || len(head) < 12 {
		return 0, 0
	}
	status, _ = strconv.Atoi(string(head[9:12]))
	begin := len(head) + 4
	switch {
	case header(head, "Transfer-Encoding") == "chunked":
		i := bytes.Index(rest, []byte("0\r\n\r\n"))
		if i < 0 {
			return 0, 0
		}
		return status, begin + i + 5
	case header(head, "Content-Length") != "":
		n, err := strconv.Atoi(header(head, "Content-Length"))
		if err != nil || len(rest) < n {
			return 0, 0
		}
		return status, begin + n
	}
	return status, begin
}

func header(head []byte, name string) string {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		if textproto.CanonicalMIMEHeaderKey(string(key)) == name {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}
