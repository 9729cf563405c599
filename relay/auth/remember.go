package auth

import (
	"bytes"
	"encoding/base64"
	"hash/maphash"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"
)

const (
	rememberBytes = 2 << 10 // longer tokens are verified each time
	ways          = 8       // more than the publish tokens of a wiki that are good at one time
	userSets      = 32
)

// verified is a token that was found good, and what it says. Nobody changes it.
type verified struct {
	*claims
	key      keyName
	token    string
	audience string
	hash     uint64
	from     int64 // when it was found good, in Unix nanoseconds; what is good then and not expired stays so, unless the clock is set back
	until    int64 // when it is expired
}

// remembered is the tokens of a wiki that were found good lately, so that one that comes again costs little: a wiki publishes with the same one for
// some seconds, and thousands of readers have the same page from a cache. It is part of one registration of the wiki, and goes with it and its keys.
//
// Nothing comes in that a key of the wiki has not signed, so no other wiki and no rubbish pushes anything out, and users do not push out what
// the wiki publishes with. Its room is fixed. Nobody waits in it: two at once may at worst verify the same token, or each push out the other's.
type remembered struct {
	seed    maphash.Seed
	publish set
	users   [userSets]set
}

type set [ways]atomic.Pointer[verified]

func newRemembered() *remembered { return &remembered{seed: maphash.MakeSeed()} }

func (r *remembered) set(hash uint64, audience string) *set {
	if audience == AudiencePublish {
		return &r.publish
	}
	return &r.users[hash%userSets]
}

// find returns a token that was found good for the audience and still is, as far as time goes, or nil. The hash, whose seed nobody knows, keeps it from
// telling by its time how much of a token is like one that is remembered.
func (r *remembered) find(token, audience string, now time.Time) *verified {
	hash, at := maphash.String(r.seed, token), now.UnixNano()
	s := r.set(hash, audience)
	for i := range s {
		v := s[i].Load()
		if v != nil && v.hash == hash && v.token == token && v.audience == audience && v.from <= at && at < v.until {
			return v
		}
	}
	return nil
}

// put remembers a token that was found good at now, in the place of one that is expired or else of any.
func (r *remembered) put(v *verified, now time.Time) {
	if len(v.token) > rememberBytes {
		return
	}
	v.token = strings.Clone(v.token) // it may be a part of all that a request has said
	v.hash, v.from, v.until = maphash.String(r.seed, v.token), now.UnixNano(), v.ExpiresAt.Add(Leeway).UnixNano()
	s := r.set(v.hash, v.audience)
	place := rand.IntN(ways)
	for i := range s {
		if old := s[i].Load(); old == nil || old.until <= v.from || old.hash == v.hash {
			place = i
			break
		}
	}
	s[place].Store(v)
}

// signatory returns the wiki whose key a token names, or nil. It does not look closely, and so says nothing about the token, but for which wiki may
// remember it.
func (a *Auth) signatory(token string) *Wiki {
	var room [192]byte // the longest wiki id, and what else wikis write
	head, _, _ := strings.Cut(token, ".")
	if base64.RawURLEncoding.DecodedLen(len(head)) > len(room) {
		return nil
	}
	n, _ := base64.RawURLEncoding.Decode(room[:], []byte(head))
	_, rest, _ := bytes.Cut(room[:n], []byte(`"kid":"`))
	id, _, _ := bytes.Cut(rest, []byte(`"`))
	return a.Wikis.table.Load().wikis[string(id)]
}
