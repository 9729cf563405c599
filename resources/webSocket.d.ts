/**
 * What the extension WebSocket gives to scripts of the wiki, gadgets and other extensions: `window.webSocket`, from the ResourceLoader module
 * `ext.websocket`.
 *
 * Nothing is loaded or connected before one of connect, subscribe and send is called, and then only after the page has loaded. All tabs of a
 * browser that show one wiki to one user share a connection, where the browser allows it. A lost connection comes back by itself, with the
 * subscriptions.
 *
 * Messages of the time in between come then, once, in their order and before newer ones, when the wiki has declared that the relay keeps messages of
 * that type, and for long enough. Where something may have been missed, and only there, `missed` calls back: fetch what you show again. That goes on
 * also when the page was put away and comes back (bfcache), when the browser had stopped it, when the machine slept, and when the browser has thrown
 * away its memory and brings it back. A page that is loaded again begins with what its HTML shows: what has happened since that was made is a
 * matter of `since`.
 *
 * None of the methods needs `this`.
 */
interface WebSocketClient {
	/**
	 * Begins to connect. Calling it is not necessary, and calling it again does nothing.
	 *
	 * @returns false when this browser cannot, or this wiki has no relay. true does not mean that there is a connection yet: ask `connected`.
	 * @example
	 * if ( !webSocket.connect() ) { pollEveryFiveSeconds(); }
	 */
	connect(): boolean;

	/**
	 * Whether a connection is there or being made: true from the first use on, unless the client cannot run in this page or the wiki does not
	 * let this user connect any more; then the next page that is opened tries again.
	 *
	 * @example
	 * statusIcon.hidden = !webSocket.active();
	 */
	active(): boolean;

	/**
	 * Whether there is a connection.
	 *
	 * @param callback is called at each connect, when all subscriptions are in place, and at once if there is a connection now. The same
	 *  function counts once. What it throws is reported like an error in any event handler and keeps no other callback from being called.
	 * @example
	 * webSocket.connected( () => fetchComments() );
	 */
	connected( callback?: () => void ): boolean;

	/**
	 * Registers a callback for each loss of the connection. It is also called, once, when the first attempt to connect fails and when there is
	 * no way to connect from this page. Whether the connection may come back says `active`.
	 *
	 * @example
	 * webSocket.disconnected( startPolling );
	 */
	disconnected( callback: () => void ): void;

	/**
	 * Registers a callback for messages that this page may have missed: more than the relay keeps, or of a type of which it keeps none. Fetch what you
	 * show of that type; what comes afterwards comes in order. The hook `webSocket.missed` says the same.
	 *
	 * @param callback gets the type, one that this page has subscribed to. It comes once for each gap and type, before `connected` calls back if a lost
	 *  connection was the reason. The same function counts once. What it throws is reported like an error in any event handler.
	 * @example
	 * webSocket.missed( ( type ) => type === myType && fetchComments() );
	 */
	missed( callback: ( type: string ) => void ): void;

	/**
	 * Calls back with every message of a type that somebody else sent: a page never gets its own. Messages of one type come in one order, and each once.
	 * Connects, if need be.
	 *
	 * @param type 1 to 255 bytes of UTF-8 without control characters. Begin it with `mw.config.get( 'wsWikiID' )` for an event of this wiki
	 *  alone; without that, all wikis that share the relay hear it. With anything else, and with a callback that is no function, nothing is
	 *  subscribed and the console says why. What the wiki refuses goes to the hook `webSocket.error`. For a type that only some may hear the
	 *  wiki is asked for a subscription token; there is nothing to do for that.
	 * @param callback gets the whole envelope. The same function counts once for a type, as with addEventListener. What it throws is reported
	 *  like an error in any event handler and keeps no other callback from being called.
	 * @param options `since`: what you show is from then, so messages from after it come too, as far as the relay keeps them; if some are gone, `missed`
	 *  calls back. A Date, or Unix time in whole seconds of the wiki's clock (`mw.config.get( 'wsTime' )` is when the HTML of this page was made); a
	 *  minute more is wise, because the database that the page was made from may have been behind; what the HTML shows already may come again then.
	 *  Default: from now on. Milliseconds, texts and other things that are no time are refused: nothing is subscribed, and the console says why. A
	 *  callback that is not the first for its type gets what is from before alone.
	 * @returns a function that ends this subscription
	 * @example
	 * const stop = webSocket.subscribe( mw.config.get( 'wsWikiID' ) + 'VoteCast', ( data ) => showVotes( data.msg.count ) );
	 * @example
	 * webSocket.subscribe( type, showComment, { since: mw.config.get( 'wsTime' ) - 60 } ); // nothing is lost between the HTML and the connection
	 */
	subscribe( type: string, callback: ( data: WebSocketEnvelope ) => void, options?: { since?: Date | number | null } ): () => void;

	/**
	 * Ends a subscription. One that is not there is no error.
	 *
	 * @example
	 * webSocket.unsubscribe( 'FooDataChanged', updateFooData );
	 */
	unsubscribe( type: string, callback: ( data: WebSocketEnvelope ) => void ): void;

	/**
	 * Sends a message to all who have subscribed to its type. Connects, if need be; up to 100 messages or 256 KiB of this browser wait for the
	 * connection, then the oldest are dropped. The relay takes 20 messages a second of a browser in the long run, 120 at once, and refuses more
	 * (`rate-limited`); the wiki may set other limits. A message that the relay has not answered when the connection is lost is sent again on the
	 * next one, up to four times within nine minutes, and before anything newer; the relay knows it again and delivers it once. There is no word when it
	 * was delivered; when it was not, as far as that is known, the hook `webSocket.error` says why. It does nothing where `connect` returns false.
	 *
	 * @param type as for subscribe; types after whose wiki id an "@" follows are for the wiki itself
	 * @param msg what JSON can hold, up to about 64,000 bytes of it; `''` when missing
	 * @param to the client ids of the recipients, an array or one comma-separated string, up to 128; missing or empty means everyone
	 * @throws TypeError when JSON cannot hold msg: a cycle, a BigInt
	 * @example
	 * webSocket.send( 'CursorMoved', { line: 12 } );
	 */
	send( type: string, msg?: unknown, to?: string | readonly string[] | false | null ): void;

	/**
	 * Asks who subscribes to a type now. Connects, if need be.
	 *
	 * @param type as for subscribe; this page need not subscribe to it. The wiki must have declared presence for it, and must let this user ask.
	 * @returns a promise of who is there. It is rejected with an Error whose `code` says why: `bad-request` (the type is none), `forbidden` (not
	 *  declared, or not for this user), `unavailable` (no answer within 10 seconds, or this page cannot connect), or another one of the relay's.
	 * @example
	 * const { users, anonymous } = await webSocket.presence( type );
	 */
	presence( type: string ): Promise<WebSocketPresence>;

	/**
	 * Calls back whenever somebody has come to a type: with the first subscription of a user, however many connections follow. Connects, if need be, and
	 * goes on after a lost connection; who has come in between is not told, so ask `presence` when `connected` calls back. What the wiki refuses goes to
	 * the hook `webSocket.error`, as about `presence`.
	 *
	 * @param type as for presence
	 * @param callback gets the change. The same function counts once for a type. What it throws is reported like an error in any event handler.
	 * @returns a function that ends it
	 * @example
	 * const stop = webSocket.joined( type, ( who ) => who.user && showReader( who.user ) );
	 */
	joined( type: string, callback: ( change: WebSocketPresenceChange ) => void ): () => void;

	/**
	 * The same for whoever has gone: a user is told five seconds after the last subscription has ended, so that loading a page again is no leaving.
	 *
	 * @example
	 * const stop = webSocket.left( type, ( who ) => who.user && hideReader( who.user ) );
	 */
	left( type: string, callback: ( change: WebSocketPresenceChange ) => void ): () => void;

	/**
	 * How this page is connected now: `websocket`; where the network lets none through, `sse` (Server-Sent Events) or `poll` (long polling); `api` on a
	 * wiki without a relay, whose API is asked every few seconds; `''` without a connection. All of them bring the same messages; `api` has no presence.
	 *
	 * @example
	 * if ( webSocket.transport() === 'api' ) { hideCursors(); }
	 */
	transport(): '' | 'websocket' | 'sse' | 'poll' | 'api';

	/**
	 * The id of this page: `WS` and 30 hexadecimal digits, new with every load. Also `mw.config.get( 'wsClientID' )`.
	 *
	 * @example
	 * // The wiki leaves this page out when it tells the others.
	 * new mw.Api().post( { action: 'vote', clientID: webSocket.clientID() } );
	 */
	clientID(): string;

	/**
	 * The address that this page connects to, made from the wiki's settings: `wss://wiki.example:1730`, `wss://wiki.example/websocket:1729`.
	 *
	 * @example
	 * mw.log( 'connecting to ' + webSocket.url() );
	 */
	url(): string;
}

/** A message as callbacks get it. All callbacks get the same object: do not change it. */
interface WebSocketEnvelope {
	type: string;
	/** The message; `''` when there is none. */
	msg: any;
	/** The client id of the sender; `''` when it has none. Nobody checks it: see `user` and `wiki`. */
	from: string;
	/** The recipients as the sender named them; `''` for everyone. */
	to: any;
	/** The user name of the sender, checked by the relay. Missing for anonymous visitors. */
	user?: string;
	/** The message comes from a wiki, and not from a visitor; checked by the relay. */
	wiki?: true;
	/** The place in the order of messages: it rises within a type, with gaps, until the relay begins to count anew. */
	offset?: number;
}

/** Who subscribes to a type. */
interface WebSocketPresence {
	/** The names of users, sorted, each once; at most 1000 of them. */
	users: string[];
	/** How many connections there are of visitors without an account. */
	anonymous: number;
	/** All together, also users that are not named. */
	count: number;
}

/** Somebody has come or gone: either `user`, or the numbers. */
interface WebSocketPresenceChange {
	/** The name of the user. */
	user?: string;
	/** How many connections of visitors without an account there are now; told at most once a second. */
	anonymous?: number;
	/**
	 * How many there are now, all together, when more than 1000 users are there or have come and gone within a second: none of them is named then. Who
	 * shows names asks `presence` again.
	 */
	count?: number;
}

/** The value of the hook `webSocket.error`. */
interface WebSocketError {
	/** What failed: `send`, `subscribe`, `register` (this page has no place in the connection) or `presence` (of joined and left). */
	about: 'send' | 'subscribe' | 'register' | 'presence';
	/** Of which type; `''` for register. */
	type: string;
	/**
	 * - `forbidden`, `unauthorized`: the wiki or the relay does not allow it to this user; it is not tried again before the page, or another
	 *   one of this browser, subscribes or sends again
	 * - `rate-limited`: too much, too fast: the message is lost
	 * - `unavailable`: of send: the connection or the relay was not there, also when it was tried again, and whether the message arrived is not
	 *   known; of subscribe: the wiki cannot be asked now, and that is tried again as long as the page wants it. What is sent in the meantime comes
	 *   later, or `missed` calls back, if the page had the subscription before.
	 * - `limit`, `too-large`, `bad-request`: past what the relay takes, as the message says
	 * - others that the relay may have
	 */
	code: string;
	/** For developers, in English; what the wiki says is in the language of the user. */
	message: string;
}

interface Window {
	webSocket: WebSocketClient;
}

declare const webSocket: WebSocketClient;

/*
 * Hooks: `mw.hook( 'webSocket.connected' )` and `mw.hook( 'webSocket.disconnected' )` fire with the client whenever the state changes,
 * `mw.hook( 'webSocket.missed' )` with a type when messages of it may have been missed, and `mw.hook( 'webSocket.error' )` with a WebSocketError,
 * for each message and subscription that failed. A hook remembers how it was fired last and calls late handlers with that: ask
 * `webSocket.connected()` for what is true now. A handler of `webSocket.error` cannot send the type whose sending failed: that would fail and be
 * reported for ever.
 */
