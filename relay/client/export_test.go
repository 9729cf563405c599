package client

import "time"

// InboxMessages is how many messages may wait for the program.
const InboxMessages = inboxMessages

// Deliver does as if the relay had sent m.
func (c *Client) Deliver(m Message) { c.deliver(&m) }

// Pretend does as if text were the token from before, and Forget as if there were none.
func (p *Publisher) Pretend(text string) { p.token, p.until = text, time.Now().Add(time.Hour) }

// Forget: see [Publisher.Pretend].
func (p *Publisher) Forget() { p.until = time.Time{} }
