package follow

import (
	"bytes"
	"io"
	"os"
	"time"
)

const (
	lineBytes  = 8 << 10  // of a line; what is longer is cut
	markBytes  = 64       // by which a file is known that has been emptied and filled again
	chunkBytes = 64 << 10 // read at once
	lookBytes  = 16 << 20 // read at one look: more has grown than anybody can read, or a hole
)

// A tail reads what is added to one open file, line by line.
type tail struct {
	file   *os.File
	offset int64
	line   []byte    // the beginning of one that is not complete
	cut    bool      // the rest of the line is left out
	mark   []byte    // the last bytes before offset
	since  time.Time // when it has lost its name
}

// newTail reads a file from its beginning, past a hole that a writer has left who did not notice that the file was emptied.
func newTail(f *os.File) *tail {
	const seekData = 3 // SEEK_DATA of lseek(2)
	t := &tail{file: f}
	if offset, err := f.Seek(0, seekData); err == nil {
		t.offset = offset
	}
	return t
}

// skip goes to the end of the file, or rather to the beginning of its last line when that is not complete.
func (t *tail) skip() error {
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	last := make([]byte, min(lineBytes, info.Size()))
	if _, err := t.file.ReadAt(last, info.Size()-int64(len(last))); err != nil && err != io.EOF {
		return err
	}
	t.offset = info.Size()
	if at := bytes.LastIndexByte(last, '\n'); at >= 0 {
		t.offset -= int64(len(last) - at - 1)
		last = last[:at+1]
	}
	t.remember(last)
	return nil
}

func (t *tail) remember(read []byte) {
	t.mark = append(t.mark, read[max(0, len(read)-markBytes):]...)
	t.mark = append(t.mark[:0], t.mark[max(0, len(t.mark)-markBytes):]...)
}

// emptied reports whether the file is not the one any more that was read: it is shorter, or holds something else.
func (t *tail) emptied() bool {
	now := make([]byte, len(t.mark))
	n, err := t.file.ReadAt(now, t.offset-int64(len(t.mark)))
	return (err == nil || err == io.EOF) && !bytes.Equal(now[:n], t.mark)
}

// read gives emit all complete lines up to where the end of the file is now. Of what is more than [lookBytes] it leaves out the first, and tells left of how
// many bytes, in front of the lines behind them: nobody waits for a file that has grown without measure.
func (t *tail) read(emit func(line []byte), left func(bytes int64)) error {
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	if info.Size()-t.offset > lookBytes {
		t.cut = t.cut || len(t.line) > 0
		t.finish(emit)
		before := t.offset
		if err := t.leap(info.Size() - lookBytes); err != nil {
			return err
		}
		left(t.offset - before)
	}
	var buffer []byte
	for t.offset < info.Size() {
		if buffer == nil {
			buffer = make([]byte, chunkBytes)
		}
		n, err := t.file.ReadAt(buffer, t.offset)
		t.offset += int64(n)
		t.remember(buffer[:n])
		t.split(buffer[:n], emit)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leap goes to offset or, when a line ends soon behind it, to the beginning of the next one.
func (t *tail) leap(offset int64) error {
	next := make([]byte, lineBytes)
	n, err := t.file.ReadAt(next, offset)
	if err != nil && err != io.EOF {
		return err
	}
	n = bytes.IndexByte(next[:n], '\n') + 1
	t.offset, t.mark = offset+int64(n), t.mark[:0]
	t.remember(next[:n])
	return nil
}

func (t *tail) split(data []byte, emit func(line []byte)) {
	for {
		line, rest, complete := bytes.Cut(data, []byte("\n"))
		room := lineBytes - len(t.line)
		t.cut = t.cut || len(line) > room
		t.line = append(t.line, line[:min(len(line), room)]...)
		if !complete {
			return
		}
		t.flush(emit)
		data = rest
	}
}

// flush takes what there is of the last line for all of it.
func (t *tail) flush(emit func(line []byte)) {
	line := bytes.TrimSuffix(t.line, []byte("\r"))
	if t.cut {
		line = append(line, " […]"...)
	}
	emit(line)
	t.line, t.cut = t.line[:0], false
}

// finish takes the last line, if there is one, for complete.
func (t *tail) finish(emit func(line []byte)) {
	if len(t.line) > 0 {
		t.flush(emit)
	}
}

// before returns whole lines from before what comes next, of up to n bytes.
func (t *tail) before(n int64) (lines [][]byte) {
	end := t.offset
	if !t.cut {
		end -= int64(len(t.line))
	}
	text := make([]byte, min(n, end))
	read, _ := t.file.ReadAt(text, end-int64(len(text)))
	if text = text[:read]; int64(read) < end {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	for line := range bytes.Lines(text) {
		lines = append(lines, bytes.TrimRight(line, "\r\n"))
	}
	return lines
}
