import { Listeners } from './listeners.js';
import { Locks } from './locks.js';
import { Positions, seconds } from './positions.js';
import { failure, Presence } from './presence.js';
import { recipients, wrongType } from './type.js';

// As many messages as the client keeps while there is no connection.
const QUEUE = 100;
// How long a shared host may take to end, in ms.
const GRACE = 300;
// A shared host asks pages without Web Locks for a sign of life every minute. One that was silent for so long is gone, in ms.
const SILENT = 150000;

/**
 * What a page has to do with its host. The messages between them are those of wasmclient/main.go.
 */
class Page {
	constructor( env, event ) {
		this.env = env;
		this.event = event;
		this.types = new Listeners( env.report );
		this.states = new Listeners( env.report );
		this.positions = new Positions( env.store, env.url, env.returned );
		this.presence = new Presence( ( message ) => this.post( message ), new Listeners( env.report ) );
		this.locks = new Locks( env.locks, env.id );
		this.carrier = null;
		this.welcome = false; // the host listens
		this.live = false; // there is a connection
		this.told = false; // whether there is, has been said
		this.transport = ''; // how it is made
		this.failed = false;
		this.over = false; // the host has given up
		this.hidden = false; // as far as the host knows
		this.queue = [];
		this.reporting = null; // the type of the message whose failure handlers are hearing of
		this.line = ''; // the last in the console
		this.silence = 0; // timer
	}

	connect() {
		if ( !this.env.able || this.failed ) {
			return false;
		}
		if ( !this.carrier ) {
			this.carrier = this.env.carrier( ( message ) => this.receive( message ), ( why ) => this.giveUp( why ) );
			this.env.afterLoad( () => this.carrier.start() );
		}
		return true;
	}

	// Says in the console what is wrong with what a script passes.
	refuses( what, type, callback, time ) {
		const problem = wrongType( type ) ||
			typeof callback !== 'function' && 'the callback is not a function' ||
			Number.isNaN( time ) && 'since is neither a Date nor Unix time in seconds';
		if ( problem ) {
			this.env.log( what + ': ' + problem );
		}
		return problem;
	}

	subscribe( type, callback, options ) {
		const time = seconds( options && options.since );
		if ( this.refuses( 'subscribe', type, callback, time ) ) {
			return () => {};
		}
		if ( this.types.add( type, callback ) ) {
			this.positions.begin( type, time );
			this.want( type );
		} else if ( time ) {
			this.joins( type, time, callback );
		}
		this.connect();
		return () => this.unsubscribe( type, callback );
	}

	// Another callback wants what the first may have had.
	joins( type, time, callback ) {
		const since = this.positions.join( type, time, callback );
		if ( this.welcome ) {
			this.post( { op: 'subscribe', type, since } );
		} else if ( this.positions.since( type ).since.epoch ) {
			// The next host goes on from where the page was, and not from before.
			Promise.resolve().then( () => this.receive( { op: 'missed', type } ) );
		}
	}

	want( type ) {
		this.post( Object.assign( { op: 'subscribe', type }, this.positions.since( type ) ) );
	}

	unsubscribe( type, callback ) {
		if ( this.types.remove( type, callback ) ) {
			this.positions.end( type );
			this.post( { op: 'unsubscribe', type } );
		}
	}

	ask( type ) {
		const problem = wrongType( type );
		return problem ? Promise.reject( failure( 'bad-request', problem ) ) :
			this.connect() && this.transport !== 'api' ? this.presence.ask( type ) :
				Promise.reject( failure( 'unavailable', 'this page has no relay to ask' ) );
	}

	follow( op, name, type, callback ) {
		if ( this.refuses( name, type, callback ) ) {
			return () => {};
		}
		const stop = this.presence.follow( op, type, callback );
		this.connect();
		return stop;
	}

	send( type, msg, to ) {
		const problem = wrongType( type );
		if ( problem ) {
			this.env.log( 'send: ' + problem );
			return;
		}
		if ( type === this.reporting ) {
			// It would fail in the same way, and be reported, and so on for ever.
			this.log( 'send ' + type + ': not from a handler of its own error' );
			return;
		}
		// As JSON, because that is what arrives; what JSON cannot hold throws here, where the caller sees it.
		const json = JSON.stringify( msg === undefined ? '' : msg );
		if ( !this.connect() ) {
			return;
		}
		const message = { op: 'send', type, to: recipients( to ), json: json === undefined ? '""' : json };
		if ( this.welcome ) {
			this.post( message );
		} else if ( this.queue.push( message ) > QUEUE ) {
			const { type: dropped } = this.queue.shift();
			// Not within a report, else a handler that sends would never come to its end.
			if ( this.reporting === null ) {
				this.problem( {
					about: 'send', type: dropped, code: 'limit',
					message: 'too much was sent before there was a connection: the oldest message was dropped'
				} );
			}
		}
	}

	post( message ) {
		if ( this.welcome ) {
			message.client = this.env.id;
			this.carrier.post( message );
		}
	}

	receive( message ) {
		const { op, type } = message;
		switch ( op ) {
			case 'welcome':
				this.hello();
				break;
			case 'lost':
				this.part();
				break;
			case 'connected':
				this.over = false;
				this.change( true );
				this.presence.again();
				break;
			case 'disconnected':
				this.change( false );
				this.stop( message );
				break;
			case 'transport':
				this.transport = message.name;
				this.env.store( 'transport', message.name );
				break;
			case 'message':
				this.heard( Object.assign( { msg: '', from: '', to: '' }, message.data ) );
				break;
			case 'position':
				this.positions.reach( type, message.epoch, message.offset );
				break;
			case 'missed':
				if ( this.types.has( type ) ) {
					this.states.run( op, type );
					this.event( op, type );
				}
				break;
			case 'presence':
				this.presence.answered( message );
				break;
			case 'join':
			case 'leave':
				this.presence.changes.run( op + ' ' + type, message.data );
				break;
			case 'error':
				this.problem( message );
				break;
			case 'token':
				this.env.token( message.refused ).then( ( answer ) => this.post( Object.assign( { op: 'token' }, answer ) ) );
				break;
			case 'grants':
				this.env.grants( message.types, message.refused ).then( ( answer ) => this.post( Object.assign( { op: 'granted' }, answer ) ) );
				break;
			case 'lock':
				this.locks.watch( message.name, () => this.hostGone() );
				break;
			case 'ping':
				this.post( { op: 'pong' } );
				this.listen();
		}
	}

	heard( data ) {
		this.types.run( data.type, data, this.positions.pass( data.type, data.offset ) );
	}

	hello() {
		this.welcome = true;
		this.hidden = false;
		this.post( Object.assign( { op: 'hello' }, this.env.hello() ) );
		this.look();
		this.types.names().forEach( ( type ) => this.want( type ) );
		this.presence.hello();
		this.queue.splice( 0 ).forEach( ( message ) => this.post( message ) );
		if ( this.carrier.shared ) {
			this.locks.hold( () => this.post( { op: 'locked' } ) );
			this.listen();
		}
	}

	// Without Web Locks, which wikis with http lack, only its silence tells that the host is gone.
	listen() {
		clearTimeout( this.silence );
		if ( !this.env.locks ) {
			this.silence = setTimeout( () => this.hostGone(), SILENT );
		}
	}

	part() {
		this.welcome = false;
		this.change( false );
	}

	change( live ) {
		if ( live ? this.live : this.told && !this.live ) {
			return;
		}
		this.live = live;
		this.told = true;
		const name = live ? 'connected' : 'disconnected';
		this.states.run( name );
		this.event( name );
	}

	// The host has come to the end of its tries: whoever lost a right, say, is to be left in peace.
	stop( { reason, retry } ) {
		if ( retry === false && !this.over ) {
			this.over = true;
			this.env.warn( 'disconnected: ' + reason );
		}
	}

	problem( { about, type, code, message } ) {
		this.log( about + ' ' + type + ': ' + message );
		this.reporting = about === 'send' ? type : null;
		try {
			this.event( 'error', { about, type, code, message } );
		} finally {
			this.reporting = null;
		}
	}

	// Somebody who sends too fast makes hundreds of equal lines.
	log( line ) {
		if ( line !== this.line ) {
			this.line = line;
			this.env.log( line );
		}
	}

	hostGone() {
		this.part();
		// At once the browser would still take us to the one that ends.
		setTimeout( () => {
			if ( !this.welcome ) {
				this.carrier.start();
			}
		}, GRACE );
	}

	giveUp( why ) {
		this.failed = true;
		this.queue = [];
		this.env.log( 'no connection from this page: ' + why );
		this.part();
	}

	look() {
		if ( this.env.document.hidden !== this.hidden ) {
			this.hidden = !this.hidden;
			this.post( { op: 'visible', visible: !this.hidden } );
		}
		if ( this.hidden ) { // the last that a page hears of which the browser throws away
			this.positions.keep();
		}
	}

	hide() {
		this.positions.keep();
		this.post( { op: 'bye' } );
		this.welcome = false;
		clearTimeout( this.silence );
		this.locks.release();
	}

	show() {
		if ( !this.carrier || this.failed ) {
			return;
		}
		this.change( false );
		if ( this.carrier.shared ) {
			this.carrier.start(); // the host may have ended in the meantime
		} else {
			this.hello();
		}
	}
}

/**
 * Make the page's object, which webSocket.d.ts documents.
 *
 * @param {Object} env the browser and the wiki
 * @param {string} env.id the client id
 * @param {boolean} env.able whether this browser can run the client
 * @param {function(function(Object), function(string)): Object} env.carrier makes the way to the host: start(), post(message), shared
 * @param {function(): Object} env.hello the members of hello but for the client
 * @param {function(boolean): Promise<Object>} env.token gets a token; the argument: not the one in stock
 * @param {function(string[], string[]): Promise<Object>} env.grants gets subscription tokens for types; of the second list not those in stock
 * @param {function(string, *): *} env.store reads under a name, or with a value writes, what outlives the page in its tab; undefined or null when
 *  nothing is there
 * @param {string} env.url of the page
 * @param {boolean} env.returned the browser has brought back a page that had been left
 * @param {Document} env.document
 * @param {LockManager|undefined} env.locks
 * @param {function(Function)} env.afterLoad runs a function when the page has loaded
 * @param {function(string, Object)} env.event tells the wiki's other scripts
 * @param {function(string)} env.log writes a problem to the console
 * @param {function(string)} env.warn writes there what is no fault of anybody
 * @param {function(*)} env.report reports an exception of a callback
 * @return {{api: Object, hide: Function, show: Function, look: Function, woke: Function}} the object, and what to call when the page is put away, is
 *  brought back, may have become visible or hidden, or runs again after the browser had stopped it
 */
export function createPage( env ) {
	const page = new Page( env, ( name, value ) => env.event( name, value || api ) );
	const listen = ( name, callback ) => typeof callback === 'function' && page.states.add( name, callback );
	const api = {
		connect: () => page.connect(),
		active: () => !!page.carrier && !page.failed && !page.over,
		connected( callback ) {
			listen( 'connected', callback );
			if ( page.live && typeof callback === 'function' ) {
				page.states.call( callback );
			}
			return page.live;
		},
		disconnected( callback ) {
			listen( 'disconnected', callback );
		},
		missed( callback ) {
			listen( 'missed', callback );
		},
		subscribe: ( type, callback, options ) => page.subscribe( type, callback, options ),
		unsubscribe: ( type, callback ) => page.unsubscribe( type, callback ),
		send: ( type, msg, to ) => page.send( type, msg, to ),
		presence: ( type ) => page.ask( type ),
		joined: ( type, callback ) => page.follow( 'join', 'joined', type, callback ),
		left: ( type, callback ) => page.follow( 'leave', 'left', type, callback ),
		transport: () => page.live ? page.transport : '',
		clientID: () => env.id,
		url: () => env.hello().url
	};
	return { api, look: () => page.look(), hide: () => page.hide(), show: () => page.show(), woke: () => page.post( { op: 'woke' } ) };
}
