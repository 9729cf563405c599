// Package follow reads what is added to a file such as a log, line by line, whatever happens to the file: that it is renamed and made anew, emptied, deleted.
package follow

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	oldTime  = 5 * time.Second       // for which a file is read that has been renamed: some writers are late to notice
	pause    = 20 * time.Millisecond // between two looks at a file whose every change is told
	fallback = time.Second           // between two looks when nothing is told: file systems of other machines, folders that are made anew
)

// ErrForbidden is the error of a file that may not be read: a link that leads out of its folder, or no regular file.
var ErrForbidden = errors.New("it is not a regular file in its folder")

// Check returns [ErrForbidden] for a file that may not be read, and nil also when there is none.
func Check(path string) error {
	f, err := openIn(path)
	if errors.Is(err, ErrForbidden) {
		return err
	}
	if err == nil {
		f.Close()
	}
	return nil
}

// openIn opens a file for reading. A link may lead to another file of the same folder, and nowhere else.
func openIn(path string) (*os.File, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(filepath.Base(path), os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe without a writer would wait
	if err != nil {
		if errno := syscall.Errno(0); !errors.As(err, &errno) || errno == syscall.ENXIO { // what leads out is os.Root's own error; a socket
			err = ErrForbidden
		}
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, ErrForbidden
	}
	return f, nil
}

// Options say what to read.
type Options struct {
	Path    string            // of the file, absolute. It is opened within its folder: a link may lead to another file there, and nowhere else.
	Refresh time.Duration     // between two looks at it; 0: it is looked at when it changes
	Line    func(line []byte) // gets each line, without its end, and cut behind 8 KiB; the bytes are the follower's
	Note    func(text string) // gets what happened to the file, for people
}

// A Follower reads a file from the end that it has when it is opened. It is for one goroutine.
type Follower struct {
	o       Options
	current *tail
	old     *tail // the file before, for a while
	trouble string
	changed chan struct{}
	stop    chan struct{}
	done    chan struct{} // closed when nobody watches any more
}

// Open begins at the end of the file, which need not exist; Close ends it.
func Open(o Options) *Follower {
	f := &Follower{o: o, changed: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	w := f.watcher()
	f.start()
	go f.watch(w) // until Close
	return f
}

// start goes to the end of the file. What cannot be opened is tried again by Poll.
func (f *Follower) start() {
	file, err := openIn(f.o.Path)
	if err != nil {
		f.complain(err)
		return
	}
	t := newTail(file)
	if err := t.skip(); err != nil {
		file.Close()
		f.complain(err)
		return
	}
	f.current = t
}

// Poll hands over what has been added since the last time. Of more than 16 MiB it hands over the last, and notes how many bytes are left out.
func (f *Follower) Poll() {
	if f.old != nil {
		if f.read(f.old); time.Since(f.old.since) >= oldTime {
			f.drop()
		}
	}
	if f.current != nil {
		if f.current.emptied() {
			f.o.Note("the file was emptied")
			f.current.finish(f.o.Line)
			f.current = newTail(f.current.file)
		}
		f.read(f.current)
	}
	f.renew()
}

func (f *Follower) read(t *tail) {
	left := func(bytes int64) {
		f.o.Note(fmt.Sprintf("%d bytes are left out: the file has grown by too many at once", bytes))
	}
	if err := t.read(f.o.Line, left); err != nil {
		f.complain(err)
	}
}

// renew goes over to the file that has the name now, when that is another one.
func (f *Follower) renew() {
	file, err := openIn(f.o.Path)
	if err != nil {
		f.complain(err)
		return
	}
	if f.current != nil && same(f.current.file, file) {
		file.Close()
		f.trouble = ""
		return
	}
	if f.current != nil {
		f.read(f.current) // what has come between the last look and the renaming
		if f.old != nil {
			f.drop()
		}
		f.old, f.current.since = f.current, time.Now()
		f.o.Note("a new file has taken its place")
	} else {
		f.o.Note("the file is there")
	}
	f.trouble, f.current = "", newTail(file)
	f.read(f.current)
}

// drop has done with the file before.
func (f *Follower) drop() {
	f.old.finish(f.o.Line)
	f.old.file.Close()
	f.old = nil
}

// complain says once what is wrong.
func (f *Follower) complain(err error) {
	text := "the file cannot be read: " + reason(err)
	if errors.Is(err, fs.ErrNotExist) {
		text = "the file is gone; waiting for a new one"
	}
	if text != f.trouble {
		f.trouble = text
		f.o.Note(text)
	}
}

// reason is the last part of an error, without the path, which is nothing for viewers.
func reason(err error) string {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	return err.Error()
}

func same(a, b *os.File) bool {
	x, err := a.Stat()
	y, err2 := b.Stat()
	return err == nil && err2 == nil && os.SameFile(x, y)
}

// Before returns whole lines from before what comes next, of up to n bytes.
func (f *Follower) Before(n int64) [][]byte {
	if f.current == nil {
		return nil
	}
	return f.current.before(n)
}

// Trouble returns what is wrong with the file; "": nothing.
func (f *Follower) Trouble() string { return f.trouble }

// Changed tells when it is time for the next Poll.
func (f *Follower) Changed() <-chan struct{} { return f.changed }

// watch tells of changes, until Close. Where it can, and that is wanted, the kernel does so (inotify).
func (f *Follower) watch(w *fsnotify.Watcher) {
	defer close(f.done)
	every := f.o.Refresh
	var events chan fsnotify.Event
	var faults chan error
	if w != nil {
		defer w.Close()
		events, faults = w.Events, w.Errors
	}
	if every == 0 {
		every = fallback
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-tick.C:
			if w != nil {
				w.Add(filepath.Dir(f.o.Path)) // which may be another folder by now
			}
		case <-events:
		case <-faults: // too many events at once: a look at the file is right then, too
		}
		select {
		case f.changed <- struct{}{}:
		default:
		}
		if w != nil {
			time.Sleep(pause)
		}
	}
}

// watcher returns what tells of changes, nil when nothing is to or can.
func (f *Follower) watcher() *fsnotify.Watcher {
	if f.o.Refresh > 0 {
		return nil
	}
	w, err := fsnotify.NewWatcher()
	if err != nil { // there are no more of them for this user
		return nil
	}
	w.Add(filepath.Dir(f.o.Path)) // an error: there is no such folder yet
	return w
}

// Close ends the reading, and hands over nothing more.
func (f *Follower) Close() {
	close(f.stop)
	<-f.done
	for _, t := range []*tail{f.old, f.current} {
		if t != nil {
			t.file.Close()
		}
	}
	f.old, f.current = nil, nil
}
