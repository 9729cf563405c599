package auth

// Find returns the pattern of the policy that counts for t, "" for none, when the given patterns are declared.
func Find(patterns []string, t string) (string, error) {
	list := make([]Policy, len(patterns))
	for i, p := range patterns {
		list[i].Pattern = p
	}
	l, err := newPolicies(list)
	if err != nil {
		return "", err
	}
	if p := l.find(t); p != nil {
		return p.Pattern, nil
	}
	return "", nil
}

// Remembers reports whether a token for the audience would be known without being verified.
func Remembers(a *Auth, token, audience string) bool {
	wiki := a.signatory(token)
	return wiki != nil && wiki.remembered.find(token, audience, a.now()) != nil
}

// Remembered returns how many tokens a wiki remembers, and how many it can.
func Remembered(w *Wiki) (n, most int) {
	count := func(s *set) {
		for i := range s {
			if most++; s[i].Load() != nil {
				n++
			}
		}
	}
	count(&w.remembered.publish)
	for i := range w.remembered.users {
		count(&w.remembered.users[i])
	}
	return n, most
}
