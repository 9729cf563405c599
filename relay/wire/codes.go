package wire

// Code is the "code" of an error reply: short, stable, made to be compared.
type Code string

// The error codes, of replies on the socket and of HTTP answers alike.
const (
	BadRequest   Code = "bad-request"   // not JSON, a member missing or malformed
	UnknownOp    Code = "unknown-op"    // an "op" that this relay does not know
	NotConnected Code = "not-connected" // a command before connect
	Unauthorized Code = "unauthorized"  // no token where one is needed, or a token that is not valid
	Expired      Code = "expired"       // a token that has run out: get a new one
	Forbidden    Code = "forbidden"     // the token does not allow this
	TooLarge     Code = "too-large"     // past a size limit
	RateLimited  Code = "rate-limited"  // too many, too fast
	Limit        Code = "limit"         // past a limit on the number of something
	Unavailable  Code = "unavailable"   // the relay cannot do this now
	Internal     Code = "internal"      // a fault of the relay
)

// Error is an error reply. Its message says what was wrong and what was allowed, and never repeats a token.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// NewError returns an error reply.
func NewError(code Code, message string) *Error { return &Error{code, message} }

// Close is a WebSocket close code with the reason that goes with it (RFC 6455, section 7.4).
type Close struct {
	Code   int
	Reason string
}

// The close codes. 1002 comes with the rule that was broken (RFC 6455, sections 5 and 7.4). 4000 to 4499: come back, with backoff. 4500 to 4999: do not.
var (
	CloseNormal       = Close{1000, ""}
	CloseGoingAway    = Close{1001, "relay going away"}
	CloseNotUTF8      = Close{1007, "not UTF-8"}
	CloseBadDeflate   = Close{1007, "broken compression"}
	CloseFragments    = Close{1008, "too many fragments"}
	CloseIncomplete   = Close{1008, "message not complete in time"}
	CloseTooLarge     = Close{1009, "frame too large"}
	CloseInternal     = Close{1011, "fault of the relay"}
	CloseFull         = Close{1013, "relay full: try again later"}
	CloseSlow         = Close{4000, "slow consumer"}
	CloseNoConnect    = Close{4001, "no connect in time"}
	ClosePingTimeout  = Close{4002, "ping timeout"}
	CloseRateLimited  = Close{4003, "rate limited"}
	CloseUnauthorized = Close{4401, "token expired or revoked"}
	CloseBadProtocol  = Close{4500, "bad protocol"}
	CloseOrigin       = Close{4501, "forbidden origin"}
	CloseUnknownWiki  = Close{4502, "unknown wiki"}

	// CloseStale is what a client sends when the relay has gone silent; a browser may close only with 1000 or 3000 to 4999.
	CloseStale = Close{3000, "relay silent"}
)

// MayReconnect reports whether a client that was closed with code may connect again.
func MayReconnect(code int) bool { return code < 4500 || code > 4999 }
