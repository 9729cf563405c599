package gen

import (
	"bytes"
	"compress/flate"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestQuantilesAreCloseToTheValues(t *testing.T) {
	var h Hist
	for v := int64(1); v <= 100000; v++ {
		h.Add(v * 1000)
	}
	for _, q := range []float64{0, 0.5, 0.99, 0.999, 1} {
		want := max(1, q*100000) / 1000
		if got := h.Quantile(q); math.Abs(got-want) > want/50 {
			t.Errorf("quantile %v is %v ms, want about %v", q, got, want)
		}
	}
	if h.N != 100000 || h.Longest != 1e8 {
		t.Errorf("%d values up to %d", h.N, h.Longest)
	}
	h.Reset()
	if h.Add(-5); h.Quantile(1) != 0 || h.N != 1 {
		t.Errorf("a negative value: %v", h.Quantile(1))
	}
}

func TestEveryBucketBeginsWhereTheLastOneEnds(t *testing.T) {
	for i := 1; i < steps*powers; i++ {
		if at := uint64(lowest(i)); bucket(at) != i || bucket(at-1) != i-1 {
			t.Fatalf("bucket %d begins at %d, which is in %d, and %d is in %d", i, at, bucket(at), at-1, bucket(at-1))
		}
	}
	if got := bucket(math.MaxUint64); got != steps*powers-1 {
		t.Errorf("the longest time is in bucket %d", got)
	}
}

// unmask turns a client's frame, whose mask is zero, into a server's.
func unmask(b []byte) []byte {
	b = bytes.Clone(b)
	at := map[byte]int{126: 4, 127: 10}[b[1]&0x7f]
	at = max(at, 2)
	b[1] &= 0x7f
	return append(b[:at], b[at+4:]...)
}

func TestFramesAreReadAsTheyAreWritten(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte("x"), size)
		b := unmask(AppendText(nil, payload))
		f, n := parseFrame(append(b, "next"...))
		if n != len(b) || f.op != opText || f.compressed || !bytes.Equal(f.payload, payload) {
			t.Errorf("%d bytes: %d of %d, op %d", size, n, len(b), f.op)
		}
		for _, short := range []int{0, 1, 2, len(b) - 1} {
			if _, n := parseFrame(b[:min(short, len(b)-1)]); n != 0 {
				t.Errorf("%d bytes: %d of them make a frame", size, short)
			}
		}
	}
	if f, n := parseFrame(unmask(AppendClose(nil))); n != 4 || f.op != opClose || string(f.payload) != "\x03\xe8" {
		t.Errorf("close: %+v", f)
	}
}

func TestStampIsFoundInWhateverIsAround(t *testing.T) {
	const at, number = 0x123456789abcdef, 0xfedcba98
	payload := AppendPayload(nil, at, number, 128)
	if len(payload) != 128 {
		t.Fatalf("%d bytes", len(payload))
	}
	for _, around := range []string{"%s", `{"type":"T","msg":"%s","offset":1}`, "@ %s"} {
		b := fmt.Appendf(nil, around, payload)
		want := strings.IndexByte(around, '%')
		for _, hint := range []int{0, want, want + 1, len(b)} {
			i := findStamp(b, hint)
			if i != want {
				t.Fatalf("%q: found at %d with the hint %d", around, i, hint)
			}
			if sent, n := readStamp(b[i:]); sent != at || n != number {
				t.Errorf("%q: %x %x", around, sent, n)
			}
		}
	}
	for _, none := range []string{"", "@@", string(payload[:stampBytes-1]), `{"id":1,"ok":{}}`} {
		if i := findStamp([]byte(none), 0); i >= 0 {
			t.Errorf("%q: found at %d", none, i)
		}
	}
	if got := AppendPayload(nil, 1, 1, MinPayload); len(got) != stampBytes {
		t.Errorf("the smallest payload has %d bytes", len(got))
	}
}

func TestAnswersOfHTTP(t *testing.T) {
	for answer, status := range map[string]int{
		"HTTP/1.1 204 No Content\r\n\r\n":                                            204,
		"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde":                          200,
		"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n":                429,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n": 200,
	} {
		if got, size := parseAnswer([]byte(answer + "next")); got != status || size != len(answer) {
			t.Errorf("%q: %d, %d of %d bytes", answer, got, size, len(answer))
		}
		if _, size := parseAnswer([]byte(answer[:len(answer)-1])); size != 0 {
			t.Errorf("%q without its end: %d bytes", answer, size)
		}
	}
}

func TestCompressedMessagesAreRead(t *testing.T) {
	var f inflater
	for _, text := range []string{"one", strings.Repeat("two ", 1000), "one", "one", ""} {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
		w.Flush()
		p := bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
		if got := string(f.message(p)); got != text {
			t.Errorf("%q instead of %q", got, text)
		}
	}
	if got := f.message([]byte("\xff\xff")); len(got) != 0 {
		t.Errorf("garbage is %q", got)
	}
}
