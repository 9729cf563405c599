import { Listeners } from './listeners.js';
import { recipients, wrongType } from './type.js';

// As many messages as the client keeps while there is no connection.
const QUEUE = 100;

/**
 * Make the page's object. webSocket.d.ts documents what it offers; the messages to the host are those of wasmclient/main.go.
 *
 * @param {Object} env the browser and the wiki
 * @param {string} env.id the client id
 * @param {boolean} env.able whether this browser can run the client
 * @param {function(function(Object), function(string)): Object} env.carrier makes the way to the host: start(), post(message), shared
 * @param {function(): Object} env.hello the members of hello but for the client
 * @param {function(boolean): Promise<Object>} env.token gets a token
 * @param {Document} env.document
 * @param {LockManager|undefined} env.locks
 * @param {function(Function)} env.afterLoad runs a function when the page has loaded
 * @param {function(string, Object)} env.event tells the wiki's other scripts
 * @param {function(string)} env.log writes a problem to the console
 * @param {function(*)} env.report reports an exception of a callback
 * @return {{api: Object, hide: Function, show: Function, look: Function}} the object, and what to call when the page is put away, is
 *  brought back, or may have become visible or hidden
 */
export function createPage( env ) {
	const types = new Listeners( env.report );
	const states = new Listeners( env.report );
	let carrier = null;
	let welcome = false;
	let live = false;
	let told = false;
	let failed = false;
	let hidden = false;
	let queue = [];
	let unlock = null;
	let vigil = null;

	const post = ( message ) => {
		if ( welcome ) {
			message.client = env.id;
			carrier.post( message );
		}
	};

	function hello() {
		welcome = true;
		hidden = false;
		post( Object.assign( { op: 'hello' }, env.hello() ) );
		look();
		types.names().forEach( ( type ) => post( { op: 'subscribe', type } ) );
		queue.splice( 0 ).forEach( post );
		lock();
	}

	// Who gets the lock knows that this page is gone.
	function lock() {
		if ( unlock ) {
			post( { op: 'locked' } );
		} else if ( carrier.shared && env.locks ) {
			env.locks.request( 'WebSocket ' + env.id, () => new Promise( ( resolve ) => {
				unlock = resolve;
				post( { op: 'locked' } );
			} ) ).catch( () => {} ); // the host asks for signs of life instead
		}
	}

	// A shared host may end without a word.
	function watch( name ) {
		if ( env.locks && !vigil ) {
			const mine = vigil = new AbortController();
			env.locks.request( name, { signal: mine.signal }, () => {
				if ( vigil === mine ) {
					again();
				}
			} ).catch( () => {} ); // given up
		}
	}

	function giveUpWatch() {
		if ( vigil ) {
			vigil.abort();
			vigil = null;
		}
	}

	function again() {
		giveUpWatch();
		welcome = false;
		change( false );
		carrier.start();
	}

	function change( now ) {
		if ( now ? live : told && !live ) {
			return;
		}
		live = now;
		told = true;
		const name = now ? 'connected' : 'disconnected';
		states.run( name );
		env.event( name, api );
	}

	function receive( message ) {
		switch ( message.op ) {
			case 'welcome':
				hello();
				break;
			case 'lost':
				welcome = false;
				change( false );
				break;
			case 'connected':
			case 'disconnected':
				change( message.op === 'connected' );
				break;
			case 'message':
				types.run( message.data.type, Object.assign( { msg: '', from: '', to: '' }, message.data ) );
				break;
			case 'token':
				env.token( message.refused ).then( ( answer ) => post( Object.assign( { op: 'token' }, answer ) ) );
				break;
			case 'lock':
				watch( message.name );
				break;
			case 'ping':
				post( { op: 'pong' } );
				break;
			case 'error':
				env.log( message.about + ' ' + message.type + ': ' + message.message );
				env.event( 'error', { about: message.about, type: message.type, code: message.code, message: message.message } );
		}
	}

	function giveUp( why ) {
		failed = true;
		welcome = false;
		queue = [];
		env.log( 'no connection from this page: ' + why );
		change( false );
	}

	function look() {
		if ( env.document.hidden !== hidden ) {
			hidden = !hidden;
			post( { op: 'visible', visible: !hidden } );
		}
	}

	const api = {
		connect() {
			if ( !env.able || failed ) {
				return false;
			}
			if ( !carrier ) {
				carrier = env.carrier( receive, giveUp );
				env.afterLoad( () => carrier.start() );
			}
			return true;
		},

		active: () => !!carrier && !failed,

		connected( callback ) {
			if ( typeof callback === 'function' ) {
				states.add( 'connected', callback );
				if ( live ) {
					states.call( callback );
				}
			}
			return live;
		},

		disconnected( callback ) {
			if ( typeof callback === 'function' ) {
				states.add( 'disconnected', callback );
			}
		},

		subscribe( type, callback ) {
			const problem = wrongType( type ) || typeof callback !== 'function' && 'the callback is not a function';
			if ( problem ) {
				env.log( 'subscribe: ' + problem );
				return () => {};
			}
			if ( types.add( type, callback ) ) {
				post( { op: 'subscribe', type } );
			}
			api.connect();
			return () => api.unsubscribe( type, callback );
		},

		unsubscribe( type, callback ) {
			if ( types.remove( type, callback ) ) {
				post( { op: 'unsubscribe', type } );
			}
		},

		send( type, msg, to ) {
			const problem = wrongType( type );
			if ( problem ) {
				env.log( 'send: ' + problem );
				return;
			}
			// As JSON, because that is what arrives; what JSON cannot hold throws here, where the caller sees it.
			const json = JSON.stringify( msg === undefined ? '' : msg );
			if ( !api.connect() ) {
				return;
			}
			const message = { op: 'send', type, to: recipients( to ), json: json === undefined ? '""' : json };
			if ( welcome ) {
				post( message );
			} else if ( queue.push( message ) > QUEUE ) {
				receive( {
					op: 'error', about: 'send', type: queue.shift().type, code: 'limit',
					message: 'too much was sent before there was a connection: the oldest message was dropped'
				} );
			}
		},

		clientID: () => env.id,

		url: () => env.hello().url
	};

	return {
		api,
		look,
		hide() {
			post( { op: 'bye' } );
			welcome = false;
			giveUpWatch();
			if ( unlock ) {
				unlock();
				unlock = null;
			}
		},
		show() {
			if ( !carrier || failed ) {
				return;
			}
			if ( carrier.shared ) {
				again(); // the host may have ended in the meantime
			} else {
				change( false );
				hello();
			}
		}
	};
}
