package auth

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/wire"
)

// Policy says who may do what with the types that a pattern names. A wiki declares it in its registration.
type Policy struct {
	// Pattern is a type with the wiki's id before it, or without one: a type that is called by its plain name and belongs to this wiki all the
	// same. At most one "*" stands for one or more characters.
	Pattern  string  `json:"pattern"`
	Send     Who     `json:"send"`               // default [OnlyWiki]
	Read     Who     `json:"read"`               // default [Anyone]
	Token    bool    `json:"token,omitempty"`    // to subscribe takes a subscription token
	Presence bool    `json:"presence,omitempty"` // who is there may be asked
	History  History `json:"history,omitzero"`

	prefix, suffix string // around the "*"
	wild           bool
}

// History is how much of a type is kept for those who come back: so many messages, for so many seconds. Zero: none.
type History struct {
	Count   int `json:"count"`
	Seconds int `json:"seconds"`
}

// Who is a group of people: one of the constants, or "right:" and the name of a user right of the wiki.
type Who string

const (
	OnlyWiki Who = "wiki"   // nobody but the wiki itself
	Users    Who = "user"   // those with an account
	Anyone   Who = "anyone" // whoever may read the wiki

	rightPrefix = "right:"
)

const (
	policiesMost   = 500
	rightBytes     = 255
	historyMost    = 10000
	historySeconds = 30 * 24 * 3600
)

// AllRights stands in a token for all rights, and for having an account: for the wiki's operator.
const AllRights = "*"

// includes reports whether id is one of w.
func (w Who) includes(id *Identity) bool {
	switch w {
	case Anyone:
		return true
	case Users:
		return id.User != "" || slices.Contains(id.rights, AllRights)
	case OnlyWiki:
		return false
	}
	return slices.Contains(id.rights, string(w[len(rightPrefix):])) || slices.Contains(id.rights, AllRights)
}

func (w Who) known() bool {
	right, ok := strings.CutPrefix(string(w), rightPrefix)
	return ok && right != "" && len(right) <= rightBytes || w == OnlyWiki || w == Users || w == Anyone
}

// check makes what was left out explicit, and returns what is wrong.
func (p *Policy) check() error {
	p.Send, p.Read = cmp.Or(p.Send, OnlyWiki), cmp.Or(p.Read, Anyone)
	if err := wire.CheckType(p.Pattern, wire.DefaultLimits().TypeBytes); err != nil {
		return errors.New(err.Message)
	}
	if p.prefix, p.suffix, p.wild = strings.Cut(p.Pattern, "*"); strings.Contains(p.suffix, "*") {
		return errors.New(`has more than one "*"`)
	}
	if !p.Send.known() {
		return fmt.Errorf(`"send" is %.64q, but it must be wiki, user, anyone or right:NAME`, string(p.Send))
	}
	if !p.Read.known() || p.Read == OnlyWiki {
		return fmt.Errorf(`"read" is %.64q, but it must be user, anyone or right:NAME`, string(p.Read))
	}
	h := p.History
	if h.Count < 0 || h.Count > historyMost || h.Seconds < 0 || h.Seconds > historySeconds || (h.Count == 0) != (h.Seconds == 0) {
		return fmt.Errorf(`"history" must have a count, at most %d, and seconds, at most %d`, historyMost, historySeconds)
	}
	return nil
}

// policies is the policies of one wiki.
type policies struct {
	exact map[string]*Policy
	wild  []*Policy // the most specific first
	kept  bool      // one of them has history
}

func newPolicies(all []Policy) (*policies, error) {
	if len(all) > policiesMost {
		return nil, fmt.Errorf(`"types" has %d policies, at most %d are allowed`, len(all), policiesMost)
	}
	list := &policies{exact: make(map[string]*Policy)}
	for i := range all {
		p := &all[i]
		if err := p.check(); err != nil {
			return nil, fmt.Errorf(`"types": pattern %.256q: %w`, p.Pattern, err)
		}
		list.kept = list.kept || p.History.Count > 0
		if p.wild {
			list.wild = append(list.wild, p)
		} else {
			list.exact[p.Pattern] = p
		}
	}
	slices.SortStableFunc(list.wild, func(a, b *Policy) int {
		return cmp.Or(len(b.Pattern)-len(a.Pattern), len(b.prefix)-len(a.prefix), strings.Compare(a.Pattern, b.Pattern))
	})
	return list, nil
}

// find returns the policy for t that is the most specific, or nil.
func (l *policies) find(t string) *Policy {
	if p := l.exact[t]; p != nil {
		return p
	}
	for _, p := range l.wild {
		if len(t) > len(p.prefix)+len(p.suffix) && strings.HasPrefix(t, p.prefix) && strings.HasSuffix(t, p.suffix) {
			return p
		}
	}
	return nil
}

// keep returns how much of t is kept.
func (l *policies) keep(t string) engine.History {
	if l.kept {
		if p := l.find(t); p != nil {
			return engine.History(p.History)
		}
	}
	return engine.History{}
}

// Histories says which types of the wiki have how much history, in words that change whenever that does, "" for none.
func (w *Wiki) Histories() string {
	var lines []string
	for i := range w.Types {
		p := &w.Types[i]
		if p.History.Count > 0 || slices.ContainsFunc(w.Types, func(other Policy) bool { return other.History.Count > 0 && other.meets(p) }) {
			lines = append(lines, strconv.Itoa(p.History.Count)+" "+strconv.Itoa(p.History.Seconds)+" "+p.Pattern)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// meets reports whether there may be a type that both patterns name, of which then the more specific decides.
func (p *Policy) meets(other *Policy) bool {
	if !p.wild && !other.wild {
		return p.Pattern == other.Pattern
	}
	return (strings.HasPrefix(p.prefix, other.prefix) || strings.HasPrefix(other.prefix, p.prefix)) &&
		(!p.wild || !other.wild || strings.HasSuffix(p.suffix, other.suffix) || strings.HasSuffix(other.suffix, p.suffix))
}
