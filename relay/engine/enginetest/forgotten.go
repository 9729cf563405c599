package enginetest

import (
	"testing"

	"mediawiki-websocket/relay/engine"
)

// forgotten: what is forgotten comes back neither to who was away nor with the next engine; other keys, and what comes later, are not touched.
func (s *suite) forgotten(t *testing.T) {
	o := Options{Store: t.Name()}
	e := s.engine(t, o)
	e.Declare("a:", "1")
	e.Declare("b:", "1")
	longer, elsewhere := engine.Key{Wiki: "a:", Type: page.Type + "3"}, engine.Key{Wiki: "b:", Type: page.Type}
	all := []engine.Key{page, other, longer, elsewhere}
	start := here(e, page)
	for _, k := range all {
		publish(t, e, k, 0, 5, keep)
	}
	middle := here(e, page)
	check := func(gone ...engine.Key) {
		t.Helper()
		for _, k := range all {
			is := false
			for _, g := range gone {
				is = is || g == k
			}
			if is {
				lost(t, at(e, k, keep, after(start)))
				wants(t, at(e, k, keep, after(middle)), 5, 6)
			} else {
				wants(t, at(e, k, keep, after(start)), 0, 6)
			}
		}
	}
	forget := func(k engine.Key, prefix bool) {
		t.Helper()
		if err := e.Forget(k, prefix); err != nil {
			t.Fatal(err)
		}
	}
	forget(page, false)
	forget(engine.Key{Wiki: "a:", Type: "none"}, false)
	forget(engine.Key{Wiki: "a:", Type: "none"}, true)
	for _, k := range all {
		publish(t, e, k, 5, 6, keep)
	}
	check(page)
	if s.can.Lasts {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if e.Forget(other, false) == nil {
			t.Error("a closed engine forgets, and the next one does not")
		}
		e = s.engine(t, o)
		e.Declare("a:", "1")
		e.Declare("b:", "1")
		check(page)
	}
	forget(engine.Key{Wiki: "a:", Type: "a:@page/"}, true)
	for _, k := range []engine.Key{page, other, longer} {
		lost(t, at(e, k, keep, after(middle)))
	}
	wants(t, at(e, elsewhere, keep, after(start)), 0, 6)
}
