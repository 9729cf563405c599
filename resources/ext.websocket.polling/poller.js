// As many types as the API takes in one request, and as many bytes of them as every web server takes in an address.
const BATCH = 50;
const BATCH_BYTES = 3000;
// What the page wants within so many ms is asked for at once.
const MOMENT = 20;
// Nobody looks at a hidden page: it asks so many times less often, and once in so many ms at most.
const HIDDEN = 4;
const HIDDEN_LEAST = 60000;
// The longest wait after a failure, in ms, and how many failures double it.
const LONGEST = 300000;
const DOUBLINGS = 8;
// How often a message is sent again of which nobody knows whether it arrived.
const RESENDS = 4;
// The least of what one more time to send it waits, in seconds. The wiki keeps others out for 30 s while it may still be sending it.
const RESEND_WAIT = 6;
// Answers of the API that stay the same until the page is loaded anew.
const FINAL = [ 'nopolling', 'readapidenied', 'badvalue', 'unknown_action' ];
// MediaWiki's API reads values as separated by it when they begin with it. The usual "|" may be part of a type, which this cannot.
const SEPARATOR = String.fromCharCode( 31 );
// Before the colon of an epoch that comes from here.
const EPOCH = 'api';
const NOBODY = { code: 'unavailable', message: 'this wiki has no relay, and so nobody knows who is there' };

/**
 * The host of a page on a wiki without a relay: it asks the wiki's API again and again. Towards the page it is what a carrier is, and speaks the
 * messages of wasmclient/main.go.
 *
 * What it has had of a type is an offset, up to which nothing will come any more, and the offsets beyond that have come already: the wiki sends
 * those again, because one between them may be late.
 */
export class Poller {
	/**
	 * @param {Object} env
	 * @param {function(Object)} env.receive what the page hears
	 * @param {function(Object): Promise<Object>} env.poll asks with parameters of action=websocketpoll; rejected with {code, message}
	 * @param {function(Object): Promise<Object>} env.send the same for action=websocketsend
	 * @param {function(): string} env.key a new name for a message
	 * @param {number} env.interval seconds between two polls, until the wiki says otherwise
	 * @param {string} env.wiki id of the wiki
	 */
	constructor( env ) {
		this.env = env;
		this.shared = false;
		this.client = '';
		this.types = new Map(); // by type: {offset, time: what has been had; floor: what is not wanted; seen: offsets beyond that}
		this.before = new Map(); // the same, of before the page was put away
		this.interval = env.interval;
		this.hidden = false;
		this.live = false;
		this.over = false;
		this.running = false;
		this.again = false; // something is wanted that the poll on its way does not ask for
		this.failures = 0;
		this.timer = 0;
		this.sending = Promise.resolve();
	}

	start() {
		this.stop();
		this.over = false;
		this.env.receive( { op: 'welcome' } );
	}

	post( message ) {
		switch ( message.op ) {
			case 'hello':
				this.client = message.client;
				this.failures = 0;
				this.over = false;
				this.live = false;
				this.env.receive( { op: 'transport', name: 'api' } );
				this.soon();
				break;
			case 'subscribe':
				this.subscribe( message.type, message.since || {} );
				break;
			case 'unsubscribe':
				this.types.delete( message.type );
				this.before.delete( message.type );
				break;
			case 'send':
				this.send( message );
				break;
			case 'presence':
				this.env.receive( Object.assign( { op: 'presence', id: message.id }, NOBODY ) );
				break;
			case 'follow':
				this.env.receive( Object.assign( { op: 'error', about: 'presence', type: message.type }, NOBODY ) );
				break;
			case 'visible':
				this.hidden = !message.visible;
				this.look();
				break;
			case 'woke':
				this.look();
				break;
			case 'bye':
				this.stop();
		}
	}

	stop() {
		clearTimeout( this.timer );
		this.client = '';
		if ( this.types.size ) {
			this.before = this.types;
			this.types = new Map();
		}
	}

	look() {
		if ( this.client && !this.hidden ) {
			this.soon();
		}
	}

	subscribe( type, since ) {
		// Again: one more script of the page wants it from before. The page knows which of them has had what.
		if ( this.types.has( type ) && !since.time ) {
			return;
		}
		let wanted = { offset: null, time: null, floor: 0, seen: new Set(), fresh: true };
		const [ kind, time ] = String( since.epoch || '' ).split( ':' );
		if ( kind === EPOCH && this.before.has( type ) ) {
			wanted = this.before.get( type );
		} else if ( kind === EPOCH ) {
			wanted.offset = Number( since.offset ) || 0;
			wanted.time = Number( time ) || null;
		} else if ( since.epoch ) {
			// From a relay that this wiki has had: nobody knows what has come since.
			this.env.receive( { op: 'missed', type } );
		} else if ( since.time ) {
			wanted.time = Math.floor( since.time );
		}
		this.types.set( type, wanted );
		if ( this.over ) {
			this.over = false;
			this.failures = 0;
		}
		this.soon();
	}

	soon() {
		if ( this.running ) {
			this.again = true;
		} else {
			this.wait( MOMENT );
		}
	}

	wait( ms ) {
		clearTimeout( this.timer );
		this.timer = setTimeout( () => this.run(), ms );
	}

	// Pages that were opened together are not to ask together.
	pause( seconds ) {
		const least = this.hidden ? Math.max( seconds * 1000 * HIDDEN, HIDDEN_LEAST ) : seconds * 1000;
		this.wait( least * ( 1 + Math.random() / 5 ) );
	}

	async run() {
		const { client } = this;
		if ( !client || this.over ) {
			return;
		}
		this.running = true;
		this.again = false;
		try {
			let next = this.interval;
			for ( const types of this.batches() ) {
				const answer = await this.env.poll( this.question( types ) );
				if ( client !== this.client ) {
					return;
				}
				next = Math.min( next, answer.next );
				this.interval = answer.next || this.interval;
				this.take( types, answer );
			}
			this.failures = 0;
			this.connected();
			this.pause( next );
		} catch ( error ) {
			if ( client === this.client ) {
				this.failed( error );
			}
		} finally {
			this.running = false;
			if ( this.client && ( this.again || client !== this.client ) ) {
				this.soon();
			}
		}
	}

	batches() {
		const batches = [];
		let bytes = BATCH_BYTES;
		this.types.forEach( ( wanted, type ) => {
			bytes += encodeURIComponent( type ).length;
			if ( bytes > BATCH_BYTES || batches[ batches.length - 1 ].size === BATCH ) {
				batches.push( new Map() );
				bytes = encodeURIComponent( type ).length;
			}
			batches[ batches.length - 1 ].set( type, wanted );
		} );
		return batches;
	}

	question( types ) {
		const since = Array.from( types.values(), ( { offset, time } ) => offset === null && time === null ? '-' :
			( offset === null ? '' : offset ) + ':' + ( time === null ? '' : time ) );
		return { types: SEPARATOR + Array.from( types.keys() ).join( SEPARATOR ), since: since.join( '|' ), client: this.client };
	}

	take( types, answer ) {
		// A page that hears of a connection knows what it has missed, and hears then what came through it.
		answer.missed.forEach( ( type ) => this.env.receive( { op: 'missed', type } ) );
		this.connected( answer.user );
		answer.refused.forEach( ( { type, code, message } ) => {
			this.types.delete( type );
			this.env.receive( { op: 'error', about: 'subscribe', type, code, message } );
		} );
		const missed = new Set( answer.missed );
		types.forEach( ( wanted, type ) => {
			if ( missed.has( type ) || wanted.fresh && wanted.offset === null && wanted.time === null ) {
				wanted.floor = answer.newest;
				wanted.offset = answer.offset;
				wanted.seen.clear(); // the wiki may count anew
			}
			wanted.fresh = false;
		} );
		answer.messages.forEach( ( { offset, data } ) => this.deliver( offset, JSON.parse( data ) ) );
		types.forEach( ( wanted, type ) => {
			wanted.offset = Math.max( wanted.offset || 0, answer.offset );
			wanted.time = answer.time;
			wanted.seen.forEach( ( offset ) => offset <= wanted.offset && wanted.seen.delete( offset ) );
			if ( this.types.get( type ) === wanted ) {
				// What is late comes while this page lives, and to no other.
				const reached = Math.max( wanted.offset, ...wanted.seen );
				this.env.receive( { op: 'position', type, epoch: EPOCH + ':' + answer.time, offset: reached } );
			}
		} );
	}

	deliver( offset, data ) {
		const wanted = this.types.get( data.type );
		if ( wanted && offset > ( wanted.offset || 0 ) && offset > wanted.floor && !wanted.seen.has( offset ) ) {
			wanted.seen.add( offset );
			this.env.receive( { op: 'message', data: Object.assign( data, { offset } ) } );
		}
	}

	connected( user ) {
		if ( !this.live ) {
			this.live = true;
			this.env.receive( { op: 'connected', wiki: this.env.wiki, user: user || '' } );
		}
	}

	failed( { code, message } ) {
		const retry = !FINAL.includes( code );
		const was = this.live;
		this.over = !retry;
		this.live = false;
		if ( was || !this.failures || !retry ) {
			this.env.receive( { op: 'disconnected', code: 1006, reason: message, retry } );
		}
		if ( retry ) {
			const wait = this.interval * 1000 * Math.pow( 2, Math.min( this.failures++, DOUBLINGS ) );
			this.pause( Math.min( wait, LONGEST ) / 1000 );
		}
	}

	// One after the other: they are to arrive in the order in which they were sent.
	send( { client, type, to, json } ) {
		const params = { type, msg: json, client, to: to.join( ',' ), key: this.env.key() };
		const once = ( tries ) => this.env.send( params ).catch( ( error ) => {
			// The key keeps it from counting twice.
			if ( error.code === 'http' && tries < RESENDS ) {
				return new Promise( ( resolve ) => {
					setTimeout( () => resolve( once( tries + 1 ) ), Math.max( this.interval, RESEND_WAIT ) * 1000 * tries );
				} );
			}
			this.env.receive( {
				op: 'error', about: 'send', type, message: error.message,
				code: error.code === 'ratelimited' ? 'rate-limited' : error.code === 'http' ? 'unavailable' : error.code
			} );
		} );
		this.sending = this.sending.then( () => once( 1 ) );
	}
}
