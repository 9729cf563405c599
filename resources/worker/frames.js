/*
 * JSON of the relay ↔ plain members for the program. The frames are those of the Go package relay/wire, the members those of the package
 * comment of wasmclient/main.go.
 */

/**
 * Write a command. Members that are empty are left out.
 *
 * @param {number} id 0 for none
 * @param {string} op
 * @param {string} type
 * @param {string} client
 * @param {string} token of the commands connect, refresh and subscribe
 * @param {string[]} clients of the command connect
 * @param {Object|null} [since] of the command subscribe: epoch and offset, or time
 * @param {boolean|null} [follow] of the command presence
 * @return {string}
 */
export function encodeCommand( id, op, type, client, token, clients, since, follow ) {
	return JSON.stringify( {
		op,
		id: id || undefined,
		type: type || undefined,
		client: client || undefined,
		token: token || undefined,
		clients: op === 'connect' ? clients : undefined,
		since: since || undefined,
		follow: typeof follow === 'boolean' ? follow : undefined
	} );
}

/**
 * Write a message, but for its id and what comes before. The message is JSON already and goes on unchanged.
 *
 * @param {string} client
 * @param {{type: string, to: string[], json: string}} message
 * @param {string} key by which the relay knows it when it comes again
 * @return {{body: string, bytes: number}} the size is that of the body
 */
export function encodeBody( client, message, key ) {
	const head = JSON.stringify( {
		op: 'send', type: message.type, key, from: client, to: message.to.length ? message.to : ''
	} );
	const body = head.slice( 1, -1 ) + ',"msg":' + message.json + '}';
	return { body, bytes: new TextEncoder().encode( body ).length };
}

/**
 * Complete a message with the id of its command.
 *
 * @param {number} id
 * @param {string} body
 * @return {string}
 */
export function encodeMessage( id, body ) {
	return '{"id":' + id + ',' + body;
}

// The members of an envelope. What else a frame has does not reach the pages, "__proto__" least of all.
const ENVELOPE = [ 'type', 'msg', 'from', 'to', 'offset', 'user', 'wiki' ];

/**
 * Read a frame.
 *
 * @param {string} text
 * @return {Object|null} null when it is no frame
 */
export function decode( text ) {
	let frame;
	try {
		frame = JSON.parse( text );
	} catch ( e ) {
		return null;
	}
	if ( !frame || typeof frame !== 'object' ) {
		return null;
	}
	if ( frame.ok ) {
		const { wiki, user, ping, epoch, offset, recovered, users, anonymous, count } = frame.ok;
		const present = Array.isArray( users ) ? { users, anonymous, count } : undefined;
		return { id: frame.id, reply: true, wiki, user, ping, epoch, offset, recovered, data: present };
	}
	if ( frame.error ) {
		const { code, message } = frame.error;
		return { id: frame.id, reply: true, error: typeof code === 'string' && code || 'internal', message };
	}
	if ( typeof frame.op === 'string' ) {
		const { op, after, type, user, anonymous, count } = frame;
		const numbers = typeof count === 'number' ? { anonymous, count } : { anonymous };
		return { op, after, type, data: typeof user === 'string' ? { user } : numbers };
	}
	if ( typeof frame.type !== 'string' ) {
		return null;
	}
	const data = {};
	ENVELOPE.forEach( ( name ) => {
		if ( frame[ name ] !== undefined ) {
			data[ name ] = frame[ name ];
		}
	} );
	return { type: frame.type, from: frame.from, to: recipients( frame.to ), offset: frame.offset, data };
}

/**
 * Read "to" in each form that it may have on the wire: an array of ids or one comma-separated string; nothing and zero mean everyone.
 *
 * @param {*} to
 * @return {string[]} empty for everyone
 */
export function recipients( to ) {
	if ( !to ) {
		return [];
	}
	return ( Array.isArray( to ) ? to : typeof to === 'string' ? to.split( ',' ) : [ to ] )
		// What cannot be an id is that of nobody: left out, it would make the message one for everyone.
		.map( ( id ) => typeof id === 'string' || typeof id === 'number' ? String( id ).trim() : '?' )
		.filter( ( id ) => id !== '' && id !== '0' );
}
