import { PollSocket } from './transport.poll.js';
import { StreamSocket } from './transport.stream.js';

// From the best to the one that gets through everywhere.
const NAMES = [ 'websocket', 'sse', 'poll' ];
// How long a connection may take to open before the next way is tried, in ms.
const PATIENCE = 4000;
// How long a way other than the best is remembered, in ms.
const RETRY = 600000;
// Where WebSockets have worked, most likely only the relay is away: so many times the other ways are not tried.
const TRUST = 2;

// What the connections of this worker have learnt of the network.
const fresh = { first: 0, since: 0, trusted: false, failures: 0, cuts: 0 };
const memory = Object.assign( {}, fresh );

/**
 * Which way has worked, for pages to hand over to the next worker.
 *
 * @return {string} 'sse' or 'poll' while that is to be tried first; '' when it is the WebSocket
 */
export function remembered() {
	return memory.first && Date.now() - memory.since < RETRY ? NAMES[ memory.first ] : '';
}

/**
 * Begin with a way that has worked for a worker before. A worker that has seen for itself knows better.
 *
 * @param {string} name as from remembered()
 */
export function remember( name ) {
	const i = NAMES.indexOf( name );
	if ( i > 0 && !memory.since && !memory.trusted ) {
		begin( i );
	}
}

/**
 * Forget everything, for tests.
 */
export function forget() {
	Object.assign( memory, fresh );
}

function begin( i ) {
	memory.first = i % NAMES.length;
	memory.since = Date.now();
}

function candidates() {
	if ( !remembered() ) {
		memory.first = 0;
	}
	return memory.first === 0 && memory.trusted && memory.failures < TRUST ? [ 0 ] : NAMES.map( ( name, i ) => i ).slice( memory.first );
}

function works( i ) {
	memory.failures = memory.cuts = 0;
	memory.trusted = i === 0;
	if ( memory.first !== i ) {
		begin( i );
	}
}

function fails() {
	memory.failures++;
	memory.first = 0;
}

// It opened and brought nothing: something on the way holds back what is said.
function isMute( i ) {
	memory.failures++;
	if ( i > 0 || !memory.trusted ) {
		begin( i + 1 );
	}
}

// It was cut off before it brought anything: once that is a relay that has just ended.
function isCut( i ) {
	if ( ++memory.cuts > 1 ) {
		memory.cuts = 0;
		isMute( i );
	}
}

/**
 * A connection to the relay with the interface of a WebSocket, by the first way that the network lets through: a WebSocket, Server-Sent Events with POST
 * requests, or long polling. After close() it says nothing any more. When no way opens it closes with 1006, as a WebSocket does.
 */
export class Transport {
	/**
	 * @param {string} url ws: or wss:
	 * @param {string} protocol the subprotocol of WebSocket
	 * @param {function(string)} [told] hears, when the connection opens, which way it has taken: 'websocket', 'sse' or 'poll'
	 * @throws {Error} when the URL is none
	 */
	constructor( url, protocol, told ) {
		this.onopen = this.onmessage = this.onclose = null;
		this.state = 0;
		this.url = url;
		this.protocol = protocol;
		this.told = told || ( () => {} );
		this.http = new URL( url ).href.replace( /^ws/, 'http' );
		this.ways = candidates();
		this.way = 0;
		this.inner = null;
		this.timer = 0;
		this.since = 0; // when it opened
		this.isHeard = false;
		this.isDoubtful = false; // polls are tried although nothing says that streams are held back
		this.isSure = false;
		this.attempt();
	}

	get readyState() {
		return this.inner && this.state === 1 ? this.inner.readyState : this.state;
	}

	attempt() {
		this.way = this.ways.shift();
		let inner;
		try {
			inner = this.make( this.way );
		} catch ( e ) { // a policy of the page that forbids it; its fallbacks may be allowed
			this.timer = setTimeout( () => this.next() );
			return;
		}
		this.inner = inner;
		this.timer = setTimeout( () => {
			this.detach().close();
			this.next();
		}, PATIENCE );
		inner.onopen = () => this.opened();
		inner.onmessage = ( event ) => this.heard( event );
		inner.onclose = ( event ) => {
			this.detach();
			if ( this.state === 0 ) {
				this.isDoubtful = this.way === 1 && !inner.isRefused;
				this.next();
			} else {
				this.closed( event.code, event.reason );
			}
		};
	}

	make( i ) {
		return i === 0 ? new WebSocket( this.url, this.protocol ) : new ( i === 1 ? StreamSocket : PollSocket )( this.http );
	}

	// The way that was tried leads nowhere.
	next() {
		if ( this.ways.length ) {
			this.attempt();
			return;
		}
		fails();
		this.state = 3;
		if ( this.onclose ) {
			this.onclose( { code: 1006, reason: '' } );
		}
	}

	opened() {
		if ( this.isDoubtful && !this.isSure ) { // the relay, or the network, has come back just now: once more, and without doubt
			this.isSure = true;
			this.detach().close();
			this.ways = [ 1, 2 ];
			this.attempt();
			return;
		}
		clearTimeout( this.timer );
		this.state = 1;
		this.since = Date.now();
		this.told( NAMES[ this.way ] );
		if ( this.onopen ) {
			this.onopen();
		}
	}

	heard( event ) {
		if ( !this.isHeard ) {
			this.isHeard = true;
			works( this.way );
		}
		if ( this.onmessage ) {
			this.onmessage( event );
		}
	}

	closed( code, reason ) {
		this.state = 3;
		if ( !this.isHeard && code === 1006 ) {
			isCut( this.way );
		}
		if ( this.onclose ) {
			this.onclose( { code, reason } );
		}
	}

	detach() {
		const inner = this.inner;
		clearTimeout( this.timer );
		this.inner = null;
		if ( inner ) {
			inner.onopen = inner.onmessage = inner.onclose = null;
		}
		return inner;
	}

	/**
	 * @param {string} text
	 */
	send( text ) {
		if ( this.inner ) {
			this.inner.send( text );
		}
	}

	/**
	 * @param {number} [code]
	 * @param {string} [reason]
	 */
	close( code, reason ) {
		if ( this.state === 1 && !this.isHeard && Date.now() - this.since >= PATIENCE ) {
			isMute( this.way );
		}
		this.state = 3;
		const inner = this.detach();
		if ( inner ) {
			inner.close( code, reason );
		}
	}
}
