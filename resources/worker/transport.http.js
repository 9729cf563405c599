// So many characters go into one request; the relay takes 256 KiB.
const BATCH = 48 * 1024;
// The relay does not know a connection any more that it has ended: the reason may still be on its way, so many ms.
const GRACE = 1000;

/**
 * What connections over plain HTTP have in common: frames leave in POST requests, one after the other, so that they stay in order. relay/server/fallback.go
 * describes them. One that fails ends the connection; whoever comes back says again what was not answered.
 */
export class HttpSocket {
	/**
	 * @param {string} url http: or https:
	 */
	constructor( url ) {
		this.onopen = this.onmessage = this.onclose = null;
		this.readyState = 0;
		this.url = url;
		this.key = '';
		this.waiting = [];
		this.posts = 0;
		this.isPosting = false;
		this.isRefused = false; // who answers wants no such requests, now and later
		this.aborter = new AbortController();
		this.run().catch( () => this.closed( 1006, '' ) );
	}

	/**
	 * @param {string} body
	 * @return {Promise<Response>} rejected unless the relay agrees
	 */
	async request( body ) {
		const response = await fetch( this.url, Object.assign( { signal: this.aborter.signal }, options( body ) ) );
		this.isRefused = response.status >= 400 && response.status < 500;
		if ( !response.ok ) {
			throw new Error( 'HTTP status ' + response.status );
		}
		return response;
	}

	opened( key ) {
		if ( this.readyState === 0 ) {
			this.readyState = 1;
			this.key = key;
			this.tell( 'onopen' );
		}
	}

	heard( data ) {
		if ( this.readyState === 1 ) {
			this.tell( 'onmessage', { data } );
		}
	}

	closed( code, reason ) {
		if ( this.readyState !== 3 ) {
			this.readyState = 3;
			this.aborter.abort();
			this.tell( 'onclose', { code, reason } );
		}
	}

	// A fault of who listens is not one of the network.
	tell( name, event ) {
		try {
			if ( this[ name ] ) {
				this[ name ]( event );
			}
		} catch ( e ) {
			setTimeout( () => {
				throw e;
			} );
		}
	}

	send( text ) {
		this.waiting.push( text.replace( /[\r\n]/g, ' ' ) ); // which in JSON stand only between words
		if ( !this.isPosting ) {
			this.isPosting = true;
			// What is said at once goes together.
			Promise.resolve().then( () => this.post() ).catch( () => setTimeout( () => this.closed( 1006, '' ), GRACE ) );
		}
	}

	async post() {
		while ( this.waiting.length && this.readyState === 1 ) {
			let n = 0;
			let size = 0;
			do {
				size += this.waiting[ n++ ].length;
			} while ( n < this.waiting.length && size + this.waiting[ n ].length <= BATCH );
			await this.request( 'send ' + this.key + ' ' + ( ++this.posts ) + '\n' + this.waiting.splice( 0, n ).join( '\n' ) );
		}
		this.isPosting = false;
	}

	close() {
		if ( this.readyState === 1 ) {
			// The relay would otherwise wait for the next poll.
			fetch( this.url, Object.assign( { keepalive: true }, options( 'close ' + this.key ) ) ).catch( () => {} );
		}
		this.readyState = 3;
		this.aborter.abort();
	}
}

// Nothing of it makes a browser ask first whether it may (Fetch standard, CORS-preflight).
function options( body ) {
	return { method: 'POST', body, headers: { 'Content-Type': 'text/plain' }, cache: 'no-store', credentials: 'omit', redirect: 'error' };
}
