package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"mediawiki-websocket/relay/auth"
)

// readFile reads the configuration file. Keys are compared exactly and must be known: a slip must not leave a limit at its default unseen.
func (c *Config) readFile(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return Fail(ExitUsage, "--config: %v", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	var keys map[string]json.RawMessage
	if err := d.Decode(&keys); err != nil || keys == nil {
		return Fail(ExitUsage, "%s: not a JSON object%s", path, at(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Fail(ExitUsage, "%s: something follows the JSON object", path)
	}
	names := make([]string, 0, len(keys))
	for name := range keys {
		names = append(names, name)
	}
	slices.Sort(names) // so that of two faults always the same is named
	for _, name := range names {
		if err := c.set(path, name, keys[name]); err != nil {
			return err
		}
	}
	return nil
}

func at(err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return ": " + syntax.Error()
	}
	return ""
}

func (c *Config) set(path, name string, raw json.RawMessage) error {
	if known, err := c.setText(path, name, raw); known {
		return err
	}
	if known, err := c.setLimit(path, name, raw); known {
		return err
	}
	switch name {
	case "open":
		if json.Unmarshal(raw, &c.Open) != nil {
			return Fail(ExitUsage, `%s: "open" is not true or false`, path)
		}
	case "ingress":
		return c.setIngress(path, raw)
	case "wikis":
		return c.setWikis(path, raw)
	default:
		if known, err := c.setApps(path, name, raw); known {
			return err
		}
		return Fail(ExitUsage, "%s: unknown key %.256q; --help lists the keys", path, name)
	}
	return nil
}

// setText sets a key whose value is a text, and reports whether it is one.
func (c *Config) setText(path, name string, raw json.RawMessage) (known bool, err error) {
	field := map[string]*string{"listen": &c.Listen, "tlsCert": &c.TLSCert, "tlsKey": &c.TLSKey, "control": &c.Control, "state": &c.State,
		"history": &c.History, "log": &c.Log}[name]
	if field == nil {
		return false, nil
	}
	if json.Unmarshal(raw, field) != nil {
		return true, Fail(ExitUsage, "%s: %q is not a string", path, name)
	}
	c.historySaid = c.historySaid || name == "history"
	return true, nil
}

// setLimit sets a key whose value is a number, and reports whether it is one.
func (c *Config) setLimit(path, name string, raw json.RawMessage) (known bool, err error) {
	l := &c.Limits
	counts := map[string]*int{"frameBytes": &l.FrameBytes, "publishBytes": &l.PublishBytes, "typeBytes": &l.TypeBytes, "clientBytes": &l.ClientBytes,
		"outboxBytes": &l.OutboxBytes, "compressBytes": &l.CompressBytes,
		"types": &l.Types, "clients": &l.Clients, "recipients": &l.Recipients, "publishBatch": &l.PublishBatch, "depth": &l.Depth,
		"fragments": &l.Fragments, "bytesBurst": &l.Bytes.Burst, "messagesBurst": &l.Messages.Burst, "commandsBurst": &l.Commands.Burst,
		"pingsBurst": &l.Pings.Burst, "replaysBurst": &l.Replays.Burst,
		"wikiPublishesBurst": &l.WikiPublishes.Burst, "wikiMessagesBurst": &l.WikiMessages.Burst, "historyBytes": &c.HistoryBytes}
	rates := map[string]*float64{"bytesPerSecond": &l.Bytes.PerSecond, "messagesPerSecond": &l.Messages.PerSecond,
		"commandsPerSecond": &l.Commands.PerSecond, "pingsPerSecond": &l.Pings.PerSecond, "replaysPerSecond": &l.Replays.PerSecond,
		"wikiPublishesPerSecond": &l.WikiPublishes.PerSecond, "wikiMessagesPerSecond": &l.WikiMessages.PerSecond}
	times := map[string]*time.Duration{"connectSeconds": &l.ConnectTimeout, "pingSeconds": &l.PingInterval, "pingTimeoutSeconds": &l.PingTimeout,
		"messageSeconds": &l.MessageTimeout, "writeSeconds": &l.WriteTimeout, "drainSeconds": &c.Drain}
	if field := counts[name]; field != nil {
		least := 1
		if name == "compressBytes" {
			least = 0 // not at all
		}
		if json.Unmarshal(raw, field) != nil || *field < least || *field > 1<<30 {
			err = Fail(ExitUsage, "%s: %q is not a whole number from %d to 2^30", path, name, least)
		}
		return true, err
	}
	if field := rates[name]; field != nil {
		if json.Unmarshal(raw, field) != nil || *field <= 0 || *field > 1<<30 {
			err = Fail(ExitUsage, "%s: %q is not a number, more than 0 and at most 2^30", path, name)
		}
		return true, err
	}
	field := times[name]
	if field == nil {
		return false, nil
	}
	var seconds float64
	if json.Unmarshal(raw, &seconds) != nil || seconds <= 0 || seconds > 86400 {
		return true, Fail(ExitUsage, "%s: %q is not a number of seconds, more than 0 and at most 86400", path, name)
	}
	*field = time.Duration(seconds * float64(time.Second))
	return true, nil
}

func (c *Config) setWikis(path string, raw json.RawMessage) error {
	var wikis map[string]json.RawMessage
	if json.Unmarshal(raw, &wikis) != nil {
		return Fail(ExitUsage, `%s: "wikis" is not an object of wikis by id`, path)
	}
	for id, body := range wikis {
		wiki, err := auth.ParseWiki(id, body)
		if err != nil {
			return Fail(ExitUsage, "%s: %v", path, err)
		}
		wiki.ETag = "" // a wiki that registers is compared with what it sent, not with the file
		c.Wikis = append(c.Wikis, wiki)
	}
	return nil
}
