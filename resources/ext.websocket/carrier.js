// A host that says nothing for so long is given up for the next way. The first thing it says needs only its small script, not the program.
const PATIENCE = 10000;

/**
 * Finds a place for the client that the browser allows: a SharedWorker, which all tabs share, else a Worker of this page, else the page.
 */
export class Carrier {
	/**
	 * @param {Object} options
	 * @param {string} options.url of the worker script
	 * @param {string} options.name of the shared worker: who has the same shares it
	 * @param {function(Object)} options.receive what the host says
	 * @param {function(string)} options.failed there is no way
	 */
	constructor( options ) {
		this.options = options;
		this.ways = [];
		this.port = null;
		this.shared = false;
		this.timer = 0;
	}

	/**
	 * Begin, also anew.
	 */
	start() {
		this.ways = [ this.openShared, this.openWorker, this.openHere ];
		this.next( '' );
	}

	post( message ) {
		if ( this.port ) {
			this.port.postMessage( message );
		}
	}

	next( why ) {
		clearTimeout( this.timer );
		if ( this.port ) {
			this.port.onmessage = null;
			( this.port.terminate || this.port.close ).call( this.port );
			this.port = null;
		}
		const open = this.ways.shift();
		if ( !open ) {
			this.options.failed( why );
			return;
		}
		this.shared = open === this.openShared;
		const once = ( problem ) => {
			if ( this.attempt === once ) {
				this.attempt = null;
				this.next( problem );
			}
		};
		this.attempt = once;
		this.timer = setTimeout( () => once( 'no answer' ), PATIENCE );
		try {
			this.port = open.call( this, () => once( 'the script of the client does not load' ) );
			this.port.onmessage = ( event ) => this.received( event.data );
		} catch ( e ) {
			once( e.message );
		}
	}

	received( message ) {
		clearTimeout( this.timer );
		this.attempt = null;
		if ( message.op === 'failed' ) {
			this.next( message.message );
		} else {
			this.options.receive( message );
		}
	}

	openShared( onerror ) {
		const worker = new SharedWorker( this.options.url, { name: this.options.name } );
		worker.onerror = onerror;
		return worker.port;
	}

	openWorker( onerror ) {
		const worker = new Worker( this.options.url );
		worker.onerror = onerror;
		return worker;
	}

	openHere( onerror ) {
		const channel = new MessageChannel();
		const script = document.createElement( 'script' );
		script.webSocketPort = channel.port2;
		script.onerror = onerror;
		script.src = this.options.url;
		document.head.appendChild( script );
		return channel.port1;
	}
}
