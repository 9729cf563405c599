package command

// What --since and the types on the command line mean.
var ParseSince = parseSince

// Pick returns the wiki that a command is for, of those that the relay has.
func Pick(said string, registered, types []string) (string, error) {
	c := &command{target: target{wiki: said}}
	s := relayStats{}
	for _, id := range registered {
		if s.Wikis == nil {
			s.Wikis = make(map[string]wikiStats)
		}
		s.Wikis[id] = wikiStats{}
	}
	return c.pick(s, types)
}
