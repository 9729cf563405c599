/*
 * Hosts the Go program (wasmclient/) for the pages of this browser. The same file runs as a SharedWorker, as a dedicated Worker and, as the
 * last resort, in the page, where it finds its port on its own script element.
 */
import { before } from './before.js';
import 'wasm_exec';
import { Clock } from './clock.js';
import { Ports } from './ports.js';
import { Program } from './program.js';
import { remember } from './transport.js';

const ports = new Ports( ( client, message ) => {
	if ( message.op === 'hello' ) {
		remember( message.transport );
	}
	program.deliver( client, message );
} );
const clock = new Clock( () => program.deliver( '', { op: 'woke' } ) );
const program = new Program( {
	post: ( client, message ) => ports.post( client, message ),
	lost: () => {
		ports.forget();
		ports.broadcast( { op: 'lost' } );
	},
	welcome: () => ports.broadcast( { op: 'welcome' } ),
	failed: ( message ) => ports.broadcast( { op: 'failed', message } ),
	look: () => clock.look()
} );

[ 'online', 'offline' ].forEach( ( name ) => {
	self.addEventListener( name, () => program.deliver( '', { op: 'online', online: name === 'online' } ) );
} );
clock.start();

if ( typeof document !== 'undefined' ) {
	tidyGlobals();
	ports.add( document.currentScript.webSocketPort );
} else if ( 'onconnect' in self ) {
	self.onconnect = ( event ) => ports.add( event.ports[ 0 ] );
	ports.keepChecking();
	ports.hold( 'WebSocket host ' + self.crypto.getRandomValues( new Uint32Array( 4 ) ).join( '-' ) );
} else {
	ports.add( self );
}

/**
 * In a page, take what Go's support code put into the global object out of the way of scripts that look at "process" to see whether they run in
 * Node: it is there only while the program starts.
 */
function tidyGlobals() {
	const own = { Go: self.Go, process: self.process, path: self.path };
	put( before );
	program.env.Go = () => {
		const go = new own.Go();
		const run = go.run;
		go.run = ( instance ) => {
			put( own );
			const running = run.call( go, instance );
			put( before );
			return running;
		};
		return go;
	};
}

function put( values ) {
	Object.keys( values ).forEach( ( name ) => {
		if ( values[ name ] === undefined ) {
			delete self[ name ];
		} else {
			self[ name ] = values[ name ];
		}
	} );
}
