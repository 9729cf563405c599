//go:build linux

package main

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy passes TCP connections on to the relay, and does to them what networks do.
type proxy struct {
	target   string
	listener net.Listener
	random   *rand.Rand // of trouble

	mu    sync.Mutex
	links map[*link]bool
	work  sync.WaitGroup

	cuts, freezes atomic.Int64
}

// link is one connection through the proxy.
type link struct {
	near, far *net.TCPConn
	gate      sync.RWMutex // held while it is frozen
}

func startProxy(target string, random *rand.Rand) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{target: target, listener: l, random: random, links: make(map[*link]bool)}
	p.work.Go(p.accept)
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.pass(near.(*net.TCPConn)) })
	}
}

func (p *proxy) pass(near *net.TCPConn) {
	defer near.Close()
	far, err := net.DialTimeout("tcp", p.target, time.Second)
	if err != nil {
		near.SetLinger(0)
		return
	}
	l := &link{near: near, far: far.(*net.TCPConn)}
	p.mu.Lock()
	p.links[l] = true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.copy(l.far, l.near) })
	both.Go(func() { l.copy(l.near, l.far) })
	both.Wait()
	l.far.Close()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// copy passes on what comes from one side until that ends, and ends the link then.
func (l *link) copy(to, from *net.TCPConn) {
	b := make([]byte, 16<<10)
	for {
		n, err := from.Read(b)
		l.gate.RLock()
		if n > 0 {
			if _, werr := to.Write(b[:n]); err == nil {
				err = werr
			}
		}
		l.gate.RUnlock()
		if err != nil {
			l.near.Close()
			l.far.Close()
			return
		}
	}
}

// some returns a link at random, nil when there is none.
func (p *proxy) some() *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.links) == 0 {
		return nil
	}
	skip := p.random.IntN(len(p.links))
	for l := range p.links {
		if skip--; skip < 0 {
			return l
		}
	}
	return nil
}

// trouble cuts and freezes links until ctx is done. A cut may be anywhere: between frames or within one.
func (p *proxy) trouble(ctx context.Context) {
	var thaws sync.WaitGroup
	defer thaws.Wait()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(20+p.random.IntN(160)) * time.Millisecond):
		}
		l := p.some()
		if l == nil {
			continue
		}
		if p.random.IntN(3) > 0 {
			p.cuts.Add(1)
			if p.random.IntN(2) == 0 {
				l.near.SetLinger(0) // a reset
				l.far.SetLinger(0)
			}
			l.near.Close()
			l.far.Close()
			continue
		}
		p.freezes.Add(1)
		frozen := time.Duration(p.random.IntN(12_000)) * time.Millisecond
		thaws.Go(func() {
			l.gate.Lock()
			defer l.gate.Unlock()
			select {
			case <-time.After(frozen):
			case <-ctx.Done():
			}
		})
	}
}

func (p *proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	for l := range p.links {
		l.near.Close()
		l.far.Close()
	}
	p.mu.Unlock()
	p.work.Wait()
}
