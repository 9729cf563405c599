package server

import (
	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/engine"
	"mediawiki-websocket/relay/hub"
	"mediawiki-websocket/relay/wire"
	"mediawiki-websocket/relay/wire/codec"
)

// The stages of a publish, for the benchmarks.

func (s *Server) Verify(token string) (auth.Identity, *wire.Error) {
	return s.auth.Verify(token, auth.AudiencePublish)
}

func (s *Server) VerifyConnect(token string) (auth.Identity, *wire.Error) {
	return s.auth.Verify(token, auth.AudienceConnect)
}

func (s *Server) Policy(id *auth.Identity, e codec.Envelope) (engine.Message, *wire.Error) {
	return s.message(id, e)
}

func (s *Server) Deliver(messages ...engine.Message) error {
	p := s.newPublishing()
	p.messages = append(p.messages, messages...)
	err := p.send()
	p.free()
	if err != nil {
		return err
	}
	return nil
}

// Take is what there is to a publish but for HTTP's part. It returns the answer's length.
func (s *Server) Take(token string, body []byte) (int, *wire.Error) {
	id, err := s.Verify(token)
	if err != nil {
		return 0, err
	}
	p := s.newPublishing()
	err = p.take(&id, body)
	n := len(p.reply)
	p.free()
	return n, err
}

func (s *Server) MaySend(id *auth.Identity, t string) (auth.Target, *wire.Error) {
	return s.auth.Send(id, t)
}

func (s *Server) Subscribe(k engine.Key, out hub.Outbox) { s.hub.Join(hub.NewMember(out, nil), k) }
