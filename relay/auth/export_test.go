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
