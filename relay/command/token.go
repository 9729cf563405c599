package command

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"mediawiki-websocket/relay/auth"
	"mediawiki-websocket/relay/config"
)

const tokenHelp = `Usage: websocket-relay token [flags]

Prints a token of a wiki: for scripts that connect or publish, and to try things out.

  --for WHAT         connect (the default), publish, or subscribe, which takes --type
  --wiki ID          whose; may be left out when there is but one
  --user NAME        of whom; without it a visitor without an account
  --rights A,B       user rights that declarations of types ask for; "*" stands for all
  --type TYPE        of a subscription token
  --life D           how long it is good: 1h, at most 48h; a publish token 60s, which is the most

With whose key it is signed:
  --key-file FILE    the key, base64 of 32 bytes, as in $wgWebSocketKey
  --config FILE      that of the wiki in the relay's configuration file, if it names the wiki
  --control PATH     that which the wiki has registered: the relay makes the token, and keeps the
                     key to itself. Default: as in websocket-relay send --help

The key is never printed and never an argument, which other users could see. A token is as good
as a password while it lives.
Exit codes: 0 done, 1 failure, 2 wrong usage.
Example: WEBSOCKET_TOKEN=$(websocket-relay token --user Ann) websocket-relay listen News --url ws://127.0.0.1:1729/
`

const connectLife = time.Hour

func token(ctx context.Context, c *command, args []string) error {
	claims := auth.Claims{}
	var keyFile, rights string
	c.flags.StringVar(&claims.Audience, "for", auth.AudienceConnect, "")
	c.flags.StringVar(&claims.User, "user", "", "")
	c.flags.StringVar(&claims.Type, "type", "", "")
	c.flags.DurationVar(&claims.Life, "life", 0, "")
	c.flags.StringVar(&rights, "rights", "", "")
	c.flags.StringVar(&keyFile, "key-file", "", "")
	if _, err := c.parse(args, 0, 0, "[flags]"); err != nil {
		return err
	}
	claims.Rights = list(rights)
	if claims.Life == 0 && claims.Audience != auth.AudiencePublish {
		claims.Life = connectLife
	}
	key, wiki, err := c.key(keyFile)
	if err != nil {
		return err
	}
	if claims.Wiki = wiki; key == nil {
		return c.remoteToken(ctx, &claims)
	}
	text, _, err := claims.Sign(key, time.Now())
	if err != nil {
		return usage("%v", err)
	}
	_, err = fmt.Fprintln(c.Out, text)
	return err
}

// key returns the key to sign with and whose it is, or none when the relay is to do it.
func (c *command) key(file string) (key []byte, wiki string, err error) {
	if file != "" {
		if c.wiki == "" {
			return nil, "", usage("--key-file takes --wiki ID: a wiki's table prefix, its database name and a colon, which pages know as wsWikiID")
		}
		key, err = readKey(file)
		return key, c.wiki, err
	}
	if c.config == "" {
		return nil, "", nil
	}
	file2, err := config.ReadFile(c.config)
	if err != nil {
		return nil, "", err
	}
	var ids []string
	for _, w := range file2.Wikis {
		if ids = append(ids, w.ID); w.ID == c.wiki || c.wiki == "" && len(file2.Wikis) == 1 {
			return w.Keys[0], w.ID, nil
		}
	}
	slices.Sort(ids)
	switch {
	case c.wiki == "" && len(ids) > 1:
		return nil, "", usage("which wiki? Give --wiki ID, one of: %s", strings.Join(ids, " "))
	case c.control == "":
		return nil, "", usage("%s names neither the wiki nor a control socket; its wikis: %s", c.config, strings.Join(ids, " "))
	}
	return nil, "", nil // it may have registered
}

// readKey reads a file with a key. What is wrong is said without the key.
func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, usage("--key-file: %v", err)
	}
	if info.Mode().Perm()&0o004 != 0 {
		return nil, usage("--key-file %s: everybody can read it; chmod o= it, and give the wiki a new key if others use this machine", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("--key-file: %v", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != auth.KeyBytes {
		return nil, usage("--key-file %s: that is not base64 of %d bytes", path, auth.KeyBytes)
	}
	return key, nil
}

// remoteToken has the relay make the token.
func (c *command) remoteToken(ctx context.Context, claims *auth.Claims) error {
	if err := c.local(); err != nil {
		return usage("with whose key? Give --key-file FILE, or --config FILE or --control PATH of a relay that knows the wiki")
	}
	ctx, done := patience(ctx, sendPatience)
	defer done()
	wiki, err := c.wikiOf(ctx, claims.Type)
	if err != nil {
		return err
	}
	if wiki == "" {
		return config.Fail(config.ExitFailure, "no wiki is registered with the relay: it takes everybody without a token, or nobody")
	}
	text, err := c.made(ctx, wiki, claims.Audience, map[string]any{"user": claims.User, "type": claims.Type, "rights": claims.Rights,
		"seconds": int(claims.Life.Seconds())})
	if err == nil {
		_, err = fmt.Fprintln(c.Out, text)
	}
	return err
}
