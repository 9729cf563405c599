package config

import (
	"encoding/json"
	"flag"

	"mediawiki-websocket/relay/ingress"
)

const ingressHelp = `
  --ingress URL       publish what comes out of a queue for a wiki, as if that had sent it to
                      /api/publish. Can be there several times; it takes the place of the
                      file's "ingress": ["URL", …], which alone may have a password. URL is one of
      redis://HOST:PORT/DB?stream=NAME&group=relay&wiki=mydb:   the field "envelope" of entries
      redis://HOST:PORT/DB?channel=NAME&wiki=mydb:              pub/sub
      amqp://USER@HOST/VHOST?queue=NAME&wiki=mydb:              RabbitMQ
      udp://127.0.0.1:PORT?wiki=mydb:                           $wgRCFeeds, JSONRCFeedFormatter
                      rediss and amqps are the same with TLS. What cannot be published goes to
                      NAME:dead (Redis) or NAME.dead (RabbitMQ).
`

// ingressFlags collects the URLs as they stand: the flag package would show a bad one, with its password.
type ingressFlags []string

func (f *ingressFlags) define(flags *flag.FlagSet) {
	flags.Func("ingress", "", func(url string) error {
		*f = append(*f, url)
		return nil
	})
}

// apply puts what the flags say in the place of what the file says.
func (f ingressFlags) apply(c *Config) error {
	if len(f) == 0 {
		return nil
	}
	c.Ingress = nil
	for i, url := range f {
		if err := c.addIngress(url, false); err != nil {
			return Fail(ExitUsage, "--ingress, number %d: %v", i+1, err)
		}
	}
	return nil
}

func (c *Config) setIngress(path string, raw json.RawMessage) error {
	var urls []string
	if json.Unmarshal(raw, &urls) != nil {
		return Fail(ExitUsage, `%s: "ingress" is not a list of URLs`, path)
	}
	for i, url := range urls {
		if err := c.addIngress(url, true); err != nil {
			return Fail(ExitUsage, `%s: "ingress", number %d: %v`, path, i+1, err)
		}
	}
	return nil
}

func (c *Config) addIngress(url string, inFile bool) error {
	source, err := ingress.ParseSource(url, inFile)
	if err != nil {
		return err
	}
	for _, other := range c.Ingress {
		if other.String() == source.String() {
			return Fail(ExitUsage, "%s is there twice", source)
		}
	}
	c.Ingress = append(c.Ingress, source)
	return nil
}
