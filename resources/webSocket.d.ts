/**
 * What the extension WebSocket gives to scripts of the wiki, gadgets and other extensions: `window.webSocket`, from the ResourceLoader module
 * `ext.websocket`.
 *
 * Nothing is loaded or connected before one of connect, subscribe and send is called, and then only after the page has loaded. All tabs of a
 * browser that show one wiki to one user share a connection, where the browser allows it. A lost connection comes back by itself, with the
 * subscriptions; messages of the time in between are missed, so fetch what you show again when `connected` calls you.
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
	 * Calls back with every message of a type that somebody else sent: a page never gets its own. Connects, if need be.
	 *
	 * @param type 1 to 255 bytes of UTF-8 without control characters. Begin it with `mw.config.get( 'wsWikiID' )` for an event of this wiki
	 *  alone; without that, all wikis that share the relay hear it. With anything else, and with a callback that is no function, nothing is
	 *  subscribed and the console says why. What the wiki refuses goes to the hook `webSocket.error`. For a type that only some may hear the
	 *  wiki is asked for a subscription token; there is nothing to do for that.
	 * @param callback gets the whole envelope. The same function counts once for a type, as with addEventListener. What it throws is reported
	 *  like an error in any event handler and keeps no other callback from being called.
	 * @returns a function that ends this subscription
	 * @example
	 * const stop = webSocket.subscribe( mw.config.get( 'wsWikiID' ) + 'VoteCast', ( data ) => showVotes( data.msg.count ) );
	 */
	subscribe( type: string, callback: ( data: WebSocketEnvelope ) => void ): () => void;

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
	 * (`rate-limited`); the wiki may set other limits. A message is delivered at most once and never sent again by itself. There is no word when
	 * it was; when it was not, as far as that is known, the hook `webSocket.error` says why. It does nothing where `connect` returns false.
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
	/** The place in the order of messages. */
	offset?: number;
}

/** The value of the hook `webSocket.error`. */
interface WebSocketError {
	/** What failed: `send`, `subscribe` or `register` (this page has no place in the connection). */
	about: 'send' | 'subscribe' | 'register';
	/** Of which type; `''` for register. */
	type: string;
	/**
	 * - `forbidden`, `unauthorized`: the wiki or the relay does not allow it to this user; it is not tried again before the page, or another
	 *   one of this browser, subscribes or sends again
	 * - `rate-limited`: too much, too fast: the message is lost
	 * - `unavailable`: of send: the connection or the relay was not there, and whether the message arrived is not known; of subscribe: the wiki
	 *   cannot be asked now, and that is tried again as long as the page wants it. What is sent in the meantime is missed.
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
 * Hooks: `mw.hook( 'webSocket.connected' )` and `mw.hook( 'webSocket.disconnected' )` fire with the client whenever the state changes, and
 * `mw.hook( 'webSocket.error' )` with a WebSocketError, for each message and subscription that failed. A hook remembers how it was fired last and
 * calls late handlers with that: ask `webSocket.connected()` for what is true now. A handler of `webSocket.error` cannot send the type whose
 * sending failed: that would fail and be reported for ever.
 */
