package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mediawiki-websocket/relay/wire"
)

// Wikis is the wikis that a relay serves: those of its configuration and those that have registered themselves, which are kept in a file.
type Wikis struct {
	path  string // of the state file; "" keeps nothing
	mu    sync.Mutex
	saved map[string]savedWiki
	table atomic.Pointer[table]
}

type table struct {
	wikis   map[string]*Wiki
	origins map[string][]*Wiki
	public  bool // there is a public wiki
	open    bool // there is one that allows undeclared types
	speak   bool // there is one of these whose visitors may send without an account
}

type savedWiki struct {
	ETag string          `json:"etag"`
	Wiki json.RawMessage `json:"wiki"`
}

// OpenWikis returns the registry of the configured wikis and of those kept in the file at path, which need not exist yet. A configured wiki
// stands over what the file says of it. The second value says what was wrong with the file, which is then set aside as path.bad: wikis register
// again by themselves, so that a broken file is no reason not to start.
func OpenWikis(path string, configured []*Wiki) (w *Wikis, broken, err error) {
	w = &Wikis{path: path, saved: make(map[string]savedWiki)}
	all := make(map[string]*Wiki)
	if path != "" {
		kept, fault := w.load()
		if fault != nil && !errors.Is(fault, fs.ErrNotExist) {
			if err := os.Rename(path, path+".bad"); err != nil {
				return nil, nil, fmt.Errorf("set aside the broken %s: %w", path, err)
			}
			broken, w.saved = fault, make(map[string]savedWiki)
		} else if fault == nil {
			all = kept
		}
	}
	for _, wiki := range configured {
		all[wiki.ID] = wiki
		delete(w.saved, wiki.ID)
	}
	w.table.Store(newTable(all))
	return w, broken, nil
}

func newTable(wikis map[string]*Wiki) *table {
	t := &table{wikis: wikis, origins: make(map[string][]*Wiki)}
	for _, wiki := range wikis {
		t.public = t.public || !wiki.Private
		t.open = t.open || !wiki.Private && wiki.Open
		t.speak = t.speak || !wiki.Private && wiki.Open && !wiki.Mute
		for _, origin := range wiki.Origins {
			t.origins[origin] = append(t.origins[origin], wiki)
		}
	}
	return t
}

func (w *Wikis) load() (map[string]*Wiki, error) {
	data, err := os.ReadFile(w.path)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &w.saved); err != nil || w.saved == nil {
		return nil, errors.New("not a file of registered wikis")
	}
	wikis := make(map[string]*Wiki)
	for id, saved := range w.saved {
		wiki, err := ParseWiki(id, saved.Wiki)
		if err != nil {
			return nil, err
		}
		wiki.ETag = saved.ETag // of the body as it was sent; the file has it with other white space
		wikis[id] = wiki
	}
	return wikis, nil
}

// Put registers wiki, in place of one with the same id, and keeps it in the state file. It reports whether that may have changed who may do what:
// then what connections have subscribed to may have another owner, or be closed to them.
func (w *Wikis) Put(wiki *Wiki) (changed bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wiki.Registered = time.Now()
	before := w.table.Load()
	old := before.wikis[wiki.ID]
	if w.path != "" {
		had, kept := w.saved[wiki.ID]
		w.saved[wiki.ID] = savedWiki{wiki.ETag, wiki.spec}
		if err := w.save(); err != nil {
			if w.saved[wiki.ID] = had; !kept {
				delete(w.saved, wiki.ID)
			}
			return false, fmt.Errorf("save the registered wikis: %w", err)
		}
	}
	all := make(map[string]*Wiki, len(before.wikis)+1)
	for id, other := range before.wikis {
		all[id] = other
	}
	all[wiki.ID] = wiki
	w.table.Store(newTable(all))
	return old == nil || old.ETag != wiki.ETag, nil
}

// save replaces the state file: a crash leaves the old one or the new one.
func (w *Wikis) save() error {
	data, err := json.MarshalIndent(w.saved, "", "\t")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(w.path), filepath.Base(w.path)+".*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), w.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Get returns the wiki with that id, or nil.
func (w *Wikis) Get(id string) *Wiki { return w.table.Load().wikis[id] }

// Owner returns the wiki that the type t belongs to, or nil when it is shared.
func (w *Wikis) Owner(t string) *Wiki { return w.Get(wire.WikiPrefix(t)) }

// ByOrigin returns the wikis whose pages have that origin.
func (w *Wikis) ByOrigin(origin string) []*Wiki { return w.table.Load().origins[origin] }

// HasPublic reports whether there is a public wiki.
func (w *Wikis) HasPublic() bool { return w.table.Load().public }

// Shared reports whether a connection that belongs to no wiki may use types that nobody has declared, and whether it may send them: when there is
// a public wiki that lets anybody.
func (w *Wikis) Shared() (open, speak bool) {
	t := w.table.Load()
	return t.open, t.speak
}

// All returns the wikis, sorted by id.
func (w *Wikis) All() []*Wiki {
	t := w.table.Load()
	list := make([]*Wiki, 0, len(t.wikis))
	for _, wiki := range t.wikis {
		list = append(list, wiki)
	}
	slices.SortFunc(list, func(a, b *Wiki) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return list
}
