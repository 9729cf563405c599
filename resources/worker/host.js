import { decode, encodeBody, encodeCommand, encodeMessage } from './frames.js';
import { Transport } from './transport.js';

// The members of the messages to pages that the program sends.
const MEMBERS = {
	connected: [ 'wiki', 'user' ],
	disconnected: [ 'code', 'reason', 'retry' ],
	message: [ 'data' ],
	position: [ 'type', 'epoch', 'offset' ],
	missed: [ 'type' ],
	presence: [ 'id', 'data', 'code', 'message' ],
	join: [ 'type', 'data' ],
	leave: [ 'type', 'data' ],
	error: [ 'about', 'type', 'code', 'message' ],
	token: [ 'refused' ],
	grants: [ 'types', 'refused' ]
};
// The longest time that setTimeout can wait, in ms; with more it does not wait at all.
const LONGEST = 0x7fffffff;
// A relay knows a message again for ten minutes, in ms; this is safely less.
const KNOWN = 540000;

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
		// Which way the connection has taken, see transport.js.
		this.transport = '';
		this.onTransport = ( name ) => {
			this.transport = name;
		};
		// Called before the program hears of anything that time has brought.
		this.onTime = () => {};
		this.timers = new Map();
		// Nobody can guess the keys of others' messages, and none comes twice, also when the program starts again.
		this.keys = crypto.getRandomValues( new Uint32Array( 4 ) ).join( '-' );
		this.sends = 0;
	}

	listen( receive ) {
		this.receive = receive;
	}

	post( client, op, ...values ) {
		if ( op === 'connected' && this.transport ) {
			this.toPage( client, { op: 'transport', name: this.transport } );
		}
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
			const { body, bytes } = encodeBody( client, message, this.keys + '-' + ( ++this.sends ) );
			members = { type: message.type, body: { text: body, sent: 0 }, bytes };
		} else if ( message.expires ) {
			members = withLife( message );
		} else if ( message.op === 'granted' ) {
			members = Object.assign( {}, message, { tokens: message.tokens.map( withLife ) } );
		}
		this.receive( message.op, client, members );
	}

	after( id, ms ) {
		this.timers.set( id, setTimeout( () => {
			this.onTime();
			// What that brought may have cancelled it.
			if ( this.timers.delete( id ) ) {
				this.receive( 'timer', '', { id } );
			}
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
			socket = new Transport( url, protocol, ( name ) => this.onTransport( name ) );
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
			this.onTime();
			this.receive( 'closed', '', { code: event.code, reason: event.reason } );
		};
		return true;
	}

	send( ...command ) {
		this.write( encodeCommand( ...command ) );
	}

	/**
	 * @param {number} id
	 * @param {{text: string, sent: number}} body as the program got it; sent: when it was first, in ms, else 0
	 */
	sendMessage( id, body ) {
		const now = Date.now();
		body.sent = body.sent || now;
		if ( now - body.sent < KNOWN ) {
			this.write( encodeMessage( id, body.text ) );
			return;
		}
		// It might be delivered a second time. The program, which is waiting here, hears of it later.
		Promise.resolve().then( () => this.receive( 'frame', '', {
			id, reply: true, error: 'unavailable', message: 'the relay has not answered, and it is too late to send the message again'
		} ) );
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
