package ingress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mediawiki-websocket/relay/wire"
)

// Kind is what sort of queue a source is.
type Kind string

// The kinds.
const (
	Stream  Kind = "stream"  // of Redis, read as a consumer group
	Channel Kind = "channel" // of Redis, pub/sub
	Queue   Kind = "queue"   // of AMQP 0-9-1
	Feed    Kind = "feed"    // of recent changes, UDP
)

// Source is where messages come from, and whose they are. [ParseSource] makes it.
type Source struct {
	Kind           Kind
	Scheme         string // redis, rediss, amqp, amqps, udp
	Address        string // HOST:PORT
	User, Password string
	Vhost          string         // of AMQP; of Redis the number of the database
	Name           string         // of the stream, channel or queue
	Group          string         // of a stream's consumers
	Prefix         string         // of a feed: what each datagram begins with, before a space; a secret
	From           []netip.Prefix // of a feed: who may send; none: this machine only
	Wiki           string         // whose words the messages are
}

// ports are the ports that go without saying.
var ports = map[string]string{"redis": "6379", "rediss": "6379", "amqp": "5672", "amqps": "5671"}

// members are the members that the query of a URL may have besides wiki.
var members = map[string][]string{"redis": {"stream", "group", "channel"}, "rediss": {"stream", "group", "channel"}, "amqp": {"queue"}, "amqps": {"queue"},
	"udp": {"prefix", "from"}}

// ParseSource reads the URL of a source. In a file a URL may have secrets, and may open a port to other machines; where everybody on the machine can read it,
// not. The error is for the operator, and has no secrets in it.
func ParseSource(text string, inFile bool) (Source, error) {
	u, err := url.Parse(text)
	if err != nil { // whose text has the password in it
		return Source{}, errors.New("not a URL (in user, password and names everything but letters, digits and -._~ is written as %XX)")
	}
	s := Source{Scheme: u.Scheme}
	known := members[u.Scheme]
	if known == nil {
		return s, fmt.Errorf("%.32q is none of redis, rediss, amqp, amqps and udp, which the URL must begin with", u.Scheme)
	}
	if strings.Contains(u.EscapedPath()+u.RawQuery, "@") { // where a password goes that has a / or ? in it
		return s, errors.New("not a URL: behind the host there is an @ (in user, password and names everything but letters, digits and -._~ is written as %XX)")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return s, errors.New("what follows the ? is not NAME=VALUE&NAME=VALUE")
	}
	for name, values := range query {
		if name != "wiki" && !slices.Contains(known, name) {
			return s, fmt.Errorf("%.64q is not known; a URL of %s may have wiki, %s", name, u.Scheme, strings.Join(known, ", "))
		}
		if len(values) > 1 || values[0] == "" {
			return s, fmt.Errorf("%q is there twice, or empty", name)
		}
	}
	s.User = u.User.Username()
	s.Password, _ = u.User.Password()
	s.Wiki, s.Group, s.Prefix = query.Get("wiki"), query.Get("group"), query.Get("prefix")
	switch {
	case !inFile && (s.Password != "" || s.Prefix != ""):
		return s, errors.New(`a password does not belong on a command line, which everybody on the machine can read: write the URL into "ingress" of the --config FILE`)
	case u.Fragment != "" || u.Opaque != "":
		return s, errors.New("not a URL of the form SCHEME://HOST/?NAME=VALUE (write # as %23)")
	case wire.CheckWikiID(s.Wiki) != nil:
		return s, errors.New(`"wiki" is missing or no wiki id: write &wiki=mydb: for the wiki "mydb"`)
	}
	if err := s.address(u); err != nil {
		return s, err
	}
	switch s.Scheme {
	case "udp":
		return s, s.feed(u, query.Get("from"), inFile)
	case "amqp", "amqps":
		return s, s.queue(u, query)
	}
	return s, s.redis(u, query)
}

func (s *Source) address(u *url.URL) error {
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = ports[s.Scheme]
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || host == "" {
		return errors.New("the host is missing, or the port is no number from 1 to 65535")
	}
	s.Address = net.JoinHostPort(host, port)
	return nil
}

func (s *Source) redis(u *url.URL, query url.Values) error {
	s.Kind, s.Name = Stream, query.Get("stream")
	if query.Has("channel") {
		s.Kind, s.Name = Channel, query.Get("channel")
	}
	s.Vhost = strings.Trim(u.Path, "/")
	if s.Vhost == "" {
		s.Vhost = "0"
	}
	if n, err := strconv.Atoi(s.Vhost); err != nil || n < 0 {
		return fmt.Errorf("%.64q is not the number of a database", s.Vhost)
	}
	if query.Has("stream") == query.Has("channel") {
		return errors.New("either stream=NAME or channel=NAME must be there")
	}
	switch {
	case s.Kind == Channel && s.Group != "":
		return errors.New("a channel has no group")
	case s.Kind == Stream && s.Group == "":
		s.Group = "relay"
	}
	return nil
}

func (s *Source) queue(u *url.URL, query url.Values) error {
	s.Kind, s.Name, s.Vhost = Queue, query.Get("queue"), strings.TrimPrefix(u.Path, "/")
	if s.Vhost == "" {
		s.Vhost = "/"
	}
	if s.User == "" {
		s.User, s.Password = "guest", "guest" // as the AMQP URI specification has it
	}
	if s.Name == "" || len(s.Name) > 250 {
		return errors.New("queue=NAME, of 1 to 250 bytes, must be there")
	}
	return nil
}

// feed holds the address against the rule that strangers must not say what has changed on a wiki: nothing in a datagram proves who has sent it.
func (s *Source) feed(u *url.URL, from string, inFile bool) error {
	s.Kind = Feed
	if u.Path != "" && u.Path != "/" || u.User != nil {
		return errors.New("a URL of udp has neither user nor path")
	}
	at, err := netip.ParseAddrPort(s.Address)
	if err != nil {
		return errors.New("udp needs the address of an interface, such as 127.0.0.1, and no name")
	}
	for text := range strings.SplitSeq(from, ",") {
		if text == "" {
			continue
		}
		p, err := netip.ParsePrefix(text)
		if a, wrong := netip.ParseAddr(text); wrong == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return fmt.Errorf("%.64q in from= is neither an address nor a network such as 10.0.0.0/24", text)
		}
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 { // as senders are looked at
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		s.From = append(s.From, p.Masked())
	}
	if !at.Addr().IsLoopback() && (!inFile || len(s.From) == 0) {
		return fmt.Errorf("%s can be reached from other machines, and whoever can send there could say what has changed on the wiki: "+
			`use 127.0.0.1, or write the URL into "ingress" of the --config FILE, with from=ADDRESS of the wiki's servers`, s.Address)
	}
	return nil
}

// String is the source without its secrets.
func (s Source) String() string {
	u := url.URL{Scheme: s.Scheme, Host: s.Address}
	switch s.Kind {
	case Stream:
		u.Path, u.RawQuery = "/"+s.Vhost, "stream="+url.QueryEscape(s.Name)+"&group="+url.QueryEscape(s.Group)
	case Channel:
		u.Path, u.RawQuery = "/"+s.Vhost, "channel="+url.QueryEscape(s.Name)
	case Queue:
		u = *u.JoinPath(url.PathEscape(s.Vhost))
		u.RawQuery = "queue=" + url.QueryEscape(s.Name)
	}
	return u.String()
}

// dead is where poisoned messages go.
func (s *Source) dead() string {
	if s.Kind == Queue {
		return s.Name + ".dead"
	}
	return s.Name + ":dead"
}
