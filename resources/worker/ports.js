// Without Web Locks a page that is gone is known by its silence. A page that sleeps in the background may be silent, too; it is welcomed again
// when it wakes up.
const PING_EVERY = 60000;
const SILENT_FOR = 5 * 60000;

/**
 * The pages of this host, by their client ids.
 */
export class Ports {
	/**
	 * @param {function(string, Object)} deliver a message of the page of a client; always begins with hello and ends with bye
	 * @param {Object} [env] what tests replace
	 */
	constructor( deliver, env ) {
		this.deliver = deliver;
		this.env = Object.assign( { locks: self.navigator && self.navigator.locks, now: Date.now }, env );
		this.pages = new Map();
		this.all = new Set();
		this.lock = '';
	}

	/**
	 * Hold a lock as long as this host lives, and tell the pages its name: who gets it knows that the host is gone, of which nothing else would
	 * tell. Only a host that does not belong to one page needs it.
	 *
	 * @param {string} name
	 */
	hold( name ) {
		if ( this.env.locks ) {
			this.env.locks.request( name, () => {
				this.lock = name;
				this.broadcast( { op: 'lock', name } );
				return new Promise( () => {} );
			} ).catch( () => {} ); // then they have to do without
		}
	}

	/**
	 * Begin to talk with a page.
	 *
	 * @param {MessagePort|DedicatedWorkerGlobalScope} port
	 */
	add( port ) {
		port.onmessage = ( event ) => this.received( port, event.data );
		this.all.add( port );
		port.postMessage( { op: 'welcome' } );
		if ( this.lock ) {
			port.postMessage( { op: 'lock', name: this.lock } );
		}
	}

	received( port, message ) {
		this.all.add( port );
		if ( message.op === 'hello' ) {
			this.pages.set( message.client, { port, locked: false, heard: this.env.now() } );
			this.deliver( message.client, message );
			return;
		}
		const client = message.client;
		const page = this.pages.get( client );
		if ( !page || page.port !== port ) {
			// It was thought dead, or the program has been started again.
			if ( message.op === 'bye' ) {
				this.all.delete( port );
			} else {
				port.postMessage( { op: 'welcome' } );
			}
			return;
		}
		page.heard = this.env.now();
		switch ( message.op ) {
			case 'pong':
				break;
			case 'locked':
				this.watch( client, page );
				break;
			case 'bye':
				this.gone( client, page );
				break;
			default:
				this.deliver( client, message );
		}
	}

	post( client, message ) {
		const page = this.pages.get( client );
		if ( page ) {
			page.port.postMessage( message );
		}
	}

	/**
	 * Send a message to all pages that may be there, also to those that have not said hello.
	 *
	 * @param {Object} message
	 */
	broadcast( message ) {
		this.all.forEach( ( port ) => port.postMessage( message ) );
	}

	forget() {
		this.pages.clear();
	}

	/**
	 * Notice the end of a page that holds a lock: the browser gives the lock to this host then.
	 *
	 * @param {string} client
	 * @param {Object} page
	 */
	watch( client, page ) {
		if ( this.env.locks ) {
			page.locked = true;
			this.env.locks.request( 'WebSocket ' + client, () => this.gone( client, page ) )
				.catch( () => {
					page.locked = false;
				} );
		}
	}

	gone( client, page ) {
		this.all.delete( page.port );
		if ( this.pages.get( client ) === page ) {
			this.pages.delete( client );
			this.deliver( client, { op: 'bye' } );
		}
	}

	/**
	 * Ask the pages that hold no lock for a sign of life, and drop those that gave none for long.
	 */
	check() {
		const now = this.env.now();
		this.pages.forEach( ( page, client ) => {
			if ( page.locked ) {
				return;
			}
			if ( now - page.heard > SILENT_FOR ) {
				this.gone( client, page );
			} else {
				page.port.postMessage( { op: 'ping' } );
			}
		} );
	}

	/**
	 * Begin the checks. Only a host with several pages needs them: the others end with their page.
	 */
	keepChecking() {
		setInterval( () => this.check(), PING_EVERY );
	}
}
