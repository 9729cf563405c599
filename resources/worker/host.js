import { decode, encodeBody, encodeCommand, encodeMessage } from './frames.js';

// The members of the messages to pages that the program sends.
const MEMBERS = {
	connected: [ 'wiki', 'user' ],
	disconnected: [ 'code', 'reason', 'retry' ],
	message: [ 'data' ],
	error: [ 'about', 'type', 'code', 'message' ],
	token: [ 'refused' ],
	grants: [ 'types', 'refused' ]
};
// The longest time that setTimeout can wait, in ms; with more it does not wait at all.
const LONGEST = 0x7fffffff;

/**
 * What one run of the program is connected to: the pages and the relay. wasmclient/main.go describes it from the other side.
 */
export class Host {
	/**
	 * @param {function(string, Object)} post a message to the page of a client
	 */
	constructor( post ) {
		this.toPage = post;
		this.receive = null;
		this.socket = null;
		this.timers = new Map();
	}

	listen( receive ) {
		this.receive = receive;
	}

	post( client, op, ...values ) {
		const message = { op };
		MEMBERS[ op ].forEach( ( name, i ) => {
			message[ name ] = values[ i ];
		} );
		this.toPage( client, message );
	}

	/**
	 * Hand a message of a page to the program.
	 *
	 * @param {string} client '' when it is the host's own
	 * @param {Object} message
	 */
	deliver( client, message ) {
		let members = message;
		if ( message.op === 'send' ) {
			members = Object.assign( { type: message.type }, encodeBody( client, message ) );
		} else if ( message.expires ) {
			members = withLife( message );
		} else if ( message.op === 'granted' ) {
			members = Object.assign( {}, message, { tokens: message.tokens.map( withLife ) } );
		}
		this.receive( message.op, client, members );
	}

	after( id, ms ) {
		this.timers.set( id, setTimeout( () => {
			this.timers.delete( id );
			this.receive( 'timer', '', { id } );
		}, Math.min( ms, LONGEST ) ) );
	}

	cancel( id ) {
		clearTimeout( this.timers.get( id ) );
		this.timers.delete( id );
	}

	/**
	 * The program has ended: what was its own goes with it.
	 */
	end() {
		this.close( 3000, 'client restarts' );
		this.timers.forEach( ( timer ) => clearTimeout( timer ) );
		this.timers.clear();
	}

	open( url, protocol ) {
		let socket;
		try {
			socket = new WebSocket( url, protocol );
		} catch ( e ) {
			return false;
		}
		this.socket = socket;
		socket.onopen = () => this.receive( 'opened', '', {} );
		socket.onmessage = ( event ) => {
			const frame = decode( event.data );
			if ( frame ) {
				this.receive( 'frame', '', frame );
			}
		};
		socket.onclose = ( event ) => {
			this.detach();
			this.receive( 'closed', '', { code: event.code, reason: event.reason } );
		};
		return true;
	}

	send( ...command ) {
		this.write( encodeCommand( ...command ) );
	}

	sendMessage( id, body ) {
		this.write( encodeMessage( id, body ) );
	}

	// A socket that is closing takes nothing any more; the program hears of the close next.
	write( text ) {
		if ( this.socket && this.socket.readyState === WebSocket.OPEN ) {
			this.socket.send( text );
		}
	}

	close( code, reason ) {
		const socket = this.detach();
		if ( socket ) {
			socket.close( code, reason );
		}
	}

	detach() {
		const socket = this.socket;
		if ( socket ) {
			socket.onopen = socket.onmessage = socket.onclose = null;
			this.socket = null;
		}
		return socket;
	}
}

/**
 * The program has no clock, so it is told how long a token lasts and not until when.
 *
 * @param {{expires: number}} message Unix time; 0 when unknown
 * @return {Object} the message and "life": whole seconds until then, 0 when unknown and never otherwise
 */
function withLife( message ) {
	const { expires } = message;
	return Object.assign( {}, message, { life: expires ? Math.floor( expires - Date.now() / 1000 ) || -1 : 0 } );
}
