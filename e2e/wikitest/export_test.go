package wikitest

// Forgive keeps the secrets that a test has planted from failing it.
func (w *Wiki) Forgive() { w.forgiven.Store(true) }

// Forgive does the same for what a browser has seen.
func (c *Context) Forgive() { c.forgiven = true }
