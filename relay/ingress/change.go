package ingress

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// errNoChange is what [Change] returns for a line about something that is in no list of recent changes, such as most patrols: the wiki's own "@changes" does
// not have it either.
var errNoChange = errors.New("no recent change")

// line is what JSONRCFeedFormatter of MediaWiki writes (MachineReadableRCFeedFormatter::getLine), as far as it is of use here.
type line struct {
	ID        number  `json:"id"`
	Type      string  `json:"type"`
	Namespace *number `json:"namespace"`
	Title     string  `json:"title"`
	Comment   string  `json:"comment"`
	Timestamp int64   `json:"timestamp"` // Unix seconds
	User      string  `json:"user"`
	Bot       bool    `json:"bot"`
	Minor     bool    `json:"minor"`
	Length    struct {
		Old number `json:"old"`
		New number `json:"new"`
	} `json:"length"`
	Revision struct {
		Old number `json:"old"`
		New number `json:"new"`
	} `json:"revision"`
	LogType   *string `json:"log_type"`
	LogAction *string `json:"log_action"`
	Wiki      string  `json:"wiki"`
}

// change is the message of "@changes", with the members in the order in which PHP writes them (RecentChangeHandler.php). The feed has no id of the page.
type change struct {
	Type      string `json:"type"`
	ID        int64  `json:"id"`
	Title     string `json:"title,omitempty"`
	Namespace int64  `json:"namespace"`
	Minor     bool   `json:"minor"`
	OldLength *int64 `json:"oldLength,omitempty"`
	NewLength *int64 `json:"newLength,omitempty"`
	User      string `json:"user,omitempty"`
	Time      string `json:"time"`
	Bot       bool   `json:"bot"`
	Comment   string `json:"comment,omitempty"`
	Rev       int64  `json:"rev,omitempty"`
	Parent    int64  `json:"parent,omitempty"`
	LogType   string `json:"logType,omitempty"`
	LogAction string `json:"logAction,omitempty"`
}

// changeTypes are the types that RecentChange::parseFromRCType of MediaWiki knows.
var changeTypes = []string{"edit", "new", "log", "external", "categorize"}

// maxUnix is the last second of the year 9999, the last that ISO 8601 writes with four digits.
const maxUnix = 253402300799

// Change returns the message of a wiki's "@changes" that a line of its feed becomes. The key is made from the number of the change, so that a line that
// comes twice is published once. The error says what is wrong with the line.
func Change(wiki string, text []byte) (Message, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return Message{}, fmt.Errorf("not a line of JSONRCFeedFormatter (MediaWiki cuts those of more than 65,507 bytes): %w", err)
	}
	switch {
	case !isOf(l.Wiki, wiki):
		return Message{}, fmt.Errorf("of the wiki %.100q, not of %q: each wiki needs a port of its own", l.Wiki, strings.TrimSuffix(wiki, ":"))
	case !known(l.Type):
		return Message{}, fmt.Errorf("unknown type %.64q", l.Type)
	case l.Title == "" || l.Namespace == nil || l.Namespace.value == nil:
		return Message{}, errors.New("title or namespace is missing")
	case l.Timestamp < 0 || l.Timestamp > maxUnix:
		return Message{}, fmt.Errorf("timestamp %d", l.Timestamp)
	case l.ID.value == nil || *l.ID.value <= 0:
		return Message{}, errNoChange
	}
	c := change{Type: l.Type, ID: *l.ID.value, Title: strings.ReplaceAll(l.Title, " ", "_"), Namespace: *l.Namespace.value, Minor: l.Minor,
		OldLength: l.Length.Old.value, NewLength: l.Length.New.value, User: l.User, Time: time.Unix(l.Timestamp, 0).UTC().Format(time.RFC3339),
		Bot: l.Bot, Comment: l.Comment, Rev: l.Revision.New.or0(), Parent: l.Revision.Old.or0()}
	if l.LogType != nil && l.LogAction != nil {
		c.LogType, c.LogAction = *l.LogType, *l.LogAction
	}
	if l.Type == "new" && c.OldLength == nil {
		c.OldLength = new(int64) // which the feed leaves out
	}
	var envelope bytes.Buffer
	e := json.NewEncoder(&envelope)
	e.SetEscapeHTML(false) // as PHP
	if err := e.Encode(struct {
		Type string `json:"type"`
		Msg  change `json:"msg"`
	}{wiki + "@changes", c}); err != nil {
		return Message{}, err
	}
	return Message{Envelope: bytes.TrimSuffix(envelope.Bytes(), []byte("\n")), Key: "rc." + strconv.FormatInt(c.ID, 10)}, nil
}

func known(t string) bool {
	for _, k := range changeTypes {
		if k == t {
			return true
		}
	}
	return false
}

// isOf reports whether a wiki as MediaWiki names it, DATABASE or DATABASE-PREFIX (WikiMap::getWikiIdFromDbDomain), is the one with that id, PREFIX DATABASE and
// a colon.
func isOf(name, wiki string) bool {
	if name == "" {
		return false
	}
	if name+":" == wiki {
		return true
	}
	i := strings.LastIndexByte(name, '-') // a prefix has none
	return i > 0 && name[i+1:]+name[:i]+":" == wiki
}

// number is a whole number that PHP has written as a number, as a string or as null.
type number struct{ value *int64 }

func (n *number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	v, err := strconv.ParseInt(string(bytes.Trim(text, `"`)), 10, 64)
	if err != nil {
		return fmt.Errorf("%.40q is not a whole number", text)
	}
	n.value = &v
	return nil
}

func (n number) or0() int64 {
	if n.value == nil {
		return 0
	}
	return *n.value
}
